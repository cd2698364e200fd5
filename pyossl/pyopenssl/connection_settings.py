"""``ConnectionSettings``: the settings of a ``Connection`` that need no ``Context``, over ``MutableConnection``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyossl.core import errors
from pyossl.core.copying import Uncopied
from pyossl.pyopenssl.certificates import X509
from pyossl.pyopenssl.context_settings import (
    certificate_of,
    checked_protocols,
    checked_text,
    private_key_of,
)
from pyossl.pyopenssl.exceptions import Error, queue_of, translate_methods, translated
from pyossl.pyopenssl.keys import PKey
from pyossl.tls.mutable.mutable_connection import MutableConnection

if TYPE_CHECKING:
    from cryptography import x509

    from pyossl.pyopenssl.keys import _PrivateKey


class ConnectionSettings(Uncopied):
    """The settings of a ``Connection`` that need no ``Context``."""

    if TYPE_CHECKING:
        _tls: MutableConnection
        _app_data: Any

    def set_accept_state(self) -> None:
        """Makes this the server's side of the connection.  SSL_set_accept_state(3)"""
        try:
            self._tls.set_accept_state()
        except errors.Error as error:
            raise Error(queue_of(error)) from error

    def set_connect_state(self) -> None:
        """Makes this the client's side of the connection.  SSL_set_connect_state(3)"""
        try:
            self._tls.set_connect_state()
        except errors.Error as error:
            raise Error(queue_of(error)) from error

    def set_options(self, options: int) -> int:
        """Adds ``options``, a combination of ``OP_*``, and returns all options that are set.  SSL_set_options(3)"""
        if not isinstance(options, int):
            raise TypeError("options must be an integer")
        return self._tls.add_options(options)

    def get_verify_mode(self) -> int:
        """The verification mode, a combination of ``VERIFY_*``.  SSL_get_verify_mode(3)"""
        return self._tls.verify_mode

    def use_certificate(self, cert: X509 | x509.Certificate) -> None:
        """Sets the certificate of this connection alone.

        ``cert`` is an object of ``cryptography``; an ``X509`` is accepted with a ``DeprecationWarning``, anything else
        raises ``TypeError``.  SSL_use_certificate(3)
        """
        with translated:
            self._tls.use_certificate(certificate_of(cert))

    def use_privatekey(self, pkey: _PrivateKey | PKey) -> None:
        """Sets the private key of this connection alone.

        ``pkey`` is an object of ``cryptography``; a ``PKey`` is accepted with a ``DeprecationWarning``, anything else
        raises ``TypeError``.  Raises ``Error`` if the key does not match the certificate.  SSL_use_PrivateKey(3)
        """
        with translated:
            self._tls.use_private_key(private_key_of(pkey))

    def set_tlsext_host_name(self, name: bytes) -> None:
        """Sets the server's name that a client sends (SNI), for example ``b"example.com"``.

        The name is not compared with the server's certificate: ``set_verify_host`` does that.  Raises ``TypeError`` if
        it is not bytes or contains a NUL.  SSL_set_tlsext_host_name(3)
        """
        if not isinstance(name, bytes):
            raise TypeError("name must be a byte string")
        if b"\0" in name:
            raise TypeError("name must not contain NUL byte")
        try:
            self._tls.send_server_name(name)
        except errors.Error as error:
            raise Error(queue_of(error)) from error

    def set_verify_host(self, name: str) -> None:
        """Sets the DNS name or IP address that the peer's certificate must have, in place of an earlier one.

        If the certificate is not for ``name``, verification fails.  Needs ``VERIFY_PEER``.  Not in pyOpenSSL.
        X509_VERIFY_PARAM_set1_host(3)
        """
        with translated:
            self._tls.expect_name(name)

    def set_groups(self, groups: str) -> None:
        """Sets the groups for the key exchange.

        ``groups`` is their names, for example ``"X25519MLKEM768:X25519"``, the preferred one first.  Raises ``Error``
        if OpenSSL refuses the list.  Not in pyOpenSSL.  SSL_set1_groups_list(3)
        """
        with translated:
            self._tls.choose_groups(checked_text("groups", groups))

    def set_sigalgs(self, algorithms: str) -> None:
        """Sets the signature algorithms.

        ``algorithms`` is their names, for example ``"ECDSA+SHA256:RSA-PSS+SHA256"``, the preferred one first.  Raises
        ``Error`` if OpenSSL refuses the list.  Not in pyOpenSSL.  SSL_set1_sigalgs_list(3)
        """
        with translated:
            self._tls.choose_sigalgs(checked_text("algorithms", algorithms))

    def set_alpn_protos(self, protos: list[bytes]) -> None:
        """Sets the application protocols that a client offers.

        ``protos`` is a list, for example ``[b"h2", b"http/1.1"]``.  Raises ``ValueError`` if the list is empty.
        SSL_set_alpn_protos(3)
        """
        with translated:
            self._tls.offer_protocols(checked_protocols(protos))

    def request_ocsp(self) -> None:
        """Asks the server for a stapled OCSP response; ``Context.set_ocsp_client_callback`` gets it.

        SSL_set_tlsext_status_type(3)
        """
        with translated:
            self._tls.request_ocsp()

    def set_ciphertext_mtu(self, mtu: int) -> None:
        """Sets ``mtu``, the size in bytes of the largest datagram that DTLS sends.  SSL_set_mtu(3)"""
        self._tls.set_mtu(mtu)

    def get_app_data(self) -> Any:
        """The object that ``set_app_data`` was given, or None."""
        return self._app_data

    def set_app_data(self, data: Any) -> None:
        """Keeps ``data``, any object of the program, with the connection."""
        self._app_data = data


# These methods translate exceptions themselves, so that a warning is about the line that called them.
_TRANSLATE = frozenset(
    ("set_accept_state", "set_connect_state", "set_tlsext_host_name", "use_certificate", "use_privatekey")
)
translate_methods(ConnectionSettings, but=_TRANSLATE)
