"""TLS without I/O in an event loop of the program: one thread, one selector, any number of clients.

This ``Connection`` has no socket. The program passes it the bytes that were received, and gets from it the bytes to be
sent. If the connection needs more bytes, its methods return a ``Want``. They never block, and they raise an exception
only if the connection has failed.

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
    """A client of the server: its socket, its connection, and the bytes to be sent to it."""

    def __init__(self, sock: socket.socket, context: pyossl.Context) -> None:
        self.sock = sock
        self.connection = pyossl.Connection(context)
        self.unsent = b""

    def turn(self, selector: selectors.BaseSelector) -> None:
        """Does everything that is possible now; then sets the event for which the selector waits."""
        try:
            self.receive()
            finished = self.answer()
        except (pyossl.Error, OSError) as error:
            print("a client failed:", error)
            finished = True
        # After a failure, the bytes to be sent contain the alert that explains it.
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
        """Answers the data that the client has sent; returns True when the client has closed."""
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
