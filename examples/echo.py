"""A server with a thread for each connection, and a client. A development CA replaces a real one.

``accept`` returns before the handshake. The thread of the connection does the handshake, so that a client that stalls
does not delay other clients.

Prints:
    client: hello came back 20 times
    client: TLSv1.3, protocol echo
"""

import threading

import pyossl

ca = pyossl.Authority()
own = ca.issue("localhost", "127.0.0.1")
server_context = pyossl.Context.server((own.certificate, *own.chain), own.private_key, alpn=["echo"])
client_context = pyossl.Context.client(trust=ca.certificate, alpn=["echo"])


def echo(tls: pyossl.Socket) -> None:
    tls.settimeout(10)
    try:
        with tls:
            while data := tls.recv(65536):
                tls.sendall(data)
    except (pyossl.Error, OSError) as error:  # only this connection fails, the server continues
        print("server:", error)


def serve(listener: pyossl.Listener) -> None:
    try:
        for tls, _ in listener:
            threading.Thread(target=echo, args=[tls]).start()
    except OSError:
        pass  # the listener has been closed


with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
    threading.Thread(target=serve, args=[listener]).start()

    with pyossl.connect(listener.address, client_context, timeout=10) as tls:
        for _ in range(20):
            tls.sendall(b"hello")
            with memoryview(bytearray(5)) as room:
                received = 0
                while received < len(room):
                    received += tls.recv_into(room[received:])
                assert bytes(room) == b"hello"
        print("client: hello came back 20 times")
        print(f"client: {tls.version}, protocol {tls.alpn}")
