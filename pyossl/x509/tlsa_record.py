"""TLSA records: which certificates and keys a server may have, as the DNS says.  RFC 6698"""

from __future__ import annotations

from collections.abc import Callable

from pyossl.core import lib
from pyossl.core.arguments import instance, integer, octets
from pyossl.core.errors import DecodeError
from pyossl.core.outcome import take_records
from pyossl.x509.certificate import Certificate, digest
from pyossl.x509.pem_and_der import der_of

_LONGEST_DATA = 65535 - 3
"""The bytes of a record in the DNS, without the three numbers."""
_NAMES = "usage", "selector", "matching type"
_DIGESTS = {1: "sha256", 2: "sha512"}
_LAST_USAGE, _LAST_SELECTOR, _LAST_MATCHING_TYPE = 3, 1, 2


class TLSARecord:
    """One TLSA record of the DNS (RFC 6698), for the argument ``dane`` of a connection.  SSL_dane_tlsa_add(3)

    - ``usage``: what the record says.  0 (PKIX-TA): an authority of the server's chain; 1 (PKIX-EE): the server's own
      certificate; the context must trust the chain too.  2 (DANE-TA): an authority that is trusted for this server; 3
      (DANE-EE): the server's own certificate, of which only the name is verified besides.
    - ``selector``: 0 for the whole certificate, 1 for its public key (SubjectPublicKeyInfo).
    - ``matching_type``: 0 if ``data`` is the certificate or key itself, in DER; 1 for its SHA-256, 2 for its SHA-512.
    - ``data``: the bytes, 1 to 65,532.

    Each number is 0 to 255, as in the DNS.  Whether OpenSSL can use the record is found when a ``DANE`` is made of it.
    A record does not change.  Raises ``TypeError`` or ``ValueError`` for other values.
    """

    __slots__ = ("_fields",)

    def __init__(self, usage: int, selector: int, matching_type: int, data: bytes) -> None:
        numbers = zip((usage, selector, matching_type), _NAMES, strict=True)
        first, second, third = (integer(number, f"the {name} of a TLSA record", 0, 0xFF) for number, name in numbers)
        octets(data, "the data of a TLSA record")
        if not 1 <= len(data) <= _LONGEST_DATA:
            raise ValueError(f"the data of a TLSA record has 1 to {_LONGEST_DATA} bytes, not {len(data)}")
        self._fields = first, second, third, data

    @classmethod
    def parse(cls, text: str) -> TLSARecord:
        """Reads a record from its text, as DNS tools print it: ``"3 1 1 5c3b…"``.

        The text has the three numbers, and the data in hexadecimal, which may have spaces in it.  Raises
        ``DecodeError`` if it is malformed, and ``TypeError``.
        """
        malformed = f"the TLSA record {instance(text, str, 'the text of a TLSA record')[:80]!a} is malformed"
        fields = text.split(None, 3)
        if len(fields) != len(_NAMES) + 1:
            raise DecodeError(f"{malformed}: it has a usage, a selector, a matching type, and the data")
        for number, name in zip(fields, _NAMES, strict=False):
            if not (number.isascii() and number.isdigit() and len(number) <= 3 and int(number) <= 0xFF):
                raise DecodeError(f"{malformed}: its {name} is a number from 0 to 255")
        try:
            data = bytes.fromhex(fields[3])
        except ValueError:
            data = b""
        if not 1 <= len(data) <= _LONGEST_DATA:
            raise DecodeError(f"{malformed}: its data is hexadecimal, 1 to {_LONGEST_DATA} bytes")
        return cls(int(fields[0]), int(fields[1]), int(fields[2]), data)

    @classmethod
    def of(cls, certificate: Certificate, *, usage: int = 3, selector: int = 1, matching_type: int = 1) -> TLSARecord:
        """Makes the record that a certificate matches: for the DNS, or to expect a certificate that is at hand.

        - ``certificate``: the server's own for the usages 1 and 3, an authority's for 0 and 2.
        - ``usage``, ``selector``, ``matching_type``: as in ``TLSARecord``; 0 to 3, 0 or 1, 0 to 2.

        Raises ``TypeError`` or ``ValueError`` for other values.  X509_digest(3)
        """
        instance(certificate, Certificate, "the certificate of a TLSA record")
        integer(usage, "the usage of a TLSA record", 0, _LAST_USAGE)
        integer(selector, "the selector of a TLSA record", 0, _LAST_SELECTOR)
        integer(matching_type, "the matching type of a TLSA record", 0, _LAST_MATCHING_TYPE)
        take_records()
        data = der_of(lib.pyossl_certificate_key_der, certificate._x509) if selector else certificate.to_der()
        if matching_type:
            data = digest(data, _DIGESTS[matching_type])
        return cls(usage, selector, matching_type, data)

    @property
    def usage(self) -> int:
        """What the record says: 0 to 3, or a number that is not assigned."""
        return self._fields[0]

    @property
    def selector(self) -> int:
        """Which part counts: 0 for the certificate, 1 for its public key."""
        return self._fields[1]

    @property
    def matching_type(self) -> int:
        """How it is compared: 0 by all its bytes, 1 by their SHA-256, 2 by their SHA-512."""
        return self._fields[2]

    @property
    def data(self) -> bytes:
        """The bytes to compare with."""
        return self._fields[3]

    def __str__(self) -> str:
        return f"{self.usage} {self.selector} {self.matching_type} {self.data.hex()}"

    def __repr__(self) -> str:
        shown = str(self)
        return f"<TLSARecord {shown if len(shown) <= _LONGEST_SHOWN else f'{shown[:_LONGEST_SHOWN]}…'}>"

    def __eq__(self, other: object) -> bool:
        return self._fields == other._fields if isinstance(other, TLSARecord) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._fields)

    def __reduce__(self) -> tuple[Callable[..., TLSARecord], tuple[int, int, int, bytes]]:
        return TLSARecord, self._fields


_LONGEST_SHOWN = 140
"""The length of a record with a SHA-512, and a few characters more."""
