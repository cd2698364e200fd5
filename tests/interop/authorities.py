"""Certificate authorities made by three programs, so that no peer gets certificates from pyossl alone."""

from __future__ import annotations

import datetime
import itertools
from pathlib import Path
from typing import NamedTuple, Protocol

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from interop.programs import Program, program

import pyossl


class Identity(NamedTuple):
    """A certificate followed by its chain, and its private key, as PEM files."""

    certificate: Path
    private_key: Path


class Authority(Protocol):
    """An authority; ``trust`` is the PEM file of its own certificate."""

    trust: Path

    def issue(self, *names: str, expired: bool = False) -> Identity:
        """Issues a certificate for DNS names and IP addresses."""
        ...


class RevokingAuthority(Authority, Protocol):
    """An authority that can revoke its certificates."""

    def revoke(self, *identities: Identity) -> Path:
        """A CRL with these certificates, in PEM."""
        ...


def _yesterday() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)


class PyosslAuthority:
    """By pyossl: keys on P-256, and an intermediate authority, so that there is a chain to send."""

    def __init__(self, folder: Path) -> None:
        root = pyossl.Authority("pyossl's root")
        self._authority = pyossl.Authority("pyossl's intermediate", parent=root)
        self._folder, self._numbers = folder, itertools.count()
        self.trust = folder / "trust.pem"
        self.trust.write_bytes(root.certificate.to_pem())

    def issue(self, *names: str, expired: bool = False) -> Identity:
        times = {"not_before": _yesterday() - datetime.timedelta(days=9), "not_after": _yesterday()} if expired else {}
        credentials = self._authority.issue(*names, **times)
        number = next(self._numbers)
        identity = Identity(self._folder / f"{number}.pem", self._folder / f"{number}.key")
        identity.certificate.write_bytes(credentials.certificate_pem())
        identity.private_key.write_bytes(credentials.private_key.to_pem())
        return identity


class TrustmeAuthority:
    """By trustme, which uses cryptography: another OpenSSL, and code in Rust."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self._folder, self._numbers = folder, itertools.count()
        self.trust = folder / "trust.pem"
        self._authority.cert_pem.write_to_path(self.trust)

    def issue(self, *names: str, expired: bool = False) -> Identity:
        times = {"not_before": _yesterday() - datetime.timedelta(days=9), "not_after": _yesterday()} if expired else {}
        leaf = self._authority.issue_cert(*names, **times)
        number = next(self._numbers)
        identity = Identity(self._folder / f"{number}.pem", self._folder / f"{number}.key")
        identity.certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(identity.private_key)
        return identity

    def revoke(self, *identities: Identity) -> Path:
        key = serialization.load_pem_private_key(self._authority.private_key_pem.bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        own = x509.load_pem_x509_certificate(self.trust.read_bytes())
        yesterday = _yesterday()
        builder = x509.CertificateRevocationListBuilder().issuer_name(own.subject)
        builder = builder.last_update(yesterday).next_update(yesterday + datetime.timedelta(days=9))
        for identity in identities:
            serial_number = x509.load_pem_x509_certificate(identity.certificate.read_bytes()).serial_number
            entry = x509.RevokedCertificateBuilder().serial_number(serial_number).revocation_date(yesterday)
            builder = builder.add_revoked_certificate(entry.build())
        path = self._folder / f"{next(self._numbers)}.crl"
        path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return path


_CONFIGURATION = """\
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = CA:false
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""


class ProgramAuthority:
    """By the ``openssl`` program, with RSA keys and a configuration of the test: the system may have any."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._numbers = folder, itertools.count()
        self.trust, self._key = folder / "trust.pem", folder / "trust.key"
        configuration = self._configuration("the openssl program's authority", "DNS:unused")
        _openssl(
            *("req", "-new", "-x509", "-config", configuration, "-extensions", "authority", "-days", "9"),
            *("-newkey", "rsa:2048", "-nodes", "-keyout", self._key, "-out", self.trust),
        )

    def _configuration(self, name: str, names: str) -> Path:
        path = self._folder / f"{next(self._numbers)}.cnf"
        path.write_text(_CONFIGURATION.format(name=name, names=names))
        return path

    def issue(self, *names: str, expired: bool = False) -> Identity:
        if expired:
            raise NotImplementedError("openssl x509 takes a date for the end of a validity from 3.4 only")
        alternatives = ",".join(f"IP:{name}" if name[-1].isdigit() or ":" in name else f"DNS:{name}" for name in names)
        configuration = self._configuration(names[0], alternatives)
        identity = Identity(configuration.with_suffix(".pem"), configuration.with_suffix(".key"))
        request = configuration.with_suffix(".csr")
        _openssl(
            *("req", "-new", "-config", configuration, "-out", request),
            *("-newkey", "rsa:2048", "-nodes", "-keyout", identity.private_key),
        )
        _openssl(
            *("x509", "-req", "-in", request, "-CA", self.trust, "-CAkey", self._key, "-days", "9"),
            *("-set_serial", str(next(self._numbers) + 1000), "-extfile", configuration, "-extensions", "leaf"),
            *("-sha256", "-out", identity.certificate),
        )
        return identity

    def revoke(self, *identities: Identity) -> Path:
        """Uses openssl-ca(1), whose database is a text file."""
        path = self._folder / f"{next(self._numbers)}.crl"
        database, configuration = path.with_suffix(".txt"), path.with_suffix(".ca")
        moment = _yesterday().strftime("%y%m%d%H%M%SZ")
        numbers = [pyossl.Certificate.load(identity.certificate).serial_number for identity in identities]
        database.write_text(
            "".join(f"R\t491231235959Z\t{moment}\t{number:04X}\tunknown\t/CN=x\n" for number in numbers)
        )
        configuration.write_text(_LEDGER.format(database=database))
        _openssl(
            *("ca", "-config", configuration, "-gencrl", "-keyfile", self._key, "-cert", self.trust, "-out", path),
        )
        return path


_LEDGER = """\
[ca]
default_ca = ours
[ours]
database = {database}
default_md = sha256
default_crl_days = 9
"""


def _openssl(*arguments: str | Path) -> None:
    with Program(program("openssl"), *arguments) as run:
        finished = run.finish()
        assert finished.status == 0, str(run)
