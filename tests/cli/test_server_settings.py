"""Options with which a server tries what a client does: signature algorithms, tickets, OCSP, optional certificates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.cli_runs import in_a_pipe
from cli.cli_servers import Files, files, our_server
from marks import needs

import pyossl
from pyossl.cli.commands import main

assert files, "a fixture"

VERSIONS = [pytest.param("1.2")]
if pyossl.features.tls1_3:
    VERSIONS.append(pytest.param("1.3"))
each_version = pytest.mark.parametrize("version", VERSIONS)


def test_the_signature_algorithms_decide_which_certificate_a_client_takes(tmp_path: Path, files: Files) -> None:
    """The server has a key for ECDSA alone."""
    with our_server("--cert", files.certificate, "--key", files.key) as served:
        for command in ("client", "certs"):
            ran = in_a_pipe(command, served.where, "--ca", files.ca, "--sigalgs", "rsa_pss_rsae_sha256", "--json")
            assert ran.status == 1
            assert json.loads(ran.output)["error"]["type"] == "AlertError"
        ran = in_a_pipe("client", served.where, "--ca", files.ca, "--sigalgs", "ECDSA+SHA256:RSA+SHA256", "--json")
        offered = json.loads(ran.output)["offered"]["signature_algorithms"]
        assert offered == ["ecdsa_secp256r1_sha256", "rsa_pkcs1_sha256"]


def test_a_server_has_signature_algorithms_too(files: Files) -> None:
    own = "--cert", files.certificate, "--key", files.key
    with our_server(*own, "--ca", files.ca, "--sigalgs", "ecdsa_secp256r1_sha256") as served:
        ran = in_a_pipe("client", served.where, "--ca", files.ca, *own, "--json")
        asked = json.loads(ran.output)["client_certificate"]
    assert asked["signature_algorithms"] == ["ecdsa_secp256r1_sha256"]


@each_version
def test_a_client_certificate_can_be_optional(files: Files, version: str) -> None:
    own = "--cert", files.certificate, "--key", files.key
    with our_server(*own, "--ca", files.ca, "--client-cert", "optional") as served:
        for certificate, logged in (((), rb", no client certificate"), (own, rb", client CN=example.com")):
            ran = in_a_pipe("client", served.where, "--ca", files.ca, "--max", version, *certificate, feed=b"hello")
            assert (ran.status, ran.output) == (0, "hello"), ran
            served.program.wait_for(logged)


@needs("ocsp")
@pytest.mark.feature("OCSP and certificate timestamps on the command line")
@each_version
def test_a_server_staples_a_file(
    files: Files, version: str, authority: pyossl.Authority, credentials: pyossl.Credentials, tmp_path: Path
) -> None:
    response = tmp_path / "response.der"
    response.write_bytes(authority.ocsp_response(credentials.certificate).to_der())
    with our_server("--cert", files.certificate, "--key", files.key, "--staple", str(response)) as served:
        ran = in_a_pipe("client", served.where, "--ca", files.ca, "--max", version, "--require-ocsp", feed=b"hello")
    assert (ran.status, ran.output) == (0, "hello"), ran
    assert "  OCSP            good" in ran.errors


@needs("tls1_3")
@pytest.mark.parametrize("count", [0, 5])
def test_a_server_sends_that_many_tickets(files: Files, count: int) -> None:
    with our_server("--cert", files.certificate, "--key", files.key, "--tickets", str(count)) as served:
        report = json.loads(in_a_pipe("client", served.where, "--ca", files.ca, "--json").output)
    names = [each["name"] for each in report["handshake"]["messages"]]
    assert names.count("NewSessionTicket") == count


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tickets", "-1"], "a number of tickets is 0 to 100"),
        (["--tickets", "101"], "a number of tickets is 0 to 100"),
        (["--tickets", "x"], "a number of tickets is 0 to 100"),
        (["--client-cert", "optional"], "--client-cert needs --ca"),
        (["--client-cert", "never", "--ca", "x"], "invalid choice: 'never'"),
        (["--sigalgs", "nonsense"], "nonsense"),
        (["--staple", "/no/such/file"], "/no/such/file"),
    ],
    ids=lambda given: "=".join(given) if isinstance(given, list) else "",
)
def test_a_wrong_value_is_wrong_usage(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(["server", "--host", "203.0.113.1", *options])
    except SystemExit as ended:
        status = int(ended.code or 0)
    assert status == 2
    assert message in capsys.readouterr().err


ANONYMOUS = "--ciphers", "ALL:@SECLEVEL=0"


@needs("psk")
@pytest.mark.parametrize("who", ["a certificate", "a late certificate", "a key"])
def test_ciphers_that_let_in_everybody_are_wrong_usage_if_clients_have_to_show_who_they_are(
    who: str, files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = {
        "a certificate": ["--ca", files.ca],
        "a late certificate": ["--ca", files.ca, "--client-cert", "later"],
        "a key": ["--psk", "a:0011"],
    }
    assert main(["server", "--host", "203.0.113.1", *ANONYMOUS, *needed[who]]) == 2
    assert "add :!aNULL" in capsys.readouterr().err


def test_ciphers_without_a_certificate_are_there_for_tests(files: Files) -> None:
    with our_server(*ANONYMOUS, "--ca", files.ca, "--client-cert", "optional") as served:
        ran = in_a_pipe("client", served.where, "--no-verify", "--ciphers", "aNULL:@SECLEVEL=0", "--max", "1.2")
    assert ran.status == 0, ran
