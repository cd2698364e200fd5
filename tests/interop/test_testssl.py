"""testssl.sh finds nothing above LOW in ``python -m pyossl server`` with its defaults.

LOW are the CBC ciphers of TLS 1.2, which are in OpenSSL's default cipher list.  The test takes more than a minute: it
runs only with the machine's own OpenSSL, which testssl.sh uses too.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from cryptography import x509
from interop.authorities import Identity
from interop.programs import Program, program, where_installed
from x509.certificate_making import common_name, make

pytestmark = [
    pytest.mark.timeout(400),
    where_installed("testssl"),
    pytest.mark.skipif(
        "PYOSSL_OPENSSL_DIR" in os.environ, reason="testssl.sh's checks go by the machine's own OpenSSL"
    ),
]

HARMLESS = {"OK", "INFO", "LOW", "DEBUG", "WARN"}  # WARN and DEBUG are about testssl.sh itself
SECONDS = 300

CHECKS = {
    "what is offered": (
        ["--protocols", "--std", "--fs", "--server-defaults"],
        {"SSLv3": "OK", "TLS1_2": "OK", "TLS1_3": "OK", "cipherlist_NULL": "OK", "cert_chain_of_trust": "OK"},
    ),
    "vulnerabilities": (
        ["--vulnerable"],
        {
            "heartbleed": "OK",
            "CCS": "OK",
            "secure_renego": "OK",
            "CRIME_TLS": "OK",
            "SWEET32": "OK",
        },
    ),
    "what HTTP has besides": (
        ["--server-preference", "--ticketbleed"],
        {"cipher_order": "OK", "protocol_negotiated": "OK", "cipher_negotiated": "OK", "ticketbleed": "OK"},
    ),
}

# Without HTTP testssl.sh does not test for this one.
OVER_HTTP = {"what HTTP has besides"}


@pytest.fixture
def identity(tmp_path: Path) -> tuple[Identity, Path]:
    """A certificate with the place of its CRL, as testssl.sh wants it, and that of its authority."""
    authority = make("an authority for testssl.sh", ca=True)
    place = [x509.UniformResourceIdentifier("http://crl.example/ours.crl")]
    leaf = make(
        common_name("localhost"),
        authority,
        extensions=[
            (x509.SubjectAlternativeName([x509.DNSName("localhost")]), False),
            (x509.CRLDistributionPoints([x509.DistributionPoint(place, None, None, None)]), False),
            (x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), False),
        ],
    )
    identity, trust = Identity(tmp_path / "leaf.pem", tmp_path / "leaf.key"), tmp_path / "trust.pem"
    identity.certificate.write_bytes(leaf.pem)
    identity.private_key.write_bytes(leaf.key_pem)
    trust.write_bytes(authority.pem)
    return identity, trust


@pytest.mark.feature("testssl.sh")
@pytest.mark.parametrize("checks", CHECKS)
def test_nothing_above_low_is_found(checks: str, identity: tuple[Identity, Path], tmp_path: Path) -> None:
    (certificate, private_key), trust = identity
    options, expected = CHECKS[checks]
    report = tmp_path / "report.json"
    server = [sys.executable, "-u", "-m", "pyossl", "server", "--host", "127.0.0.1", "--port", "0"]
    if checks in OVER_HTTP:
        server += ["--folder", str(tmp_path)]
    with Program(*server, "--cert", certificate, "--key", private_key) as serving:
        port = int(serving.wait_for(rb"127\.0\.0\.1:(\d+)")[1])
        command = [program("testssl"), "--quiet", "--color", "0", "--warnings", "batch", "--nodns", "min"]
        command += ["--ip", "127.0.0.1", "--add-ca", str(trust), "--jsonfile", str(report), *options]
        with Program(*command, f"localhost:{port}") as run:
            finished = run.finish(SECONDS)
    findings = json.loads(report.read_text())
    bad = [finding for finding in findings if finding["severity"] not in HARMLESS]
    assert not bad, f"{bad}\n{finished.output.decode()}"
    severities = {finding["id"].partition(" ")[0]: finding["severity"] for finding in findings}
    assert {name: severities.get(name) for name in expected} == expected
