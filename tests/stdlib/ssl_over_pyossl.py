"""This Python's ``ssl``, executed a second time over pyossl, and pairs of its connections.

The ``ssl`` of the process itself stays as it is.
"""

from __future__ import annotations

import contextlib
import importlib.util
import socket
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp
from types import ModuleType
from typing import Any

from served import Task

import pyossl
from pyossl.core.methods_in_c import socket_methods
from pyossl.stdlib import module

SECONDS = 30


def _executed(private: ModuleType) -> ModuleType:
    """ssl.py, executed over this ``_ssl``.  It looks itself up in ``sys.modules``, to add its constants."""
    found = importlib.util.find_spec("ssl")
    assert found is not None
    assert found.loader is not None
    made = importlib.util.module_from_spec(found)
    kept = {name: sys.modules.get(name) for name in ("_ssl", "ssl")}
    sys.modules.update(_ssl=private, ssl=made)
    try:
        found.loader.exec_module(made)
    finally:
        for name, old in kept.items():
            if old is None:
                del sys.modules[name]
            else:
                sys.modules[name] = old
    return made


_ssl: Any = module.make()
ssl: Any = _executed(_ssl)
ssl_in_python: Any = _executed(_ssl)
"""The same without the methods in C: what ssl.py does itself."""
_own = ssl.SSLSocket
socket_methods(_own, _own.recv, _own.recv_into, _own.send, _own.sendall)


@lru_cache(maxsize=1)
def credentials() -> tuple[str, str, str]:
    """The paths of a certificate for localhost, of its key, and of the authority."""
    folder = Path(mkdtemp(prefix="pyossl-ssl-"))
    authority = pyossl.Authority()
    leaf = authority.issue("localhost")
    paths = folder / "certificate.pem", folder / "key.pem", folder / "authority.pem"
    paths[0].write_bytes(leaf.certificate_pem())
    paths[1].write_bytes(leaf.private_key.to_pem())
    paths[2].write_bytes(authority.certificate.to_pem())
    return str(paths[0]), str(paths[1]), str(paths[2])


def server_context(over: Any = ssl) -> Any:
    certificate, key, authority = credentials()
    context = over.SSLContext(over.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(authority)
    return context


def client_context(over: Any = ssl) -> Any:
    context = over.SSLContext(over.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(credentials()[2])
    return context


@contextlib.contextmanager
def pair(
    client: Any = None, server: Any = None, over: Any = ssl, timeout: float | None = SECONDS, **settings: Any
) -> Iterator[tuple[Any, Any]]:
    """A client and a server, connected; ``settings`` are those of the client's ``wrap_socket``."""
    first, second = socket.socketpair()
    first.settimeout(timeout)
    second.settimeout(timeout)
    accepting = Task(lambda: (server or server_context(over)).wrap_socket(second, server_side=True))
    connecting = (client or client_context(over)).wrap_socket(first, server_hostname="localhost", **settings)
    with connecting as connected, accepting.result() as accepted:
        yield connected, accepted


class MemoryPair:
    """A client and a server between MemoryBIOs.  ``Task`` is not needed: their bytes are there at once."""

    def __init__(self, client: Any = None, server: Any = None, over: Any = ssl, **settings: Any) -> None:
        self.to_client, self.to_server = over.MemoryBIO(), over.MemoryBIO()
        self.client = (client or client_context(over)).wrap_bio(
            self.to_client, self.to_server, server_hostname="localhost", **settings
        )
        self.server = (server or server_context(over)).wrap_bio(self.to_server, self.to_client, server_side=True)
        self.over = over

    def handshake(self) -> MemoryPair:
        for _ in range(3):
            for side in self.client, self.server:
                with contextlib.suppress(self.over.SSLWantReadError):
                    side.do_handshake()
        with contextlib.suppress(self.over.SSLWantReadError):
            self.client.read(1)  # the session tickets
        return self
