"""Profiles and keys for SRTP with the programs of OpenSSL, over UDP: both sides export the same keying material."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from interop.authorities import Authority, Identity
from interop.programs import DEADLINE, Program, program
from marks import needs

import pyossl
from pyossl import Certificate, PrivateKey, SRTPKeys
from pyossl.tls.mutable.mutable_connection import MutableConnection
from pyossl.tls.mutable.mutable_context import Method, MutableContext

PROFILE = "SRTP_AEAD_AES_128_GCM"
OPTIONS = ["-dtls1_2", "-use_srtp", f"SRTP_AES128_CM_SHA1_80:{PROFILE}"]
OPTIONS += ["-keymatexport", SRTPKeys.LABEL, "-keymatexportlen", str(SRTPKeys.size(PROFILE))]
pytestmark = needs("srtp", "dtls")


def over_udp(sock: socket.socket, connection: MutableConnection) -> None:
    """Finishes the handshake over a connected UDP socket.  The loopback loses no datagrams."""
    while connection.handshake() is not None:
        if data := connection.data_to_send():
            sock.send(data)
        connection.receive_data(sock.recv(1 << 16))
    if data := connection.data_to_send():
        sock.send(data)


def context() -> MutableContext:
    made = MutableContext(Method.DTLS)
    made.srtp_profiles = (PROFILE,)
    return made


@contextlib.contextmanager
def s_server(own: Identity, *options: str | Path) -> Iterator[tuple[Program, MutableConnection]]:
    """A running s_server, and a client that has finished its handshake with it."""
    command = [program("openssl"), "s_server", "-accept", "127.0.0.1:0", *options]
    command += ["-cert", own.certificate, "-key", own.private_key]
    with Program(*command) as run, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(DEADLINE)
        sock.connect(("127.0.0.1", int(run.wait_for(rb"ACCEPT \S+:(\d+)\s")[1])))
        client = MutableConnection(context())
        client.set_connect_state()
        over_udp(sock, client)
        yield run, client


def has_the_same_keys(connection: MutableConnection, run: Program) -> None:
    printed = run.wait_for(rb"Keying material: ([0-9A-F]+)\s")
    keys = SRTPKeys(PROFILE, bytes.fromhex(printed[1].decode()))
    ours = connection.srtp_keys()
    assert connection.srtp_profile == PROFILE
    assert (ours.client_key, ours.server_key) == (keys.client_key, keys.server_key)
    assert (ours.client_salt, ours.server_salt) == (keys.client_salt, keys.server_salt)


@pytest.fixture
def own(pyossl_authority: Authority) -> Identity:
    return pyossl_authority.issue("localhost")


@pytest.mark.feature("profile and keys for SRTP, over DTLS", "openssl s_server and s_client")
def test_s_server_has_the_keys_of_our_client(own: Identity) -> None:
    with s_server(own, *OPTIONS) as (run, client):
        has_the_same_keys(client, run)


@pytest.mark.feature("profile and keys for SRTP, over DTLS", "openssl s_server and s_client")
def test_s_client_has_the_keys_of_our_server(own: Identity) -> None:
    serving = context()
    serving.use_certificate(Certificate.load(own.certificate))
    serving.use_private_key(PrivateKey.load(own.private_key))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(DEADLINE)
        sock.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{sock.getsockname()[1]}"
        with Program(program("openssl"), "s_client", "-connect", address, *OPTIONS) as run:
            first, peer = sock.recvfrom(1 << 16)
            sock.connect(peer)
            server = MutableConnection(serving)
            server.set_accept_state()
            server.receive_data(first)
            over_udp(sock, server)
            has_the_same_keys(server, run)
            run.wait_for(rb"SRTP Extension negotiated, profile=" + PROFILE.encode())


def test_without_a_common_profile_s_server_goes_on_without_keys(own: Identity) -> None:
    with s_server(own, "-dtls1_2") as (_, client):
        assert client.srtp_profile is None
        with pytest.raises(pyossl.Error, match="no SRTP profile"):
            client.srtp_keys()
