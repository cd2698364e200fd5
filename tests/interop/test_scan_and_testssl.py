"""``python -m pyossl scan`` and testssl.sh find the same in three servers.

testssl.sh writes its ClientHellos itself, and shares no code with the scan.  It takes about half a minute for each
server: the test runs only with the machine's own OpenSSL.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from interop.authorities import Identity
from interop.gnutls_peers import GnutlsServer
from interop.nginx_peer import Nginx
from interop.peers import each
from interop.programs import Program, program, where_installed
from interop.server_peers import ServerPeer, Service, SServer
from x509.certificate_making import common_name, make

pytestmark = [
    pytest.mark.timeout(400),
    where_installed("testssl"),
    pytest.mark.skipif(
        "PYOSSL_OPENSSL_DIR" in os.environ, reason="testssl.sh's checks go by the machine's own OpenSSL"
    ),
]

SECONDS = 300
CHECKS = ["--protocols", "--cipher-per-proto", "--fs", "--server-defaults"]
VERSIONS = {"TLS1": "TLSv1.0", "TLS1_1": "TLSv1.1", "TLS1_2": "TLSv1.2", "TLS1_3": "TLSv1.3"}
CURVES = {"prime256v1": "secp256r1", "X25519": "x25519", "X448": "x448"}
"""OpenSSL's names in testssl.sh's findings, where IANA has others."""
ONLY_OURS = {"http/0.9", "http/1.0"}
"""The application protocols that testssl.sh does not ask for."""


def identity(folder: Path) -> Identity:
    """A certificate for localhost with an RSA key, for which there are the most cipher suites."""
    names = [(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)]
    leaf = make(common_name("localhost"), extensions=names, key=rsa.generate_private_key(65537, 2048))  # type: ignore[arg-type]
    made = Identity(folder / "leaf.pem", folder / "leaf.key")
    made.certificate.write_bytes(leaf.pem)
    made.private_key.write_bytes(leaf.key_pem)
    return made


def scanned(where: str) -> dict[str, Any]:
    with Program(sys.executable, "-m", "pyossl", "scan", where, "--servername", "localhost", "--json") as run:
        finished = run.finish(SECONDS)
    assert finished.status == 0, finished
    report: dict[str, Any] = json.loads(finished.output)
    return report


def findings(where: str, report: Path) -> dict[str, str]:
    """testssl.sh's findings by their names."""
    command = [program("testssl"), "--quiet", "--color", "0", "--warnings", "batch", "--nodns", "min"]
    command += ["--ip", "127.0.0.1", "--jsonfile", str(report), *CHECKS, f"localhost:{where.rpartition(':')[2]}"]
    with Program(*command) as run:
        finished = run.finish(SECONDS)
    found = {each["id"].partition(" ")[0]: each["finding"] for each in json.loads(report.read_text())}
    assert "scanTime" in found, finished
    return found


@pytest.mark.feature("scan compared with testssl.sh")
@pytest.mark.parametrize("peer", each([SServer(), Nginx(), GnutlsServer()]))
def test_both_find_the_same(peer: ServerPeer, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "greeting").write_bytes(b"hello")
    alpn = () if isinstance(peer, Nginx) else ("h2", "http/1.1")
    with peer.serving(Service(identity(tmp_path), folder, alpn=alpn)) as running:
        where = f"127.0.0.1:{running.address[1]}"
        ours, theirs = scanned(where), findings(where, tmp_path / "report.json")
    versions = {each["version"]: each for each in ours["versions"]}
    compare_versions(versions, theirs)
    compare_ciphers(versions, theirs)
    compare_groups(versions, theirs)
    compare_the_rest(ours, versions, theirs)


def compare_versions(ours: dict[str, dict[str, Any]], theirs: dict[str, str]) -> None:
    for finding, name in VERSIONS.items():
        assert ours[name]["accepted"] is theirs[finding].startswith("offered"), name


def compare_ciphers(ours: dict[str, dict[str, Any]], theirs: dict[str, str]) -> None:
    compared = 0
    for finding, name in VERSIONS.items():
        ids = (re.fullmatch(rf"cipher-{finding.lower()}_x(\w+)", each) for each in theirs)
        expected = {int(each[1], 16) for each in ids if each}
        found = {each["number"] for each in ours[name].get("ciphers", ())}
        assert found == expected, name
        compared += len(found)
    assert compared > 5


def compare_groups(ours: dict[str, dict[str, Any]], theirs: dict[str, str]) -> None:
    """testssl.sh does not say in which version a group is used."""
    curves = next(finding for name, finding in theirs.items() if name.endswith("FS_ECDHE_curves"))
    expected = {CURVES.get(name, name) for name in curves.split()}
    found = {group["name"] for version in ours.values() for group in version.get("groups", ())}
    assert {group for group in found if not group.startswith("ffdhe")} == expected
    finite = {group for group in found if group.startswith("ffdhe")}
    assert finite <= set(re.findall(r"ffdhe\d+", theirs.get("DH_groups", "")))


def compare_the_rest(ours: dict[str, Any], versions: dict[str, dict[str, Any]], theirs: dict[str, str]) -> None:
    offered = {theirs[name] for name in ("ALPN", "ALPN_HTTP2") if name in theirs and "not offered" not in theirs[name]}
    assert set(ours["alpn"]) - ONLY_OURS == set(" ".join(offered).replace(",", " ").split())
    assert (ours["ocsp"] is None) is theirs["OCSP_stapling"].startswith("not offered")
    assert ours["certificates"][0]["sha256"] == theirs["cert_fingerprintSHA256"].lower()
    tickets = versions["TLSv1.2"]["resumption"]["ticket_count"]
    assert (tickets > 0) is theirs["TLS_session_ticket"].startswith("valid for")
