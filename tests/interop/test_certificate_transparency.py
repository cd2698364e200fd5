"""Certificate transparency with s_server, which sends a timestamp, and s_client, which checks one."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from interop.authorities import Authority, Identity
from interop.programs import Program, program
from interop.pyossl_server import Serve
from interop.server_peers import Service, SServer, s_version
from marks import needs
from tls.authentication.certificate_log import DAY, NOW, Log

import pyossl
from pyossl import Context, SCTSource, SCTStatus, Version

pytestmark = needs("ct")
IN_CLIENT_HELLO, IN_SERVER_HELLO, IN_CERTIFICATE, NOT_ON_RESUMPTION = 0x80, 0x100, 0x1000, 0x40
SCTS = 18


class SServerWithTimestamp(SServer):
    """s_server(1) that sends a timestamp, from a file of its own format."""

    def command(self, service: Service) -> list[str | Path]:
        return [*super().command(service), "-serverinfo", service.folder / "serverinfo.pem"]


@pytest.mark.feature("certificate transparency, both sides", "openssl s_server and s_client")
def test_we_check_the_timestamp_of_s_server(
    version: Version, identity: Identity, trustme_authority: Authority, tmp_path: Path
) -> None:
    log = Log()
    sct = log.timestamp(pyossl.Certificate.load(identity.certificate))
    body = (len(sct) + 2).to_bytes(2, "big") + len(sct).to_bytes(2, "big") + sct
    messages = IN_CLIENT_HELLO | IN_SERVER_HELLO | IN_CERTIFICATE | NOT_ON_RESUMPTION
    data = messages.to_bytes(4, "big") + SCTS.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body
    label = b"SERVERINFOV2 FOR SCTS"
    pem = b"-----BEGIN %s-----\n%s-----END %s-----\n" % (label, base64.encodebytes(data), label)
    (tmp_path / "serverinfo.pem").write_bytes(pem)
    context = Context.client(trust=trustme_authority.trust)
    context.verify_scts(log.list_in(tmp_path / "logs.cnf"), required=True)
    with (
        SServerWithTimestamp().serving(Service(identity, tmp_path, version=version)) as running,
        pyossl.connect(running.address, context, server_hostname="localhost", timeout=60) as tls,
    ):
        assert tls.connection.scts == ((log.id, NOW - DAY, SCTSource.TLS_EXTENSION, SCTStatus.VALID),)


@pytest.mark.feature("certificate transparency, both sides", "openssl s_server and s_client")
@pytest.mark.parametrize("is_trusted", [True, False], ids=["a trusted log", "another log"])
def test_s_client_checks_our_timestamp(
    is_trusted: bool, version: Version, identity: Identity, trustme_authority: Authority, serve: Serve, tmp_path: Path
) -> None:
    log = Log()
    context = Context.server(*identity)
    context.send_scts([log.timestamp(pyossl.Certificate.load(identity.certificate))])
    trusted = (log if is_trusted else Log()).list_in(tmp_path / "logs.cnf")
    with serve(context) as server:
        command = [program("openssl"), "s_client", "-connect", f"{server.address[0]}:{server.address[1]}"]
        command += ["-ct", "-ctlogfile", str(trusted), s_version(version)]
        command += ["-CAfile", str(trustme_authority.trust)]
        with Program(*command, feed=[b"GET /greeting HTTP/1.0\r\n\r\n"]) as run:
            finished = run.finish()
        server.outcome()
    assert b"SCTs present (1)" in finished.output
    assert (re.search(rb"alidation status: valid", finished.output) is not None) is is_trusted
