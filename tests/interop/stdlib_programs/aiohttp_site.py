"""An HTTPS site with aiohttp on a port of its own choice: certificate, private key."""

import ssl
import sys

from aiohttp import web
from evidence import over

context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(sys.argv[1], sys.argv[2])


async def greet(request: web.Request) -> web.Response:
    return web.Response(text=over())


async def reverse(request: web.Request) -> web.Response:
    return web.Response(body=(await request.read())[::-1])


application = web.Application(client_max_size=10_000_000)
application.add_routes([web.get("/", greet), web.post("/", reverse)])
web.run_app(application, host="127.0.0.1", port=0, ssl_context=context)
