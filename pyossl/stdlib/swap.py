"""Puts the module ``ssl`` over pyossl, and back.

If ``ssl`` has not been imported before, pyossl's ``_ssl`` is put into ``sys.modules``, and ``ssl`` is imported.
Otherwise its names are exchanged: pyossl/stdlib/exchange.py.  That is imported only then.
"""

from __future__ import annotations

import sys
from _thread import RLock
from importlib import import_module

from pyossl.core import ffi, lib, own
from pyossl.core.methods_in_c import socket_methods
from pyossl.stdlib.install_error import InstallError
from pyossl.stdlib.module import make

TYPE_CHECKING = False  # as in typing, which takes longer to import than this module
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from pyossl.stdlib.old_objects import LeftBehind
    from pyossl.stdlib.ssl_namespace import Namespace

_lock = RLock()
_is_installed = False
_original: Namespace | None = None
"""What ``ssl`` is over Python's own ``_ssl``, while it is over pyossl; None if it has not been imported over that."""
_over_pyossl: Namespace | None = None
"""What ``ssl`` was over pyossl, after ``uninstall``: the next ``install`` puts the same back."""


def is_installed() -> bool:
    """Whether ``ssl`` is over pyossl."""
    return _is_installed


def install(*, strict: bool) -> None:
    """Puts ``ssl`` over pyossl, if it is not.  See ``pyossl.stdlib.install``."""
    global _is_installed, _original
    with _lock:
        if _is_installed:
            return
        original = None
        if _over_pyossl is not None:
            from pyossl.stdlib.exchange import exchange

            original = exchange(_over_pyossl.ssl_c, strict=strict, entering=_over_pyossl)
        else:
            new = make(sys.modules.get("_ssl"))
            if "ssl" not in sys.modules:
                _import_over(new)
            if _used_by_ssl() is not new:  # it had been imported before; or another thread has, a moment ago
                from pyossl.stdlib.exchange import exchange

                _check_library()
                original = exchange(new, strict=strict, finish=_put_methods_in_c)
        _original, _is_installed = original, True


def uninstall() -> None:
    """Puts the original back, if it is not there.  See ``pyossl.stdlib.uninstall``."""
    global _is_installed, _original, _over_pyossl
    with _lock:
        if not _is_installed:
            return
        from pyossl.stdlib.exchange import exchange

        if _original is None:
            _over_pyossl = exchange(_load_original(), strict=False)
        else:
            _over_pyossl = exchange(_original.ssl_c, strict=False, entering=_original)
        _original, _is_installed = None, False


def left_behind() -> list[LeftBehind]:
    """What goes on over the original.  See ``pyossl.stdlib.left_behind``."""
    from pyossl.stdlib.old_objects import made_with

    with _lock:
        return [] if _original is None else made_with(_original.names)


def _check_library() -> None:
    """Makes a context, which shows that OpenSSL works: a wrong openssl.cnf for example makes it fail.

    A program that has not used ``ssl`` yet is told by its first context.  This takes as long as a fifth of the import.
    """
    made = lib.SSL_CTX_new(lib.TLS_method())
    if made == ffi.NULL:
        from pyossl.tls.system_openssl import no_context

        raise InstallError(f"no context can be made with the system's OpenSSL: {no_context()}")
    own(made, lib.SSL_CTX_free)


def _import_over(new: ModuleType) -> None:
    """Imports ``ssl`` for the first time, over ``new``."""
    previous = sys.modules.get("_ssl")
    sys.modules["_ssl"] = new
    try:
        import_module("ssl")
        if _used_by_ssl() is new:
            _put_methods_in_c(vars(sys.modules["ssl"]))
    except BaseException:
        sys.modules.pop("ssl", None)
        if previous is None:
            del sys.modules["_ssl"]
        else:
            sys.modules["_ssl"] = previous
        raise


def _used_by_ssl() -> object:
    return import_module("ssl")._ssl  # waits for a thread that is importing it


def _put_methods_in_c(names: dict[str, Any]) -> None:
    """Puts the methods in C onto the ``SSLSocket`` that ``ssl.py`` has made over pyossl."""
    cls = names["SSLSocket"]
    socket_methods(cls, cls.recv, cls.recv_into, cls.send, cls.sendall)


def _load_original() -> ModuleType:
    """Python's own ``_ssl``, which this process has not loaded yet."""
    from importlib.util import module_from_spec

    for finder in sys.meta_path:
        try:
            spec = finder.find_spec("_ssl", None)
            if spec is not None and spec.loader is not None:
                module = module_from_spec(spec)
                spec.loader.exec_module(module)
                return module
        except ImportError as error:
            raise InstallError(f"Python's own _ssl cannot be loaded: {error}") from error
    raise InstallError("this Python has no _ssl of its own to go back to")
