"""The cipher suites of a context by their numbers and both names."""

from __future__ import annotations

import pytest
from marks import needs

from pyossl import CipherSuite, Context


@pytest.mark.feature("cipher suites by number and standard name")
def test_a_suite_has_the_names_and_the_number_of_the_registry() -> None:
    context = Context.client()
    context.set_cipher_list("ECDHE-RSA-AES128-GCM-SHA256")
    (suite,) = (each for each in context.cipher_suites if each.version != "TLSv1.3")
    assert suite == CipherSuite(
        0xC02F, "ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLSv1.2", 128
    )


@needs("tls1_3")
def test_a_suite_of_tls_1_3_has_one_name() -> None:
    context = Context.client()
    context.set_ciphersuites("TLS_AES_256_GCM_SHA384")
    (suite,) = (each for each in context.cipher_suites if each.version == "TLSv1.3")
    assert suite == CipherSuite(0x1302, "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", "TLSv1.3", 256)


def test_the_suites_are_the_ciphers_in_the_same_order() -> None:
    context = Context.client()
    assert tuple(suite.name for suite in context.cipher_suites) == context.ciphers
