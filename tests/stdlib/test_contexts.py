"""``_SSLContext`` in use: what its settings and callbacks do to connections.

The settings by themselves are in test_surface.py.
"""

from __future__ import annotations

import gc
import re
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
from stdlib.ssl_over_pyossl import MemoryPair, client_context, credentials, server_context, ssl

import pyossl
from pyossl.core import lib
from pyossl.stdlib import python_versions

UNRECOGNIZED_NAME = 112

# One of the keys in pyossl/_c/tls/authentication/distrusted_keys.c: of CN=EM OV TLS CA - G3C, O=eMudhra Inc, C=US, on
# the curve P-384.
DISTRUSTED_KEY = bytes.fromhex(
    "3076301006072a8648ce3d020106052b8104002203620004138251cd52ac9298c1c8aad977321deb97e709bd0b4ca0aca55dc8ad51dcfc9d"
    "1589a1597e3a5120e1efd631c63e1835cacae29869a62e1631e8a28181ab56616dc45d918abc09f3ab0e63cf792aa4dced7387be37bba569"
    "549f1c02b270ed67"
)


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What goes to ``sys.unraisablehook`` in a test."""
    found: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", found.append)
    return found


# Trust


def with_key(certificate: pyossl.Certificate, key: bytes) -> str:
    """The certificate with another public key of the same length; its signature does not fit any more."""
    der, old = certificate.to_der(), certificate.public_key.to_der()
    assert len(old) == len(key)
    assert der.count(old) == 1
    return ssl.DER_cert_to_PEM_cert(der.replace(old, key))


@pytest.mark.feature("certificates with keys that are known to be stolen are refused")
def test_a_chain_with_a_distrusted_key_is_refused_though_its_root_is_trusted(tmp_path: Path) -> None:
    authority = pyossl.Authority(private_key=pyossl.PrivateKey.generate("EC", group="P-384"))
    leaf = authority.issue("localhost")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(leaf.certificate.to_pem())
    key.write_bytes(leaf.private_key.to_pem())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain, key)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=with_key(authority.certificate, DISTRUSTED_KEY))
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        MemoryPair(client, server).handshake()
    assert caught.value.verify_code == lib.X509_V_ERR_CERT_REJECTED


def test_a_distrusted_key_is_refused_before_and_after_a_trusted_one_of_its_length(tmp_path: Path) -> None:
    authority = pyossl.Authority(private_key=pyossl.PrivateKey.generate("EC", group="P-384"))
    leaf = authority.issue("localhost")
    both = tmp_path / "both.pem"
    both.write_bytes(leaf.certificate.to_pem() + leaf.private_key.to_pem())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(both)
    refusing, accepting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    refusing.load_verify_locations(cadata=with_key(authority.certificate, DISTRUSTED_KEY))
    accepting.load_verify_locations(cadata=authority.certificate.to_pem().decode())
    for _ in range(3):
        MemoryPair(accepting, server).handshake()
        with pytest.raises(ssl.SSLCertVerificationError):
            MemoryPair(refusing, server).handshake()


@pytest.mark.parametrize("change", ["verify_mode", "check_hostname", "verify_flags"])
def test_the_distrusted_keys_stay_refused_when_the_verification_changes(tmp_path: Path, change: str) -> None:
    authority = pyossl.Authority(private_key=pyossl.PrivateKey.generate("EC", group="P-384"))
    leaf = authority.issue("localhost")
    both = tmp_path / "both.pem"
    both.write_bytes(leaf.certificate.to_pem() + leaf.private_key.to_pem())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(both)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=with_key(authority.certificate, DISTRUSTED_KEY))
    client.check_hostname = False
    if change == "verify_mode":
        client.verify_mode = ssl.CERT_NONE
        client.verify_mode = ssl.CERT_OPTIONAL
    elif change == "check_hostname":
        client.verify_mode = ssl.CERT_NONE
        client.check_hostname = True
    else:
        client.verify_flags |= ssl.VERIFY_X509_STRICT
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        MemoryPair(client, server).handshake()
    assert caught.value.verify_code == lib.X509_V_ERR_CERT_REJECTED


def ask_for_certificate(connections: MemoryPair) -> None:
    """The server asks for the client's certificate in the handshake, or after it."""
    connections.handshake()
    connections.server.verify_client_post_handshake()
    connections.server.write(b"the request comes before this")
    connections.client.read(1)
    connections.server.read(1)


@pytest.mark.parametrize("later", [False, True])
def test_a_server_refuses_the_distrusted_keys_of_clients(tmp_path: Path, later: bool) -> None:
    authority = pyossl.Authority(private_key=pyossl.PrivateKey.generate("EC", group="P-384"))
    leaf = authority.issue("client")
    both = tmp_path / "both.pem"
    both.write_bytes(leaf.certificate.to_pem() + leaf.private_key.to_pem())
    server, client = server_context(), client_context()
    server.load_verify_locations(cadata=with_key(authority.certificate, DISTRUSTED_KEY))
    server.verify_mode = ssl.CERT_REQUIRED
    server.post_handshake_auth = client.post_handshake_auth = later
    client.load_cert_chain(both)
    connections = MemoryPair(client, server)
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        ask_for_certificate(connections)
    assert caught.value.verify_code == lib.X509_V_ERR_CERT_REJECTED


def test_other_keys_are_accepted() -> None:
    assert MemoryPair().handshake().client.version() is not None


# Credentials


def test_a_password_is_asked_for_only_if_the_key_is_encrypted(tmp_path: Path) -> None:
    certificate, key, _ = credentials()
    asked: list[str] = []

    def password() -> str:
        asked.append("asked")
        return "secret"

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key, password)
    assert not asked
    encrypted = tmp_path / "encrypted.pem"
    encrypted.write_bytes(pyossl.PrivateKey.load(key).to_pem(b"secret"))
    context.load_cert_chain(certificate, encrypted, password)
    assert asked == ["asked"]


def test_the_exception_of_a_password_function_comes_back(tmp_path: Path) -> None:
    certificate, key, _ = credentials()
    encrypted = tmp_path / "encrypted.pem"
    encrypted.write_bytes(pyossl.PrivateKey.load(key).to_pem(b"secret"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def password() -> str:
        raise LookupError("no password today")

    with pytest.raises(LookupError, match="no password today"):
        context.load_cert_chain(certificate, encrypted, password)


def test_a_context_keeps_its_certificate_if_the_new_one_cannot_be_loaded(tmp_path: Path) -> None:
    authority = pyossl.Authority()
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(authority.issue("localhost").certificate.to_pem())
    key.write_bytes(authority.issue("localhost").private_key.to_pem())
    server = server_context()
    with pytest.raises(ssl.SSLError, match="KEY_VALUES_MISMATCH"):
        server.load_cert_chain(certificate, key)
    with pytest.raises(FileNotFoundError):
        server.load_cert_chain(certificate, tmp_path / "none.pem")
    assert MemoryPair(server=server).handshake().client.version() is not None


def test_a_server_replaces_its_certificate_while_connections_are_made(tmp_path: Path) -> None:
    authority = pyossl.Authority()
    files = []
    for number in range(2):
        leaf = authority.issue("localhost")
        path = tmp_path / f"{number}.pem"
        path.write_bytes(leaf.certificate.to_pem() + leaf.private_key.to_pem())
        files.append((str(path), ssl.PEM_cert_to_DER_cert(leaf.certificate.to_pem().decode())))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files[0][0])
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=authority.certificate.to_pem().decode())
    ended = threading.Event()

    def replace() -> None:
        while not ended.is_set():
            for path, _ in files:
                server.load_cert_chain(path)

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        seen = {MemoryPair(client, server).handshake().client.getpeercert(True) for _ in range(100)}
    finally:
        ended.set()
        thread.join()
    assert seen <= {der for _, der in files}


# The server name


def test_a_name_callback_gets_the_connection_the_name_and_the_context() -> None:
    server, calls = server_context(), []
    server.sni_callback = lambda *arguments: calls.append(arguments)
    connections = MemoryPair(server=server).handshake()
    assert calls == [(connections.server, "localhost", server)]


def test_a_name_callback_is_called_without_a_name_too() -> None:
    server, names = server_context(), []
    server.sni_callback = lambda connection, name, context: names.append(name)
    client = client_context()
    client.check_hostname = False
    connections = MemoryPair(client, server)
    connections.client = client.wrap_bio(connections.to_client, connections.to_server)
    connections.handshake()
    assert names == [None]


def test_a_name_callback_sends_the_alert_that_it_returns() -> None:
    server = server_context()
    server.sni_callback = lambda *_: UNRECOGNIZED_NAME
    connections = MemoryPair(server=server)
    with pytest.raises(ssl.SSLError) as caught:
        connections.handshake()
    with pytest.raises(ssl.SSLError) as received:
        connections.client.do_handshake()
    assert {caught.value.reason, received.value.reason} & {"TLSV1_UNRECOGNIZED_NAME"}


@pytest.mark.parametrize(
    ("callback", "error", "alert"),
    [
        (lambda *_: 1 / 0, ZeroDivisionError, "SSLV3_ALERT_HANDSHAKE_FAILURE"),
        (lambda *_: "refused", TypeError, "TLSV1_ALERT_INTERNAL_ERROR"),
        (lambda *_: 1 << 64, OverflowError, "TLSV1_ALERT_INTERNAL_ERROR"),
    ],
    ids=["an exception", "a wrong answer", "a number that is too large"],
)
def test_what_is_wrong_in_a_name_callback_is_unraisable_and_ends_the_handshake(
    callback: Any, error: type[Exception], alert: str, unraisable: list[Any]
) -> None:
    server = server_context()
    server.sni_callback = callback
    connections = MemoryPair(server=server)
    with pytest.raises(ssl.SSLError):
        connections.handshake()
    with pytest.raises(ssl.SSLError) as received:
        connections.client.do_handshake()
    assert received.value.reason == alert
    assert [each.exc_type for each in unraisable] == [error]


def test_pythons_own_hook_prints_the_exception_of_a_callback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    server = server_context()
    server.sni_callback = lambda *_: 1 / 0
    with pytest.raises(ssl.SSLError, match="CALLBACK_FAILED"):
        MemoryPair(server=server).handshake()
    printed = capsys.readouterr().err
    assert printed.startswith("Exception ignored in")
    assert "ZeroDivisionError: division by zero" in printed


def test_a_hook_that_raises_does_not_end_more_than_the_handshake(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def raising(report: Any) -> None:
        raise LookupError("in the hook")

    monkeypatch.setattr(sys, "unraisablehook", raising)
    server = server_context()
    server.sni_callback = lambda *_: 1 / 0
    with pytest.raises(ssl.SSLError, match="CALLBACK_FAILED"):
        MemoryPair(server=server).handshake()
    assert "LookupError: in the hook" in capsys.readouterr().err


def test_a_name_callback_chooses_another_context(tmp_path: Path) -> None:
    other = pyossl.Authority("Another").issue("localhost")
    path = tmp_path / "other.pem"
    path.write_bytes(other.certificate.to_pem() + other.private_key.to_pem())
    chosen = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    chosen.load_cert_chain(path)

    def choose(connection: Any, name: str, context: Any) -> None:
        connection.context = chosen

    server, client = server_context(), client_context()
    server.sni_callback = choose
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    connections = MemoryPair(client, server).handshake()
    assert connections.client.getpeercert(True) == other.certificate.to_der()
    assert connections.server.context is chosen


# Key log and messages


def test_the_key_log_has_a_heading_once_and_a_line_for_each_secret(tmp_path: Path) -> None:
    path = tmp_path / "keys.txt"
    client = client_context()
    for _ in range(2):
        client.keylog_filename = str(path)
    MemoryPair(client).handshake()
    client.keylog_filename = None
    MemoryPair(client).handshake()
    heading, *lines = path.read_text().splitlines()
    assert heading.startswith("# TLS secrets log file")
    assert lines
    assert all(re.fullmatch(r"\w+ [0-9a-f]{64} [0-9a-f]+", line) for line in lines)


def test_a_message_callback_gets_each_message() -> None:
    client, kinds = client_context(), []
    client._msg_callback = lambda connection, direction, version, content, kind, data: kinds.append((direction, kind))
    MemoryPair(client).handshake()
    assert ("write", ssl._TLSMessageType.CLIENT_HELLO) in kinds
    assert ("read", ssl._TLSMessageType.SERVER_HELLO) in kinds


# Application protocols


@pytest.mark.parametrize(
    ("ours", "theirs", "selected"),
    [(["h2", "http/1.1"], ["http/1.1", "h2"], "h2"), (["h2"], ["spdy"], None), ([], ["h2"], None), (["h2"], [], None)],
)
def test_the_servers_order_selects_a_protocol_and_none_in_common_is_no_error(
    ours: list[str], theirs: list[str], selected: str | None
) -> None:
    server, client = server_context(), client_context()
    server.set_alpn_protocols(ours)
    client.set_alpn_protocols(theirs)
    connections = MemoryPair(client, server).handshake()
    assert connections.client.selected_alpn_protocol() == selected
    assert connections.server.selected_alpn_protocol() == selected


# Pre-shared keys

with_psk = pytest.mark.skipif(
    not (python_versions.HAS_PSK and lib.HAVE_PSK), reason="this Python or this OpenSSL has no pre-shared keys"
)


@pytest.fixture
def keyed() -> tuple[Any, Any]:
    """A client and a server of TLS 1.2 that use pre-shared keys only."""
    contexts = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    contexts[0].check_hostname = False
    contexts[0].verify_mode = ssl.CERT_NONE
    for context in contexts:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("PSK")
    return contexts


@with_psk
def test_both_sides_use_the_pre_shared_key_of_their_callbacks(keyed: tuple[Any, Any]) -> None:
    client, server = keyed
    heard: list[Any] = []

    def of_client(hint: str | None) -> tuple[str, bytes]:
        heard.append(hint)
        return "identity", b"secret"

    def of_server(identity: str | None) -> bytes:
        heard.append(identity)
        return b"secret"

    client.set_psk_client_callback(of_client)
    server.set_psk_server_callback(of_server, "hint")
    MemoryPair(client, server).handshake()
    assert heard == ["hint", "identity"]


@with_psk
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (("x" * lib.pyossl_longest_identity(), b"secret"), ValueError),
        (("x" * 1000, b"secret"), ValueError),
        (("a\0b", b"secret"), ValueError),
        (("identity", b"x" * (lib.PSK_MAX_PSK_LEN + 1)), ValueError),
        (("identity", "text"), TypeError),
        ((10**12, b"secret"), TypeError),
        (None, TypeError),
    ],
)
def test_a_wrong_pre_shared_key_ends_the_handshake(
    keyed: tuple[Any, Any], answer: Any, kind: type[Exception], unraisable: list[Any]
) -> None:
    client, server = keyed
    client.set_psk_client_callback(lambda hint: answer)
    server.set_psk_server_callback(lambda identity: b"secret")
    with pytest.raises(ssl.SSLError):
        MemoryPair(client, server).handshake()
    assert [each.exc_type for each in unraisable] == [kind]


@with_psk
@pytest.mark.parametrize(
    ("answer", "kinds"),
    [(b"x" * (lib.PSK_MAX_PSK_LEN + 1), [ValueError]), ("text", [TypeError]), (None, [TypeError]), (b"", [])],
)
def test_a_wrong_key_of_a_server_ends_the_handshake(
    keyed: tuple[Any, Any], answer: Any, kinds: list[type[Exception]], unraisable: list[Any]
) -> None:
    client, server = keyed
    client.set_psk_client_callback(lambda hint: ("identity", b"secret"))
    server.set_psk_server_callback(lambda identity: answer)
    with pytest.raises(ssl.SSLError):
        MemoryPair(client, server).handshake()
    assert [each.exc_type for each in unraisable] == kinds


@with_psk
def test_the_longest_identity_and_the_longest_key_are_used(keyed: tuple[Any, Any]) -> None:
    client, server = keyed
    identity, key = "x" * (lib.pyossl_longest_identity() - 1), b"k" * lib.PSK_MAX_PSK_LEN
    heard: list[Any] = []
    client.set_psk_client_callback(lambda hint: (identity, key))
    server.set_psk_server_callback(lambda name: heard.append(name) or key)
    MemoryPair(client, server).handshake()
    assert heard == [identity]


@with_psk
def test_an_exception_in_a_key_callback_is_unraisable(keyed: tuple[Any, Any], unraisable: list[Any]) -> None:
    client, server = keyed
    client.set_psk_client_callback(lambda hint: 1 / 0)
    server.set_psk_server_callback(lambda identity: b"secret")
    with pytest.raises(ssl.SSLError):
        MemoryPair(client, server).handshake()
    assert [each.exc_type for each in unraisable] == [ZeroDivisionError]


# The life of a context


def test_a_context_ends_with_its_last_reference_not_with_the_garbage_collector(tmp_path: Path) -> None:
    gc.collect()
    gc.disable()
    try:
        context = server_context()
        context.sni_callback = lambda *_: None
        context._msg_callback = lambda *_: None
        context.keylog_filename = str(tmp_path / "keys.txt")
        context.set_alpn_protocols(["h2"])
        MemoryPair(server=context).handshake()
        gone = weakref.ref(context)
        del context
        assert gone() is None
    finally:
        gc.enable()


def test_the_old_warnings_are_on_the_line_of_the_program() -> None:
    with pytest.warns(DeprecationWarning, match="PROTOCOL_TLS is deprecated") as caught:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS)
    assert [Path(each.filename) for each in caught] == [Path(__file__)]
    with pytest.warns(DeprecationWarning, match="OP_NO_SSL") as caught:
        context.options |= ssl.OP_NO_TLSv1
    assert [Path(each.filename) for each in caught] == [Path(__file__)]
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated") as caught:
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    assert [Path(each.filename) for each in caught] == [Path(__file__)]
