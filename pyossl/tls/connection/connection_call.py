"""Calling the functions of libssl that have no method, on the SSL of a connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pyossl.core.errors import UsageError
from pyossl.core.outcome import take_records
from pyossl.tls.connection.negotiated import Negotiated

_T = TypeVar("_T")

_REFUSED_FUNCTIONS = frozenset(
    (
        "SSL_accept",
        "SSL_clear",
        "SSL_connect",
        "SSL_do_handshake",
        "SSL_free",
        "SSL_peek",
        "SSL_peek_ex",
        "SSL_read",
        "SSL_read_early_data",
        "SSL_read_ex",
        "SSL_renegotiate",
        "SSL_renegotiate_abbreviated",
        "SSL_sendfile",
        "SSL_set0_rbio",
        "SSL_set0_wbio",
        "SSL_set_SSL_CTX",
        "SSL_set_bio",
        "SSL_set_ex_data",
        "SSL_set_fd",
        "SSL_set_mode",
        "SSL_set_msg_callback",
        "SSL_set_msg_callback_arg",
        "SSL_set_rfd",
        "SSL_set_verify",
        "SSL_set_wfd",
        "SSL_shutdown",
        "SSL_stateless",
        "SSL_verify_client_post_handshake",
        "SSL_write",
        "SSL_write_early_data",
        "SSL_write_ex",
        "SSL_write_ex2",
    )
)
"""The functions that ``call`` refuses: they do I/O, or change parts of the SSL that pyossl relies on."""


class ConnectionCall(Negotiated):
    """``call``, for the functions of OpenSSL that have no method."""

    def call(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Calls ``function(ssl, *arguments)`` and returns its result, for functions of OpenSSL without a method here.

        - ``function``: a function of ``pyossl.lib``, or a function of the program.
        - ``arguments``: the arguments after the ``SSL *``.

        The connection's lock is held, and OpenSSL's error queue is empty before the call and is not read after it.  The
        program must not keep ``ssl`` or any pointer that OpenSSL lends from it: copy the data.  Functions that read,
        write, do the handshake, free the SSL, or replace a part that pyossl relies on raise ``UsageError``.  So does
        any call on a closed connection, or on one of the parent process.  SSL_get_ex_data(3)
        """
        if getattr(function, "__name__", "") in _REFUSED_FUNCTIONS:
            raise UsageError(f"{function.__name__} cannot be called in this way: use the methods of the connection")

        def called(ssl: Any) -> _T:
            take_records()
            return function(ssl, *arguments)

        return self._ask(called)
