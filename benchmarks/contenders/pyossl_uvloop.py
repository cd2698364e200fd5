"""pyossl.aio on uvloop."""

from __future__ import annotations

import asyncio

import uvloop

from benchmarks.contenders.pyossl_asyncio import PyosslAsyncio


class PyosslUvloop(PyosslAsyncio):
    def new_loop(self) -> asyncio.AbstractEventLoop:
        return uvloop.new_event_loop()


contender = PyosslUvloop
