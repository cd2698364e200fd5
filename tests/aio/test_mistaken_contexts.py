"""A context that does not fit is refused before anything is connected or bound, and the message says what to use."""

from __future__ import annotations

import asyncio
import inspect
import re
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from looped import close, echo, port_of

import pyossl
import pyossl.aio
from pyossl.pyopenssl import SSL

HOST = "127.0.0.1"
USE_CLIENT = "use Context.client()"
USE_SERVER = "use Context.server(certificate, private_key)"

Call = Callable[[Any], Awaitable[Any]]

aio: Any = pyossl.aio

CLIENTS: dict[str, Call] = {
    "open_connection": lambda context: aio.open_connection(HOST, 1, ssl=context),
    "open_unix_connection": lambda context: aio.open_unix_connection("/nowhere", ssl=context),
    "create_connection": lambda context: aio.create_connection(asyncio.Protocol, HOST, 1, ssl=context),
    "create_unix_connection": lambda context: aio.create_unix_connection(asyncio.Protocol, "/nowhere", ssl=context),
}
SERVERS: dict[str, Call] = {
    "start_server": lambda context: aio.start_server(echo, HOST, 0, ssl=context),
    "start_unix_server": lambda context: aio.start_unix_server(echo, "/nowhere/at/all", ssl=context),
    "create_server": lambda context: aio.create_server(asyncio.Protocol, HOST, 0, ssl=context),
    "create_unix_server": lambda context: aio.create_unix_server(asyncio.Protocol, "/nowhere/at/all", ssl=context),
}
UPGRADES: dict[str, Call] = {
    "open_over": lambda context: aio.open_over(None, context),
    "start_tls": lambda context: aio.start_tls(None, asyncio.Protocol(), context),
}
NO_CONTEXTS: dict[str, Callable[[], Any]] = {
    "ssl.SSLContext": ssl.create_default_context,
    "the class pyossl.tls.context.context.Context": lambda: pyossl.Context,
    "pyossl.pyopenssl.context_and_connection.Context": lambda: SSL.Context(SSL.TLS_METHOD),
    "str": lambda: "ca.pem",
}

each_no_context = pytest.mark.parametrize("shown", NO_CONTEXTS)


async def refusal(kind: type[Exception], call: Call, context: Any) -> str:
    with pytest.raises(kind) as caught:
        await call(context)
    return str(caught.value)


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_with_a_servers_context_is_told_to_use_a_clients(name: str, server_context: pyossl.Context) -> None:
    message = asyncio.run(refusal(ValueError, CLIENTS[name], server_context))
    assert message == f"this is a client, and ssl is a server's context: {USE_CLIENT}"


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_with_a_clients_context_is_told_to_use_a_servers(name: str, client_context: pyossl.Context) -> None:
    message = asyncio.run(refusal(ValueError, SERVERS[name], client_context))
    assert message == f"this is a server, and ssl is a client's context: {USE_SERVER}"


@each_no_context
@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_with_no_pyossl_context_is_told_which_to_use(name: str, shown: str) -> None:
    message = asyncio.run(refusal(TypeError, CLIENTS[name], NO_CONTEXTS[shown]()))
    assert message == f"ssl is a pyossl.Context, not {shown}: {USE_CLIENT}, or leave ssl out"


@each_no_context
@pytest.mark.parametrize("name", SERVERS)
def test_a_server_with_no_pyossl_context_is_told_which_to_use(name: str, shown: str) -> None:
    message = asyncio.run(refusal(TypeError, SERVERS[name], NO_CONTEXTS[shown]()))
    assert message == f"ssl is a pyossl.Context, not {shown}: {USE_SERVER}"


@each_no_context
@pytest.mark.parametrize("name", UPGRADES)
def test_an_upgrade_with_no_pyossl_context_is_told_which_to_use(name: str, shown: str) -> None:
    message = asyncio.run(refusal(TypeError, UPGRADES[name], NO_CONTEXTS[shown]()))
    assert message == f"sslcontext is a pyossl.Context, not {shown}: make one with Context.client or Context.server"


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("value", [True, None])
def test_a_server_has_no_default_context(name: str, value: Any) -> None:
    message = asyncio.run(refusal(TypeError, SERVERS[name], value))
    assert message == f"ssl is a pyossl.Context, not {value}: {USE_SERVER}"


def test_true_is_a_clients_default_context_as_in_asyncio(server_context: pyossl.Context) -> None:
    """It verifies: a server whose authority the system does not know is refused."""

    async def main() -> None:
        async with await aio.start_server(echo, HOST, 0, ssl=server_context) as server:
            with pytest.raises(pyossl.CertificateError):
                await aio.open_connection("localhost", port_of(server), ssl=True, family=socket.AF_INET)

    asyncio.run(main())


@pytest.mark.parametrize("name", [*CLIENTS, *SERVERS, *UPGRADES])
def test_false_is_refused_because_there_is_always_tls(name: str) -> None:
    call = {**CLIENTS, **SERVERS, **UPGRADES}[name]
    message = asyncio.run(refusal(TypeError, call, False))
    assert message.endswith("pyossl.aio always uses TLS; for a connection without it use asyncio")


def test_start_tls_for_the_other_side_says_how_to_choose(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    as_server = asyncio.run(
        refusal(
            ValueError, lambda each: aio.start_tls(None, asyncio.Protocol(), each, server_side=True), client_context
        )
    )
    assert as_server == f"server_side is True, and sslcontext is a client's context: {USE_SERVER}"
    as_client = asyncio.run(refusal(ValueError, UPGRADES["start_tls"], server_context))
    assert as_client.endswith(f"{USE_CLIENT}, or server_side=True")


def test_start_tls_of_a_writer_says_which_context_to_use(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    async def main() -> None:
        async with await aio.start_server(echo, HOST, 0, ssl=server_context) as server:
            _, writer = await aio.open_connection(
                HOST, port_of(server), ssl=client_context, server_hostname="localhost"
            )
            message = await refusal(TypeError, writer.start_tls, ssl.create_default_context())
            await close(writer)
        assert message.startswith("sslcontext is a pyossl.Context, not ssl.SSLContext: make one with")

    asyncio.run(main())


def test_start_tls_with_a_writer_in_place_of_a_transport_names_open_over(client_context: pyossl.Context) -> None:
    async def main() -> None:
        server = await asyncio.start_server(lambda _, writer: writer.close(), HOST, 0)
        async with server:
            _, writer = await asyncio.open_connection(HOST, server.sockets[0].getsockname()[1])
            with pytest.raises(TypeError, match=r"StreamWriter: use open_over"):
                await aio.start_tls(writer, asyncio.Protocol(), client_context)
            writer.close()
            await writer.wait_closed()

    asyncio.run(main())


def test_a_mistaken_server_leaves_no_socket_at_its_path(client_context: pyossl.Context, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    asyncio.run(refusal(ValueError, lambda each: aio.start_unix_server(echo, path, ssl=each), client_context))
    assert not path.exists()


@pytest.mark.parametrize("host", ["localhost:443", "https://localhost/", "[::1]"])
def test_a_host_that_is_more_than_a_name_or_an_address_is_named(
    host: str, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="a host is a name or an IP address alone"):
            await aio.open_connection(host, 443, ssl=client_context)
        with pytest.raises(ValueError, match="a host is a name or an IP address alone"):
            await aio.start_server(echo, host, 0, ssl=server_context)

    asyncio.run(main())


def test_a_readers_repr_counts_the_bytes_that_are_unread() -> None:
    async def main() -> None:
        reader = pyossl.aio.StreamReader(100, asyncio.get_running_loop())
        assert repr(reader) == "<StreamReader 0 bytes unread>"
        reader.feed_data(b"one\ntwo")
        assert await reader.readline() == b"one\n"
        reader.feed_data(b" three")
        reader.feed_eof()
        assert repr(reader) == "<StreamReader 9 bytes unread eof>"
        reader.set_exception(ConnectionResetError("gone"))
        assert repr(reader).endswith("eof exception=ConnectionResetError('gone')>")

    asyncio.run(main())


def documented() -> list[tuple[str, Any]]:
    """The public names of pyossl.aio and of its classes."""
    found: list[tuple[str, Any]] = []
    for name in pyossl.aio.__all__:
        each = getattr(pyossl.aio, name)
        found.append((name, each))
        if isinstance(each, type):
            names = [attribute for attribute in dir(each) if not attribute.startswith("_")]
            found += [(f"{name}.{attribute}", inspect.getattr_static(each, attribute)) for attribute in names]
    return found


@pytest.mark.parametrize(
    "name", [name for name, value in documented() if callable(value) or isinstance(value, property)]
)
def test_help_of_everything_public_says_what_it_does(name: str) -> None:
    value = dict(documented())[name]
    text = inspect.getdoc(value)
    if text is None:  # help() finds the docstring of a method that a class overrides
        holder, _, attribute = name.partition(".")
        text = inspect.getdoc(getattr(getattr(pyossl.aio, holder), attribute))
    assert text, f"help({name}) is empty"
    assert re.match(r"[A-Z`]", text), text
