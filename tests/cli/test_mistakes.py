"""Mistakes of new users: the message says what to write instead, and the exit status is 2."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.cli_servers import Files, files

import pyossl
from pyossl.cli.commands import main
from pyossl.cli.host_and_port import HostAndPort

assert files, "a fixture"

WITH_CREDENTIALS = ("client", "certs", "trace")
CONNECTING = (*WITH_CREDENTIALS, "scan")


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The last line of the error message for these arguments."""
    try:
        status = main(list(arguments))
    except SystemExit as ended:
        status = int(ended.code or 0)
    printed = capsys.readouterr()
    assert (status, printed.out) == (2, "")
    assert printed.err.startswith("usage: python -m pyossl")
    return printed.err.splitlines()[-1]


@pytest.mark.parametrize("command", CONNECTING)
def test_a_url_is_refused_with_the_host_to_write(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    message = refusal(capsys, command, "https://example.com/")
    assert message.endswith("argument HOST[:PORT]: HOST[:PORT] cannot be a URL; write example.com")


@pytest.mark.parametrize(
    ("argument", "write"),
    [
        ("https://example.com", "example.com"),
        ("HTTPS://example.com:8443/a/b?c#d", "example.com:8443"),
        ("http://example.com?a", "example.com"),
        ("https://[2001:db8::1]:8443/", "[2001:db8::1]:8443"),
        ("https://[2001:db8::1]", "[2001:db8::1]"),
        ("wss://example.com/", "example.com"),
        ("imaps://mail.example.com", "mail.example.com:993"),
        ("ldaps://example.com:6360/", "example.com:6360"),
        ("smtp://mail.example.com/", "mail.example.com --starttls smtp"),
        ("postgresql://db.example.com/table", "db.example.com --starttls postgres"),
        ("smtp://mail.example.com:587", "mail.example.com:587"),
        ("https://", "for example, example.com:443"),
    ],
)
def test_a_url_of_any_form_is_refused_with_the_host_to_write(
    argument: str, write: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal(capsys, "client", argument).endswith(
        f"cannot be a URL; write {write}".replace("write for", "write, for")
    )


@pytest.mark.parametrize(
    ("argument", "write"),
    [
        ("example.com/", "example.com"),
        ("example.com:8443/index.html", "example.com:8443"),
        ("example.com?a", "example.com"),
        ("example.com#a", "example.com"),
        ("//example.com", "example.com"),
        ("//example.com/a", "example.com"),
        ("[::1]:8443/a", "[::1]:8443"),
    ],
)
def test_a_path_is_refused_with_the_host_to_write(
    argument: str, write: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal(capsys, "client", argument).endswith(f"cannot contain a path; write {write}")


def test_a_user_name_is_refused_with_the_host_to_write(capsys: pytest.CaptureFixture[str]) -> None:
    message = refusal(capsys, "client", "user@example.com:8443")
    assert message.endswith("cannot contain a user name; write example.com:8443")


@pytest.mark.parametrize("argument", ["https://user:secret@example.com/", "user:secret@example.com"])
def test_a_password_in_a_url_is_not_printed(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    message = refusal(capsys, "client", argument)
    assert message.endswith("; write example.com")
    assert "secret" not in message


@pytest.mark.parametrize(
    "argument", ["localhost:https", "localhost:0", "localhost:65536", "localhost:", "[::1]:", "https://localhost:x/"]
)
def test_a_wrong_port_is_refused_with_the_numbers_that_are_allowed(
    argument: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "a port is a number from 1 to 65535, not '" in refusal(capsys, "client", argument)


@pytest.mark.parametrize("port", ["http", "-1", "65536", "", "4_433"])
def test_a_wrong_port_of_the_server_is_refused_with_the_numbers_that_are_allowed(
    port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"a port is a number from 0 to 65535, not {port!r}" in refusal(capsys, "server", f"--port={port}")


@pytest.mark.parametrize("command", CONNECTING)
@pytest.mark.parametrize(("host", "write"), [("localhost", "localhost:4433"), ("::1", "[::1]:4433")])
def test_a_port_after_a_space_is_refused_with_the_address_to_write(
    command: str, host: str, write: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal(capsys, command, host, "4433").endswith(f"unrecognized arguments: 4433; write {write}")


@pytest.mark.parametrize("option", ["--name", "--host"])
@pytest.mark.parametrize("value", ["https://localhost/", "localhost:4433", "localhost/a"])
def test_a_name_of_the_server_with_more_than_a_name_is_refused(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    message = refusal(capsys, "server", option, value)
    assert message.endswith(f"argument {option}: a server name has no URL scheme, port or path; write localhost")


def test_a_servername_with_more_than_a_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    message = refusal(capsys, "client", "localhost", "--servername", "[::1]:4433")
    assert message.endswith("argument --servername: a server name has no URL scheme, port or path; write ::1")


@pytest.mark.parametrize("command", ["server", *WITH_CREDENTIALS])
@pytest.mark.parametrize("encoding", ["PEM", "DER"])
def test_a_certificate_without_a_key_is_refused_with_the_option_to_use(
    command: str, encoding: str, files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "certificate"
    certificate = pyossl.Certificate.load(files.certificate)
    path.write_bytes(certificate.to_pem() if encoding == "PEM" else certificate.to_der())
    where = [] if command == "server" else ["localhost"]
    message = refusal(capsys, command, *where, "--cert", str(path))
    assert message.endswith(f"the file '{path}' of --cert contains no private key; give the key's file with --key")


@pytest.mark.parametrize("command", ["server", *WITH_CREDENTIALS])
def test_an_encrypted_key_without_a_password_is_refused_with_the_option_to_use(
    command: str, files: Files, credentials: pyossl.Credentials, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(credentials.private_key.to_pem("secret"))
    where = [] if command == "server" else ["localhost"]
    message = refusal(capsys, command, *where, "--cert", files.certificate, "--key", str(path))
    assert message.endswith(
        f"the private key in '{path}' is encrypted; give the file of its password with --password-file"
    )


def test_a_file_that_is_no_certificate_is_not_blamed_for_its_missing_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "letter"
    path.write_text("dear reader")
    message = refusal(capsys, "client", "localhost", "--cert", str(path))
    assert "certificate" in message
    assert "--key" not in message


@pytest.mark.parametrize("command", ["server", *WITH_CREDENTIALS])
@pytest.mark.parametrize("option", ["--key", "--password-file"])
def test_a_key_or_password_without_a_certificate_is_refused_with_the_option_to_use(
    command: str, option: str, files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    where = [] if command == "server" else ["localhost"]
    message = refusal(capsys, command, *where, option, files.key)
    assert message.endswith(f"{option} is given without --cert; give the certificate's file with --cert")


@pytest.mark.parametrize("command", ["server", "client"])
@pytest.mark.parametrize("value", ["x", "0", "-1", "inf", "nan", "10s"])
def test_a_wrong_time_is_refused_with_an_example(command: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    where = [] if command == "server" else ["localhost"]
    assert "for example 2.5, not" in refusal(capsys, command, *where, f"--timeout={value}")


@pytest.mark.parametrize(
    ("argument", "host", "port"),
    [
        ("example.com", "example.com", None),
        ("example.com:1", "example.com", 1),
        ("[::1]", "::1", None),
        ("[::1]:65535", "::1", 65535),
        ("2001:db8::1", "2001:db8::1", None),
        ("2001:db8::", "2001:db8::", None),
    ],
)
def test_a_host_with_or_without_a_port_is_accepted(argument: str, host: str, port: int | None) -> None:
    assert HostAndPort.parsed(argument) == (host, port)
