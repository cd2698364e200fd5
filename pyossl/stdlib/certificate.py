"""``_ssl.Certificate``, and the dictionary that ``getpeercert`` returns."""

from __future__ import annotations

from typing import Any

from pyossl.bio.bio import BIO
from pyossl.core import ffi, lib, own
from pyossl.core.errors import DecodeError, check
from pyossl.core.methods_in_c import new_certificate
from pyossl.core.outcome import take_records
from pyossl.stdlib import errors
from pyossl.stdlib.constants import ENCODING_DER, ENCODING_PEM
from pyossl.x509.peercert import facts_of
from pyossl.x509.pem_and_der import bio_contents


class Certificate:
    """The state of an ``_ssl.Certificate``; ``pointer`` is an ``X509 *``, owned."""

    def __init__(self, pointer: Any) -> None:
        self.pointer = pointer

    def public_bytes(self, format: int = ENCODING_PEM) -> str | bytes:
        """The certificate in PEM, a str, or in DER.  i2d_X509(3)"""
        if format == ENCODING_PEM:
            bio = BIO.memory()
            check(lib.PEM_write_bio_X509(bio._bio, self.pointer), "PEM_write_bio_X509")
            return bio_contents(bio).decode("ascii")
        if format == ENCODING_DER:
            return der_of(self.pointer)
        raise ValueError("Unsupported format")

    def get_info(self) -> dict[str, Any]:
        """The certificate as the dictionary of ``getpeercert``."""
        return dictionary_of(self.pointer)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Certificate):
            return NotImplemented
        return bool(lib.X509_cmp(self.pointer, other.pointer) == 0)

    def __hash__(self) -> int:
        return int(lib.X509_subject_name_hash(self.pointer))

    def __repr__(self) -> str:
        bio = BIO.memory()
        name = lib.X509_get_subject_name(self.pointer)
        lib.X509_NAME_print_ex(bio._bio, name, 0, lib.XN_FLAG_RFC2253)
        return f"<_ssl.Certificate '{bio_contents(bio).decode('utf-8', 'backslashreplace')}'>"


def certificate_of(pointer: Any) -> Any:
    """An ``_ssl.Certificate`` of an ``X509 *``, owned."""
    return new_certificate(Certificate(pointer))


def der_of(pointer: Any) -> bytes:
    """The DER of an ``X509 *``.  i2d_X509(3)"""
    place = ffi.new("unsigned char **")
    take_records()
    length = lib.i2d_X509(pointer, place)
    if length < 0:
        raise errors.of_queue()
    return bytes(ffi.buffer(own(place[0], lib.OPENSSL_free), length))


def dictionary_of(pointer: Any) -> dict[str, Any]:
    """The dictionary of an ``X509 *`` that ``getpeercert`` returns.  Raises ``SSLError`` for one that is malformed."""
    try:
        return facts_of(pointer)
    except DecodeError as error:
        raise errors.SSLError(str(error)) from None
