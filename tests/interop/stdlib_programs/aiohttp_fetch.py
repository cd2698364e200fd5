"""Fetches a URL with aiohttp, on asyncio's loop or on uvloop: authority, url, loop."""

import asyncio
import ssl
import sys

import aiohttp
import uvloop
from evidence import over


async def fetch() -> None:
    context = ssl.create_default_context(cafile=sys.argv[1])
    try:
        async with aiohttp.ClientSession() as session, session.get(sys.argv[2], ssl=context) as response:
            print(response.status, over(), await response.read())
    except aiohttp.ClientConnectorCertificateError as error:
        print("refused", error)


if sys.argv[3] == "uvloop":
    uvloop.run(fetch())
else:
    asyncio.run(fetch())
