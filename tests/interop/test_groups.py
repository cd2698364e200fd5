"""The group of the key exchange, negotiated with the openssl program: by name, post-quantum, and in tuples."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from interop.authorities import Authority, Identity
from interop.client_peers import SClient, Visit
from interop.programs import Program, program
from interop.pyossl_server import Serve
from interop.server_peers import Service, SServer

import pyossl
from pyossl import Version, features

POST_QUANTUM = "X25519MLKEM768"
GROUPS = ["X25519", "P-256", "P-384"] + ([POST_QUANTUM] if features.post_quantum else [])
EACH_GROUP = pytest.mark.parametrize("group", GROUPS)
TUPLES = pytest.mark.skipif(not features.post_quantum, reason="the tuple syntax came with OpenSSL 3.5")

# The names of one group in the versions of OpenSSL, on either side.
SPELLED = {"prime256v1": "P-256", "secp256r1": "P-256", "secp384r1": "P-384", "x25519": "X25519"}


def spelled(group: str | None) -> str:
    return SPELLED.get(str(group), str(group))


class SServerWith(SServer):
    """s_server(1) with some more options."""

    def __init__(self, *options: str) -> None:
        self._options = options

    def command(self, service: Service) -> list[str | Path]:
        return [*super().command(service), *self._options]


def agreed_by_us(address: tuple[str, int], trust: Path, groups: str) -> str:
    context = pyossl.Context.client(trust=trust, minimum_version=Version.TLSv1_3)
    context.set_groups(groups)
    with pyossl.connect(address, context, server_hostname="localhost", timeout=60) as tls:
        return spelled(tls.connection.group)


def agreed_by_s_client(address: tuple[str, int], trust: Path, groups: str) -> str:
    """The group as s_client(1) prints it: in one line up to 3.1, in another one from 3.2 on."""
    command = [program("openssl"), "s_client", "-connect", f"{address[0]}:{address[1]}", "-CAfile", trust]
    command += ["-groups", groups, "-tls1_3", "-servername", "localhost"]
    with Program(*command, feed=[b"GET /greeting HTTP/1.0\r\n\r\n"]) as run:
        finished = run.finish()
    printed = re.search(rb"(?:Negotiated TLS1.3 group|(?:Server|Peer) Temp Key): (?:ECDH, )?([^,\s]+)", finished.output)
    assert printed, finished
    return spelled(printed[1].decode())


@pytest.mark.feature("groups", "openssl s_server and s_client")
@EACH_GROUP
def test_s_server_takes_the_group_that_we_offer(
    group: str, identity: Identity, trustme_authority: Authority, folder: Path
) -> None:
    with SServer().serving(Service(identity, folder, version=Version.TLSv1_3)) as running:
        assert agreed_by_us(running.address, trustme_authority.trust, group) == group


@pytest.mark.feature("groups", "openssl s_server and s_client")
@EACH_GROUP
def test_we_take_the_group_that_s_server_asks_for(
    group: str, identity: Identity, trustme_authority: Authority, folder: Path
) -> None:
    """Also by a HelloRetryRequest, if we had offered another one first."""
    first = "P-384" if group != "P-384" else "X25519"
    with SServerWith("-groups", group).serving(Service(identity, folder, version=Version.TLSv1_3)) as running:
        assert agreed_by_us(running.address, trustme_authority.trust, f"{first}:{group}") == group


@pytest.mark.feature("groups", "openssl s_server and s_client")
@EACH_GROUP
def test_s_client_takes_the_group_that_we_ask_for(
    group: str, identity: Identity, trustme_authority: Authority, serve: Serve
) -> None:
    context = pyossl.Context.server(*identity)
    context.set_groups(group)
    first = "P-384" if group != "P-384" else "X25519"
    with serve(context) as server:
        assert agreed_by_s_client(server.address, trustme_authority.trust, f"{first}:{group}") == group
        assert server.outcome().version == "TLSv1.3"


def test_no_group_in_common_is_an_alert(
    identity: Identity, trustme_authority: Authority, folder: Path, serve: Serve
) -> None:
    """RFC 8446, 4.1.1: handshake_failure."""
    with SServerWith("-groups", "P-384").serving(Service(identity, folder, version=Version.TLSv1_3)) as running:
        with pytest.raises(pyossl.AlertError) as caught:
            agreed_by_us(running.address, trustme_authority.trust, "X25519")
        assert caught.value.number == 40
    context = pyossl.Context.server(*identity)
    context.set_groups("P-384")
    with serve(context) as server:
        visit = Visit(server.address, trustme_authority.trust, version=Version.TLSv1_3)
        assert SClient().visit_with(visit, "-groups", "X25519").status != 0
        with pytest.raises(pyossl.Error):
            server.outcome()


@TUPLES
@pytest.mark.feature("group tuples", "openssl s_server and s_client")
@pytest.mark.parametrize(
    ("offered", "asked_for", "agreed"),
    [
        ("*P-256:X25519", "X25519MLKEM768:X25519 / P-256", "X25519"),
        ("*P-256:*X25519", "X25519 / P-256", "X25519"),
        ("*P-256", "X25519MLKEM768 / P-256", "P-256"),
        ("*P-256:X25519MLKEM768", "X25519MLKEM768 / P-256", POST_QUANTUM),
    ],
)
def test_tuples_mean_the_same_to_both(
    offered: str,
    asked_for: str,
    agreed: str,
    identity: Identity,
    trustme_authority: Authority,
    folder: Path,
    serve: Serve,
) -> None:
    """SSL_CTX_set1_groups_list(3): a server prefers the groups of an earlier tuple, even if that takes a
    HelloRetryRequest; within a tuple it prefers the client's key share.
    """
    service = Service(identity, folder, version=Version.TLSv1_3)
    with SServerWith("-groups", asked_for).serving(service) as running:
        assert agreed_by_us(running.address, trustme_authority.trust, offered) == agreed
    context = pyossl.Context.server(*identity)
    context.set_groups(asked_for)
    with serve(context) as server:
        assert agreed_by_s_client(server.address, trustme_authority.trust, offered) == agreed
