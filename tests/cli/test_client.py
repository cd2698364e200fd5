"""``python -m pyossl client``: the data that it moves, its output, and its exit status."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import re
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli.cli_runs import PATIENCE, Ran, in_a_pipe, with_bytes
from cli.cli_servers import Files, Served, files, our_server, s_server
from marks import needs
from served import Task, serving, serving_plain

import pyossl
from pyossl.cli import client, client_connection
from pyossl.cli.client import with_crlf
from pyossl.cli.commands import main
from pyossl.cli.observed_handshake import ObservedHandshake
from pyossl.cli.options import log_keys

assert files, "a fixture"

REQUEST = b"GET / HTTP/1.0\r\n\r\n"


@pytest.fixture(scope="module")
def echo(files: Files) -> Iterator[Served]:
    with our_server("--cert", files.certificate, "--key", files.key) as served:
        yield served


@pytest.fixture(scope="module")
def page(files: Files) -> Iterator[Served]:
    with s_server(files, "-www", "-alpn", "http/1.1") as served:
        yield served


def came_to_the_end(ran: Ran) -> bool:
    """Whether the client ended as expected.

    The s_server of 1.1.1 may close after a page without a close_notify, and the client reports that as a failure.
    """
    truncated = not pyossl.features.api_3_0 and "TruncationError" in ran.errors
    return ran.status == (1 if truncated else 0)


def known(served: Served, files: Files, *arguments: str) -> dict[str, Any]:
    """The values that ``--json`` prints for a connection."""
    ran = in_a_pipe("client", served.where, "--ca", files.ca, "--json", *arguments)
    assert ran.status == 0, ran
    facts: dict[str, Any] = json.loads(ran.output)
    return facts


@pytest.mark.feature("client")
def test_standard_input_goes_to_the_peer_and_the_peer_to_standard_output(echo: Served, files: Files) -> None:
    """The data is larger than any buffer, and the server sends it back: a client that only writes would block."""
    data = os.urandom(3 << 20)
    status, output, errors = with_bytes("client", echo.where, "--ca", files.ca, feed=data)
    assert status == 0, errors
    assert output == data


def test_crlf_is_sent_for_each_line_and_no_cr_twice(echo: Served, files: Files) -> None:
    status, output, errors = with_bytes("client", echo.where, "--ca", files.ca, "--crlf", feed=b"a\nb\r\n\n")
    assert status == 0, errors
    assert output == b"a\r\nb\r\n\r\n"


def test_a_cr_at_the_end_of_one_read_belongs_to_the_line_feed_of_the_next() -> None:
    assert with_crlf(b"\nx\n", b"\r") == b"\nx\r\n"
    assert with_crlf(b"\n", b"\n") == b"\r\n"


def test_information_about_the_connection_is_on_standard_error(page: Served, files: Files) -> None:
    ran = in_a_pipe("client", page.where, "--ca", files.ca, "--alpn", "h2,http/1.1", feed=REQUEST)
    assert came_to_the_end(ran), ran
    assert ran.output.startswith("HTTP/1.0 200 ok")
    for fact in ("Connected to localhost", "version  ", "cipher  ", "ALPN            http/1.1", "yes, as localhost"):
        assert fact in ran.errors
    for fact in ("CN=example.com", "DNS:localhost", "IP:127.0.0.1", "CN=pyossl test CA", "session         new"):
        assert fact in ran.errors


def test_versions_groups_and_ciphers_are_what_the_options_say(page: Served, files: Files) -> None:
    facts = known(page, files, "--max", "1.2", "--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256", "--groups", "P-384:P-256")
    assert (facts["version"], facts["cipher"]) == ("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256")
    assert facts["group"] in ("secp384r1", "P-384")


@needs("tls1_3")
def test_names_that_begin_with_tls_are_ciphersuites_of_tls_1_3(page: Served, files: Files) -> None:
    facts = known(page, files, "--min", "1.3", "--ciphers", "TLS_CHACHA20_POLY1305_SHA256")
    assert (facts["version"], facts["cipher"]) == ("TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256")


def test_json_says_the_handshake_with_its_messages(page: Served, files: Files) -> None:
    handshake = known(page, files)["handshake"]
    names = [message["name"] for message in handshake["messages"]]
    assert names[0] == "ClientHello"
    assert "Finished" in names
    assert handshake["bytes_sent"] > 0 < handshake["bytes_received"]


def test_the_chain_as_verified_is_in_the_json(page: Served, files: Files, authority: pyossl.Authority) -> None:
    facts = known(page, files)
    assert facts["verified"] is True
    assert facts["verified_name"] == "localhost"
    assert facts["chain"][-1]["sha256"] == authority.certificate.fingerprint().hex()


def test_servername_is_the_name_of_the_server(page: Served, files: Files) -> None:
    assert known(page, files, "--servername", "example.com")["verified_name"] == "example.com"
    ran = in_a_pipe("client", page.where, "--ca", files.ca, "--servername", "elsewhere.example")
    assert ran.status == 1
    assert "mismatch" in ran.errors


def test_trace_prints_each_message(page: Served, files: Files) -> None:
    ran = in_a_pipe("client", page.where, "--ca", files.ca, "--trace", feed=REQUEST)
    assert came_to_the_end(ran), ran
    assert re.search(r"^ +0\.00 ms │ ClientHello · \d+ bytes ─+►│$", ran.errors, re.MULTILINE)
    assert re.search(r"│◄─+ Finished · \d+ bytes │$", ran.errors, re.MULTILINE)
    end = "TruncationError" if ran.status else "Alert: close notify"
    assert end in ran.errors.partition("session  ")[2], "what comes after the handshake is shown too"


def test_keylog_appends_secrets_to_a_private_file(page: Served, files: Files, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    for count in (1, 2):
        known(page, files, "--keylog", str(path), "--max", "1.2")
        lines = path.read_text().splitlines()
        assert len(lines) == count
        assert all(re.fullmatch(r"CLIENT_RANDOM [0-9a-fA-F]{64} [0-9a-fA-F]{96}", line) for line in lines)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="the system has no /proc")
def test_no_file_stays_open_for_the_secrets(tmp_path: Path) -> None:
    context, before = pyossl.Context.client(), os.listdir("/proc/self/fd")
    log_keys(context, str(tmp_path / "keys"))
    assert len(os.listdir("/proc/self/fd")) == len(before)


# Sessions


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_session_is_kept_and_resumed(page: Served, files: Files, tmp_path: Path, version: str) -> None:
    """In TLS 1.3 the session comes after the handshake (docs/pitfalls.md, 9)."""
    path = tmp_path / "session.pem"
    options = ("--session", str(path), "--max", version)
    assert known(page, files, *options)["session"]["resumed"] is False
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert known(page, files, *options)["session"]["resumed"] is True


def test_a_session_is_kept_while_data_is_carried(page: Served, files: Files, tmp_path: Path) -> None:
    path = str(tmp_path / "session.pem")
    first, second = (
        in_a_pipe("client", page.where, "--ca", files.ca, "--session", path, feed=REQUEST) for _ in range(2)
    )
    assert "session         new" in first.errors
    assert "session         resumed" in second.errors
    assert "yes, when the session was new" in second.errors


def test_the_lifetime_of_a_session_is_the_servers_if_that_is_shorter(files: Files) -> None:
    context = pyossl.Context.server(files.certificate, files.key)
    context.session_timeout = 100
    with pyossl.listen(("127.0.0.1", 0), context) as listener:

        def serve() -> None:
            with listener.accept()[0] as tls:
                while tls.recv(100):
                    pass

        served = Task(serve)
        where = f"localhost:{listener.address[1]}"
        ran = in_a_pipe("client", where, "--ca", files.ca, "--json", "--max", "1.2")
        assert json.loads(ran.output)["session"]["lifetime"] == 100
        served.result()


def test_a_session_is_only_for_the_server_that_it_was_made_for(page: Served, files: Files, tmp_path: Path) -> None:
    """A resumed connection is not verified again (docs/pitfalls.md, 12)."""
    path = tmp_path / "session.pem"
    options = ("--session", str(path))
    known(page, files, *options)
    assert known(page, files, *options, "--servername", "example.com")["session"]["resumed"] is False


def test_a_session_made_without_verification_is_not_resumed_with_verification(
    page: Served, files: Files, tmp_path: Path
) -> None:
    path = str(tmp_path / "session.pem")
    for expected in (False, True):
        ran = in_a_pipe("client", page.where, "--no-verify", "--json", "--session", path)
        assert json.loads(ran.output)["session"]["resumed"] is expected
    assert known(page, files, "--session", path)["session"]["resumed"] is False


def test_another_trust_makes_another_session(page: Served, files: Files, tmp_path: Path) -> None:
    path, stranger = str(tmp_path / "session.pem"), tmp_path / "stranger.pem"
    stranger.write_bytes(pyossl.Authority("stranger").certificate.to_pem())
    known(page, files, "--session", path)
    ran = in_a_pipe("client", page.where, "--ca", str(stranger), "--session", path)
    assert ran.status == 1
    assert ran.errors.startswith("CertificateError: ")


def test_a_file_that_is_no_session_is_not_changed(page: Served, files: Files, tmp_path: Path) -> None:
    path = tmp_path / "letter"
    path.write_bytes(b"dear reader")
    ran = in_a_pipe("client", page.where, "--ca", files.ca, "--session", str(path))
    assert ran.status == 2
    assert "holds no session" in ran.errors
    assert path.read_bytes() == b"dear reader"


# Verification


def test_an_unknown_authority_is_refused_in_one_line(page: Served) -> None:
    ran = in_a_pipe("client", page.where, feed=REQUEST)
    assert (ran.status, ran.output) == (1, "")
    assert ran.errors.startswith("CertificateError: certificate verify failed: ")
    assert ran.errors.count("\n") == 1


def test_no_verify_accepts_every_certificate_and_says_so(page: Served) -> None:
    ran = in_a_pipe("client", page.where, "--no-verify", feed=REQUEST)
    assert came_to_the_end(ran), ran
    assert "--no-verify accepts every certificate" in ran.errors


def test_a_client_certificate_is_shown(files: Files) -> None:
    with our_server("--cert", files.certificate, "--key", files.key, "--ca", files.ca) as served:
        without = in_a_pipe("client", served.where, "--ca", files.ca, feed=b"hello")
        assert without.status == 1
        assert without.output == ""
        with_one = in_a_pipe(
            "client", served.where, "--ca", files.ca, "--cert", files.certificate, "--key", files.key, feed=b"hello"
        )
        assert (with_one.status, with_one.output) == (0, "hello")
        served.program.wait_for(rb"client CN=example.com")


def test_an_encrypted_key_is_opened_by_the_password_file(
    files: Files, credentials: pyossl.Credentials, tmp_path: Path
) -> None:
    key, password = tmp_path / "key.pem", tmp_path / "password"
    key.write_bytes(credentials.private_key.to_pem("secret"))
    password.write_text("secret\n")
    with our_server("--cert", files.certificate, "--key", files.key, "--ca", files.ca) as served:
        arguments = ("client", served.where, "--ca", files.ca, "--cert", files.certificate, "--key", str(key))
        ran = in_a_pipe(*arguments, "--password-file", str(password), feed=b"hello")
        assert (ran.status, ran.output) == (0, "hello")
        assert in_a_pipe(*arguments).status == 2


# Ends


def test_a_standard_input_that_the_shell_has_closed_is_an_empty_one(echo: Served, files: Files) -> None:
    command = f"exec {sys.executable} -m pyossl client {echo.where} --ca {files.ca} <&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (0, b""), done.stderr
    assert b"Traceback" not in done.stderr


def test_a_peer_that_is_no_tls_server_is_status_1() -> None:
    with serving_plain(lambda sock: (sock.recv(1), sock.sendall(b"HTTP/1.0 400 no\r\n\r\n"))) as address:
        ran = in_a_pipe("client", f"127.0.0.1:{address[1]}")
    assert ran.status == 1
    assert "does not seem to speak TLS" in ran.errors


def test_a_truncated_answer_is_status_1(
    files: Files, server_context: pyossl.Context, authority: pyossl.Authority
) -> None:
    """An attacker can cause an end without a close_notify."""

    def cut(sock: socket.socket) -> None:
        connection = pyossl.Connection(server_context)
        while connection.handshake() is not None or not connection.is_handshake_finished:
            if out := connection.data_to_send():
                sock.sendall(out)
            connection.receive_data(sock.recv(65536))
        connection.write(b"half an ans")
        sock.sendall(connection.data_to_send())
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass

    with serving_plain(cut) as address:
        ran = in_a_pipe("client", f"127.0.0.1:{address[1]}", "--ca", files.ca)
    assert (ran.status, ran.output) == (1, "half an ans")
    assert ran.errors.rstrip().rpartition("\n")[2].startswith("TruncationError: ")


def test_a_refused_connection_is_status_1_and_names_the_address() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{unused.getsockname()[1]}"
        ran = in_a_pipe("client", where)
    assert ran.status == 1
    assert ran.errors.startswith("ConnectionRefusedError: ")
    assert where in ran.errors


def test_a_server_that_says_nothing_is_left_after_the_timeout() -> None:
    def silent(sock: socket.socket) -> None:
        while sock.recv(65536):
            pass

    with serving_plain(silent) as address:
        ran = in_a_pipe("client", f"127.0.0.1:{address[1]}", "--timeout", "0.3")
    assert ran.status == 1
    assert ran.errors.startswith("TimeoutError: the handshake timed out")


# Usage


def usage(*arguments: str) -> Ran:
    return in_a_pipe("client", *arguments)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["localhost:99999"], "a port is a number"),
        (["localhost:"], "a port is a number"),
        (["[::1"], "give HOST[:PORT]"),
        (["a b"], "cannot contain"),
        (["localhost", "--ca", "no-such-file"], "no-such-file"),
        (["localhost", "--ciphers", "NO-SUCH-CIPHER"], "NO-SUCH-CIPHER"),
        (["localhost", "--ciphers", "TLS_NO_SUCH_SUITE"], "TLS_NO_SUCH_SUITE"),
        (["localhost", "--groups", "no-such-group"], "no-such-group"),
        (["localhost", "--min", "1.3", "--max", "1.2"], "above the maximum"),
        (["localhost", "--key", "key.pem"], "without --cert"),
        (["localhost", "--alpn", "h2,,h3"], "separated by commas"),
        (["localhost", "--starttls", "gopher"], "gopher"),
        (["localhost", "--timeout", "0"], "--timeout"),
        (["localhost", "--keylog", "/no/such/folder/keys"], "/no/such/folder/keys"),
    ],
)
def test_wrong_arguments_are_status_2_and_the_message_says_why(arguments: list[str], why: str) -> None:
    ran = usage(*arguments)
    assert (ran.status, ran.output) == (2, "")
    assert ran.errors.startswith("usage: python -m pyossl client")
    assert why in ran.errors


# A peer that never ends


@contextlib.contextmanager
def dripping(server_context: pyossl.Context) -> Iterator[str]:
    """A server that sends single bytes to each client and never closes."""
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        over = threading.Event()

        def drip(tls: pyossl.Socket) -> None:
            with tls, contextlib.suppress(pyossl.Error, OSError):
                tls.settimeout(PATIENCE)
                while not over.wait(0.05):
                    tls.sendall(b".")

        def serve() -> None:
            with contextlib.suppress(OSError):
                for tls, _ in listener:
                    drips.append(Task(functools.partial(drip, tls)))

        drips: list[Task[None]] = []
        server = Task(serve)
        yield f"localhost:{listener.address[1]}"
        over.set()
        listener.close()
        server.result()
        for each in drips:
            each.result()


@pytest.mark.parametrize("command", [["client", "--json"], ["trace"]])
def test_a_peer_that_drips_and_never_closes_cannot_delay_the_end_beyond_the_timeout(
    files: Files, server_context: pyossl.Context, command: list[str]
) -> None:
    with dripping(server_context) as where:
        ran = in_a_pipe(*command, where, "--ca", files.ca, "--timeout", "1")
    assert ran.status == 0, ran


def test_a_name_with_many_addresses_that_do_not_answer_has_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as queue:
        address = full.getsockname()
        for _ in range(3):  # more than the backlog: the next connection gets no answer
            sock = queue.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(address)
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address)] * 50
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        begun = time.monotonic()
        with pytest.raises(TimeoutError, match=r"timed out after 0.2 s"):
            client_connection.connect(address, pyossl.Context.client(verify=False), "localhost", timeout=0.2)
        assert time.monotonic() - begun < 5, "one deadline for all of them"


@needs("tls1_3")
def test_messages_after_the_report_are_not_kept(
    server_context: pyossl.Context, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a server that sends ticket after ticket needs more and more of the client's memory."""
    made: list[ObservedHandshake] = []

    class Kept(ObservedHandshake):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

    def chatter(tls: pyossl.Socket) -> None:
        tls.handshake()
        assert tls.recv(1) == b""
        for _ in range(30):
            tls.update_keys()
            tls.sendall(b"x")

    monkeypatch.setattr(client, "ObservedHandshake", Kept)
    output = io.StringIO()
    with open(os.devnull, encoding="utf-8") as nothing, serving(server_context, chatter) as (host, port):
        monkeypatch.setattr(sys, "stdin", nothing)
        assert main(["client", f"{host}:{port}", "--ca", files.ca], output) == 0
    assert output.getvalue() == "x" * 30
    assert "KeyUpdate" not in [rung.name for rung in made[0].ladder.rungs]
