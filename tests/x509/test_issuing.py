"""The development authority issues certificates that OpenSSL accepts, also in its strict mode."""

from __future__ import annotations

import datetime
import subprocess
from pathlib import Path

import pytest
from pairs import shake_hands

import pyossl
from pyossl import lib
from pyossl.x509 import authority

NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


def verified(credentials: pyossl.Credentials, trust: pyossl.Certificate, name: str) -> pyossl.Connection:
    client = pyossl.Connection(pyossl.Context.client(trust=trust), name)
    chain = (credentials.certificate, *credentials.chain)
    shake_hands(client, pyossl.Connection(pyossl.Context.server(chain, credentials.private_key)))
    return client


@pytest.mark.feature("a development authority")
def test_one_call_makes_a_certificate_that_signs_itself() -> None:
    own = pyossl.self_signed("localhost", "127.0.0.1", "::1")
    for name in ("localhost", "127.0.0.1", "::1"):
        assert verified(own, own.certificate, name).verify_code == lib.X509_V_OK
    assert own.certificate.subject == own.certificate.issuer == "CN=localhost"
    assert own.chain == ()


@pytest.mark.feature("a development authority")
def test_an_authority_below_another_hands_out_the_chain(authority: pyossl.Authority) -> None:
    second = pyossl.Authority("second", parent=authority)
    third = pyossl.Authority("third", parent=second)
    credentials = third.issue("example.com")
    assert [c.subject for c in credentials.chain] == ["CN=third", "CN=second"]
    chain = verified(credentials, authority.certificate, "example.com").verified_chain
    assert [c.subject for c in chain] == ["CN=example.com", "CN=third", "CN=second", "CN=pyossl test CA"]


@pytest.mark.parametrize(
    ("not_before", "not_after", "code"),
    [
        (NOW - 2 * DAY, NOW - DAY, "X509_V_ERR_CERT_HAS_EXPIRED"),
        (NOW + DAY, NOW + 2 * DAY, "X509_V_ERR_CERT_NOT_YET_VALID"),
    ],
)
def test_a_certificate_outside_its_validity_is_refused(
    authority: pyossl.Authority, not_before: datetime.datetime, not_after: datetime.datetime, code: str
) -> None:
    credentials = authority.issue("example.com", not_before=not_before, not_after=not_after)
    assert credentials.certificate.not_before == not_before.replace(microsecond=0)
    assert credentials.certificate.not_after == not_after.replace(microsecond=0)
    with pytest.raises(pyossl.CertificateError) as caught:
        verified(credentials, authority.certificate, "example.com")
    assert caught.value.code == getattr(lib, code)
    assert caught.value.certificate == credentials.certificate


@pytest.mark.parametrize("year", [2049, 2050, 2100])
def test_times_beyond_2049_are_kept(authority: pyossl.Authority, year: int) -> None:
    """RFC 5280, 4.1.2.5: a GeneralizedTime from 2050 on."""
    after = datetime.datetime(year, 6, 1, tzinfo=datetime.timezone.utc)
    assert authority.issue("example.com", not_after=after).certificate.not_after == after


def test_an_authority_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="CN cannot be ''"):
        pyossl.Authority("")


def test_a_time_without_a_zone_is_refused(authority: pyossl.Authority) -> None:
    with pytest.raises(ValueError, match="time zone"):
        authority.issue("example.com", not_after=datetime.datetime(2030, 1, 1))


@pytest.mark.parametrize("names", [(), ("",), ("a b",), ("nul\x00.example",), ("x" * 64,), ("*",), ("*.",)])
def test_a_certificate_is_for_names_that_can_be(authority: pyossl.Authority, names: tuple[str, ...]) -> None:
    for issue in (authority.issue, pyossl.self_signed):
        with pytest.raises(ValueError, match="name"):
            issue(*names)


def test_a_long_name_and_an_international_one(authority: pyossl.Authority) -> None:
    long = ".".join(["a" * 50] * 4)
    credentials = authority.issue(long, "bücher.example")
    for name in (long, "bücher.example"):
        assert verified(credentials, authority.certificate, name).verify_code == lib.X509_V_OK


def test_serial_numbers_and_keys_are_new_each_time(authority: pyossl.Authority) -> None:
    issued = [authority.issue("example.com") for _ in range(5)]
    assert len({each.certificate.serial_number for each in issued}) == 5
    assert len({each.private_key.to_pem() for each in issued}) == 5


def test_a_leaf_is_no_authority(credentials: pyossl.Credentials) -> None:
    """basicConstraints does not allow it to sign certificates."""
    key = pyossl.PrivateKey.generate()
    below = authority._issue(
        credentials, "evil.example", authority._leaf_extensions(("evil.example",)), NOW - DAY, NOW + DAY, key
    )
    with pytest.raises(pyossl.CertificateError):
        verified(below, credentials.certificate, "evil.example")


def test_openssls_strict_mode_accepts_the_chain(authority: pyossl.Authority, tmp_path: Path) -> None:
    """openssl-verify(1): -x509_strict"""
    second = pyossl.Authority("second", parent=authority)
    (tmp_path / "ca.pem").write_bytes(authority.certificate.to_pem())
    (tmp_path / "second.pem").write_bytes(second.certificate.to_pem())
    (tmp_path / "leaf.pem").write_bytes(second.issue("example.com", "127.0.0.1").certificate.to_pem())
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.pem", "-untrusted"]
    done = subprocess.run([*command, "second.pem", "leaf.pem"], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout == "leaf.pem: OK\n", done.stderr


NAMES = ("example.com", "*.example.org", "127.0.0.1", "::1", "Someone@example.com", "other@bücher.example")


@pytest.mark.feature("a development authority")
def test_names_of_every_kind_are_in_one_certificate(authority: pyossl.Authority) -> None:
    alternatives = [(name.type.name, str(name.value)) for name in authority.issue(*NAMES).certificate.subject_alt_names]
    assert alternatives == [
        ("DNS", "example.com"),
        ("DNS", "*.example.org"),
        ("IPADD", "127.0.0.1"),
        ("IPADD", "::1"),
        ("EMAIL", "Someone@example.com"),
        ("EMAIL", "other@xn--bcher-kva.example"),
    ]


@pytest.mark.feature("email address as reference name", "IP address as reference name", "several reference names")
def test_a_connection_finds_names_of_every_kind_in_one_certificate(authority: pyossl.Authority) -> None:
    own = authority.issue(*NAMES)
    server_context = pyossl.Context.server(own.certificate, own.private_key)
    client_context = pyossl.Context.client(trust=authority.certificate)

    def meet(name: str, **arguments: object) -> pyossl.Connection:
        client = pyossl.Connection(client_context, name, **arguments)  # type: ignore[arg-type]
        shake_hands(client, pyossl.Connection(server_context))
        return client

    assert meet("example.com", email="Someone@example.com").verified_name == "example.com"
    assert meet("elsewhere.example", other_names=["www.example.org"]).verified_name == "*.example.org"
    for address in ("127.0.0.1", "::1"):
        assert meet(address, email="other@xn--bcher-kva.example").verify_code == lib.X509_V_OK
    for wrong in ("someone@example.com", "Someone@example.org", "nobody@example.com"):
        with pytest.raises(pyossl.CertificateError) as caught:
            meet("example.com", email=wrong)
        assert caught.value.code == lib.X509_V_ERR_EMAIL_MISMATCH


@pytest.mark.feature("email address as reference name")
def test_the_openssl_program_finds_the_email_address_too(authority: pyossl.Authority, tmp_path: Path) -> None:
    """openssl-verify(1): -verify_email"""
    (tmp_path / "ca.pem").write_bytes(authority.certificate.to_pem())
    leaf = authority.issue(*NAMES).certificate
    (tmp_path / "leaf.pem").write_bytes(leaf.to_pem())
    store = pyossl.Store.of(authority.certificate)
    for email, accepted in (("Someone@example.com", True), ("nobody@example.com", False)):
        command = ["openssl", "verify", "-CAfile", "ca.pem", "-verify_email", email, "leaf.pem"]
        assert (subprocess.run(command, capture_output=True, cwd=tmp_path).returncode == 0) == accepted
        if accepted:
            assert store.verify(leaf, email=email, name="127.0.0.1")[0] == leaf
        else:
            with pytest.raises(pyossl.CertificateError):
                store.verify(leaf, email=email)


@pytest.mark.parametrize("email", ["@example.com", "a b@example.com", "ä@example.com", "a@", "a@*", "a\0@example.com"])
def test_a_certificate_is_for_email_addresses_that_can_be(authority: pyossl.Authority, email: str) -> None:
    with pytest.raises(ValueError, match=r"email address|server name"):
        authority.issue(email)
