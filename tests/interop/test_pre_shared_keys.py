"""Pre-shared keys with the programs of OpenSSL and GnuTLS, on either side."""

from __future__ import annotations

from pathlib import Path

import pytest
from interop.authorities import Identity
from interop.gnutls_peers import GnutlsServer
from interop.programs import Program, program, where_installed
from interop.pyossl_server import Serve
from interop.server_peers import Service, SServer
from marks import VERSIONS, needs

import pyossl
from pyossl import Context, PreSharedKey, Version

KEY = bytes(range(16))
IDENTITY = "Client_identity"
FLAGS = {Version.TLSv1_2: "-tls1_2", Version.TLSv1_3: "-tls1_3"}
pytestmark = needs("psk")


class SServerWithKey(SServer):
    """s_server(1) that knows a pre-shared key, and has no certificate."""

    def command(self, service: Service) -> list[str | Path]:
        return [*super().command(service), "-psk", KEY.hex(), "-psk_identity", IDENTITY]


def restricted(context: Context, version: Version) -> Context:
    context.minimum_version = context.maximum_version = version
    context.set_cipher_list("PSK+AESGCM")
    context.set_ciphersuites("TLS_AES_128_GCM_SHA256")  # s_server chooses by itself, and a key is for SHA-256
    return context


@pytest.mark.feature("pre-shared keys, client and server", "openssl s_server and s_client")
@VERSIONS
@pytest.mark.parametrize("key", [KEY, bytes(16)], ids=["our key", "another key"])
def test_s_client_comes_in_with_our_key_alone(key: bytes, version: Version, serve: Serve) -> None:
    context = restricted(Context(is_server=True), version)
    context.psk_server_callback = lambda connection, identity: KEY if identity == IDENTITY.encode() else None
    with serve(context) as server:
        command = [program("openssl"), "s_client", "-connect", f"{server.address[0]}:{server.address[1]}"]
        command += ["-psk", key.hex(), "-psk_identity", IDENTITY, FLAGS[version]]
        with Program(*command, feed=[b"GET /greeting HTTP/1.0\r\n\r\n"]) as run:
            finished = run.finish()
        if key == KEY:
            assert server.outcome().version == version.name.replace("_", ".")
            assert b"no peer certificate available" in finished.output
        else:
            with pytest.raises(pyossl.TLSError):
                server.outcome()


@pytest.mark.feature("pre-shared keys, client and server", "openssl s_server and s_client")
@VERSIONS
def test_we_come_in_to_s_server_with_its_key_alone(version: Version, identity: Identity, folder: Path) -> None:
    context = restricted(Context.client(trust=pyossl.Store.empty()), version)
    context.psk_client_callback = lambda connection, hint: (IDENTITY.encode(), KEY)
    with (
        SServerWithKey().serving(Service(identity, folder, version=version)) as running,
        pyossl.connect(running.address, context, server_hostname="localhost", timeout=60) as tls,
    ):
        assert tls.connection.peer_certificate is None
        assert tls.version == version.name.replace("_", ".")


@pytest.mark.feature("TLS 1.3 pre-shared keys with their hash, and any identity", "openssl s_server and s_client")
@pytest.mark.parametrize("key", [KEY, bytes(16)], ids=["our key", "another key"])
def test_s_client_comes_in_by_the_callback_for_tls_1_3(key: bytes, serve: Serve) -> None:
    context = tls_1_3_server()
    with serve(context) as server:
        command = [program("openssl"), "s_client", "-connect", f"{server.address[0]}:{server.address[1]}"]
        command += ["-psk", key.hex(), "-psk_identity", IDENTITY, "-tls1_3"]
        with Program(*command, feed=[b"GET /greeting HTTP/1.0\r\n\r\n"]) as run:
            finished = run.finish()
        if key == KEY:
            assert server.outcome().cipher == "TLS_AES_128_GCM_SHA256"
            assert b"no peer certificate available" in finished.output
        else:
            with pytest.raises(pyossl.TLSError):
                server.outcome()


@pytest.mark.feature("TLS 1.3 pre-shared keys with their hash, and any identity", "openssl s_server and s_client")
def test_we_come_in_to_s_server_by_the_callback_for_tls_1_3(identity: Identity, folder: Path) -> None:
    with (
        SServerWithKey().serving(Service(identity, folder, version=Version.TLSv1_3)) as running,
        pyossl.connect(running.address, tls_1_3_client(), server_hostname="localhost", timeout=60) as tls,
    ):
        assert tls.connection.peer_certificate is None
        assert tls.cipher == "TLS_AES_128_GCM_SHA256"


def tls_1_3_server() -> Context:
    context = Context(is_server=True)
    known = PreSharedKey(IDENTITY.encode(), KEY)
    context.psk_find_session_callback = lambda connection, identity: known if identity == known.identity else None
    context.set_ciphersuites("TLS_AES_128_GCM_SHA256")
    return context


def tls_1_3_client() -> Context:
    context = Context.client(trust=pyossl.Store.empty())
    context.psk_use_session_callback = lambda connection, digest: PreSharedKey(IDENTITY.encode(), KEY)
    context.set_ciphersuites("TLS_AES_128_GCM_SHA256")
    return context


GNUTLS = {
    Version.TLSv1_2: "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+PSK:+ECDHE-PSK",
    Version.TLSv1_3: "NORMAL:-VERS-ALL:+VERS-TLS1.3:+PSK:+ECDHE-PSK:+DHE-PSK",
}


class GnutlsServerWithKey(GnutlsServer):
    """gnutls-serv that knows a pre-shared key."""

    def command(self, service: Service) -> list[str | Path]:
        keys = service.identity.certificate.with_name("keys.psk")
        keys.write_text(f"{IDENTITY}:{KEY.hex()}\n")
        assert service.version is not None
        return [*super().command(service), "--pskpasswd", keys, "--priority", GNUTLS[service.version]]


def gnutls_contexts(version: Version) -> tuple[Context, Context]:
    """A client's and a server's: by the callbacks for TLS 1.3, or by the older ones for TLS 1.2."""
    if version is Version.TLSv1_3:
        return tls_1_3_client(), tls_1_3_server()
    client = restricted(Context.client(trust=pyossl.Store.empty()), version)
    client.psk_client_callback = lambda connection, hint: (IDENTITY.encode(), KEY)
    server = restricted(Context(is_server=True), version)
    server.psk_server_callback = lambda connection, identity: KEY if identity == IDENTITY.encode() else None
    return client, server


@pytest.mark.feature("pre-shared keys, client and server", "GnuTLS")
@pytest.mark.feature("TLS 1.3 pre-shared keys with their hash, and any identity")
@VERSIONS
@pytest.mark.parametrize("key", [KEY, bytes(16)], ids=["our key", "another key"])
@where_installed("gnutls-cli")
def test_gnutls_cli_comes_in_with_our_key_alone(key: bytes, version: Version, serve: Serve) -> None:
    with serve(gnutls_contexts(version)[1]) as server:
        command = [program("gnutls-cli"), "--port", str(server.address[1]), "--priority", GNUTLS[version]]
        command += ["--pskusername", IDENTITY, "--pskkey", key.hex(), "--logfile", "/dev/stderr", server.address[0]]
        with Program(*command, feed=[b"GET /greeting HTTP/1.0\r\n\r\n"]) as run:
            finished = run.finish()
        if key == KEY:
            assert finished.status == 0, finished
            assert server.outcome().version == version.name.replace("_", ".")
        else:
            with pytest.raises(pyossl.TLSError):
                server.outcome()


@pytest.mark.feature("pre-shared keys, client and server", "GnuTLS")
@pytest.mark.feature("TLS 1.3 pre-shared keys with their hash, and any identity")
@VERSIONS
@where_installed("gnutls-serv")
def test_we_come_in_to_gnutls_serv_with_its_key_alone(version: Version, identity: Identity, folder: Path) -> None:
    with (
        GnutlsServerWithKey().serving(Service(identity, folder, version=version)) as running,
        pyossl.connect(running.address, gnutls_contexts(version)[0], server_hostname="localhost", timeout=60) as tls,
    ):
        assert tls.connection.peer_certificate is None
        assert tls.version == version.name.replace("_", ".")
