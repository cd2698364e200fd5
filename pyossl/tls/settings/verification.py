"""How a context verifies the peer's certificate: depth, flags, time, purpose, callback.  SSL_CTX_set_verify(3)"""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from pyossl.core import ffi, lib
from pyossl.core.arguments import LARGEST_INT, flag, function, instance, integer, iterated
from pyossl.core.errors import UsageError, check
from pyossl.core.flags import VerifyFlags
from pyossl.tls.callbacks.callbacks import VerifyCallback
from pyossl.tls.settings.ciphers_and_groups import AlgorithmSettings
from pyossl.x509.certificate import Certificate
from pyossl.x509.names import Name, names_in, stack_of_names
from pyossl.x509.trust_store import Store, purpose_number, seconds_of


class VerificationSettings(AlgorithmSettings):
    """How the connections of a context verify the peer's certificate."""

    __slots__ = ()

    def _set_verification(self, mode: int) -> None:
        lib.SSL_CTX_set_verify(self._ctx, mode, ffi.NULL)

    def _set_trust(self, store: Store) -> None:
        self._trust = store
        lib.SSL_CTX_set1_cert_store(self._ctx, store._store)

    @property
    def verifies(self) -> bool:
        """Whether a handshake fails if the peer shows a certificate that does not verify.

        True also for a server with ``verify="optional"``, which accepts clients without a certificate too.
        SSL_CTX_get_verify_mode(3)
        """
        mode = lib.SSL_CTX_get_verify_mode(self._ctx)
        # A TLS 1.3 server that asks for a certificate after the handshake does not ask for one in the handshake.
        return bool(mode & lib.SSL_VERIFY_PEER and not (self.is_server and mode & lib.SSL_VERIFY_POST_HANDSHAKE))

    @property
    def checks_hostname(self) -> bool:
        """Whether a client compares the server's name with its certificate.  False if it does not verify.

        SSL_set1_dnsname(3)
        """
        return self._wants_hostname and self.verifies

    @property
    def verify_depth(self) -> int:
        """The largest number of certificates between the peer's and the trusted one; -1 for OpenSSL's limit of 100.

        SSL_CTX_set_verify_depth(3)
        """
        return lib.SSL_CTX_get_verify_depth(self._ctx)

    @verify_depth.setter
    def verify_depth(self, depth: int) -> None:
        self._change()
        lib.SSL_CTX_set_verify_depth(self._ctx, integer(depth, "a verification depth", -1, LARGEST_INT))

    @property
    def verify_flags(self) -> VerifyFlags:
        """The flags of verification, a combination of ``VerifyFlags``.  Setting them replaces all of them.

        ``USE_CHECK_TIME`` stays set after ``set_verify_time``.  X509_VERIFY_PARAM_set_flags(3)
        """
        return VerifyFlags(lib.X509_VERIFY_PARAM_get_flags(lib.SSL_CTX_get0_param(self._ctx)))

    @verify_flags.setter
    def verify_flags(self, flags: VerifyFlags) -> None:
        self._change()
        integer(flags, "verify flags", 0, LARGEST_INT)
        parameters = lib.SSL_CTX_get0_param(self._ctx)
        if self._verify_time is not None:
            flags |= VerifyFlags.USE_CHECK_TIME  # without this flag OpenSSL ignores the time
        check(lib.X509_VERIFY_PARAM_clear_flags(parameters, self.verify_flags & ~flags), "clearing verify flags")
        check(lib.X509_VERIFY_PARAM_set_flags(parameters, flags), "setting verify flags")

    def set_verify_time(self, moment: datetime.datetime) -> None:
        """Verifies as if the current time were ``moment``, an aware datetime.  It overrides the store's time.

        X509_VERIFY_PARAM_set_time(3)
        """
        self._change()
        self._verify_time = seconds_of(moment)
        lib.pyossl_set_verify_time(self._ctx, self._verify_time)

    def set_purpose(self, purpose: str) -> None:
        """Sets the purpose that the peer's certificate must have.

        ``purpose`` is OpenSSL's short name for it, for example ``sslserver``, ``sslclient`` or ``any``.  Raises
        ``ValueError`` for an unknown name.  X509_VERIFY_PARAM_set_purpose(3)
        """
        self._change()
        number = purpose_number(purpose)
        self._purpose = purpose
        check(lib.X509_VERIFY_PARAM_set_purpose(lib.SSL_CTX_get0_param(self._ctx), number), "setting the purpose")

    @property
    def ca_names(self) -> tuple[Name, ...]:
        """The names of authorities that are sent to the peer, which chooses its certificate by them.

        A server sends them to clients, and in TLS 1.3 a client sends them to servers.  They may be set from names or
        certificates.  They do not make an authority trusted.  SSL_CTX_set0_CA_list(3)
        """
        return names_in(lib.SSL_CTX_get0_CA_list(self._ctx))

    @ca_names.setter
    def ca_names(self, authorities: Iterable[Name | Certificate]) -> None:
        self._change()
        names = [
            each.subject_name if isinstance(each, Certificate) else instance(each, Name, "an authority")
            for each in iterated(authorities, "the names of authorities")
        ]
        lib.SSL_CTX_set0_CA_list(self._ctx, stack_of_names(names))

    @property
    def verify_callback(self) -> VerifyCallback | None:
        """Called as ``callback(connection, verification)`` for each certificate of the peer's chain; None for none.

        ``verification`` is a ``Verification`` with OpenSSL's result.  If the callback returns True, the certificate is
        accepted, whatever OpenSSL's result is; if it returns False, the certificate is refused.  Setting it on a
        context that does not verify raises ``UsageError``.  SSL_CTX_set_verify(3)
        """
        return self._callbacks.verify

    @verify_callback.setter
    def verify_callback(self, callback: VerifyCallback | None) -> None:
        self._change()
        function(callback, "a verify callback")
        if callback is not None and not self.verifies:
            raise UsageError("this context does not verify: a verify callback would not be called")
        self._callbacks.verify = callback

    @property
    def post_handshake_auth(self) -> bool:
        """Whether a client tells TLS 1.3 servers that they may ask for its certificate after the handshake.

        False by default.  Setting it on a server's context raises ``UsageError``: ``Context.server(verify="later")``
        makes a server that asks.  SSL_CTX_set_post_handshake_auth(3)
        """
        return self._is_asked_later

    @post_handshake_auth.setter
    def post_handshake_auth(self, on: bool) -> None:
        self._change()
        on = flag(on, "post_handshake_auth")
        if self.is_server:
            raise UsageError('post_handshake_auth is only for clients: use Context.server(verify="later")')
        self._is_asked_later = on
        lib.SSL_CTX_set_post_handshake_auth(self._ctx, on)

    def _refuse_anonymous(self) -> None:
        """Raises ``UsageError`` if a cipher would let in a peer without a certificate, and the peer must show one.

        At security levels above 0 OpenSSL refuses these ciphers, whatever the cipher list is.  With the ciphers of
        pre-shared keys the peer proves that it knows a key.  Those of SRP need callbacks that a context does not have.
        pyossl/_c/tls/authentication/required_peer_certificate.c checks again in the handshake.  docs/pitfalls.md, 33
        """
        if self.security_level == 0 and self._requires_certificate() and (names := self._anonymous_ciphers()):
            raise UsageError(
                f"this context verifies its peers, but these of its ciphers need no certificate: "
                f"{', '.join(names)}; add ':!aNULL' to the cipher list"
            )

    def _requires_certificate(self) -> bool:
        """Whether a handshake fails if the peer shows no certificate: on a client that verifies, and on a server with
        ``verify=True``.
        """
        mode = lib.SSL_CTX_get_verify_mode(self._ctx)
        return self.verifies and (not self.is_server or bool(mode & lib.SSL_VERIFY_FAIL_IF_NO_PEER_CERT))
