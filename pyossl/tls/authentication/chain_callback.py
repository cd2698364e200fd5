"""The callback that sees the peer's chain after OpenSSL has verified it.  SSL_CTX_set_cert_verify_callback(3)"""

from __future__ import annotations

from typing import Any

from pyossl.core import ffi, lib
from pyossl.core.arguments import function
from pyossl.core.errors import UsageError, require
from pyossl.core.outcome import Want
from pyossl.core.parked_exceptions import callback
from pyossl.tls.callbacks.callbacks import Callbacks, ChainCallback
from pyossl.tls.callbacks.suspension import NO_ANSWER, answer_of
from pyossl.tls.settings.verification import VerificationSettings
from pyossl.x509.certificate import chain_of

_WHAT = "a chain callback"


class ChainSettings(VerificationSettings):
    """What a context asks the program about a chain that is verified."""

    __slots__ = ()

    @property
    def chain_callback(self) -> ChainCallback | None:
        """Called as ``callback(connection, chain)`` when OpenSSL has accepted the peer's chain; None for none.

        ``chain`` is a tuple of ``Certificate``: the peer's own first, a trusted one last.  The callback can only refuse
        more than OpenSSL does.  It returns

        - True to accept the peer, or False to refuse it: the handshake fails with ``CertificateError``;
        - on a client ``Want.RETRY_VERIFY``, if it has no answer yet: ``handshake`` returns it.  When ``handshake`` is
          repeated, OpenSSL verifies the chain again and calls ``verify_callback`` and this one again;
        - on a client with asyncio, trio or anyio an awaitable of True or False, so that it may be an ``async def``
          function.

        It is not called when a session is resumed.  Setting it on a context that does not verify raises ``UsageError``.
        An OpenSSL before 3.0 has no retry: an answer without True or False raises ``UnsupportedError`` there, and on a
        server ``UsageError``, both from the handshake.
        SSL_CTX_set_cert_verify_callback(3), SSL_set_retry_verify(3)
        """
        return self._callbacks.chain

    @chain_callback.setter
    def chain_callback(self, callback: ChainCallback | None) -> None:
        self._change()
        function(callback, _WHAT)
        if callback is not None and not self.verifies:
            raise UsageError("this context does not verify: a chain callback would not be called")
        self._callbacks.chain = callback
        if callback is not None:  # it stays on: verify_scts may need it too
            lib.pyossl_set_callback(self._ctx, lib.PYOSSL_CHAIN, True)


@callback(lib.PYOSSL_REFUSED)
def pyossl_on_chain(handle: Any, store_context: Any) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)

    def question(connection: Any) -> int:
        ask = callbacks.of_context.chain
        if ask is None:
            return int(lib.PYOSSL_ACCEPTED)
        chain = chain_of(lib.X509_STORE_CTX_get0_chain(store_context), connection._context._library_context)
        answer = answer_of(connection, Want.RETRY_VERIFY, lambda: ask(connection, chain), _WHAT)
        if answer is NO_ANSWER:
            _check_retry(connection)
            return int(lib.PYOSSL_NO_ANSWER)
        if not isinstance(answer, bool):
            raise TypeError(f"{_WHAT} returns True, False or {Want.RETRY_VERIFY!r}, not {answer!r}")
        return int(lib.PYOSSL_ACCEPTED if answer else lib.PYOSSL_REFUSED)

    return int(callbacks.ask(question, lib.PYOSSL_REFUSED))


def _check_retry(connection: Any) -> None:
    """Raises an exception if OpenSSL cannot stop here: it would accept the peer.  docs/pitfalls.md, 80"""
    is_server = lib.SSL_is_server(connection._c.ssl)
    if lib.HAVE_RETRY_VERIFY and not is_server:
        return
    suspension, connection._suspension = connection._suspension, None
    if suspension is not None:
        suspension.drop()
    if is_server:
        raise UsageError("a server's chain callback returns True or False: OpenSSL cannot verify a client later")
    require(lib.HAVE_RETRY_VERIFY, "a chain callback that answers later")
