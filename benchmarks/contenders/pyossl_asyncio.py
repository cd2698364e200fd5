"""pyossl.aio on asyncio's own loop."""

from __future__ import annotations

from collections.abc import Callable

import pyossl
from benchmarks.contenders.asynchronous import Asynchronous, Echo, Streams
from benchmarks.work import NAME, Task
from pyossl import aio


class PyosslAsyncio(Asynchronous):
    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.context = pyossl.Context.client(trust=task.authority)

    def openssl(self) -> str:
        return pyossl.openssl_version

    async def open_connection(self) -> Streams:
        return await aio.open_connection("127.0.0.1", self.task.port, ssl=self.context, server_hostname=NAME)

    async def create_connection(self, factory: Callable[[], Echo]) -> Echo:
        _, protocol = await aio.create_connection(
            factory, "127.0.0.1", self.task.port, ssl=self.context, server_hostname=NAME
        )
        return protocol


contender = PyosslAsyncio
