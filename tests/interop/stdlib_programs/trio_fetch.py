"""Sends a request with trio, and with anyio on asyncio and on trio: authority, host, port."""

import ssl
import sys

import anyio
import trio
from evidence import over

REQUEST = b"GET /greeting HTTP/1.0\r\n\r\n"
context = ssl.create_default_context(cafile=sys.argv[1])
host, port = sys.argv[2], int(sys.argv[3])


async def with_trio() -> None:
    stream = await trio.open_ssl_over_tcp_stream(host, port, ssl_context=context, https_compatible=True)
    await stream.send_all(REQUEST)
    first = await stream.receive_some()
    kind = over()
    print(first[9:12].decode(), kind, (first + b"".join([each async for each in stream]))[-20:])


async def with_anyio() -> None:
    stream = await anyio.connect_tcp(host, port, ssl_context=context, tls_standard_compatible=False)
    await stream.send(REQUEST)
    first = await stream.receive()
    kind = over()
    print(first[9:12].decode(), kind, (first + b"".join([each async for each in stream]))[-20:])


try:
    trio.run(with_trio)
    anyio.run(with_anyio, backend="asyncio")
    anyio.run(with_anyio, backend="trio")
except (ssl.SSLError, trio.BrokenResourceError) as error:
    print("refused", error.__cause__ or error)
