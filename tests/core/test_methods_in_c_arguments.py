"""The arguments of the methods in C: sizes and buffers of every kind, usual and wrong."""

from __future__ import annotations

import array
import ctypes
import mmap
import sys
from collections.abc import Callable
from typing import Any

import pytest
from methods_in_c import METHODS, OF_A_BUFFER, OF_A_SIZE, OF_DATA, TAKE_RECORDS, WITHOUT, each, parameters_of, ready
from odd_values import why_refused

import pyossl
from pyossl.pyopenssl import SSL

RECORD = 2
DATA = b"0123456789abcdef01234567"
"""As many bytes as a record of ``RECORD`` bytes has, in TLS 1.3."""
TO_SEND = ("data_to_send", "bio_read")
"""The methods of a size that return bytes for the peer; the others return what the peer has sent."""
OF_ANY_NUMBER = [method for method in OF_A_SIZE if method[1] != "bio_read"]
"""As in pyOpenSSL, ``bio_read`` takes an ``int`` only."""


class Number:
    """Not an ``int``, but it has ``__index__``."""

    def __init__(self, value: int, before: Callable[[], object] = lambda: None) -> None:
        self._value = value
        self._before = before

    def __index__(self) -> int:
        self._before()
        return self._value


class Raises:
    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __index__(self) -> int:
        raise self._error


def test_each_method_is_tried() -> None:
    """A method with a first argument of another name needs tests here."""
    assert sorted(OF_A_SIZE + OF_DATA + OF_A_BUFFER + WITHOUT) == sorted(METHODS)


# Sizes


def read(kind: str, name: str, size: Any) -> bytes:
    """The bytes that the method returns; there are those of ``DATA``, or as many bytes to send."""
    with ready(kind) as it:
        if name in TO_SEND:
            getattr(it.subject, "send" if kind == "FaceMethods" else "write")(b"<" * RECORD)
            data = getattr(it.subject, name)(size)
            assert data[:3] == b"\x17\x03\x03"[: len(data)]
            return DATA[: len(data)]
        it.fill(DATA)
        data = getattr(it.subject, name)(size)
        assert isinstance(data, bytes)
        return data


@each(OF_A_SIZE)
@pytest.mark.parametrize("size", [len(DATA), 16384, 2**31 - 1, 2**31, 2**63 - 1, 2**63, 2**200])
def test_a_size_of_all_bytes_or_more(kind: str, name: str, size: int) -> None:
    assert read(kind, name, size) == DATA


@each(OF_A_SIZE)
@pytest.mark.parametrize("size", [1, True])
def test_a_size_of_one(kind: str, name: str, size: int) -> None:
    assert read(kind, name, size) == DATA[:1]


@each(OF_ANY_NUMBER)
@pytest.mark.parametrize("size", [1, 5, 2**63, 2**200])
def test_a_size_is_what_index_returns(kind: str, name: str, size: int) -> None:
    assert read(kind, name, Number(size)) == DATA[:size]


@each(OF_A_SIZE)
@pytest.mark.parametrize("size", [-1, -(2**31), -(2**63) - 1, -(2**200)])
def test_a_negative_size(kind: str, name: str, size: int) -> None:
    with ready(kind) as it:
        if name == "data_to_send":
            it.subject.write(DATA)
            assert len(it.subject.data_to_send(size)) == len(DATA) + 22
        else:
            with pytest.raises(ValueError, match="cannot be negative"):
                getattr(it.subject, name)(size)


@each(OF_A_SIZE)
@pytest.mark.parametrize(
    "size", [None, "1", b"1", 1.0, object(), [], Raises(ValueError("mine")), Raises(RuntimeError("mine"))]
)
def test_a_size_of_another_type_is_refused_and_nothing_is_read(kind: str, name: str, size: Any) -> None:
    with ready(kind) as it:
        if name not in TO_SEND:
            it.fill(DATA)
        with pytest.raises(TypeError) as caught:
            getattr(it.subject, name)(size)
        assert why_refused(caught.value) is None
        if name not in TO_SEND:
            assert getattr(it.subject, name)(100) == DATA


@each(OF_ANY_NUMBER)
def test_ctrl_c_in_index_is_raised(kind: str, name: str) -> None:
    with ready(kind) as it, pytest.raises(KeyboardInterrupt):
        getattr(it.subject, name)(Raises(KeyboardInterrupt()))


@each(OF_ANY_NUMBER)
def test_index_may_close_the_connection(kind: str, name: str) -> None:
    with ready(kind) as it:
        close = it.subject._tls.close if kind == "FaceMethods" else it.subject.close
        with pytest.raises((pyossl.UsageError, SSL.Error, OSError)):
            getattr(it.subject, name)(Number(5, close))


# Buffers that are read from


def _mapped(data: bytes) -> mmap.mmap:
    mapped = mmap.mmap(-1, len(data))
    mapped[:] = data
    return mapped


class Exporter:
    """An object with ``__buffer__``, which Python calls from 3.12 on."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.released = 0

    def __buffer__(self, flags: int) -> memoryview:
        return memoryview(self.data)

    def __release_buffer__(self, view: memoryview) -> None:
        self.released += 1
        view.release()


BUFFERS: dict[str, Callable[[bytes], Any]] = {
    "bytearray": bytearray,
    "memoryview": lambda data: memoryview(bytearray(data)),
    "part": lambda data: memoryview(bytearray(b"<" + data + b">"))[1:-1],
    "of ints": lambda data: memoryview(bytearray(data)).cast("I"),
    "two dimensions": lambda data: memoryview(bytearray(data)).cast("B", (4, len(data) // 4)),
    "no dimension": lambda data: memoryview(ctypes.c_uint64.from_buffer(bytearray(data))),
    "array": lambda data: array.array("B", data),
    "array of ints": lambda data: array.array("H", data),
    "mmap": _mapped,
    "ctypes": lambda data: (ctypes.c_char * len(data)).from_buffer(bytearray(data)),
    "a number of ctypes": lambda data: ctypes.c_uint64.from_buffer(bytearray(data)),
}
if sys.version_info >= (3, 12):
    BUFFERS["__buffer__"] = Exporter
each_buffer = pytest.mark.parametrize("buffer", BUFFERS)
CONSTANTS: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "subclass": type("Subclass", (bytes,), {}),
    "constant": memoryview,
    "constant part": lambda data: memoryview(b"<" + data + b">")[1:-1],
}


@each(OF_DATA)
@pytest.mark.parametrize("buffer", BUFFERS | CONSTANTS)
def test_data_is_the_bytes_of_any_buffer_in_one_piece(kind: str, name: str, buffer: str) -> None:
    made = (BUFFERS | CONSTANTS)[buffer]
    data = DATA[:8]
    with ready(kind) as it:
        method = getattr(it.subject, name)
        if name in TAKE_RECORDS:
            record = it.record(b"x" * 10)
            assert len(record) == 32
            given = made(record[:8])
            answer = method(given)
            assert answer == {"decrypt": b"", "receive_data": None, "bio_write": 8}[name] or (
                name == "decrypt" and answer is pyossl.Want.READ
            )
            rest = method(record[8:])
            if name == "decrypt":
                assert rest == b"x" * 10
            else:
                assert (it.subject.read if kind == "ConnectionMethods" else it.subject.recv)(100) == b"x" * 10
        else:
            given = made(data)
            answer = method(given)
            if name != "encrypt":
                assert answer in (len(data), None)
                assert it.sent(len(data)) == data
            else:
                assert len(answer) == len(data) + 22
        if isinstance(given, Exporter):
            assert given.released >= 1
        if isinstance(given, memoryview):
            given.release()


def _released() -> memoryview:
    view = memoryview(bytearray(DATA))
    view.release()
    return view


WRONG: dict[str, tuple[Callable[[], Any], type[Exception]]] = {
    "every second byte": (lambda: memoryview(bytearray(DATA))[::2], TypeError),
    "backwards": (lambda: memoryview(bytearray(DATA))[::-1], TypeError),
    "released": (_released, ValueError),
    "None": (lambda: None, TypeError),
    "number": (lambda: 5, TypeError),
    "True": (lambda: True, TypeError),
    "list": (lambda: [1, 2], TypeError),
    "object": (object, TypeError),
}
each_wrong = pytest.mark.parametrize("wrong", WRONG)


@each(OF_DATA)
@each_wrong
def test_data_in_no_piece_is_refused_and_nothing_is_sent(kind: str, name: str, wrong: str) -> None:
    make, error = WRONG[wrong]
    with ready(kind) as it:
        with pytest.raises(error) as caught:
            getattr(it.subject, name)(make())
        if kind != "FaceMethods":  # there the words are those of pyOpenSSL
            assert why_refused(caught.value) is None
        send = getattr(it.subject, "write", None) or it.subject.send
        send(b"after")
        assert it.sent(5) == b"after"


@each([method for method in OF_DATA if method[0] != "FaceMethods"])
def test_text_is_no_data(kind: str, name: str) -> None:
    with ready(kind) as it, pytest.raises(TypeError, match="bytes are needed, not str"):
        getattr(it.subject, name)("text")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="__buffer__ is new in Python 3.12")
@each(OF_DATA + [method for method in OF_A_BUFFER if method[0] != "FaceMethods"])
@pytest.mark.parametrize("error", [RuntimeError("mine"), TypeError("mine"), KeyboardInterrupt(), MemoryError()])
def test_an_exception_of_buffer_is_raised(kind: str, name: str, error: BaseException) -> None:
    class Fails:
        def __buffer__(self, flags: int) -> memoryview:
            raise error

    with ready(kind) as it, pytest.raises(type(error)):
        getattr(it.subject, name)(Fails())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="__buffer__ is new in Python 3.12")
@each([method for method in OF_DATA if method[1] != "receive_data"])
def test_buffer_may_close_the_connection(kind: str, name: str) -> None:
    with ready(kind) as it:
        close = it.subject._tls.close if kind == "FaceMethods" else it.subject.close

        class Closes(Exporter):
            def __buffer__(self, flags: int) -> memoryview:
                close()
                return super().__buffer__(flags)

        with pytest.raises((pyossl.UsageError, SSL.Error, OSError)):
            getattr(it.subject, name)(Closes(b"x"))


# Buffers that are written to


def _content(buffer: Any) -> bytes:
    return bytes(buffer.data if isinstance(buffer, Exporter) else memoryview(buffer).cast("B"))


FACE_TAKES = ("bytearray", "memoryview", "part", "mmap", "ctypes")
"""The face reads as many bytes as the buffer has items, here 8."""
FACE_COUNTS_ITEMS = ("of ints", "two dimensions", *(("no dimension",) if sys.version_info < (3, 12) else ()))
"""Memoryviews with fewer items.  From Python 3.12 on, one without dimensions has no length, and is refused.

Other buffers are refused: pyOpenSSL assigns to a slice of the buffer, which they do not support.
"""


@each(OF_A_BUFFER)
@each_buffer
def test_a_read_fills_any_buffer_in_one_piece(kind: str, name: str, buffer: str) -> None:
    with ready(kind) as it:
        given = BUFFERS[buffer](bytes(8))
        it.fill(DATA[:8])
        if kind == "FaceMethods" and buffer not in FACE_TAKES + FACE_COUNTS_ITEMS:
            with pytest.raises((TypeError, NotImplementedError, ValueError)):
                getattr(it.subject, name)(given)
        else:
            size = len(given) if kind == "FaceMethods" else 8
            assert getattr(it.subject, name)(given) == size
            assert _content(given) == DATA[:size] + bytes(8 - size)


UNFILLED: dict[str, tuple[Callable[[], Any], type[Exception]]] = WRONG | {
    "bytes": (lambda: DATA, TypeError),
    "text": (lambda: "text", TypeError),
    "constant": (lambda: memoryview(DATA), TypeError),
}


@each([method for method in OF_A_BUFFER if method[0] != "FaceMethods"])
@pytest.mark.parametrize("wrong", UNFILLED)
def test_what_cannot_be_filled_is_refused_and_nothing_is_read(kind: str, name: str, wrong: str) -> None:
    make, error = UNFILLED[wrong]
    with ready(kind) as it:
        it.fill(DATA)
        with pytest.raises(error) as caught:
            getattr(it.subject, name)(make())
        assert why_refused(caught.value) is None
        buffer = bytearray(len(DATA))
        assert getattr(it.subject, name)(buffer) == len(DATA)
        assert buffer == DATA


WITH_A_SIZE = [method for method in OF_A_BUFFER if "size" in parameters_of(*method)]
"""Not ``recv_into`` of the face, where 0 is no bytes, and more than the buffer has is all."""


@each(WITH_A_SIZE)
@pytest.mark.parametrize("size", [None, 0, 1, 3, 5, True, Number(3), Number(0)])
def test_a_size_is_the_most_bytes_that_are_filled(kind: str, name: str, size: Any) -> None:
    """0 and None are all."""
    with ready(kind) as it:
        it.fill(DATA)
        buffer = bytearray(b"-" * 5)
        expected = (0 if size is None else size.__index__()) or 5
        assert getattr(it.subject, name)(buffer, size) == expected
        assert buffer == DATA[:expected] + b"-" * (5 - expected)


@each(WITH_A_SIZE)
@pytest.mark.parametrize("size", [6, -1, 2**31, 2**63, 2**200, -(2**200), Number(6), Number(-1), Number(2**200)])
def test_a_size_beyond_the_buffer_is_refused(kind: str, name: str, size: Any) -> None:
    with ready(kind) as it:
        it.fill(DATA)
        buffer = bytearray(5)
        with pytest.raises(ValueError, match="the buffer holds 5 bytes"):
            getattr(it.subject, name)(buffer, size)
        buffer.clear()  # it is released
        assert getattr(it.subject, name)(bytearray(100)) == len(DATA)


@each(WITH_A_SIZE)
def test_index_cannot_resize_the_buffer_that_is_to_be_filled(kind: str, name: str) -> None:
    buffer = bytearray(5)
    refused = []

    def clear() -> None:
        try:
            buffer.clear()
        except BufferError as error:
            refused.append(error)

    with ready(kind) as it:
        it.fill(DATA)
        assert getattr(it.subject, name)(buffer, Number(5, clear)) == 5
    assert refused
    assert buffer == DATA[:5]
