"""The chain callback: it sees the chain that OpenSSL has accepted, can refuse it, and on a client may answer later."""

from __future__ import annotations

from typing import Any

import pytest
from marks import VERSIONS, needs, without
from pairs import carry, meet, shake_hands

import pyossl
from pyossl import Connection, Context, UsageError, Version, Want, ffi, lib


class OnPurposeError(Exception):
    pass


@pytest.fixture
def mutual(authority: pyossl.Authority, credentials: pyossl.Credentials) -> tuple[Context, Context]:
    """A client's and a server's context, each with a certificate that the other verifies."""
    own = credentials.certificate, credentials.private_key
    client = Context.client(trust=authority.certificate, certificate=own[0], private_key=own[1])
    return client, Context.server(*own, trust=authority.certificate, verify=True)


@pytest.mark.feature("chain callback, after OpenSSL's verification")
@VERSIONS
@pytest.mark.parametrize("side", [0, 1], ids=["client", "server"])
def test_the_callback_gets_the_chain_from_the_peers_certificate_to_the_trusted_one(
    side: int, version: Version, mutual: tuple[Context, Context], authority: pyossl.Authority
) -> None:
    seen: list[Any] = []

    def accept(connection: Connection, chain: tuple[pyossl.Certificate, ...]) -> bool:
        seen.append(chain)
        return True

    mutual[0].maximum_version = version
    mutual[side].chain_callback = accept
    assert mutual[side].chain_callback is accept
    both = meet(*mutual)
    assert seen == [(both[side].peer_certificate, authority.certificate)]


@VERSIONS
@pytest.mark.parametrize("side", [0, 1], ids=["client", "server"])
def test_false_refuses_the_peer(side: int, version: Version, mutual: tuple[Context, Context]) -> None:
    mutual[0].maximum_version = version
    mutual[side].chain_callback = lambda connection, chain: False
    both = Connection(mutual[0], "example.com"), Connection(mutual[1])
    with pytest.raises(pyossl.CertificateError) as refused:
        shake_hands(*both)
    assert refused.value.code == lib.X509_V_ERR_APPLICATION_VERIFICATION
    assert refused.value.certificate is not None
    assert not both[side].is_handshake_finished


@pytest.mark.parametrize("side", [0, 1], ids=["client", "server"])
def test_it_is_not_asked_about_a_chain_that_openssl_refuses(side: int, credentials: pyossl.Credentials) -> None:
    own, stranger = (credentials.certificate, credentials.private_key), pyossl.Authority("stranger").certificate
    client_context = Context.client(trust=stranger, certificate=own[0], private_key=own[1])
    server_context = Context.server(*own, trust=stranger, verify=True)
    asked = []
    (client_context, server_context)[side].chain_callback = lambda connection, chain: not asked.append(chain)
    with pytest.raises(pyossl.CertificateError):
        shake_hands(Connection(client_context, "example.com"), Connection(server_context))
    assert asked == []


@pytest.mark.parametrize("answer", [None, 1, 0, "yes", Want.READ, object()])
@pytest.mark.parametrize("side", [0, 1], ids=["client", "server"])
def test_an_answer_of_another_type_ends_the_handshake(side: int, answer: Any, mutual: tuple[Context, Context]) -> None:
    mutual[side].chain_callback = lambda connection, chain: answer
    both = Connection(mutual[0], "example.com"), Connection(mutual[1])
    with pytest.raises(TypeError, match="chain callback"):
        shake_hands(*both)
    assert not both[side].is_handshake_finished


@VERSIONS
@pytest.mark.parametrize("side", [0, 1], ids=["client", "server"])
def test_an_exception_is_raised_by_the_handshake(side: int, version: Version, mutual: tuple[Context, Context]) -> None:
    def fail(connection: Connection, chain: tuple[pyossl.Certificate, ...]) -> bool:
        raise OnPurposeError

    mutual[0].maximum_version = version
    mutual[side].chain_callback = fail
    both = Connection(mutual[0], "example.com"), Connection(mutual[1])
    with pytest.raises(OnPurposeError):
        shake_hands(*both)
    assert not both[side].is_handshake_finished


@VERSIONS
def test_a_server_cannot_answer_later_and_does_not_accept_the_client(
    version: Version, mutual: tuple[Context, Context]
) -> None:
    """OpenSSL would take it for a chain that is accepted.  docs/pitfalls.md, 80"""
    mutual[0].maximum_version = version
    mutual[1].chain_callback = lambda connection, chain: Want.RETRY_VERIFY
    client, server = Connection(mutual[0], "example.com"), Connection(mutual[1])
    with pytest.raises(UsageError, match="OpenSSL cannot verify a client later"):
        shake_hands(client, server)
    assert not server.is_handshake_finished


@needs("retry_verify")
@VERSIONS
def test_openssls_server_accepts_a_client_that_it_is_to_verify_later(
    version: Version, mutual: tuple[Context, Context], authority: pyossl.Authority
) -> None:
    """docs/pitfalls.md, 80"""

    @ffi.callback("int(X509_STORE_CTX *, void *)")  # type: ignore[untyped-decorator]  # cffi's own
    def later(store_context: Any, argument: Any) -> int:
        ssl = lib.X509_STORE_CTX_get_ex_data(store_context, lib.SSL_get_ex_data_X509_STORE_CTX_idx())
        return int(lib.SSL_set_retry_verify(ssl))

    stranger = pyossl.self_signed("stranger.example")
    client_context = Context.client(trust=authority.certificate, credentials=stranger, maximum_version=version)
    lib.SSL_CTX_set_cert_verify_callback(mutual[1]._ctx, later, ffi.NULL)
    _, server = meet(client_context, mutual[1])
    assert server.peer_certificate == stranger.certificate
    assert lib.SSL_get_verify_result(server._c.ssl) == lib.X509_V_OK


@without("retry_verify")
def test_before_3_0_a_client_cannot_answer_later_either(mutual: tuple[Context, Context]) -> None:
    mutual[0].chain_callback = lambda connection, chain: Want.RETRY_VERIFY
    client = Connection(mutual[0], "example.com")
    with pytest.raises(pyossl.UnsupportedError, match="a chain callback that answers later"):
        shake_hands(client, Connection(mutual[1]))
    assert not client.is_handshake_finished


@needs("retry_verify")
@VERSIONS
def test_a_peer_that_is_refused_later_is_refused(version: Version, mutual: tuple[Context, Context]) -> None:
    answers = iter([Want.RETRY_VERIFY, False])
    mutual[0].maximum_version = version
    mutual[0].chain_callback = lambda connection, chain: next(answers)
    client, server = Connection(mutual[0], "example.com"), Connection(mutual[1])
    with pytest.raises(pyossl.CertificateError):
        shake_hands(client, server)
    carry(client, server)
    with pytest.raises(pyossl.AlertError):
        server.handshake()


def test_it_is_a_function_of_a_context_that_verifies(server_context: Context) -> None:
    for context in (server_context, Context.client(verify=False)):
        with pytest.raises(UsageError, match="does not verify"):
            context.chain_callback = lambda connection, chain: True
        context.chain_callback = None
    with pytest.raises(TypeError, match="chain callback"):
        Context.client().chain_callback = True  # type: ignore[assignment]
