"""What both sides have offered, and the randoms and secrets of a connection, for tools."""

from __future__ import annotations

import pytest
from marks import VERSIONS
from pairs import carry, meet, shake_hands
from tls.callbacks.published_client_hellos import CHROME

import pyossl
from pyossl import Connection, Context, Version

GROUP_NAMES = {"P-256": {"secp256r1", "prime256v1"}, "X25519": {"x25519", "X25519"}, "P-384": {"secp384r1"}}
"""OpenSSL 1.1.1 has its own names for groups."""


@pytest.mark.feature("ciphers, groups and signature algorithms that the peer has offered")
@VERSIONS
def test_a_server_tells_what_the_client_has_offered(
    authority: pyossl.Authority, credentials: pyossl.Credentials, version: Version
) -> None:
    context = Context.client(trust=authority.certificate, minimum_version=version, maximum_version=version)
    context.set_cipher_list("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305")
    context.set_ciphersuites("TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384")
    context.set_groups("P-256:X25519")
    context.set_sigalgs("ECDSA+SHA384:ECDSA+SHA256:rsa_pss_rsae_sha256")
    serving = Context.server(credentials.certificate, credentials.private_key)
    serving.set_groups("X25519:P-384:P-256")
    serving.set_sigalgs("ECDSA+SHA256:rsa_pss_rsae_sha256")
    client, server = meet(context, serving)
    names = [name for name, _, _ in server.peer_ciphers]
    expected = {
        Version.TLSv1_2: ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"],
        Version.TLSv1_3: ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"],
    }[version]
    assert names == expected
    assert [name for name, _, _ in client.supported_ciphers] == expected
    assert set(server.shared_ciphers) <= set(server.peer_ciphers)
    assert [version_of for _, version_of, _ in server.peer_ciphers] == [str(server.version)] * 2
    offered, shared = server.peer_groups, server.shared_groups
    assert len(offered) == len(shared) == 2
    assert offered[0] in GROUP_NAMES["P-256"]
    assert offered[1] in GROUP_NAMES["X25519"]
    assert set(shared) == set(offered)
    assert server.peer_signature_algorithms == (
        "ecdsa_secp384r1_sha384",
        "ecdsa_secp256r1_sha256",
        "rsa_pss_rsae_sha256",
    )
    assert set(server.shared_signature_algorithms) == {"ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256"}
    assert client.peer_ciphers == client.peer_groups == client.shared_groups == ()
    assert client.peer_signature_algorithms == client.shared_signature_algorithms == ()


@VERSIONS
def test_a_client_that_is_asked_for_a_certificate_knows_the_servers_signature_algorithms(
    authority: pyossl.Authority, credentials: pyossl.Credentials, version: Version
) -> None:
    context = Context.client(trust=authority.certificate, maximum_version=version)
    serving = Context.server(
        credentials.certificate, credentials.private_key, trust=authority.certificate, verify="optional"
    )
    serving.set_sigalgs("ECDSA+SHA512:ECDSA+SHA256")
    client, _ = meet(context, serving)
    assert client.peer_signature_algorithms == ("ecdsa_secp521r1_sha512", "ecdsa_secp256r1_sha256")


def test_names_that_openssl_does_not_know_are_numbers() -> None:
    """A recorded ClientHello of Chrome has GREASE, https://www.rfc-editor.org/rfc/rfc8701."""
    own = pyossl.self_signed("example.com")
    server = Connection(Context.server(own.certificate, own.private_key))
    server.receive_data(CHROME)
    server.handshake()
    assert any(name.startswith("0x") and name.endswith("a") for name in server.peer_groups)


def test_before_the_handshake_and_on_a_dead_connection_there_is_nothing(
    client_context: Context, server_context: Context
) -> None:
    for side in (Connection(client_context, "example.com"), Connection(server_context)):
        assert side.peer_ciphers == side.peer_groups == side.shared_groups == ()
        assert side.peer_signature_algorithms == side.shared_signature_algorithms == ()
        assert side.supported_ciphers
        assert side.client_random is side.server_random is side.master_secret is None
        side.receive_data(b"no TLS at all, and long enough")
        with pytest.raises(pyossl.TLSError):
            side.handshake()
        assert side.peer_ciphers == side.peer_groups == side.shared_groups == ()


@pytest.mark.feature("Finished messages, randoms and master secret of a connection")
@VERSIONS
def test_both_sides_have_the_same_randoms_secret_and_finished_messages(
    authority: pyossl.Authority, credentials: pyossl.Credentials, version: Version
) -> None:
    context = Context.client(trust=authority.certificate, maximum_version=version)
    serving = Context.server(credentials.certificate, credentials.private_key)
    lines: list[str] = []
    context.keylog_callback = lambda connection, line: lines.append(line)
    client, server = Connection(context, "example.com"), Connection(serving)
    shake_hands(client, server)
    assert client.client_random is not None
    assert client.client_random == server.client_random
    assert client.server_random == server.server_random
    assert client.finished == server.peer_finished
    assert client.peer_finished == server.finished
    assert client.client_random != client.server_random
    assert len(client.client_random) == len(client.server_random or b"") == 32
    carry(client, server)
    client.read()
    assert client.master_secret is not None
    if version is Version.TLSv1_2:
        assert client.master_secret == server.master_secret
        assert lines == [f"CLIENT_RANDOM {client.client_random.hex()} {client.master_secret.hex()}"]


def test_the_secret_is_in_no_representation(client_context: Context, server_context: Context) -> None:
    client, _ = meet(client_context, server_context)
    assert client.master_secret is not None
    assert client.master_secret.hex() not in repr(client)
