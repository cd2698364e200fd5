"""``client``, ``certs`` and ``server`` show what each side asked for and sent beside the certificates, and refusals."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli.cli_runs import in_a_pipe
from cli.cli_servers import Files, Served, files, our_server, s_server
from cli.ocsp_making import ocsp_response
from interop.programs import Program
from marks import needs
from served import SECONDS, Task, serving_plain
from tls.authentication.certificate_log import Log

import pyossl

assert files, "a fixture"

VERSIONS = [pytest.param("1.2")]
if pyossl.features.tls1_3:
    VERSIONS.append(pytest.param("1.3"))
each_version = pytest.mark.parametrize("version", VERSIONS)
needs_ocsp = needs("ocsp")
needs_tls_1_3 = needs("tls1_3")


@pytest.fixture(scope="module")
def stapling(
    files: Files, authority: pyossl.Authority, credentials: pyossl.Credentials, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """``openssl s_server`` with an OCSP response."""
    response = tmp_path_factory.mktemp("ocsp") / "response.der"
    response.write_bytes(ocsp_response(credentials, authority))
    with s_server(files, "-www", "-status_file", str(response)) as served:
        yield served


@pytest.fixture(scope="module")
def asking(files: Files) -> Iterator[Served]:
    """``python -m pyossl server`` that requires a client certificate."""
    with our_server("--cert", files.certificate, "--key", files.key, "--ca", files.ca) as served:
        yield served


def facts(served: Served, files: Files, *arguments: str, command: str = "client") -> dict[str, Any]:
    ran = in_a_pipe(command, served.where, "--ca", files.ca, "--json", *arguments)
    assert ran.status == 0, ran
    report: dict[str, Any] = json.loads(ran.output)
    return report


@needs_ocsp
@pytest.mark.feature("OCSP and certificate timestamps on the command line")
@each_version
@pytest.mark.parametrize("command", ["client", "certs"])
def test_the_stapled_response_is_shown(stapling: Served, files: Files, version: str, command: str) -> None:
    report = facts(stapling, files, "--max", version, command=command)
    assert report["ocsp"]["status"] == "good"
    assert report["ocsp"]["is_for_certificate"] is True
    assert report["scts"] == []
    ran = in_a_pipe(command, stapling.where, "--ca", files.ca, "--max", version, feed=b"GET / HTTP/1.0\r\n\r\n")
    assert "  OCSP            good, from " in ran.output + ran.errors


@needs_ocsp
@each_version
@pytest.mark.parametrize("command", ["client", "certs"])
def test_the_stapled_response_is_checked(stapling: Served, files: Files, version: str, command: str) -> None:
    ocsp = facts(stapling, files, "--max", version, command=command)["ocsp"]
    assert (ocsp["is_verified"], ocsp["problem"]) == (True, None)
    ran = in_a_pipe(command, stapling.where, "--ca", files.ca, "--max", version, feed=b"GET / HTTP/1.0\r\n\r\n")
    assert "(verified)" in ran.output + ran.errors


@needs_ocsp
@pytest.mark.feature("OCSP and certificate timestamps on the command line")
def test_a_response_can_be_required(stapling: Served, asking: Served, files: Files) -> None:
    assert facts(stapling, files, "--require-ocsp")["ocsp"]["is_verified"] is True
    own = ("--cert", files.certificate, "--key", files.key)
    ran = in_a_pipe("client", asking.where, "--ca", files.ca, *own, "--require-ocsp", "--json")
    assert ran.status == 1
    assert "the server has stapled no OCSP response" in json.loads(ran.output)["error"]["message"]
    ran = in_a_pipe("client", stapling.where, "--require-ocsp", "--no-verify")
    assert ran.status == 2
    assert "remove --no-verify" in ran.errors


@needs("ct")
@pytest.mark.feature("OCSP and certificate timestamps on the command line")
def test_a_timestamp_can_be_required(stapling: Served, files: Files, tmp_path: Path) -> None:
    logs = Log().list_in(tmp_path / "logs.cnf")
    ran = in_a_pipe("client", stapling.where, "--ca", files.ca, "--sct-logs", str(logs), "--json")
    assert ran.status == 1
    assert json.loads(ran.output)["error"]["verification"]["code"] == pyossl.lib.X509_V_ERR_NO_VALID_SCTS
    for wrong in (
        ["--sct-logs", str(tmp_path / "missing")],
        ["--sct-logs", str(logs), "--no-verify"],
        ["--sct-logs", ""],
    ):
        assert in_a_pipe("client", stapling.where, *wrong).status == 2


@needs_ocsp
@needs("ct")
@each_version
def test_a_session_from_before_something_was_required_is_not_resumed(
    version: str, files: Files, tmp_path: Path
) -> None:
    logs = Log().list_in(tmp_path / "logs.cnf")
    session = "--session", str(tmp_path / "session.pem"), "--max", version
    with our_server("--cert", files.certificate, "--key", files.key) as served:
        assert facts(served, files, *session)["session"]["resumed"] is False
        assert facts(served, files, *session)["session"]["resumed"] is True
        for required in (["--require-ocsp"], ["--sct-logs", str(logs)]):
            ran = in_a_pipe("client", served.where, "--ca", files.ca, *session, *required, "--json")
            assert ran.status == 1, ran


@needs_ocsp
def test_a_response_that_is_not_accepted_says_why(
    files: Files, authority: pyossl.Authority, credentials: pyossl.Credentials, tmp_path: Path
) -> None:
    response = tmp_path / "response.der"
    response.write_bytes(ocsp_response(credentials, authority, revoked=True))
    with s_server(files, "-www", "-status_file", str(response)) as served:
        ocsp = facts(served, files)["ocsp"]
        assert ocsp["is_verified"] is False
        assert "says that it was revoked" in ocsp["problem"]
        ran = in_a_pipe("client", served.where, "--ca", files.ca, feed=b"GET / HTTP/1.0\r\n\r\n")
        assert "not accepted: the OCSP response says that it was revoked" in ran.errors


@each_version
@pytest.mark.parametrize("command", ["client", "certs"])
def test_the_signature_algorithm_is_shown(stapling: Served, files: Files, version: str, command: str) -> None:
    report = facts(stapling, files, "--max", version, command=command)
    assert report["signature_algorithm"] == "ecdsa_secp256r1_sha256"
    assert report["client_certificate"] is None


def test_what_the_client_offered_is_in_the_json(stapling: Served, files: Files) -> None:
    offered = facts(stapling, files, "--groups", "P-384:P-256", "--max", "1.2")["offered"]
    assert offered["groups"] == ["secp384r1", "secp256r1"]
    assert offered["versions"] == ["TLSv1.2"]
    assert "ECDHE-ECDSA-AES128-GCM-SHA256" in offered["ciphers"]
    assert "ecdsa_secp256r1_sha256" in offered["signature_algorithms"]
    assert "status_request" in offered["extensions"] or not pyossl.features.ocsp


@each_version
def test_a_request_for_a_client_certificate_is_shown_with_its_authorities(
    asking: Served, files: Files, version: str
) -> None:
    own = ("--cert", files.certificate, "--key", files.key, "--max", version)
    report = facts(asking, files, *own)["client_certificate"]
    assert report["authorities"] == ["CN=pyossl test CA"]
    assert report["sent"] is True
    assert report["signature_algorithm"] == "ecdsa_secp256r1_sha256"
    assert "ecdsa_secp256r1_sha256" in report["signature_algorithms"]
    ran = in_a_pipe("client", asking.where, "--ca", files.ca, *own)
    assert "  client cert     sent; authorities: CN=pyossl test CA" in ran.errors


# Refused


@pytest.mark.feature("failures as JSON")
@each_version
@pytest.mark.parametrize("command", ["client", "certs"])
def test_a_server_that_wants_a_certificate_is_status_1_and_says_so_in_the_json(
    asking: Served, files: Files, version: str, command: str
) -> None:
    """In TLS 1.3, the refusal comes after the client's handshake."""
    ran = in_a_pipe(command, asking.where, "--ca", files.ca, "--json", "--max", version)
    assert ran.status == 1, ran
    report = json.loads(ran.output)
    assert report["error"]["type"] == "AlertError"
    wanted = {"1.2": (40, "handshake failure"), "1.3": (116, "certificate required")}[version]
    assert (report["error"]["alert"]["number"], report["error"]["alert"]["name"]) == wanted
    assert ran.errors.startswith("AlertError: ")
    assert ran.errors.count("\n") == 1
    if command == "client":
        assert report["client_certificate"]["sent"] is False
        assert report["handshake"]["messages"]


@needs_tls_1_3
def test_certs_shows_the_certificates_of_a_server_that_refuses_afterwards(asking: Served, files: Files) -> None:
    ran = in_a_pipe("certs", asking.where, "--ca", files.ca)
    assert ran.status == 1
    assert "Nothing is wrong" in ran.output
    assert "  client cert     asked for, none sent; authorities: CN=pyossl test CA" in ran.output
    assert ran.errors.startswith("AlertError: ")


@needs_tls_1_3
def test_a_reset_in_place_of_the_alert_is_a_refusal_too(files: Files, authority: pyossl.Authority) -> None:
    """A server that closes with unread data resets the connection, and the alert may be lost."""
    context = pyossl.Context.server(files.certificate, files.key, trust=files.ca, verify="optional")
    context.ticket_count = 0

    def reset(sock: socket.socket) -> None:
        connection = pyossl.Connection(context)
        while not connection.is_handshake_finished:
            connection.handshake()
            sock.sendall(connection.data_to_send())
            if not connection.is_handshake_finished:
                connection.receive_data(sock.recv(65536))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with serving_plain(reset) as address:
        ran = in_a_pipe("client", f"127.0.0.1:{address[1]}", "--ca", files.ca, "--json")
    assert ran.status == 1, ran
    assert json.loads(ran.output)["error"]["type"] == "ConnectionResetError"


@pytest.mark.parametrize("command", ["client", "certs", "trace", "scan"])
def test_a_server_that_does_not_listen_is_json_too(command: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{unused.getsockname()[1]}"
        ran = in_a_pipe(command, where, "--json")
    assert ran.status == 1
    error = json.loads(ran.output)["error"]
    assert error["type"] == "ConnectionRefusedError"
    assert where in error["message"]
    assert ran.errors.startswith("ConnectionRefusedError: ")


@pytest.mark.parametrize("command", ["client", "trace"])
def test_a_certificate_that_is_refused_is_in_the_json(stapling: Served, command: str) -> None:
    ran = in_a_pipe(command, stapling.where, "--json")
    assert ran.status == 1
    error = json.loads(ran.output)["error"]
    assert error["verification"]["reason"]
    assert error["verification"]["certificate"]["subject"] in ("CN=example.com", "CN=pyossl test CA")


# Bytes on the wire


@contextlib.contextmanager
def counting_proxy(target: str) -> Iterator[tuple[str, dict[str, int]]]:
    """A proxy for one connection, and the number of bytes that it has moved in each direction."""
    host, _, port = target.rpartition(":")
    moved = {"sent": 0, "received": 0}

    def pump(source: socket.socket, sink: socket.socket, direction: str) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                moved[direction] += len(data)
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def proxy(client: socket.socket) -> None:
        with socket.create_connection((host, int(port)), SECONDS) as server:
            back = threading.Thread(target=pump, args=(server, client, "received"))
            back.start()
            pump(client, server, "sent")
            back.join(SECONDS)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(SECONDS)

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.settimeout(SECONDS)
                proxy(client)

        task = Task(serve)
        yield f"127.0.0.1:{listener.getsockname()[1]}", moved
        task.result()


@pytest.mark.feature("bytes on the wire")
@each_version
def test_the_bytes_are_those_on_the_wire(asking: Served, files: Files, version: str) -> None:
    """Record headers and encryption are a part of them, and so are the tickets and the alerts of the end."""
    own = ("--cert", files.certificate, "--key", files.key, "--max", version)
    with counting_proxy(asking.where) as (where, moved):
        ran = in_a_pipe("client", where, "--ca", files.ca, "--servername", "localhost", "--json", *own)
    handshake = json.loads(ran.output)["handshake"]
    assert (handshake["bytes_sent"], handshake["bytes_received"]) == (moved["sent"], moved["received"])
    assert handshake["bytes_received"] > sum(each["size"] for each in handshake["messages"] if not each["outgoing"])


# The server's log


@each_version
def test_the_log_of_the_server_has_the_signature_algorithm(files: Files, version: str) -> None:
    with our_server("--cert", files.certificate, "--key", files.key) as served:
        in_a_pipe("client", served.where, "--ca", files.ca, "--max", version)
        served.program.wait_for(rb"signed with ecdsa_secp256r1_sha256")


@pytest.mark.feature("the server's log as JSON")
def test_each_handshake_is_a_line_of_json(files: Files) -> None:
    arguments = ("--cert", files.certificate, "--key", files.key, "--ca", files.ca, "--json")
    with Program(sys.executable, "-m", "pyossl", "server", "--port", "0", *arguments) as run:
        where = json.loads(run.wait_for(rb"(\{.*\})\n")[1])["listening"]
        own = ("--cert", files.certificate, "--key", files.key, "--groups", "P-256")
        assert in_a_pipe("client", where, "--ca", files.ca, *own).status == 0
        finished = json.loads(run.wait_for(rb'(\{"client": "[^"]*", "version.*\})\n')[1])
        assert finished["client_certificate"]["certificate"]["subject"] == "CN=example.com"
        assert finished["client_certificate"]["sent"] is True
        assert finished["offered"]["groups"] == ["secp256r1"]
        assert finished["signature_algorithm"] == "ecdsa_secp256r1_sha256"
        assert finished["handshake"]["bytes_received"] > 0
        assert in_a_pipe("client", where, "--ca", files.ca).status == 1
        failed = json.loads(run.wait_for(rb'(\{"client": "[^"]*", "offered.*\})\n')[1])
        assert "peer did not return a certificate" in failed["error"]["message"]
        assert failed["offered"]["versions"]
