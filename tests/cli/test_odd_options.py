"""Odd values on the command line: wrong ones are refused as wrong usage, and none causes a traceback."""

from __future__ import annotations

import argparse
import pathlib
import socket

import pytest

import pyossl
from pyossl.cli.commands import main, parser

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")

ODD = (
    "", " ", "-1", "0", "99999999999999999999", "1e400", "nan", "inf", "-inf", "x", "x:y", "a b", "\0", "x\0y",
    "\udcff", "ä", "☃", "x" * 300, "x" * 70_000, ":", "::", "[", "[]", "[::1", "[::1]:", "[::1]:x", "127.0.0.1:",
    "127.0.0.1:0",
    "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:" + "9" * 5000, ",", ",,", "/", ".", "/dev/null", "/no/such/file",
    "no-such-file", "%s", "{}", "--", "-", "@", "TLSv1.3", "1.3", "ALL:!all", "TLS_NOTHING", "file:x", "pkcs11:x",
    "\n", "1.5", "True", "*", "*.example", "..", "a..b", "xn--", "٣",
)  # fmt: skip


@pytest.fixture(scope="module")
def closed() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder: pathlib.Path = tmp_path_factory.mktemp("odd")
    own = pyossl.self_signed("localhost")
    (folder / "own.pem").write_bytes(own.certificate.to_pem() + own.private_key.to_pem())
    (folder / "folder").mkdir()
    return folder


def options() -> list[tuple[str, str]]:
    """Each command with each option that takes a value.  An empty option stands for a positional argument."""
    found = []
    subparsers = next(each for each in parser()._actions if isinstance(each, argparse._SubParsersAction))
    for command, of in subparsers.choices.items():
        for action in of._actions:
            if action.nargs != 0:
                found.append((command, action.option_strings[-1] if action.option_strings else ""))
    return found


def words(command: str, option: str, value: str, closed: str) -> list[str]:
    """A command line with this value.  No server listens on its address, and a server cannot listen on its own."""
    given = [command]
    if command == "server" and option not in ("--host", "--port"):
        given += ["--host", "203.0.113.1"]
    if command in ("client", "certs", "trace") and option:
        given += [closed]
    if command in ("client", "certs") and option != "--timeout":
        given += ["--timeout", "5"]
    if option in ("--key", "--password-file"):
        given += ["--cert", "own.pem"]
    return [*given, *([f"{option}={value}"] if option else ["--", value] if value.startswith("-") else [value])]


def status(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)


@pytest.fixture(autouse=True)
def _elsewhere(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs each test in its own directory, without DNS, and with one parser: making it takes longer than a command."""
    made = parser()
    monkeypatch.setattr("pyossl.cli.commands.parser", lambda: made)
    resolve = socket.getaddrinfo
    monkeypatch.chdir(folder)
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, port, family=0, type=0, proto=0, flags=0: resolve(
            host, port, family, type, proto, flags | socket.AI_NUMERICHOST
        ),
    )


TRIED = [each for each in options() if each not in (("server", "--host"), ("server", "--port"))]


@pytest.mark.parametrize(("command", "option"), TRIED)
def test_an_odd_value_of_an_option_causes_no_traceback(
    command: str, option: str, closed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for value in ODD:
        ended = status(words(command, option, value, closed))
        said = capsys.readouterr()
        assert ended in (0, 1, 2), value
        assert ended == 0 or said.err.strip(), f"{value!r}: no error message"
        assert "Traceback" not in said.err


@pytest.mark.parametrize(("command", "option"), TRIED)
def test_an_empty_value_is_wrong_usage(
    command: str, option: str, closed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A variable of a script that is not set must not turn an option off, or serve the current directory."""
    assert status(words(command, option, "", closed)) == 2
    assert capsys.readouterr().err.strip()
