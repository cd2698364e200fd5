"""Early data of the openssl program, read by the servers of trio and anyio, and by an asyncio server after STARTTLS."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from interop import http_requests as http
from interop.authorities import Authority, Identity
from interop.bodies import GREETING
from interop.client_peers import SClient, Visit
from interop.programs import DEADLINE, Finished, Program, program
from marks import needs
from streams.early_servers import Face, Served, each_face

import pyossl
import pyossl.aio
from pyossl import Context

pytestmark = needs("tls1_3")
REQUEST = http.get("greeting")
ANSWER = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + GREETING


def early_context(identity: Identity) -> Context:
    context = Context.server(*identity)
    context.max_early_data = 16384
    return context


@each_face
@pytest.mark.feature("early data, read by the servers of trio and anyio", "openssl s_server and s_client")
def test_s_client_gets_an_early_answer_once(
    face: Face, identity: Identity, trustme_authority: Authority, tmp_path: Path
) -> None:
    session, request = tmp_path / "session.pem", tmp_path / "request"
    request.write_bytes(REQUEST)
    seen: list[tuple[bytes, bool | None]] = []

    async def handle(served: Served) -> None:
        early = b""
        while data := await served.read_early_data():
            early += data
            if early.endswith(b"\r\n\r\n"):
                await served.send_all(ANSWER)
        if not early:
            received = b""
            while not received.endswith(b"\r\n\r\n"):
                received += await served.receive_some()
            await served.send_all(ANSWER)
        seen.append((early, served.connection.early_data_accepted))

    with face.serving(handle, early_context(identity), early_data=True) as address:
        visit = Visit(address, trustme_authority.trust, version=pyossl.Version.TLSv1_3)
        for options in (("-sess_out", session), *[("-sess_in", session, "-early_data", request)] * 2):
            finished = SClient().visit_with(visit, *options)
            assert finished.status == 0, finished
            assert finished.output == GREETING
    assert seen == [(b"", None), (REQUEST, True), (b"", False)]


def s_client_after_starttls(port: int, trust: Path, *options: str | Path) -> Finished:
    command: list[str | Path] = [program("openssl"), "s_client", "-quiet", "-starttls", "smtp", "-tls1_3", *options]
    command += ["-connect", f"127.0.0.1:{port}", "-CAfile", trust, "-verify_return_error", "-servername", "localhost"]
    with Program(*command, feed=[b"late\n"]) as run:
        return run.finish()


@pytest.mark.feature("early data over another transport", "openssl s_server and s_client")
def test_s_client_sends_early_data_after_starttls(
    identity: Identity, trustme_authority: Authority, tmp_path: Path
) -> None:
    session, request = tmp_path / "session.pem", tmp_path / "request"
    request.write_bytes(b"early\n")
    seen: list[Any] = []
    context = early_context(identity)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        await reader.readline()
        writer.write(b"250-localhost\r\n250 STARTTLS\r\n")
        await reader.readline()
        writer.write(b"220 go ahead\r\n")
        under_tls, answers = await pyossl.aio.open_over(writer, context, early_data=True)
        while early := await under_tls.read_early_data():
            answers.write(b"answer to " + early)
            seen.append(early)
        seen.append(await under_tls.readline())
        answers.write(b"bye\n")
        answers.close()
        await answers.wait_closed()

    async def main() -> list[Finished]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        results = []
        for options in (("-sess_out", session), ("-sess_in", session, "-early_data", request)):
            visit = asyncio.to_thread(s_client_after_starttls, port, trustme_authority.trust, *options)
            results.append(await asyncio.wait_for(visit, DEADLINE))
        server.close()
        await server.wait_closed()
        return results

    first, second = asyncio.run(main())
    assert (first.status, second.status) == (0, 0)
    assert b"answer to" not in first.output
    assert second.output.endswith(b"answer to early\nbye\n")
    assert seen == [b"late\n", b"early\n", b"late\n"]
