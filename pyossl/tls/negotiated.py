"""What a connection negotiated with its peer: version, cipher, group, ALPN, session, certificates.

Each property takes the connection's lock for its call of OpenSSL, because another thread may use the same SSL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pyossl.core import ffi, lib, own, text
from pyossl.core.copying import Uncopied
from pyossl.core.errors import UsageError, require
from pyossl.core.lock import ask, inherited
from pyossl.core.outcome import take_records
from pyossl.tls.certificate_transparency import SCT, scts_of
from pyossl.tls.context import Context
from pyossl.tls.session import Session, session_of
from pyossl.x509.certificate import Certificate, chain_of
from pyossl.x509.names import Name, names_in
from pyossl.x509.ocsp_response import OCSPSingleResponse

_T = TypeVar("_T")

_in_turn, _ask_number = lib.pyossl_in_turn, lib.pyossl_ask
_session, _session_free = lib.pyossl_session, lib.SSL_SESSION_free
_ciphers_free = lib.sk_SSL_CIPHER_free

_REFUSED_FUNCTIONS = frozenset(
    (
        "SSL_accept",
        "SSL_clear",
        "SSL_connect",
        "SSL_do_handshake",
        "SSL_free",
        "SSL_peek",
        "SSL_peek_ex",
        "SSL_read",
        "SSL_read_early_data",
        "SSL_read_ex",
        "SSL_renegotiate",
        "SSL_renegotiate_abbreviated",
        "SSL_sendfile",
        "SSL_set0_rbio",
        "SSL_set0_wbio",
        "SSL_set_SSL_CTX",
        "SSL_set_bio",
        "SSL_set_ex_data",
        "SSL_set_fd",
        "SSL_set_mode",
        "SSL_set_msg_callback",
        "SSL_set_msg_callback_arg",
        "SSL_set_rfd",
        "SSL_set_verify",
        "SSL_set_wfd",
        "SSL_shutdown",
        "SSL_stateless",
        "SSL_verify_client_post_handshake",
        "SSL_write",
        "SSL_write_early_data",
        "SSL_write_ex",
        "SSL_write_ex2",
    )
)
"""The functions that ``call`` refuses: they do I/O, or change parts of the SSL that pyossl relies on."""


class Negotiated(Uncopied):
    """The properties of a connection that its handshake determines, and ``call`` for all other functions."""

    _c: Any
    _context: Context
    _name: str
    _other_names: tuple[str, ...]
    _email: str | None
    _indicated: str | None
    _ocsp_status: OCSPSingleResponse | None = None

    def _in_turn(self, function: Callable[[], _T]) -> _T:
        """Calls ``function`` under the connection's lock, also when the connection is closed; returns its result."""
        return ask(_in_turn, self._c, function)

    def _ask(self, question: Callable[[Any], _T]) -> _T:
        """Calls ``question`` with the ``SSL *`` under the connection's lock; returns its result.

        Raises ``UsageError`` if the connection is closed, or belongs to the parent process.
        """
        c = self._c

        def of_ssl() -> _T:
            if c.closed:
                raise self._refused()
            return question(c.ssl)

        return ask(_in_turn, c, of_ssl)

    def _ask_number(self, question: int) -> int:
        """The number that C returns for a question such as ``lib.PYOSSL_IS_FINISHED``."""
        answer: int = _ask_number(self._c, question)
        if answer < 0:
            raise self._refused()
        return answer

    def _refused(self) -> UsageError:
        """The exception for a connection whose SSL cannot be used: closed, or the parent process's."""
        is_inherited = lib.pyossl_is_inherited(self._c)
        return inherited() if is_inherited else UsageError("the connection is closed")

    def call(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Calls ``function(ssl, *arguments)`` and returns its result, for functions of OpenSSL without a method here.

        - ``function``: a function of ``pyossl.lib``, or a function of the program.
        - ``arguments``: the arguments after the ``SSL *``.

        The connection's lock is held, and OpenSSL's error queue is empty before the call and is not read after it.  The
        program must not keep ``ssl`` or any pointer that OpenSSL lends from it: copy the data.  Functions that read,
        write, do the handshake, free the SSL, or replace a part that pyossl relies on raise ``UsageError``.  So does
        any call on a closed connection, or on one of the parent process.  SSL_get_ex_data(3)
        """
        if getattr(function, "__name__", "") in _REFUSED_FUNCTIONS:
            raise UsageError(f"{function.__name__} cannot be called in this way: use the methods of the connection")

        def called(ssl: Any) -> _T:
            take_records()
            return function(ssl, *arguments)

        return self._ask(called)

    def _session_of(self, pointer: Any) -> Session:
        return session_of(pointer, self._context, self._name or None, self._other_names, self._email)

    @property
    def context(self) -> Context:
        """The context of the connection: the one it was made from, or that a server name callback chose."""
        return self._context

    @property
    def is_handshake_finished(self) -> bool:
        """Whether the handshake is finished.  SSL_is_init_finished(3)"""
        return bool(self._ask_number(lib.PYOSSL_IS_FINISHED))

    @property
    def state(self) -> str:
        """The state of the handshake, as OpenSSL describes it.  SSL_state_string_long(3)"""
        return text(self._ask(lib.SSL_state_string_long))

    @property
    def version(self) -> str | None:
        """The protocol version in use, for example ``TLSv1.3``; None before it is negotiated.  SSL_get_version(3)"""

        def agreed(ssl: Any) -> str | None:
            return None if lib.SSL_get_current_cipher(ssl) == ffi.NULL else text(lib.SSL_get_version(ssl))

        return self._ask(agreed)

    @property
    def cipher(self) -> str | None:
        """The name of the cipher, for example ``TLS_AES_256_GCM_SHA384``; None before it is negotiated.

        SSL_get_current_cipher(3)
        """
        return self._of_cipher(lambda cipher: text(lib.SSL_CIPHER_get_name(cipher)))

    @property
    def cipher_bits(self) -> int | None:
        """The strength of the cipher in bits; None before it is negotiated.  SSL_CIPHER_get_bits(3)"""
        return self._of_cipher(lambda cipher: int(lib.SSL_CIPHER_get_bits(cipher, ffi.NULL)))

    @property
    def cipher_version(self) -> str | None:
        """The version that defined the cipher, for example ``TLSv1.2``; None before it is negotiated.

        SSL_CIPHER_get_version(3)
        """
        return self._of_cipher(lambda cipher: text(lib.SSL_CIPHER_get_version(cipher)))

    def _of_cipher(self, question: Callable[[Any], _T]) -> _T | None:
        def of_ssl(ssl: Any) -> _T | None:
            cipher = lib.SSL_get_current_cipher(ssl)
            return None if cipher == ffi.NULL else question(cipher)

        return self._ask(of_ssl)

    @property
    def shared_ciphers(self) -> tuple[tuple[str, str, int], ...]:
        """On a server, the ciphers that both sides have, in the client's order.

        Each is a tuple: the name, the version that defined it, the strength in bits.  Empty on a client, and before the
        ClientHello.  SSL_get_client_ciphers(3)
        """

        def shared(ssl: Any) -> tuple[tuple[str, str, int], ...]:
            ours = {number for number, *_ in _ciphers_in(own(lib.pyossl_connection_ciphers(self._c), _ciphers_free))}
            theirs = _ciphers_in(lib.SSL_get_client_ciphers(ssl))
            return tuple((name, protocol, bits) for number, name, protocol, bits in theirs if number in ours)

        return self._ask(shared)

    @property
    def group(self) -> str | None:
        """The group of the key exchange, for example ``x25519``.

        None if no group was used, and on a server with OpenSSL 1.1.1.  SSL_get0_group_name(3)
        """

        def of_ssl(ssl: Any) -> str | None:
            if lib.SSL_get_current_cipher(ssl) == ffi.NULL:
                return None  # OpenSSL would use a NULL pointer before it has a session
            return text(lib.SSL_get0_group_name(ssl)) or None

        return self._ask(of_ssl)

    @property
    def signature_algorithm(self) -> str | None:
        """The algorithm of this side's signature in the handshake, for example ``ecdsa_secp256r1_sha256``.

        None if this side has signed nothing.  OpenSSL 3.5 or newer; with older ones it raises ``UnsupportedError``.
        SSL_get0_signature_name(3)
        """
        return self._signature("SSL_get0_signature_name")

    @property
    def peer_signature_algorithm(self) -> str | None:
        """The algorithm of the peer's signature in the handshake; None if it has signed nothing.

        OpenSSL 3.5 or newer; with older ones it raises ``UnsupportedError``.  SSL_get0_peer_signature_name(3)
        """
        return self._signature("SSL_get0_peer_signature_name")

    def _signature(self, function: str) -> str | None:
        name = ffi.new("char **")

        def of_ssl(ssl: Any) -> str | None:
            if not lib.HAVE_API_3_5 or lib.SSL_get_current_cipher(ssl) == ffi.NULL:
                return None
            return text(name[0]) if getattr(lib, function)(ssl, name) == 1 else None

        algorithm = self._ask(of_ssl)
        require(lib.HAVE_API_3_5, "names of signature algorithms")  # a closed connection says first that it is closed
        return algorithm

    @property
    def alpn(self) -> str | None:
        """The application protocol that was selected (ALPN); None for none.  SSL_get0_alpn_selected(3)"""

        def selected(ssl: Any) -> str | None:
            protocol, length = ffi.new("unsigned char **"), ffi.new("unsigned int *")
            lib.SSL_get0_alpn_selected(ssl, protocol, length)
            return bytes(ffi.buffer(protocol[0], length[0])).decode("latin-1") if length[0] else None

        return self._ask(selected)

    @property
    def server_hostname(self) -> str | None:
        """The name of the server; None for none.  SSL_get_servername(3)

        On a client the ``server_hostname`` that it was given; on a server the name that the client sent (SNI).
        """
        if not self._context.is_server:
            return self._name or None
        # In a server name callback OpenSSL has not read the name yet.
        name = self._ask(lambda ssl: text(lib.SSL_get_servername(ssl, lib.TLSEXT_NAMETYPE_host_name)))
        return name or self._indicated or None

    @property
    def session(self) -> Session | None:
        """The session of the connection; None before there is one.

        In TLS 1.3 it can be resumed only after the server has sent a ticket, which it does after the handshake.  The
        context's ``new_session_callback`` is called then.  SSL_get1_session(3)
        """
        pointer = _session(self._c)
        if not pointer:
            self._ask(bool)  # raises if the connection cannot be used
            return None
        owned = own(pointer, _session_free)
        return Session(owned, self._context, self._name or None, self._other_names, self._email)

    @property
    def session_reused(self) -> bool:
        """Whether the handshake resumed a session.  SSL_session_reused(3)"""
        return bool(self._ask_number(lib.PYOSSL_IS_REUSED))

    @property
    def peer_certificate(self) -> Certificate | None:
        """The peer's certificate; None if it sent none.  SSL_get1_peer_certificate(3)"""

        def shown(ssl: Any) -> Certificate | None:
            pointer = lib.SSL_get1_peer_certificate(ssl)
            return None if pointer == ffi.NULL else Certificate(own(pointer, lib.X509_free))

        return self._ask(shown)

    @property
    def peer_chain(self) -> tuple[Certificate, ...]:
        """The certificates that the peer sent, its own first.  On a server without the client's own certificate.

        SSL_get_peer_cert_chain(3)
        """
        return self._ask(lambda ssl: chain_of(lib.SSL_get_peer_cert_chain(ssl)))

    @property
    def verified_chain(self) -> tuple[Certificate, ...]:
        """The chain that OpenSSL built and verified: the peer's own certificate first, the trusted one last.

        SSL_get0_verified_chain(3)
        """
        return self._ask(lambda ssl: chain_of(lib.SSL_get0_verified_chain(ssl)))

    @property
    def peer_ca_names(self) -> tuple[Name, ...]:
        """The names of authorities that the peer sent, to choose a certificate by; empty if it sent none.

        SSL_get0_peer_CA_list(3)
        """
        return self._ask(lambda ssl: names_in(lib.SSL_get0_peer_CA_list(ssl)))

    @property
    def ocsp_response(self) -> bytes | None:
        """On a client, the OCSP response that the server stapled, in DER; None for none.

        The server sends one only if the client asked with ``Context.verify_ocsp``, which checks it, or with
        ``Context.request_ocsp``, which does not.  SSL_get_tlsext_status_ocsp_resp(3)
        """

        def stapled(ssl: Any) -> bytes | None:
            response = ffi.new("const unsigned char **")
            length = 0 if lib.SSL_is_server(ssl) else lib.SSL_get_tlsext_status_ocsp_resp(ssl, response)
            return bytes(ffi.buffer(response[0], length)) if length > 0 else None

        return self._ask(stapled)

    @property
    def ocsp_responses(self) -> tuple[bytes, ...]:
        """On a client, the OCSP responses that the server stapled, in DER, in the order of its certificates.

        The first one is ``ocsp_response``, about the server's own certificate.  It is ``b""`` for a certificate that
        has none.  Before OpenSSL 3.6, and in TLS 1.2, there is one at most.  SSL_get0_tlsext_status_ocsp_resp_ex(3)
        """

        def stapled(ssl: Any) -> tuple[bytes, ...]:
            found: list[bytes] = []
            out = ffi.new("unsigned char **")
            if lib.SSL_is_server(ssl):
                return ()
            while (length := lib.pyossl_ocsp_response_at(ssl, len(found), out)) >= 0:
                found.append(bytes(ffi.buffer(own(out[0], lib.OPENSSL_free), length)) if length else b"")
                out[0] = ffi.NULL
            if length < -1:
                take_records()
                raise MemoryError("there is no memory for an OCSP response")
            return tuple(found)

        return self._ask(stapled)

    @property
    def ocsp_status(self) -> OCSPSingleResponse | None:
        """On a client whose context has ``verify_ocsp``, what the server's OCSP response says about its certificate.

        It was checked in the handshake, so its status is ``OCSPStatus.GOOD``.  None if the server sent none, and after
        the resumption of a session.  OCSP_basic_verify(3)
        """
        return self._ask(lambda ssl: self._ocsp_status)

    @property
    def scts(self) -> tuple[SCT, ...]:
        """On a client, the signed certificate timestamps of the server's certificate, from each ``SCTSource``.

        Those of the certificate itself are always here.  Servers send others if the context has ``verify_scts``, which
        also checks all of them.  Empty if OpenSSL was built without certificate transparency.  Raises ``DecodeError``
        if they are malformed.  SSL_get0_peer_scts(3)
        """
        return self._ask(lambda ssl: () if lib.SSL_is_server(ssl) else scts_of(ssl))

    @property
    def verified_name(self) -> str | None:
        """The name in the peer's certificate that matched; None if no name was compared.  SSL_get0_peername(3)"""
        return self._ask(lambda ssl: text(lib.SSL_get0_peername(ssl))) or None

    @property
    def verify_code(self) -> int:
        """The result of verification, an ``X509_V_x`` code; 0 is ``X509_V_OK``.  SSL_get_verify_result(3)"""
        return self._ask_number(lib.PYOSSL_VERIFY_RESULT)

    def _finished(self, function: Callable[..., int]) -> bytes | None:
        out = ffi.new("char[]", lib.EVP_MAX_MD_SIZE)
        length = self._ask(lambda ssl: function(ssl, out, len(out)))
        return bytes(ffi.buffer(out, length)) if length else None

    @property
    def finished(self) -> bytes | None:
        """The Finished message that this side sent; None before it is sent.  SSL_get_finished(3)"""
        return self._finished(lib.SSL_get_finished)

    @property
    def peer_finished(self) -> bytes | None:
        """The Finished message that the peer sent; None before it arrives.  SSL_get_peer_finished(3)"""
        return self._finished(lib.SSL_get_peer_finished)

    @property
    def tls_unique(self) -> bytes | None:
        """The channel binding of RFC 5929: the first Finished message of the handshake.

        None before the handshake is finished, and in TLS 1.3, which has no such binding.  SSL_get_finished(3)
        """

        def binding() -> bytes | None:
            if not self.is_handshake_finished or self.version == "TLSv1.3":
                return None
            is_ours_first = self.session_reused == self._context.is_server
            return self.finished if is_ours_first else self.peer_finished

        return self._in_turn(binding)


def _ciphers_in(stack: Any) -> Iterator[tuple[int, str, str, int]]:
    """Number, name, version and bits of each cipher of a ``STACK_OF(SSL_CIPHER) *``; none if it is NULL."""
    for n in range(0 if stack == ffi.NULL else lib.sk_SSL_CIPHER_num(stack)):
        cipher = lib.sk_SSL_CIPHER_value(stack, n)
        name, protocol = text(lib.SSL_CIPHER_get_name(cipher)), text(lib.SSL_CIPHER_get_version(cipher))
        yield lib.SSL_CIPHER_get_id(cipher), name, protocol, lib.SSL_CIPHER_get_bits(cipher, ffi.NULL)


class NegotiatedSummary(Uncopied):
    """The properties of a socket or stream that are those of its ``connection``."""

    connection: Negotiated

    @property
    def context(self) -> Context:
        """The context of the connection: the one it was made from, or that a server name callback chose."""
        return self.connection.context

    @property
    def version(self) -> str | None:
        """The protocol version in use, for example ``TLSv1.3``; None before it is negotiated.  SSL_get_version(3)"""
        return self.connection.version

    @property
    def cipher(self) -> str | None:
        """The name of the cipher, for example ``TLS_AES_256_GCM_SHA384``; None before it is negotiated.

        SSL_get_current_cipher(3)
        """
        return self.connection.cipher

    @property
    def group(self) -> str | None:
        """The group of the key exchange, for example ``x25519``.

        None if no group was used, and on a server with OpenSSL 1.1.1.  SSL_get0_group_name(3)
        """
        return self.connection.group

    @property
    def alpn(self) -> str | None:
        """The application protocol that was selected (ALPN); None for none.  SSL_get0_alpn_selected(3)"""
        return self.connection.alpn
