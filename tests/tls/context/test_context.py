"""Contexts: secure by default, complete when made, and frozen at their first connection."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest
from marks import needs
from pairs import carry, shake_hands

import pyossl
from pyossl import Version, lib

# Secure by default


@pytest.mark.feature("TLS without I/O")
def test_a_client_verifies_chain_and_name(client_context: pyossl.Context) -> None:
    """A client verifies the chain and the name by default."""
    assert client_context.verifies
    assert client_context.checks_hostname
    assert lib.SSL_CTX_get_verify_mode(client_context._ctx) == lib.SSL_VERIFY_PEER


def test_an_unknown_authority_is_refused(server_context: pyossl.Context) -> None:
    client = pyossl.Connection(pyossl.Context.client(trust=pyossl.Authority("other").certificate), "example.com")
    with pytest.raises(pyossl.CertificateError) as caught:
        shake_hands(client, pyossl.Connection(server_context))
    assert caught.value.code == lib.X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY


def test_the_systems_trust_does_not_trust_a_stranger(server_context: pyossl.Context) -> None:
    with pytest.raises(pyossl.CertificateError):
        shake_hands(pyossl.Connection(pyossl.Context.client(), "example.com"), pyossl.Connection(server_context))


def test_a_client_with_verify_false_accepts_any_certificate(server_context: pyossl.Context) -> None:
    context = pyossl.Context.client(verify=False)
    assert not context.verifies
    assert not context.checks_hostname
    client = pyossl.Connection(context)
    shake_hands(client, pyossl.Connection(server_context))
    assert client.verified_chain == () or client.verify_code != lib.X509_V_OK


def test_a_client_that_does_not_check_the_name_still_checks_the_chain(server_context: pyossl.Context) -> None:
    context = pyossl.Context.client(trust=pyossl.Authority("other").certificate, check_hostname=False)
    with pytest.raises(pyossl.CertificateError):
        shake_hands(pyossl.Connection(context), pyossl.Connection(server_context))


@pytest.mark.parametrize("side", ["client", "server"])
def test_there_is_no_compression_and_no_renegotiation_and_no_ignored_eof(
    side: str, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """DESIGN: "No compression, no renegotiation." docs/pitfalls.md, 6: `IGNORE_UNEXPECTED_EOF` stays off."""
    context = client_context if side == "client" else server_context
    options = lib.SSL_CTX_get_options(context._ctx)
    assert options & lib.SSL_OP_NO_COMPRESSION
    assert options & lib.SSL_OP_NO_RENEGOTIATION
    assert not options & lib.SSL_OP_IGNORE_UNEXPECTED_EOF


def test_tls_1_2_is_the_floor(client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    """DESIGN: "TLS 1.2 is the floor"."""
    for context in (client_context, server_context):
        assert context.minimum_version >= Version.TLSv1_2


def in_policy(tmp_path: Path, settings: str, question: str) -> str:
    """The output of a process whose openssl.cnf has these settings."""
    configuration = tmp_path / "openssl.cnf"
    configuration.write_text(
        "openssl_conf = conf\n[conf]\nssl_conf = ssl\n[ssl]\nsystem_default = policy\n[policy]\n" + settings
    )
    script = f"import pyossl; context = pyossl.Context.client(verify=False); print({question})"
    environment = {**os.environ, "OPENSSL_CONF": str(configuration)}
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    ).stdout.strip()


@pytest.mark.parametrize(
    ("settings", "question", "answer"),
    [
        ("MinProtocol = TLSv1.3\n", "context.minimum_version.name", "TLSv1_3"),
        ("MinProtocol = TLSv1\n", "context.minimum_version.name", "TLSv1_2"),
        ("CipherString = DEFAULT@SECLEVEL=3\n", "context.security_level", "3"),
    ],
)
def test_the_systems_policy_holds_and_the_floor_below_it(
    tmp_path: Path, settings: str, question: str, answer: str
) -> None:
    """DESIGN: "the system's policy (security level, cipher list, openssl.cnf) is respected, not overridden"."""
    assert in_policy(tmp_path, settings, question) == answer


# Versions


@pytest.mark.parametrize("version", [Version.TLSv1_2, Version.TLSv1_3] if lib.HAVE_TLS1_3 else [Version.TLSv1_2])
def test_a_version_may_be_the_only_one(
    version: Version, authority: pyossl.Authority, server_context: pyossl.Context
) -> None:
    context = pyossl.Context.client(trust=authority.certificate, minimum_version=version, maximum_version=version)
    assert (context.minimum_version, context.maximum_version) == (version, version)
    client = pyossl.Connection(context, "example.com")
    shake_hands(client, pyossl.Connection(server_context))
    assert client.version == version.name.replace("_", ".")


@needs("tls1_3")
def test_sides_with_no_version_in_common_refuse_each_other(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    """docs/pitfalls.md, 26: an alert is compared by its number: 70 is protocol_version."""
    client = pyossl.Connection(
        pyossl.Context.client(trust=authority.certificate, maximum_version=Version.TLSv1_2), "example.com"
    )
    server = pyossl.Connection(
        pyossl.Context.server(credentials.certificate, credentials.private_key, minimum_version=Version.TLSv1_3)
    )
    with pytest.raises(pyossl.Error):
        shake_hands(client, server)
    carry(client, server)
    with pytest.raises(pyossl.AlertError) as caught:
        client.handshake()
    assert caught.value.number == 70


def test_a_minimum_above_the_maximum_is_refused() -> None:
    with pytest.raises(ValueError, match="above the maximum"):
        pyossl.Context.client(minimum_version=Version.TLSv1_3, maximum_version=Version.TLSv1_2)
    with pytest.raises(ValueError, match="below the minimum"):
        pyossl.Context.client(maximum_version=Version.TLSv1_1)


# Freezing


def test_a_context_freezes_at_its_first_connection(authority: pyossl.Authority) -> None:
    """docs/pitfalls.md, 14."""
    newest = Version.TLSv1_3 if lib.HAVE_TLS1_3 else Version.TLSv1_2
    context = pyossl.Context.client(trust=authority.certificate)
    context.minimum_version = newest
    pyossl.Connection(context, "example.com")
    with pytest.raises(pyossl.UsageError, match="frozen"):
        context.minimum_version = Version.TLSv1_2
    with pytest.raises(pyossl.UsageError, match="frozen"):
        context.maximum_version = newest
    assert context.minimum_version is newest


# Credentials


def test_a_certificate_and_a_key_go_together(credentials: pyossl.Credentials) -> None:
    with pytest.raises(ValueError, match="go together"):
        pyossl.Context.client(certificate=credentials.certificate)
    with pytest.raises(ValueError, match="go together"):
        pyossl.Context.client(private_key=credentials.private_key)


def test_a_key_of_another_certificate_is_refused(authority: pyossl.Authority, tmp_path: Path) -> None:
    """The issue: "a key that does not match"."""
    first, second = authority.issue("a.example"), authority.issue("b.example")
    with pytest.raises(pyossl.Error, match=r"does not belong to the certificate 'CN=a\.example'"):
        pyossl.Context.server(first.certificate, second.private_key)
    key = tmp_path / "key.pem"
    key.write_bytes(second.private_key.to_pem())
    with pytest.raises(pyossl.Error, match=r"key\.pem"):
        pyossl.Context.server(first.certificate, key)


@pytest.mark.parametrize("form", ["objects", "bytes", "files", "paths"])
def test_credentials_come_from_objects_bytes_and_files(form: str, authority: pyossl.Authority, tmp_path: Path) -> None:
    below = pyossl.Authority("intermediate", parent=authority)
    credentials = below.issue("example.com")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(credentials.certificate_pem())
    key.write_bytes(credentials.private_key.to_pem())
    arguments = {
        "objects": ((credentials.certificate, *credentials.chain), credentials.private_key),
        "bytes": (chain.read_bytes(), key.read_bytes()),
        "files": (str(chain), str(key)),
        "paths": (chain, key),
    }
    client = pyossl.Connection(pyossl.Context.client(trust=authority.certificate), "example.com")
    shake_hands(client, pyossl.Connection(pyossl.Context.server(*arguments[form])))
    assert [c.subject for c in client.peer_chain] == ["CN=example.com", "CN=intermediate"]
    assert [c.subject for c in client.verified_chain] == ["CN=example.com", "CN=intermediate", "CN=pyossl test CA"]


@pytest.mark.parametrize("chain", [[], "", b"", [b"bytes"], ["text"]])
def test_a_chain_that_is_none_is_refused(chain: object, credentials: pyossl.Credentials) -> None:
    with pytest.raises((TypeError, ValueError, OSError)):
        pyossl.Context.server(chain, credentials.private_key)  # type: ignore[arg-type]


# Clients' certificates


@pytest.mark.parametrize("verify", [True, "optional"])
def test_a_server_that_verifies_needs_trust(verify: bool, credentials: pyossl.Credentials) -> None:
    with pytest.raises(ValueError, match="whose certificates"):
        pyossl.Context.server(credentials.certificate, credentials.private_key, verify=verify)


def test_a_server_sees_the_clients_certificate(authority: pyossl.Authority, credentials: pyossl.Credentials) -> None:
    context = pyossl.Context.server(
        credentials.certificate, credentials.private_key, verify=True, trust=authority.certificate
    )
    mine = authority.issue("client.example")
    client_context = pyossl.Context.client(
        trust=authority.certificate, certificate=mine.certificate, private_key=mine.private_key
    )
    client, server = pyossl.Connection(client_context, "example.com"), pyossl.Connection(context)
    shake_hands(client, server)
    assert server.peer_certificate == mine.certificate
    stranger = pyossl.Connection(pyossl.Context.client(trust=authority.certificate), "example.com")
    with pytest.raises(pyossl.Error, match="peer did not return a certificate"):
        shake_hands(stranger, pyossl.Connection(context))


def test_a_certificate_may_be_optional(
    authority: pyossl.Authority, credentials: pyossl.Credentials, client_context: pyossl.Context
) -> None:
    context = pyossl.Context.server(
        credentials.certificate, credentials.private_key, verify="optional", trust=authority.certificate
    )
    server = pyossl.Connection(context)
    shake_hands(pyossl.Connection(client_context, "example.com"), server)
    assert server.peer_certificate is None


# ALPN


def test_the_servers_order_decides(authority: pyossl.Authority, credentials: pyossl.Credentials) -> None:
    server_context = pyossl.Context.server(credentials.certificate, credentials.private_key, alpn=["h2", "http/1.1"])
    client_context = pyossl.Context.client(trust=authority.certificate, alpn=["http/1.1", "h2"])
    client, server = pyossl.Connection(client_context, "example.com"), pyossl.Connection(server_context)
    del server_context, client_context
    gc.collect()
    shake_hands(client, server)
    assert client.alpn == server.alpn == "h2"


def test_nothing_in_common_is_a_no_application_protocol(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    """RFC 7301, 3.2; the alert is 120."""
    server_context = pyossl.Context.server(credentials.certificate, credentials.private_key, alpn=["h2"])
    client = pyossl.Connection(pyossl.Context.client(trust=authority.certificate, alpn=["x"]), "example.com")
    server = pyossl.Connection(server_context)
    with pytest.raises(pyossl.Error):
        shake_hands(client, server)
    carry(client, server)
    with pytest.raises(pyossl.AlertError) as caught:
        client.handshake()
    assert caught.value.number == 120


@pytest.mark.parametrize("alpn", [[""], ["x" * 256], ["ü"], ["x" * 255] * 300])
def test_a_protocol_has_1_to_255_ascii_characters(alpn: list[str]) -> None:
    with pytest.raises(ValueError, match=r"ALPN|ascii"):
        pyossl.Context.client(alpn=alpn)


def test_one_protocol_is_not_a_sequence_of_them() -> None:
    with pytest.raises(TypeError):
        pyossl.Context.client(alpn="h2")
