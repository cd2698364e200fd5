"""Certificate compression with the openssl program on either side.  Debian's GnuTLS has no algorithm for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from interop.authorities import Authority, Identity
from interop.programs import Program, program
from interop.server_peers import Service, SServer
from served import Task

import pyossl
from pyossl import Context, Message, UnsupportedError, Version


def _has_zlib() -> bool:
    try:
        Context(is_server=False).set_certificate_compression(["zlib"])
    except UnsupportedError:
        return False
    return True


pytestmark = pytest.mark.skipif(not _has_zlib(), reason="this OpenSSL compresses no certificates with zlib")


class CompressingSServer(SServer):
    """s_server(1) that compresses its certificate."""

    def command(self, service: Service) -> list[str | Path]:
        return [*super().command(service), "-cert_comp"]


@pytest.mark.feature("certificate compression", "openssl s_server and s_client")
@pytest.mark.parametrize("algorithms", [["zlib"], []], ids=["zlib", "none"])
def test_s_server_compresses_for_us(
    algorithms: list[str], identity: Identity, trustme_authority: Authority, folder: Path
) -> None:
    context = Context.client(trust=str(trustme_authority.trust), minimum_version=Version.TLSv1_3)
    context.set_certificate_compression(algorithms)
    messages: list[Message] = []
    with (
        CompressingSServer().serving(Service(identity, folder)) as running,
        pyossl.connect(
            running.address, context, server_hostname="localhost", timeout=60, message_callback=messages.append
        ) as tls,
    ):
        assert tls.verified_name == "localhost"
    assert ("CompressedCertificate" in [each.name for each in messages]) is bool(algorithms)


@pytest.mark.feature("certificate compression", "openssl s_server and s_client")
def test_s_client_reads_our_compressed_certificate(identity: Identity, trustme_authority: Authority) -> None:
    context = Context.server(str(identity.certificate), str(identity.private_key))
    context.set_certificate_compression(["zlib"])
    messages: list[Message] = []
    with pyossl.listen(("127.0.0.1", 0), context) as listener:
        listener.settimeout(60)
        host, port = listener.address

        def answer() -> None:
            tls, _ = listener.accept(message_callback=messages.append)
            with tls:
                tls.settimeout(60)
                tls.sendall(b"hello")

        task = Task(answer)
        command = [program("openssl"), "s_client", "-connect", f"{host}:{port}", "-quiet", "-verify_return_error"]
        command += ["-CAfile", str(trustme_authority.trust), "-verify_hostname", "localhost"]
        with Program(*command) as run:
            finished = run.finish()
        task.result()
    assert finished.output.endswith(b"hello"), finished
    assert "CompressedCertificate" in [each.name for each in messages if each.outgoing]
