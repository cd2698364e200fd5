"""Reads a ClientHello by hand, so that the tests do not use the code that they test."""

from __future__ import annotations


def extensions_of(hello: bytes) -> dict[int, bytes]:
    """The extensions of a ClientHello, by number."""
    place = 4 + 2 + 32
    place += 1 + hello[place]
    place += 2 + int.from_bytes(hello[place : place + 2], "big")
    place += 1 + hello[place] + 2
    found: dict[int, bytes] = {}
    while place < len(hello):
        kind, size = (int.from_bytes(hello[place + n : place + n + 2], "big") for n in (0, 2))
        found[kind] = hello[place + 4 : place + 4 + size]
        place += 4 + size
    return found
