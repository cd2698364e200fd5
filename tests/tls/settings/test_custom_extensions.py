"""Extensions of the program's own: what is sent in which message, who sees it, and what fails closed."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Any

import pytest
from marks import VERSIONS, measures_memory, needs
from pairs import meet, shake_hands

import pyossl
from pyossl import Alert, Connection, Context, CustomExtension, ExtensionContext, UsageError, Version, lib

TYPE = 65312
OTHER = 65400
ANSWER = {
    Version.TLSv1_2: ExtensionContext.TLS1_2_SERVER_HELLO,
    Version.TLSv1_3: ExtensionContext.TLS1_3_ENCRYPTED_EXTENSIONS,
}
IN_CERTIFICATES = ExtensionContext.CLIENT_HELLO | ExtensionContext.TLS1_3_CERTIFICATE


class Log:
    """The extensions that a side has been asked for, and those that it has received."""

    def __init__(self, *answers: Any) -> None:
        self.asked: list[CustomExtension] = []
        self.received: list[CustomExtension] = []
        self._answers = answers

    def add(self, connection: Connection, extension: CustomExtension) -> Any:
        self.asked.append(extension)
        return self._answers[min(len(self.asked), len(self._answers)) - 1]

    def parse(self, connection: Connection, extension: CustomExtension) -> None:
        self.received.append(extension)

    def to(self, context: Context, extension_type: int = TYPE, **options: Any) -> Log:
        context.add_extension(extension_type, add=self.add, parse=self.parse, **options)
        return self

    @property
    def data(self) -> list[bytes]:
        return [each.data for each in self.received]


def fails(client_context: Context, server_context: Context, error: Any, match: str | None = None) -> None:
    """The handshake fails with the exception, and on neither side is it finished."""
    client, server = Connection(client_context, "example.com"), Connection(server_context)
    with pytest.raises(error, match=match):
        shake_hands(client, server)
    assert not (client.is_handshake_finished and server.is_handshake_finished)


class OnPurposeError(Exception):
    pass


def raises(connection: Connection, extension: CustomExtension) -> Any:
    raise OnPurposeError


@pytest.mark.feature("extensions of the program's own, with callbacks")
@VERSIONS
def test_a_client_asks_and_the_server_answers(
    version: Version, client_context: Context, server_context: Context
) -> None:
    client_context.maximum_version = version
    asking, answering = Log(b"request").to(client_context), Log(b"answer").to(server_context)
    meet(client_context, server_context)
    assert answering.received == [CustomExtension(TYPE, ExtensionContext.CLIENT_HELLO, b"request", None, 0)]
    assert asking.received == [CustomExtension(TYPE, ANSWER[version], b"answer", None, 0)]
    assert asking.asked == [CustomExtension(TYPE, ExtensionContext.CLIENT_HELLO, b"", None, 0)]
    assert answering.asked == [CustomExtension(TYPE, ANSWER[version], b"", None, 0)]


def test_a_server_is_not_asked_if_the_client_did_not_send_the_extension(
    client_context: Context, server_context: Context
) -> None:
    answering, silent = Log(b"answer").to(server_context), Log(None).to(client_context)
    meet(client_context, server_context)
    assert answering.asked == answering.received == silent.received == []
    assert len(silent.asked) == 1


def test_a_peer_without_the_extension_ignores_it(client_context: Context, server_context: Context) -> None:
    asking = Log(b"request").to(client_context)
    meet(client_context, server_context)
    assert asking.received == []


def test_a_server_may_leave_its_answer_out(client_context: Context, server_context: Context) -> None:
    asking, answering = Log(b"request").to(client_context), Log(None).to(server_context)
    meet(client_context, server_context)
    assert answering.data == [b"request"]
    assert asking.received == []


@pytest.mark.parametrize("size", [0, 1, 1000, 14000])
def test_an_extension_may_be_empty_or_long(size: int, client_context: Context, server_context: Context) -> None:
    data = bytes(n % 251 for n in range(size))
    asking, answering = Log(data).to(client_context), Log(data).to(server_context)
    meet(client_context, server_context)
    assert asking.data == answering.data == [data]


def test_without_add_a_client_sends_an_empty_extension_and_a_server_none(
    client_context: Context, server_context: Context
) -> None:
    received: list[CustomExtension] = []
    client_context.add_extension(TYPE, parse=lambda connection, extension: received.append(extension))
    server_context.add_extension(TYPE, parse=lambda connection, extension: received.append(extension))
    meet(client_context, server_context)
    assert [(each.message, each.data) for each in received] == [(ExtensionContext.CLIENT_HELLO, b"")]


def test_without_parse_what_the_peer_sends_is_ignored(client_context: Context, server_context: Context) -> None:
    for context in (client_context, server_context):
        context.add_extension(TYPE, add=lambda connection, extension: b"ignored")
    meet(client_context, server_context)


def test_a_context_may_have_several_extensions(client_context: Context, server_context: Context) -> None:
    logs = [Log(b"%d" % n).to(client_context, TYPE + n) for n in range(20)]
    answers = [Log(b"%d!" % n).to(server_context, TYPE + n) for n in range(20)]
    meet(client_context, server_context)
    assert [each.data for each in answers] == [[b"%d" % n] for n in range(20)]
    assert [each.data for each in logs] == [[b"%d!" % n] for n in range(20)]


# Other messages


def test_each_certificate_of_a_server_may_have_an_extension(
    authority: pyossl.Authority, client_context: Context, credentials: pyossl.Credentials
) -> None:
    server_context = Context.server((credentials.certificate, authority.certificate), credentials.private_key)
    asking = Log(b"").to(client_context, messages=IN_CERTIFICATES)
    answering = Log(b"leaf", b"root").to(server_context, messages=IN_CERTIFICATES)
    meet(client_context, server_context)
    message = ExtensionContext.TLS1_3_CERTIFICATE
    assert asking.received == [
        CustomExtension(TYPE, message, b"leaf", credentials.certificate, 0),
        CustomExtension(TYPE, message, b"root", authority.certificate, 1),
    ]
    assert [(each.certificate, each.depth) for each in answering.asked] == [
        (credentials.certificate, 0),
        (authority.certificate, 1),
    ]


def test_a_client_answers_the_certificate_request_with_its_certificate(
    authority: pyossl.Authority, credentials: pyossl.Credentials, server_context: Context
) -> None:
    own = authority.issue("client.example")
    messages = ExtensionContext.TLS1_3_CERTIFICATE_REQUEST | ExtensionContext.TLS1_3_CERTIFICATE
    for asks in (b"which one?", None):
        serving = Context.server(credentials=credentials, trust=authority.certificate, verify=True)
        context = Context.client(trust=authority.certificate, credentials=own)
        # A server's own certificate has the extension only for a client that has sent it in its ClientHello.
        answering, asking = Log(b"this one", b"the authority"), Log(asks)
        answering.to(context, messages=messages)
        asking.to(serving, messages=messages)
        meet(context, serving)
        if asks is None:
            assert answering.received == answering.asked == asking.received == []
            continue
        request = ExtensionContext.TLS1_3_CERTIFICATE_REQUEST
        assert answering.received == [CustomExtension(TYPE, request, b"which one?", None, 0)]
        message = ExtensionContext.TLS1_3_CERTIFICATE
        assert asking.received == [
            CustomExtension(TYPE, message, b"this one", own.certificate, 0),
            CustomExtension(TYPE, message, b"the authority", authority.certificate, 1),
        ]


def test_a_session_ticket_may_have_an_extension(client_context: Context, server_context: Context) -> None:
    messages = ExtensionContext.TLS1_3_NEW_SESSION_TICKET
    received, sent = Log().to(client_context, messages=messages), Log(b"first", b"second")
    sent.to(server_context, messages=messages)
    meet(client_context, server_context)
    assert received.data == [b"first", b"second"]
    assert {each.message for each in received.received} == {messages}


def test_a_second_client_hello_is_written_and_read_again(client_context: Context, server_context: Context) -> None:
    """After a HelloRetryRequest, for another group."""
    client_context.set_groups("P-256:P-384")
    server_context.set_groups("P-384")
    messages = ExtensionContext.CLIENT_HELLO | ExtensionContext.TLS1_3_HELLO_RETRY_REQUEST
    asking = Log(b"first", b"second").to(client_context, messages=messages)
    answering = Log(b"again").to(server_context, messages=messages)
    meet(client_context, server_context)
    assert answering.data == [b"first", b"second"]
    assert asking.data == [b"again"]


@pytest.mark.parametrize("only", [ExtensionContext.TLS1_2_AND_BELOW_ONLY, ExtensionContext.TLS1_3_ONLY])
@VERSIONS
def test_an_extension_may_be_for_one_version(
    version: Version, only: ExtensionContext, client_context: Context, server_context: Context
) -> None:
    client_context.minimum_version = client_context.maximum_version = version
    messages = only | ExtensionContext.CLIENT_HELLO | ANSWER[version]
    asking, answering = Log(b"?").to(client_context, messages=messages), Log(b"!").to(server_context, messages=messages)
    meet(client_context, server_context)
    is_used = (only is ExtensionContext.TLS1_3_ONLY) == (version is Version.TLSv1_3)
    assert asking.data == ([b"!"] if is_used else [])
    assert answering.data == ([b"?"] if is_used else [])


@VERSIONS
def test_an_extension_may_be_left_out_if_a_session_is_resumed(
    version: Version, client_context: Context, server_context: Context
) -> None:
    client_context.maximum_version = version
    messages = ExtensionContext.CLIENT_HELLO | ANSWER[version] | ExtensionContext.IGNORE_ON_RESUMPTION
    asking, answering = Log(b"?").to(client_context, messages=messages), Log(b"!").to(server_context, messages=messages)
    session = meet(client_context, server_context)[0].session
    assert asking.data == [b"!"]
    client, _ = meet(client_context, server_context, session=session)
    assert client.session_reused
    assert asking.data == [b"!"]
    assert len(answering.asked) == 1


# What fails


@VERSIONS
@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("which", ["add", "parse"])
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (raises, OnPurposeError),
        (lambda connection, extension: "text", TypeError),
        (lambda connection, extension: 1, TypeError),
        (lambda connection, extension: bytearray(b"x"), TypeError),
        (lambda connection: b"", TypeError),
        (lambda connection, extension: connection.handshake(), UsageError),
    ],
    ids=["raises", "text", "a number", "a bytearray", "too few arguments", "enters again"],
)
def test_a_callback_that_fails_ends_the_handshake(
    answer: Any, error: Any, which: str, side: str, version: Version, client_context: Context, server_context: Context
) -> None:
    client_context.maximum_version = version
    ours, theirs = (client_context, server_context) if side == "client" else (server_context, client_context)
    ours.add_extension(TYPE, **{"add": lambda connection, extension: b"x", which: answer})
    theirs.add_extension(TYPE, add=lambda connection, extension: b"x")
    fails(client_context, server_context, error)


@VERSIONS
@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("which", ["add", "parse"])
def test_an_alert_ends_the_handshake_and_the_peer_gets_it(
    which: str, side: str, version: Version, client_context: Context, server_context: Context
) -> None:
    client_context.maximum_version = version
    ours, theirs = (client_context, server_context) if side == "client" else (server_context, client_context)
    ours.add_extension(
        TYPE, **{"add": lambda connection, extension: b"x", which: lambda connection, extension: Alert.ACCESS_DENIED}
    )
    theirs.add_extension(TYPE, add=lambda connection, extension: b"x")
    client, server = Connection(client_context, "example.com"), Connection(server_context)
    failing, other = (client, server) if side == "client" else (server, client)
    if which == "add" and side == "client":
        with pytest.raises(pyossl.TLSError, match="callback failed"):
            client.handshake()
        return
    with pytest.raises(pyossl.TLSError, match=r"bad extension|callback failed"):
        shake_hands(client, server)
    assert not failing.is_handshake_finished
    other.receive_data(failing.data_to_send())
    with pytest.raises(pyossl.AlertError) as caught:
        other.handshake() if not other.is_handshake_finished else other.read()
    assert caught.value.number == Alert.ACCESS_DENIED


@pytest.mark.parametrize("side", ["client", "server"])
def test_bytes_that_do_not_fit_fail_the_handshake(side: str, client_context: Context, server_context: Context) -> None:
    ours, theirs = (client_context, server_context) if side == "client" else (server_context, client_context)
    theirs.add_extension(TYPE, add=lambda connection, extension: b"x")
    ours.add_extension(TYPE, add=lambda connection, extension: bytes(65536))
    fails(client_context, server_context, ValueError, match="65535 bytes at most, not 65536")


@pytest.mark.parametrize("side", ["client", "server"])
def test_bytes_for_which_the_message_has_no_room_fail_the_handshake(
    side: str, client_context: Context, server_context: Context
) -> None:
    ours, theirs = (client_context, server_context) if side == "client" else (server_context, client_context)
    theirs.add_extension(TYPE, add=lambda connection, extension: b"x")
    ours.add_extension(TYPE, add=lambda connection, extension: bytes(65535))
    fails(client_context, server_context, pyossl.TLSError)


def test_an_answer_that_the_client_did_not_ask_for_is_refused(client_context: Context, server_context: Context) -> None:
    """The server gets the ClientHello of another connection, which has the extension."""
    client_context.maximum_version = Version.TLSv1_2
    asking = Log(None, b"?").to(client_context)
    Log(b"!").to(server_context)
    client, other = Connection(client_context, "example.com"), Connection(client_context, "example.com")
    server = Connection(server_context)
    for each in (client, other):
        each.handshake()
    server.receive_data(other.data_to_send())
    server.handshake()
    client.receive_data(server.data_to_send())
    with pytest.raises(pyossl.TLSError, match="bad extension"):
        client.handshake()
    assert asking.received == []


def test_an_extension_in_a_message_that_it_is_not_for_is_refused(
    client_context: Context, server_context: Context
) -> None:
    Log(b"?").to(client_context, messages=ExtensionContext.CLIENT_HELLO)
    Log(b"!").to(server_context)
    fails(client_context, server_context, pyossl.TLSError, match="bad extension")


# Adding


@pytest.mark.parametrize("number", [0, 10, 13, 16, 23, 43, 51])
def test_an_extension_of_openssls_own_is_refused(number: int, client_context: Context) -> None:
    with pytest.raises(ValueError, match=f"OpenSSL handles the extension {number} itself"):
        client_context.add_extension(number)


def test_the_same_extension_is_added_once(client_context: Context) -> None:
    client_context.add_extension(TYPE)
    with pytest.raises(UsageError, match=f"extension {TYPE} has been added to this context already"):
        client_context.add_extension(TYPE)
    client_context.add_extension(OTHER)


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        ((-1,), {}, ValueError),
        ((65536,), {}, ValueError),
        (("65280",), {}, TypeError),
        ((True,), {}, TypeError),
        ((TYPE,), {"add": b"bytes"}, TypeError),
        ((TYPE,), {"parse": 1}, TypeError),
        ((TYPE,), {"messages": int(ExtensionContext.CLIENT_HELLO)}, TypeError),
        ((TYPE,), {"messages": ExtensionContext(0)}, ValueError),
        ((TYPE,), {"messages": ExtensionContext.TLS1_3_ONLY}, ValueError),
        ((TYPE,), {"messages": ExtensionContext.TLS1_2_SERVER_HELLO}, ValueError),
        ((TYPE,), {"messages": ExtensionContext.TLS1_3_CERTIFICATE}, ValueError),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(
    arguments: Any, options: Any, error: type[Exception], client_context: Context
) -> None:
    with pytest.raises(error):
        client_context.add_extension(*arguments, **options)
    client_context.add_extension(TYPE)


def test_a_frozen_context_takes_no_extension(client_context: Context) -> None:
    Connection(client_context, "example.com")
    with pytest.raises(UsageError, match="frozen"):
        client_context.add_extension("no number")  # type: ignore[arg-type]


def test_a_callback_cannot_add_an_extension(client_context: Context, server_context: Context) -> None:
    client_context.add_extension(TYPE, add=lambda connection, extension: client_context.add_extension(OTHER))
    fails(client_context, server_context, UsageError, match="frozen")


def test_timestamps_of_logs_may_be_written_by_the_program(client_context: Context, server_context: Context) -> None:
    messages = IN_CERTIFICATES | ExtensionContext.TLS1_2_SERVER_HELLO
    asking = Log(b"").to(client_context, 18, messages=messages)
    Log(b"timestamps").to(server_context, 18, messages=messages)
    meet(client_context, server_context)
    assert asking.data == [b"timestamps"]


@needs("ct")
def test_timestamps_that_openssl_checks_are_not_the_programs(client_context: Context, tmp_path: Any) -> None:
    logs = tmp_path / "logs"
    logs.write_text("enabled_logs =\n")
    other = Context.client()
    client_context.verify_scts(logs, required=False)
    with pytest.raises(UsageError, match="verify_scts"):
        client_context.add_extension(18)
    other.add_extension(18)
    with pytest.raises(UsageError, match="add_extension"):
        other.verify_scts(logs, required=False)


# The life of the callbacks and of the bytes


def test_a_connection_outlives_its_context(authority: pyossl.Authority, credentials: pyossl.Credentials) -> None:
    asking = Log(b"?")

    def make() -> tuple[Connection, Connection]:
        client_context, server_context = Context.client(trust=authority.certificate), Context.server(credentials)
        asking.to(client_context)
        Log(b"!").to(server_context)
        return Connection(client_context, "example.com"), Connection(server_context)

    shake_hands(*make())
    assert asking.data == [b"!"]


def by_name(first: Context, second: Context) -> None:
    first.servername_callback = lambda connection, name: second


def by_client_hello(first: Context, second: Context) -> None:
    first.client_hello_callback = lambda connection, hello: second


SWITCHES = pytest.mark.parametrize("switch", [by_name, by_client_hello])


@VERSIONS
@SWITCHES
def test_the_chosen_context_reads_and_answers_with_its_own_callbacks(
    switch: Any, version: Version, client_context: Context, credentials: pyossl.Credentials
) -> None:
    """docs/pitfalls.md, 87."""
    client_context.maximum_version = version
    first, second = Context.server(credentials), Context.server(credentials)
    asking, of_first, of_second = Log(b"?").to(client_context), Log(b"1").to(first), Log(b"2").to(second)
    switch(first, second)
    meet(client_context, first)
    assert asking.data == [b"2"]
    assert of_second.data == [b"?"]
    assert of_first.received == of_first.asked == []


@SWITCHES
def test_a_chosen_context_without_extensions_answers_with_none(
    switch: Any, client_context: Context, credentials: pyossl.Credentials
) -> None:
    first, second = Context.server(credentials), Context.server(credentials)
    asking, of_first = Log(b"?").to(client_context), Log(b"1").to(first)
    switch(first, second)
    meet(client_context, first)
    assert asking.received == of_first.received == of_first.asked == []


@SWITCHES
def test_the_chosen_context_may_have_the_first_ones_of_the_extensions(
    switch: Any, client_context: Context, credentials: pyossl.Credentials
) -> None:
    first, second = Context.server(credentials), Context.server(credentials)
    asking = [Log(b"?").to(client_context, number) for number in (TYPE, OTHER)]
    for number in (TYPE, OTHER):
        Log(b"1").to(first, number)
    Log(b"2").to(second, TYPE)
    switch(first, second)
    meet(client_context, first)
    assert [each.data for each in asking] == [[b"2"], []]


@SWITCHES
@pytest.mark.parametrize(
    ("of_first", "of_second"),
    [((), (TYPE,)), ((TYPE,), (TYPE, OTHER)), ((TYPE, OTHER), (OTHER,)), ((TYPE,), (OTHER,))],
)
def test_a_chosen_context_with_other_extensions_is_refused(
    of_first: tuple[int, ...],
    of_second: tuple[int, ...],
    switch: Any,
    client_context: Context,
    credentials: pyossl.Credentials,
) -> None:
    """OpenSSL would read memory beyond the extensions that it has found (docs/pitfalls.md, 87)."""
    first, second = Context.server(credentials), Context.server(credentials)
    for context, numbers in ((first, of_first), (second, of_second)):
        for number in numbers:
            context.add_extension(number, add=lambda connection, extension: b"!")
    client_context.add_extension(TYPE)
    switch(first, second)
    fails(client_context, first, UsageError, match="add the same extensions, in the same order, to all contexts")


@VERSIONS
@SWITCHES
@pytest.mark.parametrize("has_others", [False, True])
def test_the_chosen_context_sends_certificate_timestamps_that_the_first_one_lacks(
    has_others: bool, switch: Any, version: Version, client_context: Context, credentials: pyossl.Credentials
) -> None:
    client_context.maximum_version = version
    first, second = Context.server(credentials), Context.server(credentials)
    second.send_scts([b"of the second"])
    switch(first, second)
    if has_others:
        first.add_extension(TYPE)
    asking = Log(b"").to(client_context, 18, messages=IN_CERTIFICATES | ExtensionContext.TLS1_2_SERVER_HELLO)
    if has_others and not lib.HAVE_CT:  # then OpenSSL looks for the extension 18 at its place among the added ones
        fails(client_context, first, UsageError, match="add the same extensions, in the same order, to all contexts")
        return
    meet(client_context, first)
    assert asking.data == [b"\0\x0f\0\rof the second"]


@needs("ech")
def test_encrypted_client_hello_does_not_encrypt_the_extension(
    client_context: Context, credentials: pyossl.Credentials
) -> None:
    """docs/pitfalls.md, 88."""
    serving = Context.server(credentials)
    serving.ech_store = pyossl.ECHStore.new("localhost")
    Log(b"not encrypted").to(client_context)
    answering = Log(b"!").to(serving)
    client = Connection(client_context, "example.com", ech=serving.ech_store.config_list)
    client.handshake()
    hello = client.data_to_send()
    server = Connection(serving)
    server.receive_data(hello)
    shake_hands(client, server)
    assert client.ech is not None
    assert client.ech.status is pyossl.ECHStatus.SUCCESS
    assert b"not encrypted" in hello
    assert answering.data == [b"not encrypted"]


@needs("ech")
def test_an_extension_cannot_be_left_out_of_an_encrypted_client_hello(
    client_context: Context, credentials: pyossl.Credentials
) -> None:
    """docs/pitfalls.md, 88."""
    client_context.add_extension(TYPE, add=lambda connection, extension: None)
    client = Connection(client_context, "example.com", ech=pyossl.ECHStore.new("localhost").config_list)
    with pytest.raises(UsageError, match=f"the extension {TYPE} cannot be left out"):
        client.handshake()


def resident() -> int:
    """The bytes of this process's memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@measures_memory
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the process's size is read from Linux's /proc")
def test_the_bytes_are_freed_also_if_they_do_not_fit(client_context: Context) -> None:
    client_context.add_extension(TYPE, add=lambda connection, extension: bytes(65535))

    def fail() -> None:
        with pytest.raises(pyossl.TLSError):
            Connection(client_context, "example.com").handshake()

    for _ in range(20):
        fail()
    before = resident()
    for _ in range(400):
        fail()
    assert resident() - before < 8 << 20
