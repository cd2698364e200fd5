"""DANE with blocking sockets, asyncio, trio and anyio."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from streams.each_client import CONNECTING, HOST, OVER_ANOTHER, Fetch, answering, each, refused

import pyossl
from pyossl import CertificateError, Context, DANEMatch, DecodeError, TLSARecord

NAME = "secure.example"


@pytest.fixture(scope="module")
def certificate() -> Iterator[tuple[int, pyossl.Certificate]]:
    """The port of a server that nobody has to trust, and its certificate."""
    made = pyossl.self_signed(NAME)
    with answering(Context.server(made), lambda connection: b"hello") as port:
        yield port, made.certificate


@each(CONNECTING | OVER_ANOTHER)
def test_the_record_decides(fetch: Fetch, certificate: tuple[int, pyossl.Certificate]) -> None:
    port, own = certificate
    server = port, Context.client(trust=pyossl.Store.empty()), NAME, "dane_match"
    record = TLSARecord.of(own)
    assert fetch(*server, dane=str(record)) == (DANEMatch(record, 0, own), b"hello")
    with refused(CertificateError):
        fetch(*server, dane=[TLSARecord(3, 1, 1, bytes(32))])
    with pytest.raises(DecodeError, match="no TLSA record can be used"):
        fetch(*server, dane="3 1 1 abcd")


@each(CONNECTING)
def test_records_that_cannot_be_used_are_refused_before_anything_is_connected(fetch: Fetch) -> None:
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(0)
        port, context = listener.getsockname()[1], Context.client(trust=pyossl.Store.empty())
        with pytest.raises(DecodeError):
            fetch(port, context, NAME, "dane_match", dane=["3 1 1 abcd"])
        with pytest.raises(BlockingIOError):
            listener.accept()
