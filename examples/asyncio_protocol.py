"""asyncio without streams: a protocol that pauses its transport, so that the peer must wait.

The server counts the bytes that it receives. After each 100,000 bytes it pauses its transport for a moment, as a
program that stores the data would do. When too many bytes of the client wait, the client's ``pause_writing`` is called.
No data is lost.

Prints:
    server: 5000000 bytes, in … pieces
    client: paused
"""

import asyncio

import pyossl
import pyossl.aio

ca = pyossl.Authority()
own = ca.issue("localhost", "127.0.0.1")
server_context = pyossl.Context.server((own.certificate, *own.chain), own.private_key)
client_context = pyossl.Context.client(trust=ca.certificate)
TOTAL = 5_000_000


class Counting(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, pyossl.aio.Transport)
        self.transport = transport
        self.size = self.pieces = self.stored = 0

    def data_received(self, data: bytes) -> None:
        self.size += len(data)
        self.pieces += 1
        if self.size - self.stored >= 100_000:
            self.stored = self.size
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(0.001, self.transport.resume_reading)

    def eof_received(self) -> None:  # a return value of None closes the transport, with a close_notify
        print(f"server: {self.size} bytes, in {self.pieces} pieces")


class Sending(asyncio.Protocol):
    def __init__(self) -> None:
        self.paused = 0
        self.may_write = asyncio.Event()
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.may_write.set()

    def pause_writing(self) -> None:
        self.paused += 1
        self.may_write.clear()

    def resume_writing(self) -> None:
        self.may_write.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.set_result(error)


async def main() -> None:
    server = await pyossl.aio.create_server(Counting, "127.0.0.1", 0, ssl=server_context)
    host, port = server.sockets[0].getsockname()
    transport, client = await pyossl.aio.create_connection(Sending, host, port, ssl=client_context)
    transport.set_write_buffer_limits(high=10_000)
    for _ in range(TOTAL // 50_000):
        await client.may_write.wait()
        transport.write(bytes(50_000))
    transport.write_eof()  # sends close_notify: the client can still read data from the server
    assert await client.lost is None
    print("client: paused" if client.paused else "client: never paused")
    server.close()
    await server.wait_closed()


asyncio.run(main())
