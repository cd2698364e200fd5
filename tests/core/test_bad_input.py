"""Wrong arguments and the data of hostile peers: each raises an exception that names the cause (docs/pitfalls.md, 4,
26).
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pairs import carry, shake_hands
from served import SECONDS, serving, serving_plain, tcp_pair

import pyossl

Pair = tuple[pyossl.Connection, pyossl.Connection]

# Certificates and keys


@pytest.fixture(scope="module")
def pem(credentials: pyossl.Credentials) -> dict[str, bytes]:
    return {
        "certificate": credentials.certificate.to_pem(),
        "key": credentials.private_key.to_pem(),
        "encrypted key": credentials.private_key.to_pem(b"sesame"),
    }


GARBAGE = {
    "nothing": b"",
    "a NUL": b"\0",
    "text": b"this is no certificate",
    "random bytes": bytes(range(256)) * 10,
    "only the first line": b"-----BEGIN CERTIFICATE-----\n",
    "an empty block": b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    "a block of no base64": b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
    "a block of other bytes": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "a length of 2 GiB": b"\x30\x84\x7f\xff\xff\xff",
    "an endless nesting": b"\x30\x80" * 500,
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_no_certificate_and_no_key(data: bytes, pem: dict[str, bytes]) -> None:
    with pytest.raises(pyossl.DecodeError, match="certificate"):
        pyossl.Certificate.load(data)
    with pytest.raises(pyossl.DecodeError, match="private key"):
        pyossl.PrivateKey.load(data.replace(b"CERTIFICATE", b"PRIVATE KEY"))
    with pytest.raises(pyossl.DecodeError):
        pyossl.Context.client(trust=data)
    with pytest.raises(pyossl.DecodeError):
        pyossl.Context.server(data, pem["key"])
    with pytest.raises(pyossl.DecodeError):
        pyossl.Context.server(pem["certificate"], data)


def test_a_certificate_cut_at_any_length_is_refused(credentials: pyossl.Credentials) -> None:
    der = credentials.certificate.to_der()
    for length in range(len(der)):
        with pytest.raises(pyossl.DecodeError):
            pyossl.Certificate.load(der[:length])
    encoded = credentials.certificate.to_pem()
    for length in range(len(encoded) - len("\n")):
        with pytest.raises(pyossl.DecodeError):
            pyossl.Certificate.load(encoded[:length])


def test_a_key_cut_at_any_length_is_refused(pem: dict[str, bytes]) -> None:
    for length in range(len(pem["key"]) - 1):
        with pytest.raises(pyossl.DecodeError):
            pyossl.PrivateKey.load(pem["key"][:length])
    for length in range(0, len(pem["encrypted key"]) - 1, 7):
        with pytest.raises(pyossl.DecodeError):
            pyossl.PrivateKey.load(pem["encrypted key"][:length], b"sesame")


def test_one_bad_certificate_spoils_the_file(pem: dict[str, bytes]) -> None:
    broken = pem["certificate"].replace(b"\n", b"\n!", 2)
    with pytest.raises(pyossl.DecodeError):
        pyossl.load_certificates(pem["certificate"] + broken)


def test_a_key_is_no_certificate_and_the_other_way_round(pem: dict[str, bytes]) -> None:
    with pytest.raises(pyossl.DecodeError, match="reading a certificate from"):
        pyossl.Certificate.load(pem["key"])
    with pytest.raises(pyossl.DecodeError):
        pyossl.PrivateKey.load(pem["certificate"])


def test_a_key_of_another_certificate_is_refused(credentials: pyossl.Credentials) -> None:
    other = pyossl.PrivateKey.generate()
    with pytest.raises(pyossl.Error, match=r"does not belong to the certificate 'CN=example\.com'"):
        pyossl.Context.server(credentials.certificate, other)
    with pytest.raises(pyossl.Error, match=r"does not belong"):
        pyossl.Context.client(certificate=credentials.certificate, private_key=other.to_pem())


@pytest.mark.parametrize(
    "password", [None, b"", b"mistaken", "mistaken", b"sesame\0x", b"x" * 5000, lambda: b"mistaken"]
)
def test_a_wrong_password_is_a_password_error_that_does_not_show_it(pem: dict[str, bytes], password: object) -> None:
    with pytest.raises(pyossl.PasswordError, match=r"is encrypted and (needs a password|was not opened)") as caught:
        pyossl.PrivateKey.load(pem["encrypted key"], password)  # type: ignore[arg-type]  # all kinds, on purpose
    assert "mistaken" not in str(caught.value)
    assert "sesame" not in str(caught.value)


def test_a_password_is_not_asked_for_without_need(pem: dict[str, bytes]) -> None:
    def asked() -> bytes:
        pytest.fail("the key is not encrypted")

    assert pyossl.PrivateKey.load(pem["key"], asked).bits == 256


def test_an_exception_of_a_password_function_is_raised(pem: dict[str, bytes]) -> None:
    def refuse() -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pyossl.PrivateKey.load(pem["encrypted key"], refuse)


@pytest.mark.parametrize("text", ["key", "encrypted key", "certificate"])
def test_pem_given_as_str_is_refused_without_showing_it(pem: dict[str, bytes], text: str) -> None:
    """A str is a path: the error of open() would contain the whole private key, which a program may log."""
    for load in (pyossl.PrivateKey.load, pyossl.Certificate.load):
        with pytest.raises(TypeError, match="given as bytes") as caught:
            load(pem[text].decode())
        assert pem[text].decode()[40:60] not in str(caught.value)


@pytest.mark.parametrize("source", [0, 1, True, None, 1.5, bytearray(b"x"), memoryview(b"x"), ["path"], object()])
def test_a_source_other_than_a_path_or_bytes_is_a_type_error(source: object) -> None:
    """An int is not used as a descriptor: a read of 0 would wait at the terminal."""
    for load in (pyossl.PrivateKey.load, pyossl.Certificate.load):
        with pytest.raises(TypeError):
            load(source)  # type: ignore[arg-type]  # the point of the test


def test_files_that_cannot_be_read_are_oserrors(tmp_path: Path, pem: dict[str, bytes]) -> None:
    for load in (pyossl.Certificate.load, pyossl.PrivateKey.load):
        with pytest.raises(FileNotFoundError, match="absent"):
            load(tmp_path / "absent")
        with pytest.raises(IsADirectoryError):
            load(tmp_path)
        with pytest.raises(ValueError, match="NUL"):
            load("a\0b")
    with pytest.raises(FileNotFoundError):
        pyossl.Context.client(trust=tmp_path / "absent")


def test_a_path_of_any_bytes_is_opened(tmp_path: Path, pem: dict[str, bytes]) -> None:
    """docs/pitfalls.md, 29."""
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 \xff.pem")
    Path(path).write_bytes(pem["certificate"])
    pyossl.Certificate.load(path)
    pyossl.Context.client(trust=path)


def test_nothing_prompts_on_the_terminal(pem: dict[str, bytes]) -> None:
    """In a process with a terminal, encrypted PEM of each kind raises an error, and no password is requested."""
    import pty

    first, rest = pem["certificate"].split(b"\n", 1)
    header = b"\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,000102030405060708090A0B0C0D0E0F\n\n"
    encrypted_certificate = first + header + rest
    child, terminal = pty.fork()
    if child == 0:
        loads: list[Callable[[], object]] = [
            lambda: pyossl.PrivateKey.load(pem["encrypted key"]),
            lambda: pyossl.Certificate.load(encrypted_certificate),
            lambda: pyossl.Context.client(trust=encrypted_certificate),
        ]
        for load in loads:
            try:
                load()
            except pyossl.DecodeError:
                os.write(1, b"refused ")
            except BaseException as error:
                os.write(1, repr(error).encode())
        os._exit(0)
    said, end = b"", time.monotonic() + SECONDS
    try:
        while time.monotonic() < end and select.select([terminal], [], [], end - time.monotonic())[0]:
            try:
                piece = os.read(terminal, 1000)
            except OSError:  # EIO: on Linux, when no process has the terminal open any more
                break
            if not piece or b"phrase" in said + piece:
                said += piece
                break
            said += piece
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)
    assert said == b"refused refused refused "


# Peers that speak something else


@pytest.mark.parametrize("scheme", ["GET / HTTP/1.1\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n"])
def test_plain_text_on_the_tls_port_is_told_from_tls(server_context: pyossl.Context, scheme: str) -> None:
    client, server = tcp_pair()
    with client:
        client.sendall(scheme.encode() + b" " * 100)
        with pytest.raises(pyossl.Error, match=r"does not seem to speak TLS|handshake failed"):
            server_context.wrap_socket(server)


def test_tls_on_a_plain_http_port_is_told_from_tls(client_context: pyossl.Context) -> None:
    def answer(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        sock.recv(65536)

    with (
        serving_plain(answer) as address,
        pytest.raises(pyossl.Error, match=r"does not seem to speak TLS.*127\.0\.0\.1"),
    ):
        pyossl.connect(address, client_context, timeout=SECONDS)


def test_a_listener_survives_random_bytes(client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        listener.settimeout(SECONDS)
        for _ in range(20):
            with socket.create_connection(listener.address) as stranger:
                stranger.sendall(os.urandom(300))
                stranger.shutdown(socket.SHUT_WR)
                tls, _ = listener.accept()
                tls.settimeout(SECONDS)
                with tls, pytest.raises(pyossl.Error):
                    tls.handshake()
    with (
        serving(server_context, lambda tls: tls.sendall(b"well")) as address,
        pyossl.connect(address, client_context, timeout=SECONDS) as tls,
    ):
        assert tls.recv(10) == b"well"


def test_a_flipped_bit_in_any_record_is_fatal(connected: Pair) -> None:
    client, server = connected
    client.write(b"to be protected")
    record = bytearray(client.data_to_send())
    record[-1] ^= 1
    server.receive_data(record)
    with pytest.raises(pyossl.Error, match="reading failed"):
        server.read()
    client.receive_data(server.data_to_send())
    with pytest.raises(pyossl.AlertError, match="alert 20") as caught:
        client.read()
    assert caught.value.number == 20


# Arguments


@pytest.mark.parametrize("data", ["text", "", 5, None, [1], object()])
def test_data_other_than_bytes_is_a_type_error_and_nothing_happens(connected: Pair, data: object) -> None:
    client, server = connected
    for call in (client.write, client.receive_data):
        with pytest.raises(TypeError):
            call(data)  # type: ignore[arg-type]  # the point of the test
    client.write(b"unharmed")
    carry(client, server)
    assert server.read() == b"unharmed"
    server.write(b"open: '' was not taken for the end")
    carry(client, server)
    assert client.read() == b"open: '' was not taken for the end"


def test_a_buffer_that_cannot_be_written_is_a_type_error_and_takes_nothing(connected: Pair) -> None:
    client, server = connected
    server.write(b"still there")
    carry(client, server)
    for buffer in (b"read-only", memoryview(b"read-only"), "text", 5, None):
        with pytest.raises(TypeError):
            client.read_into(buffer)
    assert client.read() == b"still there"


def test_impossible_sizes_are_value_errors(connected: Pair) -> None:
    client, _ = connected
    for call in (
        lambda: client.read(-1),
        lambda: client.peek(-1),
        lambda: client.read_into(bytearray(10), -1),
        lambda: client.read_into(bytearray(10), 11),
    ):
        with pytest.raises(ValueError, match=r"negative|holds 10 bytes"):
            call()
    for size in ("1", 1.5, None):
        with pytest.raises(TypeError):
            client.read(size)  # type: ignore[arg-type]  # the point of the test
    assert client.read(sys.maxsize) is pyossl.Want.READ
    assert client.data_to_send(1 << 62) == b""


def test_zero_bytes_are_read_and_written_at_once(connected: Pair) -> None:
    """docs/pitfalls.md, 7: an empty write is not an EOF and makes no record."""
    client, _ = connected
    assert (client.read(0), client.peek(0), client.read_into(bytearray(0))) == (b"", b"", 0)
    assert client.write(b"") == 0
    assert client.data_to_send() == b""


NAMES = {
    "": "cannot be empty",
    ".": "cannot be empty",
    "a\0b": "cannot contain",
    "example.com\0.evil.org": "cannot contain",
    "a b": "cannot contain",
    "*.example.com": "cannot contain",
    "a/b": "cannot contain",
    "a..b": "label",
    "x" * 64 + ".com": "label",
    ".".join(["x" * 60] * 5): "characters long",
    "\u00e9" * 70 + ".com": "IDNA|label",
    "\udc80.com": "IDNA",
    "[::1": "cannot contain",
    "https://example.com": "cannot contain",
    "example.com:443": "cannot contain",
}


@pytest.mark.parametrize(("name", "why"), NAMES.items(), ids=[ascii(name)[:30] for name in NAMES])
def test_a_name_that_no_certificate_can_be_for_is_refused(client_context: pyossl.Context, name: str, why: str) -> None:
    """docs/pitfalls.md, 21: the check comes before anything is sent, and before there is a connection."""
    with pytest.raises(ValueError, match=why):
        pyossl.Connection(client_context, name)
    with pytest.raises(ValueError, match=why):
        pyossl.connect(("127.0.0.1", 1), client_context, server_hostname=name)


@pytest.mark.parametrize("name", [b"example.com", 5, ["a"]])
def test_a_name_that_is_no_text_is_a_type_error(client_context: pyossl.Context, name: object) -> None:
    with pytest.raises(TypeError, match="server name"):
        pyossl.Connection(client_context, name)  # type: ignore[arg-type]  # the point of the test


@pytest.mark.parametrize("name", ["example.com.", "EXAMPLE.com", "127.0.0.1", "::1", "[::1]", "::1%lo", "localhost"])
def test_a_name_in_another_spelling_is_the_same(
    client_context: pyossl.Context, server_context: pyossl.Context, name: str
) -> None:
    client, server = pyossl.Connection(client_context, name), pyossl.Connection(server_context)
    shake_hands(client, server)
    assert (server.server_hostname is None) == (name[0] in "1:["), "SNI never carries an address"


def test_a_callback_that_uses_pyossl_does_not_change_the_outcome(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """docs/pitfalls.md, 1 and 16: the callback empties the error queue during the call that it belongs to."""
    stranger = pyossl.Context.client(trust=pyossl.Authority("unknown").certificate)

    def use_pyossl(_: pyossl.Message) -> None:
        with pytest.raises(pyossl.DecodeError):
            pyossl.Certificate.load(b"garbage")
        pyossl.Connection(client_context, "example.com").handshake()

    client = pyossl.Connection(stranger, "example.com", message_callback=use_pyossl)
    server = pyossl.Connection(server_context, message_callback=use_pyossl)
    client.handshake()
    carry(client, server)
    server.handshake()
    carry(client, server)
    with pytest.raises(pyossl.CertificateError, match=r"certificate verify failed: .*\(depth 0\), for 'example.com'"):
        client.handshake()
    carry(client, server)
    with pytest.raises(pyossl.AlertError):
        server.read()
