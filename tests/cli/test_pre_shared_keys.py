"""``client --psk`` and ``server --psk``: with each other, with OpenSSL's programs, and with GnuTLS's."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.cli_runs import Ran, in_a_pipe
from cli.cli_servers import Files, Served, files, our_server
from interop.free_ports import kept_to_the_loopback, port_of
from interop.programs import Program, program, where_installed
from marks import needs

import pyossl
from pyossl.cli.commands import main

assert files, "a fixture"

KEY = "000102030405060708090a0b0c0d0e0f"
PSK = f"sensor 1:{KEY}"
VERSIONS = [pytest.param("1.2")]
if pyossl.features.tls1_3:
    VERSIONS.append(pytest.param("1.3"))
each_version = pytest.mark.parametrize("version", VERSIONS)
pytestmark = needs("psk")

CLIENT = ["client", "localhost:1"]
SERVER = ["server", "--host", "203.0.113.1"]


def in_this_process(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ran:
    """A command that ends before it connects: starting a program takes longer."""
    status = main(arguments)
    return Ran(status, *capsys.readouterr())


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with two keys."""
    file = tmp_path_factory.mktemp("keys") / "keys.psk"
    file.write_text(f"\n{PSK}\na:b:aabb\r\n")
    return file


@pytest.fixture(scope="module")
def with_keys(keys: Path) -> Iterator[Served]:
    with our_server("--psk", f"@{keys}", "--psk", "third:cc") as served:
        yield served


@pytest.mark.feature("pre-shared keys on the command line")
@each_version
def test_a_server_without_a_certificate_is_verified_by_the_key(with_keys: Served, version: str, tmp_path: Path) -> None:
    (file := tmp_path / "key").write_text("a:b:aabb\n")
    for given, identity in ((PSK, "sensor 1"), (f"@{file}", "a:b"), ("third:CC", "third")):
        ran = in_a_pipe("client", with_keys.where, "--psk", given, "--max", version, feed=b"hello")
        assert (ran.status, ran.output) == (0, "hello"), ran
        assert f"  PSK             {identity}\n" in ran.errors
        assert "  verified        yes, by the pre-shared key\n" in ran.errors
        assert "  session         new" in ran.errors
        with_keys.program.wait_for(f"pre-shared key '{identity}'".encode())


@needs("tls1_3")
def test_the_log_names_the_key_also_if_the_client_adds_a_nul_and_more_to_its_identity(with_keys: Served) -> None:
    """OpenSSL gives the callback the identity up to its first NUL."""
    key = pyossl.PreSharedKey(b"third\0and more", bytes.fromhex("cc"))
    context = pyossl.Context.client(trust=pyossl.Store.empty())
    context.set_ciphersuites("TLS_AES_128_GCM_SHA256")
    context.psk_use_session_callback = lambda connection, digest: key
    port = int(with_keys.where.rpartition(":")[2])
    with pyossl.connect(("localhost", port), context) as tls:
        own_port = tls.getsockname()[1]
    line = with_keys.program.wait_for(rb":%d (TLS.*)\n" % own_port)[1]
    assert line.endswith(b", pre-shared key 'third'")


@each_version
def test_json_names_the_identity(version: str) -> None:
    with our_server("--psk", PSK) as served:
        report = json.loads(in_a_pipe("client", served.where, "--psk", PSK, "--max", version, "--json").output)
    assert report["psk_identity"] == "sensor 1"
    assert (report["verified"], report["chain"], report["session"]["resumed"]) == (True, [], False)
    assert report["signature_algorithm"] is None


@each_version
@pytest.mark.parametrize("given", [f"sensor 1:{'ff' * 16}", f"sensor 2:{KEY}"], ids=["other key", "other identity"])
def test_a_client_with_another_key_or_identity_is_refused(with_keys: Served, version: str, given: str) -> None:
    ran = in_a_pipe("client", with_keys.where, "--psk", given, "--max", version, feed=b"hello")
    assert (ran.status, ran.output) == (1, ""), ran


@each_version
def test_a_server_with_a_certificate_is_verified_by_it(files: Files, version: str) -> None:
    certificate = "--cert", files.certificate, "--key", files.key
    options = "--psk", PSK, "--max", version
    with our_server(*certificate) as served:
        assert "CertificateError" in in_a_pipe("client", served.where, *options).errors
        ran = in_a_pipe("client", served.where, "--ca", files.ca, *options)
        assert "  verified        yes, as localhost\n" in ran.errors
        assert "  PSK  " not in ran.errors
    # In TLS 1.2 the server prefers the suites of certificates.
    with our_server(*certificate, "--psk", PSK) as served:
        ran = in_a_pipe("client", served.where, "--ca", files.ca, *options)
        assert ran.status == 0
        assert ("  PSK             sensor 1\n" in ran.errors) is (version == "1.3")
        assert in_a_pipe("client", served.where, "--ca", files.ca, "--max", version).status == 0


@needs("tls1_3")
def test_the_suites_of_the_client_have_the_hash_of_the_key_unless_it_is_given_others() -> None:
    with our_server("--psk", PSK) as served:
        suites = [
            json.loads(in_a_pipe("client", served.where, "--psk", PSK, "--json", *more).output)["offered"]["ciphers"]
            for more in ((), ("--ciphers", "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"))
        ]
    assert ["TLS_AES_256_GCM_SHA384" in each for each in suites] == [False, True]


def test_the_alpn_of_a_server_without_a_certificate_is_as_that_of_others() -> None:
    with our_server("--psk", PSK, "--alpn", "b,a") as served:
        client = "client", served.where, "--psk", PSK, "--json"
        assert json.loads(in_a_pipe(*client, "--alpn", "a,b").output)["alpn"] == "b"
        assert json.loads(in_a_pipe(*client).output)["alpn"] is None
        error = json.loads(in_a_pipe(*client, "--alpn", "c").output)["error"]
        assert error["alert"] == {"number": 120, "name": "no application protocol"}
        served.program.wait_for(rb"the client offers none of the protocols b, a")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--psk", "sensor"], "--psk is not IDENTITY:KEY"),
        (["--psk", "sensor:xyz"], "has to be in hex"),
        (["--psk", "sensor:"], "a key has 1 to 256 bytes, not 0"),
        (["--psk", f"sensor:{'00' * 257}"], "a key has 1 to 256 bytes, not 257"),
        (["--psk", f"{'x' * 128}:00"], "an identity has 1 to 127 bytes"),
        (["--psk", ":00"], "an identity has 1 to 127 bytes"),
        (["--psk", "@/no/such/file"], "No such file"),
        (["--psk", "@/dev/null"], "has no line IDENTITY:KEY"),
        (["--psk", "a:00", "--psk", "b"], "--psk number 2 is not IDENTITY:KEY"),
        (["--psk", "a:00", "--psk", "a:01"], "another key for the identity 'a'"),
    ],
    ids=lambda given: given[1][:12] if isinstance(given, list) else "",
)
@pytest.mark.parametrize(
    "command", [["client", "localhost:1"], ["server", "--host", "203.0.113.1"]], ids=lambda c: c[0]
)
def test_a_wrong_key_is_wrong_usage(command: list[str], options: list[str], message: str) -> None:
    ran = in_a_pipe(*command, *options)
    assert ran.status == 2, ran
    assert message in ran.errors


def test_a_message_never_quotes_a_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file := tmp_path / "keys").write_text("a:00\nb:5ecretx\n")
    for options in (["--psk", "a:5ecretx"], ["--psk", "5ecretx"], ["--psk", f"@{file}"]):
        ran = in_this_process(capsys, *CLIENT, *options)
        assert ran.status == 2
        assert "5ecret" not in ran.errors
    assert f"line 2 of {file}: the key" in ran.errors


def test_options_that_a_key_excludes_are_wrong_usage(
    files: Files, keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for options, message in (
        (["--no-verify"], "remove --no-verify"),
        (["--dane", "3 1 1 " + "ab" * 32], "--dane verifies a certificate"),
        (["--require-ocsp"], "--require-ocsp verifies a certificate"),
        (["--sct-logs", "logs"], "--sct-logs verifies a certificate"),
        (["--public-key", "key.pem"], "give one of them"),
        (["--session", "s.pem"], "remove --session"),
        (["--psk", "other:00"], "--psk gives 2"),
        (["--psk", f"@{keys}"], "--psk gives 2"),
    ):
        ran = in_this_process(capsys, *CLIENT, "--psk", PSK, *options)
        assert ran.status == 2, ran
        assert message in ran.errors
    for options, message in (
        (["--ca", files.ca], "shows none"),
        (["--name", "x.test"], "--name is about a certificate"),
        (["--write-ca", "ca.pem"], "--write-ca is about a certificate"),
        (["--raw-public-key"], "--raw-public-key is about a certificate"),
        (["--compress", "zlib"], "--compress is about a certificate"),
        (["--staple", "r.der"], "--staple is about a certificate"),
    ):
        ran = in_this_process(capsys, *SERVER, "--psk", PSK, *options)
        assert ran.status == 2, ran
        assert message in ran.errors


# Other programs

PSK_ONLY = {
    "1.2": "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+PSK:+ECDHE-PSK",
    "1.3": "NORMAL:-VERS-ALL:+VERS-TLS1.3:+PSK:+ECDHE-PSK:+DHE-PSK",
}


@pytest.mark.feature("pre-shared keys on the command line")
@each_version
def test_s_client_comes_in(with_keys: Served, version: str) -> None:
    command = [program("openssl"), "s_client", "-connect", with_keys.where, "-psk", KEY, "-psk_identity", "sensor 1"]
    with Program(*command, f"-tls{version.replace('.', '_')}", "-ign_eof", feed=[b"hello s_client\n"]) as run:
        run.wait_for(rb"no peer certificate available")
        run.wait_for(rb"hello s_client")


@pytest.mark.feature("pre-shared keys on the command line")
@each_version
@pytest.mark.parametrize("key", [KEY, "ff" * 16], ids=["our key", "another key"])
def test_the_client_comes_in_to_s_server(version: str, key: str) -> None:
    command = [program("openssl"), "s_server", "-accept", "127.0.0.1:0", "-nocert", "-psk", KEY]
    with Program(*command, "-psk_identity", "sensor 1", "-www", f"-tls{version.replace('.', '_')}") as run:
        port = run.wait_for(rb"ACCEPT \S+:(\d+)\s")[1].decode()
        ran = in_a_pipe("client", f"localhost:{port}", "--psk", f"sensor 1:{key}", "--json")
    assert (ran.status == 0) is (key == KEY), ran
    assert json.loads(ran.output).get("psk_identity") == ("sensor 1" if key == KEY else None)


@pytest.mark.feature("pre-shared keys on the command line")
@each_version
@where_installed("gnutls-cli")
def test_gnutls_cli_comes_in(version: str) -> None:
    """The log of the server says so: in TLS 1.2, gnutls-cli 3.7 crashes after the handshake if there is no hint."""
    with our_server("--psk", PSK) as served:
        command = [program("gnutls-cli"), "--port", served.where.rpartition(":")[2], "--priority", PSK_ONLY[version]]
        with Program(*command, "--pskusername", "sensor 1", "--pskkey", KEY, "localhost"):
            served.program.wait_for(rb"TLSv%s, .*pre-shared key 'sensor 1'" % version.encode())


@contextlib.contextmanager
def gnutls_serv(keys: Path, version: str) -> Iterator[str]:
    command: list[str | Path] = [program("gnutls-serv"), "--port", "0", "--http", "--pskpasswd", keys]
    with Program(*command, "--priority", PSK_ONLY[version], environment=kept_to_the_loopback()) as run:
        run.wait_for(rb"listening on IPv4 .*done")
        yield f"127.0.0.1:{port_of(run, '127.0.0.1')}"


@pytest.mark.feature("pre-shared keys on the command line")
@each_version
@where_installed("gnutls-serv")
def test_the_client_comes_in_to_gnutls_serv_with_its_file_of_keys(version: str, tmp_path: Path) -> None:
    (keys := tmp_path / "keys.psk").write_text(f"{PSK}\n")
    with gnutls_serv(keys, version) as where:
        report = json.loads(in_a_pipe("client", where, "--psk", f"@{keys}", "--json").output)
    assert report["psk_identity"] == "sensor 1", report
