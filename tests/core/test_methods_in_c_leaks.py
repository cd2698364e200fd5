"""Calls of the methods in C leave nothing behind, whether they succeed or raise."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from methods_in_c import CLASSES, METHODS, OF_A_BUFFER, OF_A_SIZE, OF_DATA, TAKE_RECORDS, each, parameters_of, ready
from pairs import meet

import pyossl
from pyossl import _fast
from pyossl.pyopenssl import SSL

CALLS = 100
FEW = CALLS // 4
"""Less than one for each call."""


class Number:
    def __init__(self, value: int) -> None:
        self._value = value

    def __index__(self) -> int:
        return int(str(self._value))  # a new object


def right_arguments(kind: str, name: str) -> list[tuple[Any, ...]]:
    """For four bytes; each object is one that Python can free."""
    if (kind, name) in OF_A_SIZE:
        return [(1 << 20,), (Number(5000),)] if name != "bio_read" else [(1 << 20,)]
    if (kind, name) in OF_DATA:
        return [(bytearray(b"data"),), (memoryview(b"data"),)]
    if (kind, name) in OF_A_BUFFER:
        with_a_size: list[tuple[Any, ...]] = (
            [(bytearray(5000), Number(4000))] if len(parameters_of(kind, name)) > 1 else []
        )
        return [(bytearray(4),)] + (with_a_size if kind != "FaceMethods" else [])
    return [()]


def wrong_arguments(kind: str, name: str) -> list[tuple[Any, ...]]:
    if (kind, name) in OF_A_SIZE:
        return [(-5000,), ("text",), (4.5,), (object(),), (4, 0, 0, 0)]
    if (kind, name) in OF_DATA:
        return [(memoryview(bytearray(10))[::2],), (object(),), (5000,), (b"data", 0, 0, 0)]
    if (kind, name) in OF_A_BUFFER:
        buffer = bytearray(4)
        return [(buffer, 5000), (buffer, "text"), (b"data",), (object(),)]
    return [(5000,)]


@contextlib.contextmanager
def nothing_left(*objects: object) -> Iterator[None]:
    """There are as many references to the objects afterwards, and as many objects, without a garbage collection."""
    gc.disable()
    references = [sys.getrefcount(one) for one in objects]
    blocks = sys.getallocatedblocks()
    try:
        yield
    finally:
        gc.enable()
    assert sys.getallocatedblocks() - blocks < FEW
    assert [sys.getrefcount(one) - before < FEW for one, before in zip(objects, references, strict=True)] == [
        True for _ in objects
    ], objects


def attempt(call: Callable[..., Any], *given: Any) -> bool:
    """Whether it returned a result which is no Want."""
    try:
        result = call(*given)
    except (TypeError, ValueError, OSError, pyossl.Error, SSL.Error):
        return False
    return not isinstance(result, pyossl.Want)


def repeat(work: Callable[[], object]) -> Callable[[], None]:
    """Works until all caches have their size; then returns what works ``CALLS`` times."""

    def all_of_them() -> None:
        for _ in range(CALLS):
            work()

    all_of_them()
    return all_of_them


@each(METHODS)
@pytest.mark.parametrize("state", ["open", "closed"])
def test_a_call_that_moves_no_bytes(kind: str, name: str, state: str) -> None:
    """There is nothing to read, the arguments are wrong, or the connection is closed."""
    sends = (kind, name) in OF_DATA and state == "open"
    with ready(kind) as it:
        if state == "closed":
            (it.subject._tls if kind == "FaceMethods" else it.subject).close()
        elif kind == "SocketMethods":
            it.subject.settimeout(0)
        method = getattr(it.subject, name)
        for given in wrong_arguments(kind, name) + ([] if sends else right_arguments(kind, name)):
            work = repeat(lambda given=given: attempt(method, *given))  # type: ignore[misc]  # a loop's lambda
            with nothing_left(it.subject, type(it.subject), *given):
                work()
        work = repeat(lambda: attempt(lambda: method(nothing=1)))
        with nothing_left(it.subject):
            work()


def data_moves(kind: str, name: str, given: tuple[Any, ...]) -> Callable[[Any], object]:
    """Returns a function that makes one call, in which as many bytes move as its argument says."""

    def work(it: Any) -> object:
        method = getattr(it.subject, name)
        if name in TAKE_RECORDS:
            method(it.record(b"data"))
            return name == "decrypt" or (it.subject.read if kind == "ConnectionMethods" else it.subject.recv)(4)
        if name in ("data_to_send", "bio_read"):
            (it.subject.write if kind == "ConnectionMethods" else it.subject.send)(b"data")
            return method(1 << 20)
        if (kind, name) in OF_DATA:
            result = method(*given)
            return result if name == "encrypt" else it.sent(4)
        it.fill(b"data")
        result = method(*given)
        return result if name not in ("peek", "_peek") else (getattr(it.subject, "recv", None) or it.subject.read)(4)

    return work


@each(METHODS)
def test_a_call_that_moves_bytes(kind: str, name: str) -> None:
    with ready(kind) as it:
        for given in right_arguments(kind, name):
            move = data_moves(kind, name, given)
            work = repeat(lambda move=move: move(it))  # type: ignore[misc]  # a loop's lambda
            with nothing_left(it.subject, type(it.subject), *given):
                work()


def test_a_large_record(client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    """The bytes are written straight into the object that is returned."""
    client, server = meet(client_context, server_context)
    data = bytearray(b"large") * 2000
    work = repeat(lambda: server.decrypt(client.encrypt(data)))  # type: ignore[arg-type]  # no Want here
    with nothing_left(client, server, data):
        work()


@each(METHODS)
def test_a_call_without_init(kind: str, name: str) -> None:
    subject = CLASSES[kind].__new__(CLASSES[kind])
    given = right_arguments(kind, name)[0]
    method = getattr(subject, name)

    def work() -> None:
        with contextlib.suppress(AttributeError, TypeError):
            method(*given)

    again = repeat(work)
    with nothing_left(subject, CLASSES[kind], *given):
        again()


@pytest.mark.parametrize("kind", CLASSES)
def test_an_object_that_is_freed(kind: str) -> None:
    """Also of a subclass, and one whose __init__ was not called."""
    derived: Any = type("Derived", (CLASSES[kind],), {})

    def work() -> None:
        CLASSES[kind].__new__(CLASSES[kind])
        derived.__new__(derived)
        getattr(_fast, kind)()

    again = repeat(work)
    with nothing_left(CLASSES[kind], derived, getattr(_fast, kind), _fast.Methods):
        again()


def address_space() -> int:
    """Megabytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * 4096 // 1_000_000


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the process's size is read from Linux's /proc")
@each([method for method in OF_A_SIZE if method[1] not in ("data_to_send", "bio_read")])
@pytest.mark.parametrize("there_is_data", [True, False])
def test_the_room_of_a_large_read_is_given_back(kind: str, name: str, there_is_data: bool) -> None:
    with ready(kind) as it:
        if kind == "SocketMethods":
            it.subject.settimeout(0)
        work = repeat(lambda: attempt(getattr(it.subject, name), 1 << 20))
        if there_is_data:
            it.fill(bytes(16384))
        before = address_space()
        work()
        assert address_space() - before < CALLS * 0.26 / 4
