"""Unchanged programs for pyOpenSSL, with pyossl in its place: ``ci/peers programs`` runs these tests.

Each program has a virtual environment of its own without pyOpenSSL; the scripts are in
tests/interop/pyopenssl_programs, and in the pages of docs/howto about these programs.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from interop.authorities import Authority, Identity
from interop.programs import Program, program
from project.console_sessions import ConsoleSession
from project.documents import PEER_PAGES, ROOT, blocks
from project.example_com import Answering

import pyossl

SCRIPTS = Path(__file__).resolve().parent / "pyopenssl_programs"
PYTHONS: dict[str, str] = json.loads(os.environ.get("PYOSSL_PEER_PROGRAMS", "{}"))

pytestmark = [
    pytest.mark.skipif(not PYTHONS, reason="ci/peers programs runs these: it installs the programs first"),
    pytest.mark.timeout(300),
]


def command(package: str, script: str, *arguments: str | Path) -> list[str]:
    """The command that runs a script with pyossl; env(1), because a ``Program`` has the environment of the tests."""
    start = ["env", f"PYTHONPATH={ROOT}", PYTHONS[package], "-W", "ignore", "-m", "pyossl.pyopenssl"]
    return [*start, str(SCRIPTS / f"{script}.py"), *map(str, arguments)]


def answer(package: str, script: str, *arguments: str | Path) -> list[str]:
    """The output of a script."""
    with Program(*command(package, script, *arguments)) as running:
        finished = running.finish(120)
    assert finished.status == 0, finished.complaints
    return finished.output.decode().splitlines()


@pytest.fixture(scope="module")
def localhost(trustme_authority: Authority) -> Identity:
    """A certificate by a root, without an intermediate: Twisted's ``PrivateCertificate`` sends no chain."""
    return trustme_authority.issue("localhost", "127.0.0.1")


@pytest.fixture(scope="module")
def port(localhost: Identity) -> Iterator[str]:
    """The port of an HTTPS site by Twisted's SSL endpoint."""
    with Program(*command("twisted", "twisted_site", localhost.certificate, localhost.private_key)) as site:
        yield site.wait_for(rb"port (\d+)")[1].decode()


@pytest.mark.parametrize("package", ["twisted", "urllib3", "requests", "service_identity", "scrapy", "mitmproxy"])
def test_there_is_no_original(package: str) -> None:
    done = subprocess.run([PYTHONS[package], "-c", "import OpenSSL"], capture_output=True, text=True, cwd="/")
    assert "No module named 'OpenSSL'" in done.stderr


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_curl_fetches_from_twisteds_site(port: str, trustme_authority: Authority, version: str, tmp_path: Path) -> None:
    body = os.urandom(500_000)
    (tmp_path / "body").write_bytes(body)
    versions = [f"--tlsv{version}", "--tls-max", version]
    curl = [
        program("curl"),
        "-sS",
        "--noproxy",
        "*",
        "--max-time",
        "60",
        "--cacert",
        trustme_authority.trust,
        *versions,
    ]
    url = f"https://localhost:{port}/"
    assert subprocess.run([*curl, url], capture_output=True).stdout == b"hello from twisted"
    sent = subprocess.run([*curl, "--data-binary", f"@{tmp_path / 'body'}", url], capture_output=True)
    assert sent.stdout == body[::-1]


def test_twisteds_agent_fetches_and_verifies(
    port: str, trustme_authority: Authority, pyossl_authority: Authority
) -> None:
    url = f"https://localhost:{port}/"
    assert answer("twisted", "twisted_agent", trustme_authority.trust, url) == ["200 b'hello from twisted'"]
    (refusal,) = answer("twisted", "twisted_agent", pyossl_authority.trust, url)
    assert refusal.startswith("refused")
    assert "certificate verify failed" in refusal


def test_urllib3_fetches_and_verifies(port: str, trustme_authority: Authority, pyossl_authority: Authority) -> None:
    url = f"https://localhost:{port}/"
    fetched = answer("urllib3", "urllib3_fetch", trustme_authority.trust, url)
    assert fetched == ["200 b'hello from twisted'", "True"]
    (refusal,) = answer("urllib3", "urllib3_fetch", pyossl_authority.trust, url)
    assert "certificate verify failed" in refusal


def test_service_identity_looks_at_the_certificate(port: str) -> None:
    assert answer("service_identity", "service_identity_check", "127.0.0.1", port, "localhost") == [
        "2 names",
        "matches",
    ]
    refused = answer("service_identity", "service_identity_check", "127.0.0.1", port, "elsewhere.example")
    assert refused[1] == "refused VerificationError"


def test_scrapy_fetches(port: str) -> None:
    assert answer("scrapy", "scrapy_fetch", f"https://localhost:{port}/") == ["200 b'hello from twisted'"]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_curl_fetches_through_mitmproxy(port: str, trustme_authority: Authority, tmp_path: Path, version: str) -> None:
    """The proxy is a server, with certificates that it makes itself, and a client that verifies."""
    with _proxy(tmp_path, trustme_authority) as proxy:
        done = subprocess.run([*_through(proxy, tmp_path, version), f"https://localhost:{port}/"], capture_output=True)
    assert done.stdout == b"hello from twisted", done.stderr


def test_mitmproxy_verifies_the_server(port: str, pyossl_authority: Authority, tmp_path: Path) -> None:
    with _proxy(tmp_path, pyossl_authority) as proxy:
        done = subprocess.run([*_through(proxy, tmp_path, "1.3"), f"https://localhost:{port}/"], capture_output=True)
    assert b"502 Bad Gateway" in done.stdout
    assert b"Certificate verify failed" in done.stdout


def _proxy(folder: Path, upstream: Authority) -> Program:
    settings = [f"confdir={folder}", f"ssl_verify_upstream_trusted_ca={upstream.trust}"]
    options = ["--listen-host", "127.0.0.1", "--listen-port", "0"]
    return Program(
        *command("mitmproxy", "mitmdump", *options, *(part for each in settings for part in ("--set", each)))
    )


def _through(proxy: Program, folder: Path, version: str) -> list[str]:
    """Runs curl with the proxy; it trusts the authority of the proxy."""
    address = proxy.wait_for(rb"listening at (127\.0\.0\.1:\d+)")[1].decode()
    trust = str(folder / "mitmproxy-ca-cert.pem")
    versions = [f"--tlsv{version}", "--tls-max", version]
    return [
        program("curl"),
        "-sS",
        "--noproxy",
        "",
        "--max-time",
        "60",
        "--proxy",
        f"http://{address}",
        "--cacert",
        trust,
        *versions,
    ]


@pytest.fixture(scope="module")
def example_com() -> Iterator[Answering]:
    server = Answering()
    yield server
    server.close()


@pytest.mark.parametrize("page", PEER_PAGES, ids=[str(page.relative_to(ROOT)) for page in PEER_PAGES])
def test_the_commands_of_a_page_print_what_the_page_says(
    page: Path,
    authority: pyossl.Authority,
    credentials: pyossl.Credentials,
    example_com: Answering,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The programs find around them what tests/project/test_documents.py gives the programs of the other pages."""
    (tmp_path / "ca.pem").write_bytes(authority.certificate.to_pem())
    (tmp_path / "chain.pem").write_bytes(credentials.certificate_pem())
    (tmp_path / "key.pem").write_bytes(credentials.private_key.to_pem())
    (tmp_path / "public.pem").write_bytes(example_com.trust)
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):  # requests does not use the system's trust store
        monkeypatch.setenv(variable, str(tmp_path / "public.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    python = Path(PYTHONS[PEER_PAGES[page]])
    with ConsoleSession(tmp_path, example_com.listener.address[1], python, paths=[ROOT]) as session:
        session.run_page(list(blocks(page)))
