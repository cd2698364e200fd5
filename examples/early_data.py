r"""Sends a request as early data (0-RTT), gets the answer before the handshake is finished, and replays it in vain.

Prints:
    the session allows 16384 bytes of early data
    the server got b'GET / HTTP/1.1\r\n\r\n' early
    the client got b'200 OK' and early_data_accepted is True
    the replay: b'' is early, early_data_accepted is False
"""

import pyossl

ca = pyossl.Authority()
own = ca.issue("example.com")
server_context = pyossl.Context.server(own.certificate, own.private_key)
server_context.max_early_data = 16384
client_context = pyossl.Context.client(trust=ca.certificate)


# A first connection, from which the client has a session.
client, server = pyossl.Connection(client_context, "example.com"), pyossl.Connection(server_context)
while client.handshake() is not None:
    server.receive_data(client.data_to_send())
    server.handshake()
    client.receive_data(server.data_to_send())
server.receive_data(client.data_to_send())
server.write(b"welcome")
client.receive_data(server.data_to_send())
client.read()
session = client.session
print(f"the session allows {session.max_early_data} bytes of early data")

# The second one sends its request with the first bytes.
request = b"GET / HTTP/1.1\r\n\r\n"
client = pyossl.Connection(client_context, "example.com", session=session, early_data=request)
client.handshake()
first_bytes = client.data_to_send()
server = pyossl.Connection(server_context)
server.receive_data(first_bytes)
print(f"the server got {server.read_early_data()!r} early")
server.write(b"200 OK")
client.receive_data(server.data_to_send())
answer = client.read()
print(f"the client got {answer!r} and early_data_accepted is {client.early_data_accepted}")

# Somebody has recorded these bytes, and sends them again.
replayed = pyossl.Connection(server_context)
replayed.receive_data(first_bytes)
early = replayed.read_early_data()
print(f"the replay: {early!r} is early, early_data_accepted is {replayed.early_data_accepted}")
