"""Loops of each kind, servers on them, and their clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import looped
import pytest
from looped import Run, echo, port_of

import pyossl
import pyossl.aio


@pytest.fixture(params=looped.KINDS)
def run(request: pytest.FixtureRequest) -> Iterator[Run[Any]]:
    """Runs a coroutine in each kind of loop.  Nothing may be left behind."""
    yield from looped.running(request.param)


@pytest.fixture
def start(server_context: pyossl.Context) -> Callable[..., Any]:
    """Starts a server with ``serve`` as its callback; by default it echoes."""

    async def started(serve: Any = echo, host: Any = "127.0.0.1", port: int = 0, **options: Any) -> pyossl.aio.Server:
        return await pyossl.aio.start_server(serve, host, port, ssl=server_context, **options)

    return started


@pytest.fixture
def connect(client_context: pyossl.Context) -> Callable[..., Any]:
    """Opens a connection to a server."""

    async def connected(server: pyossl.aio.Server, **options: Any) -> Any:
        return await pyossl.aio.open_connection("127.0.0.1", port_of(server), ssl=client_context, **options)

    return connected
