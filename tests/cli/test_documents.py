"""The pages in docs/cli have every option.  tests/project/test_documents.py runs their commands."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import pytest
from cli.cli_runs import in_a_pipe
from project.documents import ROOT

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


def test_the_first_page_lists_every_command_in_the_order_of_the_help() -> None:
    rows = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\) \|", page("index").read_text(encoding="utf-8"), re.M)
    assert rows == [(name, name) for name in PAGES]
