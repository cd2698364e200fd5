"""A server that gets the certificate for each name from elsewhere, in the middle of the handshake.

The lookup for the first name takes long. A second client, which comes meanwhile, does not wait for it. The certificate
of a name is issued once, and kept.

Prints:
    looking for slow.example
    looking for fast.example
    hello from fast.example
    hello from slow.example
    hello from slow.example
"""

import asyncio

import pyossl
import pyossl.aio

ca = pyossl.Authority()
certificates: dict[str, pyossl.Credentials] = {}
is_looking = asyncio.Event()


async def find(connection: pyossl.Connection, demand: pyossl.CertificateDemand) -> pyossl.Credentials:
    """The certificate for the name that the client has sent."""
    name = demand.server_name
    if name is None:
        raise ConnectionRefusedError("the client sent no name")
    if name not in certificates:
        print("looking for", name)
        is_looking.set()
        await asyncio.sleep(0.5 if name.startswith("slow") else 0)  # a database, or another server
        certificates[name] = ca.issue(name)
    return certificates[name]


async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
    name = writer.get_extra_info("connection").server_hostname
    writer.write(f"hello from {name}".encode())
    writer.close()
    await writer.wait_closed()


async def visit(port: int, name: str) -> None:
    context = pyossl.Context.client(trust=ca.certificate)
    reader, writer = await pyossl.aio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    print((await reader.read()).decode())
    writer.close()
    await writer.wait_closed()


async def main() -> None:
    context = pyossl.Context(is_server=True)
    context.certificate_callback = find
    async with await pyossl.aio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        slow = asyncio.create_task(visit(port, "slow.example"))
        await is_looking.wait()
        await visit(port, "fast.example")
        await slow
        await visit(port, "slow.example")


asyncio.run(main())
