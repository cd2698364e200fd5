"""A client whose write fails gets the server's alert, not only the transport's error (docs/pitfalls.md, 5)."""

from __future__ import annotations

import contextlib
import socket
import struct

import pytest
from served import Task, tcp_pair, until

import pyossl
from pyossl import Context, Version, lib

CERTIFICATE_REQUIRED, UNKNOWN_CA, BAD_RECORD_MAC = 116, 48, 20


def write_until_it_fails(tls: pyossl.Socket) -> None:
    """The first write after the end may still succeed: the reset arrives after it."""

    def write() -> bool:
        tls.sendall(b"x" * 1000)
        return False

    until(write)


def refused(server_context: Context, client_context: Context, first: bytes) -> tuple[pyossl.Socket, pyossl.Error]:
    """A client that has written until a write failed, and the exception."""
    ours, theirs = tcp_pair()

    def serve() -> None:
        with contextlib.suppress(pyossl.Error):
            server_context.wrap_socket(theirs)

    server = Task(serve)
    tls = client_context.wrap_socket(ours, "example.com")
    if first:
        tls.sendall(first)
    server.result()
    with pytest.raises(pyossl.Error) as caught:
        write_until_it_fails(tls)
    return tls, caught.value


def assert_it_was_told(error: pyossl.Error, alert: int) -> None:
    assert isinstance(error, pyossl.AlertError)
    assert error.number == alert


@pytest.mark.parametrize("first", [b"", b"early"], ids=["later", "at once"])
def test_a_client_that_writes_learns_that_a_certificate_was_required(
    first: bytes, authority: pyossl.Authority, credentials: pyossl.Credentials, client_context: Context
) -> None:
    """With TLS 1.3 the server looks at the certificate, or its absence, when the client has finished."""
    server_context = Context.server(
        credentials.certificate,
        credentials.private_key,
        trust=authority.certificate,
        verify=True,
        minimum_version=Version.TLSv1_3,
    )
    tls, error = refused(server_context, client_context, first)
    with tls:
        assert_it_was_told(error, CERTIFICATE_REQUIRED)
        assert "writing failed" in str(error)
        for call in (lambda: tls.sendall(b"x"), lambda: tls.recv(1)):
            with pytest.raises(pyossl.Error) as again:
                call()
            assert_it_was_told(again.value, CERTIFICATE_REQUIRED)


def test_a_client_whose_certificate_is_refused_learns_that_by_writing(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    stranger = pyossl.Authority("another").issue("a-stranger.example")
    client_context = Context.client(
        trust=authority.certificate, certificate=stranger.certificate, private_key=stranger.private_key
    )
    server_context = Context.server(
        credentials.certificate,
        credentials.private_key,
        trust=authority.certificate,
        verify=True,
        minimum_version=Version.TLSv1_3,
    )
    tls, error = refused(server_context, client_context, b"early")
    with tls:
        assert_it_was_told(error, UNKNOWN_CA)


def test_a_peer_that_says_nothing_is_an_error_of_the_transport(
    client_context: Context, server_context: Context
) -> None:
    """The data that the peer had sent before is no alert, and does not hide the reset."""
    ours, theirs = tcp_pair()

    def serve() -> None:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with server_context.wrap_socket(theirs) as tls:
            tls.sendall(b"data " * 10_000)

    server = Task(serve)
    with client_context.wrap_socket(ours, "example.com") as tls:
        server.result()
        with pytest.raises(pyossl.TransportError) as caught:
            write_until_it_fails(tls)
        assert isinstance(caught.value, ConnectionError)


def test_a_write_to_a_peer_that_has_closed_is_an_error_of_the_transport(
    client_context: Context, server_context: Context
) -> None:
    """Before 3.2 SSL_get_error(3) answers ``SSL_ERROR_ZERO_RETURN``, as for a read, once there was a close_notify."""
    ours, theirs = tcp_pair()
    server = Task(lambda: server_context.wrap_socket(theirs))
    client = client_context.wrap_socket(ours, "example.com")
    with server.result() as tls:
        client.close()
        assert tls.recv(1) == b""
        with pytest.raises(pyossl.TransportError) as caught:
            write_until_it_fails(tls)
        assert isinstance(caught.value, ConnectionError)
        assert "writing failed" in str(caught.value)


@pytest.mark.parametrize("before", [0, 50_000])
def test_an_alert_behind_records_without_data_is_found(
    before: int, client_context: Context, server_context: Context
) -> None:
    """The alert is found even behind more records than one call processes without data."""
    ours, theirs = tcp_pair()
    server_context.minimum_version = Version.TLSv1_3
    peer = pyossl.Connection(server_context)

    def serve() -> None:
        while peer.handshake() is not None:
            theirs.sendall(peer.data_to_send())
            peer.receive_data(theirs.recv(65536))
        theirs.sendall(peer.data_to_send())

    server = Task(serve)
    with client_context.wrap_socket(ours, "example.com") as tls:
        server.result()
        updates = b""
        while len(updates) < before:
            peer.call(lib.SSL_key_update, lib.SSL_KEY_UPDATE_NOT_REQUESTED)
            peer.handshake()
            updates += peer.data_to_send()
        theirs.sendall(updates)
        peer.receive_data(b"\x17\x03\x03\x00\x20" + bytes(32))  # which is no record of the client's
        with pytest.raises(pyossl.Error):
            peer.read()
        theirs.sendall(peer.data_to_send())
        tls.sendall(b"unread: the kernel resets a socket that is closed with it")
        theirs.close()
        with pytest.raises(pyossl.Error) as caught:
            write_until_it_fails(tls)
        assert_it_was_told(caught.value, BAD_RECORD_MAC)
