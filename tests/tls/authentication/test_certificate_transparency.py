"""Certificate transparency: timestamps of logs, checked with the keys of the logs that a client trusts."""

from __future__ import annotations

from pathlib import Path

import pytest
from marks import VERSIONS, needs
from pairs import carry, meet, shake_hands
from tls.authentication.certificate_log import DAY, NOW, Log

import pyossl
from pyossl import (
    Authority,
    CertificateError,
    Connection,
    Context,
    Credentials,
    SCTSource,
    SCTStatus,
    UsageError,
    Version,
    ffi,
    lib,
)

pytestmark = needs("ct")


@pytest.fixture(scope="module")
def ca() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def own(ca: Authority) -> Credentials:
    return ca.issue("example.com")


@pytest.fixture(scope="module")
def log() -> Log:
    return Log()


@pytest.fixture(scope="module")
def logs(log: Log, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return log.list_in(tmp_path_factory.mktemp("logs") / "logs.cnf")


def serving(own: Credentials, *timestamps: bytes) -> Context:
    context = Context.server((own.certificate, *own.chain), own.private_key)
    if timestamps:
        context.send_scts(timestamps)
    return context


def checking(ca: Authority, logs: Path, version: Version | None = None, *, required: bool = True) -> Context:
    context = Context.client(trust=ca.certificate, maximum_version=version)
    context.verify_scts(logs, required=required)
    return context


def refusal(client_context: Context, server_context: Context) -> CertificateError:
    client, server = Connection(client_context, "example.com"), Connection(server_context)
    with pytest.raises(CertificateError) as caught:
        shake_hands(client, server)
    with pytest.raises(CertificateError):
        client.write(b"secret")
    assert caught.value.code == lib.X509_V_ERR_NO_VALID_SCTS
    return caught.value


@VERSIONS
@pytest.mark.feature("certificate transparency, both sides")
def test_a_timestamp_of_a_trusted_log_is_valid(
    version: Version, ca: Authority, own: Credentials, log: Log, logs: Path
) -> None:
    client, server = meet(checking(ca, logs, version), serving(own, log.timestamp(own.certificate)))
    assert client.scts == ((log.id, NOW - DAY, SCTSource.TLS_EXTENSION, SCTStatus.VALID),)
    assert server.scts == ()


@VERSIONS
@pytest.mark.feature("certificate transparency, both sides")
def test_a_server_without_a_valid_timestamp_is_refused_if_one_is_required(
    version: Version, ca: Authority, own: Credentials, log: Log, logs: Path
) -> None:
    other = ca.issue("example.com")
    for timestamps, status in (
        ((), None),
        ((Log().timestamp(own.certificate),), SCTStatus.UNKNOWN_LOG),
        ((log.timestamp(other.certificate),), SCTStatus.INVALID),
        ((log.timestamp(own.certificate, NOW + DAY),), SCTStatus.INVALID),
    ):
        refusal(checking(ca, logs, version), serving(own, *timestamps))
        client, _ = meet(checking(ca, logs, version, required=False), serving(own, *timestamps))
        assert [sct.status for sct in client.scts] == ([] if status is None else [status])


@VERSIONS
def test_one_valid_timestamp_is_enough(version: Version, ca: Authority, own: Credentials, log: Log, logs: Path) -> None:
    timestamps = Log().timestamp(own.certificate), log.timestamp(own.certificate)
    client, _ = meet(checking(ca, logs, version), serving(own, *timestamps))
    assert sorted(sct.status for sct in client.scts) == [SCTStatus.UNKNOWN_LOG, SCTStatus.VALID]


@VERSIONS
def test_a_server_whose_own_certificate_is_trusted_is_refused_where_openssl_checks_nothing(
    version: Version, log: Log, logs: Path
) -> None:
    """docs/pitfalls.md, 79"""
    own = pyossl.self_signed("example.com")
    context = Context.client(trust=own.certificate, maximum_version=version)
    context.verify_scts(logs, required=True)
    refusal(context, serving(own))
    refusal(context, serving(own, log.timestamp(own.certificate)))
    permissive = Context.client(trust=own.certificate, maximum_version=version)
    permissive.verify_scts(logs, required=False)
    client, _ = meet(permissive, serving(own, log.timestamp(own.certificate)))
    assert client.scts[0].status is SCTStatus.NOT_SET


@VERSIONS
def test_such_a_server_is_refused_before_it_gives_a_session_that_could_be_resumed(version: Version, logs: Path) -> None:
    own, sessions = pyossl.self_signed("example.com"), []
    context = Context.client(trust=own.certificate, maximum_version=version)
    context.verify_scts(logs, required=True)
    context.new_session_callback = lambda connection, session: sessions.append(session.to_der())
    client, server = Connection(context, "example.com"), Connection(serving(own))
    with pytest.raises(CertificateError) as refused:
        shake_hands(client, server)
    assert sessions == []
    assert refused.value.certificate == own.certificate
    carry(client, server)
    with pytest.raises(pyossl.AlertError):
        server.handshake()


def test_a_chain_that_only_the_programs_own_c_callback_accepts_needs_timestamps_too(logs: Path) -> None:
    """OpenSSL checks none if the result of the verification is an error that the callback has left."""
    own = Authority("below a root", parent=Authority("a root")).issue("example.com")
    accept = ffi.callback("int(int, X509_STORE_CTX *)", lambda ok, store_context: 1)
    context = checking(Authority("another root"), logs)
    lib.SSL_CTX_set_verify(context._ctx, lib.SSL_VERIFY_PEER, accept)
    refusal(context, serving(own))


@VERSIONS
def test_a_chain_callback_is_asked_about_a_chain_with_timestamps_alone(
    version: Version, ca: Authority, own: Credentials, log: Log, logs: Path
) -> None:
    asked: list[int] = []
    for changed in (False, True):
        context = checking(ca, logs, version)
        context.chain_callback = lambda connection, chain: not asked.append(len(chain))
        if changed:
            context.chain_callback = None
        meet(context, serving(own, log.timestamp(own.certificate)))
    assert asked == [2]
    alone = pyossl.self_signed("example.com")
    for changed in (False, True):
        context = Context.client(trust=alone.certificate, maximum_version=version)
        context.verify_scts(logs, required=True)
        context.chain_callback = lambda connection, chain: not asked.append(len(chain))
        if changed:
            context.chain_callback = None
        refusal(context, serving(alone))
    assert asked == [2]


@VERSIONS
def test_a_resumed_session_is_not_checked_again(
    version: Version, ca: Authority, own: Credentials, log: Log, logs: Path
) -> None:
    context, server_context = checking(ca, logs, version), serving(own, log.timestamp(own.certificate))
    client, _ = meet(context, server_context)
    again, _ = meet(context, server_context, session=client.session)
    assert again.session_reused


@needs("psk")
def test_a_server_with_a_pre_shared_key_has_no_certificate_that_needs_timestamps(logs: Path) -> None:
    key = bytes(range(32))
    server_context = Context(is_server=True)
    server_context.psk_server_callback = lambda connection, identity: key
    context = Context.client(trust=pyossl.Store.empty())
    context.psk_client_callback = lambda connection, hint: (b"us", key)
    context.verify_scts(logs, required=True)
    client, _ = meet(context, server_context)
    assert client.peer_certificate is None


@needs("raw_public_keys")
@VERSIONS
def test_a_server_with_a_raw_public_key_is_refused_if_timestamps_are_required(version: Version, logs: Path) -> None:
    key = pyossl.PrivateKey.generate()
    server_context = Context(is_server=True)
    server_context.use_raw_public_key(key)
    for required in (False, True):
        context = Context.client(trust=pyossl.Store.empty(), maximum_version=version)
        context.expect_public_keys([key.public_key])
        context.verify_scts(logs, required=required)
        if required:
            refusal(context, server_context)
        else:
            meet(context, server_context)


def test_a_client_that_does_not_ask_gets_none(ca: Authority, own: Credentials, log: Log) -> None:
    client, _ = meet(Context.client(trust=ca.certificate), serving(own, log.timestamp(own.certificate)))
    assert client.scts == ()


def test_a_malformed_timestamp_is_refused(ca: Authority, own: Credentials, logs: Path) -> None:
    for timestamp in (b"\0", b"\0" * 40, b"\0" * 47):
        client = Connection(checking(ca, logs), "example.com")
        with pytest.raises(pyossl.TLSError):
            shake_hands(client, Connection(serving(own, timestamp)))


def test_a_timestamp_of_an_unknown_version_is_shown(ca: Authority, own: Credentials, logs: Path) -> None:
    client, _ = meet(checking(ca, logs, required=False), serving(own, b"\7unknown"))
    assert [(sct.log_id, sct.status) for sct in client.scts] == [(b"", SCTStatus.UNKNOWN_VERSION)]
    refusal(checking(ca, logs), serving(own, b"\7unknown"))


def test_before_the_handshake_there_are_none(ca: Authority, logs: Path) -> None:
    client = Connection(checking(ca, logs), "example.com")
    assert client.scts == ()
    client.handshake()
    assert client.scts == ()
    client.close()
    with pytest.raises(UsageError, match="closed"):
        _ = client.scts


def test_bad_lists_of_logs_are_refused(tmp_path: Path) -> None:
    context = Context.client()
    with pytest.raises(FileNotFoundError) as missing:
        context.verify_scts(tmp_path / "missing", required=True)
    assert missing.value.filename == str(tmp_path / "missing")
    for number, text in enumerate(("", "enabled_logs = ours\n", "enabled_logs = ours\n[ours]\nkey = AAAA\n", "\0")):
        (tmp_path / str(number)).write_text(text)
        with pytest.raises(pyossl.DecodeError, match="reading the list of logs"):
            context.verify_scts(tmp_path / str(number), required=True)


def test_each_side_has_its_own_settings(ca: Authority, own: Credentials, logs: Path) -> None:
    client, server = Context.client(trust=ca.certificate), serving(own)
    with pytest.raises(UsageError, match="verify_scts is only for clients"):
        server.verify_scts(logs, required=True)
    with pytest.raises(UsageError, match="send_scts is only for servers"):
        client.send_scts([b"x"])
    with pytest.raises(UsageError, match="does not verify"):
        Context.client(verify=False).verify_scts(logs, required=True)
    with pytest.raises(TypeError, match="required is True or False"):
        client.verify_scts(logs, required=None)  # type: ignore[arg-type]
    client.request_scts()
    with pytest.raises(UsageError, match="cannot follow request_scts"):
        client.verify_scts(logs, required=True)
    with pytest.raises(UsageError, match="cannot follow verify_scts"):
        checking(ca, logs).request_scts()
    for wrong in ([], [b""], [b"x" * 65536], [b"x" * 40000] * 2):
        with pytest.raises(ValueError, match="bytes at most"):
            server.send_scts(wrong)
    for odd in (b"x", ["x"], None):
        with pytest.raises(TypeError):
            server.send_scts(odd)  # type: ignore[arg-type]


def test_a_frozen_context_is_not_changed(ca: Authority, own: Credentials, logs: Path) -> None:
    client, server = Context.client(trust=ca.certificate), serving(own)
    Connection(client, "example.com")
    Connection(server)
    with pytest.raises(UsageError, match="frozen"):
        client.verify_scts(logs, required=True)
    with pytest.raises(UsageError, match="frozen"):
        server.send_scts([b"x"])
