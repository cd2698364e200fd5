"""Encrypts the server's name in the first message (Encrypted Client Hello), and tries again after a change of the key.

Needs OpenSSL 4.0 or newer.

Prints:
    refused: the handshake failed: the server did not accept ECH, try its newer configurations, with 'secret.example'
    SUCCESS: secret.example, and cover.example in the clear
    the true name in the first message: False
"""

import pyossl

ca = pyossl.Authority()
own = ca.issue("secret.example", "cover.example")
keys = pyossl.ECHStore.new("cover.example")
server_context = pyossl.Context.server(own.certificate, own.private_key)
server_context.ech_store = keys
client_context = pyossl.Context.client(trust=ca.certificate)


def first_message_of_a_connection(config_list: bytes) -> bytes:
    """Does a handshake in memory, and returns the first bytes that the client sent."""
    client = pyossl.Connection(client_context, "secret.example", ech=config_list)
    server = pyossl.Connection(server_context)
    first = b""
    while client.handshake() is not None:
        sent = client.data_to_send()
        first = first or sent
        server.receive_data(sent)
        server.handshake()
        client.receive_data(server.data_to_send())
    print(f"{client.ech.status.name}: {client.ech.server_name}, and {client.ech.outer_server_name} in the clear")
    return first


published = pyossl.ECHStore.new("cover.example").config_list  # in the DNS; the server has another key meanwhile
try:
    first_message_of_a_connection(published)
except pyossl.ECHError as error:
    print("refused:", error)
    if error.retry_configs is None:  # only a server with a certificate for cover.example is believed
        raise
    first = first_message_of_a_connection(error.retry_configs)
    print("the true name in the first message:", b"secret.example" in first)
