"""A peer that must be verified must show a certificate, whatever the ciphers are (docs/pitfalls.md, 33)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from marks import VERSIONS, needs
from pairs import carry, meet, shake_hands

import pyossl
from pyossl import Connection, Context, Version, ffi, lib
from pyossl.tls.mutable.mutable_connection import MutableConnection
from pyossl.tls.mutable.mutable_context import Method, MutableContext

ANONYMOUS = "ALL:@SECLEVEL=0"
ONLY_ANONYMOUS = b"aNULL:@SECLEVEL=0"


def anonymous_ciphers(context: Context) -> None:
    context.set_cipher_list(ANONYMOUS)


def mixed_ciphers(context: Context) -> None:
    context.set_cipher_list("ECDHE:AES:@SECLEVEL=0")


def by_the_level(context: Context) -> None:
    context.set_cipher_list("ALL")
    context.security_level = 0


def configured(context: Context) -> None:
    context.configure("CipherString", ANONYMOUS)


EVERY_WAY = pytest.mark.parametrize("loosen", [anonymous_ciphers, mixed_ciphers, by_the_level, configured])


@pytest.fixture
def nameless() -> MutableConnection:
    """A server without any certificate, which has anonymous ciphers only."""
    context = MutableContext(Method.TLS_SERVER)
    context.set_maximum(Version.TLSv1_2)
    context.choose_ciphers(ONLY_ANONYMOUS)
    server = MutableConnection(context)
    server.set_accept_state()
    return server


@EVERY_WAY
def test_a_verifying_client_whose_ciphers_let_in_a_nameless_server_does_not_freeze(
    loosen: Callable[[Context], None], authority: pyossl.Authority
) -> None:
    context = Context.client(trust=authority.certificate)
    loosen(context)
    with pytest.raises(pyossl.UsageError, match=r"A(EC)?DH-.*add ':!aNULL' to the cipher list"):
        Connection(context, "example.com")


@EVERY_WAY
def test_a_server_that_requires_certificates_does_not_freeze_either(
    loosen: Callable[[Context], None], authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    context = Context.server(credentials.certificate, credentials.private_key, trust=authority.certificate, verify=True)
    loosen(context)
    with pytest.raises(pyossl.UsageError, match="need no certificate"):
        Connection(context)


def test_a_section_of_the_configuration_does_not_get_round_it(tmp_path: Any) -> None:
    configuration = tmp_path / "openssl.cnf"
    configuration.write_text(
        "openssl_conf = conf\n[conf]\nssl_conf = ssl\n[ssl]\nloose = loose\n[loose]\nCipherString = ALL:@SECLEVEL=0\n"
    )
    script = (
        "import pyossl\ncontext = pyossl.Context.client(trust=pyossl.Authority().certificate)\n"
        "context.configure_section('loose')\n"
        "try: pyossl.Connection(context, 'example.com')\nexcept pyossl.UsageError as error: print(error)\n"
    )
    environment = {**os.environ, "OPENSSL_CONF": str(configuration)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert "need no certificate" in done.stdout


@pytest.mark.parametrize("ciphers", ["ALL:!aNULL:@SECLEVEL=0", "ALL", "DEFAULT:@SECLEVEL=0"])
def test_ciphers_that_need_a_certificate_are_accepted(
    ciphers: str, authority: pyossl.Authority, server_context: Context
) -> None:
    context = Context.client(trust=authority.certificate)
    context.set_cipher_list(ciphers)
    assert meet(context, server_context)[0].peer_certificate is not None


def test_a_client_that_does_not_verify_may_connect_to_a_nameless_server(nameless: MutableConnection) -> None:
    context = Context.client(verify=False, check_hostname=False)
    context.set_cipher_list(ANONYMOUS)
    client = Connection(context)
    shake_hands(client, nameless)
    assert client.peer_certificate is None


def handshake(client: Connection) -> object:
    return client.handshake()


def read(client: Connection) -> object:
    return client.read()


def read_into(client: Connection) -> object:
    return client.read_into(bytearray(100))


def peek(client: Connection) -> object:
    return client.peek()


def write(client: Connection) -> object:
    return client.write(b"the password")


def encrypt(client: Connection) -> object:
    return client.encrypt(b"the password")


def go_on(call: Callable[[], object], client: Connection, server: Connection) -> None:
    """Lets both sides continue; the server sends data as soon as it can."""
    for _ in range(5):
        call()
        carry(client, server)
        if server.handshake() is None:
            server.write(b"lies")
        carry(client, server)


@pytest.mark.parametrize("call", [handshake, read, read_into, peek, write, encrypt])
def test_a_cipher_list_of_one_connection_lets_no_nameless_server_in(
    call: Callable[[Connection], object], authority: pyossl.Authority, nameless: MutableConnection
) -> None:
    """The second check, at the end of the handshake, also sees the settings of one connection."""
    client = Connection(Context.client(trust=authority.certificate, maximum_version=Version.TLSv1_2), "example.com")
    assert client.call(lib.SSL_set_cipher_list, ONLY_ANONYMOUS) == 1
    with pytest.raises(pyossl.CertificateError, match="did not return a certificate") as caught:
        go_on(lambda: call(client), client, nameless)
    assert caught.value.certificate is None
    carry(client, nameless)
    # The server got no data: only the messages of the handshake.
    assert nameless.read() is pyossl.Want.READ
    for again in (read, write, handshake):
        with pytest.raises(pyossl.CertificateError):
            again(client)


def test_decrypted_data_of_a_nameless_server_is_not_delivered(
    authority: pyossl.Authority, nameless: MutableConnection
) -> None:
    client = Connection(Context.client(trust=authority.certificate, maximum_version=Version.TLSv1_2), "example.com")
    client.call(lib.SSL_set_cipher_list, ONLY_ANONYMOUS)
    for _ in range(2):
        client.handshake()
        nameless.receive_data(client.data_to_send())
        nameless.handshake()
        last = nameless.data_to_send()
        if nameless.is_handshake_finished:
            break
        client.receive_data(last)
    nameless.write(b"lies")
    with pytest.raises(pyossl.CertificateError):
        client.decrypt(last + nameless.data_to_send())


def test_a_nameless_client_does_not_get_past_a_server_that_requires_certificates(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    """OpenSSL's own server still asks for a certificate, which no client expects with an anonymous cipher."""
    context = Context.server(credentials.certificate, credentials.private_key, trust=authority.certificate, verify=True)
    server = Connection(context)
    server.call(lib.SSL_set_cipher_list, ONLY_ANONYMOUS)
    loose = Context.client(verify=False, check_hostname=False, maximum_version=Version.TLSv1_2)
    loose.set_cipher_list(ANONYMOUS)
    with pytest.raises(pyossl.Error):
        shake_hands(Connection(loose), server)
    assert not server.is_handshake_finished


@VERSIONS
def test_a_resumed_session_knows_the_certificate(
    version: Version, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    server_context = Context.server(
        credentials.certificate, credentials.private_key, trust=authority.certificate, verify=True
    )
    own = authority.issue("client.example")
    client_context = Context.client(
        trust=authority.certificate,
        certificate=own.certificate,
        private_key=own.private_key,
        maximum_version=version,
    )
    session = meet(client_context, server_context)[0].session
    client, server = meet(client_context, server_context, session=session)
    assert client.session_reused
    assert server.session_reused
    assert server.peer_certificate == own.certificate
    assert client.write(b"hello") == 5
    carry(client, server)
    assert server.read() == b"hello"


SECRET = b"k" * 16


@ffi.callback("unsigned int(SSL *, const char *, char *, unsigned int, unsigned char *, unsigned int)")  # type: ignore[untyped-decorator]
def key_of_client(ssl: Any, hint: Any, identity: Any, room: int, psk: Any, most: int) -> int:
    ffi.memmove(identity, b"us\0", 3)
    ffi.memmove(psk, SECRET, len(SECRET))
    return len(SECRET)


@ffi.callback("unsigned int(SSL *, const char *, unsigned char *, unsigned int)")  # type: ignore[untyped-decorator]
def key_of_server(ssl: Any, identity: Any, psk: Any, most: int) -> int:
    ffi.memmove(psk, SECRET, len(SECRET))
    return len(SECRET)


@needs("psk")
def test_a_pre_shared_key_takes_no_servers_certificates_place(authority: pyossl.Authority) -> None:
    """A server that shows no certificate, but has the pre-shared key that the client was given without pyossl."""
    server_context = MutableContext(Method.TLS_SERVER)
    server_context.set_maximum(Version.TLSv1_2)
    server_context.choose_ciphers(b"PSK")
    server = MutableConnection(server_context)
    server.set_accept_state()
    server.call(lib.SSL_set_psk_server_callback, key_of_server)
    context = Context.client(trust=authority.certificate, maximum_version=Version.TLSv1_2)
    context.set_cipher_list("PSK")
    client = Connection(context, "example.com")
    client.call(lib.SSL_set_psk_client_callback, key_of_client)
    with pytest.raises(pyossl.CertificateError, match="did not return a certificate"):
        shake_hands(client, server)


@needs("psk")
@pytest.mark.parametrize("verify", [True, "optional"])
@pytest.mark.parametrize("chosen", [False, True], ids=["alone", "chosen by the name"])
def test_a_pre_shared_key_takes_no_clients_certificates_place_where_one_is_required(
    verify: Any, chosen: bool, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    context = Context.server(
        credentials.certificate, credentials.private_key, trust=authority.certificate, verify=verify
    )
    context.set_cipher_list("PSK")
    first = Context.server(credentials.certificate, credentials.private_key) if chosen else context
    if chosen:
        first.servername_callback = lambda connection, name: context
    server = Connection(first)
    server.call(lib.SSL_set_psk_server_callback, key_of_server)
    loose = Context.client(verify=False, check_hostname=False, maximum_version=Version.TLSv1_2)
    loose.set_cipher_list("PSK")
    client = Connection(loose, "example.com")
    client.call(lib.SSL_set_psk_client_callback, key_of_client)
    if verify is True:
        with pytest.raises(pyossl.CertificateError, match="did not return a certificate"):
            shake_hands(client, server)
    else:
        shake_hands(client, server)
        assert server.peer_certificate is None


def read_in_turns(*sides: Connection) -> None:
    for _ in range(5):
        for side in sides:
            side.read()
            carry(*sides)


def test_a_renegotiation_is_looked_at_again(authority: pyossl.Authority, credentials: pyossl.Credentials) -> None:
    """A server that showed its certificate once, and then asks for a handshake without one."""
    server_context = MutableContext(Method.TLS_SERVER)
    server_context.set_maximum(Version.TLSv1_2)
    server_context.choose_ciphers(b"ALL:@SECLEVEL=0")
    server_context.add_options(lib.SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION)
    server_context.use_certificate(credentials.certificate)
    server_context.use_private_key(credentials.private_key)
    server = MutableConnection(server_context)
    server.set_accept_state()
    context = Context.client(trust=authority.certificate, maximum_version=Version.TLSv1_2)
    context.options &= ~pyossl.Options.NO_RENEGOTIATION
    client = Connection(context, "example.com")
    shake_hands(client, server)
    assert client.peer_certificate == credentials.certificate
    server.call(lib.SSL_set_cipher_list, ONLY_ANONYMOUS)
    client.call(lib.SSL_set_cipher_list, b"ALL:@SECLEVEL=0")
    server.renegotiate()
    server.handshake()
    carry(client, server)
    with pytest.raises(pyossl.CertificateError, match="did not return a certificate"):
        read_in_turns(client, server)


def test_the_pyopenssl_face_and_a_generic_connection_are_as_the_original(nameless: MutableConnection) -> None:
    context = MutableContext(Method.TLS_CLIENT)
    context.set_maximum(Version.TLSv1_2)
    context.choose_ciphers(ONLY_ANONYMOUS)
    context.set_verify(lib.SSL_VERIFY_PEER, None)
    client = MutableConnection(context)
    client.set_connect_state()
    shake_hands(client, nameless)
    assert client.peer_certificate is None
    assert client.write(b"hello") == 5
