"""OpenSSL's configuration language; afterwards the context's properties say what it verifies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pairs import meet, shake_hands

import pyossl
from pyossl import Context, Options, Version, lib


def accepting(connection: pyossl.Connection, verification: pyossl.Verification) -> bool:
    return True


@pytest.mark.feature("SSL_CONF commands")
def test_a_command_configures_the_context(client_context: Context, server_context: Context) -> None:
    """SSL_CONF_cmd(3)"""
    client_context.configure("MinProtocol", "TLSv1.3")
    client_context.configure("Options", "-SessionTicket")
    client_context.configure("Ciphersuites", "TLS_AES_128_GCM_SHA256")
    assert client_context.minimum_version is Version.TLSv1_3
    assert Options.NO_TICKET in client_context.options
    assert meet(client_context, server_context)[0].cipher == "TLS_AES_128_GCM_SHA256"


def test_a_minimum_that_is_taken_away_is_the_oldest_version(client_context: Context) -> None:
    client_context.configure("MinProtocol", "None")
    assert client_context.minimum_version is Version.TLSv1


@pytest.mark.parametrize(
    ("command", "value"),
    [("Nonsense", "1"), ("MinProtocol", "TLSv9"), ("", ""), ("CipherString", "nothing"), ("VerifyMode", "Nonsense")],
)
def test_a_command_or_value_that_there_is_not_is_refused(command: str, value: str, client_context: Context) -> None:
    with pytest.raises(ValueError, match="the configuration command"):
        client_context.configure(command, value)


@pytest.mark.parametrize(("command", "value"), [("MinProtocol\0", "TLSv1.3"), ("MinProtocol", "TLSv1.3\0")])
def test_a_nul_is_refused(command: str, value: str, client_context: Context) -> None:
    """docs/pitfalls.md, 17."""
    with pytest.raises(ValueError, match="NUL"):
        client_context.configure(command, value)


def test_verification_that_is_configured_away_is_known_to_be(client_context: Context, server_context: Context) -> None:
    client_context.configure("VerifyMode", "-Peer")
    assert not client_context.verifies
    assert not client_context.checks_hostname
    assert "verify=False" in repr(client_context)
    with pytest.raises(pyossl.UsageError, match="does not verify"):
        client_context.verify_callback = accepting
    with pytest.raises(pyossl.UsageError, match="does not verify"):
        pyossl.Connection(client_context, "example.com", email="a@example.com")
    shake_hands(pyossl.Connection(client_context), pyossl.Connection(server_context))


def test_verification_that_is_configured_is_known_and_fails_closed(server_context: Context) -> None:
    context = Context.client(verify=False)
    context.configure("VerifyMode", "Peer")
    assert context.verifies
    assert context.checks_hostname
    with pytest.raises(pyossl.UsageError, match="server_hostname is missing"):
        pyossl.Connection(context)
    with pytest.raises(pyossl.CertificateError):
        shake_hands(pyossl.Connection(context, "example.com"), pyossl.Connection(server_context))


def test_a_verify_callback_that_would_not_be_heeded_is_refused(client_context: Context) -> None:
    client_context.verify_callback = lambda connection, verification: False
    client_context.configure("VerifyMode", "-Peer")
    with pytest.raises(pyossl.UsageError, match="would not be called"):
        pyossl.Connection(client_context, "example.com")


def test_a_servers_verification_is_configured(authority: pyossl.Authority, credentials: pyossl.Credentials) -> None:
    context = Context.server(credentials.certificate, credentials.private_key, trust=authority.certificate)
    assert not context.verifies
    context.configure("VerifyMode", "Require")
    assert context.verifies
    assert not context.checks_hostname
    with pytest.raises(pyossl.CertificateError, match="did not return a certificate"):
        meet(Context.client(trust=authority.certificate), context)


def test_a_server_that_would_ask_after_the_handshake_does_not_verify(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    context = Context.server(credentials.certificate, credentials.private_key, trust=authority.certificate)
    context.configure("VerifyMode", "RequirePostHandshake")
    assert lib.SSL_CTX_get_verify_mode(context._ctx) & lib.SSL_VERIFY_PEER
    assert not context.verifies
    meet(Context.client(trust=authority.certificate), context)


def test_credentials_are_configured_and_an_encrypted_key_is_refused_without_a_prompt(
    credentials: pyossl.Credentials, client_context: Context, server_context: Context, tmp_path: Path
) -> None:
    """DESIGN: "Key files with a password never prompt on a terminal"."""
    (tmp_path / "chain.pem").write_bytes(credentials.certificate_pem())
    (tmp_path / "key.pem").write_bytes(credentials.private_key.to_pem(b"a password"))
    server_context.configure("Certificate", str(tmp_path / "chain.pem"))
    with pytest.raises(ValueError, match="PrivateKey"):
        server_context.configure("PrivateKey", str(tmp_path / "key.pem"))
    assert lib.SSL_CTX_get_default_passwd_cb(server_context._ctx) != pyossl.ffi.NULL


@pytest.mark.feature("a section of openssl.cnf")
def test_a_section_of_the_systems_configuration_is_applied(tmp_path: Path) -> None:
    """SSL_CTX_config(3)"""
    (tmp_path / "openssl.cnf").write_text(
        "openssl_conf = conf\n[conf]\nssl_conf = ssl\n[ssl]\nmodern = modern\nopen = open\n"
        "[modern]\nMinProtocol = TLSv1.3\n[open]\nVerifyMode = -Peer\n"
    )
    script = """
import pyossl
context = pyossl.Context.client()
context.configure_section("modern")
print(context.minimum_version.name, context.verifies)
context.configure_section("open")
print(context.verifies, context.checks_hostname)
for name in "nothing", "modern\\0":
    try:
        context.configure_section(name)
    except ValueError:
        print("refused")
"""
    environment = {**os.environ, "OPENSSL_CONF": str(tmp_path / "openssl.cnf")}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert (done.stdout, done.stderr) == ("TLSv1_3 True\nFalse False\nrefused\nrefused\n", "")
