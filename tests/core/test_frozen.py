"""The settings of a connection do not change after it was made: its context freezes, and all objects in it.
docs/pitfalls.md, 14"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest
from pairs import meet, shake_hands

import pyossl
from pyossl import Connection, Context, Store, UsageError
from pyossl.tls.mutable.mutable_context import Method, MutableContext

NOW = datetime.datetime.now(datetime.timezone.utc)


def change_by_a_certificate(store: Store, authority: pyossl.Authority) -> None:
    store.add(authority.certificate)


def change_by_pem(store: Store, authority: pyossl.Authority) -> None:
    store.add(authority.certificate.to_pem())


def change_by_a_directory(store: Store, authority: pyossl.Authority) -> None:
    store.add(Path(__file__).parent)


def change_by_crls(store: Store, authority: pyossl.Authority) -> None:
    store.add_crl(b"")


def change_by_locations(store: Store, authority: pyossl.Authority) -> None:
    store.add_locations(None, b"/")


def change_the_flags(store: Store, authority: pyossl.Authority) -> None:
    store.add_flags(0)


def change_the_time(store: Store, authority: pyossl.Authority) -> None:
    store.set_time(NOW)


def trust_the_system(store: Store, authority: pyossl.Authority) -> None:
    store.trust_system()


EVERY_CHANGE = pytest.mark.parametrize(
    "change",
    [
        change_by_a_certificate,
        change_by_pem,
        change_by_a_directory,
        change_by_crls,
        change_by_locations,
        change_the_flags,
        change_the_time,
        trust_the_system,
    ],
)
Change = Callable[[Store, pyossl.Authority], None]


@EVERY_CHANGE
def test_the_store_of_a_frozen_context_is_frozen(change: Change, authority: pyossl.Authority) -> None:
    store = Store.of(authority.certificate)
    context = Context.client(trust=store)
    store.add(pyossl.Authority("another").certificate)
    Connection(context, "example.com")
    with pytest.raises(UsageError, match="store is frozen"):
        change(store, pyossl.Authority("evil"))
    assert len(store.certificates) == 2


def test_a_store_that_two_contexts_share_freezes_with_the_first(authority: pyossl.Authority) -> None:
    store = Store.of(authority.certificate)
    frozen, other = Context.client(trust=store), Context.client(trust=store)
    Connection(frozen, "example.com")
    with pytest.raises(UsageError, match="frozen"):
        store.add(pyossl.Authority("evil").certificate)
    assert not other._frozen


def test_a_servers_store_freezes_and_one_that_is_chosen_by_the_name(
    authority: pyossl.Authority, credentials: pyossl.Credentials, client_context: Context
) -> None:
    stores = [Store.of(authority.certificate) for _ in range(2)]
    first, chosen = (
        Context.server(credentials.certificate, credentials.private_key, trust=store, verify="optional")
        for store in stores
    )
    first.servername_callback = lambda connection, name: chosen
    shake_hands(Connection(client_context, "example.com"), Connection(first))
    for store in stores:
        with pytest.raises(UsageError, match="frozen"):
            store.add(pyossl.Authority("evil").certificate)


def test_an_untrusted_peer_is_refused_after_every_attempt(authority: pyossl.Authority) -> None:
    evil = pyossl.Authority("evil")
    fake = evil.issue("example.com")
    store = Store.of(authority.certificate)
    context = Context.client(trust=store)
    for _ in range(2):
        with pytest.raises(pyossl.CertificateError):
            meet(context, Context.server(fake.certificate, fake.private_key))
        with pytest.raises(UsageError):
            store.add(evil.certificate)


def test_a_frozen_store_still_verifies(authority: pyossl.Authority, credentials: pyossl.Credentials) -> None:
    store = Store.of(authority.certificate)
    Connection(Context.client(trust=store), "example.com")
    assert store.verify(credentials.certificate)[-1] == authority.certificate
    assert Store.of(store.certificates).identity == store.identity


@pytest.mark.parametrize("name", ["callbacks", "is_server", "socket_face", "store", "verifies", "checks_hostname"])
def test_a_context_has_nothing_public_that_could_be_exchanged(name: str, client_context: Context) -> None:
    with pytest.raises(AttributeError):
        setattr(client_context, name, None)


def test_a_contexts_callbacks_are_no_public_object(client_context: Context) -> None:
    assert not hasattr(client_context, "callbacks")


def test_every_public_setting_of_a_frozen_context_is_refused(client_context: Context, server_context: Context) -> None:
    """It finds the settings by introspection, so that new ones are tested too."""
    for context in client_context, server_context:
        context._freeze()
        settable = [
            name
            for kind in type(context).__mro__
            for name, value in vars(kind).items()
            if isinstance(value, property) and value.fset is not None
        ]
        assert len(settable) >= 19
        for name in settable:
            with pytest.raises(UsageError, match="frozen"):
                setattr(context, name, None)
        for name in dir(context):
            if name.startswith(("set_", "configure")):
                method = getattr(context, name)
                arguments = ("a", "b") if name in ("configure", "set_pipelines") else ("a",)
                with pytest.raises(UsageError, match="frozen"):
                    method(*arguments)


@pytest.mark.parametrize("name", ["server_hostname", "other_names", "email", "context", "id"])
def test_what_a_session_was_verified_for_stays(name: str, client_context: Context, server_context: Context) -> None:
    session = meet(client_context, server_context)[0].session
    assert session is not None
    with pytest.raises(AttributeError):
        setattr(session, name, "evil.example")


def test_the_directories_of_a_store_are_read_only(tmp_path: Path) -> None:
    store = Store.of(tmp_path)
    with pytest.raises(AttributeError):
        store.directories = ()  # type: ignore[misc]
    assert store.directories == (tmp_path.as_posix(),)


def test_the_store_of_a_generic_context_can_be_added_to_at_any_time(authority: pyossl.Authority) -> None:
    """Programs for pyOpenSSL do."""
    context = MutableContext(Method.TLS)
    context._freeze()
    context.store.add(authority.certificate)
    assert authority.certificate in context.store.certificates


@pytest.mark.parametrize("verify", [None, 0, 1, "", "yes", [], b""])
def test_only_false_turns_verification_off(verify: object) -> None:
    with pytest.raises(TypeError, match="verify is True or False"):
        Context.client(verify=verify)  # type: ignore[arg-type]


@pytest.mark.parametrize("check_hostname", [None, 0, 1, "", "no"])
def test_only_false_checks_no_names(check_hostname: object) -> None:
    with pytest.raises(TypeError, match="check_hostname is True or False"):
        Context.client(check_hostname=check_hostname)  # type: ignore[arg-type]


@pytest.mark.parametrize("verify", [None, 0, 1, 1.0, "", "required", [], b"optional"])
def test_a_server_s_verify_is_true_false_or_optional_and_no_equal_value(
    verify: object, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    with pytest.raises((TypeError, ValueError), match="verify is True, False, 'optional' or 'later'"):
        Context.server(
            credentials.certificate,
            credentials.private_key,
            trust=authority.certificate,
            verify=verify,  # type: ignore[arg-type]
        )


def test_one_name_as_text_is_not_several_names(client_context: Context) -> None:
    with pytest.raises(TypeError, match="several DNS names, not one str"):
        Connection(client_context, "example.com", other_names="evil")


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_without_its_callback_a_server_selects_by_its_list_again(
    protocol: str, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    server_context = Context.server(credentials.certificate, credentials.private_key, alpn=[protocol])
    server_context.alpn_callback = lambda connection, offered: None
    server_context.alpn_callback = None
    client_context = Context.client(trust=authority.certificate, alpn=["http/1.1", "h2"])
    assert meet(client_context, server_context)[0].alpn == protocol


def test_a_context_is_made_once(credentials: pyossl.Credentials) -> None:
    context = Context.client(trust=credentials.certificate)
    with pytest.raises(UsageError, match="initialised already"):
        context.__init__(is_server=False)  # type: ignore[misc]
    assert context.verifies
