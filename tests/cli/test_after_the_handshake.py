"""What the client and the server do after the handshake: key updates, renegotiation, and late client certificates."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Iterator

import pytest
from cli.cli_runs import in_a_pipe
from cli.cli_servers import Files, Served, files, our_server, s_server
from interop.programs import Program, program
from marks import needs
from served import Task, until

import pyossl
from pyossl.cli.observed_handshake import ObservedHandshake
from pyossl.cli.server import Client

assert files, "a fixture"

needs_tls_1_3 = needs("tls1_3")


@pytest.fixture(scope="module")
def permitting(files: Files) -> Iterator[Served]:
    """Allows renegotiation, and asks for a client certificate after a handshake of TLS 1.3."""
    own = "--cert", files.certificate, "--key", files.key, "--ca", files.ca
    with our_server(*own, "--client-cert", "later", "--allow-renegotiation") as served:
        yield served


@pytest.fixture(scope="module")
def echo(files: Files) -> Iterator[Served]:
    with our_server("--cert", files.certificate, "--key", files.key) as served:
        yield served


@needs_tls_1_3
@pytest.mark.feature("key updates, renegotiation and late client certificates on the command line")
def test_the_client_says_whether_the_server_has_changed_its_key(echo: Served, files: Files) -> None:
    update = "client", echo.where, "--ca", files.ca, "--update-keys"
    ran = in_a_pipe(*update, feed=b"hello")
    assert (ran.status, ran.output) == (0, "hello")
    assert ran.errors.endswith("  key update      the server has changed its key too\n")
    ran = in_a_pipe(*update)
    assert ran.status == 0
    assert "  key update      no answer: a server changes its key before it sends data again" in ran.errors


def test_a_key_update_needs_tls_1_3_and_data(echo: Served, files: Files) -> None:
    ran = in_a_pipe("client", echo.where, "--ca", files.ca, "--update-keys", "--max", "1.2", feed=b"hello")
    assert (ran.status, ran.output) == (1, "")
    assert "SSL_key_update" in ran.errors
    ran = in_a_pipe("client", echo.where, "--update-keys", "--json")
    assert ran.status == 2
    assert "--json reads none" in ran.errors
    ran = in_a_pipe("client", echo.where, "--post-handshake-auth", "--json")
    assert ran.status == 2
    assert "the client closes before" in ran.errors


@pytest.mark.feature("key updates, renegotiation and late client certificates on the command line")
def test_the_client_renegotiates_with_a_server_that_allows_it(permitting: Served, files: Files) -> None:
    own = "--cert", files.certificate, "--key", files.key
    again = "client", permitting.where, "--ca", files.ca, *own, "--renegotiate", "--max", "1.2"
    ran = in_a_pipe(*again, feed=b"hello")
    assert (ran.status, ran.output) == (0, "hello"), ran
    messages = json.loads(in_a_pipe(*again, "--json").output)["handshake"]["messages"]
    assert [each["name"] for each in messages].count("ServerHello") == 2


def test_a_server_that_does_not_allow_it_is_a_failure(echo: Served, files: Files) -> None:
    again = "client", echo.where, "--ca", files.ca, "--renegotiate", "--json"
    ran = in_a_pipe(*again, "--max", "1.2")
    assert ran.status == 1
    report = json.loads(ran.output)
    assert report["error"]["records"][0]["reason"] == "no renegotiation"
    assert report["version"] == "TLSv1.2"
    if pyossl.features.tls1_3:
        ran = in_a_pipe(*again)
        assert ran.status == 1
        assert json.loads(ran.output)["error"]["operation"] == "SSL_renegotiate"


@pytest.mark.feature("key updates, renegotiation and late client certificates on the command line")
def test_s_server_and_s_client_renegotiate(permitting: Served, files: Files) -> None:
    allowed = ("-client_renegotiation",) if pyossl.features.api_3_0 else ()
    with s_server(files, *allowed, "-www", "-tls1_2") as served:
        again = "client", served.where, "--ca", files.ca, "--renegotiate"
        ran = in_a_pipe(*again, feed=b"GET / HTTP/1.0\r\n\r\n")
        assert "HTTP/1.0 200 ok" in ran.output, ran
    own = "-cert", files.certificate, "-key", files.key
    with Program(program("openssl"), "s_client", "-connect", permitting.where, "-tls1_2", *own) as run:
        run.wait_for(rb"Verify return code")
        run.type(b"R\n")
        run.wait_for(rb"RENEGOTIATING")
        run.type(b"hello after it\n")
        run.wait_for(rb"hello after it")


@needs_tls_1_3
@pytest.mark.feature("key updates, renegotiation and late client certificates on the command line")
def test_the_certificate_comes_after_the_handshake(permitting: Served, files: Files) -> None:
    own = "--cert", files.certificate, "--key", files.key
    ran = in_a_pipe("client", permitting.where, "--ca", files.ca, *own, "--post-handshake-auth", feed=b"hello")
    assert (ran.status, ran.output) == (0, "hello"), ran
    assert "client cert     not asked for" in ran.errors
    assert ran.errors.endswith("  client cert     sent; authorities: CN=pyossl test CA\n"), ran
    permitting.program.wait_for(rb"client CN=example.com")


@needs_tls_1_3
def test_the_client_does_not_wait_longer_than_its_timeout_for_a_server_that_never_asks(
    echo: Served, files: Files
) -> None:
    own = "--cert", files.certificate, "--key", files.key, "--post-handshake-auth"
    start = time.monotonic()
    ran = in_a_pipe("client", echo.where, "--ca", files.ca, *own, "--timeout", "2", feed=b"hello")
    assert (ran.status, ran.output) == (0, "hello"), ran
    assert time.monotonic() - start < 30  # the server's own timeout is 60 seconds
    assert ran.errors.endswith("  client cert     not asked for\n")


@needs_tls_1_3
def test_s_client_shows_its_certificate_after_the_handshake(files: Files) -> None:
    own = "--cert", files.certificate, "--key", files.key, "--ca", files.ca
    with our_server(*own, "--client-cert", "later") as served:
        command = [program("openssl"), "s_client", "-connect", served.where, "-cert", files.certificate]
        with Program(*command, "-key", files.key, "-enable_pha", feed=[b"hello\n"]):
            served.program.wait_for(rb"client CN=example.com")


@needs_tls_1_3
def test_the_log_as_json_has_the_late_certificate(files: Files) -> None:
    own = "--cert", files.certificate, "--key", files.key
    late = "--ca", files.ca, "--client-cert", "later", "--json"
    with Program(sys.executable, "-m", "pyossl", "server", "--port", "0", *own, *late) as run:
        where = json.loads(run.wait_for(rb"(\{.*\})\n")[1])["listening"]
        in_a_pipe("client", where, "--ca", files.ca, *own, "--post-handshake-auth", feed=b"hello")
        logged = json.loads(run.wait_for(rb'(\{"client": "[^"]*", "event": "client CN.*\})\n')[1])
    assert logged["certificate"]["subject"] == "CN=example.com"
    assert logged["certificate"]["sha256"] == pyossl.Certificate.load(files.certificate).fingerprint("sha256").hex()


@needs_tls_1_3
def test_a_client_that_does_not_allow_it_or_has_none_gets_no_data_and_no_normal_end(
    permitting: Served, files: Files
) -> None:
    """Its data may come before its answer: the server keeps the data until then."""
    for more in ([], ["--post-handshake-auth"]):
        ran = in_a_pipe("client", permitting.where, "--ca", files.ca, *more, feed=b"hello")
        assert (ran.status, ran.output) == (1, ""), more
    permitting.program.wait_for(rb"extension not received")
    permitting.program.wait_for(rb"peer did not return a certificate")


@needs_tls_1_3
@pytest.mark.parametrize("is_signed", [True, False], ids=["signed", "without its signature"])
def test_a_certificate_counts_only_with_the_signature_of_its_key(
    is_signed: bool, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    """Anybody can send another client's certificate.  docs/pitfalls.md, 90"""
    context = pyossl.Context.server(credentials, trust=authority.certificate, verify="later")
    of_client = pyossl.Context.client(trust=authority.certificate, credentials=credentials)
    of_client.post_handshake_auth = True
    client = pyossl.Connection(of_client, "localhost")
    ours, theirs = socket.socketpair()
    with ours, context.wrap_socket(theirs, handshake=False) as tls:
        served = Client(tls, None, ObservedHandshake(context))

        def serve() -> pyossl.Certificate:
            served.handshake(30)
            return served.request_certificate(30 if is_signed else 0.5)

        task = Task(serve)
        while client.handshake() is not None:
            ours.sendall(client.data_to_send())
            client.receive_data(ours.recv(65536))
        client.write(b"early bird")
        ours.sendall(client.data_to_send())
        while not (answer := client.data_to_send()):
            client.receive_data(ours.recv(65536))
            assert client.read() is pyossl.Want.READ
        first_record = 5 + int.from_bytes(answer[3:5], "big")
        ours.sendall(answer if is_signed else answer[:first_record])
        if is_signed:
            assert task.result() == credentials.certificate
            assert served.recv(100) == b"early bird"
        else:
            with pytest.raises(ConnectionAbortedError, match="has not shown a certificate"):
                task.result()


@needs_tls_1_3
def test_the_wait_for_a_certificate_ends_when_the_server_closes_the_connection_for_another_client(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    """Otherwise its thread and its descriptor stay, and there are more clients than the limit."""
    context = pyossl.Context.server(credentials, trust=authority.certificate, verify="later")
    of_client = pyossl.Context.client(trust=authority.certificate)
    of_client.post_handshake_auth = True
    ours, theirs = socket.socketpair()
    served = Client(context.wrap_socket(theirs, handshake=False), None, ObservedHandshake(context))
    handshake = Task(lambda: served.handshake(30))
    with of_client.wrap_socket(ours, "localhost"):
        handshake.result()
        task = Task(lambda: served.request_certificate(30))
        until(lambda: served.gettimeout() == 0)
        time.sleep(0.2)  # until it waits
        served.close_for_another()
        with pytest.raises((pyossl.Error, OSError)):
            task.result()
