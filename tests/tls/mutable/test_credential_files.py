"""A ``MutableContext`` loads its credentials and its Diffie-Hellman parameters from files."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pairs import shake_hands

import pyossl
from pyossl.core.outcome import Record
from pyossl.tls.mutable.mutable_connection import MutableConnection
from pyossl.tls.mutable.mutable_context import Method, MutableContext

SECRET = b"open sesame"


class Files:
    """The files of an identity: certificate, key, both in one, and the key encrypted."""

    def __init__(self, folder: Path, credentials: pyossl.Credentials) -> None:
        self.credentials = credentials
        certificates = b"".join(each.to_pem() for each in (credentials.certificate, *credentials.chain))
        self.certificate = self._written(folder / "certificate.pem", certificates)
        self.key = self._written(folder / "key.pem", credentials.private_key.to_pem())
        self.both = self._written(folder / "both.pem", certificates + credentials.private_key.to_pem())
        self.encrypted = self._written(folder / "encrypted.pem", credentials.private_key.to_pem(SECRET))

    def _written(self, path: Path, data: bytes) -> str:
        path.write_bytes(data)
        return str(path)


@pytest.fixture
def files(tmp_path: Path, authority: pyossl.Authority) -> Files:
    between = pyossl.Authority("between", parent=authority)
    return Files(tmp_path, between.issue("example.com"))


@pytest.fixture(params=[False, True], ids=["frozen", "live"])
def context(request: pytest.FixtureRequest) -> MutableContext:
    return MutableContext(Method.TLS_SERVER, live=request.param)


def shown(authority: pyossl.Authority, context: MutableContext) -> pyossl.Connection:
    client = pyossl.Connection(pyossl.Context.client(trust=authority.certificate), "example.com")
    server = MutableConnection(context)
    server.set_accept_state()
    shake_hands(client, server)
    return client


def test_certificate_chain_and_key_are_loaded(
    authority: pyossl.Authority, files: Files, context: MutableContext
) -> None:
    context.load_credentials(files.certificate, files.key)
    client = shown(authority, context)
    assert client.peer_certificate == files.credentials.certificate
    assert client.peer_chain == (files.credentials.certificate, *files.credentials.chain)


def test_one_file_may_have_both(authority: pyossl.Authority, files: Files, context: MutableContext) -> None:
    context.load_credentials(files.both.encode())
    assert shown(authority, context).peer_certificate == files.credentials.certificate


@pytest.mark.parametrize("password", [SECRET, SECRET.decode(), lambda: SECRET], ids=["bytes", "str", "function"])
def test_a_password_is_given(password: Any, authority: pyossl.Authority, files: Files, context: MutableContext) -> None:
    context.load_credentials(files.certificate, files.encrypted, password)
    assert shown(authority, context).peer_certificate == files.credentials.certificate


class OnPurposeError(Exception):
    pass


def raising() -> bytes:
    raise OnPurposeError


@pytest.mark.parametrize(
    ("password", "kind"),
    [
        (raising, OnPurposeError),
        (lambda: 5, TypeError),
        (lambda: b"x" * 100_000, ValueError),
        (b"x" * 100_000, ValueError),
        (7, TypeError),
        (b"wrong", pyossl.Error),
        (None, pyossl.Error),
    ],
    ids=["raises", "no text", "too long", "too long bytes", "a number", "wrong", "none"],
)
def test_without_the_password_nothing_is_loaded(
    password: Any, kind: type[Exception], authority: pyossl.Authority, files: Files, context: MutableContext
) -> None:
    other = authority.issue("example.com")
    context.use_credentials(other.certificate, other.private_key)
    with pytest.raises(kind):
        context.load_credentials(files.certificate, files.encrypted, password)
    assert shown(authority, context).peer_certificate == other.certificate


def test_a_password_is_not_asked_for_if_none_is_needed(files: Files, context: MutableContext) -> None:
    context.load_credentials(files.certificate, files.key, raising)


@pytest.mark.parametrize("missing", ["certificate", "key"])
def test_a_missing_file_is_an_os_error_with_its_path(missing: str, files: Files, context: MutableContext) -> None:
    Path(getattr(files, missing)).unlink()
    with pytest.raises(FileNotFoundError) as caught:
        context.load_credentials(files.certificate, files.key)
    assert caught.value.errno == errno.ENOENT
    assert caught.value.filename == getattr(files, missing)


def records(call: Callable[[], object]) -> tuple[Record, ...]:
    with pytest.raises(pyossl.Error) as caught:
        call()
    return caught.value.records


def test_a_file_without_a_certificate_is_openssls_error(files: Files, tmp_path: Path, context: MutableContext) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    for arguments in ((str(empty),), (files.certificate, str(empty)), (files.certificate,)):
        assert "PEM" in " ".join(map(str, records(lambda of=arguments: context.load_credentials(*of)))).upper()


def test_a_key_of_another_certificate_is_refused(
    authority: pyossl.Authority, files: Files, tmp_path: Path, context: MutableContext
) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(authority.issue("example.com").private_key.to_pem())
    assert any(
        "key values mismatch" in str(each)
        for each in records(lambda: context.load_credentials(files.certificate, str(other)))
    )


DH = """-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""


def cipher_with(context: MutableContext, authority: pyossl.Authority) -> str:
    """The cipher of a handshake in which the server uses its Diffie-Hellman parameters."""
    own = authority.issue("example.com", private_key=pyossl.PrivateKey.generate("RSA", bits=2048))
    context.use_credentials(own.certificate, own.private_key)
    context.set_maximum(pyossl.Version.TLSv1_2)
    context.choose_ciphers(b"DHE+AESGCM")
    cipher = shown(authority, context).cipher
    assert cipher is not None
    return cipher


def test_diffie_hellman_parameters_are_loaded_from_a_file(
    authority: pyossl.Authority, tmp_path: Path, context: MutableContext
) -> None:
    path = tmp_path / "dh.pem"
    path.write_text(DH)
    context.load_dh_parameters(str(path))
    assert cipher_with(context, authority).startswith("DHE")


def test_the_parameters_of_a_curve_before_them_are_passed_over(
    authority: pyossl.Authority, tmp_path: Path, context: MutableContext
) -> None:
    """They come first in a file that openssl-ecparam(1) and then openssl-dhparam(1) have written."""
    curve = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    path = tmp_path / "both.pem"
    path.write_text(curve)
    for refused in (lambda: context.load_dh_parameters(str(path)), lambda: context.use_dh_parameters(curve.encode())):
        assert records(refused)
    path.write_text(curve + DH)
    context.load_dh_parameters(str(path))
    context.use_dh_parameters((curve + DH).encode())
    assert cipher_with(context, authority).startswith("DHE")


def test_a_frozen_context_does_not_even_read_diffie_hellman_parameters() -> None:
    """What it had read would belong to nobody."""
    context = MutableContext(Method.TLS)
    context._freeze()
    with pytest.raises(pyossl.UsageError, match="frozen"):
        context.use_dh_parameters(b"not PEM")


def test_another_file_has_no_diffie_hellman_parameters(files: Files, context: MutableContext) -> None:
    assert any("no start line" in str(each) for each in records(lambda: context.load_dh_parameters(files.certificate)))
    with pytest.raises(FileNotFoundError):
        context.load_dh_parameters(files.certificate + ".missing")
