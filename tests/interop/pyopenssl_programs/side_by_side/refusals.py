"""Chains that are verified, and connections that fail."""

from __future__ import annotations

import datetime
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from cases import FOLDER, attempt, carry, case, certificate, connected, context, drain, limited, pair, shake, shown
from OpenSSL import SSL, crypto


def _verified(identity: str, trust: str, callback: Any = None, depth: int | None = None) -> Any:
    client = context(trust=trust)
    seen: list[Any] = []

    def asked(connection: SSL.Connection, subject: crypto.X509, number: int, depth: int, ok: int) -> Any:
        seen.append([shown(subject), number, depth, ok])
        return callback(ok)

    client.set_verify(SSL.VERIFY_PEER, asked if callback else None)
    if depth is not None:
        client.set_verify_depth(depth)
    server = context(identity)
    if identity == "deep":
        server.add_extra_chain_cert(certificate("between"))
    both = pair(client, server)
    ended = shake(*both)
    told = [shown(both[0].get_peer_certificate()), shown(both[0].get_peer_cert_chain())]
    return [ended, seen, told, shown(both[0].get_verified_chain())]


@case
def a_good_chain() -> Any:
    return [_verified("server", "root"), _verified("server", "root", bool), _verified("deep", "root", bool)]


@case
def a_chain_to_a_stranger() -> Any:
    return [_verified("server", "strangers"), _verified("server", "strangers", bool)]


@case
def an_expired_certificate() -> Any:
    return [_verified("expired", "root"), _verified("expired", "root", bool)]


@case
def a_certificate_for_another_purpose() -> Any:
    return [_verified("client", "root"), _verified("client", "root", bool)]


@case
def a_chain_that_is_too_long() -> Any:
    return _verified("deep", "root", bool, 0)


@case
def a_bad_chain_that_the_callback_accepts() -> Any:
    return _verified("server", "strangers", lambda ok: True)


@case
def a_verify_callback_that_answers_with_none() -> Any:
    return _verified("server", "root", lambda ok: None)


@case
def a_verify_callback_that_raises() -> Any:
    return _verified("server", "root", lambda ok: 1 // 0)


@case
def stores() -> Any:
    def check(
        leaf: str,
        *,
        trust: tuple[str, ...] = ("root",),
        between: tuple[str, ...] = (),
        flags: int = 0,
        when: Any = None,
    ) -> Any:
        store = crypto.X509Store()
        for each in trust:
            store.add_cert(certificate(each))
        if flags:
            store.set_flags(flags)
        if when:
            store.set_time(when)
        verifying = crypto.X509StoreContext(store, certificate(leaf), [certificate(each) for each in between])

        def verify() -> Any:
            try:
                return verifying.get_verified_chain()
            except crypto.X509StoreContextError as error:
                return [error.errors, str(error), error.certificate]

        return [attempt(verify), attempt(verifying.verify_certificate)]

    long_ago = datetime.datetime(2000, 1, 1)
    return [
        check("server"),
        check("deep", between=("between",)),
        check("deep"),
        check("server", trust=("strangers",)),
        check("server", trust=()),
        check("expired"),
        check("server", when=long_ago),
        check("deep", trust=("between",)),
        check("deep", trust=("between",), flags=crypto.X509StoreFlags.PARTIAL_CHAIN),
        check("server", flags=crypto.X509StoreFlags.CRL_CHECK),
        check("root"),
        attempt(crypto.X509StoreContext, crypto.X509Store(), certificate("server"), ["text"]),
        attempt(crypto.X509Store().add_cert, "text"),
        attempt(crypto.X509Store().add_crl, "text"),
        attempt(crypto.X509Store().load_locations, str(FOLDER / "nothing.pem")),
        attempt(crypto.X509Store().load_locations, None),
        attempt(crypto.X509Store().load_locations, str(FOLDER / "root.pem")),
    ]


# Failures of connections


@case
def what_is_not_tls() -> Any:
    def feed(data: bytes, side: str) -> Any:
        connection = SSL.Connection(context("server"), None)
        getattr(connection, side)()
        attempt(connection.do_handshake)
        connection.bio_write(data)
        return [attempt(connection.do_handshake) for _ in range(2)]

    return [
        feed(b"GET / HTTP/1.0\r\n\r\n", "set_accept_state"),
        feed(b"HTTP/1.0 400 Bad\r\n\r\n", "set_connect_state"),
        feed(b"\x16\x03\x01\x00\x05hello", "set_accept_state"),
        feed(b"\x15\x03\x03\x00\x02\x02\x28", "set_connect_state"),
        feed(b"\x15\x03\x03\x00\x02\x02\x30", "set_connect_state"),
    ]


@case
def no_version_in_common() -> Any:
    return shake(*pair(limited(context(), SSL.TLS1_2_VERSION), limited(context("server"), SSL.TLS1_3_VERSION)))


@case
def no_cipher_in_common() -> Any:
    client, server = limited(context(), SSL.TLS1_2_VERSION), limited(context("server"), SSL.TLS1_2_VERSION)
    client.set_cipher_list(b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256")
    server.set_cipher_list(b"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384")
    return shake(*pair(client, server))


@case
def a_server_without_a_certificate() -> Any:
    return shake(*pair(context(), context()))


@case
def a_record_that_was_changed() -> Any:
    client, server = connected()
    server.send(b"secret")
    data = bytearray(server.bio_read(65536))
    data[-1] ^= 1
    client.bio_write(bytes(data))
    return [attempt(client.recv, 10), attempt(client.recv, 10), attempt(client.send, b"x"), attempt(client.shutdown)]


@case
def an_end_without_close_notify() -> Any:
    client, _ = connected()
    client.bio_shutdown()
    return attempt(client.recv, 1)


@case
def an_end_without_close_notify_met_twice() -> Any:
    client, _ = connected()
    client.bio_shutdown()
    attempt(client.recv, 1)
    return attempt(client.recv, 1)


@case
def an_end_in_the_handshake() -> Any:
    client = SSL.Connection(context(), None)
    client.set_connect_state()
    client.bio_shutdown()
    return attempt(client.do_handshake)


@case
def calls_without_a_side() -> Any:
    connection = SSL.Connection(context(), None)
    return [attempt(connection.do_handshake), attempt(SSL.Connection(context(), None).recv, 1)]


@case
def a_shutdown_before_the_handshake() -> Any:
    connection = SSL.Connection(context(), None)
    connection.set_connect_state()
    return [attempt(connection.shutdown), connection.get_shutdown(), attempt(connection.set_shutdown, "text")]


@case
def a_send_after_the_shutdown() -> Any:
    client, server = connected()
    said = [attempt(client.shutdown), attempt(client.send, b"x"), client.get_shutdown()]
    server.set_shutdown(SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN)
    return [*said, server.get_shutdown(), attempt(server.recv, 1)]


@case
def an_empty_send() -> Any:
    client, _ = connected()
    return attempt(client.send, b"")


@case
def sizes() -> Any:
    client, server = connected()
    said = [attempt(client.send, b"a" * (1 << 20)), attempt(client.sendall, b"a" * 50_000)]
    carry(client, server)
    said += [drain(server), server.pending(), attempt(client.sendall, b"a" * 1000), carry(client, server) > 1000]
    buffer = bytearray(100)
    said += [attempt(server.recv_into, buffer), attempt(server.recv_into, buffer, 10), bytes(buffer[:10]) == b"a" * 10]
    said += [attempt(server.recv_into, buffer, 1000), attempt(server.recv_into, memoryview(buffer)[:3], None)]
    said += [attempt(client.send, bytearray(b"abc")), attempt(client.send, memoryview(b"abc")), len(client.bio_read(7))]
    carry(client, server)
    return [said, attempt(client.write, b"abc")]


@case
def a_socket_that_is_full() -> Any:
    with ExitStack() as stack:
        ends = [stack.enter_context(end) for end in socket.socketpair()]
        both = [SSL.Connection(context("server"), end) for end in ends]
        for end in ends:
            end.setblocking(False)
        both[0].set_connect_state()
        both[1].set_accept_state()
        waiting = list(both)
        while waiting:
            for each in list(waiting):
                try:
                    each.do_handshake()
                    waiting.remove(each)
                except SSL.WantReadError:
                    continue
        counts: set[int] = set()
        outcome: Any = None
        while outcome is None or isinstance(outcome, int):
            outcome = attempt(both[0].send, b"a" * 65536)
            if isinstance(outcome, int):
                counts.add(outcome)
        said = [sorted(counts), outcome, both[0].want_write(), both[0].want_read()]
        for _ in range(1000):
            attempt(both[1].recv, 65536)
        return [*said, both[0].send(b"a" * 65536) > 0]


@case
def another_write_in_the_place_of_one_that_waits() -> Any:
    with ExitStack() as stack:
        ends = [stack.enter_context(end) for end in socket.socketpair()]
        both = [SSL.Connection(context("server"), end) for end in ends]
        for end in ends:
            end.setblocking(False)
        both[0].set_connect_state()
        both[1].set_accept_state()
        waiting = list(both)
        while waiting:
            for each in list(waiting):
                try:
                    each.do_handshake()
                    waiting.remove(each)
                except SSL.WantReadError:
                    continue
        while not isinstance(attempt(both[0].send, b"a" * 16384), dict):
            continue
        for _ in range(1000):
            attempt(both[1].recv, 65536)
        return attempt(both[0].send, b"b" * 16384)


def _reset(how: Callable[[SSL.Connection], Any]) -> Any:
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        ends = [stack.enter_context(socket.create_connection(listening.getsockname()))]
        ends.append(stack.enter_context(listening.accept()[0]))
        both = [SSL.Connection(context("server"), end) for end in ends]
        both[0].set_connect_state()
        both[1].set_accept_state()
        thread = threading.Thread(target=both[1].do_handshake)
        thread.start()
        both[0].do_handshake()
        thread.join()
        ends[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        ends[1].close()
        return how(both[0])


@case
def a_peer_that_resets() -> Any:
    return _reset(lambda connection: attempt(connection.recv, 10))


@case
def a_descriptor_that_is_closed() -> Any:
    ends = socket.socketpair()
    connection = SSL.Connection(context(), ends[0])
    connection.set_connect_state()
    ends[0].close()
    ends[1].close()
    return attempt(connection.do_handshake)


@case
def what_a_connection_refuses() -> Any:
    client, _ = connected()
    calls: list[tuple[Any, ...]] = [
        (client.send, "text"),
        (client.send, 5),
        (client.send, None),
        (client.sendall, 5),
        (client.sendall, "text"),
        (client.recv, None),
        (client.recv, "5"),
        (client.bio_read, None),
        (client.bio_write, 5),
        (client.bio_write, "text"),
        (client.set_context, "context"),
        (client.set_options, "options"),
        (client.set_verify, "mode", None),
        (client.set_verify, SSL.VERIFY_PEER, 5),
        (client.set_tlsext_host_name, "text"),
        (client.set_tlsext_host_name, b"with\0in"),
        (client.set_alpn_protos, []),
        (client.set_session, None),
        (client.set_shutdown, "state"),
        (client.makefile,),
        (client.use_certificate, "text"),
        (client.use_privatekey, "text"),
        (client.connect, ("127.0.0.1", 1)),
        (client.connect_ex, ("127.0.0.1", 1)),
        (client.accept,),
        (client.sock_shutdown, 1),
        (client.fileno,),
        (getattr, client, "nothing_of_the_kind"),
        (SSL.Connection, "context", None),
        (SSL.Connection, context(), "socket"),
        (SSL.Connection, context(), object()),
    ]
    return [[getattr(call[0], "__name__", "?"), attempt(*call)] for call in calls]
