"""A context made with ``live=True`` may be changed by any thread while connections use it."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator

import pytest
from marks import VERSIONS
from pairs import shake_hands

import build_ffi
import pyossl
from pyossl.core import lib
from pyossl.core.errors import UsageError
from pyossl.tls.mutable.mutable_connection import MutableConnection
from pyossl.tls.mutable.mutable_context import Method, MutableContext
from pyossl.tls.settings.options import Options
from pyossl.tls.settings.versions import Version

SECONDS = 30
SOURCES = build_ffi.ROOT / "pyossl"

Issued = list[pyossl.Credentials]


@pytest.fixture(scope="module")
def issued(authority: pyossl.Authority) -> Issued:
    return [authority.issue("example.com") for _ in range(3)]


@pytest.fixture
def live(issued: Issued) -> MutableContext:
    context = MutableContext(Method.TLS, live=True)
    _use(context, issued[0])
    return context


def _use(context: MutableContext, credentials: pyossl.Credentials) -> None:
    context.use_credentials(credentials.certificate, credentials.private_key, credentials.chain)


def _server(context: MutableContext) -> MutableConnection:
    connection = MutableConnection(context)
    connection.set_accept_state()
    return connection


def _shown(client_context: pyossl.Context, context: MutableContext) -> pyossl.Certificate:
    """The certificate that a new connection of ``context`` shows."""
    client = pyossl.Connection(client_context, "example.com")
    shake_hands(client, _server(context))
    certificate = client.peer_certificate
    assert certificate is not None
    return certificate


def _run(*functions: Callable[[], object]) -> None:
    """Runs each function in a thread of its own, and raises the first exception."""
    errors: list[BaseException] = []

    def run(function: Callable[[], object]) -> None:
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(each,), daemon=True) for each in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive()
    for error in errors:
        raise error


@pytest.mark.feature("a context that changes while connections use it")
def test_new_connections_have_the_new_certificate(
    client_context: pyossl.Context, live: MutableContext, issued: Issued
) -> None:
    for credentials in issued:
        _use(live, credentials)
        assert _shown(client_context, live) == credentials.certificate


def test_a_connection_keeps_the_certificate_that_the_context_had_when_it_was_made(
    client_context: pyossl.Context, live: MutableContext, issued: Issued
) -> None:
    server = _server(live)
    _use(live, issued[1])
    client = pyossl.Connection(client_context, "example.com")
    shake_hands(client, server)
    assert client.peer_certificate == issued[0].certificate


def test_a_connection_copies_some_settings_of_its_context_and_looks_others_up() -> None:
    """docs/pitfalls.md, 58."""
    context = MutableContext(Method.TLS, live=True)
    connection = MutableConnection(context)
    options, ciphers = connection.call(lib.SSL_get_options), _cipher_count(connection)
    context.add_options(Options.NO_TICKET)
    assert connection.call(lib.SSL_get_options) == options
    context.set_cipher_list("ECDHE-RSA-AES256-GCM-SHA384")
    assert _cipher_count(connection) < ciphers


def _cipher_count(connection: MutableConnection) -> int:
    count: int = lib.sk_SSL_CIPHER_num(connection.call(lib.SSL_get_ciphers))
    return count


def test_without_live_a_context_is_frozen(issued: Issued) -> None:
    context = MutableContext(Method.TLS)
    _use(context, issued[0])
    _server(context)
    with pytest.raises(UsageError, match="frozen"):
        _use(context, issued[1])


def test_a_key_that_does_not_belong_to_the_certificate_changes_nothing(
    client_context: pyossl.Context, live: MutableContext, issued: Issued
) -> None:
    with pytest.raises(pyossl.Error):
        live.use_credentials(issued[1].certificate, issued[2].private_key)
    assert _shown(client_context, live) == issued[0].certificate


def _changes(context: MutableContext, issued: Issued, stop: threading.Event) -> Iterator[None]:
    """Changes everything that OpenSSL reads in a handshake, again and again."""
    while not stop.is_set():
        for credentials in issued:
            _use(context, credentials)
            context.choose_ciphers(b"ECDHE+AESGCM:ECDHE+CHACHA20")
            yield
            context.choose_ciphers(b"ECDHE+AESGCM")
            context.set_client_authorities([each.certificate.issuer_name for each in issued])
            context.add_options(Options.CIPHER_SERVER_PREFERENCE)
            context.keylog_callback = lambda connection, line: None
            context.choose_groups("P-256:X25519")
            assert context.ciphers
            context.keylog_callback = None
            context.choose_groups("X25519:P-256")
            context.set_client_authorities([])
            yield


@VERSIONS
def test_threads_change_it_while_others_shake_hands(
    authority: pyossl.Authority, issued: Issued, version: Version
) -> None:
    live = MutableContext(Method.TLS, live=True)
    _use(live, issued[0])
    live.set_verify(pyossl.lib.SSL_VERIFY_PEER, None)
    client_context = pyossl.Context.client(
        trust=authority.certificate, minimum_version=version, maximum_version=version
    )
    known = {each.certificate for each in issued}
    stop = threading.Event()
    left = [3]

    def change() -> None:
        for _ in _changes(live, issued, stop):
            pass

    def shake() -> None:
        try:
            for _ in range(25):
                assert _shown(client_context, live) in known
        finally:
            left[0] -= 1
            if not left[0]:
                stop.set()

    _run(change, change, shake, shake, shake)


def test_a_callback_may_change_the_context_of_its_connection(
    client_context: pyossl.Context, live: MutableContext, issued: Issued
) -> None:
    def rotate(connection: pyossl.Connection, name: str | None) -> None:
        _use(live, issued[1])

    live.servername_callback = rotate
    _run(lambda: _shown(client_context, live))
    live.servername_callback = None
    assert _shown(client_context, live) == issued[1].certificate


def test_a_callback_may_wait_for_a_thread_that_changes_the_context(
    client_context: pyossl.Context, live: MutableContext, issued: Issued
) -> None:
    def rotate(connection: pyossl.Connection, name: str | None) -> None:
        _run(lambda: _use(live, issued[2]))

    live.servername_callback = rotate
    _run(lambda: _shown(client_context, live))


def test_a_callback_may_make_connections_of_its_context(client_context: pyossl.Context, live: MutableContext) -> None:
    inner: list[pyossl.Certificate] = []

    def connect(connection: pyossl.Connection, name: str | None) -> None:
        live.servername_callback = None
        inner.append(_shown(client_context, live))

    live.servername_callback = connect
    _run(lambda: _shown(client_context, live))
    assert inner


def test_a_callback_may_choose_another_live_context(
    client_context: pyossl.Context, live: MutableContext, issued: Issued
) -> None:
    other = MutableContext(Method.TLS, live=True)
    _use(other, issued[1])

    def choose(connection: pyossl.Connection, name: str | None) -> None:
        assert isinstance(connection, MutableConnection)
        connection.change_context(other)
        _use(live, issued[2])
        _use(other, issued[2])

    live.servername_callback = choose
    client = pyossl.Connection(client_context, "example.com")
    server = _server(live)
    _run(lambda: shake_hands(client, server))
    assert client.peer_certificate == issued[1].certificate
    assert server.context is other


def test_a_child_process_goes_on_whatever_threads_of_its_parent_did(
    client_context: pyossl.Context, live: MutableContext, issued: Issued
) -> None:
    stop = threading.Event()

    def change() -> None:
        for _ in _changes(live, issued, stop):
            pass

    thread = threading.Thread(target=change, daemon=True)
    thread.start()
    try:
        for _ in range(5):
            child = os.fork()
            if child == 0:
                try:
                    _use(live, issued[1])
                    os._exit(0 if _shown(client_context, live) == issued[1].certificate else 1)
                finally:
                    os._exit(2)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        stop.set()
        thread.join(SECONDS)


READS = re.compile("SSL_CTX_(get|has|ct_is|sess_get|sess_number|new$|new_ex$|free$|check_private_key$|config$)")
"""Functions that read one field, or that are called before the first connection is made."""


def test_every_call_of_python_that_changes_a_context_has_its_lock() -> None:
    used = {name for path in SOURCES.rglob("*.py") for name in re.findall(r"\blib\.(SSL_CTX_\w+)", path.read_text())}
    header = (SOURCES / "_c" / "core" / "calls_that_hold_forks.h").read_text()
    locked = set(re.findall(r"^#define (\w+)\(\.\.\.\) PYOSSL_CHANGE", header, re.MULTILINE))
    assert len(locked) > 30
    controls = {
        "SSL_CTX_add1_chain_cert",
        "SSL_CTX_add_extra_chain_cert",
        "SSL_CTX_clear_chain_certs",
        "SSL_CTX_clear_mode",
        "SSL_CTX_sess_set_cache_size",
        "SSL_CTX_set1_client_sigalgs_list",
        "SSL_CTX_set1_groups",
        "SSL_CTX_set1_groups_list",
        "SSL_CTX_set1_sigalgs_list",
        "SSL_CTX_set_max_cert_list",
        "SSL_CTX_set_max_pipelines",
        "SSL_CTX_set_max_proto_version",
        "SSL_CTX_set_max_send_fragment",
        "SSL_CTX_set_min_proto_version",
        "SSL_CTX_set_mode",
        "SSL_CTX_set_session_cache_mode",
        "SSL_CTX_set_split_send_fragment",
        "SSL_CTX_set_tlsext_status_type",
        "SSL_CTX_set_tlsext_ticket_keys",
    }  # macros of OpenSSL's for SSL_CTX_ctrl, which has the lock
    assert {name for name in used - locked - controls if not READS.match(name)} == set()
