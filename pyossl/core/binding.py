"""The compiled module, the guard that it runs on the OpenSSL it was built for, and ownership.

Everything above takes ``ffi`` and ``lib`` from here.  ``lib`` has OpenSSL's functions and constants by their own
names, and ``lib.HAVE_x`` for what not every version has; no Python code compares versions.
"""

from __future__ import annotations

import atexit
from _weakref import getweakrefs, ref
from posix import register_at_fork

TYPE_CHECKING = False  # typing's own, which takes longer to import than all that is imported here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

try:
    from pyossl._openssl import ffi as ffi, lib as lib
except ImportError as error:
    from pyossl.core.import_failure import explained

    raise explained(error) from error


def text(pointer: Any) -> str:
    """The C string at ``pointer``, which OpenSSL owns; the empty string for NULL."""
    if pointer == ffi.NULL:
        return ""
    encoded: bytes = ffi.string(pointer)
    return encoded.decode("utf-8", "backslashreplace")


def _guard() -> None:
    if why := lib.pyossl_library_refused(lib.OpenSSL_version_num()):
        from pyossl.core.import_failure import refused

        relation = "of another major version than" if why == 1 else "older than"
        raise refused(
            f"the OpenSSL library at run time ({text(lib.OpenSSL_version(lib.OPENSSL_VERSION))}) is {relation} "
            f"the headers that pyossl was compiled with ({lib.OPENSSL_VERSION_NUMBER:#x})"
        )
    if lib.pyossl_initialise() != 1:
        raise ImportError("OpenSSL cannot be initialised: is its configuration file, openssl.cnf, valid?")


_guard()

register_at_fork(before=lib.pyossl_before_fork, after_in_parent=lib.pyossl_after_fork)  # pyossl/_c/core/forks.c


class _Owner(ref):  # type: ignore[type-arg]  # of a pointer
    """Knows when a pointer is gone, and is like no other: two pointers may be equal."""

    __slots__ = ()
    __eq__ = object.__eq__
    __hash__ = object.__hash__


_owned: dict[_Owner, Any] = {}
_let_go = _owned.pop


def own(pointer: Any, free: Callable[[Any], Any], keep: object = None) -> Any:
    """``pointer``, freed with ``free`` when Python drops it; until then what it borrows, ``keep``, is kept too.

    The owner is made in the expression that makes the object: ``own(lib.SSL_new(...), lib.SSL_free)``.

    ffi.gc() frees when the collector finalises its object, and in a cycle of garbage the ``__del__`` of another object
    may come after that, and use what has been freed (docs/pitfalls.md, 31).  So ffi.gc()'s object is kept here, where
    nothing is garbage, and what is handed out is a plain pointer, of which the collector knows nothing: it ends when
    the last reference to it does.  All that happens then is C: a signal's handler cannot come between.
    """
    owned = ffi.gc(ffi.cast(ffi.typeof(pointer), pointer), free)
    _owned[_Owner(pointer, _let_go)] = owned if keep is None else (keep, owned)  # a tuple drops its last item first
    return pointer


def release(pointer: Any) -> None:
    """Frees what ``own`` has returned, now.  Nobody may use it any more."""
    for owner in getweakrefs(pointer):
        if type(owner) is _Owner:
            _let_go(owner, None)


def _keep_at_exit() -> None:
    """As the interpreter ends, what is alive stays so: objects that are dropped later may still use it."""
    lib.pyossl_interpreter_ends()
    for owned in list(_owned.values()):
        ffi.gc(owned[1] if type(owned) is tuple else owned, None)


atexit.register(_keep_at_exit)
