"""What OpenSSL and Python's own ``_ssl`` let pass, and pyossl does not: see "What stays different" in docs/ssl.md."""

from __future__ import annotations

from typing import Any

import pytest
from stdlib.ssl_over_pyossl import MemoryPair, client_context, server_context, ssl

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


def other_name(context: Any, server: Any, session: Any) -> Any:
    """A client that expects another name than the certificate's, with the error of its handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="other.example", session=session)
    accepted = server.wrap_bio(outgoing, incoming, server_side=True)
    for _ in range(3):
        for side in client, accepted:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
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
        other_name(context, server, session)


@VERSIONS
def test_a_session_is_not_resumed_for_another_name(version: Any) -> None:
    context, server = client_context(), server_context()
    context.maximum_version = version
    session = session_of(MemoryPair(context, server))
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        other_name(context, server, session)


@VERSIONS
def test_a_session_is_resumed_for_another_name_if_names_are_not_checked(version: Any) -> None:
    context, server = client_context(), server_context()
    context.maximum_version = version
    context.check_hostname = False
    session = session_of(MemoryPair(context, server))
    assert other_name(context, server, session).session_reused


@VERSIONS
def test_a_verified_session_is_resumed_again_and_again(version: Any) -> None:
    context, server = client_context(), server_context()
    context.maximum_version = version
    session = session_of(MemoryPair(context, server))
    for _ in range(3):
        pair = MemoryPair(context, server, session=session)
        session = session_of(pair)
        assert pair.client.session_reused


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
