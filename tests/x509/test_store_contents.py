"""What is in a trust store: its certificates, its authorities and its CRLs."""

from __future__ import annotations

import threading

import pytest
from x509.certificate_making import crl_der, make, revoke

import pyossl
from pyossl import CRL, Certificate, Store
from pyossl.tls.mutable.mutable_context import Method, MutableContext


@pytest.mark.feature("contents of a trust store")
def test_certificates_authorities_and_crls_are_counted() -> None:
    root, leaf = make("the root", ca=True), make("the leaf")
    store = Store.empty()
    assert store.counts == (0, 0, 0)
    store.add(Certificate.load(root.der))
    store.add(Certificate.load(leaf.der))
    store.add(Certificate.load(leaf.der))
    crl = CRL.load(crl_der(revoke(root, {7: None})))
    store.add_crl(crl)
    assert store.counts == (2, 1, 1)
    assert store.counts.authorities == sum(each.is_ca for each in store.certificates)
    assert store.crls == (crl,)
    assert [each.serial_number for each in store.crls[0]] == [7]


def test_a_crl_of_a_store_outlives_it() -> None:
    root = make("the root", ca=True)
    store = Store.empty()
    store.add_crl(crl_der(revoke(root, {})))
    (crl,) = store.crls
    del store
    assert crl.issuer == "CN=the root"


def test_a_malformed_extension_makes_no_authority() -> None:
    """basicConstraints that is no DER: the certificate is counted, and nothing is left in the error queue."""
    root = make("the root", ca=True)
    boolean = bytes.fromhex("30030101ff")
    assert boolean in root.der
    store = Store.empty()
    store.add(Certificate.load(root.der.replace(boolean, b"\x30\x03\x02\x01\xff")))
    assert store.counts[:2] == (1, 0)


def test_threads_look_into_a_store_that_others_fill() -> None:
    made = [Certificate.load(make(f"root {n}", ca=True).der) for n in range(20)]
    crl = CRL.load(crl_der(revoke(make("the root", ca=True), {})))
    store, stop, errors = Store.empty(), threading.Event(), []

    def look() -> None:
        try:
            while not stop.is_set():
                assert store.counts.authorities <= len(made)
                assert len(store.crls) <= 1
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for certificate in made:
        store.add(certificate)
    store.add_crl(crl)
    stop.set()
    for thread in threads:
        thread.join(30)
    assert not errors
    assert store.counts == (len(made), len(made), 1)


def test_the_store_of_a_context_has_its_counts(authority: pyossl.Authority) -> None:
    context = MutableContext(Method.TLS, live=True)
    context.store.add(authority.certificate)
    assert context.store.counts == (1, 1, 0)
    assert context.store.certificates == (authority.certificate,)
