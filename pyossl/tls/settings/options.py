"""The options and modes of a context, and its limit for the peer's certificates.  SSL_CTX_set_options(3)"""

from __future__ import annotations

from pyossl.core import lib
from pyossl.core.arguments import LARGEST_INT, flag, integer
from pyossl.core.errors import require
from pyossl.core.flags import Modes, Options
from pyossl.tls.settings.context_state import ContextState

_ALL_OPTIONS = 2**64 - 1 if lib.HAVE_OPTIONS_UINT64 else 2**32 - 1
_CLIENT_RENEGOTIATION = lib.SSL_OP_ALLOW_CLIENT_RENEGOTIATION if lib.HAVE_API_3_0 else 0
"""OpenSSL 1.1.1 has no such option: a server lets its clients renegotiate."""
_MOST_RENEGOTIATIONS = 1000

NEEDED_MODES = Modes.ENABLE_PARTIAL_WRITE | Modes.ACCEPT_MOVING_WRITE_BUFFER | Modes.AUTO_RETRY
"""The modes that a ``Connection`` relies on."""
DEFAULT_MODES = NEEDED_MODES | Modes.RELEASE_BUFFERS
"""RELEASE_BUFFERS frees a buffer of 34 KB while a connection is idle, as most connections are."""


def refuse_jobs(modes: int) -> None:
    """Raises ``ValueError`` if ``modes`` have ``Modes.ASYNC``, for contexts whose connections cannot work with it.

    Programs over their APIs know no paused handshake.  SSL_CTX_set_mode(3)
    """
    if modes & Modes.ASYNC:
        raise ValueError("Modes.ASYNC is only for the contexts of Context.client() and Context.server()")


class OptionSettings(ContextState):
    """The options and modes of a context, and its limit for the peer's certificates."""

    __slots__ = ()

    @property
    def options(self) -> Options:
        """The options of the protocol, a combination of ``Options``.  Setting them replaces all of them.

        SSL_CTX_set_options(3)
        """
        return Options(lib.SSL_CTX_get_options(self._ctx))

    @options.setter
    def options(self, options: Options) -> None:
        self._change()
        integer(options, "options", 0, _ALL_OPTIONS)
        lib.SSL_CTX_clear_options(self._ctx, lib.SSL_CTX_get_options(self._ctx) & ~options)
        lib.SSL_CTX_set_options(self._ctx, options)

    def allow_renegotiation(self, most: int = 1, *, by_peer: bool = False) -> None:
        """Allows each connection to renegotiate, in TLS 1.2 and older.  Without this call, no connection does.

        - ``most``: how often, 1 to 1000.  After that, the connection refuses another handshake.
        - ``by_peer``: True if the peer may begin one too.  False: only this side, with ``Connection.renegotiate``.

        A handshake costs a server much more than its client, and it changes the results of the negotiation in the
        middle of a connection: the peer may show another certificate.  TLS 1.3 has no renegotiation.
        SSL_renegotiate(3), SSL_CTX_set_options(3)
        """
        self._change()
        most, by_peer = integer(most, "most", 1, _MOST_RENEGOTIATIONS), flag(by_peer, "by_peer")
        self._renegotiation = most, by_peer
        if by_peer:
            lib.SSL_CTX_clear_options(self._ctx, lib.SSL_OP_NO_RENEGOTIATION)
            lib.SSL_CTX_set_options(self._ctx, _CLIENT_RENEGOTIATION)
        else:
            lib.SSL_CTX_set_options(self._ctx, lib.SSL_OP_NO_RENEGOTIATION)

    @property
    def modes(self) -> Modes:
        """The modes of OpenSSL's calls, a combination of ``Modes``.  Setting them replaces all of them.

        With ``ASYNC``, each connection makes its first handshake in an asynchronous job.  An engine or provider that
        waits for a device or for the network can pause the job, and ``Connection.handshake`` returns ``Want.ASYNC``
        meanwhile.  Only the thread that began a handshake can then go on with it.  OpenSSL would make reads and writes
        in jobs too; pyossl does not, so nothing pauses these.

        Raises ``ValueError`` if a mode is missing that a ``Connection`` relies on: ``ENABLE_PARTIAL_WRITE``,
        ``ACCEPT_MOVING_WRITE_BUFFER``, ``AUTO_RETRY``.  Raises ``UnsupportedError`` for ``ASYNC`` if this OpenSSL has
        no jobs.  SSL_CTX_set_mode(3), ASYNC_start_job(3)
        """
        return Modes(lib.SSL_CTX_get_mode(self._ctx))

    @modes.setter
    def modes(self, modes: Modes) -> None:
        self._change()
        if integer(modes, "modes", 0, LARGEST_INT) & Modes.ASYNC:
            require(lib.pyossl_has_async_jobs(), "asynchronous jobs")
        if missing := NEEDED_MODES & ~modes:
            raise ValueError(f"a Connection relies on {missing!r}")
        lib.SSL_CTX_clear_mode(self._ctx, lib.SSL_CTX_get_mode(self._ctx) & ~modes)
        lib.SSL_CTX_set_mode(self._ctx, modes)

    @property
    def max_certificate_list(self) -> int:
        """The largest size, in bytes, of all certificates that a peer sends.  The handshake fails if it sends more.

        OpenSSL's default is 100 KiB.  A connection, and the session that is kept of it, may need thirty times as much
        memory.  SSL_CTX_set_max_cert_list(3)
        """
        return int(lib.SSL_CTX_get_max_cert_list(self._ctx))

    @max_certificate_list.setter
    def max_certificate_list(self, size: int) -> None:
        self._change()
        lib.SSL_CTX_set_max_cert_list(self._ctx, integer(size, "the size of a certificate list", 1, LARGEST_INT))
