"""The bodies that the tests fetch and send."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

GREETING = b"Greetings from the peer.\n"
"""The small body: the file ``greeting`` of the served folder."""

_BLOCK = 1_000_000


class Body(NamedTuple):
    path: Path
    size: int
    digest: str

    def blocks(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            while block := file.read(_BLOCK):
                yield block


def write_body(path: Path, blocks: int) -> Body:
    """Writes a body of blocks of 1,000,000 bytes, all different: a lost or displaced byte changes the hash."""
    noise, digest = random.Random(path.name).randbytes(_BLOCK - 8), hashlib.sha256()
    with path.open("wb") as file:
        for number in range(blocks):
            block = number.to_bytes(8, "big") + noise
            file.write(block)
            digest.update(block)
    return Body(path, blocks * _BLOCK, digest.hexdigest())
