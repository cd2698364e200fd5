"""Keys for SRTP: the profile that DTLS negotiates, and the keys that both sides derive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from marks import needs, without
from pairs import shake_hands
from pyopenssl.pyopenssl_pairs import shake_hands as finish

import pyossl
from pyossl import Error, SRTPKeys, UsageError, lib
from pyossl.errors import NotDueError, UnsupportedError
from pyossl.pyopenssl import SSL
from pyossl.tls.mutable.mutable_connection import MutableConnection
from pyossl.tls.mutable.mutable_context import Method, MutableContext
from pyossl.tls.mutable.srtp import _SIZES

SHA1, GCM = "SRTP_AES128_CM_SHA1_80", "SRTP_AEAD_AES_128_GCM"
KNOWN = list(_SIZES) if lib.HAVE_API_3_5 else [SHA1, "SRTP_AES128_CM_SHA1_32", GCM, "SRTP_AEAD_AES_256_GCM"]


def datagram_contexts(
    client: Sequence[str], server: Sequence[str], credentials: pyossl.Credentials, method: Method = Method.DTLS
) -> tuple[MutableContext, MutableContext]:
    both = MutableContext(method), MutableContext(method)
    both[1].use_certificate(credentials.certificate)
    both[1].use_private_key(credentials.private_key)
    for context, profiles in zip(both, (client, server), strict=True):
        if profiles:
            context.srtp_profiles = tuple(profiles)
    return both


def before_handshake(contexts: tuple[MutableContext, MutableContext]) -> tuple[MutableConnection, MutableConnection]:
    client, server = (MutableConnection(each) for each in contexts)
    client.set_connect_state()
    server.set_accept_state()
    return client, server


def meet(
    client: Sequence[str], server: Sequence[str], credentials: pyossl.Credentials, method: Method = Method.DTLS
) -> tuple[MutableConnection, MutableConnection]:
    both = before_handshake(datagram_contexts(client, server, credentials, method))
    shake_hands(*both)
    return both


def parts(keys: SRTPKeys) -> tuple[bytes, ...]:
    return keys.client_key, keys.server_key, keys.client_salt, keys.server_salt


@pytest.mark.feature("profile and keys for SRTP, over DTLS")
@needs("srtp", "dtls")
@pytest.mark.parametrize("profile", _SIZES)
def test_both_sides_have_the_profile_and_the_same_keys(profile: str, credentials: pyossl.Credentials) -> None:
    if profile not in KNOWN:
        with pytest.raises(Error, match="srtp unknown protection profile"):
            MutableContext(Method.DTLS).srtp_profiles = (profile,)
        return
    client, server = meet([profile], [profile], credentials)
    assert client.srtp_profile == server.srtp_profile == profile
    ours, theirs = client.srtp_keys(), server.srtp_keys()
    assert parts(ours) == parts(theirs)
    assert len({*parts(ours)}) == 4
    key, salt = _SIZES[profile]
    assert [len(each) for each in parts(ours)] == [key, key, salt, salt]
    material = client.export_keying_material("EXTRACTOR-dtls_srtp", SRTPKeys.size(profile))
    assert b"".join(parts(ours)) == material  # in the order of RFC 5764, 4.2
    assert ours.profile == profile


@needs("srtp", "dtls")
@pytest.mark.parametrize(
    ("client", "server", "selected"),
    [
        ([SHA1, GCM], [GCM, SHA1], GCM),
        ([GCM, SHA1], [SHA1, GCM], SHA1),
        ([SHA1], [GCM, SHA1], SHA1),
        ([SHA1], [GCM], None),
        ([SHA1], [], None),
        ([], [SHA1], None),
    ],
)
def test_the_servers_order_decides_and_without_a_common_profile_there_are_no_keys(
    client: list[str], server: list[str], selected: str | None, credentials: pyossl.Credentials
) -> None:
    for each in meet(client, server, credentials):
        assert each.srtp_profile == selected
        if selected is None:
            with pytest.raises(Error, match="no SRTP profile was selected"):
                each.srtp_keys()


@needs("srtp", "dtls")
def test_profiles_are_for_dtls() -> None:
    with pytest.raises(UsageError, match="only for DTLS"):
        MutableContext(Method.TLS).srtp_profiles = (SHA1,)


@needs("srtp", "dtls")
def test_a_tls_client_that_offers_profiles_is_refused(credentials: pyossl.Credentials) -> None:
    """docs/pitfalls.md, 89."""
    client, server = datagram_contexts([], [], credentials, Method.TLS)
    client.use_srtp(SHA1.encode())
    with pytest.raises(pyossl.TLSError, match="bad extension"):
        shake_hands(*before_handshake((client, server)))


@needs("srtp", "dtls")
def test_before_the_handshake_is_finished_there_are_no_keys(credentials: pyossl.Credentials) -> None:
    client, _ = before_handshake(datagram_contexts([SHA1], [SHA1], credentials))
    assert client.srtp_profile is None
    with pytest.raises(NotDueError):
        client.srtp_keys()


@needs("srtp", "dtls")
@pytest.mark.parametrize(
    ("profiles", "error"),
    [
        ((), ValueError),
        (("SRTP_NONE",), Error),
        ((SHA1, SHA1), Error),
        (("",), Error),
        ((SHA1 + "\0",), ValueError),
        (SHA1, TypeError),
        ((SHA1.encode(),), TypeError),
        (None, TypeError),
    ],
)
def test_profiles_that_cannot_be_used_are_refused_and_change_nothing(profiles: Any, error: type[Exception]) -> None:
    context = MutableContext(Method.DTLS)
    assert context.srtp_profiles == ()
    context.srtp_profiles = [GCM, SHA1]  # type: ignore[assignment]  # any iterable
    with pytest.raises(error):
        context.srtp_profiles = profiles
    assert context.srtp_profiles == (GCM, SHA1)


@needs("srtp", "dtls")
def test_a_frozen_context_keeps_its_profiles() -> None:
    context = MutableContext(Method.DTLS)
    MutableConnection(context)
    with pytest.raises(UsageError, match="frozen"):
        context.srtp_profiles = (SHA1,)


@without("srtp")
def test_an_openssl_without_srtp_says_so() -> None:
    with pytest.raises(UnsupportedError, match="SRTP"):
        MutableContext(Method.TLS).srtp_profiles = (SHA1,)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("SRTP_NONE", bytes(60)), ValueError),
        ((SHA1, bytes(59)), ValueError),
        ((SHA1, bytes(61)), ValueError),
        ((SHA1, b""), ValueError),
        ((SHA1, "material"), TypeError),
        ((SHA1, None), TypeError),
        ((1, bytes(60)), TypeError),
    ],
)
def test_material_that_does_not_fit_the_profile_is_refused(arguments: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        SRTPKeys(*arguments)


def test_the_keys_do_not_show_themselves() -> None:
    keys = SRTPKeys(SHA1.encode(), b"secret" * 10)
    assert repr(keys) == f"<SRTPKeys {SHA1}>"
    assert "secret" not in str(keys)


@needs("srtp", "dtls")
def test_programs_for_pyopenssl_have_the_same_keys(credentials: pyossl.Credentials) -> None:
    contexts = SSL.Context(SSL.DTLS_METHOD), SSL.Context(SSL.DTLS_METHOD)
    contexts[1]._core.use_certificate(credentials.certificate)
    contexts[1]._core.use_private_key(credentials.private_key)
    for context in contexts:
        context.set_tlsext_use_srtp(b"SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80")
    client, server = (SSL.Connection(context, None) for context in contexts)
    finish(client, server)
    keys = []
    for each in (client, server):
        profile = each.get_selected_srtp_profile()
        assert profile == GCM.encode()
        material = each.export_keying_material(SRTPKeys.LABEL.encode(), SRTPKeys.size(profile))
        keys.append(parts(SRTPKeys(profile, material)))
    assert keys[0] == keys[1]
