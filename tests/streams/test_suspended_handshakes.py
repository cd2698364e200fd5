"""trio, and anyio on asyncio and trio, with callbacks that are ``async def`` functions or have no answer yet."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
import trio
import trio.testing
from marks import needs
from pairs import asking_later
from served import SECONDS
from streams import anyio_pairs, trio_pairs
from streams.trio_pairs import run, streams

import pyossl
from pyossl import CertificateDemand, ClientHello, Connection, Context, Credentials, Want


class OnPurposeError(Exception):
    pass


@pytest.fixture
def requiring(authority: pyossl.Authority, credentials: Credentials) -> Context:
    """A server's context that requires a certificate of clients."""
    return Context.server(credentials.certificate, credentials.private_key, trust=authority.certificate, verify=True)


@pytest.mark.feature("async def callbacks: client hello, certificate, chain")
def test_a_server_looks_its_certificate_up_while_other_connections_go_on(
    authority: pyossl.Authority, client_context: Context, credentials: Credentials
) -> None:
    async def main() -> None:
        asked, may_answer = trio.Event(), trio.Event()

        async def choose(connection: Connection, demand: CertificateDemand) -> Credentials:
            if not asked.is_set():
                asked.set()
                await may_answer.wait()
            return credentials

        serving = Context(is_server=True)
        serving.certificate_callback = choose
        slow, fast = streams(client_context, serving), streams(client_context, serving)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio_pairs.shake_hands, *slow)
            await asked.wait()
            await trio_pairs.shake_hands(*fast)
            may_answer.set()
        for pair in (slow, fast):
            assert pair[0].connection.peer_certificate == credentials.certificate

    run(main)


def test_a_server_chooses_its_context_asynchronously(
    client_context: Context, server_context: Context, credentials: Credentials
) -> None:
    chosen = Context.server(credentials.certificate, credentials.private_key)

    async def choose(connection: Connection, hello: ClientHello) -> Context:
        await trio.lowlevel.checkpoint()
        assert hello.server_name == "example.com"
        return chosen

    async def main() -> None:
        server_context.client_hello_callback = choose
        client, server = streams(client_context, server_context)
        await trio_pairs.shake_hands(client, server)
        assert server.connection.context is chosen

    run(main)


@needs("retry_verify")
@pytest.mark.parametrize("is_accepted", [True, False])
def test_a_client_verifies_asynchronously(is_accepted: bool, client_context: Context, server_context: Context) -> None:
    async def verify(connection: Connection, chain: tuple[pyossl.Certificate, ...]) -> bool:
        await trio.lowlevel.checkpoint()
        return is_accepted

    async def main() -> None:
        client_context.chain_callback = verify
        client, server = streams(client_context, server_context)
        if is_accepted:
            await trio_pairs.shake_hands(client, server)
        else:
            with pytest.raises(trio.BrokenResourceError) as broken:
                await trio_pairs.both(client.do_handshake(), trio_pairs.outcome(server.do_handshake()))
            assert isinstance(broken.value.__cause__, pyossl.CertificateError)

    run(main)


def test_an_exception_comes_out_of_the_handshake_and_the_peer_gets_an_alert(
    client_context: Context, server_context: Context
) -> None:
    async def fail(connection: Connection, demand: CertificateDemand) -> None:
        await trio.lowlevel.checkpoint()
        raise OnPurposeError

    async def main() -> None:
        server_context.certificate_callback = fail
        client, server = streams(client_context, server_context)
        told, raised = await trio_pairs.both(
            trio_pairs.outcome(client.do_handshake()), trio_pairs.outcome(server.do_handshake())
        )
        assert isinstance(raised, OnPurposeError)
        assert isinstance(told.__cause__, pyossl.AlertError)

    run(main)


def test_a_lookup_is_cancelled_with_its_handshake_and_begins_again(
    client_context: Context, server_context: Context
) -> None:
    async def main() -> None:
        asked, ended = 0, 0

        async def choose(connection: Connection, demand: CertificateDemand) -> None:
            nonlocal asked, ended
            asked += 1
            try:
                if asked == 1:
                    await trio.sleep_forever()
            finally:
                ended += 1

        server_context.certificate_callback = choose
        client, server = streams(client_context, server_context)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.do_handshake)
            with trio.move_on_after(0.05) as scope:
                await server.do_handshake()
            assert scope.cancelled_caught
            assert (asked, ended) == (1, 1)
            await server.do_handshake()
        assert (asked, ended) == (2, 2)

    run(main)


def test_a_want_that_no_answer_follows_ends_with_the_cancel_scope(
    client_context: Context, server_context: Context
) -> None:
    async def main() -> None:
        answers: list[Any] = []

        def choose(connection: Connection, demand: CertificateDemand) -> Any:
            answers.append(Want.X509_LOOKUP)
            return answers[0]

        server_context.certificate_callback = choose
        client, server = streams(client_context, server_context)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.do_handshake)
            with trio.move_on_after(0.1) as scope:
                await server.do_handshake()
            assert scope.cancelled_caught
            assert 2 <= len(answers) <= 25
            answers[0] = None
            await server.do_handshake()

    run(main)


def test_a_stream_that_is_closed_during_a_lookup_ends_its_handshake(
    client_context: Context, server_context: Context
) -> None:
    async def main() -> None:
        asked = trio.Event()

        async def choose(connection: Connection, demand: CertificateDemand) -> None:
            asked.set()
            await trio.sleep_forever()

        server_context.certificate_callback = choose
        client, server = streams(client_context, server_context)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio_pairs.outcome, client.do_handshake())

            async def closed() -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await server.do_handshake()

            nursery.start_soon(closed)
            await asked.wait()
            await server.aclose()

    run(main)


def test_a_client_is_asked_after_the_handshake_while_it_reads_and_writes(
    authority: pyossl.Authority, credentials: Credentials
) -> None:
    own = authority.issue("client")

    async def main() -> None:
        asked = trio.Event()

        async def choose(connection: Connection, demand: CertificateDemand) -> Credentials:
            asked.set()
            await trio.sleep(0.05)
            return own

        client, server = streams(*asking_later(authority, credentials, choose))
        await trio_pairs.shake_hands(client, server)

        async def ask() -> None:
            server.connection.request_certificate()
            await server.send_all(b"who are you?")
            received = b""
            while received != b"I am":
                received += await server.receive_some(4)
            assert server.connection.peer_certificate == own.certificate

        async def write() -> None:
            await asked.wait()
            await client.send_all(b"I am")

        _, data, _ = await trio_pairs.both(ask(), client.receive_some(100), write())
        assert data == b"who are you?"

    run(main)


def test_a_client_that_is_asked_ends_its_side_after_the_answer(
    authority: pyossl.Authority, credentials: Credentials
) -> None:
    own = authority.issue("client")

    async def main() -> None:
        asked = trio.Event()

        async def choose(connection: Connection, demand: CertificateDemand) -> Credentials:
            asked.set()
            await trio.sleep(0.01)
            return own

        client, server = streams(*asking_later(authority, credentials, choose))
        await trio_pairs.shake_hands(client, server)
        await server.request_certificate()

        async def end() -> None:
            await asked.wait()
            await client.send_eof()

        async def answer() -> None:
            assert await server.receive_some(100) == b""
            await server.send_all(b"answer")

        _, _, data = await trio_pairs.both(end(), answer(), client.receive_some(100))
        assert data == b"answer"
        assert server.connection.peer_certificate == own.certificate

    run(main)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.anyio
async def test_anyio_awaits_the_callbacks_too(
    authority: pyossl.Authority, requiring: Context, server_context: Context
) -> None:
    own = authority.issue("client")

    async def choose(connection: Connection, demand: CertificateDemand) -> Credentials:
        await anyio.sleep(0.01)
        return own

    async def decide(connection: Connection, hello: ClientHello) -> Context:
        await anyio.sleep(0.01)
        return requiring

    context = Context.client(trust=authority.certificate)
    context.certificate_callback = choose
    server_context.client_hello_callback = decide
    client, server = await anyio_pairs.wrapped((context, server_context), anyio_pairs.memory_transports(2))
    await anyio_pairs.both(client.send(b"hello"), server.receive())
    assert server.connection.peer_certificate == own.certificate
    await anyio_pairs.close(client, server)


@pytest.mark.anyio
async def test_anyio_cancels_a_lookup_at_a_deadline(client_context: Context, server_context: Context) -> None:
    ended = []

    async def never(connection: Connection, demand: CertificateDemand) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(True)

    server_context.certificate_callback = never
    transports = anyio_pairs.memory_transports(2)
    with anyio.move_on_after(0.1) as scope:
        await anyio_pairs.wrapped((client_context, server_context), transports)
    await anyio_pairs.close(*transports)
    assert scope.cancelled_caught
    assert ended == [True]


@pytest.mark.anyio
async def test_a_stream_that_is_closed_while_its_client_is_asked_ends_the_read(
    authority: pyossl.Authority, credentials: Credentials
) -> None:
    asked = anyio.Event()

    async def never(connection: Connection, demand: CertificateDemand) -> None:
        asked.set()
        await anyio.sleep_forever()

    contexts = asking_later(authority, credentials, never)
    client, server = await anyio_pairs.wrapped(contexts, anyio_pairs.memory_transports(2))

    async def read() -> None:
        with pytest.raises(anyio.ClosedResourceError):
            await client.receive()

    with anyio.fail_after(SECONDS):
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await server.request_certificate()
            await asked.wait()
            await client.aclose()
    await server.aclose()
