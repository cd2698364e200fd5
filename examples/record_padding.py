"""Pads the records of a chat, so that an observer cannot tell short messages from each other by their length.

Prints:
    yes                   20 bytes on the network without padding, 144 with
    no                    19 bytes on the network without padding, 144 with
    meet me at the pier   36 bytes on the network without padding, 144 with
"""

import pyossl

ca = pyossl.Authority()
own = ca.issue("example.com")
server_context = pyossl.Context.server(own.certificate, own.private_key)


def connected(client_context: pyossl.Context) -> pyossl.Connection:
    """A client after its handshake, in memory."""
    client, server = pyossl.Connection(client_context, "example.com"), pyossl.Connection(server_context)
    while client.handshake() is not None:
        server.receive_data(client.data_to_send())
        server.handshake()
        client.receive_data(server.data_to_send())
    client.data_to_send()
    return client


plain = connected(pyossl.Context.client(trust=ca.certificate))
context = pyossl.Context.client(trust=ca.certificate)
context.record_padding_callback = lambda connection, kind, length: -length % 128
padded = connected(context)
for message in ("yes", "no", "meet me at the pier"):
    sizes = []
    for client in (plain, padded):
        client.write(message.encode())
        sizes.append(len(client.data_to_send()) - 5)  # without the header
    print(f"{message:21} {sizes[0]} bytes on the network without padding, {sizes[1]} with")
