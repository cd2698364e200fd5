"""The certificate and the key of a context: from URIs, in sequences, and as one object.

URIs of tokens are in tests/interop/test_tokens.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pairs import carry, shake_hands

import pyossl
from pyossl import PKCS12, Connection, Context, Credentials, PrivateKey, Store

PASSWORD = "pässword"


@pytest.fixture(scope="module")
def made() -> Credentials:
    """Credentials with a chain."""
    return pyossl.Authority("below", parent=ROOT).issue("localhost")


ROOT = pyossl.Authority("above")


@pytest.fixture
def folder(tmp_path: Path, made: Credentials) -> Path:
    for name, data in {
        "chain.pem": made.certificate_pem(),
        "certificate.der": made.certificate.to_der(),
        "issuer.pem": made.chain[0].to_pem(),
        "key.pem": made.private_key.to_pem(),
        "locked.pem": made.private_key.to_pem(PASSWORD),
        "two.pem": made.private_key.to_pem() + PrivateKey.generate().to_pem(),
        "all.p12": PKCS12(made.private_key, made.certificate, made.chain).to_der(PASSWORD),
        "root.pem": ROOT.certificate.to_pem(),
        "empty.pem": b"",
    }.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def chain_seen_by_a_client(server: Context) -> list[pyossl.Certificate]:
    client = Connection(Context.client(trust=ROOT.certificate), "localhost")
    shake_hands(client, Connection(server))
    return list(client.peer_chain)


# By URI


@pytest.mark.feature("credentials and trust of a context by URI")
@pytest.mark.parametrize("form", ["file:{}", "file://{}", "FILE:{}"])
def test_a_server_takes_certificate_and_key_by_uri(form: str, folder: Path, made: Credentials) -> None:
    server = Context.server(form.format(folder / "chain.pem"), form.format(folder / "key.pem"))
    assert chain_seen_by_a_client(server) == [made.certificate, *made.chain]


def test_a_uri_may_be_of_any_file_that_openssl_reads(folder: Path, made: Credentials) -> None:
    """With PKCS#12 one function gives the password of both, and is called once."""
    asked: list[None] = []
    everything = f"file:{folder / 'all.p12'}"
    server = Context.server(everything, everything, password=lambda: asked.append(None) or PASSWORD)  # type: ignore[func-returns-value]
    assert set(chain_seen_by_a_client(server)) == {made.certificate, *made.chain}
    assert len(asked) == 1


def test_a_client_takes_certificate_key_and_trust_by_uri(folder: Path, made: Credentials) -> None:
    trust = f"file:{folder / 'root.pem'}"
    server = Context.server(made, trust=trust, verify=True)
    own = f"file:{folder / 'chain.pem'}", f"file:{folder / 'locked.pem'}"
    client = Context.client(trust=trust, certificate=own[0], private_key=own[1], password=PASSWORD)
    ours, theirs = Connection(client, "localhost"), Connection(server)
    shake_hands(ours, theirs)
    carry(ours, theirs)
    assert theirs.peer_certificate == ours.peer_certificate == made.certificate


def test_a_directory_is_trusted_by_its_uri(folder: Path) -> None:
    assert Store.of(f"file:{folder}").directories == (str(folder),)
    assert Store.of([f"file:{folder / 'root.pem'}", folder / "issuer.pem"]).certificates


@pytest.mark.parametrize("password", ["wrong", b"", lambda: "wrong"])
def test_a_wrong_password_of_a_uri_is_told(password: Any, folder: Path, made: Credentials) -> None:
    with pytest.raises(pyossl.PasswordError, match="was not opened by this password"):
        Context.server(made.certificate, f"file:{folder / 'locked.pem'}", password=password)


def test_a_missing_password_of_a_uri_is_told(folder: Path, made: Credentials) -> None:
    with pytest.raises(pyossl.PasswordError, match="needs a password"):
        Context.server(made.certificate, f"file:{folder / 'locked.pem'}")


def test_an_exception_of_the_password_s_function_is_raised(folder: Path, made: Credentials) -> None:
    def ask() -> str:
        raise KeyError("on purpose")

    with pytest.raises(KeyError, match="on purpose"):
        Context.server(made.certificate, f"file:{folder / 'locked.pem'}", password=ask)
    with pytest.raises(TypeError, match="a password is str or bytes, not int"):
        Context.server(made.certificate, f"file:{folder / 'locked.pem'}", password=lambda: 1)  # type: ignore[arg-type,return-value]


def test_a_uri_has_to_name_one_private_key(folder: Path, made: Credentials) -> None:
    with pytest.raises(pyossl.DecodeError, match="names 2 private keys, and one is needed"):
        Context.server(made.certificate, f"file:{folder / 'two.pem'}")
    with pytest.raises(pyossl.DecodeError, match="there is no PrivateKey"):
        Context.server(made.certificate, f"file:{folder / 'root.pem'}")
    with pytest.raises(pyossl.DecodeError):
        Context.server(made.certificate, f"file:{folder / 'empty.pem'}")


@pytest.mark.parametrize(
    "make",
    [
        lambda uri, made: Context.server(uri, made.private_key),
        lambda uri, made: Context.server(made.certificate, uri),
        lambda uri, made: Context.client(trust=uri),
        lambda uri, made: Context.client(trust=[uri]),
        lambda uri, made: Context.client(certificate=uri, private_key=uri),
    ],
)
def test_a_uri_of_nothing_is_told(make: Callable[[str, Credentials], Context], folder: Path, made: Credentials) -> None:
    with pytest.raises(FileNotFoundError):
        make(f"file:{folder / 'missing'}", made)
    with pytest.raises(pyossl.UnsupportedError, match="'nobodys-scheme'"):
        make("nobodys-scheme:object=key", made)


def test_the_pin_in_a_uri_is_not_shown(made: Credentials) -> None:
    for uri in ("nobodys-scheme:object=key?pin-value=1234", "nobodys-scheme:object=key?a=b&PIN-VALUE=1234&c=d"):
        with pytest.raises(pyossl.Error) as caught:
            Context.server(made.certificate, uri)
        assert "1234" not in f"{caught.value} {caught.value.records}"


def test_a_file_whose_name_looks_like_a_uri_is_a_file(
    folder: Path, made: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    os.rename("key.pem", "pkcs11:key.pem")
    Context.server(made.certificate, "pkcs11:key.pem")
    Context.server(made.certificate, Path("pkcs11:key.pem"))
    with pytest.raises(FileNotFoundError):  # a Path is never a URI
        Context.server(made.certificate, Path("pkcs11:other.pem"))


# In sequences


def test_a_chain_is_made_of_certificates_paths_uris_and_bytes(folder: Path, made: Credentials) -> None:
    chain = [f"file:{folder / 'certificate.der'}", folder / "issuer.pem"]
    assert chain_seen_by_a_client(Context.server(chain, made.private_key)) == [made.certificate, *made.chain]
    chain = [made.certificate, made.chain[0].to_pem()]
    assert chain_seen_by_a_client(Context.server(chain, made.private_key)) == [made.certificate, *made.chain]


@pytest.mark.parametrize("certificate", [[1], [None], 1, object(), {}, [[]]])
def test_a_chain_of_anything_else_is_refused(certificate: Any, made: Credentials) -> None:
    with pytest.raises((TypeError, ValueError), match="chain"):
        Context.server(certificate, made.private_key)


# As one object


@pytest.mark.feature("an authority's credentials as one argument")
def test_a_server_and_a_client_take_credentials_as_one_argument(made: Credentials) -> None:
    for server in (Context.server(made), Context.server(credentials=made)):
        assert chain_seen_by_a_client(server) == [made.certificate, *made.chain]
    server = Context.server(made, trust=ROOT.certificate, verify=True)
    ours = Connection(Context.client(trust=ROOT.certificate, credentials=made), "localhost")
    theirs = Connection(server)
    shake_hands(ours, theirs)
    assert theirs.peer_certificate == made.certificate


@pytest.mark.parametrize(
    "others", [{"private_key": "key.pem"}, {"password": "x"}, {"certificate": "chain.pem"}, {"private_key": b""}]
)
def test_credentials_stand_alone(others: dict[str, Any], made: Credentials) -> None:
    for make in (Context.server, Context.client):
        with pytest.raises(ValueError, match="credentials have the certificate and the private key"):
            make(credentials=made, **others)


@pytest.mark.parametrize("credentials", [(), (1, 2), "chain.pem", 1])
def test_other_objects_are_no_credentials(credentials: Any) -> None:
    for make in (Context.server, Context.client):
        with pytest.raises(TypeError, match="credentials is a Credentials"):
            make(credentials=credentials)


def test_a_key_of_another_certificate_is_refused(made: Credentials) -> None:
    with pytest.raises(pyossl.Error, match="does not belong to the certificate 'CN=localhost'"):
        Context.server(made._replace(private_key=PrivateKey.generate()))


def test_a_server_without_credentials_is_refused_as_before() -> None:
    with pytest.raises(TypeError, match="a server needs its certificate and private key"):
        Context.server()
