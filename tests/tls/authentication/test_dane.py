"""DANE: which servers a client with TLSA records accepts, and what would get a server past the records."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from marks import VERSIONS, needs
from pairs import carry, meet, shake_hands
from tls.authentication.certificate_log import Log

import pyossl
from pyossl import DANE, Certificate, Connection, Context, DANEMatch, DecodeError, TLSARecord, UsageError, Version, lib

NAME = "example.com"
USAGES = pytest.mark.parametrize("usage", [0, 1, 2, 3])
NO_MATCH = lib.X509_V_ERR_DANE_NO_MATCH


class Server(NamedTuple):
    """A server's context, its certificate, and the authority's, which it sends too."""

    context: Context
    own: Certificate
    issuer: Certificate

    def record(self, usage: int, selector: int = 1, matching_type: int = 1) -> TLSARecord:
        """The record that matches: of the authority's certificate for usage 0 and 2."""
        certificate = self.own if usage & 1 else self.issuer
        return TLSARecord.of(certificate, usage=usage, selector=selector, matching_type=matching_type)


def server_of(authority: pyossl.Authority, *names: str, sends_issuer: bool = True, **options: Any) -> Server:
    made = authority.issue(*names or (NAME,), **options)
    chain = [authority.certificate] if sends_issuer else []
    return Server(Context.server([made.certificate, *chain], made.private_key), made.certificate, authority.certificate)


@pytest.fixture(scope="module")
def stranger() -> Server:
    """A server of another authority."""
    return server_of(pyossl.Authority("another CA"))


@pytest.fixture
def server(authority: pyossl.Authority) -> Server:
    return server_of(authority)


def connected(context: Context, server: Server, dane: Any, name: str = NAME, **options: Any) -> Connection:
    """A client after the handshake; raises what the handshake raises."""
    client = Connection(context, name, dane=dane, **options)
    shake_hands(client, Connection(server.context))
    return client


def refused(context: Context, server: Server, dane: Any, name: str = NAME, **options: Any) -> int:
    """The code for which the server is refused."""
    with pytest.raises(pyossl.CertificateError) as caught:
        connected(context, server, dane, name, **options)
    return caught.value.code


@pytest.fixture
def trusting_nobody() -> Context:
    return Context.client(trust=pyossl.Store.empty())


# A record that matches, and one that does not


@pytest.mark.feature("DANE with TLSA records")
@pytest.mark.parametrize("matching_type", [0, 1, 2])
@pytest.mark.parametrize("selector", [0, 1])
@USAGES
def test_a_server_is_accepted_by_the_record_that_matches(
    usage: int, selector: int, matching_type: int, server: Server, stranger: Server, client_context: Context
) -> None:
    record, other = (each.record(usage, selector, matching_type) for each in (server, stranger))
    certificate = server.own if usage & 1 else server.issuer
    match = connected(client_context, server, record).dane_match
    assert match == DANEMatch(record, 0 if usage & 1 else 1, certificate)
    assert connected(client_context, server, [str(other), record]).dane_match == match
    code = refused(client_context, server, other)
    # Usage 2 has no authority to end the chain with, and then no record to look for.
    assert code in (NO_MATCH, lib.X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN)


@USAGES
def test_authorities_count_with_usage_0_and_1_only(
    usage: int, server: Server, stranger: Server, trusting_nobody: Context
) -> None:
    if usage >= 2:
        assert connected(trusting_nobody, server, server.record(usage)).verify_code == lib.X509_V_OK
    else:
        assert refused(trusting_nobody, server, server.record(usage))
        assert refused(Context.client(trust=stranger.issuer), server, server.record(usage))


@USAGES
def test_the_validity_counts_but_with_usage_3(usage: int, authority: pyossl.Authority, client_context: Context) -> None:
    past = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=2)
    expired = server_of(authority, not_before=past - datetime.timedelta(days=9), not_after=past)
    if usage == 3:
        assert connected(client_context, expired, expired.record(3)).dane_match
    else:
        assert refused(client_context, expired, expired.record(usage)) == lib.X509_V_ERR_CERT_HAS_EXPIRED


@pytest.mark.parametrize("checks", [True, False])
@USAGES
def test_the_name_counts_unless_usage_3_says_that_it_does_not(
    usage: int, checks: bool, authority: pyossl.Authority, client_context: Context
) -> None:
    other = server_of(authority, "other.example")
    dane = DANE(other.record(usage), ee_name_checks=checks)
    if usage == 3 and not checks:
        client = connected(client_context, other, dane)
        assert client.dane_match is not None
        assert client.verified_name is None
    else:
        assert refused(client_context, other, dane) == lib.X509_V_ERR_HOSTNAME_MISMATCH
    assert connected(client_context, other, dane, other_names=["other.example"]).verified_name == (
        "other.example" if usage != 3 or checks else None
    )


def test_the_name_is_sent_and_compared_as_without_records(server: Server, client_context: Context) -> None:
    seen = []
    context = server.context
    context.servername_callback = lambda connection, name: seen.append(name)
    assert connected(client_context, server, server.record(3), "EXAMPLE.com.").verified_name is not None
    assert [str(name).lower() for name in seen] == [NAME]


def test_a_bare_key_vouches_for_an_authority_that_the_server_does_not_send(
    authority: pyossl.Authority, stranger: Server, trusting_nobody: Context
) -> None:
    alone = server_of(authority, sends_issuer=False)
    match = connected(trusting_nobody, alone, alone.record(2, 1, 0)).dane_match
    assert match == DANEMatch(alone.record(2, 1, 0), 0, None)
    match = connected(trusting_nobody, alone, alone.record(2, 0, 0)).dane_match
    assert match is not None
    assert (match.depth, match.certificate) == (1, authority.certificate)
    assert refused(trusting_nobody, alone, alone.record(2, 1, 1))
    assert refused(trusting_nobody, alone, stranger.record(2, 1, 0))


def test_a_record_of_an_authority_does_not_match_the_server_s_own_certificate(
    server: Server, client_context: Context
) -> None:
    for usage in 0, 2:
        assert refused(client_context, server, TLSARecord.of(server.own, usage=usage))
    for usage in 1, 3:
        assert refused(client_context, server, TLSARecord.of(server.issuer, usage=usage))


def test_the_narrowest_record_is_the_match(server: Server, client_context: Context) -> None:
    records = [server.record(usage) for usage in (0, 1, 2, 3)]
    match = connected(client_context, server, records).dane_match
    assert match is not None
    assert match.record == server.record(3)


def test_a_connection_without_records_is_verified_as_before(
    server: Server, stranger: Server, client_context: Context
) -> None:
    connected(client_context, server, server.record(3))
    connected(client_context, stranger, stranger.record(3))
    assert connected(client_context, server, None).dane_match is None
    assert refused(client_context, stranger, None) == lib.X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN


def test_the_callbacks_see_a_server_without_a_trusted_authority(server: Server, trusting_nobody: Context) -> None:
    seen: list[Any] = []

    def note(connection: Connection, what: Any) -> bool:
        seen.append(what)
        return what.ok if isinstance(what, pyossl.Verification) else True

    trusting_nobody.verify_callback = note
    trusting_nobody.chain_callback = note
    connected(trusting_nobody, server, server.record(3))
    *verifications, chain = seen
    assert [verification.certificate for verification in verifications if verification.ok] == [server.own]
    assert chain == (server.own,)


# Where there is no match to speak of


def test_before_the_handshake_and_on_a_server_there_is_no_match(
    server: Server, client_context: Context, new_pair: Callable[[], tuple[Connection, Connection]]
) -> None:
    client, other = Connection(client_context, NAME, dane=server.record(3)), Connection(server.context)
    assert client.dane_match is None
    shake_hands(client, other)
    assert client.dane_match is not None
    assert other.dane_match is None
    client.close()
    with pytest.raises(UsageError, match="closed"):
        client.dane_match  # noqa: B018 # asking is the test


def test_a_refused_server_has_no_match(server: Server, stranger: Server, client_context: Context) -> None:
    client = Connection(client_context, NAME, dane=stranger.record(3))
    with pytest.raises(pyossl.CertificateError, match=r"[Nn]o matching DANE TLSA records"):
        shake_hands(client, Connection(server.context))
    assert client.dane_match is None


# Records that cannot be used


UNUSABLE = {
    "4 1 1 " + "ab" * 32: "dane tlsa bad certificate usage",
    "255 0 0 abcd": "dane tlsa bad certificate usage",
    "3 2 1 " + "ab" * 32: "dane tlsa bad selector",
    "3 1 3 " + "ab" * 32: "dane tlsa bad matching type",
    "3 1 1 " + "ab" * 31: "dane tlsa bad digest length",
    "3 1 2 " + "ab" * 32: "dane tlsa bad digest length",
    "3 0 0 3000": "dane tlsa bad certificate",
    "2 0 0 abcd": "dane tlsa bad certificate",
    "3 1 0 3000": "dane tlsa bad public key",
}


@pytest.mark.parametrize(("text", "reason"), UNUSABLE.items(), ids=lambda value: value[:16])
def test_a_record_that_cannot_be_used_is_ignored_and_alone_is_refused(
    text: str, reason: str, server: Server, stranger: Server, client_context: Context
) -> None:
    dane = DANE([text, server.record(3)])
    assert dane.records == (server.record(3),)
    assert dane.unusable == ((TLSARecord.parse(text), reason),)
    assert connected(client_context, server, dane).dane_match is not None
    assert refused(client_context, server, [text, stranger.record(3)]) == NO_MATCH
    with pytest.raises(DecodeError, match=f"no TLSA record can be used: .*{reason}"):
        Connection(client_context, NAME, dane=text)


def test_a_certificate_with_more_bytes_behind_it_is_no_record(server: Server) -> None:
    for selector, reason in enumerate(("dane tlsa bad certificate", "dane tlsa bad public key")):
        whole = server.record(3, selector, 0)
        with pytest.raises(DecodeError, match=reason):
            DANE(TLSARecord(3, selector, 0, whole.data + b"\0"))


@pytest.mark.parametrize("nothing", [[], (), iter(())])
def test_no_record_is_refused(nothing: Iterable[TLSARecord], client_context: Context) -> None:
    with pytest.raises(DecodeError, match="no TLSA record can be used: there is none"):
        Connection(client_context, NAME, dane=nothing)


@pytest.mark.parametrize("wrong", [1, b"3 1 1 ab", [1], ["3 1 1 " + "ab" * 32, b"x"], object()])
def test_what_is_no_record_is_refused(wrong: Any, client_context: Context) -> None:
    with pytest.raises(TypeError):
        Connection(client_context, NAME, dane=wrong)


def test_a_set_of_records(server: Server) -> None:
    dane = DANE((str(server.record(usage)) for usage in (3, 2, 3)), ee_name_checks=False)
    assert dane.records == (server.record(3), server.record(2))
    assert dane.unusable == ()
    assert dane.ee_name_checks is False
    assert repr(dane).startswith("<DANE <TLSARecord 3 1 1 ")
    assert repr(dane).endswith(", ee_name_checks=False>")
    assert DANE("3 1 1 " + "ab" * 32).ee_name_checks is True
    with pytest.raises(TypeError):
        DANE("3 1 1 " + "ab" * 32, ee_name_checks=None)  # type: ignore[arg-type]  # that is tried


# Connections on which records could be evaded


def test_a_connection_that_could_evade_its_records_is_refused(
    server: Server, client_context: Context, authority: pyossl.Authority
) -> None:
    record = server.record(3)

    def check(context: Context, name: str | None, why: str) -> None:
        with pytest.raises(UsageError, match=why):
            Connection(context, name, dane=record)

    check(server.context, None, "dane is for clients")
    check(Context.client(verify=False), NAME, "a context that verifies")
    check(Context.client(trust=authority.certificate, check_hostname=False), NAME, "a context that checks names")
    check(Context.client(trust=authority.certificate, check_hostname=False), None, "needs the server's DNS name")
    check(client_context, "127.0.0.1", "needs the server's DNS name")


@needs("raw_public_keys")
def test_records_and_expected_keys_are_not_used_together(server: Server, authority: pyossl.Authority) -> None:
    """A raw key that a record matches would be accepted, although the context expects another one."""
    context = Context.client(trust=authority.certificate)
    context.expect_public_keys([pyossl.PrivateKey.generate("ED25519").public_key])
    with pytest.raises(UsageError, match="expect_public_keys"):
        Connection(context, NAME, dane=server.record(3))


@needs("psk")
@pytest.mark.parametrize("callback", ["psk_client_callback", "psk_use_session_callback"])
def test_a_pre_shared_key_would_evade_the_records(callback: str, server: Server, client_context: Context) -> None:
    setattr(client_context, callback, lambda connection, given: None)
    with pytest.raises(UsageError, match="pre-shared key"):
        Connection(client_context, NAME, dane=server.record(3))


@needs("ct")
def test_with_usages_2_and_3_no_timestamps_can_be_required(
    authority: pyossl.Authority, tmp_path: Path, client_context: Context
) -> None:
    log = Log()
    made = authority.issue(NAME)
    serving = Context.server(made.certificate, made.private_key)
    serving.send_scts([log.timestamp(made.certificate)])
    server = Server(serving, made.certificate, authority.certificate)
    client_context.verify_scts(log.list_in(tmp_path / "logs.cnf"), required=True)
    assert connected(client_context, server, [server.record(0), server.record(1)]).dane_match
    for usage in 2, 3:
        with pytest.raises(UsageError, match="requires certificate timestamps"):
            Connection(client_context, NAME, dane=[server.record(1), server.record(usage)])


@needs("ech")
@pytest.mark.parametrize("checks", [True, False])
def test_records_are_those_of_the_encrypted_name(
    checks: bool, authority: pyossl.Authority, stranger: Server, trusting_nobody: Context
) -> None:
    server = server_of(authority, NAME, "cover.example")
    server.context.ech_store = keys = pyossl.ECHStore.new("cover.example")
    dane = DANE(server.record(3), ee_name_checks=checks)
    client = connected(trusting_nobody, server, dane, ech=keys.config_list)
    assert client.ech.status is not pyossl.ECHStatus.FAILED
    assert client.dane_match == DANEMatch(server.record(3), 0, server.own)
    assert refused(trusting_nobody, server, stranger.record(3), ech=keys.config_list) == NO_MATCH
    other = pyossl.ECHStore.new("cover.example").config_list
    with pytest.raises(pyossl.ECHError):
        connected(trusting_nobody, server, dane, ech=other)
    assert refused(trusting_nobody, server, stranger.record(3), ech=other) == NO_MATCH


# Resumption


def session_of(context: Context, server: Server, dane: Any, **options: Any) -> pyossl.Session:
    client, peer = Connection(context, NAME, dane=dane, **options), Connection(server.context)
    shake_hands(client, peer)
    client.read()
    assert client.session is not None
    return client.session


def restricted(context: Context, version: Version) -> Context:
    context.minimum_version = context.maximum_version = version
    return context


@VERSIONS
@pytest.mark.parametrize("stored", [False, True], ids=["kept", "stored"])
def test_a_session_is_resumed_with_the_records_that_it_was_made_with(
    version: Version, stored: bool, server: Server, client_context: Context
) -> None:
    context = restricted(client_context, version)
    session = session_of(context, server, [server.record(3), server.record(2)])
    if stored:
        session = pyossl.Session.load(session.to_der(), context, NAME)
    client = connected(context, server, [server.record(2), str(server.record(3))], session=session)
    assert client.session_reused
    assert client.dane_match is None
    again = session_of(context, server, [server.record(2), server.record(3)], session=session)
    assert again.is_resumable


@VERSIONS
@pytest.mark.parametrize("stored", [False, True], ids=["kept", "stored"])
def test_a_session_does_not_get_a_server_past_the_records_or_past_the_authorities(
    version: Version, stored: bool, server: Server, stranger: Server, client_context: Context
) -> None:
    context = restricted(client_context, version)
    both = [server.record(3), server.record(2)]
    unchecked = DANE(server.record(3), ee_name_checks=False)
    made_with: list[Any] = [None, server.record(3), server.record(2), both, unchecked]
    for of_session in made_with:
        session = session_of(context, server, of_session)
        if stored:
            session = pyossl.Session.load(session.to_der(), context, NAME)
        for of_connection in [*made_with, stranger.record(3)]:
            if of_connection is not of_session:
                with pytest.raises(ValueError, match=r"verified with other TLSA records \(dane\), or without any"):
                    Connection(context, NAME, dane=of_connection, session=session)


@VERSIONS
def test_openssl_refuses_such_a_session_too(
    version: Version, server: Server, stranger: Server, client_context: Context
) -> None:
    context = restricted(client_context, version)
    session = session_of(context, server, None)
    client, peer = Connection(context, NAME, dane=stranger.record(3)), Connection(server.context)
    assert lib.SSL_set_session(client._c.ssl, session._session) == 1
    with pytest.raises(pyossl.TLSError, match="attempt to reuse session in different context"):
        shake_hands(client, peer)


@VERSIONS
def test_without_that_a_session_gets_a_server_past_the_records(
    version: Version, server: Server, stranger: Server, client_context: Context
) -> None:
    """docs/pitfalls.md, 86"""
    context = restricted(client_context, version)
    session = session_of(context, server, None)
    client, peer = Connection(context, NAME, dane=stranger.record(3)), Connection(server.context)
    assert lib.SSL_set_session_id_context(client._c.ssl, b"", 0) == 1
    assert lib.SSL_set_session(client._c.ssl, session._session) == 1
    shake_hands(client, peer)
    assert client.session_reused
    assert client.verify_code == lib.X509_V_OK


# Threads


def test_first_connections_with_records_in_several_threads(server: Server, client_context: Context) -> None:
    Connection(client_context, NAME)  # freezes the context
    barrier, matches = threading.Barrier(8), []

    def connect() -> None:
        barrier.wait()
        matches.append(connected(client_context, server, server.record(3)).dane_match)

    threads = [threading.Thread(target=connect) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert matches == [DANEMatch(server.record(3), 0, server.own)] * 8


def test_data_flows(server: Server, trusting_nobody: Context) -> None:
    client, peer = Connection(trusting_nobody, NAME, dane=server.record(2)), Connection(server.context)
    shake_hands(client, peer)
    client.write(b"verified")
    carry(client, peer)
    assert peer.read(100) == b"verified"
    assert meet(Context.client(trust=server.issuer), server.context)[0].dane_match is None
