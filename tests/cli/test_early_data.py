"""``client --early-data FILE`` and ``server --early-data``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.cli_runs import in_a_pipe
from cli.cli_servers import Files, Served, files, our_server
from marks import needs

import pyossl

assert files, "a fixture"

pytestmark = needs("tls1_3")


@pytest.fixture
def early_echo(files: Files) -> Iterator[Served]:
    with our_server("--early-data", "--cert", files.certificate, "--key", files.key) as served:
        yield served


@pytest.fixture
def options(files: Files, tmp_path: Path) -> list[str]:
    (tmp_path / "early").write_bytes(b"sent early\n")
    return ["--ca", files.ca, "--session", str(tmp_path / "session.pem"), "--early-data", str(tmp_path / "early")]


@pytest.mark.feature("client")
def test_the_second_run_sends_the_file_early_and_the_first_sends_it_after_the_handshake(
    early_echo: Served, options: list[str]
) -> None:
    first, second = (in_a_pipe("client", early_echo.where, *options, feed=b"and this\n") for _ in range(2))
    assert first.output == second.output == "sent early\nand this\n"
    assert "early data" not in first.errors
    assert "early data      accepted" in second.errors
    early_echo.program.wait_for(rb"11 bytes of early data")


def test_a_file_that_is_not_sent_early_may_be_longer_than_what_the_server_takes_before_it_answers(
    early_echo: Served, files: Files, tmp_path: Path
) -> None:
    (tmp_path / "long").write_bytes(b"x" * 20_000_000)
    early = ["--session", str(tmp_path / "session.pem"), "--early-data", str(tmp_path / "long"), "--timeout", "3"]
    ran = in_a_pipe("client", early_echo.where, "--ca", files.ca, *early)
    assert (ran.status, len(ran.output)) == (0, 20_000_000), ran.errors


def test_json_says_whether_early_data_was_accepted(early_echo: Served, options: list[str]) -> None:
    answers = []
    for _ in range(2):
        ran = in_a_pipe("client", early_echo.where, "--json", *options)
        assert ran.status == 0, ran.errors
        answers.append(json.loads(ran.output)["session"]["early_data_accepted"])
    assert answers == [None, True]


@pytest.mark.feature("early data on the command line")
def test_a_server_that_refuses_it_gets_the_file_after_the_handshake(
    files: Files, options: list[str], tmp_path: Path
) -> None:
    session, context = tmp_path / "session.pem", pyossl.Context.client()
    with our_server("--early-data", "--cert", files.certificate, "--key", files.key) as served:
        in_a_pipe("client", served.where, *options)
        stored = session.read_bytes()
        outputs = []
        for _ in range(2):  # the ticket is for one use
            session.write_bytes(stored)
            ran = in_a_pipe("client", served.where, *options)
            outputs.append(
                (ran.output, "early data      accepted" in ran.errors, "early data      refused" in ran.errors)
            )
    assert pyossl.Session.load(stored, context).max_early_data == 16384
    assert outputs == [("sent early\n", True, False), ("sent early\n", False, True)]


@pytest.mark.parametrize(("more", "why"), [([], "needs --session"), (["--session", "s"], "No such file")])
def test_wrong_arguments_are_status_2(more: list[str], why: str, tmp_path: Path) -> None:
    more = [str(tmp_path / each) if each == "s" else each for each in more]
    ran = in_a_pipe("client", "localhost:1", "--early-data", str(tmp_path / "none"), *more)
    assert ran.status == 2
    assert why in ran.errors
