"""pyossl, with its sockets and with connections without I/O."""

from __future__ import annotations

from typing import Any

import pyossl
from benchmarks.work import NAME, Contender, Task


class Pyossl(Contender):
    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.context = pyossl.Context.client(trust=task.authority)
        self.servers = pyossl.Context.server(task.certificate, task.private_key)

    def openssl(self) -> str:
        return pyossl.openssl_version

    def connect(self, session: Any = None, timeout: float | None = None) -> pyossl.Socket:
        address = "127.0.0.1", self.task.port
        return pyossl.connect(address, self.context, server_hostname=NAME, timeout=timeout, session=session)

    def session(self, tls: pyossl.Socket) -> Any:
        return tls.connection.session

    def is_resumed(self, tls: pyossl.Socket) -> bool:
        return tls.connection.session_reused

    def system_trust(self) -> pyossl.Context:
        return pyossl.Context.client()

    def memory_pair(self) -> tuple[pyossl.Connection, pyossl.Connection]:
        client, server = pyossl.Connection(self.context, NAME), pyossl.Connection(self.servers)
        for _ in range(2):
            client.handshake()
            server.receive_data(client.data_to_send())
            server.handshake()
            client.receive_data(server.data_to_send())
        return client, server

    def memory_transfer(self, pair: tuple[pyossl.Connection, pyossl.Connection], message: bytes, count: int) -> None:
        client, server = pair
        encrypt, decrypt = client.encrypt, server.decrypt
        for _ in range(count):
            decrypt(encrypt(message))


class Kept(Pyossl):
    """Without ``SSL_MODE_RELEASE_BUFFERS``, which is faster for busy connections."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.context.modes &= ~pyossl.Modes.RELEASE_BUFFERS


contender = Pyossl
