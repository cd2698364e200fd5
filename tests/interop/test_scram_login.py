"""A login to PostgreSQL that is bound to the TLS connection: examples/postgresql_login.py."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from interop.authorities import Authority, Identity
from interop.mail_and_database import PostgreSQL
from interop.programs import Finished, Program, where_installed

import pyossl
from pyossl import lib

PASSWORD = "correct horse"
EXAMPLE = Path(__file__).parents[2] / "examples" / "postgresql_login.py"
pytestmark = where_installed("postgres")


class PostgreSQLWithPassword(PostgreSQL):
    """It takes the password by SCRAM-SHA-256, and offers SCRAM-SHA-256-PLUS over TLS."""

    def authentication(self, folder: Path) -> list[str | Path]:
        file = folder / "password"
        file.write_text(f"{PASSWORD}\n")
        os.chown(file, pwd.getpwnam(self.user).pw_uid, -1)
        return ["-A", "scram-sha-256", "--pwfile", file]


def log_in(address: str, trust: Path, password: str = PASSWORD) -> Finished:
    command = [sys.executable, EXAMPLE, *address.split(":"), "owner", password, trust, "localhost"]
    with Program(*command) as run:
        return run.finish()


@pytest.fixture(scope="module")
def address(identity: Identity) -> Iterator[str]:
    with PostgreSQLWithPassword().serving(identity) as started:
        yield started.address


@pytest.mark.feature("channel bindings tls-exporter, tls-server-end-point, tls-unique")
def test_postgresql_accepts_a_login_that_is_bound_to_the_connection(address: str, trustme_authority: Authority) -> None:
    finished = log_in(address, trustme_authority.trust)
    assert finished.status == 0, finished
    version = "TLSv1.3" if lib.HAVE_TLS1_3 else "TLSv1.2"
    assert finished.output.decode() == f"logged in by SCRAM-SHA-256-PLUS with tls-server-end-point, over {version}\n"


def test_postgresql_refuses_another_password(address: str, trustme_authority: Authority) -> None:
    finished = log_in(address, trustme_authority.trust, "wrong")
    assert finished.status == 1
    assert "password authentication failed" in finished.complaints


def test_postgresql_refuses_a_login_that_an_attacker_in_the_middle_passes_on(
    address: str, trustme_authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attacker has a certificate of its own: the client's binding is to that one, and not to PostgreSQL's."""
    attacker = pyossl.self_signed("localhost").certificate
    example = ModuleType("postgresql_login")
    exec(compile(EXAMPLE.read_text(), EXAMPLE, "exec"), vars(example))
    monkeypatch.setattr(pyossl.Socket, "channel_binding", lambda tls, kind: attacker.fingerprint())
    host, port = address.split(":")
    with pytest.raises(SystemExit, match="channel binding check failed"):
        example.main(host, port, "owner", PASSWORD, str(trustme_authority.trust), "localhost")
