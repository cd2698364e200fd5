"""Every program that is a peer, as the parameters of fixtures."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from interop.client_peers import ClientPeer, Curl, PythonClient, SClient
from interop.gnutls_peers import GnutlsClient, GnutlsServer
from interop.nginx_peer import Nginx
from interop.node_peers import NodeClient, NodeServer
from interop.programs import where_installed
from interop.server_peers import PythonServer, ServerPeer, SServer

SERVER_PEERS: list[ServerPeer] = [SServer(), PythonServer(), Nginx(), GnutlsServer(), NodeServer()]
CLIENT_PEERS: list[ClientPeer] = [SClient(), Curl(), PythonClient(), GnutlsClient(), NodeClient()]

# The openssl program, curl and Python's ssl are in every row; these are not.
_INSTALLED = {
    "nginx": ("nginx",),
    "gnutls-serv": ("gnutls-serv", "cc"),
    "gnutls-cli": ("gnutls-cli",),
    "Node": ("node",),
}


def each(peers: Iterable[ServerPeer] | Iterable[ClientPeer]) -> list[object]:
    """The parameters of a fixture."""
    marks = {name: where_installed(*needed) for name, needed in _INSTALLED.items()}
    return [pytest.param(peer, marks=marks.get(peer.name, ()), id=peer.name) for peer in peers]
