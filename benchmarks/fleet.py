"""Measures how many handshakes are resumed in a fleet of server processes: ``python -m benchmarks.fleet``.

The servers and their cache in Redis are those of examples/fleet.py.  Several threads of one client connect to the
processes in turn, each with the session of its last connection.  In the middle Redis is stopped by SIGSTOP: like a
machine that hangs, it keeps its sockets open, and does not answer.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import signal
import statistics
import threading
import time
from typing import Any, NamedTuple

import pyossl
from benchmarks.measuring import REPOSITORY


class Phase(NamedTuple):
    """What the client saw in one phase."""

    title: str
    resumed: int
    failed: int
    milliseconds: list[float]
    seconds: float

    def line(self) -> str:
        count = len(self.milliseconds)
        share = 100 * self.resumed / count
        percentile = statistics.quantiles(self.milliseconds, n=100)
        return (
            f"| {self.title} | {count} | {share:.1f} % | {self.failed} | {count / self.seconds:.0f} | "
            f"{statistics.median(self.milliseconds):.1f} ms | {percentile[98]:.1f} ms | "
            f"{max(self.milliseconds):.0f} ms |"
        )


def example() -> Any:
    """The module examples/fleet.py."""
    spec = importlib.util.spec_from_file_location("fleet", REPOSITORY / "examples" / "fleet.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load(visit: Any, title: str, ports: list[int], context: pyossl.Context, connections: int, threads: int) -> Phase:
    """``threads`` clients make ``connections`` connections in all, after one each that begins their sessions."""
    taken: list[float] = []
    resumed = failed = 0
    lock = threading.Lock()

    def client(first: int) -> None:
        nonlocal resumed, failed
        turns = itertools.islice(itertools.cycle(ports), first, None)
        session, _ = visit(next(turns), context)
        for port in itertools.islice(turns, connections // threads):
            begin = time.monotonic()
            try:
                session, is_resumed = visit(port, context, session)
            except OSError:
                session, is_resumed = None, None
            with lock:
                taken.append(1000 * (time.monotonic() - begin))
                resumed += is_resumed is True
                failed += is_resumed is None

    begin = time.monotonic()
    clients = [threading.Thread(target=client, args=(first,)) for first in range(threads)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    return Phase(title, resumed, failed, taken, time.monotonic() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--connections", type=int, default=4000, help="in each phase")
    parser.add_argument("--threads", type=int, default=8, help="clients that connect at the same time")
    chosen = parser.parse_args()
    module = example()
    with module.fleet(chosen.processes) as (redis, ports, context):

        def phase(title: str) -> None:
            print(load(module.visit, title, ports, context, chosen.connections, chosen.threads).line(), flush=True)

        print(f"{chosen.processes} processes, {chosen.threads} clients at the same time, {pyossl.openssl_version}\n")
        print("| Redis | connections | resumed | failed | per second | median | 99 % | longest |")
        print("|---|---:|---:|---:|---:|---:|---:|---:|")
        phase("runs")
        stop = threading.Timer(0.5, redis.send_signal, [signal.SIGSTOP])
        stop.start()
        phase("hangs after half a second")
        stop.join()
        phase("hangs")
        redis.send_signal(signal.SIGCONT)
        time.sleep(module.PAUSE)
        phase("runs again")
        redis.kill()
        redis.wait()
        phase("has ended")


if __name__ == "__main__":
    main()
