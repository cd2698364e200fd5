"""The filters against OpenSSL's own command: the output of each is the input of the other."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from pairs import take_turns

import pyossl
from pyossl import (
    BIO,
    Base64Filter,
    BufferFilter,
    CipherFilter,
    DigestFilter,
    PrefixFilter,
    Want,
    lib,
)

TEXT = bytes(range(256)) * 40 + b"the end"
KEY, IV = bytes(range(32)), bytes(range(16, 32))
SIZES = [0, 1, 15, 16, 17, 47, 48, 49, 1023, 1024, 1025, 10247]
SOME_SIZES = [1, 16, 1025, 10247]


def openssl(*arguments: str, given: bytes) -> bytes:
    """The output of the ``openssl`` command on PATH for these bytes."""
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout


def through(chain: BIO, memory: BIO, data: bytes, step: int = 1000) -> bytes:
    """The bytes that reach the BIO below when ``data`` is written to the chain."""
    for place in range(0, len(data), step):
        assert chain.write(data[place : place + step]) == len(data[place : place + step])
    assert chain.flush() is None
    out = memory.read()
    return b"" if out is Want.READ else bytes(out)  # type: ignore[arg-type]


def all_of(chain: BIO, step: int = 1000) -> bytes:
    """All bytes that can be read from a chain until its end."""
    pieces = []
    while (data := chain.read(step)) != b"":
        assert isinstance(data, bytes), data
        pieces.append(data)
    return b"".join(pieces)


# Base64


@pytest.mark.parametrize("size", SOME_SIZES)
def test_what_is_written_is_the_base64_of_openssl_enc(size: int) -> None:
    memory = BIO.memory()
    encoded = through(Base64Filter().push(memory), memory, TEXT[:size])
    assert encoded == openssl("enc", "-base64", given=TEXT[:size])


@pytest.mark.feature("base64 filter")
@pytest.mark.parametrize("size", SOME_SIZES)
def test_the_base64_of_openssl_enc_is_read(size: int) -> None:
    encoded = openssl("enc", "-base64", given=TEXT[:size])
    assert all_of(Base64Filter().push(BIO.memory(encoded))) == TEXT[:size]


@pytest.mark.parametrize("size", SIZES[1:])
def test_one_line_of_base64(size: int) -> None:
    memory = BIO.memory()
    encoded = through(Base64Filter(newlines=False).push(memory), memory, TEXT[:size])
    assert b"\n" not in encoded
    assert all_of(Base64Filter(newlines=False).push(BIO.memory(encoded))) == TEXT[:size]


# Digests


@pytest.mark.feature("digest filter")
@pytest.mark.parametrize("name", ["sha256", "sha512", "sha1"])
def test_a_digest_is_that_of_openssl_dgst_and_the_bytes_go_on(name: str) -> None:
    memory = BIO.memory()
    chain = DigestFilter(name).push(memory)
    assert through(chain, memory, TEXT) == TEXT
    assert chain.digest().hex() == openssl("dgst", f"-{name}", "-r", given=TEXT).split()[0].decode()


def test_what_is_read_is_digested_and_the_digest_can_be_asked_on_the_way() -> None:
    chain = DigestFilter("sha256").push(BIO.memory(TEXT))
    assert chain.digest() == hashlib.sha256().digest()
    assert chain.read(100) == TEXT[:100]
    assert chain.digest() == chain.digest() == hashlib.sha256(TEXT[:100]).digest()
    all_of(chain)
    assert chain.digest() == hashlib.sha256(TEXT).digest()


def test_two_digests_of_one_chain_are_each_of_what_goes_through_it() -> None:
    memory = BIO.memory()
    outer, inner = DigestFilter("sha256"), DigestFilter("sha512")
    encoded = through(outer.push(Base64Filter()).push(inner).push(memory), memory, TEXT)
    assert outer.digest() == hashlib.sha256(TEXT).digest()
    assert inner.digest() == hashlib.sha512(encoded).digest()


# Ciphers

ENC = ("enc", "-aes-256-cbc", "-K", KEY.hex(), "-iv", IV.hex())


@pytest.mark.parametrize("size", SOME_SIZES)
def test_what_is_written_is_encrypted_as_by_openssl_enc(size: int) -> None:
    memory = BIO.memory()
    encrypted = through(CipherFilter("aes-256-cbc", KEY, IV).push(memory), memory, TEXT[:size])
    assert encrypted == openssl(*ENC, given=TEXT[:size])


@pytest.mark.feature("cipher filter")
@pytest.mark.parametrize("size", SOME_SIZES)
def test_what_openssl_enc_encrypted_is_read_decrypted(size: int) -> None:
    encrypted = openssl(*ENC, "-base64", given=TEXT[:size])
    chain = CipherFilter("aes-256-cbc", KEY, IV, decrypt=True).push(Base64Filter()).push(BIO.memory(encrypted))
    assert all_of(chain) == TEXT[:size]


@pytest.mark.parametrize("size", SIZES)
def test_what_is_encrypted_is_decrypted(size: int) -> None:
    memory = BIO.memory()
    encrypted = through(CipherFilter("aes-256-ctr", KEY, IV).push(memory), memory, TEXT[:size], 7 if size < 50 else 999)
    decrypting = CipherFilter("aes-256-ctr", KEY, IV, decrypt=True).push(memory)
    assert through(decrypting, memory, encrypted) == TEXT[:size]


@pytest.mark.parametrize("cut", [1, 15, 16, 17])
def test_bytes_that_were_cut_or_have_another_key_are_no_end(cut: int) -> None:
    encrypted = openssl(*ENC, given=TEXT[:100])
    for key, given in ((KEY, encrypted[:-cut]), (KEY[::-1], encrypted)):
        with pytest.raises(pyossl.Error, match="decrypt"):
            all_of(CipherFilter("aes-256-cbc", key, IV, decrypt=True).push(BIO.memory(given)))
        memory = BIO.memory()
        chain = CipherFilter("aes-256-cbc", key, IV, decrypt=True).push(memory)
        with pytest.raises(pyossl.Error):
            through(chain, memory, given)


@pytest.mark.parametrize("name", ["aes-256-gcm", "no-such-cipher", "é"])
def test_an_impossible_cipher_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"has an authentication tag|has no cipher"):
        CipherFilter(name, KEY, IV)


def test_a_key_or_an_iv_of_another_length_is_refused() -> None:
    """OpenSSL would read beyond the end of the key or the iv."""
    for key, iv in ((KEY[:-1], IV), (KEY + b"x", IV), (KEY, IV[:-1]), (KEY, b""), (b"", IV)):
        with pytest.raises(ValueError, match=r"the (key|iv) of aes-256-cbc has \d+ bytes"):
            CipherFilter("aes-256-cbc", key, iv)
    with pytest.raises(TypeError, match="the key is bytes"):
        CipherFilter("aes-256-cbc", "k" * 32, IV)  # type: ignore[arg-type]


def test_a_digest_that_openssl_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="has no digest 'no-such-digest'"):
        DigestFilter("no-such-digest")


# Buffers and lines


@pytest.mark.feature("buffer filter")
def test_a_buffer_holds_back_until_it_is_flushed_or_full() -> None:
    memory = BIO.memory()
    chain = BufferFilter(5000).push(memory)
    chain.write(TEXT[:3000])
    assert memory.read() is Want.READ
    chain.write(TEXT[3000:6000])
    assert memory.read() == TEXT[:5000]
    chain.flush()
    assert memory.read() == TEXT[5000:6000]


@pytest.mark.parametrize("buffered", [False, True])
def test_lines_are_read_with_their_ends_and_their_nuls(buffered: bool) -> None:
    memory = BIO.memory(b"one\ntwo\0three\n\nlong line\nlast")
    chain = BufferFilter().push(memory) if buffered else memory
    assert [chain.readline() for _ in range(3)] == [b"one\n", b"two\0three\n", b"\n"]
    assert [chain.readline(4), chain.readline()] == [b"long", b" line\n"]
    assert [chain.readline(), chain.readline()] == [b"last", b""]


def test_a_line_that_is_not_there_yet_waits() -> None:
    first, second = BIO.pair()
    chain = BufferFilter().push(first)
    assert chain.readline() is Want.READ
    second.write(b"line\n")
    assert chain.readline() == b"line\n"
    with pytest.raises(pyossl.UsageError, match="pair has no lines"):
        first.readline()


@pytest.mark.parametrize("size", [0, -1, 4095, 1 << 31])
def test_a_buffer_has_a_size(size: int) -> None:
    with pytest.raises(ValueError, match="a buffer has"):
        BufferFilter(size)


# Prefixes


@pytest.mark.feature("prefix filter")
def test_each_line_gets_its_prefix_or_this_openssl_has_none() -> None:
    if not lib.HAVE_API_3_0:
        with pytest.raises(pyossl.UnsupportedError, match="has no BIO_f_prefix"):
            PrefixFilter("> ")
        return
    memory = BIO.memory()
    chain = PrefixFilter("> ", indent=2).push(memory)
    chain.write(b"one\ntwo\n")
    assert memory.read() == b">   one\n>   two\n"
    for wrong in ({"indent": -1}, {"prefix": "a\0b"}):
        with pytest.raises(ValueError, match=r"a prefix cannot|an indent is 0 to"):
            PrefixFilter(**wrong)  # type: ignore[arg-type]


# Files


def test_a_chain_over_a_file_is_what_openssl_reads_from_it(tmp_path: Path) -> None:
    path = tmp_path / "encrypted"
    with CipherFilter("aes-256-cbc", KEY, IV).push(Base64Filter()).push(BIO.file(path, "wb")) as chain:
        assert str(chain) == "cipher → base64 → file"
        chain.write(TEXT)
    assert openssl(*ENC, "-d", "-base64", "-in", os.fspath(path), given=b"") == TEXT


def test_under_a_connection_a_buffer_holds_back_what_is_written_until_it_is_flushed(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """OpenSSL flushes the handshake and the close_notify; the program flushes data."""
    ours, theirs = pyossl.BIO.pair()
    out = BufferFilter(1 << 20).push(ours)
    client = pyossl.Connection(client_context, "example.com", bio=(ours, out))
    server = pyossl.Connection(server_context, bio=theirs)
    take_turns(client, server)
    client.write(b"held ")
    client.write(b"back")
    assert server.read() is Want.READ
    assert out.flush() is None
    assert server.read() == b"held back"
    client.write(b"last")
    client.shutdown()
    assert server.read() == b"last"
    assert server.read() == b""
