"""PEM files for a ``MutableContext``: a certificate, its chain and its key, and Diffie-Hellman parameters.

SSL_CTX_use_certificate_chain_file(3), SSL_CTX_use_PrivateKey_file(3), PEM_read_bio_Parameters(3)

The certificate, its chain and its key are read into an SSL_CTX of their own first
(pyossl/_c/tls/mutable/credential_files.c).
"""

from __future__ import annotations

import os
from typing import Any

from pyossl.bio.bio import BIO
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


def load_files(
    ctx: Any, certificate: bytes, key: bytes, password: Password | None, *, prompts: bool = False
) -> tuple[int, int]:
    """Reads both files, and gives what is in them to the ``SSL_CTX *``.

    - ``certificate``, ``key``: the paths; the files are PEM.
    - ``password``: the password of an encrypted file, or a function that returns it and is called if it is needed.
    - ``prompts``: without a ``password``, OpenSSL asks for it on the terminal.

    Returns the result, ``PYOSSL_CREDENTIALS_LOADED`` or what has failed, and the errno of the system, 0 for none; the
    reason of a failure is in the error queue.  Raises the exception of ``password``, and ``ValueError`` for one that is
    too long.  SSL_CTX_use_cert_and_key(3)
    """
    asked = _Asked(password)
    handle = ffi.NULL if password is None else ffi.new_handle(asked)
    take_records()
    pointer = lib.pyossl_context_for_files(ctx, prompts and password is None, handle)
    reader = own(check_ptr(pointer, "SSL_CTX_new"), lib.SSL_CTX_free)
    result, number = lib.pyossl_read_credentials(reader, certificate, key), ffi.errno
    if asked.error is not None:
        take_records()
        error, asked.error = asked.error, None
        try:
            raise error
        finally:
            del error  # its traceback refers to this frame: no reference cycle
    if result == lib.PYOSSL_CREDENTIALS_LOADED and lib.pyossl_take_credentials(ctx, reader) != 1:
        return lib.PYOSSL_CREDENTIALS_REFUSED, 0
    return result, number


_OPERATIONS = {
    lib.PYOSSL_CERTIFICATE_FAILED: "SSL_CTX_use_certificate_chain_file",
    lib.PYOSSL_KEY_FAILED: "SSL_CTX_use_PrivateKey_file",
    lib.PYOSSL_CREDENTIALS_MISMATCH: "SSL_CTX_check_private_key",
    lib.PYOSSL_CREDENTIALS_REFUSED: "SSL_CTX_use_cert_and_key",
}


def load_credentials(
    ctx: Any, certificate_file: FilePath, key_file: FilePath | None, password: Password | None
) -> None:
    """``load_files`` with the exceptions of pyossl; see ``MutableContext.load_credentials``."""
    certificate = os.fsencode(certificate_file)
    key = certificate if key_file is None else os.fsencode(key_file)
    result, _ = load_files(ctx, pem_file(certificate), key, password)
    if result == lib.PYOSSL_CREDENTIALS_LOADED:
        return
    error = failed(_OPERATIONS[result])
    if isinstance(error, OSError):
        file = certificate_file if result == lib.PYOSSL_CERTIFICATE_FAILED else key_file or certificate_file
        raise OSError(error.errno, os.strerror(error.errno or 0), file)
    raise error


def dh_parameters(data: bytes) -> Any:
    """The first Diffie-Hellman parameters of a PEM file, as an EVP_PKEY for the caller; NULL if it has none.

    Such a file may have the parameters of a curve before them.  PEM_read_bio_Parameters(3)
    """
    memory = BIO.memory(data)
    take_records()
    while (key := lib.PEM_read_bio_Parameters(memory._bio, ffi.NULL)) != ffi.NULL:
        if lib.EVP_PKEY_id(key) in (lib.EVP_PKEY_DH, lib.EVP_PKEY_DHX):
            break
        lib.EVP_PKEY_free(key)
    return key


def dh_parameters_for_ssl_module(data: bytes) -> Any:
    """As ``dh_parameters``, with the errors of PEM_read_bio_DHparams(3), which Python's ``_ssl`` calls.

    It is called for these errors only: an OpenSSL without its deprecated functions lacks it.
    """
    if (key := dh_parameters(data)) != ffi.NULL:
        return key
    take_records()
    parameters = lib.PEM_read_bio_DHparams(BIO.memory(data)._bio, ffi.NULL, lib.pyossl_password_callback, ffi.NULL)
    if parameters == ffi.NULL:
        return ffi.NULL
    lib.DH_free(parameters)
    return dh_parameters(data)
