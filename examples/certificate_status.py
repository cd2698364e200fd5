"""A client asks a server what it has about its certificate: a stapled OCSP response, and certificate timestamps.

The server here has neither.  With a server that has them, the program prints the response's size, and the message
callback sees the timestamps.  The cipher suite is printed with its number and its name in IANA's registry.

Prints:
    asks for an OCSP response and for timestamps
    no OCSP response was stapled
    cipher suite TLS_AES_256_GCM_SHA384, number 0x1302
"""

import pyossl

ca = pyossl.Authority()
own = ca.issue("localhost")
context = pyossl.Context.client(trust=ca.certificate)
context.set_ciphersuites("TLS_AES_256_GCM_SHA384")
context.request_ocsp()
context.request_scts()
print("asks for an OCSP response and for timestamps")

client = pyossl.Connection(context, "localhost")
server = pyossl.Connection(pyossl.Context.server(own.certificate, own.private_key))
while client.handshake() is not None:
    server.receive_data(client.data_to_send())
    server.handshake()
    client.receive_data(server.data_to_send())

response = client.ocsp_response
print("no OCSP response was stapled" if response is None else f"an OCSP response of {len(response)} bytes")
suite = next(suite for suite in context.cipher_suites if suite.name == client.cipher)
print(f"cipher suite {suite.standard_name}, number {suite.number:#06x}")
