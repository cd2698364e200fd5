"""What a connection negotiated with its peer: version, cipher, group, ALPN, session, certificates.

Each property takes the connection's lock for its call of OpenSSL, because another thread may use the same SSL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pyossl.core import ffi, lib, own, text
from pyossl.core.copying import Uncopied
from pyossl.core.errors import UnsupportedError, UsageError, require
from pyossl.core.lock import ask, inherited
from pyossl.core.outcome import take_records
from pyossl.tls.authentication.certificate_transparency import SCT, scts_of
from pyossl.tls.authentication.dane import DANEMatch, match_of
from pyossl.tls.authentication.raw_public_keys import CertificateType, certificate_type_of
from pyossl.tls.connection.session import Session, session_of
from pyossl.tls.context.context import Context
from pyossl.tls.ech.ech import ECH, ECHOutcome, outcome_of
from pyossl.tls.settings.record_settings import fragment_length_of
from pyossl.x509.certificate import Certificate, chain_of, of_library
from pyossl.x509.keys import PublicKey
from pyossl.x509.names import Name, names_in
from pyossl.x509.ocsp_response import OCSPSingleResponse

_T = TypeVar("_T")

_in_turn, _ask_number = lib.pyossl_in_turn, lib.pyossl_ask
_session, _session_free = lib.pyossl_session, lib.SSL_SESSION_free
_ciphers_free = lib.sk_SSL_CIPHER_free


class Negotiated(Uncopied):
    """The properties of a connection that its handshake determines."""

    _c: Any
    _context: Context
    _name: str
    _other_names: tuple[str, ...]
    _email: str | None
    _indicated: str | None
    _sends_early_data: bool
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

    def _ask_about_peer(self, question: Callable[[Any], _T], nothing: _T) -> _T:
        """As ``_ask``; ``nothing`` while a client has sent a certificate and has not signed with its key yet.

        Certificates are public: anybody can send one (docs/pitfalls.md, 90).
        """
        return self._ask(lambda ssl: nothing if has_not_signed(ssl) else question(ssl))

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

    def _session_of(self, pointer: Any) -> Session:
        return session_of(pointer, self._context, self._name or None, self._other_names, self._email)

    def _found(self, session: object, wanted: bytes) -> Any:
        """The ``SSL_SESSION *`` of what a get session callback has returned for the id ``wanted``."""
        if not isinstance(session, Session):
            raise TypeError(f"a get session callback returns a Session or None, not {session!r:.80}")
        if session.context is not self._context:
            raise ValueError("the get session callback returned a session of another context")
        if session.id != wanted:
            raise ValueError("the get session callback returned a session with another id")
        return session._session

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
            ours = {number for number, *_ in ciphers_in(own(lib.pyossl_connection_ciphers(self._c), _ciphers_free))}
            theirs = ciphers_in(lib.SSL_get_client_ciphers(ssl))
            return tuple((name, protocol, bits) for number, name, protocol, bits in theirs if number in ours)

        return self._ask(shared)

    @property
    def group(self) -> str | None:
        """The group of the key exchange, for example ``x25519``.

        None if no group was used, and in TLS 1.2 on a server with OpenSSL 1.1.1.  SSL_get0_group_name(3)
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
    def max_fragment_length(self) -> int | None:
        """The length that a record has at most, in bytes, if the client asked for a limit and the server agreed.

        512, 1024, 2048 or 4096; None if there is no such limit.  SSL_SESSION_get_max_fragment_length(3)
        """
        return self._ask(lambda ssl: fragment_length_of(lib.SSL_get_session(ssl)))

    @property
    def uses_ktls_for_send(self) -> bool:
        """Whether the kernel encrypts what is sent (kernel TLS).

        ``Options.ENABLE_KTLS`` allows it.  OpenSSL starts it in the handshake, if the kernel has the module ``tls`` and
        knows the cipher, and only over its own socket BIO, that of BIO_new_socket(3): pyossl's sockets and BIOs
        never use it.  OpenSSL 3.0 or newer; False before.  BIO_get_ktls_send(3)
        """
        return self._ask(lambda ssl: bool(lib.HAVE_KTLS and lib.BIO_get_ktls_send(lib.SSL_get_wbio(ssl))))

    @property
    def uses_ktls_for_recv(self) -> bool:
        """Whether the kernel decrypts what is received: see ``uses_ktls_for_send``.  BIO_get_ktls_recv(3)"""
        return self._ask(lambda ssl: bool(lib.HAVE_KTLS and lib.BIO_get_ktls_recv(lib.SSL_get_rbio(ssl))))

    @property
    def ech(self) -> ECHOutcome:
        """What became of Encrypted Client Hello, with the true server name and the one that was sent in the clear.

        On a server too; then ``server_hostname`` is the true name.  OpenSSL 4.0 or newer.  SSL_ech_get1_status(3)
        """
        outcome = self._ask(lambda ssl: outcome_of(ssl) if lib.HAVE_ECH else None)
        if outcome is None:  # a closed connection says first that it is closed
            raise UnsupportedError(ECH)
        return outcome

    @property
    def dane_match(self) -> DANEMatch | None:
        """On a client with ``dane``, the TLSA record that matched, the place in the chain, and the certificate.

        None without TLSA records, before the server is verified, and if a session was resumed: then the server was
        verified by the same records when the session was new.  SSL_get0_dane_authority(3)
        """
        return self._ask(lambda ssl: match_of(ssl, self._context._library_context))

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
        """The peer's certificate; None if it sent none, and until a client has proved that it has the key.

        SSL_get1_peer_certificate(3)
        """

        def shown(ssl: Any) -> Certificate | None:
            pointer = lib.SSL_get1_peer_certificate(ssl)
            if pointer == ffi.NULL:
                return None
            # OpenSSL 3.0 decodes a ticket, with the certificate in it, in the default library context.
            library_context = None if lib.SSL_session_reused(ssl) else self._context._library_context
            return of_library(Certificate(own(pointer, lib.X509_free)), library_context)

        return self._ask_about_peer(shown, None)

    @property
    def peer_public_key(self) -> PublicKey | None:
        """The peer's public key, which it has shown without a certificate or in its certificate; None for none.

        SSL_get0_peer_rpk(3), X509_get0_pubkey(3)
        """

        def shown(ssl: Any) -> PublicKey | None:
            pointer = lib.SSL_get0_peer_rpk(ssl) if lib.HAVE_RAW_PUBLIC_KEYS else ffi.NULL
            return None if pointer == ffi.NULL else PublicKey.borrowed(pointer)

        if (raw := self._ask_about_peer(shown, None)) is not None:
            return raw
        return None if (certificate := self.peer_certificate) is None else certificate.public_key

    @property
    def server_certificate_type(self) -> CertificateType:
        """What the server shows to prove who it is: a certificate or a raw public key.

        It is ``X509`` until a handshake has negotiated something else.  OpenSSL 3.2 or newer; with older ones it raises
        ``UnsupportedError``.  SSL_get_negotiated_server_cert_type(3)
        """
        return self._certificate_type(of_server=True)

    @property
    def client_certificate_type(self) -> CertificateType:
        """What the client shows, if the server asks for it: see ``server_certificate_type``.

        SSL_get_negotiated_client_cert_type(3)
        """
        return self._certificate_type(of_server=False)

    def _certificate_type(self, *, of_server: bool) -> CertificateType:
        kind = self._ask(lambda ssl: certificate_type_of(ssl, of_server=of_server))
        require(lib.HAVE_RAW_PUBLIC_KEYS, "raw public keys")  # a closed connection says first that it is closed
        return kind

    @property
    def peer_chain(self) -> tuple[Certificate, ...]:
        """The certificates that the peer sent, its own first.  On a server without the client's own certificate.

        SSL_get_peer_cert_chain(3)
        """
        return self._ask_about_peer(
            lambda ssl: chain_of(lib.SSL_get_peer_cert_chain(ssl), self._context._library_context), ()
        )

    @property
    def verified_chain(self) -> tuple[Certificate, ...]:
        """The chain that OpenSSL built and verified: the peer's own certificate first, the trusted one last.

        SSL_get0_verified_chain(3)
        """
        return self._ask_about_peer(
            lambda ssl: chain_of(lib.SSL_get0_verified_chain(ssl), self._context._library_context), ()
        )

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
    def early_data_accepted(self) -> bool | None:
        """Whether the server has accepted the client's early data; None if none was sent.

        On a client False means that the server has not seen the early data, also because the session could not be
        offered any more: the program sends it again, if it wants to, after the handshake.  Before that is finished, a
        client with early data raises ``UsageError``, because the answer is not known.  A server knows it after the
        first ``read_early_data``.  SSL_get_early_data_status(3)
        """

        def accepted(ssl: Any) -> bool | None:
            if self._sends_early_data and not lib.SSL_is_init_finished(ssl):
                raise UsageError("the handshake is not finished: the server has not said whether it takes early data")
            status = lib.SSL_get_early_data_status(ssl)
            if status == lib.SSL_EARLY_DATA_NOT_SENT and not self._sends_early_data:
                return None
            return bool(status == lib.SSL_EARLY_DATA_ACCEPTED)

        return self._ask(accepted)

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

    # Randoms and secrets

    def _copied(self, function: Callable[..., int], of_session: bool = False) -> bytes | None:
        """What ``function(pointer, out, size)`` copies from the SSL or its session; None before there is a session."""

        def copied(ssl: Any) -> bytes | None:
            session = lib.SSL_get_session(ssl)
            if session == ffi.NULL:
                return None
            source = session if of_session else ssl
            length = function(source, ffi.NULL, 0)
            out = ffi.new("unsigned char[]", length)
            return bytes(ffi.buffer(out, function(source, out, length)))

        return self._ask(copied)

    @property
    def client_random(self) -> bytes | None:
        """The random bytes of the ClientHello; None before the handshake.  SSL_get_client_random(3)"""
        return self._copied(lib.SSL_get_client_random)

    @property
    def server_random(self) -> bytes | None:
        """The random bytes of the ServerHello; None before the handshake.  SSL_get_server_random(3)"""
        return self._copied(lib.SSL_get_server_random)

    @property
    def master_secret(self) -> bytes | None:
        """The secret of the session, for tools that decrypt; None before the handshake.  Keep it as a private key.

        In TLS 1.2, anyone who has it can decrypt this connection and every other one that resumes the session.  In TLS
        1.3 it is the secret for resumption, and ``Context.keylog_callback`` has the secrets that decrypt.
        SSL_SESSION_get_master_key(3)
        """
        return self._copied(lib.SSL_SESSION_get_master_key, of_session=True)


def ciphers_in(stack: Any) -> Iterator[tuple[int, str, str, int]]:
    """Number, name, version and bits of each cipher of a ``STACK_OF(SSL_CIPHER) *``; none if it is NULL."""
    for n in range(0 if stack == ffi.NULL else lib.sk_SSL_CIPHER_num(stack)):
        cipher = lib.sk_SSL_CIPHER_value(stack, n)
        name, protocol = text(lib.SSL_CIPHER_get_name(cipher)), text(lib.SSL_CIPHER_get_version(cipher))
        yield lib.SSL_CIPHER_get_id(cipher), name, protocol, lib.SSL_CIPHER_get_bits(cipher, ffi.NULL)


def has_not_signed(ssl: Any) -> bool:
    """Whether a client's last message shows its certificate, or continues the proof that it has the key.

    SSL_get_state(3)
    """
    state = lib.SSL_get_state(ssl)
    if lib.HAVE_API_3_2 and state == lib.TLS_ST_SR_COMP_CERT:  # a compressed certificate
        return True
    return state in (lib.TLS_ST_SR_CERT, lib.TLS_ST_SR_KEY_EXCH, lib.TLS_ST_SR_CERT_VRFY)
