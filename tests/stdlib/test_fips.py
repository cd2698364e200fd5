"""``requests`` over ``pyossl.stdlib`` obeys the FIPS provider that openssl.cnf configures for the system's OpenSSL.

tests/fips_provider.py says where the provider comes from.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fips_provider
import pytest
from interop.authorities import Identity, PyosslAuthority
from interop.bodies import GREETING
from interop.pyossl_server import Answering, answer_from

import pyossl

SCRIPT = Path(__file__).resolve().parents[1] / "interop" / "stdlib_programs" / "requests_fetch.py"

APPROVED = {"TLSv1.2": "ECDHE-ECDSA-AES128-GCM-SHA256", "TLSv1.3": "TLS_AES_128_GCM_SHA256"}
NOT_APPROVED = {"TLSv1.2": "ECDHE-ECDSA-CHACHA20-POLY1305", "TLSv1.3": "TLS_CHACHA20_POLY1305_SHA256"}

CONFIGURATION = """\
openssl_conf = system
.include {module}
[system]
providers = providers
alg_section = algorithms
[providers]
fips = fips_sect
base = base_sect
[base_sect]
activate = 1
[algorithms]
default_properties = fips=yes
"""


def _why_not() -> str:
    """Why the tests cannot run here; "" if they can."""
    if why := fips_provider.why_not():
        return why
    if importlib.util.find_spec("requests") is None:
        return "requests is not installed: row 3.5 of ci/matrix installs it"
    return ""


def test_the_row_that_installs_the_provider_runs_these_tests() -> None:
    if fips_provider.IN_ROW:
        assert _why_not() == ""


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An openssl.cnf with the FIPS provider, after its self-test: openssl-fipsinstall(1)."""
    if why := _why_not():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("fips")
    (folder / "openssl.cnf").write_text(CONFIGURATION.format(module=fips_provider.install(folder)))
    return folder / "openssl.cnf"


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Identity]:
    authority = PyosslAuthority(tmp_path_factory.mktemp("authority"))
    return authority.trust, authority.issue("localhost")


@pytest.fixture
def server(request: pytest.FixtureRequest, identity: tuple[Path, Identity], tmp_path: Path) -> Iterator[Answering]:
    """A server without FIPS, which has only one cipher suite; it is in this process."""
    version, suite = request.param
    context = pyossl.Context.server(*identity[1])
    context.minimum_version = context.maximum_version = pyossl.Version[version.replace(".", "_")]
    if version == "TLSv1.3":
        context.set_ciphersuites(suite)
    else:
        context.set_cipher_list(suite)
    (tmp_path / "greeting").write_bytes(GREETING)
    answering = Answering(answer_from(tmp_path), context, "127.0.0.1")
    yield answering
    answering.close()


def fetch(server: Answering, trust: Path, *, configuration: Path | None) -> str:
    """What a process with requests says about the server, over pyossl; without a configuration, without FIPS."""
    env = {name: value for name, value in os.environ.items() if name not in ("OPENSSL_CONF", "REQUESTS_CA_BUNDLE")}
    if configuration is not None:
        env["OPENSSL_CONF"] = str(configuration)
    command = [sys.executable, "-m", "pyossl.stdlib", str(SCRIPT), str(trust)]
    url = f"https://localhost:{server.address[1]}/greeting"
    done = subprocess.run([*command, url], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("server", APPROVED.items(), indirect=True, ids=lambda each: each[0])
def test_a_server_with_an_approved_suite_is_fetched(
    server: Answering, configuration: Path, identity: tuple[Path, Identity]
) -> None:
    assert fetch(server, identity[0], configuration=configuration) == f"200 over pyossl {GREETING!r}"


@pytest.mark.feature("the system's FIPS module in programs that use ssl")
@pytest.mark.parametrize("server", NOT_APPROVED.items(), indirect=True, ids=lambda each: each[0])
def test_a_server_with_only_a_suite_that_is_not_approved_is_refused(
    server: Answering, configuration: Path, identity: tuple[Path, Identity]
) -> None:
    """Without FIPS, the same program fetches it: so the provider is the reason."""
    said = fetch(server, identity[0], configuration=configuration)
    assert said.startswith("refused")
    assert "handshake failure" in said.lower().replace("_", " ")
    with pytest.raises(pyossl.TLSError, match="no shared cipher"):
        server.outcome()
    assert fetch(server, identity[0], configuration=None) == f"200 over pyossl {GREETING!r}"
