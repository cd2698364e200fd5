"""One extension of the program's own in one message: what its callbacks get.  SSL_CTX_add_custom_ext(3)"""

from __future__ import annotations

from typing import NamedTuple

from pyossl.core.flags import ExtensionContext
from pyossl.x509.certificate import Certificate


class CustomExtension(NamedTuple):
    """An extension of the program's own, in one message of a handshake.  SSL_CTX_add_custom_ext(3)"""

    type: int
    message: ExtensionContext
    data: bytes
    certificate: Certificate | None
    depth: int


CustomExtension.type.__doc__ = "The number of the extension."
CustomExtension.message.__doc__ = "The message, for example ``ExtensionContext.CLIENT_HELLO``."
CustomExtension.data.__doc__ = "The bytes that the peer has sent; empty where the program is asked for its own."
CustomExtension.certificate.__doc__ = (
    "In a Certificate message the certificate that the extension belongs to; None in others."
)
CustomExtension.depth.__doc__ = "The position of the certificate in the chain; 0 is the peer's or our own certificate."
