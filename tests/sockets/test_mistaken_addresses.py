"""Addresses and contexts that a program gives by mistake: the error shows the right ones."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio
from hypothesis import given, strategies as st
from served import SECONDS

import pyossl
import pyossl.anyio
import pyossl.trio
from pyossl.sockets.address import check_host

Contexts = tuple[pyossl.Context, pyossl.Context]

MISTAKES = [
    ("localhost:443", '("localhost", 443)'),
    ("localhost:8443", '("localhost", 8443)'),
    (b"localhost:443", '("localhost", 443)'),
    ("127.0.0.1:443", '("127.0.0.1", 443)'),
    ("[::1]:443", '("::1", 443)'),
    ("[fe80::1%lo]:1", '("fe80::1%lo", 1)'),
    ("[::1]", '("::1", 443)'),
    ("::1", '("::1", 443)'),
    ("127.0.0.1", '("127.0.0.1", 443)'),
    ("example.com", '("example.com", 443)'),
    ("localhost", '("localhost", 443)'),
    ("https://example.com", '("example.com", 443)'),
    ("https://example.com/", '("example.com", 443)'),
    ("HTTPS://example.com:8443/index.html?a=b#c", '("example.com", 8443)'),
    ("https://user:secret@example.com/", '("example.com", 443)'),
    ("https://[::1]:8443/", '("::1", 8443)'),
    ("wss://example.com/" + "a" * 200, '("example.com", 443)'),  # too long for the path of a socket
]
"""A string that is given as an address, and the tuple that is meant."""


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory without files."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize(("address", "meant"), MISTAKES)
def test_a_host_that_is_taken_for_a_path_is_an_error_that_shows_the_tuple(
    address: Any, meant: str, client_context: pyossl.Context
) -> None:
    with pytest.raises(OSError, match=rf"path of a Unix socket; .* tuple: {re.escape(meant)}$") as caught:
        pyossl.connect(address, client_context, timeout=SECONDS)
    assert caught.value.errno in (errno.ENOENT, None)
    assert repr(address) in str(caught.value)
    assert "None" not in str(caught.value)


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize("address", ["/nowhere/a.sock", "a.sock", "./localhost:443", "..", "", "\0name", "a b"])
def test_a_path_of_a_socket_that_is_not_there_is_not_taken_for_a_host(
    address: str, client_context: pyossl.Context
) -> None:
    with pytest.raises(OSError, match="connecting to") as caught:
        pyossl.connect(address, client_context, timeout=SECONDS)
    assert "tuple" not in str(caught.value)


@pytest.mark.usefixtures("empty_folder")
def test_a_socket_with_the_name_of_a_host_is_connected_to(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    with pyossl.listen("localhost:443", server_context), pytest.raises(TimeoutError, match="handshake"):
        pyossl.connect("localhost:443", client_context, server_hostname="localhost", timeout=0.01)
    with pytest.raises(ConnectionRefusedError) as caught:  # its file is still there
        pyossl.connect("localhost:443", client_context, server_hostname="localhost", timeout=SECONDS)
    assert "tuple" not in str(caught.value)


@pytest.mark.usefixtures("empty_folder")
def test_a_listener_s_path_that_cannot_be_made_shows_the_tuple(server_context: pyossl.Context) -> None:
    with pytest.raises(FileNotFoundError, match=r"listening on 'https:.*\(\"localhost\", 8443\)"):
        pyossl.listen("https://localhost:8443/", server_context)


HOSTS = ["localhost:443", "https://localhost", "https://localhost:443/", "[::1]", "[::1]:443", "127.0.0.1:443"]


def trio_connects(host: str, context: pyossl.Context) -> None:
    trio.run(lambda: pyossl.trio.open_tcp_stream(host, 443, context))


def trio_listens(host: str, context: pyossl.Context) -> None:
    trio.run(lambda: pyossl.trio.open_tcp_listeners(0, context, host=host))


def anyio_connects(host: str, context: pyossl.Context) -> None:
    anyio.run(lambda: pyossl.anyio.connect_tcp(host, 443, ssl_context=context))


CONNECTING: dict[str, Callable[[str, pyossl.Context], object]] = {
    "connect": lambda host, context: pyossl.connect((host, 443), context, timeout=SECONDS),
    "connect with a name": lambda host, context: pyossl.connect(
        (host, 443), context, server_hostname="localhost", timeout=SECONDS
    ),
    "open_tcp_stream": trio_connects,
    "connect_tcp": anyio_connects,
}
LISTENING: dict[str, Callable[[str, pyossl.Context], object]] = {
    "listen": lambda host, context: pyossl.listen((host, 0), context),
    "open_tcp_listeners": trio_listens,
}


@pytest.fixture
def contexts(client_context: pyossl.Context, server_context: pyossl.Context) -> Contexts:
    return client_context, server_context


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("way", [*CONNECTING, *LISTENING])
def test_a_url_or_a_host_with_a_port_is_refused_as_a_host(way: str, host: str, contexts: Contexts) -> None:
    alone = "::1" if "[" in host else "127.0.0.1" if "127" in host else "localhost"
    with pytest.raises(ValueError, match=f'a host is a name or an IP address alone: "{re.escape(alone)}", not'):
        (CONNECTING[way] if way in CONNECTING else LISTENING[way])(host, contexts[way in LISTENING])


@given(st.ip_addresses().map(str) | st.sampled_from(["localhost", "example.com", "fe80::1%lo", "a_b", "münchen.de"]))
def test_names_and_ip_addresses_are_hosts(host: str) -> None:
    assert check_host(host) == host


# A context of the other side


@pytest.mark.parametrize("way", CONNECTING)
def test_a_server_s_context_cannot_connect_and_the_error_names_the_client_s(way: str, contexts: Contexts) -> None:
    """Before anything is connected: nothing listens at the address."""
    with pytest.raises(pyossl.UsageError, match=r"this one is a server's: use Context\.client\(\)"):
        CONNECTING[way]("127.0.0.1", contexts[1])


@pytest.mark.parametrize("way", LISTENING)
def test_a_client_s_context_cannot_listen_and_the_error_names_the_server_s(way: str, contexts: Contexts) -> None:
    with pytest.raises(pyossl.UsageError, match=r"this one is a client's: use Context\.server\("):
        LISTENING[way]("127.0.0.1", contexts[0])


def test_a_listener_over_a_socket_needs_a_server_s_context(client_context: pyossl.Context) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as sock,
        pytest.raises(pyossl.UsageError, match=r"is a client's: use Context\.server\("),
    ):
        pyossl.Listener(sock, client_context)


def test_a_connectable_needs_a_client_s_context(server_context: pyossl.Context) -> None:
    connectable = anyio.TCPConnectable("127.0.0.1", 1)
    with pytest.raises(pyossl.UsageError, match=r"is a server's: use Context\.client\(\)"):
        pyossl.anyio.TLSConnectable(connectable, ssl_context=server_context)


# A host and a port


@pytest.mark.parametrize("port", [443, "443"])
def test_a_host_and_a_port_as_two_arguments_are_refused_and_the_tuple_is_shown(port: Any) -> None:
    for function in (pyossl.connect, pyossl.listen):
        with pytest.raises(TypeError, match=re.escape(f"one argument, a tuple: ('localhost', {port!r})")):
            function("localhost", port)


def test_a_port_may_be_a_string(client_context: pyossl.Context) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock, pytest.raises(TimeoutError, match="handshake"):
        pyossl.connect(("127.0.0.1", str(sock.getsockname()[1])), client_context, timeout=0.05)  # type: ignore[arg-type]


@pytest.mark.parametrize("port", ["65536", "131515", "0000000065536", "9" * 5000])
def test_a_port_in_a_string_is_at_most_65535(port: str, client_context: pyossl.Context) -> None:
    """getaddrinfo(3) takes it modulo 65536."""
    with pytest.raises(ValueError, match="a port is 0 to 65535"):
        pyossl.connect(("127.0.0.1", port), client_context, timeout=SECONDS)  # type: ignore[arg-type]
