"""The private functions and classes of ``OpenSSL.crypto`` and ``OpenSSL.SSL`` that programs use.

They are for programs that call OpenSSL themselves.  pyossl itself uses ``raise_ssl_error`` only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from errno import errorcode
from typing import Any, NoReturn, TypeVar

from pyossl.pyopenssl._util import exception_from_error_queue, openssl_assert
from pyossl.pyopenssl.cryptography_binding import interface, library
from pyossl.pyopenssl.exceptions import (
    Error as SSLError,
    SysCallError,
    WantReadError,
    WantWriteError,
    WantX509LookupError,
    ZeroReturnError,
)
from pyossl.pyopenssl.keys import FILETYPE_PEM, Error, PassphraseCallableT, checked_passphrase, translated
from pyossl.x509.certificate_builder import time_text

_F = TypeVar("_F", bound=Callable[..., Any])

raise_current_error = functools.partial(exception_from_error_queue, Error)
crypto_assert = functools.partial(openssl_assert, exception_type=Error)


def _new_mem_buf(buffer: bytes | None = None) -> Any:
    """A ``BIO *`` in memory: an empty one to write to, or one to read ``buffer`` from.  BIO_new_mem_buf(3)"""
    if buffer is None:
        bio, kept = library.BIO_new(library.BIO_s_mem()), None
    else:
        kept = interface.new("char[]", buffer)
        bio = library.BIO_new_mem_buf(kept, len(buffer))
    crypto_assert(bio != interface.NULL)

    def free(bio: Any, kept: Any = kept) -> None:
        library.BIO_free(bio)

    return interface.gc(bio, free)


def _bio_to_string(bio: Any) -> bytes:
    """The bytes in a BIO in memory.  BIO_get_mem_data(3)"""
    place = interface.new("char **")
    length = library.BIO_get_mem_data(bio, place)
    return bytes(interface.buffer(place[0], length)) if length > 0 else b""


def _set_asn1_time(boundary: Any, when: bytes) -> None:
    """Sets an ``ASN1_TIME *`` to ``b"YYYYMMDDhhmmssZ"``; ``ValueError`` if it is no time.  ASN1_TIME_set_string(3)"""
    if not isinstance(when, bytes):
        raise TypeError("when must be a byte string")
    crypto_assert(boundary != interface.NULL)
    if library.ASN1_TIME_set_string(boundary, when) == 0:
        library.ERR_clear_error()
        raise ValueError("Invalid string")


def _new_asn1_time(when: bytes) -> Any:
    """An ``ASN1_TIME *`` for ``b"YYYYMMDDhhmmssZ"``; ``ValueError`` if it is no time.  ASN1_TIME_set_string(3)"""
    made = library.ASN1_TIME_new()
    crypto_assert(made != interface.NULL)
    made = interface.gc(made, library.ASN1_TIME_free)
    _set_asn1_time(made, when)
    return made


def _get_asn1_time(timestamp: Any) -> bytes | None:
    """``b"YYYYMMDDhhmmssZ"`` for an ``ASN1_TIME *``, None if it is empty."""
    with translated:
        return time_text(timestamp)


class _PassphraseHelper:
    """Makes a ``pem_password_cb`` of a passphrase, or of a function that returns one."""

    def __init__(
        self, type: int, passphrase: PassphraseCallableT | None, more_args: bool = False, truncate: bool = False
    ) -> None:
        if type != FILETYPE_PEM and passphrase is not None:
            raise ValueError("only FILETYPE_PEM key format supports encryption")
        self._passphrase = passphrase
        self._more_args = more_args
        self._truncate = truncate
        self._problems: list[Exception] = []

    @property
    def callback(self) -> Any:
        """The C function for OpenSSL.  Keep it until OpenSSL has called it."""
        if self._passphrase is None:
            return interface.NULL
        if not isinstance(self._passphrase, bytes) and not callable(self._passphrase):
            raise TypeError("Last argument must be a byte string or a callable.")
        return interface.callback("pem_password_cb", self._read_passphrase)

    @property
    def callback_args(self) -> Any:
        """The ``void *`` that OpenSSL passes to the function."""
        return interface.NULL

    def raise_if_problem(self, exceptionType: type[Exception] = Error) -> None:  # noqa: N803 - pyOpenSSL's
        """Raises the exception that the function raised, if there is one."""
        if self._problems:
            library.ERR_clear_error()
            raise self._problems.pop(0)

    def _read_passphrase(self, buf: Any, size: int, rwflag: Any, userdata: Any) -> int:
        try:
            given = self._passphrase
            if callable(given):
                given = given(size, rwflag, userdata) if self._more_args else given(rwflag)
            answer = checked_passphrase(given, size, self._truncate)
        except Exception as problem:
            self._problems.append(problem)
            return 0
        interface.memmove(buf, answer, len(answer))
        return len(answer)


class _CallbackExceptionHelper:
    """Keeps the exceptions of a program's callback until the function of OpenSSL has returned."""

    def __init__(self) -> None:
        self._problems: list[Exception] = []

    def raise_if_problem(self) -> None:
        """Raises the first exception, if there is one."""
        if self._problems:
            library.ERR_clear_error()
            raise self._problems.pop(0)


def raise_ssl_error(ssl: Any, result: int) -> None:
    """Raises the exception for the result of a function that was called with an ``SSL *``; returns None for success.

    SSL_get_error(3)
    """
    error = library.SSL_get_error(ssl, result)
    if error == library.SSL_ERROR_NONE:
        return
    if (simple := _SIMPLE.get(error)) is not None:
        raise simple()
    entry = library.ERR_peek_error()
    if error == library.SSL_ERROR_SYSCALL and entry == 0:
        number = interface.errno if result < 0 else 0
        raise SysCallError(number, errorcode.get(number)) if number else SysCallError(-1, "Unexpected EOF")
    if entry and library.ERR_GET_REASON(entry) == library.SSL_R_UNEXPECTED_EOF_WHILE_READING:
        library.ERR_clear_error()
        raise SysCallError(-1, "Unexpected EOF")
    exception_from_error_queue(SSLError)


_SIMPLE: dict[int, type[SSLError]] = {
    library.SSL_ERROR_WANT_READ: WantReadError,
    library.SSL_ERROR_WANT_WRITE: WantWriteError,
    library.SSL_ERROR_WANT_X509_LOOKUP: WantX509LookupError,
    library.SSL_ERROR_ZERO_RETURN: ZeroReturnError,
}


def _make_requires(flag: int, error: str) -> Callable[[_F], _F]:
    """A decorator for a function that needs a feature: it raises ``NotImplementedError`` if ``flag`` is false."""

    def decorated(function: _F) -> _F:
        if flag:
            return function

        @functools.wraps(function)
        def explode(*args: Any, **kwargs: Any) -> NoReturn:
            raise NotImplementedError(error)

        return explode  # type: ignore[return-value]  # it never returns

    return decorated
