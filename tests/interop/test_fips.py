"""A client with FIPS and the openssl program as its server."""

from __future__ import annotations

from pathlib import Path

import fips_provider
import pytest
from interop.authorities import Authority, Identity
from interop.server_peers import Service, SServer

import pyossl
from pyossl import Context, LibraryContext, Version

pytestmark = pytest.mark.skipif(bool(why := fips_provider.why_not()), reason=why or "there is a FIPS provider")

APPROVED, NOT_APPROVED = "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> LibraryContext:
    return LibraryContext(fips=fips_provider.install(tmp_path_factory.mktemp("fips")))


class RestrictedSServer(SServer):
    """s_server(1) with one TLS 1.3 ciphersuite."""

    suite = ""

    def command(self, service: Service) -> list[str | Path]:
        return [*super().command(service), "-ciphersuites", self.suite]


@pytest.mark.feature("FIPS in a part of a process", "openssl s_server and s_client")
@pytest.mark.parametrize("suite", [APPROVED, NOT_APPROVED])
def test_s_server_is_accepted_or_refused_by_its_suite(
    suite: str, library: LibraryContext, trustme_authority: Authority, identity: Identity, folder: Path
) -> None:
    peer = RestrictedSServer()
    peer.suite = suite
    context = Context.client(trust=trustme_authority.trust, library_context=library)
    with peer.serving(Service(identity, folder, version=Version.TLSv1_3)) as running:
        if suite == APPROVED:
            with pyossl.connect(running.address, context, server_hostname="localhost", timeout=60) as tls:
                assert tls.cipher == suite
        else:
            with pytest.raises(pyossl.AlertError, match="handshake failure"):
                pyossl.connect(running.address, context, server_hostname="localhost", timeout=60)
