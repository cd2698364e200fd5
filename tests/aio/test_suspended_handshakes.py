"""asyncio and callbacks that are ``async def`` functions, or have no answer yet, on each kind of loop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import Awaitable, Callable
from typing import Any

import looped
import pytest
from looped import Run, close, echo, port_of, until
from marks import needs
from pairs import asking_later

import pyossl
import pyossl.aio
from pyossl import CertificateDemand, ClientHello, Connection, Context, Credentials, Want


class OnPurposeError(Exception):
    pass


Answer = Callable[..., Awaitable[Any]]
Connect = Callable[..., Any]


async def greet(connect: Connect, server: pyossl.aio.Server, text: bytes = b"hello", **options: Any) -> bytes:
    """A client that sends bytes, and returns the answer."""
    reader, writer = await connect(server, **options)
    writer.write(text)
    data: bytes = await reader.readexactly(len(text))
    await close(writer)
    return data


@pytest.mark.feature("async def callbacks: client hello, certificate, chain")
def test_a_server_looks_its_certificate_up_while_other_connections_go_on(
    run: Run[Any], connect: Connect, authority: pyossl.Authority, credentials: Credentials
) -> None:
    async def main() -> None:
        asked, may_answer = asyncio.Event(), asyncio.Event()

        async def choose(connection: Connection, demand: CertificateDemand) -> Credentials | None:
            if demand.server_name == "localhost":
                asked.set()
                await may_answer.wait()
            return credentials

        context = Context(is_server=True)
        context.certificate_callback = choose
        async with await pyossl.aio.start_server(echo, "127.0.0.1", 0, ssl=context) as server:
            slow = asyncio.ensure_future(greet(connect, server, server_hostname="localhost"))
            await asked.wait()
            assert await greet(connect, server, server_hostname="example.com") == b"hello"
            assert not slow.done()
            may_answer.set()
            assert await slow == b"hello"

    run(main())


def test_a_server_chooses_its_context_asynchronously(
    run: Run[Any], connect: Connect, server_context: Context, credentials: Credentials
) -> None:
    chosen = Context.server(credentials.certificate, credentials.private_key)
    seen: list[Any] = []

    async def choose(connection: Connection, hello: ClientHello) -> Context:
        await asyncio.sleep(0)
        seen.append((connection, hello.server_name))
        return chosen

    async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        connection = writer.get_extra_info("connection")
        assert seen == [(connection, "example.com")]
        assert connection.context is chosen
        await echo(reader, writer)

    async def main() -> None:
        server_context.client_hello_callback = choose
        async with await pyossl.aio.start_server(serve, "127.0.0.1", 0, ssl=server_context) as server:
            assert await greet(connect, server, server_hostname="example.com") == b"hello"

    run(main())


@needs("retry_verify")
@pytest.mark.parametrize("is_accepted", [True, False])
def test_a_client_verifies_asynchronously(
    is_accepted: bool, run: Run[Any], start: Any, connect: Connect, client_context: Context
) -> None:
    async def verify(connection: Connection, chain: tuple[pyossl.Certificate, ...]) -> bool:
        await asyncio.sleep(0.01)
        return is_accepted

    async def main() -> None:
        client_context.chain_callback = verify
        async with await start() as server:
            if is_accepted:
                assert await greet(connect, server, server_hostname="example.com") == b"hello"
            else:
                with pytest.raises(pyossl.CertificateError):
                    await greet(connect, server, server_hostname="example.com")

    run(main())


@pytest.mark.parametrize("kind", looped.KINDS)
def test_an_exception_comes_out_of_the_handshake_of_each_side(
    kind: str, authority: pyossl.Authority, credentials: Credentials
) -> None:
    """A mistake of the program goes to the loop's exception handler too."""

    async def fail(*_: Any) -> None:
        await asyncio.sleep(0)
        raise OnPurposeError

    async def main(side: str) -> None:
        own = credentials.certificate, credentials.private_key
        requiring = Context.server(*own, trust=authority.certificate, verify=True)
        context = Context.client(trust=authority.certificate)
        if side == "server":
            requiring.client_hello_callback = fail
        else:
            context.certificate_callback = fail
        async with await pyossl.aio.start_server(echo, "127.0.0.1", 0, ssl=requiring) as server:
            with pytest.raises(pyossl.AlertError if side == "server" else OnPurposeError):
                await pyossl.aio.open_connection(
                    "127.0.0.1", port_of(server), ssl=context, server_hostname="example.com"
                )

    for side in ("client", "server"):
        reported: list[dict[str, Any]] = []
        for run in looped.running(kind, reported):
            run(main(side))
        assert [type(each["exception"]) for each in reported] == [OnPurposeError]


def test_a_want_is_asked_again(run: Run[Any], connect: Connect, server_context: Context, start: Any) -> None:
    answers = iter([Want.X509_LOOKUP] * 3)

    async def main() -> None:
        server_context.certificate_callback = lambda connection, demand: next(answers, None)
        async with await start() as server:
            assert await greet(connect, server, server_hostname="example.com") == b"hello"
        assert next(answers, None) is None

    run(main())


@pytest.mark.parametrize("kind", ["want", "awaitable"])
def test_a_lookup_that_never_ends_is_cancelled_at_the_deadline_of_the_handshake(
    kind: str, run: Run[Any], connect: Connect, client_context: Context, authority: pyossl.Authority,
    credentials: Credentials,
) -> None:  # fmt: skip
    ended: list[str] = []

    async def never(connection: Connection, demand: CertificateDemand) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("awaitable")

    def asks_again(connection: Connection, demand: CertificateDemand) -> Want:
        ended[:] = ["want"]
        return Want.X509_LOOKUP

    async def main() -> None:
        client_context.certificate_callback = never if kind == "awaitable" else asks_again
        requiring = Context.server(
            credentials.certificate, credentials.private_key, trust=authority.certificate, verify=True
        )
        async with await pyossl.aio.start_server(echo, "127.0.0.1", 0, ssl=requiring) as server:
            with pytest.raises(ConnectionAbortedError, match=r"longer than 0\.2 seconds"):
                await connect(server, server_hostname="example.com", ssl_handshake_timeout=0.2)
            await until(lambda: ended)

    run(main())
    assert ended == [kind]


def test_a_lookup_is_cancelled_with_its_connection(
    run: Run[Any], connect: Connect, client_context: Context, authority: pyossl.Authority, credentials: Credentials
) -> None:
    async def main() -> None:
        asked, ended = asyncio.Event(), asyncio.Event()

        async def never(connection: Connection, demand: CertificateDemand) -> None:
            asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        client_context.certificate_callback = never
        requiring = Context.server(
            credentials.certificate, credentials.private_key, trust=authority.certificate, verify=True
        )
        async with await pyossl.aio.start_server(echo, "127.0.0.1", 0, ssl=requiring) as server:
            connecting = asyncio.ensure_future(connect(server, server_hostname="example.com"))
            await asked.wait()
            connecting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await connecting
            await ended.wait()

    run(main())


def test_what_a_callback_awaits_may_be_cancelled(
    run: Run[Any], connect: Connect, client_context: Context, authority: pyossl.Authority, credentials: Credentials
) -> None:
    async def main() -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        client_context.certificate_callback = lambda connection, demand: future
        requiring = Context.server(
            credentials.certificate, credentials.private_key, trust=authority.certificate, verify=True
        )
        async with await pyossl.aio.start_server(echo, "127.0.0.1", 0, ssl=requiring) as server:
            with pytest.raises(ConnectionAbortedError, match="was cancelled"):
                await connect(server, server_hostname="example.com")

    run(main())


def test_a_client_is_asked_after_the_handshake_while_it_reads_and_writes(
    run: Run[Any], connect: Connect, authority: pyossl.Authority, credentials: Credentials
) -> None:
    own = authority.issue("client")
    shown: list[Any] = []

    async def main() -> None:
        asked, may_answer = asyncio.Event(), asyncio.Event()

        async def choose(connection: Connection, demand: CertificateDemand) -> Credentials:
            asked.set()
            await may_answer.wait()
            return own

        async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
            connection = writer.get_extra_info("connection")
            assert await reader.readexactly(5) == b"first"
            connection.request_certificate()
            writer.write(b"who are you?")
            assert await reader.readexactly(4) == b"I am"
            shown.append(connection.peer_certificate)
            await close(writer)

        context, serving = asking_later(authority, credentials, choose)
        async with await pyossl.aio.start_server(serve, "127.0.0.1", 0, ssl=serving) as server:
            reader, writer = await pyossl.aio.open_connection(
                "127.0.0.1", port_of(server), ssl=context, server_hostname="example.com"
            )
            writer.write(b"first")
            await asked.wait()
            writer.write(b"I ")
            before = time.process_time()
            await asyncio.sleep(0.2)  # nothing can be sent or read meanwhile, and the loop does not spin
            assert time.process_time() - before < 0.1
            writer.write(b"am")
            may_answer.set()
            assert await reader.readexactly(12) == b"who are you?"
            await close(writer)
            await until(lambda: shown)

    run(main())
    assert shown == [own.certificate]


@pytest.mark.filterwarnings("always::RuntimeWarning")
def test_a_server_that_aborts_at_once_leaves_no_coroutine_that_was_never_awaited(
    run: Run[Any], connect: Connect, recwarn: pytest.WarningsRecorder, credentials: Credentials
) -> None:
    async def answer() -> Credentials:
        return credentials

    async def main() -> None:
        def choose(connection: Connection, demand: CertificateDemand) -> Awaitable[Credentials]:
            asyncio.get_running_loop().call_soon(server.abort_clients)
            return answer()

        context = Context(is_server=True)
        context.certificate_callback = choose
        async with await pyossl.aio.start_server(echo, "127.0.0.1", 0, ssl=context) as server:
            with pytest.raises((pyossl.TruncationError, pyossl.TransportError)):
                await connect(server, server_hostname="example.com")

    run(main())
    gc.collect()
    assert [each for each in recwarn if "never awaited" in str(each.message)] == []


@pytest.mark.parametrize("closes", [False, True])
@pytest.mark.parametrize("size", [4, 8 << 20], ids=["short", "more than the kernel takes"])
def test_what_was_written_before_a_client_is_asked_is_sent_after_the_answer(
    run: Run[Any], authority: pyossl.Authority, credentials: Credentials, closes: bool, size: int
) -> None:
    own = authority.issue("client")
    got: list[bytes] = []

    async def main() -> None:
        asked, may_answer, may_read, done = (asyncio.Event() for _ in range(4))

        async def choose(connection: Connection, demand: CertificateDemand) -> Credentials:
            asked.set()
            await may_answer.wait()
            return own

        async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
            writer.transport.pause_reading()
            writer.request_certificate()
            writer.write(b"who are you?")
            await may_read.wait()
            writer.transport.resume_reading()
            got.append(await reader.readexactly(size))
            done.set()
            # A close in the middle of a handshake aborts it.
            with contextlib.suppress(pyossl.TruncationError, ConnectionResetError):
                await close(writer)

        context, serving = asking_later(authority, credentials, choose)
        async with await pyossl.aio.start_server(serve, "127.0.0.1", 0, ssl=serving) as server:
            _reader, writer = await pyossl.aio.open_connection(
                "127.0.0.1", port_of(server), ssl=context, server_hostname="example.com"
            )
            writer.write(bytes(size))
            await asked.wait()
            may_read.set()
            if closes:
                writer.close()
            await asyncio.sleep(0.05)
            may_answer.set()
            await asyncio.wait_for(done.wait(), 10)
            await close(writer)

    run(main())
    assert got == [bytes(size)]
