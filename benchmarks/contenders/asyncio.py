"""asyncio with its own TLS, the standard library's ``ssl``."""

from __future__ import annotations

import ssl
from asyncio import open_connection
from collections.abc import Callable

from benchmarks.contenders.asynchronous import Asynchronous, Echo, Streams
from benchmarks.work import NAME, Task


class Asyncio(Asynchronous):
    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.load_verify_locations(task.authority)

    def openssl(self) -> str:
        return ssl.OPENSSL_VERSION

    async def open_connection(self) -> Streams:
        return await open_connection("127.0.0.1", self.task.port, ssl=self.context, server_hostname=NAME)

    async def create_connection(self, factory: Callable[[], Echo]) -> Echo:
        _, protocol = await self.loop.create_connection(
            factory, "127.0.0.1", self.task.port, ssl=self.context, server_hostname=NAME
        )
        return protocol


contender = Asyncio
