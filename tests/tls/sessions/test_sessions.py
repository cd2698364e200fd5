"""Sessions: made, stored, resumed, and refused if resuming one would skip a verification.

docs/pitfalls.md, 12: "A session belongs to a compatible `SSL_CTX`; OpenSSL does not check."
"""

from __future__ import annotations

import datetime
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from marks import VERSIONS
from pairs import carry, meet, shake_hands

import pyossl
from pyossl import Context, Options, Session, Version, lib


@pytest.fixture
def new_client(authority: pyossl.Authority) -> Callable[..., Context]:
    def make(version: Version = Version.TLSv1_3, **arguments: object) -> Context:
        return Context.client(trust=authority.certificate, maximum_version=version, **arguments)  # type: ignore[arg-type]

    return make


def session_of(connection: pyossl.Connection) -> Session:
    session = connection.session
    assert session is not None
    assert session.is_resumable
    return session


@pytest.mark.feature("resumption")
@VERSIONS
def test_a_session_is_resumed_by_its_context_and_name(
    version: Version, new_client: Callable[..., Context], server_context: Context
) -> None:
    context = new_client(version)
    first, _ = meet(context, server_context)
    assert not first.session_reused
    second, server = meet(context, server_context, session=session_of(first))
    assert second.session_reused
    assert server.session_reused


@pytest.mark.feature("session in DER and PEM")
@VERSIONS
@pytest.mark.parametrize("form", ["der", "pem"])
def test_a_session_is_stored_and_loaded(
    version: Version, form: str, new_client: Callable[..., Context], server_context: Context
) -> None:
    context = new_client(version)
    session = session_of(meet(context, server_context)[0])
    stored = session.to_der() if form == "der" else session.to_pem()
    loaded = Session.load(stored, context, "example.com")
    assert loaded.to_der() == session.to_der()
    assert loaded.cipher == session.cipher
    assert loaded.server_hostname == "example.com"
    assert meet(context, server_context, session=loaded)[0].session_reused


@pytest.mark.feature("session in DER and PEM")
def test_the_openssl_program_reads_a_stored_session(
    new_client: Callable[..., Context], server_context: Context, tmp_path: Path
) -> None:
    """sess_id(1)"""
    session = session_of(meet(new_client(Version.TLSv1_2), server_context)[0])
    path = tmp_path / "session.pem"
    path.write_bytes(session.to_pem())
    read = subprocess.run(
        ["openssl", "sess_id", "-in", path, "-noout", "-text"], capture_output=True, text=True, check=True
    ).stdout
    assert f"Session-ID: {session.id.hex().upper()}" in read
    assert str(session.cipher) in read
    assert f"Timeout   : {session.timeout} (sec)" in read


def test_a_session_that_is_cut_or_garbage_is_refused(
    new_client: Callable[..., Context], server_context: Context
) -> None:
    context = new_client()
    session = session_of(meet(context, server_context)[0])
    der, pem = session.to_der(), session.to_pem()
    for wrong in (b"", b"\x30", b"garbage", bytes(1000), pem[: len(pem) // 2], pem.replace(b"M", b"*")):
        with pytest.raises(pyossl.DecodeError):
            Session.load(wrong, context, "example.com")
    for size in range(len(der)):
        with pytest.raises(pyossl.DecodeError):
            Session.load(der[:size], context, "example.com")
    with pytest.raises(pyossl.DecodeError):
        Session.load(der + b"\0", context, "example.com")


def test_only_bytes_are_a_stored_session(client_context: Context) -> None:
    for wrong in ("text", None, 1, bytearray(b"0")):
        with pytest.raises(TypeError, match="bytes"):
            Session.load(wrong, client_context)  # type: ignore[arg-type]


def test_a_session_with_any_bit_flipped_never_harms(
    new_client: Callable[..., Context], server_context: Context
) -> None:
    """It is refused when it is read or when it is offered, or the handshake is done in full, or fails."""
    context = new_client()
    der = session_of(meet(context, server_context)[0]).to_der()
    for place in range(0, len(der), 7):
        wrong = bytearray(der)
        wrong[place] ^= 1 << place % 8
        try:
            meet(context, server_context, session=Session.load(bytes(wrong), context, "example.com"))
        except (pyossl.Error, ValueError):
            continue


def test_a_session_of_another_context_is_refused(new_client: Callable[..., Context], server_context: Context) -> None:
    """docs/pitfalls.md, 12."""
    session = session_of(meet(new_client(), server_context)[0])
    with pytest.raises(ValueError, match="another context"):
        pyossl.Connection(new_client(), "example.com", session=session)


def test_a_session_with_another_name_is_refused(new_client: Callable[..., Context], server_context: Context) -> None:
    """A resumed connection's certificate is not looked at again."""
    context = new_client()
    session = session_of(meet(context, server_context)[0])
    for name in ("localhost", "127.0.0.1"):
        with pytest.raises(ValueError, match=f"with 'example.com', not with '{name}'"):
            pyossl.Connection(context, name, session=session)


def test_a_session_that_was_loaded_without_a_name_is_refused_with_the_way_to_name_it(
    new_client: Callable[..., Context], server_context: Context
) -> None:
    context = new_client()
    stored = session_of(meet(context, server_context)[0]).to_der()
    with pytest.raises(ValueError, match=r"made with None, not with 'example.com': pass server_hostname to Session"):
        pyossl.Connection(context, "example.com", session=Session.load(stored, context))


@VERSIONS
def test_a_session_of_an_unverified_connection_is_refused_by_a_client_that_verifies(
    version: Version, new_client: Callable[..., Context], server_context: Context
) -> None:
    anybody = Context.client(verify=False, maximum_version=version)
    stored = session_of(meet(anybody, server_context)[0]).to_der()
    context = new_client(version)
    with pytest.raises(ValueError, match="was not verified"):
        pyossl.Connection(context, "example.com", session=Session.load(stored, context, "example.com"))


def test_a_servers_connection_takes_no_session(
    client_context: Context, server_context: Context, new_client: Callable[..., Context]
) -> None:
    session = session_of(meet(client_context, server_context)[0])
    with pytest.raises(pyossl.UsageError, match="session is for clients"):
        pyossl.Connection(server_context, session=session)


@pytest.mark.parametrize("session", [b"der", "text", object()])
def test_what_is_no_session_is_not_offered(session: object, client_context: Context) -> None:
    with pytest.raises((TypeError, AttributeError)):
        pyossl.Connection(client_context, "example.com", session=session)  # type: ignore[arg-type]


# When, and how long


@pytest.mark.feature("new-session callback")
def test_the_callback_is_told_each_ticket_that_can_be_resumed(
    new_client: Callable[..., Context], credentials: pyossl.Credentials
) -> None:
    """docs/pitfalls.md, 9: "Client sessions arrive after the handshake: use the new-session callback"."""
    told: list[Session] = []
    context = new_client()
    context.new_session_callback = lambda connection, session: told.append(session)
    server_context = Context.server(credentials.certificate, credentials.private_key)
    server_context.ticket_count = 3
    client, server = pyossl.Connection(context, "example.com"), pyossl.Connection(server_context)
    shake_hands(client, server)
    assert told == []
    assert client.read() is pyossl.Want.READ
    assert len(told) == 3
    for session in tuple(told):
        assert session.has_ticket
        assert session.server_hostname == "example.com"
        assert meet(context, server_context, session=session)[0].session_reused


def test_the_callback_of_tls_1_2_comes_in_the_handshake(
    new_client: Callable[..., Context], server_context: Context
) -> None:
    told: list[Session] = []
    context = new_client(Version.TLSv1_2)
    context.new_session_callback = lambda connection, session: told.append(session)
    client, server = pyossl.Connection(context, "example.com"), pyossl.Connection(server_context)
    shake_hands(client, server)
    assert [session.id for session in told] == [session_of(client).id]


def test_what_the_callback_raises_comes_from_the_call_that_read_the_ticket(
    new_client: Callable[..., Context], server_context: Context
) -> None:
    """docs/pitfalls.md, 16."""
    error = KeyError("on purpose")

    def callback(connection: pyossl.Connection, session: Session) -> None:
        raise error

    context = new_client()
    context.new_session_callback = callback
    client, server = pyossl.Connection(context, "example.com"), pyossl.Connection(server_context)
    shake_hands(client, server)
    with pytest.raises(KeyError) as caught:
        client.read()
    assert caught.value is error
    assert client.failure is not None


@VERSIONS
def test_the_servers_lifetime_is_the_tickets(
    version: Version, new_client: Callable[..., Context], credentials: pyossl.Credentials
) -> None:
    server_context = Context.server(credentials.certificate, credentials.private_key)
    server_context.session_timeout = 1234
    assert server_context.session_timeout == 1234
    client, server = meet(new_client(version), server_context)
    assert session_of(client).ticket_lifetime_hint == 1234
    age = datetime.datetime.now(datetime.timezone.utc) - session_of(client).time
    assert abs(age) < datetime.timedelta(minutes=5)
    assert server.session is not None
    assert server.session.timeout == 1234


@pytest.mark.feature("session lifetime")
def test_a_ticket_past_its_lifetime_is_not_resumed(new_client: Callable[..., Context], server_context: Context) -> None:
    context = new_client()
    session = session_of(meet(context, server_context)[0])
    long_ago = int(session.time.timestamp()) - session.ticket_lifetime_hint - 10
    set_time = lib.SSL_SESSION_set_time_ex if hasattr(lib, "SSL_SESSION_set_time_ex") else lib.SSL_SESSION_set_time
    set_time(session._session, long_ago)
    assert not meet(context, server_context, session=session)[0].session_reused


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_lifetime_is_above_0(seconds: int, server_context: Context) -> None:
    with pytest.raises(ValueError, match="above 0"):
        server_context.session_timeout = seconds


def test_a_server_may_send_no_ticket(new_client: Callable[..., Context], credentials: pyossl.Credentials) -> None:
    server_context = Context.server(credentials.certificate, credentials.private_key)
    server_context.ticket_count = 0
    client, _ = meet(new_client(), server_context)
    assert client.session is None or not client.session.is_resumable


def test_a_connection_closed_without_shutdown_can_be_resumed(
    new_client: Callable[..., Context], server_context: Context
) -> None:
    """docs/pitfalls.md, 11: "`SSL_free` without shutdown marks the session not resumable": not with us."""
    context = new_client(Version.TLSv1_2)
    client, server = meet(context, server_context)
    session = session_of(client)
    client.close()
    server.close()
    assert meet(context, server_context, session=session)[0].session_reused


# What the server keeps


@VERSIONS
def test_without_tickets_the_server_keeps_the_sessions(
    version: Version, new_client: Callable[..., Context], credentials: pyossl.Credentials
) -> None:
    server_context = Context.server(credentials.certificate, credentials.private_key)
    server_context.options |= Options.NO_TICKET
    server_context.session_cache_size = 10
    assert server_context.session_cache_size == 10
    context = new_client(version)
    session = session_of(meet(context, server_context)[0])
    assert lib.SSL_CTX_sess_number(server_context._ctx) > 0
    assert meet(context, server_context, session=session)[0].session_reused


@VERSIONS
def test_contexts_with_the_same_ticket_keys_resume_each_others_sessions(
    version: Version, new_client: Callable[..., Context], credentials: pyossl.Credentials
) -> None:
    def new_server(keys: bytes) -> Context:
        context = Context.server(credentials.certificate, credentials.private_key)
        context.ticket_keys = keys
        assert context.ticket_keys == keys
        return context

    length = len(Context.server(credentials.certificate, credentials.private_key).ticket_keys)
    keys, context = secrets.token_bytes(length), new_client(version)
    session = session_of(meet(context, new_server(keys))[0])
    assert meet(context, new_server(keys), session=session)[0].session_reused
    assert not meet(context, new_server(secrets.token_bytes(length)), session=session)[0].session_reused


@VERSIONS
def test_ticket_keys_do_not_open_a_context_that_verifies_more(
    version: Version, authority: pyossl.Authority, new_client: Callable[..., Context], credentials: pyossl.Credentials
) -> None:
    """docs/pitfalls.md, 12: the client got the session without showing a certificate."""
    lax = Context.server(credentials.certificate, credentials.private_key)
    strict = Context.server(credentials.certificate, credentials.private_key, trust=authority.certificate, verify=True)
    strict.ticket_keys = lax.ticket_keys
    context = new_client(version)
    session = session_of(meet(context, lax)[0])
    with pytest.raises(pyossl.CertificateError, match="did not return a certificate"):
        meet(context, strict, session=session)


@pytest.mark.feature("sessions shared between processes")
def test_another_process_with_the_same_ticket_keys_resumes_a_session(
    new_client: Callable[..., Context], credentials: pyossl.Credentials, tmp_path: Path
) -> None:
    server_context = Context.server(credentials.certificate, credentials.private_key)
    (tmp_path / "chain.pem").write_bytes(credentials.certificate_pem())
    (tmp_path / "key.pem").write_bytes(credentials.private_key.to_pem())
    script = """
import sys, pyossl
context = pyossl.Context.server("chain.pem", "key.pem")
context.ticket_keys = bytes.fromhex(sys.stdin.readline())
with pyossl.listen(("127.0.0.1", 0), context) as listener:
    listener.settimeout(60)
    print(listener.address[1], flush=True)
    tls, _ = listener.accept()
    with tls:
        tls.handshake()
        tls.sendall(b"resumed" if tls.connection.session_reused else b"in full")
        tls.unwrap().close()
"""
    context = new_client()
    session = session_of(meet(context, server_context)[0])
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(server_context.ticket_keys.hex() + "\n")
        process.stdin.flush()
        address = "127.0.0.1", int(process.stdout.readline())
        with pyossl.connect(address, context, server_hostname="example.com", timeout=60, session=session) as tls:
            assert tls.recv(100) == b"resumed"
            tls.unwrap().close()
        process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.parametrize("keys", [b"", bytes(79), bytes(81), "text", None])
def test_ticket_keys_of_another_length_are_refused(keys: object, server_context: Context) -> None:
    with pytest.raises(ValueError, match="ticket keys are 80 bytes"):
        server_context.ticket_keys = keys  # type: ignore[assignment]


def test_what_is_a_servers_is_refused_on_a_client(client_context: Context) -> None:
    for name, value in {
        "ticket_keys": bytes(80),
        "ticket_count": 1,
        "session_cache_size": 1,
        "session_id_context": b"x",
    }.items():
        with pytest.raises(pyossl.UsageError, match="is only for servers"):
            setattr(client_context, name, value)


def test_a_session_id_context_keeps_sessions_apart(
    new_client: Callable[..., Context], credentials: pyossl.Credentials
) -> None:
    first, second = (Context.server(credentials.certificate, credentials.private_key) for _ in range(2))
    second.ticket_keys = first.ticket_keys
    second.session_id_context = b"apart"
    context = new_client()
    session = session_of(meet(context, first)[0])
    assert not meet(context, second, session=session)[0].session_reused
    for wrong in (b"", bytes(33)):
        with pytest.raises(ValueError, match="1 to 32 bytes"):
            Context.server(credentials.certificate, credentials.private_key).session_id_context = wrong


def test_nothing_of_sessions_changes_in_a_frozen_context(connected: object, server_context: Context) -> None:
    """docs/pitfalls.md, 14."""
    for name, value in {"ticket_keys": bytes(80), "ticket_count": 1, "session_timeout": 1}.items():
        with pytest.raises(pyossl.UsageError, match="frozen"):
            setattr(server_context, name, value)


# The end


def test_a_second_shutdown_with_unread_data_is_harmless(connected: tuple[pyossl.Connection, ...]) -> None:
    """docs/pitfalls.md, 10: OpenSSL makes "application data after close notify" of it, which is fatal."""
    client, server = connected
    assert client.read() is pyossl.Want.READ
    server.write(b"unread")
    assert client.shutdown() is False
    carry(client, server)
    for _ in range(3):
        assert client.shutdown() is False
    assert client.read() == b"unread"
    assert client.shutdown() is pyossl.Want.READ
    assert server.read() == b""
    assert server.shutdown() is True
    carry(client, server)
    assert client.shutdown() is True
    assert client.read() == b""
