"""pyossl.trio: streams that keep trio's rules, in memory and over TCP."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from streams.trio_pairs import Metered, Stream, both, outcome, read_all, run, shake_hands, streams, tcp_transports

import pyossl
from pyossl.trio import TLSListener, TLSStream

pytestmark = pytest.mark.feature("trio streams and listeners")

Contexts = tuple[pyossl.Context, pyossl.Context]
VERSIONS = (pyossl.Version.TLSv1_2, pyossl.Version.TLSv1_3)


@pytest.fixture
def contexts(client_context: pyossl.Context, server_context: pyossl.Context) -> Contexts:
    return client_context, server_context


@pytest.fixture(params=VERSIONS, ids=lambda version: version.name)
def contexts_of_version(
    request: pytest.FixtureRequest, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> Contexts:
    version = request.param
    return (
        pyossl.Context.client(trust=authority.certificate, maximum_version=version),
        pyossl.Context.server(
            (credentials.certificate, *credentials.chain), credentials.private_key, maximum_version=version
        ),
    )


class Makers:
    """Functions that make pairs of streams for trio's checks."""

    def __init__(self, contexts: Contexts) -> None:
        self._contexts = contexts

    async def memory(self) -> tuple[Stream, Stream]:
        return streams(*self._contexts)

    async def tcp(self) -> tuple[Stream, Stream]:
        return streams(*self._contexts, await tcp_transports())

    async def clogged(self) -> tuple[Stream, Stream]:
        """Every send waits until its bytes are received."""
        pair = streams(*self._contexts, trio.testing.lockstep_stream_pair())
        await shake_hands(*pair)
        return pair


def test_trios_own_checks_of_a_half_closeable_stream_pass_in_memory(contexts: Contexts) -> None:
    makers = Makers(contexts)
    run(partial(trio.testing.check_half_closeable_stream, makers.memory, makers.clogged))


def test_trios_own_checks_of_a_half_closeable_stream_pass_over_tcp(contexts: Contexts) -> None:
    run(partial(trio.testing.check_half_closeable_stream, Makers(contexts).tcp, None))


def test_trios_own_checks_of_a_two_way_stream_pass_in_each_version(contexts_of_version: Contexts) -> None:
    makers = Makers(contexts_of_version)
    run(partial(trio.testing.check_two_way_stream, makers.memory, makers.clogged))


def test_a_half_close_is_refused_before_tls_1_3(authority: pyossl.Authority, server_context: pyossl.Context) -> None:
    context = pyossl.Context.client(trust=authority.certificate, maximum_version=pyossl.Version.TLSv1_2)

    async def work() -> None:
        client, server = streams(context, server_context)
        await shake_hands(client, server)
        with pytest.raises(NotImplementedError, match=r"TLSv1\.2 has no half-close"):
            await client.send_eof()
        await client.send_all(b"goes on")
        assert await server.receive_some() == b"goes on"

    run(work)


def test_every_method_is_a_checkpoint_even_if_it_need_not_wait(contexts: Contexts) -> None:
    async def work() -> None:
        client, server = streams(*contexts)
        await shake_hands(client, server)
        with trio.testing.assert_checkpoints():
            await client.do_handshake()
        await client.send_all(b"two")
        assert await server.receive_some(1) == b"t"
        with trio.testing.assert_checkpoints():  # OpenSSL has the rest already
            assert await server.receive_some() == b"wo"
        for method in (server.do_handshake, partial(server.send_all, b""), server.wait_send_all_might_not_block):
            with trio.testing.assert_checkpoints():
                await method()
        await client.aclose()
        await server.receive_some()
        with trio.testing.assert_checkpoints():
            assert await server.receive_some() == b""

    run(work)


def test_two_tasks_may_call_do_handshake(contexts: Contexts) -> None:
    async def work() -> None:
        client, server = streams(*contexts)
        await both(client.do_handshake(), client.do_handshake(), server.do_handshake(), server.do_handshake())
        assert client.version == server.version == "TLSv1.3"

    run(work)


def test_a_second_task_gets_the_failure_of_the_handshake(contexts: Contexts) -> None:
    """With trio.SSLStream it would wait for ever."""

    async def work() -> None:
        transports = trio.testing.memory_stream_pair()
        client, _ = streams(*contexts, transports)
        first, second, _ = await both(
            outcome(client.do_handshake()), outcome(client.send_all(b"x")), transports[1].aclose()
        )
        assert isinstance(first, trio.BrokenResourceError)
        assert isinstance(second, trio.BrokenResourceError)

    run(work)


def test_the_negotiated_values_are_properties(authority: pyossl.Authority, credentials: pyossl.Credentials) -> None:
    server_context = pyossl.Context.server(credentials.certificate, credentials.private_key, alpn=["h2"])
    client_context = pyossl.Context.client(trust=authority.certificate, alpn=["h2", "http/1.1"])

    async def work() -> None:
        client, server = streams(client_context, server_context)
        assert (client.version, client.cipher, client.group, client.alpn) == (None, None, None, None)
        await shake_hands(client, server)
        assert (client.version, client.alpn) == ("TLSv1.3", "h2")
        assert client.cipher == server.cipher is not None
        assert client.context is client_context
        assert server.connection.server_hostname == "example.com"
        assert "TLSv1.3" in repr(client)

    run(work)


def test_a_client_certificate_and_a_session_go_through(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    own = authority.issue("client.example")
    server_context = pyossl.Context.server(
        credentials.certificate, credentials.private_key, verify=True, trust=authority.certificate
    )
    sessions: list[pyossl.Session] = []
    client_context = pyossl.Context.client(
        trust=authority.certificate, certificate=own.certificate, private_key=own.private_key
    )
    client_context.new_session_callback = lambda connection, session: sessions.append(session)

    async def meet() -> None:
        client, server = streams(client_context, server_context)
        await shake_hands(client, server)
        assert server.connection.peer_certificate == own.certificate
        await server.send_all(b"with the tickets")
        assert await client.receive_some() == b"with the tickets"
        await both(client.aclose(), server.aclose())

    run(meet)
    assert sessions

    async def resume() -> None:
        client, server = streams(client_context, server_context, session=sessions[-1])
        await shake_hands(client, server)
        assert client.connection.session_reused
        assert server.connection.session_reused

    run(resume)


def test_a_server_chooses_its_context_by_name(authority: pyossl.Authority, credentials: pyossl.Credentials) -> None:
    other = authority.issue("other.example")
    other_context = pyossl.Context.server(other.certificate, other.private_key)
    server_context = pyossl.Context.server(credentials.certificate, credentials.private_key)
    server_context.servername_callback = lambda connection, name: other_context if name == "other.example" else None
    client_context = pyossl.Context.client(trust=authority.certificate)

    async def work() -> None:
        first, second = trio.testing.memory_stream_pair()
        client, server = TLSStream(first, client_context, "other.example"), TLSStream(second, server_context)
        await shake_hands(client, server)
        assert client.connection.peer_certificate == other.certificate

    run(work)


# Failures


def test_a_refused_certificate_is_the_cause_and_the_peer_gets_the_alert(server_context: pyossl.Context) -> None:
    stranger = pyossl.Context.client(trust=pyossl.Authority().certificate)

    async def work() -> None:
        client, server = streams(stranger, server_context)
        ours, theirs = await both(outcome(client.do_handshake()), outcome(server.do_handshake()))
        assert isinstance(ours, trio.BrokenResourceError)
        assert isinstance(ours.__cause__, pyossl.CertificateError)
        assert "certificate verify failed" in str(ours)
        assert isinstance(theirs, trio.BrokenResourceError)
        assert isinstance(theirs.__cause__, pyossl.AlertError)
        assert theirs.__cause__.number == 48  # unknown CA
        # It stays broken, and gives the reason each time (docs/pitfalls.md, 2, 5).
        for method in (client.do_handshake, client.receive_some, partial(client.send_all, b"x"), client.unwrap):
            again = await outcome(method())
            assert isinstance(again, trio.BrokenResourceError)
            assert isinstance(again.__cause__, pyossl.CertificateError)
        await both(client.aclose(), server.aclose())

    run(work)


def test_an_exception_of_a_callback_is_raised_itself(
    authority: pyossl.Authority, credentials: pyossl.Credentials, client_context: pyossl.Context
) -> None:
    """docs/pitfalls.md, 16."""

    class OwnError(Exception):
        pass

    def refuse(connection: object, name: object) -> None:
        raise OwnError

    server_context = pyossl.Context.server(credentials.certificate, credentials.private_key)
    server_context.servername_callback = refuse

    async def work() -> None:
        client, server = streams(client_context, server_context)
        ours, theirs = await both(outcome(client.do_handshake()), outcome(server.do_handshake()))
        assert isinstance(theirs, OwnError)
        assert isinstance(ours, trio.BrokenResourceError)
        assert isinstance(ours.__cause__, pyossl.AlertError)
        with pytest.raises(trio.BrokenResourceError):
            await server.receive_some()

    run(work)


async def cut_off(contexts: Contexts, **options: Any) -> Stream:
    """A client whose peer sent data and whose transport then ended without a close_notify."""
    client, server = streams(*contexts, **options)
    await shake_hands(client, server)
    await server.send_all(b"word")
    await server.transport_stream.aclose()
    assert await client.receive_some() == b"word"
    return client


def test_an_end_without_close_notify_is_a_broken_stream(contexts_of_version: Contexts) -> None:
    """docs/pitfalls.md, 3, 6."""

    async def work() -> None:
        client = await cut_off(contexts_of_version)
        for _ in range(2):
            with pytest.raises(trio.BrokenResourceError) as caught:
                await client.receive_some()
            assert isinstance(caught.value.__cause__, pyossl.TruncationError)
        await client.aclose()

    run(work)


def test_an_end_without_close_notify_is_an_end_for_https(contexts_of_version: Contexts) -> None:
    async def work() -> None:
        client = await cut_off(contexts_of_version, https_compatible=True)
        for _ in range(2):
            with trio.testing.assert_checkpoints():
                assert await client.receive_some() == b""
        await client.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await client.receive_some()

    run(work)


def test_for_https_no_close_notify_is_sent(contexts: Contexts) -> None:
    async def work() -> None:
        first, second = trio.testing.memory_stream_pair()
        client = TLSStream(first, contexts[0], "example.com", https_compatible=True)
        server = TLSStream(second, contexts[1])
        await shake_hands(client, server)
        await client.aclose()
        with pytest.raises(trio.BrokenResourceError):
            await server.receive_some()

    run(work)


def test_an_end_in_the_handshake_is_a_failure_for_https_too(contexts: Contexts) -> None:
    async def work() -> None:
        transports = trio.testing.memory_stream_pair()
        client, _ = streams(*contexts, transports, https_compatible=True)
        await transports[1].aclose()
        with pytest.raises(trio.BrokenResourceError):
            await client.receive_some()

    run(work)


def test_a_peer_that_speaks_no_tls_is_a_broken_stream(contexts: Contexts) -> None:
    async def work() -> None:
        transports = trio.testing.memory_stream_pair()
        _, server = streams(*contexts, transports)
        await transports[0].send_all(b"GET / HTTP/1.0\r\n\r\n")
        with pytest.raises(trio.BrokenResourceError, match="speak TLS"):
            await server.do_handshake()

    run(work)


def test_arguments_that_cannot_be_used_are_refused_and_nothing_breaks(contexts: Contexts) -> None:
    async def work() -> None:
        client, server = streams(*contexts)
        await shake_hands(client, server)
        with pytest.raises(TypeError):
            await client.send_all("text")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="at least 1"):
            await client.receive_some(0)
        await client.send_all(b"goes on")
        assert await server.receive_some() == b"goes on"

    run(work)
    with pytest.raises(pyossl.UsageError, match="server_hostname is missing"):
        TLSStream(trio.testing.memory_stream_pair()[0], contexts[0])


# The end


def test_unwrap_returns_the_transport_and_the_bytes_after_the_close_notify(contexts: Contexts) -> None:
    async def work() -> None:
        client, server = streams(*contexts)
        await shake_hands(client, server)
        await client.send_eof()
        await client.transport_stream.send_all(b"plain")
        transport = server.transport_stream
        assert await server.receive_some() == b""
        (given, trailing), (own, nothing) = await both(server.unwrap(), client.unwrap())
        assert (given, trailing) == (transport, b"plain")
        assert (own, nothing) == (client.transport_stream, b"")
        await client.aclose()  # the transport is the caller's now
        await own.send_all(b" and more")
        assert await given.receive_some() == b" and more"
        with pytest.raises(trio.ClosedResourceError):
            await server.receive_some()

    run(work)


def test_unwrap_is_refused_while_the_peers_data_is_unread(contexts: Contexts) -> None:
    async def work() -> None:
        client, server = streams(*contexts)
        await shake_hands(client, server)
        await server.send_all(b"unread")
        with pytest.raises(pyossl.UsageError, match="not read"):
            await client.unwrap()
        assert await client.receive_some() == b"unread"
        await both(client.unwrap(), server.unwrap())

    run(work)


def test_a_close_before_the_handshake_does_not_wait(contexts: Contexts) -> None:
    """trio.SSLStream would first do the handshake, with a peer that may have stalled."""

    async def work() -> None:
        client, server = streams(*contexts, trio.testing.lockstep_stream_pair())
        await client.aclose()
        with pytest.raises(trio.BrokenResourceError):
            await server.receive_some()

    run(work)


def test_a_close_wakes_tasks_that_send_and_receive(contexts: Contexts) -> None:
    async def work() -> None:
        client, server = streams(*contexts, trio.testing.lockstep_stream_pair())
        await shake_hands(client, server)

        async def close() -> None:
            await trio.testing.wait_all_tasks_blocked()
            await client.aclose()

        sent, received, _ = await both(outcome(client.send_all(b"x")), outcome(client.receive_some()), close())
        assert isinstance(sent, trio.ClosedResourceError)
        assert isinstance(received, trio.ClosedResourceError)
        # Half a record may have been sent, so no close_notify follows it.
        assert isinstance(await outcome(read_all(server)), trio.BrokenResourceError)

    run(work)


def test_a_servers_tickets_wait_for_its_first_write(contexts: Contexts) -> None:
    """docs/pitfalls.md, 9: a client that only writes would not read them, and its close would be a reset."""

    async def work() -> None:
        first, second = trio.testing.memory_stream_pair()
        transport = Metered(second)
        client, server = streams(*contexts, (first, transport))
        await shake_hands(client, server)
        sent = transport.sent
        await client.send_all(b"question")
        assert await server.receive_some() == b"question"
        assert transport.sent == sent
        await server.send_all(b"answer")
        assert transport.sent > sent + 200  # two tickets and a record
        assert await client.receive_some() == b"answer"

    run(work)


# Listeners and connections


def test_a_listener_never_waits_for_a_handshake(contexts: Contexts) -> None:
    async def work() -> None:
        (plain,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with TLSListener(plain, contexts[1]) as listener:
            stalled = await trio.testing.open_stream_to_socket_listener(plain)
            async with stalled, await listener.accept():
                connecting = trio.testing.open_stream_to_socket_listener(plain)
                transport, server = await both(connecting, listener.accept())
                client = TLSStream(transport, contexts[0], "example.com")
                await shake_hands(client, server)
                await both(client.aclose(), server.aclose())

    run(work)


def test_tcp_is_served_and_connected_to_in_one_call_each(contexts: Contexts) -> None:
    async def echo(stream: TLSStream[trio.SocketStream]) -> None:
        async for data in stream:
            await stream.send_all(data)

    async def work() -> None:
        serve = partial(pyossl.trio.serve_tcp, echo, 0, contexts[1], host="127.0.0.1")
        async with trio.open_nursery() as nursery:
            (listener,) = await nursery.start(serve)
            port = listener.transport_listener.socket.getsockname()[1]
            async with await pyossl.trio.open_tcp_stream("127.0.0.1", port, contexts[0]) as stream:
                await stream.send_all(b"echo")
                assert await stream.receive_some() == b"echo"
                await stream.send_eof()
                assert await read_all(stream) == b""
            nursery.cancel_scope.cancel()

    run(work)


def test_a_listener_with_a_clients_context_is_refused(contexts: Contexts) -> None:
    async def work() -> None:
        with pytest.raises(pyossl.UsageError, match="server's context"):
            await pyossl.trio.open_tcp_listeners(0, contexts[0], host="127.0.0.1")

    run(work)


def test_a_connection_that_cannot_be_made_leaves_nothing_open(contexts: Contexts) -> None:
    async def work() -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        with pytest.raises(ValueError, match="server name"):  # and the transport is closed: see filterwarnings
            await pyossl.trio.open_tcp_stream("127.0.0.1", port, contexts[0], server_hostname="a" * 300)
        await listener.aclose()
        with pytest.raises(OSError, match="all attempts to connect"):
            await pyossl.trio.open_tcp_stream("127.0.0.1", port, contexts[0])

    run(work)


# The optional extra


@pytest.mark.parametrize("name", ["trio", "anyio"])
def test_without_the_library_the_import_names_the_extra(name: str) -> None:
    script = f"import sys; sys.modules[{name!r}] = None\nimport pyossl\nimport pyossl.{name}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (f"ImportError: pyossl.{name} needs {name}: pip install 'pyossl[{name}]'")


def test_pyossl_imports_neither_trio_nor_anyio() -> None:
    script = "import sys, pyossl; print(*sorted({'trio', 'anyio', 'asyncio'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
