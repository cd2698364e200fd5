"""Raw public keys with the programs of OpenSSL and GnuTLS, on either side."""

from __future__ import annotations

from pathlib import Path

import pytest
from interop.authorities import Identity
from interop.gnutls_peers import PRIORITIES, GnutlsServer
from interop.programs import Program, program, where_installed
from interop.pyossl_server import Serve
from interop.server_peers import Service, SServer, s_version
from marks import VERSIONS, needs

import pyossl
from pyossl import CertificateError, CertificateType, Context, PrivateKey, PublicKey, Store, Version, lib

REQUEST = b"GET /greeting HTTP/1.0\r\n\r\n"
CTYPES = ":+CTYPE-SRV-RAWPK:+CTYPE-CLI-RAWPK"
pytestmark = needs("raw_public_keys")


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return PrivateKey.generate()


class SServerWithRawKeys(SServer):
    """s_server(1) that shows a raw public key, and asks clients for theirs."""

    def command(self, service: Service) -> list[str | Path]:
        return [*super().command(service), "-enable_server_rpk", "-enable_client_rpk", "-verify", "5"]


class GnutlsServerWithRawKey(GnutlsServer):
    """gnutls-serv(1) that shows a raw public key."""

    def command(self, service: Service) -> list[str | Path]:
        key = service.folder / "raw.pem"
        key.write_bytes(PrivateKey.load(str(service.identity.private_key)).to_pem())
        public = service.folder / "raw-public.pem"
        public.write_bytes(PrivateKey.load(key).public_key.to_pem())
        command = super().command(service)
        command[command.index("--priority") + 1] = PRIORITIES[service.version] + CTYPES
        return [*command, "--rawpkkeyfile", key, "--rawpkfile", public]


def client(version: Version, expected: PublicKey, own: PrivateKey | None = None) -> Context:
    context = Context.client(
        trust=Store.empty(), check_hostname=False, minimum_version=version, maximum_version=version
    )
    context.expect_public_keys([expected])
    if own is not None:
        context.use_raw_public_key(own)
    return context


SERVERS = pytest.mark.parametrize(
    "server",
    [
        pytest.param(SServerWithRawKeys(), id="s_server"),
        pytest.param(GnutlsServerWithRawKey(), id="gnutls-serv", marks=where_installed("gnutls-serv")),
    ],
)


@pytest.mark.feature("raw public keys, client and server", "openssl s_server and s_client")
@VERSIONS
@SERVERS
def test_we_accept_a_servers_key_if_we_expect_it(
    server: SServer, version: Version, key: PrivateKey, identity: Identity, folder: Path
) -> None:
    theirs = PrivateKey.load(str(identity.private_key)).public_key
    with server.serving(Service(identity, folder, version=version)) as running:
        address = running.address
        with pyossl.connect(address, client(version, theirs, key), server_hostname="localhost", timeout=60) as tls:
            assert tls.peer_public_key == theirs
            assert tls.peer_certificate is None
            assert tls.server_certificate_type is CertificateType.RAW_PUBLIC_KEY
            tls.sendall(REQUEST)
            assert b"200" in tls.recv(100)
        with pytest.raises(CertificateError, match="Raw public key untrusted"):
            pyossl.connect(address, client(version, key.public_key), server_hostname="localhost", timeout=60)


@pytest.mark.feature("raw public keys, client and server", "openssl s_server and s_client")
@VERSIONS
def test_s_client_gets_our_key_and_shows_its_own(
    version: Version, key: PrivateKey, identity: Identity, serve: Serve, tmp_path: Path
) -> None:
    theirs = PrivateKey.load(str(identity.private_key)).public_key
    (ours := tmp_path / "ours.pem").write_bytes(key.public_key.to_pem())
    for expected in (theirs, key.public_key):
        context = Context(is_server=True)
        context.use_raw_public_key(key)
        context.expect_public_keys([expected])
        with serve(context) as server:
            command = [program("openssl"), "s_client", "-connect", f"{server.address[0]}:{server.address[1]}"]
            command += ["-enable_server_rpk", "-enable_client_rpk", s_version(version)]
            command += ["-cert", str(identity.certificate), "-key", str(identity.private_key)]
            if lib.HAVE_API_4_0:
                command += ["-expected-rpks", str(ours), "-verify_return_error"]
            with Program(*command, feed=[REQUEST]) as run:
                finished = run.finish()
            if expected == theirs:
                assert server.outcome().client is None
                assert b"Server-to-client raw public key negotiated" in finished.output
            else:
                with pytest.raises(CertificateError, match="Raw public key untrusted"):
                    server.outcome()


@pytest.mark.feature("raw public keys, client and server", "openssl s_server and s_client")
@VERSIONS
@where_installed("gnutls-cli")
def test_gnutls_cli_gets_our_key_and_shows_its_own(
    version: Version, key: PrivateKey, serve: Serve, tmp_path: Path
) -> None:
    own = PrivateKey.generate()
    (private := tmp_path / "own.pem").write_bytes(own.to_pem())
    (public := tmp_path / "own-public.pem").write_bytes(own.public_key.to_pem())
    for expected in (own.public_key, key.public_key):
        context = Context(is_server=True)
        context.use_raw_public_key(key)
        context.expect_public_keys([expected])
        with serve(context) as server:
            command = [program("gnutls-cli"), "--port", str(server.address[1]), "--no-ca-verification"]
            command += ["--priority", PRIORITIES[version] + CTYPES, "--logfile", "/dev/stderr"]
            command += ["--rawpkkeyfile", str(private), "--rawpkfile", str(public), server.address[0]]
            with Program(*command, feed=[REQUEST]) as run:
                run.finish()
            if expected == own.public_key:
                assert server.outcome().client is None
            else:
                with pytest.raises(CertificateError, match="Raw public key untrusted"):
                    server.outcome()
