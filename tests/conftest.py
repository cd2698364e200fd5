"""Fixtures of all tests: an authority, contexts, connected pairs, and the check that the error queue is empty."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings
from pairs import shake_hands
from pausing import HeadersError, Pausing, build
from served import SocketPair, tls_pair

import pyossl
from pyossl import lib


def pytest_configure() -> None:
    """Ctrl-C works in the tests and in the programs that they start, even if the suite runs in the background.

    A script's shell ignores SIGINT for a command with ``&``, and programs inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    settings.register_profile("no deadline", deadline=None)  # a test is not slow because the machine is busy
    settings.load_profile("no deadline")


def pytest_collection_finish() -> None:
    """Many tests collect garbage, which need not look at twenty thousand tests each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _empty_queue() -> Iterator[None]:
    """No test leaves an entry in OpenSSL's error queue (docs/pitfalls.md, 1)."""
    yield
    left = pyossl.outcome.take_records()
    assert not left, f"left in the error queue: {left}"
    assert lib.ERR_peek_error() == 0


@pytest.fixture(scope="session")
def authority() -> pyossl.Authority:
    return pyossl.Authority("pyossl test CA")


@pytest.fixture(scope="session")
def credentials(authority: pyossl.Authority) -> pyossl.Credentials:
    """A certificate for example.com, localhost and the loopback's addresses."""
    return authority.issue("example.com", "localhost", "127.0.0.1", "::1")


@pytest.fixture
def server_context(credentials: pyossl.Credentials) -> pyossl.Context:
    return pyossl.Context.server((credentials.certificate, *credentials.chain), credentials.private_key)


@pytest.fixture
def client_context(authority: pyossl.Authority) -> pyossl.Context:
    return pyossl.Context.client(trust=authority.certificate)


@pytest.fixture(scope="session")
def pausing(tmp_path_factory: pytest.TempPathFactory) -> Pausing:
    """A provider whose signatures pause asynchronous jobs."""
    if not lib.pyossl_has_async_jobs():
        pytest.skip("this OpenSSL has no asynchronous jobs")
    try:
        return Pausing(build(tmp_path_factory.mktemp("pausing")))
    except HeadersError as error:
        pytest.skip(str(error))


@pytest.fixture
def jobs_context(pausing: Pausing, credentials: pyossl.Credentials) -> pyossl.Context:
    """The context of a server whose signatures pause."""
    return pausing.server(credentials)


Pair = tuple[pyossl.Connection, pyossl.Connection]


@pytest.fixture
def new_pair(client_context: pyossl.Context, server_context: pyossl.Context) -> Callable[[], Pair]:
    """Makes the connections of a client and a server in memory, before their handshake."""

    def make() -> Pair:
        return pyossl.Connection(client_context, "example.com"), pyossl.Connection(server_context)

    return make


@pytest.fixture
def connected(new_pair: Callable[[], Pair]) -> Pair:
    """The connections of a client and a server in memory, after their handshake."""
    client, server = new_pair()
    shake_hands(client, server)
    return client, server


@pytest.fixture
def sockets(client_context: pyossl.Context, server_context: pyossl.Context) -> Iterator[SocketPair]:
    """The sockets of a client and a server over TCP, after their handshake."""
    client, server = tls_pair(client_context, server_context)
    with client, server:
        yield client, server
