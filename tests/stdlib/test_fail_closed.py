"""What OpenSSL and Python's own ``_ssl`` let pass, and pyossl does not: see "What stays different" in docs/ssl.md."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from stdlib.ssl_over_pyossl import MemoryPair, client_context, credentials, server_context, ssl

import pyossl

AUTHORITY = pyossl.Authority()

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


def careless_context() -> Any:
    """A client's context that verifies nothing, and trusts the authority of the server."""
    context = client_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def session_of(pair: MemoryPair) -> Any:
    pair.handshake()
    return pair.client.session


def connect(context: Any, server: Any, name: str, session: Any = None) -> Any:
    """A client that expects this name, after its handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name, session=session)
    accepted = server.wrap_bio(outgoing, incoming, server_side=True)
    for _ in range(3):
        for side in client, accepted:
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    return client


# Sessions: the peer of a resumed session is not verified again


@VERSIONS
def test_a_session_without_verification_is_not_resumed_when_the_context_verifies(version: Any) -> None:
    context, server = careless_context(), server_context()
    context.maximum_version = version
    session = session_of(MemoryPair(context, server))
    context.check_hostname = True
    assert context.verify_mode == ssl.CERT_REQUIRED
    client = MemoryPair(context, server, session=session).handshake().client
    assert not client.session_reused
    assert client.getpeercert()["subjectAltName"] == (("DNS", "localhost"),)


@VERSIONS
def test_a_session_without_a_check_of_the_name_is_not_resumed_when_the_name_is_checked(version: Any) -> None:
    context, server = client_context(), server_context()
    context.maximum_version = version
    context.check_hostname = False
    session = session_of(MemoryPair(context, server))
    context.check_hostname = True
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        connect(context, server, "other.example", session)


@VERSIONS
def test_a_session_is_not_resumed_for_another_name(version: Any) -> None:
    context, server = client_context(), server_context()
    context.maximum_version = version
    session = session_of(MemoryPair(context, server))
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        connect(context, server, "other.example", session)


@VERSIONS
def test_a_session_is_resumed_for_another_name_if_names_are_not_checked(version: Any) -> None:
    context, server = client_context(), server_context()
    context.maximum_version = version
    context.check_hostname = False
    session = session_of(MemoryPair(context, server))
    assert connect(context, server, "other.example", session).session_reused


@VERSIONS
def test_a_verified_session_is_resumed_again_and_again(version: Any) -> None:
    context, server = client_context(), server_context()
    context.maximum_version = version
    session = session_of(MemoryPair(context, server))
    for _ in range(3):
        pair = MemoryPair(context, server, session=session)
        session = session_of(pair)
        assert pair.client.session_reused


@VERSIONS
def test_a_server_that_verifies_its_clients_resumes_their_sessions(version: Any) -> None:
    context, server = client_context(), server_context()
    context.maximum_version = version
    context.load_cert_chain(*credentials()[:2])
    server.verify_mode = ssl.CERT_REQUIRED
    pair = MemoryPair(context, server, session=session_of(MemoryPair(context, server))).handshake()
    assert pair.server.session_reused
    assert pair.server.getpeercert()["subjectAltName"] == (("DNS", "localhost"),)


# Names and addresses


def refusal_of(folder: Path, *names: str, expected: str) -> str | None:
    """Why a client that expects a name refuses a certificate with ``names``; None if it does not."""
    leaf = AUTHORITY.issue(*names)
    both = folder / "both.pem"
    both.write_bytes(leaf.certificate_pem() + leaf.private_key.to_pem())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(both)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=AUTHORITY.certificate.to_pem().decode())
    try:
        connect(context, server, expected)
    except ssl.SSLCertVerificationError as error:
        return str(error.verify_message)
    return None


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["example.com"], "example.com"),
        (["example.com"], "EXAMPLE.com"),
        (["*.example.com"], "www.example.com"),
        (["127.0.0.1"], "127.0.0.1"),
        (["::1"], "::1"),
        (["::1"], "0:0::1"),
    ],
)
def test_a_certificate_is_accepted_for_its_names_and_addresses(tmp_path: Path, names: list[str], expected: str) -> None:
    assert refusal_of(tmp_path, *names, expected=expected) is None


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["example.com"], "example.org"),
        (["example.com"], "www.example.com"),
        (["*.example.com"], "example.com"),
        (["*.example.com"], "a.b.example.com"),
        (["example.com"], "127.0.0.1"),
        (["127.0.0.1"], "localhost"),
        (["127.0.0.1"], "127.0.0.2"),
        (["127.0.0.1"], "127.1"),
        (["127.0.0.1"], "0x7f.0.0.1"),
        (["::1"], "::2"),
        (["::1"], "127.0.0.1"),
    ],
)
def test_a_certificate_is_refused_for_another_name_or_address(tmp_path: Path, names: list[str], expected: str) -> None:
    refusal = refusal_of(tmp_path, *names, expected=expected)
    assert refusal is not None
    assert refusal.endswith(f"mismatch, certificate is not valid for '{expected}'.")


def test_a_wildcard_is_not_a_part_of_a_label(tmp_path: Path) -> None:
    leaf = AUTHORITY.issue("wx.example.com")
    altered = ssl.DER_cert_to_PEM_cert(leaf.certificate.to_der().replace(b"wx.example.com", b"w*.example.com"))
    both = tmp_path / "both.pem"
    both.write_bytes(altered.encode() + leaf.private_key.to_pem())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(both)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=altered)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # its signature is not looked at
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        connect(context, server, "www.example.com")
    context._host_flags = 0
    assert connect(context, server, "www.example.com").version() is not None


@pytest.mark.parametrize("expected", ["127.0.0.1", "::1"])
def test_an_address_is_not_sent_as_a_server_name(expected: str) -> None:
    server, heard = server_context(), list[Any]()
    server.sni_callback = lambda connection, name, context: heard.append(name)
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        connect(client_context(), server, expected)
    assert heard == [None]


# The certificate of a peer


def test_a_certificate_that_was_not_verified_is_not_shown_when_the_context_verifies_later() -> None:
    context = careless_context()
    client = MemoryPair(context).handshake().client
    assert client.getpeercert() == {}
    context.verify_mode = ssl.CERT_REQUIRED
    assert client.getpeercert() == {}
    assert client.getpeercert(True)


def test_a_certificate_that_was_verified_is_not_shown_when_the_context_does_not_verify_any_more() -> None:
    context = client_context()
    client = MemoryPair(context).handshake().client
    assert client.getpeercert() != {}
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    assert client.getpeercert() == {}


@pytest.mark.parametrize("name", [b"localhost", bytearray(b"localhost"), 9, 10**12, [108, 111]])
def test_a_server_name_is_a_string(name: Any) -> None:
    with pytest.raises(TypeError, match=f"^argument must be str, not {type(name).__name__}$"):
        client_context()._wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), False, name)
