"""A server that sends very much over one connection changes its key after every gigabyte, here after every megabyte.

OpenSSL changes no key by itself.  With ``request_peer=True``, the peer changes its own key too, before it sends again.

Prints:
    sent 5000000 bytes, with 5 key updates
    received 5000000 bytes
"""

import socket
import threading

import pyossl

AFTER = 1_000_000
TOTAL = 5_000_000

ca = pyossl.Authority()
own = ca.issue("localhost")
listener = pyossl.listen(("127.0.0.1", 0), pyossl.Context.server(own.certificate, own.private_key))


def serve() -> None:
    tls, _ = listener.accept()
    with tls:
        sent = updates = since = 0
        while sent < TOTAL:
            tls.sendall(bytes(100_000))
            sent, since = sent + 100_000, since + 100_000
            if since >= AFTER:
                tls.update_keys(request_peer=True)
                updates, since = updates + 1, 0
        tls.shutdown(socket.SHUT_WR)
        print(f"sent {sent} bytes, with {updates} key updates")
        tls.recv(1)


thread = threading.Thread(target=serve)
thread.start()
context = pyossl.Context.client(trust=ca.certificate)
with pyossl.connect(listener.address, context, server_hostname="localhost") as tls:
    received = 0
    while data := tls.recv(65536):
        received += len(data)
thread.join()
listener.close()
print(f"received {received} bytes")
