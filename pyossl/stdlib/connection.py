"""``_SSLSocket``, the object below ssl.py's SSLSocket and SSLObject: what is not in C (pyossl/_c/fast/ssl_socket.c).

Theory of operation
-------------------
Three objects belong to a connection.

- The ``_SSLSocket``, an object in C.  ssl.py has it.
- Its state, a ``Connection``.  The ``_SSLSocket`` has it, and calls its methods.
- ``tls``, the connection itself: a ``MutableConnection`` of pyossl/tls.  The state has it.

References in the other direction are weak: a connection ends with its last reference, without the garbage collector.

A connection over a socket uses the socket's descriptor, and waits as the socket's timeout says
(pyossl/_c/sockets/timeout_calls.c).  One between two MemoryBIOs reads and writes their queues
(pyossl/_c/bio/queue_bio.c).
"""

from __future__ import annotations

import _socket
import weakref
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from pyossl.core import ffi, lib, own, text
from pyossl.core.errors import DecodeError
from pyossl.core.methods_in_c import new_ssl_session, new_ssl_socket, queue_of, state_of
from pyossl.core.outcome import take_records
from pyossl.stdlib import errors
from pyossl.stdlib.certificate import certificate_of, der_of
from pyossl.stdlib.constants import PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER, SSL_ERROR_EOF
from pyossl.stdlib.outcome_errors import error_of
from pyossl.stdlib.session import Proof, Session
from pyossl.tls.callbacks.callbacks import Callbacks
from pyossl.tls.callbacks.message import Message
from pyossl.tls.mutable.mutable_connection import MutableConnection
from pyossl.tls.mutable.mutable_context import MutableContext
from pyossl.x509.certificate import chain_of
from pyossl.x509.peercert import facts_that

_gettimeout, _fileno = _socket.socket.gettimeout, _socket.socket.fileno
_over_socket, _over_queues = lib.pyossl_connection_over_callers_socket, lib.pyossl_connection_over_queues
_new_handle, _free, _address = ffi.new_handle, lib.pyossl_connection_free, lib.pyossl_address
_handshake, _shutdown = lib.pyossl_timeout_handshake, lib.pyossl_timeout_shutdown
_set_up, _peer_facts = lib.pyossl_set_up_for_ssl_module, lib.pyossl_peer_facts
_NULL = ffi.NULL
_TOO_EARLY = "handshake not done yet"


class ContextState(Protocol):
    """What a connection uses of the state of its context (context.py)."""

    @property
    def owner(self) -> Callable[[], Any]: ...
    @property
    def tls(self) -> MutableContext: ...
    @property
    def protocol(self) -> int: ...
    @property
    def _checks_hostname(self) -> bool: ...
    @property
    def _asks_later(self) -> bool: ...
    @property
    def _message_callback(self) -> Any: ...


class TLSConnection(MutableConnection):
    """A connection of this face.

    - ``face``: its state, which a callback of the context finds here.
    - ``address``: of the C object.
    """

    _face: weakref.ref[Connection]

    def __init__(self, context: MutableContext, pointer: Any) -> None:
        if not pointer:
            raise errors.of_queue()
        self.address = _address(pointer)
        self._refuse_second_init()
        self._context = context
        self._kept = None
        self._use(own(pointer, _free), self.address)
        self._callbacks = Callbacks(self, context._callbacks)
        self._handle = pointer.handle = _new_handle(self._callbacks)

    @property
    def face(self) -> Connection | None:
        return self._face()


def wrap_socket(
    context: ContextState,
    sock: Any,
    server_side: object,
    server_hostname: object = None,
    *,
    owner: Any = None,
    session: Any = None,
) -> Any:
    """The method ``_wrap_socket`` of a context: a ``_SSLSocket`` over the descriptor of a Python socket.  SSL_new(3)"""
    if not isinstance(sock, _socket.socket):
        raise TypeError(f"_wrap_socket() argument 'sock' must be _socket.socket, not {type(sock).__name__}")
    is_server = bool(server_side)
    name = _checked(context, is_server, server_hostname)
    tls = context.tls  # live: it does not freeze with its first connection
    pointer = _over_socket(tls._ctx, _fileno(sock))
    return _wrapped(context, TLSConnection(tls, pointer), is_server, name, owner, session, sock, None, None)


def wrap_bio(
    context: ContextState,
    incoming: Any,
    outgoing: Any,
    server_side: object,
    server_hostname: object = None,
    *,
    owner: Any = None,
    session: Any = None,
) -> Any:
    """The method ``_wrap_bio`` of a context: a ``_SSLSocket`` between two MemoryBIOs.  SSL_new(3)"""
    read, write = queue_of(incoming), queue_of(outgoing)
    is_server = bool(server_side)
    name = _checked(context, is_server, server_hostname)
    tls = context.tls
    pointer = _over_queues(tls._ctx, read, write)
    return _wrapped(context, TLSConnection(tls, pointer), is_server, name, owner, session, None, incoming, outgoing)


def _checked(context: ContextState, server_side: bool, server_hostname: object) -> str | None:
    """The server's name, after a look at the side."""
    if server_side and context.protocol == PROTOCOL_TLS_CLIENT:
        raise errors.refused("Cannot create a server socket with a PROTOCOL_TLS_CLIENT context")
    if not server_side and context.protocol == PROTOCOL_TLS_SERVER:
        raise errors.refused("Cannot create a client socket with a PROTOCOL_TLS_SERVER context")
    if server_hostname is None:
        return None
    if not isinstance(server_hostname, str):
        raise TypeError(f"argument must be str, not {type(server_hostname).__name__}")
    server_hostname.encode("ascii")
    if "\0" in server_hostname:
        raise TypeError("argument must be encoded string without null bytes, not str")
    if not server_hostname or server_hostname[0] == ".":
        raise ValueError("server_hostname cannot be an empty string or start with a leading dot.")
    return server_hostname


def _wrapped(
    context: ContextState,
    tls: TLSConnection,
    server_side: bool,
    name: str | None,
    owner: Any,
    session: Any,
    sock: Any,
    incoming: Any,
    outgoing: Any,
) -> Any:
    encoded = _NULL if name is None else name.encode("ascii")
    state = Connection(context, tls, server_side, name, sock)
    c = tls._c
    wrapped = new_ssl_socket(state, c, tls.address, sock, incoming, outgoing)
    is_address = name is not None and (name[-1].isdigit() or ":" in name) and _is_address(name)
    if not _set_up(c, server_side, encoded, is_address, context._checks_hostname, context._asks_later):
        raise errors.of_queue()
    if context._checks_hostname:
        state._checked_name = name
    if context._message_callback is not None:
        state._watch_messages()
    if owner is not None:
        state._owner = weakref.ref(owner)
    if session is not None:
        state.session = session
    return wrapped


def _is_address(name: str) -> bool:
    """Whether OpenSSL compares ``name`` with the addresses of a certificate.  X509_VERIFY_PARAM_set1_ip_asc(3)"""
    for family in _socket.AF_INET, _socket.AF_INET6:
        try:
            _socket.inet_pton(family, name)
        except OSError:
            continue
        return True
    return False


class Connection:
    """The state of a ``_SSLSocket``: the names are those of ``_ssl``.

    - ``context_state``: the state of the context that the connection uses now.
    - ``tls``: the connection.
    - ``server_side``: whether this is the server's side.
    - ``server_hostname``: the name that the client sends, and expects in the certificate.
    """

    __slots__ = (
        "__weakref__",
        "_checked_name",
        "_context",
        "_owner",
        "_sock",
        "context_state",
        "owner_object",
        "server_hostname",
        "server_side",
        "tls",
    )

    owner_object: weakref.ref[Any]
    """Set by C: the ``_SSLSocket``."""

    def __init__(
        self, context: ContextState, tls: TLSConnection, server_side: bool, name: str | None, sock: Any
    ) -> None:
        self._context = context.owner()
        self.context_state = context
        self.tls = tls
        tls._face = weakref.ref(self)
        self.server_side = server_side
        self.server_hostname = name
        self._checked_name: str | None = None
        self._owner: weakref.ref[Any] | None = None
        self._sock = None if sock is None else weakref.ref(sock)

    # The socket

    def _socket_gone(self) -> NoReturn:
        """Called by C, and here: the Python socket does not exist any more, or has been closed."""
        raise errors.refused("Underlying socket connection gone")

    def _timeout(self) -> float:
        """The timeout as pyossl/_c/sockets/timeout_calls.c takes it."""
        if self._sock is None:
            return 0.0
        sock = self._sock()
        if sock is None:
            self._socket_gone()
        timeout = _gettimeout(sock)
        return -1.0 if timeout is None else timeout

    # The results of calls

    def _unfinished(self, result: int, operation: str) -> NoReturn:
        """Raises the exception for a result below 0.  C calls it too."""
        raise error_of(self.tls, self.server_hostname, result, operation)

    def _is_ragged_end(self, sock: Any, error: OSError) -> bool:
        return error.args[0] == SSL_ERROR_EOF and bool(sock.suppress_ragged_eofs)

    def _failed_recv(self, result: int, operation: str, sock: Any) -> bytes:
        """As ssl.py's ``SSLSocket.read``: an end without close_notify may be hidden."""
        try:
            self._unfinished(result, operation)
        except errors.SSLError as error:
            if self._is_ragged_end(sock, error):
                return b""
            raise

    def _failed_recv_into(self, result: int, operation: str, sock: Any) -> int:
        return len(self._failed_recv(result, operation, sock))

    # Handshake and shutdown

    def do_handshake(self) -> None:
        result = _handshake(self.tls._c, self._timeout())
        if result < 0:
            self._unfinished(result, "handshake")

    def shutdown(self) -> Any:
        """Sends close_notify, and waits for the peer's.  Returns the socket, if there is one.  SSL_shutdown(3)"""
        sock = None
        if self._sock is not None:
            sock = self._sock()
            if sock is None or _fileno(sock) < 0:
                self._socket_gone()
        result = _shutdown(self.tls._c, self._timeout())
        if result < 0:
            self._unfinished(result, "shutdown")
        return sock

    def verify_client_post_handshake(self) -> None:
        def verify(ssl: Any) -> bool:
            take_records()
            return bool(lib.SSL_verify_client_post_handshake(ssl))

        if not self.tls._ask(verify):
            raise errors.of_queue()

    # Certificates

    def getpeercert(self, der: bool = False, /) -> Any:
        """The peer's certificate as a dictionary, which is empty if it has not been verified; or in DER."""
        if der:
            x509 = self.tls._ask(_peer_certificate)
            return None if x509 is None else der_of(x509)
        try:
            facts = facts_that(_peer_facts, self.tls._c)
        except DecodeError as error:
            raise errors.SSLError(str(error)) from None
        return facts if type(facts) is dict else self._without_facts(facts)

    def _without_facts(self, reason: int) -> dict[str, Any] | None:
        if reason == lib.PYOSSL_FACTS_UNVERIFIED:
            return {}
        if reason == lib.PYOSSL_FACTS_NO_PEER:
            return None
        if reason == lib.PYOSSL_FACTS_EARLY:
            raise ValueError(_TOO_EARLY)
        raise self.tls._refused()

    def _verifies(self) -> bool:
        """Whether this connection verifies the peer, whatever the context is set to now.  SSL_get_verify_mode(3)"""
        return bool(self.tls._ask(lib.SSL_get_verify_mode) & lib.SSL_VERIFY_PEER)

    def get_verified_chain(self) -> Any:
        return self.tls._ask_about_peer(lambda ssl: _certificates(lib.SSL_get0_verified_chain(ssl)), None)

    def get_unverified_chain(self) -> Any:
        """The certificates that the peer sent, its own first.  SSL_get_peer_cert_chain(3)"""

        def sent(ssl: Any) -> Any:
            chain = _certificates(lib.SSL_get_peer_cert_chain(ssl))
            if not self.server_side:
                return chain
            # OpenSSL leaves the client's own certificate out, and forgets the others when a session is resumed
            # (docs/pitfalls.md, 60).
            x509 = lib.SSL_get1_peer_certificate(ssl)
            return None if x509 == ffi.NULL else [certificate_of(own(x509, lib.X509_free)), *(chain or ())]

        return self.tls._ask_about_peer(sent, None)

    # What was negotiated

    def cipher(self) -> tuple[str, str, int] | None:
        return self.tls._of_cipher(_description)

    def shared_ciphers(self) -> list[tuple[str, str, int]] | None:
        def shared(ssl: Any) -> list[tuple[str, str, int]] | None:
            theirs = lib.SSL_get_client_ciphers(ssl)
            if theirs == ffi.NULL:
                return None
            numbers = {lib.SSL_CIPHER_get_id(cipher) for cipher in _ciphers(theirs)}
            ours = own(lib.pyossl_connection_ciphers(self.tls._c), lib.sk_SSL_CIPHER_free)
            return [_description(cipher) for cipher in _ciphers(ours) if lib.SSL_CIPHER_get_id(cipher) in numbers]

        return self.tls._ask(shared)

    def version(self) -> str | None:
        def negotiated(ssl: Any) -> str | None:
            return text(lib.SSL_get_version(ssl)) if lib.SSL_is_init_finished(ssl) else None

        version = self.tls._ask(negotiated)
        return None if version == "unknown" else version

    def compression(self) -> None:
        """None: pyossl never compresses, as it would reveal secrets (CRIME)."""

    def group(self) -> str | None:
        return self.tls.group

    def client_sigalg(self) -> str | None:
        return self._signature_algorithm(is_own=not self.server_side)

    def server_sigalg(self) -> str | None:
        return self._signature_algorithm(is_own=self.server_side)

    def _signature_algorithm(self, *, is_own: bool) -> str | None:
        """The name of the algorithm with which this side, or the peer, has signed.  SSL_get0_signature_name(3)"""
        if not lib.HAVE_API_3_5:
            raise NotImplementedError("Getting the name of a signature algorithm requires OpenSSL 3.5 or later.")

        def name(ssl: Any) -> str | None:
            pointer = ffi.new("const char **")
            function = lib.SSL_get0_signature_name if is_own else lib.SSL_get0_peer_signature_name
            take_records()
            return text(pointer[0]) if function(ssl, pointer) == 1 else None

        return self.tls._ask(name)

    def selected_alpn_protocol(self) -> str | None:
        return self.tls.alpn

    def get_channel_binding(self, cb_type: str = "tls-unique") -> bytes | None:
        """The first Finished message of the handshake.  SSL_get_finished(3), SSL_get_peer_finished(3)"""
        if cb_type != "tls-unique":
            raise ValueError(f"'{cb_type}' channel binding type not implemented")
        is_first_ours = self.session_reused == self.server_side
        return self.tls.finished if is_first_ours else self.tls.peer_finished

    def uses_ktls_for_send(self) -> bool:
        """False: pyossl's own BIO does not hand the encryption to the kernel."""
        return False

    def uses_ktls_for_recv(self) -> bool:
        """False: nor the decryption."""
        return False

    def sendfile(self, fd: int, offset: int, size: int, flags: int = 0, /) -> NoReturn:
        if self.tls._c.dead:  # what ended the connection is raised again, as by every other method
            self._unfinished(-lib.SSL_ERROR_SSL, "writing")
        raise errors.refused("kernel TLS is not in use: SSL_sendfile() cannot send")

    # The context, the session and the owner

    @property
    def context(self) -> Any:
        return self._context

    @context.setter
    def context(self, context: Any) -> None:
        state = _context_state(context)
        self.tls.change_context(state.tls)
        self._context, self.context_state = context, state
        self._watch_messages()

    @property
    def session(self) -> Any:
        pointer = lib.pyossl_session(self.tls._c)
        if not pointer:
            return None
        is_verified = self._verifies() and self.tls.is_handshake_finished
        proof = Proof(is_verified, self._checked_name if is_verified else None)
        return new_ssl_session(Session(own(pointer, lib.SSL_SESSION_free), self.context_state, proof))

    @session.setter
    def session(self, session: Any) -> None:
        state = _session_state(session)
        if state.context is not self.context_state:
            raise ValueError("Session refers to a different SSLContext.")
        if self.server_side:
            raise ValueError("Cannot set session for server-side SSLSocket.")
        if self.tls.is_handshake_finished:
            raise ValueError("Cannot set session after handshake.")
        if not state.proof.suffices(Proof(self._verifies(), self._checked_name)):
            return  # the peer of a resumed session is not verified again: a full handshake follows
        if lib.pyossl_set_session(self.tls._c, state.pointer) != 1:
            raise errors.of_queue()

    @property
    def session_reused(self) -> bool:
        return self.tls.session_reused

    @property
    def owner(self) -> Any:
        return None if self._owner is None else self._owner()

    @owner.setter
    def owner(self, owner: Any) -> None:
        self._owner = weakref.ref(owner)

    def owner_for_callbacks(self) -> Any:
        """The object that a callback gets: the owner, else the socket, else the ``_SSLSocket``; None if it is gone."""
        if self._owner is not None:
            return self._owner()
        return self.owner_object() if self._sock is None else self._sock()

    # Messages

    def _watch_messages(self) -> None:
        """Calls the context's ``_msg_callback`` for each protocol message, or does not any more."""
        watches = self.context_state._message_callback is not None
        self.tls._callbacks.message = _watcher(weakref.ref(self)) if watches else None
        lib.pyossl_set_message_callback(self.tls._c, watches)

    def _on_message(self, message: Message) -> None:
        callback: Callable[..., object] | None = self.context_state._message_callback
        if callback is None:
            return
        kind, data = int(message.content_type), message.data
        version, number = int(message.version), -1
        if kind == _HEADER:
            version, number = data[1] << 8 | data[2], data[0]
        elif kind == lib.SSL3_RT_CHANGE_CIPHER_SPEC:
            number = lib.SSL3_MT_CHANGE_CIPHER_SPEC
        elif kind == lib.SSL3_RT_ALERT:
            number = data[1]
        elif kind in (lib.SSL3_RT_HANDSHAKE, _INNER_CONTENT_TYPE):
            number = data[0]
        direction = "write" if message.outgoing else "read"
        callback(self.owner_for_callbacks(), direction, version, kind, number, data)


def _watcher(state: weakref.ref[Connection]) -> Callable[[Message], None]:
    """The message callback of a connection; it does not keep the connection alive."""

    def watch(message: Message) -> None:
        connection = state()
        if connection is not None:
            connection._on_message(message)

    return watch


_HEADER, _INNER_CONTENT_TYPE = lib.SSL3_RT_HEADER, lib.SSL3_RT_INNER_CONTENT_TYPE


def _context_state(context: Any) -> ContextState:
    try:
        state = state_of(context)
    except TypeError:
        state = None
    if not isinstance(getattr(state, "tls", None), MutableContext):
        raise TypeError("The value must be a SSLContext")
    found: ContextState = state
    return found


def _session_state(session: Any) -> Session:
    try:
        state = state_of(session)
    except TypeError:
        state = None
    if not isinstance(state, Session):
        raise TypeError("Value is not a SSLSession.")
    return state


def _peer_certificate(ssl: Any) -> Any:
    """An ``X509 *``, owned; None if the peer has sent no certificate.  SSL_get1_peer_certificate(3)"""
    if not lib.SSL_is_init_finished(ssl):
        raise ValueError(_TOO_EARLY)
    x509 = lib.SSL_get1_peer_certificate(ssl)
    return None if x509 == ffi.NULL else own(x509, lib.X509_free)


def _certificates(stack: Any) -> list[Any] | None:
    """The certificates of a ``STACK_OF(X509) *``; None if it is NULL."""
    if stack == ffi.NULL:
        return None
    return [certificate_of(each._x509) for each in chain_of(stack)]


def _ciphers(stack: Any) -> list[Any]:
    return [lib.sk_SSL_CIPHER_value(stack, n) for n in range(lib.sk_SSL_CIPHER_num(stack))]


def _description(cipher: Any) -> tuple[str, str, int]:
    """Name, protocol version and bits of a cipher."""
    name, version = lib.SSL_CIPHER_get_name(cipher), lib.SSL_CIPHER_get_version(cipher)
    return text(name), text(version), lib.SSL_CIPHER_get_bits(cipher, ffi.NULL)
