"""A server chooses a context by the name that the client sends (SNI): which settings the chosen context replaces.

The context is chosen when the ClientHello arrives, before OpenSSL looks for a session.  If it were chosen in the
callback of SSL_CTX_set_tlsext_servername_callback(3), a client could resume a session of a context that does not verify
clients with a context that does.
"""

from __future__ import annotations

import datetime
import gc
import weakref
from collections.abc import Callable

import pytest
from marks import VERSIONS
from pairs import carry, meet, shake_hands

import pyossl
from pyossl import Context, VerifyFlags, Version, lib


class OnPurposeError(Exception):
    pass


@pytest.fixture
def new_server(authority: pyossl.Authority) -> Callable[..., Context]:
    """Makes a server's context for a name; with ``clients`` it verifies them by that authority."""

    def make(name: str, clients: pyossl.Authority | None = None) -> Context:
        own = authority.issue(name)
        trust = None if clients is None else clients.certificate
        return Context.server(own.certificate, own.private_key, trust=trust, verify=clients is not None)

    return make


def client_for(authority: pyossl.Authority, own: pyossl.Credentials | None = None, **arguments: object) -> Context:
    if own is not None:
        arguments |= {"certificate": own.certificate, "private_key": own.private_key}
    return Context.client(trust=authority.certificate, **arguments)  # type: ignore[arg-type]


def choosing(first: Context, **others: Context) -> Context:
    """``first``, with a callback that chooses other contexts by name (with ``_`` in place of dots)."""
    by_name = {name.replace("_", "."): context for name, context in others.items()}
    first.servername_callback = lambda connection, name: by_name.get(name or "")
    return first


@pytest.mark.feature("SNI callback that switches the context")
@VERSIONS
def test_each_name_is_shown_its_own_certificate(
    version: Version, authority: pyossl.Authority, new_server: Callable[..., Context]
) -> None:
    server_context = choosing(new_server("a.example"), b_example=new_server("b.example"))
    client_context = client_for(authority, maximum_version=version)
    for name in ("a.example", "b.example"):
        client, server = meet(client_context, server_context, name)
        assert client.verified_name == name
        assert server.server_hostname == name
    assert server.context is not server_context


def test_the_callback_gets_the_name_and_the_connection_has_it_too(
    authority: pyossl.Authority, new_server: Callable[..., Context]
) -> None:
    told: list[tuple[str | None, str | None]] = []
    context = new_server("a.example")
    context.servername_callback = lambda connection, name: told.append((name, connection.server_hostname))
    meet(client_for(authority), context, "a.example")
    meet(client_for(authority, check_hostname=False), context, None)
    assert told == [("a.example", "a.example"), (None, None)]


def test_the_client_is_told_that_its_name_was_heeded(
    authority: pyossl.Authority, new_server: Callable[..., Context]
) -> None:
    """RFC 6066: "a server that receives a client hello containing the "server_name" extension … SHALL include an
    extension of type "server_name" in the (extended) server hello"."""
    heard: list[bytes] = []
    client = pyossl.Connection(
        client_for(authority, maximum_version=Version.TLSv1_2),
        "a.example",
        message_callback=lambda message: heard.append(message.data) if message.name == "ServerHello" else None,
    )
    shake_hands(client, pyossl.Connection(choosing(new_server("a.example"))))
    assert b"\x00\x00\x00\x00" in heard[0][38:], "extension 0, empty"


@VERSIONS
def test_the_verification_of_clients_is_the_chosen_contexts(
    version: Version, authority: pyossl.Authority, new_server: Callable[..., Context]
) -> None:
    """docs/pitfalls.md, 13's neighbour: SSL_set_SSL_CTX(3) leaves the verify mode as it was."""
    server_context = choosing(new_server("a.example"), b_example=new_server("b.example", clients=authority))
    nobody = client_for(authority, maximum_version=version)
    known = client_for(authority, authority.issue("me.example"), maximum_version=version)
    meet(nobody, server_context, "a.example")
    with pytest.raises(pyossl.CertificateError, match="did not return a certificate"):
        meet(nobody, server_context, "b.example")
    assert meet(known, server_context, "b.example")[1].peer_certificate is not None


@VERSIONS
def test_a_chosen_context_that_does_not_verify_asks_for_no_certificate(
    version: Version, authority: pyossl.Authority, new_server: Callable[..., Context]
) -> None:
    server_context = choosing(new_server("a.example", clients=authority), b_example=new_server("b.example"))
    _, server = meet(client_for(authority, maximum_version=version), server_context, "b.example")
    assert not server.context.verifies


@VERSIONS
def test_a_session_of_one_context_does_not_open_another(
    version: Version, authority: pyossl.Authority, new_server: Callable[..., Context]
) -> None:
    """A session made without a certificate is offered to the name of a server that demands one: nginx resumed it
    (CVE-2025-23419).  docs/pitfalls.md, 12 and 13
    """
    server_context = choosing(new_server("a.example"), b_example=new_server("b.example", clients=authority))
    client_context = client_for(authority, maximum_version=version, check_hostname=False)
    session = meet(client_context, server_context, "a.example")[0].session
    assert session is not None
    assert meet(client_context, server_context, "a.example", session)[0].session_reused, "it is worth stealing"
    with pytest.raises(pyossl.CertificateError, match="did not return a certificate"):
        meet(client_context, server_context, "b.example", session)


@VERSIONS
def test_a_session_of_a_chosen_context_is_resumed_by_it(
    version: Version, authority: pyossl.Authority, new_server: Callable[..., Context]
) -> None:
    server_context = choosing(new_server("a.example"), b_example=new_server("b.example", clients=authority))
    me = authority.issue("me.example")
    client_context = client_for(authority, me, maximum_version=version)
    session = meet(client_context, server_context, "b.example")[0].session
    client, server = meet(client_context, server_context, "b.example", session)
    assert client.session_reused
    assert server.peer_certificate == me.certificate


def test_the_parameters_of_verification_are_the_chosen_contexts_and_no_others(
    authority: pyossl.Authority, new_server: Callable[..., Context]
) -> None:
    """The chosen context must not inherit the settings of the first one: here a time at which the certificate was
    valid, a purpose and a flag."""
    past = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=400)
    day = datetime.timedelta(days=1)
    expired = authority.issue("me.example", not_before=past - day, not_after=past + day)
    client_context = client_for(authority, expired)
    lenient = new_server("a.example", clients=authority)
    lenient.verify_flags |= VerifyFlags.NO_CHECK_TIME
    lenient.set_purpose("any")
    lenient.verify_depth = 5
    server_context = choosing(lenient, b_example=new_server("b.example", clients=authority))
    meet(client_context, server_context, "a.example")
    with pytest.raises(pyossl.CertificateError) as caught:
        meet(client_context, server_context, "b.example")
    assert caught.value.code == lib.X509_V_ERR_CERT_HAS_EXPIRED


def test_the_email_that_a_client_must_have_is_not_forgotten(
    authority: pyossl.Authority, new_server: Callable[..., Context]
) -> None:
    server_context = choosing(new_server("a.example", authority), b_example=new_server("b.example", authority))
    client = pyossl.Connection(client_for(authority, authority.issue("me.example")), "b.example")
    server = pyossl.Connection(server_context, email="me@me.example")
    with pytest.raises(pyossl.CertificateError):
        shake_hands(client, server)


def test_the_verify_callback_is_the_chosen_contexts(
    authority: pyossl.Authority, new_server: Callable[..., Context]
) -> None:
    asked: list[str] = []

    def callback(connection: pyossl.Connection, verification: pyossl.Verification) -> bool:
        asked.append(str(connection.server_hostname))
        return False

    chosen = new_server("b.example", clients=authority)
    chosen.verify_callback = callback
    server_context = choosing(new_server("a.example"), b_example=chosen)
    with pytest.raises(pyossl.CertificateError):
        meet(client_for(authority, authority.issue("me.example")), server_context, "b.example")
    assert asked == ["b.example"]


def second_hello_for(
    authority: pyossl.Authority, server_context: Context, old: bytes, new: bytes
) -> tuple[pyossl.Connection, pyossl.Connection]:
    """A client and a server after the server has asked for another key share, with a name changed on the way."""
    client_context = client_for(authority, minimum_version=Version.TLSv1_3, check_hostname=False)
    client_context.set_groups("X25519:P-256")
    client, server = pyossl.Connection(client_context, old.decode()), pyossl.Connection(server_context)
    client.handshake()
    server.receive_data(client.data_to_send())
    assert server.handshake() is pyossl.Want.READ
    client.receive_data(server.data_to_send())
    client.handshake()
    hello = client.data_to_send()
    assert old in hello
    server.receive_data(hello.replace(old, new))
    return client, server


@pytest.mark.parametrize(("old", "new"), [(b"a.example", b"b.example"), (b"b.example", b"a.example")])
def test_a_second_client_hello_cannot_change_the_name(
    old: bytes, new: bytes, authority: pyossl.Authority, new_server: Callable[..., Context]
) -> None:
    """The context was chosen by the first name: an application that reads the second one would be misled."""
    contexts = new_server("a.example"), new_server("b.example")
    for context in contexts:
        context.set_groups("P-256")
    server_context = choosing(contexts[0], b_example=contexts[1])
    client, server = second_hello_for(authority, server_context, old, new)
    with pytest.raises(pyossl.TLSError, match="the client has changed the name"):
        server.handshake()
    client.receive_data(server.data_to_send())
    with pytest.raises(pyossl.AlertError) as caught:
        client.handshake()
    assert caught.value.number == lib.SSL_AD_ILLEGAL_PARAMETER


@pytest.mark.parametrize("name", [b"a.example", b"b.example"])
def test_a_second_client_hello_with_the_same_name_does_not_ask_again(
    name: bytes, authority: pyossl.Authority, new_server: Callable[..., Context]
) -> None:
    contexts = new_server("a.example"), new_server("b.example")
    for context in contexts:
        context.set_groups("P-256")
    asked: list[str | None] = []

    def callback(connection: pyossl.Connection, name: str | None) -> Context | None:
        asked.append(name)
        return contexts[1] if name == "b.example" else None

    contexts[0].servername_callback = callback
    client, server = second_hello_for(authority, contexts[0], name, name)
    shake_hands(client, server)
    assert asked == [name.decode()]


def test_what_the_callback_raises_is_raised_and_the_client_is_refused(
    authority: pyossl.Authority, new_server: Callable[..., Context]
) -> None:
    """docs/pitfalls.md, 16."""
    error = OnPurposeError()

    def callback(connection: pyossl.Connection, name: str | None) -> None:
        raise error

    context = new_server("a.example")
    context.servername_callback = callback
    client, server = pyossl.Connection(client_for(authority), "a.example"), pyossl.Connection(context)
    with pytest.raises(OnPurposeError) as caught:
        shake_hands(client, server)
    assert caught.value is error
    carry(client, server)
    with pytest.raises(pyossl.AlertError) as alert:
        client.handshake()
    assert alert.value.number == lib.SSL_AD_INTERNAL_ERROR


@pytest.mark.parametrize("answer", ["b.example", 1, True, object(), b"", "client"])
def test_an_answer_that_is_no_servers_context_is_refused(
    answer: object, authority: pyossl.Authority, new_server: Callable[..., Context]
) -> None:
    context = new_server("a.example")
    nonsense = client_for(authority) if answer == "client" else answer
    context.servername_callback = lambda connection, name: nonsense  # type: ignore[assignment, return-value]
    with pytest.raises(TypeError, match="a server's Context, an Alert or None"):
        meet(client_for(authority), context, "a.example")


def test_a_callback_may_ask_the_connection_but_not_drive_it(
    authority: pyossl.Authority, new_server: Callable[..., Context]
) -> None:
    refused = []

    def callback(connection: pyossl.Connection, name: str | None) -> None:
        assert connection.version is None
        for call in (connection.handshake, connection.read, connection.shutdown, connection.close):
            with pytest.raises(pyossl.UsageError):
                call()
            refused.append(call)

    context = new_server("a.example")
    context.servername_callback = callback
    meet(client_for(authority), context, "a.example")
    assert len(refused) == 4


def test_a_callback_may_drop_the_connection_that_it_is_called_for(
    authority: pyossl.Authority, new_server: Callable[..., Context]
) -> None:
    """docs/pitfalls.md, 18: an object that C is using is freed only when C has finished."""
    kept: list[pyossl.Connection] = []

    def callback(connection: pyossl.Connection, name: str | None) -> None:
        kept.clear()
        del connection
        gc.collect()

    context = new_server("a.example")
    context.servername_callback = callback
    client = pyossl.Connection(client_for(authority), "a.example")
    client.handshake()
    server = pyossl.Connection(context)
    gone = weakref.ref(server)
    server.receive_data(client.data_to_send())
    kept.append(server)
    del server
    assert kept[0].handshake() is pyossl.Want.READ
    gc.collect()
    assert gone() is None


def test_a_context_that_only_its_connection_refers_to_lives_as_long_as_it(
    authority: pyossl.Authority, new_server: Callable[..., Context]
) -> None:
    """docs/pitfalls.md, 18: the lists of protocols and the callbacks of both contexts."""

    def callback(connection: pyossl.Connection, name: str | None) -> Context:
        own = authority.issue("a.example")
        return Context.server(own.certificate, own.private_key, alpn=["h2"])

    first = new_server("z.example")
    first.servername_callback = callback
    client, server = pyossl.Connection(client_for(authority, alpn=["h2"]), "a.example"), pyossl.Connection(first)
    del first
    gc.collect()
    shake_hands(client, server)
    assert client.alpn == "h2"


def test_a_servername_callback_is_a_servers(authority: pyossl.Authority) -> None:
    with pytest.raises(pyossl.UsageError, match="is only for servers"):
        client_for(authority).servername_callback = lambda connection, name: None


def test_a_malformed_list_of_names_is_refused(authority: pyossl.Authority, new_server: Callable[..., Context]) -> None:
    client = pyossl.Connection(client_for(authority), "a.example")
    client.handshake()
    hello = client.data_to_send()
    asked: list[str | None] = []
    context = new_server("a.example")
    context.servername_callback = lambda connection, name: asked.append(name)
    for wrong in (hello.replace(b"\x00\x09a.ex", b"\x00\x08a.ex"), hello.replace(b"a.example", b"a.exa\x00ple")):
        assert wrong != hello
        server = pyossl.Connection(context)
        server.receive_data(wrong)
        with pytest.raises(pyossl.Error):
            server.handshake()
    assert asked == []


# What the chosen context refuses is refused


def low(context: Context) -> None:
    context.minimum_version = Version.TLSv1_3


def high(context: Context) -> None:
    context.maximum_version = Version.TLSv1_2


def by_an_option(context: Context) -> None:
    context.options |= pyossl.Options.NO_TLSv1_2


def by_the_cipher_list(context: Context) -> None:
    context.set_cipher_list("ECDHE-ECDSA-AES256-GCM-SHA384")


def by_the_ciphersuites(context: Context) -> None:
    context.set_ciphersuites("TLS_AES_256_GCM_SHA384")


def by_the_groups(context: Context) -> None:
    context.set_groups("P-384")


def by_configured_groups(context: Context) -> None:
    context.configure("Groups", "P-384")


def by_the_signatures(context: Context) -> None:
    context.set_sigalgs("ECDSA+SHA512")


def by_the_level(context: Context) -> None:
    context.security_level = 4


def by_the_clients_signatures(context: Context) -> None:
    context.set_client_sigalgs("ECDSA+SHA512")


def by_the_certificate_list(context: Context) -> None:
    context.max_certificate_list = 100


TLS_1_2, TLS_1_3 = Version.TLSv1_2, Version.TLSv1_3
REFUSALS = [
    (low, TLS_1_2, lambda client: None),
    (by_an_option, TLS_1_2, lambda client: None),
    (by_the_cipher_list, TLS_1_2, lambda client: client.set_cipher_list("ECDHE-ECDSA-AES128-GCM-SHA256")),
    (by_the_ciphersuites, TLS_1_3, lambda client: client.set_ciphersuites("TLS_AES_128_GCM_SHA256")),
    (by_the_groups, TLS_1_2, lambda client: client.set_groups("P-256")),
    (by_the_groups, TLS_1_3, lambda client: client.set_groups("P-256")),
    (by_configured_groups, TLS_1_3, lambda client: client.set_groups("P-256")),
    (by_the_signatures, TLS_1_2, lambda client: client.set_sigalgs("ECDSA+SHA256")),
    (by_the_signatures, TLS_1_3, lambda client: client.set_sigalgs("ECDSA+SHA256")),
    (by_the_level, TLS_1_2, lambda client: client.set_cipher_list("ECDHE-ECDSA-AES128-GCM-SHA256")),
    (by_the_clients_signatures, TLS_1_2, lambda client: client.set_sigalgs("ECDSA+SHA256")),
    (by_the_clients_signatures, TLS_1_3, lambda client: client.set_sigalgs("ECDSA+SHA256")),
    (by_the_certificate_list, TLS_1_2, lambda client: None),
    (by_the_certificate_list, TLS_1_3, lambda client: None),
]


@pytest.mark.parametrize(("strict", "version", "limit"), REFUSALS, ids=lambda value: getattr(value, "__name__", ""))
def test_what_the_chosen_context_refuses_is_refused(
    strict: Callable[[Context], None],
    version: Version,
    limit: Callable[[Context], None],
    authority: pyossl.Authority,
    new_server: Callable[..., Context],
) -> None:
    """The first context accepts the same from a client that asks for it."""
    own = authority.issue("client.example")

    def new_client() -> Context:
        context = client_for(authority, own, maximum_version=version)
        limit(context)
        return context

    first, chosen = new_server("a.example", authority), new_server("b.example", authority)
    strict(chosen)
    server_context = choosing(first, b_example=chosen)
    meet(new_client(), server_context, "a.example")
    with pytest.raises(pyossl.Error):
        shake_hands(pyossl.Connection(new_client(), "b.example"), pyossl.Connection(server_context))


# Groups that the first context sets are not taken back: OpenSSL has no call for that.
TAKEN_BACK = [refusal for refusal in REFUSALS if "groups" not in refusal[0].__name__]


@pytest.mark.parametrize(("strict", "version", "limit"), TAKEN_BACK, ids=lambda value: getattr(value, "__name__", ""))
def test_what_the_first_context_refuses_the_chosen_one_may_take(
    strict: Callable[[Context], None],
    version: Version,
    limit: Callable[[Context], None],
    authority: pyossl.Authority,
    new_server: Callable[..., Context],
) -> None:
    client_context = client_for(authority, authority.issue("client.example"), maximum_version=version)
    limit(client_context)
    first, chosen = new_server("a.example", authority), new_server("b.example", authority)
    strict(first)
    meet(client_context, choosing(first, b_example=chosen), "b.example")


def test_the_chosen_contexts_maximum_version_is_its_own(
    authority: pyossl.Authority, new_server: Callable[..., Context]
) -> None:
    first, chosen = new_server("a.example"), new_server("b.example")
    high(chosen)
    server_context = choosing(first, b_example=chosen)
    assert meet(client_for(authority), server_context, "a.example")[0].version == "TLSv1.3"
    assert meet(client_for(authority), server_context, "b.example")[0].version == "TLSv1.2"


def test_options_tickets_and_names_of_authorities_are_the_chosen_contexts(
    authority: pyossl.Authority, new_server: Callable[..., Context]
) -> None:
    first, chosen = new_server("a.example", authority), new_server("b.example", authority)
    chosen.options |= pyossl.Options.NO_TICKET | pyossl.Options.CIPHER_SERVER_PREFERENCE
    chosen.ticket_count = 0
    chosen.ca_names = [authority.certificate]
    client_context = client_for(authority, authority.issue("client.example"))
    client, server = meet(client_context, choosing(first, b_example=chosen), "b.example")
    assert server.call(lib.SSL_get_options) == lib.SSL_CTX_get_options(chosen._ctx)
    assert server.call(lib.SSL_get_security_level) == chosen.security_level
    assert server.call(lib.SSL_get_num_tickets) == 0
    assert client.peer_ca_names == (authority.certificate.subject_name,)
    assert client.session is not None
    assert not client.session.is_resumable


@pytest.mark.feature("SNI callback that refuses with an alert")
@VERSIONS
def test_a_callback_may_refuse_the_client_with_an_alert(
    version: Version, authority: pyossl.Authority, new_server: Callable[..., Context]
) -> None:
    context = new_server("a.example")
    context.servername_callback = lambda connection, name: pyossl.Alert.UNRECOGNIZED_NAME
    client = pyossl.Connection(client_for(authority, maximum_version=version), "a.example")
    server = pyossl.Connection(context)
    client.handshake()
    carry(client, server)
    with pytest.raises(pyossl.TLSError):
        server.handshake()
    carry(client, server)
    with pytest.raises(pyossl.AlertError) as caught:
        client.handshake()
    assert caught.value.number == pyossl.Alert.UNRECOGNIZED_NAME == 112
