"""The pages in docs/cli: they have every option, and every command in them is run.

A page is one session.  The commands of its ``sh`` blocks run in order, in a directory with chain.pem and key.pem (for
localhost) and ca.pem (their authority).  ``# status 1`` after a command is its exit status.  A server command that ends
with ``&`` runs until the end of the page, on a free port that replaces 4433.  An ``output`` block is the whole output
of the command before it, on standard output and standard error.  ``…`` in a line stands for any text, and a line ``…``
stands for any lines.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from cli.cli_runs import PATIENCE, in_a_pipe
from cli.cli_servers import written
from interop.programs import Program
from project.test_documents import ROOT, blocks, matches

import pyossl
from pyossl.cli.commands import COMMANDS, parser

PAGES = {command.__name__.rpartition(".")[2]: command for command in COMMANDS}
each_page = pytest.mark.parametrize("name", PAGES)


def page(name: str) -> Path:
    return ROOT / "docs" / "cli" / f"{name}.md"


def options(name: str) -> set[str]:
    """The options of a command."""
    (commands,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    chosen: argparse.ArgumentParser = commands.choices[name]
    return {option for action in chosen._actions for option in action.option_strings if option.startswith("--")}


@each_page
def test_every_option_is_in_the_page_of_its_command_and_no_other(name: str) -> None:
    said = set(re.findall(r"^\| `(--[\w-]+)", page(name).read_text(encoding="utf-8"), re.M))
    assert said == options(name) - {"--help"}


@each_page
def test_help_ends_with_examples_that_parse(name: str) -> None:
    ran = in_a_pipe(name, "--help")
    examples = ran.output.partition("\nexamples:\n")[2].strip().splitlines()
    assert examples
    for example in examples:
        words = shlex.split(example.rpartition("| ")[2], comments=True)
        for end in (">", "&"):
            words = words[: words.index(end)] if end in words else words
        assert words[:3] == ["python", "-m", "pyossl"]
        parser().parse_args(words[3:])


class Session:
    """Runs the commands of a page, one after the other."""

    def __init__(self, folder: Path, at_the_end: contextlib.ExitStack) -> None:
        self._folder = folder
        self._at_the_end = at_the_end
        self._where = "localhost:4433"
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self._environment = {**os.environ, "PATH": path, "COLUMNS": "80"}

    def run(self, line: str) -> str:
        """Runs a command and returns its output."""
        command, _, comment = line.partition("  # ")
        if command.rstrip().endswith("&"):
            arguments = shlex.split(command.rstrip()[:-1])[1:]
            server = Program(sys.executable, *arguments, "--port", "0", folder=self._folder)
            self._at_the_end.enter_context(server)
            self._where = server.wait_for(rb"Listening on (\S+:\d+)")[1].decode()
            return ""
        done = subprocess.run(
            ["sh", "-c", command.replace("localhost:4433", self._where)],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE,
        )
        printed = done.stdout.decode().replace(self._where, "localhost:4433")
        assert done.returncode == (1 if comment == "status 1" else 0), f"{command}\n{printed}"
        return printed


@each_page
def test_a_page_runs_and_prints_the_output_in_it(
    name: str, tmp_path: Path, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    written(tmp_path, authority, credentials)
    with contextlib.ExitStack() as at_the_end:
        session, printed = Session(tmp_path, at_the_end), ""
        for block in blocks(page(name)):
            assert block.language in ("sh", "output"), block.where
            if block.language == "sh":
                for line in block.text.strip().splitlines():
                    printed = session.run(line)
            else:
                assert matches(block.text, printed), f"{block.where}: what was printed is\n{printed}"
