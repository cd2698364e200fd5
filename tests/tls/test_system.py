"""pyossl/tls/system_openssl.py agrees with OpenSSL's programs and the kernel about the system's OpenSSL."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import pyossl
from pyossl import ffi, lib
from pyossl.tls import system_openssl


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/self/maps is Linux's")
@pytest.mark.parametrize("library", [system_openssl.ssl_library, system_openssl.crypto_library])
def test_the_library_s_file_is_one_that_the_kernel_has_mapped(library: object) -> None:
    assert callable(library)
    mapped = {line.split(maxsplit=5)[5] for line in Path("/proc/self/maps").read_text().splitlines() if "/" in line}
    assert str(Path(library()).resolve()) in {path.strip() for path in mapped}


def test_the_headers_are_of_the_same_major_version_or_of_a_newer_one_in_a_late_bound_build() -> None:
    assert system_openssl.headers().split()[:1] == ["OpenSSL"]
    headers, library = (
        int(text.split()[1].split(".")[0]) for text in (system_openssl.headers(), pyossl.openssl_version)
    )
    assert headers >= library if pyossl.lib.PYOSSL_LATE else headers == library


def test_providers_are_there_where_openssl_has_them() -> None:
    """The default one among them: nothing in pyossl loads another, which would disable it (docs/pitfalls.md, 25)."""
    providers = system_openssl.providers()
    assert ("default" in [provider.name for provider in providers]) == pyossl.features.providers
    for provider in providers:
        assert provider.active
        assert provider.name
        assert provider.title
        assert provider.version


def test_the_policy_is_that_of_a_context_but_for_our_floor() -> None:
    context = pyossl.Context.client(verify=False)
    policy = system_openssl.policy()
    assert policy.security_level == context.security_level
    assert max(policy.minimum_version or 0, pyossl.Version.TLSv1_2) == context.minimum_version
    assert policy.maximum_version == context.maximum_version


def test_the_certificates_of_the_trust_store_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: pyossl.Authority
) -> None:
    """A hashed directory's links may lead to one file, and files without a hash are not looked at."""
    other = pyossl.Authority("another")
    bundle, hashed = tmp_path / "bundle.pem", tmp_path / "hashed"
    bundle.write_bytes(authority.certificate.to_pem() + other.certificate.to_pem())
    hashed.mkdir()
    (hashed / "one.pem").write_bytes(authority.certificate.to_pem())
    (hashed / "0123abcd.0").symlink_to("one.pem")
    (hashed / "4567cdef.0").symlink_to("one.pem")
    (hashed / "89abcdef.0").symlink_to("gone.pem")
    (hashed / "0123abcd.1").write_bytes(other.certificate.to_pem())
    missing = tmp_path / "missing"
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("SSL_CERT_DIR", f"{hashed}:{missing}")
    trust = system_openssl.trust_store()
    assert trust.file == (str(bundle), 2)
    assert trust.directories == ((str(hashed), 2), (str(missing), None))


def test_a_trust_file_that_is_not_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    assert system_openssl.trust_store().file == (str(tmp_path / "missing.pem"), None)


def test_a_hashed_directory_that_openssl_made_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: pyossl.Authority
) -> None:
    (tmp_path / "ca.pem").write_bytes(authority.certificate.to_pem())
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert system_openssl.trust_store().directories == ((str(tmp_path), 1),)


def test_features_in_words_have_no_underscores_and_no_two_the_same() -> None:
    words = [pyossl.features.describe(name) for name in pyossl.features]
    assert not [word for word in words if "_" in word and word not in ("SSL_poll", "SSL_trace")]
    assert len(set(words)) == len(words)


def test_the_policy_leaves_no_error_of_an_earlier_call() -> None:
    """If it had one, the error of an SSL_CTX that cannot be made would name it as the reason."""
    assert lib.d2i_X509_bio(pyossl.BIO.memory(b"no certificate")._bio, ffi.NULL) == ffi.NULL
    assert lib.ERR_peek_error() != 0
    system_openssl.policy()
    assert lib.ERR_peek_error() == 0
