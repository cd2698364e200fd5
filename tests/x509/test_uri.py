"""Loading by URI: files in every format.  PKCS#11 tokens: tests/interop/test_tokens.py"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from x509.certificate_making import crl_der, make, openssl, revoke

import pyossl
from pyossl import CRL, PKCS12, Certificate, PrivateKey, PublicKey, lib, load_uri

PASSWORD = "pässword"


@pytest.fixture
def folder(tmp_path: Path, credentials: pyossl.Credentials, authority: pyossl.Authority) -> Path:
    certificate, key = credentials.certificate, credentials.private_key
    issuer = make("an issuer", ca=True)
    crl = CRL.load(crl_der(revoke(issuer, {1: None})))
    files = {
        "key.pem": key.to_pem(),
        "key.der": key.to_der(),
        "locked.pem": key.to_pem(PASSWORD),
        "locked.der": key.to_der(PASSWORD),
        "public.pem": key.public_key.to_pem(),
        "certificate.pem": certificate.to_pem(),
        "certificate.der": certificate.to_der(),
        "crl.pem": crl.to_pem(),
        "bundle.pem": certificate.to_pem() + key.to_pem() + authority.certificate.to_pem() + crl.to_pem(),
        "all.p12": PKCS12(key, certificate, [authority.certificate]).to_der(PASSWORD),
        "garbage": b"garbage",
        "empty": b"",
        "cut.pem": certificate.to_pem() + key.to_pem()[:100],
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.mark.feature("keys and certificates by URI")
@pytest.mark.parametrize("form", ["{}", "file:{}", "file://{}", "file://localhost{}"])
def test_a_file_is_loaded_by_its_path_and_by_its_uri(form: str, folder: Path, credentials: pyossl.Credentials) -> None:
    for name in ("key.pem", "key.der"):
        assert load_uri(form.format(folder / name)) == [credentials.private_key]
    for name in ("certificate.pem", "certificate.der"):
        assert load_uri(form.format(folder / name)) == [credentials.certificate]


def test_all_that_is_in_a_file_comes_in_its_order(
    folder: Path, credentials: pyossl.Credentials, authority: pyossl.Authority
) -> None:
    certificate, key, root, crl = load_uri(str(folder / "bundle.pem"))
    assert (certificate, key, root) == (credentials.certificate, credentials.private_key, authority.certificate)
    assert isinstance(crl, CRL)
    assert load_uri(str(folder / "crl.pem")) == [crl]


def test_a_kind_selects_the_objects_of_that_kind(
    folder: Path, credentials: pyossl.Credentials, authority: pyossl.Authority
) -> None:
    bundle = str(folder / "bundle.pem")
    assert load_uri(bundle, kind=Certificate) == [credentials.certificate, authority.certificate]
    assert load_uri(bundle, kind=PrivateKey) == [credentials.private_key]
    assert len(load_uri(bundle, kind=CRL)) == 1
    with pytest.raises(pyossl.DecodeError, match="there is no PublicKey"):
        load_uri(bundle, kind=PublicKey)


@pytest.mark.parametrize("type", ["EC", "RSA", "DSA", "ED25519", "X448"])
def test_a_public_key_is_no_private_one(type: str, tmp_path: Path) -> None:
    """Before 3.0 an OSSL_STORE does not distinguish the two."""
    key = PrivateKey.generate(type)
    path = tmp_path / "key.pem"
    path.write_bytes(key.public_key.to_pem())
    assert load_uri(str(path)) == load_uri(str(path), kind=PublicKey) == [key.public_key]
    with pytest.raises(pyossl.DecodeError, match="there is no PrivateKey"):
        load_uri(str(path), kind=PrivateKey)
    path.write_bytes(key.to_pem())
    assert load_uri(str(path)) == load_uri(str(path), kind=PrivateKey) == [key]


LOCKED = pytest.mark.parametrize("name", ["locked.pem", "locked.der", "all.p12"])


@LOCKED
@pytest.mark.parametrize("password", [PASSWORD, PASSWORD.encode(), lambda: PASSWORD], ids=["str", "bytes", "function"])
def test_a_password_opens_what_is_locked(
    name: str, password: pyossl.x509.keys.Password, folder: Path, credentials: pyossl.Credentials
) -> None:
    found = load_uri(str(folder / name), password)
    assert credentials.private_key in found
    assert (credentials.certificate in found) == (name == "all.p12")


@LOCKED
@pytest.mark.parametrize("password", ["wrong", b"", None, lambda: "wrong"], ids=["wrong", "empty", "none", "function"])
def test_a_wrong_or_missing_password_is_told_and_never_asked_for(
    name: str, password: pyossl.x509.keys.Password | None, folder: Path
) -> None:
    for arguments in ({}, {"kind": PrivateKey}):
        with pytest.raises(pyossl.PasswordError, match="password") as caught:
            load_uri(str(folder / name), password, **arguments)  # type: ignore[call-overload]
        assert ("needs" in str(caught.value)) == (password is None)


def test_a_function_is_not_asked_without_need_and_what_it_raises_is_raised(folder: Path) -> None:
    def ask() -> str:
        raise KeyboardInterrupt

    assert load_uri(str(folder / "key.pem"), ask)
    with pytest.raises(KeyboardInterrupt):
        load_uri(str(folder / "locked.pem"), ask)


@pytest.mark.parametrize("name", ["garbage", "empty"])
def test_a_file_without_any_object_is_malformed(name: str, folder: Path) -> None:
    with pytest.raises(pyossl.DecodeError):
        load_uri(str(folder / name))


def test_a_file_that_is_malformed_behind_its_beginning_is_malformed(folder: Path) -> None:
    path = folder / "spoiled.pem"
    path.write_bytes(
        (folder / "certificate.pem").read_bytes().replace(b"\nMII", b"\nMIX") + (folder / "key.pem").read_bytes()
    )
    with pytest.raises(pyossl.DecodeError):
        load_uri(str(path))


def test_what_is_not_there_is_an_oserror(tmp_path: Path) -> None:
    for uri in (str(tmp_path / "missing"), f"file:{tmp_path}/missing", f"file://{tmp_path}/missing"):
        with pytest.raises(FileNotFoundError) as caught:
            load_uri(uri)
        assert isinstance(caught.value, pyossl.TransportError)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux's /proc: a file whose every read fails")
@pytest.mark.parametrize("kind", [None, Certificate])
def test_a_file_that_cannot_be_read_is_given_up(kind: type[Certificate] | None) -> None:
    with pytest.raises(pyossl.Error):
        load_uri("/proc/self/mem", kind=kind)


@pytest.mark.parametrize("uri", ["nobodys-scheme:token=mine", "http://localhost/key.pem"])
def test_an_unknown_scheme_is_unsupported(uri: str) -> None:
    with pytest.raises(pyossl.UnsupportedError, match="URIs that begin with"):
        load_uri(uri)


def test_a_folder_has_the_uris_of_its_files(folder: Path, credentials: pyossl.Credentials) -> None:
    names = load_uri(str(folder))
    assert {os.path.basename(str(name)) for name in names} == {path.name for path in folder.iterdir()}
    key = next(str(name) for name in names if str(name).endswith("/key.pem"))
    assert load_uri(key) == [credentials.private_key]


@pytest.mark.parametrize("uri", ["", "a\0b"])
def test_what_is_no_uri_is_refused(uri: str) -> None:
    with pytest.raises((ValueError, pyossl.Error)):
        load_uri(uri)


def test_a_file_may_be_of_any_kind_that_openssl_reads(tmp_path: Path, authority: pyossl.Authority) -> None:
    """Parameters have no class in pyossl, and the uses after a trusted certificate are not part of it."""
    path = tmp_path / "file.pem"
    trusted = openssl("x509", "-trustout", "-addtrust", "serverAuth", input=authority.certificate.to_pem())
    assert b"TRUSTED" in trusted
    key = openssl("ecparam", "-name", "prime256v1", "-genkey")
    assert b"PARAMETERS" in key
    path.write_bytes(trusted + key)
    assert load_uri(str(path)) == [authority.certificate, PrivateKey.load(key)]


@pytest.mark.skipif(not lib.HAVE_API_3_0, reason="to OpenSSL before 3.0 these are no keys that a store has")
def test_a_file_may_be_of_an_odd_kind(tmp_path: Path) -> None:
    key = PrivateKey.generate("RSA")
    path = tmp_path / "file"
    path.write_bytes(openssl("rsa", "-pubin", "-RSAPublicKey_out", input=key.public_key.to_pem()))
    assert load_uri(str(path)) == [key.public_key]
    path.write_bytes(openssl("rsa", "-outform", "MSBLOB", input=key.to_pem()))
    assert load_uri(str(path)) == [key]


def test_a_missing_file_is_found_once_it_exists(tmp_path: Path, credentials: pyossl.Credentials) -> None:
    """OpenSSL first tries a URI as a path, whatever its scheme."""
    path = tmp_path / "file:key.pem"
    path.write_bytes(credentials.private_key.to_pem())
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        assert load_uri("file:key.pem") == [credentials.private_key]
        with pytest.raises(FileNotFoundError):
            load_uri("file:other.pem")
    finally:
        os.chdir(before)


def test_a_file_without_an_end_is_given_up() -> None:
    with pytest.raises(pyossl.DecodeError, match="more than"):
        load_uri("/dev/zero")


def test_one_load_does_not_wait_for_another(tmp_path: Path, credentials: pyossl.Credentials, folder: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    loaded: list[Any] = []
    waiting = threading.Thread(target=lambda: loaded.extend(load_uri(str(pipe))))
    waiting.start()
    # Opening a pipe for writing waits until it is open for reading.
    with open(pipe, "wb") as file:
        assert load_uri(str(folder / "locked.pem"), PASSWORD) == [credentials.private_key]
        assert load_uri(str(folder / "key.pem")) == [credentials.private_key]
        assert load_uri(str(folder))
        file.write(credentials.certificate.to_pem())
    waiting.join()
    assert loaded == [credentials.certificate]


class _InterruptionError(Exception):
    pass


# A file leaks if the signal arrives between open() and the with statement.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", ["key.pem", "locked.pem", "all.p12", "", "missing", "garbage"])
def test_an_exception_of_a_signal_handler_leaves_no_lock_and_no_silence(name: str, folder: Path) -> None:
    """The signal may arrive at any line: each one is tried."""
    its_own = lib.UI_get_default_method()
    module = pyossl.x509.load_uri.__file__
    interrupted = True
    at = 0
    while interrupted:
        at += 1
        lines = iter(range(at))

        def trace(frame: FrameType, event: str, _: Any, lines: Any = lines) -> Callable[..., Any] | None:
            if frame.f_code.co_filename != module:
                return None
            if event == "line" and next(lines, None) is None:
                raise _InterruptionError
            return trace

        tracing = sys.gettrace()
        interrupted = False
        sys.settrace(trace)
        try:
            load_uri(str(folder / name), PASSWORD)
        except _InterruptionError:
            interrupted = True
        except pyossl.Error:
            pass
        finally:
            sys.settrace(tracing)
        pyossl.outcome.take_records()
        assert lib.UI_get_default_method() == its_own
        loaded: list[Any] = []
        other = threading.Thread(target=lambda into=loaded: into.extend(load_uri(str(folder))), daemon=True)
        other.start()
        other.join(10)
        assert loaded, f"interrupted at line {at} of what it runs, it keeps others from loading"
    assert at > 5


def test_many_loads_at_once_leave_what_asks_as_it_was(folder: Path) -> None:
    """docs/pitfalls.md, 50."""
    its_own = lib.UI_get_default_method()
    names = ["key.pem", "", "bundle.pem", "certificate.der"]
    counts: list[int] = []

    def load(name: str) -> None:
        for _ in range(20):
            counts.append(len(load_uri(str(folder / name))))

    threads = [threading.Thread(target=load, args=(name,)) for name in names * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counts) == 160
    assert lib.UI_get_default_method() == its_own
