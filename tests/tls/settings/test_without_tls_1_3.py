"""An OpenSSL that was built without TLS 1.3 or without DTLS, as in a row of ci/matrix.toml."""

from __future__ import annotations

import pytest
from marks import without
from pairs import shake_hands

import pyossl
from pyossl import Version
from pyossl.tls.mutable.mutable_context import Method, MutableContext


@without("tls1_3")
def test_tls_1_3_as_the_minimum_version_is_unsupported() -> None:
    with pytest.raises(pyossl.UnsupportedError, match=r"TLS 1\.3"):
        pyossl.Context.client(minimum_version=Version.TLSv1_3)


@without("tls1_3")
def test_a_range_of_versions_up_to_tls_1_3_ends_with_tls_1_2(
    authority: pyossl.Authority, server_context: pyossl.Context
) -> None:
    context = pyossl.Context.client(
        trust=authority.certificate, minimum_version=Version.TLSv1_2, maximum_version=Version.TLSv1_3
    )
    client = pyossl.Connection(context, "example.com")
    shake_hands(client, pyossl.Connection(server_context))
    assert client.version == "TLSv1.2"


@without("dtls")
def test_dtls_is_unsupported() -> None:
    with pytest.raises(pyossl.UnsupportedError, match="DTLS"):
        MutableContext(Method.DTLS)
