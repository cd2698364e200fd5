"""``--export`` of the client and the server, and the channel bindings in the client's JSON."""

from __future__ import annotations

import json
import re
import sys

import pytest
from cli.cli_runs import in_a_pipe
from cli.cli_servers import Files, files, our_server, s_server
from interop.programs import Program, program
from marks import needs

import pyossl
from pyossl.cli.commands import main

assert files, "a fixture"

VERSIONS = [pytest.param("1.2")]
if pyossl.features.tls1_3:
    VERSIONS.append(pytest.param("1.3"))
each_version = pytest.mark.parametrize("version", VERSIONS)
LABEL = "EXPORTER-test"


@pytest.mark.feature("exported keys on the command line")
@each_version
def test_both_sides_show_the_same_bytes_for_each_label_and_length(files: Files, version: str) -> None:
    exports = "--export", LABEL, "--export", f"{LABEL}:32", "--export", "a:label:5"
    with our_server("--cert", files.certificate, "--key", files.key, *exports) as served:
        ran = in_a_pipe("client", served.where, "--ca", files.ca, "--max", version, *exports)
        shown = re.findall(r"^  exported        (\S+): (\w+)$", ran.errors, re.M)
        assert [(label, len(value) // 2) for label, value in shown] == [(LABEL, 20), (LABEL, 32), ("a:label", 5)]
        for label, value in shown:
            served.program.wait_for(f"exported {label}: {value}".encode())


@each_version
def test_json_has_the_exports_and_the_channel_bindings(files: Files, version: str) -> None:
    own = "--cert", files.certificate, "--key", files.key, "--json", "--export", LABEL
    with Program(sys.executable, "-m", "pyossl", "server", "--port", "0", *own) as run:
        where = json.loads(run.wait_for(rb"(\{.*\})\n")[1])["listening"]
        ran = in_a_pipe("client", where, "--ca", files.ca, "--max", version, "--json", "--export", LABEL)
        logged = json.loads(run.wait_for(rb'(\{"client": "[^"]*", "version.*\})\n')[1])
    report = json.loads(ran.output)
    (exported,) = report["exported"]
    assert (exported["label"], exported["length"], len(exported["hex"])) == (LABEL, 20, 40)
    assert logged["exported"] == [exported]
    bindings = report["channel_bindings"]
    assert list(bindings) == ["tls-exporter", "tls-server-end-point", "tls-unique"]
    certificate = pyossl.Certificate.load(files.certificate)
    assert bindings["tls-server-end-point"] == certificate.fingerprint("sha256").hex()
    assert len(bindings["tls-exporter"]) == 64
    assert (bindings["tls-unique"] is None) is (version == "1.3")


@pytest.mark.feature("exported keys on the command line")
@each_version
def test_s_server_exports_the_same(files: Files, version: str) -> None:
    options = "-keymatexport", LABEL, "-keymatexportlen", "24"
    with s_server(files, *options) as served:
        ran = in_a_pipe("client", served.where, "--ca", files.ca, "--max", version, "--export", f"{LABEL}:24", "--json")
        theirs = served.program.wait_for(rb"Keying material: (\w+)")[1].decode()
    assert json.loads(ran.output)["exported"][0]["hex"] == theirs.lower()


@pytest.mark.feature("exported keys on the command line")
def test_s_client_exports_what_the_server_logs_and_20_bytes_by_default(files: Files) -> None:
    with our_server("--cert", files.certificate, "--key", files.key, "--export", LABEL) as served:
        command = [program("openssl"), "s_client", "-connect", served.where, "-keymatexport", LABEL]
        with Program(*command) as run:
            theirs = run.wait_for(rb"Keying material: (\w{40})\s")[1]
            served.program.wait_for(b"exported " + LABEL.encode() + b": " + theirs.lower())


@needs("tls1_3")
def test_more_than_tls_1_3_can_export_is_a_failure(files: Files) -> None:
    own, too_long = ("--cert", files.certificate, "--key", files.key), ("--export", f"{LABEL}:65535")
    for of_server, of_client in (((), too_long), (too_long, ())):
        with our_server(*own, *of_server) as served:
            ran = in_a_pipe("client", served.where, "--ca", files.ca, *of_client, feed=b"not sent")
        assert (ran.status, ran.output) == (1, "")


@pytest.mark.parametrize("wanted", ["", ":5", "ä", "a\nb", "x" * 250, "a:0", "a:65536"])
@pytest.mark.parametrize("command", [["client", "localhost:1"], ["server"]], ids=["client", "server"])
def test_a_wrong_export_is_wrong_usage(command: list[str], wanted: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--export", wanted])
    assert ended.value.code == 2
    assert "argument --export: a l" in capsys.readouterr().err
