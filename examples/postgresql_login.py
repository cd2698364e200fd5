"""A login to PostgreSQL by SCRAM-SHA-256-PLUS: the password's proof is bound to the TLS connection (RFC 5802, 5929).

An attacker between the two, with a certificate that the client trusts, cannot pass such a login on.

    python examples/postgresql_login.py HOST PORT USER PASSWORD CA.pem [NAME]

NAME is the name in the server's certificate, if it is not HOST.  Without arguments, the program shows the binding of a
connection in memory.

Prints:
    client: tls-server-end-point …
    server: tls-server-end-point …
    the same on both sides: True
"""

import base64
import hashlib
import hmac
import secrets
import socket
import struct
import sys

import pyossl

KIND = "tls-server-end-point"


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def receive_exactly(tls: pyossl.Socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = tls.recv(size - len(data))
        if not piece:
            raise SystemExit("the server has closed the connection")
        data += piece
    return data


def answer(tls: pyossl.Socket) -> tuple[int, bytes]:
    """The number of the next Authentication message, and its data."""
    kind, size = struct.unpack("!cI", receive_exactly(tls, 5))
    body = receive_exactly(tls, size - 4)
    if kind != b"R":
        raise SystemExit(f"the server refuses: {body!r}")
    return struct.unpack("!I", body[:4])[0], body[4:]


def mac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def log_in(tls: pyossl.Socket, user: str, password: str) -> None:
    tls.sendall(struct.pack("!II", 8 + len(f"user\0{user}\0\0"), 3 << 16) + f"user\0{user}\0\0".encode())
    number, mechanisms = answer(tls)
    if number != 10 or b"SCRAM-SHA-256-PLUS" not in mechanisms.split(b"\0"):
        raise SystemExit("the server does not offer SCRAM-SHA-256-PLUS")

    header = f"p={KIND},,".encode()
    first = b"n=,r=" + base64.b64encode(secrets.token_bytes(18))
    data = header + first
    tls.sendall(message(b"p", b"SCRAM-SHA-256-PLUS\0" + struct.pack("!I", len(data)) + data))
    _, challenge = answer(tls)
    values = dict(part.split(b"=", 1) for part in challenge.split(b","))
    if not values[b"r"].startswith(first[5:]):
        raise SystemExit("the server's nonce does not begin with ours")

    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(values[b"s"]), int(values[b"i"]))
    bound = b"c=" + base64.b64encode(header + tls.channel_binding(KIND)) + b",r=" + values[b"r"]
    signed = b",".join((first, challenge, bound))
    client_key, server_key = mac(salted, b"Client Key"), mac(salted, b"Server Key")
    signature = mac(hashlib.sha256(client_key).digest(), signed)
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    tls.sendall(message(b"p", bound + b",p=" + base64.b64encode(proof)))
    _, last = answer(tls)
    if not hmac.compare_digest(last, b"v=" + base64.b64encode(mac(server_key, signed))):
        raise SystemExit("the server does not know the password")


def main(host: str, port: str, user: str, password: str, ca: str, name: str = "") -> None:
    sock = socket.create_connection((host, int(port)), 60)
    sock.sendall(struct.pack("!II", 8, 80877103))  # SSLRequest
    if sock.recv(1) != b"S":
        raise SystemExit("the server has no TLS")
    with pyossl.Context.client(trust=ca).wrap_socket(sock, name or host) as tls:
        log_in(tls, user, password)
        print(f"logged in by SCRAM-SHA-256-PLUS with {KIND}, over {tls.version}")
        tls.sendall(message(b"X", b""))


def show() -> None:
    ca = pyossl.Authority()
    own = ca.issue("localhost")
    client = pyossl.Connection(pyossl.Context.client(trust=ca.certificate), "localhost")
    server = pyossl.Connection(pyossl.Context.server(own.certificate, own.private_key))
    while client.handshake() is not None:
        server.receive_data(client.data_to_send())
        server.handshake()
        client.receive_data(server.data_to_send())
    server.receive_data(client.data_to_send())
    server.handshake()
    bindings = {"client": client.channel_binding(KIND), "server": server.channel_binding(KIND)}
    for side, binding in bindings.items():
        print(f"{side}: {KIND} {binding.hex()}")
    print("the same on both sides:", bindings["client"] == bindings["server"])


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 1 else show()
