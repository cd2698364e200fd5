"""Connections of a generic context: told later which side they are, and configured one by one.  SSL_new(3)

What a call came to is told as every ``Connection`` tells it, over a socket that blocks too: ``waited_for`` waits there,
and the call is to be made again.  The state of its own that a ``GenericConnection`` has are callbacks, which are copied
from the context, so that one connection's may differ.
"""

from __future__ import annotations

import copy
import os
import select
from collections.abc import Callable, Iterable
from typing import Any

from pyossl._lib import ffi, lib, text
from pyossl.bio import BIO
from pyossl.callbacks import InfoCallback, VerifyCallback
from pyossl.connection import Connection
from pyossl.encoding import c_string
from pyossl.errors import failed
from pyossl.general_names import Name
from pyossl.generic_context import GenericContext, wire_protocols
from pyossl.keys import PrivateKey
from pyossl.names import reference_name
from pyossl.outcome import Want, take_records
from pyossl.session import Session
from pyossl.x509 import HOST_FLAGS, Certificate, borrowed

_OWN_CALLBACKS = ("verify", "info")
_EVENTS = {Want.READ: select.POLLIN, Want.WRITE: select.POLLOUT}


class GenericConnection(Connection):
    """A connection whose side ``set_accept_state`` or ``set_connect_state`` says.  SSL_new(3)

    ``fd`` is a socket's descriptor; without one the caller carries the bytes.
    """

    _context: GenericContext
    _takes_side = False
    face: Any = None
    """Whatever face stands before this connection: its callbacks ask for it."""

    def __init__(self, context: GenericContext, fd: int | None = None) -> None:
        super().__init__(context, bio=None if fd is None else BIO.own_socket(fd))
        self._fd = fd
        self._callbacks.of_context = copy.copy(context.callbacks)

    def set_accept_state(self) -> None:
        """This is the server's side.  SSL_set_accept_state(3)"""
        self._ask(lib.SSL_set_accept_state)

    def set_connect_state(self) -> None:
        """This is the client's side.  SSL_set_connect_state(3)"""
        self._ask(lib.SSL_set_connect_state)

    def waited_for(self, want: Want) -> bool:
        """Waits for the socket as ``want`` says, outside of the connection's lock, where the socket is one that blocks;
        whether it did, and the call that came to ``want`` is to be made again.

        Raises ``OSError`` where the descriptor has been closed.  poll(2)
        """
        events = _EVENTS.get(want)
        if events is None or self._fd is None or not os.get_blocking(self._fd):
            return False
        poller = select.poll()
        poller.register(self._fd, events)
        poller.poll()
        return True

    def _done(self, function: Callable[..., int], *arguments: Any) -> None:
        """A call that answers 1 for success; raises ``Error`` for anything else."""
        with self._turn:
            take_records()
            if self._ask(lambda ssl: function(ssl, *arguments)) != 1:
                raise failed(getattr(function, "__name__", "a call"))

    # What it goes by

    def change_context(self, context: GenericContext) -> None:
        """Goes on with another context's credentials and callbacks, but this connection's own verification.

        SSL_set_SSL_CTX(3)
        """
        with self._turn:
            self._ask(lambda ssl: lib.SSL_set_SSL_CTX(ssl, context._freeze()))
            callbacks = copy.copy(context.callbacks)
            for name in _OWN_CALLBACKS:
                setattr(callbacks, name, getattr(self._callbacks.of_context, name))
            self._callbacks.of_context = callbacks
            self._context = context

    def add_options(self, options: int) -> int:
        """SSL_set_options(3)"""
        return int(self._ask(lambda ssl: lib.SSL_set_options(ssl, options)))

    @property
    def verify_mode(self) -> int:
        """SSL_get_verify_mode(3)"""
        return int(self._ask(lib.SSL_get_verify_mode))

    def set_verify(self, mode: int, callback: VerifyCallback | None) -> None:
        """SSL_set_verify(3)"""
        with self._turn:
            self._ask(lambda ssl: lib.pyossl_set_verify(self._c, mode))
            self._callbacks.of_context.verify = callback
            self._c.calls_verify = callback is not None

    def set_info_callback(self, callback: InfoCallback) -> None:
        """SSL_set_info_callback(3)"""
        with self._turn:
            self._ask(lambda ssl: lib.pyossl_set_connection_info(self._c, 1))
            self._callbacks.of_context.info = callback

    def use_certificate(self, certificate: Certificate) -> None:
        """SSL_use_certificate(3)"""
        self._done(lib.SSL_use_certificate, certificate._x509)

    def use_private_key(self, key: PrivateKey) -> None:
        """SSL_use_PrivateKey(3)"""
        self._done(lib.SSL_use_PrivateKey, key._key)

    def send_server_name(self, name: bytes) -> None:
        """What a client sends as the server's name.  SSL_set_tlsext_host_name(3)"""
        self._done(lib.SSL_set_tlsext_host_name, name)

    def expect_name(self, name: str) -> None:
        """A DNS name or an IP address that the peer's certificate must have.

        Raises ``ValueError`` for what is neither.  SSL_set1_dnsname(3), SSL_set1_ipaddr(3)
        """
        reference = reference_name(name)
        wanted = reference.text.encode()
        with self._turn:
            self._ask(lambda ssl: lib.SSL_set_hostflags(ssl, HOST_FLAGS))
            self._done(lib.SSL_set1_ipaddr if reference.is_address else lib.SSL_set1_dnsname, wanted)

    def choose_groups(self, groups: str) -> None:
        """SSL_set1_groups_list(3)"""
        self._done(lib.SSL_set1_groups_list, c_string(groups, "a list of groups"))

    def choose_sigalgs(self, algorithms: str) -> None:
        """SSL_set1_sigalgs_list(3)"""
        self._done(lib.SSL_set1_sigalgs_list, c_string(algorithms, "a list of signature algorithms"))

    def offer_protocols(self, protocols: Iterable[bytes]) -> None:
        """SSL_set_alpn_protos(3)"""
        wire = wire_protocols(protocols)
        with self._turn:
            if self._ask(lambda ssl: lib.SSL_set_alpn_protos(ssl, wire, len(wire))) != 0:
                raise failed("SSL_set_alpn_protos")

    def request_ocsp(self) -> None:
        """Asks the server for a stapled OCSP response.  SSL_set_tlsext_status_type(3)"""
        self._done(lib.SSL_set_tlsext_status_type, lib.TLSEXT_STATUSTYPE_ocsp)

    def use_session(self, session: Session) -> None:
        """Offers a session for resumption, whoever was verified then.  SSL_set_session(3)"""
        self._done(lib.SSL_set_session, session._session)

    # What has been agreed on

    @property
    def server_name(self) -> bytes | None:
        """What the client sent, or means to send, as the server's name.  SSL_get_servername(3)"""
        with self._turn:
            name = self._ask(lambda ssl: lib.SSL_get_servername(ssl, lib.TLSEXT_NAMETYPE_host_name))
            if name != ffi.NULL:
                return bytes(ffi.string(name))
            # A server name callback runs before OpenSSL itself has read the name.
            return None if self._indicated is None else self._indicated.encode()

    @property
    def server_hostname(self) -> str | None:
        """As ``server_name``, decoded.  SSL_get_servername(3)"""
        name = self.server_name
        return None if name is None else name.decode("utf-8", "backslashreplace")

    @property
    def certificate(self) -> Certificate | None:
        """The connection's own certificate.  SSL_get_certificate(3)"""
        with self._turn:
            return borrowed(self._ask(lib.SSL_get_certificate))

    @property
    def has_peer_chain(self) -> bool:
        """Whether the peer has sent certificates, none but its own to a server maybe.  SSL_get_peer_cert_chain(3)"""
        return bool(self._ask(lib.SSL_get_peer_cert_chain) != ffi.NULL)

    @property
    def is_client(self) -> bool:
        """SSL_is_server(3)"""
        return not self._ask(lib.SSL_is_server)

    @property
    def client_authorities(self) -> tuple[Name, ...]:
        """Whom a server names to its clients, or a client was told of.  SSL_get_client_CA_list(3)"""
        with self._turn:
            stack = self._ask(lib.SSL_get_client_CA_list)
            if stack == ffi.NULL:
                return ()
            return tuple(Name.copied(lib.sk_X509_NAME_value(stack, n)) for n in range(lib.sk_X509_NAME_num(stack)))

    @property
    def cipher_list(self) -> tuple[str, ...]:
        """The ciphers that may be used.  SSL_get_cipher_list(3)"""
        with self._turn:
            names: list[str] = []
            while name := text(self._ask(lambda ssl: lib.SSL_get_cipher_list(ssl, len(names)))):
                names.append(name)
            return tuple(names)

    @property
    def protocol_name(self) -> str:
        """The version's name, agreed on or not.  SSL_get_version(3)"""
        with self._turn:
            return text(self._ask(lib.SSL_get_version))

    @property
    def protocol_number(self) -> int:
        """The version's number on the wire.  SSL_version(3)"""
        return int(self._ask(lib.SSL_version))

    @property
    def alpn_selected(self) -> bytes:
        """The application protocol, ``b""`` without one.  SSL_get0_alpn_selected(3)"""
        return (self.alpn or "").encode("latin-1")

    @property
    def srtp_profile(self) -> bytes:
        """The name of the SRTP profile, ``b""`` without one.  SSL_get_selected_srtp_profile(3)"""
        with self._turn:
            profile = self._ask(lib.SSL_get_selected_srtp_profile)
            return b"" if profile == ffi.NULL else bytes(ffi.string(profile.name))

    @property
    def wants(self) -> Want | None:
        """What the last call waits for, ``READ`` or ``WRITE``.  SSL_want(3)"""
        return {lib.SSL_READING: Want.READ, lib.SSL_WRITING: Want.WRITE}.get(self._ask(lib.SSL_want))

    # Secrets

    def _secret(self, function: Callable[..., int], of: Any = None) -> bytes | None:
        with self._turn:
            session = self._ask(lib.SSL_get_session)
            if session == ffi.NULL:
                return None
            source = session if of == "session" else self._c.ssl
            length = function(source, ffi.NULL, 0)
            out = ffi.new("unsigned char[]", length)
            return bytes(ffi.buffer(out, function(source, out, length)))

    @property
    def server_random(self) -> bytes | None:
        """SSL_get_server_random(3)"""
        return self._secret(lib.SSL_get_server_random)

    @property
    def client_random(self) -> bytes | None:
        """SSL_get_client_random(3)"""
        return self._secret(lib.SSL_get_client_random)

    @property
    def master_key(self) -> bytes | None:
        """The session's secret; whoever has it can read the connection.  SSL_SESSION_get_master_key(3)"""
        return self._secret(lib.SSL_SESSION_get_master_key, of="session")

    def export_keying_material(self, label: bytes, length: int, context: bytes | None = None) -> bytes:
        """RFC 5705's and RFC 8446's exporter.  SSL_export_keying_material(3)"""
        out = ffi.new("unsigned char[]", length)
        of = b"" if context is None else context
        self._done(
            lib.SSL_export_keying_material, out, length, label, len(label), of, len(of), int(context is not None)
        )
        return bytes(ffi.buffer(out, length))

    # What can be asked for while it is open

    @property
    def shutdown_state(self) -> int:
        """SSL_get_shutdown(3)"""
        return int(self._ask(lib.SSL_get_shutdown))

    def set_shutdown_state(self, state: int) -> None:
        """SSL_set_shutdown(3)"""
        self._ask(lambda ssl: lib.SSL_set_shutdown(ssl, state))

    def update_keys(self, *, request: bool = False) -> None:
        """New keys for what is sent, and with ``request`` for what is received.  TLS 1.3 only.  SSL_key_update(3)"""
        kind = lib.SSL_KEY_UPDATE_REQUESTED if request else lib.SSL_KEY_UPDATE_NOT_REQUESTED
        self._done(lib.SSL_key_update, kind)

    def renegotiate(self) -> None:
        """Asks for another handshake, in TLS 1.2 and before.  SSL_renegotiate(3)"""
        self._done(lib.SSL_renegotiate)

    @property
    def is_renegotiating(self) -> bool:
        """SSL_renegotiate_pending(3)"""
        return bool(self._ask(lib.SSL_renegotiate_pending))

    @property
    def renegotiations(self) -> int:
        """How many there have been.  SSL_total_renegotiations(3)"""
        return int(self._ask(lib.SSL_total_renegotiations))

    # Datagrams

    def set_mtu(self, size: int) -> None:
        """SSL_set_mtu(3)"""
        self._ask(lambda ssl: lib.SSL_set_mtu(ssl, size))

    @property
    def data_mtu(self) -> int:
        """How many bytes of data fit a datagram; 0 where there are none.  DTLS_get_data_mtu(3)"""
        # OpenSSL reads a TLS connection's state as if it were DTLS's.
        return int(self._ask(lambda ssl: lib.SSL_is_dtls(ssl) and lib.DTLS_get_data_mtu(ssl)))

    def listen(self) -> Want | None:
        """Waits for a ClientHello that brings our cookie back; None once one has.  DTLSv1_listen(3)"""
        result = lib.pyossl_dtls_listen(self._c)
        return None if result == 0 else self._waits(result, "listening")

    @property
    def timeout(self) -> float | None:
        """Seconds until the last flight is to be sent again; None while no timer runs.  DTLSv1_get_timeout(3)"""
        interval = ffi.new("struct timeval *")
        if not self._ask(lambda ssl: lib.DTLSv1_get_timeout(ssl, interval)):
            return None
        return float(interval.tv_sec + interval.tv_usec / 1_000_000)

    def handle_timeout(self) -> bool | Want:
        """Sends the last flight again if it is time; whether it was.  DTLSv1_handle_timeout(3)"""
        result = lib.pyossl_dtls_handle_timeout(self._c)
        return result == 1 if result >= 0 else self._waits(result, "handling the timeout")

    def end_of_transport(self) -> None:
        """Says that no more bytes will come; for a connection whose caller carries them.  BIO_set_mem_eof_return(3)"""
        self.receive_data(b"")
