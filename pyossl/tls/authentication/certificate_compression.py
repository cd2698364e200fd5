"""Certificate compression: the chain of certificates, most of the bytes of a handshake, is sent compressed.  RFC 8879

SSL_CTX_set1_cert_comp_preference(3), SSL_CTX_compress_certs(3)

Theory of operation
-------------------
Each side of a TLS 1.3 handshake says which algorithms it can decompress: a client in its ClientHello, a server when it
asks for the client's certificate.  The other side may then send the message CompressedCertificate in the place of
Certificate.

A server compresses in advance, once for each algorithm, because the message is the same in each handshake.  So it has
no room for what belongs to one connection: OpenSSL leaves the stapled OCSP response and the certificate timestamps out
of it, and the client finds none (docs/pitfalls.md, 83).  A context that has both compression and one of these is
refused.  A client compresses its certificate in the handshake.

A message that would be longer than the context's longest chain (100 KiB) when it is decompressed is refused before it
is decompressed.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyossl.core import ffi, lib
from pyossl.core.arguments import iterated
from pyossl.core.errors import UnsupportedError, UsageError, check, require
from pyossl.core.outcome import take_records
from pyossl.tls.settings.context_state import ContextState

_FEATURE = "certificate compression"
_ALGORITHMS = ("zlib", "brotli", "zstd")


class CompressionSettings(ContextState):
    """The certificate compression of a context."""

    __slots__ = ()

    def set_certificate_compression(self, algorithms: Iterable[str]) -> None:
        """Compresses certificates in TLS 1.3 with these algorithms, where the peer can decompress them.

        - ``algorithms``: of ``zlib``, ``brotli`` and ``zstd``, the preferred one first.  The side that sends a
          certificate takes the first algorithm of its peer that it has too.  Without any, certificates are neither
          compressed nor decompressed.

        A server compresses the certificate and chain of the context here, in advance.  It does not compress those of a
        certificate callback.  It cannot staple an OCSP response or send certificate timestamps too, because OpenSSL
        leaves them out of a compressed certificate: its first connection raises ``UsageError`` then.

        Without this call, OpenSSL's defaults are in force: a client takes compressed certificates, with all algorithms
        of its OpenSSL, and compresses its own for a server that takes them; a server compresses nothing.

        ``message_callback`` shows whether a certificate was compressed: the message has the name
        ``CompressedCertificate``.

        Raises ``UnsupportedError`` before OpenSSL 3.2, and for an algorithm that OpenSSL was built without,
        ``ValueError`` for another name and for one that is given twice, and ``TypeError``.
        SSL_CTX_set1_cert_comp_preference(3), SSL_CTX_compress_certs(3)
        """
        self._change()
        names = _checked(algorithms)
        require(lib.HAVE_CERTIFICATE_COMPRESSION, _FEATURE)
        numbers = [getattr(lib, f"TLSEXT_comp_cert_{name}") for name in names]
        take_records()
        for name, number in zip(names, numbers, strict=True):
            # OpenSSL leaves an algorithm that it lacks out of a longer list.
            if lib.SSL_CTX_set1_cert_comp_preference(self._ctx, [number], 1) != 1:
                take_records()
                raise UnsupportedError(f"{_FEATURE} with {name}")
        preference = lib.SSL_CTX_set1_cert_comp_preference(self._ctx, numbers or ffi.NULL, len(numbers))
        check(preference, "SSL_CTX_set1_cert_comp_preference")
        off = lib.SSL_OP_NO_TX_CERTIFICATE_COMPRESSION | lib.SSL_OP_NO_RX_CERTIFICATE_COMPRESSION
        if numbers:
            lib.SSL_CTX_clear_options(self._ctx, off)
        else:
            lib.SSL_CTX_set_options(self._ctx, off)
        self._compresses = bool(numbers)
        if self.is_server and numbers and lib.SSL_CTX_get0_certificate(self._ctx) != ffi.NULL:
            for number in numbers:
                check(lib.SSL_CTX_compress_certs(self._ctx, number), "SSL_CTX_compress_certs")

    def _freeze_compression(self) -> None:
        """Raises ``UsageError`` if a compressed certificate would lack what the context is to send with it."""
        if self._compresses:
            for what, is_sent in (
                ("an OCSP response", self._callbacks.ocsp_server is not None),
                ("certificate timestamps", self._sends_scts),
            ):
                if is_sent:
                    raise UsageError(
                        f"this context compresses its certificate, and so OpenSSL would not send {what} with it"
                    )


def _checked(algorithms: Iterable[str]) -> list[str]:
    names: list[str] = []
    for name in iterated(algorithms, "the algorithms of certificate compression"):
        if not isinstance(name, str):
            raise TypeError(f"an algorithm of certificate compression is a str, not {type(name).__name__}")
        if name not in _ALGORITHMS:
            raise ValueError(f"an algorithm of certificate compression is {', '.join(_ALGORITHMS)}, not {name[:80]!a}")
        if name in names:
            raise ValueError(f"the algorithm {name} is given twice")
        names.append(name)
    return names
