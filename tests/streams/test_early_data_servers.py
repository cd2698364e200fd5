"""``serve_tcp`` of trio and the listener of anyio: early data reaches the handler before the handshake is finished."""

from __future__ import annotations

import contextlib
import logging
import socket
from typing import Any

import anyio
import pytest
from early_sessions import REQUEST, early_server, first_flight, session_for
from marks import needs
from served import SECONDS
from streams.early_servers import FACES, Face, Served, each_face

import pyossl
from pyossl import Context

pytestmark = needs("tls1_3")


@pytest.fixture
def server_context(credentials: pyossl.Credentials) -> Context:
    return early_server(credentials)


def connected(address: Any, context: Context, session: pyossl.Session, data: bytes | None = REQUEST) -> pyossl.Socket:
    return pyossl.connect(
        address, context, server_hostname="example.com", session=session, early_data=data, timeout=SECONDS
    )


def read_all(tls: pyossl.Socket) -> bytes:
    return b"".join(iter(lambda: tls.recv(65536), b""))


async def answer(served: Served) -> None:
    """Answers early data at once, and then what comes after the handshake."""
    while early := await served.read_early_data():
        assert not served.connection.is_handshake_finished
        await served.send_all(b"early: " + early)
    while data := await served.receive_some():
        assert served.connection.is_handshake_finished
        await served.send_all(b"late: " + data)


@each_face
@pytest.mark.feature("early data, read by the servers of trio and anyio")
def test_a_handler_answers_early_data_and_a_second_use_of_the_session_is_refused_and_sent_again(
    face: Face, client_context: Context, server_context: Context
) -> None:
    session = session_for(client_context, server_context)
    with face.serving(answer, server_context, early_data=True) as address:
        with connected(address, client_context, session) as tls:
            assert tls.early_data_accepted is True
            assert tls.recv(1000) == b"early: " + REQUEST
            tls.sendall(b"more")
            assert tls.recv(1000) == b"late: more"
        with connected(address, client_context, session) as tls:
            assert tls.early_data_accepted is False
            tls.sendall(REQUEST)
            assert tls.recv(1000) == b"late: " + REQUEST


@each_face
@pytest.mark.feature("replayed early data is refused")
def test_a_replayed_flight_reaches_no_handler(face: Face, client_context: Context, server_context: Context) -> None:
    """Someone has recorded the client's first bytes and sends them again: the handshake never finishes."""
    seen: list[bytes] = []

    async def handle(served: Served) -> None:
        seen.append(await served.read_early_data())

    session = session_for(client_context, server_context)
    flight = first_flight(pyossl.Connection(client_context, "example.com", session=session, early_data=REQUEST))
    with face.serving(handle, server_context, early_data=True) as address:
        for _ in range(3):
            with socket.create_connection(address, SECONDS) as sock:
                sock.sendall(flight)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65536):
                    pass
    assert seen == [REQUEST]


@each_face
@pytest.mark.parametrize("takes", [True, False])
@pytest.mark.parametrize("limit", [0, 16384])
def test_a_handler_without_early_data_sees_no_difference(
    takes: bool, limit: int, face: Face, credentials: pyossl.Credentials, client_context: Context
) -> None:
    context = early_server(credentials, limit)
    finished: list[bool] = []

    async def handle(served: Served) -> None:
        finished.append(served.connection.is_handshake_finished)
        await served.send_all(await served.receive_some())

    with (
        face.serving(handle, context, early_data=takes) as address,
        pyossl.connect(address, client_context, server_hostname="example.com", timeout=SECONDS) as tls,
    ):
        assert tls.early_data_accepted is None
        tls.sendall(b"hello")
        assert read_all(tls) == b"hello"
    assert finished == [True]


@each_face
def test_a_server_without_the_argument_refuses_early_data(
    face: Face, client_context: Context, server_context: Context
) -> None:
    session = session_for(client_context, server_context)
    with (
        face.serving(answer, server_context) as address,
        connected(address, client_context, session) as tls,
    ):
        assert tls.early_data_accepted is False
        tls.sendall(b"again")
        assert tls.recv(1000) == b"late: again"


@each_face
@pytest.mark.parametrize("reads", [True, False])
def test_the_end_of_a_handler_finishes_the_handshake_so_that_the_client_gets_a_close_notify(
    reads: bool, face: Face, client_context: Context, server_context: Context
) -> None:
    """Also if the handler has not read the end of the early data, or none of it."""
    body = bytes(1_000_000)

    async def handle(served: Served) -> None:
        if reads:
            assert await served.read_early_data(4) == REQUEST[:4]
        await served.send_all(body)

    session = session_for(client_context, server_context)
    with (
        face.serving(handle, server_context, early_data=True) as address,
        connected(address, client_context, session) as tls,
    ):
        assert read_all(tls) == body


@each_face
def test_other_reads_return_no_early_data(face: Face, client_context: Context, server_context: Context) -> None:
    async def handle(served: Served) -> None:
        with pytest.raises(pyossl.UsageError, match="read_early_data"):
            await served.receive_some()
        await served.send_all(b"refused")

    session = session_for(client_context, server_context)
    with (
        face.serving(handle, server_context, early_data=True) as address,
        connected(address, client_context, session) as tls,
    ):
        assert read_all(tls) == b"refused"


@each_face
@pytest.mark.parametrize("closes", [True, False])
def test_a_client_that_stops_after_its_early_data_breaks_the_stream_and_the_server_goes_on(
    closes: bool, face: Face, client_context: Context, server_context: Context
) -> None:
    broken: list[BaseException] = []

    async def handle(served: Served) -> None:
        try:
            await answer(served)
        except Exception as error:
            broken.append(error)

    flight = first_flight(
        pyossl.Connection(
            client_context,
            "example.com",
            session=session_for(client_context, server_context),
            early_data=REQUEST,
        )
    )
    session = session_for(client_context, server_context)
    with face.serving(handle, server_context, early_data=True, handshake_timeout=20 if closes else 0.2) as address:
        with socket.create_connection(address, SECONDS) as sock:
            sock.sendall(flight)
            if closes:
                sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
        with connected(address, client_context, session) as tls:
            assert tls.recv(1000) == b"early: " + REQUEST
    assert [type(each).__name__ for each in broken] == ["BrokenResourceError"]
    cause = broken[0].__cause__
    assert isinstance(cause, pyossl.TruncationError) if closes else "took too long" in str(broken[0])


@each_face
def test_the_time_of_the_handler_is_not_the_clients(
    face: Face, client_context: Context, server_context: Context
) -> None:
    """The client has answered long ago, and a slow handler is no reason to drop it."""

    async def handle(served: Served) -> None:
        assert await served.read_early_data() == REQUEST
        await served.send_all(b"wait")
        await anyio.sleep(0.7)
        assert await served.read_early_data() == b""
        await served.send_all(await served.receive_some())
        await anyio.sleep(0.7)
        await served.send_all(await served.receive_some())

    session = session_for(client_context, server_context)
    with (
        face.serving(handle, server_context, early_data=True, handshake_timeout=0.5) as address,
        connected(address, client_context, session) as tls,
    ):
        assert tls.recv(4) == b"wait"
        tls.sendall(b"one")
        assert tls.recv(3) == b"one"
        tls.sendall(b"two")
        assert read_all(tls) == b"two"


@each_face
def test_a_client_that_fails_before_its_early_data_is_logged_and_reaches_no_handler(
    face: Face, client_context: Context, server_context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Served] = []

    async def handle(served: Served) -> None:
        seen.append(served)

    with (
        caplog.at_level(logging.WARNING),
        face.serving(handle, server_context, early_data=True, handshake_timeout=0.2) as address,
        contextlib.ExitStack() as stack,
    ):
        noise, silence = (stack.enter_context(socket.create_connection(address, SECONDS)) for _ in range(2))
        noise.sendall(b"GET / HTTP/1.1\r\n\r\n")
        for sock in (noise, silence):
            while sock.recv(1000):
                pass
    assert seen == []
    assert sum("handshake" in each.getMessage() for each in caplog.records) == 2


@pytest.mark.parametrize("face", [FACES[0], FACES[1]], ids="-".join)
def test_the_argument_is_true_or_false(face: Face, server_context: Context) -> None:
    with pytest.raises(TypeError, match="early_data"), face.serving(answer, server_context, early_data=b"early"):
        raise AssertionError("it serves")
