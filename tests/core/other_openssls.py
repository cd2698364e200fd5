"""Programs that use pyossl beside other OpenSSLs, for test_other_openssls.py: ``ssl``'s and ``cryptography``'s."""

from __future__ import annotations

PAIR = """
import pyossl, sys, threading, os

def authority_files():
    authority = pyossl.Authority("pyossl test CA")
    credentials = authority.issue("example.com")
    chain = b"".join(each.to_pem() for each in (credentials.certificate, *credentials.chain))
    return authority, credentials, chain, credentials.private_key.to_pem()

def standard_context(purpose, authority, chain, key):
    import ssl, tempfile
    if purpose == "client":
        return ssl.create_default_context(cadata=authority.certificate.to_pem().decode())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(chain + key)
        file.flush()
        context.load_cert_chain(file.name)
    return context

def handshake(ours, theirs, incoming, outgoing):
    "Shakes hands in memory and exchanges a message in each direction."
    import ssl
    done = False
    for _ in range(10):
        ours_wants = ours.handshake()
        incoming.write(ours.data_to_send())
        try:
            theirs.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            pass
        ours.receive_data(outgoing.read())
        if ours_wants is None and done:
            break
    ours.write(b"from pyossl")
    incoming.write(ours.data_to_send())
    assert theirs.read(100) == b"from pyossl"
    theirs.write(b"from ssl")
    ours.receive_data(outgoing.read())
    assert ours.read(100) == b"from ssl"

def with_ssl():
    "pyossl as client and as server, each with Python's ssl on the other side."
    import ssl
    authority, credentials, chain, key = authority_files()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = standard_context("server", authority, chain, key).wrap_bio(incoming, outgoing, server_side=True)
    client = pyossl.Connection(pyossl.Context.client(trust=authority.certificate), "example.com")
    handshake(client, server, incoming, outgoing)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = standard_context("client", authority, chain, key)
    client = context.wrap_bio(incoming, outgoing, server_hostname="example.com")
    ours = (credentials.certificate, *credentials.chain)
    handshake(pyossl.Connection(pyossl.Context.server(ours, credentials.private_key)), client, incoming, outgoing)

def with_cryptography():
    "cryptography checks a signature and reads a certificate that pyossl has made."
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    authority, credentials, chain, key = authority_files()
    x509.load_pem_x509_certificate(credentials.certificate.to_pem()).verify_directly_issued_by(
        x509.load_pem_x509_certificate(authority.certificate.to_pem()))
    ec.generate_private_key(ec.SECP256R1())

def in_threads(*jobs):
    failed = []
    def run(job):
        try:
            for _ in range(3):
                job()
        except BaseException as error:
            failed.append(error)
            raise
    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
"""
