"""The goals, and whether the results meet them.

A goal has one or more comparisons, and is met if all of them hold.  ``cheaper`` divides the cost of our contender by
the cost of another one, and the ratio must be at most the bound.  ``faster`` divides the other cost by ours, and the
ratio must be at least the bound.  benchmarks/accounts.toml must give a reason for each comparison that is missed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.results import Results
from benchmarks.rows import ROWS, TITLES

ACCOUNTS = Path(__file__).with_name("accounts.toml")
UNITS = {"cpu": "CPU", "wall": "wall", "instructions": "instructions", "calls": "system calls", "memory": "memory"}


@dataclass(frozen=True)
class Comparison:
    """Compares ours with another contender, on one meter of one row; if ``theirs`` is empty, with the bound alone."""

    row: str
    meter: str
    ours: str
    theirs: str
    bound: float
    faster: bool
    slack: float = 0.0
    """The share of the bound by which the ratio may miss it because of noise."""

    def value(self, results: Results) -> float | None:
        ours = results.value(self.row, self.ours, self.meter)
        theirs = results.value(self.row, self.theirs, self.meter) if self.theirs else 1.0
        if not ours or not theirs:
            return None
        return theirs / ours if self.faster else ours / theirs

    def holds(self, value: float) -> bool:
        if self.faster:
            return value >= self.bound * (1 - self.slack)
        return value <= self.bound * (1 + self.slack)

    @property
    def key(self) -> str:
        """The key of this comparison in accounts.toml."""
        return " ".join(filter(None, (self.row, self.meter, self.ours, self.theirs)))

    @property
    def text(self) -> str:
        sign = "≥" if self.faster else "≤"
        if not self.theirs:
            return f"{UNITS[self.meter]} {sign} {self.bound:g}"
        return f"{UNITS[self.meter]} {sign} {self.bound:g}x {TITLES[self.theirs]}"


def cheaper(row: str, meter: str, theirs: str, bound: float, ours: str = "pyossl") -> Comparison:
    return Comparison(row, meter, ours, theirs, bound, faster=False)


def faster(row: str, meter: str, theirs: str, bound: float, ours: str = "pyossl", slack: float = 0.0) -> Comparison:
    return Comparison(row, meter, ours, theirs, bound, faster=True, slack=slack)


@dataclass(frozen=True)
class Goal:
    """One goal: the name of the work, and its comparisons."""

    work: str
    comparisons: tuple[Comparison, ...]


RECEIVED = ("recv-into-64k", "recv-into-64k-timeout")
SENT = (("send-64k", 1.05), ("send-1m", 1.2), ("send-1k", 1.4))
ECHOES = tuple(f"{kind}-echo-{connections}" for kind in ("protocol", "stream") for connections in (1, 50))
OVER_PYOSSL = {
    "handshake": 1.01,
    "resumed": 0.5,
    "ping-pong": 0.85,
    "send-1k": 0.85,
    "recv-into-64k": 1.0,
    "memory-64": 1.0,
    "memory-16k": 1.0,
    "getpeercert": 1.0,
    "import": 1.3,
}
ASYNCIO_OVER_PYOSSL = {"protocol-echo-1": 1.0, "stream-in-1m": 1.0, "stream-out-1m": 1.0}
"""The bounds for the instructions of ``ssl`` over pyossl, as ratios to the original on the same libssl."""

FACED = tuple(row.name for row in ROWS if {"face", "pyopenssl"} <= {*row.contenders} and row.kind != "idle")

GOALS = (
    Goal(
        "full handshake, blocking and sans I/O",
        tuple(cheaper(row, "instructions", "c", 1.02) for row in ("handshake", "handshake-memory")),
    ),
    Goal("resumed handshake", (cheaper("resumed", "instructions", "c", 1.05), faster("resumed", "cpu", "stdlib", 2.0))),
    Goal(
        "receive 64 KiB with `recv_into`, without and with a timeout",
        tuple(
            comparison
            for row in RECEIVED
            for comparison in (
                faster(row, "cpu", "stdlib", 1.05),
                faster(row, "cpu", "c", 1.0),
                cheaper(row, "instructions", "c", 1.0),
            )
        ),
    ),
    Goal("`recv(n)`, n ≥ 128 KiB", (faster("recv-256k", "cpu", "stdlib", 3.0),)),
    Goal(
        "send 64 KiB, 1 MiB and 1 KiB",
        (
            *(faster(row, "cpu", "stdlib", bound) for row, bound in SENT),
            *(cheaper(row, "instructions", "c", 1.0) for row in ("send-64k", "send-1m")),
            cheaper("send-1k", "instructions", "stdlib", 0.6),
        ),
    ),
    Goal(
        "ping-pong 128 B",
        (
            cheaper("ping-pong", "instructions", "stdlib", 0.68),
            faster("ping-pong", "cpu", "stdlib", 1.1),
            faster("ping-pong", "wall", "stdlib", 1.0, slack=0.05),
            cheaper("ping-pong", "calls", "", 2),
        ),
    ),
    Goal(
        "sans I/O 64 B / 16 KiB",
        (
            faster("memory-64", "cpu", "stdlib", 1.15),
            cheaper("memory-64", "instructions", "stdlib", 0.85),
            faster("memory-64", "cpu", "pyopenssl", 2.5),
            faster("memory-16k", "cpu", "stdlib", 1.05),
            cheaper("memory-16k", "instructions", "c", 1.0),
        ),
    ),
    Goal(
        "pyossl.pyopenssl against pyOpenSSL, in every row that both have",
        (
            *(faster(row, "cpu", "pyopenssl", 1.0, ours="face") for row in FACED),
            cheaper("idle", "memory", "pyopenssl", 1.0, ours="face"),
        ),
    ),
    Goal(
        "the standard library's `ssl` over pyossl",
        tuple(cheaper(row, "instructions", "stdlib", bound, ours="stdlib_face") for row, bound in OVER_PYOSSL.items()),
    ),
    Goal(
        "asyncio's own TLS over pyossl",
        tuple(
            cheaper(row, "instructions", "asyncio", bound, ours="asyncio_face")
            for row, bound in ASYNCIO_OVER_PYOSSL.items()
        ),
    ),
    Goal(
        "asyncio echo 64 B, 1 and 50 connections, protocols and streams",
        tuple(
            comparison
            for row in ECHOES
            for comparison in (
                cheaper(row, "instructions", "asyncio", 0.5, ours="pyossl_asyncio"),
                faster(row, "cpu", "asyncio", 1.5, ours="pyossl_asyncio"),
                faster(row, "wall", "asyncio", 1.3, ours="pyossl_asyncio"),
                faster(row, "cpu", "uvloop", 1.15, ours="pyossl_uvloop"),
            )
        ),
    ),
    Goal(
        "asyncio streams, 1 MiB in / out",
        (
            faster("stream-in-1m", "wall", "asyncio", 1.8, ours="pyossl_asyncio"),
            faster("stream-out-1m", "wall", "asyncio", 1.5, ours="pyossl_asyncio"),
        ),
    ),
    Goal(
        "memory per idle connection",
        (cheaper("idle", "memory", "stdlib", 1.1), cheaper("idle", "memory", "pyopenssl", 0.55)),
    ),
    Goal(
        "10,000 idle asyncio connections in one process, bytes per connection",
        (cheaper("idle-aio-10000", "memory", "", 64 * 1024, ours="pyossl_asyncio"),),
    ),
    Goal("`import pyossl`", (faster("import", "cpu", "stdlib", 1.0),)),
    Goal("a client context with the system's trust store", (faster("trust", "cpu", "stdlib", 50.0),)),
)


def accounts() -> dict[str, str]:
    """The reasons for missed goals, by the key of the comparison."""
    if sys.version_info >= (3, 11):
        import tomllib

        found: dict[str, str] = tomllib.loads(ACCOUNTS.read_text())
        return found
    raise SystemExit("writing the page needs Python 3.11 or newer, which can read TOML")
