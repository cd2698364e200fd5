"""What a connection agreed on with its peer, and what is known of the peer.

Every question is asked under the connection's lock: another thread may be in a call of the same SSL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pyossl._lib import ffi, lib, own, text
from pyossl.bio import INHERITED
from pyossl.context import Context
from pyossl.copying import Uncopied
from pyossl.errors import UsageError
from pyossl.general_names import Name, names_in
from pyossl.outcome import take_records
from pyossl.session import Session, session_of
from pyossl.x509 import Certificate, chain_of

_T = TypeVar("_T")

_enter, _leave = lib.pyossl_enter, lib.pyossl_connection_release
_session, _session_free = lib.pyossl_session, lib.SSL_SESSION_free

_OURS = frozenset(
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
"""What would do I/O that pyossl does not see, or take from a connection what it stands on."""


class Turn:
    """A connection's turn at its SSL, for a ``with`` statement; re-entrant.  See pyossl/_c/lock.c."""

    __slots__ = ("_c",)

    def __init__(self, c: Any) -> None:
        self._c = c

    def __enter__(self) -> None:
        if not lib.pyossl_connection_acquire(self._c):
            raise _inherited()

    def __exit__(self, *_: object) -> None:
        lib.pyossl_connection_release(self._c)


def _inherited() -> UsageError:
    return UsageError(f"the connection cannot be used: {INHERITED}")


class Negotiated(Uncopied):
    """The questions that a ``Connection`` answers."""

    _c: Any
    _context: Context
    _name: str
    _other_names: tuple[str, ...]
    _email: str | None
    _indicated: str | None

    @property
    def _turn(self) -> Turn:
        return Turn(self._c)

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        c = self._c
        ssl = _enter(c)
        if not ssl:
            raise self._refused()
        try:
            return question(ssl)
        finally:
            _leave(c)

    def _refused(self) -> UsageError:
        """Why there is no SSL to be had."""
        inherited = lib.pyossl_lock_is_inherited(self._c.lock)
        return _inherited() if inherited else UsageError("the connection is closed")

    def call(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """``function(ssl, *arguments)``, a function of ``lib`` that there is no method for: what it returned.

        It is called under the connection's lock and with an empty error queue, which it leaves as it is.  ``ssl``, and
        what OpenSSL lends of it, is not to be kept: a function of one's own copies what it wants.  What reads, writes,
        shakes hands, frees or exchanges parts that pyossl counts on is refused with ``UsageError``, as is any call of
        a closed connection, or one that a parent process made.  SSL_get_ex_data(3)
        """
        if getattr(function, "__name__", "") in _OURS:
            raise UsageError(f"{function.__name__} would go on behind the connection's back: it has methods for that")

        def ask(ssl: Any) -> _T:
            take_records()
            return function(ssl, *arguments)

        result: _T = self._ask(ask)
        return result

    def _session_of(self, pointer: Any) -> Session:
        return session_of(pointer, self._context, self._name or None, self._other_names, self._email)

    @property
    def context(self) -> Context:
        """The context that the connection was made from."""
        return self._context

    @property
    def is_handshake_finished(self) -> bool:
        """SSL_is_init_finished(3)"""
        return bool(self._ask(lib.SSL_is_init_finished))

    @property
    def state(self) -> str:
        """Where the handshake is, in OpenSSL's words.  SSL_state_string_long(3)"""
        return text(self._ask(lib.SSL_state_string_long))

    @property
    def version(self) -> str | None:
        """The protocol, such as ``TLSv1.3``; None before it is agreed.  SSL_get_version(3)"""
        with self._turn:
            agreed = self._ask(lib.SSL_get_current_cipher) != ffi.NULL
            return text(lib.SSL_get_version(self._c.ssl)) if agreed else None

    @property
    def cipher(self) -> str | None:
        """The cipher's name, such as ``TLS_AES_256_GCM_SHA384``; None before that.  SSL_get_current_cipher(3)"""
        with self._turn:
            cipher = self._ask(lib.SSL_get_current_cipher)
            return None if cipher == ffi.NULL else text(lib.SSL_CIPHER_get_name(cipher))

    @property
    def cipher_bits(self) -> int | None:
        """The strength of the cipher's key in bits; None before it is agreed.  SSL_CIPHER_get_bits(3)"""
        with self._turn:
            cipher = self._ask(lib.SSL_get_current_cipher)
            return None if cipher == ffi.NULL else int(lib.SSL_CIPHER_get_bits(cipher, ffi.NULL))

    @property
    def cipher_version(self) -> str | None:
        """The protocol that defined the cipher, such as ``TLSv1.2``; None before that.  SSL_CIPHER_get_version(3)"""
        with self._turn:
            cipher = self._ask(lib.SSL_get_current_cipher)
            return None if cipher == ffi.NULL else text(lib.SSL_CIPHER_get_version(cipher))

    @property
    def shared_ciphers(self) -> tuple[tuple[str, str, int], ...]:
        """On a server the ciphers that both sides have, each with the protocol that defined it and its bits, in the
        client's order; on a client, and before the ClientHello, none.  SSL_get_client_ciphers(3)
        """
        with self._turn:
            ours = {number for number, *_ in _ciphers_in(self._ask(lib.SSL_get_ciphers))}
            theirs = _ciphers_in(self._ask(lib.SSL_get_client_ciphers))
            return tuple((name, protocol, bits) for number, name, protocol, bits in theirs if number in ours)

    @property
    def group(self) -> str | None:
        """The key exchange's group, such as ``x25519``; None where there was none, or on a 1.1.1 server.

        SSL_get0_group_name(3)
        """
        with self._turn:
            if self._ask(lib.SSL_get_current_cipher) == ffi.NULL:
                return None  # before there is a session OpenSSL follows a NULL pointer
            return text(lib.SSL_get0_group_name(self._c.ssl)) or None

    @property
    def alpn(self) -> str | None:
        """The application protocol agreed on, None if there was none.  SSL_get0_alpn_selected(3)"""
        with self._turn:
            protocol, length = ffi.new("unsigned char **"), ffi.new("unsigned int *")
            self._ask(lambda ssl: lib.SSL_get0_alpn_selected(ssl, protocol, length))
            return bytes(ffi.buffer(protocol[0], length[0])).decode("latin-1") if length[0] else None

    @property
    def server_hostname(self) -> str | None:
        """Whom the client means: for a client what it was given, for a server the SNI.  SSL_get_servername(3)"""
        if not self._context.is_server:
            return self._name or None
        # While a server name callback is asked, OpenSSL has not read the name yet.
        name = text(self._ask(lambda ssl: lib.SSL_get_servername(ssl, lib.TLSEXT_NAMETYPE_host_name)))
        return name or self._indicated or None

    @property
    def session(self) -> Session | None:
        """The session, None while there is none.  In TLS 1.3 it can be resumed once the server has sent a ticket, after
        the handshake: the context's ``new_session_callback`` tells when.  SSL_get1_session(3)
        """
        pointer = _session(self._c)
        if not pointer:
            self._ask(bool)  # raises where the connection cannot be asked
            return None
        owned = own(pointer, _session_free)
        return Session(owned, self._context, self._name or None, self._other_names, self._email)

    @property
    def session_reused(self) -> bool:
        """Whether the handshake resumed a session.  SSL_session_reused(3)"""
        return bool(self._ask(lib.SSL_session_reused))

    @property
    def peer_certificate(self) -> Certificate | None:
        """The peer's certificate, None if it showed none.  SSL_get1_peer_certificate(3)"""
        pointer = self._ask(lib.SSL_get1_peer_certificate)
        return None if pointer == ffi.NULL else Certificate(own(pointer, lib.X509_free))

    @property
    def peer_chain(self) -> tuple[Certificate, ...]:
        """The certificates that the peer sent, its own first (a server's view leaves it out).

        SSL_get_peer_cert_chain(3)
        """
        with self._turn:
            return chain_of(self._ask(lib.SSL_get_peer_cert_chain))

    @property
    def verified_chain(self) -> tuple[Certificate, ...]:
        """The chain that was built and verified, the peer's own certificate first, the trusted one last.

        SSL_get0_verified_chain(3)
        """
        with self._turn:
            return chain_of(self._ask(lib.SSL_get0_verified_chain))

    @property
    def peer_ca_names(self) -> tuple[Name, ...]:
        """The names of the authorities by which the peer asks to choose a certificate; empty where it named none.

        SSL_get0_peer_CA_list(3)
        """
        with self._turn:
            return names_in(self._ask(lib.SSL_get0_peer_CA_list))

    @property
    def verified_name(self) -> str | None:
        """The name in the peer's certificate that matched, None where no name was compared.  SSL_get0_peername(3)"""
        return text(self._ask(lib.SSL_get0_peername)) or None

    @property
    def verify_code(self) -> int:
        """What verification came to, an X509_V_x; 0 is X509_V_OK.  SSL_get_verify_result(3)"""
        return int(self._ask(lib.SSL_get_verify_result))

    def _finished(self, function: Callable[..., int]) -> bytes | None:
        with self._turn:
            out = ffi.new("char[]", lib.EVP_MAX_MD_SIZE)
            length = self._ask(lambda ssl: function(ssl, out, len(out)))
            return bytes(ffi.buffer(out, length)) if length else None

    @property
    def finished(self) -> bytes | None:
        """The Finished message that was sent, None before.  SSL_get_finished(3)"""
        return self._finished(lib.SSL_get_finished)

    @property
    def peer_finished(self) -> bytes | None:
        """The Finished message that the peer sent, None before.  SSL_get_peer_finished(3)"""
        return self._finished(lib.SSL_get_peer_finished)

    @property
    def tls_unique(self) -> bytes | None:
        """RFC 5929's channel binding: the first Finished message of the handshake.  None before it, and in TLS 1.3,
        which has no such binding.  SSL_get_finished(3)
        """
        with self._turn:
            if not self.is_handshake_finished or self.version == "TLSv1.3":
                return None
            is_ours_first = self.session_reused == self._context.is_server
            return self.finished if is_ours_first else self.peer_finished


def _ciphers_in(stack: Any) -> Iterator[tuple[int, str, str, int]]:
    """Number, name, protocol and bits of each cipher of a ``STACK_OF(SSL_CIPHER) *``; none where it is NULL."""
    for n in range(0 if stack == ffi.NULL else lib.sk_SSL_CIPHER_num(stack)):
        cipher = lib.sk_SSL_CIPHER_value(stack, n)
        name, protocol = text(lib.SSL_CIPHER_get_name(cipher)), text(lib.SSL_CIPHER_get_version(cipher))
        yield lib.SSL_CIPHER_get_id(cipher), name, protocol, lib.SSL_CIPHER_get_bits(cipher, ffi.NULL)


class Agreed(Uncopied):
    """What was agreed on, asked of the stream over a connection."""

    connection: Negotiated

    @property
    def context(self) -> Context:
        return self.connection.context

    @property
    def version(self) -> str | None:
        """As ``Connection.version``.  SSL_get_version(3)"""
        return self.connection.version

    @property
    def cipher(self) -> str | None:
        """As ``Connection.cipher``.  SSL_get_current_cipher(3)"""
        return self.connection.cipher

    @property
    def group(self) -> str | None:
        """As ``Connection.group``.  SSL_get0_group_name(3)"""
        return self.connection.group

    @property
    def alpn(self) -> str | None:
        """As ``Connection.alpn``.  SSL_get0_alpn_selected(3)"""
        return self.connection.alpn
