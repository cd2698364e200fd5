"""``client --ech`` and ``server --ech-key``."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path

import pytest
from cli.cli_runs import in_a_pipe
from cli.cli_servers import Files, files, our_server

from pyossl import ECHStore, lib

assert files, "a fixture"


@pytest.mark.feature("Encrypted Client Hello on the command line")
@pytest.mark.skipif(not lib.HAVE_ECH, reason="this OpenSSL has no Encrypted Client Hello")
def test_a_client_hides_the_name_or_is_told_how(files: Files, tmp_path: Path) -> None:
    current, older = ECHStore.new("example.com"), ECHStore.new("example.com")
    (key := tmp_path / "ech.pem").write_bytes(current.to_pem())
    lists = [base64.b64encode(each.config_list).decode() for each in (current, older)]
    with our_server("--cert", files.certificate, "--key", files.key, "--ech-key", str(key)) as served:
        client = "client", served.where, "--ca", files.ca, "--ech"
        ran = in_a_pipe(*client, lists[0], feed=b"x")
        assert ran.status == 0, ran
        assert "ECH             success, example.com in the clear" in ran.errors
        served.program.wait_for(rb"for localhost, ECH success, example.com in the clear")
        ran = in_a_pipe(*client, lists[1], "--json")
        assert ran.status == 1, ran
        error = json.loads(ran.output)["error"]
        assert error["type"] == "ECHError"
        ran = in_a_pipe(*client, error["ech_retry_configs"], "--json")
        assert json.loads(ran.output)["ech"] == {"status": "success", "outer_servername": "example.com"}


def test_a_list_that_cannot_be_used_is_wrong_usage() -> None:
    ran = in_a_pipe("client", "localhost:1", "--ech", "AEX")
    assert ran.status == 2
    assert "ECH" in ran.errors


@pytest.mark.skipif(bool(lib.HAVE_ECH), reason="this OpenSSL has Encrypted Client Hello")
def test_without_ech_nothing_is_connected() -> None:
    one = struct.pack("!HHHH", 6, 0xFE0D, 2, 0)  # a list of one configuration, which need not be a valid one
    for options in (
        ["client", "localhost:1", "--ech", base64.b64encode(one).decode()],
        ["server", "--port", "0", "--ech-key", "key.pem"],
    ):
        ran = in_a_pipe(*options)
        assert ran.status == 2
        assert "has no Encrypted Client Hello" in ran.errors
