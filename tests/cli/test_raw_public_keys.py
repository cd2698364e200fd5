"""``client --public-key``, ``server --raw-public-key``, and ``server --compress``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.cli_runs import in_a_pipe
from cli.cli_servers import Files, files, our_server

import pyossl
from pyossl import Context, Message, PrivateKey, UnsupportedError, lib

assert files, "a fixture"


@pytest.mark.feature("raw public keys on the command line")
@pytest.mark.skipif(not lib.HAVE_RAW_PUBLIC_KEYS, reason="this OpenSSL has no raw public keys")
def test_a_client_accepts_the_key_that_it_knows_and_no_other(files: Files, tmp_path: Path) -> None:
    key = PrivateKey.load(files.key)
    (known := tmp_path / "known.pem").write_bytes(key.public_key.to_pem())
    (other := tmp_path / "other.pem").write_bytes(PrivateKey.generate().public_key.to_pem())
    session = str(tmp_path / "session.pem")
    with our_server("--cert", files.certificate, "--key", files.key, "--raw-public-key") as served:
        client = "client", served.where, "--public-key"
        ran = in_a_pipe(*client, str(known), "--public-key", str(other), "--session", session, feed=b"x")
        assert ran.status == 0, ran
        assert "verified        yes, by its raw public key" in ran.errors
        assert f"public key      {key.type} {key.bits} bits, without a certificate" in ran.errors
        report = json.loads(in_a_pipe(*client, str(known), "--json").output)
        assert report["raw_public_key"] == {
            "type": key.type,
            "bits": key.bits,
            "pem": key.public_key.to_pem().decode(),
        }
        assert report["chain"] == []
        ran = in_a_pipe(*client, str(other), "--session", session)
        assert ran.status == 1, ran
        assert "Raw public key untrusted" in ran.errors
        report = json.loads(in_a_pipe("client", served.where, "--ca", files.ca, "--json").output)
        assert report["raw_public_key"] is None
        assert report["chain"]
    with our_server("--cert", files.certificate, "--key", files.key) as served:
        ran = in_a_pipe("client", served.where, "--ca", files.ca, "--public-key", str(known))
        assert ran.status == 1, ran
        assert "certificate rejected" in ran.errors


def test_wrong_options_connect_to_nothing(tmp_path: Path) -> None:
    (key := tmp_path / "key.pem").write_bytes(PrivateKey.generate().public_key.to_pem())
    for options, message in (
        (["--public-key", str(key), "--no-verify"], "remove --no-verify"),
        (["--public-key", str(key), "--require-ocsp"], "--require-ocsp verifies a certificate"),
        (["--public-key", str(key), "--sct-logs", "logs.cnf"], "--sct-logs verifies a certificate"),
        (["--public-key", str(key), "--dane", "3 1 1 " + "ab" * 32], "--dane verifies a certificate"),
        (["--public-key", str(tmp_path / "none.pem")], "none.pem"),
    ):
        ran = in_a_pipe("client", "localhost:1", *options)
        assert ran.status == 2, ran
        assert message in ran.errors


@pytest.mark.skipif(bool(lib.HAVE_RAW_PUBLIC_KEYS), reason="this OpenSSL has raw public keys")
@pytest.mark.parametrize("options", [["--raw-public-key"], ["--compress", "zlib"]], ids=lambda options: options[0])
def test_an_older_openssl_says_what_it_lacks(options: list[str]) -> None:
    ran = in_a_pipe("server", "--port", "0", *options)
    assert ran.status == 2
    assert " has no " in ran.errors


@pytest.mark.feature("certificate compression on the command line")
@pytest.mark.skipif(not lib.HAVE_CERTIFICATE_COMPRESSION, reason="this OpenSSL has no certificate compression")
def test_a_server_compresses_its_certificate_or_says_that_it_cannot(files: Files) -> None:
    context = Context.client(trust=files.ca)
    try:
        context.set_certificate_compression(["zlib"])
    except UnsupportedError:
        assert "has no certificate compression with zlib" in in_a_pipe("server", "--compress", "zlib").errors
        return
    messages: list[Message] = []
    with our_server("--cert", files.certificate, "--key", files.key, "--compress", "zlib") as served:
        host, _, port = served.where.partition(":")
        with pyossl.connect((host, int(port)), context, timeout=60, message_callback=messages.append) as tls:
            assert tls.verified_name == host
    assert "CompressedCertificate" in [message.name for message in messages]


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        ("gzip", "is zlib, brotli, zstd, not 'gzip'"),
        ("", "the value of compress is empty"),
        ("zlib,", "the value of compress is empty"),
    ],
)
def test_an_unknown_algorithm_is_wrong_usage(names: str, complaint: str) -> None:
    ran = in_a_pipe("server", "--port", "0", "--compress", names)
    assert ran.status == 2, ran
    assert complaint in ran.errors
