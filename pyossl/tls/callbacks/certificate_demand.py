"""What the peer has said about the certificate that this side shows.  SSL_get_sigalgs(3)"""

from __future__ import annotations

from typing import Any, NamedTuple

from pyossl.core import ffi, lib, text
from pyossl.x509.names import Name, names_in


class CertificateDemand(NamedTuple):
    """What the peer has said about the certificate that it wants from this side.  SSL_CTX_set_cert_cb(3)"""

    server_name: str | None
    signature_algorithms: tuple[int, ...]
    authorities: tuple[Name, ...]

    @classmethod
    def _of(cls, ssl: Any) -> CertificateDemand:
        """What an ``SSL *`` has received in this handshake."""
        name = lib.SSL_get_servername(ssl, lib.TLSEXT_NAMETYPE_host_name)
        authorities = names_in(lib.SSL_get0_peer_CA_list(ssl))
        return cls(None if name == ffi.NULL else text(name), _signature_algorithms(ssl), authorities)


CertificateDemand.server_name.__doc__ = (
    "The server name (SNI) that the client has sent, None for none.  SSL_get_servername(3)"
)
CertificateDemand.signature_algorithms.__doc__ = (
    "The signature algorithms that the peer accepts, as numbers on the wire, in its order.  SSL_get_sigalgs(3)"
)
CertificateDemand.authorities.__doc__ = (
    "The names of the authorities that the peer accepts; empty if it did not say.  SSL_get0_peer_CA_list(3)"
)


def _signature_algorithms(ssl: Any) -> tuple[int, ...]:
    low, high = ffi.new("unsigned char *"), ffi.new("unsigned char *")
    found = []
    for n in range(lib.SSL_get_sigalgs(ssl, -1, ffi.NULL, ffi.NULL, ffi.NULL, ffi.NULL, ffi.NULL)):
        lib.SSL_get_sigalgs(ssl, n, ffi.NULL, ffi.NULL, ffi.NULL, low, high)
        found.append(high[0] << 8 | low[0])
    return tuple(found)
