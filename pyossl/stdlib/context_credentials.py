"""What a context loads from files: its certificate and key, Diffie-Hellman parameters, trusted certificates."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from pyossl.bio.bio import BIO
from pyossl.core import ffi, lib, own
from pyossl.core.outcome import Record, take_records
from pyossl.stdlib import certificate, errors, python_versions
from pyossl.stdlib.context_settings import Settings
from pyossl.tls.mutable.credential_files import dh_parameters_for_ssl_module, load_files


class Credentials(Settings):
    """The certificates and keys of a context."""

    # The context's own

    def load_cert_chain(
        self, certfile: Any, keyfile: Any = None, password: str | bytes | Callable[[], Any] | None = None
    ) -> None:
        """Loads the certificate with its chain, and the key.

        If ``password`` is None and the key is encrypted, OpenSSL asks for the password on the terminal.
        SSL_CTX_use_certificate_chain_file(3), SSL_CTX_use_PrivateKey_file(3)
        """
        certificates = _path(certfile, "certfile")
        key = certificates if keyfile is None else _path(keyfile, "keyfile")
        asked = None if password is None else _password_source(password)
        result, number = load_files(self.tls._ctx, certificates, key, asked, prompts=True)
        if result == lib.PYOSSL_CREDENTIALS_LOADED:
            return
        file = certfile if result == lib.PYOSSL_CERTIFICATE_FAILED or keyfile is None else keyfile
        raise _loading_error(number, file if python_versions.LOADING_ERRORS_HAVE_NAMES else None)

    def load_dh_params(self, path: Any, /) -> None:
        """Loads a server's Diffie-Hellman parameters, in PEM.  PEM_read_bio_DHparams(3)"""
        with open(path, "rb") as file:
            data = file.read()
        key = dh_parameters_for_ssl_module(data)
        if key == ffi.NULL:
            raise errors.of_queue()
        if lib.pyossl_use_dh(self.tls._ctx, key) != 1:
            lib.EVP_PKEY_free(key)
            raise errors.of_queue()

    # Trust

    def load_verify_locations(self, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        """Trusts the certificates of a PEM file, of a directory, and of ``cadata``: PEM as text, or DER as bytes.

        SSL_CTX_load_verify_locations(3)
        """
        if cafile is None and capath is None and cadata is None:
            raise TypeError("cafile, capath and cadata cannot be all omitted")
        file = ffi.NULL if cafile is None else _path(cafile, "cafile")
        directory = ffi.NULL if capath is None else _path(capath, "capath")
        if cadata is not None:
            data, is_pem = _certificate_data(cadata)
            self._trust(data, is_pem)
        if cafile is not None or capath is not None:
            take_records()
            ffi.errno = 0
            if lib.SSL_CTX_load_verify_locations(self.tls._ctx, file, directory) != 1:
                raise _loading_error(ffi.errno, None)

    def _trust(self, data: bytes, is_pem: bool) -> None:
        if not data:
            raise ValueError("Empty certificate data")
        bio, store, loaded = BIO.memory(data)._bio, self.tls.store, 0
        take_records()
        while is_pem or lib.BIO_ctrl_pending(bio):
            if is_pem:
                pointer = lib.PEM_read_bio_X509(bio, ffi.NULL, lib.pyossl_password_callback, ffi.NULL)
            else:
                pointer = lib.d2i_X509_bio(bio, ffi.NULL)
            if pointer == ffi.NULL:
                break
            x509 = own(pointer, lib.X509_free)
            if not lib.X509_STORE_add_cert(store._store, x509):
                break
            loaded += 1
        code = lib.ERR_peek_last_error()
        take_records()
        if not loaded:
            what = "no start line" if is_pem else "not enough data"
            raise errors.refused(f"{what}: cadata does not contain a certificate")
        is_end = lib.ERR_GET_LIB(code) == lib.ERR_LIB_PEM and lib.ERR_GET_REASON(code) == lib.PEM_R_NO_START_LINE
        if code and not (is_pem and is_end):
            raise errors.of_code(code)

    def set_default_verify_paths(self) -> None:
        """Trusts the certificates of OpenSSL's own file and directory.  SSL_CTX_set_default_verify_paths(3)"""
        take_records()
        if not lib.SSL_CTX_set_default_verify_paths(self.tls._ctx):
            raise errors.of_queue()

    def cert_store_stats(self) -> dict[str, int]:
        """How many certificates, authorities and CRLs are trusted.  X509_STORE_get0_objects(3)"""
        counts = self.tls.store.counts
        return {"x509": counts.certificates, "crl": counts.crls, "x509_ca": counts.authorities}

    def get_ca_certs(self, binary_form: object = False) -> list[Any]:
        """The trusted authorities that have been loaded, as dictionaries or DER.  X509_check_ca(3)"""
        shown = certificate.der_of if binary_form else certificate.dictionary_of
        trusted = (each._x509 for each in self.tls.store.certificates)
        return [shown(x509) for x509 in trusted if lib.X509_check_ca(x509)]


def _path(value: Any, name: str) -> bytes:
    """A path for C; raises the exceptions of ``_ssl``."""
    try:
        path = os.fsencode(value)
    except TypeError:
        raise TypeError(f"{name} should be a valid filesystem path") from None
    if b"\0" in path:
        raise ValueError("embedded null byte")
    return path


def _password(value: Any, message: str) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    raise TypeError(message)


def _password_source(password: Any) -> Callable[[], bytes] | bytes:
    if callable(password):
        return lambda: _password(password(), "password callback must return a string")
    return _password(password, "password should be a string or callable")


def _certificate_data(cadata: Any) -> tuple[bytes, bool]:
    """The bytes of ``cadata``, and whether they are PEM."""
    if isinstance(cadata, str):
        if not cadata.isascii():
            raise TypeError("cadata should be an ASCII string or a bytes-like object")
        return cadata.encode("ascii"), True
    try:
        view = memoryview(cadata)
    except TypeError:
        raise TypeError("cadata should be an ASCII string or a bytes-like object") from None
    if not view.c_contiguous:
        raise BufferError("memoryview: underlying buffer is not C-contiguous")
    return view.tobytes(), False


def _loading_error(number: int, file: Any) -> OSError:
    """The exception for a file that could not be loaded: the system's reason ``number``, or OpenSSL's if it is 0."""
    records: tuple[Record, ...] = take_records()
    if number:
        return OSError(number, os.strerror(number), *(() if file is None else (os.fsdecode(file),)))
    return errors.of_code(records[-1].code if records else 0)
