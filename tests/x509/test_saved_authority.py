"""An authority is saved into a folder and loaded again, with its key locked and its revocations kept."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from x509.certificate_making import DAY, NOW, crl_der, make, openssl, raw, revoke

import pyossl
from pyossl import CRL, Authority, Certificate, Credentials, DecodeError, PasswordError, RevocationReason, Store

FILES = ["ca-key.pem", "ca.pem", "crl.pem"]


@pytest.fixture
def ca() -> Authority:
    return Authority("saved CA")


@pytest.mark.feature("an authority that is saved and loaded")
@pytest.mark.parametrize("password", ["secret", b"secret", lambda: "secret", "x" * 2000, None])
def test_a_loaded_authority_is_the_one_that_was_saved(ca: Authority, tmp_path: Path, password: Any) -> None:
    folder = tmp_path / "deep" / "folder"
    ca.revoke(5, RevocationReason.SUPERSEDED)
    ca.save(folder, password)
    loaded = Authority.load(str(folder), password)
    assert loaded.certificate == ca.certificate
    assert loaded.credentials.private_key == ca.credentials.private_key
    assert loaded.revoked == ca.revoked
    before, after = CRL.load(folder / "crl.pem").number, loaded.crl().number
    assert before is not None
    assert after is not None
    assert after > before
    own = loaded.issue("a.example")
    assert Store.of(ca.certificate).verify(own.certificate, name="a.example", crls=[loaded.crl()])


@pytest.mark.feature("an authority that is saved and loaded")
def test_only_the_owner_can_read_the_key(ca: Authority, tmp_path: Path) -> None:
    old_mask = os.umask(0)
    try:
        ca.save(tmp_path / "ca", "secret")
        ca.save(tmp_path / "ca", "secret")
    finally:
        os.umask(old_mask)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "ca").iterdir()}
    assert modes == {"ca-key.pem": 0o600, "ca.pem": 0o644, "crl.pem": 0o644}
    assert stat.S_IMODE((tmp_path / "ca").stat().st_mode) == 0o700


@pytest.mark.feature("an authority that is saved and loaded")
def test_the_openssl_program_reads_the_files(ca: Authority, tmp_path: Path) -> None:
    ca.save(tmp_path, "secret")
    key = str(tmp_path / "ca-key.pem")
    assert b"ENCRYPTED PRIVATE KEY" in Path(key).read_bytes()
    public = openssl("pkey", "-in", key, "-passin", "pass:secret", "-pubout")
    assert public == openssl("x509", "-in", str(tmp_path / "ca.pem"), "-noout", "-pubkey")
    openssl("pkey", "-in", key, "-passin", "pass:wrong", "-noout", fails=True)
    openssl("crl", "-in", str(tmp_path / "crl.pem"), "-CAfile", str(tmp_path / "ca.pem"), "-noout")


def test_an_authority_below_another_keeps_its_chain(ca: Authority, tmp_path: Path) -> None:
    third = Authority("third", parent=Authority("second", parent=ca))
    third.save(tmp_path, None)
    loaded = Authority.load(tmp_path)
    assert [each.subject for each in loaded.chain] == ["CN=third", "CN=second"]
    assert loaded.issue("a.example").chain == third.issue("a.example").chain


@pytest.mark.parametrize("password", [None, "wrong", "", b"wrong", lambda: "wrong"])
def test_a_wrong_password_is_refused(ca: Authority, tmp_path: Path, password: Any) -> None:
    ca.save(tmp_path, "secret")
    with pytest.raises(PasswordError):
        Authority.load(tmp_path, password)


def test_an_empty_password_saves_nothing(ca: Authority, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="password is empty"):
        ca.save(tmp_path / "ca", "")
    with pytest.raises(TypeError):
        ca.save(tmp_path / "ca", 5)  # type: ignore[arg-type]  # the wrong type
    assert not (tmp_path / "ca").exists()


def test_revocations_survive_saving_again(ca: Authority, tmp_path: Path) -> None:
    ca.save(tmp_path, None)
    loaded = Authority.load(tmp_path)
    loaded.revoke(7)
    loaded.save(tmp_path, None)
    assert [each.serial_number for each in Authority.load(tmp_path).revoked] == [7]


def test_a_revocation_of_another_program_is_not_lost(ca: Authority, tmp_path: Path) -> None:
    ca.save(tmp_path, None)
    first, second = Authority.load(tmp_path), Authority.load(tmp_path)
    first.revoke(1)
    first.save(tmp_path, None)
    second.revoke(2)
    with pytest.raises(pyossl.UsageError, match="load it again"):
        second.save(tmp_path, None)
    assert [each.serial_number for each in Authority.load(tmp_path).revoked] == [1]


def test_another_authority_is_not_overwritten(ca: Authority, tmp_path: Path) -> None:
    ca.save(tmp_path, None)
    before = {name: (tmp_path / name).read_bytes() for name in FILES}
    with pytest.raises(FileExistsError, match="another authority"):
        Authority("saved CA").save(tmp_path, None)
    (tmp_path / "ca.pem").unlink()
    with pytest.raises(FileExistsError, match="without its certificate"):
        Authority("saved CA").save(tmp_path, None)
    assert (tmp_path / "ca-key.pem").read_bytes() == before["ca-key.pem"]


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_an_error_also_the_crl(ca: Authority, tmp_path: Path, name: str) -> None:
    ca.revoke(5)
    ca.save(tmp_path, None)
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        Authority.load(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_cut_at_any_length_is_refused(ca: Authority, tmp_path: Path, name: str) -> None:
    ca.save(tmp_path, None)
    whole = (tmp_path / name).read_bytes().rstrip(b"-\n")
    for length in range(len(whole)):
        (tmp_path / name).write_bytes(whole[:length])
        with pytest.raises(DecodeError):
            Authority.load(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_authority_is_refused(ca: Authority, tmp_path: Path, name: str) -> None:
    ca.save(tmp_path / "one", None)
    Authority("saved CA").save(tmp_path / "other", None)
    shutil.copy(tmp_path / "other" / name, tmp_path / "one" / name)
    with pytest.raises(ValueError, match=r"private key is not that|is not one of the authority"):
        Authority.load(tmp_path / "one")


@pytest.mark.parametrize("at", ["mkdir", "replace", "fsync"])
def test_a_failed_save_leaves_the_old_files(
    ca: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    ca.save(tmp_path, None)
    before = {name: (tmp_path / name).read_bytes() for name in FILES}
    target: Any = Path if at == "mkdir" else os

    def fail(*arguments: Any, **named: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(target, at, fail)
    with pytest.raises(OSError, match="no space"):
        ca.save(tmp_path, None)
    monkeypatch.undo()
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_a_key_that_is_not_the_certificate_s_is_refused(ca: Authority) -> None:
    with pytest.raises(ValueError, match="private key is not that of the certificate"):
        Authority.of(Credentials(ca.certificate, pyossl.PrivateKey.generate()))


def test_a_certificate_that_is_not_an_authority_s_is_refused(ca: Authority) -> None:
    plain = make("a certificate without extensions")
    bare = Credentials(Certificate.load(plain.pem), pyossl.PrivateKey.load(plain.key_pem))
    for own in (ca.issue("a.example"), pyossl.self_signed("a.example"), bare):
        with pytest.raises(ValueError, match="not that of an authority"):
            Authority.of(own)


def test_a_crl_that_is_not_complete_is_refused() -> None:
    theirs = make("theirs", ca=True)
    own = Credentials(Certificate.load(theirs.pem), pyossl.PrivateKey.load(theirs.key_pem))
    whole = revoke(theirs, {5: None})
    assert len(Authority.of(own, CRL.load(crl_der(whole))).revoked) == 1

    def with_critical(extension: x509.ExtensionType) -> CRL:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(theirs.certificate.subject)
            .last_update(whole.last_update_utc)
            .next_update(whole.next_update_utc)  # type: ignore[arg-type]  # it has one
            .add_extension(extension, True)
        )
        return CRL.load(crl_der(builder.sign(theirs.key, hashes.SHA256())))

    with pytest.raises(ValueError, match="not a complete one"):
        Authority.of(own, with_critical(x509.DeltaCRLIndicator(1)))


def test_a_crl_with_a_malformed_entry_is_refused() -> None:
    theirs = make("theirs", ca=True)
    own = Credentials(Certificate.load(theirs.pem), pyossl.PrivateKey.load(theirs.key_pem))
    entry = x509.RevokedCertificateBuilder().serial_number(5).revocation_date(NOW)
    entry = entry.add_extension(raw("2.5.29.21", b"\x04\x01a"), False)
    builder = x509.CertificateRevocationListBuilder().issuer_name(theirs.certificate.subject)
    builder = builder.last_update(NOW).next_update(NOW + DAY).add_revoked_certificate(entry.build())
    crl = CRL.load(crl_der(builder.sign(theirs.key, hashes.SHA256())))
    with pytest.raises(DecodeError, match="CRLReason"):
        Authority.of(own, crl)


@pytest.mark.parametrize(
    "call",
    [
        lambda ca, folder: Authority.load(5),
        lambda ca, folder: Authority.load(None),
        lambda ca, folder: ca.save(None, None),
        lambda ca, folder: ca.save(5, None),
        lambda ca, folder: ca.save(folder),
        lambda ca, folder: Authority.of(ca),
        lambda ca, folder: Authority.of((ca.certificate, ca.credentials.private_key, ())),
        lambda ca, folder: Authority.of(ca.credentials, "crl"),
    ],
)
def test_what_is_of_the_wrong_type_is_refused(ca: Authority, tmp_path: Path, call: Callable[..., Any]) -> None:
    with pytest.raises(TypeError):
        call(ca, tmp_path)


def test_a_file_is_no_folder(ca: Authority, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    with pytest.raises(OSError, match="file"):
        ca.save(tmp_path / "file", None)
    with pytest.raises(OSError, match="file"):
        Authority.load(tmp_path / "file")
