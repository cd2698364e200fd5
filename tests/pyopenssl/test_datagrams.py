"""DTLS in ``pyossl.pyopenssl``, in memory: the test carries the datagrams."""

from __future__ import annotations

import pytest
from marks import needs
from pyopenssl.pyopenssl_pairs import CREDENTIALS, carry, shake_hands

from pyossl.pyopenssl import SSL

pytestmark = needs("dtls")

MTU = 600
HANDSHAKE, DATA = 22, 23


def datagram_pair() -> tuple[SSL.Connection, SSL.Connection]:
    """A client and a server whose handshake is finished."""
    both = SSL.Context(SSL.DTLS_METHOD), SSL.Context(SSL.DTLS_METHOD)
    both[1]._core.use_certificate(CREDENTIALS.certificate)
    both[1]._core.use_private_key(CREDENTIALS.private_key)
    for context in both:
        context.set_options(SSL.OP_NO_QUERY_MTU)
    client, server = (SSL.Connection(context) for context in both)
    for connection in (client, server):
        connection.set_ciphertext_mtu(MTU)
    shake_hands(client, server)
    return client, server


def records_in(sent: bytes) -> list[int]:
    """The type of each record."""
    types = []
    while sent:
        types.append(sent[0])
        sent = sent[13 + int.from_bytes(sent[11:13], "big") :]
    return types


@pytest.mark.feature("DTLS with pyOpenSSL's API")
def test_each_datagram_is_read_by_itself() -> None:
    """Two datagrams that have arrived are not joined."""
    client, server = datagram_pair()
    for message in (b"one", b"two", b"three"):
        client.send(message)
    carry(client, server)
    assert [server.recv(100) for _ in range(3)] == [b"one", b"two", b"three"]
    with pytest.raises(SSL.WantReadError):
        server.recv(100)


def test_bytes_to_be_fetched_do_not_reduce_the_size_of_a_handshake_message() -> None:
    """BIO_wpending(3) returns the bytes that have not left yet; in memory, as for BIO_s_mem(3), there are none."""
    client, _ = datagram_pair()
    client.send(bytes(400))
    client.renegotiate()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    assert records_in(client.bio_read(1 << 16)) == [DATA, HANDSHAKE]
