"""TLS without I/O, in an event loop of one's own: one thread, a selector, and any number of clients.

A ``Connection`` is never told about sockets. It is given the bytes that arrived and asked for those to be sent, and
where it cannot go on it returns a ``Want``: nothing blocks, and nothing is raised, unless the connection is dead.

Prints:
    3 clients were answered by one thread
"""

import contextlib
import selectors
import socket
import threading

import pyossl

ca = pyossl.Authority()
own = ca.issue("localhost", "127.0.0.1")


class Peer:
    """A client of the server: its socket, its connection, and what is to be sent to it."""

    def __init__(self, sock: socket.socket, context: pyossl.Context) -> None:
        self.sock = sock
        self.connection = pyossl.Connection(context)
        self.unsent = b""

    def turn(self, selector: selectors.BaseSelector) -> None:
        """Does all that can be done now; then says to the selector what it waits for."""
        try:
            self.receive()
            finished = self.answer()
        except (pyossl.Error, OSError) as error:
            print("a client has gone wrong:", error)
            finished = True
        # An alert that explains a failure is among the bytes to be sent too.
        self.unsent += self.connection.data_to_send()
        self.send()
        if finished and not self.unsent:
            selector.unregister(self.sock)
            self.sock.close()
        else:
            selector.modify(self.sock, selectors.EVENT_WRITE if self.unsent else selectors.EVENT_READ, self)

    def receive(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.connection.receive_data(self.sock.recv(65536))

    def send(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self.unsent:
                self.unsent = self.unsent[self.sock.send(self.unsent) :]

    def answer(self) -> bool:
        """Greets whoever has said something; True when the client has closed."""
        while not isinstance(data := self.connection.read(), pyossl.Want):
            if not data:
                self.connection.shutdown()
                return True
            answer = b"hello, " + data
            while answer:  # one record at a time
                answer = answer[self.connection.write(answer) :]
        return False


def serve(listener: socket.socket, context: pyossl.Context, clients: int) -> None:
    with selectors.DefaultSelector() as selector:
        listener.setblocking(False)
        selector.register(listener, selectors.EVENT_READ)
        accepted = 0
        while accepted < clients or len(selector.get_map()) > 1:
            for key, _ in selector.select():
                if key.data is not None:
                    key.data.turn(selector)
                    continue
                sock, _ = listener.accept()
                sock.setblocking(False)
                accepted += 1
                selector.register(sock, selectors.EVENT_READ, Peer(sock, context))


with socket.create_server(("127.0.0.1", 0)) as listener:
    server_context = pyossl.Context.server(own.certificate, own.private_key)
    thread = threading.Thread(target=serve, args=[listener, server_context, 3])
    thread.start()

    client_context = pyossl.Context.client(trust=ca.certificate)
    clients = [pyossl.connect(listener.getsockname(), client_context, timeout=10) for _ in range(3)]
    for number, tls in enumerate(clients):
        tls.sendall(f"client {number}".encode())
    for number, tls in reversed(list(enumerate(clients))):
        assert tls.recv(100) == f"hello, client {number}".encode()
        tls.close()
    thread.join()
print(f"{len(clients)} clients were answered by one thread")
