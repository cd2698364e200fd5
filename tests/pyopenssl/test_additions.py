"""The methods that pyOpenSSL does not have and its users have asked for: docs/pyopenssl.md has the list."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
from pyopenssl.pyopenssl_pairs import AUTHORITY, carry, contexts, pair, shake_hands

import pyossl
from pyossl.pyopenssl import SSL, crypto


@pytest.fixture(autouse=True)
def _deprecated() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def verifying() -> tuple[SSL.Context, SSL.Context]:
    client, server = contexts()
    client.load_verify_locations(cadata=AUTHORITY.certificate.to_pem())
    client.set_verify(SSL.VERIFY_PEER)
    return client, server


@pytest.mark.parametrize(
    ("name", "fits"), [("localhost", True), ("127.0.0.1", True), ("elsewhere.example", False), ("::1", False)]
)
def test_a_reference_name_is_compared_with_the_certificate(name: str, fits: bool) -> None:
    """docs/pitfalls.md, 21: names and addresses."""
    client, server = (SSL.Connection(context) for context in verifying())
    client.set_verify_host(name)
    if fits:
        shake_hands(client, server)
        return
    with pytest.raises(SSL.Error, match="certificate verify failed"):
        shake_hands(client, server)


@pytest.mark.parametrize("where", ["context", "connection"])
def test_groups_are_chosen(where: str) -> None:
    both = contexts()
    if where == "context":
        both[0].set_groups("P-384")
    client, server = (SSL.Connection(context) for context in both)
    if where == "connection":
        client.set_groups("P-384")
    shake_hands(client, server)
    if client.get_group_name() is not None:  # OpenSSL 1.1.1 has no function for it
        assert client.get_group_name() == "secp384r1"
    server.set_groups("P-256")
    third, fourth = SSL.Connection(both[0]), SSL.Connection(both[1])
    third.set_groups("P-384")
    fourth.set_groups("P-256")
    with pytest.raises(SSL.Error):
        shake_hands(third, fourth)


@pytest.mark.parametrize("where", ["context", "connection"])
def test_sigalgs_are_chosen(where: str) -> None:
    """The server's key is on P-256: a client that accepts RSA signatures only has no algorithm in common with it."""
    both = contexts()
    if where == "context":
        both[0].set_sigalgs("rsa_pss_rsae_sha256")
    client, server = (SSL.Connection(context) for context in both)
    if where == "connection":
        client.set_sigalgs("rsa_pss_rsae_sha256")
    with pytest.raises(SSL.Error):
        shake_hands(client, server)


def test_groups_and_sigalgs_that_there_are_not_are_errors() -> None:
    connection = SSL.Connection(contexts()[0])
    for choose in (connection.set_groups, connection.set_sigalgs, contexts()[0].set_groups, contexts()[0].set_sigalgs):
        with pytest.raises(SSL.Error):
            choose("no-such-thing")
        with pytest.raises(TypeError):
            choose(b"P-256")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="NUL"):
            choose("P-256\0")


@pytest.mark.feature("sessions, groups and signature algorithms beside pyOpenSSL's API")
@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
@pytest.mark.parametrize("form", ["to_der", "to_pem"])
def test_a_session_that_was_kept_as_bytes_is_resumed(version: int, form: str) -> None:
    """For example by another process with the same context."""
    both = contexts()
    for each in both:
        each.set_min_proto_version(version)
        each.set_max_proto_version(version)
    both[1].set_session_id(b"besides")
    client, server = (SSL.Connection(context) for context in both)
    shake_hands(client, server)
    assert (client.session_reused(), server.session_reused()) == (False, False)
    server.send(b"x")
    carry(client, server)
    assert client.recv(1) == b"x"
    session = client.get_session()
    assert session is not None
    kept = getattr(session, form)()
    again, server = (SSL.Connection(context) for context in both)
    again.set_session(SSL.Session.load(kept, both[0]))
    shake_hands(again, server)
    assert (again.session_reused(), server.session_reused()) == (True, True)


@pytest.mark.parametrize("data", [b"", b"nonsense", b"0\x03\x02\x01\x01"])
def test_bytes_that_are_no_session_are_an_error(data: bytes) -> None:
    with pytest.raises(SSL.Error):
        SSL.Session.load(data, contexts()[0])


def test_keys_are_updated() -> None:
    both = contexts()
    lines: list[bytes] = []
    both[0].set_keylog_callback(lambda connection, line: lines.append(line))
    client, server = (SSL.Connection(context) for context in both)
    shake_hands(client, server)
    for request in (False, True):
        client.key_update(request_peer=request)
        client.send(b"x")
        carry(client, server)
        assert server.recv(1) == b"x"
        server.send(b"y")
        carry(client, server)
        assert client.recv(1) == b"y"


def test_there_is_no_key_update_in_tls_1_2() -> None:
    client, _ = pair(lambda client, server: client.set_max_proto_version(SSL.TLS1_2_VERSION))
    with pytest.raises(SSL.Error):
        client.key_update()


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_both_sides_export_one_channel_binding(version: int) -> None:
    """RFC 9266, RFC 5929."""
    client, server = pair(lambda client, server: client.set_max_proto_version(version))
    assert client.get_channel_binding("tls-exporter") == server.get_channel_binding("tls-exporter")
    assert len(client.get_channel_binding("tls-exporter") or b"") == 32
    if version == SSL.TLS1_3_VERSION:
        with pytest.raises(ValueError, match="no tls-unique"):
            client.get_channel_binding()
    else:
        assert client.get_channel_binding() == server.get_channel_binding() == client.get_finished()
    with pytest.raises(ValueError, match="not implemented"):
        client.get_channel_binding("tls-something")


def test_tls_unique_of_a_resumed_handshake_is_the_servers_finished() -> None:
    """RFC 5929: the first Finished message of the handshake, of either side."""
    both = contexts()
    both[0].set_max_proto_version(SSL.TLS1_2_VERSION)
    both[1].set_session_id(b"besides")
    client, server = (SSL.Connection(context) for context in both)
    shake_hands(client, server)
    session = client.get_session()
    assert session is not None
    again, resumed = (SSL.Connection(context) for context in both)
    again.set_session(session)
    shake_hands(again, resumed)
    assert again.session_reused()
    assert again.get_channel_binding() == resumed.get_channel_binding() == resumed.get_finished()


def test_there_is_no_channel_binding_before_the_handshake() -> None:
    assert SSL.Connection(contexts()[0]).get_channel_binding() is None


def test_a_chain_and_trusted_certificates_come_from_memory() -> None:
    """Certificates, keys and trusted certificates without a file."""
    root = pyossl.Authority("root")
    between = pyossl.Authority("between", parent=root)
    credentials = between.issue("localhost")
    server = SSL.Context(SSL.TLS_METHOD)
    server.use_certificate_chain(credentials.certificate_pem())
    server.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, credentials.private_key.to_pem()))
    server.check_privatekey()
    client = SSL.Context(SSL.TLS_METHOD)
    client.load_verify_locations(cadata=root.certificate.to_der())
    client.set_verify(SSL.VERIFY_PEER)
    both = SSL.Connection(client), SSL.Connection(server)
    both[0].set_verify_host("localhost")
    shake_hands(*both)
    assert len(both[0].get_peer_cert_chain() or []) == 2
    assert len(both[0].get_verified_chain() or []) == 3


@pytest.mark.parametrize("data", [b"", b"nonsense"])
def test_bytes_without_certificates_are_an_error(data: bytes) -> None:
    context = SSL.Context(SSL.TLS_METHOD)
    with pytest.raises(SSL.Error):
        context.use_certificate_chain(data)
    with pytest.raises(SSL.Error):
        context.load_verify_locations(cadata=data)


def test_programs_reach_below_as_mitmproxy_does() -> None:
    """``SSL._lib`` with ``context._context`` and ``connection._ssl``: a name to verify, versions, DH parameters."""
    lib, ffi = SSL._lib, SSL._ffi
    both = verifying()
    assert lib.SSL_CTX_set_max_proto_version(both[0]._context, SSL.TLS1_2_VERSION) == 1
    parameters = lib.PEM_read_bio_DHparams(_memory(DH), ffi.NULL, ffi.NULL, ffi.NULL)
    parameters = ffi.gc(parameters, lib.DH_free)
    assert lib.SSL_CTX_set_tmp_dh(both[1]._context, parameters) == 1
    del parameters
    for address, fits in ((b"\x7f\0\0\1", True), (b"\x7f\0\0\2", False)):
        client, server = (SSL.Connection(context) for context in both)
        verification = lib.SSL_get0_param(client._ssl)
        SSL._openssl_assert(lib.X509_VERIFY_PARAM_set1_ip(verification, address, len(address)) == 1)
        if fits:
            shake_hands(client, server)
            assert client.get_protocol_version() == SSL.TLS1_2_VERSION
        else:
            with pytest.raises(SSL.Error, match="certificate verify failed"):
                shake_hands(client, server)
    with pytest.raises(SSL.Error):
        SSL._openssl_assert(False)


def _memory(data: bytes) -> object:
    bio = SSL._lib.BIO_new(SSL._lib.BIO_s_mem())
    SSL._lib.BIO_write(bio, data, len(data))
    return SSL._ffi.gc(bio, SSL._lib.BIO_free)


# RFC 7919's ffdhe2048.
DH = b"""-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""
