"""Isolated subinterpreters, each with a GIL of its own, keep the original ``ssl``."""

from __future__ import annotations

import sys

import pytest
from stdlib.ssl_programs import Run

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 13), reason="isolated subinterpreters with ssl work from 3.13 on"
)

IN_ISOLATED = """
import _interpreters
def isolated(code):
    interpreter = _interpreters.create("isolated")
    failed = _interpreters.exec(interpreter, code)
    assert failed is None, failed.formatted
    _interpreters.destroy(interpreter)
"""


def test_the_import_of_pyossl_says_in_one_true_sentence_why_it_cannot(run: Run) -> None:
    printed = run(
        IN_ISOLATED
        + """
isolated('''
try:
    import pyossl
except ImportError as error:
    print(error, flush=True)
''')
"""
    )
    assert printed.startswith("pyossl cannot be imported in an isolated subinterpreter, because ")
    assert len(printed.splitlines()) == 1
    assert "build it" not in printed


def test_the_original_works_there_beside_pyossl(run: Run) -> None:
    run(
        IN_ISOLATED
        + """
import pyossl.stdlib
pyossl.stdlib.install()
from exchanges import *
exchange()
isolated("from exchanges import *; in_memory(client_context(), server_context())")
exchange()
"""
    )
