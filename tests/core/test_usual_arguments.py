"""Values that the standard library's functions take, and that programs therefore pass."""

from __future__ import annotations

import asyncio
import decimal
import enum
import fractions
import os
import secrets
import socket
import sys
import threading
from typing import Any

import pytest

import pyossl
import pyossl.aio


class Number:
    """Like numpy's integers: not an ``int``, but it has ``__index__``."""

    def __init__(self, value: int) -> None:
        self._value = value

    def __index__(self) -> int:
        return self._value

    def __repr__(self) -> str:
        return f"Number({self._value})"


@pytest.fixture(scope="module")
def contexts() -> tuple[pyossl.Context, pyossl.Context]:
    """The context of a server and of a client."""
    authority = pyossl.Authority()
    own = authority.issue("localhost", "127.0.0.1")
    server = pyossl.Context.server((own.certificate, *own.chain), own.private_key)
    return server, pyossl.Context.client(trust=authority.certificate)


def greet(listener: pyossl.Listener) -> None:
    """Accepts a client and says hello."""
    tls, _ = listener.accept()
    with tls:
        tls.sendall(b"hello")


@pytest.mark.parametrize("value", [Number(1), fractions.Fraction(1), decimal.Decimal("1")], ids=repr)
def test_a_timeout_is_anything_that_float_takes(contexts: tuple[pyossl.Context, pyossl.Context], value: Any) -> None:
    server, client = contexts
    below, peer = socket.socketpair()
    with (
        peer,
        client.wrap_socket(below, "localhost", handshake=False) as tls,
        pyossl.listen(("", 0), server) as listener,
    ):
        tls.settimeout(value)
        assert tls.gettimeout() == 1.0
        listener.settimeout(value)
        assert listener.gettimeout() == 1.0


@pytest.mark.parametrize("value", ["1", b"1", 1j, True], ids=repr)
def test_text_and_true_are_no_timeouts(contexts: tuple[pyossl.Context, pyossl.Context], value: Any) -> None:
    below, peer = socket.socketpair()
    with (
        peer,
        contexts[1].wrap_socket(below, "localhost", handshake=False) as tls,
        pytest.raises(TypeError, match="a timeout is a number of seconds"),
    ):
        tls.settimeout(value)


def test_0_is_false_for_a_socket_s_switches(contexts: tuple[pyossl.Context, pyossl.Context]) -> None:
    below, peer = socket.socketpair()
    with peer, contexts[1].wrap_socket(below, "localhost", handshake=0) as tls:  # type: ignore[arg-type]
        tls.setblocking(Number(0))  # type: ignore[arg-type]
        assert tls.gettimeout() == 0


def test_0_does_not_turn_verification_off() -> None:
    with pytest.raises(TypeError, match="verify is True or False"):
        pyossl.Context.client(verify=0)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("kind", [Number, lambda port: enum.IntEnum("Ports", {"here": port}).here])
def test_a_port_is_anything_with_index(contexts: tuple[pyossl.Context, pyossl.Context], host: str, kind: Any) -> None:
    server, client = contexts
    with pyossl.listen((host, kind(0)), server) as listener:
        accepting = threading.Thread(target=greet, args=[listener])
        accepting.start()
        with pyossl.connect((host, kind(listener.address[1])), client, server_hostname="localhost", timeout=30) as tls:
            assert tls.recv(Number(3)) == b"hel"  # type: ignore[arg-type]
        accepting.join()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names of Unix sockets without a file")
@pytest.mark.parametrize("encode", [str, os.fsencode])
def test_a_unix_socket_may_have_a_name_without_a_file(
    contexts: tuple[pyossl.Context, pyossl.Context], encode: Any
) -> None:
    server, client = contexts
    name = encode(f"\0pyossl \0 {secrets.token_hex()}")
    with pyossl.listen(name, server) as listener:
        accepting = threading.Thread(target=greet, args=[listener])
        accepting.start()
        with pyossl.connect(name, client, server_hostname="localhost", timeout=30) as tls:
            assert tls.recv(5) == b"hello"
        accepting.join()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names of Unix sockets without a file")
def test_so_may_one_of_asyncio_s(contexts: tuple[pyossl.Context, pyossl.Context]) -> None:
    server, client = contexts
    name = f"\0pyossl {secrets.token_hex()}"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(5))
        await writer.drain()
        writer.close()

    async def main() -> bytes:
        async with await pyossl.aio.start_unix_server(answer, name, ssl=server):
            reader, writer = await pyossl.aio.open_unix_connection(name, ssl=client, server_hostname="localhost")
            writer.write(b"hello")
            received = await reader.read()
            writer.close()
            return received

    assert asyncio.run(main()) == b"hello"


def test_a_path_with_a_nul_inside_is_refused(contexts: tuple[pyossl.Context, pyossl.Context]) -> None:
    with pytest.raises(ValueError, match="NUL"):
        pyossl.listen("a\0b", contexts[0])
