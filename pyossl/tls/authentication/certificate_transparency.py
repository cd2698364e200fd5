"""Certificate transparency: timestamps by which public logs show that they know a certificate.  RFC 6962

SSL_CTX_set_ct_validation_callback(3), SSL_CTX_set_ctlog_list_file(3)

A server's timestamps (signed certificate timestamps, SCTs) are in its certificate, in an extension of TLS, or in its
OCSP response.  OpenSSL checks their signatures with the keys of the logs that the program trusts.  It checks nothing if
the certificate itself is trusted, so that its chain has no issuer (docs/pitfalls.md, 79).  Where timestamps are
required, pyossl refuses such a server (pyossl/_c/tls/authentication/certificate_transparency.c).
"""

from __future__ import annotations

import datetime
import enum
import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from pyossl.core import ffi, lib
from pyossl.core.arguments import flag, iterated, octets, path
from pyossl.core.errors import DecodeError, UsageError, check, failed, require
from pyossl.core.flags import ExtensionContext
from pyossl.core.outcome import take_records
from pyossl.tls.settings.context_state import ContextState
from pyossl.tls.settings.custom_extensions import TIMESTAMP_MESSAGES

_LONGEST_LIST = 0xFFFF
_LENGTH = 2


class SCTSource(enum.IntEnum):
    """Where a server's timestamp was.  SCT_get_source(3)

    - ``UNKNOWN``: OpenSSL does not say.
    - ``TLS_EXTENSION``: in an extension of the handshake.
    - ``CERTIFICATE``: in the certificate.
    - ``OCSP_RESPONSE``: in the stapled OCSP response.
    """

    UNKNOWN = 0
    TLS_EXTENSION = 1
    CERTIFICATE = 2
    OCSP_RESPONSE = 3


class SCTStatus(enum.IntEnum):
    """What the check of a timestamp came to.  SCT_get_validation_status(3)

    - ``NOT_SET``: it was not checked.
    - ``UNKNOWN_LOG``: the log is not one of the trusted logs.
    - ``VALID``: a trusted log has signed it for this certificate.
    - ``INVALID``: the signature is wrong, or the time is in the future.
    - ``UNVERIFIED``: the check was not possible.
    - ``UNKNOWN_VERSION``: OpenSSL does not know this version of timestamps.
    """

    NOT_SET = 0
    UNKNOWN_LOG = 1
    VALID = 2
    INVALID = 3
    UNVERIFIED = 4
    UNKNOWN_VERSION = 5


class SCT(NamedTuple):
    """A signed certificate timestamp: a log says since when it knows a certificate.  SCT_get_timestamp(3)"""

    log_id: bytes
    time: datetime.datetime
    source: SCTSource
    status: SCTStatus


SCT.log_id.__doc__ = "The SHA-256 digest of the log's public key; empty for an unknown version of timestamps."
SCT.time.__doc__ = "The time since when the log knows the certificate, in UTC."
SCT.source.__doc__ = "Where the timestamp was, an ``SCTSource``."
SCT.status.__doc__ = "What the check came to, an ``SCTStatus``."


class TransparencySettings(ContextState):
    """The timestamps of certificate logs that a client asks for and checks, and that a server sends."""

    __slots__ = ()

    def request_scts(self) -> None:
        """Asks servers to send signed certificate timestamps (RFC 6962) in an extension.

        A message callback sees them; pyossl does not check them: ``verify_scts`` asks and checks.  Raises
        ``UsageError`` on a server's context, and after ``verify_scts``.  SSL_CTX_add_custom_ext(3)
        """
        self._change_client("request_scts")
        if lib.HAVE_CT and lib.SSL_CTX_ct_is_enabled(self._ctx):
            raise UsageError("request_scts cannot follow verify_scts, which asks for the timestamps too")
        take_records()
        # Not SSL_CTX_enable_ct(3): with it, OpenSSL refuses a server whose timestamps are malformed.
        kind = lib.TLSEXT_TYPE_signed_certificate_timestamp
        added = lib.pyossl_add_extension(self._ctx, kind, TIMESTAMP_MESSAGES, False, False)
        check(added, "adding the extension for signed certificate timestamps")

    def verify_scts(self, logs: str | os.PathLike[str], *, required: bool) -> None:
        """Checks the timestamps of the server's certificate with the keys of trusted logs.

        - ``logs``: the path of a file that lists the trusted logs, in the format of CTLOG_STORE_load_file(3).
        - ``required``: True refuses a server without any valid timestamp, with ``CertificateError``.  False refuses
          none: ``Connection.scts`` has the status of each timestamp.

        Servers are asked for timestamps in an extension; ``request_ocsp`` or ``verify_ocsp`` also asks for an OCSP
        response, which can have some.  A resumed session is not checked again.  A server whose own certificate is
        trusted, so that no issuer is in its chain, is refused if timestamps are required: they cannot be checked.
        One that shows a raw public key is refused too.  A server that proves to know a pre-shared key has no
        certificate, and is accepted without a timestamp.

        Raises ``OSError`` if the file cannot be read, ``DecodeError`` if it is malformed, ``UsageError`` on a server's
        context, if the context does not verify, and after ``request_scts``, and ``UnsupportedError`` if OpenSSL was
        built without certificate transparency.  SSL_CTX_set_ct_validation_callback(3)
        """
        self._change()
        file = path(logs, "the list of logs")
        flag(required, "required")
        self._change_client("verify_scts")
        require(lib.HAVE_CT, "certificate transparency")
        if not lib.SSL_CTX_get_verify_mode(self._ctx) & lib.SSL_VERIFY_PEER:
            raise UsageError("this context does not verify: timestamps are of a verified certificate")
        if lib.SSL_CTX_has_client_custom_ext(self._ctx, lib.TLSEXT_TYPE_signed_certificate_timestamp):
            raise UsageError("verify_scts cannot follow request_scts or add_extension: it asks for timestamps itself")
        with open(file, "rb"):  # OpenSSL does not say why it cannot read the file
            pass
        take_records()
        if lib.SSL_CTX_set_ctlog_list_file(self._ctx, os.fsencode(file)) != 1:
            raise failed(f"reading the list of logs {os.fsdecode(file)!r}", DecodeError)
        check(lib.pyossl_verify_scts(self._ctx, required), "SSL_CTX_set_ct_validation_callback")
        self._callbacks.requires_scts = required

    def send_scts(self, timestamps: Iterable[bytes]) -> None:
        """Sends these timestamps of the server's certificate to each client that asks for some.

        ``timestamps`` are as the logs have given them: the structure SignedCertificateTimestamp of RFC 6962, 3.2.
        They are not checked.  Clients also take those in the certificate, for which nothing is to be done.

        Raises ``ValueError`` for an empty one, for none, or if they do not fit into the extension, ``UsageError`` on a
        client's context and at a second call, and ``Error`` if the context has no certificate.
        SSL_CTX_use_serverinfo_ex(3)
        """
        self._change()
        every = [octets(each, "a timestamp") for each in iterated(timestamps, "timestamps")]
        self._change_server("send_scts")
        items = b"".join(len(each).to_bytes(_LENGTH, "big") + each for each in every if len(each) <= _LONGEST_LIST)
        if not every or not all(every) or len(items) > _LONGEST_LIST - _LENGTH or max(map(len, every)) > _LONGEST_LIST:
            raise ValueError(
                f"timestamps are one or more, none is empty, and all have {_LONGEST_LIST - 4} bytes at most"
            )
        body = len(items).to_bytes(_LENGTH, "big") + items
        messages = int(TIMESTAMP_MESSAGES | ExtensionContext.IGNORE_ON_RESUMPTION)
        kind = lib.TLSEXT_TYPE_signed_certificate_timestamp
        data = messages.to_bytes(4, "big") + kind.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body
        take_records()
        used = lib.SSL_CTX_use_serverinfo_ex(self._ctx, lib.SSL_SERVERINFOV2, data, len(data))
        check(used, "SSL_CTX_use_serverinfo_ex")
        self._sends_scts = True
        self._callbacks.extensions[kind] = None, None


def scts_of(ssl: Any) -> tuple[SCT, ...]:
    """The timestamps that the peer has sent.  SSL_get0_peer_scts(3)"""
    if not lib.HAVE_CT:
        return ()
    sct = ffi.new("pyossl_sct *")
    found: list[SCT] = []
    take_records()
    while (answer := lib.pyossl_sct_at(ssl, len(found), sct)) == 1:
        log_id = bytes(ffi.buffer(sct.log_id, sct.log_id_length)) if sct.log_id_length else b""
        found.append(SCT(log_id, _time(sct.timestamp), SCTSource(sct.source), SCTStatus(sct.status)))
    if answer < 0:
        raise failed("reading the timestamps of the peer", DecodeError)
    return tuple(found)


def _time(milliseconds: int) -> datetime.datetime:
    try:
        return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
    except (OverflowError, ValueError, OSError):
        return datetime.datetime.max.replace(tzinfo=datetime.timezone.utc)
