"""The certificate, chain and private key of a context, from files, bytes, URIs and objects.  SSL_CTX_use_certificate(3)

A URI stands where the path of a file may stand: ``pkcs11:token=mine;object=server``, ``file:/etc/ssl/chain.pem``.  A
store may hold many objects in no particular order, and OpenSSL would sign with a key that nobody chose.  So a URI has
to name one private key, and one certificate unless it names a file, in which the order is the order of the chain.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from pyossl.core.arguments import instance, iterated
from pyossl.core.errors import DecodeError
from pyossl.core.library_context import LibraryContext
from pyossl.x509.certificate import Certificate, load_certificates
from pyossl.x509.credentials import Credentials
from pyossl.x509.keys import PrivateKey
from pyossl.x509.load_uri import load_uri
from pyossl.x509.passwords import Password
from pyossl.x509.pem_and_der import Source, describe
from pyossl.x509.uris import is_uri, scheme_of, without_pin

CertificateSource = Source | Certificate | Sequence[Source | Certificate]
"""A certificate and its chain: the path of a file, a URI, PEM or DER, a ``Certificate``, or a sequence of these."""
KeySource = Source | PrivateKey
"""A private key: the path of a file, a URI, PEM or DER, or a ``PrivateKey``."""


def credentials_of(
    certificate: CertificateSource | Credentials | None,
    private_key: KeySource | None,
    password: Password | None,
    credentials: Credentials | None,
    library_context: LibraryContext | None,
) -> Credentials | None:
    """The credentials that the arguments of ``Context.client`` or ``Context.server`` give; None if they give none.

    ``library_context`` is that of the context, in which files and bytes are read.
    Raises ``TypeError`` or ``ValueError`` for arguments that do not go together, and the exceptions of ``load_uri``.
    """
    if credentials is None and isinstance(certificate, Credentials):
        certificate, credentials = None, certificate
    if credentials is not None:
        if certificate is not None or private_key is not None or password is not None:
            raise ValueError("credentials have the certificate and the private key: pass no other, and no password")
        return instance(credentials, Credentials, "credentials")
    if (certificate is None) != (private_key is None):
        raise ValueError(_half_of_credentials(certificate))
    if certificate is None or private_key is None:
        return None
    known = _AskedOnce(password) if callable(password) else password
    first, *chain = _chain(certificate, known, library_context)
    key = key_of(private_key, known, library_context)
    if isinstance(known, _AskedOnce):
        known.loaded()
    return Credentials(first, key, tuple(chain))


def shown(source: KeySource | None) -> str:
    """The end of ``the private key …`` in a message: where it is, without a PIN; empty for an object."""
    return "" if source is None or isinstance(source, PrivateKey) else f" in {without_pin(describe(source))}"


def _half_of_credentials(certificate: CertificateSource | Credentials | None) -> str:
    """The message where a certificate has no key, or a key no certificate."""
    missing, given = ("certificate", "private_key") if certificate is None else ("private_key", "certificate")
    both = "" if certificate is None else "; if one PEM file holds both, pass its path for both"
    return f"certificate and private_key go together: {given} is given, and {missing} is missing{both}"


class _AskedOnce:
    """A function for a password that is called once for the certificate and the key.

    After that it keeps no password: a child process that logs in to a token calls the program's function again.
    """

    def __init__(self, ask: Callable[[], str | bytes]) -> None:
        self._ask = ask
        self._answer: str | bytes | None = None
        self._is_loaded = False

    def __call__(self) -> str | bytes:
        answer = self._ask() if self._answer is None else self._answer
        self._answer = None if self._is_loaded else answer
        return answer

    def loaded(self) -> None:
        """Forgets the password, now that certificate and key are loaded."""
        self._is_loaded, self._answer = True, None


def _chain(
    source: CertificateSource | Credentials, password: Password | None, library_context: LibraryContext | None
) -> list[Certificate]:
    if isinstance(source, (str, bytes, os.PathLike, Certificate)):
        return _certificates(source, password, library_context)
    parts: tuple[Any, ...] = tuple(iterated(source, "the certificates of a chain"))
    if not parts:
        raise ValueError("the chain is empty")
    for each in parts:
        if not isinstance(each, (str, bytes, os.PathLike, Certificate)):
            raise TypeError(
                f"the certificates of a chain are each a Certificate, a path, a URI or bytes, not {type(each).__name__}"
            )
    return [each for part in parts for each in _certificates(part, password, library_context)]


def _certificates(
    source: Source | Certificate, password: Password | None, library_context: LibraryContext | None
) -> list[Certificate]:
    if isinstance(source, Certificate):
        return [source]
    if isinstance(source, str) and is_uri(source):
        found = load_uri(source, password, kind=Certificate, library_context=library_context)
        if scheme_of(source) is not None and len(found) > 1:
            raise _several(source, len(found), "certificates")
        return found
    return load_certificates(source, library_context=library_context)


def key_of(source: KeySource, password: Password | None, library_context: LibraryContext | None) -> PrivateKey:
    """The private key that an argument of ``Context.client`` or ``Context.server`` gives."""
    if isinstance(source, PrivateKey):
        return source
    if isinstance(source, str) and is_uri(source):
        found = load_uri(source, password, kind=PrivateKey, library_context=library_context)
        if len(found) > 1:
            raise _several(source, len(found), "private keys")
        return found[0]
    return PrivateKey.load(source, password, library_context=library_context)


def _several(uri: str, number: int, what: str) -> DecodeError:
    return DecodeError(
        f"{without_pin(uri)!r} names {number} {what}, and one is needed: "
        "add what tells them apart, for example object= or id="
    )
