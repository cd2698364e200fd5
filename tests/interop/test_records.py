"""The length of records, and their padding, with the openssl program and with GnuTLS."""

from __future__ import annotations

from pathlib import Path

import pytest
from interop.authorities import Identity
from interop.gnutls_peers import GnutlsServer
from interop.programs import Program, program, where_installed
from interop.server_peers import ServerPeer, Service, SServer
from served import serving

import pyossl
from pyossl import Context, Message

_RECORD_HEADER = 256


@pytest.mark.feature("record length and maximum fragment length", "openssl s_server and s_client")
@pytest.mark.parametrize("length", [512, 4096])
def test_s_client_asks_for_short_records_and_gets_them(length: int, identity: Identity) -> None:
    context = Context.server(str(identity.certificate), str(identity.private_key))
    agreed: list[int | None] = []

    def answer(tls: pyossl.Socket) -> None:
        tls.handshake()
        agreed.append(tls.connection.max_fragment_length)
        tls.sendall(bytes(20_000))

    with serving(context, answer) as address:
        command = [program("openssl"), "s_client", "-connect", f"{address[0]}:{address[1]}", "-quiet"]
        command += ["-maxfraglen", str(length)]
        with Program(*command) as run:
            finished = run.finish()
    assert agreed == [length]
    assert finished.output.count(b"\0") >= 20_000


SERVERS = (
    pytest.param(SServer(), id="s_server"),
    pytest.param(GnutlsServer(), id="gnutls-serv", marks=where_installed("gnutls-serv")),
)


@pytest.mark.feature("record length and maximum fragment length", "openssl s_server and s_client", "GnuTLS")
@pytest.mark.parametrize("server", SERVERS)
def test_a_server_agrees_to_the_length_that_we_ask_for(server: ServerPeer, identity: Identity, folder: Path) -> None:
    context = Context.client(trust=str(identity.certificate), verify=False)
    context.set_max_fragment_length(512)
    with server.serving(Service(identity, folder)) as running:
        received: list[int] = []

        def note(message: Message) -> None:
            if message.content_type == _RECORD_HEADER and not message.outgoing:
                received.append(int.from_bytes(message.data[3:5], "big"))

        with pyossl.connect(
            running.address, context, server_hostname="localhost", timeout=60, message_callback=note
        ) as tls:
            assert tls.connection.max_fragment_length == 512
            tls.sendall(b"GET /greeting HTTP/1.0\r\n\r\n")
            assert tls.recv(10_000)
    assert received
    assert max(received) < 512 + 256


@pytest.mark.feature("record padding", "openssl s_server and s_client")
def test_s_server_reads_padded_records(identity: Identity, folder: Path) -> None:
    context = Context.client(trust=str(identity.certificate), verify=False)
    context.minimum_version = pyossl.Version.TLSv1_3
    context.record_padding_callback = lambda connection, kind, length: 1000
    with (
        SServer().serving(Service(identity, folder)) as running,
        pyossl.connect(running.address, context, server_hostname="localhost", timeout=60) as tls,
    ):
        tls.sendall(b"GET /greeting HTTP/1.0\r\n\r\n")
        assert b"200 ok" in tls.recv(1000)
