"""``LibraryContext(fips=True)`` allows FIPS algorithms only, beside contexts without FIPS in the same process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fips_provider
import pytest
from marks import VERSIONS, needs
from pairs import carry, meet, shake_hands

import pyossl
from pyossl import Authority, Certificate, Connection, Context, LibraryContext, PrivateKey, Version
from pyossl.tls import system_openssl

WHY_NOT = fips_provider.why_not()
fips = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "there is a FIPS provider")
APPROVED = {Version.TLSv1_2: "ECDHE-ECDSA-AES128-GCM-SHA256", Version.TLSv1_3: "TLS_AES_128_GCM_SHA256"}
NOT_APPROVED = {Version.TLSv1_2: "ECDHE-ECDSA-CHACHA20-POLY1305", Version.TLSv1_3: "TLS_CHACHA20_POLY1305_SHA256"}
NOTE = "only FIPS algorithms are allowed here"


def test_the_row_that_installs_the_provider_runs_these_tests() -> None:
    if fips_provider.IN_ROW:
        assert WHY_NOT == ""


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fips_provider.install(tmp_path_factory.mktemp("fips"))


@pytest.fixture
def library(module: Path) -> LibraryContext:
    return LibraryContext(fips=module)


def only(context: Context, version: Version, suites: dict[Version, str]) -> Context:
    context.minimum_version = context.maximum_version = version
    if version is Version.TLSv1_3:
        context.set_ciphersuites(suites[version])
    else:
        context.set_cipher_list(suites[version])
    return context


def fips_server(credentials: pyossl.Credentials, library: LibraryContext) -> Context:
    return Context.server(credentials.certificate_pem(), credentials.private_key.to_pem(), library_context=library)


@needs("providers")
def test_fips_that_is_not_installed_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(pyossl.UnsupportedError) as caught:
        LibraryContext(fips=True, modules=tmp_path)
    extension = "dylib" if sys.platform == "darwin" else "so"
    assert str(caught.value).endswith(f"has no FIPS provider: there is no {tmp_path}/fips.{extension}")


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: a FIPS module that has failed to start always fails there: docs/pitfalls.md, 67."""
    env = {**os.environ, **environment}
    return subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60)


@fips
def test_fips_that_is_not_configured_says_how_to_do_it(tmp_path: Path, module: Path) -> None:
    program = f"""
import pyossl
try:
    pyossl.LibraryContext(fips=True)
except pyossl.Error as error:
    print(error)
print(pyossl.LibraryContext(fips={str(module)!r}).is_fips_enabled)
"""
    said = run(program, OPENSSL_CONF=str(tmp_path / "openssl.cnf")).stdout.splitlines()
    expected = tmp_path / "fipsmodule.cnf"
    assert said[0].endswith(
        f"there is no {expected}. Make it with: openssl fipsinstall "
        f"-module {fips_provider.provider_file()} -out {expected}"
    )
    assert said[1] == "True"


@fips
def test_the_configuration_beside_openssl_cnf_is_found(module: Path) -> None:
    program = "import pyossl; print(pyossl.LibraryContext(fips=True))"
    said = run(program, OPENSSL_CONF=str(module.parent / "openssl.cnf"))
    assert said.stdout == "<LibraryContext FIPS providers=base,fips>\n", said.stderr


@fips
def test_a_module_with_another_checksum_does_not_start(module: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.cnf"
    broken.write_text(module.read_text().replace("module-mac = ", "module-mac = 00:"))
    program = f"""
import pyossl
for _ in range(2):
    try:
        print(pyossl.LibraryContext(fips={str(broken)!r}))
    except pyossl.Error as error:
        print(error)
"""
    said = run(program).stdout.splitlines()
    assert [("failed: " in line, "broken.cnf" in line) for line in said] == [(True, True)] * 2, said


@fips
def test_a_file_that_fipsinstall_has_not_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.cnf").write_text("openssl_conf = first\n[first]\n")
    with pytest.raises(ValueError, match="is not the file that openssl fipsinstall writes"):
        LibraryContext(fips=tmp_path / "other.cnf")


@fips
def test_fips_is_in_force_in_its_library_context_only(library: LibraryContext) -> None:
    assert library.is_fips_enabled
    assert {provider.name for provider in library.providers} == {"base", "fips"}
    assert all(provider.active for provider in library.providers)
    assert repr(library) == "<LibraryContext FIPS providers=base,fips>"
    assert not system_openssl.is_fips_enabled()
    assert "TLS_CHACHA20_POLY1305_SHA256" in Context.client(verify=False).ciphers
    assert "TLS_CHACHA20_POLY1305_SHA256" not in Context.client(verify=False, library_context=library).ciphers


@fips
def test_fips_stays_in_force_whatever_else_is_asked_for(module: Path) -> None:
    library = LibraryContext(fips=module, properties="fips=no", providers=("default", "legacy"))
    assert library.is_fips_enabled
    with pytest.raises(pyossl.UnsupportedError, match=NOTE):
        PrivateKey.generate("X25519", library_context=library)
    outside = PrivateKey.generate("EC", group="secp256k1").to_pem()
    with pytest.raises(pyossl.UnsupportedError, match=NOTE):
        PrivateKey.load(outside, library_context=library)


@fips
@pytest.mark.feature("FIPS in a part of a process")
@VERSIONS
def test_a_handshake_with_approved_algorithms_passes(
    version: Version, library: LibraryContext, authority: Authority, credentials: pyossl.Credentials
) -> None:
    client_context = only(Context.client(trust=authority.certificate, library_context=library), version, APPROVED)
    client, server = meet(client_context, fips_server(credentials, library))
    client.write(b"approved")
    carry(client, server)
    assert server.read() == b"approved"
    assert client.cipher == APPROVED[version]
    assert client.group == "secp256r1" or version is Version.TLSv1_3


@fips
@VERSIONS
def test_a_peer_with_only_a_suite_that_is_not_approved_is_refused(
    version: Version, library: LibraryContext, authority: Authority, credentials: pyossl.Credentials
) -> None:
    """On either side.  Without FIPS, the same two agree: so FIPS is the reason."""
    plain_server = only(Context.server(credentials.certificate, credentials.private_key), version, NOT_APPROVED)
    plain_client = only(Context.client(trust=authority.certificate), version, NOT_APPROVED)
    meet(plain_client, plain_server)
    with pytest.raises(pyossl.TLSError, match="no shared cipher"):
        meet(Context.client(trust=authority.certificate, library_context=library), plain_server)
    with pytest.raises(pyossl.TLSError, match="no shared cipher"):
        meet(plain_client, fips_server(credentials, library))


@fips
def test_a_peer_with_only_a_group_that_is_not_approved_is_refused(
    library: LibraryContext, authority: Authority, credentials: pyossl.Credentials
) -> None:
    plain = Context.client(trust=authority.certificate, minimum_version=Version.TLSv1_3)
    plain.set_groups("X25519")
    meet(plain, Context.server(credentials.certificate, credentials.private_key))
    with pytest.raises(pyossl.TLSError, match="no suitable key share"):
        meet(plain, fips_server(credentials, library))


@fips
def test_a_peer_with_a_key_that_is_not_approved_is_refused(library: LibraryContext, authority: Authority) -> None:
    issued = authority.issue("example.com", private_key=PrivateKey.generate("EC", group="brainpoolP256r1"))
    server_context = Context.server(issued.certificate, issued.private_key)
    for context in (server_context, plain := Context.client(trust=authority.certificate)):
        context.maximum_version = Version.TLSv1_2
        context.set_groups("brainpoolP256r1:P-256")
    meet(plain, server_context)
    strict = Context.client(trust=authority.certificate, library_context=library)
    with pytest.raises(pyossl.TLSError):
        shake_hands(Connection(strict, "example.com"), Connection(server_context))


SETTINGS: dict[str, Callable[[Context], object]] = {
    "ciphersuites": lambda context: context.set_ciphersuites("TLS_CHACHA20_POLY1305_SHA256"),
    "cipher list": lambda context: context.set_cipher_list("ECDHE-RSA-CHACHA20-POLY1305"),
    "X25519": lambda context: context.set_groups("X25519"),
    "brainpool": lambda context: context.set_groups("brainpoolP256r1tls13"),
}


@fips
@pytest.mark.feature("FIPS in a part of a process")
@pytest.mark.parametrize("choose", SETTINGS.values(), ids=SETTINGS)
def test_what_is_not_approved_cannot_be_chosen(choose: Callable[[Context], object], library: LibraryContext) -> None:
    with pytest.raises(ValueError, match=NOTE):
        choose(Context.client(verify=False, library_context=library))
    choose(Context.client(verify=False))


KEYS: list[tuple[str, dict[str, Any]]] = [
    ("EC", {"group": "secp256k1"}),
    ("EC", {"group": "brainpoolP256r1"}),
    ("X25519", {}),
    ("X448", {}),
    ("SM2", {}),
]


@fips
@pytest.mark.parametrize(("kind", "options"), KEYS, ids=str)
def test_a_key_that_is_not_approved_is_refused(kind: str, options: dict[str, Any], library: LibraryContext) -> None:
    """OpenSSL reads some of them without a provider: docs/pitfalls.md, 68."""
    with pytest.raises(pyossl.UnsupportedError, match=NOTE):
        PrivateKey.generate(kind, **options, library_context=library)
    key = PrivateKey.generate(kind, **options)
    for data in (key.to_pem(), key.to_der(), key.to_pem("secret password")):
        with pytest.raises((pyossl.UnsupportedError, pyossl.DecodeError), match=NOTE):
            PrivateKey.load(data, "secret password", library_context=library)


@fips
def test_a_key_that_is_too_short_is_not_generated(library: LibraryContext) -> None:
    with pytest.raises(pyossl.Error, match=NOTE):
        PrivateKey.generate("RSA", bits=1024, library_context=library)


@fips
@pytest.mark.parametrize(
    ("kind", "options"), [("EC", {}), ("RSA", {"bits": 2048}), ("EC", {"group": "P-384"})], ids=str
)
def test_an_authority_with_approved_keys_issues(kind: str, options: dict[str, Any], library: LibraryContext) -> None:
    authority = Authority("FIPS", private_key=PrivateKey.generate(kind, **options, library_context=library))
    issued = authority.issue("example.com")
    server = Context.server(issued.certificate, issued.private_key, library_context=library)
    meet(Context.client(trust=authority.certificate, library_context=library), server)
    assert Certificate.load(issued.certificate.to_pem()) == issued.certificate
    encrypted = issued.private_key.to_pem("a password of some length")
    assert PrivateKey.load(encrypted, "a password of some length", library_context=library) == issued.private_key


@fips
@pytest.mark.feature("FIPS on the command line")
def test_the_command_line_uses_fips(module: Path, authority: Authority, credentials: pyossl.Credentials) -> None:
    env = {**os.environ, "OPENSSL_CONF": str(module.parent / "openssl.cnf")}
    command = [sys.executable, "-m", "pyossl"]
    said = subprocess.run([*command, "info", "--json"], env=env, capture_output=True, text=True, timeout=60, check=True)
    openssl = json.loads(said.stdout)["openssl"]
    assert openssl["fips_provider"] == {"version": openssl["version"].split()[1], "reason": None}
    assert not openssl["fips"]
    refused = [*command, "client", "--fips", "--groups", "X25519", "localhost:1"]
    done = subprocess.run(refused, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert NOTE in " ".join(done.stderr.split())
