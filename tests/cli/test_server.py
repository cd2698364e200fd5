"""``python -m pyossl server``: the echo, the directory, its certificate, and its limits."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli.cli_runs import PATIENCE, in_a_pipe
from cli.cli_servers import Files, Served, files, our_server
from interop.programs import program
from served import SECONDS, SocketPair, Task, read_all, until

import pyossl
from pyossl.cli import file_server, server as command
from pyossl.cli.observed_handshake import ObservedHandshake
from pyossl.cli.screen import Screen
from pyossl.cli.server import Log, Server, echo

assert files, "a fixture"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory to serve, with a secret beside it, and with links that lead outside."""
    beside = tmp_path_factory.mktemp("beside")
    (beside / "secret").write_text("nobody's business")
    site = beside / "site"
    (site / "below").mkdir(parents=True)
    (site / "page.html").write_text("<p>hello")
    (site / "large").write_bytes(bytes(range(256)) * 4096)
    (site / "below" / 'a:b <&".txt').write_text("a name")
    (site / os.fsdecode(b"latin-\xe9")).write_text("bytes")
    (site / "out").symlink_to(beside / "secret")
    (site / "up").symlink_to(beside)
    (site / "loop").symlink_to("loop")
    (site / "within").symlink_to("page.html")
    os.mkfifo(site / "pipe")
    return site


@pytest.fixture(scope="module")
def site(files: Files, folder: Path) -> Iterator[Served]:
    with our_server("--folder", str(folder), "--cert", files.certificate, "--key", files.key) as served:
        yield served


class Reply:
    """The parts of an HTTP answer."""

    def __init__(self, data: bytes) -> None:
        head, _, self.body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        self.status = int(first.split(" ")[1])
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def ask(site: Served, files: Files, *requests: bytes) -> bytes:
    """Sends the requests and returns the server's answers until it closes."""
    host, _, port = site.where.partition(":")
    context = pyossl.Context.client(trust=files.ca)
    with pyossl.connect((host, int(port)), context, timeout=SECONDS) as tls:
        for request in requests:
            tls.sendall(request)
        return read_all(tls)


def get(site: Served, files: Files, target: bytes, method: bytes = b"GET", *headers: bytes) -> Reply:
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: localhost", b"Connection: close", *headers, b"", b""]
    return Reply(ask(site, files, b"\r\n".join(lines)))


# The folder


def test_a_file_is_sent_with_its_length_and_type(site: Served, files: Files) -> None:
    reply = get(site, files, b"/page.html")
    assert (reply.status, reply.body) == (200, b"<p>hello")
    assert reply.headers["content-type"] == "text/html"
    assert reply.headers["content-length"] == "8"
    assert get(site, files, b"/page.html?query").body == b"<p>hello"


def test_a_file_larger_than_any_buffer_arrives_whole(site: Served, files: Files, folder: Path) -> None:
    assert get(site, files, b"/large").body == (folder / "large").read_bytes()


def test_head_has_the_headers_alone(site: Served, files: Files) -> None:
    reply = get(site, files, b"/large", b"HEAD")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["content-length"] == str(1 << 20)
    assert get(site, files, b"/nothing", b"HEAD").body == b""


def test_a_folder_is_listed_with_names_escaped(site: Served, files: Files) -> None:
    page = get(site, files, b"/").body.decode()
    assert '<a href="./below/">below/</a>' in page
    assert '<a href="./latin-%E9">latin-\\xe9</a>' in page
    assert "../" not in page, "there is nothing above the root"
    below = get(site, files, b"/below/").body.decode()
    assert '<a href="./../">../</a>' in below
    (link,) = re.findall(r'href="(\./a[^"]*)"', below)
    assert "<&" not in below
    assert get(site, files, b"/below/" + link[2:].encode()).body == b"a name"


def test_a_folder_without_its_slash_is_moved_there_on_this_host(site: Served, files: Files) -> None:
    reply = get(site, files, b"/below")
    assert (reply.status, reply.headers["location"]) == (301, "/below/")
    assert get(site, files, b"//below").headers["location"] == "/below/", "//below would be another host"


@pytest.mark.parametrize(
    "target",
    [
        b"/../secret",
        b"/below/../../secret",
        b"/%2e%2e/secret",
        b"/..%2fsecret",
        b"/below/%2e%2e%2f%2e%2e%2fsecret",
        b"//../secret",
        b"/up/secret",
        b"/up/",
        b"/out",
        b"/..",
        b"/../",
        b"/./../secret",
        b"/%2fetc/passwd",
        b"//etc/passwd",
        b"/loop",
        b"/pipe",
        b"/nothing",
        b"/page.html/below",
        b"/" + b"x" * 5000,
    ],
)
def test_no_file_outside_the_folder_is_served(site: Served, files: Files, target: bytes) -> None:
    reply = get(site, files, target)
    assert reply.status == 404
    assert b"business" not in reply.body
    assert b"root:" not in reply.body


def test_a_link_within_the_folder_is_followed(site: Served, files: Files) -> None:
    assert get(site, files, b"/within").body == b"<p>hello"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /%00 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400),
        (b"GET https://localhost/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"nonsense\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405),
        (b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 3000, 431),
    ],
)
def test_a_malformed_request_is_refused_and_the_connection_closed(
    site: Served, files: Files, request_: bytes, status: int
) -> None:
    answer = ask(site, files, request_)
    assert Reply(answer).status == status
    assert answer.count(b"HTTP/1.1 ") == 1


def test_requests_follow_one_another_on_a_connection(site: Served, files: Files) -> None:
    one = b"GET /page.html HTTP/1.1\r\nHost: a\r\n\r\n"
    last = b"HEAD /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    answer = ask(site, files, one * 3 + last[:20], last[20:])
    assert answer.count(b"<p>hello") == 3
    assert answer.endswith(b"\r\n\r\n")


def test_http_1_0_is_one_request_unless_it_asks_for_more(site: Served, files: Files) -> None:
    assert ask(site, files, b"GET /page.html HTTP/1.0\r\n\r\n" * 2).count(b"<p>hello") == 1
    kept = b"GET /page.html HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    assert ask(site, files, kept + b"GET /page.html HTTP/1.0\r\n\r\n").count(b"<p>hello") == 2


@pytest.mark.feature("server")
def test_curl_gets_a_file(site: Served, files: Files) -> None:
    done = subprocess.run(
        [program("curl"), "-sS", "--cacert", files.ca, "--noproxy", "*", f"https://{site.where}/page.html"],
        capture_output=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout) == (0, b"<p>hello"), done.stderr


def test_the_log_has_the_address_and_the_request_with_control_characters_escaped(site: Served, files: Files) -> None:
    get(site, files, b"/\x1b[2J\xff")
    site.program.wait_for(rb"127\.0\.0\.1:\d+ TLSv1\.\d, \S+, ")
    site.program.wait_for(rb"GET '/\\x1b\[2J\\xff' 404 \d+\n")


def leave_without_close_notify(sockets: SocketPair, folder: Path, sent: bytes) -> list[str]:
    """Serves a client that sends this, reads the answers and leaves; returns the log, or raises the server's error."""
    client, server = sockets
    log: list[str] = []
    serving = Task(lambda: file_server.serve(server, folder, log.append))
    client.sendall(sent)
    until(lambda: len(log) == sent.count(b"\r\n\r\n"))
    with socket.socket(fileno=client.detach()) as plain:
        plain.shutdown(socket.SHUT_WR)
        serving.result()
    return log


def test_a_browser_may_leave_without_close_notify_between_two_requests(sockets: SocketPair, folder: Path) -> None:
    one = b"GET /page.html HTTP/1.1\r\nHost: a\r\n\r\n"
    assert leave_without_close_notify(sockets, folder, one * 2) == ["GET /page.html 200 8"] * 2


def test_a_browser_may_leave_without_close_notify_before_a_request(sockets: SocketPair, folder: Path) -> None:
    assert leave_without_close_notify(sockets, folder, b"") == []


def test_a_request_that_is_cut_off_is_a_failure(sockets: SocketPair, folder: Path) -> None:
    with pytest.raises(pyossl.TruncationError):
        leave_without_close_notify(sockets, folder, b"GET /page.html HTTP/1.1\r\n")


# The echo and its certificate


def test_the_development_certificate_is_made_and_its_authority_is_in_a_file() -> None:
    with our_server() as served:
        path = Path(served.program.wait_for(rb"--ca (\S+)")[1].decode())
        ran = in_a_pipe("client", served.where, "--ca", str(path), feed=b"to and fro")
        assert (ran.status, ran.output) == (0, "to and fro"), ran.errors
        served.program.wait_for(rb"sent back 10 bytes")
        served.program.signal(signal.SIGTERM)
        assert served.program.finish().status == 0
        assert not path.exists(), "the file stays behind"


def test_write_ca_keeps_the_authority_where_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    with our_server("--write-ca", str(path), "--name", "further.example") as served:
        for name in ("127.0.0.1", "further.example"):
            ran = in_a_pipe("client", served.where, "--ca", str(path), "--servername", name, feed=b"x")
            assert (ran.status, ran.output) == (0, "x"), ran.errors
        served.program.signal(signal.SIGINT)
        assert served.program.finish().status in (0, 130)  # 130 where it took longer than the grace after Ctrl-C
    assert pyossl.Certificate.load(path).is_ca


def test_openssls_client_is_served(files: Files) -> None:
    with our_server("--cert", files.certificate, "--key", files.key, "--alpn", "echo") as served:
        arguments = ["s_client", "-connect", served.where, "-CAfile", files.ca, "-verify_return_error", "-quiet"]
        with subprocess.Popen(
            [program("openssl"), *arguments, "-alpn", "echo", "-servername", "localhost", "-no_ign_eof"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            client.stdin.write(b"hello from another\n")
            client.stdin.flush()
            assert client.stdout.readline() == b"hello from another\n"
            client.stdin.close()
        served.program.wait_for(rb"ALPN echo, for localhost")


@pytest.mark.feature("JA3 and JA4 fingerprints of a ClientHello")
def test_the_fingerprints_of_each_client_are_in_the_log(files: Files) -> None:
    with our_server("--cert", files.certificate, "--key", files.key, "--fingerprints", "--alpn", "echo") as served:
        ran = in_a_pipe("client", served.where, "--ca", files.ca, "--alpn", "echo", feed=b"x")
        assert (ran.status, ran.output) == (0, "x"), ran.errors
        served.program.wait_for(rb"JA3 [0-9a-f]{32}, JA4 t1[23]d\d{4}eo_[0-9a-f]{12}_[0-9a-f]{12}\n")
        served.program.wait_for(rb"sent back 1 bytes")
        refused = in_a_pipe("client", served.where, "--ca", files.ca, "--alpn", "other")
        assert refused.status == 1
        served.program.wait_for(rb"JA4 t1[23]d\d{4}or_")


def test_there_are_no_fingerprints_in_the_log_without_the_option(files: Files) -> None:
    with our_server("--cert", files.certificate, "--key", files.key) as served:
        assert in_a_pipe("client", served.where, "--ca", files.ca, feed=b"x").output == "x"
        assert b"JA3" not in served.program.wait_for(rb"(?s).*sent back 1 bytes")[0]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--folder", "no-such-folder"], "no-such-folder"),
        (["--cert", "no-such-file"], "no-such-file"),
        (["--key", "key.pem"], "without --cert"),
        (["--cert", "c.pem", "--write-ca", "x"], "--write-ca"),
        (["--name", "a b"], "cannot contain"),
        (["--port", "65536"], "--port"),
        (["--write-ca", "/no/such/folder/ca"], "/no/such/folder/ca"),
        (["--ciphers", "NO-SUCH"], "NO-SUCH"),
    ],
)
def test_wrong_arguments_are_status_2(arguments: list[str], why: str) -> None:
    ran = in_a_pipe("server", "--port", "0", *arguments)
    assert (ran.status, ran.output) == (2, "")
    assert ran.errors.startswith("usage: python -m pyossl server")
    assert why in ran.errors


def test_an_address_that_is_taken_is_status_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = in_a_pipe("server", "--port", str(taken.getsockname()[1]))
    assert ran.status == 1
    assert ran.errors.startswith("OSError: ")


# Bounds


@pytest.fixture
def small(
    monkeypatch: pytest.MonkeyPatch, server_context: pyossl.Context
) -> Iterator[tuple[pyossl.Listener, io.StringIO]]:
    """An echo server in this process that serves one client at a time, with a timeout of half a second."""
    monkeypatch.setattr(command, "_MOST_CLIENTS", 1)
    output = io.StringIO()
    listener = pyossl.listen(("127.0.0.1", 0), server_context)
    server = Task(Server(listener, echo, 0.5, Log(Screen(output))).run)
    yield listener, output
    listener.close()
    with pytest.raises(OSError, match=r"Invalid argument|Bad file descriptor"):
        server.result()


def test_a_client_that_sends_nothing_is_closed(
    small: tuple[pyossl.Listener, io.StringIO], client_context: pyossl.Context
) -> None:
    listener, output = small
    with socket.create_connection(listener.address, SECONDS):  # it is the only client that fits, and sends nothing
        with pyossl.connect(listener.address, client_context, server_hostname="localhost", timeout=SECONDS) as tls:
            tls.sendall(b"my turn")
            assert tls.recv(100) == b"my turn"
        until(lambda: "sent back 7 bytes" in output.getvalue())
    assert "TimeoutError: the handshake timed out after 0.5 s" in output.getvalue()


def test_an_error_of_a_client_is_a_line_and_the_server_goes_on(
    small: tuple[pyossl.Listener, io.StringIO], client_context: pyossl.Context
) -> None:
    listener, output = small
    for nonsense in (b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b""):
        with socket.create_connection(listener.address, SECONDS) as sock:
            sock.sendall(nonsense)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
    until(lambda: output.getvalue().count("Error: ") == 3)

    def visit() -> bytes:
        with pyossl.connect(listener.address, client_context, server_hostname="localhost", timeout=SECONDS) as tls:
            tls.sendall(b"still here")
            return tls.recv(100)

    assert Task(visit).result() == b"still here"


Echo = tuple[pyossl.Listener, io.StringIO]


@contextlib.contextmanager
def echoing(server_context: pyossl.Context, timeout: float = 60) -> Iterator[Echo]:
    """An echo server in this process."""
    output = io.StringIO()
    listener = pyossl.listen(("127.0.0.1", 0), server_context)
    server = Task(Server(listener, echo, timeout, Log(Screen(output))).run)
    try:
        yield listener, output
    finally:
        listener.close()
        with pytest.raises(OSError, match=r"Invalid argument|Bad file descriptor"):
            server.result()


def assert_is_served(listener: pyossl.Listener, context: pyossl.Context) -> None:
    with pyossl.connect(listener.address, context, server_hostname="localhost", timeout=SECONDS) as tls:
        tls.sendall(b"my turn")
        assert tls.recv(100) == b"my turn"


def test_two_hundred_clients_that_stall_in_their_handshake_do_not_block_another(
    server_context: pyossl.Context, client_context: pyossl.Context
) -> None:
    with echoing(server_context) as (listener, _), contextlib.ExitStack() as stalled:
        for _ in range(200):
            stalled.enter_context(socket.create_connection(listener.address, SECONDS))
        assert_is_served(listener, client_context)


@pytest.mark.parametrize(
    "where", ["before the handshake", "in the handshake", "after it", "in the middle of a request"]
)
def test_the_client_that_was_waited_on_longest_is_closed_for_another(
    monkeypatch: pytest.MonkeyPatch, server_context: pyossl.Context, client_context: pyossl.Context, where: str
) -> None:
    monkeypatch.setattr(command, "_MOST_CLIENTS", 4)
    with echoing(server_context) as (listener, output), contextlib.ExitStack() as stalled:
        for _ in range(8):
            sock = stalled.enter_context(socket.create_connection(listener.address, SECONDS))
            if where == "in the handshake":
                sock.sendall(b"\x16\x03\x01\x02\x00\x01")
            elif where != "before the handshake":
                tls = stalled.enter_context(client_context.wrap_socket(sock, "localhost"))
                if where == "in the middle of a request":
                    tls.sendall(b"x")
        assert_is_served(listener, client_context)
        until(lambda: output.getvalue().count("it was slow and another client needs its place") >= 4)


def test_an_active_client_is_not_closed_for_clients_that_stall(
    monkeypatch: pytest.MonkeyPatch, server_context: pyossl.Context, client_context: pyossl.Context
) -> None:
    monkeypatch.setattr(command, "_MOST_CLIENTS", 2)
    with echoing(server_context) as (listener, output), contextlib.ExitStack() as stalled:
        tls = pyossl.connect(listener.address, client_context, server_hostname="localhost", timeout=SECONDS)
        with tls:
            for _ in range(3):
                stalled.enter_context(socket.create_connection(listener.address, SECONDS))
            while "needs its place" not in output.getvalue():
                tls.sendall(b"still here")
                assert tls.recv(100) == b"still here"


def test_what_a_client_sends_after_the_handshake_is_not_kept(
    server_context: pyossl.Context, client_context: pyossl.Context
) -> None:
    ours, theirs = socket.socketpair()
    observed = ObservedHandshake(server_context)
    served = server_context.wrap_socket(theirs, handshake=False, message_callback=observed.add)
    server = command.Client(served, "client", observed)
    finished = Task(lambda: server.handshake(SECONDS))
    ours.settimeout(SECONDS)
    with client_context.wrap_socket(ours, "example.com") as tls:
        finished.result()
        kept = len(observed.ladder.rungs)
        tls.shutdown(socket.SHUT_WR)
        assert server.recv(1) == b""
        server.close()
    assert len(observed.ladder.rungs) == kept > 0


def test_waiting_for_early_data_is_a_part_of_the_time_for_the_handshake(server_context: pyossl.Context) -> None:
    server_context.max_early_data = 100
    left: list[float] = []

    class Slow:
        """Stands for a socket whose client sends nothing for a while, and then no early data."""

        context = server_context
        settimeout = staticmethod(left.append)
        handshake = staticmethod(lambda: None)

        def read_early_data(self) -> bytes:
            time.sleep(0.1)
            return b""

    slow: Any = Slow()
    command.Client(slow, "client", ObservedHandshake(server_context)).handshake(SECONDS)
    assert left[0] == SECONDS
    assert left[-1] <= SECONDS - 0.1


def test_a_handshake_has_a_limit_of_its_own(monkeypatch: pytest.MonkeyPatch, server_context: pyossl.Context) -> None:
    monkeypatch.setattr(command, "_HANDSHAKE", 0.2)
    with echoing(server_context) as (listener, output), socket.create_connection(listener.address, SECONDS):
        until(lambda: "the handshake timed out after 0.2 s" in output.getvalue())


def test_a_server_without_a_free_descriptor_goes_on(
    monkeypatch: pytest.MonkeyPatch, server_context: pyossl.Context, client_context: pyossl.Context
) -> None:
    accept, failures = pyossl.Listener.accept, [errno.EMFILE, errno.ENFILE]

    def failing(listener: pyossl.Listener, **options: Any) -> Any:
        if failures:
            raise OSError(failures.pop(), "there is none")
        return accept(listener, **options)

    monkeypatch.setattr(pyossl.Listener, "accept", failing)
    with echoing(server_context) as (listener, _):
        assert_is_served(listener, client_context)
