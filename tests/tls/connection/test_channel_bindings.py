"""Keys that both sides derive from a connection, and channel bindings (RFC 5705, 5929, 9266)."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from marks import VERSIONS, needs
from pairs import carry, meet, shake_hands
from served import SocketPair

import pyossl
from pyossl import Context, Version, ffi, lib
from pyossl.core import own
from pyossl.errors import NotDueError

KINDS: list[Any] = ["tls-exporter", "tls-server-end-point", "tls-unique"]
Pair = tuple[pyossl.Connection, pyossl.Connection]


def contexts(authority: pyossl.Authority, credentials: pyossl.Credentials, version: Version) -> tuple[Context, Context]:
    client = Context.client(trust=authority.certificate, maximum_version=version)
    return client, Context.server(credentials.certificate, credentials.private_key, maximum_version=version)


def connected(authority: pyossl.Authority, credentials: pyossl.Credentials, version: Version) -> Pair:
    return meet(*contexts(authority, credentials, version))


@pytest.fixture
def both(authority: pyossl.Authority, credentials: pyossl.Credentials) -> Pair:
    return connected(authority, credentials, Version.TLSv1_3)


@pytest.mark.feature("exported keys (RFC 5705)")
@VERSIONS
def test_both_sides_export_the_same_bytes_and_others_for_each_label_context_and_connection(
    authority: pyossl.Authority, credentials: pyossl.Credentials, version: Version
) -> None:
    client, server = connected(authority, credentials, version)
    seen = set()
    for label in ("EXPORTER-a", "EXPORTER-b"):
        for context in (None, b"", b"more", b"x" * 900):
            exported = client.export_keying_material(label, 40, context)
            assert exported == server.export_keying_material(label.encode(), 40, context)
            assert len(exported) == 40
            seen.add(exported)
    # In TLS 1.3 an empty context and none are the same.
    assert len(seen) == (8 if version is Version.TLSv1_2 else 6)
    other, _ = connected(authority, credentials, version)
    assert other.export_keying_material("EXPORTER-a", 40) not in seen


def test_the_exporter_is_the_one_of_the_tls_1_2_key_derivation(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    """RFC 5705, 4: PRF(master_secret, label, client_random + server_random + length of context + context)."""
    context, serving = contexts(authority, credentials, Version.TLSv1_2)
    context.set_cipher_list("ECDHE-ECDSA-AES128-GCM-SHA256")
    client, _ = meet(context, serving)
    assert client.master_secret is not None
    assert client.client_random is not None
    assert client.server_random is not None
    seed = b"EXPORTER-x" + client.client_random + client.server_random + b"\0\4more"
    assert client.export_keying_material("EXPORTER-x", 50, b"more") == prf(client.master_secret, seed)[:50]


def prf(secret: bytes, seed: bytes) -> bytes:
    """The first 64 bytes of P_SHA256 (RFC 5246, 5)."""

    def mac(data: bytes) -> bytes:
        return hmac.new(secret, data, hashlib.sha256).digest()

    first = mac(seed)
    return mac(first + seed) + mac(mac(first) + seed)


@VERSIONS
def test_nothing_is_exported_before_the_handshake_is_finished(
    authority: pyossl.Authority, credentials: pyossl.Credentials, version: Version
) -> None:
    client_context, server_context = contexts(authority, credentials, version)
    client, server = pyossl.Connection(client_context, "example.com"), pyossl.Connection(server_context)
    for _ in range(3):
        for side in (client, server):
            if side.is_handshake_finished:
                continue
            with pytest.raises(NotDueError, match="not finished"):
                side.export_keying_material("EXPORTER-x", 32)
            with pytest.raises(pyossl.Error):
                side.export_early_keying_material("EXPORTER-x", 32)
            for kind in KINDS:
                with pytest.raises(NotDueError, match="not finished"):
                    side.channel_binding(kind)
            assert side.tls_unique is side.extended_master_secret is None
            side.handshake()
        carry(client, server)
    shake_hands(client, server)
    assert client.export_keying_material("EXPORTER-x", 32) == server.export_keying_material("EXPORTER-x", 32)


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ((b"", 32), ValueError),
        ((b"l" * 250, 32), ValueError),
        (("l" * 250, 32), ValueError),
        (("", 32), ValueError),
        (("\xe9", 32), ValueError),
        ((None, 32), TypeError),
        ((bytearray(b"label"), 32), TypeError),
        (("label", 0), ValueError),
        (("label", -1), ValueError),
        (("label", 65536), ValueError),
        (("label", 32.0), TypeError),
        (("label", True), TypeError),
        (("label", 32, "context"), TypeError),
        (("label", 32, b"c" * 65536), ValueError),
    ],
    ids=lambda value: str(value)[:30],
)
def test_arguments_that_cannot_be_used_are_refused(both: Pair, arguments: Any, kind: type[Exception]) -> None:
    for export in (both[0].export_keying_material, both[0].export_early_keying_material):
        with pytest.raises(kind):
            export(*arguments)


def test_a_length_that_openssl_refuses_is_an_error_and_the_connection_goes_on(both: Pair) -> None:
    client, server = both
    with pytest.raises(pyossl.Error, match="SSL_export_keying_material"):
        client.export_keying_material("EXPORTER-x", 65535)
    assert len(client.export_keying_material("l" * 249, 255 * 32)) == 255 * 32
    client.write(b"still here")
    carry(client, server)
    assert server.read(100) == b"still here"


def test_a_label_of_tls_itself_is_refused_in_tls_1_2(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    client, _ = connected(authority, credentials, Version.TLSv1_2)
    for label in ("client finished", "server finished", "master secret", "key expansion"):
        with pytest.raises(pyossl.Error):
            client.export_keying_material(label, 32)


def test_both_sides_export_the_same_early_bytes_if_there_is_early_data(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    client_context, server_context = contexts(authority, credentials, Version.TLSv1_3)
    lib.SSL_CTX_set_max_early_data(server_context._ctx, 1000)
    first, _ = meet(client_context, server_context)
    with pytest.raises(pyossl.Error):
        first.export_early_keying_material("EXPORTER-x", 32)
    client = pyossl.Connection(client_context, "example.com", session=first.session)
    server = pyossl.Connection(server_context)
    count, buffer = ffi.new("size_t *"), ffi.new("char[]", 100)
    assert lib.SSL_write_early_data(client._c.ssl, b"early", 5, count) == 1
    server.receive_data(client.data_to_send())
    assert lib.SSL_read_early_data(server._c.ssl, buffer, 100, count) == lib.SSL_READ_EARLY_DATA_SUCCESS
    exported = client.export_early_keying_material("EXPORTER-x", 32, b"more")
    assert exported == server.export_early_keying_material("EXPORTER-x", 32, b"more")
    assert exported != client.export_early_keying_material("EXPORTER-x", 32)


@pytest.mark.feature("channel bindings tls-exporter, tls-server-end-point, tls-unique")
@VERSIONS
def test_both_sides_have_the_same_bindings(
    authority: pyossl.Authority, credentials: pyossl.Credentials, version: Version
) -> None:
    client, server = connected(authority, credentials, version)
    assert client.extended_master_secret is server.extended_master_secret is True
    exporter = client.channel_binding()
    assert exporter == client.channel_binding("tls-exporter") == server.channel_binding("tls-exporter")
    assert exporter == client.export_keying_material("EXPORTER-Channel-Binding", 32, b"")
    end_point = client.channel_binding("tls-server-end-point")
    assert end_point == server.channel_binding("tls-server-end-point")
    assert end_point == hashlib.sha256(credentials.certificate.to_der()).digest()
    if version is Version.TLSv1_2:
        assert client.channel_binding("tls-unique") == server.channel_binding("tls-unique") == client.tls_unique
        assert client.tls_unique == client.finished
    else:
        for side in (client, server):
            with pytest.raises(pyossl.Error, match=r"TLS 1\.3 has no tls-unique"):
                side.channel_binding("tls-unique")


@VERSIONS
def test_a_resumed_connection_has_bindings_of_its_own_and_the_same_end_point(
    authority: pyossl.Authority, credentials: pyossl.Credentials, version: Version
) -> None:
    client_context, server_context = contexts(authority, credentials, version)
    first, _ = meet(client_context, server_context)
    client, server = meet(client_context, server_context, session=first.session)
    assert client.session_reused
    for kind in KINDS[: 3 if version is Version.TLSv1_2 else 2]:
        assert client.channel_binding(kind) == server.channel_binding(kind)
        assert (client.channel_binding(kind) == first.channel_binding(kind)) is (kind == "tls-server-end-point")


def with_signature(kind: str, digest: str | None, **options: Any) -> tuple[pyossl.Certificate, pyossl.PrivateKey]:
    """A certificate that its own key has signed with that hash."""
    key = pyossl.PrivateKey.generate(kind, **options)
    x509 = lib.pyossl_copy_certificate(pyossl.self_signed("example.com", private_key=key).certificate._x509)
    algorithm = ffi.NULL if digest is None else lib.EVP_get_digestbyname(digest.encode())
    assert lib.X509_sign(x509, key._key, algorithm) > 0
    return pyossl.Certificate(own(x509, lib.X509_free)), key


@pytest.mark.parametrize(
    ("kind", "digest", "used"),
    [
        ("RSA", "md5", "sha256"),
        ("RSA", "sha1", "sha256"),
        ("RSA", "sha256", "sha256"),
        ("RSA", "sha512", "sha512"),
        ("RSA-PSS", "sha1", "sha256"),
        ("RSA-PSS", "sha384", "sha384"),
        ("EC", "sha1", "sha256"),
        ("EC", "sha384", "sha384"),
    ],
)
def test_the_end_point_has_the_hash_of_the_certificates_signature_but_not_md5_or_sha_1(
    kind: str, digest: str, used: str
) -> None:
    certificate, key = with_signature(kind, digest)
    assert certificate.signature_hash == digest
    client_context, server_context = Context.client(verify=False), Context.server(certificate, key)
    for context in (client_context, server_context):
        context.security_level = 0
    client, server = meet(client_context, server_context)
    expected = hashlib.new(used, certificate.to_der()).digest()
    assert client.channel_binding("tls-server-end-point") == server.channel_binding("tls-server-end-point") == expected


@pytest.mark.parametrize("kind", ["ED25519", "ED448", *(["ML-DSA-44"] if lib.HAVE_POST_QUANTUM else [])])
def test_a_certificate_whose_signature_has_no_hash_has_no_end_point(kind: str) -> None:
    """RFC 5929, 4.1: the binding is undefined."""
    certificate, key = with_signature(kind, None)
    assert certificate.signature_hash is None
    for side in meet(Context.client(verify=False), Context.server(certificate, key)):
        with pytest.raises(pyossl.Error, match="has no hash"):
            side.channel_binding("tls-server-end-point")
        assert len(side.channel_binding("tls-exporter")) == 32


@needs("psk")
def test_a_server_without_a_certificate_has_no_end_point() -> None:
    serving, context = Context(is_server=True), Context.client(trust=pyossl.Store.empty())
    serving.psk_server_callback = lambda connection, identity: bytes(32)
    context.psk_client_callback = lambda connection, hint: (b"me", bytes(32))
    for side in meet(context, serving):
        with pytest.raises(pyossl.Error, match="shown no certificate"):
            side.channel_binding("tls-server-end-point")


def test_in_tls_1_2_there_is_no_tls_exporter_without_the_extended_master_secret(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    if not lib.HAVE_API_3_0:
        pytest.skip("OpenSSL 1.1.1 cannot turn the extended master secret off")
    client_context, server_context = contexts(authority, credentials, Version.TLSv1_2)
    server_context.options |= pyossl.Options.NO_EXTENDED_MASTER_SECRET
    for side in meet(client_context, server_context):
        assert side.extended_master_secret is False
        with pytest.raises(pyossl.Error, match="extended master secret"):
            side.channel_binding("tls-exporter")
        assert side.channel_binding("tls-unique") == side.tls_unique


@pytest.mark.parametrize("by_peer", [False, True])
def test_in_tls_1_2_there_is_no_tls_exporter_if_the_connection_may_renegotiate(
    authority: pyossl.Authority, credentials: pyossl.Credentials, by_peer: bool
) -> None:
    """RFC 9266, 4.2"""
    client_context, server_context = contexts(authority, credentials, Version.TLSv1_2)
    server_context.allow_renegotiation(by_peer=by_peer)
    client, server = meet(client_context, server_context)
    with pytest.raises(pyossl.Error, match="may renegotiate"):
        server.channel_binding()
    assert len(client.channel_binding()) == 32


@pytest.mark.parametrize("kind", ["tls-something", "", "TLS-UNIQUE", "tls-exporter\0"])
def test_another_kind_is_refused(both: Pair, kind: Any) -> None:
    with pytest.raises(ValueError, match="one of tls-exporter, tls-server-end-point, tls-unique"):
        both[0].channel_binding(kind)


@pytest.mark.parametrize("kind", [None, b"tls-exporter", 1])
def test_a_kind_that_is_no_text_is_refused(both: Pair, kind: Any) -> None:
    with pytest.raises(TypeError):
        both[0].channel_binding(kind)


def test_a_socket_has_the_bindings_of_its_connection(sockets: SocketPair) -> None:
    client, server = sockets
    for kind in KINDS[:2]:
        assert client.channel_binding(kind) == server.connection.channel_binding(kind)
    assert client.export_keying_material("EXPORTER-x", 32, b"c") == server.export_keying_material(
        "EXPORTER-x", 32, b"c"
    )
