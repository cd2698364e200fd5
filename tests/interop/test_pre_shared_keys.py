"""Pre-shared keys with the openssl program, on either side."""

from __future__ import annotations

from pathlib import Path

import pytest
from interop.authorities import Identity
from interop.programs import Program, program
from interop.pyossl_server import Serve
from interop.server_peers import Service, SServer

import pyossl
from pyossl import Context, Version, lib

KEY = bytes(range(16))
IDENTITY = "Client_identity"
VERSIONS = pytest.mark.parametrize("version", [Version.TLSv1_2, Version.TLSv1_3], ids=lambda version: version.name)
FLAGS = {Version.TLSv1_2: "-tls1_2", Version.TLSv1_3: "-tls1_3"}
pytestmark = pytest.mark.skipif(not lib.HAVE_PSK, reason="this OpenSSL has no pre-shared keys")


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
