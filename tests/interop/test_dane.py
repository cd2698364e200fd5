"""DANE: pyossl and ``openssl s_client`` accept and refuse the same servers, for the same records."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from interop.authorities import Authority, Identity
from interop.programs import Finished, Program, program
from interop.server_peers import Service, SServer

import pyossl
from pyossl import DANE, Certificate, Context, TLSARecord

NAME, OTHER = "secure.example", "other.example"
OWN, INTERMEDIATE, ROOT, STRANGER = "own", "intermediate", "root", "stranger"
WRONG = "3 1 1 " + "ab" * 32


class Case(NamedTuple):
    """A client's records: texts, or the usage, selector and matching type for a certificate of the server's chain."""

    records: tuple[str | tuple[str, int, int, int], ...]
    trusts: bool = True
    """Whether the client trusts the root."""
    server: str = NAME
    """Which server: one with the name, one with another name, or one whose certificate has expired."""
    checks: bool = True
    """Whether the name counts with usage 3."""


EXPIRED = "expired"
UNUSABLE = ("4 1 1 ab", "3 2 1 ab", "3 1 7 ab", "3 1 1 abcd", "3 0 0 abcd")
PARTS = [(selector, matching_type) for selector in (0, 1) for matching_type in (0, 1, 2)]


def by_usage(**options: Any) -> list[Case]:
    """A case for each usage, with a record that matches."""
    return [Case(((OWN if usage & 1 else INTERMEDIATE, usage, 1, 1),), **options) for usage in range(4)]


CASES = [
    *(Case(((OWN, usage, *part),)) for usage in (1, 3) for part in PARTS),
    *by_usage(),
    *by_usage(trusts=False),
    *by_usage(server=EXPIRED),
    *by_usage(server=OTHER),
    *by_usage(server=OTHER, checks=False),
    *(Case(((ROOT, usage, *part),), trusts=False) for usage in (0, 2) for part in PARTS),
    Case(((INTERMEDIATE, 2, 1, 0),), trusts=False),
    *(Case(((STRANGER, usage, 1, 1),)) for usage in range(4)),
    *(Case(((OWN, usage, 1, 1),), trusts=False) for usage in (0, 2)),
    Case((WRONG, (OWN, 3, 1, 1))),
    Case((WRONG, (INTERMEDIATE, 2, 1, 1)), trusts=False),
    Case(((OWN, 1, 1, 1), (INTERMEDIATE, 0, 1, 1))),
    *(Case((unusable,)) for unusable in UNUSABLE),
    *(Case((unusable, WRONG)) for unusable in UNUSABLE[::3]),
    *(Case((unusable, (OWN, 3, 0, 1))) for unusable in UNUSABLE[::3]),
]


class Verdict(NamedTuple):
    accepted: bool
    depth: int | None = None


@pytest.fixture(scope="module")
def identities(pyossl_authority: Authority) -> dict[str, Identity]:
    return {
        NAME: pyossl_authority.issue(NAME),
        OTHER: pyossl_authority.issue(OTHER),
        EXPIRED: pyossl_authority.issue(NAME, expired=True),
    }


def chain_of(identity: Identity, authority: Authority) -> dict[str, Certificate]:
    own, intermediate = pyossl.load_certificates(identity.certificate)
    stranger = pyossl.Authority("a stranger").certificate
    return {OWN: own, INTERMEDIATE: intermediate, ROOT: Certificate.load(authority.trust), STRANGER: stranger}


def record_of(chain: dict[str, Certificate], which: str, usage: int, selector: int, matching_type: int) -> str:
    return str(TLSARecord.of(chain[which], usage=usage, selector=selector, matching_type=matching_type))


def ours(address: tuple[str, int], context: Context, case: Case, records: list[str]) -> Verdict:
    try:
        dane = DANE(records, ee_name_checks=case.checks)
        with pyossl.connect(address, context, server_hostname=NAME, timeout=60, dane=dane) as tls:
            match = tls.dane_match
            assert match is not None
            return Verdict(True, match.depth)
    except (pyossl.CertificateError, pyossl.DecodeError):
        return Verdict(False)


def theirs(address: tuple[str, int], trust: Path, case: Case, records: list[str]) -> Verdict:
    command = ["s_client", "-connect", f"{address[0]}:{address[1]}", "-verify_return_error", "-CAfile", str(trust)]
    command += ["-dane_tlsa_domain", NAME]
    for record in records:
        command += ["-dane_tlsa_rrdata", record]
    if not case.checks:
        command += ["-dane_ee_no_namechecks"]
    with Program(program("openssl"), *command, feed=[b"GET /greeting HTTP/1.0\r\n\r\n"]) as run:
        finished: Finished = run.finish()
    if b"Verification: OK" not in finished.output:
        return Verdict(False)
    depth = re.search(rb"at depth (\d+)", finished.output)
    assert depth, finished.output
    return Verdict(True, int(depth[1]))


@pytest.mark.feature("DANE with TLSA records", "openssl s_server and s_client")
@pytest.mark.parametrize("server", [NAME, OTHER, EXPIRED])
def test_s_client_and_we_accept_the_same_servers(
    server: str, identities: dict[str, Identity], pyossl_authority: Authority, folder: Path, tmp_path: Path
) -> None:
    chain = chain_of(identities[server], pyossl_authority)
    (nobody := tmp_path / "nobody.pem").write_bytes(pyossl.Authority("nobody").certificate.to_pem())
    verdicts = {}
    with SServer().serving(Service(identities[server], folder)) as running:
        for case in (case for case in CASES if case.server == server):
            trust = pyossl_authority.trust if case.trusts else nobody
            records = [each if isinstance(each, str) else record_of(chain, *each) for each in case.records]
            verdict = ours(running.address, Context.client(trust=trust), case, records)
            assert verdict == theirs(running.address, trust, case, records), case
            verdicts[case] = verdict
    accepted = {verdict.accepted for verdict in verdicts.values()}
    assert accepted == {True, False}, "both occur"
