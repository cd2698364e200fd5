"""A server gets its certificate by a request, and is revoked: python examples/certificate_request.py.

The server's private key stays with the server, and the authority's stays with the authority: only the request and the
certificate pass between them.  The authority is saved in a folder, with a password.

Prints:
    the server asks for www.example.com, internal.example.com, with a key of type EC
    the authority allows www.example.com
    the certificate is for www.example.com, of the server's own key: True
    the client accepts the server
    the authority revokes CN=www.example.com and publishes its CRL with 1 entry
    the client refuses the server: certificate revoked
"""

import tempfile
from pathlib import Path

import pyossl

ALLOWED = {"www.example.com", "mail.example.com"}


def meet(trust: pyossl.Store, own: pyossl.Certificate, key: pyossl.PrivateKey) -> str:
    """Connects a client that checks CRLs to a server, in memory."""
    context = pyossl.Context.client(trust=trust)
    context.verify_flags |= pyossl.VerifyFlags.CRL_CHECK
    ours, theirs = pyossl.BIO.pair()
    client = pyossl.Connection(context, "www.example.com", bio=ours)
    server = pyossl.Connection(pyossl.Context.server(own, key), bio=theirs)
    try:
        while (client.handshake(), server.handshake()) != (None, None):
            pass
    except pyossl.CertificateError as error:
        return f"the client refuses the server: {error.reason}"
    return "the client accepts the server"


def trusting(authority: pyossl.Authority, crl: pyossl.CRL) -> pyossl.Store:
    """What the client trusts: the authority, and its CRL."""
    store = pyossl.Store.of(authority.certificate)
    store.add_crl(crl)
    return store


with tempfile.TemporaryDirectory() as folder:
    pyossl.Authority("example CA").save(folder, "the authority's password")

    # The server makes its key and the request, and sends the request to the authority.
    key = pyossl.PrivateKey.generate()
    sent = pyossl.CertificateRequest.create("www.example.com", "internal.example.com", private_key=key).to_pem()

    # The authority reads the request, and decides which names the sender may have.
    authority = pyossl.Authority.load(folder, "the authority's password")
    request = pyossl.CertificateRequest.load(sent)
    print(f"the server asks for {', '.join(request.names)}, with a key of type {request.public_key.type}")
    allowed = [name for name in request.names if name in ALLOWED]
    print("the authority allows", ", ".join(allowed))
    certificate = authority.sign(request, *allowed)
    names = ", ".join(str(name.value) for name in certificate.subject_alt_names)
    print(f"the certificate is for {names}, of the server's own key: {certificate.belongs_to(key)}")
    print(meet(trusting(authority, authority.crl()), certificate, key))

    authority.revoke(certificate, pyossl.RevocationReason.KEY_COMPROMISE)
    authority.save(folder, "the authority's password")
    crl = pyossl.CRL.load(Path(folder, "crl.pem"))
    print(f"the authority revokes {certificate.subject} and publishes its CRL with {len(crl)} entry")
    print(meet(trusting(authority, crl), certificate, key))
