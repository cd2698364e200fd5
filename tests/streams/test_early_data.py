"""Early data over trio's and anyio's streams."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
import trio
from early_sessions import REQUEST, early_server, first_flight, session_for
from marks import needs
from streams.anyio_pairs import both as anyio_both, memory_transports
from streams.trio_pairs import both, run, tcp_transports

import pyossl
import pyossl.anyio
from pyossl import Context
from pyossl.trio import TLSStream

pytestmark = needs("tls1_3")


@pytest.fixture
def server_context(credentials: pyossl.Credentials) -> Context:
    return early_server(credentials)


@pytest.mark.feature("early data, sent by a client and read apart by a server")
def test_a_server_on_trio_answers_early_data_before_the_handshake_is_finished(
    client_context: Context, server_context: Context
) -> None:
    async def main() -> None:
        session = session_for(client_context, server_context)
        ours, theirs = await tcp_transports()
        client = TLSStream(ours, client_context, "example.com", session=session, early_data=REQUEST)
        server = TLSStream(theirs, server_context)

        async def call() -> None:
            with pytest.raises(pyossl.UsageError, match="not finished"):
                _ = client.early_data_accepted
            await client.do_handshake()
            assert client.early_data_accepted is True
            assert await client.receive_some() == b"early answer"
            await client.send_all(b"not early")
            assert await client.receive_some() == b"late answer"
            assert await client.receive_some() == b""
            await client.aclose()

        async def serve() -> None:
            assert await server.read_early_data(5) == REQUEST[:5]
            assert await server.read_early_data() == REQUEST[5:]
            with pytest.raises(pyossl.UsageError, match="read_early_data"):
                await server.receive_some()
            await server.send_all(b"early answer")
            assert not server.connection.is_handshake_finished
            assert await server.read_early_data() == b""
            assert await server.receive_some() == b"not early"
            assert server.early_data_accepted is True
            await server.send_all(b"late answer")
            await server.aclose()

        await both(call(), serve())

    run(main)


def test_a_server_on_trio_that_does_not_read_it_refuses_early_data(
    client_context: Context, server_context: Context
) -> None:
    async def main() -> None:
        session = session_for(client_context, server_context)
        ours, theirs = trio.testing.memory_stream_pair()
        client = TLSStream(ours, client_context, "example.com", session=session, early_data=REQUEST)
        server = TLSStream(theirs, server_context)
        await both(client.do_handshake(), server.do_handshake())
        assert client.early_data_accepted is False
        assert await server.read_early_data() == b""

    run(main)


def test_a_cancelled_read_of_early_data_on_trio_loses_nothing(client_context: Context, server_context: Context) -> None:
    async def main() -> None:
        session = session_for(client_context, server_context)
        flight = first_flight(pyossl.Connection(client_context, "example.com", session=session, early_data=REQUEST))
        ours, theirs = trio.testing.memory_stream_pair()
        server = TLSStream(theirs, server_context)
        got = b""
        for start in range(0, len(flight), 100):
            with trio.move_on_after(0):
                got += await server.read_early_data()
            await ours.send_all(flight[start : start + 100])
        assert got + await server.read_early_data() == REQUEST
        with trio.move_on_after(0.05) as scope:
            await server.read_early_data()
        assert scope.cancelled_caught
        await ours.send_eof()
        with pytest.raises(trio.BrokenResourceError) as failure:
            await server.read_early_data()
        assert isinstance(failure.value.__cause__, pyossl.TruncationError)

    run(main)


def test_a_function_of_trio_connects_with_early_data(client_context: Context, server_context: Context) -> None:
    async def main() -> None:
        session = session_for(client_context, server_context)
        (listener,) = await pyossl.trio.open_tcp_listeners(0, server_context, host="127.0.0.1")
        port = listener.transport_listener.socket.getsockname()[1]
        client = await pyossl.trio.open_tcp_stream(
            "127.0.0.1", port, client_context, server_hostname="example.com", session=session, early_data=REQUEST
        )
        server = await listener.accept()

        async def serve() -> None:
            assert await server.read_early_data() == REQUEST
            assert await server.read_early_data() == b""
            await server.do_handshake()

        await both(client.do_handshake(), serve())
        assert client.early_data_accepted is True
        for each in (client, server, listener):
            await each.aclose()

    run(main)


@pytest.mark.anyio
@pytest.mark.feature("early data, sent by a client and read apart by a server")
async def test_a_server_on_anyio_answers_early_data_before_the_handshake_is_finished(
    client_context: Context, server_context: Context, anyio_backend: Any
) -> None:
    session = session_for(client_context, server_context)
    ours, theirs = memory_transports(10)
    server = pyossl.anyio.TLSStream(theirs, server_context)

    async def call() -> None:
        client = await pyossl.anyio.TLSStream.wrap(
            ours, hostname="example.com", ssl_context=client_context, session=session, early_data=REQUEST
        )
        assert client.connection.early_data_accepted is True
        assert await client.receive() == b"early answer"
        await client.send(b"not early")
        assert await client.receive() == b"late answer"
        await client.aclose()

    async def serve() -> None:
        assert await server.read_early_data(5) == REQUEST[:5]
        assert await server.read_early_data() == REQUEST[5:]
        with pytest.raises(pyossl.UsageError, match="read_early_data"):
            await server.receive()
        await server.send(b"early answer")
        assert await server.read_early_data() == b""
        assert await server.receive() == b"not early"
        await server.send(b"late answer")
        with pytest.raises(anyio.EndOfStream):
            await server.receive()
        await server.aclose()

    with anyio.fail_after(20):
        await anyio_both(call(), serve())
