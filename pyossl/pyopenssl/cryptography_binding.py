"""``cryptography``'s binding as pyOpenSSL offers it to programs: ``library``, ``interface`` and ``Binding``.

``library`` is pyossl's ``lib`` and the names that ``cryptography`` adds to OpenSSL's.  The functions below make objects
of the core from a program's pointers, and the other way round.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyossl.core import ffi, lib, own
from pyossl.core.errors import check, check_ptr
from pyossl.core.outcome import take_records
from pyossl.tls.mutable.mutable_context import MutableContext
from pyossl.x509.certificate import Certificate
from pyossl.x509.certificate_builder import CertificateBuilder
from pyossl.x509.keys import Key, PrivateKey, PublicKey
from pyossl.x509.names import Name
from pyossl.x509.trust_store import Store

_HAS = {
    "CUSTOM_EXT": True,
    "DTLS_GET_DATA_MTU": True,
    "ENGINE": False,
    "EVP_PKEY_DHX": True,
    "GET_EXTMS_SUPPORT": True,
    "IMPLICIT_RSA_REJECTION": lib.HAVE_API_3_2,
    "KEYLOG": True,
    "NEXTPROTONEG": False,
    "PRIME_CHECKS": True,
    "PSK": lib.HAVE_PSK,
    "PSK_TLSv1_3": lib.HAVE_PSK and lib.HAVE_TLS1_3,
    "SET_CERT_CB": True,
    "SIGALGS": True,
    "SRTP": True,
    "SSL_COOKIE": True,
    "SSL_GET0_GROUP_NAME": True,
    "SSL_OP_IGNORE_UNEXPECTED_EOF": True,
    "SSL_ST": False,
    "SSL_VERIFY_CLIENT_POST_HANDSHAKE": True,
    "TLS_ST": True,
    "TLSv1_3_FUNCTIONS": lib.HAVE_TLS1_3,
    "TLSv1_3_HS_FUNCTIONS": lib.HAVE_TLS1_3,
    "UNEXPECTED_EOF_WHILE_READING": True,
    "VERIFIED_CHAIN": True,
}


def _dtls_timeout(ssl: Any, seconds: Any, microseconds: Any) -> int:
    left = ffi.new("struct timeval *")
    found = int(lib.DTLSv1_get_timeout(ssl, left))
    if found > 0:
        seconds[0], microseconds[0] = left.tv_sec, left.tv_usec
    return found


_ADDED: dict[str, Any] = {
    **{f"Cryptography_HAS_{name}": int(has) for name, has in _HAS.items()},
    "Cryptography_DTLSv1_get_timeout": _dtls_timeout,
    "Cryptography_SSL_SESSION_new": lib.SSL_SESSION_new,
    "EVP_F_EVP_ENCRYPTFINAL_EX": 0,
    "SSL_get_peer_certificate": lib.SSL_get1_peer_certificate,
    "OPENSSL_VERSION_TEXT": lib.OpenSSL_version(lib.OPENSSL_VERSION),
}


class _Library:
    """pyossl's ``lib`` with the names that ``cryptography`` adds; a program may also set names, as it may there."""

    def __getattr__(self, name: str) -> Any:
        return _ADDED[name] if name in _ADDED else getattr(lib, name)

    def __dir__(self) -> list[str]:
        return sorted({*_ADDED, *dir(lib), *vars(self)})


library: Any = _Library()
interface: Any = ffi


class Binding:
    """The class by which ``cryptography`` offers ``lib`` and ``ffi``."""

    lib = library
    ffi = interface


# A program's pointers.  Each object takes a reference of its own, and keeps the program's pointer as well: that one may
# be made by ffi.gc().


def _shared(pointer: Any, kind: str, up_ref: Callable[[Any], int], free: Callable[[Any], Any]) -> Any:
    if not isinstance(pointer, ffi.CData) or ffi.typeof(pointer) != ffi.typeof(f"{kind} *"):
        raise TypeError(f"{kind} * is needed, not {pointer!r}")
    if pointer == ffi.NULL:
        raise ValueError(f"the {kind} * is NULL")
    check(up_ref(pointer), up_ref.__name__)
    return own(ffi.cast(f"{kind} *", pointer), free, pointer)


def certificate_from_pointer(pointer: Any) -> CertificateBuilder:
    """The certificate of an ``X509 *``, with a reference of its own.  X509_up_ref(3)"""
    return CertificateBuilder.of(Certificate(_shared(pointer, "X509", lib.X509_up_ref, lib.X509_free)))


def certificate_from_owned_pointer(pointer: Any) -> CertificateBuilder:
    """The certificate of an ``X509 *``, whose reference it takes over.  X509_free(3)"""
    return CertificateBuilder.of(Certificate(own(pointer, lib.X509_free)))


def store_from_pointer(pointer: Any) -> Store:
    """The store of an ``X509_STORE *``, with a reference of its own.  X509_STORE_up_ref(3)"""
    return Store(_shared(pointer, "X509_STORE", lib.X509_STORE_up_ref, lib.X509_STORE_free))


def shared_key_pointer(pointer: Any) -> Any:
    """An ``EVP_PKEY *`` with a reference of its own to the same key.  EVP_PKEY_up_ref(3)"""
    return _shared(pointer, "EVP_PKEY", lib.EVP_PKEY_up_ref, lib.EVP_PKEY_free)


def empty_key_pointer() -> Any:
    """An ``EVP_PKEY *`` without a key.  EVP_PKEY_new(3)"""
    return own(check_ptr(lib.EVP_PKEY_new(), "EVP_PKEY_new"), lib.EVP_PKEY_free)


def key_from_pointer(pointer: Any) -> Key | None:
    """The key of an owned ``EVP_PKEY *``: a public one if it has no private part, None if there is no key."""
    if lib.EVP_PKEY_get_id(pointer) == 0:
        return None
    take_records()
    kind = PrivateKey if lib.i2d_PrivateKey(pointer, ffi.NULL) > 0 else PublicKey
    take_records()
    return kind(pointer)


def name_from_pointer(pointer: Any) -> Name:
    """The name of an ``X509_NAME *``, which is kept and not copied."""
    if not isinstance(pointer, ffi.CData) or ffi.typeof(pointer) != ffi.typeof("X509_NAME *"):
        raise TypeError(f"X509_NAME * is needed, not {pointer!r}")
    if pointer == ffi.NULL:
        raise ValueError("the X509_NAME * is NULL")
    name = Name.__new__(Name)
    name._name = pointer
    return name


def name_pointer(certificate: Certificate, field: str) -> Any:
    """The ``X509_NAME *`` in a certificate, which keeps the certificate.  ``field`` is for example ``subject_name``."""
    found = getattr(lib, f"X509_get_{field}")(certificate._x509)
    return own(found, lib.pyossl_free_nothing, certificate._x509)


def context_pointer(context: MutableContext) -> Any:
    """The ``SSL_CTX *`` of a context."""
    return context._ctx


def c_callback(context: MutableContext, kind: str) -> Any:
    """The C function that OpenSSL calls, None if there is none.  ``kind`` is ``info`` or ``keylog``."""
    found = getattr(lib, f"SSL_CTX_get_{kind}_callback")(context._ctx)
    return None if found == ffi.NULL else found
