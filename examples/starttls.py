"""STARTTLS: a connection that begins in plaintext, continues with TLS, and ends in plaintext again.

Prints:
    server, in plaintext: ready
    server, with TLSv1.3: this is secret
    server, in plaintext again: bye
"""

import socket
import threading

import pyossl

ca = pyossl.Authority()
own = ca.issue("localhost")
server_context = pyossl.Context.server(own.certificate, own.private_key)
client_context = pyossl.Context.client(trust=ca.certificate)


def serve(sock: socket.socket) -> None:
    assert sock.recv(100) == b"STARTTLS"
    sock.sendall(b"ready")
    tls = server_context.wrap_socket(sock)
    tls.sendall(b"this is secret")
    assert tls.recv(100) == b""  # the client has sent close_notify
    sock = tls.unwrap()
    sock.sendall(b"bye")
    sock.close()


ours, theirs = socket.socketpair()
ours.settimeout(10)
theirs.settimeout(10)
server = threading.Thread(target=serve, args=[theirs])
server.start()

ours.sendall(b"STARTTLS")
print("server, in plaintext:", ours.recv(100).decode())
tls = client_context.wrap_socket(ours, "localhost")
print(f"server, with {tls.version}:", tls.recv(100).decode())
ours = tls.unwrap()
print("server, in plaintext again:", ours.recv(100).decode())
ours.close()
server.join()
