"""How a mutable connection compares its peer's name: by the host flags of its context."""

from __future__ import annotations

import pytest
from cryptography import x509
from pairs import shake_hands
from x509.certificate_making import common_name, make

import pyossl
from pyossl import lib
from pyossl.tls.mutable.mutable_connection import MutableConnection
from pyossl.tls.mutable.mutable_context import Method, MutableContext

NEVER_SUBJECT = lib.X509_CHECK_FLAG_NEVER_CHECK_SUBJECT
WHOLE_LABELS = lib.X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS


def meets(name: str, flags: int, *names: str, subject: str = "nobody", is_address: bool = False) -> bool:
    """Whether a client with these flags accepts a certificate with these alternative names."""
    extensions = [(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), False)] if names else []
    made = make(common_name(subject), extensions=extensions)  # type: ignore[arg-type]
    certificate, key = pyossl.Certificate.load(made.der), pyossl.PrivateKey.load(made.key_pem)
    context = MutableContext(Method.TLS_CLIENT, live=True)
    assert context.host_flags == 0
    context.host_flags = flags
    assert context.host_flags == flags
    context.store.add(certificate)
    context.set_verify(lib.SSL_VERIFY_PEER, None)
    client = MutableConnection(context)
    client.set_connect_state()
    client.expect_peer(name.encode(), is_address=is_address)
    server = pyossl.Connection(pyossl.Context.server(certificate, key))
    try:
        shake_hands(client, server)
    except pyossl.CertificateError:
        return False
    return True


@pytest.mark.parametrize(("flags", "accepted"), [(0, True), (NEVER_SUBJECT, False)])
def test_the_common_name_is_compared_only_if_the_flags_say_so(flags: int, accepted: bool) -> None:
    assert meets("common.example", flags, subject="common.example") is accepted


@pytest.mark.parametrize(("flags", "accepted"), [(0, True), (WHOLE_LABELS, False)])
def test_a_wildcard_may_be_a_part_of_a_label_if_the_flags_say_so(flags: int, accepted: bool) -> None:
    assert meets("www1.example.com", flags, "www*.example.com") is accepted


def test_another_name_is_refused_whatever_the_flags_are() -> None:
    for flags in (0, NEVER_SUBJECT, WHOLE_LABELS):
        assert meets("example.com", flags, "example.com")
        assert not meets("example.org", flags, "example.com")
        assert not meets("192.0.2.1", flags, "example.com", is_address=True)


def test_a_name_with_a_nul_or_an_invalid_address_is_refused() -> None:
    client = MutableConnection(MutableContext(Method.TLS_CLIENT))
    with pytest.raises(ValueError, match="NUL"):
        client.expect_peer(b"example.com\0.example.org", is_address=False)
    with pytest.raises(ValueError, match="refuses") as refused:
        client.expect_peer(b"example.com", is_address=True)
    assert "SSL_set1_ipaddr failed" in str(refused.value.__cause__)


@pytest.mark.parametrize("flags", [-1, 1 << 32, "0", None])
def test_host_flags_are_a_number_of_32_bits(flags: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        MutableContext(Method.TLS).host_flags = flags  # type: ignore[assignment]
