"""The process of one contender: ``python -m benchmarks.worker CONTENDER KIND SIZE COUNT FOLDER PORT CONNECTIONS``.

Prints the cost of the work as JSON: ``cpu`` and ``wall`` in seconds, ``memory`` in bytes.  It adds which OpenSSL it has
used: the version, and the files of libssl in the process's memory map.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from pathlib import Path

from benchmarks.work import Task


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def memory() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except FileNotFoundError:
        return 0
    return pages * resource.getpagesize()


def libssl() -> list[str]:
    """The files of libssl in the memory map of this process."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except FileNotFoundError:
        return []
    return sorted({line.split()[-1] for line in lines if "/libssl" in line})


def main(name: str, kind: str, size: str, count: str, folder: str, port: str, connections: str) -> None:
    task = Task(kind, int(size), int(count), Path(folder), int(port), int(connections))
    contender = importlib.import_module(f"benchmarks.contenders.{name}").contender(task)
    work = getattr(contender, kind)()
    next(work)
    memory_before, wall_before, cpu_before = memory(), time.perf_counter(), cpu()
    next(work)
    taken = {
        "cpu": cpu() - cpu_before,
        "wall": time.perf_counter() - wall_before,
        "memory": memory() - memory_before,
        "openssl": contender.openssl(),
        "libssl": libssl(),
    }
    for _ in work:
        raise RuntimeError(f"{kind} has a third yield")
    print(json.dumps(taken))


if __name__ == "__main__":
    main(*sys.argv[1:])
