"""Keys and certificates by their URI, wherever they are kept: files, PKCS#11 tokens, TPMs.  ossl_store(7)"""

from __future__ import annotations

import re
import threading
from typing import Any, NamedTuple, TypeVar, overload

from pyossl._lib import ffi, lib, own, text
from pyossl.crl import CRL
from pyossl.encoding import Password, c_string, password_bytes
from pyossl.errors import DecodeError, PasswordError, UnsupportedError, check, check_ptr, failed
from pyossl.keys import PrivateKey, PublicKey
from pyossl.outcome import take_records
from pyossl.x509 import Certificate

Stored = PrivateKey | PublicKey | Certificate | CRL
"""What can be kept under a URI."""


_S = TypeVar("_S", PrivateKey, PublicKey, Certificate, CRL)


@overload
def load_uri(uri: str, password: Password | None = None) -> list[Stored | str]: ...
@overload
def load_uri(uri: str, password: Password | None = None, *, kind: type[_S]) -> list[_S]: ...
def load_uri(uri: str, password: Password | None = None, *, kind: type[Any] | None = None) -> list[Any]:
    """All that is kept under a URI, in the order in which it is found; or what is of one ``kind``, such as
    ``PrivateKey``, whatever else may be there.

    ``file:/etc/ssl/key.pem``, or a path alone, is a file of any format that OpenSSL reads, or a folder, which has the
    URIs of its files.  From OpenSSL 3.0 others are a provider's: ``pkcs11:token=mine;object=key`` is that of
    pkcs11-provider, which openssl.cnf loads; such a key signs where it lies, and cannot be written.

    ``password`` (a PIN is one) is asked for only when there is need of it; nothing ever prompts.  Raises
    ``PasswordError`` when it is missing or wrong, ``FileNotFoundError`` or another ``OSError``, ``DecodeError`` for
    what nobody can read and where nothing is, and ``UnsupportedError`` for a URI of a kind that this OpenSSL, as it is
    configured, knows nothing of.  OSSL_STORE_open(3), OSSL_STORE_load(3)
    """
    known = None if callable(password) else password
    found = _search(uri, known, kind)
    if found.asked and not found.things and callable(password):
        take_records()
        found = _search(uri, known := password(), kind)
    what = f"loading {uri!r}"
    # Of a wrong PIN a token's provider says nothing: it finds nothing.
    if found.asked and (not found.things or (found.failed and kind is None)):
        why = "needs a password" if known is None else "was not opened by this password"
        raise failed(f"what is kept under {uri!r} {why}: {what}", PasswordError)
    if not found.things and (kind is not None or not found.failed):
        take_records()
        raise DecodeError(f"{what} failed: there is no {kind.__name__ if kind else 'key, certificate or CRL'}")
    if found.failed and kind is None:
        raise failed(what, DecodeError)
    take_records()
    return found.things


class _Found(NamedTuple):
    """What a search came to; where it met something that it could not read the error queue tells why."""

    things: list[Stored | str]
    asked: bool
    failed: bool


def _search(uri: str, password: str | bytes | None, kind: type[Any] | None) -> _Found:
    secret = b"" if password is None else password_bytes(password)
    kept = ffi.from_buffer(secret)
    answer = ffi.new("pyossl_password *", {"bytes": kept, "length": -1 if password is None else len(secret)})
    take_records()
    wrapped = lib.UI_UTIL_wrap_read_pem_callback(lib.pyossl_password_callback, 0)
    method = own(check_ptr(wrapped, "UI_UTIL_wrap_read_pem_callback"), lib.UI_destroy_method)
    with _silence:
        return _searched(uri, kind, method, answer, kept)


class _Silence:
    """While it is held nothing in this process is asked for on a terminal, as a token's provider does of itself where
    the password that it asked for was not given.  UI_null(3)
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._method: Any = None

    def __enter__(self) -> None:
        self._lock.acquire()
        self._method = lib.UI_get_default_method()
        lib.UI_set_default_method(lib.UI_null())

    def __exit__(self, *_: object) -> None:
        lib.UI_set_default_method(self._method)
        self._lock.release()


_silence = _Silence()


def _searched(uri: str, kind: type[Any] | None, method: Any, answer: Any, kept: Any) -> _Found:
    context = lib.OSSL_STORE_open(c_string(uri, "a URI"), method, answer, ffi.NULL, ffi.NULL)
    if context == ffi.NULL:
        raise _unopened(uri)
    store = own(context, lib.OSSL_STORE_close, (method, answer, kept))
    if kind is not None and (expected := _EXPECTED.get(kind)) is not None:
        check(lib.OSSL_STORE_expect(store, expected), "OSSL_STORE_expect")
    things: list[Stored | str] = []
    in_vain = 0
    while in_vain < _MOST_IN_VAIN and not lib.OSSL_STORE_eof(store):
        info = lib.OSSL_STORE_load(store)
        in_vain = 0 if info != ffi.NULL else in_vain + 1
        # OSSL_STORE_error(3) is also that there is no more; and what is not of the kind that is expected is one, too.
        if info != ffi.NULL:
            take_records()
            thing = _taken(own(info, lib.OSSL_STORE_INFO_free))
            if thing is not None and (kind is None or isinstance(thing, kind)):
                things.append(thing)
        elif lib.ERR_peek_error() != 0 and kind is None:
            break
    return _Found(things, bool(answer.asked), lib.ERR_peek_error() != 0)


_MOST_IN_VAIN = 100_000
"""So many loads one after the other that come to nothing: a file that cannot be read, say, never comes to its end."""

_EXPECTED: dict[type[Stored], int] = {PrivateKey: lib.OSSL_STORE_INFO_PKEY, Certificate: lib.OSSL_STORE_INFO_CERT}
_EXPECTED[CRL] = lib.OSSL_STORE_INFO_CRL
_EXPECTED[PublicKey] = lib.OSSL_STORE_INFO_PUBKEY if lib.HAVE_API_3_0 else lib.OSSL_STORE_INFO_PKEY


def _taken(info: Any) -> Stored | str | None:
    """One thing of a store's; None for what there is no class for, such as parameters."""
    kind = lib.OSSL_STORE_INFO_get_type(info)
    if kind == lib.OSSL_STORE_INFO_PKEY:
        key = own(check_ptr(lib.OSSL_STORE_INFO_get1_PKEY(info), "OSSL_STORE_INFO_get1_PKEY"), lib.EVP_PKEY_free)
        return PrivateKey(key) if lib.pyossl_is_private(key) else PublicKey(key)
    if kind == lib.OSSL_STORE_INFO_PUBKEY:
        key = check_ptr(lib.OSSL_STORE_INFO_get1_PUBKEY(info), "OSSL_STORE_INFO_get1_PUBKEY")
        return PublicKey(own(key, lib.EVP_PKEY_free))
    if kind == lib.OSSL_STORE_INFO_CERT:
        certificate = check_ptr(lib.OSSL_STORE_INFO_get1_CERT(info), "OSSL_STORE_INFO_get1_CERT")
        return Certificate(own(certificate, lib.X509_free))
    if kind == lib.OSSL_STORE_INFO_CRL:
        crl = check_ptr(lib.OSSL_STORE_INFO_get1_CRL(info), "OSSL_STORE_INFO_get1_CRL")
        return CRL(own(crl, lib.X509_CRL_free))
    if kind == lib.OSSL_STORE_INFO_NAME:
        return text(lib.OSSL_STORE_INFO_get0_NAME(info))
    return None


_NOBODY_S = (lib.OSSL_STORE_R_UNREGISTERED_SCHEME, lib.ERR_R_UNSUPPORTED)
_SCHEME = re.compile(r"(?!file:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def _unopened(uri: str) -> Exception:
    error = failed(f"opening {uri!r}")
    if not _SCHEME.match(uri):
        return error
    for record in error.records:
        # A path is tried first, so that the queue begins with a file that there is not.
        if record.library_code == lib.ERR_LIB_OSSL_STORE and record.reason_code in _NOBODY_S:
            scheme = uri.partition(":")[0]
            unsupported = UnsupportedError(
                f"store for URIs that begin with {scheme!r}: openssl.cnf may load a provider"
            )
            unsupported.failure = error.failure
            return unsupported
    return error
