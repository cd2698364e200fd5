"""The callback that chooses the certificate of a connection, on a server or a client.  SSL_CTX_set_cert_cb(3)"""

from __future__ import annotations

from typing import Any

from pyossl.core import ffi, lib
from pyossl.core.arguments import function, instance, instances
from pyossl.core.errors import check
from pyossl.core.library_context import LibraryContext
from pyossl.core.outcome import Want, take_records
from pyossl.core.parked_exceptions import callback
from pyossl.tls.callbacks.callbacks import Callbacks, CertificateCallback
from pyossl.tls.callbacks.certificate_demand import CertificateDemand
from pyossl.tls.callbacks.suspension import NO_ANSWER, answer_of
from pyossl.tls.settings.context_state import ContextState
from pyossl.x509.certificate import Certificate, stack_of_certificates
from pyossl.x509.keys import PrivateKey, check_library

_WHAT = "a certificate callback"


class CertificateChoice(ContextState):
    """How the connections of a context choose their own certificate."""

    __slots__ = ()

    @property
    def certificate_callback(self) -> CertificateCallback | None:
        """Called as ``callback(connection, demand)`` when this side needs its certificate; None for none.

        A server is asked in each handshake that is no resumption, a client if the server requests a certificate.
        ``demand`` is a ``CertificateDemand``.  The callback returns

        - ``Credentials``, which replace the certificates of the context for this connection;
        - None, to use the context's own.  A client that has none goes on without a certificate, and a server without
          one ends the handshake;
        - ``Want.X509_LOOKUP``, if it has no answer yet: ``handshake`` returns it, and asks again when it is repeated;
        - with asyncio, trio or anyio an awaitable of one of these, so that it may be an ``async def`` function.

        A certificate and a key that do not belong together fail the handshake with ``Error``, and a key of another
        library context than the context's with ``UsageError``.  Setting it on a context of which a connection has been
        made raises ``UsageError``.  SSL_CTX_set_cert_cb(3)
        """
        return self._callbacks.certificate

    @certificate_callback.setter
    def certificate_callback(self, callback: CertificateCallback | None) -> None:
        self._change()
        self._callbacks.certificate = function(callback, _WHAT)
        lib.pyossl_set_callback(self._ctx, lib.PYOSSL_CERTIFICATE, callback is not None)


@callback(lib.PYOSSL_REFUSED)
def pyossl_on_certificate(handle: Any) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)

    def question(connection: Any) -> int:
        ask = callbacks.of_context.certificate
        if ask is None:
            return int(lib.PYOSSL_ACCEPTED)
        answer = answer_of(
            connection, Want.X509_LOOKUP, lambda: ask(connection, CertificateDemand._of(connection._c.ssl)), _WHAT
        )
        if answer is NO_ANSWER:
            return int(lib.PYOSSL_NO_ANSWER)
        if answer is not None:
            _use(connection._c.ssl, connection._context._library_context, answer)
        return int(lib.PYOSSL_ACCEPTED)

    return int(callbacks.ask(question, lib.PYOSSL_REFUSED))


def _use(ssl: Any, library_context: LibraryContext | None, answer: Any) -> None:
    from pyossl.x509.credentials import Credentials  # with all that makes certificates, which few programs need

    if not isinstance(answer, Credentials):
        raise TypeError(f"{_WHAT} returns Credentials, None or {Want.X509_LOOKUP!r}, not {answer!r:.80}")
    certificate = instance(answer.certificate, Certificate, "the certificate of Credentials")
    key = instance(answer.private_key, PrivateKey, "the private key of Credentials")
    check_library(key, library_context, "the context")
    chain = stack_of_certificates(instances(answer.chain, Certificate, "the chain of Credentials"), library_context)
    x509 = certificate._x509_in(library_context)
    if key._log_in is not None:
        key._log_in()
    take_records()
    check(lib.pyossl_use_own_credentials(ssl, x509, key._key, chain), "SSL_use_cert_and_key")
