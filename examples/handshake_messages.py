"""Prints the messages of a handshake on one side: direction, name and size in bytes, decrypted.

It leaves out ChangeCipherSpec. TLS 1.3 sends it only for old firewalls, and some versions of OpenSSL do not report both
of them.

Prints:
    client -> ClientHello … bytes
    client <- ServerHello … bytes
    client <- EncryptedExtensions … bytes
    client <- Certificate … bytes
    client <- CertificateVerify … bytes
    client <- Finished … bytes
    client -> Finished … bytes
"""

import pyossl


def show(message: pyossl.Message) -> None:
    if message.is_protocol and message.name != "ChangeCipherSpec":
        print("client", "->" if message.outgoing else "<-", message.name, len(message.data), "bytes")


ca = pyossl.Authority()
own = ca.issue("localhost")
client = pyossl.Connection(pyossl.Context.client(trust=ca.certificate), "localhost", message_callback=show)
server = pyossl.Connection(pyossl.Context.server(own.certificate, own.private_key))

while client.handshake() is not None:
    server.receive_data(client.data_to_send())
    server.handshake()
    client.receive_data(server.data_to_send())
