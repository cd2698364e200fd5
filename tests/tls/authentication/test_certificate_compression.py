"""Certificate compression: when each side compresses, what OpenSSL leaves out then, and malformed messages."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import pytest
from marks import needs, without
from pairs import shake_hands

import pyossl
from pyossl import Connection, Context, Message, Options, UnsupportedError, UsageError, Version, ffi, lib
from pyossl.core.outcome import take_records

NAMES = ("zlib", "brotli", "zstd")
NUMBERS = {"zlib": 1, "brotli": 2, "zstd": 3}


def has(name: str) -> bool:
    if not lib.HAVE_CERTIFICATE_COMPRESSION:
        return False
    try:
        Context(is_server=False).set_certificate_compression([name])
    except UnsupportedError:
        return False
    return True


AVAILABLE = [name for name in NAMES if has(name)]
EACH = pytest.mark.parametrize("name", AVAILABLE or [pytest.param("none", marks=pytest.mark.skip("nothing to try"))])
HAVE = pytest.mark.skipif(not AVAILABLE, reason="this OpenSSL compresses no certificates")
HAVE_ZLIB = pytest.mark.skipif("zlib" not in AVAILABLE, reason="this OpenSSL has no zlib")


def certificates(client: Context, server: Context) -> list[tuple[bool, int]]:
    """What the two sides show in a handshake: whether the client shows it, and the algorithm; 0 for none."""
    messages: list[Message] = []
    ours = Connection(client, "example.com", message_callback=messages.append)
    shake_hands(ours, Connection(server))
    return [
        (each.outgoing, int.from_bytes(each.data[4:6], "big") if each.name == "CompressedCertificate" else 0)
        for each in messages
        if each.name in ("Certificate", "CompressedCertificate")
    ]


@pytest.fixture
def client(authority: pyossl.Authority) -> Context:
    return Context.client(trust=authority.certificate, credentials=authority.issue("client"))


@pytest.fixture
def server(authority: pyossl.Authority, credentials: pyossl.Credentials) -> Context:
    return Context.server(credentials, trust=authority.certificate, verify="optional")


# When each side compresses


@EACH
@pytest.mark.feature("certificate compression")
def test_both_sides_compress_with_the_algorithm(name: str, client: Context, server: Context) -> None:
    client.set_certificate_compression([name])
    server.set_certificate_compression([name])
    assert certificates(client, server) == [(False, NUMBERS[name]), (True, NUMBERS[name])]


@HAVE
@pytest.mark.feature("certificate compression")
def test_without_the_call_only_a_server_compresses_nothing(client: Context, server: Context) -> None:
    shown = certificates(client, server)
    assert shown[0] == (False, 0)
    assert shown[1][0]
    assert shown[1][1] in {NUMBERS[name] for name in AVAILABLE}


@HAVE
@pytest.mark.feature("certificate compression")
def test_no_algorithms_turn_it_off(client: Context, server: Context) -> None:
    server.set_certificate_compression(AVAILABLE)
    client.set_certificate_compression(())
    assert certificates(client, server) == [(False, 0), (True, 0)]
    assert client.options & Options.NO_RX_CERTIFICATE_COMPRESSION
    assert client.options & Options.NO_TX_CERTIFICATE_COMPRESSION


@HAVE
def test_the_last_call_counts(client: Context, server: Context) -> None:
    for context in (client, server):
        context.set_certificate_compression([])
        context.set_certificate_compression(AVAILABLE[-1:])
    number = NUMBERS[AVAILABLE[-1]]
    assert certificates(client, server) == [(False, number), (True, number)]


@HAVE
def test_a_server_that_turned_it_off_sends_no_compressed_certificate(client: Context, server: Context) -> None:
    server.set_certificate_compression(AVAILABLE)
    server.set_certificate_compression([])
    client.set_certificate_compression(AVAILABLE)
    assert certificates(client, server) == [(False, 0), (True, 0)]


@pytest.mark.skipif(len(AVAILABLE) < 2, reason="this OpenSSL has fewer than two algorithms")
def test_a_certificate_is_compressed_as_its_receiver_prefers(client: Context, server: Context) -> None:
    one, two = AVAILABLE[:2]
    client.set_certificate_compression([one, two])
    server.set_certificate_compression([two, one])
    assert certificates(client, server) == [(False, NUMBERS[one]), (True, NUMBERS[two])]


@HAVE
def test_without_a_common_algorithm_and_in_tls_1_2_nothing_is_compressed(client: Context, server: Context) -> None:
    client.set_certificate_compression(AVAILABLE)
    server.set_certificate_compression(AVAILABLE)
    client.maximum_version = Version.TLSv1_2
    assert certificates(client, server) == [(False, 0), (True, 0)]


@HAVE
def test_the_whole_chain_is_compressed_and_verified(authority: pyossl.Authority) -> None:
    own = authority.issue("example.com")
    server = Context.server([own.certificate, authority.certificate], own.private_key)
    server.set_certificate_compression(AVAILABLE[:1])
    client = Connection(Context.client(trust=authority.certificate), "example.com")
    shake_hands(client, Connection(server))
    assert client.peer_chain == (own.certificate, authority.certificate)
    assert client.verified_name == "example.com"


@HAVE
def test_a_certificate_callbacks_certificate_is_not_compressed(
    client: Context, server: Context, authority: pyossl.Authority
) -> None:
    other = authority.issue("example.com")
    server.set_certificate_compression(AVAILABLE)
    server.certificate_callback = lambda connection, demand: other
    assert certificates(client, server)[0] == (False, 0)
    ours = Connection(client, "example.com")
    shake_hands(ours, Connection(server))
    assert ours.peer_certificate == other.certificate


@HAVE
def test_a_server_without_a_certificate_compresses_none(client: Context, credentials: pyossl.Credentials) -> None:
    server = Context(is_server=True)
    server.set_certificate_compression(AVAILABLE)
    server.certificate_callback = lambda connection, demand: credentials
    assert certificates(client, server) == [(False, 0)]


# What OpenSSL leaves out of a compressed certificate


def staple(server: Context, authority: pyossl.Authority, credentials: pyossl.Credentials) -> None:
    server.staple_ocsp(authority.ocsp_response(credentials.certificate))


def set_ocsp_callback(server: Context, authority: pyossl.Authority, credentials: pyossl.Credentials) -> None:
    server.ocsp_callback = lambda connection: None


def send_scts(server: Context, authority: pyossl.Authority, credentials: pyossl.Credentials) -> None:
    server.send_scts([bytes(50)])


@HAVE
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("extend", [staple, set_ocsp_callback, send_scts])
def test_a_context_that_sends_more_with_its_certificate_refuses_to_compress_it(
    extend: Callable[..., None], first: bool, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    server = Context.server(credentials)
    if first:
        extend(server, authority, credentials)
    server.set_certificate_compression(AVAILABLE)
    if not first:
        extend(server, authority, credentials)
    with pytest.raises(UsageError, match=r"would not send (an OCSP response|certificate timestamps) with it"):
        Connection(server)
    server.set_certificate_compression([])
    Connection(server)


@HAVE
@needs("ocsp")
def test_openssl_leaves_the_ocsp_response_out_of_a_compressed_certificate(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    """The trap itself: docs/pitfalls.md, 83."""
    for compressed in (False, True):
        server = Context.server(credentials)
        staple(server, authority, credentials)
        if compressed:
            assert server.call(lib.SSL_CTX_compress_certs, 0) == 1
        client_context = Context.client(trust=authority.certificate)
        client_context.request_ocsp()
        client = Connection(client_context, "example.com")
        shake_hands(client, Connection(server))
        assert (client.ocsp_response is None) is compressed


# Malformed messages


def bomb(credentials: pyossl.Credentials, data: bytes, claimed: int) -> Context:
    """A server whose compressed certificate is not one."""
    server = Context.server(credentials)
    packed = zlib.compress(data, 9)
    if server.call(lib.SSL_CTX_set1_compressed_cert, 1, packed, len(packed), claimed) != 1:
        pytest.fail(f"SSL_CTX_set1_compressed_cert: {take_records()}")
    return server


@HAVE_ZLIB
@pytest.mark.feature("certificate compression")
@pytest.mark.parametrize("size", [110_000, 16_000_000])
def test_a_message_that_would_be_too_long_is_not_decompressed(
    size: int, client: Context, credentials: pyossl.Credentials
) -> None:
    """16 MB of zeros in 16 KB: OpenSSL looks at the length that the message claims."""
    ours = Connection(client, "example.com")
    with pytest.raises(pyossl.TLSError, match="excessive message size"):
        shake_hands(ours, Connection(bomb(credentials, bytes(size), size)))


@HAVE_ZLIB
@pytest.mark.parametrize(
    ("data", "claimed"),
    [(bytes(50_000), 50_000), (bytes(50_000), 600), (b"short", 600), (b"", 600), (bytes(16_000_000), 600)],
    ids=["zeros", "longer than claimed", "shorter than claimed", "nothing", "a bomb that claims little"],
)
def test_what_is_no_certificate_is_refused(
    data: bytes, claimed: int, client: Context, credentials: pyossl.Credentials
) -> None:
    ours = Connection(client, "example.com")
    with pytest.raises(pyossl.TLSError):
        shake_hands(ours, Connection(bomb(credentials, data, claimed)))
    assert not ours.is_handshake_finished


# Mistakes


@needs("certificate_compression")
@pytest.mark.skipif(len(AVAILABLE) == len(NAMES), reason="this OpenSSL has every algorithm")
def test_an_algorithm_that_openssl_was_built_without_is_refused_also_beside_others(client: Context) -> None:
    missing = next(name for name in NAMES if name not in AVAILABLE)
    for names in ([missing], [*AVAILABLE, missing]):
        with pytest.raises(UnsupportedError, match=f"certificate compression with {missing}"):
            client.set_certificate_compression(names)


@without("certificate_compression")
def test_an_older_openssl_refuses_it(client: Context) -> None:
    for names in (["zlib"], []):
        with pytest.raises(UnsupportedError, match="certificate compression"):
            client.set_certificate_compression(names)


def test_mistakes_are_named(client: Context) -> None:
    wrong: Any
    for wrong in ("zlib", b"zlib", 1, None, [1], [None], [b"zlib"]):
        with pytest.raises(TypeError):
            client.set_certificate_compression(wrong)
    for wrong in (["gzip"], [""], ["ZLIB"], ["none"], ["limit"]):
        with pytest.raises(ValueError, match="is zlib, brotli, zstd, not"):
            client.set_certificate_compression(wrong)
    with pytest.raises(ValueError, match="zlib is given twice"):
        client.set_certificate_compression(["zlib", "zlib"])


def test_a_frozen_context_keeps_its_algorithms(client: Context) -> None:
    Connection(client, "example.com")
    with pytest.raises(UsageError, match="frozen"):
        client.set_certificate_compression([])


@HAVE
def test_the_compressed_certificate_has_openssls_length(credentials: pyossl.Credentials) -> None:
    server = Context.server(credentials)
    server.set_certificate_compression(AVAILABLE)
    for name in AVAILABLE:
        data, length = ffi.new("unsigned char **"), ffi.new("size_t *")
        packed = server.call(lib.SSL_CTX_get1_compressed_cert, NUMBERS[name], data, length)
        lib.OPENSSL_free(data[0])
        assert 0 < packed < length[0]
