"""The programs that are pyossl's peers: each is started, waited for by its output, and always ended."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import IO, NamedTuple

import pytest

# Seconds for one step.  It is long, because it only ends programs that hang.
DEADLINE = 60.0

_SHOWN = 4000
_PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}


# Debian has servers in folders that are not in PATH.
_ELSEWHERE = ["/usr/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]


def _find(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(_ELSEWHERE))


def program(name: str) -> str:
    """The path of a program; a missing one is a failure, because without peers nothing is tested."""
    path = _find(name)
    assert path is not None, f"tests/interop need the program {name!r}, and it is not on PATH: install it"
    return path


def where_installed(*names: str) -> pytest.MarkDecorator:
    """The mark of a test whose programs are not installed in every row: they are large, or start services."""
    missing = [name for name in names if _find(name) is None]
    wanted = " and ".join(missing)
    reason = f"needs {wanted}, which ci/programs installs on a machine and ci/matrix in none of its roots"
    return pytest.mark.skipif(bool(missing), reason=reason)


class Finished(NamedTuple):
    """The result of a program: its exit status (negative: the signal), and its output."""

    status: int
    output: bytes
    complaints: str


class Program:
    """A running program.  Its output is read all the time, so that a full pipe never stops it.

    - ``feed``: the bytes for its standard input, which stays open until the program ends.
    - ``user``: the user that it runs as.
    - ``environment``: variables that are added to its environment.
    """

    def __init__(
        self,
        *command: str | Path,
        feed: Iterable[bytes] = (),
        folder: Path | None = None,
        user: str | None = None,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.command = [str(part) for part in command]
        self._printed = threading.Condition()
        self._output, self._complaints = bytearray(), bytearray()
        self._open = 2
        self._process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={name: value for name, value in os.environ.items() if name.lower() not in _PROXIES} | environment,
            user=user,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._stdin = self._process.stdin
        self._threads = [
            threading.Thread(target=self._collect, args=(self._process.stdout, self._output)),
            threading.Thread(target=self._collect, args=(self._process.stderr, self._complaints)),
            threading.Thread(target=self._feed, args=(feed,)),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _collect(self, pipe: IO[bytes], into: bytearray) -> None:
        with pipe:
            while data := os.read(pipe.fileno(), 1 << 18):
                with self._printed:
                    into += data
                    self._printed.notify_all()
        with self._printed:
            self._open -= 1
            self._printed.notify_all()

    def _feed(self, feed: Iterable[bytes]) -> None:
        with contextlib.suppress(BrokenPipeError):  # it ended before it had read everything: its exit status says why
            for data in feed:
                self._stdin.write(data)
                self._stdin.flush()

    def type(self, data: bytes) -> None:
        """Writes to the program's standard input."""
        self._stdin.write(data)
        self._stdin.flush()

    def wait_for(self, pattern: bytes, seconds: float = DEADLINE) -> re.Match[bytes]:
        """Waits until the program has printed this, on standard output or error; returns the match."""
        deadline = time.monotonic() + seconds
        with self._printed:
            while True:
                for printed in (self._output, self._complaints):
                    # A copy: a bytearray cannot grow while a match refers to it.
                    if match := re.search(pattern, bytes(printed)):
                        return match
                left = deadline - time.monotonic()
                if self._open == 0 or left <= 0:
                    raise AssertionError(f"{self} never printed {pattern!r}")
                self._printed.wait(left)

    def wait_until_printed(self, ending: bytes, seconds: float = DEADLINE) -> bytes:
        """Waits for ``ending`` on standard output; returns the output before it.  For large outputs."""
        deadline, searched = time.monotonic() + seconds, 0
        with self._printed:
            while (found := self._output.find(ending, searched)) < 0:
                searched = max(0, len(self._output) - len(ending))
                left = deadline - time.monotonic()
                if self._open == 0 or left <= 0:
                    raise AssertionError(f"{self} never printed {ending!r}")
                self._printed.wait(left)
            return bytes(self._output[:found])

    def finish(self, seconds: float = DEADLINE) -> Finished:
        """Waits until the program ends by itself."""
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self} did not end within {seconds} s") from None
        self._end()
        return Finished(status, bytes(self._output), self._complaints.decode(errors="replace"))

    def signal(self, number: int) -> None:
        """Sends the program a signal."""
        self._process.send_signal(number)

    def interrupt(self) -> None:
        """Sends SIGINT, which ends the program's children too, and waits for it to end."""
        self._process.send_signal(signal.SIGINT)
        self.finish()

    def kill(self) -> None:
        """Ends the program at once (SIGKILL): it sends no close_notify."""
        self._process.kill()
        self._process.wait()

    def _end(self) -> None:
        for thread in self._threads:
            thread.join()
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._end()

    def __str__(self) -> str:
        output, complaints = bytes(self._output[-_SHOWN:]), bytes(self._complaints[-_SHOWN:])
        return f"{self.command!r}, which printed {output!r} and complained {complaints!r},"
