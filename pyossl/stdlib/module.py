"""Makes the module ``_ssl``: the constants, functions, types and exceptions that the running Python's ssl.py imports.

Contexts and connections need most of pyossl, which takes longer to import than ``ssl`` itself.  It is imported with the
first context.
"""

from __future__ import annotations

import _socket
import sys
from types import ModuleType

from pyossl.core.methods_in_c import ssl_types, use_ssl_errors
from pyossl.stdlib import constants, errors, functions, python_versions

TYPE_CHECKING = False  # as in typing, which takes longer to import than this module
if TYPE_CHECKING:
    from typing import Any

_TABLES = ("err_codes_to_names", "err_names_to_codes", "lib_codes_to_names")


def make(original: ModuleType | None = None) -> ModuleType:
    """A new module ``_ssl``.

    - ``original``: Python's own module, if it has been loaded: its exceptions and its default ciphers are kept.
    """
    module = ModuleType("_ssl", "TLS by pyossl, in the place of Python's own module.")
    names = module.__dict__
    names.update(constants.constants(original))
    ciphers = str(names["_DEFAULT_CIPHERS"])

    def new_context(protocol: int) -> Any:
        from pyossl.stdlib.context import Context

        return Context(protocol, ciphers)

    kinds = errors.use(original)
    use_ssl_errors(kinds.SSLError, kinds.SSLWantReadError, kinds.SSLWantWriteError)
    names.update(kinds._asdict())
    names.update(ssl_types(new_context, _socket.socket.gettimeout, sys.hexversion >> 16))
    for function in _functions():
        names[function.__name__] = function
    if python_versions.HAS_ERROR_TABLES:
        names["__getattr__"] = _tables_on_demand(names)
        names["__dir__"] = lambda: sorted({*names, *_TABLES} - {"__getattr__", "__dir__"})
    return module


def _functions() -> list[Any]:
    chosen = [
        functions.RAND_add,
        functions.RAND_bytes,
        functions.RAND_status,
        functions._test_decode_cert,
        functions.get_default_verify_paths,
        functions.nid2obj,
        functions.txt2obj,
    ]
    if python_versions.HAS_PSEUDO_RANDOM_BYTES:
        chosen.append(functions.RAND_pseudo_bytes)
    if python_versions.HAS_ALGORITHMS:
        chosen.append(functions.get_sigalgs)
    return chosen


def _tables_on_demand(names: dict[str, Any]) -> Any:
    """The ``__getattr__`` of a module whose tables of errors are made when a program first looks at one."""

    def find(name: str) -> Any:
        if name not in _TABLES:
            raise AttributeError(f"module '_ssl' has no attribute '{name}'")
        names.update(errors.error_tables())
        return names[name]

    return find
