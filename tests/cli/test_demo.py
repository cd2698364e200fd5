"""``python -m pyossl demo``: its output, its checks, and its layout."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator

import pytest
from cli.cli_runs import PATIENCE, Ran, in_a_pipe, on_a_terminal

import pyossl
from pyossl.cli import demo, demo_connections
from pyossl.cli.demo import BadServer, Demo
from pyossl.cli.screen import Screen
from pyossl.cli.tls_versions import VERSIONS
from pyossl.core.outcome import VerifyCode

FIRST_FLIGHTS = {
    "1.2": ["ClientHello", "ServerHello", "Certificate", "ServerKeyExchange", "ServerHelloDone", "ClientKeyExchange"],
    "1.3": ["ClientHello", "ServerHello", "EncryptedExtensions", "Certificate", "CertificateVerify", "Finished"],
}
RUNG = re.compile(r"^ *(?P<ms>\d+\.\d\d) ms │(?P<head>◄?)[─ ]*(?P<name>\w.*?) · (?P<size>\d+) bytes? ", re.MULTILINE)
ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7]|38;[0-9;]+)m")

each_version = pytest.mark.parametrize("version", VERSIONS)


@pytest.fixture(scope="module")
def in_pipe() -> Ran:
    return in_a_pipe("demo")


def ladders(output: str) -> list[list[re.Match[str]]]:
    """The rungs of each of the three ladders."""
    sections = re.split(r"^\d\. ", output, flags=re.MULTILINE)[1:]
    return [list(RUNG.finditer(section.partition("\n\n")[0])) for section in sections]


@pytest.mark.feature("demo")
@each_version
def test_three_ladders_show_both_directions_with_sizes_and_times(version: str) -> None:
    ran = in_a_pipe("demo", "--tls", version)
    assert ran.status == 0, ran
    drawn = ladders(ran.output)
    assert len(drawn) == 3
    for rungs in drawn:
        # ChangeCipherSpec means nothing in TLS 1.3, and OpenSSL 4.0 sends it at other times than those before.
        handshake = [rung["name"] for rung in rungs if rung["name"] != "ChangeCipherSpec"]
        assert handshake[: len(FIRST_FLIGHTS[version])] == FIRST_FLIGHTS[version]
        finished = {rung["head"] for rung in rungs if rung["name"] == "Finished"}
        assert finished == {"", "◄"}, "one Finished goes to the server and one to the client"
        assert all(int(rung["size"]) > 0 for rung in rungs)
        times = [float(rung["ms"]) for rung in rungs]
        assert times[0] == 0
        assert times == sorted(times)
    assert f"version         TLSv{version}" in ran.output


def test_it_shows_the_agreement_and_the_verified_chain(in_pipe: Ran) -> None:
    newest = "1.3" if pyossl.features.tls1_3 else "1.2"
    for fact in (f"TLSv{newest}", "TLS_", "group  ", "pyossl-demo", "CN=pyossl demo CA", "└─ CN=localhost"):
        assert fact in in_pipe.output
    assert pyossl.openssl_version in in_pipe.output


def test_it_shows_three_refusals_each_with_its_exception(in_pipe: Ran) -> None:
    refusals = in_pipe.output.partition("Refused")[2]
    assert refusals.count("client: CertificateError: certificate verify failed: ") == 3
    assert refusals.count("server: AlertError: ") == 3
    for what in ("A wrong name", "An unknown CA", "An expired certificate"):
        assert f"✓ {what}\n" in refusals
    for alert in (42, 48, 45):
        assert f"alert {alert} " in refusals


def test_a_pipe_gets_plain_text_and_nothing_on_stderr(in_pipe: Ran) -> None:
    assert in_pipe.status == 0
    assert "\x1b" not in in_pipe.output
    assert in_pipe.errors == ""


def test_a_pipe_that_takes_only_ascii_gets_ascii() -> None:
    ran = in_a_pipe("demo", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert ran.status == 0, ran.errors
    assert ran.output.isascii()
    assert re.search(r"ms \| ClientHello , \d+ bytes -+>\|", ran.output)


@pytest.mark.parametrize("columns", [60, 80, 100, 120])
def test_a_terminal_gets_colour_and_no_line_wider_than_itself(columns: int) -> None:
    ran = on_a_terminal("demo", columns=columns)
    assert ran.status == 0, ran.output
    assert COLOUR.search(ran.output)
    lines = ESCAPE.sub("", ran.output).split("\n")
    # The path of a library is not broken, so that it can be copied.
    assert [line for line in lines if len(line) > columns and " " in line.strip()] == []
    bars = {len(line) for line in lines if " ms │" in line}
    assert bars == {min(columns, 100)}, "the right bar is not straight"


def test_no_color_is_respected() -> None:
    """https://no-color.org"""
    ran = on_a_terminal("demo", NO_COLOR="1")
    assert ran.status == 0
    assert not COLOUR.search(ran.output)


def test_a_dumb_terminal_gets_no_escapes() -> None:
    ran = on_a_terminal("demo", TERM="dumb")
    assert ran.status == 0
    assert "\x1b" not in ran.output


def test_without_rich_a_terminal_gets_plain_text() -> None:
    ran = on_a_terminal("demo", code="sys.modules['rich'] = None")
    assert ran.status == 0, ran.output
    assert "\x1b" not in ran.output
    assert "All results are correct" in ran.output


def test_a_pipe_does_not_even_load_rich() -> None:
    program = "import sys; from pyossl.cli.commands import main; main(['info']); sys.exit('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=PATIENCE)
    assert done.returncode == 0


class RecordedDemo:
    """A demo whose output is recorded."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.demo = Demo(Screen(self.stream), VERSIONS["1.2"])

    @property
    def output(self) -> str:
        return self.stream.getvalue()


def test_a_server_with_another_certificate_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client expects a name that is not in the server's certificate, so all three connections fail."""
    monkeypatch.setattr(demo_connections, "SERVER", "elsewhere.example")
    recorded = RecordedDemo()
    recorded.demo.connect_over_three_transports()
    assert len(recorded.demo.problems) == 3
    assert all("CertificateError" in problem for problem in recorded.demo.problems)


def test_a_connection_may_have_waited_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, the server has always answered before the client looks."""
    monkeypatch.setattr(demo_connections, "_converse", lambda connection, result, wait: None)
    context = pyossl.Context.client()
    with demo_connections.EchoServer(pyossl.Context(is_server=True)) as server:
        result = demo_connections.over_a_non_blocking_socket(context, server)
    assert result.summary.endswith("select(), which waited 0 times.")


def test_the_wrong_version_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = RecordedDemo()
    recorded.demo.connect_over_three_transports()
    assert recorded.demo.problems == []
    monkeypatch.setattr(demo, "version_name", lambda version: "TLSv1.9")
    recorded.demo.connect_over_three_transports()
    assert recorded.demo.problems == ["version: TLSv1.2 instead of TLSv1.9"]


class DemoWithGoodServers(Demo):
    """Expects to refuse a server that is good, and a server that has another error."""

    def _bad_servers(self) -> Iterator[BadServer]:
        right = self._server(self._authority.issue("localhost"))
        yield BadServer("A real one", right, self._client(self._authority), "localhost", VerifyCode.CERT_HAS_EXPIRED)
        yield BadServer("Another", right, self._client(self._authority), "else.example", VerifyCode.CERT_HAS_EXPIRED)


def test_a_bad_server_that_is_accepted_or_refused_for_another_reason_is_a_problem() -> None:
    stream = io.StringIO()
    wrong = DemoWithGoodServers(Screen(stream), VERSIONS["1.2"])
    wrong.refuse_three_servers()
    assert wrong.problems == [
        "A real one: it was accepted",
        "Another: refused with CertificateError, not with CERT_HAS_EXPIRED",
    ]
    assert "✗ A real one: accepted" in stream.getvalue()
    assert "✗ Another" in stream.getvalue()


def test_a_problem_is_status_1_and_printed_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "Demo", DemoWithGoodServers)
    stream = io.StringIO()
    assert demo.run(Namespace(tls="1.2"), Screen(stream)) == 1
    assert stream.getvalue().rstrip().endswith("not with CERT_HAS_EXPIRED")
    assert "All results are correct" not in stream.getvalue()
