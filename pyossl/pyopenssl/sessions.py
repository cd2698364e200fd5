"""``Session``, a translation onto the core's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyossl.core.copying import Uncopied
from pyossl.pyopenssl.contexts import Context, translated
from pyossl.tls.session import Session as CoreSession


class Session(Uncopied):
    """What a client remembers of a connection, to resume it."""

    if TYPE_CHECKING:
        _core: CoreSession
        _context: Context

    @classmethod
    def _of(cls, session: CoreSession, context: Context) -> Session:
        new = cls()
        new._core, new._context = session, context
        return new

    @property
    def _session(self) -> Any:
        """The ``SSL_SESSION *``, for programs that reach below."""
        return self._core._session

    @classmethod
    def load(cls, data: bytes, context: Context) -> Session:
        """A session from ``to_der`` or ``to_pem``.  Not in pyOpenSSL."""
        with translated:
            return cls._of(CoreSession.load(data, context._core), context)

    def to_der(self) -> bytes:
        """The session, its keys included.  Not in pyOpenSSL."""
        return self._core.to_der()

    def to_pem(self) -> bytes:
        """The session, its keys included.  Not in pyOpenSSL."""
        return self._core.to_pem()
