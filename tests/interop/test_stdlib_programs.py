"""Unchanged programs that use ``ssl``, over ``pyossl.stdlib``: ``ci/peers stdlib`` runs these tests.

The scripts are in tests/interop/stdlib_programs.  Each prints over what its connections are, which evidence.py there
finds out by the types of the objects in C.  ``ci/peers stdlib --original`` runs the same over Python's own ``_ssl``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from interop.authorities import Authority, Identity
from interop.bodies import GREETING
from interop.free_ports import free_port
from interop.mail_and_database import Dovecot, Exim, PostgreSQL
from interop.programs import Program, program, where_installed
from interop.pyossl_server import Serve

import pyossl

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).resolve().parent / "stdlib_programs"
PYTHONS: dict[str, str] = json.loads(os.environ.get("PYOSSL_STDLIB_PROGRAMS", "{}"))
KIND = os.environ.get("PYOSSL_STDLIB_OVER", "pyossl")
OVER = f"over {KIND}"
PROGRAMS = "clients_and_servers"

pytestmark = [
    pytest.mark.skipif(not PYTHONS, reason="ci/peers stdlib runs these: it installs the programs first"),
    pytest.mark.timeout(300),
]

# No proxy, and no authority but the test's.
CLEAN = [f"--unset={name}" for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE")]


def python(package: str = PROGRAMS, **variables: str | Path) -> list[str]:
    """The command of the Python of these programs; env(1), because a ``Program`` has the environment of the tests."""
    given = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(SCRIPTS)]), **variables}
    return ["env", *CLEAN, *(f"{name}={value}" for name, value in given.items()), PYTHONS[package], "-W", "ignore"]


def command(*arguments: str | Path, **variables: str | Path) -> list[str]:
    """The command that runs a script, or a module after "-m", over pyossl."""
    swap = ["-m", "pyossl.stdlib"] if KIND == "pyossl" else []
    return [*python(**variables), *swap, *map(str, arguments)]


def answer(script: str, *arguments: str | Path, **variables: str | Path) -> list[str]:
    """The lines that a script has printed."""
    with Program(*command(SCRIPTS / f"{script}.py", *arguments, **variables)) as running:
        finished = running.finish(120)
    assert finished.status == 0, finished.complaints
    return finished.output.decode().splitlines()


def refusal(script: str, *arguments: str | Path, **variables: str | Path) -> str:
    """Why a script has refused a server whose authority it does not trust."""
    (line,) = answer(script, *arguments, **variables)
    assert line.startswith("refused "), line
    return line.lower()


# Clients of HTTP

FETCHERS = [("urllib_fetch",), ("requests_fetch",), ("urllib3_fetch",), ("httpx_fetch",)]
FETCHERS += [("aiohttp_fetch", "asyncio"), ("aiohttp_fetch", "uvloop")]
TIMES = {"httpx_fetch": 2}
"""How often a script fetches the URL; the others fetch it once."""


@pytest.fixture
def site(identity: Identity, version: pyossl.Version) -> pyossl.Context:
    """The context of a server that accepts only one version."""
    context = pyossl.Context.server(identity.certificate, identity.private_key)
    context.minimum_version = context.maximum_version = version
    return context


@pytest.mark.parametrize("fetcher", FETCHERS, ids=" on ".join)
def test_a_client_fetches(
    fetcher: tuple[str, ...], serve: Serve, site: pyossl.Context, trustme_authority: Authority, version: pyossl.Version
) -> None:
    script, *arguments = fetcher
    with serve(site) as server:
        url = f"https://localhost:{server.address[1]}/greeting"
        lines = answer(script, trustme_authority.trust, url, *arguments)
        outcomes = [server.outcome() for _ in lines]
    assert lines == [f"200 {OVER} {GREETING!r}"] * TIMES.get(script, 1)
    for outcome in outcomes:
        assert outcome.version == version.name.replace("v1_", "v1.")
        assert outcome.server_name == "localhost"


@pytest.mark.parametrize("fetcher", FETCHERS, ids=" on ".join)
def test_a_client_refuses_a_server_that_it_does_not_trust(
    fetcher: tuple[str, ...], serve: Serve, site: pyossl.Context, pyossl_authority: Authority
) -> None:
    script, *arguments = fetcher
    with serve(site) as server:
        url = f"https://localhost:{server.address[1]}/greeting"
        said = refusal(script, pyossl_authority.trust, url, *arguments)
        with pytest.raises(pyossl.Error):
            server.outcome()
    assert "certificate verify failed" in said


def test_trio_and_anyio_fetch(serve: Serve, site: pyossl.Context, trustme_authority: Authority) -> None:
    with serve(site) as server:
        lines = answer("trio_fetch", trustme_authority.trust, "localhost", str(server.address[1]))
        for _ in lines:
            server.outcome()
    assert lines == [f"200 {OVER} {GREETING[-20:]!r}"] * 3


def test_truststore_verifies_with_the_systems_store(
    serve: Serve, site: pyossl.Context, trustme_authority: Authority, pyossl_authority: Authority
) -> None:
    with serve(site) as server:
        url = f"https://localhost:{server.address[1]}/greeting"
        lines = answer("truststore_fetch", url, SSL_CERT_FILE=trustme_authority.trust)
        assert lines == [f"200 {OVER} {GREETING!r}"] * 2
        for _ in lines:
            server.outcome()
        assert "certificate verify failed" in refusal("truststore_fetch", url, SSL_CERT_FILE=pyossl_authority.trust)


def test_pip_downloads(tmp_path: Path) -> None:
    """From the index that the environment configures, with all its settings."""
    options = ["download", "--quiet", "--no-deps", "--no-cache-dir", "--dest", str(tmp_path), "idna"]
    swap = ["-m", "pyossl.stdlib"] if KIND == "pyossl" else []
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(SCRIPTS)])}
    run = [PYTHONS[PROGRAMS], *swap, str(SCRIPTS / "pip_download.py"), *options]
    done = subprocess.run(run, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["status 0", OVER]
    assert list(tmp_path.glob("idna-*.whl"))


# Mail and databases

Session = Callable[[str, str], list[str]]


@pytest.fixture
def session(trustme_authority: Authority, pyossl_authority: Authority) -> Session:
    """``session(script, address)`` is what a script prints; with another authority, it must refuse the server."""

    def run(script: str, address: str) -> list[str]:
        host, port = address.split(":")
        lines = answer(script, trustme_authority.trust, host, port)
        assert "certificate verify failed" in refusal(script, pyossl_authority.trust, host, port)
        return lines

    return run


@where_installed("exim4")
def test_smtplib_talks_to_exim(identity: Identity, session: Session) -> None:
    with Exim().serving(identity) as started:
        assert session("smtp_session", started.address) == [f"220 {OVER} ['size']"]


@where_installed("dovecot")
def test_imaplib_talks_to_dovecot(identity: Identity, session: Session) -> None:
    with Dovecot().serving(identity) as started:
        assert session("imap_session", started.address) == [f"OK {OVER} False"]


@where_installed("postgres")
def test_pg8000_and_psycopg_talk_to_postgresql(
    identity: Identity, session: Session, trustme_authority: Authority
) -> None:
    with PostgreSQL().serving(identity) as started:
        assert session("pg8000_query", started.address) == [f"True {OVER} TLSv1.3"]
        host, port = started.address.split(":")
        both = answer("psycopg_query", trustme_authority.trust, host, port, PSYCOPG_IMPL="python")
        assert both == [f"python True True {OVER}"]


@contextmanager
def redis_server(identity: Identity, folder: Path) -> Iterator[int]:
    port = free_port("127.0.0.1")
    settings = {
        "bind": "127.0.0.1",
        "port": "0",
        "tls-port": str(port),
        "tls-cert-file": identity.certificate,
        "tls-key-file": identity.private_key,
        "tls-ca-cert-file": identity.certificate,
        "tls-auth-clients": "no",
        "save": "",
        "dir": folder,
    }
    options = [part for name, value in settings.items() for part in (f"--{name}", value)]
    with Program(program("redis-server"), *options) as run:
        run.wait_for(rb"Ready to accept connections")
        yield port


@where_installed("redis-server")
def test_redis_py_talks_to_redis(identity: Identity, session: Session, tmp_path: Path) -> None:
    with redis_server(identity, tmp_path) as port:
        assert session("redis_session", f"localhost:{port}") == [f"100000 {OVER} True"]


# Servers


def check_site(port: int, trust: Path, folder: Path, version: str) -> None:
    """curl fetches what the site says about its implementation, and a large body comes back reversed."""
    body = os.urandom(1_000_000)
    (folder / "body").write_bytes(body)
    curl = [program("curl"), "-sS", "--noproxy", "*", "--max-time", "60", "--cacert", str(trust)]
    curl += [f"--tlsv{version}", "--tls-max", version, f"https://localhost:{port}/"]
    said = subprocess.run(curl, capture_output=True)
    assert said.stdout.decode() == OVER, said.stderr
    sent = subprocess.run([*curl, "--data-binary", f"@{folder / 'body'}"], capture_output=True)
    assert sent.stdout == body[::-1], sent.stderr


VERSIONS = ("1.2", "1.3")


def test_aiohttp_serves(identity: Identity, trustme_authority: Authority, tmp_path: Path) -> None:
    with Program(*command(SCRIPTS / "aiohttp_site.py", *identity, PYTHONUNBUFFERED="1")) as run:
        port = int(run.wait_for(rb"Running on https://127\.0\.0\.1:(\d+)")[1])
        for version in VERSIONS:
            check_site(port, trustme_authority.trust, tmp_path, version)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_uvicorn_serves(loop: str, identity: Identity, trustme_authority: Authority, tmp_path: Path) -> None:
    tls = ["--ssl-certfile", identity.certificate, "--ssl-keyfile", identity.private_key]
    run = command("-m", "uvicorn", "asgi_site:application", "--port", "0", "--loop", loop, *tls)
    with Program(*run) as server:
        port = int(server.wait_for(rb"running on https://127\.0\.0\.1:(\d+)")[1])
        for version in VERSIONS:
            check_site(port, trustme_authority.trust, tmp_path, version)


def test_gunicorn_serves_with_the_startup_file(
    identity: Identity, trustme_authority: Authority, tmp_path: Path
) -> None:
    """PYOSSL_STDLIB swaps ``ssl`` in each process that gunicorn starts; its own command is unchanged."""
    variables = {}
    if KIND == "pyossl":
        enabled = subprocess.run([*python("gunicorn"), "-m", "pyossl.stdlib", "--enable"], capture_output=True)
        assert enabled.returncode == 0, enabled.stderr
        variables = {"PYOSSL_STDLIB": "1"}
    port = free_port("127.0.0.1")
    gunicorn = [str(Path(PYTHONS["gunicorn"]).with_name("gunicorn")), "wsgi_site:application", "--workers", "2"]
    tls = ["--bind", f"127.0.0.1:{port}", "--certfile", identity.certificate, "--keyfile", identity.private_key]
    run = [*python("gunicorn", **variables)[:-3], *gunicorn, *tls, "--graceful-timeout", "5"]
    with Program(*run) as server:
        try:
            server.wait_for(rb"(?s)Booting worker.*Booting worker")
            for version in VERSIONS:
                check_site(port, trustme_authority.trust, tmp_path, version)
        finally:
            server.signal(signal.SIGTERM)  # its workers end with it
            server.finish()
