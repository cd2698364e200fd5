"""The standard library's ``ssl``."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Any

from benchmarks.work import NAME, Contender, Task, Work


class Stdlib(Contender):
    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.load_verify_locations(task.authority)
        self.servers = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.servers.load_cert_chain(task.certificate, task.private_key)

    def openssl(self) -> str:
        return ssl.OPENSSL_VERSION

    def connect(self, session: Any = None, timeout: float | None = None) -> ssl.SSLSocket:
        sock = socket.create_connection(("127.0.0.1", self.task.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(timeout)
        return self.context.wrap_socket(sock, server_hostname=NAME, session=session)

    def session(self, tls: ssl.SSLSocket) -> Any:
        return tls.session

    def is_resumed(self, tls: ssl.SSLSocket) -> bool:
        return bool(tls.session_reused)

    def system_trust(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def getpeercert(self) -> Work:
        tls = self.connect()
        tls.recv(1)

        def ask(times: int) -> None:
            for _ in range(times):
                tls.getpeercert()

        ask(10)
        yield
        ask(self.task.count)
        yield
        self.disconnect(tls)

    def memory_pair(self) -> tuple[Any, ...]:
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        from_client, from_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = self.context.wrap_bio(to_client, from_client, server_hostname=NAME)
        server = self.servers.wrap_bio(to_server, from_server, server_side=True)
        for _ in range(2):
            with contextlib.suppress(ssl.SSLWantReadError):
                client.do_handshake()
            to_server.write(from_client.read())
            with contextlib.suppress(ssl.SSLWantReadError):
                server.do_handshake()
            to_client.write(from_server.read())
        return client, from_client, to_server, server

    def memory_transfer(self, pair: tuple[Any, ...], message: bytes, count: int) -> None:
        client, from_client, to_server, server = pair
        write, take, give, read, size = client.write, from_client.read, to_server.write, server.read, len(message)
        for _ in range(count):
            write(message)
            give(take())
            read(size)


contender = Stdlib
