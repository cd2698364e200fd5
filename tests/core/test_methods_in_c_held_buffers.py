"""The owner of a buffer can neither resize nor release it while a method in C uses it, and can do both afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from methods_in_c import OF_A_BUFFER, OF_DATA, TAKE_RECORDS, each, parameters_of, ready
from served import Task, until

import pyossl
from pyossl.pyopenssl import SSL

WITH_MESSAGES = ("ConnectionMethods", "EventLoopMethods")
"""The classes with a ``message_callback``."""


class Held:
    """A bytearray with a view, and the changes that its owner tries while a call uses them."""

    def __init__(self, data: bytes) -> None:
        self.buffer = bytearray(data)
        self.view = memoryview(self.buffer)
        self.refused = 0

    def is_refused(self) -> bool:
        """Whether the buffer is held: releasing the view is refused too."""
        try:
            self.view.release()
        except BufferError:
            self.refused += 1
        else:
            self.view = memoryview(self.buffer)
            return False
        for change in (self.buffer.clear, lambda: self.buffer.extend(b"x"), lambda: self.buffer.pop()):
            with pytest.raises(BufferError):
                change()
        return True

    def is_free(self) -> bool:
        self.view.release()
        self.buffer.extend(b"more")
        self.buffer.clear()
        return True


@each([(kind, name) for kind, name in OF_DATA + OF_A_BUFFER if kind in WITH_MESSAGES and name != "receive_data"])
@pytest.mark.parametrize("fails", [False, True], ids=["succeeds", "raises"])
def test_a_buffer_is_held_during_a_callback(kind: str, name: str, fails: bool) -> None:
    """Also if the callback raises: then the call raises that exception."""
    held: list[Held] = []

    def callback(_: pyossl.Message) -> None:
        if held:
            held[0].is_refused()
            if fails:
                raise KeyError("mine")

    with ready(kind, message_callback=callback) as it:
        data = it.record(b"data") if name in TAKE_RECORDS else b"data"
        if name in ("read_into", "read_some_into"):
            it.fill(data)
        mine = Held(data)
        held.append(mine)
        with pytest.raises(KeyError, match="mine") if fails else contextlib.nullcontext():
            getattr(it.subject, name)(mine.view)
        held.clear()
    assert mine.refused
    assert mine.is_free()


def waiting_calls() -> Iterator[tuple[str, Callable[[Any, Any], Any], int]]:
    yield "recv_into", lambda tls, view: tls.recv_into(view), 10
    yield "recv_into with a size", lambda tls, view: tls.recv_into(view, 5), 10
    yield "send", lambda tls, view: tls.send(view), 20_000_000
    yield "sendall", lambda tls, view: tls.sendall(view), 20_000_000


WAITING = {name: (call, size) for name, call, size in waiting_calls()}


@pytest.mark.parametrize("name", WAITING)
@pytest.mark.parametrize("end", ["data", "close"])
def test_a_buffer_is_held_while_a_call_waits(name: str, end: str) -> None:
    """Until the peer's bytes come or the peer reads; or until another thread closes the socket."""
    call, size = WAITING[name]
    with ready("SocketMethods") as it:
        held = Held(bytes(size))
        waiting = Task(lambda: call(it.subject, held.view))
        until(lambda: it.subject.connection.waiters)
        assert held.is_refused()
        if end == "close":
            it.subject.close()
            with pytest.raises((pyossl.Error, OSError)):
                waiting.result()
        elif size == 10:
            it.fill(b"data!")
            assert waiting.result() == 5
        else:
            assert len(it.sent(size)) == size
            assert waiting.result() in (None, size)
    assert held.is_free()


@each(OF_DATA + OF_A_BUFFER)
def test_a_buffer_is_free_after_a_call_of_a_closed_connection(kind: str, name: str) -> None:
    held = Held(b"data")
    with ready(kind) as it:
        (it.subject._tls if kind == "FaceMethods" else it.subject).close()
        with pytest.raises((pyossl.Error, SSL.Error, OSError)):
            getattr(it.subject, name)(held.view)
    assert held.is_free()


@each(OF_DATA + OF_A_BUFFER)
def test_a_buffer_is_free_after_a_call_that_would_wait(kind: str, name: str) -> None:
    """It returns a ``Want`` or raises an exception."""
    held = Held(b"\x17\x03\x03\x00")  # the first bytes of a record
    with ready(kind) as it:
        if kind == "SocketMethods":
            it.subject.settimeout(0)
        with contextlib.suppress(pyossl.Error, SSL.Error, OSError):
            getattr(it.subject, name)(held.view)
    assert held.is_free()


@each(OF_DATA + OF_A_BUFFER)
def test_a_buffer_is_free_after_wrong_arguments(kind: str, name: str) -> None:
    """The argument after the buffer is wrong, or there are too many arguments."""
    held = Held(b"data")
    with ready(kind) as it:
        with pytest.raises(TypeError):
            getattr(it.subject, name)(held.view, 0, 0, 0)
        if len(parameters_of(kind, name)) > 1 and not (kind == "FaceMethods" and name in ("send", "sendall")):
            with pytest.raises(TypeError):
                getattr(it.subject, name)(held.view, "text")
    assert held.is_free()
