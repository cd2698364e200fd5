"""A server over select(2) whose handshakes may wait for an accelerator or an HSM, while it serves other clients.

Engines and providers that can pause, for example Intel's QAT provider, do so in a context with ``Modes.ASYNC``.  With
OpenSSL's own algorithms nothing pauses, and the program prints the same.

Prints:
    hello, a
    hello, b
    hello, c
"""

import select
import socket
from concurrent.futures import ThreadPoolExecutor

import pyossl

ca = pyossl.Authority()
serving = pyossl.Context.server(ca.issue("localhost"))
serving.modes |= pyossl.Modes.ASYNC
trusting = pyossl.Context.client(trust=ca.certificate)


def visit(port: int, name: bytes) -> bytes:
    with pyossl.connect(("localhost", port), trusting) as tls:
        tls.sendall(name)
        return tls.recv(100)


class Client:
    """A client of the server: its handshake, its question and the answer."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.connection = pyossl.Connection(serving)
        self.want: pyossl.Want | None = pyossl.Want.READ

    def descriptors(self) -> tuple[int, ...]:
        """What the loop waits for: the socket, or the device of a paused handshake."""
        return self.connection.async_fds if self.want is pyossl.Want.ASYNC else (self.sock.fileno(),)

    def go_on(self) -> bool:
        """Does what can be done; returns whether the client has its answer."""
        if self.want is pyossl.Want.READ:
            self.connection.receive_data(self.sock.recv(16384))
        question = self.connection.read()  # the rest of the handshake first, in its job
        if isinstance(question, bytes):
            self.connection.write(b"hello, " + question)
        self.sock.sendall(self.connection.data_to_send())
        self.want = question if isinstance(question, pyossl.Want) else None
        return self.want is None


def serve(listener: socket.socket, count: int) -> None:
    clients: list[Client] = []
    while count:
        waiting = {fd: client for client in clients for fd in client.descriptors()}
        # A device may have no descriptor: then the loop looks again after 10 milliseconds.
        hidden = [client for client in clients if not client.descriptors()]
        ready, _, _ = select.select([listener.fileno(), *waiting], [], [], 0.01 if hidden else None)
        if listener.fileno() in ready:
            clients.append(Client(listener.accept()[0]))
        for client in [*hidden, *(waiting[fd] for fd in ready if fd in waiting)]:
            if client.go_on():
                clients.remove(client)
                client.sock.close()
                count -= 1


with socket.create_server(("localhost", 0)) as listener, ThreadPoolExecutor() as threads:
    answers = [threads.submit(visit, listener.getsockname()[1], name) for name in (b"a", b"b", b"c")]
    serve(listener, len(answers))
    for answer in answers:
        print(answer.result().decode())
