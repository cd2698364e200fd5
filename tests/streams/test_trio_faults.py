"""pyossl.trio when something goes wrong: cancellation at every step, peers that stall or do not read, new keys."""

from __future__ import annotations

import hashlib
import mmap
import os
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing
from streams.trio_pairs import (
    CancelledAtStep,
    Metered,
    Transports,
    both,
    outcome,
    read_all,
    run,
    shake_hands,
    streams,
    tcp_transports,
    update_keys,
)

import pyossl
from pyossl import lib
from pyossl.streams import async_stream
from pyossl.trio import TLSStream

pytestmark = pytest.mark.feature("trio streams under cancellation and faults")

Contexts = tuple[pyossl.Context, pyossl.Context]
RECORD = 16384
STEPS = 400
"""More than any operation here takes."""


@pytest.fixture
def contexts(client_context: pyossl.Context, server_context: pyossl.Context) -> Contexts:
    return client_context, server_context


def text(size: int) -> bytes:
    return random.Random(size).randbytes(size)


# Cancellation


def test_a_receive_that_is_cancelled_at_any_step_loses_no_byte(contexts: Contexts) -> None:
    """Every second record follows a KeyUpdate, whose answer the reader has to send."""
    data = text(60_000)

    async def send(server: TLSStream[Any]) -> None:
        for number, start in enumerate(range(0, len(data), 1000)):
            if number % 2:
                update_keys(server)
            await server.send_all(data[start : start + 1000])
        await server.send_eof()
        assert await read_all(server) == b""  # a close while an answer is on its way would be a reset
        await server.aclose()

    async def receive(client: TLSStream[Any]) -> bytes:
        received, step, cancelled = b"", 0, 0
        while True:
            with trio.CancelScope() as scope, CancelledAtStep(scope, step % 4):
                piece = await client.receive_some(700)
                if not piece:
                    break
                received += piece
            cancelled += scope.cancelled_caught
            step += 1
        assert cancelled > 20
        await client.aclose()
        return received

    async def work() -> None:
        client, server = streams(*contexts, await tcp_transports())
        await shake_hands(client, server)
        _, received = await both(send(server), receive(client))
        assert hashlib.sha256(received).digest() == hashlib.sha256(data).digest()

    run(work)


def test_a_handshake_that_is_cancelled_at_any_step_goes_on_or_is_broken(contexts: Contexts) -> None:
    async def attempt(step: int) -> tuple[bool, bool]:
        """Whether the cancellation came in time, and whether the handshake could go on after it."""
        client, server = streams(*contexts, trio.testing.lockstep_stream_pair())

        async def cancelled() -> bool:
            with trio.CancelScope() as scope, CancelledAtStep(scope, step):
                await client.do_handshake()
            return scope.cancelled_caught

        async def client_side() -> bool | Exception:
            caught = await cancelled()
            again = await outcome(client.do_handshake())
            await trio.aclose_forcefully(client)
            assert again is None or isinstance(again, trio.BrokenResourceError)
            return caught, again is None

        (came, went_on), _ = await both(client_side(), outcome(server.do_handshake()))
        await trio.aclose_forcefully(server)
        return came, went_on

    async def work() -> None:
        seen = set()
        for step in range(STEPS):
            came, went_on = await attempt(step)
            seen.add((came, went_on))
            if not came:
                break
        # While the ClientHello was sent; while the server's flight was awaited; too late.
        assert seen == {(True, False), (True, True), (False, True)}

    run(work)


async def lockstep_transports() -> Transports:
    return trio.testing.lockstep_stream_pair()


@pytest.mark.parametrize("transports", [lockstep_transports, tcp_transports])
def test_a_send_that_is_cancelled_at_any_step_is_whole_or_the_stream_is_broken(
    contexts: Contexts, transports: Callable[[], Awaitable[Transports]]
) -> None:
    """During a send of the transport, and between two of its sends: a socket cannot be cancelled after it has sent."""
    data = text(3 * async_stream.CHUNK)

    async def attempt(step: int) -> bool:
        client, server = streams(*contexts, await transports())
        await shake_hands(client, server)

        async def send() -> bool:
            with trio.CancelScope() as scope, CancelledAtStep(scope, step):
                await client.send_all(data)
            if not scope.cancelled_caught:
                await client.aclose()
                return False
            if step > 0:
                with pytest.raises(trio.BrokenResourceError):
                    await client.send_all(b"more")
                with pytest.raises(trio.BrokenResourceError):
                    await client.receive_some()
            else:  # before the first byte the stream is not broken
                await client.send_all(data)
            await client.aclose()
            return True

        came, received = await both(send(), outcome(read_all(server)))
        if came and step > 0:
            assert isinstance(received, trio.BrokenResourceError)  # and not a clean end (docs/pitfalls.md, 6)
        else:
            assert received == data
        await server.aclose()
        return bool(came)

    async def work() -> None:
        for step in range(STEPS):
            if not await attempt(step):
                assert step > 2
                return
        pytest.fail("the send was always cancelled")

    run(work)


def test_a_close_that_is_cancelled_at_any_step_closes_the_transport(contexts: Contexts) -> None:
    async def work() -> None:
        for step in range(STEPS):
            client, server = streams(*contexts, trio.testing.lockstep_stream_pair())
            await shake_hands(client, server)

            async def close(client: TLSStream[Any] = client, step: int = step) -> bool:
                with trio.CancelScope() as scope, CancelledAtStep(scope, step):
                    await client.aclose()
                with pytest.raises(trio.ClosedResourceError):
                    await client.receive_some()
                with pytest.raises(trio.ClosedResourceError):
                    await client.transport_stream.send_all(b"x")
                return scope.cancelled_caught

            came, received = await both(close(), outcome(read_all(server)))
            assert received == b"" or isinstance(received, trio.BrokenResourceError)
            if not came:
                assert received == b""
                return
        pytest.fail("the close was always cancelled")

    run(work)


# Peers that stall


async def stalled(work: Any) -> None:
    """Checks that the work waits for ever: after a minute, on a clock that jumps ahead, it is not done."""
    with trio.move_on_after(60) as scope:
        await work
    assert scope.cancelled_caught


def test_a_deadline_ends_the_wait_for_a_peer_that_stalls(contexts: Contexts) -> None:
    """In the handshake, in the middle of a record, and if there is no room for the close_notify."""

    async def work() -> None:
        first, second = trio.testing.memory_stream_pair()
        meter = Metered(first)
        client, server = streams(*contexts, (meter, second))
        await stalled(client.do_handshake())
        await both(client.do_handshake(), server.do_handshake())  # it can go on

        # Half of a record has come.
        record = trio.testing.memory_stream_pair()
        server.transport_stream, kept = record[0], server.transport_stream
        server._async_stream._send = record[0].send_all
        await server.send_all(b"a whole record")
        await server.send_all(b"x")
        sealed = bytes(await record[1].receive_some())
        await kept.send_all(sealed[:-10])
        assert await client.receive_some() == b"a whole record"
        await stalled(client.receive_some())
        await kept.send_all(sealed[-10:])
        assert await client.receive_some() == b"x"

        meter.room = 0
        await stalled(client.aclose())
        with pytest.raises(trio.ClosedResourceError):
            await first.send_all(b"x")

    trio.run(work, clock=trio.testing.MockClock(autojump_threshold=0))


def test_clients_that_stall_or_fail_do_not_delay_others(contexts: Contexts) -> None:
    async def greet(stream: TLSStream[trio.SocketStream]) -> None:
        await stream.send_all(b"hello")

    async def work() -> None:
        async with trio.open_nursery() as nursery:
            (listener,) = await nursery.start(_serving(contexts[1], greet))
            port = listener.transport_listener.socket.getsockname()[1]
            stalled_ones = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(20)]
            stream = await pyossl.trio.open_tcp_stream("127.0.0.1", port, contexts[0])
            assert await read_all(stream) == b"hello"
            await stalled_ones[0].send_all(b"this is no TLS")
            await read_all(stalled_ones[0])  # the end, with or without an alert
            for each in (*stalled_ones, stream):
                await each.aclose()
            another = await pyossl.trio.open_tcp_stream("127.0.0.1", port, contexts[0])
            assert await read_all(another) == b"hello"
            await another.aclose()
            nursery.cancel_scope.cancel()

    run(work)


def _serving(context: pyossl.Context, handler: Any) -> Any:
    async def serve(task_status: Any) -> None:
        await pyossl.trio.serve_tcp(handler, 0, context, host="127.0.0.1", task_status=task_status)

    return serve


# Back-pressure


def resident() -> int:
    """The memory of this process, in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="the system has no /proc")
def test_memory_is_bounded_if_the_peer_does_not_read(contexts: Contexts) -> None:
    """1 GiB is sent."""
    offered = mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    async def work() -> None:
        first, second = trio.testing.memory_stream_pair()
        meter = Metered(first)
        client, server = streams(*contexts, (meter, second))
        await shake_hands(client, server)
        before, sent, meter.room = resident(), meter.sent, 0
        with memoryview(offered) as view:
            await stalled(client.send_all(view))
        assert meter.sent - sent < 2 * async_stream.CHUNK
        assert resident() - before < 16 << 20

    trio.run(work, clock=trio.testing.MockClock(autojump_threshold=0))
    offered.close()


def test_a_slow_reader_gets_every_byte(contexts: Contexts) -> None:
    data = text(2 << 20)

    async def slowly(server: TLSStream[Any]) -> bytes:
        received = bytearray()
        while piece := await server.receive_some(5000):
            received += piece
            await trio.sleep(1)
        return bytes(received)

    async def send(client: TLSStream[Any]) -> None:
        await client.send_all(data)
        await client.aclose()

    async def work() -> None:
        client, server = streams(*contexts, trio.testing.lockstep_stream_pair())
        await shake_hands(client, server)
        _, received = await both(send(client), slowly(server))
        assert received == data

    trio.run(work, clock=trio.testing.MockClock(autojump_threshold=0))


# New keys


def test_new_keys_in_bulk_both_ways_lose_nothing_and_cause_no_deadlock(contexts: Contexts) -> None:
    """Each side's reader has answers to send while its writer waits for the peer's reader.  If the readers waited for
    the writers, all four would wait for one another."""
    there, back = text(1 << 20), text((1 << 20) + 1)

    async def send(stream: TLSStream[Any], data: bytes) -> None:
        for start in range(0, len(data), 3 * RECORD):
            update_keys(stream)
            await stream.send_all(data[start : start + 3 * RECORD])
        await stream.send_eof()

    async def work() -> None:
        client, server = streams(*contexts, trio.testing.lockstep_stream_pair())
        await shake_hands(client, server)
        results = await both(send(client, there), send(server, back), read_all(client), read_all(server))
        assert [hashlib.sha256(data).digest() for data in results[2:]] == [
            hashlib.sha256(data).digest() for data in (back, there)
        ]

    run(work)


def test_a_reader_does_not_wait_for_room_for_its_answer(contexts: Contexts) -> None:
    """No task writes and the peer reads nothing, but the data that it sends is read."""

    async def work() -> None:
        first, second = trio.testing.memory_stream_pair()
        meter = Metered(first)
        client, server = streams(*contexts, (meter, second))
        await shake_hands(client, server)
        sent, meter.room = meter.sent, 0
        for word in (b"first", b"second", b"third"):
            update_keys(server)
            with trio.fail_after(60):
                received, _ = await both(client.receive_some(), server.send_all(word))
            assert received == word
        assert meter.sent == sent
        meter.make_room()
        await client.send_all(b"with three answers")
        assert await server.receive_some() == b"with three answers"

    trio.run(work, clock=trio.testing.MockClock(autojump_threshold=0))


def test_a_reader_waits_if_too_many_answers_wait_for_a_writer(contexts: Contexts) -> None:
    """A peer that asks for new keys without end, and reads nothing, cannot fill our memory with answers."""

    async def ask(server: TLSStream[Any]) -> None:
        while True:
            update_keys(server)
            await server.send_all(b"x")

    async def work() -> None:
        first, second = trio.testing.memory_stream_pair(), trio.testing.lockstep_stream_pair()
        meter = Metered(trio.StapledStream(first[0].send_stream, second[0].receive_stream))
        client, server = streams(*contexts, (meter, trio.StapledStream(second[1].send_stream, first[1].receive_stream)))
        await shake_hands(client, server)
        meter.room = 0
        with trio.move_on_after(60) as scope:
            await both(client.send_all(b"there is no room for it"), read_all(client), ask(server))
        assert scope.cancelled_caught
        kept = sum(map(len, client._async_stream._unsent))
        assert 10_000 < kept < 40_000

    trio.run(work, clock=trio.testing.MockClock(autojump_threshold=0))


def test_other_tasks_go_on_while_one_receives_a_flood_of_key_updates_at_once(contexts: Contexts) -> None:
    """The bytes that a transport returns at once are processed in portions, with checkpoints in between."""
    flood = 20_000

    async def work() -> tuple[int, int]:
        client, server = trio.testing.memory_stream_pair()
        stream, peer = TLSStream(client, contexts[0], "example.com"), pyossl.Connection(contexts[1])

        async def carry() -> None:
            while peer.handshake() is not None:
                if data := peer.data_to_send():
                    await server.send_all(data)
                peer.receive_data(await server.receive_some())
            await server.send_all(peer.data_to_send())

        await both(stream.do_handshake(), carry())
        for _ in range(flood):
            assert peer.call(lib.SSL_key_update, lib.SSL_KEY_UPDATE_NOT_REQUESTED) == 1
            peer.handshake()
        peer.write(b"here I am")
        data = peer.data_to_send()
        await server.send_all(data)
        turns, over = 0, trio.Event()

        async def turn() -> None:
            nonlocal turns
            while not over.is_set():
                turns += 1
                await trio.lowlevel.checkpoint()

        async def receive() -> None:
            assert await stream.receive_some() == b"here I am"
            over.set()

        await both(turn(), receive())
        stream.connection.close()
        return turns, len(data)

    turns, size = run(work)
    assert turns >= size // 65536


def test_a_renegotiation_that_both_sides_allow_succeeds(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    """In TLS 1.2 the client's reader must send a handshake, and its writer must receive one."""
    server_context = pyossl.Context.server(
        credentials.certificate, credentials.private_key, maximum_version=pyossl.Version.TLSv1_2
    )
    client_context = pyossl.Context.client(trust=authority.certificate)
    for context in (client_context, server_context):
        context.options = context.options & ~pyossl.Options.NO_RENEGOTIATION

    async def echo(stream: TLSStream[Any]) -> None:
        async for data in stream:
            await stream.send_all(data)
        await stream.aclose()

    async def renegotiate(stream: TLSStream[Any]) -> None:
        for times in range(1, 4):
            ssl = stream.connection._c.ssl
            assert lib.SSL_renegotiate(ssl) == 1
            await stream.send_all(b"before")
            assert await stream.receive_some() == b"before"
            assert lib.SSL_total_renegotiations(ssl) == times
        await stream.aclose()

    async def work() -> None:
        client, server = streams(client_context, server_context)
        await shake_hands(client, server)
        await both(echo(client), renegotiate(server))

    run(work)


def test_a_local_address_that_is_none_is_not_in_a_group_of_exceptions(client_context: pyossl.Context) -> None:
    async def work() -> None:
        listener = trio.socket.socket()
        await listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with listener, pytest.raises(ValueError, match="not allowed"):
            await pyossl.trio.open_tcp_stream("127.0.0.1", port, client_context, local_address="\xa0")

    run(work)
