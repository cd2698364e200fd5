"""Timestamps of certificate logs, which a client asks a server to send with its certificate.  RFC 6962, 3.3"""

from __future__ import annotations

from pyossl.core import ffi, lib
from pyossl.core.errors import check
from pyossl.core.outcome import take_records
from pyossl.tls.context_state import ContextState


class CertificateStatusSettings(ContextState):
    """What else a client asks a server to send with its certificate."""

    __slots__ = ()

    def request_scts(self) -> None:
        """Asks servers to send signed certificate timestamps (RFC 6962) in an extension.

        A message callback sees them; pyossl does not check them.  Raises ``UsageError`` on a server's context.
        SSL_CTX_add_custom_ext(3)
        """
        self._change_client("request_scts")
        take_records()
        # Not SSL_CTX_enable_ct(3): with it, OpenSSL refuses a server whose timestamps are malformed.
        messages = lib.SSL_EXT_CLIENT_HELLO | lib.SSL_EXT_TLS1_2_SERVER_HELLO | lib.SSL_EXT_TLS1_3_CERTIFICATE
        kind, none = lib.TLSEXT_TYPE_signed_certificate_timestamp, ffi.NULL
        added = lib.SSL_CTX_add_custom_ext(self._ctx, kind, messages, none, none, none, none, none)
        check(added, "adding the extension for signed certificate timestamps")
