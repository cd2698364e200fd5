"""Fetches a URL with httpx, with threads' sockets and with asyncio: authority, url."""

import asyncio
import ssl
import sys

import httpx
from evidence import over

context = ssl.create_default_context(cafile=sys.argv[1])


async def fetch() -> None:
    async with (
        httpx.AsyncClient(verify=context, trust_env=False, timeout=30) as client,
        client.stream("GET", sys.argv[2]) as response,
    ):
        print(response.status_code, over(), await response.aread())


try:
    with (
        httpx.Client(verify=context, trust_env=False, timeout=30) as client,
        client.stream("GET", sys.argv[2]) as response,
    ):
        print(response.status_code, over(), response.read())
    asyncio.run(fetch())
except httpx.ConnectError as error:
    print("refused", error)
