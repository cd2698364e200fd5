"""Programs that are pyossl's peers: started, waited for by what they print, always ended."""

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

# What any one step may take, in seconds: generous, because it only ends what hangs.
DEADLINE = 60.0

_SHOWN = 4000
_PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}


# Debian keeps servers where an ordinary user's PATH, or anybody's, does not look.
_ELSEWHERE = ["/usr/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]


def _find(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(_ELSEWHERE))


def program(name: str) -> str:
    """The path of a program; a missing one is a failure, because a row without peers has tested nothing."""
    path = _find(name)
    assert path is not None, f"tests/interop need the program {name!r}, and it is not on PATH: install it"
    return path


def where_installed(*names: str) -> pytest.MarkDecorator:
    """The mark of a test with programs too large, or too fond of starting themselves, to be installed in every row."""
    missing = [name for name in names if _find(name) is None]
    wanted = " and ".join(missing)
    reason = f"needs {wanted}, which ci/programs installs on a machine and ci/matrix in none of its roots"
    return pytest.mark.skipif(bool(missing), reason=reason)


class Finished(NamedTuple):
    """What a program came to: its exit status (negative: the signal), and what it printed."""

    status: int
    output: bytes
    complaints: str


class Program:
    """A running program.  What it prints is collected as it comes, so that no full pipe ever stops it.

    ``feed`` is what it reads from its standard input, which stays open until the program ends; ``user`` is whose
    rights it has; ``environment`` is what its environment has besides.
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
        with contextlib.suppress(BrokenPipeError):  # it ended without reading all: its exit status tells
            for data in feed:
                self._stdin.write(data)
                self._stdin.flush()

    def type(self, data: bytes) -> None:
        """Writes to the program's standard input."""
        self._stdin.write(data)
        self._stdin.flush()

    def wait_for(self, pattern: bytes, seconds: float = DEADLINE) -> re.Match[bytes]:
        """Waits until the program has printed this, on either of its outputs; the match."""
        deadline = time.monotonic() + seconds
        with self._printed:
            while True:
                for printed in (self._output, self._complaints):
                    # A copy: a match keeps a bytearray from growing, and so the program from being heard.
                    if match := re.search(pattern, bytes(printed)):
                        return match
                left = deadline - time.monotonic()
                if self._open == 0 or left <= 0:
                    raise AssertionError(f"{self} never printed {pattern!r}")
                self._printed.wait(left)

    def wait_until_printed(self, ending: bytes, seconds: float = DEADLINE) -> bytes:
        """Waits for ``ending`` on the standard output; all that was printed before it.  For large outputs."""
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
        """Waits until the program has ended of itself."""
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
        """Asks the program to end (SIGINT), which takes its children along, and waits for it."""
        self._process.send_signal(signal.SIGINT)
        self.finish()

    def kill(self) -> None:
        """Ends the program at once (SIGKILL): it says goodbye to nobody."""
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
