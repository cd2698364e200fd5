"""Sessions that a server keeps outside of its process, and a program's data in tickets."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from marks import VERSIONS
from outside_cache import Outside
from pairs import carry, meet, shake_hands
from served import Task

import pyossl
from pyossl import Connection, Context, DecodeError, Options, Session, TicketKeys, UsageError, Version, Want, lib


class OnPurposeError(Exception):
    pass


@pytest.fixture
def new_server(credentials: pyossl.Credentials) -> Callable[..., Context]:
    return lambda **arguments: Context.server(credentials.certificate, credentials.private_key, **arguments)


@pytest.fixture
def new_client(authority: pyossl.Authority) -> Callable[[Version], Context]:
    return lambda version: Context.client(trust=authority.certificate, maximum_version=version)


def session_of(connection: Connection) -> Session:
    session = connection.session
    assert session is not None
    return session


def refused(client_context: Context, server_context: Context, kind: type[BaseException], session: Session) -> None:
    client, server = Connection(client_context, "example.com", session=session), Connection(server_context)
    with pytest.raises(kind):
        shake_hands(client, server)
    with pytest.raises(pyossl.Error):
        server.handshake()


def make_old(session: Session) -> None:
    set_time = getattr(
        lib, "SSL_SESSION_set_time" if hasattr(lib, "SSL_SESSION_set_time") else "SSL_SESSION_set_time_ex"
    )
    set_time(session._session, 1_000_000)


# The cache


@pytest.mark.feature("server sessions in an external cache")
@VERSIONS
def test_servers_with_one_cache_resume_each_others_sessions(
    version: Version, new_server: Callable[..., Context], new_client: Callable[[Version], Context]
) -> None:
    cache, context = Outside(), new_client(version)
    servers = [cache.serve(new_server()) for _ in range(3)]
    client, server = meet(context, servers[0])
    assert len(cache.stored) == (1 if version is Version.TLSv1_2 else 2)
    assert cache.asked == [] or version is Version.TLSv1_2
    for each in servers[1:]:
        client, server = meet(context, each, session=session_of(client))
        assert client.session_reused
        assert server.session_reused
        assert cache.asked[-1] in cache.stored
    assert lib.SSL_CTX_sess_number(servers[0]._ctx) == 0
    assert cache.removed == []


@VERSIONS
def test_a_session_that_the_cache_has_lost_leads_to_a_full_handshake(
    version: Version, new_server: Callable[..., Context], new_client: Callable[[Version], Context]
) -> None:
    cache, context = Outside(), new_client(version)
    server = cache.serve(new_server())
    client, _ = meet(context, server)
    cache.stored.clear()
    again, _ = meet(context, server, session=session_of(client))
    assert not again.session_reused
    assert cache.asked
    assert cache.stored


@VERSIONS
def test_a_client_is_known_by_the_session_from_the_cache(
    version: Version, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    cache, own = Outside(), authority.issue("client.example")
    servers = [
        cache.serve(
            Context.server(credentials.certificate, credentials.private_key, trust=authority.certificate, verify=True)
        )
        for _ in range(2)
    ]
    context = Context.client(
        trust=authority.certificate, certificate=own.certificate, private_key=own.private_key, maximum_version=version
    )
    client, _ = meet(context, servers[0])
    again, server = meet(context, servers[1], session=session_of(client))
    assert again.session_reused
    assert server.peer_certificate == own.certificate
    assert lib.SSL_CTX_sess_number(servers[0]._ctx) == lib.SSL_CTX_sess_number(servers[1]._ctx) == 0


@VERSIONS
def test_a_session_of_other_verification_settings_is_not_resumed(
    version: Version,
    authority: pyossl.Authority,
    new_server: Callable[..., Context],
    new_client: Callable[[Version], Context],
) -> None:
    """Its session id context is another one: OpenSSL does a full handshake, in which the client is refused."""
    cache, context = Outside(), new_client(version)
    client, _ = meet(context, cache.serve(new_server()))
    verifying = cache.serve(new_server(trust=authority.certificate, verify=True))
    again, server = Connection(context, "example.com", session=session_of(client)), Connection(verifying)
    with pytest.raises(pyossl.Error):
        shake_hands(again, server)
    assert not server.is_handshake_finished
    assert cache.asked


@VERSIONS
def test_a_session_that_is_too_old_is_not_resumed_and_in_tls_1_2_removed(
    version: Version, new_server: Callable[..., Context], new_client: Callable[[Version], Context]
) -> None:
    cache, context = Outside(), new_client(version)
    server = cache.serve(new_server())
    client, _ = meet(context, server)
    for stored in cache.stored:
        session = Session.load(cache.stored[stored], server)
        make_old(session)
        cache.stored[stored] = session.to_der()
    again, _ = meet(context, server, session=session_of(client))
    assert not again.session_reused
    assert cache.removed == (cache.asked[-1:] if version is Version.TLSv1_2 else [])


def test_a_session_whose_connection_fails_is_removed(
    new_server: Callable[..., Context], new_client: Callable[[Version], Context]
) -> None:
    cache, context = Outside(), new_client(Version.TLSv1_2)
    _, server = meet(context, cache.serve(new_server()))
    (stored,) = cache.stored
    server.receive_data(b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(pyossl.TLSError):
        server.read()
    assert cache.removed == [stored]
    assert cache.stored == {}


@VERSIONS
def test_a_client_is_told_that_its_session_is_of_no_more_use(version: Version, server_context: Context) -> None:
    told: list[tuple[Connection, bytes]] = []
    context = Context.client(verify=False, check_hostname=False, maximum_version=version)
    context.removed_session_callback = lambda connection, session: told.append((connection, session.id))
    client, _ = meet(context, server_context)
    session = session_of(client)
    client.receive_data(b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(pyossl.TLSError):
        client.read()
    assert told == [(client, session.id)]


def test_the_cache_is_not_asked_for_tickets(
    new_server: Callable[..., Context], new_client: Callable[[Version], Context]
) -> None:
    cache = Outside()
    server = cache.serve(new_server())
    server.options &= ~Options.NO_TICKET
    for version in Version.TLSv1_2, Version.TLSv1_3:
        context = new_client(version)
        client, _ = meet(context, server)
        cache.stored.clear()
        assert meet(context, server, session=session_of(client))[0].session_reused


@VERSIONS
def test_a_callback_that_is_taken_away_is_not_called(
    version: Version, new_server: Callable[..., Context], new_client: Callable[[Version], Context]
) -> None:
    cache, context = Outside(), new_client(version)
    server = cache.serve(new_server())
    server.get_session_callback = server.removed_session_callback = server.new_session_callback = None
    client, _ = meet(context, server)
    assert meet(context, server, session=session_of(client))[0].session_reused
    assert cache.asked == cache.removed == []
    assert lib.SSL_CTX_sess_number(server._ctx) > 0


# Answers that cannot be used


def answering(server: Context, answer: Callable[[Connection, bytes], Any]) -> Context:
    server.options |= Options.NO_TICKET
    server.get_session_callback = answer
    return server


@VERSIONS
@pytest.mark.parametrize("answer", [b"bytes", "text", 1, object, (None,)], ids=lambda value: type(value).__name__)
def test_an_answer_that_is_no_session_ends_the_handshake(
    answer: Any, version: Version, new_server: Callable[..., Context], new_client: Callable[[Version], Context]
) -> None:
    cache, context = Outside(), new_client(version)
    client, _ = meet(context, cache.serve(new_server()))
    server = answering(new_server(), lambda connection, session_id: answer)
    refused(context, server, TypeError, session_of(client))


@VERSIONS
def test_a_session_of_another_context_or_id_ends_the_handshake(
    version: Version, new_server: Callable[..., Context], new_client: Callable[[Version], Context]
) -> None:
    """docs/pitfalls.md, 77"""
    cache, context = Outside(), new_client(version)
    first = cache.serve(new_server())
    client, _ = meet(context, first)
    foreign = answering(new_server(), lambda connection, wanted: Session.load(cache.stored[wanted], first))
    refused(context, foreign, ValueError, session_of(client))
    meet(context, first)
    exchanged = answering(
        new_server(),
        lambda connection, wanted: Session.load(
            next(stored for name, stored in cache.stored.items() if name != wanted), connection.context
        ),
    )
    refused(context, exchanged, ValueError, session_of(client))


@VERSIONS
@pytest.mark.parametrize("garbage", [b"", b"\x30\x80", b"garbage" * 100, bytes(2000)], ids=len)
def test_garbage_from_the_cache_is_a_decode_error_which_the_callback_may_take_for_none(
    garbage: bytes, version: Version, new_server: Callable[..., Context], new_client: Callable[[Version], Context]
) -> None:
    cache, context = Outside(), new_client(version)
    client, _ = meet(context, cache.serve(new_server()))

    def careful(connection: Connection, session_id: bytes) -> Session | None:
        try:
            return Session.load(garbage, connection.context)
        except DecodeError:
            return None

    careless = answering(new_server(), lambda connection, wanted: Session.load(garbage, connection.context))
    refused(context, careless, DecodeError, session_of(client))
    client, _ = meet(context, cache.serve(new_server()))
    assert not meet(context, answering(new_server(), careful), session=session_of(client))[0].session_reused


@VERSIONS
def test_no_flipped_bit_of_a_stored_session_does_more_than_end_a_handshake(
    version: Version, new_server: Callable[..., Context], new_client: Callable[[Version], Context]
) -> None:
    """OpenSSL must not crash.  (It can name another client.  So encrypt stored sessions.)"""
    cache, context = Outside(), new_client(version)
    server = cache.serve(new_server())
    client, _ = meet(context, server)
    session = session_of(client)
    whole = dict(cache.stored)
    for place in range(0, max(map(len, whole.values())), 7):
        cache.stored = {name: _flipped(der, place) for name, der in whole.items()}
        client, theirs = Connection(context, "example.com", session=session), Connection(server)
        try:
            shake_hands(client, theirs)
        except (pyossl.Error, DecodeError, ValueError):
            session = session_of(meet(context, server)[0])
            whole = {session.id: cache.stored[session.id]} if version is Version.TLSv1_2 else whole


def _flipped(der: bytes, place: int) -> bytes:
    place %= len(der)
    return der[:place] + bytes([der[place] ^ 1 << place % 8]) + der[place + 1 :]


@pytest.mark.parametrize(
    ("which", "version"),
    [
        ("new_session_callback", Version.TLSv1_2),
        ("new_session_callback", Version.TLSv1_3),
        ("get_session_callback", Version.TLSv1_2),
        ("get_session_callback", Version.TLSv1_3),
        ("removed_session_callback", Version.TLSv1_2),
    ],
)
def test_an_exception_is_raised_by_the_call_of_the_connection(
    which: str, version: Version, new_server: Callable[..., Context], new_client: Callable[[Version], Context]
) -> None:
    cache, context = Outside(), new_client(version)
    client, _ = meet(context, cache.serve(new_server()))

    def fail(*_: object) -> Any:
        raise OnPurposeError

    server = cache.serve(new_server())
    setattr(server, which, fail)
    for name in cache.stored:
        session = Session.load(cache.stored[name], server)
        if which == "removed_session_callback":
            make_old(session)
        cache.stored[name] = session.to_der()
    theirs = Connection(server)
    ours = Connection(context, "example.com", session=None if which[:3] == "new" else session_of(client))
    with pytest.raises(OnPurposeError):
        shake_hands(ours, theirs)
    with pytest.raises(pyossl.TLSError, match="callback"):
        theirs.read()


@VERSIONS
def test_a_callback_asks_its_connection_but_does_not_drive_it(
    version: Version, new_server: Callable[..., Context], new_client: Callable[[Version], Context]
) -> None:
    cache, context, refusals = Outside(), new_client(version), []

    def get(connection: Connection, session_id: bytes) -> Session | None:
        assert connection.state
        for call in (connection.handshake, connection.read, lambda: connection.write(b"x"), connection.close):
            with pytest.raises(UsageError, match="callback"):
                call()
            refusals.append(call)
        assert not meet(context, server)[0].session_reused  # another connection of the same contexts
        return cache.get(connection, session_id)

    server = cache.serve(new_server())
    client, _ = meet(context, server)
    server = cache.serve(new_server())
    server.get_session_callback = get
    again, _ = meet(context, server, session=session_of(client))
    assert again.session_reused
    assert refusals


def test_another_thread_that_closes_waits_for_the_callback(
    new_server: Callable[..., Context], new_client: Callable[[Version], Context]
) -> None:
    """The handshake has the lock of its connection.  Other connections go on."""
    cache, context = Outside(), new_client(Version.TLSv1_2)
    entered, leave, slow = threading.Event(), threading.Event(), cache.serve(new_server())
    client, _ = meet(context, slow)

    def get(connection: Connection, session_id: bytes) -> Session | None:
        entered.set()
        assert leave.wait(20)
        return None

    server = cache.serve(new_server())
    server.get_session_callback = get
    again, theirs = Connection(context, "example.com", session=session_of(client)), Connection(server)
    again.handshake()
    carry(again, theirs)
    step = Task(theirs.handshake)
    assert entered.wait(20)
    closing = Task(theirs.close)
    assert not meet(new_client(Version.TLSv1_3), server)[0].session_reused
    leave.set()
    assert step.result() in (Want.READ, None)
    closing.result()
    assert theirs.closed


def test_stored_sessions_encrypted_with_ticket_keys_cannot_be_forged_or_exchanged(
    new_server: Callable[..., Context], new_client: Callable[[Version], Context]
) -> None:
    keys, stored, context = TicketKeys(), dict[bytes, bytes](), new_client(Version.TLSv1_3)

    def new(connection: Connection, session: Session) -> None:
        stored[session.id] = keys.encrypt(session.to_der(), session.id)

    def get(connection: Connection, session_id: bytes) -> Session | None:
        der = keys.decrypt(stored.get(session_id, b""), session_id)
        return None if der is None else Session.load(der, connection.context)

    server = new_server()
    server.options |= Options.NO_TICKET
    server.new_session_callback, server.get_session_callback = new, get
    client, _ = meet(context, server)
    assert meet(context, server, session=session_of(client))[0].session_reused
    client, _ = meet(context, server)
    other = next(iter(stored.values()))
    stored.update(dict.fromkeys(stored, other))
    assert not meet(context, server, session=session_of(client))[0].session_reused


# Data in tickets


@pytest.mark.feature("data of the program in tickets")
@VERSIONS
@pytest.mark.parametrize("data", [b"", b"user 7", b"\0" * 10, b"x" * 4096], ids=len)
def test_data_in_a_ticket_come_back_with_the_session(
    data: bytes, version: Version, new_server: Callable[..., Context], new_client: Callable[[Version], Context]
) -> None:
    server, context = new_server(), new_client(version)
    server.rotating_ticket_keys = keys = TicketKeys()
    server.generate_ticket_callback = lambda connection: data
    client, _ = meet(context, server)
    another = new_server()
    another.rotating_ticket_keys = keys
    _, theirs = meet(context, another, session=session_of(client))
    assert theirs.session_reused
    assert session_of(theirs).ticket_data == data
    assert session_of(client).ticket_data == b""


def test_a_new_ticket_has_new_data(
    new_server: Callable[..., Context], new_client: Callable[[Version], Context]
) -> None:
    server, context = new_server(), new_client(Version.TLSv1_3)
    answers: list[bytes | None] = [b"1", b"2", b"3", None, None]
    server.generate_ticket_callback = lambda connection: answers.pop(0)
    seen: list[bytes] = []

    def decrypt(connection: Connection, session: Session) -> bool:
        seen.append(session.ticket_data)
        return True

    server.decrypt_ticket_callback = decrypt
    client, _ = meet(context, server)
    for _ in range(3):
        client, _ = meet(context, server, session=session_of(client))
        assert client.session_reused
    assert seen == [b"2", b"3", b""]


@VERSIONS
def test_a_program_can_keep_the_data_of_a_resumed_session_or_replace_it(
    version: Version, new_server: Callable[..., Context], new_client: Callable[[Version], Context]
) -> None:
    server, context, keys = new_server(), new_client(version), TicketKeys()
    server.rotating_ticket_keys = keys
    resumed: list[bytes] = []

    def generate(connection: Connection) -> bytes:
        data = session_of(connection).ticket_data
        if connection.session_reused:
            resumed.append(data)
        return data + b"x" if len(data) < 3 else data

    server.generate_ticket_callback = generate
    client, theirs = meet(context, server)
    first = session_of(theirs).ticket_data
    keys.rotate()
    _, theirs = meet(context, server, session=session_of(client))
    assert theirs.session_reused
    assert resumed == [first]
    assert session_of(theirs).ticket_data == first + b"x"


@pytest.mark.feature("data of the program in tickets")
@VERSIONS
def test_a_ticket_that_the_program_refuses_leads_to_a_full_handshake_and_a_new_ticket(
    version: Version, new_server: Callable[..., Context], new_client: Callable[[Version], Context]
) -> None:
    locked_out = {b"user 7"}
    server, context = new_server(), new_client(version)
    server.generate_ticket_callback = lambda connection: b"user 7"
    server.decrypt_ticket_callback = lambda connection, session: session.ticket_data not in locked_out
    client, _ = meet(context, server)
    again, _ = meet(context, server, session=session_of(client))
    assert not again.session_reused
    assert session_of(again).has_ticket
    locked_out.clear()
    assert meet(context, server, session=session_of(again))[0].session_reused


@pytest.mark.parametrize("without", ["client", "server"])
@VERSIONS
def test_a_session_without_a_ticket_is_not_resumed_past_the_program(
    version: Version, without: str, new_server: Callable[..., Context], new_client: Callable[[Version], Context]
) -> None:
    """docs/pitfalls.md, 92: a client of TLS 1.2 need not take tickets."""
    server, context = new_server(), new_client(version)
    server.decrypt_ticket_callback = lambda connection, session: False
    for each in (context,) if without == "client" else (server,):
        each.options |= Options.NO_TICKET
    client, _ = meet(context, server)
    assert not meet(context, server, session=session_of(client))[0].session_reused
    assert lib.SSL_CTX_sess_number(server._ctx) == 0


@VERSIONS
def test_a_ticket_that_cannot_be_decrypted_is_not_the_programs_business(
    version: Version, new_server: Callable[..., Context], new_client: Callable[[Version], Context]
) -> None:
    server, context, asked = new_server(), new_client(version), []

    def decrypt(connection: Connection, session: Session) -> bool:
        asked.append(session)
        return True

    client, _ = meet(context, new_server())
    server.decrypt_ticket_callback = decrypt
    again, _ = meet(context, server, session=session_of(client))
    assert not again.session_reused
    assert asked == []
    assert session_of(again).has_ticket


@VERSIONS
@pytest.mark.parametrize(
    ("answer", "kind"),
    [("text", TypeError), (7, TypeError), (bytearray(1), TypeError), (b"x" * 4097, ValueError)],
    ids=lambda value: type(value).__name__,
)
def test_data_that_do_not_go_into_a_ticket_end_the_handshake(
    answer: Any,
    kind: type[Exception],
    version: Version,
    new_server: Callable[..., Context],
    new_client: Callable[[Version], Context],
) -> None:
    server = new_server()
    server.generate_ticket_callback = lambda connection: answer
    with pytest.raises(kind):
        shake_hands(Connection(new_client(version), "example.com"), Connection(server))


@VERSIONS
@pytest.mark.parametrize("answer", [None, 0, 1, "yes", b""], ids=repr)
def test_only_true_and_false_decide_on_a_ticket(
    answer: Any, version: Version, new_server: Callable[..., Context], new_client: Callable[[Version], Context]
) -> None:
    server, context = new_server(), new_client(version)
    server.decrypt_ticket_callback = lambda connection, session: answer
    client, _ = meet(context, server)
    refused(context, server, TypeError, session_of(client))


@VERSIONS
@pytest.mark.parametrize("which", ["generate_ticket_callback", "decrypt_ticket_callback"])
def test_an_exception_of_a_ticket_callback_is_raised_by_the_handshake(
    which: str, version: Version, new_server: Callable[..., Context], new_client: Callable[[Version], Context]
) -> None:
    def fail(*_: object) -> Any:
        raise OnPurposeError

    server, context, keys = new_server(), new_client(version), TicketKeys()
    setattr(server, which, fail)
    server.rotating_ticket_keys = keys
    other = new_server()
    other.rotating_ticket_keys = keys
    session = session_of(meet(context, other)[0])
    theirs = Connection(server)
    with pytest.raises(OnPurposeError):
        shake_hands(Connection(context, "example.com", session=session if which[:3] == "dec" else None), theirs)
    with pytest.raises(pyossl.TLSError):
        theirs.read()


def test_all_but_the_removal_is_for_servers() -> None:
    context = Context.client()
    for name in "get_session_callback", "generate_ticket_callback", "decrypt_ticket_callback":
        with pytest.raises(UsageError, match="only for servers"):
            setattr(context, name, lambda *_: None)
    context.removed_session_callback = lambda connection, session: None
    with pytest.raises(TypeError, match="removed session callback"):
        context.removed_session_callback = 1  # type: ignore[assignment]


def test_a_callback_is_a_function_or_none(new_server: Callable[..., Context]) -> None:
    server = new_server()
    for name in (
        "get_session_callback",
        "removed_session_callback",
        "generate_ticket_callback",
        "decrypt_ticket_callback",
    ):
        with pytest.raises(TypeError, match="function or None"):
            setattr(server, name, b"x")
        assert getattr(server, name) is None
