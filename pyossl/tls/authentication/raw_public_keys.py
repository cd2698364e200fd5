"""Raw public keys: a peer shows only its public key, without a certificate, and the other side knows the key.  RFC 7250

SSL_CTX_set1_server_cert_type(3), SSL_get0_peer_rpk(3)

Theory of operation
-------------------
Both sides say in the handshake which types they can send and take, for the server's proof of identity and for the
client's: a certificate (X.509) or a raw public key.  A peer proves, as with a certificate, that it has the private key.

Nobody has signed a raw key.  So it says who the peer is only to a program that knows the key already, and a raw key is
accepted only if it is one of those that the context expects.  It has no name, no dates and no chain: a client with
``server_hostname`` compares the name with a certificate, and not with a raw key.
pyossl/_c/tls/authentication/raw_public_keys.c looks the key up.

A session belongs to its context, whose keys do not change after the first connection.  A session of other contexts,
which ``Session.load`` can read, is offered only if its peer's key is expected here.  A server resumes the sessions of
contexts only that expect the same keys: ``sessions_digest`` in pyossl/tls/sessions/session_settings.py.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any

from pyossl.core import ffi, lib
from pyossl.core.arguments import instances
from pyossl.core.errors import UsageError, check, require
from pyossl.core.outcome import take_records
from pyossl.tls.authentication.credentials import KeySource, key_of
from pyossl.tls.settings.context_state import ContextState
from pyossl.x509.keys import PublicKey, check_library
from pyossl.x509.passwords import Password

_FEATURE = "raw public keys"


class CertificateType(enum.Enum):
    """What a side shows to prove who it is: ``CertificateType.X509`` is TLSEXT_cert_type_x509.

    - ``X509``: a certificate with its chain.
    - ``RAW_PUBLIC_KEY``: its public key alone.

    SSL_get_negotiated_server_cert_type(3)
    """

    X509 = "X.509"
    RAW_PUBLIC_KEY = "raw public key"


_RAW_ONLY = (CertificateType.RAW_PUBLIC_KEY,)


class RawPublicKeySettings(ContextState):
    """The raw public keys of a context: its own, and those of its peers."""

    __slots__ = ()

    def use_raw_public_key(
        self,
        private_key: KeySource | None = None,
        *,
        password: Password | None = None,
        types: Iterable[CertificateType] = _RAW_ONLY,
    ) -> None:
        """Lets this side show its public key without a certificate.

        - ``private_key``: the key, as in ``Context.server``; None for that of the context's certificate.
        - ``password``: the password of an encrypted key.
        - ``types``: what this side may show, the preferred one first.  With ``CertificateType.X509`` too, it shows its
          certificate to peers that do not take raw keys, or raw keys only to peers that take no certificates.

        ``Context(is_server=True)`` makes a server that has no certificate.  A peer that does not take what this side
        shows ends the handshake.

        Raises ``UsageError`` if both or neither of ``private_key`` and a certificate are there, and for ``X509``
        without a certificate, ``ValueError`` for ``types`` without a raw key or with one twice, ``UnsupportedError``
        before OpenSSL 3.2, and the exceptions of ``Context.server`` for a key.
        SSL_CTX_set1_server_cert_type(3), SSL_CTX_set1_client_cert_type(3)
        """
        self._change()
        shown = _checked(types)
        require(lib.HAVE_RAW_PUBLIC_KEYS, _FEATURE)
        has_certificate = lib.SSL_CTX_get0_certificate(self._ctx) != ffi.NULL
        if has_certificate == (private_key is not None):
            raise UsageError(
                "this context has a certificate: its key is used, without private_key"
                if has_certificate
                else "private_key is missing: this context has no certificate, whose key could be used"
            )
        if CertificateType.X509 in shown and not has_certificate:
            raise UsageError("this context has no certificate: it can show its raw public key only")
        take_records()
        if private_key is not None:
            key = key_of(private_key, password, self._library_context)
            check_library(key, self._library_context, "the context")
            take_records()
            check(lib.SSL_CTX_use_PrivateKey(self._ctx, key._key), "using the private key")
            self._log_in = key._log_in
            self._raw_key = key.public_der()
        _set_types(self._ctx, of_server=self._is_server, types=shown)

    def expect_public_keys(self, keys: Iterable[PublicKey], *, types: Iterable[CertificateType] = _RAW_ONLY) -> None:
        """Accepts a peer that shows one of these keys as a raw public key; another raw key fails the handshake.

        - ``keys``: the ``PublicKey`` of each peer, at least one.
        - ``types``: what a peer may show, the preferred one first.  With ``CertificateType.X509`` too, a peer may also
          show a certificate, which is verified as always.  Otherwise every certificate is refused, also a trusted one.
          If both sides have both types, the side that shows its key decides, at least if it uses OpenSSL.

        A raw key has no name: a client that checks names compares them with certificates only.  The key must be as
        strong as the security level demands.

        On a server that asks for no client certificates, clients are asked from now on, and one without an expected
        key is refused.  To take certificates too, it needs ``Context.server(trust=…, verify=True)``; with
        ``verify="optional"`` clients may show nothing.  Calling it again replaces the keys.

        The failure is ``CertificateError``.  Raises ``ValueError`` for no keys and for ``types`` without a raw key,
        ``TypeError`` for another object, ``UsageError`` for a client that does not verify, and for a server that has no
        trust to verify certificates with, ``UnsupportedError`` before OpenSSL 3.2.
        SSL_add_expected_rpk(3), X509_STORE_CTX_get0_rpk(3)
        """
        self._change()
        expected = instances(keys, PublicKey, "the expected keys")
        taken = _checked(types)
        if not expected:
            raise ValueError("no keys are expected: every peer would be refused; give at least one PublicKey")
        require(lib.HAVE_RAW_PUBLIC_KEYS, _FEATURE)
        mode = lib.SSL_CTX_get_verify_mode(self._ctx)
        takes_certificates = CertificateType.X509 in taken
        if not mode & lib.SSL_VERIFY_PEER:
            if not self.is_server:
                raise UsageError("this context does not verify: it would accept every key; use Context.client()")
            if takes_certificates:
                raise UsageError("to verify certificates too, use Context.server(trust=..., verify=True)")
            mode = lib.SSL_VERIFY_PEER | lib.SSL_VERIFY_FAIL_IF_NO_PEER_CERT
        take_records()
        pointers = ffi.new("EVP_PKEY *[]", [key._key for key in expected])
        if lib.pyossl_expect_keys(self._ctx, mode, pointers, len(expected), takes_certificates) != 1:
            take_records()
            raise MemoryError("there is no memory for the expected keys")
        _set_types(self._ctx, of_server=not self._is_server, types=taken)
        self._expected_keys = repr((takes_certificates, sorted(key.to_der() for key in expected))).encode()


def _checked(types: Iterable[CertificateType]) -> tuple[CertificateType, ...]:
    every = instances(types, CertificateType, "the certificate types")
    if CertificateType.RAW_PUBLIC_KEY not in every or len(set(every)) < len(every):
        raise ValueError(
            "the certificate types are CertificateType.RAW_PUBLIC_KEY, and X509 before or after it, not "
            f"{[each.name for each in every][:9]}"
        )
    return every


def _set_types(context: Any, *, of_server: bool, types: tuple[CertificateType, ...]) -> None:
    """Sets what servers, or clients, show in the connections of an ``SSL_CTX *``."""
    numbers = bytes(
        lib.TLSEXT_cert_type_x509 if each is CertificateType.X509 else lib.TLSEXT_cert_type_rpk for each in types
    )
    if of_server:
        check(lib.SSL_CTX_set1_server_cert_type(context, numbers, len(numbers)), "SSL_CTX_set1_server_cert_type")
    else:
        check(lib.SSL_CTX_set1_client_cert_type(context, numbers, len(numbers)), "SSL_CTX_set1_client_cert_type")


def certificate_type_of(ssl: Any, *, of_server: bool) -> CertificateType:
    """What the server, or the client, shows in the connection of an ``SSL *``, as it was negotiated."""
    if not lib.HAVE_RAW_PUBLIC_KEYS:
        return CertificateType.X509
    ask = lib.SSL_get_negotiated_server_cert_type if of_server else lib.SSL_get_negotiated_client_cert_type
    return CertificateType.RAW_PUBLIC_KEY if ask(ssl) == lib.TLSEXT_cert_type_rpk else CertificateType.X509
