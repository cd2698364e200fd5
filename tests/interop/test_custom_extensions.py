"""Extensions of the program's own, with the programs of OpenSSL on the other side."""

from __future__ import annotations

import base64
import textwrap
from pathlib import Path

import pytest
from interop.authorities import Authority
from interop.programs import Program, program
from interop.pyossl_server import Serve
from interop.server_peers import Service, SServer

import pyossl
from pyossl import Context, CustomExtension, ExtensionContext, Version

TYPE = 65312


@pytest.mark.feature("extensions of the program's own, with callbacks", "openssl s_server and s_client")
def test_s_client_asks_for_our_extension_and_prints_it(pyossl_authority: Authority, serve: Serve) -> None:
    identity = pyossl_authority.issue("localhost")
    received: list[CustomExtension] = []
    context = Context.server(identity.certificate, identity.private_key)
    context.add_extension(
        TYPE,
        add=lambda connection, extension: b"from the server",
        parse=lambda connection, extension: received.append(extension),
    )
    with serve(context) as server:
        command = [program("openssl"), "s_client", "-connect", f"{server.address[0]}:{server.address[1]}"]
        # s_client adds its extension for TLS 1.2 alone.
        command += ["-serverinfo", str(TYPE), "-tls1_2", "-ign_eof"]
        with Program(*command, feed=[b"GET /greeting HTTP/1.0\r\n\r\n"]) as run:
            finished = run.finish()
        server.outcome()
    assert received == [CustomExtension(TYPE, ExtensionContext.CLIENT_HELLO, b"", None, 0)]
    assert f"BEGIN SERVERINFO FOR EXTENSION {TYPE}".encode() in finished.output
    sent = TYPE.to_bytes(2, "big") + len(b"from the server").to_bytes(2, "big") + b"from the server"
    assert base64.b64encode(sent) in finished.output


class SServerWithExtension(SServer):
    """s_server(1) that answers with an extension, in the message that the file says."""

    def __init__(self, message: ExtensionContext) -> None:
        self._messages = ExtensionContext.CLIENT_HELLO | message

    def command(self, service: Service) -> list[str | Path]:
        file = service.identity.certificate.with_name("serverinfo.pem")
        data = b"from s_server"
        info = int(self._messages).to_bytes(4, "big") + TYPE.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data
        body = "\n".join(textwrap.wrap(base64.b64encode(info).decode(), 64))
        file.write_text(f"-----BEGIN SERVERINFOV2 FOR 1-----\n{body}\n-----END SERVERINFOV2 FOR 1-----\n")
        return [*super().command(service), "-serverinfo", file]


@pytest.mark.feature("extensions of the program's own, with callbacks", "openssl s_server and s_client")
@pytest.mark.parametrize(
    ("message", "version"),
    [
        (ExtensionContext.TLS1_2_SERVER_HELLO, Version.TLSv1_2),
        (ExtensionContext.TLS1_3_ENCRYPTED_EXTENSIONS, Version.TLSv1_3),
        (ExtensionContext.TLS1_3_CERTIFICATE, Version.TLSv1_3),
    ],
)
def test_we_ask_s_server_for_its_extension(
    message: ExtensionContext, version: Version, pyossl_authority: Authority, folder: Path
) -> None:
    received: list[CustomExtension] = []
    identity = pyossl_authority.issue("localhost")
    context = Context.client(trust=pyossl_authority.trust, maximum_version=version)
    context.add_extension(
        TYPE,
        parse=lambda connection, extension: received.append(extension),
        messages=ExtensionContext.CLIENT_HELLO | message,
    )
    with (
        SServerWithExtension(message).serving(Service(identity, folder, version=version)) as running,
        pyossl.connect(running.address, context, server_hostname="localhost", timeout=60) as tls,
    ):
        certificate = tls.connection.peer_certificate if message == ExtensionContext.TLS1_3_CERTIFICATE else None
    assert received == [CustomExtension(TYPE, message, b"from s_server", certificate, 0)]
