"""A certificate with its private key and chain."""

from __future__ import annotations

from typing import NamedTuple

from pyossl.x509.certificate import Certificate
from pyossl.x509.keys import PrivateKey


class Credentials(NamedTuple):
    """A certificate with its private key and chain.

    For a context: ``Context.server(made)`` or ``Context.client(credentials=made)``.
    """

    certificate: Certificate
    private_key: PrivateKey
    chain: tuple[Certificate, ...] = ()

    def certificate_pem(self) -> bytes:
        """The certificate and its chain in PEM, as server configurations expect them."""
        return b"".join(each.to_pem() for each in (self.certificate, *self.chain))


Credentials.certificate.__doc__ = "The certificate."
Credentials.private_key.__doc__ = "The private key of the certificate."
Credentials.chain.__doc__ = "The authorities' certificates between this one and the root, without the root."
