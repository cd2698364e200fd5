"""A trio server answers early data (0-RTT) before the handshake is finished; a session that was used is refused.

Prints:
    None b'late: hello'
    True b'early: hello'
    False b'late: hello'
"""

import trio

import pyossl
import pyossl.trio

ca = pyossl.Authority()
server_context = pyossl.Context.server(ca.issue("localhost"))
server_context.max_early_data = 16384
client_context = pyossl.Context.client(trust=ca.certificate)


async def answer(stream):
    while early := await stream.read_early_data():
        await stream.send_all(b"early: " + early)
    async for request in stream:
        await stream.send_all(b"late: " + request)


async def ask(port, session):
    stream = await pyossl.trio.open_tcp_stream(
        "localhost", port, client_context, session=session, early_data=b"hello" if session else None
    )
    async with stream:
        await stream.do_handshake()
        if not stream.early_data_accepted:
            await stream.send_all(b"hello")
        print(stream.early_data_accepted, await stream.receive_some())
        return stream.connection.session


async def main():
    async with trio.open_nursery() as nursery:

        async def serve(task_status):
            await pyossl.trio.serve_tcp(
                answer, 0, server_context, host="localhost", early_data=True, task_status=task_status
            )

        listeners = await nursery.start(serve)
        port = listeners[0].transport_listener.socket.getsockname()[1]
        session = await ask(port, None)
        await ask(port, session)
        await ask(port, session)
        nursery.cancel_scope.cancel()


trio.run(main)
