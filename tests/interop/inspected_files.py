"""Certificates, keys and a revocation list in PEM files, by ``cryptography``, for programs that inspect them."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
_DAY = datetime.timedelta(days=1)


class _Issued(NamedTuple):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def _issue(
    name: str, by: _Issued | None, number: int, *, authority: bool = False, ends: int = 30, purpose: str = "SERVER_AUTH"
) -> _Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "side by side"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    builder = x509.CertificateBuilder().subject_name(subject).serial_number(number).public_key(key.public_key())
    builder = builder.issuer_name(by.certificate.subject if by else subject)
    builder = builder.not_valid_before(_NOW - 60 * _DAY).not_valid_after(_NOW + ends * _DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = builder.add_extension(identifier, critical=False)
    issuer_key = (by or _Issued(None, key)).key  # type: ignore[arg-type]  # a root issues itself
    known = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = builder.add_extension(known, critical=False)
    if not authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        usage = x509.ExtendedKeyUsage([getattr(ExtendedKeyUsageOID, purpose)])
        builder = builder.add_extension(usage, critical=False)
    return _Issued(builder.sign(issuer_key, hashes.SHA256()), key)


def _key_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, password: bytes | None = None) -> bytes:
    locked = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)


def make(folder: Path) -> None:
    """``name.pem`` and ``name-key.pem`` for each, ``locked.pem`` with the password "secret", and ``crl.pem``."""
    root, strangers = (
        _issue(name, None, n, authority=True) for n, name in enumerate(("the root", "strangers"), start=1)
    )
    between = _issue("between", root, 3, authority=True)
    issued = {
        "root": root,
        "strangers": strangers,
        "between": between,
        "server": _issue("localhost", root, 10),
        "other": _issue("other.example", root, 11),
        "expired": _issue("expired.example", root, 12, ends=-1),
        "client": _issue("client.example", root, 13, purpose="CLIENT_AUTH"),
        "stranger": _issue("stranger.example", strangers, 14, purpose="CLIENT_AUTH"),
        "revoked": _issue("revoked.example", root, 15),
        "deep": _issue("deep.example", between, 16),
    }
    for name, (certificate, key) in issued.items():
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}-key.pem").write_bytes(_key_pem(key))
    (folder / "rsa-key.pem").write_bytes(_key_pem(rsa.generate_private_key(65537, 2048)))
    (folder / "locked.pem").write_bytes(_key_pem(issued["server"].key, b"secret"))
    revoked = x509.RevokedCertificateBuilder().serial_number(15).revocation_date(_NOW - _DAY).build()
    crl = x509.CertificateRevocationListBuilder().issuer_name(root.certificate.subject).last_update(_NOW - _DAY)
    crl = crl.next_update(_NOW + 30 * _DAY).add_revoked_certificate(revoked)
    pem = crl.sign(root.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    (folder / "crl.pem").write_bytes(pem)
