"""Private keys: read from PEM and DER, with passwords, and never a prompt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import pyossl
from pyossl import PrivateKey


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return PrivateKey.generate()


def test_a_key_survives_pem(key: PrivateKey, tmp_path: Path) -> None:
    pem = key.to_pem()
    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert PrivateKey.load(pem).to_pem() == pem
    path = tmp_path / "key.pem"
    path.write_bytes(pem)
    assert PrivateKey.load(path).to_pem() == PrivateKey.load(str(path)).to_pem() == pem


def test_a_key_tells_its_type_and_size(key: PrivateKey) -> None:
    assert (key.type, key.bits) == ("EC", 256)
    assert repr(key) == "<PrivateKey EC 256 bits>"
    assert key.to_pem() != PrivateKey.generate().to_pem()


@pytest.mark.parametrize("password", ["secret", b"secret", "pässword", "x" * 1000])
def test_an_encrypted_key_is_opened_by_its_password(key: PrivateKey, password: str | bytes) -> None:
    pem = key.to_pem(password)
    assert b"ENCRYPTED" in pem
    assert PrivateKey.load(pem, password).to_pem() == key.to_pem()
    assert PrivateKey.load(pem, lambda: password).to_pem() == key.to_pem()


@pytest.mark.parametrize("password", ["wrong", b"", "", "s" * 5000])
def test_a_wrong_password_is_told_as_such(key: PrivateKey, password: str | bytes) -> None:
    """The issue: "wrong password"."""
    with pytest.raises(pyossl.PasswordError, match="was not opened by this password"):
        PrivateKey.load(key.to_pem("secret"), password)


def test_a_missing_password_is_told_as_such(key: PrivateKey) -> None:
    with pytest.raises(pyossl.PasswordError, match="needs a password"):
        PrivateKey.load(key.to_pem("secret"))


def test_a_password_is_asked_for_only_where_there_is_need(key: PrivateKey) -> None:
    def ask() -> str:
        pytest.fail("no password is needed")

    assert PrivateKey.load(key.to_pem(), ask).to_pem() == key.to_pem()


def test_an_exception_of_the_password_function_reaches_the_caller(key: PrivateKey) -> None:
    def ask() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        PrivateKey.load(key.to_pem("secret"), ask)


@pytest.mark.parametrize(
    ("load", "answer"),
    [
        ("pyossl.PrivateKey.load(path)", "refused"),
        ("lib.PEM_read_bio_PrivateKey(bio._bio, ffi.NULL, ffi.NULL, ffi.NULL)", "Enter PEM pass phrase:"),
    ],
    ids=["pyossl", "OpenSSL left to itself"],
)
def test_nothing_prompts_on_a_terminal(key: PrivateKey, tmp_path: Path, load: str, answer: str) -> None:
    """DESIGN: "Key files with a password never prompt on a terminal." OpenSSL alone does, as the second process shows.

    A process without a terminal is prompted on its standard streams.  docs/pitfalls.md, 50
    """
    path = tmp_path / "key.pem"
    path.write_bytes(key.to_pem("secret"))
    script = f"""
import sys, pyossl
from pyossl import ffi, lib
path = sys.argv[1]
bio = pyossl.BIO.memory(open(path, "rb").read())
try:
    {load}
except pyossl.PasswordError:
    print("refused")
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        input="secret\n",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout.strip()) == (0, answer)


@pytest.mark.parametrize("wrong", [b"", b"garbage", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_malformed(wrong: bytes) -> None:
    """The issue: "Garbage and truncated certificates and keys"."""
    with pytest.raises(pyossl.DecodeError, match=f"{len(wrong)} bytes") as caught:
        PrivateKey.load(wrong)
    assert not isinstance(caught.value, pyossl.PasswordError)


def test_a_certificate_is_no_key(credentials: pyossl.Credentials) -> None:
    with pytest.raises(pyossl.DecodeError):
        PrivateKey.load(credentials.certificate.to_pem())
    with pytest.raises(pyossl.DecodeError):
        PrivateKey.load(credentials.certificate.to_der())


@pytest.mark.parametrize("cut", [1, 60, 150])
def test_a_key_that_is_cut_is_malformed(key: PrivateKey, cut: int) -> None:
    with pytest.raises(pyossl.DecodeError):
        PrivateKey.load(key.to_pem()[:cut])


def test_an_error_never_tells_the_key(key: PrivateKey) -> None:
    pem = key.to_pem("secret")
    with pytest.raises(pyossl.PasswordError) as caught:
        PrivateKey.load(pem, "wrong-password")
    assert "wrong-password" not in str(caught.value)
    assert pem.decode()[40:60] not in str(caught.value)


@pytest.mark.parametrize("password", [5, ["x"], object()])
def test_a_password_is_text_or_bytes(key: PrivateKey, password: object) -> None:
    with pytest.raises(TypeError):
        PrivateKey.load(key.to_pem("secret"), password)  # type: ignore[arg-type]
