"""A server staples an OCSP response about its certificate, and a client requires a good one.

The authority answers for itself here.  A real server fetches the response from the authority's responder, in a task of
its own, and its callback returns the newest one.

Prints:
    the certificate is GOOD
    refused: certificate revoked
"""

import pyossl

ca = pyossl.Authority()
own = ca.issue("localhost", must_staple=True)
newest = ca.ocsp_response(own.certificate)

server_context = pyossl.Context.server(own.certificate, own.private_key)
server_context.ocsp_callback = lambda connection: newest
client_context = pyossl.Context.client(trust=ca.certificate)
client_context.verify_ocsp(required=True)


def visit() -> None:
    client, server = pyossl.Connection(client_context, "localhost"), pyossl.Connection(server_context)
    try:
        while client.handshake() is not None:
            server.receive_data(client.data_to_send())
            server.handshake()
            client.receive_data(server.data_to_send())
    except pyossl.CertificateError as error:
        print(f"refused: {error.reason}")
    else:
        assert client.ocsp_status is not None
        print(f"the certificate is {client.ocsp_status.status.name}")


visit()
ca.revoke(own.certificate, pyossl.RevocationReason.KEY_COMPROMISE)
newest = ca.ocsp_response(own.certificate)
visit()
