"""Reference names: the expected name of the peer, in the form that OpenSSL compares (docs/pitfalls.md, 21)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

import pytest
from pairs import carry, shake_hands

import pyossl
from pyossl import Want, lib
from pyossl.x509.reference_name import reference_name


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("example.com", "example.com"),
        ("example.com.", "example.com"),
        ("EXAMPLE.com", "EXAMPLE.com"),
        ("localhost", "localhost"),
        ("a_b.example", "a_b.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("bücher.example.", "xn--bcher-kva.example"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
        (".".join(["a" * 49] * 5), ".".join(["a" * 49] * 5)),
    ],
)
def test_a_dns_name_is_ascii_without_a_trailing_dot(name: str, reference: str) -> None:
    assert reference_name(name) == (reference, False)


@pytest.mark.feature("IP address as reference name")
@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8::1", "2001:db8::1"),
        (ipaddress.ip_address("192.0.2.1"), "192.0.2.1"),
        (ipaddress.ip_address("fe80::1%2"), "fe80::1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("１２７.0.0.1", "127.0.0.1"),  # noqa: RUF001  # IDNA converts these to ASCII digits
    ],
)
def test_an_address_is_an_address_however_it_is_written(name: str, reference: str) -> None:
    """docs/pitfalls.md, 21: "Strip a trailing dot and a scope id." As a DNS name it would be sent in
    SNI, and never match.
    """
    assert reference_name(name) == (reference, True)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a..b",
        ".example.com",
        "example.com..",
        "a" * 64 + ".example",
        ".".join(["a" * 50] * 6),
        "example.com\x00.evil.example",
        "exa mple.com",
        "*.example.com",
        "example.com/path",
        "example.com:443",
        "user@example.com",
        "[example.com]",
        "example.com\n",
        "ü" * 64 + ".example",
    ],
)
def test_a_name_that_no_certificate_can_be_for_is_refused(name: str) -> None:
    """The issue: "names with NUL, empty, over-long ..." """
    with pytest.raises(ValueError, match="server name"):
        reference_name(name)


@pytest.mark.parametrize("name", [b"example.com", 127, None, ("example.com",)])
def test_a_name_is_text_or_an_address(name: object) -> None:
    with pytest.raises(TypeError, match="server name"):
        reference_name(name)  # type: ignore[arg-type]


# How connections use them


def test_a_name_of_one_character_is_refused_with_the_reason_where_openssl_takes_none(
    client_context: pyossl.Context,
) -> None:
    """SSL_set1_dnsname(3) leaves the error queue empty, so the exception itself gives the reason."""
    if pyossl.features.typed_names:
        with pytest.raises(ValueError, match="'a': it takes none of a single character"):
            pyossl.Connection(client_context, "a")
    else:
        assert pyossl.Connection(client_context, "a").server_hostname == "a"


NewClient = Callable[[str], pyossl.Connection]


@pytest.fixture
def new_client(client_context: pyossl.Context) -> NewClient:
    return lambda name: pyossl.Connection(client_context, name)


@pytest.mark.parametrize(
    "name",
    ["example.com", "example.com.", "EXAMPLE.COM", "localhost", "127.0.0.1", "::1", "[::1]", "::1%lo", "127.0.0.1."],
)
def test_a_certificate_for_the_name_is_accepted(
    name: str, new_client: NewClient, server_context: pyossl.Context
) -> None:
    """docs/pitfalls.md, 21: "1.1.1 needs `set1_ip` for addresses"."""
    client, server = new_client(name), pyossl.Connection(server_context)
    shake_hands(client, server)
    assert client.verify_code == lib.X509_V_OK


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("example.org", "X509_V_ERR_HOSTNAME_MISMATCH"),
        ("www.example.com", "X509_V_ERR_HOSTNAME_MISMATCH"),
        ("com", "X509_V_ERR_HOSTNAME_MISMATCH"),
        ("127.0.0.2", "X509_V_ERR_IP_ADDRESS_MISMATCH"),
        ("::2", "X509_V_ERR_IP_ADDRESS_MISMATCH"),
    ],
)
def test_a_certificate_for_another_name_is_refused(
    name: str, code: str, new_client: NewClient, server_context: pyossl.Context
) -> None:
    """The measured table: "`SSL_set1_host("127.0.0.1")` stored as a DNS name" in 1.1.1."""
    with pytest.raises(pyossl.CertificateError, match=f"for '{name}'") as caught:
        shake_hands(new_client(name), pyossl.Connection(server_context))
    assert caught.value.code == getattr(lib, code)
    assert caught.value.depth == 0


def test_a_dns_san_that_looks_like_an_address_is_not_that_address(authority: pyossl.Authority) -> None:
    """docs/pitfalls.md, 21: an address is compared with addresses only, a name with names only."""
    credentials = authority.issue("192.0.2.1")
    server = pyossl.Context.server(credentials.certificate, credentials.private_key)
    client = pyossl.Context.client(trust=authority.certificate)
    shake_hands(pyossl.Connection(client, "192.0.2.1"), pyossl.Connection(server))
    with pytest.raises(pyossl.CertificateError):
        shake_hands(pyossl.Connection(client, "192.0.2.1.example"), pyossl.Connection(server))


@pytest.mark.parametrize(
    ("name", "accepted"),
    [("a.example.net", True), ("example.net", False), ("a.b.example.net", False), ("aexample.net", False)],
)
def test_a_wildcard_stands_for_one_label(authority: pyossl.Authority, name: str, accepted: bool) -> None:
    credentials = authority.issue("*.example.net")
    client = pyossl.Connection(pyossl.Context.client(trust=authority.certificate), name)
    server = pyossl.Connection(pyossl.Context.server(credentials.certificate, credentials.private_key))
    if accepted:
        shake_hands(client, server)
        assert client.is_handshake_finished
    else:
        with pytest.raises(pyossl.CertificateError):
            shake_hands(client, server)


def test_the_subjects_common_name_is_no_name(authority: pyossl.Authority) -> None:
    """docs/pitfalls.md, 21: the names of a certificate are those of its subjectAltName."""
    credentials = authority.issue("common.example", "other.example")
    assert credentials.certificate.subject == "CN=common.example"
    plain = pyossl.Authority("common.example").credentials
    client = pyossl.Connection(pyossl.Context.client(trust=plain.certificate), "common.example")
    server = pyossl.Connection(pyossl.Context.server(plain.certificate, plain.private_key))
    with pytest.raises(pyossl.CertificateError) as caught:
        shake_hands(client, server)
    assert caught.value.code != lib.X509_V_OK


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("example.com", "example.com"),
        ("example.com.", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("127.0.0.1", None),
        ("127.0.0.1.", None),
        ("[::1]", None),
    ],
)
def test_sni_carries_names_and_never_addresses(
    name: str, sent: str | None, new_client: NewClient, server_context: pyossl.Context
) -> None:
    """docs/pitfalls.md, 21: "SNI never carries an IP address." """
    client, server = new_client(name), pyossl.Connection(server_context)
    assert client.handshake() is Want.READ
    hello = client.data_to_send()
    assert (sent is not None) == (b"example" in hello)
    assert b"127.0.0.1" not in hello
    server.receive_data(hello)
    assert server.handshake() is Want.READ
    assert server.server_hostname == sent
    assert client.server_hostname == reference_name(name).text


def test_a_name_is_never_skipped_because_it_was_missing(client_context: pyossl.Context) -> None:
    """DESIGN: "A name check is never skipped because a name was missing: that is an error." """
    with pytest.raises(pyossl.UsageError, match="server_hostname is missing"):
        pyossl.Connection(client_context)
    with pytest.raises(ValueError, match="empty"):
        pyossl.Connection(client_context, "")


def test_a_server_has_no_reference_name(server_context: pyossl.Context) -> None:
    with pytest.raises(ValueError, match="for clients"):
        pyossl.Connection(server_context, "example.com")


def test_a_name_without_a_check_is_sent_and_not_compared(
    authority: pyossl.Authority, server_context: pyossl.Context
) -> None:
    context = pyossl.Context.client(trust=authority.certificate, check_hostname=False)
    client, server = pyossl.Connection(context, "example.org"), pyossl.Connection(server_context)
    shake_hands(client, server)
    carry(client, server)
    assert server.server_hostname == "example.org"
    assert client.verify_code == lib.X509_V_OK
