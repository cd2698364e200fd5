"""``Session`` of ``OpenSSL.SSL``, over ``pyossl.Session``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyossl.core.copying import Uncopied
from pyossl.pyopenssl.context_settings import ContextSettings
from pyossl.pyopenssl.exceptions import translated
from pyossl.tls.connection.session import Session as CoreSession


class Session(Uncopied):
    """A session, with which a client can resume a connection.

    ``Connection.get_session`` returns one, ``Connection.set_session`` uses it.  SSL_SESSION_new(3)
    """

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
        """The ``SSL_SESSION *``, for programs that call OpenSSL themselves."""
        return self._core._session

    @classmethod
    def load(cls, data: bytes, context: ContextSettings) -> Session:
        """Loads a session that ``to_der`` or ``to_pem`` returned, for connections of ``context``.

        Raises ``Error`` if ``data`` cannot be decoded.  Not in pyOpenSSL.  d2i_SSL_SESSION(3)
        """
        with translated:
            return cls._of(CoreSession.load(data, context._core), context)

    def to_der(self) -> bytes:
        """The session in DER, with its secret keys.  Not in pyOpenSSL.  i2d_SSL_SESSION(3)"""
        return self._core.to_der()

    def to_pem(self) -> bytes:
        """The session in PEM, with its secret keys.  Not in pyOpenSSL.  PEM_write_bio_SSL_SESSION(3)"""
        return self._core.to_pem()

    def __repr__(self) -> str:
        return repr(self._core) if "_core" in vars(self) else object.__repr__(self)
