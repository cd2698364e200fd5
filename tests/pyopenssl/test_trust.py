"""Contexts that trust the system: they share the parsed certificates, and each can be changed without the others."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from pyopenssl.pyopenssl_pairs import AUTHORITY, CREDENTIALS
from x509.certificate_making import make, revoke

import pyossl
from pyossl.pyopenssl import SSL, crypto

LEAF = CREDENTIALS.certificate


@pytest.fixture(autouse=True)
def _deprecated() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default file, which does not exist yet, and an empty default directory."""
    place = tmp_path / "trusted.pem"
    (tmp_path / "directory").mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(place))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "directory"))
    return place


def shown(certificate: pyossl.Certificate) -> crypto.X509:
    return crypto.load_certificate(crypto.FILETYPE_PEM, certificate.to_pem())


def new_store() -> crypto.X509Store:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_default_verify_paths()
    store = context.get_cert_store()
    assert store is not None
    return store


def chain_in(store: crypto.X509Store, leaf: pyossl.Certificate = LEAF) -> list[crypto.X509]:
    return crypto.X509StoreContext(store, shown(leaf)).get_verified_chain()


def refuses(store: crypto.X509Store, leaf: pyossl.Certificate = LEAF) -> bool:
    try:
        chain_in(store, leaf)
    except crypto.X509StoreContextError:
        return True
    return False


def test_the_default_file_is_read_again_when_it_has_changed(file: Path) -> None:
    assert refuses(new_store())
    file.write_bytes(pyossl.Authority().certificate.to_pem())
    before = new_store()
    assert refuses(before)
    file.write_bytes(AUTHORITY.certificate.to_pem())
    assert not refuses(new_store())
    assert refuses(before)
    file.unlink()
    assert refuses(new_store())


def test_a_certificate_added_to_one_context_is_not_trusted_by_another(file: Path) -> None:
    file.write_bytes(AUTHORITY.certificate.to_pem())
    stranger = pyossl.Authority()
    leaf = stranger.issue("localhost").certificate
    first, second = new_store(), new_store()
    first.add_cert(shown(stranger.certificate))
    assert not refuses(first, leaf)
    for other in (second, new_store()):
        assert refuses(other, leaf)
        assert not refuses(other)


def test_the_default_directory_is_looked_up_when_it_is_needed(file: Path) -> None:
    store = new_store()
    assert refuses(store)
    name = f"{shown(AUTHORITY.certificate).subject_name_hash():08x}.0"
    (Path(os.environ["SSL_CERT_DIR"]) / name).write_bytes(AUTHORITY.certificate.to_pem())
    assert not refuses(store)
    assert not refuses(new_store())


def test_revocations_in_the_file_are_used_too(file: Path) -> None:
    root = make("the root", ca=True)
    leaf = make("the leaf", root)
    crl = revoke(root, {leaf.certificate.serial_number: None})
    revoked = crl.public_bytes(serialization.Encoding.PEM)
    for crls, reason in ((b"", "unable to get certificate CRL"), (revoked, "certificate revoked")):
        file.write_bytes(root.pem + crls)
        store = new_store()
        store.set_flags(crypto.X509StoreFlags.CRL_CHECK)
        with pytest.raises(crypto.X509StoreContextError, match=reason):
            chain_in(store, pyossl.Certificate.load(leaf.der))


Change = Callable[[crypto.X509], object]
CHANGES: dict[str, tuple[Change, Change]] = {
    "key": (
        lambda certificate: certificate.set_pubkey(shown(LEAF).get_pubkey()),
        lambda certificate: crypto.dump_publickey(crypto.FILETYPE_PEM, certificate.get_pubkey()),
    ),
    "subject": (
        lambda certificate: setattr(certificate.get_subject(), "CN", "somebody else"),
        lambda certificate: certificate.get_subject().CN,
    ),
    "serial": (
        lambda certificate: certificate.set_serial_number(5),
        lambda certificate: certificate.get_serial_number(),
    ),
    "end": (
        lambda certificate: certificate.gmtime_adj_notAfter(-10),
        lambda certificate: certificate.get_notAfter(),
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_changing_a_trusted_certificate_changes_a_copy(file: Path, what: str) -> None:
    file.write_bytes(AUTHORITY.certificate.to_pem())
    change, read = CHANGES[what]
    store = new_store()
    root = chain_in(store)[-1]
    before = read(root)
    change(root)
    assert read(root) != before
    for each in (store, new_store()):
        assert read(chain_in(each)[-1]) == before
