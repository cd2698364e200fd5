"""uvloop with its own TLS, which also uses the standard library's ``ssl``."""

from __future__ import annotations

import asyncio

import uvloop

from benchmarks.contenders.asyncio import Asyncio


class Uvloop(Asyncio):
    def new_loop(self) -> asyncio.AbstractEventLoop:
        return uvloop.new_event_loop()


contender = Uvloop
