"""A server that accepts only clients with a certificate of its own CA.

In TLS 1.3, a client finishes its handshake before the server checks the client's certificate. If the server refuses the
certificate, the client's first read raises the error.

Prints:
    hello, CN=alice.example
    without a certificate: reading failed: the peer sent alert 116 (…), with 'localhost'
"""

import threading

import pyossl

ca = pyossl.Authority()
own, alice = ca.issue("localhost"), ca.issue("alice.example")
server_context = pyossl.Context.server(own, trust=ca.certificate, verify=True)


def greet(listener: pyossl.Listener, clients: int) -> None:
    for _ in range(clients):
        tls, _ = listener.accept()
        tls.settimeout(10)
        try:
            with tls:
                tls.handshake()
                certificate = tls.peer_certificate
                tls.sendall(f"hello, {certificate.subject}".encode())
        except pyossl.Error:
            pass  # no certificate, or one of another CA: the client gets an alert


def ask(listener: pyossl.Listener, context: pyossl.Context) -> str:
    with pyossl.connect(listener.address, context, server_hostname="localhost", timeout=10) as tls:
        return tls.recv(1000).decode()


with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
    server = threading.Thread(target=greet, args=[listener, 2])
    server.start()

    known = pyossl.Context.client(trust=ca.certificate, credentials=alice)
    print(ask(listener, known))

    unknown = pyossl.Context.client(trust=ca.certificate)
    try:
        ask(listener, unknown)
    except pyossl.AlertError as error:
        print("without a certificate:", error)
    server.join()
