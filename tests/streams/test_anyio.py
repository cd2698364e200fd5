"""pyossl.anyio on asyncio and on trio: anyio's contracts, typed attributes, cancellation, and other TLS libraries."""

from __future__ import annotations

import asyncio
import hashlib
import random
import ssl
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel
import anyio.streams.stapled
import anyio.streams.tls
import pytest
from anyio.abc import SocketAttribute
from streams.anyio_pairs import (
    LIMIT,
    Contexts,
    both,
    close,
    memory_transports,
    outcome,
    read_all,
    tcp_transports,
    wrapped,
)

import pyossl
from pyossl import lib
from pyossl.anyio import TLSAttribute, TLSConnectable, TLSListener, TLSStream, connect_tcp

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.timeout(120),
    pytest.mark.feature("anyio streams, listeners and typed attributes, on asyncio and trio"),
]

DATA = random.Random(2).randbytes(1 << 20)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def contexts(client_context: pyossl.Context, server_context: pyossl.Context) -> Contexts:
    return client_context, server_context


@pytest.fixture
def stdlib_contexts(
    authority: pyossl.Authority, credentials: pyossl.Credentials, tmp_path: Path
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A client's and a server's."""
    (tmp_path / "chain.pem").write_bytes(credentials.certificate_pem())
    (tmp_path / "key.pem").write_bytes(credentials.private_key.to_pem())
    client = ssl.create_default_context(cadata=authority.certificate.to_pem().decode())
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(tmp_path / "chain.pem", tmp_path / "key.pem")
    return client, server


# Data and its end


async def test_bytes_go_both_ways_at_once(contexts: Contexts) -> None:
    async def send(stream: TLSStream, data: bytes) -> None:
        for start in range(0, len(data), 50_000):
            assert lib.SSL_key_update(stream.connection._c.ssl, lib.SSL_KEY_UPDATE_REQUESTED) == 1
            await stream.send(data[start : start + 50_000])
        await stream.send_eof()

    with anyio.fail_after(LIMIT):
        client, server = await wrapped(contexts, memory_transports())
        back = DATA[::-1]
        results = await both(send(client, DATA), send(server, back), read_all(client), read_all(server))
        assert [hashlib.sha256(each).digest() for each in results[2:]] == [
            hashlib.sha256(each).digest() for each in (back, DATA)
        ]
        for stream in (client, server):
            with pytest.raises(anyio.EndOfStream):
                await stream.receive()
            with pytest.raises(anyio.ClosedResourceError):
                await stream.send(b"x")
        await close(client, server)


async def test_two_tasks_in_one_direction_are_refused(contexts: Contexts) -> None:
    with anyio.fail_after(LIMIT):
        client, server = await wrapped(contexts, memory_transports())
        for method in (client.receive, lambda: client.send(b"x")):
            with pytest.raises(anyio.BusyResourceError):
                await both(method(), method())
        await anyio.aclose_forcefully(server)
        await anyio.aclose_forcefully(client)


async def test_an_end_without_close_notify_is_a_broken_stream(contexts: Contexts) -> None:
    """docs/pitfalls.md, 3, 6."""
    with anyio.fail_after(LIMIT):
        client, server = await wrapped(contexts, memory_transports())
        await server.transport_stream.aclose()
        for _ in range(2):
            with pytest.raises(anyio.BrokenResourceError) as caught:
                await client.receive()
            assert isinstance(caught.value.__cause__, pyossl.TruncationError)
        await client.aclose()


async def test_an_end_without_close_notify_is_an_end_if_not_standard_compatible(contexts: Contexts) -> None:
    with anyio.fail_after(LIMIT):
        client, server = await wrapped(contexts, memory_transports(), standard_compatible=False)
        await server.aclose()
        for _ in range(2):
            with pytest.raises(anyio.EndOfStream):
                await client.receive()
        await client.aclose()


async def test_unwrap_gives_the_transport_back(contexts: Contexts) -> None:
    with anyio.fail_after(LIMIT):
        transports = memory_transports(1)
        client, server = await wrapped(contexts, transports)
        (first, nothing), (second, neither) = await both(client.unwrap(), server.unwrap())
        assert (first, second, nothing, neither) == (*transports, b"", b"")
        await client.aclose()
        await both(first.send(b"plain"), second.receive())
        with pytest.raises(anyio.ClosedResourceError):
            await client.send(b"x")
        await close(first, second)


async def test_a_close_wakes_a_task_that_receives(contexts: Contexts) -> None:
    async def close_soon(stream: TLSStream) -> None:
        await anyio.wait_all_tasks_blocked()
        await anyio.aclose_forcefully(stream)

    with anyio.fail_after(LIMIT):
        async with tcp_transports() as transports:
            client, server = await wrapped(contexts, transports)
            received, _ = await both(outcome(client.receive()), close_soon(client))
            assert isinstance(received, anyio.ClosedResourceError)
            await anyio.aclose_forcefully(server)


async def test_arguments_that_cannot_be_used_are_refused(contexts: Contexts) -> None:
    with anyio.fail_after(LIMIT):
        first, second = memory_transports()
        with pytest.raises(pyossl.UsageError, match="ssl_context is missing"):
            await TLSStream.wrap(first)
        with pytest.raises(pyossl.UsageError, match=r"is a server's: use Context\.client"):
            await TLSStream.wrap(first, hostname="example.com", server_side=False, ssl_context=contexts[1])
        with pytest.raises(pyossl.UsageError, match="server's context"):
            TLSListener(anyio.streams.stapled.MultiListener([]), contexts[0])
        with pytest.raises(TypeError, match="pyossl Context"):
            TLSConnectable(first, ssl_context=ssl.create_default_context())  # type: ignore[arg-type]
        await close(first, second)


# Cancellation


async def test_a_receive_that_is_cancelled_loses_no_byte(contexts: Contexts) -> None:
    """It is cancelled by anyio's scopes: at once, and while it awaits the peer's bytes."""

    async def send(stream: TLSStream) -> None:
        for start in range(0, 100_000, 1000):
            await stream.send(DATA[start : start + 1000])
        await stream.send_eof()

    async def receive(stream: TLSStream) -> bytes:
        received, cancelled = b"", 0
        for attempt in range(100_000):
            with anyio.CancelScope() as scope:
                if attempt % 3 == 0:
                    scope.cancel()
                elif attempt % 3 == 1:
                    scope.deadline = anyio.current_time()
                try:
                    received += await stream.receive(700)
                except anyio.EndOfStream:
                    break
            cancelled += scope.cancelled_caught
        assert cancelled > 10
        return received

    with anyio.fail_after(LIMIT):
        client, server = await wrapped(contexts, memory_transports())
        _, received = await both(send(server), receive(client))
        assert received == DATA[:100_000]
        await close(client, server)


@pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)
async def test_a_receive_that_asyncio_itself_cancels_loses_no_byte(contexts: Contexts) -> None:
    """``Task.cancel`` ignores shields: it is tried at each await, one after the other."""
    with anyio.fail_after(LIMIT):
        client, server = await wrapped(contexts, memory_transports())

        async def cancelled_at(step: int) -> bytes:
            task = asyncio.ensure_future(client.receive(1))
            for _ in range(step):
                await asyncio.sleep(0)
            task.cancel()
            try:
                return await task
            except asyncio.CancelledError:
                return b""

        received, cancelled = b"", 0
        await both(server.send(DATA[:300]), outcome(client.receive(1)))
        for attempt in range(5000):
            piece = await cancelled_at(attempt % 4)
            received, cancelled = received + piece, cancelled + (not piece)
            if len(received) == 299:
                break
        assert received == DATA[1:300]
        assert cancelled > 100
        await anyio.aclose_forcefully(client)
        await anyio.aclose_forcefully(server)


async def test_a_send_that_is_cancelled_in_the_middle_breaks_the_stream(contexts: Contexts) -> None:
    with anyio.fail_after(LIMIT):
        client, server = await wrapped(contexts, memory_transports())

        async def give_up(scope: anyio.CancelScope) -> None:
            await anyio.wait_all_tasks_blocked()
            scope.cancel()

        with anyio.CancelScope() as scope:
            await both(client.send(DATA), give_up(scope))
        assert scope.cancelled_caught
        for method in (client.receive, lambda: client.send(b"x"), client.send_eof, client.unwrap):
            with pytest.raises(anyio.BrokenResourceError):
                await method()
        await client.aclose()
        assert isinstance(await outcome(read_all(server)), anyio.BrokenResourceError)
        await server.aclose()


# Attributes


async def test_the_typed_attributes_are_those_of_anyios_own(
    authority: pyossl.Authority,
    credentials: pyossl.Credentials,
    stdlib_contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    """A pair of each, in TLS 1.2, on both sides: both streams give the same values."""
    ours = (
        pyossl.Context.client(trust=authority.certificate, alpn=["h2"], maximum_version=pyossl.Version.TLSv1_2),
        pyossl.Context.server(
            (credentials.certificate, *credentials.chain),
            credentials.private_key,
            alpn=["h2"],
        ),
    )
    for context in stdlib_contexts:
        context.set_alpn_protocols(["h2"])
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    theirs = anyio.streams.tls.TLSStream
    same = [
        TLSAttribute.alpn_protocol,
        TLSAttribute.cipher,
        TLSAttribute.peer_certificate,
        TLSAttribute.peer_certificate_binary,
        TLSAttribute.server_side,
        TLSAttribute.standard_compatible,
        TLSAttribute.tls_version,
    ]
    with anyio.fail_after(LIMIT):
        async with tcp_transports() as (first, second):
            client, other_server = await both(
                TLSStream.wrap(first, hostname="example.com", ssl_context=ours[0]),
                theirs.wrap(second, ssl_context=stdlib_contexts[1]),
            )
            assert client.extra(TLSAttribute.channel_binding_tls_unique) == other_server.extra(
                TLSAttribute.channel_binding_tls_unique
            )
            assert client.extra(TLSAttribute.shared_ciphers) is None
            assert client.extra(SocketAttribute.remote_port) == first.extra(SocketAttribute.remote_port)
            assert client.extra(TLSAttribute.ssl_object) is client.connection
            said_by_client = {attribute: client.extra(attribute) for attribute in same}
        async with tcp_transports() as (first, second):
            other_client, server = await both(
                theirs.wrap(first, hostname="example.com", ssl_context=stdlib_contexts[0]),
                TLSStream.wrap(second, ssl_context=ours[1]),
            )
            assert server.extra(TLSAttribute.channel_binding_tls_unique) == other_client.extra(
                TLSAttribute.channel_binding_tls_unique
            )
            shared = server.extra(TLSAttribute.shared_ciphers)
            assert server.extra(TLSAttribute.cipher) in shared
            assert {attribute: other_client.extra(attribute) for attribute in same} == said_by_client
            assert server.extra(TLSAttribute.peer_certificate) is None
            assert server.extra(TLSAttribute.server_side) is True
        async with tcp_transports() as (first, second):
            other_client, other_server = await both(
                theirs.wrap(first, hostname="example.com", ssl_context=stdlib_contexts[0]),
                theirs.wrap(second, ssl_context=stdlib_contexts[1]),
            )
            assert other_server.extra(TLSAttribute.cipher) in shared


async def test_tls_1_3_has_no_tls_unique(contexts: Contexts) -> None:
    with anyio.fail_after(LIMIT):
        client, server = await wrapped(contexts, memory_transports())
        assert client.extra(TLSAttribute.tls_version) == "TLSv1.3"
        assert client.extra(TLSAttribute.channel_binding_tls_unique, None) is None
        with pytest.raises(anyio.TypedAttributeLookupError):
            server.extra(TLSAttribute.channel_binding_tls_unique)
        await anyio.aclose_forcefully(client)
        await anyio.aclose_forcefully(server)


# Failures of the handshake


async def test_a_refused_certificate_is_raised_itself_and_the_peer_gets_the_alert(
    server_context: pyossl.Context,
) -> None:
    stranger = pyossl.Context.client(trust=pyossl.Authority().certificate)
    with anyio.fail_after(LIMIT):
        first, second = memory_transports()
        ours, theirs = await both(
            outcome(TLSStream.wrap(first, hostname="example.com", ssl_context=stranger)),
            outcome(TLSStream.wrap(second, ssl_context=server_context)),
        )
        assert isinstance(ours, pyossl.CertificateError)
        assert isinstance(theirs, pyossl.AlertError)
        await close(first, second)


async def test_a_peer_that_hangs_up_in_the_handshake_is_a_broken_stream(contexts: Contexts) -> None:
    with anyio.fail_after(LIMIT):
        first, second = memory_transports()
        await second.aclose()
        with pytest.raises(anyio.BrokenResourceError):
            await TLSStream.wrap(first, hostname="example.com", ssl_context=contexts[0])
        await first.aclose()


async def test_a_client_that_stalls_or_fails_does_not_delay_others(
    contexts: Contexts, caplog: pytest.LogCaptureFixture
) -> None:
    async def greet(stream: TLSStream) -> None:
        async with stream:
            await stream.send(b"hello")

    with anyio.fail_after(LIMIT):
        plain = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = plain.extra(SocketAttribute.local_port)
        async with TLSListener(plain, contexts[1]) as listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, greet)
            async with await anyio.connect_tcp("127.0.0.1", port), await anyio.connect_tcp("127.0.0.1", port) as wrong:
                await wrong.send(b"this is no TLS")
                await outcome(read_all(wrong))  # the end, with or without an alert
                async with await connect_tcp("127.0.0.1", port, ssl_context=contexts[0]) as stream:
                    assert await read_all(stream) == b"hello"
            tasks.cancel_scope.cancel()
    assert "the TLS handshake failed" in caplog.text


async def test_a_handshake_that_stalls_is_ended_by_the_listeners_limit(
    contexts: Contexts, caplog: pytest.LogCaptureFixture
) -> None:
    with anyio.fail_after(LIMIT):
        plain = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = plain.extra(SocketAttribute.local_port)
        listener = TLSListener(plain, contexts[1], handshake_timeout=0.01)
        assert listener.extra(TLSAttribute.standard_compatible) is True
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, read_all)
            async with await anyio.connect_tcp("127.0.0.1", port) as stalled:
                assert await read_all(stalled) == b""
            tasks.cancel_scope.cancel()
    assert "TimeoutError" in caplog.text


# Other libraries


async def test_a_connectable_connects_with_an_earlier_session(contexts: Contexts) -> None:
    async def echo(stream: TLSStream) -> None:
        async with stream:
            async for data in stream:
                await stream.send(data)

    sessions: list[pyossl.Session] = []
    contexts[0].new_session_callback = lambda connection, session: sessions.append(session)
    with anyio.fail_after(LIMIT):
        plain = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = plain.extra(SocketAttribute.local_port)
        async with TLSListener(plain, contexts[1]) as listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, echo)
            connectable = TLSConnectable(
                anyio.TCPConnectable("127.0.0.1", port), hostname="127.0.0.1", ssl_context=contexts[0]
            )
            async with await connectable.connect() as stream:
                await stream.send(b"first")
                assert await stream.receive() == b"first"
                assert not stream.connection.session_reused
            async with await connect_tcp("127.0.0.1", port, ssl_context=contexts[0], session=sessions[0]) as stream:
                await stream.send(b"again")
                assert await stream.receive() == b"again"
                assert stream.connection.session_reused
            tasks.cancel_scope.cancel()


@pytest.mark.parametrize("side", ["client", "server"])
async def test_it_works_with_anyios_own_streams(
    side: str, contexts: Contexts, stdlib_contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async def exactly(stream: Any) -> bytes:
        received = bytearray()
        while len(received) < len(DATA):
            received += await stream.receive()
        return bytes(received)

    ours, theirs = (contexts[0], stdlib_contexts[1]) if side == "client" else (contexts[1], stdlib_contexts[0])
    names = ("example.com", None) if side == "client" else (None, "example.com")
    back = DATA[::-1]
    with anyio.fail_after(LIMIT):
        async with tcp_transports() as (first, second):
            our_stream, their_stream = await both(
                TLSStream.wrap(first, hostname=names[0], ssl_context=ours),
                anyio.streams.tls.TLSStream.wrap(second, hostname=names[1], ssl_context=theirs),
            )
            _, _, there, here = await both(
                our_stream.send(DATA), their_stream.send(back), exactly(their_stream), exactly(our_stream)
            )
            assert (there, here) == (DATA, back)
            await our_stream.aclose()
            with pytest.raises(anyio.EndOfStream):
                await their_stream.receive()
            await their_stream.aclose()
