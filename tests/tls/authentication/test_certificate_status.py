"""What a client asks for about the server's certificate, on the wire: an OCSP response, and timestamps."""

from __future__ import annotations

import pytest
from cli.hellos import extensions_of
from cli.ocsp_making import ocsp_response
from marks import VERSIONS, needs
from pairs import meet, shake_hands

import pyossl
from pyossl import Context, Message, UsageError, Version
from pyossl.tls.mutable.mutable_connection import MutableConnection
from pyossl.tls.mutable.mutable_context import Method, MutableContext

STATUS_REQUEST, SCTS = 5, 18
OCSP_REQUEST = bytes([1, 0, 0, 0, 0])


def offered_by(context: Context) -> dict[int, bytes]:
    """The extensions of the ClientHello of a connection of ``context``."""
    messages: list[Message] = []
    pyossl.Connection(context, "example.com", message_callback=messages.append).handshake()
    return extensions_of(next(each.data for each in messages if each.name == "ClientHello"))


def test_by_default_a_client_asks_for_neither() -> None:
    assert not {STATUS_REQUEST, SCTS} & offered_by(Context.client()).keys()


@needs("ocsp")
@pytest.mark.feature("OCSP response asked for")
def test_a_client_asks_for_an_ocsp_response() -> None:
    context = Context.client()
    context.request_ocsp()
    assert offered_by(context)[STATUS_REQUEST] == OCSP_REQUEST


@pytest.mark.feature("signed certificate timestamps asked for")
def test_a_client_asks_for_timestamps_by_an_empty_extension() -> None:
    context = Context.client()
    context.request_scts()
    assert offered_by(context)[SCTS] == b""


@VERSIONS
def test_a_server_that_has_neither_is_no_error(
    version: Version, authority: pyossl.Authority, server_context: Context
) -> None:
    context = Context.client(trust=authority.certificate, maximum_version=version)
    context.request_scts()
    if pyossl.features.ocsp:
        context.request_ocsp()
    client, _ = meet(context, server_context)
    assert client.ocsp_response is None


@needs("ocsp")
@VERSIONS
def test_the_stapled_response_is_what_the_server_gave(
    version: Version, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    given = ocsp_response(credentials, authority)
    server_context = MutableContext(Method.TLS)
    server_context.use_certificate(credentials.certificate)
    server_context.use_private_key(credentials.private_key)
    server_context.set_ocsp_server_callback(lambda connection: given)
    server = MutableConnection(server_context)
    server.set_accept_state()
    context = Context.client(trust=authority.certificate, maximum_version=version)
    context.request_ocsp()
    client = pyossl.Connection(context, "example.com")
    shake_hands(client, server)
    assert client.ocsp_response == given
    assert server.ocsp_response is None, "a server has received none"


@pytest.mark.parametrize("setting", ["request_ocsp", "request_scts"])
def test_a_server_cannot_ask(setting: str, server_context: Context) -> None:
    with pytest.raises(UsageError, match=f"{setting} is only for clients"):
        getattr(server_context, setting)()


@pytest.mark.parametrize("setting", ["request_ocsp", "request_scts"])
def test_a_frozen_context_is_not_changed(setting: str) -> None:
    context = Context.client()
    pyossl.Connection(context, "example.com")
    with pytest.raises(UsageError, match="frozen"):
        getattr(context, setting)()


def test_timestamps_are_asked_for_once() -> None:
    context = Context.client()
    context.request_scts()
    with pytest.raises(pyossl.Error):
        context.request_scts()
