"""The kinds of work with sockets and in memory, written once for every contender in Python.

Each kind is a generator with two ``yield``: before the first one it prepares, between them is the work that is
measured, and after the second one it cleans up.  A kind does some of its work before the measured part too, because the
first time is slower: it imports and looks up things that later times reuse.  benchmarks/c/client.c does the same kinds
of work in C.
"""

from __future__ import annotations

import gc
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "localhost"
IDLE_BYTES = 16384


@dataclass(frozen=True)
class Task:
    """The task of a worker: ``count`` operations with messages or pieces of ``size`` bytes."""

    kind: str
    size: int
    count: int
    folder: Path
    port: int
    connections: int = 1

    @property
    def authority(self) -> str:
        return str(self.folder / "ca.pem")

    @property
    def certificate(self) -> str:
        return str(self.folder / "certificate.pem")

    @property
    def private_key(self) -> str:
        return str(self.folder / "key.pem")


Work = Iterator[None]


class Contender(ABC):
    """One library, with blocking sockets and in memory."""

    def __init__(self, task: Task) -> None:
        self.task = task

    @abstractmethod
    def openssl(self) -> str:
        """The version of the OpenSSL that it uses."""

    @abstractmethod
    def connect(self, session: Any = None, timeout: float | None = None) -> Any:
        """Connects to the peer and finishes the handshake; the connection has the methods of a socket."""

    @abstractmethod
    def session(self, tls: Any) -> Any:
        """The connection's session, for another ``connect``."""

    @abstractmethod
    def is_resumed(self, tls: Any) -> bool:
        """Whether the connection resumed the session of another one."""

    def disconnect(self, tls: Any) -> None:
        tls.close()

    @abstractmethod
    def system_trust(self) -> Any:
        """A new client context with the system's trust store."""

    @abstractmethod
    def memory_pair(self) -> Any:
        """A client and a server in this process, after their handshake."""

    @abstractmethod
    def memory_transfer(self, pair: Any, message: bytes, count: int) -> None:
        """Sends a message from the client to the server, ``count`` times."""

    # Kinds of work

    def handshake(self) -> Work:
        def connect(times: int) -> None:
            for _ in range(times):
                tls = self.connect()
                tls.recv(1)
                self.disconnect(tls)

        connect(1)
        yield
        connect(self.task.count)
        yield

    def resumed(self) -> Work:
        tls = self.connect()
        tls.recv(1)
        session = self.session(tls)
        self.disconnect(tls)

        def resume(session: Any, times: int) -> Any:
            for _ in range(times):
                tls = self.connect(session)
                tls.recv(1)
                if not self.is_resumed(tls):
                    raise RuntimeError("the session was not resumed")
                session = self.session(tls)
                self.disconnect(tls)
            return session

        session = resume(session, 1)
        yield
        resume(session, self.task.count)
        yield

    def recv_into(self, timeout: float | None = None) -> Work:
        tls, buffer = self.connect(timeout=timeout), bytearray(self.task.size)

        def take(total: int) -> None:
            receive = tls.recv_into
            tls.sendall(total.to_bytes(8, "big"))
            while total > 0:
                total -= receive(buffer)

        yield from self._receiving(take)
        self.disconnect(tls)

    def recv_into_timeout(self) -> Work:
        yield from self.recv_into(30)

    def recv(self) -> Work:
        tls, size = self.connect(), self.task.size

        def take(total: int) -> None:
            receive = tls.recv
            tls.sendall(total.to_bytes(8, "big"))
            while total > 0:
                total -= len(receive(size))

        yield from self._receiving(take)
        self.disconnect(tls)

    def _receiving(self, take: Callable[[int], None]) -> Work:
        take(self.task.size)
        yield
        take(self.task.size * self.task.count)
        yield

    def sendall(self) -> Work:
        tls, piece = self.connect(), bytes(self.task.size)

        def give(pieces: int) -> None:
            send = tls.sendall
            send((len(piece) * pieces).to_bytes(8, "big"))
            for _ in range(pieces):
                send(piece)
            tls.recv(1)

        give(1)
        yield
        give(self.task.count)
        yield
        self.disconnect(tls)

    def ping_pong(self) -> Work:
        tls, size = self.connect(), self.task.size
        message = bytes(size)

        def exchange(times: int) -> None:
            send, receive = tls.sendall, tls.recv
            for _ in range(times):
                send(message)
                receive(size)

        exchange(10)
        yield
        exchange(self.task.count)
        yield
        self.disconnect(tls)

    def memory_handshake(self) -> Work:
        self.memory_pair()
        yield
        for _ in range(self.task.count):
            self.memory_pair()
        yield

    def memory_transfers(self) -> Work:
        pair, message = self.memory_pair(), bytes(self.task.size)
        self.memory_transfer(pair, message, 10)
        yield
        self.memory_transfer(pair, message, self.task.count)
        yield

    def idle(self) -> Work:
        def take(tls: Any) -> Any:
            tls.sendall(IDLE_BYTES.to_bytes(8, "big"))
            left = IDLE_BYTES
            while left > 0:
                left -= len(tls.recv(left))
            return tls

        self.disconnect(take(self.connect()))
        gc.collect()
        yield
        everyone = [take(self.connect()) for _ in range(self.task.count)]
        yield
        everyone.clear()

    def trust(self) -> Work:
        self.system_trust()
        yield
        for _ in range(self.task.count):
            self.system_trust()
        yield
