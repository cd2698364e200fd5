"""Chains of BIOs: order, ownership and refused changes (docs/pitfalls.md, 20)."""

from __future__ import annotations

import gc
import itertools
import subprocess
import sys
import threading

import pytest

import pyossl
from pyossl import BIO, Base64Filter, BufferFilter, PythonBIO, UsageError, Want


@pytest.mark.feature("chains of BIOs")
def test_a_chain_is_its_members_in_order() -> None:
    base64, buffer, memory = Base64Filter(), BufferFilter(), BIO.memory()
    chain = base64.push(buffer).push(memory)
    assert chain is base64
    assert list(chain) == [base64, buffer, memory]
    assert list(buffer) == [buffer, memory]
    assert (base64.next, buffer.next, memory.next) == (buffer, memory, None)
    assert str(chain) == "base64 → buffer → memory"
    assert repr(chain) == "<BIO base64 → buffer → memory>"


def test_bytes_go_through_all_that_is_below() -> None:
    memory = BIO.memory()
    chain = Base64Filter().push(BufferFilter()).push(memory)
    assert chain.write(b"hello") == 5
    assert memory.read() is Want.READ
    assert chain.flush() is None
    assert memory.read() == b"aGVsbG8=\n"


def test_chains_are_joined_at_the_end_of_the_first() -> None:
    first, second = Base64Filter().push(BufferFilter()), BufferFilter().push(BIO.memory())
    first.push(second)
    assert str(first) == "base64 → buffer → buffer → memory"
    first.write(b"x")
    first.flush()
    assert next(bio for bio in first if bio.name == "memory").read() == b"eA==\n"


def test_a_bio_is_taken_out_of_the_middle_and_the_rest_goes_on() -> None:
    base64, buffer, memory = Base64Filter(), BufferFilter(), BIO.memory()
    base64.push(buffer).push(memory)
    assert buffer.pop() is memory
    assert list(base64) == [base64, memory]
    assert list(buffer) == [buffer]
    base64.write(b"x")
    base64.flush()
    assert memory.read() == b"eA==\n"
    with pytest.raises(UsageError, match="nothing is below buffer"):
        buffer.read()


@pytest.mark.parametrize("popped", [0, 1, 2])
def test_a_popped_bio_can_be_pushed_again(popped: int) -> None:
    chain = [Base64Filter(), BufferFilter(), BIO.memory()]
    chain[0].push(chain[1]).push(chain[2])
    bio = chain.pop(popped)
    bio.pop()
    gc.collect()
    again = BufferFilter().push(bio)
    assert list(again)[1] is bio
    assert list(chain[0]) == chain


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_members_are_dropped_in_any_order(order: tuple[int, ...]) -> None:
    """A chain keeps the BIOs below alive: a BIO freed too early or twice would crash, or make malloc print an error."""
    members: list[BIO | None] = [Base64Filter(), BufferFilter(), BufferFilter(), BIO.memory()]
    head = members[0]
    assert head is not None
    for member in members[1:]:
        assert member is not None
        head.push(member)
    del head, member
    for place in order:
        members[place] = None
        gc.collect()
        for left in members:
            if left is not None:
                assert left.write(b"abc") == 3
                assert left.flush() is None


def test_a_bio_goes_on_when_the_one_above_was_dropped() -> None:
    memory = BIO.memory()
    BufferFilter().push(memory)
    gc.collect()
    assert str(BufferFilter().push(memory)) == "buffer → memory"


def test_a_bio_in_two_chains_is_refused() -> None:
    memory = BIO.memory()
    first = Base64Filter().push(memory)
    with pytest.raises(UsageError, match="memory is in another chain: base64 → memory"):
        BufferFilter().push(memory)
    assert list(memory) == [memory]
    assert len(list(first)) == 2


def test_a_chain_ends_once_and_has_no_loop() -> None:
    buffer = BufferFilter()
    with pytest.raises(UsageError, match="cannot be below itself"):
        buffer.push(buffer)
    lower = BufferFilter()
    buffer.push(lower)
    with pytest.raises(UsageError, match="cannot be below itself"):
        lower.push(buffer)
    buffer.push(BIO.memory())
    with pytest.raises(UsageError, match="is complete: memory is a source and a sink"):
        buffer.push(BIO.memory())
    with pytest.raises(TypeError, match="a BIO is pushed, not bytes"):
        BufferFilter().push(b"data")  # type: ignore[arg-type]


def test_a_filter_with_nothing_below_is_no_end() -> None:
    with pytest.raises(UsageError, match="base64 is not complete"):
        Base64Filter().read()


def test_a_bio_under_a_connection_is_in_no_other_chain_until_that_is_closed(server_context: pyossl.Context) -> None:
    """The connection uses the lock of its chain, and no other call may take its bytes."""
    inside, _ = BIO.pair()
    buffer = BufferFilter().push(inside)
    connection = pyossl.Connection(server_context, bio=buffer)
    for change in (buffer.pop, inside.pop, lambda: Base64Filter().push(buffer)):
        with pytest.raises(UsageError, match="buffer → pair is under a connection"):
            change()
    connection.close()
    assert buffer.pop() is inside
    again = pyossl.Connection(server_context, bio=(inside, BIO.memory()))
    with pytest.raises(UsageError, match="pair is under a connection"):
        BufferFilter().push(inside)
    del again
    assert str(BufferFilter().push(inside)) == "buffer → pair"


def test_a_connection_over_a_chain_outlives_our_names_of_it(new_pair: object, server_context: pyossl.Context) -> None:
    """docs/pitfalls.md, 20."""
    inside, outside = BIO.pair()
    connection = pyossl.Connection(server_context, bio=BufferFilter().push(BufferFilter()).push(inside))
    del inside
    gc.collect()
    outside.write(b"\x00" * 100)
    with pytest.raises(pyossl.Error):
        connection.handshake()
    del connection
    gc.collect()


def test_a_closed_chain_is_closed_to_its_end_and_says_so() -> None:
    base64, memory = Base64Filter(), BIO.memory()
    base64.push(memory)
    with pytest.raises(UsageError, match="memory is in a chain: close its head"):
        memory.close()
    base64.close()
    base64.close()
    assert base64.closed
    assert memory.closed
    for call in (memory.read, base64.flush, memory.reference, lambda: memory.write(b"x"), memory.end):
        with pytest.raises(UsageError, match="closed"):
            call()
    assert repr(memory) == "<BIO closed>"


def test_a_with_statement_has_flushed_before_it_closes() -> None:
    seen: list[bytes] = []

    class Seen(PythonBIO):
        def write(self, data: bytes | bytearray | memoryview) -> int:
            seen.append(bytes(data))
            return len(data)

    with Base64Filter().push(Seen()) as chain:
        chain.write(b"hello")
    assert b"".join(seen) == b"aGVsbG8=\n"
    lost = Base64Filter().push(Seen())
    lost.write(b"lost")
    with pytest.raises(KeyError), lost:
        raise KeyError
    assert chain.closed
    assert lost.closed
    assert b"".join(seen) == b"aGVsbG8=\n"


def test_a_with_statement_whose_flush_waits_closes_and_says_so() -> None:
    first, _ = BIO.pair(2, 2)
    with pytest.raises(UsageError, match=r"flush\(\) returned Want.WRITE"), BufferFilter().push(first) as chain:
        chain.write(b"more than it holds")
    assert first.closed


@pytest.mark.feature("retry flags as return values")
def test_retry_flags_come_up_through_a_chain_as_results() -> None:
    first, second = BIO.pair(4, 4)
    chain = BufferFilter().push(BufferFilter()).push(first)
    assert chain.read() is Want.READ
    chain.write(b"12345678")
    assert chain.flush() is Want.WRITE
    assert second.read() == b"1234"
    assert chain.flush() is None
    assert second.read() == b"5678"


def test_a_chain_is_not_changed_in_the_middle_of_its_call() -> None:
    """OpenSSL uses the chain's BIOs during the call, in this thread or another."""
    refused: list[str] = []

    class Changing(PythonBIO):
        def read(self, size: int = -1) -> bytes:
            for change in (chain.pop, self.pop, chain.close):
                with pytest.raises(UsageError, match="in the middle of a call") as caught:
                    change()
                refused.append(str(caught.value))
            return b"x"

    chain = BufferFilter().push(Changing())
    assert chain.read(1) == b"x"
    assert refused == ["buffer → Changing is in the middle of a call"] * 3
    chain.pop()


def test_another_threads_call_keeps_a_chain_from_being_changed() -> None:
    entered, leave = threading.Event(), threading.Event()

    class Slow(PythonBIO):
        def read(self, size: int = -1) -> bytes:
            entered.set()
            assert leave.wait(20)
            return b"x"

    chain = BufferFilter().push(Slow())
    thread = threading.Thread(target=chain.read, args=[1])
    thread.start()
    assert entered.wait(20)
    with pytest.raises(UsageError, match="in the middle of a call"):
        chain.pop()
    leave.set()
    thread.join()
    chain.pop()


def test_the_members_of_a_chain_and_the_halves_of_a_pair_share_one_lock() -> None:
    """Otherwise two threads would write to the same memory."""
    first, second = BIO.pair()
    chain = Base64Filter().push(BufferFilter()).push(first)
    assert {id(member.lock) for member in [*chain, second]} == {id(second.lock)}
    chain.pop()
    assert chain.lock is not second.lock


def test_two_threads_at_the_ends_of_a_chain_lose_no_byte() -> None:
    first, second = BIO.pair(500, 500)
    chain = BufferFilter().push(first)
    total, block = 2_000, b"0123456789"

    def write() -> None:
        left = total
        while left:
            done = chain.write(block[: min(10, left)])
            if isinstance(done, int):
                left -= done
        while chain.flush() is not None:
            pass

    got = 0
    thread = threading.Thread(target=write)
    thread.start()
    while got < total:
        data = second.read()
        if isinstance(data, bytes):
            got += len(data)
    thread.join()
    assert got == total
    assert second.read() is Want.READ


def test_a_thousand_chains_leave_nothing_behind() -> None:
    """docs/pitfalls.md, 20: neither freed twice nor leaked, in any order: Python, the chain, a connection."""
    script = """
import gc, resource, pyossl
from pyossl import BIO, BufferFilter, Base64Filter
context = pyossl.Context.client(verify=False)
def once(n):
    inside, outside = BIO.pair(1 << 16, 1 << 16)
    chain = Base64Filter().push(BufferFilter(1 << 15)).push(inside)
    connection = None if n % 2 else pyossl.Connection(context, bio=chain)
    if connection and n % 3:
        connection.handshake()
    if n % 5 == 0:
        del chain, inside
    elif n % 5 == 1:
        chain.close()
    elif n % 5 == 2 and connection is None:
        chain.next.pop()
    if connection and n % 7:
        connection.close()
for n in range(420):
    once(n)
gc.collect()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for n in range(2100):
    once(n)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    grown = int(done.stdout) * (1 if sys.platform == "darwin" else 1024)
    assert grown < 8 << 20, "2100 chains of 192 KiB would be 393 MiB"
