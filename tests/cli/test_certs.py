"""``python -m pyossl certs`` finds and explains everything that can be wrong with a server's certificates."""

from __future__ import annotations

import datetime
import io
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cli.cli_runs import PATIENCE, in_a_pipe, on_a_terminal
from cli.cli_servers import Files, files, s_server
from interop.programs import program
from served import read_all, serving

import pyossl
from pyossl import Authority, Certificate, Context, Credentials
from pyossl.cli.certificate_findings import diagnose
from pyossl.cli.commands import main

assert files, "a fixture"

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.now(datetime.timezone.utc)


class Hierarchy:
    """A root, an authority below it, another below that, and a server's certificate."""

    def __init__(self) -> None:
        self.root = Authority("Root")
        self.middle = Authority("Middle", parent=self.root)
        self.lower = Authority("Lower", parent=self.middle)
        self.own = self.lower.issue("localhost", "127.0.0.1")

    @property
    def sent(self) -> tuple[Certificate, ...]:
        return (self.own.certificate, *self.own.chain)


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    return Hierarchy()


@pytest.fixture(scope="module")
def ca(hierarchy: Hierarchy, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("hierarchy") / "root.pem"
    path.write_bytes(hierarchy.root.certificate.to_pem())
    return str(path)


def certs(chain: Sequence[Certificate], credentials: Credentials, *arguments: str) -> tuple[int, str]:
    """The exit status and output of the command, run against a server that sends this chain."""
    stream = io.StringIO()
    with serving(Context.server(chain, credentials.private_key), read_all) as address:
        status = main(["certs", f"127.0.0.1:{address[1]}", "--servername", "localhost", *arguments], stream)
    return status, stream.getvalue()


def findings(chain: Sequence[Certificate], credentials: Credentials, ca: str) -> dict[str, Any]:
    """The findings of ``--json``: a dictionary from the kind and subject to the reason."""
    status, output = certs(chain, credentials, "--ca", ca, "--json")
    said = json.loads(output)
    assert status == (1 if said["findings"] else 0)
    return {f"{each['kind']}: {said['chain'][each['place']]['subject']}": each["why"] for each in said["findings"]}


def test_nothing_is_wrong_with_a_good_chain(hierarchy: Hierarchy, ca: str) -> None:
    status, output = certs(hierarchy.sent, hierarchy.own, "--ca", ca)
    assert status == 0
    assert "✓ Nothing is wrong: 4 certificates, for localhost" in output
    assert "note:" not in output


def test_the_tree_has_the_root_first_and_says_where_each_came_from(hierarchy: Hierarchy, ca: str) -> None:
    _, output = certs(hierarchy.sent, hierarchy.own, "--ca", ca)
    lines = output.splitlines()
    places = [
        lines.index(line) for line in ("  CN=Root", "  └─ CN=Middle", "     └─ CN=Lower", "        └─ CN=localhost")
    ]
    assert places == sorted(places)
    assert "from the trust store" in output
    for number in (1, 2, 3):
        assert f"sent as number {number}" in output
    assert "for DNS:localhost, IP:127.0.0.1" in output
    assert "EC prime256v1, ecdsa-with-SHA256" in output


def test_an_expired_certificate(hierarchy: Hierarchy, ca: str) -> None:
    own = hierarchy.lower.issue("localhost", not_before=NOW - 30 * DAY, not_after=NOW - 3 * DAY)
    found = findings((own.certificate, *own.chain), own, ca)
    assert list(found) == ["expired: CN=localhost"]
    assert "3 days ago" in found["expired: CN=localhost"]


def test_a_certificate_that_is_not_yet_valid(hierarchy: Hierarchy, ca: str) -> None:
    own = hierarchy.lower.issue("localhost", not_before=NOW + 3 * DAY)
    found = findings((own.certificate, *own.chain), own, ca)
    assert list(found) == ["not yet valid: CN=localhost"]
    assert found["not yet valid: CN=localhost"].endswith("in 2 days")


def test_a_wrong_name(hierarchy: Hierarchy, ca: str) -> None:
    own = hierarchy.lower.issue("elsewhere.example", "*.example.org")
    assert findings((own.certificate, *own.chain), own, ca) == {
        "wrong name: CN=elsewhere.example": "it is for DNS:elsewhere.example, DNS:*.example.org, and not for localhost"
    }


@pytest.mark.feature("certs")
def test_all_errors_are_found_at_once(hierarchy: Hierarchy, ca: str) -> None:
    stranger = Authority("Stranger")
    own = stranger.issue("elsewhere.example", not_before=NOW - 30 * DAY, not_after=NOW - 3 * DAY)
    found = findings((own.certificate,), own, ca)
    assert {kind.partition(":")[0] for kind in found} == {
        "expired",
        "wrong name",
        "missing intermediate or unknown issuer",
    }


def test_an_unknown_authority_that_sends_its_root(ca: str) -> None:
    stranger = Authority("Stranger")
    own = stranger.issue("localhost")
    assert findings((own.certificate, stranger.certificate), own, ca) == {
        "unknown issuer: CN=Stranger": "CN=Stranger is self-signed and not trusted"
    }


def test_an_unknown_authority_above_an_intermediate(ca: str) -> None:
    below = Authority("Below", parent=Authority("Stranger"))
    own = below.issue("localhost")
    assert findings((own.certificate, *own.chain), own, ca) == {
        "unknown issuer: CN=Below": "CN=Stranger, which signed CN=Below, was not sent and is not trusted"
    }


def test_a_self_signed_certificate(ca: str) -> None:
    own = pyossl.self_signed("localhost")
    assert findings((own.certificate,), own, ca) == {
        "unknown issuer: CN=localhost": "CN=localhost is self-signed and not trusted"
    }


def test_a_server_that_sends_its_own_certificate_only(hierarchy: Hierarchy, ca: str) -> None:
    (kind, why), *rest = findings(hierarchy.sent[:1], hierarchy.own, ca).items()
    assert kind == "missing intermediate or unknown issuer: CN=localhost"
    assert why.startswith("CN=Lower, which signed CN=localhost, was not sent and is not trusted")
    assert rest == []


def test_an_intermediate_that_is_missing_between_others(hierarchy: Hierarchy, ca: str) -> None:
    own, _, middle = hierarchy.sent
    (kind, why), *rest = findings((own, middle), hierarchy.own, ca).items()
    assert kind == "missing intermediate: CN=localhost"
    assert why.startswith("CN=Lower, ")
    assert rest == []


def test_a_wrong_order(hierarchy: Hierarchy, ca: str) -> None:
    own, lower, middle = hierarchy.sent
    found = findings((own, middle, lower), hierarchy.own, ca)
    assert found == {
        "wrong order: CN=Middle": "it was sent as number 2, before the certificate that it signed, number 3"
    }


def openssl(*arguments: str) -> None:
    subprocess.run([program("openssl"), *arguments], check=True, capture_output=True, timeout=PATIENCE)


@pytest.fixture
def weak(tmp_path: Path) -> Files:
    """A chain made by OpenSSL that today's security levels refuse: an RSA key of 1024 bits, signed with SHA-1."""
    paths = Files(*(str(tmp_path / name) for name in ("chain.pem", "key.pem", "ca.pem")))
    ca_key, request, own = (str(tmp_path / name) for name in ("ca.key", "request", "own.pem"))
    (tmp_path / "extensions").write_text("subjectAltName=DNS:localhost\n")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", ca_key, "-out", paths.ca, "-subj", "/CN=Old")
    openssl("req", "-newkey", "rsa:1024", "-nodes", "-keyout", paths.key, "-out", request, "-subj", "/CN=localhost")
    signing = ["x509", "-req", "-in", request, "-CA", paths.ca, "-CAkey", ca_key, "-CAcreateserial", "-sha1"]
    openssl(*signing, "-extfile", str(tmp_path / "extensions"), "-out", own)
    Path(paths.certificate).write_bytes(Path(own).read_bytes())
    return paths


def test_a_weak_key_and_a_weak_signature(weak: Files) -> None:
    with s_server(weak, "-cipher", "DEFAULT:@SECLEVEL=0") as served:
        ran = in_a_pipe("certs", served.where, "--ca", weak.ca, "--ciphers", "DEFAULT:@SECLEVEL=0")
    assert ran.status == 1, ran
    assert "✗ weak key: CN=localhost: RSA 1024 has 80 bits of security" in ran.output
    assert "✗ weak signature: CN=localhost: sha1WithRSAEncryption can be forged" in ran.output


def test_a_remark_that_is_not_an_error_is_a_note(hierarchy: Hierarchy, ca: str) -> None:
    own = hierarchy.lower.issue("localhost", not_after=NOW + 5 * DAY)
    other = Authority("Other").certificate
    status, output = certs((own.certificate, *own.chain, hierarchy.root.certificate, other), own, "--ca", ca)
    assert status == 0
    assert "note: sent, but not needed: CN=Other" in output
    assert "note: the root was sent, but" in output
    assert "note: CN=localhost expires in 4 days" in output


def test_pem_has_the_certificates_that_were_sent_and_openssl_verifies_them(
    hierarchy: Hierarchy, ca: str, tmp_path: Path
) -> None:
    status, output = certs(hierarchy.sent, hierarchy.own, "--ca", ca, "--pem")
    assert status == 0
    path = tmp_path / "sent.pem"
    path.write_text(output)
    assert tuple(pyossl.load_certificates(path)) == hierarchy.sent
    openssl("verify", "-CAfile", ca, "-untrusted", str(path), str(path))


def test_without_a_connection_is_status_1(files: Files) -> None:
    ran = in_a_pipe("certs", "127.0.0.1:1", "--timeout", "5")
    assert (ran.status, ran.output) == (1, "")
    assert ran.errors.startswith("ConnectionRefusedError: ")


def test_ciphers_for_a_server_without_a_certificate_are_status_1(files: Files) -> None:
    with s_server(files, "-cipher", "aNULL:@SECLEVEL=0", "-tls1_2") as served:
        ran = in_a_pipe("certs", served.where, "--max", "1.2", "--ciphers", "aNULL:@SECLEVEL=0")
    assert (ran.status, ran.output) == (1, "")
    assert "need no certificate" in ran.errors


@pytest.mark.parametrize("columns", [60, 100])
def test_a_terminal_gets_no_line_wider_than_itself(files: Files, columns: int) -> None:
    with s_server(files) as served:
        ran = on_a_terminal("certs", served.where, columns=columns)
    assert ran.status == 1
    assert "\x1b[" in ran.output
    plain = "".join(part.partition("m")[2] if n else part for n, part in enumerate(ran.output.split("\x1b[")))
    assert max(map(len, plain.splitlines())) <= columns


def test_a_certificate_without_a_name_for_hosts_is_explained(hierarchy: Hierarchy) -> None:
    """A subject is not a host name, even if it looks like one."""
    authority = hierarchy.root.certificate
    error = pyossl.Verification(
        False, pyossl.outcome.VerifyCode.HOSTNAME_MISMATCH, "hostname mismatch", 0, authority, (authority,)
    )
    (finding,) = diagnose("localhost", (authority,), (authority,), [error]).findings
    assert finding.why == "it is for no name (the subject, CN=Root, is not used), and not for localhost"
