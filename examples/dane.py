"""Verifies a server by the TLSA records of the DNS (DANE), with and without a trusted authority.

Prints:
    published: 3 1 1 and 64 digits
    verified by the record: 3 1 1, depth 0
    another server: CertificateError
    verified by the authority's record: 2 0 1, depth 1
"""

import pyossl
from pyossl import TLSARecord

NAME = "mail.example.com"
ca = pyossl.Authority()
own, stranger = ca.issue(NAME), pyossl.self_signed(NAME)
context = pyossl.Context.client(trust=pyossl.Store.empty())  # nobody is trusted but by a record


def verify(server: pyossl.Credentials, *records: str) -> str:
    """Does a handshake in memory, and returns by which record the server was verified."""
    client = pyossl.Connection(context, NAME, dane=records)
    serving = pyossl.Connection(pyossl.Context.server([server.certificate, ca.certificate], server.private_key))
    while client.handshake() is not None:
        serving.receive_data(client.data_to_send())
        serving.handshake()
        client.receive_data(serving.data_to_send())
    match = client.dane_match
    if match is None:
        raise ValueError("there is a match, unless a session was resumed")
    record = match.record
    return f"{record.usage} {record.selector} {record.matching_type}, depth {match.depth}"


published = str(TLSARecord.of(own.certificate))
print(f"published: {published[:5]} and {len(published[6:])} digits")
print("verified by the record:", verify(own, published))
try:
    verify(stranger, published)
except pyossl.CertificateError as error:
    print("another server:", type(error).__name__)
authority = TLSARecord.of(ca.certificate, usage=2, selector=0)
print("verified by the authority's record:", verify(own, str(authority)))
