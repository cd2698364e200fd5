"""A client that knows its server by the public key, without certificates, while the server changes its key.

Needs OpenSSL 3.2 or newer.

Prints:
    the old key: accepted, the server has shown the key 1
    the new key: accepted, the server has shown the key 2
    a stranger's key: refused
"""

import pyossl

old, new, stranger = (pyossl.PrivateKey.generate() for _ in range(3))
known = [old.public_key, new.public_key]  # as files: pyossl.PublicKey.load("old.pem")

client_context = pyossl.Context.client(trust=pyossl.Store.empty(), check_hostname=False)
client_context.expect_public_keys(known)


def key_that_is_shown_by(private_key: pyossl.PrivateKey) -> pyossl.PublicKey | None:
    """Connects to a server with this key, in memory, and returns the key that the client has seen and accepted."""
    server_context = pyossl.Context(is_server=True)
    server_context.use_raw_public_key(private_key)
    client, server = pyossl.Connection(client_context), pyossl.Connection(server_context)
    while client.handshake() is not None:
        server.receive_data(client.data_to_send())
        server.handshake()
        client.receive_data(server.data_to_send())
    return client.peer_public_key


for which, key in (("the old key", old), ("the new key", new), ("a stranger's key", stranger)):
    try:
        shown = key_that_is_shown_by(key)
    except pyossl.CertificateError:
        print(f"{which}: refused")
    else:
        print(f"{which}: accepted, the server has shown the key {known.index(shown) + 1}")
