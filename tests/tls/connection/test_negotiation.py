"""The negotiated properties of a connection: the ciphers that both sides have, and TLS 1.2's channel binding."""

from __future__ import annotations

import ssl

import pytest
from pairs import meet, shake_hands

import pyossl
from pyossl import lib
from pyossl.tls.settings.ciphers_and_groups import builtin_sigalgs

TLS_1_2 = pyossl.Version.TLSv1_2


@pytest.fixture
def old_context(authority: pyossl.Authority) -> pyossl.Context:
    return pyossl.Context.client(trust=authority.certificate, maximum_version=TLS_1_2)


def test_both_sides_have_the_same_channel_binding_in_full_and_resumed_handshakes(
    old_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    client, server = meet(old_context, server_context)
    assert client.tls_unique == server.tls_unique == client.finished
    session = client.session
    again, server_again = meet(old_context, server_context, session=session)
    assert again.session_reused
    assert again.tls_unique == server_again.tls_unique == server_again.finished  # the server's comes first
    assert again.tls_unique != client.tls_unique


def test_the_channel_binding_is_the_stdlibs(old_context: pyossl.Context, server_context: pyossl.Context) -> None:
    """Its client against our server, in memory, and again with the session."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    session = None
    for resumed in (False, True):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        theirs = context.wrap_bio(incoming, outgoing, session=session)
        ours = pyossl.Connection(server_context)
        while not _steps(theirs, ours, incoming, outgoing):
            pass
        assert theirs.session_reused is resumed
        assert ours.tls_unique == theirs.get_channel_binding()
        session = theirs.session


def _steps(theirs: ssl.SSLObject, ours: pyossl.Connection, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> bool:
    try:
        theirs.do_handshake()
        finished = True
    except ssl.SSLWantReadError:
        finished = False
    if data := outgoing.read():
        ours.receive_data(data)
    want = ours.handshake()
    incoming.write(ours.data_to_send())
    return finished and want is None


def test_there_is_no_channel_binding_before_the_handshake_nor_in_tls_1_3(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    client, server = pyossl.Connection(client_context, "example.com"), pyossl.Connection(server_context)
    assert client.tls_unique is server.tls_unique is None
    shake_hands(client, server)
    assert client.version == "TLSv1.3"
    assert client.tls_unique is server.tls_unique is None


def test_a_server_tells_the_ciphers_that_both_have_in_the_clients_order(
    old_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    both = ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"]
    old_context.set_cipher_list(f"{both[0]}:ECDHE-ECDSA-CHACHA20-POLY1305:{both[1]}")
    server_context.set_cipher_list(f"{both[1]}:{both[0]}")
    before = pyossl.Connection(server_context)
    assert before.shared_ciphers == ()
    client, server = meet(old_context, server_context)
    assert server.shared_ciphers == ((both[0], "TLSv1.2", 256), (both[1], "TLSv1.2", 128))
    assert (server.cipher, server.cipher_version, server.cipher_bits) in server.shared_ciphers
    assert client.shared_ciphers == ()


def test_the_signature_algorithms_are_named(authority: pyossl.Authority, credentials: pyossl.Credentials) -> None:
    own = authority.issue("me.example", private_key=pyossl.PrivateKey.generate("RSA", bits=2048))
    asking = pyossl.Context.server(
        credentials.certificate, credentials.private_key, trust=authority.certificate, verify=True
    )
    client, server = meet(
        pyossl.Context.client(trust=authority.certificate, certificate=own.certificate, private_key=own.private_key),
        asking,
    )
    if not lib.HAVE_API_3_5:
        for name in ("signature_algorithm", "peer_signature_algorithm"):
            with pytest.raises(pyossl.UnsupportedError):
                getattr(client, name)
        return
    assert server.signature_algorithm == client.peer_signature_algorithm == "ecdsa_secp256r1_sha256"
    assert client.signature_algorithm == server.peer_signature_algorithm
    assert str(client.signature_algorithm).startswith("rsa_pss")
    before = pyossl.Connection(asking)
    assert before.signature_algorithm is before.peer_signature_algorithm is before.group is None


def test_the_groups_and_signature_algorithms_of_this_openssl_are_named() -> None:
    context = pyossl.Context.client()
    if lib.HAVE_API_3_4:
        assert "ecdsa_secp256r1_sha256" in builtin_sigalgs()
    else:
        with pytest.raises(pyossl.UnsupportedError):
            builtin_sigalgs()
    if lib.HAVE_API_3_5:
        assert {"secp256r1", "x25519"} <= {each.lower() for each in context.implemented_groups()}
        assert set(context.implemented_groups()) < set(context.implemented_groups(with_aliases=True))
    else:
        with pytest.raises(pyossl.UnsupportedError):
            context.implemented_groups()
