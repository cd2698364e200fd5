"""What was negotiated is shown by sockets, asyncio, trio and anyio alike: each property of a connection, found by
introspection."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import anyio
import pytest
import trio
import trio.testing
from anyio.streams.buffered import BufferedByteReceiveStream
from served import SocketPair
from streams.anyio_pairs import close, memory_transports, wrapped

import pyossl
import pyossl.aio
import pyossl.anyio
import pyossl.trio
from pyossl import Connection, UnsupportedError
from pyossl.tls.connection.negotiated_summary import NEGOTIATED

Show = Callable[[str], object]


def shown(ask: Callable[[], object]) -> object:
    """What a property returns, in a form that can be compared, or the exception that it raises."""
    try:
        value = ask()
    except UnsupportedError as error:
        return str(error)
    return value.to_der() if isinstance(value, pyossl.Session) else value


def compare(connection: Connection, face: Any, *others: Show) -> None:
    """Each property of the connection is one of the face, and has the same value; ``others`` ask in another way."""
    for name in NEGOTIATED:
        expected = shown(partial(getattr, connection, name))
        for ask in (partial(getattr, face), *others):
            assert shown(partial(ask, name)) == expected, name


@pytest.mark.feature("what was negotiated, on sockets and streams of each library")
def test_a_socket_shows_each_property_of_its_connection(sockets: SocketPair) -> None:
    for sock in sockets:
        compare(sock.connection, sock)
    client, server = sockets
    assert client.peer_certificate == client.verified_chain[0]
    assert client.server_hostname == server.server_hostname == "example.com"


def test_a_stream_and_a_transport_of_asyncio_show_each(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    async def work() -> None:
        async def serve(reader: pyossl.aio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
            show(writer)
            writer.close()

        def show(writer: pyossl.aio.StreamWriter) -> None:
            compare(writer.connection, writer)
            for name in NEGOTIATED.keys() - {"cipher"}:  # that name is asyncio's, and has a tuple
                expected = shown(partial(getattr, writer.connection, name))
                for owner in (writer, writer.transport):
                    assert shown(partial(owner.get_extra_info, name)) == expected, name

        async with await pyossl.aio.start_server(serve, "127.0.0.1", 0, ssl=server_context) as server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await pyossl.aio.open_connection(
                "127.0.0.1", port, ssl=client_context, server_hostname="example.com"
            )
            show(writer)
            assert writer.server_hostname == "example.com"
            await reader.read()
            writer.close()
            await writer.wait_closed()
            assert writer.get_extra_info("version", "the end") == "the end"

    asyncio.run(asyncio.wait_for(work(), 30))


def test_a_stream_of_trio_shows_each(client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    async def work() -> None:
        first, second = trio.testing.memory_stream_pair()
        ours = pyossl.trio.TLSStream(first, client_context, "example.com")
        theirs = pyossl.trio.TLSStream(second, server_context)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ours.do_handshake)
            nursery.start_soon(theirs.do_handshake)
        for stream in (ours, theirs):
            compare(stream.connection, stream)

    trio.run(work)


def test_a_stream_of_anyio_shows_each_in_properties_and_typed_attributes(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    async def work() -> None:
        streams = await wrapped((client_context, server_context), memory_transports(5))
        for stream in streams:
            for owner in (stream, BufferedByteReceiveStream(stream)):
                by_attribute = partial(by_typed_attribute, owner)
                compare(stream.connection, stream, by_attribute)
        await close(*streams)

    anyio.run(work)


def by_typed_attribute(owner: anyio.TypedAttributeProvider, name: str) -> object:
    return owner.extra(getattr(pyossl.anyio.NegotiatedAttribute, name))


FACES = (pyossl.Socket, pyossl.aio.StreamWriter, pyossl.trio.TLSStream, pyossl.anyio.TLSStream)


def documented() -> Iterator[Any]:
    for kind in FACES:
        for name, original in NEGOTIATED.items():
            yield pytest.param(kind, name, original, id=f"{kind.__module__}.{kind.__name__}.{name}")


@pytest.mark.parametrize(("kind", "name", "original"), list(documented()))
def test_each_has_the_docstring_and_the_type_of_the_connection_s(kind: type, name: str, original: property) -> None:
    own = inspect.getattr_static(kind, name)
    assert isinstance(own, property)
    assert (own.__doc__, own.fset) == (original.__doc__, None)
    assert own.fget is not None
    assert original.fget is not None
    assert inspect.get_annotations(own.fget) == inspect.get_annotations(original.fget)


def test_every_property_of_the_classes_is_shown() -> None:
    """Those of the connection that its handshake does not determine are named here."""
    others = {"async_fds", "closed", "failure", "has_pending", "is_inherited", "pending", "write_failure"}
    properties = {name for name, each in inspect.getmembers(Connection) if isinstance(each, property)}
    assert {name for name in properties if not name.startswith("_")} - others == set(NEGOTIATED)
