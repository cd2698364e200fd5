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
from pyossl.tls.mutable_connection import MutableConnection

if TYPE_CHECKING:
    from cryptography import x509

    from pyossl.pyopenssl.keys import _PrivateKey


class ConnectionSettings(Uncopied):
    """The settings of a ``Connection`` that need no ``Context``."""

    if TYPE_CHECKING:
        _tls: MutableConnection
        _app_data: Any

    def set_accept_state(self) -> None:
        """This is the server's side."""
        try:
            self._tls.set_accept_state()
        except errors.Error as error:
            raise Error(queue_of(error)) from error

    def set_connect_state(self) -> None:
        """This is the client's side."""
        try:
            self._tls.set_connect_state()
        except errors.Error as error:
            raise Error(queue_of(error)) from error

    def set_options(self, options: int) -> int:
        """Sets ``OP_x`` besides those that are set; all of them."""
        if not isinstance(options, int):
            raise TypeError("options must be an integer")
        return self._tls.add_options(options)

    def get_verify_mode(self) -> int:
        """Of ``VERIFY_x``."""
        return self._tls.verify_mode

    def use_certificate(self, cert: X509 | x509.Certificate) -> None:
        """The certificate of this connection."""
        with translated:
            self._tls.use_certificate(certificate_of(cert))

    def use_privatekey(self, pkey: _PrivateKey | PKey) -> None:
        """The private key of this connection."""
        with translated:
            self._tls.use_private_key(private_key_of(pkey))

    def set_tlsext_host_name(self, name: bytes) -> None:
        """What a client sends as the server's name."""
        if not isinstance(name, bytes):
            raise TypeError("name must be a byte string")
        if b"\0" in name:
            raise TypeError("name must not contain NUL byte")
        try:
            self._tls.send_server_name(name)
        except errors.Error as error:
            raise Error(queue_of(error)) from error

    def set_verify_host(self, name: str) -> None:
        """A DNS name or an IP address that the peer's certificate must have.  Not in pyOpenSSL."""
        with translated:
            self._tls.expect_name(name)

    def set_groups(self, groups: str) -> None:
        """The groups for the key exchange, such as ``X25519MLKEM768:X25519``.  Not in pyOpenSSL."""
        with translated:
            self._tls.choose_groups(checked_text("groups", groups))

    def set_sigalgs(self, algorithms: str) -> None:
        """The signature algorithms, such as ``ECDSA+SHA256``.  Not in pyOpenSSL."""
        with translated:
            self._tls.choose_sigalgs(checked_text("algorithms", algorithms))

    def set_alpn_protos(self, protos: list[bytes]) -> None:
        """The application protocols that a client offers."""
        with translated:
            self._tls.offer_protocols(checked_protocols(protos))

    def request_ocsp(self) -> None:
        """Asks the server for a stapled OCSP response."""
        with translated:
            self._tls.request_ocsp()

    def set_ciphertext_mtu(self, mtu: int) -> None:
        """The largest datagram."""
        self._tls.set_mtu(mtu)

    def get_app_data(self) -> Any:
        """What ``set_app_data`` was given."""
        return self._app_data

    def set_app_data(self, data: Any) -> None:
        """Anything that goes with the connection."""
        self._app_data = data


# These methods translate exceptions themselves, so that a warning is about the line that called them.
_TRANSLATE = frozenset(
    ("set_accept_state", "set_connect_state", "set_tlsext_host_name", "use_certificate", "use_privatekey")
)
translate_methods(ConnectionSettings, but=_TRANSLATE)
