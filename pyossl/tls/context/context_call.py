"""Calling the functions of libssl that have no method, on the SSL_CTX of a context."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from pyossl.core.errors import UsageError
from pyossl.core.outcome import take_records
from pyossl.tls.settings.context_state import ContextState

_T = TypeVar("_T")

_REFUSED_FUNCTIONS = frozenset(
    (
        "SSL_CTX_callback_ctrl",
        "SSL_CTX_clear_mode",
        "SSL_CTX_config",
        "SSL_CTX_ctrl",
        "SSL_CTX_free",
        "SSL_CTX_sess_set_get_cb",
        "SSL_CTX_sess_set_new_cb",
        "SSL_CTX_sess_set_remove_cb",
        "SSL_CTX_set0_verify_cert_store",
        "SSL_CTX_set1_cert_store",
        "SSL_CTX_set1_verify_cert_store",
        "SSL_CTX_set_alpn_select_cb",
        "SSL_CTX_set_app_data",
        "SSL_CTX_set_cert_store",
        "SSL_CTX_set_cert_verify_callback",
        "SSL_CTX_set_client_hello_cb",
        "SSL_CTX_set_cookie_generate_cb",
        "SSL_CTX_set_cookie_verify_cb",
        "SSL_CTX_set_default_passwd_cb",
        "SSL_CTX_set_default_passwd_cb_userdata",
        "SSL_CTX_set_ex_data",
        "SSL_CTX_set_info_callback",
        "SSL_CTX_set_keylog_callback",
        "SSL_CTX_set_mode",
        "SSL_CTX_set_msg_callback",
        "SSL_CTX_set_msg_callback_arg",
        "SSL_CTX_set_psk_client_callback",
        "SSL_CTX_set_psk_server_callback",
        "SSL_CTX_set_session_id_context",
        "SSL_CTX_set_tlsext_servername_arg",
        "SSL_CTX_set_tlsext_servername_callback",
        "SSL_CTX_set_tlsext_status_arg",
        "SSL_CTX_set_tlsext_status_cb",
        "SSL_CTX_set_verify",
        "SSL_CTX_up_ref",
    )
)
"""The functions that ``call`` refuses: they free the SSL_CTX, or change parts of it that pyossl relies on."""

_ONLY_ASKS = re.compile(r"SSL_CTX_(get|sess_(?!set)|has_|ct_is_)")
"""The names of functions that only ask the SSL_CTX, and may be called beside its connections."""


class ContextCall(ContextState):
    """``call``, for the functions of OpenSSL that have no method."""

    __slots__ = ()

    def call(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Calls ``function(ctx, *arguments)`` and returns its result, for functions of OpenSSL without a method here.

        - ``function``: a function of ``pyossl.lib``, or a function of the program.
        - ``arguments``: the arguments after the ``SSL_CTX *``.

        OpenSSL's error queue is empty before the call and is not read after it: ``pyossl.errors.check`` reads it.  The
        program must not keep ``ctx`` or any pointer that OpenSSL lends from it: copy the data.  It keeps alive what it
        passes to OpenSSL without giving it away, for example a C callback.

        Raises ``UsageError`` for a function that frees the SSL_CTX or replaces a part that pyossl relies on, for
        example a callback or the trust store.  Once a connection has been made from the context, only functions that
        ask are allowed: those named ``SSL_CTX_get…``, and the counters ``SSL_CTX_sess_…``.  SSL_CTX_get_ex_data(3)
        """
        name = getattr(function, "__name__", "")
        if name in _REFUSED_FUNCTIONS:
            raise UsageError(f"{name} cannot be called in this way: use the methods and settings of the context")
        if not _ONLY_ASKS.match(name):
            self._change()
        take_records()
        return function(self._ctx, *arguments)
