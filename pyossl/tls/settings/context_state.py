"""The SSL_CTX of a context, and the state that the files about its settings share.  SSL_CTX_new(3)"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pyossl.core import ffi, lib, own
from pyossl.core.copying import Uncopied
from pyossl.core.errors import UsageError, check_ptr
from pyossl.core.library_context import LibraryContext, library_pointer
from pyossl.core.outcome import take_records
from pyossl.tls.callbacks.callbacks import ContextCallbacks

if TYPE_CHECKING:
    from pyossl.tls.ech.ech_store import ECHStore
    from pyossl.tls.sessions.ticket_keys import TicketKeys
    from pyossl.x509.trust_store import Store


class ContextState(Uncopied):
    """An SSL_CTX, and whether it may still be changed.  SSL_CTX_new(3)"""

    # All state is declared here, and each class of settings above has empty slots: an attribute whose name is misspelt
    # is an error then, and not a setting that no code reads.
    __slots__ = (
        "__weakref__",
        "_alpn",
        "_callbacks",
        "_compresses",
        "_configured",
        "_ctx",
        "_ech_store",
        "_expected_keys",
        "_frozen",
        "_groups",
        "_is_asked_later",
        "_is_server",
        "_keeps_default_cache_size",
        "_library_context",
        "_log_in",
        "_purpose",
        "_raw_key",
        "_renegotiation",
        "_rotating_ticket_keys",
        "_sends_scts",
        "_session_id_context",
        "_sessions",
        "_trust",
        "_verify_time",
        "_wants_hostname",
    )

    _instead = "make another one with the same arguments"
    _callbacks: ContextCallbacks

    def _begin(
        self,
        method: Any,
        callbacks: ContextCallbacks,
        *,
        is_server: bool,
        library_context: LibraryContext | None = None,
    ) -> None:
        """Creates the SSL_CTX of an ``SSL_METHOD *``, and sets the state beside it to its defaults."""
        library = library_pointer(library_context)
        take_records()
        pointer = lib.SSL_CTX_new_ex(library, ffi.NULL, method)
        self._ctx = own(check_ptr(pointer, "SSL_CTX_new"), lib.SSL_CTX_free)
        self._library_context = library_context
        self._is_server = is_server
        self._is_asked_later = False
        self._wants_hostname = False
        self._frozen = False
        self._alpn: Any = None
        self._ech_store: ECHStore | None = None
        self._raw_key = self._expected_keys = b""
        self._compresses = self._sends_scts = False
        self._trust: Store | None = None
        self._configured: list[tuple[str, str]] = []
        self._groups: str | None = None
        self._keeps_default_cache_size = True
        self._log_in: Callable[[], None] | None = None  # of a key in a token
        self._session_id_context = self._sessions = b""
        self._purpose: str | None = None
        self._renegotiation: tuple[int, bool] | None = None
        self._rotating_ticket_keys: TicketKeys | None = None
        self._verify_time: int | None = None
        self._callbacks = callbacks
        lib.SSL_CTX_set_default_passwd_cb(self._ctx, lib.pyossl_password_callback)

    def _check_new(self) -> None:
        if hasattr(self, "_ctx"):
            raise UsageError("this context has been initialised already: make another one")

    def _change(self) -> None:
        """Raises ``UsageError`` if the context is frozen: each setter calls this first."""
        if self._frozen:
            raise UsageError("this context is frozen: a connection has been made from it")

    def _change_server(self, setting: str) -> None:
        """As ``_change``, for a setting that only a server has."""
        self._change()
        if not self.is_server:
            raise UsageError(f"{setting} is only for servers: this context is a client's")

    def _change_client(self, setting: str) -> None:
        """As ``_change``, for a setting that only a client has."""
        self._change()
        if self.is_server:
            raise UsageError(f"{setting} is only for clients: this context is a server's")

    @property
    def library_context(self) -> LibraryContext | None:
        """The ``LibraryContext`` that the context was made with; None for the default one.  SSL_CTX_new_ex(3)"""
        return self._library_context

    @property
    def is_server(self) -> bool:
        """Whether the connections of this context are servers."""
        return self._is_server
