"""The binding: OpenSSL's functions under their own names, complete for the headers that it covers.

ci/declarations compares lib's declarations with the headers of the OpenSSL in use; its result is tested here, so that
each row of the matrix has it.  The other tests make the calls of docs/binding.md, with ffi and lib only.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pyossl
from pyossl import ffi, lib

CI = Path(__file__).resolve().parents[2] / "ci"


def declarations(*arguments: str, script: Path = CI / "declarations.py") -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-B", str(script), *arguments], capture_output=True, text=True)


# Declarations


@pytest.mark.feature("every public function of ssl.h and bio.h")
def test_nothing_of_the_headers_is_missing() -> None:
    said = declarations()
    assert said.returncode == 0, declarations("--missing").stdout + said.stderr
    assert said.stdout.endswith("nothing is missing\n")


def test_each_header_s_numbers_add_up() -> None:
    rows = re.findall(r"^(\w+)\.h((?: +\d+){5})$", declarations().stdout, re.MULTILINE)
    counts = {header: [int(number) for number in numbers.split()] for header, numbers in rows}
    assert {"ssl", "tls1", "bio", "err"} <= set(counts)
    for public, declared, left_out, missing, _ in counts.values():
        assert (public, missing) == (declared + left_out, 0)
    assert counts["ssl"][0] > 1000
    assert counts["bio"][0] > 400


def test_each_name_left_out_has_its_reason_and_is_not_in_lib() -> None:
    lines = declarations("--left-out").stdout.splitlines()
    assert lines
    for line in lines:
        found = re.fullmatch(r"\w+\.h (\w+): .{10,}", line)
        assert found, line
        assert found[1] not in dir(lib)


def test_a_name_that_is_not_declared_is_named_and_fails_the_command(tmp_path: Path) -> None:
    """The command runs on a copy of the tree in which two declarations are missing."""
    root = CI.parent
    for file in ["build_ffi.py", "pyproject.toml", "ci/declarations.py", "ci/pyproject.py", "ci/left_out.toml"]:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text((root / file).read_text())
    (tmp_path / "pyossl" / "_c" / "decl").mkdir(parents=True)
    for path in (root / "pyossl" / "_c").rglob("*.[ch]"):
        text = re.sub(r"^.*\b(SSL_CTX_set_mode|SSL_ERROR_ZERO_RETURN)\b.*\n", "", path.read_text(), flags=re.MULTILINE)
        copy = tmp_path / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text)
    said = declarations("--missing", script=tmp_path / "ci" / "declarations.py")
    assert said.returncode == 1, said.stderr
    assert said.stdout.splitlines() == ["ssl.h SSL_CTX_set_mode", "ssl.h SSL_ERROR_ZERO_RETURN"]


@pytest.mark.parametrize(
    ("flag", "name"),
    [
        ("HAVE_PROVIDERS", "OSSL_LIB_CTX_new"),
        ("HAVE_API_3_2", "SSL_new_stream"),
        ("HAVE_QUIC", "OSSL_QUIC_client_method"),
        ("HAVE_SSL_POLL", "SSL_poll"),
        ("HAVE_API_3_5", "SSL_CTX_get0_implemented_groups"),
        ("HAVE_ECH", "SSL_set1_ech_config_list"),
        ("HAVE_SCTP", "BIO_s_datagram_sctp"),
        ("HAVE_SSL_TRACE", "SSL_trace"),
    ],
)
def test_what_this_openssl_lacks_is_an_attribute_error(flag: str, name: str) -> None:
    assert hasattr(lib, name) == bool(getattr(lib, flag))
    if not getattr(lib, flag):
        with pytest.raises(AttributeError, match=name):
            getattr(lib, name)


def test_what_this_openssl_deprecates_is_not_there() -> None:
    """A name is left out from the release that deprecates it on: programs that build today also build tomorrow."""
    assert hasattr(lib, "SSL_get_peer_certificate") == (not lib.HAVE_API_3_0)
    assert hasattr(lib, "SSL_set1_host") == (not lib.HAVE_API_4_0)
    assert not hasattr(lib, "TLSv1_2_method")


# Connections with ffi and lib only


@pytest.fixture
def contexts(credentials: pyossl.Credentials, authority: pyossl.Authority) -> tuple[Any, Any]:
    """The SSL_CTX * of a server and of a client, from PEM that is read through BIOs."""
    server = ffi.gc(lib.SSL_CTX_new(lib.TLS_server_method()), lib.SSL_CTX_free)
    client = ffi.gc(lib.SSL_CTX_new(lib.TLS_client_method()), lib.SSL_CTX_free)
    certificate = read(credentials.certificate.to_pem(), lib.PEM_read_bio_X509, lib.X509_free)
    key = read(credentials.private_key.to_pem(), lib.PEM_read_bio_PrivateKey, lib.EVP_PKEY_free)
    ca = read(authority.certificate.to_pem(), lib.PEM_read_bio_X509, lib.X509_free)
    assert lib.SSL_CTX_use_cert_and_key(server, certificate, key, ffi.NULL, 1) == 1
    assert lib.X509_STORE_add_cert(lib.SSL_CTX_get_cert_store(client), ca) == 1
    lib.SSL_CTX_set_verify(client, lib.SSL_VERIFY_PEER, ffi.NULL)
    assert lib.SSL_CTX_set_mode(client, lib.SSL_MODE_ENABLE_PARTIAL_WRITE) & lib.SSL_MODE_ENABLE_PARTIAL_WRITE
    return server, client


def read(pem: bytes, reader: Any, free: Any) -> Any:
    bio = ffi.gc(lib.BIO_new_mem_buf(pem, len(pem)), lib.BIO_free)
    pointer = reader(bio, ffi.NULL, ffi.NULL, ffi.NULL)
    assert pointer != ffi.NULL
    return ffi.gc(pointer, free)


def joined(server_context: Any, client_context: Any) -> tuple[Any, Any]:
    """Two SSLs over a BIO pair; each owns its half."""
    server = ffi.gc(lib.SSL_new(server_context), lib.SSL_free)
    client = ffi.gc(lib.SSL_new(client_context), lib.SSL_free)
    halves = ffi.new("BIO *[2]")
    assert lib.BIO_new_bio_pair(halves, 0, halves + 1, 0) == 1
    lib.SSL_set_bio(server, halves[0], halves[0])
    lib.SSL_set_bio(client, halves[1], halves[1])
    return server, client


def shake_hands(server: Any, client: Any) -> None:
    waiting = {client: lib.SSL_connect, server: lib.SSL_accept}
    for _ in range(20):
        for ssl, step in list(waiting.items()):
            lib.ERR_clear_error()
            result = step(ssl)
            if result == 1:
                del waiting[ssl]
            else:
                assert lib.SSL_get_error(ssl, result) == lib.SSL_ERROR_WANT_READ
        if not waiting:
            return
    raise AssertionError("the handshake does not finish")


@pytest.mark.feature("a handshake with OpenSSL's functions")
def test_a_handshake_by_openssl_s_own_names(contexts: tuple[Any, Any]) -> None:
    server, client = joined(*contexts)
    assert lib.SSL_set1_dnsname(client, b"example.com") == 1
    assert lib.SSL_set_tlsext_host_name(client, b"example.com") == 1
    shake_hands(server, client)
    assert lib.SSL_get_verify_result(client) == lib.X509_V_OK
    assert ffi.string(lib.SSL_get_version(client)) == b"TLSv1.3"
    assert ffi.string(lib.SSL_get_servername(server, lib.TLSEXT_NAMETYPE_host_name)) == b"example.com"
    assert ffi.string(lib.SSL_get_cipher_name(client)) == ffi.string(lib.SSL_get_cipher(server))

    written = ffi.new("size_t *")
    assert lib.SSL_write_ex(client, b"hello", 5, written) == 1
    assert written[0] == 5
    buffer = ffi.new("unsigned char[]", 100)
    assert lib.SSL_read_ex(server, buffer, 100, written) == 1
    assert bytes(ffi.buffer(buffer, written[0])) == b"hello"
    assert lib.SSL_shutdown(client) == 0
    assert lib.SSL_read_ex(server, buffer, 100, written) == 0
    assert lib.SSL_get_error(server, 0) == lib.SSL_ERROR_ZERO_RETURN


def test_a_python_function_is_a_callback(contexts: tuple[Any, Any]) -> None:
    states: list[bytes] = []

    @ffi.callback("void(*)(const SSL *, int, int)")
    def on_info(ssl: Any, where: int, value: int) -> None:
        if where & lib.SSL_CB_HANDSHAKE_DONE:
            states.append(ffi.string(lib.SSL_state_string_long(ssl)))

    lib.SSL_CTX_set_info_callback(contexts[1], on_info)
    assert lib.SSL_CTX_get_info_callback(contexts[1]) == on_info
    server, client = joined(*contexts)
    shake_hands(server, client)
    assert states[0] == b"SSL negotiation finished successfully"


def test_a_stack_is_read_through_its_functions(contexts: tuple[Any, Any]) -> None:
    ciphers = lib.SSL_CTX_get_ciphers(contexts[0])
    names = [
        ffi.string(lib.SSL_CIPHER_get_name(lib.sk_SSL_CIPHER_value(ciphers, n)))
        for n in range(lib.sk_SSL_CIPHER_num(ciphers))
    ]
    assert b"TLS_AES_128_GCM_SHA256" in names
    assert lib.sk_SSL_CIPHER_value(ciphers, len(names)) == ffi.NULL


def test_options_wider_than_31_bits_come_back_whole(contexts: tuple[Any, Any]) -> None:
    """docs/pitfalls.md: options became uint64_t in 3.0."""
    options = lib.SSL_OP_NO_RENEGOTIATION | lib.SSL_OP_NO_COMPRESSION | lib.SSL_OP_CRYPTOPRO_TLSEXT_BUG
    assert options >= 1 << 31
    assert lib.SSL_CTX_set_options(contexts[0], options) & options == options
    assert lib.SSL_CTX_clear_options(contexts[0], options) & options == 0


def test_a_chain_of_bios() -> None:
    chain = lib.BIO_push(lib.BIO_new(lib.BIO_f_base64()), lib.BIO_new(lib.BIO_s_mem()))
    try:
        lib.BIO_set_flags(chain, lib.BIO_FLAGS_BASE64_NO_NL)
        assert lib.BIO_write(chain, b"pyossl", 6) == 6
        assert lib.BIO_flush(chain) == 1
        data = ffi.new("char **")
        size = lib.BIO_get_mem_data(lib.BIO_next(chain), data)
        assert bytes(ffi.buffer(data[0], size)) == b"cHlvc3Ns"
        assert lib.BIO_method_type(chain) == lib.BIO_TYPE_BASE64
    finally:
        lib.BIO_free_all(chain)


def test_the_error_queue_by_its_own_names() -> None:
    bio = ffi.gc(lib.BIO_new_mem_buf(b"no certificate", 14), lib.BIO_free)
    assert lib.PEM_read_bio_X509(bio, ffi.NULL, ffi.NULL, ffi.NULL) == ffi.NULL
    file, line, function, data, flags = (ffi.new(f"{t} *") for t in ("char *", "int", "char *", "char *", "int"))
    code = lib.ERR_get_error_all(file, line, function, data, flags)
    assert (lib.ERR_GET_LIB(code), lib.ERR_GET_REASON(code)) == (lib.ERR_LIB_PEM, lib.PEM_R_NO_START_LINE)
    assert ffi.string(lib.ERR_reason_error_string(code)) == b"no start line"
    lib.ERR_clear_error()


def test_macros_over_functions_without_a_declaration_work(contexts: tuple[Any, Any]) -> None:
    """ssl.h's own SSL_disable_ct calls SSL_set_validation_callback, which does not exist.  docs/pitfalls.md, 53"""
    if not lib.HAVE_CT:
        assert not hasattr(lib, "SSL_disable_ct")
        return
    assert lib.SSL_CTX_enable_ct(contexts[1], lib.SSL_CT_VALIDATION_PERMISSIVE) == 1
    assert lib.SSL_CTX_ct_is_enabled(contexts[1]) == 1
    lib.SSL_CTX_disable_ct(contexts[1])
    assert lib.SSL_CTX_ct_is_enabled(contexts[1]) == 0
