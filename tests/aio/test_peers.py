"""pyossl.aio with the standard library's asyncio, and with OpenSSL's own client and server."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
from pathlib import Path
from typing import NamedTuple

import pytest
from looped import Run, close, port_of

import pyossl
import pyossl.aio

HOST = "127.0.0.1"
openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl program")


class Files(NamedTuple):
    chain: Path
    key: Path
    ca: Path


@pytest.fixture
def files(tmp_path: Path, authority: pyossl.Authority, credentials: pyossl.Credentials) -> Files:
    made = Files(tmp_path / "chain.pem", tmp_path / "key.pem", tmp_path / "ca.pem")
    made.chain.write_bytes(b"".join(each.to_pem() for each in (credentials.certificate, *credentials.chain)))
    made.key.write_bytes(credentials.private_key.to_pem())
    made.ca.write_bytes(authority.certificate.to_pem())
    return made


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Echoes lines, on asyncio's own streams and on pyossl's.  Ends after a line "end"."""
    while (line := await reader.readline()) != b"end\n":
        writer.write(line)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for size in (1, 100, 16_384, 60_000):
        line = os.urandom(size).replace(b"\n", b" ") + b"\n"
        writer.write(line)
        assert await reader.readline() == line
    writer.write(b"end\n")
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_our_server_and_the_standard_librarys_client(
    run: Run, files: Files, server_context: pyossl.Context, version: ssl.TLSVersion
) -> None:
    async def main() -> None:
        context = ssl.create_default_context(cafile=files.ca)
        context.maximum_version = version
        async with await pyossl.aio.start_server(echo, HOST, 0, ssl=server_context) as server:
            await talk(*await asyncio.open_connection(HOST, port_of(server), ssl=context))

    run(main())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_standard_librarys_server_and_our_client(
    run: Run, files: Files, client_context: pyossl.Context, version: ssl.TLSVersion
) -> None:
    async def main() -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(files.chain, files.key)
        context.maximum_version = version
        server = await asyncio.start_server(echo, HOST, 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await pyossl.aio.open_connection(HOST, port, ssl=client_context)
        assert writer.get_extra_info("connection").version == version.name.replace("_", ".")
        await talk(reader, writer)
        server.close()
        await server.wait_closed()

    run(main())


@openssl
def test_openssls_client_and_our_server(run: Run, files: Files, server_context: pyossl.Context) -> None:
    async def main() -> None:
        async with await pyossl.aio.start_server(echo, HOST, 0, ssl=server_context) as server:
            client = await asyncio.create_subprocess_exec(
                "openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile", files.ca,
                "-connect", f"{HOST}:{port_of(server)}",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            out, _ = await client.communicate(b"hello\nK is no command here\nend\n")
            assert out == b"hello\nK is no command here\n"

    run(main())


@openssl
def test_our_client_and_openssls_server(run: Run, files: Files, client_context: pyossl.Context) -> None:
    async def main() -> None:
        server = await asyncio.create_subprocess_exec(
            "openssl", "s_server", "-rev", "-naccept", "1", "-accept", f"{HOST}:0",
            "-cert", files.chain, "-cert_chain", files.chain, "-key", files.key,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert server.stdout is not None
        while not (line := await server.stdout.readline()).startswith(b"ACCEPT"):
            assert line, "the server ended before it listened"
        port = int(line.rpartition(b":")[2])
        reader, writer = await pyossl.aio.open_connection(HOST, port, ssl=client_context)
        for word in (b"olleh", b"x" * 5000):
            writer.write(word + b"\n")
            assert await reader.readline() == word[::-1] + b"\n"
        await close(writer)
        server.kill() if server.returncode is None else None
        await server.wait()

    run(main())
