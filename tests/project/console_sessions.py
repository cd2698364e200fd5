"""Runs the ``console`` blocks of a document as one session in a terminal.

The lines that begin with ``$`` are commands; the lines after a command are its whole output, on standard output and
standard error.  If no lines follow, the output is not compared.  ``# status 1`` after a command is its exit status.  A
command that ends with ``&`` runs until the end of the page; the next command waits until the lines after it have been
printed, or until the first line if there are none.  ``4433`` and the other numbers in ``PORTS`` stand for free ports,
in the commands, their output and the page's files.  ``localhost`` and ``example.com:443`` are the only hosts.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from interop.free_ports import free_port
from interop.programs import Program
from project.documents import Block, matches

PATIENCE = 120  # seconds for one command; only ends what hangs
PORTS = ("4433", "4434", "4435", "4436", "8080", "8081")

_RESOLVES_EXAMPLE_COM = """\
import os, socket

resolve = socket.getaddrinfo


def getaddrinfo(host, port, *arguments, **named):
    if host in ("example.com", b"example.com") and str(port) == "443":
        host, port = "127.0.0.1", int(os.environ["EXAMPLE_COM_PORT"])
    return resolve(host, port, *arguments, **named)


socket.getaddrinfo = getaddrinfo
"""


class Command(NamedTuple):
    """A command, its exit status, and the output that the document shows."""

    command: str
    status: int
    output: str
    where: str


def commands(blocks: list[Block]) -> Iterator[Command]:
    for block in blocks:
        if block.language != "console":
            continue
        lines = block.text.splitlines()
        starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
        assert starts[:1] == [0], f"{block.where}: the first line is no command"
        for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
            command, _, comment = lines[start].removeprefix("$ ").partition("  # ")
            status = re.fullmatch(r"status (\d+)", comment)
            output = "\n".join(lines[start + 1 : end])
            yield Command(command.strip(), int(status[1]) if status else 0, output, f"{block.where}: {command}")


class ConsoleSession:
    """A folder, free ports and an environment, in which the commands of a page run in order.

    ``python`` is the interpreter that the commands call ``python``; it imports from ``paths`` too.
    """

    def __init__(
        self, folder: Path, example_com_port: int, python: Path = Path(sys.executable), paths: Sequence[Path] = ()
    ) -> None:
        self._folder = folder
        self.ports = {port: str(free_port("127.0.0.1")) for port in PORTS}
        self._servers = contextlib.ExitStack()
        resolving = folder / ".resolving"
        resolving.mkdir()
        (resolving / "sitecustomize.py").write_text(_RESOLVES_EXAMPLE_COM)
        self.environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(python.parent), os.environ["PATH"]]),
            "COLUMNS": "80",
            "PYTHONPATH": os.pathsep.join(map(str, [resolving, *paths])),
            "PYTHONUNBUFFERED": "1",
            "EXAMPLE_COM_PORT": str(example_com_port),
        }

    def run_page(self, page: list[Block]) -> None:
        """Writes the files of a page, then runs its commands."""
        for block in page:
            if block.file_name:
                self.write(block)
        for command in commands(page):
            self.run(command)

    def write(self, block: Block) -> None:
        """Writes a file of the page."""
        assert block.file_name
        (self._folder / block.file_name).write_text(self._with_free_ports(block.text))

    def run(self, command: Command) -> None:
        text = command.command
        if re.search(r"\bpyossl server\b", text) and "--port" not in text:
            text = text.replace("pyossl server", "pyossl server --port 4433")
        text = self._with_free_ports(text)
        if text.endswith("&"):
            self._start(text.removesuffix("&"), command)
        else:
            self._finish(text, command)

    def _start(self, text: str, command: Command) -> None:
        # exec: the program that is ended at the end of the page is not the shell but the command.
        server = Program("sh", "-c", f"exec {text} 2>&1", folder=self._folder, environment=self.environment)
        self._servers.enter_context(server)
        lines = max(1, len(command.output.splitlines()))
        printed = server.wait_for(rb"(?:.*\n){%d}" % lines)[0].decode()
        if command.output:
            self._compare(command, printed)

    def _finish(self, text: str, command: Command) -> None:
        done = subprocess.run(
            ["sh", "-c", text],
            cwd=self._folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE,
        )
        printed = done.stdout.decode()
        assert done.returncode == command.status, f"{command.where}: exit status {done.returncode}\n{printed}"
        if command.output:
            self._compare(command, printed)

    def _compare(self, command: Command, printed: str) -> None:
        for port, free in self.ports.items():
            printed = re.sub(rf"\b{free}\b", port, printed)
        assert matches(command.output, printed), f"{command.where}: the output is\n{printed}"

    def _with_free_ports(self, text: str) -> str:
        return re.sub(rf"\b(?:{'|'.join(PORTS)})\b", lambda port: self.ports[port[0]], text)

    def __enter__(self) -> ConsoleSession:
        return self

    def __exit__(self, *_: object) -> None:
        self._servers.close()
