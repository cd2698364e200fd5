"""Callbacks that have no answer yet: the handshake stops with a ``Want``, and goes on when it is repeated."""

from __future__ import annotations

import gc
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from marks import VERSIONS
from pairs import carry, shake_hands

import pyossl
from pyossl import Connection, Context, UsageError, Version, Want, lib


class OnPurposeError(Exception):
    pass


class Kind:
    """One of the callbacks: its name, its ``Want``, whose it is, and an answer that lets the handshake go on."""

    def __init__(self, name: str, want: Want, *, is_servers: bool, answer: Any) -> None:
        self.name, self.want, self.is_servers, self.answer = name, want, is_servers, answer


KINDS = {
    "ClientHello": Kind("client_hello_callback", Want.CLIENT_HELLO, is_servers=True, answer=None),
    "server's certificate": Kind("certificate_callback", Want.X509_LOOKUP, is_servers=True, answer=None),
    "client's certificate": Kind("certificate_callback", Want.X509_LOOKUP, is_servers=False, answer=None),
    "chain": Kind("chain_callback", Want.RETRY_VERIFY, is_servers=False, answer=True),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    if request.param == "chain" and not lib.HAVE_RETRY_VERIFY:
        pytest.skip("this OpenSSL cannot verify later")
    return KINDS[request.param]


class Callers:
    """A client and a server; one of their contexts has the callback."""

    def __init__(self, kind: Kind, authority: pyossl.Authority, own: pyossl.Credentials, version: Version) -> None:
        self.kind = kind
        self.client_context = Context.client(
            trust=authority.certificate, certificate=own.certificate, private_key=own.private_key,
            minimum_version=version, maximum_version=version,
        )  # fmt: skip
        self.server_context = Context.server(
            own.certificate, own.private_key, trust=authority.certificate, verify="optional"
        )

    def with_callback(self, callback: Callable[..., Any]) -> Callers:
        setattr(self.server_context if self.kind.is_servers else self.client_context, self.kind.name, callback)
        self.client, self.server = Connection(self.client_context, "example.com"), Connection(self.server_context)
        return self

    @property
    def asked(self) -> Connection:
        return self.server if self.kind.is_servers else self.client

    def until_suspended(self) -> None:
        for _ in range(6):
            if self.client.handshake() is self.kind.want:
                return
            carry(self.client, self.server)
            if self.server.handshake() is self.kind.want:
                return
            carry(self.client, self.server)
        raise AssertionError("the callback was not asked")


@pytest.fixture
def callers(kind: Kind, authority: pyossl.Authority, credentials: pyossl.Credentials, version: Version) -> Callers:
    return Callers(kind, authority, credentials, version)


@pytest.mark.feature("callbacks that answer later, with a Want")
@VERSIONS
def test_a_want_stops_the_handshake_and_the_next_call_asks_again(callers: Callers) -> None:
    kind, answers = callers.kind, iter([callers.kind.want] * 3 + [callers.kind.answer])
    callers.with_callback(lambda *_: next(answers))
    callers.until_suspended()
    assert callers.asked.handshake() is kind.want
    assert callers.asked.handshake() is kind.want
    assert not callers.asked.is_handshake_finished
    shake_hands(callers.client, callers.server)
    assert next(answers, "none is left") == "none is left"
    callers.client.write(b"!")
    carry(callers.client, callers.server)
    assert callers.server.read() == b"!"


@VERSIONS
@pytest.mark.parametrize("want", Want, ids=lambda want: want.name)
def test_the_want_of_another_callback_is_no_answer(want: Want, callers: Callers) -> None:
    if want is callers.kind.want:
        return
    callers.with_callback(lambda *_: want)
    with pytest.raises(TypeError, match="without an answer returns"):
        shake_hands(callers.client, callers.server)


@VERSIONS
def test_while_it_is_stopped_nothing_can_be_read_or_written_and_it_can_be_closed(callers: Callers) -> None:
    callers.with_callback(lambda *_: callers.kind.want)
    callers.until_suspended()
    assert callers.asked.read() is callers.kind.want
    assert callers.asked.write(b"early") is callers.kind.want
    with pytest.raises(UsageError):
        callers.asked.shutdown()
    callers.asked.close()
    with pytest.raises(UsageError, match="closed"):
        callers.asked.handshake()


@VERSIONS
def test_an_exception_after_it_was_stopped_ends_the_handshake(callers: Callers) -> None:
    answers = iter([callers.kind.want])

    def answer(*_: Any) -> Any:
        for each in answers:
            return each
        raise OnPurposeError

    callers.with_callback(answer)
    callers.until_suspended()
    with pytest.raises(OnPurposeError):
        callers.asked.handshake()
    with pytest.raises(pyossl.TLSError):
        callers.asked.handshake()
    carry(callers.client, callers.server)
    other = callers.client if callers.kind.is_servers else callers.server
    with pytest.raises(pyossl.TLSError):
        other.handshake()


@VERSIONS
def test_the_callback_may_not_use_its_connection_for_io(callers: Callers) -> None:
    refused = []

    def answer(connection: Connection, *_: Any) -> Any:
        for call in (connection.handshake, connection.read, lambda: connection.write(b"x"), connection.close):
            with pytest.raises(UsageError, match="callback"):
                call()
            refused.append(call)
        return callers.kind.answer

    callers.with_callback(answer)
    shake_hands(callers.client, callers.server)
    assert len(refused) == 4


@VERSIONS
def test_without_an_event_loop_an_async_function_is_refused(callers: Callers) -> None:
    """No warning about a coroutine that was never awaited, either."""

    async def answer(*_: Any) -> Any:
        raise AssertionError("nothing awaits this")

    callers.with_callback(answer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UsageError, match="returned coroutine: only asyncio, trio and anyio await it"):
            shake_hands(callers.client, callers.server)
        gc.collect()


@VERSIONS
def test_a_connection_that_is_dropped_while_it_is_stopped_is_freed(callers: Callers) -> None:
    callers.with_callback(lambda *_: callers.kind.want)
    callers.until_suspended()
    dropped = weakref.ref(callers.client), weakref.ref(callers.server)
    del callers.client, callers.server
    gc.collect()
    assert [each() for each in dropped] == [None, None]
