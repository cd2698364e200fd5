"""Early data with the openssl program, GnuTLS and nginx, on either side."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from interop import http_requests as http
from interop.authorities import Authority, Identity
from interop.bodies import GREETING
from interop.client_peers import SClient, Visit
from interop.gnutls_peers import GnutlsClient, GnutlsServer
from interop.nginx_peer import Nginx
from interop.programs import DEADLINE, Finished, where_installed
from interop.pyossl_server import Answered, Answering, answering
from interop.server_peers import Running, Service, SServer
from marks import needs

import pyossl
from pyossl import Context, Session, ffi, lib

pytestmark = needs("tls1_3")
LIMIT = 16384
REQUEST = http.get("greeting")
Early = list[tuple[bytes, bool | None]]


@contextlib.contextmanager
def answering_early(context: Context, folder: Path, seen: Early) -> Iterator[Answering]:
    """A server that answers early data at once, with a file; ``seen`` gets the early data of each connection."""

    def handle(tls: pyossl.Socket) -> Answered:
        early = b""
        while data := tls.read_early_data():
            early += data
            if early.endswith(b"\r\n\r\n"):
                tls.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + (folder / "greeting").read_bytes())
        tls.handshake()
        seen.append((early, tls.early_data_accepted))
        request = http.Request("EARLY", "", "")
        if not early:
            try:
                request = http.answer(tls, folder)
            except http.ClosedEarlyError:
                request = http.Request("", "", "")
        return Answered(tls.version, tls.cipher, None, None, tls.connection.session_reused, None, request)

    context.max_early_data = LIMIT
    with answering(handle, context) as server:
        yield server


def s_client(visit: Visit, *options: str | Path) -> Finished:
    finished = SClient().visit_with(visit, *options)
    assert finished.status == 0, finished
    return finished


@pytest.mark.feature("early data, sent by a client and read apart by a server", "openssl s_server and s_client")
def test_s_client_sends_early_data_and_gets_an_early_answer(
    identity: Identity, trustme_authority: Authority, folder: Path, tmp_path: Path
) -> None:
    session, request, seen = tmp_path / "session.pem", tmp_path / "request", list[tuple[bytes, bool | None]]()
    request.write_bytes(REQUEST)
    with answering_early(Context.server(*identity), folder, seen) as server:
        visit = Visit(server.address, trustme_authority.trust, version=pyossl.Version.TLSv1_3)
        s_client(visit, "-sess_out", session)
        server.outcome()
        finished = s_client(visit, "-sess_in", session, "-early_data", request)
        assert server.outcome().request.method == "EARLY"
        assert finished.output == GREETING
        s_client(visit, "-sess_in", session, "-early_data", request)  # the ticket has been used
        assert server.outcome().request.method == "GET"
    assert seen == [(b"", None), (REQUEST, True), (b"", False)]


@pytest.mark.feature("replayed early data is refused", "openssl s_server and s_client")
def test_early_data_under_a_key_of_a_callback_is_refused(
    identity: Identity, trustme_authority: Authority, folder: Path, tmp_path: Path
) -> None:
    """OpenSSL's protection does not cover such a key: its early data could be sent again without end."""
    session, request, seen = tmp_path / "session.pem", tmp_path / "request", list[tuple[bytes, bool | None]]()
    request.write_bytes(REQUEST)
    keys: list[bytes] = []
    context = Context.server(*identity)
    context.set_ciphersuites("TLS_AES_128_GCM_SHA256")
    context.psk_server_callback = lambda connection, identity: keys[0] if keys else None
    with answering_early(context, folder, seen) as server:
        visit = Visit(server.address, trustme_authority.trust, version=pyossl.Version.TLSv1_3)
        s_client(visit, "-sess_out", session)
        server.outcome()
        keys.append(master_key(Session.load(session.read_bytes(), Context.client(trust=trustme_authority.trust))))
        s_client(visit, "-psk_session", session, "-early_data", request)
        outcome = server.outcome()
        assert outcome.reused
        assert outcome.request.method == "GET"
    assert seen == [(b"", None), (b"", False)]


def master_key(session: Session) -> bytes:
    room = ffi.new("unsigned char[]", 64)
    return bytes(ffi.buffer(room, lib.SSL_SESSION_get_master_key(session._session, room, len(room))))


@pytest.mark.feature("early data, sent by a client and read apart by a server", "GnuTLS")
@where_installed("gnutls-cli")
def test_gnutls_cli_sends_early_data(
    identity: Identity, trustme_authority: Authority, folder: Path, tmp_path: Path
) -> None:
    request, seen = tmp_path / "request", list[tuple[bytes, bool | None]]()
    request.write_bytes(REQUEST)
    with answering_early(Context.server(*identity), folder, seen) as server:
        visit = Visit(server.address, trustme_authority.trust, version=pyossl.Version.TLSv1_3)
        GnutlsClient()._visit(visit, "--resume", "--waitresumption", f"--earlydata={request}")
        server.outcome()
        server.outcome()
    assert seen == [(b"", None), (REQUEST, True)]


def session_of(running: Running, context: Context, name: str = "localhost") -> Session:
    """A session of a first connection, which sends nothing."""
    sessions: list[Session] = []
    context.new_session_callback = lambda connection, session: sessions.append(session)
    with pyossl.connect(running.address, context, server_hostname=name, timeout=DEADLINE) as tls:
        tls.settimeout(0.02)
        while not sessions:
            with contextlib.suppress(TimeoutError):
                tls.recv(1)
    return sessions[-1]


class EarlySServer(SServer):
    """s_server(1) that takes early data, and prints it."""

    def command(self, service: Service) -> list[str | Path]:
        command = [part for part in super().command(service) if part != "-WWW"]
        return [*command, "-early_data", "-max_early_data", str(LIMIT)]


@pytest.mark.feature("early data, sent by a client and read apart by a server", "openssl s_server and s_client")
def test_s_server_takes_our_early_data_once(identity: Identity, trustme_authority: Authority, folder: Path) -> None:
    context = Context.client(trust=trustme_authority.trust)
    with EarlySServer().serving(Service(identity, folder)) as running:
        session = session_of(running, context)
        assert session.max_early_data == LIMIT
        accepted = []
        for data in (b"sent early", b"sent again"):
            with pyossl.connect(
                running.address,
                context,
                server_hostname="localhost",
                session=session,
                early_data=data,
                timeout=DEADLINE,
            ) as tls:
                accepted.append(tls.early_data_accepted)
                tls.sendall(b"the rest\n")
        running.program.wait_for(rb"sent early")
        assert accepted == [True, False]


class EarlyGnutlsServer(GnutlsServer):
    def command(self, service: Service) -> list[str | Path]:
        return [*super().command(service), "--earlydata", f"--maxearlydata={LIMIT}"]


@pytest.mark.feature("early data, sent by a client and read apart by a server", "GnuTLS")
@where_installed("gnutls-serv")
def test_gnutls_serv_takes_our_early_data(identity: Identity, trustme_authority: Authority, folder: Path) -> None:
    context = Context.client(trust=trustme_authority.trust)
    with EarlyGnutlsServer().serving(Service(identity, folder)) as running:
        session = session_of(running, context)
        with pyossl.connect(
            running.address,
            context,
            server_hostname="localhost",
            session=session,
            early_data=b"sent early",
            timeout=DEADLINE,
        ) as tls:
            assert tls.early_data_accepted is True
            tls.sendall(REQUEST)
            assert tls.recv(15).startswith(b"HTTP/1.")


class EarlyNginx(Nginx):
    """nginx that takes early data, and says in a header whether the request came early."""

    more = 'ssl_early_data on; add_header Early "<$ssl_early_data>" always;'


def answer_to(client: pyossl.Connection, sock: socket.socket) -> bytes:
    """Receives until the greeting has come; sends nothing."""
    answer = b""
    while not answer.endswith(GREETING):
        client.receive_data(sock.recv(10_000))
        piece = client.read()
        answer += piece if isinstance(piece, bytes) else b""
    return answer


@pytest.mark.feature("early data, sent by a client and read apart by a server")
@where_installed("nginx")
def test_nginx_answers_our_early_request_before_the_handshake_is_finished(
    identity: Identity, trustme_authority: Authority, folder: Path
) -> None:
    """Our last message of the handshake is sent only after the answer: $ssl_early_data is 1 until it has come."""
    request = b"GET /greeting HTTP/1.1\r\nHost: localhost\r\n\r\n"
    context = Context.client(trust=trustme_authority.trust)
    with EarlyNginx().serving(Service(identity, folder)) as running:
        session = session_of(running, context)
        assert session.max_early_data > 0
        client = pyossl.Connection(context, "localhost", session=session, early_data=request)
        with socket.create_connection(running.address, DEADLINE) as sock:
            client.handshake()
            sock.sendall(client.data_to_send())
            answer = answer_to(client, sock)
            assert client.early_data_accepted is True
            assert b"\r\nEarly: <1>\r\n" in answer
            client.write(request)
            sock.sendall(client.data_to_send())
            assert b"Early: <1>" not in answer_to(client, sock)
