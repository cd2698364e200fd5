"""Clients of Python's standard library over pyossl's sockets: real servers, small ones, servers that misbehave."""

from __future__ import annotations

import contextlib
import ftplib
import gc
import http.client
import imaplib
import io
import poplib
import smtplib
import socket
import ssl
import urllib.request
import xmlrpc.client
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from interop import standard_peers as peers
from interop.authorities import Authority, Identity
from interop.mail_and_database import Dovecot, Exim
from interop.programs import where_installed
from interop.standard_contexts import ResumingContext, StandardContext

import pyossl

SECONDS = 20

# If their first steps fail, some of these clients leave their sockets to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _collect() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def context(trustme_authority: Authority) -> pyossl.Context:
    return pyossl.Context.client(trust=trustme_authority.trust)


@pytest.fixture(scope="module")
def serving(identity: Identity) -> ssl.SSLContext:
    return peers.ssl_context(identity.certificate, identity.private_key)


def over_http(port: int, context: Any) -> None:
    client = http.client.HTTPSConnection("localhost", port, timeout=SECONDS, context=context)
    with contextlib.closing(client):
        client.request("GET", "/")
        assert b"methodResponse" in client.getresponse().read()


def over_urllib(port: int, context: Any) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    with opener.open(f"https://localhost:{port}/", timeout=SECONDS) as answer:
        assert b"methodResponse" in answer.read()


def over_xmlrpc(port: int, context: Any) -> None:
    with xmlrpc.client.ServerProxy(f"https://localhost:{port}", context=context) as proxy:
        assert proxy.add(2, 3) == 5


def _sends_mail(client: smtplib.SMTP) -> None:
    client.sendmail("a@localhost", ["b@localhost"], "Subject: x\r\n\r\nhello\r\n")


def over_smtps(port: int, context: Any) -> None:
    with smtplib.SMTP_SSL("localhost", port, timeout=SECONDS, context=context) as client:
        _sends_mail(client)


def over_smtp(port: int, context: Any) -> None:
    with smtplib.SMTP("localhost", port, timeout=SECONDS) as client:
        client.starttls(context=context)
        _sends_mail(client)


def over_imaps(port: int, context: Any) -> None:
    with imaplib.IMAP4_SSL("localhost", port, ssl_context=context, timeout=SECONDS) as client:
        assert client.noop()[0] == "OK"


def over_imap(port: int, context: Any) -> None:
    with imaplib.IMAP4("localhost", port, timeout=SECONDS) as client:
        client.starttls(context)
        assert client.noop()[0] == "OK"


def over_pops(port: int, context: Any) -> None:
    client = poplib.POP3_SSL("localhost", port, timeout=SECONDS, context=context)
    with contextlib.closing(client):
        assert client.stat() == (2, 320)
        client.quit()


def over_pop(port: int, context: Any) -> None:
    client = poplib.POP3("localhost", port, timeout=SECONDS)
    with contextlib.closing(client):
        client.stls(context)
        assert client.stat() == (2, 320)
        client.quit()


def over_ftp(port: int, context: Any) -> None:
    with ftplib.FTP_TLS(timeout=SECONDS, context=context) as client:
        client.connect("localhost", port)
        client.login("me", "secret")
        client.prot_p()
        assert client.nlst() == ["a", "large"]


class Client(NamedTuple):
    session: Callable[[int, Any], None]
    before: Callable[[socket.socket], None]
    under: Callable[[peers.Dialogue], None] | None
    raises: tuple[type[BaseException], ...] = ()
    """Its own exceptions, besides ``OSError``."""


_HTTP = (http.client.HTTPException,)
CLIENTS = {
    "http.client": Client(over_http, peers.nothing, peers.http, _HTTP),
    "urllib": Client(over_urllib, peers.nothing, peers.http, _HTTP),
    "xmlrpc": Client(over_xmlrpc, peers.nothing, peers.http, (*_HTTP, xmlrpc.client.Error)),
    "SMTP_SSL": Client(over_smtps, peers.nothing, peers.smtps),
    "SMTP": Client(over_smtp, peers.smtp_before, peers.smtp),
    "IMAP4_SSL": Client(over_imaps, peers.nothing, peers.imaps, (imaplib.IMAP4.error,)),
    "IMAP4": Client(over_imap, peers.imap_before, peers.imap, (imaplib.IMAP4.error,)),
    "POP3_SSL": Client(over_pops, peers.nothing, peers.pops, (poplib.error_proto,)),
    "POP3": Client(over_pop, peers.pop_before, peers.pop, (poplib.error_proto,)),
    "FTP_TLS": Client(over_ftp, peers.ftp_before, None, ftplib.all_errors),
}
each_client = pytest.mark.parametrize("client", CLIENTS.values(), ids=list(CLIENTS))


@each_client
def test_a_client_has_its_session(client: Client, context: pyossl.Context, serving: ssl.SSLContext) -> None:
    under = client.under or peers.FTP(serving)

    def serve(sock: socket.socket) -> None:
        client.before(sock)
        with serving.wrap_socket(sock, server_side=True) as tls, peers.Dialogue(tls) as talk:
            under(talk)

    with peers.peer(serve) as port:
        client.session(port, StandardContext(context))


@each_client
@pytest.mark.parametrize("hostile", peers.HOSTILE)
def test_a_servers_misbehaviour_is_caught_like_a_sockets_errors(
    client: Client,
    hostile: Callable[[socket.socket, ssl.SSLContext], None],
    context: pyossl.Context,
    serving: ssl.SSLContext,
) -> None:
    def serve(sock: socket.socket) -> None:
        client.before(sock)
        with contextlib.suppress(OSError):
            hostile(sock, serving)

    with peers.peer(serve) as port, pytest.raises((OSError, *client.raises)) as caught:
        client.session(port, StandardContext(context))
    assert not isinstance(caught.value, pyossl.UsageError)


@each_client
def test_a_refused_server_is_caught_like_a_sockets_errors(client: Client, serving: ssl.SSLContext) -> None:
    def serve(sock: socket.socket) -> None:
        client.before(sock)
        with contextlib.suppress(OSError):
            serving.wrap_socket(sock, server_side=True).recv(1)

    stranger = pyossl.Context.client(trust=pyossl.Authority().certificate)
    with peers.peer(serve) as port, pytest.raises((OSError, *client.raises)) as caught:
        client.session(port, StandardContext(stranger))
    # Some send a last command on a closed socket and raise that error, as with ssl.
    assert any(isinstance(each, pyossl.CertificateError) for each in _with_causes(caught.value))


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    reason = getattr(error, "reason", None)  # a URLError's
    for each in error, error.__cause__, error.__context__, reason:
        if isinstance(each, BaseException):
            yield each
            if each is not error:
                yield from _with_causes(each)


# FTP's data connections


def test_ftps_data_connections_resume_the_session_of_the_control_connection(
    context: pyossl.Context, serving: ssl.SSLContext
) -> None:
    """Many servers require it.  Each transfer ends with close_notify; without it this server accepts no file."""
    server = peers.FTP(serving)

    def serve(sock: socket.socket) -> None:
        peers.ftp_before(sock)
        with serving.wrap_socket(sock, server_side=True) as tls, peers.Dialogue(tls) as talk:
            server(talk)

    resuming = ResumingContext(context)
    received: list[bytes] = []
    lines: list[str] = []
    sent = bytes(range(256)) * 256
    with peers.peer(serve) as port, ftplib.FTP_TLS(timeout=SECONDS, context=resuming) as client:
        client.connect("localhost", port)
        client.login("me", "secret")
        client.prot_p()
        client.retrbinary("RETR large", received.append)
        client.retrlines("RETR a", lines.append)
        client.storbinary("STOR b", io.BytesIO(sent))
        client.storlines("STOR c", io.BytesIO(b"three\nfour\n"))
        assert client.nlst() == ["a", "large", "b", "c"]
    assert b"".join(received) == server.files["large"]
    assert lines == ["one", "two"]
    assert server.files["b"] == sent
    assert server.files["c"] == b"three\r\nfour\r\n"
    assert server.resumed == [True] * 5


# Real servers


@where_installed(*Exim.programs)
def test_smtplib_with_exim(identity: Identity, context: pyossl.Context) -> None:
    with Exim().serving(identity) as started:
        port = started.address.partition(":")[2]
        with smtplib.SMTP("localhost", int(port), timeout=SECONDS) as client:
            client.starttls(context=StandardContext(context))
            assert client.ehlo()[0] == 250
            assert not client.has_extn("starttls"), "it knows that it speaks TLS"


@where_installed(*Dovecot.programs)
def test_imaplib_with_dovecot(identity: Identity, context: pyossl.Context) -> None:
    with Dovecot().serving(identity) as started:
        port = started.address.partition(":")[2]
        with imaplib.IMAP4("localhost", int(port), timeout=SECONDS) as client:
            client.starttls(StandardContext(context))
            assert client.noop()[0] == "OK"
            assert "STARTTLS" not in client.capabilities
