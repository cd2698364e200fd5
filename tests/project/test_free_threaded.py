"""A free-threaded Python enables the GIL if it loads an extension that does not declare that it needs none.

`pyossl._fast` declares it in `PyInit__fast`. For `pyossl._openssl`, cffi does, in the function that makes the module.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig

import pytest

pytestmark = pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python is not free-threaded: it always has the GIL"
)

# `import pyossl` does not load pyossl._fast; the first class that has methods in C does.
LOAD_ALL = """
import sys
assert not sys._is_gil_enabled()
import pyossl
assert not sys._is_gil_enabled()
pyossl.Connection, pyossl.Socket
assert {"pyossl._openssl", "pyossl._fast"} <= sys.modules.keys()
assert not sys._is_gil_enabled()
"""


def test_the_gil_is_still_disabled_after_both_extensions_are_loaded() -> None:
    # The variable would decide instead of the extensions.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    # Python warns when it enables the GIL; as an error, the warning names the extension.
    command = [sys.executable, "-W", "error::RuntimeWarning", "-c", LOAD_ALL]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_the_tests_run_without_the_gil() -> None:
    """All modules of the tests are imported before the first test: none of their packages has enabled the GIL."""
    assert not sys._is_gil_enabled()  # type: ignore[attr-defined,unused-ignore]
