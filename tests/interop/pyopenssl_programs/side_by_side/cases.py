"""The cases, how their results are shown as JSON, and functions that they share."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from OpenSSL import SSL, crypto

FOLDER = Path(sys.argv[1])
CASES: dict[str, Callable[[], Any]] = {}


def case(function: Callable[[], Any]) -> Callable[[], Any]:
    CASES[function.__name__] = function
    return function


def shown(value: Any) -> Any:
    """A value as JSON has it; an object of pyOpenSSL's as what it returns about itself."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return repr(bytes(value))
    if isinstance(value, dict):
        return {str(name): shown(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [shown(each) for each in value]
    if isinstance(value, crypto.X509):
        return ["X509", shown(value.get_subject().get_components())]
    if isinstance(value, crypto.X509Name):
        return ["X509Name", shown(value.get_components())]
    return f"a {type(value).__name__}"


def attempt(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """The result of a call: its value, or the exception with the parts that programs check.

    The text of Python's own ``TypeError`` is left out: no program checks it.
    """
    try:
        return shown(function(*arguments, **named))
    except (TypeError, AttributeError) as error:
        return {"raised": type(error).__name__}
    except Exception as error:
        bases = [each.__name__ for each in type(error).__mro__ if each.__module__.split(".")[0] != "builtins"]
        return {"raised": type(error).__name__, "is": bases, "arguments": shown(error.args), "text": str(error)}


def pem(name: str) -> bytes:
    return (FOLDER / f"{name}.pem").read_bytes()


def certificate(name: str) -> crypto.X509:
    return crypto.load_certificate(crypto.FILETYPE_PEM, pem(name))


def key(name: str) -> crypto.PKey:
    return crypto.load_privatekey(crypto.FILETYPE_PEM, pem(f"{name}-key"))


def context(identity: str | None = None, trust: str | None = None, method: int = SSL.TLS_METHOD) -> SSL.Context:
    made = SSL.Context(method)
    if identity:
        made.use_certificate(certificate(identity))
        made.use_privatekey(key(identity))
    if trust:
        made.load_verify_locations(str(FOLDER / f"{trust}.pem"))
        made.set_verify(SSL.VERIFY_PEER)
    return made


def carry(*connections: SSL.Connection) -> int:
    """Carries the bytes that each side has for the other; returns how many."""
    moved = 0
    for source, target in (connections, connections[::-1]):
        try:
            data = source.bio_read(1 << 20)
        except SSL.WantReadError:
            continue
        moved += len(data)
        target.bio_write(data)
    return moved


def shake(client: SSL.Connection, server: SSL.Connection) -> dict[str, Any]:
    """Does a handshake in memory; returns how it ended on each side."""
    client.set_connect_state()
    server.set_accept_state()
    ended: dict[str, Any] = {}
    for _ in range(20):
        for name, connection in (("client", client), ("server", server)):
            if name in ended:
                continue
            outcome = attempt(connection.do_handshake)
            if not (isinstance(outcome, dict) and outcome["raised"] == "WantReadError"):
                ended[name] = outcome
        if carry(client, server) == 0:
            break
    return ended


def pair(client: SSL.Context, server: SSL.Context) -> tuple[SSL.Connection, SSL.Connection]:
    return SSL.Connection(client, None), SSL.Connection(server, None)


def connected(
    client: SSL.Context | None = None, server: SSL.Context | None = None
) -> tuple[SSL.Connection, SSL.Connection]:
    both = pair(client or context(), server or context("server"))
    ended = shake(*both)
    assert ended == {"client": None, "server": None}, ended
    return both


def limited(made: SSL.Context, version: int) -> SSL.Context:
    made.set_min_proto_version(version)
    made.set_max_proto_version(version)
    return made


def facts(connection: SSL.Connection) -> dict[str, Any]:
    """What a connection returns about itself."""
    lengths = {
        name: attempt(lambda name=name: len(getattr(connection, name)() or b""))  # type: ignore[misc]
        for name in ("client_random", "server_random", "master_key", "get_finished", "get_peer_finished")
    }
    asked: dict[str, Callable[[], Any]] = {
        "version": connection.get_protocol_version_name,
        "number": connection.get_protocol_version,
        "cipher": connection.get_cipher_name,
        "bits": connection.get_cipher_bits,
        "cipher version": connection.get_cipher_version,
        "alpn": connection.get_alpn_proto_negotiated,
        "name": connection.get_servername,
        "group": connection.get_group_name,
        "state": connection.get_state_string,
        "shutdown": connection.get_shutdown,
        "pending": connection.pending,
        "renegotiations": connection.total_renegotiations,
        "verify": connection.get_verify_mode,
        "certificate": connection.get_certificate,
        "peer": connection.get_peer_certificate,
        "chain": connection.get_peer_cert_chain,
        "verified": connection.get_verified_chain,
        "authorities": connection.get_client_ca_list,
        "srtp": connection.get_selected_srtp_profile,
        "session": lambda: connection.get_session() is not None,
        "wants": lambda: [connection.want_read(), connection.want_write()],
    }
    return {**{name: attempt(question) for name, question in asked.items()}, "lengths": lengths}


def drain(connection: SSL.Connection) -> int:
    """How many bytes can be read."""
    got = 0
    while True:
        try:
            got += len(connection.recv(1 << 20))
        except SSL.WantReadError:
            return got


def talk(client: SSL.Connection, server: SSL.Connection) -> Any:
    """Sends a few bytes each way, and shuts down."""
    said = [attempt(client.send, b"question"), carry(client, server), attempt(server.recv, 4), server.pending()]
    said += [attempt(server.recv, 100, socket.MSG_PEEK), attempt(server.recv, 100), attempt(server.recv, 100)]
    said += [attempt(server.sendall, b"answer" * 5000), attempt(client.recv, 10)]
    carry(client, server)
    said += [drain(client), attempt(client.shutdown), client.get_shutdown()]
    carry(client, server)
    said += [attempt(server.recv, 1), server.get_shutdown(), attempt(server.shutdown)]
    carry(client, server)
    return [*said, attempt(client.shutdown), attempt(client.recv, 1), client.get_shutdown(), server.get_shutdown()]
