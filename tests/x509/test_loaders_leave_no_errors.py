"""After any load, from any source, OpenSSL's error queue is empty."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from x509.certificate_making import crl_der, make, revoke
from x509.test_malformed_extensions import crl_bytes, entry, extension

import pyossl
from pyossl import CRL, PKCS12, Certificate, Context, PrivateKey, PublicKey, Store, lib
from pyossl.pyopenssl import crypto
from pyossl.x509.certificate_builder import CertificateBuilder

OWN = pyossl.self_signed("own.example")
OTHER = pyossl.self_signed("other.example")
ISSUER = make("the issuer", ca=True)
BAD_CRL = crl_bytes(entry(1, extension("2.5.29.21", b"\xff")), extensions=extension("2.5.29.20", b"\xff"))
BAD_ISSUER = crl_bytes(entry(1, extension("2.5.29.29", b"\xff")), extensions=extension("2.5.29.28", b"\xff"))


def _crl() -> CRL:
    return CRL.load(crl_der(revoke(ISSUER, {5: None})))


def _pem(der: bytes) -> bytes:
    lines = textwrap.fill(base64.b64encode(der).decode(), 64)
    return f"-----BEGIN X509 CRL-----\n{lines}\n-----END X509 CRL-----\n".encode()


GOOD: dict[str, tuple[bytes, bytes]] = {
    "certificate": (OWN.certificate.to_pem(), OWN.certificate.to_der()),
    "CRL": (_crl().to_pem(), _crl().to_der()),
    "malformed CRL": (_pem(BAD_CRL), BAD_CRL),
    "CRL of unknown issuers": (_pem(BAD_ISSUER), BAD_ISSUER),
    "private key": (OWN.private_key.to_pem(), OWN.private_key.to_der()),
    "locked key": (OWN.private_key.to_pem("x"), OWN.private_key.to_der("x")),
    "public key": (OWN.private_key.public_key.to_pem(), OWN.private_key.public_key.to_der()),
    "PKCS#12": (b"", PKCS12(OWN.private_key, OWN.certificate, [OTHER.certificate]).to_der("x", iterations=10)),
}


def _sources() -> dict[str, bytes]:
    sources = {"empty": b"", "text": b"no PEM at all\n", "no DER": b"\xff" * 50, "zeros": bytes(50), "newline": b"\n"}
    for name, (pem, der) in GOOD.items():
        sources[f"{name} in DER"] = der
        sources[f"{name} in DER, twice"] = der * 2
        sources[f"{name} in DER, a newline behind"] = der + b"\n"
        sources[f"{name} in DER, cut"] = der[:-5]
        sources[f"{name} in DER, changed"] = der[:10] + b"\xff" + der[11:]
        if pem:
            sources[f"{name} in PEM"] = pem
            sources[f"{name} in PEM, twice"] = pem * 2
            sources[f"{name} in PEM, without the last newline"] = pem.rstrip(b"\n")
            sources[f"{name} in PEM, newlines behind"] = pem + b"\n\n"
            sources[f"{name} in PEM, cut"] = pem[:-40]
            sources[f"{name} in PEM, malformed"] = pem.replace(b"M", b"%", 1)
            sources[f"{name} in PEM, of something else"] = pem[:30] + b"\n" + pem[30:]
    sources["everything in PEM"] = b"".join(pem for pem, _ in GOOD.values())
    return sources


SOURCES = _sources()


def _password() -> str:
    return "x"


LOADERS: dict[str, Callable[[bytes, Path], Any]] = {
    "Certificate.load": lambda data, path: Certificate.load(data),
    "Certificate.load of a file": lambda data, path: Certificate.load(path),
    "load_certificates": lambda data, path: pyossl.load_certificates(data),
    "CRL.load": lambda data, path: CRL.load(data),
    "CRL.load of a file": lambda data, path: CRL.load(path),
    "load_crls": lambda data, path: pyossl.load_crls(data),
    "PrivateKey.load": lambda data, path: PrivateKey.load(data),
    "PrivateKey.load with a password": lambda data, path: PrivateKey.load(data, "x"),
    "PrivateKey.load with a wrong password": lambda data, path: PrivateKey.load(data, "y"),
    "PrivateKey.load with a function": lambda data, path: PrivateKey.load(data, _password),
    "PublicKey.load": lambda data, path: PublicKey.load(data),
    "PKCS12.load": lambda data, path: PKCS12.load(data),
    "PKCS12.load with a password": lambda data, path: PKCS12.load(data, "x"),
    "PKCS12.load with a wrong password": lambda data, path: PKCS12.load(data, "y"),
    "PKCS12.load with a function": lambda data, path: PKCS12.load(data, _password),
    "load_uri": lambda data, path: pyossl.load_uri(str(path)),
    "load_uri with a password": lambda data, path: pyossl.load_uri(f"file:{path}", "x"),
    "load_uri with a wrong password": lambda data, path: pyossl.load_uri(str(path), "y"),
    "load_uri of a kind": lambda data, path: pyossl.load_uri(str(path), kind=Certificate),
    "load_uri of CRLs": lambda data, path: pyossl.load_uri(str(path), kind=CRL),
    "Store.of": lambda data, path: Store.of(path),
    "Store.add": lambda data, path: Store.empty().add(data),
    "Store.add_crl": lambda data, path: Store.empty().add_crl(data),
    "Context.client": lambda data, path: Context.client(trust=path),
    "Context.server": lambda data, path: Context.server(path, path, password="x"),
    "Name": lambda data, path: pyossl.x509.names.Name(data),
    "CertificateBuilder.of": lambda data, path: CertificateBuilder.of(Certificate.load(data)).text,
    "crypto.load_certificate": lambda data, path: crypto.load_certificate(crypto.FILETYPE_ASN1, data),
    "crypto.load_privatekey": lambda data, path: crypto.load_privatekey(crypto.FILETYPE_PEM, data, b"x"),
    "crypto.load_publickey": lambda data, path: crypto.load_publickey(crypto.FILETYPE_PEM, data),
}


NEVER = ("Name", "PKCS12.load", "PKCS12.load with a wrong password")


@pytest.mark.parametrize("loader", LOADERS)
def test_a_load_leaves_no_error_behind_whether_it_succeeds_or_fails(loader: str, tmp_path: Path) -> None:
    path = tmp_path / "source"
    loaded = 0
    for name, data in SOURCES.items():
        path.write_bytes(data)
        with suppress(pyossl.Error, crypto.Error):
            LOADERS[loader](data, path)
            loaded += 1
        assert lib.ERR_peek_error() == 0, name
    assert (loaded > 0) == (loader not in NEVER)


def test_what_was_loaded_is_looked_at_without_an_error_left_behind() -> None:
    for der in (BAD_CRL, BAD_ISSUER):
        try:
            crl = CRL.load(der)
        except pyossl.DecodeError:  # 4.0 refuses it
            assert lib.ERR_peek_error() == 0
            continue
        assert lib.ERR_peek_error() == 0
        assert list(crl)
        assert crl == CRL._from_der(der)
        assert crl.to_pem()
        assert len(crl) == 1
        assert crl.text
        assert lib.ERR_peek_error() == 0
        with suppress(pyossl.DecodeError):
            crl.find(7)
        assert lib.ERR_peek_error() == 0
        store = Store.of(Certificate.load(ISSUER.der))
        with suppress(pyossl.CertificateError):
            store.verify(Certificate.load(make("leaf", ISSUER).der), crls=[crl])
        assert lib.ERR_peek_error() == 0


def test_a_stale_error_of_another_library_changes_no_load() -> None:
    lib.OBJ_txt2obj(b"no such name", 0)
    assert lib.ERR_peek_error() != 0
    assert Certificate.load(OWN.certificate.to_der()) == OWN.certificate
    lib.OBJ_txt2obj(b"no such name", 0)
    assert len(pyossl.load_crls(_crl().to_der() * 2)) == 2
    lib.OBJ_txt2obj(b"no such name", 0)
    assert PrivateKey.load(OWN.private_key.to_der()) == OWN.private_key
    assert lib.ERR_peek_error() == 0
