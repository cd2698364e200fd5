"""Where pyossl differs from pyOpenSSL because pyOpenSSL is wrong; docs/pyopenssl.md lists each difference."""

from __future__ import annotations

import errno
import os
import pty
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from pyopenssl.pyopenssl_pairs import AUTHORITY, CREDENTIALS, carry, contexts, pair, shake_hands

from pyossl.pyopenssl import SSL, crypto


@pytest.fixture(autouse=True)
def _deprecated() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def certificate() -> crypto.X509:
    return crypto.load_certificate(crypto.FILETYPE_PEM, CREDENTIALS.certificate.to_pem())


@contextmanager
def over_sockets() -> Iterator[tuple[SSL.Connection, SSL.Connection]]:
    """A client and a server over sockets that do not block; their handshake is finished."""
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
                with suppress(SSL.WantReadError):
                    each.do_handshake()
                    waiting.remove(each)
        yield client, server


def test_a_second_read_after_an_end_without_close_notify_is_the_same_end() -> None:
    """docs/pitfalls.md, 2, and its table: pyOpenSSL raises ``Error([])`` the second time."""
    client, _ = pair()
    client.bio_shutdown()
    for _ in range(3):
        with pytest.raises(SSL.SysCallError) as caught:
            client.recv(1)
        assert caught.value.args == (-1, "Unexpected EOF")


def test_an_empty_send_sends_nothing_and_is_no_end() -> None:
    """docs/pitfalls.md, 7: pyOpenSSL raises ``SysCallError(-1, "Unexpected EOF")``."""
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
    """docs/pitfalls.md, 16: pyOpenSSL prints it, and the handshake goes on."""

    def callback(connection: SSL.Connection, where: int, value: int) -> None:
        raise LookupError("of the callback")

    with pytest.raises(LookupError, match="of the callback"):
        pair(lambda client, server: client.set_info_callback(callback))


def test_an_exception_of_a_keylog_callback_is_raised_by_the_call() -> None:
    """docs/pitfalls.md, 16."""

    def callback(connection: SSL.Connection, line: bytes) -> None:
        raise LookupError("of the callback")

    with pytest.raises(LookupError, match="of the callback"):
        pair(lambda client, server: client.set_keylog_callback(callback))


def test_one_connection_never_raises_what_anothers_callback_raised() -> None:
    """docs/pitfalls.md, 16: in pyOpenSSL the context keeps the exception, and the next call of any of its connections
    raises it.
    """
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
    """Sends until a record has to wait for room."""
    try:
        while True:
            connection.send(bytearray(b"a" * 16384))
    except SSL.WantWriteError:
        return


def test_another_write_in_the_place_of_one_that_waits_is_refused() -> None:
    """docs/pitfalls.md, 8: OpenSSL would send the old bytes and count them as the new ones."""
    with over_sockets() as (client, _):
        fill(client)
        with pytest.raises(SSL.Error) as caught:
            client.send(b"b" * 16384)
        assert caught.value.args == ([("SSL routines", "", "bad write retry")],)


def test_an_error_always_says_something() -> None:
    """docs/pitfalls.md, 4: never ``Error([])``."""
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
    """docs/pitfalls.md, 18."""
    seen: list[bytes] = []
    both = contexts()
    both[0].set_keylog_callback(lambda connection, line: seen.append(line))
    client, server = (SSL.Connection(context) for context in both)
    del both
    shake_hands(client, server)
    assert seen


def test_the_additions_to_pyopenssl_are_on_the_same_objects() -> None:
    """Reference names, groups, key update, exporter, session serialisation."""
    both = contexts()
    both[0]._core.store.add(AUTHORITY.certificate)
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
    both[0]._core.store.add(AUTHORITY.certificate)
    both[0].set_verify(SSL.VERIFY_PEER)
    client, server = (SSL.Connection(context) for context in both)
    client.set_verify_host("elsewhere.example")
    with pytest.raises(SSL.Error, match="certificate verify failed"):
        shake_hands(client, server)


def test_a_protocol_that_was_not_offered_cannot_be_selected() -> None:
    """RFC 7301; pyOpenSSL sends it."""
    both = contexts()
    both[0].set_alpn_protos([b"h2"])
    both[1].set_alpn_select_callback(lambda connection, offered: b"spdy")
    client, server = (SSL.Connection(context) for context in both)
    with pytest.raises(SSL.Error, match="which was not offered"):
        shake_hands(client, server)
    assert server.get_alpn_proto_negotiated() == b""


def test_a_passphrase_that_is_not_given_is_never_asked_for(tmp_path: Path) -> None:
    """pyOpenSSL asks on the terminal; pyossl does not, with a terminal or without."""
    locked = tmp_path / "locked.pem"
    locked.write_bytes(CREDENTIALS.private_key.to_pem("secret"))
    script = (
        "import sys; from pyossl.pyopenssl import SSL; context = SSL.Context(SSL.TLS_METHOD)\n"
        "try: context.use_privatekey_file(sys.argv[1])\n"
        "except SSL.Error as error: print('refused', bool(error.args[0]))"
    )
    master, slave = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, str(locked)],
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=slave,
            start_new_session=True,
            timeout=60,
        )
    finally:
        os.close(slave)
        os.close(master)
    assert done.stdout == b"refused True\n"


def test_an_unusable_connection_raises_its_first_failure_again() -> None:
    """docs/pitfalls.md, 2, 5: OpenSSL is not called again, because each version would return something else."""
    client, server = pair()
    server.send(b"secret")
    record = bytearray(server.bio_read(65536))
    record[-1] ^= 1
    client.bio_write(bytes(record))
    seen = []
    for call in (lambda: client.recv(10), lambda: client.recv(10), lambda: client.send(b"x"), client.shutdown):
        with pytest.raises(SSL.Error) as caught:
            call()
        seen.append(caught.value.args)
    assert seen[0][0][0][2] == "decryption failed or bad record mac"
    assert seen == [seen[0]] * 4


def test_a_child_process_does_not_use_its_parents_connection() -> None:
    """docs/pitfalls.md, 23: two processes with the same key and nonces reveal the plaintext."""
    client, server = pair()
    child = os.fork()
    if child == 0:
        refused = 0
        calls = [lambda: client.send(b"x"), lambda: client.recv(1), client.shutdown, client.do_handshake]
        for call in [*calls, client.get_cipher_name, lambda: client.bio_read(1)]:
            try:
                call()
            except SSL.Error as error:
                refused += "process" in str(error)
        os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 6
    client.send(b"of the parent")
    carry(client, server)
    assert server.recv(100) == b"of the parent"


def test_a_peer_that_has_hung_up_is_no_signal() -> None:
    """docs/pitfalls.md, 22: in a program that does not ignore SIGPIPE."""
    script = """
import signal, socket, sys, threading
from pyossl.pyopenssl import SSL
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
from pyopenssl.pyopenssl_pairs import contexts
ends = socket.socketpair()
client, server = (SSL.Connection(context, end) for context, end in zip(contexts(), ends))
client.set_connect_state()
server.set_accept_state()
thread = threading.Thread(target=server.do_handshake)
thread.start()
client.do_handshake()
thread.join()
ends[1].close()
try:
    while True:
        client.send(b"x" * 16384)
except SSL.SysCallError as error:
    print(error.args)
"""
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"({errno.EPIPE}, 'EPIPE')\n"), done.stderr


def test_a_large_send_takes_a_record_and_says_so() -> None:
    """SSL_MODE_ENABLE_PARTIAL_WRITE and ACCEPT_MOVING_WRITE_BUFFER, as pyOpenSSL sets them."""
    client, server = pair()
    data = bytes(range(256)) * 4096
    sent = 0
    while sent < len(data):
        taken = client.send(memoryview(data)[sent:])
        assert 0 < taken <= 16384
        sent += taken
    got = bytearray()
    while len(got) < len(data):
        carry(client, server)
        with suppress(SSL.WantReadError):
            got += server.recv(1 << 20)
    assert bytes(got) == data


def test_a_record_that_waits_may_be_offered_again_from_another_place() -> None:
    """The same bytes in a new object: SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER."""
    with over_sockets() as (client, server):
        fill(client)
        got = 0
        sent = None
        while sent is None:
            with suppress(SSL.WantReadError):
                got += len(server.recv(65536))
            with suppress(SSL.WantWriteError):
                sent = client.send(bytearray(b"a" * 16384))
        assert sent == 16384


def test_a_read_gives_what_is_there_of_several_records() -> None:
    """pyOpenSSL returns the bytes of one record at a time."""
    client, server = pair()
    client.sendall(b"a" * 40_000)
    carry(client, server)
    assert server.recv(65536) == b"a" * 40_000


def test_a_change_that_fails_changes_nothing() -> None:
    """pyOpenSSL removes the attribute from the name first."""
    name = certificate().get_subject()
    name.C = "CH"
    with pytest.raises(crypto.Error):
        name.C = "too long for a country"
    assert name.C == "CH"


def test_a_negative_serial_number_crashes_nothing() -> None:
    """pyOpenSSL crashes the interpreter."""
    made = certificate()
    made.set_serial_number(-(2**70))
    assert made.get_serial_number() == -(2**70)


def test_master_key_and_group_are_empty_before_the_handshake() -> None:
    """pyOpenSSL raises ``Error([])`` for the master key."""
    client = SSL.Connection(contexts()[0])
    assert (client.master_key(), client.get_group_name()) == (None, None)


def test_an_error_of_the_system_says_what_it_was() -> None:
    """docs/pitfalls.md, 3: pyOpenSSL's reason is empty."""
    with pytest.raises(SSL.Error) as caught:
        contexts()[0].use_certificate_chain_file("/nothing/is/here.pem")
    assert caught.value.args[0][0] == ("system library", "", "No such file or directory")


def test_none_is_no_certificate() -> None:
    """pyOpenSSL takes it as no bytes."""
    for load in (crypto.load_certificate, crypto.load_privatekey, crypto.load_publickey):
        with pytest.raises(TypeError):
            load(crypto.FILETYPE_PEM, None)  # type: ignore[arg-type]


def test_the_text_of_a_key_is_openssls() -> None:
    key = crypto.PKey()
    key.generate_key(crypto.TYPE_RSA, 2048)
    assert b"Private-Key: (2048 bit" in crypto.dump_privatekey(crypto.FILETYPE_TEXT, key)


@pytest.mark.parametrize("callback", ["verify", "name"])
def test_the_peer_is_told_of_a_callback_that_failed(callback: str) -> None:
    """By a fatal alert, whatever its number: the handshake never goes on."""

    def fail(*_: object) -> bool:
        raise LookupError

    both = contexts()
    if callback == "verify":
        both[0].set_verify(SSL.VERIFY_PEER, fail)
    else:
        both[1].set_tlsext_servername_callback(fail)
    client, server = (SSL.Connection(context) for context in both)
    client.set_tlsext_host_name(b"localhost")
    with pytest.raises((LookupError, SSL.Error)):
        shake_hands(client, server)
    carry(client, server)
    told = server if callback == "verify" else client
    with pytest.raises(SSL.Error, match="alert"):
        told.do_handshake()


def test_what_cannot_be_decoded_is_an_error_with_a_reason() -> None:
    for load in (crypto.load_certificate, crypto.load_privatekey, crypto.load_publickey):
        for form in (crypto.FILETYPE_PEM, crypto.FILETYPE_ASN1):
            with pytest.raises(crypto.Error) as caught:
                load(form, b"nonsense")
            assert caught.value.args[0][0][2]


def test_asking_a_tls_connection_for_its_datagram_size_crashes_nothing() -> None:
    """DTLS_get_data_mtu(3) of a TLS connection reads memory that it does not own (docs/pitfalls.md, 49)."""
    client, _ = pair()
    assert client.get_cleartext_mtu() == 0


def test_an_empty_certificate_raises_cryptos_error() -> None:
    """OpenSSL 1.1.1 encodes it, and ``cryptography`` refuses it."""
    pytest.importorskip("cryptography")
    with pytest.raises((crypto.Error, ValueError)):
        crypto.X509().to_cryptography()
