"""Where pyOpenSSL is wrong and the face is right; docs/pyopenssl.md lists each."""

from __future__ import annotations

import socket

import pytest
from pyopenssl_pairs import AUTHORITY, carry, contexts, pair, shake_hands

from pyossl.pyopenssl import SSL


def test_a_second_read_after_an_end_without_close_notify_is_the_same_end() -> None:
    """PITFALLS 2, and its table: pyOpenSSL raises ``Error([])`` the second time."""
    client, _ = pair()
    client.bio_shutdown()
    for _ in range(3):
        with pytest.raises(SSL.SysCallError) as caught:
            client.recv(1)
        assert caught.value.args == (-1, "Unexpected EOF")


def test_an_empty_send_sends_nothing_and_is_no_end() -> None:
    """PITFALLS 7: pyOpenSSL raises ``SysCallError(-1, "Unexpected EOF")``."""
    client, server = pair()
    assert client.send(b"") == 0
    assert client.sendall(b"") == 0
    assert client.send(b"x") == 1
    carry(client, server)
    assert server.recv(10) == b"x"


def test_an_empty_read_is_no_end() -> None:
    client, _ = pair()
    assert client.recv(0) == b""


def test_a_close_is_a_zero_return_every_time() -> None:
    client, server = pair()
    server.shutdown()
    carry(client, server)
    for _ in range(3):
        with pytest.raises(SSL.ZeroReturnError):
            client.recv(1)


def test_an_exception_of_an_info_callback_is_raised_by_the_call() -> None:
    """PITFALLS 16: pyOpenSSL prints it, and the handshake goes on."""

    def callback(connection: SSL.Connection, where: int, value: int) -> None:
        raise LookupError("of the callback")

    with pytest.raises(LookupError, match="of the callback"):
        pair(lambda client, server: client.set_info_callback(callback))


def test_an_exception_of_a_keylog_callback_is_raised_by_the_call() -> None:
    """PITFALLS 16."""

    def callback(connection: SSL.Connection, line: bytes) -> None:
        raise LookupError("of the callback")

    with pytest.raises(LookupError, match="of the callback"):
        pair(lambda client, server: client.set_keylog_callback(callback))


def test_one_connection_never_raises_what_anothers_callback_raised() -> None:
    """PITFALLS 16: in pyOpenSSL the context keeps the exception, and whichever connection comes next raises it."""
    both = contexts()
    failing: list[SSL.Connection] = []

    def callback(connection: SSL.Connection, *_: object) -> bool:
        if connection in failing:
            raise LookupError("of the first")
        return True

    both[0].set_verify(SSL.VERIFY_PEER, callback)
    clients = [SSL.Connection(both[0]) for _ in range(2)]
    servers = [SSL.Connection(both[1]) for _ in range(2)]
    failing.append(clients[0])
    for client, server in zip(clients, servers, strict=True):
        client.set_connect_state()
        server.set_accept_state()
        with pytest.raises(SSL.WantReadError):
            client.do_handshake()
        carry(client, server)
        with pytest.raises(SSL.WantReadError):
            server.do_handshake()
        carry(client, server)
    with pytest.raises(LookupError):
        clients[0].do_handshake()
    clients[1].do_handshake()


def fill(connection: SSL.Connection) -> None:
    """Sends until a record waits."""
    try:
        while True:
            connection.send(b"a" * 16384)
    except SSL.WantWriteError:
        return


def test_another_write_in_the_place_of_one_that_waits_is_refused() -> None:
    """PITFALLS 8: OpenSSL would send the bytes that it has, and count them as the new ones."""
    both = contexts()
    ends = socket.socketpair()
    with ends[0], ends[1]:
        for end in ends:
            end.setblocking(False)
        client, server = SSL.Connection(both[0], ends[0]), SSL.Connection(both[1], ends[1])
        client.set_connect_state()
        server.set_accept_state()
        waiting = [client, server]
        while waiting:
            for each in list(waiting):
                try:
                    each.do_handshake()
                except SSL.WantReadError:
                    continue
                waiting.remove(each)
        fill(client)
        with pytest.raises(SSL.Error) as caught:
            client.send(b"b" * 16384)
        assert caught.value.args == ([("SSL routines", "", "bad write retry")],)


def test_an_error_always_says_something() -> None:
    """PITFALLS 4: never ``Error([])``."""
    client, server = pair()
    client.shutdown()
    with pytest.raises(SSL.Error) as caught:
        client.send(b"x")
    assert caught.value.args == ([("SSL routines", "", "protocol is shutdown")],)
    fresh = SSL.Connection(contexts()[0])
    with pytest.raises(SSL.Error) as caught:
        fresh.shutdown()
    assert caught.value.args[0][0][2] == "shutdown while in init"
    assert server.get_shutdown() == 0


def test_a_connection_outlives_its_context_and_its_callbacks() -> None:
    """PITFALLS 18."""
    seen: list[bytes] = []
    both = contexts()
    both[0].set_keylog_callback(lambda connection, line: seen.append(line))
    client, server = (SSL.Connection(context) for context in both)
    del both
    shake_hands(client, server)
    assert seen


def test_what_a_user_asked_for_is_there_on_the_same_objects() -> None:
    """Reference names, groups, key update, exporter, session serialisation."""
    both = contexts()
    both[0]._context.store.add(AUTHORITY.certificate)
    both[0].set_verify(SSL.VERIFY_PEER)
    client, server = (SSL.Connection(context) for context in both)
    client.set_verify_host("localhost")
    client.set_groups("P-256")
    shake_hands(client, server)
    client.key_update(request_peer=True)
    client.send(b"x")
    carry(client, server)
    assert server.recv(1) == b"x"
    exported = [each.export_keying_material(b"EXPORTER-test", 32) for each in (client, server)]
    assert exported[0] == exported[1]
    session = client.get_session()
    assert session is not None
    assert SSL.Session.load(session.to_der(), client.get_context()).to_pem() == session.to_pem()


def test_a_certificate_for_another_name_is_refused() -> None:
    both = contexts()
    both[0]._context.store.add(AUTHORITY.certificate)
    both[0].set_verify(SSL.VERIFY_PEER)
    client, server = (SSL.Connection(context) for context in both)
    client.set_verify_host("elsewhere.example")
    with pytest.raises(SSL.Error, match="certificate verify failed"):
        shake_hands(client, server)
