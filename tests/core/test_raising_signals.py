"""A signal handler raises between any two instructions: no lock stays locked, and the exception is not lost.

A signal handler runs between two instructions of the main thread, or during a C call that waits.  A trace function
raises at the first instruction of pyossl, then at the second, and so on, until the call ends without an exception.
After each, another thread can use the same objects, and the call has raised that exception.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from pairs import meet, pair_with_every_callback, shake_hands
from served import Task, tls_pair

import pyossl
from pyossl import BIO, Connection, Context
from pyossl.pyopenssl import SSL

PACKAGE = str(Path(pyossl.__file__).parent)
MOST = 5000
"""More instructions of Python than any call is interrupted at."""
REPEATED = 3
"""The times that an instruction is interrupted which a call reaches more often, in a loop."""


class Tick(BaseException):
    """The exception of the handler."""


class Tracing:
    """Calls ``reached`` at each instruction of pyossl in the ``with`` statement."""

    def __enter__(self) -> None:
        sys.settrace(self._called)

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _called(self, frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        self.reached(frame)
        return self._opcode

    def _opcode(self, frame: FrameType, event: str, argument: object) -> Any:
        if event == "opcode":
            self.reached(frame)
        return self._opcode

    def reached(self, frame: FrameType) -> None:
        raise NotImplementedError


class Raising(Tracing):
    """Raises ``Tick`` at the instruction with a number, counted from the start of the ``with`` statement."""

    def __init__(self, number: int) -> None:
        self.left = number
        self.where = ""

    def reached(self, frame: FrameType) -> None:
        if self.left == 0:
            self.left = -1
            self.where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}"
            raise Tick
        self.left -= 1


class Counting(Tracing):
    """Keeps the numbers of the instructions.

    An instruction that is reached again and again, below the same functions, is kept only the first times.
    """

    def __init__(self, repeated: int) -> None:
        self._repeated = repeated
        self.kept: list[int] = []
        self.count = 0
        self._reached: Counter[tuple[object, ...]] = Counter()

    def reached(self, frame: FrameType) -> None:
        here = (frame.f_lasti, *(each.f_code for each, _ in traceback.walk_stack(frame)))
        self._reached[here] += 1
        if self._reached[here] <= self._repeated:
            self.kept.append(self.count)
        self.count += 1


Make = Callable[[], tuple[Callable[[], object], Callable[[], object]]]
"""Returns a call, and the function that another thread calls afterwards, which must return."""


def instructions(make: Make, repeated: int) -> list[int]:
    """The numbers of the instructions of a call that is not interrupted."""
    call, use = make()
    counting = Counting(repeated)
    with contextlib.suppress(Exception), counting:
        call()
    Task(use).result()
    return counting.kept


def at_each_instruction(make: Make) -> int:
    """Interrupts a call at each of its instructions; returns their number."""
    numbers = instructions(make, REPEATED)
    assert len(numbers) < MOST
    for number in numbers:
        call, use = make()
        raising = Raising(number)
        try:
            with raising:
                call()
        except Tick:
            assert raising.left == -1
        except pyossl.Error:
            assert raising.left >= 0, f"the exception was lost that was raised at {raising.where}"
        else:
            assert raising.left >= 0, f"the exception was lost that was raised at {raising.where}"
        Task(use).result()
    return len(numbers)


PROPERTIES = [
    name
    for name in dir(Connection)
    if not name.startswith("_") and isinstance(getattr(Connection, name, None), property)
]


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_question_is_interrupted_anywhere(name: str, client_context: Context, server_context: Context) -> None:
    client, _ = meet(client_context, server_context)
    assert at_each_instruction(lambda: (lambda: getattr(client, name), lambda: client.write(b"x"))) > 0


class Number:
    """Not an int, but can be used as one: C passes it on to a method in Python."""

    def __index__(self) -> int:
        return 10


IN_C: dict[str, Callable[[Connection], object]] = {
    "read": lambda connection: connection.read(),
    "read much": lambda connection: connection.read(1 << 20),
    "read_into": lambda connection: connection.read_into(bytearray(10)),
    "peek": lambda connection: connection.peek(),
    "write": lambda connection: connection.write(b"x"),
    "write a view": lambda connection: connection.write(memoryview(b"x")),
    "encrypt": lambda connection: connection.encrypt(b"x"),
    "decrypt": lambda connection: connection.decrypt(b""),
    "data_to_send": lambda connection: connection.data_to_send(),
    "receive_data": lambda connection: connection.receive_data(b""),
}


@pytest.mark.parametrize("name", IN_C)
def test_a_frequent_call_has_no_instruction_at_which_it_could_be_interrupted(
    name: str, client_context: Context, server_context: Context
) -> None:
    client, server = meet(client_context, server_context)
    server.write(b"data")
    client.receive_data(server.data_to_send())
    assert instructions(lambda: (lambda: IN_C[name](client), lambda: client.pending), REPEATED) == []


CALLS: dict[str, Callable[[Connection], object]] = {
    "read of another kind of number": lambda connection: connection.read(Number()),  # type: ignore[arg-type]
    "read_into of another kind of number": lambda c: c.read_into(bytearray(10), Number()),  # type: ignore[arg-type]
    "read nothing": lambda connection: (connection.read(), connection.read()),
    "decrypt nothing": lambda connection: (connection.read(), connection.decrypt(bytes(3))),
    "decrypt a failure": lambda connection: (connection.read(), connection.decrypt(bytes(100))),
    "write text": lambda connection: connection.write("x"),  # type: ignore[arg-type]
    "shutdown": lambda connection: connection.shutdown(),
    "handshake": lambda connection: connection.handshake(),
    "call": lambda connection: connection.call(pyossl.lib.SSL_version),
    "close": lambda connection: connection.close(),
    "repr": repr,
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_interrupted_anywhere(name: str, client_context: Context, server_context: Context) -> None:
    def make() -> tuple[Callable[[], object], Callable[[], object]]:
        client, server = meet(client_context, server_context)
        server.write(b"data")
        client.receive_data(server.data_to_send())
        return lambda: CALLS[name](client), lambda: repr(client.closed or client.pending)

    assert at_each_instruction(make) > 0


SOCKET_CALLS: dict[str, Callable[[pyossl.Socket], object]] = {
    "recv of another kind of number": lambda tls: tls.recv(Number()),  # type: ignore[arg-type]
    "recv, peeking": lambda tls: tls.recv(10, 2),
    "recv_into, peeking": lambda tls: tls.recv_into(bytearray(10), 0, 2),
    "send with flags": lambda tls: tls.send(b"x", 1),
    "sendall of text": lambda tls: tls.sendall("x"),  # type: ignore[arg-type]
    "a file's write": lambda tls: tls._send_some(b"x"),
    "pending": lambda tls: tls.pending,
    "shutdown": lambda tls: tls.shutdown(1),
    "handshake": lambda tls: tls.handshake(),
    "close": lambda tls: tls.close(),
}


@pytest.mark.parametrize("name", SOCKET_CALLS)
def test_a_socket_s_call_is_interrupted_anywhere(name: str, client_context: Context, server_context: Context) -> None:
    """Neither the lock nor the writers' lock stays locked."""
    tls, peer = tls_pair(client_context, server_context)
    peer.sendall(bytes(1000))

    def make() -> tuple[Callable[[], object], Callable[[], object]]:
        nonlocal tls, peer
        if tls.fileno() < 0 or name in ("shutdown", "close"):
            tls.close()
            peer.close()
            tls, peer = tls_pair(client_context, server_context)
        peer.sendall(bytes(100))

        def use() -> None:
            if not tls.connection.closed and name != "shutdown":
                tls.sendall(b"y")

        return lambda: SOCKET_CALLS[name](tls), use

    assert at_each_instruction(make) > 0
    tls.close()
    peer.close()


BIO_CALLS: dict[str, Callable[[BIO], object]] = {
    "read": lambda bio: bio.read(3),
    "read all": lambda bio: bio.read(),
    "write": lambda bio: bio.write(b"x"),
    "readline": lambda bio: bio.readline(),
    "flush": lambda bio: bio.flush(),
    "pending": lambda bio: bio.pending,
    "end": lambda bio: bio.end(),
    "push": lambda bio: pyossl.BufferFilter().push(bio),
    "push and pop": lambda bio: pyossl.BufferFilter().push(bio).pop(),
    "close": lambda bio: bio.close(),
    "with": lambda bio: bio.__enter__().__exit__(None),
}


@pytest.mark.parametrize("name", BIO_CALLS)
def test_a_call_of_a_bio_is_interrupted_anywhere(name: str) -> None:
    def make() -> tuple[Callable[[], object], Callable[[], object]]:
        bio = BIO.memory()
        bio.write(b"some bytes\n")

        def use() -> None:
            if not bio.closed:
                assert isinstance(bio.pending, int)
                assert bio.lock.calls == 0

        return lambda: BIO_CALLS[name](bio), use

    assert at_each_instruction(make) > 0


FACE_CALLS: dict[str, Callable[[SSL.Connection], object]] = {
    "recv, peeking": lambda face: face.recv(10, 2),
    "recv_into of a record": lambda face: face.recv_into(bytearray(10), None, 0),
    "recv nothing": lambda face: (face.recv(10), face.recv(10)),
    "bio_read nothing": lambda face: face.bio_read(10),
    "pending": lambda face: face.pending(),
    "get_shutdown": lambda face: face.get_shutdown(),
    "get_cipher_list": lambda face: face.get_cipher_list(),
    "get_peer_certificate": lambda face: face.get_peer_certificate(),
    "get_session": lambda face: face.get_session(),
    "shutdown": lambda face: face.shutdown(),
    "do_handshake": lambda face: face.do_handshake(),
}


@pytest.mark.parametrize("name", FACE_CALLS)
def test_a_call_of_the_pyopenssl_face_is_interrupted_anywhere(name: str) -> None:
    from pyopenssl.pyopenssl_pairs import carry, pair

    def make() -> tuple[Callable[[], object], Callable[[], object]]:
        client, server = pair()
        server.send(b"data")
        carry(client, server)
        return lambda: FACE_CALLS[name](client), client.pending

    def face_errors_are_ours() -> int:
        try:
            return at_each_instruction(make)
        except SSL.Error:
            return 1

    assert face_errors_are_ours() > 0


def handshake_with_callbacks(
    credentials: pyossl.Credentials, authority: pyossl.Authority
) -> tuple[Callable[[], object], Callable[[], object]]:
    """A handshake in which each callback of both sides is called."""
    client, server = pair_with_every_callback(authority, credentials)

    def call() -> None:
        shake_hands(client, server)
        client.read()

    return call, lambda: (client.closed, server.closed, repr(client), repr(server))


def test_no_exception_in_a_callback_is_lost(credentials: pyossl.Credentials, authority: pyossl.Authority) -> None:
    """Nor does it change its meaning: an interrupted verify callback does not refuse the certificate.

    docs/pitfalls.md, 32
    """
    found = 0
    # Every second instruction, because each takes a handshake.
    for number in instructions(lambda: handshake_with_callbacks(credentials, authority), repeated=1)[::2]:
        call, use = handshake_with_callbacks(credentials, authority)
        raising = Raising(number)
        try:
            with raising:
                call()
        except Tick:
            found += 1
        else:
            assert raising.left >= 0, f"the exception was lost that was raised at {raising.where}"
        Task(use).result()
    assert found > 100
