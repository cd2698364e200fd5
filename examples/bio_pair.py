"""TLS over one half of a BIO pair: the program moves the bytes between the other half and the peer.

SSL_connect(3) describes this: with a BIO pair, data must be written into or read from the BIO before the call is
repeated. The size of a pair is limited, so a peer that sends faster than the program moves the bytes must wait.

Prints:
    TLSv1.3, … bytes to the server and … to the client
    the server read b'over the pair'
"""

import pyossl


def carry(source: pyossl.BIO, target: pyossl.BIO) -> int:
    """Moves bytes from one BIO to another while there is room; returns the number of bytes."""
    carried = 0
    while size := min(source.pending, target.room):
        carried += target.write(source.read(size))
    return carried


ca = pyossl.Authority()
own = ca.issue("localhost")
client_half, client_wire = pyossl.BIO.pair(2048, 2048)
server_half, server_wire = pyossl.BIO.pair(2048, 2048)
client = pyossl.Connection(pyossl.Context.client(trust=ca.certificate), "localhost", bio=client_half)
server = pyossl.Connection(pyossl.Context.server(own.certificate, own.private_key), bio=server_half)

to_server = to_client = 0
waiting = True
while waiting:
    waiting = client.handshake() is not None
    to_server += carry(client_wire, server_wire)
    waiting = server.handshake() is not None or waiting
    to_client += carry(server_wire, client_wire)
print(f"{client.version}, {to_server} bytes to the server and {to_client} to the client")

client.write(b"over the pair")
carry(client_wire, server_wire)
print("the server read", server.read())
