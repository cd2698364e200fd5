"""Encrypted Client Hello with the openssl program, on either side."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import pytest
from interop.authorities import Authority
from interop.programs import Program, program
from interop.pyossl_server import Serve
from interop.server_peers import Service, SServer
from marks import needs

import pyossl
from pyossl import Context, ECHStatus, ECHStore

TRUE, PUBLIC = "secret.example", "cover.example"
pytestmark = needs("ech")


@dataclass
class SServerWithKey(SServer):
    """s_server(1) with a key for Encrypted Client Hello."""

    key: Path

    def command(self, service: Service) -> list[str | Path]:
        return [*super().command(service), "-ech_key", self.key]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A key that openssl ech has made."""
    file = tmp_path / "ech.pem"
    with Program(program("openssl"), "ech", "-public_name", PUBLIC, "-out", file) as run:
        assert run.finish().status == 0
    return file


@pytest.mark.feature("Encrypted Client Hello", "openssl s_server and s_client")
def test_we_come_in_to_s_server_and_are_told_the_newer_configuration(
    key: Path, pyossl_authority: Authority, folder: Path
) -> None:
    current = ECHStore(key)
    context = Context.client(trust=pyossl_authority.trust)
    with SServerWithKey(key).serving(Service(pyossl_authority.issue(TRUE, PUBLIC), folder)) as running:
        with pytest.raises(pyossl.ECHError) as caught:
            pyossl.connect(
                running.address, context, server_hostname=TRUE, timeout=60, ech=ECHStore.new(PUBLIC).config_list
            )
        assert caught.value.retry_configs == current.config_list
        with pyossl.connect(
            running.address, context, server_hostname=TRUE, timeout=60, ech=caught.value.retry_configs
        ) as tls:
            assert tls.connection.ech == (ECHStatus.SUCCESS, TRUE, PUBLIC)
            tls.sendall(b"GET /greeting HTTP/1.0\r\n\r\n")
            assert b"200 ok" in tls.recv(1000)


@pytest.mark.feature("Encrypted Client Hello", "openssl s_server and s_client")
@pytest.mark.parametrize("made_by", ["openssl ech", "pyossl"])
def test_s_client_comes_in_with_either_key(made_by: str, key: Path, pyossl_authority: Authority, serve: Serve) -> None:
    store = ECHStore(key) if made_by == "openssl ech" else ECHStore.new(PUBLIC)
    identity = pyossl_authority.issue(TRUE)
    context = Context.server(identity.certificate, identity.private_key)
    context.ech_store = store
    with serve(context) as server:
        command = [program("openssl"), "s_client", "-connect", f"{server.address[0]}:{server.address[1]}"]
        command += ["-servername", TRUE, "-verify_return_error", "-verify_hostname", TRUE]
        command += ["-CAfile", str(pyossl_authority.trust)]
        command += ["-ech_config_list", base64.b64encode(store.config_list).decode()]
        with Program(*command, feed=[b"GET /greeting HTTP/1.0\r\n\r\n"]) as run:
            finished = run.finish()
        assert server.outcome().server_name == TRUE
        assert b"ECH: success: 1" in finished.output


@pytest.mark.feature("Encrypted Client Hello", "openssl s_server and s_client")
def test_s_server_reads_a_key_of_ours(tmp_path: Path, pyossl_authority: Authority, folder: Path) -> None:
    store = ECHStore.new(PUBLIC)
    (file := tmp_path / "ours.pem").write_bytes(store.to_pem())
    context = Context.client(trust=pyossl_authority.trust)
    with (
        SServerWithKey(file).serving(Service(pyossl_authority.issue(TRUE), folder)) as running,
        pyossl.connect(running.address, context, server_hostname=TRUE, timeout=60, ech=store.config_list) as tls,
    ):
        assert tls.connection.ech.status is ECHStatus.SUCCESS
