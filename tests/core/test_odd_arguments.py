"""A wrong value raises TypeError or ValueError with a sentence, and never an exception from the call of C."""

from __future__ import annotations

import datetime
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from pairs import meet

import pyossl
from pyossl import Certificate, Context, Store
from pyossl.pyopenssl import SSL, crypto
from pyossl.tls.mutable.mutable_connection import MutableConnection
from pyossl.tls.mutable.mutable_context import Method, MutableContext

AUTHORITY = pyossl.Authority()
OWN = AUTHORITY.issue("example.com")


def new_context(is_server: bool) -> Context:
    if is_server:
        return Context.server(OWN.certificate, OWN.private_key, trust=AUTHORITY.certificate, verify=True)
    return Context.client(trust=AUTHORITY.certificate)


SETTABLE = sorted(
    name
    for name in dir(Context)
    if isinstance(value := getattr(Context, name), property) and value.fset is not None and not name.startswith("_")
)
METHODS = sorted(name for name in dir(Context) if name.startswith("set_"))

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**31, 2**32, 2**63, 2**64, 2**70, -1, -(2**31) - 1, -(2**70)]),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.dates(),
    st.datetimes(),
    st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=3), st.binary(max_size=3)), max_size=2),
    st.dictionaries(st.text(max_size=1), st.integers(), max_size=1),
    st.sampled_from([object(), object, int, range(3), pathlib.Path("x"), OWN, OWN.certificate, OWN.private_key]),
)


def refusal(change: Callable[[], object]) -> str | None:
    """The text of the exception, of a type that a program may expect; any other exception is raised."""
    try:
        change()
    except UnicodeDecodeError:
        raise
    except (TypeError, ValueError, pyossl.Error, OSError) as error:
        return str(error)
    return None


def is_refused_well(change: Callable[[], object]) -> None:
    """The call succeeds, or raises with a sentence that is not cffi's."""
    why = refusal(change)
    assert why is None or (why and "cdata" not in why and "initializer" not in why), why


@settings(max_examples=60)
@given(value=ODD)
@pytest.mark.parametrize("is_server", [False, True])
@pytest.mark.parametrize("name", SETTABLE)
def test_a_setting_takes_a_value_or_refuses_it(name: str, is_server: bool, value: object) -> None:
    context = new_context(is_server)
    is_refused_well(lambda: setattr(context, name, value))


@settings(max_examples=60)
@given(value=ODD)
@pytest.mark.parametrize("name", METHODS)
def test_a_method_that_sets_takes_a_value_or_refuses_it(name: str, value: object) -> None:
    context = new_context(False)
    is_refused_well(lambda: getattr(context, name)(value))


@settings(max_examples=60)
@given(value=ODD)
@pytest.mark.parametrize(
    "name",
    ["trust", "certificate", "private_key", "alpn", "minimum_version", "maximum_version", "verify", "check_hostname"],
)
def test_a_context_is_made_or_refused(name: str, value: object) -> None:
    pair = {"certificate": {"private_key": OWN.private_key}, "private_key": {"certificate": OWN.certificate}}
    arguments: dict[str, Any] = {"trust": AUTHORITY.certificate, **pair.get(name, {}), name: value}
    is_refused_well(lambda: Context.client(**arguments))


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("verify_depth", 2**40, ValueError),
        ("verify_depth", -2, ValueError),
        ("verify_depth", None, TypeError),
        ("verify_depth", True, TypeError),
        ("verify_depth", "2", TypeError),
        ("verify_flags", 2**70, ValueError),
        ("verify_flags", None, TypeError),
        ("options", 2**70, ValueError),
        ("options", -1, ValueError),
        ("options", "ALL", TypeError),
        ("modes", 2**70, ValueError),
        ("security_level", 2**40, ValueError),
        ("security_level", False, TypeError),
        ("session_timeout", 2**70, ValueError),
        ("session_timeout", 1.5, TypeError),
        ("session_cache_size", 2**70, ValueError),
        ("session_cache_size", None, TypeError),
        ("ticket_count", 2**70, ValueError),
        ("ticket_count", "2", TypeError),
        ("max_certificate_list", 0, ValueError),
        ("max_certificate_list", 2**70, ValueError),
        ("session_id_context", None, TypeError),
        ("session_id_context", [1, 2], TypeError),
        ("minimum_version", "TLSv1", ValueError),
        ("maximum_version", 5, ValueError),
        ("verify_callback", 5, TypeError),
        ("servername_callback", "no", TypeError),
        ("alpn_callback", ["h2"], TypeError),
        ("info_callback", 0, TypeError),
        ("keylog_callback", "path", TypeError),
        ("new_session_callback", {}, TypeError),
    ],
)
def test_a_wrong_argument_raises_the_fitting_exception(name: str, value: object, kind: type[Exception]) -> None:
    context = new_context(True)
    before = None if name.endswith("callback") else getattr(context, name)
    with pytest.raises(kind):
        setattr(context, name, value)
    if not name.endswith("callback"):
        assert getattr(context, name) == before


@pytest.mark.parametrize("moment", [None, 5, datetime.date(2026, 1, 1), "2026", datetime.datetime(2026, 1, 1)])
def test_a_time_to_verify_at_is_an_aware_datetime(moment: Any) -> None:
    for verify_at in new_context(False).set_verify_time, Store.of(AUTHORITY.certificate).set_time:
        with pytest.raises((TypeError, ValueError), match="the time to verify at is an aware datetime"):
            verify_at(moment)


@pytest.mark.parametrize("trust", [5, 2**31, [5], [2**31], [None], object()])
def test_the_trusted_certificates_are_not_a_number(trust: Any) -> None:
    """``os.path`` takes a number for a descriptor."""
    with pytest.raises(TypeError, match="trust"):
        Store.of(trust)


def test_a_purpose_is_a_str() -> None:
    for purpose in None, 5, b"sslserver":
        with pytest.raises(TypeError, match="a purpose is a str"):
            new_context(False).set_purpose(purpose)  # type: ignore[arg-type]


@pytest.mark.parametrize("alpn", [5, [b"h2"], [None], None, b"h2"])
def test_protocols_are_several_strs(alpn: Any) -> None:
    with pytest.raises(TypeError, match=r"alpn|ALPN"):
        Context.client(trust=AUTHORITY.certificate, alpn=alpn)


@pytest.mark.parametrize("version", ["TLSv1", 5, 2**70, "TLSv1_3", 1.5])
def test_a_version_is_one_of_the_enum(version: Any) -> None:
    for name in "minimum_version", "maximum_version":
        with pytest.raises(ValueError, match="is not a valid Version"):
            Context.client(trust=AUTHORITY.certificate, **{name: version})


@pytest.mark.parametrize("seconds", [None, "5", 2**70, -1, 1.5, True])
def test_the_timeout_of_a_session_is_a_number_of_seconds(seconds: Any) -> None:
    session = meet(new_context(False), Context.server(OWN.certificate, OWN.private_key))[0].session
    assert session is not None
    with pytest.raises((TypeError, ValueError), match="a session's timeout in seconds"):
        session.timeout = seconds


def test_a_session_is_loaded_for_a_context_and_a_name() -> None:
    session = meet(new_context(False), Context.server(OWN.certificate, OWN.private_key))[0].session
    assert session is not None
    with pytest.raises(TypeError, match="belongs to a Context"):
        pyossl.Session.load(session.to_der(), None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="server_hostname is a str or None"):
        pyossl.Session.load(session.to_der(), session.context, b"example.com")  # type: ignore[arg-type]


# C reads up to a NUL: the rest would be ignored


@pytest.fixture
def file(tmp_path: pathlib.Path) -> bytes:
    """A PEM file, whose name the test uses with a NUL and more text behind it."""
    path = tmp_path / "own.pem"
    path.write_bytes(OWN.certificate.to_pem() + OWN.private_key.to_pem())
    return bytes(path) + b"\0and more"


FACE: dict[str, Callable[[SSL.Context, bytes], object]] = {
    "load_verify_locations": lambda context, name: context.load_verify_locations(name),
    "load_verify_locations, a directory": lambda context, name: context.load_verify_locations(None, name),
    "use_certificate_file": lambda context, name: context.use_certificate_file(name),
    "use_certificate_chain_file": lambda context, name: context.use_certificate_chain_file(name),
    "use_privatekey_file": lambda context, name: context.use_privatekey_file(name),
    "load_client_ca": lambda context, name: context.load_client_ca(name),
    "load_tmp_dh": lambda context, name: context.load_tmp_dh(name),
    "set_cipher_list": lambda context, name: context.set_cipher_list(b"AES256-SHA\0:!all"),
    "set_tls13_ciphersuites": lambda context, name: context.set_tls13_ciphersuites(b"TLS_AES_256_GCM_SHA384\0:no"),
    "set_groups": lambda context, name: context.set_groups("P-256\0:no"),
    "set_sigalgs": lambda context, name: context.set_sigalgs("ECDSA+SHA256\0:no"),
    "set_tlsext_use_srtp": lambda context, name: context.set_tlsext_use_srtp(b"SRTP_AES128_CM_SHA1_80\0:no"),
    "store": lambda context, name: crypto.X509Store().load_locations(name),
    "store, a directory": lambda context, name: crypto.X509Store().load_locations(None, name),
    "set_tlsext_host_name": lambda context, name: SSL.Connection(context).set_tlsext_host_name(b"example.com\0.evil"),
}


@pytest.mark.parametrize("call", FACE)
def test_the_face_cuts_nothing_at_a_nul(call: str, file: bytes) -> None:
    with pytest.raises((ValueError, TypeError), match=r"NUL|null byte"):
        FACE[call](SSL.Context(SSL.TLS_METHOD), file)


class Curve:
    name = "secp256r1\0and more"


def test_a_curve_of_the_face_is_not_cut() -> None:
    with pytest.raises(ValueError, match="NUL"):
        SSL.Context(SSL.TLS_METHOD).set_tmp_ecdh(Curve())


NATIVE: dict[str, Callable[[Context], object]] = {
    "cipher list": lambda context: context.set_cipher_list("AES256-SHA\0"),
    "ciphersuites": lambda context: context.set_ciphersuites("TLS_AES_256_GCM_SHA384\0"),
    "groups": lambda context: context.set_groups("P-256\0"),
    "signature algorithms": lambda context: context.set_sigalgs("ECDSA+SHA256\0"),
    "client signature algorithms": lambda context: context.set_client_sigalgs("ECDSA+SHA256\0"),
    "command": lambda context: context.configure("CipherString\0", "ALL"),
    "value": lambda context: context.configure("CipherString", "ALL\0"),
    "section": lambda context: context.configure_section("system_default\0"),
    "purpose": lambda context: context.set_purpose("any\0"),
    "server name": lambda context: pyossl.Connection(context, "example.com\0.evil"),
    "other name": lambda context: pyossl.Connection(context, "example.com", other_names=["a.example\0.evil"]),
    "email": lambda context: pyossl.Connection(context, "example.com", email="a@example.com\0"),
    "trust": lambda context: Store.of("/etc\0"),
    "locations": lambda context: Store.empty().add_locations(b"/etc\0", None),
    "certificate": lambda context: pyossl.load_certificates("x\0"),
    "private key": lambda context: pyossl.PrivateKey.load("x\0"),
    "uri": lambda context: list(pyossl.load_uri("file:/etc\0")),
    "digest": lambda context: pyossl.DigestFilter("sha256\0"),
    "cipher": lambda context: pyossl.CipherFilter("aes-128-cbc\0", b"k" * 16, b"i" * 16),
    "file": lambda context: pyossl.BIO.file("x\0"),
    "host": lambda context: pyossl.ConnectBIO(("localhost\0.evil", 1)),
    "address": lambda context: pyossl.AcceptBIO(("127.0.0.1\0.evil", 0)),
    "fingerprint": lambda context: OWN.certificate.fingerprint("sha256\0"),
    "extension": lambda context: pyossl.Extension("1.2.3\0", b""),
    "face's server name": lambda context: MutableConnection(MutableContext(Method.TLS)).send_server_name(b"a\0"),
    "face's peer": lambda context: MutableConnection(MutableContext(Method.TLS)).expect_name("a\0"),
}


@pytest.mark.parametrize("call", NATIVE)
def test_the_native_api_cuts_nothing_at_a_nul(call: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        NATIVE[call](new_context(False))
    assert not isinstance(caught.value, pyossl.DecodeError)


ODD: dict[str, Callable[[Store, Certificate], object]] = {
    "no certificate": lambda store, leaf: store.verify(None),  # type: ignore[arg-type]
    "text between": lambda store, leaf: store.verify(leaf, "abc"),  # type: ignore[arg-type]
    "text for CRLs": lambda store, leaf: store.verify(leaf, crls="abc"),  # type: ignore[arg-type]
    "a depth": lambda store, leaf: store.verify(leaf, depth=2**31),
    "a level": lambda store, leaf: store.verify(leaf, security_level=6),
    "a level below 0": lambda store, leaf: store.verify(leaf, security_level=-1),
    "flags": lambda store, leaf: store.verify(leaf, flags=-1),  # type: ignore[arg-type]
    "nobody's key": lambda store, leaf: leaf.belongs_to(None),  # type: ignore[arg-type]
    "nobody's signature": lambda store, leaf: leaf.is_signed_by(None),  # type: ignore[arg-type]
    "bytes with gaps": lambda store, leaf: pyossl.BIO.memory().write(memoryview(b"abcdef")[::2]),
    "a connection's": lambda store, leaf: pyossl.Connection(pyossl.Context.client(), "a.b").write(
        memoryview(b"abc")[::2]
    ),
    "no session": lambda store, leaf: pyossl.Connection(pyossl.Context.client(), "a.b", session=5),  # type: ignore[arg-type]
    "no socket": lambda store, leaf: pyossl.Context.client().wrap_socket(5, "a.b"),  # type: ignore[arg-type]
    "no descriptor": lambda store, leaf: pyossl.BIO.socket(1.5),  # type: ignore[arg-type]
    "a large descriptor": lambda store, leaf: pyossl.BIO.fd(2**70),
    "a port": lambda store, leaf: pyossl.connect(("127.0.0.1", 2**70)),
    "a pair's size": lambda store, leaf: pyossl.BIO.pair(2**70),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_argument_is_refused_in_a_sentence(name: str, credentials: pyossl.Credentials) -> None:
    store = Store.of(credentials.certificate)
    with pytest.raises((TypeError, ValueError)) as caught:
        ODD[name](store, credentials.certificate)
    assert type(caught.value) in (TypeError, ValueError)
    assert " " in str(caught.value)
