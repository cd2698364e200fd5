"""Handshakes that succeed or fail, in memory and over sockets, with each callback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from cases import FOLDER, attempt, carry, case, connected, context, facts, limited, pair, shake, shown, talk
from OpenSSL import SSL, crypto

RESPONSE = b"\x30\x03\x0a\x01\x01"
"""An OCSP response, "malformed request": OpenSSL 4.0 gives a client no response that it cannot decode."""


def _memory(version: int) -> Any:
    client, server = context(trust="root"), context("server")
    client.set_alpn_protos([b"h2", b"http/1.1"])
    server.set_alpn_select_callback(lambda _, offered: offered[-1])
    both = pair(limited(client, version), limited(server, version))
    both[0].set_tlsext_host_name(b"localhost")
    ended = shake(*both)
    exported = [each.export_keying_material(b"EXPORTER-test", 32) for each in both]
    length = len(exported[0])
    told = [facts(each) for each in both]
    return [ended, told, exported[0] == exported[1], length, talk(*both)]


@case
def in_memory_with_tls_1_3() -> Any:
    return _memory(SSL.TLS1_3_VERSION)


@case
def in_memory_with_tls_1_2() -> Any:
    return _memory(SSL.TLS1_2_VERSION)


def _over_sockets(prepare: Callable[[socket.socket], None]) -> Any:
    with ExitStack() as stack:
        ends = [stack.enter_context(end) for end in socket.socketpair()]
        server = SSL.Connection(context("server"), ends[1])
        server.set_accept_state()
        answers: list[Any] = []

        def serve() -> None:
            answers.append(attempt(server.do_handshake))
            answers.append(attempt(server.recv, 100))
            answers.append(attempt(server.sendall, b"a" * 100_000))
            answers.append(attempt(server.recv, 100))
            answers.append(attempt(server.shutdown))

        thread = threading.Thread(target=serve)
        thread.start()
        prepare(ends[0])
        client = SSL.Connection(context(trust="root"), ends[0])
        client.set_connect_state()

        def insist(function: Callable[..., Any], *arguments: Any) -> Any:
            while True:
                try:
                    return function(*arguments)
                except (SSL.WantReadError, SSL.WantWriteError):
                    continue

        said = [attempt(insist, client.do_handshake), attempt(insist, client.send, b"question")]
        got = 0
        while got < 100_000:
            got += len(insist(client.recv, 4096))
        said += [got, attempt(insist, client.shutdown)]
        thread.join()
        said += [attempt(insist, client.shutdown), attempt(insist, client.recv, 1)]
        return [said, answers, attempt(client.bio_read, 1), attempt(client.bio_write, b"x")]


@case
def over_a_socket_that_blocks() -> Any:
    return _over_sockets(lambda end: None)


@case
def over_a_socket_that_does_not_block() -> Any:
    return _over_sockets(lambda end: end.setblocking(False))


@case
def over_a_socket_with_a_timeout() -> Any:
    return _over_sockets(lambda end: end.settimeout(30))


@case
def by_connect_and_accept() -> Any:
    with socket.socket() as listening, socket.socket() as connecting:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listener = SSL.Connection(context("server"), listening)
        answers: list[Any] = []

        def serve() -> None:
            connection, address = listener.accept()
            answers.append([type(connection).__name__, address[0]])
            answers.append(attempt(connection.do_handshake))
            connection.sendall(b"hello")
            answers.append(attempt(connection.recv, 10))
            connection.sock_shutdown(socket.SHUT_RDWR)
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        client = SSL.Connection(context(), connecting)
        said = [attempt(client.connect, listening.getsockname()), attempt(client.do_handshake), attempt(client.recv, 9)]
        client.send(b"x")
        thread.join()
        return [said, answers, client.fileno() == connecting.fileno(), attempt(client.recv, 1)]


@case
def connect_ex_to_where_nobody_listens() -> Any:
    with socket.socket() as bound, socket.socket() as connecting:
        bound.bind(("127.0.0.1", 0))
        client = SSL.Connection(context(), connecting)
        return [attempt(client.connect_ex, bound.getsockname()), attempt(client.connect, bound.getsockname())]


def _client_certificate(version: int, identity: str | None, mode: int) -> Any:
    seen: list[Any] = []

    def asked(connection: SSL.Connection, subject: crypto.X509, number: int, depth: int, ok: int) -> bool:
        seen.append([type(connection).__name__, shown(subject), number, depth, ok])
        return bool(ok)

    server = limited(context("server", trust="root"), version)
    server.set_verify(mode, asked)
    server.load_client_ca(str(FOLDER / "root.pem").encode())
    client, server_side = pair(limited(context(identity), version), server)
    ended = shake(client, server_side)
    return [ended, seen, attempt(client.recv, 1), facts(server_side), shown(client.get_client_ca_list())]


@case
def a_client_certificate_with_tls_1_3() -> Any:
    return _client_certificate(SSL.TLS1_3_VERSION, "client", SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)


@case
def a_client_certificate_with_tls_1_2() -> Any:
    return _client_certificate(SSL.TLS1_2_VERSION, "client", SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)


@case
def no_client_certificate_with_tls_1_3() -> Any:
    return _client_certificate(SSL.TLS1_3_VERSION, None, SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)


@case
def no_client_certificate_with_tls_1_2() -> Any:
    return _client_certificate(SSL.TLS1_2_VERSION, None, SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)


@case
def no_client_certificate_where_none_is_needed() -> Any:
    return _client_certificate(SSL.TLS1_3_VERSION, None, SSL.VERIFY_PEER)


@case
def a_client_certificate_of_a_stranger() -> Any:
    return _client_certificate(SSL.TLS1_2_VERSION, "stranger", SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)


def _alpn(answer: Callable[[list[bytes]], Any], offered: list[bytes] | None = None) -> Any:
    client, server = context(), context("server")
    if offered is None:
        client.set_alpn_protos([b"h2", b"http/1.1"])
    seen: list[Any] = []

    def select(connection: SSL.Connection, protocols: list[bytes]) -> Any:
        seen.append(shown(protocols))
        return answer(protocols)

    server.set_alpn_select_callback(select)
    both = pair(client, server)
    return [shake(*both), seen, [shown(each.get_alpn_proto_negotiated()) for each in both]]


@case
def alpn_selected() -> Any:
    return _alpn(lambda offered: offered[0])


@case
def alpn_not_offered_by_the_client() -> Any:
    return _alpn(lambda offered: offered[0], [])


@case
def alpn_without_a_match() -> Any:
    return _alpn(lambda offered: SSL.NO_OVERLAPPING_PROTOCOLS)


@case
def alpn_answered_with_text() -> Any:
    return _alpn(lambda offered: "h2")


@case
def alpn_callback_that_raises() -> Any:
    return _alpn(lambda offered: 1 // 0)


@case
def alpn_answered_with_what_was_not_offered() -> Any:
    return _alpn(lambda offered: b"spdy")


@case
def alpn_answered_with_nothing() -> Any:
    return _alpn(lambda offered: b"")


def _server_name(name: bytes | None, callback: Callable[[SSL.Connection, SSL.Context], Any]) -> Any:
    other = context("other")
    seen: list[Any] = []
    server = context("server")

    def named(connection: SSL.Connection) -> None:
        seen.append(shown(connection.get_servername()))
        callback(connection, other)

    server.set_tlsext_servername_callback(named)
    both = pair(context(), server)
    if name is not None:
        both[0].set_tlsext_host_name(name)
    ended = shake(*both)
    told = [shown(both[0].get_peer_certificate()), both[1].get_context() is other, shown(both[1].get_servername())]
    return [ended, seen, told]


@case
def a_server_name_that_changes_the_context() -> Any:
    return _server_name(b"other.example", lambda connection, other: connection.set_context(other))


@case
def no_server_name() -> Any:
    return _server_name(None, lambda connection, other: None)


@case
def a_server_name_callback_that_raises() -> Any:
    return _server_name(b"other.example", lambda connection, other: 1 // 0)


def _resumed(version: int) -> Any:
    client, server = limited(context(), version), limited(context("server"), version)
    server.set_session_id(b"side by side")
    client.set_session_cache_mode(SSL.SESS_CACHE_BOTH)
    states: list[str] = []
    client.set_info_callback(lambda connection, where, value: states.append(connection.get_state_string().decode()))
    first = pair(client, server)
    told = [shake(*first)]
    first[1].send(b"x")
    carry(*first)
    told.append(attempt(first[0].recv, 1))
    session = first[0].get_session()
    assert session is not None
    before = list(states)
    states.clear()
    second = pair(client, server)
    second[0].set_session(session)
    told += [shake(*second), before, states]
    third = SSL.Connection(context(), None)
    return [*told, attempt(third.set_session, session), attempt(third.set_session, "session"), attempt(SSL.Session)]


@case
def resumption_with_tls_1_2() -> Any:
    return _resumed(SSL.TLS1_2_VERSION)


@case
def resumption_with_tls_1_3() -> Any:
    return _resumed(SSL.TLS1_3_VERSION)


@case
def renegotiation() -> Any:
    client, server = limited(context(), SSL.TLS1_2_VERSION), limited(context("server"), SSL.TLS1_2_VERSION)
    both = connected(client, server)
    said = [both[0].renegotiate_pending(), attempt(both[0].renegotiate), both[0].renegotiate_pending()]
    said += [attempt(both[0].renegotiate), attempt(both[0].do_handshake)]
    carry(*both)
    said.append(attempt(both[1].recv, 1))
    newer = connected()
    return [*said, attempt(newer[0].renegotiate), newer[0].total_renegotiations()]


@case
def datagrams() -> Any:
    client, server = context(method=SSL.DTLS_CLIENT_METHOD), context("server", method=SSL.DTLS_SERVER_METHOD)
    seen: list[Any] = []
    server.set_cookie_generate_callback(lambda connection: b"cookie")

    def is_ours(connection: SSL.Connection, cookie: bytes) -> bool:
        seen.append(shown(cookie))
        return cookie == b"cookie"

    server.set_cookie_verify_callback(is_ours)
    both = pair(client, server)
    both[0].set_connect_state()
    both[1].set_accept_state()
    for each in both:
        each.set_ciphertext_mtu(1500)
    said = [attempt(both[1].DTLSv1_listen), attempt(both[0].do_handshake)]

    def move(source: SSL.Connection, target: SSL.Connection) -> None:
        while True:
            try:
                target.bio_write(source.bio_read(1500))
            except SSL.WantReadError:
                return

    said.append(both[0].DTLSv1_get_timeout() is not None)
    move(both[0], both[1])
    said.append(attempt(both[1].DTLSv1_listen))
    move(both[1], both[0])
    said.append(attempt(both[0].do_handshake))
    move(both[0], both[1])
    said.append(attempt(both[1].DTLSv1_listen))
    for _ in range(5):
        for each, other in (both[::-1], both):
            said.append(attempt(each.do_handshake))
            move(each, other)
    said += [attempt(both[0].send, b"datagram")]
    move(*both)
    said += [attempt(both[1].recv, 100), attempt(both[0].DTLSv1_handle_timeout), both[0].get_cleartext_mtu() > 1000]
    return [said, seen, both[0].get_protocol_version_name()]


@case
def stapled_responses() -> Any:
    def ask(answer: Callable[[], Any], judge: Callable[[], Any]) -> Any:
        seen: list[Any] = []
        client, server = context(), context("server")

        def judged(connection: SSL.Connection, response: bytes, data: Any) -> Any:
            seen.append([shown(response), data])
            return judge()

        client.set_ocsp_client_callback(judged, "data")
        server.set_ocsp_server_callback(lambda connection, data: answer(), "data")
        both = pair(client, server)
        both[0].request_ocsp()
        return [shake(*both), seen]

    return [
        ask(lambda: RESPONSE, lambda: True),
        ask(lambda: b"", lambda: True),
        ask(lambda: RESPONSE, lambda: False),
        ask(lambda: "response", lambda: True),
        ask(lambda: 1 // 0, lambda: True),
        ask(lambda: RESPONSE, lambda: 1 // 0),
    ]


@case
def keylog_and_info() -> Any:
    lines: list[str] = []
    events: list[Any] = []
    client = context()
    client.set_keylog_callback(lambda connection, line: lines.append(line.split()[0].decode()))
    client.set_info_callback(lambda connection, where, value: events.append([where, value]))
    connected(client)
    return [lines, events]


@case
def a_keylog_callback_that_raises() -> Any:
    client = context()
    client.set_keylog_callback(lambda connection, line: 1 // 0)
    return shake(*pair(client, context("server")))


@case
def an_info_callback_that_raises() -> Any:
    client = context()
    client.set_info_callback(lambda connection, where, value: 1 // 0)
    return shake(*pair(client, context("server")))
