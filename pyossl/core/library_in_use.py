"""Which OpenSSL pyossl uses, and why: ``pyossl.features.library``."""

from __future__ import annotations

from typing import NamedTuple

from pyossl.core import lib, library_search, text


class PassedOver(NamedTuple):
    """A library that was tried before the one in use."""

    name: str
    reason: str


PassedOver.name.__doc__ = "Its path, or its name for the dynamic linker."
PassedOver.reason.__doc__ = "Why pyossl does not use it, for example ``it is LibreSSL, not OpenSSL``."


class Library(NamedTuple):
    """The libssl in use, and why it is that one."""

    path: str
    found_by: str
    passed_over: tuple[PassedOver, ...]
    headers: str
    is_late: bool
    is_newer: bool


Library.path.__doc__ = "The path of the file, as the dynamic linker reports it."
Library.found_by.__doc__ = "Why it is this one, for example ``PYOSSL_LIBSSL names it`` or ``pyossl is linked to it``."
Library.passed_over.__doc__ = "The libraries that were tried before it; empty if pyossl is linked to the library."
Library.headers.__doc__ = "The version of the headers with which pyossl was compiled."
Library.is_late.__doc__ = "True if pyossl found the library at import, as a wheel does; False if it is linked to it."
Library.is_newer.__doc__ = (
    "Whether the library is of a newer release than the headers.  It works.  A pyossl that was compiled with newer "
    "headers may know more of its functions and features."
)


def library_in_use() -> Library:
    """The libssl that this process uses.  dladdr(3)"""
    return Library(
        text(lib.pyossl_ssl_library()),
        library_search.found_by,
        tuple(PassedOver(*each) for each in library_search.passed_over),
        text(lib.pyossl_headers()),
        bool(lib.PYOSSL_LATE),
        bool(lib.pyossl_is_newer_than_headers()),
    )
