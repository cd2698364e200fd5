"""StreamReader returns what asyncio's own returns for the same calls, however the bytes arrive."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

import pyossl
from pyossl.aio import StreamReader

LIMIT = 50
PIECES = st.lists(st.binary(min_size=1, max_size=150).map(lambda data: data.replace(b"\x00", b"\n")), max_size=12)
CALLS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(-1, 200)),
        st.tuples(st.just("readexactly"), st.integers(0, 200)),
        st.tuples(st.just("readline")),
        st.tuples(st.just("readuntil"), st.sampled_from([b"\n", b"\x01", b"\n\n", b"\x02\x03"])),
        st.tuples(st.just("feed")),
        st.tuples(st.just("cancel"), st.sampled_from(["read", "readexactly"]), st.integers(1, 200)),
    ),
    max_size=15,
)


class Paused:
    """A transport that only pauses and resumes."""

    def __init__(self) -> None:
        self._destination: Any = None

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def answers(reader: asyncio.StreamReader, pieces: list[bytes], calls: list[tuple[Any, ...]]) -> list[Any]:
    """The results of the calls.  A piece arrives when a call waits, or where ``calls`` has "feed"."""
    transport: Any = Paused()
    reader.set_transport(transport)
    waiting, found = list(pieces), []

    def feed() -> None:
        if waiting:
            reader.feed_data(waiting.pop(0))
        else:
            reader.feed_eof()

    for name, *arguments in calls:
        if name == "feed":
            feed()
            continue
        cancelled = name == "cancel"
        if cancelled:
            name, *arguments = arguments
        task = asyncio.ensure_future(getattr(reader, name)(*arguments))
        await asyncio.sleep(0)
        while not task.done():
            if cancelled:
                task.cancel()
                await asyncio.wait([task])
                break
            feed()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        found.append((type(error), str(error)) if error else task.result())
        found.append(reader.at_eof())
    return found


@settings(max_examples=300)
@given(PIECES, CALLS)
def test_it_answers_as_asyncios_does(pieces: list[bytes], calls: list[tuple[Any, ...]]) -> None:
    async def both() -> tuple[list[Any], list[Any]]:
        loop = asyncio.get_running_loop()
        ours = await answers(StreamReader(LIMIT, loop), pieces, calls)
        theirs = await answers(asyncio.StreamReader(LIMIT, loop), pieces, calls)
        return ours, theirs

    ours, theirs = asyncio.run(both())
    # read(n) may return less than is buffered.  Programs cannot rely on where one piece ends and the next begins.
    if any(name == "read" or (name == "cancel" and rest[0] == "read") for name, *rest in calls):
        assert _bytes(ours)[: len(_bytes(theirs))] == _bytes(theirs)[: len(_bytes(ours))]
    else:
        assert ours == theirs


def _bytes(found: list[Any]) -> bytes:
    return b"".join(each for each in found if isinstance(each, bytes))


def test_what_came_before_the_connection_was_lost_is_read_before_the_exception() -> None:
    async def main() -> None:
        reader = StreamReader(LIMIT, asyncio.get_running_loop())
        reader.feed_data(b"one\ntwo")
        reader.set_exception(pyossl.TruncationError("cut"))
        assert isinstance(reader.exception(), pyossl.TruncationError)
        assert await reader.readline() == b"one\n"
        assert await reader.readexactly(3) == b"two"
        for read in (reader.read, reader.readline, lambda: reader.readexactly(100_000)):
            with pytest.raises(pyossl.TruncationError):
                await read()

    asyncio.run(main())
