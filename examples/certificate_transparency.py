"""A client requires that a public log knows the server's certificate, and refuses a server without a timestamp.

The log here is only a key in a file, and it has signed nothing.  A real list has the keys of the logs that you trust.

Prints:
    refused: no valid timestamp
"""

import base64
import pathlib
import tempfile

import pyossl

log = pyossl.PrivateKey.generate().public_key
ca = pyossl.Authority()
own = ca.issue("localhost")
server_context = pyossl.Context.server(own.certificate, own.private_key)
client_context = pyossl.Context.client(trust=ca.certificate)

with tempfile.TemporaryDirectory() as folder:
    logs = pathlib.Path(folder, "logs.cnf")
    key = base64.b64encode(log.to_der()).decode()
    logs.write_text(f"enabled_logs = first\n[first]\ndescription = a log\nkey = {key}\n")
    client_context.verify_scts(logs, required=True)

client, server = pyossl.Connection(client_context, "localhost"), pyossl.Connection(server_context)
try:
    while client.handshake() is not None:
        server.receive_data(client.data_to_send())
        server.handshake()
        client.receive_data(server.data_to_send())
except pyossl.CertificateError as error:
    print("refused: no valid timestamp" if error.code == pyossl.lib.X509_V_ERR_NO_VALID_SCTS else error)
