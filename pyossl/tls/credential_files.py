"""A certificate, its chain and its key from PEM files, for a ``MutableContext``.

SSL_CTX_use_certificate_chain_file(3), SSL_CTX_use_PrivateKey_file(3)

They are read into an SSL_CTX of their own first (pyossl/_c/tls/credential_files.c).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from pyossl.core import ffi, lib, own
from pyossl.core.errors import check_ptr, failed
from pyossl.core.outcome import take_records
from pyossl.core.parked_exceptions import callback
from pyossl.x509.passwords import Password, password_bytes
from pyossl.x509.pem_and_der import pem_file

FilePath = str | bytes


class _Asked:
    """The password, and the exception of the function that was asked for it."""

    __slots__ = ("error", "password")

    def __init__(self, password: Password | None) -> None:
        self.password = password
        self.error: BaseException | None = None


@callback(-1)
def pyossl_on_password(handle: Any, buffer: Any, size: int) -> int:
    asked: _Asked = ffi.from_handle(handle)
    try:
        assert asked.password is not None
        password = password_bytes(asked.password)
        if len(password) > size:
            raise ValueError(f"password cannot be longer than {size} bytes")
        ffi.memmove(buffer, password, len(password))
    except BaseException as error:  # raised again when OpenSSL has returned
        asked.error = asked.error or error
        return -1
    return len(password)


def load_credentials(
    ctx: Any, certificate_file: FilePath, key_file: FilePath | None, password: Password | None
) -> None:
    """Reads both files, and gives what is in them to the ``SSL_CTX *``; see ``MutableContext.load_credentials``."""
    asked = _Asked(password)
    handle = ffi.NULL if password is None else ffi.new_handle(asked)
    take_records()
    reader = own(check_ptr(lib.pyossl_context_for_files(ctx, handle), "SSL_CTX_new"), lib.SSL_CTX_free)
    certificate = os.fsencode(certificate_file)
    key = certificate if key_file is None else os.fsencode(key_file)
    _read(asked, certificate_file, lib.SSL_CTX_use_certificate_chain_file, reader, pem_file(certificate))
    _read(asked, key_file or certificate_file, lib.SSL_CTX_use_PrivateKey_file, reader, key, lib.SSL_FILETYPE_PEM)
    if lib.SSL_CTX_check_private_key(reader) != 1:
        raise _error("SSL_CTX_check_private_key", None)
    if lib.pyossl_take_credentials(ctx, reader) != 1:
        raise _error("SSL_CTX_use_cert_and_key", None)


def _read(asked: _Asked, path: FilePath, function: Callable[..., int], *arguments: Any) -> None:
    done = function(*arguments) == 1
    if asked.error is not None:
        take_records()
        error, asked.error = asked.error, None
        try:
            raise error
        finally:
            del error  # its traceback refers to this frame: no reference cycle
    if not done:
        raise _error(function.__name__, path)


def _error(operation: str, path: FilePath | None) -> Exception:
    """An ``OSError`` with the path for a file that cannot be read, else the ``Error`` with OpenSSL's records."""
    error = failed(operation)
    if path is not None and isinstance(error, OSError):
        return OSError(error.errno, os.strerror(error.errno or 0), path)
    return error
