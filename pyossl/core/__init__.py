"""``ffi`` and ``lib``, the test that the OpenSSL in use fits the build, and ownership of C objects.

All other modules import ``ffi`` and ``lib`` from here.  ``lib`` has OpenSSL's functions and constants under their own
names, and a ``lib.HAVE_x`` for each feature that only some versions have; no Python code compares versions.
"""

from __future__ import annotations

import atexit
from _weakref import getweakrefs, ref
from posix import register_at_fork

TYPE_CHECKING = False  # as in typing, which takes longer to import than all imports of this module together
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

try:
    from pyossl._openssl import ffi as ffi, lib as lib
except ImportError as error:
    from pyossl.core.import_failure import explained

    raise explained(error) from error

if lib.PYOSSL_LATE:
    from pyossl.core.library_search import find

    lib = find(ffi, lib)  # type: ignore[misc]  # the same names, to a type checker


def text(pointer: Any) -> str:
    """A copy of the C string at ``pointer``; the empty string for NULL."""
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

register_at_fork(before=lib.pyossl_before_fork, after_in_parent=lib.pyossl_after_fork)  # pyossl/_c/core/forks_wait.c


class _Owner(ref):  # type: ignore[type-arg]  # of a pointer
    """A weak reference to a pointer.  It is compared by identity, because two pointers can be equal."""

    __slots__ = ()
    __eq__ = object.__eq__
    __hash__ = object.__hash__


_owned: dict[_Owner, Any] = {}
_let_go = _owned.pop


def own(pointer: Any, free: Callable[[Any], Any], keep: object = None) -> Any:
    """Returns ``pointer``, and calls ``free`` with it when the last reference to it is dropped.

    ``keep`` is an object that the C object uses: it is kept alive until then.  Call ``own`` in the expression that
    makes the C object: ``own(lib.SSL_new(...), lib.SSL_free)``.

    Why not ffi.gc() alone: the garbage collector finalises its object, and in a reference cycle the ``__del__`` of
    another object may run later and use the freed pointer (docs/pitfalls.md, 31).  So the object of ffi.gc() is kept in
    ``_owned``, and the caller gets a plain pointer, which has no finaliser: it ends when its last reference does.  Then
    only C code runs, which no signal handler can interrupt.
    """
    owned = ffi.gc(ffi.cast(ffi.typeof(pointer), pointer), free)
    _owned[_Owner(pointer, _let_go)] = owned if keep is None else (keep, owned)  # a tuple drops its last item first
    return pointer


def release(pointer: Any) -> None:
    """Frees a pointer that ``own`` has returned, now.  It must not be used any more."""
    for owner in getweakrefs(pointer):
        if type(owner) is _Owner:
            _let_go(owner, None)


def _keep_at_exit() -> None:
    """At the end of the interpreter nothing is freed any more: objects that are dropped later may still use it."""
    lib.pyossl_interpreter_ends()
    for owned in list(_owned.values()):
        ffi.gc(owned[1] if type(owned) is tuple else owned, None)


atexit.register(_keep_at_exit)
