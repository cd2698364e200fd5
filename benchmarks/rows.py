"""The rows of the benchmark: each is a kind of work, with its contenders and the number of its operations.

A row's ``kind`` is the name of a method of the contenders (benchmarks/work.py) and a function of benchmarks/c/client.c.
"""

from __future__ import annotations

from dataclasses import dataclass

BLOCKING = ("c", "stdlib", "stdlib_face", "pyossl", "pyopenssl", "face")
ASYNCHRONOUS = ("asyncio", "asyncio_face", "uvloop", "pyossl_asyncio", "pyossl_uvloop")

TITLES = {
    "c": "C",
    "stdlib": "stdlib ssl",
    "stdlib_face": "ssl over pyossl",
    "pyossl": "pyossl",
    "pyopenssl": "pyOpenSSL",
    "face": "pyossl.pyopenssl",
    "c_released": "C, RELEASE_BUFFERS",
    "kept": "pyossl, buffers kept",
    "asyncio": "stdlib asyncio",
    "asyncio_face": "asyncio over pyossl",
    "uvloop": "uvloop",
    "pyossl_asyncio": "pyossl.aio",
    "pyossl_uvloop": "pyossl.aio on uvloop",
    "socket": "socket",
}


@dataclass(frozen=True)
class Row:
    """One kind of work.

    ``count`` is the number of operations that are timed in each turn.  ``counted`` is the number of operations under
    valgrind and strace, or 0 if their counts would mean nothing.  ``turns`` is the maximum number of turns of each
    contender; None means no maximum.
    """

    name: str
    title: str
    kind: str
    size: int
    service: str
    count: int
    counted: int
    contenders: tuple[str, ...] = BLOCKING
    connections: int = 1
    turns: int | None = None


KIB, MIB = 1024, 1024 * 1024
WITHOUT_TIMEOUTS = ("pyopenssl", "face")
"""Contenders with pyOpenSSL's API, which raises WantReadError if the socket has a timeout."""

ROWS = (
    Row("handshake", "full handshake", "handshake", 1, "handshake", 250, 20),
    Row("handshake-memory", "full handshake, both ends, sans I/O", "memory_handshake", 1, "echo", 250, 20),
    Row("resumed", "resumed handshake", "resumed", 1, "handshake", 400, 20),
    Row("recv-into-64k", "receive 64 KiB, recv_into", "recv_into", 64 * KIB, "source", 8000, 200),
    Row(
        "recv-into-64k-timeout",
        "receive 64 KiB, recv_into, with a timeout",
        "recv_into_timeout",
        64 * KIB,
        "source",
        8000,
        200,
        tuple(each for each in BLOCKING if each not in WITHOUT_TIMEOUTS),
    ),
    Row("recv-256k", "receive 256 KiB, recv(n)", "recv", 256 * KIB, "source", 1500, 50),
    Row("send-1k", "send 1 KiB", "sendall", KIB, "sink", 50000, 1000),
    Row("send-64k", "send 64 KiB", "sendall", 64 * KIB, "sink", 6000, 200),
    Row("send-1m", "send 1 MiB", "sendall", MIB, "sink", 400, 20),
    Row("ping-pong", "ping-pong 128 B", "ping_pong", 128, "echo", 8000, 500, (*BLOCKING, "kept")),
    Row("memory-64", "sans I/O 64 B", "memory_transfers", 64, "echo", 40000, 500),
    Row("memory-16k", "sans I/O 16 KiB", "memory_transfers", 16 * KIB, "echo", 12000, 200, (*BLOCKING, "kept")),
    Row(
        "idle",
        "memory of an idle connection after 16 KiB",
        "idle",
        16 * KIB,
        "source",
        500,
        0,
        (*BLOCKING, "c_released", "kept"),
    ),
    Row("getpeercert", "getpeercert()", "getpeercert", 1, "handshake", 20000, 500, ("stdlib", "stdlib_face")),
    Row("trust", "a client context with the system's trust store", "trust", 1, "echo", 20, 0),
    Row(
        "import",
        "import",
        "import",
        0,
        "echo",
        1,
        1,
        ("socket", "stdlib", "stdlib_face", "pyossl", "pyopenssl", "face"),
    ),
    *(
        Row(
            f"{kind}-echo-{connections}",
            f"asyncio {kind} echo 64 B, {connections} connection{'s' * (connections > 1)}",
            f"{kind}_echo",
            64,
            "echo",
            6000,
            500,
            ASYNCHRONOUS,
            connections,
        )
        for kind in ("protocol", "stream")
        for connections in (1, 50)
    ),
    Row("stream-in-1m", "asyncio streams, 1 MiB in", "stream_in", MIB, "source", 200, 10, ASYNCHRONOUS),
    Row("stream-out-1m", "asyncio streams, 1 MiB out", "stream_out", MIB, "sink", 200, 10, ASYNCHRONOUS),
    Row("idle-aio", "memory of an idle asyncio connection", "idle", 16 * KIB, "source", 500, 0, ASYNCHRONOUS),
    Row(
        "idle-aio-10000",
        "10,000 idle asyncio connections in one process",
        "idle",
        16 * KIB,
        "source",
        10000,
        0,
        ("pyossl_asyncio",),
        turns=1,
    ),
)

HOT_PATHS = ("recv-into-64k", "ping-pong")
"""The rows for which the page shows the cost of each C function."""
