"""Compresses the certificates of a server, and prints how many bytes they have in the handshake.

Needs OpenSSL 3.2 or newer, built with zlib.

Prints:
    as they are: Certificate, … bytes
    compressed with zlib: CompressedCertificate, … bytes
"""

import pyossl

ca = pyossl.Authority()
own = ca.issue("example.com", "www.example.com")
client_context = pyossl.Context.client(trust=ca.certificate)


def print_certificates(how: str, server_context: pyossl.Context) -> None:
    """Does a handshake in memory, and prints the message that had the server's certificates."""
    messages: list[pyossl.Message] = []
    client = pyossl.Connection(client_context, "example.com", message_callback=messages.append)
    server = pyossl.Connection(server_context)
    while client.handshake() is not None:
        server.receive_data(client.data_to_send())
        server.handshake()
        client.receive_data(server.data_to_send())
    for message in messages:
        if message.name in ("Certificate", "CompressedCertificate"):
            print(f"{how}: {message.name}, {len(message.data)} bytes")


def server_with_chain() -> pyossl.Context:
    """A server that sends its authority's certificate too."""
    return pyossl.Context.server([own.certificate, ca.certificate], own.private_key)


print_certificates("as they are", server_with_chain())
compressing = server_with_chain()
compressing.set_certificate_compression(["zlib"])
print_certificates("compressed with zlib", compressing)
