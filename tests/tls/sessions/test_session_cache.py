"""The memory of the sessions that a server keeps, whatever certificates its clients send."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
from marks import VERSIONS, measures_memory
from pairs import carry, meet, shake_hands
from x509.certificate_making import bare, make, tlv

import pyossl
from pyossl import Connection, Context, Options, Version, lib
from pyossl.tls.sessions.session_settings import MOST_SESSIONS

MIB = 1 << 20
STATM = Path("/proc/self/statm")


def contexts(
    authority: pyossl.Authority,
    credentials: pyossl.Credentials,
    junk: list[pyossl.Certificate],
    version: Version,
    own: pyossl.Credentials | None = None,
    **arguments: Any,
) -> tuple[Context, Context]:
    """A client that sends these certificates, and a server that verifies them and sends no tickets."""
    shown = own or authority.issue("client.example")
    server_context = Context.server(
        credentials.certificate, credentials.private_key, trust=authority.certificate, verify=True, **arguments
    )
    server_context.options |= Options.NO_TICKET
    client_context = Context.client(
        trust=authority.certificate,
        certificate=[shown.certificate, *junk],
        private_key=shown.private_key,
        maximum_version=version,
    )
    return client_context, server_context


@pytest.fixture(scope="module")
def small_extensions() -> list[pyossl.Certificate]:
    """Extensions that are short on the wire and large in memory: 90 KB become 1.7 MB."""
    extensions = b"".join(tlv(0x30, b"\x06\x03\x2a\x03\x04", tlv(0x04)) for _ in range(5000))
    return [pyossl.Certificate.load(bare(extensions=extensions)) for _ in range(2)]


@pytest.fixture(scope="module")
def many() -> list[pyossl.Certificate]:
    return [pyossl.Certificate.load(make(f"junk {n}").der) for n in range(150)]


def kept(context: Context) -> int:
    return int(lib.SSL_CTX_sess_number(context._ctx))


def resident() -> int:
    gc.collect()
    return int(STATM.read_text().split()[1]) * 4096


@measures_memory
@pytest.mark.skipif(not STATM.exists(), reason="no /proc tells how much memory this process has")
@VERSIONS
@pytest.mark.parametrize("junk", ["many", "small_extensions"])
def test_a_clients_junk_certificates_are_not_kept(
    junk: str,
    version: Version,
    authority: pyossl.Authority,
    credentials: pyossl.Credentials,
    request: pytest.FixtureRequest,
) -> None:
    """60 sessions with these chains took 18 MiB and more.  docs/pitfalls.md, 41"""
    client_context, server_context = contexts(authority, credentials, request.getfixturevalue(junk), version)

    def arrive() -> None:
        client, server = Connection(client_context, "example.com"), Connection(server_context)
        shake_hands(client, server)
        client.close()
        server.close()

    for _ in range(5):
        arrive()
    before, first = resident(), kept(server_context)
    for _ in range(60):
        arrive()
    assert kept(server_context) - first >= 60
    assert resident() - before < 6 * MIB


@VERSIONS
def test_a_session_kept_without_the_chain_is_resumed_and_knows_its_peer(
    version: Version, authority: pyossl.Authority, credentials: pyossl.Credentials, many: list[pyossl.Certificate]
) -> None:
    client_context, server_context = contexts(authority, credentials, many, version)
    client, server = meet(client_context, server_context)
    assert len(server.peer_chain) == 150
    resumed, again = meet(client_context, server_context, session=client.session)
    assert resumed.session_reused
    assert again.peer_certificate == server.peer_certificate
    assert again.verify_code == lib.X509_V_OK
    assert resumed.write(b"hello") == 5
    carry(resumed, again)
    assert again.read() == b"hello"


@VERSIONS
def test_a_session_with_a_certificate_above_8_kib_is_not_kept(
    version: Version, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    for names, is_kept in (100, True), (400, False):
        own = authority.issue(*(f"client-{n:05}.example.com" for n in range(names)))
        assert (len(own.certificate.to_der()) <= 8192) == is_kept
        client_context, server_context = contexts(authority, credentials, [], version, own)
        client, _ = meet(client_context, server_context)
        assert (kept(server_context) > 0) == is_kept
        assert meet(client_context, server_context, session=client.session)[0].session_reused == is_kept


@VERSIONS
def test_a_new_session_callback_of_a_server_changes_nothing_of_it(
    version: Version, authority: pyossl.Authority, credentials: pyossl.Credentials, many: list[pyossl.Certificate]
) -> None:
    client_context, server_context = contexts(authority, credentials, many, version)
    told: list[pyossl.Session] = []
    server_context.new_session_callback = lambda connection, session: told.append(session)
    client, _ = meet(client_context, server_context)
    assert told
    assert meet(client_context, server_context, session=client.session)[0].session_reused


def test_with_tickets_nothing_is_kept(authority: pyossl.Authority, credentials: pyossl.Credentials) -> None:
    client_context, server_context = contexts(authority, credentials, [], Version.TLSv1_3)
    server_context.options &= ~Options.NO_TICKET
    meet(client_context, server_context)
    assert kept(server_context) == 0


def test_where_clients_show_certificates_256_sessions_are_kept(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    _, server_context = contexts(authority, credentials, [], Version.TLSv1_2)
    Connection(server_context)
    assert server_context.session_cache_size == MOST_SESSIONS == 256
    chosen_by_name = Context.server(credentials.certificate, credentials.private_key)
    chosen_by_name.servername_callback = lambda connection, name: server_context
    Connection(chosen_by_name)
    assert chosen_by_name.session_cache_size == 256


def test_as_many_are_kept_as_the_program_says(authority: pyossl.Authority, credentials: pyossl.Credentials) -> None:
    for size in 10_000, 0, 2:
        client_context, server_context = contexts(authority, credentials, [], Version.TLSv1_2)
        server_context.session_cache_size = size
        Connection(server_context)
        assert server_context.session_cache_size == size
    for _ in range(5):
        meet(client_context, server_context)
    assert 1 <= kept(server_context) <= 2  # OpenSSL drops one more to exchange one when the cache is full


def test_a_server_that_asks_for_no_certificate_keeps_as_many_as_openssl(server_context: Context) -> None:
    before = server_context.session_cache_size
    Connection(server_context)
    assert server_context.session_cache_size == before == 20480


@measures_memory
@pytest.mark.skipif(not STATM.exists(), reason="no /proc tells how much memory this process has")
def test_a_full_cache_is_no_larger_than_64_mib(authority: pyossl.Authority, credentials: pyossl.Credentials) -> None:
    """With clients' certificates of nearly the 8 KiB that are kept."""
    own = authority.issue("client.example", *(f"c{n}.example" for n in range(500)))
    assert 7000 < len(own.certificate.to_der()) <= 8192
    client_context, server_context = contexts(authority, credentials, [], Version.TLSv1_2, own)
    before = resident()
    for _ in range(MOST_SESSIONS + 50):
        client, server = Connection(client_context, "example.com"), Connection(server_context)
        shake_hands(client, server)
        client.close()
        server.close()
    assert MOST_SESSIONS - 1 <= kept(server_context) <= MOST_SESSIONS
    assert resident() - before < 64 * MIB


@VERSIONS
def test_a_peer_that_shows_more_than_the_list_may_hold_is_refused(
    version: Version, authority: pyossl.Authority, credentials: pyossl.Credentials, many: list[pyossl.Certificate]
) -> None:
    client_context, server_context = contexts(authority, credentials, many, version)
    assert server_context.max_certificate_list == 100 * 1024
    server_context.max_certificate_list = 8192
    with pytest.raises(pyossl.Error, match=r"excessive message size"):
        meet(client_context, server_context)


def test_a_servers_certificates_are_bounded_for_its_client_too(
    authority: pyossl.Authority, credentials: pyossl.Credentials, many: list[pyossl.Certificate]
) -> None:
    server_context = Context.server([credentials.certificate, *many], credentials.private_key)
    client_context = Context.client(trust=authority.certificate)
    client_context.max_certificate_list = 8192
    with pytest.raises(pyossl.Error, match="excessive message size"):
        meet(client_context, server_context)
