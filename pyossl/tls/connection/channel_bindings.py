"""Keys that both sides derive from a connection, and the bytes that bind a login to it (RFC 5705, 5929, 9266).

A channel binding is the same on both sides of one TLS connection, and different on every other connection.  If a login
includes it, as SCRAM-SHA-256-PLUS does, an attacker between the two cannot pass the login on: each side would have a
connection of its own with the attacker, and so another binding.
"""

from __future__ import annotations

from typing import Any, Literal

from pyossl.core import ffi, lib, own, text
from pyossl.core.arguments import c_string, integer, octets
from pyossl.core.errors import Error, NotDueError, failed
from pyossl.core.outcome import take_records
from pyossl.tls.connection.negotiated import Negotiated
from pyossl.x509.certificate import Certificate, borrowed

ChannelBinding = Literal["tls-exporter", "tls-server-end-point", "tls-unique"]

_LONGEST_LABEL = 249  # bytes; RFC 8446, 7.1, without its prefix "tls13 "
_LONGEST_CONTEXT = 0xFFFF  # bytes: before TLS 1.3 its length has two bytes, and OpenSSL cuts a larger one off
_LARGEST_EXPORT = 0xFFFF  # bytes
_EXPORTER_LABEL, _EXPORTER_SIZE = b"EXPORTER-Channel-Binding", 32  # RFC 9266
_TLS_1_3 = "TLSv1.3"


class ChannelBindings(Negotiated):
    """Exported keys and channel bindings of a connection."""

    def export_keying_material(self, label: str | bytes, length: int, context: bytes | None = None) -> bytes:
        """Derives ``length`` bytes from the connection's secrets, the same on both sides (RFC 5705, RFC 8446, 7.5).

        - ``label``: the purpose, in ASCII, for example ``"EXPORTER-my-protocol"``: 1 to 249 bytes.  Another label gives
          other bytes.
        - ``length``: 1 to 65535 bytes.  In TLS 1.3, 255 times the size of the hash at most.
        - ``context``: bytes that are mixed in, 65535 at most; in TLS 1.2 many releases of OpenSSL take no more than
          about 900.  In TLS 1.2, ``b""`` and None give different results.

        Raises ``NotDueError`` before the handshake is finished, ``Error`` if OpenSSL refuses one of the three, and
        ``TypeError`` or ``ValueError`` for arguments that cannot be used.  SSL_export_keying_material(3)
        """
        given = _checked_label(label), integer(length, "length", 1, _LARGEST_EXPORT), _checked_context(context)
        return self._ask(lambda ssl: self._exported(ssl, *given))

    def export_early_keying_material(self, label: str | bytes, length: int, context: bytes = b"") -> bytes:
        """As ``export_keying_material``, from the secret of early data (0-RTT), before the handshake is finished.

        ``label``, ``length`` and ``context`` are as there.  An attacker can replay early data, and so the result can be
        the same on two connections.  Raises ``Error`` if the connection has no early data.  TLS 1.3 only.
        SSL_export_keying_material_early(3)
        """
        label, length = _checked_label(label), integer(length, "length", 1, _LARGEST_EXPORT)
        mixed_in = _checked_context(octets(context, "context")) or b""
        out = ffi.new("unsigned char[]", length)

        def exported(ssl: Any) -> bytes:
            take_records()
            call = lib.SSL_export_keying_material_early
            if call(ssl, out, length, label, len(label), mixed_in, len(mixed_in)) != 1:
                raise failed("SSL_export_keying_material_early")
            return bytes(ffi.buffer(out, length))

        return self._ask(exported)

    def channel_binding(self, kind: ChannelBinding = "tls-exporter") -> bytes:
        """The bytes that bind a login to this connection, of the given ``kind``.

        - ``"tls-exporter"``: 32 bytes from the connection's secrets (RFC 9266).  In TLS 1.2 it needs the extended
          master secret (RFC 7627), and a connection that does not renegotiate: otherwise two connections can have the
          same binding.
        - ``"tls-server-end-point"``: the digest of the server's certificate, with the hash of the certificate's
          signature; SHA-256 instead of MD5 and SHA-1 (RFC 5929).  A signature without a hash, as Ed25519 or ML-DSA,
          has no such binding.  It is the same for all connections to one server.
        - ``"tls-unique"``: the first Finished message of the last handshake (RFC 5929).  Not in TLS 1.3.  In TLS 1.2
          without the extended master secret it is not safe: an attacker can make two connections that have the same.

        Raises ``NotDueError`` before the handshake is finished, ``Error`` if this connection has no binding of that
        kind, ``ValueError`` for another kind.  SSL_export_keying_material(3), X509_digest(3), SSL_get_finished(3)
        """
        if not isinstance(kind, str):
            raise TypeError(f"the kind of a channel binding is a str, not {type(kind).__name__}")
        binding = _BINDINGS.get(kind)
        if binding is None:
            raise ValueError(f"the kind of a channel binding is one of {', '.join(_BINDINGS)}, not {kind[:80]!a}")

        def of_ssl(ssl: Any) -> bytes:
            _check_finished(ssl)
            return binding(self, ssl)

        return self._ask(of_ssl)

    @property
    def tls_unique(self) -> bytes | None:
        """The channel binding ``tls-unique`` of RFC 5929: the first Finished message of the handshake.

        None before the handshake is finished, and in TLS 1.3, which has no such binding.  SSL_get_finished(3)
        """

        def binding(ssl: Any) -> bytes | None:
            if not lib.SSL_is_init_finished(ssl) or self.version == _TLS_1_3:
                return None
            return self._first_finished(ssl)

        return self._ask(binding)

    @property
    def extended_master_secret(self) -> bool | None:
        """Whether the secrets depend on the whole handshake: in TLS 1.2 if both sides have the extension of RFC 7627.

        True in TLS 1.3, None before the handshake is finished.  SSL_get_extms_support(3)
        """

        def supported(ssl: Any) -> bool | None:
            if not lib.SSL_is_init_finished(ssl):
                return None
            return self.version == _TLS_1_3 or lib.SSL_get_extms_support(ssl) == 1

        return self._ask(supported)

    def _first_finished(self, ssl: Any) -> bytes | None:
        # In a full handshake the client's comes first, in a resumed one the server's.
        is_ours_first = bool(lib.SSL_session_reused(ssl)) == bool(lib.SSL_is_server(ssl))
        return self.finished if is_ours_first else self.peer_finished

    def _exported(self, ssl: Any, label: bytes, length: int, context: bytes | None) -> bytes:
        _check_finished(ssl)  # OpenSSL 1.1.1 would use secrets that do not exist yet
        out, mixed_in = ffi.new("unsigned char[]", length), b"" if context is None else context
        take_records()
        call = lib.SSL_export_keying_material
        if call(ssl, out, length, label, len(label), mixed_in, len(mixed_in), context is not None) != 1:
            raise failed("SSL_export_keying_material")
        return bytes(ffi.buffer(out, length))

    def _exporter_binding(self, ssl: Any) -> bytes:
        if self.version != _TLS_1_3:
            if lib.SSL_get_extms_support(ssl) != 1:
                raise Error("this connection has no tls-exporter: TLS 1.2 without the extended master secret")
            if self._may_renegotiate(ssl):
                raise Error("this connection has no tls-exporter: it is TLS 1.2, and may renegotiate (RFC 9266)")
        return self._exported(ssl, _EXPORTER_LABEL, _EXPORTER_SIZE, b"")

    def _may_renegotiate(self, ssl: Any) -> bool:
        return self._c.handshakes_left > 0 or not lib.SSL_get_options(ssl) & lib.SSL_OP_NO_RENEGOTIATION

    def _server_end_point_binding(self, ssl: Any) -> bytes:
        certificate = self._server_certificate(ssl)
        if certificate is None:
            raise Error("this connection has no tls-server-end-point: the server has shown no certificate")
        digest = certificate.signature_hash
        if digest is None:
            raise Error(
                "this connection has no tls-server-end-point: the signature of the server's certificate, "
                f"{certificate.signature_algorithm}, has no hash"
            )
        return certificate.fingerprint("sha256" if digest in ("md5", "sha1") else digest)

    def _server_certificate(self, ssl: Any) -> Certificate | None:
        if lib.SSL_is_server(ssl):
            return borrowed(lib.SSL_get_certificate(ssl))
        pointer = lib.SSL_get1_peer_certificate(ssl)
        return None if pointer == ffi.NULL else Certificate(own(pointer, lib.X509_free))

    def _unique_binding(self, ssl: Any) -> bytes:
        if self.version == _TLS_1_3:
            raise Error("TLS 1.3 has no tls-unique: use tls-exporter")
        binding = self._first_finished(ssl)
        assert binding is not None, "the handshake is finished"
        return binding


_BINDINGS = {
    "tls-exporter": ChannelBindings._exporter_binding,
    "tls-server-end-point": ChannelBindings._server_end_point_binding,
    "tls-unique": ChannelBindings._unique_binding,
}


def _check_finished(ssl: Any) -> None:
    if not lib.SSL_is_init_finished(ssl):
        raise NotDueError(f"the handshake is not finished: {text(lib.SSL_state_string_long(ssl))}")


def _checked_label(label: str | bytes) -> bytes:
    encoded = c_string(label, "a label") if isinstance(label, str) else octets(label, "a label")
    if not encoded.isascii():
        raise ValueError(f"a label is ASCII, not {label[:80]!r}")
    if not 1 <= len(encoded) <= _LONGEST_LABEL:
        raise ValueError(f"a label has 1 to {_LONGEST_LABEL} bytes, not {len(encoded)}")
    return encoded


def _checked_context(context: bytes | None) -> bytes | None:
    if context is not None and len(octets(context, "context")) > _LONGEST_CONTEXT:
        raise ValueError(f"context has {_LONGEST_CONTEXT} bytes at most, not {len(context)}")
    return context
