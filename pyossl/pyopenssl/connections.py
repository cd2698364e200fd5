"""``Connection``, a translation onto ``GenericConnection``.

What the core returns as a ``Want`` is raised here, and what it raises comes from the same ``Failure``.  A call on a
connection that has failed raises the same again.
"""

from __future__ import annotations

import functools
import socket
import threading
import typing
import weakref
from collections.abc import Callable
from errno import errorcode
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar

from pyossl import errors
from pyossl.encoding import cryptography
from pyossl.generic_connection import GenericConnection
from pyossl.outcome import Want
from pyossl.pyopenssl.certificates import X509, X509Name
from pyossl.pyopenssl.contexts import (
    Context,
    _text,
    certificate_of,
    info_callback,
    private_key_of,
    protocols_of,
    translated,
    verify_callback,
)
from pyossl.pyopenssl.deprecation import bytes_of
from pyossl.pyopenssl.failures import (
    Error,
    SysCallError,
    WantReadError,
    ZeroReturnError,
    connection_error,
    queue_of,
    reason,
    want_error,
)
from pyossl.pyopenssl.keys import PKey
from pyossl.pyopenssl.numbers import SENT_SHUTDOWN, TLS1_3_VERSION
from pyossl.pyopenssl.sessions import Session
from pyossl.scratch import RECORD
from pyossl.x509 import Certificate

if TYPE_CHECKING:
    from cryptography import x509

    from pyossl.pyopenssl.keys import _PrivateKey

_Buffer = bytes | bytearray | memoryview
_T = TypeVar("_T")
_F = TypeVar("_F", bound=Callable[..., Any])
_LARGEST = 2**31 - 1


def _descriptor(thing: Any) -> int:
    found = thing if isinstance(thing, int) else getattr(thing, "fileno", lambda: None)()
    if not isinstance(found, int):
        raise TypeError("argument must be an int, or have a fileno() method.")
    if found < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({found})")
    return found


def _context(context: Any) -> Context:
    if not isinstance(context, Context):
        raise TypeError("context must be a Context instance")
    return context


class Connection:
    """One connection over a socket, or over bytes that the caller carries (``bio_read``, ``bio_write``)."""

    def __init__(self, context: Context, socket: socket.socket | None = None) -> None:
        self._context = _context(context)
        self._socket = socket
        self._app_data: Any = None
        # A record that waits for a socket that blocks is to be finished before another thread sends.
        self._sending = threading.RLock()
        context._used = True
        with translated:
            self._tls = GenericConnection(context._context, None if socket is None else _descriptor(socket))
        self._tls.face = weakref.ref(self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or self._socket is None:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return getattr(self._socket, name)

    def _now(self, call: Callable[..., _T | Want], *arguments: Any) -> _T:
        """What a call of the core's came to, told as pyOpenSSL tells it."""
        try:
            while isinstance(result := call(*arguments), Want) and self._waited_for(result):
                continue
        except errors.UsageError as error:
            raise Error(self._misuse(error)) from error
        except errors.Error as error:
            raise connection_error(error) from error
        if isinstance(result, Want):
            raise want_error(result)
        return result

    def _waited_for(self, want: Want) -> bool:
        try:
            return self._tls.waited_for(want)
        except OSError as error:
            raise SysCallError(error.errno, errorcode.get(error.errno or 0)) from error

    def _misuse(self, error: errors.UsageError) -> list[tuple[str, str, str]]:
        if self._tls.is_inherited:
            return queue_of(error)
        if not self._tls.is_handshake_finished:
            return reason("shutdown while in init")
        if self._tls.shutdown_state & SENT_SHUTDOWN:
            return reason("protocol is shutdown")
        return reason("bad write retry") if "to be repeated" in str(error) else queue_of(error)

    @property
    def _ssl(self) -> Any:
        """The SSL, for programs that reach below: see ``_util``."""
        return self._tls._c.ssl

    # Context and side

    def get_context(self) -> Context:
        """The context."""
        return self._context

    def set_context(self, context: Context) -> None:
        """Goes on with another context, from a server name callback."""
        _context(context)
        with translated:
            self._tls.change_context(context._context)
        self._context = context
        context._used = True

    def set_accept_state(self) -> None:
        """This is the server's side."""
        self._tls.set_accept_state()

    def set_connect_state(self) -> None:
        """This is the client's side."""
        self._tls.set_connect_state()

    def set_options(self, options: int) -> int:
        """Sets ``OP_x`` besides those that are set; all of them."""
        if not isinstance(options, int):
            raise TypeError("options must be an integer")
        return self._tls.add_options(options)

    def set_verify(self, mode: int, callback: Callable[[Connection, X509, int, int, int], bool] | None = None) -> None:
        """Whether the peer is verified, and who is asked about each certificate."""
        if not isinstance(mode, int):
            raise TypeError("mode must be an integer")
        if callback is not None and not callable(callback):
            raise TypeError("callback must be callable")
        self._tls.set_verify(mode, None if callback is None else verify_callback(callback))

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

    def set_info_callback(self, callback: Callable[[Connection, int, int], None]) -> None:
        """Called at each step of a handshake and for alerts."""
        self._tls.set_info_callback(info_callback(callback))

    def set_tlsext_host_name(self, name: bytes) -> None:
        """What a client sends as the server's name."""
        if not isinstance(name, bytes):
            raise TypeError("name must be a byte string")
        if b"\0" in name:
            raise TypeError("name must not contain NUL byte")
        with translated:
            self._tls.send_server_name(name)

    def set_verify_host(self, name: str) -> None:
        """A DNS name or an IP address that the peer's certificate must have.  Not in pyOpenSSL."""
        with translated:
            self._tls.expect_name(name)

    def set_groups(self, groups: str) -> None:
        """The groups for the key exchange, such as ``X25519MLKEM768:X25519``.  Not in pyOpenSSL."""
        with translated:
            self._tls.choose_groups(_text("groups", groups))

    def set_sigalgs(self, algorithms: str) -> None:
        """The signature algorithms, such as ``ECDSA+SHA256``.  Not in pyOpenSSL."""
        with translated:
            self._tls.choose_sigalgs(_text("algorithms", algorithms))

    def set_alpn_protos(self, protos: list[bytes]) -> None:
        """The application protocols that a client offers."""
        with translated:
            self._tls.offer_protocols(protocols_of(protos))

    def request_ocsp(self) -> None:
        """Asks the server for a stapled OCSP response."""
        with translated:
            self._tls.request_ocsp()

    # Data

    def pending(self) -> int:
        """How many bytes can be read without the transport."""
        return self._tls.pending

    def send(self, buf: _Buffer, flags: int = 0) -> int:
        """Sends bytes; how many were taken."""
        data = bytes_of("buf", buf)
        if len(data) > _LARGEST:
            raise ValueError("Cannot send more than 2**31-1 bytes at once.")
        # One record, as there: who sends more than the transport takes has no record half sent behind the rest.
        record = data if len(data) <= RECORD else memoryview(data).cast("B")[:RECORD]
        with self._sending:
            return self._now(self._tls.write, record)

    write = send

    def sendall(self, buf: _Buffer, flags: int = 0) -> int:
        """Sends every byte; how many there were."""
        data = memoryview(bytes_of("buf", buf)).cast("B")
        sent = 0
        with self._sending:
            while sent < len(data):
                sent += self._now(self._tls.write, data[sent:])
        return sent

    def recv(self, bufsiz: int, flags: int | None = None) -> bytes:
        """Up to so many bytes; ``ZeroReturnError`` once the peer has closed."""
        peeks = flags is not None and flags & socket.MSG_PEEK
        data = self._now(self._tls.peek if peeks else self._tls.read, bufsiz)
        if not data and bufsiz:
            raise ZeroReturnError()
        return data

    read = recv

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int | None = None) -> int:
        """As ``recv``, into a buffer; how many bytes."""
        size = len(buffer) if nbytes is None else min(nbytes, len(buffer))
        data = self.recv(size, flags)
        buffer[: len(data)] = memoryview(data)
        return len(data)

    def bio_read(self, bufsiz: int) -> bytes:
        """Up to so many bytes for the peer; ``WantReadError`` where there are none."""
        self._check_memory()
        if not isinstance(bufsiz, int):
            raise TypeError("bufsiz must be an integer")
        data = self._now(self._tls.data_to_send, bufsiz)
        if not data:
            raise WantReadError()
        return data

    def bio_write(self, buf: _Buffer) -> int:
        """Takes bytes from the peer; how many."""
        data = bytes_of("buf", buf)
        self._check_memory()
        if len(data) > 0:
            self._now(self._tls.receive_data, data)
        return len(data)

    def bio_shutdown(self) -> None:
        """Says that the peer's bytes have ended."""
        self._check_memory()
        self._now(self._tls.end_of_transport)

    def _check_memory(self) -> None:
        if self._socket is not None:
            raise TypeError("Connection sock was not None")

    # The handshake and the end

    def do_handshake(self) -> None:
        """Goes on with the handshake."""
        self._now(self._tls.handshake)

    def connect(self, addr: Any) -> None:
        """Connects the socket; this is the client's side."""
        self.set_connect_state()
        self._sock.connect(addr)

    def connect_ex(self, addr: Any) -> int:
        """Connects the socket; this is the client's side.  The errno, 0 for none."""
        connect_ex = self._sock.connect_ex
        self.set_connect_state()
        return int(connect_ex(addr))

    def accept(self) -> tuple[Connection, Any]:
        """The next client of a listening socket, as the server's side of a connection."""
        client, address = self._sock.accept()
        connection = Connection(self._context, client)
        connection.set_accept_state()
        return connection, address

    @property
    def _sock(self) -> Any:
        return self._socket

    def shutdown(self) -> bool:
        """Sends our close_notify; whether the peer's is here."""
        with self._sending:
            return self._now(self._tls.shutdown)

    def sock_shutdown(self, *args: Any, **kwargs: Any) -> None:
        """The socket's own ``shutdown``."""
        self._sock.shutdown(*args, **kwargs)

    def get_shutdown(self) -> int:
        """Of ``SENT_SHUTDOWN`` and ``RECEIVED_SHUTDOWN``."""
        return self._tls.shutdown_state

    def set_shutdown(self, state: int) -> None:
        """Of ``SENT_SHUTDOWN`` and ``RECEIVED_SHUTDOWN``."""
        if not isinstance(state, int):
            raise TypeError("state must be an integer")
        self._tls.set_shutdown_state(state)

    def makefile(self, *args: Any, **kwargs: Any) -> NoReturn:
        """There is none."""
        raise NotImplementedError("Cannot make file object of OpenSSL.SSL.Connection")

    def renegotiate(self) -> bool:
        """Asks for another handshake; whether none was under way."""
        if self.renegotiate_pending():
            return False
        with translated:
            self._tls.renegotiate()
        return True

    def renegotiate_pending(self) -> bool:
        """Whether another handshake has been asked for and is not finished."""
        return self._tls.is_renegotiating

    def total_renegotiations(self) -> int:
        """How many there have been."""
        return self._tls.renegotiations

    def key_update(self, request_peer: bool = False) -> None:
        """New keys for what is sent, and on request for what is received; TLS 1.3.  Not in pyOpenSSL."""
        with translated:
            self._tls.update_keys(request=request_peer)

    def want_read(self) -> bool:
        """Whether the last call waits for the peer's bytes."""
        return self._tls.wants is Want.READ

    def want_write(self) -> bool:
        """Whether the last call waits for room."""
        return self._tls.wants is Want.WRITE

    # Datagrams

    def set_ciphertext_mtu(self, mtu: int) -> None:
        """The largest datagram."""
        self._tls.set_mtu(mtu)

    def get_cleartext_mtu(self) -> int:
        """How many bytes of data fit the largest datagram."""
        return self._tls.data_mtu

    def DTLSv1_listen(self) -> None:  # noqa: N802 - pyOpenSSL's, as the two below
        """Waits for a client that brings our cookie back."""
        self._now(self._tls.listen)

    def DTLSv1_get_timeout(self) -> int | None:  # noqa: N802
        """Seconds until ``DTLSv1_handle_timeout`` is due, None while no timer runs."""
        return typing.cast("int | None", self._tls.timeout)  # a float: so pyOpenSSL calls its own

    def DTLSv1_handle_timeout(self) -> bool:  # noqa: N802
        """Sends the last flight again if it is time; whether it was."""
        return self._now(self._tls.handle_timeout)

    # What has been agreed on

    def get_servername(self) -> bytes | None:
        """The server's name that the client sent."""
        return self._tls.server_name

    def get_cipher_list(self) -> list[str]:
        """The ciphers that may be used."""
        return list(self._tls.cipher_list)

    def get_cipher_name(self) -> str | None:
        """The cipher's name."""
        return self._tls.cipher

    def get_cipher_bits(self) -> int | None:
        """How many secret bits the cipher has."""
        return self._tls.cipher_bits

    def get_cipher_version(self) -> str | None:
        """The version that the cipher came with."""
        return self._tls.cipher_version

    def get_protocol_version_name(self) -> str:
        """Such as ``TLSv1.3``."""
        return self._tls.protocol_name

    def get_protocol_version(self) -> int:
        """Such as ``TLS1_3_VERSION``."""
        return self._tls.protocol_number

    def get_alpn_proto_negotiated(self) -> bytes:
        """The application protocol, ``b""`` without one."""
        return self._tls.alpn_selected

    def get_selected_srtp_profile(self) -> bytes:
        """The SRTP profile, ``b""`` without one."""
        return self._tls.srtp_profile

    def get_group_name(self) -> str | None:
        """The key exchange's group."""
        return self._tls.group

    def get_state_string(self) -> bytes:
        """Where the handshake is, in OpenSSL's words."""
        return self._tls.state.encode()

    def server_random(self) -> bytes | None:
        """The random of the ServerHello."""
        return self._tls.server_random

    def client_random(self) -> bytes | None:
        """The random of the ClientHello."""
        return self._tls.client_random

    def master_key(self) -> bytes | None:
        """The session's secret."""
        return self._tls.master_key

    def export_keying_material(self, label: bytes, olen: int, context: bytes | None = None) -> bytes:
        """RFC 5705's exporter."""
        with translated:
            return self._tls.export_keying_material(label, olen, context)

    def get_finished(self) -> bytes | None:
        """The Finished message that was sent."""
        return self._tls.finished

    def get_peer_finished(self) -> bytes | None:
        """The Finished message that the peer sent."""
        return self._tls.peer_finished

    def get_session(self) -> Session | None:
        """The session, None while there is none."""
        session = self._tls.session
        return None if session is None else Session._of(session, self._context)

    def set_session(self, session: Session) -> None:
        """Offers a session of the same context for resumption."""
        if not isinstance(session, Session):
            raise TypeError("session must be a Session instance")
        if session._context is not self._context:
            raise ValueError("session must have been created by a Connection using the same Context as this one")
        with translated:
            self._tls.use_session(session._session)

    def session_reused(self) -> bool:
        """Whether the handshake resumed a session.  Not in pyOpenSSL."""
        return self._tls.session_reused

    def get_channel_binding(self, cb_type: str = "tls-unique") -> bytes | None:
        """What binds a login to this connection, ``tls-exporter`` or ``tls-unique``; None before the handshake ends.

        Raises ``ValueError`` for another type, and for ``tls-unique`` in TLS 1.3, which has none.  Not in pyOpenSSL.
        """
        if cb_type not in ("tls-exporter", "tls-unique"):
            raise ValueError(f"{cb_type!r} channel binding type not implemented")
        if not self._tls.is_handshake_finished:
            return None
        if cb_type == "tls-exporter":
            return self.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
        if self.get_protocol_version() == TLS1_3_VERSION:
            raise ValueError("TLS 1.3 has no tls-unique: ask for tls-exporter")
        # The first Finished of the handshake: the client's, or the server's where a session is resumed.
        return self.get_finished() if self._tls.is_client != self._tls.session_reused else self.get_peer_finished()

    def get_app_data(self) -> Any:
        """What ``set_app_data`` was given."""
        return self._app_data

    def set_app_data(self, data: Any) -> None:
        """Anything that goes with the connection."""
        self._app_data = data

    # Certificates

    @typing.overload
    def get_client_ca_list(self, *, as_cryptography: Literal[True]) -> list[x509.Name]: ...

    @typing.overload
    def get_client_ca_list(self, *, as_cryptography: Literal[False] = False) -> list[X509Name]: ...

    def get_client_ca_list(self, *, as_cryptography: bool = False) -> list[X509Name] | list[x509.Name]:
        """Whom a server names to its clients, or a client was told of."""
        names = self._tls.client_authorities
        if as_cryptography:
            return [cryptography("x509").Name.from_bytes(name.to_der()) for name in names]
        return [X509Name._of(name) for name in names]

    @typing.overload
    def get_certificate(self, *, as_cryptography: Literal[True]) -> x509.Certificate | None: ...

    @typing.overload
    def get_certificate(self, *, as_cryptography: Literal[False] = False) -> X509 | None: ...

    def get_certificate(self, *, as_cryptography: bool = False) -> X509 | x509.Certificate | None:
        """The connection's own certificate."""
        return _shown(self._tls.certificate, as_cryptography)

    @typing.overload
    def get_peer_certificate(self, *, as_cryptography: Literal[True]) -> x509.Certificate | None: ...

    @typing.overload
    def get_peer_certificate(self, *, as_cryptography: Literal[False] = False) -> X509 | None: ...

    def get_peer_certificate(self, *, as_cryptography: bool = False) -> X509 | x509.Certificate | None:
        """The peer's certificate."""
        return _shown(self._tls.peer_certificate, as_cryptography)

    @typing.overload
    def get_peer_cert_chain(self, *, as_cryptography: Literal[True]) -> list[x509.Certificate] | None: ...

    @typing.overload
    def get_peer_cert_chain(self, *, as_cryptography: Literal[False] = False) -> list[X509] | None: ...

    def get_peer_cert_chain(self, *, as_cryptography: bool = False) -> list[X509] | list[x509.Certificate] | None:
        """The certificates that the peer sent."""
        chain = self._tls.peer_chain
        # A server's view leaves the client's own certificate out, and may be of none.
        return _every(chain, as_cryptography) if chain or not self._tls.has_peer_chain else []

    @typing.overload
    def get_verified_chain(self, *, as_cryptography: Literal[True]) -> list[x509.Certificate] | None: ...

    @typing.overload
    def get_verified_chain(self, *, as_cryptography: Literal[False] = False) -> list[X509] | None: ...

    def get_verified_chain(self, *, as_cryptography: bool = False) -> list[X509] | list[x509.Certificate] | None:
        """The chain that was built and verified."""
        return _every(self._tls.verified_chain, as_cryptography)


def _shown(certificate: Certificate | None, as_cryptography: bool) -> X509 | x509.Certificate | None:
    if certificate is None:
        return None
    shown = X509._of(certificate)
    return shown.to_cryptography() if as_cryptography else shown


def _every(chain: tuple[Certificate, ...], as_cryptography: bool) -> list[X509] | list[x509.Certificate] | None:
    if not chain:
        return None
    shown = [X509._of(certificate) for certificate in chain]
    return [each.to_cryptography() for each in shown] if as_cryptography else shown


def _translated(method: _F) -> _F:
    @functools.wraps(method)
    def guarded(*arguments: Any, **named: Any) -> Any:
        with translated:
            return method(*arguments, **named)

    return typing.cast(_F, guarded)


# The core refuses any question about a connection that a parent process made. These translate it themselves: they
# warn about how they were called, or are called often.
_TRANSLATES = ("send", "sendall", "write", "recv", "read", "bio_write", "use_certificate", "use_privatekey")
for _name in [name for name in vars(Connection) if not name.startswith("_") and name not in _TRANSLATES]:
    setattr(Connection, _name, _translated(getattr(Connection, _name)))
