"""Connects to the first address of a host that answers (Happy Eyeballs, RFC 8305)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

AddressInfo = tuple[int, int, int, str, Any]


async def first_connected(
    found: Sequence[AddressInfo], local: Sequence[AddressInfo] | None, delay: float | None, all_errors: bool
) -> socket.socket:
    """The first socket that connects.

    The next address is tried when an attempt fails or has taken ``delay`` seconds.  With None it is tried only after a
    failure.  If no address answers, raises the exception if there is only one kind, an ``ExceptionGroup`` if
    ``all_errors`` is true, or an ``OSError`` with all messages.
    """
    problems: list[OSError] = []
    attempts: set[asyncio.Task[socket.socket]] = set()
    winner: socket.socket | None = None
    waiting = list(found)
    try:
        while winner is None and (waiting or attempts):
            if waiting:
                attempts.add(asyncio.create_task(_connected(waiting.pop(0), local)))
            done, attempts = await asyncio.wait(
                attempts, timeout=delay if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                error = task.exception()
                if error is None and winner is None:
                    winner = task.result()
                elif error is None:
                    task.result().close()
                elif isinstance(error, OSError):
                    problems.append(error)
                else:
                    attempts |= done  # sockets that have connected in the same turn are closed too
                    raise error
    except BaseException:
        if winner is not None:
            winner.close()
        raise
    finally:
        for task in attempts:
            task.add_done_callback(_close_result)
            task.cancel()
    if winner is not None:
        return winner
    if all_errors:
        raise _group(problems)
    if len(problems) == 1 or len({str(problem) for problem in problems}) == 1:
        raise problems[0]
    raise OSError(f"Multiple exceptions: {', '.join(str(problem) for problem in problems)}")


def _group(problems: Sequence[OSError]) -> BaseException:
    import builtins

    group: Any = getattr(builtins, "ExceptionGroup", None)
    if group is None:  # Python 3.10
        return OSError(f"Multiple exceptions: {', '.join(str(problem) for problem in problems)}")
    error: BaseException = group("create_connection failed", problems)
    return error


def _close_result(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()


async def _connected(info: AddressInfo, local: Sequence[AddressInfo] | None) -> socket.socket:
    family, kind, proto, _, address = info
    if family == socket.AF_INET6 and len(address) > 3 and address[3]:
        address = f"{address[0]}%{address[3]}", address[1]  # uvloop uses only the host and the port of an address
    sock = socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        if local is not None:
            _bind(sock, [where for of, _, _, _, where in local if of == family])
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


def _bind(sock: socket.socket, addresses: Sequence[Any]) -> None:
    problem = OSError(f"no matching local address with family={sock.family!r} found")
    for address in addresses:
        try:
            sock.bind(address)
            return
        except OSError as error:
            problem = OSError(error.errno, f"error while attempting to bind on address {address!r}: {error.strerror}")
    raise problem
