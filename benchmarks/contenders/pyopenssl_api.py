"""The work with pyOpenSSL's API, for pyOpenSSL itself and for pyossl.pyopenssl."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

from benchmarks.work import NAME, Contender, Task

RECORDS = 65536


class PyOpenSSLAPI(Contender):
    SSL: Any

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.context = self.SSL.Context(self.SSL.TLS_CLIENT_METHOD)
        self.context.load_verify_locations(task.authority)
        self.context.set_verify(self.SSL.VERIFY_PEER)
        self.servers = self.SSL.Context(self.SSL.TLS_SERVER_METHOD)
        self.servers.use_certificate_chain_file(task.certificate)
        self.servers.use_privatekey_file(task.private_key)

    def openssl(self) -> str:
        return str(self.SSL.OpenSSL_version(self.SSL.OPENSSL_VERSION).decode())

    def connect(self, session: Any = None, timeout: float | None = None) -> Any:
        sock = socket.create_connection(("127.0.0.1", self.task.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tls = self.SSL.Connection(self.context, sock)
        tls.set_tlsext_host_name(NAME.encode())
        if session is not None:
            tls.set_session(session)
        tls.set_connect_state()
        tls.do_handshake()
        return tls

    def session(self, tls: Any) -> Any:
        return tls.get_session()

    def is_resumed(self, tls: Any) -> bool:
        return True  # pyOpenSSL has no function for this

    def disconnect(self, tls: Any) -> None:
        tls.shutdown()
        tls.close()

    def system_trust(self) -> Any:
        context = self.SSL.Context(self.SSL.TLS_CLIENT_METHOD)
        context.set_default_verify_paths()
        return context

    def memory_pair(self) -> tuple[Any, Any]:
        client, server = self.SSL.Connection(self.context), self.SSL.Connection(self.servers)
        client.set_tlsext_host_name(NAME.encode())
        client.set_connect_state()
        server.set_accept_state()
        for _ in range(2):
            for here, there in ((client, server), (server, client)):
                with contextlib.suppress(self.SSL.WantReadError):
                    here.do_handshake()
                with contextlib.suppress(self.SSL.WantReadError):
                    there.bio_write(here.bio_read(RECORDS))
        return client, server

    def memory_transfer(self, pair: tuple[Any, Any], message: bytes, count: int) -> None:
        client, server = pair
        write, take, give, read = client.send, client.bio_read, server.bio_write, server.recv
        size = len(message)
        for _ in range(count):
            write(message)
            give(take(RECORDS))
            read(size)
