"""Connections of a ``MutableContext``: the side is set later, and the settings may be changed at any time.  SSL_new(3)

The results of calls, and the exceptions, are those of ``Connection``.  A ``MutableConnection`` may use a socket, which
stays the caller's.  If the socket blocks, a call waits; if it does not block, a call returns a ``Want``
(pyossl/_c/sockets/mutable_connection_calls.c).

Over a socket, a read returns one record at most.  A write sends all bytes; if it returns a ``Want`` because the socket
does not block, some records of a longer write may have been sent.

C makes the BIOs of the connection, because no other code uses them: making a connection is a frequent call too.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from pyossl.core import ffi, lib, own, text
from pyossl.core.arguments import c_string, c_text
from pyossl.core.errors import Error, failed
from pyossl.core.outcome import Want
from pyossl.tls.callbacks.callbacks import Callbacks, InfoCallback, VerifyCallback
from pyossl.tls.connection.session import Session
from pyossl.tls.mutable.mutable_context import MutableContext, MutableContextCallbacks
from pyossl.tls.mutable.srtp import SRTPConnection
from pyossl.tls.settings.alpn import wire_format
from pyossl.x509.certificate import HOST_FLAGS, Certificate, borrowed
from pyossl.x509.keys import PrivateKey, check_library
from pyossl.x509.names import Name
from pyossl.x509.reference_name import reference_name

if TYPE_CHECKING:
    import socket

_T = TypeVar("_T")

_OWN_CALLBACKS = ("verify", "info")

_in_memory, _over_callers_socket = lib.pyossl_connection_in_memory, lib.pyossl_connection_over_callers_socket
_free, _new_handle = lib.pyossl_connection_free, ffi.new_handle
_send_server_name, _use_session = lib.pyossl_set_server_name, lib.pyossl_set_session
_handshake, _shutdown = lib.pyossl_mutable_handshake, lib.pyossl_mutable_shutdown
_set_side, _address = lib.pyossl_set_side, lib.pyossl_address


class MutableConnection(SRTPConnection):
    """A connection whose side is set by ``set_accept_state`` or ``set_connect_state``.  SSL_new(3)

    - ``context``: the ``MutableContext``.
    - ``fd``: the descriptor of a socket, which stays the caller's.  None for a BIO in memory.
    - ``sock``: the socket itself; the connection keeps a reference to it.
    """

    _context: MutableContext
    _takes_side = False
    face: Any = None
    """The object of another API for this connection, such as pyOpenSSL's Connection: callbacks are called with it."""

    def __init__(self, context: MutableContext, fd: int | None = None, sock: socket.socket | None = None) -> None:
        self._refuse_second_init()
        self._context = context
        self._has_socket = fd is not None
        ctx = context._freeze()
        pointer = _in_memory(ctx, self._takes_side) if fd is None else _over_callers_socket(ctx, fd)
        if not pointer:
            raise failed("SSL_new")
        self._kept = None if sock is None else [sock]
        self._use(own(pointer, _free, self._kept), _address(pointer))
        self._callbacks = Callbacks(self, context._callbacks)
        self._handle = pointer.handle = _new_handle(self._callbacks)
        if context._callbacks.verify is not None:
            pointer.calls_verify = 1

    def may_cross_forks(self) -> None:
        """Lets a child process go on with this connection, as with a connection of the standard library's ``ssl``.

        Call it before the handshake.  Only one of the processes may use the connection after the fork: the other one
        calls ``close``, which sends nothing.  If both sent data, it would be encrypted with the same keys, and could be
        recovered.  A child cannot use a connection of which a thread of its parent was in a call at the fork.
        """
        lib.pyossl_may_cross_forks(self._c)

    def set_accept_state(self) -> None:
        """Makes this connection the server's side.  SSL_set_accept_state(3)"""
        if not _set_side(self._c, True):
            raise self._refused()

    def set_connect_state(self) -> None:
        """Makes this connection the client's side.  SSL_set_connect_state(3)"""
        if not _set_side(self._c, False):
            raise self._refused()

    def _kind(self) -> str:
        return "MutableConnection"

    # Handshake and shutdown

    def handshake(self) -> Want | None:
        """As ``Connection.handshake``.  SSL_do_handshake(3)"""
        result = _handshake(self._c)
        return None if result == 0 else self._unfinished(result, "the handshake")

    def shutdown(self) -> bool | Want:
        """As ``Connection.shutdown``.  SSL_shutdown(3)"""
        result = _shutdown(self._c)
        return result == 1 if result >= 0 else self._unfinished(result, "shutting down")

    def _waited(self, step: Callable[..., _T | Want], *arguments: Any) -> _T | Want:
        """Repeats a step, and waits for the socket in between, until its result is not a ``Want``."""
        while isinstance(result := step(*arguments), Want):
            waited = lib.pyossl_wait_as_caller(self._c, -result.value)
            if waited != 0:
                return self._unfinished(waited, "waiting")
        return result

    def _done(self, function: Callable[..., int], *arguments: Any) -> None:
        """Calls a function of OpenSSL that returns 1 for success; raises ``Error`` for any other result."""

        def done(ssl: Any) -> None:
            lib.pyossl_clear_errors()
            if function(ssl, *arguments) != 1:
                raise failed(getattr(function, "__name__", "a call"))

        self._ask(done)

    def _exception_for(self, answer: int, operation: str) -> Error:
        return self._refused() if answer < 0 else failed(operation)

    # Settings

    def _own_callbacks(self) -> MutableContextCallbacks:
        """This connection's own copy of the context's callbacks, made when one of them is first changed."""
        callbacks = self._callbacks.of_context
        if callbacks is self._context._callbacks:
            callbacks = self._callbacks.of_context = copy.copy(callbacks)
        assert isinstance(callbacks, MutableContextCallbacks)
        return callbacks

    def change_context(self, context: MutableContext) -> None:
        """Replaces the context: its credentials and callbacks are used, but verification stays this connection's.

        SSL_set_SSL_CTX(3)
        """

        def change(ssl: Any) -> None:
            if lib.pyossl_set_context(self._c, context._freeze()) != 1:
                raise failed("SSL_set_SSL_CTX")
            callbacks = copy.copy(context._callbacks)
            for name in _OWN_CALLBACKS:
                setattr(callbacks, name, getattr(self._callbacks.of_context, name))
            self._callbacks.of_context = callbacks
            self._context = context

        self._ask(change)

    def add_options(self, options: int) -> int:
        """Sets options in addition to those that are set; returns all of them.  SSL_set_options(3)"""
        return int(self._ask(lambda ssl: lib.SSL_set_options(ssl, options)))

    @property
    def verify_mode(self) -> int:
        """The verification mode, a combination of ``SSL_VERIFY_x``.  SSL_get_verify_mode(3)"""
        return int(self._ask(lib.SSL_get_verify_mode))

    def set_verify(self, mode: int, callback: VerifyCallback | None) -> None:
        """Sets the verification mode and the callback for each certificate of the peer's chain.  SSL_set_verify(3)"""

        def change(ssl: Any) -> None:
            lib.pyossl_set_verify(self._c, mode)
            self._own_callbacks().verify = callback
            self._c.calls_verify = callback is not None

        self._ask(change)

    def set_info_callback(self, callback: InfoCallback) -> None:
        """Sets the callback for the steps of the handshake and for alerts.  SSL_set_info_callback(3)"""

        def change(ssl: Any) -> None:
            lib.pyossl_set_connection_info(self._c, 1)
            self._own_callbacks().info = callback

        self._ask(change)

    def use_certificate(self, certificate: Certificate) -> None:
        """Sets the certificate.  SSL_use_certificate(3)"""
        self._done(lib.SSL_use_certificate, certificate._x509)

    def use_private_key(self, key: PrivateKey) -> None:
        """Sets the private key.  SSL_use_PrivateKey(3)"""
        check_library(key, self._context._library_context, "the context")
        self._done(lib.SSL_use_PrivateKey, key._key)

    def send_server_name(self, name: bytes) -> None:
        """Sets the server name that a client sends (SNI).  SSL_set_tlsext_host_name(3)"""
        if (answer := _send_server_name(self._c, c_text(name, "a server name"))) != 1:
            raise self._exception_for(answer, "SSL_set_tlsext_host_name")

    def expect_name(self, name: str) -> None:
        """Sets the DNS name or IP address that the peer's certificate must have; it replaces an earlier one.

        Raises ``ValueError`` for any other text.  SSL_set1_dnsname(3), SSL_set1_ipaddr(3)
        """
        reference = reference_name(name)
        wanted = reference.text.encode()

        def expect(ssl: Any) -> None:
            lib.SSL_set_hostflags(ssl, HOST_FLAGS)
            self._done(lib.SSL_set1_ipaddr if reference.is_address else lib.SSL_set1_dnsname, wanted)
            # Otherwise OpenSSL would also still expect an earlier name of the other kind.
            forget = lib.X509_VERIFY_PARAM_set1_host if reference.is_address else lib.X509_VERIFY_PARAM_set1_ip
            self._ask(lambda ssl: forget(lib.SSL_get0_param(ssl), ffi.NULL, 0))

        self._ask(expect)

    def expect_peer(self, name: bytes, *, is_address: bool) -> None:
        """As ``expect_name``, but the name is compared by the host flags that the context had: ``host_flags``.

        ``name`` is a DNS name, or an IP address as text.  Raises ``ValueError`` if OpenSSL does not take it.
        SSL_set1_dnsname(3), SSL_set1_ipaddr(3)
        """
        wanted = c_text(name, "a server name")

        def expect(ssl: Any) -> None:
            lib.pyossl_clear_errors()
            function = lib.SSL_set1_ipaddr if is_address else lib.SSL_set1_dnsname
            if function(ssl, wanted) != 1:
                refused = failed("SSL_set1_ipaddr" if is_address else "SSL_set1_dnsname")
                raise ValueError(f"this OpenSSL refuses the server name {name!r}") from refused

        self._ask(expect)

    def choose_groups(self, groups: str) -> None:
        """Sets the groups of the key exchange.  SSL_set1_groups_list(3)"""
        self._done(lib.SSL_set1_groups_list, c_string(groups, "a list of groups"))

    def choose_sigalgs(self, algorithms: str) -> None:
        """Sets the signature algorithms.  SSL_set1_sigalgs_list(3)"""
        self._done(lib.SSL_set1_sigalgs_list, c_string(algorithms, "a list of signature algorithms"))

    def offer_protocols(self, protocols: Iterable[bytes]) -> None:
        """Sets the application protocols that a client offers.  SSL_set_alpn_protos(3)"""
        wire = wire_format(protocols)

        def offer(ssl: Any) -> None:
            if lib.SSL_set_alpn_protos(ssl, wire, len(wire)) != 0:
                raise failed("SSL_set_alpn_protos")

        self._ask(offer)

    def request_ocsp(self) -> None:
        """Asks the server for a stapled OCSP response.  SSL_set_tlsext_status_type(3)"""
        self._done(lib.SSL_set_tlsext_status_type, lib.TLSEXT_STATUSTYPE_ocsp)

    def use_session(self, session: Session) -> None:
        """Offers a session for resumption, even if its peer was not verified.  SSL_set_session(3)"""
        if (answer := _use_session(self._c, session._session)) != 1:
            raise self._exception_for(answer, "SSL_set_session")

    def set_post_handshake_auth(self, on: bool) -> None:
        """Sets whether a client tells the server that it may ask for a certificate later.

        SSL_set_post_handshake_auth(3)
        """
        self._ask(lambda ssl: lib.SSL_set_post_handshake_auth(ssl, on))

    def verify_client_post_handshake(self) -> None:
        """Asks the client for its certificate with the next write, read or ``handshake``.  TLS 1.3 only.

        Raises ``Error`` if the client does not allow it, or in TLS 1.2.  SSL_verify_client_post_handshake(3)
        """
        self._done(lib.SSL_verify_client_post_handshake)

    # What was negotiated

    @property
    def server_name(self) -> bytes | None:
        """The server name (SNI) that the client sent, or will send; None for none.  SSL_get_servername(3)"""

        def indicated(ssl: Any) -> bytes | None:
            name = lib.SSL_get_servername(ssl, lib.TLSEXT_NAMETYPE_host_name)
            if name != ffi.NULL:
                return bytes(ffi.string(name))
            # In a server name callback OpenSSL has not read the name yet.
            return None if self._indicated is None else self._indicated.encode()

        return self._ask(indicated)

    @property
    def server_hostname(self) -> str | None:
        """``server_name`` as text.  SSL_get_servername(3)"""
        name = self.server_name
        return None if name is None else name.decode("utf-8", "backslashreplace")

    @property
    def certificate(self) -> Certificate | None:
        """The connection's own certificate.  SSL_get_certificate(3)"""
        return self._ask(lambda ssl: borrowed(lib.SSL_get_certificate(ssl)))

    @property
    def has_peer_chain(self) -> bool:
        """Whether the peer has sent certificates: on a server also if the client sent its own alone.

        SSL_get_peer_cert_chain(3)
        """
        return bool(self._ask(lib.SSL_get_peer_cert_chain) != ffi.NULL)

    @property
    def is_client(self) -> bool:
        """Whether this is the client's side.  SSL_is_server(3)"""
        return not self._ask(lib.SSL_is_server)

    @property
    def client_authorities(self) -> tuple[Name, ...]:
        """The names of authorities that a server sends, or that a client received.  SSL_get_client_CA_list(3)"""

        def named(ssl: Any) -> tuple[Name, ...]:
            stack = lib.SSL_get_client_CA_list(ssl)
            if stack == ffi.NULL:
                return ()
            return tuple(Name.copied(lib.sk_X509_NAME_value(stack, n)) for n in range(lib.sk_X509_NAME_num(stack)))

        return self._ask(named)

    @property
    def cipher_list(self) -> tuple[str, ...]:
        """The names of the ciphers that may be used.  SSL_get_cipher_list(3)"""

        def listed(ssl: Any) -> tuple[str, ...]:
            names: list[str] = []
            while name := text(lib.SSL_get_cipher_list(ssl, len(names))):
                names.append(name)
            return tuple(names)

        return self._ask(listed)

    @property
    def protocol_name(self) -> str:
        """The name of the version, also before it is negotiated.  SSL_get_version(3)"""
        return self._ask(lambda ssl: text(lib.SSL_get_version(ssl)))

    @property
    def protocol_number(self) -> int:
        """The number of the version on the wire.  SSL_version(3)"""
        return int(self._ask(lib.SSL_version))

    @property
    def alpn_selected(self) -> bytes:
        """The application protocol that was selected; ``b""`` for none.  SSL_get0_alpn_selected(3)"""
        return (self.alpn or "").encode("latin-1")

    @property
    def wants(self) -> Want | None:
        """What the last call waits for: ``Want.READ``, ``Want.WRITE`` or None.  SSL_want(3)"""
        return self._ask(_wanted)

    @property
    def master_key(self) -> bytes | None:
        """``master_secret``, by the name of other APIs.  SSL_SESSION_get_master_key(3)"""
        return self.master_secret

    # Shutdown state, new keys, renegotiation

    @property
    def shutdown_state(self) -> int:
        """Which close_notify has been sent or received, of ``SSL_SENT_SHUTDOWN`` and the like.  SSL_get_shutdown(3)"""
        return self._ask_number(lib.PYOSSL_SHUTDOWN_STATE)

    def set_shutdown_state(self, state: int) -> None:
        """Sets the value of ``shutdown_state``.  SSL_set_shutdown(3)"""
        self._ask(lambda ssl: lib.SSL_set_shutdown(ssl, state))

    def update_keys(self, *, request_peer: bool = False) -> None:
        """Changes the key for sending with the next call; with ``request_peer`` the peer changes its key too.

        TLS 1.3 only.  SSL_key_update(3)
        """
        kind = lib.SSL_KEY_UPDATE_REQUESTED if request_peer else lib.SSL_KEY_UPDATE_NOT_REQUESTED
        self._done(lib.SSL_key_update, kind)

    def finish_write(self) -> Want | None:
        """Sends the rest of a record that a write left unsent, which a shutdown needs first.

        Returns None if no record is left, otherwise a ``Want``.  SSL_write_ex(3)
        """
        result = lib.pyossl_finish_write(self._c)
        return self._unfinished(result, "writing") if result < 0 else None

    def renegotiate(self) -> None:
        """Requests another handshake with the next call, in TLS 1.2 and earlier.  SSL_renegotiate(3)"""
        self._done(lib.SSL_renegotiate)

    @property
    def is_renegotiating(self) -> bool:
        """Whether a renegotiation has been requested and is not finished.  SSL_renegotiate_pending(3)"""
        return bool(self._ask(lib.SSL_renegotiate_pending))

    @property
    def renegotiations(self) -> int:
        """The number of renegotiations so far.  SSL_total_renegotiations(3)"""
        return int(self._ask(lib.SSL_total_renegotiations))

    # Datagrams

    def set_mtu(self, size: int) -> None:
        """Sets the largest size of a datagram, in bytes.  SSL_set_mtu(3)"""
        self._ask(lambda ssl: lib.SSL_set_mtu(ssl, size))

    @property
    def data_mtu(self) -> int:
        """The number of bytes of data that fit into a datagram; 0 for TLS.  DTLS_get_data_mtu(3)"""
        # DTLS_get_data_mtu would read the state of a TLS connection as if it were that of a DTLS connection.
        return int(self._ask(lambda ssl: lib.SSL_is_dtls(ssl) and lib.DTLS_get_data_mtu(ssl)))

    def listen(self) -> Want | None:
        """Waits for a ClientHello with a valid cookie; None when one has arrived, otherwise a ``Want``.

        DTLSv1_listen(3)
        """
        return self._waited(self._listen)

    def _listen(self) -> Want | None:
        result = lib.pyossl_dtls_listen(self._c)
        return None if result == 0 else self._unfinished(result, "listening")

    @property
    def timeout(self) -> float | None:
        """The seconds until the last flight must be sent again; None while no timer runs.  DTLSv1_get_timeout(3)"""
        interval = ffi.new("struct timeval *")
        if not self._ask(lambda ssl: lib.DTLSv1_get_timeout(ssl, interval)):
            return None
        return float(interval.tv_sec + interval.tv_usec / 1_000_000)

    def handle_timeout(self) -> bool | Want:
        """Sends the last flight again if its time has come; returns whether it did.  DTLSv1_handle_timeout(3)"""
        return self._waited(self._handle_timeout)

    def _handle_timeout(self) -> bool | Want:
        result = lib.pyossl_dtls_handle_timeout(self._c)
        return result == 1 if result >= 0 else self._unfinished(result, "handling the timeout")

    def end_of_transport(self) -> None:
        """Marks the end of the transport, for a connection over a BIO in memory.  BIO_set_mem_eof_return(3)"""
        self.receive_data(b"")


def _wanted(ssl: Any) -> Want | None:
    wanted = lib.SSL_want(ssl)
    if wanted == lib.SSL_READING:
        return Want.READ
    # Bytes that OpenSSL has written may still wait in the BIO below it.
    return Want.WRITE if wanted == lib.SSL_WRITING or lib.BIO_ctrl_wpending(lib.SSL_get_wbio(ssl)) else None
