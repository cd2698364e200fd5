"""``client --dane``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cli.cli_runs import in_a_pipe
from cli.cli_servers import Files, files, our_server

import pyossl
from pyossl import TLSARecord

assert files, "a fixture"

WRONG = "3 1 1 " + "ab" * 32


@pytest.fixture
def record(files: Files) -> str:
    return str(TLSARecord.of(pyossl.Certificate.load(files.certificate)))


@pytest.mark.feature("DANE on the command line")
def test_a_record_decides_instead_of_the_trusted_authorities(files: Files, record: str, tmp_path: Path) -> None:
    session = str(tmp_path / "session")
    with our_server("--cert", files.certificate, "--key", files.key) as served:
        client = "client", served.where
        ran = in_a_pipe(
            *client, "--dane", WRONG, "--dane", record, "--dane", "3 1 1 ab", "--session", session, feed=b"x"
        )
        assert ran.status == 0, ran
        assert "ignored         TLSA record 3 1 1 ab: dane tlsa bad digest length" in ran.errors
        assert "DANE" in ran.errors
        assert "(depth 0)" in ran.errors
        ran = in_a_pipe(*client, "--dane", record, "--json", "--session", session)
        report = json.loads(ran.output)
        assert report["dane"] == {"record": record, "depth": 0}
        assert report["session"]["resumed"] is False, "the session was verified with other records"
        ran = in_a_pipe(*client, "--dane", record, "--json", "--session", session)
        report = json.loads(ran.output)
        assert report["dane"] is None
        assert report["session"]["resumed"] is True
        ran = in_a_pipe(*client, "--dane", WRONG, "--ca", files.ca, "--json")
        assert ran.status == 1
        assert "DANE" in json.loads(ran.output)["error"]["message"]
        ran = in_a_pipe(*client, "--dane", record, "--servername", "127.0.0.1")
        assert ran.status == 2
        assert "dane needs the server's DNS name" in ran.errors
        ran = in_a_pipe(*client, "--ca", files.ca, "--json")
        assert json.loads(ran.output)["dane"] is None


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--dane", "3 1 1"], "malformed"),
        (["--dane", "3 1 1 abcd"], "no TLSA record can be used: .* dane tlsa bad digest length"),
        (["--dane", WRONG, "--no-verify"], "remove --no-verify"),
    ],
)
def test_what_cannot_be_verified_is_wrong_usage(options: list[str], why: str) -> None:
    ran = in_a_pipe("client", "localhost:1", *options)
    assert ran.status == 2
    assert re.search(why, ran.errors.replace("\n", " "))
