"""Certificates, CRLs and keys made without pyossl, by the package cryptography or the openssl program.

Malformed ones, which neither of the two makes, are made from bytes.
"""

from __future__ import annotations

import datetime
import subprocess
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)

COMMON_NAME = b"\x06\x03\x55\x04\x03"
SUBJECT_ALT_NAME, BASIC_CONSTRAINTS, KEY_USAGE = "2.5.29.17", "2.5.29.19", "2.5.29.15"


def openssl(*arguments: str, input: bytes = b"", fails: bool = False) -> bytes:
    """The standard output of this row's openssl program.  Asserts that it succeeds."""
    done = subprocess.run(["openssl", *arguments], input=input, capture_output=True, timeout=60)
    assert (done.returncode != 0) == fails, f"openssl {arguments}: {done.returncode}: {done.stderr.decode()}"
    return done.stdout


def tlv(tag: int, *contents: bytes) -> bytes:
    """A DER element: tag, length and value."""
    body = b"".join(contents)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def raw(oid: str, value: bytes) -> x509.UnrecognizedExtension:
    """An extension with this value, well-formed or not."""
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)


def common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


class Made(NamedTuple):
    """A certificate made by cryptography, and its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def make(
    subject: str | x509.Name,
    issuer: Made | None = None,
    *,
    ca: bool = False,
    path_length: int | None = None,
    extensions: list[tuple[x509.ExtensionType, bool]] | None = None,
    key: Any = None,
    not_before: datetime.datetime = NOW - DAY,
    not_after: datetime.datetime = NOW + 365 * DAY,
    issuer_name: x509.Name | None = None,
) -> Made:
    """A certificate signed by ``issuer`` or by itself, with only the given extensions."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = subject if isinstance(subject, x509.Name) else common_name(subject)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer_name or (issuer.certificate.subject if issuer else name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(True, path_length), True)
    for extension, critical in extensions or []:
        builder = builder.add_extension(extension, critical)
    signer = issuer.key if issuer else key
    digest = None if isinstance(signer, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)) else hashes.SHA256()
    return Made(builder.sign(signer, digest), key)


def revoke(
    issuer: Made,
    serial_numbers: dict[int, x509.ReasonFlags | None],
    *,
    last_update: datetime.datetime = NOW - DAY,
    next_update: datetime.datetime = NOW + 30 * DAY,
    number: int = 7,
) -> x509.CertificateRevocationList:
    """A CRL issued by ``issuer``."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(last_update)
        .next_update(next_update)
        .add_extension(x509.CRLNumber(number), False)
    )
    for serial_number, reason in serial_numbers.items():
        entry = x509.RevokedCertificateBuilder().serial_number(serial_number).revocation_date(last_update)
        if reason is not None:
            entry = entry.add_extension(x509.CRLReason(reason), False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer.key, hashes.SHA256())


def crl_der(crl: x509.CertificateRevocationList) -> bytes:
    return crl.public_bytes(serialization.Encoding.DER)


def name_der(*values: bytes) -> bytes:
    """A name with these common names, which are already encoded."""
    return tlv(0x30, *(tlv(0x31, tlv(0x30, COMMON_NAME, value)) for value in values))


def bare(
    *,
    serial_number: bytes = b"\x05",
    not_before: bytes = b"\x17\x0d010203040506Z",
    not_after: bytes = b"\x17\x0d010204040506Z",
    name: bytes | None = None,
    extensions: bytes = b"",
) -> bytes:
    """The DER of a certificate with these parts, well-formed or not, and no valid signature."""
    who = name_der(tlv(0x0C, b"bare")) if name is None else name
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    key_der = key.public_bytes(serialization.Encoding.DER, form)
    algorithm = tlv(0x30, bytes.fromhex("06082a8648ce3d040302"))
    version, validity = tlv(0xA0, b"\x02\x01\x02"), tlv(0x30, not_before, not_after)
    parts = [version, tlv(0x02, serial_number), algorithm, who, validity, who, key_der]
    if extensions:
        parts.append(tlv(0xA3, tlv(0x30, extensions)))
    return tlv(0x30, tlv(0x30, *parts), algorithm, tlv(0x03, b"\0", tlv(0x30, b"\x02\x01\x01", b"\x02\x01\x01")))
