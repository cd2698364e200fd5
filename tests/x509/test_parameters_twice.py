"""Each setter of a verification parameter, called twice with looser and stricter values: the last one counts.

The tests check the result of verification, in a handshake or without one, and not the value of a getter.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from pairs import shake_hands
from pyopenssl import pyopenssl_pairs
from pyopenssl.pyopenssl_pairs import AUTHORITY, CREDENTIALS
from x509.certificate_making import DAY, NOW, Made, make

import pyossl
from pyossl import Certificate, Context, PrivateKey, Store, VerifyFlags
from pyossl.pyopenssl import SSL, crypto

NAMES = x509.SubjectAlternativeName([x509.DNSName("localhost")])
FOR_SERVERS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
IN_TIME, TOO_LATE = NOW + DAY, NOW + 3000 * DAY


@pytest.fixture(autouse=True)
def _deprecated() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@pytest.fixture(scope="module")
def chain() -> tuple[Made, Made, Made]:
    """A server's certificate, an intermediate and a root."""
    root = make("the root", ca=True)
    between = make("between", root, ca=True)
    return make("the leaf", between, extensions=[(NAMES, False), (FOR_SERVERS, False)]), between, root


def ours(made: Made) -> Certificate:
    return Certificate.load(made.der)


def shakes_hands(client: Context, *shown: Made) -> bool:
    """Whether a client accepts a server with these certificates."""
    server = Context.server([ours(each) for each in shown], PrivateKey.load(shown[0].key_pem))
    try:
        shake_hands(pyossl.Connection(client, "localhost"), pyossl.Connection(server))
    except pyossl.Error:
        return False
    return True


ORDERS = list(itertools.product(["loose", "strict"], repeat=2))

CONTEXT_SETTERS: dict[str, tuple[Callable[[Context, Any], object], Any, Any]] = {
    "time": (Context.set_verify_time, IN_TIME, TOO_LATE),
    "an earlier time": (Context.set_verify_time, IN_TIME, NOW - 3000 * DAY),
    "purpose": (Context.set_purpose, "sslserver", "sslclient"),
    "any purpose": (Context.set_purpose, "any", "sslclient"),
    "depth": (lambda context, depth: setattr(context, "verify_depth", depth), 5, 0),
    "flags": (lambda context, flags: setattr(context, "verify_flags", flags), VerifyFlags(0), VerifyFlags.CRL_CHECK),
    "level": (lambda context, level: setattr(context, "security_level", level), 1, 4),
}


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
@pytest.mark.parametrize("what", CONTEXT_SETTERS)
def test_of_two_settings_of_a_context_the_last_counts(
    what: str, order: tuple[str, str], chain: tuple[Made, Made, Made]
) -> None:
    setter, loose, strict = CONTEXT_SETTERS[what]
    leaf, between, root = chain
    context = Context.client(trust=ours(root))
    for each in order:
        setter(context, loose if each == "loose" else strict)
    assert shakes_hands(context, leaf, between) == (order[-1] == "loose")


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_of_two_times_of_a_store_the_last_counts(order: tuple[str, str], chain: tuple[Made, Made, Made]) -> None:
    leaf, between, root = chain
    store = Store.of(ours(root))
    for each in order:
        store.set_time(IN_TIME if each == "loose" else TOO_LATE)
    accepted = order[-1] == "loose"
    if accepted:
        store.verify(ours(leaf), [ours(between)])
    else:
        with pytest.raises(pyossl.CertificateError) as refused:
            store.verify(ours(leaf), [ours(between)])
        assert refused.value.code == pyossl.lib.X509_V_ERR_CERT_HAS_EXPIRED
    assert shakes_hands(Context.client(trust=store), leaf, between) == accepted


@pytest.mark.parametrize("of_store", [IN_TIME, TOO_LATE], ids=["in time", "too late"])
@pytest.mark.parametrize("of_context", [IN_TIME, TOO_LATE], ids=["in time", "too late"])
@pytest.mark.parametrize("store_first", [False, True])
def test_the_time_of_a_context_takes_the_place_of_its_store_s(
    of_store: Any, of_context: Any, store_first: bool, chain: tuple[Made, Made, Made]
) -> None:
    leaf, between, root = chain
    store = Store.of(ours(root))
    if store_first:
        store.set_time(of_store)
    context = Context.client(trust=store)
    context.set_verify_time(of_context)
    if not store_first:
        store.set_time(of_store)
    assert shakes_hands(context, leaf, between) == (of_context == IN_TIME)


@pytest.mark.parametrize("flags", [VerifyFlags(0), VerifyFlags.PARTIAL_CHAIN, VerifyFlags.TRUSTED_FIRST])
def test_flags_do_not_take_a_context_s_time_away(flags: VerifyFlags, chain: tuple[Made, Made, Made]) -> None:
    leaf, between, root = chain
    context = Context.client(trust=ours(root))
    context.set_verify_time(TOO_LATE)
    context.verify_flags = flags
    assert not shakes_hands(context, leaf, between)
    assert flags in context.verify_flags


TIMES = {"none": None, "in time": IN_TIME, "too late": TOO_LATE}


@pytest.mark.parametrize("of_first", TIMES)
@pytest.mark.parametrize("of_second", TIMES)
@pytest.mark.parametrize("of_store", TIMES)
def test_a_server_goes_on_with_the_time_of_the_context_that_its_callback_chose(
    of_first: str, of_second: str, of_store: str, chain: tuple[Made, Made, Made]
) -> None:
    leaf, between, root = chain
    shown, key = [ours(leaf), ours(between)], PrivateKey.load(leaf.key_pem)
    contexts = []
    for moment in (of_first, of_second):
        store = Store.of(ours(root))
        if of_store != "none":
            store.set_time(TIMES[of_store])  # type: ignore[arg-type]
        context = Context.server(shown, key, trust=store, verify=True)
        if moment != "none":
            context.set_verify_time(TIMES[moment])  # type: ignore[arg-type]
        contexts.append(context)
    contexts[0].servername_callback = lambda connection, name: contexts[1]
    own = make("a client", between)
    client = Context.client(trust=ours(root), certificate=[ours(own), ours(between)], private_key=own.key_pem)
    try:
        shake_hands(pyossl.Connection(client, "localhost"), pyossl.Connection(contexts[0]))
        accepted = True
    except pyossl.CertificateError:
        accepted = False
    assert accepted == ((of_store if of_second == "none" else of_second) != "too late")


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_a_moment_of_one_verification_takes_the_place_of_the_store_s_time(
    order: tuple[str, str], chain: tuple[Made, Made, Made]
) -> None:
    leaf, between, root = map(ours, chain)
    store = Store.of(root)
    of_store, moment = (IN_TIME if each == "loose" else TOO_LATE for each in order)
    store.set_time(of_store)
    if moment == IN_TIME:
        store.verify(leaf, [between], moment=moment)
    else:
        with pytest.raises(pyossl.CertificateError):
            store.verify(leaf, [between], moment=moment)


def test_flags_are_added_to_a_store_s_and_none_is_taken_away(chain: tuple[Made, Made, Made]) -> None:
    leaf, between, root = map(ours, chain)
    for first, second in ((VerifyFlags.CRL_CHECK, VerifyFlags(0)), (VerifyFlags(0), VerifyFlags.CRL_CHECK)):
        store = Store.of(root)
        store.add_flags(first)
        store.add_flags(second)
        with pytest.raises(pyossl.CertificateError) as refused:
            store.verify(leaf, [between])
        assert refused.value.code == pyossl.lib.X509_V_ERR_UNABLE_TO_GET_CRL
        assert not shakes_hands(Context.client(trust=store), *chain[:2])
        partial = Store.of(between)
        partial.add_flags(VerifyFlags.PARTIAL_CHAIN)
        partial.add_flags(VerifyFlags(0))
        partial.verify(leaf)
    store = Store.of(root)
    store.set_time(TOO_LATE)
    store.add_flags(VerifyFlags.PARTIAL_CHAIN)
    with pytest.raises(pyossl.CertificateError, match="expired"):
        store.verify(leaf, [between])


# The pyOpenSSL face


def face(certificate: Certificate) -> crypto.X509:
    return crypto.load_certificate(crypto.FILETYPE_PEM, certificate.to_pem())


def face_accepts(prepare: Callable[[SSL.Context, Callable[[], SSL.Connection]], object], *shown: Made) -> bool:
    """Whether a pyOpenSSL client that trusts ``AUTHORITY`` accepts its certificate, or the given ones."""
    client_context, server_context = pyopenssl_pairs.contexts()
    if shown:
        leaf, *others = map(ours, shown)
        server_context.use_certificate(face(leaf))
        server_context._core.use_private_key(PrivateKey.load(shown[0].key_pem))
        for each in others:
            server_context.add_extra_chain_cert(face(each))
    store = client_context.get_cert_store()
    assert store is not None
    store.add_cert(face(AUTHORITY.certificate))
    client_context.set_verify(SSL.VERIFY_PEER)
    connections: list[SSL.Connection] = []

    def connect() -> SSL.Connection:
        if not connections:
            connections.append(SSL.Connection(client_context))
        return connections[0]

    prepare(client_context, connect)
    try:
        pyopenssl_pairs.shake_hands(connect(), SSL.Connection(server_context))
    except SSL.Error:
        return False
    return True


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_of_two_times_of_the_face_s_store_the_last_counts(order: tuple[str, str]) -> None:
    times = [(IN_TIME if each == "loose" else TOO_LATE).replace(tzinfo=None) for each in order]
    store = crypto.X509Store()
    store.add_cert(face(AUTHORITY.certificate))
    for each in times:
        store.set_time(each)
    context = crypto.X509StoreContext(store, face(CREDENTIALS.certificate))
    if order[-1] == "loose":
        context.verify_certificate()
    else:
        with pytest.raises(crypto.X509StoreContextError, match="expired"):
            context.verify_certificate()

    def prepare(context: SSL.Context, _: Callable[[], SSL.Connection]) -> None:
        for each in times:
            context.get_cert_store().set_time(each)  # type: ignore[union-attr]

    assert face_accepts(prepare) == (order[-1] == "loose")


def test_flags_are_added_to_the_face_s_store_s() -> None:
    """As with pyOpenSSL."""
    check = crypto.X509StoreFlags.CRL_CHECK
    for flags in ((check, 0), (0, check)):
        store = crypto.X509Store()
        store.add_cert(face(AUTHORITY.certificate))
        for each in flags:
            store.set_flags(each)
        with pytest.raises(crypto.X509StoreContextError, match="CRL"):
            crypto.X509StoreContext(store, face(CREDENTIALS.certificate)).verify_certificate()


FACE_SETTERS: dict[str, tuple[Callable[[SSL.Context, Callable[[], SSL.Connection], Any], object], Any, Any]] = {
    "context's depth": (lambda context, _, depth: context.set_verify_depth(depth), 5, 0),
    "context's mode": (lambda context, _, mode: context.set_verify(mode), SSL.VERIFY_NONE, SSL.VERIFY_PEER),
    "connection's mode": (lambda _, connect, mode: connect().set_verify(mode), SSL.VERIFY_NONE, SSL.VERIFY_PEER),
    "name": (lambda _, connect, name: connect().set_verify_host(name), "localhost", "example.com"),
    "address": (lambda _, connect, name: connect().set_verify_host(name), "127.0.0.1", "127.0.0.2"),
    "name and address": (lambda _, connect, name: connect().set_verify_host(name), "localhost", "127.0.0.2"),
    "address and name": (lambda _, connect, name: connect().set_verify_host(name), "127.0.0.1", "example.com"),
}


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
@pytest.mark.parametrize("what", FACE_SETTERS)
def test_of_two_settings_of_the_face_the_last_counts(
    what: str, order: tuple[str, str], chain: tuple[Made, Made, Made]
) -> None:
    setter, loose, strict = FACE_SETTERS[what]
    root = make("the root of the face", ca=True)
    between = make("between", root, ca=True)
    deep = make("localhost", between, extensions=[(NAMES, False)]), between

    def prepare(context: SSL.Context, connect: Callable[[], SSL.Connection]) -> None:
        if what == "context's depth":
            context.get_cert_store().add_cert(face(ours(root)))  # type: ignore[union-attr]
        for each in order:
            setter(context, connect, loose if each == "loose" else strict)

    shown = deep if what == "context's depth" else deep[:1] if "mode" in what else ()
    assert face_accepts(prepare, *shown) == (order[-1] == "loose")
