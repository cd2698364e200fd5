"""Verification without a connection, compared with `openssl verify`."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from x509.certificate_making import DAY, NOW, Made, common_name, crl_der, make, openssl, revoke

import pyossl
from pyossl import CRL, Certificate, Store, VerifyFlags, lib

NAMES = x509.SubjectAlternativeName([x509.DNSName("example.com"), x509.RFC822Name("someone@example.com")])
SERVER = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])


def ours(made: Made) -> Certificate:
    return Certificate.load(made.der)


@pytest.fixture(scope="module")
def chain() -> tuple[Made, Made, Made]:
    """A leaf for example.com, an intermediate and a root."""
    root = make("the root", ca=True)
    between = make("between", root, ca=True, path_length=0)
    return make("the leaf", between, extensions=[(NAMES, False), (SERVER, False)]), between, root


def refusal(
    store: Store, certificate: Certificate, *untrusted: Certificate, **options: object
) -> pyossl.CertificateError:
    with pytest.raises(pyossl.CertificateError) as caught:
        store.verify(certificate, untrusted, **options)  # type: ignore[arg-type]
    return caught.value


def test_a_chain_leads_from_the_certificate_to_the_root(chain: tuple[Made, Made, Made]) -> None:
    leaf, between, root = map(ours, chain)
    assert Store.of(root).verify(leaf, [between]) == (leaf, between, root)
    assert Store.of([root, between]).verify(leaf) == (leaf, between, root)
    assert Store.of(root).verify(root) == (root,)
    assert Store.of(root).verify(leaf, iter([root, between, between])) == (leaf, between, root)


def test_a_refusal_says_what_where_and_why(chain: tuple[Made, Made, Made]) -> None:
    leaf, between, root = map(ours, chain)
    error = refusal(Store.of(root), leaf)
    assert (error.depth, error.certificate) == (0, leaf)
    assert error.code == lib.X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    assert error.reason in str(error)
    impostor = ours(make("the root", ca=True))
    error = refusal(Store.of(impostor), leaf, between)
    assert (error.depth, error.certificate) == (1, between)
    assert error.code == lib.X509_V_ERR_CERT_SIGNATURE_FAILURE
    stranger = ours(make("a stranger", ca=True))
    error = refusal(Store.of(stranger), leaf, between, root)
    assert (error.depth, error.certificate) == (2, root)
    assert error.code == lib.X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
    error = refusal(Store.empty(), root)
    assert error.code == lib.X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT


CASES = {
    "as it is": ({}, [], True),
    "its purpose": ({"purpose": "sslserver"}, ["-purpose", "sslserver"], True),
    "another purpose": ({"purpose": "sslclient"}, ["-purpose", "sslclient"], False),
    "any purpose": ({"purpose": "any"}, ["-purpose", "any"], True),
    "its name": ({"name": "EXAMPLE.com."}, ["-verify_hostname", "example.com"], True),
    "another name": ({"name": "www.example.com"}, ["-verify_hostname", "www.example.com"], False),
    "an address": ({"name": "192.0.2.1"}, ["-verify_ip", "192.0.2.1"], False),
    "its email": ({"email": "someone@example.com"}, ["-verify_email", "someone@example.com"], True),
    "another email": ({"email": "other@example.com"}, ["-verify_email", "other@example.com"], False),
    "before its time": ({"moment": NOW - 2 * DAY}, ["-attime", str(int((NOW - 2 * DAY).timestamp()))], False),
    "after its time": ({"moment": NOW + 400 * DAY}, ["-attime", str(int((NOW + 400 * DAY).timestamp()))], False),
    "in its time": ({"moment": NOW + 300 * DAY}, ["-attime", str(int((NOW + 300 * DAY).timestamp()))], True),
    "deep enough": ({"depth": 1}, ["-verify_depth", "1"], True),
    "too deep": ({"depth": 0}, ["-verify_depth", "0"], False),
    "a level": ({"security_level": 3}, ["-auth_level", "3"], True),
    "a higher level": ({"security_level": 4}, ["-auth_level", "4"], False),
    "without a CRL": ({"crls": []}, ["-crl_check"], False),
}


@pytest.mark.feature("chain verification without a connection")
@pytest.mark.parametrize("case", CASES)
def test_openssl_verify_agrees(case: str, chain: tuple[Made, Made, Made], tmp_path: Path) -> None:
    options, arguments, accepted = CASES[case]
    leaf, between, root = map(ours, chain)
    files = [tmp_path / name for name in ("leaf.pem", "between.pem", "root.pem")]
    for file, made in zip(files, chain, strict=True):
        file.write_bytes(made.pem)
    trust = ["-CAfile", str(files[2]), "-untrusted", str(files[1]), str(files[0])]
    openssl("verify", *arguments, *trust, fails=not accepted)
    if accepted:
        assert Store.of(root).verify(leaf, [between], **options) == (leaf, between, root)  # type: ignore[arg-type]
    else:
        assert refusal(Store.of(root), leaf, between, **options).code > 0


def test_each_refusal_has_its_code(chain: tuple[Made, Made, Made]) -> None:
    """Compared by code: the texts differ between versions (docs/pitfalls.md, 26)."""
    leaf, between, root = map(ours, chain)
    store = Store.of(root)
    codes = {
        lib.X509_V_ERR_CERT_HAS_EXPIRED: {"moment": NOW + 400 * DAY},
        lib.X509_V_ERR_CERT_NOT_YET_VALID: {"moment": NOW - 2 * DAY},
        lib.X509_V_ERR_HOSTNAME_MISMATCH: {"name": "other.example"},
        lib.X509_V_ERR_IP_ADDRESS_MISMATCH: {"name": "::1"},
    }
    for code, options in codes.items():
        assert refusal(store, leaf, between, **options).code == code
    error = refusal(store, leaf, between, name="other.example")
    assert (error.depth, error.certificate) == (0, leaf)
    assert "other.example" in str(error)


def test_names_are_compared_as_a_client_compares_them() -> None:
    """The subject is not used, and a wildcard is a whole label (docs/pitfalls.md, 21)."""
    names = x509.SubjectAlternativeName([x509.DNSName("w*.example.com"), x509.DNSName("*.example.org")])
    alone, partial = ours(make("only.example.com")), ours(make("x", extensions=[(names, False)]))
    store = Store.of([alone, partial])
    assert store.verify(partial, name="www.example.org") == (partial,)
    mismatch = lib.X509_V_ERR_HOSTNAME_MISMATCH
    assert refusal(store, partial, name="www.example.com").code == mismatch
    assert refusal(store, partial, name="a.b.example.org").code == mismatch
    assert refusal(store, alone, name="only.example.com").code == mismatch


@pytest.mark.feature("partial chain")
def test_a_partial_chain_ends_where_trust_begins(chain: tuple[Made, Made, Made]) -> None:
    leaf, between, _ = map(ours, chain)
    store = Store.of(between)
    assert refusal(store, leaf).code == lib.X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT
    assert store.verify(leaf, partial_chain=True) == (leaf, between)
    assert store.verify(leaf, flags=VerifyFlags.PARTIAL_CHAIN) == (leaf, between)
    assert Store.of(leaf).verify(leaf, partial_chain=True) == (leaf,)


def test_the_arguments_of_one_verification_do_not_apply_to_the_next(chain: tuple[Made, Made, Made]) -> None:
    """A store is shared: it must not keep the arguments of a verification."""
    leaf, between, root = map(ours, chain)
    store = Store.of(root)
    for options in ({"name": "other.example"}, {"crls": []}, {"moment": NOW - 9 * DAY}, {"depth": 0}):
        refusal(store, leaf, between, **options)
        assert store.verify(leaf, [between]) == (leaf, between, root)


@pytest.mark.feature("certificate revocation lists")
def test_a_revoked_certificate_is_refused(chain: tuple[Made, Made, Made]) -> None:
    leaf, between, root = map(ours, chain)
    store = Store.of(root)
    clean = CRL.load(crl_der(revoke(chain[1], {})))
    revoked = CRL.load(crl_der(revoke(chain[1], {leaf.serial_number: x509.ReasonFlags.key_compromise})))
    assert store.verify(leaf, [between], crls=[clean]) == (leaf, between, root)
    error = refusal(store, leaf, between, crls=[revoked])
    assert (error.code, error.depth, error.certificate) == (lib.X509_V_ERR_CERT_REVOKED, 0, leaf)


def test_the_whole_chain_is_looked_up_when_asked(chain: tuple[Made, Made, Made]) -> None:
    leaf, between, root = map(ours, chain)
    store = Store.of(root)
    of_between = CRL.load(crl_der(revoke(chain[1], {})))
    of_root = CRL.load(crl_der(revoke(chain[2], {between.serial_number: None})))
    assert store.verify(leaf, [between], crls=[of_between, of_root]) == (leaf, between, root)
    every = VerifyFlags.CRL_CHECK_ALL
    error = refusal(store, leaf, between, crls=[of_between, of_root], flags=every)
    assert (error.code, error.depth) == (lib.X509_V_ERR_CERT_REVOKED, 1)
    error = refusal(store, leaf, between, crls=[of_between], flags=every)
    assert error.depth == 1


def test_a_crl_that_is_old_or_of_another_is_no_crl(chain: tuple[Made, Made, Made]) -> None:
    leaf, between, root = map(ours, chain)
    store = Store.of(root)
    old = CRL.load(crl_der(revoke(chain[1], {}, last_update=NOW - 9 * DAY, next_update=NOW - DAY)))
    assert refusal(store, leaf, between, crls=[old]).code == lib.X509_V_ERR_CRL_HAS_EXPIRED
    impostor = Made(chain[1].certificate, ec.generate_private_key(ec.SECP256R1()))
    forged = CRL.load(crl_der(revoke(impostor, {})))
    refusal(store, leaf, between, crls=[forged])
    of_root = CRL.load(crl_der(revoke(chain[2], {})))
    refusal(store, leaf, between, crls=[of_root])


def test_a_store_holds_crls_too(chain: tuple[Made, Made, Made], tmp_path: Path) -> None:
    leaf, between, root = map(ours, chain)
    revoked = crl_der(revoke(chain[1], {leaf.serial_number: None}))
    for source in (CRL.load(revoked), revoked, CRL.load(revoked).to_pem()):
        store = Store.of(root)
        store.add_crl(source)
        assert store.verify(leaf, [between]) == (leaf, between, root)
        assert refusal(store, leaf, between, flags=VerifyFlags.CRL_CHECK).code == lib.X509_V_ERR_CERT_REVOKED


def test_a_chain_of_a_thousand_is_refused(chain: tuple[Made, Made, Made]) -> None:
    """X509_verify_cert(3) stops at a depth of 100 by default."""
    key = ec.generate_private_key(ec.SECP256R1())
    root = made = make("authority 0", ca=True, key=key)
    middle = []
    for n in range(1, 1000):
        made = make(f"authority {n}", made, ca=True, key=key)
        middle.append(ours(made))
    leaf = ours(make("the leaf", made))
    store = Store.of(ours(root))
    assert refusal(store, leaf, *middle).code > 0
    assert refusal(store, leaf, *reversed(middle)).code > 0
    assert len(store.verify(leaf, middle, depth=2000)) == 1001
    assert len(store.verify(middle[49], middle)) == 51


def test_a_loop_in_a_chain_is_refused() -> None:
    """Each of the two has signed the other."""
    first_key, second_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    names = common_name("first"), common_name("second")
    seed_first, seed_second = make("first", ca=True, key=first_key), make("second", ca=True, key=second_key)
    first = ours(make("first", seed_second, ca=True, key=first_key, issuer_name=names[1]))
    second = ours(make("second", seed_first, ca=True, key=second_key, issuer_name=names[0]))
    leaf = ours(make("the leaf", seed_first))
    stranger = ours(make("a stranger", ca=True))
    for certificate in (leaf, first, second):
        assert refusal(Store.of(stranger), certificate, first, second).code > 0
        assert refusal(Store.of(stranger), certificate, *[first, second] * 50).code > 0
    assert refusal(Store.of([first, second]), leaf).code > 0


def test_a_leaf_cannot_sign_certificates(chain: tuple[Made, Made, Made]) -> None:
    leaf, between, root = map(ours, chain)
    below = ours(make("below a leaf", chain[0]))
    error = refusal(Store.of(root), below, leaf, between)
    assert error.depth >= 1


def test_a_path_may_not_be_longer_than_its_authority_says(chain: tuple[Made, Made, Made]) -> None:
    _, between, root = map(ours, chain)
    second = make("second", chain[1], ca=True)
    leaf = ours(make("too far below", second))
    assert refusal(Store.of(root), leaf, ours(second), between).code > 0


def test_a_damaged_signature_is_refused(chain: tuple[Made, Made, Made]) -> None:
    _, between, root = map(ours, chain)
    der = bytearray(chain[0].der)
    der[-1] ^= 1
    damaged = Certificate.load(bytes(der))
    assert refusal(Store.of(root), damaged, between).code == lib.X509_V_ERR_CERT_SIGNATURE_FAILURE


def test_a_short_key_is_below_the_security_level() -> None:
    short = ours(make("short", key=rsa.generate_private_key(65537, 1024)))
    assert Store.of(short).verify(short, security_level=0) == (short,)
    refusal(Store.of(short), short, security_level=2)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"purpose": "sslsrever"}, "sslserver"),
        ({"purpose": "sslserver\0"}, "NUL"),
        ({"moment": datetime.datetime(2030, 1, 1)}, "time zone"),
        ({"name": ""}, "empty"),
        ({"name": "a\0b"}, "cannot contain"),
        ({"email": "a\0b"}, "NUL"),
    ],
)
def test_an_argument_that_is_impossible_is_refused(
    options: dict[str, object], why: str, chain: tuple[Made, Made, Made]
) -> None:
    leaf, between, root = map(ours, chain)
    with pytest.raises(ValueError, match=why):
        Store.of(root).verify(leaf, [between], **options)  # type: ignore[arg-type]


def test_nothing_can_be_added_to_the_system_s_store(chain: tuple[Made, Made, Made]) -> None:
    """Every context that uses the system's store would trust it too."""
    store = Store.system()
    for add, what in ((store.add, ours(chain[2])), (store.add_crl, crl_der(revoke(chain[2], {})))):
        with pytest.raises(pyossl.UsageError, match="shared"):
            add(what)  # type: ignore[operator]


def test_a_store_tells_whom_it_trusts(chain: tuple[Made, Made, Made]) -> None:
    """docs/pitfalls.md, 27: OpenSSL copies the list under the store's lock."""
    leaf, between, root = map(ours, chain)
    store = Store.of([root, between])
    store.add_crl(crl_der(revoke(chain[2], {})))
    assert set(store.certificates) == {root, between}
    assert Store.empty().certificates == ()
    store.add(leaf)
    assert len(store.certificates) == 3
    kept = store.certificates
    del store
    assert {each.subject for each in kept} == {"CN=the root", "CN=between", "CN=the leaf"}


def test_a_chain_outlives_its_store(chain: tuple[Made, Made, Made]) -> None:
    leaf, between, root = map(ours, chain)
    found = Store.of(root).verify(leaf, [between])
    assert [each.subject for each in found] == ["CN=the leaf", "CN=between", "CN=the root"]
