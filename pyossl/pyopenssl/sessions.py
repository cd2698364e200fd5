"""``Session`` of ``OpenSSL.SSL``, over ``pyossl.Session``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyossl.core.copying import Uncopied
from pyossl.pyopenssl.context_settings import ContextSettings
from pyossl.pyopenssl.exceptions import translated
from pyossl.tls.session import Session as CoreSession


class Session(Uncopied):
    """What a client remembers of a connection, to resume it."""

    if TYPE_CHECKING:
        _core: CoreSession
        _context: ContextSettings

    @classmethod
    def _of(cls, session: CoreSession, context: ContextSettings) -> Session:
        new = cls()
        new._core, new._context = session, context
        return new

    @property
    def _session(self) -> Any:
        """The ``SSL_SESSION *``, for programs that reach below."""
        return self._core._session

    @classmethod
    def load(cls, data: bytes, context: ContextSettings) -> Session:
        """A session from ``to_der`` or ``to_pem``.  Not in pyOpenSSL."""
        with translated:
            return cls._of(CoreSession.load(data, context._core), context)

    def to_der(self) -> bytes:
        """The session, its keys included.  Not in pyOpenSSL."""
        return self._core.to_der()

    def to_pem(self) -> bytes:
        """The session, its keys included.  Not in pyOpenSSL."""
        return self._core.to_pem()

    def __repr__(self) -> str:
        return repr(self._core) if "_core" in vars(self) else object.__repr__(self)
