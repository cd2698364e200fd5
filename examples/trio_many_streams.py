"""TLS in trio: two tasks write and read one stream at once, and a deadline that loses no data.

Prints:
    3 lines came back, each in two pieces; the deadlines between the pieces lost no data
"""

import trio

import pyossl
import pyossl.trio

ca = pyossl.Authority()
own = ca.issue("localhost", "127.0.0.1")
server_context = pyossl.Context.server((own.certificate, *own.chain), own.private_key)
client_context = pyossl.Context.client(trust=ca.certificate)
LINES = [b"the first line\n", b"the second\n", b"the third\n"]


async def echo_in_halves(stream: pyossl.trio.TLSStream[trio.SocketStream]) -> None:
    async for data in stream:
        await stream.send_all(data[: len(data) // 2])
        await trio.sleep(0.05)
        await stream.send_all(data[len(data) // 2 :])


async def receive_line(stream: pyossl.trio.TLSStream[trio.SocketStream]) -> bytes:
    """Receives a line; each receive has a short deadline, and is repeated until the line is complete."""
    line = b""
    while not line.endswith(b"\n"):
        with trio.move_on_after(0.01):
            line += await stream.receive_some(1000)
    return line


async def main() -> None:
    async with trio.open_nursery() as nursery:

        async def serve(task_status: trio.TaskStatus[list[pyossl.trio.TLSListener[trio.SocketStream]]]) -> None:
            await pyossl.trio.serve_tcp(echo_in_halves, 0, server_context, host="127.0.0.1", task_status=task_status)

        (listener,) = await nursery.start(serve)
        port = listener.transport_listener.socket.getsockname()[1]
        async with await pyossl.trio.open_tcp_stream("127.0.0.1", port, client_context) as stream:
            for line in LINES:
                async with trio.open_nursery() as two:
                    two.start_soon(stream.send_all, line)
                    assert await receive_line(stream) == line
        print(f"{len(LINES)} lines came back, each in two pieces; the deadlines between the pieces lost no data")
        nursery.cancel_scope.cancel()


trio.run(main)
