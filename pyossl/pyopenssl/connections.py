"""``Connection``, a translation onto ``MutableConnection``.

What the core returns as a ``Want`` is raised here, and what it raises comes from the same ``Failure``.  A call on a
connection that has failed raises the same again.
"""

from __future__ import annotations

import socket
import typing
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from pyossl.core import errors
from pyossl.core.buffers import RECORD
from pyossl.core.descriptors import require_plain
from pyossl.core.outcome import Want
from pyossl.pyopenssl.below import raise_ssl_error
from pyossl.pyopenssl.certificates import X509
from pyossl.pyopenssl.contexts import (
    Context,
    _text,
    certificate_of,
    info_callback,
    private_key_of,
    protocols_of,
    translated,
    translates,
    verify_callback,
)
from pyossl.pyopenssl.deprecation import bytes_of
from pyossl.pyopenssl.failures import (
    Error,
    WantReadError,
    ZeroReturnError,
    connection_error,
    queue_of,
    reason,
    want_error,
)
from pyossl.pyopenssl.keys import PKey
from pyossl.pyopenssl.negotiated import Negotiated
from pyossl.pyopenssl.numbers import SENT_SHUTDOWN
from pyossl.pyopenssl.sessions import Session
from pyossl.tls.mutable_connection import MutableConnection

if TYPE_CHECKING:
    from cryptography import x509

    from pyossl.pyopenssl.keys import _PrivateKey

_Socket = socket.socket
_Buffer = bytes | bytearray | memoryview
_T = TypeVar("_T")
_LARGEST = 2**31 - 1
_INSTEAD = (
    "for TLS inside TLS make a Connection without a socket, and carry its bytes over the other (bio_read and bio_write)"
)
_HAS_SOCKET = "Connection sock was not None"
_WRITABLE = (bytearray, memoryview)
"""What can be read into as it stands; anything else that takes bytes gets them afterwards."""


def _descriptor(thing: Any) -> int:
    fileno = getattr(thing, "fileno", None)
    if fileno is not None:
        require_plain(thing, _INSTEAD)
    found = thing if fileno is None else fileno()
    if not isinstance(found, int):
        raise TypeError("argument must be an int, or have a fileno() method.")
    if found < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({found})")
    return found


def _context(context: Any) -> Context:
    if not isinstance(context, Context):
        raise TypeError("context must be a Context instance")
    return context


def _record(data: Any) -> Any:
    """As much as one call sends: who sends more than the transport takes has no record half sent behind the rest."""
    if len(data) > _LARGEST:
        raise ValueError("Cannot send more than 2**31-1 bytes at once.")
    return data if len(data) <= RECORD else memoryview(data).cast("B")[:RECORD]


class Connection(Negotiated):
    """One connection over a socket, or over bytes that the caller carries (``bio_read``, ``bio_write``)."""

    if TYPE_CHECKING:
        _app_data: Any
        _reverse_mapping: typing.ClassVar[weakref.WeakValueDictionary[Any, Connection]]
    else:
        # The connection of an SSL *, for the callbacks of programs that reach below.
        _reverse_mapping = weakref.WeakValueDictionary()

    def __init__(self, context: Context, socket: socket.socket | None = None) -> None:
        if not isinstance(context, Context):
            raise TypeError("context must be a Context instance")
        self._context = context
        self._socket = socket
        self._app_data = None
        context._used = True
        try:
            descriptor = None if socket is None else _descriptor(socket)
            kept = socket if isinstance(socket, _Socket) else None  # of other objects nobody knows what they have
            self._tls = MutableConnection(context._core, descriptor, kept)
        except errors.Error as error:
            raise Error(queue_of(error)) from error
        self._tls.face = weakref.ref(self)
        self._reverse_mapping[self._ssl] = self

    def __getattr__(self, name: str) -> Any:
        if name == "_socket" or self._socket is None:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return getattr(self._socket, name)

    def _now(self, call: Callable[..., _T | Want], *arguments: Any) -> _T:
        """What a call of the core's came to, told as pyOpenSSL tells it; what is called often does that itself."""
        try:
            result = call(*arguments)
        except errors.Error as error:
            raise self._error(error) from error
        if isinstance(result, Want):
            raise want_error(result)
        return result

    def _error(self, error: errors.Error) -> Error:
        return Error(self._misuse(error)) if isinstance(error, errors.UsageError) else connection_error(error)

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

    def _raise_ssl_error(self, ssl: Any, result: int) -> None:
        """For programs that reach below."""
        raise_ssl_error(ssl, result)

    # Context and side

    def get_context(self) -> Context:
        """The context."""
        return self._context

    def set_context(self, context: Context) -> None:
        """Goes on with another context, from a server name callback."""
        _context(context)
        with translated:
            self._tls.change_context(context._core)
        self._context = context
        context._used = True

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
        if type(buf) is not bytes or len(buf) > RECORD:
            buf = _record(bytes_of("buf", buf))
        try:
            sent = self._tls.write(buf)
        except errors.Error as error:
            raise self._error(error) from error
        if isinstance(sent, int):
            return sent
        raise want_error(sent)

    write = send

    def sendall(self, buf: _Buffer, flags: int = 0) -> int:
        """Sends every byte; how many there were."""
        if type(buf) is not bytes:
            buf = memoryview(bytes_of("buf", buf)).cast("B")
        try:
            sent = self._tls.write(buf)
        except errors.Error as error:
            raise self._error(error) from error
        if isinstance(sent, int):
            return sent
        raise want_error(sent)

    def recv(self, bufsiz: int, flags: int | None = None) -> bytes:
        """Up to so many bytes; ``ZeroReturnError`` once the peer has closed."""
        try:
            peeks = flags is not None and flags & socket.MSG_PEEK
            data = self._tls.peek(bufsiz) if peeks else self._tls.read(bufsiz)
        except errors.Error as error:
            raise self._error(error) from error
        if not isinstance(data, bytes):
            raise want_error(data)
        if not data and bufsiz:
            raise ZeroReturnError
        return data

    read = recv

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int | None = None) -> int:
        """As ``recv``, into a buffer; how many bytes."""
        size = len(buffer)
        if nbytes is not None and nbytes < size:
            size = nbytes
        if flags is not None or size <= 0 or type(buffer) not in _WRITABLE:
            data = self.recv(size, flags)
            buffer[: len(data)] = memoryview(data)
            return len(data)
        try:
            received = self._tls.read_into(buffer, size)
        except errors.Error as error:
            raise self._error(error) from error
        if not isinstance(received, int):
            raise want_error(received)
        if not received:
            raise ZeroReturnError
        return received

    def bio_read(self, bufsiz: int) -> bytes:
        """Up to so many bytes for the peer; ``WantReadError`` where there are none."""
        if self._socket is not None:
            raise TypeError(_HAS_SOCKET)
        if not isinstance(bufsiz, int):
            raise TypeError("bufsiz must be an integer")
        if bufsiz < 0:
            raise ValueError("bufsiz cannot be negative")
        try:
            data = self._tls.data_to_send(bufsiz)
        except errors.Error as error:
            raise self._error(error) from error
        if not data:
            raise WantReadError
        return data

    def bio_write(self, buf: _Buffer) -> int:
        """Takes bytes from the peer; how many."""
        if type(buf) is not bytes:
            buf = bytes_of("buf", buf)
        if self._socket is not None:
            raise TypeError(_HAS_SOCKET)
        size = len(buf)
        if size > 0:
            try:
                self._tls.receive_data(buf)
            except errors.Error as error:
                raise self._error(error) from error
        return size

    def bio_shutdown(self) -> None:
        """Says that the peer's bytes have ended."""
        if self._socket is not None:
            raise TypeError(_HAS_SOCKET)
        self._now(self._tls.end_of_transport)

    # The handshake and the end

    def do_handshake(self) -> None:
        """Goes on with the handshake."""
        try:
            want = self._tls.handshake()
        except errors.Error as error:
            raise self._error(error) from error
        if want is not None:
            raise want_error(want)

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
        """Sends our close_notify, after the record of a ``send`` that waits; whether the peer's is here."""
        try:
            is_whole = self._tls.finish_write() or self._tls.shutdown()
        except errors.Error as error:
            raise self._error(error) from error
        if isinstance(is_whole, bool):
            return is_whole
        raise want_error(is_whole)

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
        try:
            self._tls.use_session(session._core)
        except errors.Error as error:
            raise Error(queue_of(error)) from error

    def get_app_data(self) -> Any:
        """What ``set_app_data`` was given."""
        return self._app_data

    def set_app_data(self, data: Any) -> None:
        """Anything that goes with the connection."""
        self._app_data = data


# These translate what the core raises themselves: they warn about how they were called, or are called often.
_TRANSLATES = frozenset(
    (
        "bio_read",
        "bio_write",
        "do_handshake",
        "get_context",
        "read",
        "recv",
        "recv_into",
        "send",
        "sendall",
        "set_accept_state",
        "set_connect_state",
        "set_session",
        "set_tlsext_host_name",
        "shutdown",
        "use_certificate",
        "use_privatekey",
        "write",
    )
)
translates(Connection, but=_TRANSLATES)
