"""The compiled module, the guard that it runs on the OpenSSL it was built for, and ownership.

Everything above takes ``ffi`` and ``lib`` from here.  ``lib`` has OpenSSL's functions and constants by their own
names, and ``lib.HAVE_x`` for what not every version has; no Python code compares versions.
"""

from __future__ import annotations

from collections.abc import Callable

TYPE_CHECKING = False  # typing's own, which takes longer to import than all that is imported here
if TYPE_CHECKING:
    from typing import Any

_ADVICE = "pyossl must be rebuilt on this system: pip install --force-reinstall --no-binary pyossl pyossl"

try:
    from pyossl._openssl import ffi as ffi, lib as lib
except ModuleNotFoundError as error:
    raise ImportError(f"pyossl's extension module is not built ({error}): pip install pyossl, or -e .") from error
except ImportError as error:
    raise ImportError(f"this system's OpenSSL is not the one that pyossl was built for ({error}); {_ADVICE}") from error


def text(pointer: Any) -> str:
    """The C string at ``pointer``, which OpenSSL owns; the empty string for NULL."""
    if pointer == ffi.NULL:
        return ""
    encoded: bytes = ffi.string(pointer)
    return encoded.decode("utf-8", "backslashreplace")


def _guard() -> None:
    if why := lib.pyossl_library_refused(lib.OpenSSL_version_num()):
        relation = "of another major version than" if why == 1 else "older than"
        raise ImportError(
            f"the OpenSSL library at run time ({text(lib.OpenSSL_version(lib.OPENSSL_VERSION))}) is {relation} "
            f"the headers that pyossl was compiled with ({lib.OPENSSL_VERSION_NUMBER:#x}); {_ADVICE}"
        )
    if lib.pyossl_initialise() != 1:
        raise ImportError("OpenSSL cannot be initialised: is its configuration file, openssl.cnf, valid?")


_guard()


def own(pointer: Any, free: Callable[[Any], Any], keep: object = None) -> Any:
    """``pointer``, freed with ``free`` when Python drops it; until then what it borrows, ``keep``, is kept too.

    The owner is made in the expression that makes the object: ``own(lib.SSL_new(...), lib.SSL_free)``.
    """
    if keep is None:
        return ffi.gc(pointer, free)

    def free_before(pointer: Any, keep: object = keep) -> None:
        free(pointer)

    return ffi.gc(pointer, free_before)
