"""A callback switches to another greenlet of the thread, which uses connections before the first call goes on."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest
from pairs import shake_hands
from served import SECONDS, Task, serving

import pyossl
from pyossl import Connection, Context, ffi, lib

greenlet = pytest.importorskip("greenlet", reason="greenlet is not installed")


def deeper(levels: int) -> list[Any]:
    """Uses the stack of C."""
    return sorted([levels], key=lambda _: deeper(levels - 1) if levels else 0)


def test_bytes_of_a_call_under_way_are_taken_on_another_stack(client_context: Context, server_context: Context) -> None:
    """``encrypt`` puts the bytes for the peer into room that another greenlet can read."""
    taken: list[Any] = []
    switches: list[Callable[[], object]] = []
    server = Connection(server_context)
    client = Connection(
        client_context, "example.com", message_callback=lambda _: switches.pop()() if switches else None
    )
    shake_hands(client, server)
    test = greenlet.getcurrent()

    def take() -> None:
        test.switch()  # this greenlet has begun before the other: it uses the same part of the stack
        deeper(40)
        taken.append(client.data_to_send())
        encrypting.switch()

    def encrypt() -> None:
        client.write(b"A" * 1000)
        switches.append(taking.switch)
        taken.append(client.encrypt(b"B" * 1000))

    taking, encrypting = greenlet.greenlet(take), greenlet.greenlet(encrypt)
    taking.switch()
    encrypting.switch()
    assert server.decrypt(b"".join(taken)) == b"A" * 1000 + b"B" * 1000


def test_calls_that_end_in_another_order_than_they_began_release_their_locks_once(
    client_context: Context, server_context: Context
) -> None:
    switches: dict[str, Callable[[], object]] = {}
    sockets: dict[str, pyossl.Socket] = {}
    test = greenlet.getcurrent()

    def send(name: str, other: str) -> None:
        switches[name] = greenlets[other].switch
        sockets[name].sendall(b"x")
        test.switch()

    greenlets = {
        "A": greenlet.greenlet(lambda: send("A", "B")),
        "B": greenlet.greenlet(lambda: send("B", "A")),
    }
    held, go_on = threading.Event(), threading.Event()

    def switch(name: str, _: pyossl.Message) -> None:
        switches.pop(name, lambda: None)()

    def serve(tls: pyossl.Socket) -> None:
        tls.settimeout(SECONDS)
        while tls.recv(100):
            pass

    with serving(server_context, serve) as first, serving(server_context, serve) as second:
        for name, address in (("A", first), ("B", second)):
            sockets[name] = pyossl.connect(
                address,
                client_context,
                server_hostname="example.com",
                message_callback=functools.partial(switch, name),
            )
        greenlets["A"].switch()  # A's callback, B, B's callback, A to its end
        assert Task(lambda: sockets["A"].send(b"x")).result() == 1
        greenlets["B"].switch()  # B to its end
        assert Task(lambda: sockets["B"].send(b"x")).result() == 1

        def hold() -> None:
            held.set()
            assert go_on.wait(SECONDS)

        switches["A"] = hold
        holding = Task(lambda: sockets["A"].send(b"x"))
        assert held.wait(SECONDS)
        threading.Timer(0.2, go_on.set).start()
        assert sockets["A"].connection.read() is pyossl.Want.READ  # waits for the other thread
        holding.result()
        for each in sockets.values():
            each.close()


def test_a_thread_forgets_its_calls_whatever_the_order_in_which_they_end(
    client_context: Context, server_context: Context
) -> None:
    """What happens later in the thread does not count for a call that has ended."""

    def calls_left() -> object:
        test = greenlet.getcurrent()
        switches: dict[str, Callable[[], object]] = {}

        def write(name: str, other: str) -> None:
            client = Connection(
                client_context,
                "example.com",
                message_callback=lambda _: switches.pop(name, lambda: None)(),
            )
            shake_hands(client, Connection(server_context))
            switches[name] = greenlets[other].switch
            client.write(b"x")
            test.switch()

        greenlets = {
            "A": greenlet.greenlet(lambda: write("A", "B")),
            "B": greenlet.greenlet(lambda: write("B", "A")),
        }
        greenlets["A"].switch()  # A's callback, B, B's callback, A to its end
        greenlets["B"].switch()  # B to its end
        return lib.pyossl_park()

    assert Task(calls_left).result() == ffi.NULL
