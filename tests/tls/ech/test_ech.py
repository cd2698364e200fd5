"""Encrypted Client Hello: the true name is encrypted or nothing is sent; what a server that refuses may say."""

from __future__ import annotations

import base64
import contextlib
import copy
import pickle
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from marks import VERSIONS, needs
from pairs import carry, shake_hands

import pyossl
from pyossl import (
    CertificateError,
    Connection,
    Context,
    DecodeError,
    ECHError,
    ECHOffer,
    ECHStatus,
    ECHStore,
    Options,
    UsageError,
    Version,
)
from pyossl.x509.pem_and_der import pem_blocks

TRUE, PUBLIC = "secret.example", "cover.example"
pytestmark = needs("ech")


@pytest.fixture(scope="module")
def store() -> ECHStore:
    return ECHStore.new(PUBLIC)


@pytest.fixture(scope="module")
def older() -> ECHStore:
    """The store of a key that the server has no more."""
    return ECHStore.new(PUBLIC)


@pytest.fixture(scope="module")
def both_names(authority: pyossl.Authority) -> dict[str, Context]:
    """A server's context for each name, with a certificate for that name alone."""
    made = {name: authority.issue(name) for name in (TRUE, PUBLIC)}
    return {name: Context.server(each.certificate, each.private_key) for name, each in made.items()}


def server_of(authority: pyossl.Authority, store: ECHStore | None, *names: str, **settings: Any) -> Context:
    made = authority.issue(*(names or (TRUE, PUBLIC)))
    context = Context.server(made.certificate, made.private_key, **settings)
    if store is not None:
        context.ech_store = store
    return context


def first_hello(client: Connection) -> bytes:
    assert client.handshake() is pyossl.Want.READ
    return client.data_to_send()


def meet(client: Connection, server: Context) -> tuple[bytes, Connection]:
    """Does the handshake; returns the first message, and the server's connection."""
    hello, accepted = first_hello(client), Connection(server)
    accepted.receive_data(hello)
    shake_hands(client, accepted)
    return hello, accepted


@pytest.fixture
def context(authority: pyossl.Authority) -> Context:
    return Context.client(trust=authority.certificate)


@pytest.mark.feature("Encrypted Client Hello")
@pytest.mark.parametrize("form", ["binary", "base64", "base64 as bytes", "offer"])
def test_the_true_name_is_encrypted(form: str, authority: pyossl.Authority, context: Context, store: ECHStore) -> None:
    text = base64.b64encode(store.config_list)
    ech: Any = {
        "binary": store.config_list,
        "base64": text.decode(),
        "base64 as bytes": text,
        "offer": ECHOffer(store.config_list),
    }[form]
    client = Connection(context, TRUE, ech=ech)
    hello, server = meet(client, server_of(authority, store, TRUE))
    assert TRUE.encode() not in hello
    assert PUBLIC.encode() in hello
    for side in (client, server):
        assert side.ech == (ECHStatus.SUCCESS, TRUE, PUBLIC)
        assert side.server_hostname == TRUE
    assert client.verified_name == TRUE
    client.write(b"secret")
    carry(client, server)
    assert server.read(100) == b"secret"


def test_the_certificate_must_be_for_the_true_name(
    authority: pyossl.Authority, context: Context, store: ECHStore
) -> None:
    client = Connection(context, TRUE, ech=store.config_list)
    with pytest.raises(CertificateError, match=f"hostname mismatch.*for '{TRUE}'"):
        meet(client, server_of(authority, store, PUBLIC))
    assert client.ech.status is ECHStatus.BAD_NAME


def test_the_server_chooses_its_context_by_the_true_name_and_by_the_public_name_if_it_refuses(
    both_names: dict[str, Context], context: Context, store: ECHStore, older: ECHStore, authority: pyossl.Authority
) -> None:
    first = server_of(authority, store, "other.example")
    seen: list[str | None] = []

    def choose(connection: Connection, name: str | None) -> Context | None:
        seen.append(name)
        return both_names.get(name or "")

    first.servername_callback = choose
    client = Connection(context, TRUE, ech=store.config_list)
    meet(client, first)
    assert client.verified_name == TRUE
    with pytest.raises(ECHError):
        meet(Connection(context, TRUE, ech=older.config_list), first)
    assert seen == [TRUE, PUBLIC]


def test_a_client_that_was_refused_gets_the_configurations_and_can_try_again(
    authority: pyossl.Authority, context: Context, store: ECHStore, older: ECHStore
) -> None:
    server = server_of(authority, store)
    client = Connection(context, TRUE, ech=older.config_list)
    with pytest.raises(ECHError, match="newer configurations") as caught:
        meet(client, server)
    assert caught.value.retry_configs == store.config_list
    assert not client.is_handshake_finished
    assert client.ech == (ECHStatus.FAILED_ECH, TRUE, PUBLIC)
    again = Connection(context, TRUE, ech=caught.value.retry_configs)
    meet(again, server)
    assert again.ech.status is ECHStatus.SUCCESS
    remembered = pickle.loads(pickle.dumps(caught.value))
    assert remembered.retry_configs == store.config_list


def test_a_server_learns_that_it_was_left(
    authority: pyossl.Authority, context: Context, store: ECHStore, older: ECHStore
) -> None:
    client, server = Connection(context, TRUE, ech=older.config_list), Connection(server_of(authority, store))
    server.receive_data(first_hello(client))
    assert server.handshake() is pyossl.Want.READ
    client.receive_data(server.data_to_send())
    with pytest.raises(ECHError):
        client.handshake()
    server.receive_data(client.data_to_send())
    with pytest.raises(pyossl.AlertError, match="ECH required"):
        server.handshake()


@pytest.mark.parametrize("checks", [True, False], ids=["check_hostname", "check_hostname=False"])
def test_the_configurations_of_a_server_without_a_certificate_for_the_public_name_are_not_passed_on(
    checks: bool, authority: pyossl.Authority, store: ECHStore, older: ECHStore
) -> None:
    context = Context.client(trust=authority.certificate, check_hostname=checks)
    client = Connection(context, TRUE, ech=older.config_list)
    with pytest.raises(CertificateError, match=f"hostname mismatch.*for '{PUBLIC}'") as caught:
        meet(client, server_of(authority, store, TRUE))
    assert caught.value.failure is not None
    assert caught.value.failure.ech_retry_configs is None
    assert client.ech.status is ECHStatus.FAILED_ECH_BAD_NAME


@pytest.mark.parametrize("trusts", [True, False])
def test_the_configurations_are_not_passed_on_if_the_client_does_not_verify(
    trusts: bool, authority: pyossl.Authority, store: ECHStore, older: ECHStore
) -> None:
    context = Context.client(trust=authority.certificate if trusts else pyossl.Store.empty(), verify=False)
    with pytest.raises(ECHError, match="no authentic") as caught:
        meet(Connection(context, TRUE, ech=older.config_list), server_of(authority, store))
    assert caught.value.retry_configs is None


def test_an_untrusted_server_cannot_send_configurations(context: Context, store: ECHStore, older: ECHStore) -> None:
    with pytest.raises(CertificateError):
        meet(Connection(context, TRUE, ech=older.config_list), server_of(pyossl.Authority("evil"), store))


@VERSIONS
def test_a_server_without_ech_is_refused(
    version: Version, authority: pyossl.Authority, context: Context, store: ECHStore
) -> None:
    client = Connection(context, TRUE, ech=store.config_list)
    with pytest.raises(ECHError) as caught:
        meet(client, server_of(authority, None, maximum_version=version))
    assert caught.value.retry_configs is None
    assert not client.is_handshake_finished


@pytest.mark.parametrize("accepted", [True, False])
def test_after_a_hello_retry_request_the_name_is_still_encrypted(
    accepted: bool, authority: pyossl.Authority, context: Context, store: ECHStore, older: ECHStore
) -> None:
    context.set_groups("X25519:P-384")
    server = server_of(authority, store)
    server.set_groups("P-384")
    client, accepting = Connection(context, TRUE, ech=(store if accepted else older).config_list), Connection(server)
    sent = b""
    try:
        for _ in range(10):
            client.handshake()
            sent += (data := client.data_to_send())
            accepting.receive_data(data)
            accepting.handshake()
            if data := accepting.data_to_send():
                client.receive_data(data)
    except ECHError:
        assert not accepted
    assert client.is_handshake_finished == accepted
    assert TRUE.encode() not in sent


def test_nothing_is_sent_where_tls_1_3_is_not_allowed(authority: pyossl.Authority, store: ECHStore) -> None:
    older = Context.client(trust=authority.certificate, maximum_version=Version.TLSv1_2)
    with pytest.raises(UsageError, match=r"TLS 1\.3"):
        Connection(older, TRUE, ech=store.config_list)
    without = Context.client(trust=authority.certificate)
    without.options |= Options.NO_TLSv1_3
    client = Connection(without, TRUE, ech=store.config_list)
    with pytest.raises(pyossl.TLSError):
        client.handshake()
    assert TRUE.encode() not in client.data_to_send()


@pytest.mark.parametrize("name", [None, "192.0.2.1", "2001:db8::1"])
def test_there_must_be_a_name_to_hide(name: str | None, authority: pyossl.Authority, store: ECHStore) -> None:
    context = Context.client(trust=authority.certificate, check_hostname=name is not None)
    with pytest.raises(UsageError, match="DNS name"):
        Connection(context, name, ech=store.config_list)


def test_ech_is_an_argument_of_clients_and_the_store_a_setting_of_servers(
    server_context: Context, context: Context, store: ECHStore
) -> None:
    with pytest.raises(UsageError, match="servers"):
        context.ech_store = store
    with pytest.raises(TypeError, match="ech_store"):
        server_context.ech_store = store.config_list  # type: ignore[assignment]
    assert server_context.ech_store is None
    server_context.ech_store = store
    assert server_context.ech_store is store
    server_context.ech_store = None
    assert server_context.ech_store is None
    with pytest.raises(UsageError, match="clients"):
        Connection(server_context, ech=store.config_list)


# What is sent in the clear


def test_the_outer_name_and_protocols_can_be_chosen(
    authority: pyossl.Authority, store: ECHStore, older: ECHStore
) -> None:
    context = Context.client(trust=authority.certificate, alpn=["hidden"])
    offer = ECHOffer(store.config_list, outer_server_name="Other.example", outer_alpn=["shown"])
    client = Connection(context, TRUE, ech=offer)
    hello, server = meet(client, server_of(authority, store, TRUE, alpn=["hidden"]))
    assert b"Other.example" in hello
    assert PUBLIC.encode() not in hello
    assert b"shown" in hello
    assert b"hidden" not in hello
    assert client.alpn == server.alpn == "hidden"
    assert client.ech.outer_server_name == offer.outer_server_name == "Other.example"
    stale = ECHOffer(older.config_list, outer_server_name="other.example")
    with pytest.raises(ECHError) as caught:
        meet(Connection(context, TRUE, ech=stale), server_of(authority, store, "other.example"))
    assert caught.value.retry_configs == store.config_list


def test_no_name_at_all_can_be_sent_in_the_clear(
    authority: pyossl.Authority, context: Context, store: ECHStore, older: ECHStore
) -> None:
    offer = ECHOffer(store.config_list, sends_outer_server_name=False)
    client = Connection(context, TRUE, ech=offer)
    hello, server = meet(client, server_of(authority, store, TRUE))
    assert b".example" not in hello
    assert server.ech == (ECHStatus.SUCCESS, TRUE, None)
    assert offer.outer_server_name is None
    stale = ECHOffer(older.config_list, sends_outer_server_name=False)
    with pytest.raises(CertificateError, match=f"for '{PUBLIC}'"):
        meet(Connection(context, TRUE, ech=stale), server_of(authority, store, TRUE))


def test_a_resumed_session_is_hidden_too(authority: pyossl.Authority, context: Context, store: ECHStore) -> None:
    server = server_of(authority, store)
    client = Connection(context, TRUE, ech=store.config_list)
    meet(client, server)
    client.read(1)
    assert client.session is not None
    again = Connection(context, TRUE, ech=store.config_list, session=client.session)
    hello, _ = meet(again, server)
    assert again.session_reused
    assert TRUE.encode() not in hello
    assert again.ech.status is ECHStatus.SUCCESS


def test_grease_looks_like_ech_and_hides_nothing(
    authority: pyossl.Authority, context: Context, store: ECHStore
) -> None:
    context.options |= Options.ECH_GREASE
    for keys, status in ((None, ECHStatus.GREASE), (store, ECHStatus.GREASE_ECH)):
        client = Connection(context, TRUE)
        hello, _ = meet(client, server_of(authority, keys))
        assert TRUE.encode() in hello
        assert client.ech == (status, None, None)
    client = Connection(context, TRUE, ech=store.config_list)
    hello, _ = meet(client, server_of(authority, store))
    assert TRUE.encode() not in hello
    assert client.ech.status is ECHStatus.SUCCESS


def test_a_client_without_ech_goes_on_as_before(authority: pyossl.Authority, context: Context, store: ECHStore) -> None:
    client = Connection(context, TRUE)
    _, server = meet(client, server_of(authority, store))
    assert client.ech == (ECHStatus.NOT_CONFIGURED, None, None)
    assert server.ech == (ECHStatus.NOT_TRIED, None, None)
    assert server.server_hostname == TRUE


# The keys


def test_a_retired_key_still_decrypts_and_is_not_sent(
    tmp_path: Path, authority: pyossl.Authority, context: Context, store: ECHStore, older: ECHStore
) -> None:
    (file := tmp_path / "ech.pem").write_bytes(store.to_pem())
    keys = ECHStore(file, retired=[older.to_pem()])
    assert [(each.public_name, each.has_private_key, each.for_retry) for each in keys.configs] == [
        (PUBLIC, True, True),
        (PUBLIC, True, False),
    ]
    assert keys.config_list == store.config_list
    assert keys.to_pem() == store.to_pem() + older.to_pem()
    server = server_of(authority, keys)
    for known in (store, older):
        client = Connection(context, TRUE, ech=known.config_list)
        meet(client, server)
        assert client.ech.status is ECHStatus.SUCCESS
    with pytest.raises(ECHError) as caught:
        meet(Connection(context, TRUE, ech=ECHStore.new(PUBLIC).config_list), server)
    assert caught.value.retry_configs == store.config_list


def test_several_keys_are_published_together(store: ECHStore, older: ECHStore) -> None:
    """docs/pitfalls.md, 74"""
    both = ECHStore(store.to_pem(), older.to_pem())
    assert both.config_list[2:] == store.config_list[2:] + older.config_list[2:]
    assert [each.public_name for each in ECHOffer(both.config_list).configs] == [PUBLIC, PUBLIC]
    assert ECHStore(retired=[older.to_pem()]).config_list == b"\0\0"


def test_a_key_can_be_for_other_algorithms(authority: pyossl.Authority, context: Context) -> None:
    store = ECHStore.new(PUBLIC, max_name_length=100, suite=(0x10, 1, 2))  # P-256, HKDF-SHA256, AES-256-GCM
    assert "0010,0001,0002" in store.configs[0].description
    client = Connection(context, TRUE, ech=store.config_list)
    meet(client, server_of(authority, store))
    assert client.ech.status is ECHStatus.SUCCESS


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"suite": (0xFFF0, 1, 1)}, ValueError),
        ({"suite": (0x20, 1)}, ValueError),
        ({"suite": (0x20, 1, "1")}, TypeError),
        ({"max_name_length": 256}, ValueError),
        ({"public_name": "192.0.2.1"}, ValueError),
        ({"public_name": "a b"}, ValueError),
        ({"public_name": b"cover.example"}, TypeError),
    ],
)
def test_a_key_that_cannot_be_is_refused(settings: dict[str, Any], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        ECHStore.new(**{"public_name": PUBLIC, **settings})


def test_a_file_must_have_one_key_and_its_configuration(store: ECHStore, older: ECHStore) -> None:
    (key, config), (other_key, _) = (pem_blocks(each.to_pem(), "")[0] for each in (store, older))
    for bad in (key.pem(), config.pem(), b"", b"no PEM", store.to_pem() + older.to_pem(), config.pem() * 2 + key.pem()):
        with pytest.raises(DecodeError):
            ECHStore(bad)
    with pytest.raises(DecodeError, match="does not belong"):
        ECHStore(other_key.pem() + config.pem())
    with pytest.raises(TypeError):
        ECHStore()
    with pytest.raises(OSError, match="absent"):
        ECHStore("absent.pem")
    encrypted = pyossl.PrivateKey.load(key.pem()).to_pem(password="password")
    with pytest.raises(pyossl.PasswordError):
        ECHStore(encrypted + config.pem())


# Lists of configurations


def test_a_list_that_is_cut_at_any_length_is_refused(store: ECHStore, older: ECHStore) -> None:
    both = ECHStore(store.to_pem(), older.to_pem()).config_list
    for length in range(len(both)):
        with pytest.raises(DecodeError):
            ECHOffer(both[:length])
    for length in range(2, len(store.config_list)):  # with right lengths around it
        inner = store.config_list[2:length]
        with pytest.raises(DecodeError):
            ECHOffer(len(inner).to_bytes(2, "big") + inner)
        inner = inner[:2] + max(length - 6, 0).to_bytes(2, "big") + inner[4:]
        with pytest.raises(DecodeError):
            ECHOffer(len(inner).to_bytes(2, "big") + inner)


@pytest.mark.parametrize("value", ["", "x", "é", "AAAA", b"", b"\0\0", b"\0\1x", "AEX+DQ", " ", b"\xff" * 100])
def test_what_is_no_list_is_refused(value: bytes | str) -> None:
    with pytest.raises(DecodeError):
        ECHOffer(value)


def test_base64_must_be_complete(store: ECHStore) -> None:
    text = base64.b64encode(store.config_list).decode()
    assert ECHOffer(f" {text}\n").config_list == store.config_list
    for bad in (text[:-1], text[:-4], text + "A", text[:10] + "\n" + text[10:], text[:10] + "*" + text[10:]):
        with pytest.raises(DecodeError):
            ECHOffer(bad)


@pytest.mark.parametrize("value", [None, 1, bytearray(b"x"), ["AEX"]])
def test_a_list_of_another_type_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="ECH"):
        ECHOffer(value)


def joined(*configs: bytes) -> bytes:
    together = b"".join(configs)
    return len(together).to_bytes(2, "big") + together


def test_configurations_that_openssl_does_not_know_are_ignored(
    authority: pyossl.Authority, context: Context, store: ECHStore
) -> None:
    config = store.config_list[2:]
    other_version = b"\xfe\x0c" + config[2:]
    other_algorithm = config[:5] + b"\xff\xf0" + config[7:]
    unusable = joined(other_version, other_algorithm)
    for many in (joined(other_version, config), joined(other_algorithm, config), joined(config, *[other_version] * 40)):
        client = Connection(context, TRUE, ech=many)
        meet(client, server_of(authority, store))
        assert client.ech.status is ECHStatus.SUCCESS
        assert len(ECHOffer(many).configs) == 1
    with pytest.raises(DecodeError, match="no configuration"):
        Connection(context, TRUE, ech=unusable)


def test_the_objects_say_what_they_are_and_cannot_be_copied(store: ECHStore) -> None:
    offer = ECHOffer(store.config_list, sends_outer_server_name=False)
    assert PUBLIC in repr(store)
    assert "'no name' in the clear" in repr(offer)
    for each in (store, offer):
        with pytest.raises(TypeError, match="cannot be copied"):
            copy.copy(each)


def test_arguments_that_contradict_each_other_are_refused(store: ECHStore) -> None:
    with pytest.raises(ValueError, match="outer_server_name"):
        ECHOffer(store.config_list, outer_server_name="a.example", sends_outer_server_name=False)
    with pytest.raises(ValueError, match="address"):
        ECHOffer(store.config_list, outer_server_name="192.0.2.1")
    with pytest.raises(TypeError, match="sends_outer"):
        ECHOffer(store.config_list, sends_outer_server_name=0)  # type: ignore[arg-type]


# Sockets


@pytest.fixture
def address(authority: pyossl.Authority, store: ECHStore) -> Iterator[tuple[str, int]]:
    """A server that answers each client with the true name."""

    def answer() -> None:
        with contextlib.suppress(OSError):  # the listener has been closed: the test is over
            for tls, _ in listener:
                with tls, contextlib.suppress(pyossl.TLSError):
                    tls.settimeout(10)
                    tls.handshake()
                    tls.sendall(str(tls.connection.server_hostname).encode())

    listener = pyossl.listen(("127.0.0.1", 0), server_of(authority, store))
    thread = threading.Thread(target=answer)
    thread.start()
    yield listener.address[:2]
    listener.close()
    thread.join(10)


def test_a_socket_tries_again(address: tuple[str, int], context: Context, store: ECHStore, older: ECHStore) -> None:
    def fetch(ech: bytes) -> bytes:
        with pyossl.connect(address, context, server_hostname=TRUE, timeout=10, ech=ech) as tls:
            return tls.recv(100)

    with pytest.raises(ECHError) as caught:
        fetch(older.config_list)
    assert caught.value.retry_configs is not None
    assert fetch(caught.value.retry_configs) == TRUE.encode()
    wrapped = socket.create_connection(address)
    with context.wrap_socket(wrapped, TRUE, ech=store.config_list) as tls:
        assert tls.recv(100) == TRUE.encode()


def test_a_malformed_list_is_refused_before_anything_is_connected(context: Context) -> None:
    with pytest.raises(DecodeError):
        pyossl.connect(("192.0.2.1", 1), context, server_hostname=TRUE, timeout=10, ech=b"no list")
