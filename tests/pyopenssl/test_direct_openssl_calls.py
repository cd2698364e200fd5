"""Programs that call OpenSSL themselves: the pointers in pyOpenSSL's objects, and the functions in ``_util.lib``.

Each test does what a public program does, which it names.
"""

from __future__ import annotations

import gc
import socket
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pyopenssl.pyopenssl_pairs import AUTHORITY, CREDENTIALS, contexts, pair, shake_hands

import pyossl
from pyossl.pyopenssl import SSL, _util, crypto

lib, ffi = _util.lib, _util.ffi


@pytest.fixture(autouse=True)
def _deprecated() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def certificate() -> crypto.X509:
    return crypto.load_certificate(crypto.FILETYPE_PEM, CREDENTIALS.certificate.to_pem())


def private_key(kind: str = "RSA") -> crypto.PKey:
    return crypto.load_privatekey(crypto.FILETYPE_PEM, pyossl.PrivateKey.generate(kind).to_pem())


def line_of(name: Any) -> str:
    buffer = ffi.new("char[]", 512)
    assert lib.X509_NAME_oneline(name, buffer, len(buffer)) != ffi.NULL
    return _util.text(buffer)


def churn() -> None:
    """Collects garbage and writes over the memory that was freed."""
    gc.collect()
    for _ in range(50):
        certificate().get_subject()


# The names


def test_everything_that_cryptography_binds_is_there() -> None:
    openssl = pytest.importorskip("cryptography.hazmat.bindings.openssl.binding", reason="cryptography is not here")
    theirs = [name for name in dir(openssl.Binding.lib) if not name.startswith("_")]
    # cryptography's own version, and a function that ends OpenSSL for the whole process.
    allowed = {"CRYPTOGRAPHY_PACKAGE_VERSION", "OPENSSL_cleanup"}
    newer = {"SSL_get0_group_name", "SSL_R_UNEXPECTED_EOF_WHILE_READING"}  # not in every supported OpenSSL
    assert {name for name in theirs if not hasattr(lib, name)} <= allowed | newer
    assert set(theirs) - allowed - newer <= set(dir(lib))


@pytest.mark.parametrize(
    ("where", "name"),
    [
        *((SSL, name) for name in ("_lib", "_ffi", "_make_requires", "_text_to_bytes_and_warn", "_openssl_assert")),
        *((SSL, name) for name in ("_path_bytes", "_no_zero_allocator", "_asFileDescriptor", "_make_assert")),
        *((crypto, name) for name in ("_lib", "_ffi", "_bio_to_string", "_new_mem_buf", "_raise_current_error")),
        *((crypto, name) for name in ("_openssl_assert", "_PassphraseHelper", "_X509NameInvalidator", "_byte_string")),
        *((crypto, name) for name in ("_set_asn1_time", "_new_asn1_time", "_get_asn1_time", "_path_bytes")),
        *((_util, name) for name in ("lib", "ffi", "binding", "text", "path_bytes", "byte_string", "make_assert")),
        *((_util, name) for name in ("no_zero_allocator", "exception_from_error_queue", "UNSPECIFIED")),
        *((_util, name) for name in ("text_to_bytes_and_warn", "StrOrBytesPath")),
    ],
)
def test_a_private_name_of_the_original_is_there(where: Any, name: str) -> None:
    assert hasattr(where, name)


HANDLES: dict[str, tuple[Callable[[], Any], str]] = {
    "X509": (lambda: certificate()._x509, "X509 *"),
    "an empty X509": (lambda: crypto.X509()._x509, "X509 *"),
    "X509Name": (lambda: certificate().get_subject()._name, "X509_NAME *"),
    "a copy of an X509Name": (lambda: crypto.X509Name(certificate().get_subject())._name, "X509_NAME *"),
    "PKey": (lambda: private_key()._pkey, "EVP_PKEY *"),
    "an empty PKey": (lambda: crypto.PKey()._pkey, "EVP_PKEY *"),
    "X509Store": (lambda: crypto.X509Store()._store, "X509_STORE *"),
    "a context's X509Store": (lambda: contexts()[0].get_cert_store()._store, "X509_STORE *"),  # type: ignore[union-attr]
    "Context": (lambda: contexts()[0]._context, "SSL_CTX *"),
    "Connection": (lambda: pair()[0]._ssl, "SSL *"),
    "Session": (lambda: pair()[1].get_session()._session, "SSL_SESSION *"),  # type: ignore[union-attr]
}


@pytest.mark.parametrize("kind", HANDLES)
def test_a_handle_is_a_pointer(kind: str) -> None:
    make, expected = HANDLES[kind]
    pointer = make()
    assert ffi.typeof(pointer) == ffi.typeof(expected)
    assert pointer != ffi.NULL


# Programs


def test_scrapy_writes_a_certificates_names() -> None:
    shown = certificate()
    assert line_of(shown.get_subject()._name) == repr(shown.get_subject())[len("<X509Name object '") : -2]
    assert line_of(shown.get_issuer()._name) == repr(shown.get_issuer())[len("<X509Name object '") : -2]


def test_scrapy_and_twisted_read_a_contexts_options() -> None:
    context = contexts()[0]
    context.set_options(SSL.OP_NO_TICKET)
    assert lib.SSL_CTX_get_options(context._context) & SSL.OP_NO_TICKET


def test_mitmproxy_says_why_verification_has_failed() -> None:
    client, server = contexts()
    client.set_verify(SSL.VERIFY_PEER)
    both = SSL.Connection(client), SSL.Connection(server)
    with pytest.raises(SSL.Error):
        shake_hands(*both)
    code = lib.SSL_get_verify_result(both[0]._ssl)
    assert "issuer" in ffi.string(lib.X509_verify_cert_error_string(code)).decode()


def test_requests_credssp_reads_the_cipher_by_the_binding() -> None:
    client, _ = pair()
    cipher = _util.binding.lib.SSL_get_current_cipher(client._ssl)
    assert _util.binding.ffi.string(_util.binding.lib.SSL_CIPHER_get_name(cipher)).decode() == client.get_cipher_name()


@pytest.mark.parametrize("kind", ["RSA", "EC"])
def test_ansible_writes_a_public_key_to_a_bio(kind: str) -> None:
    key = private_key(kind)
    for form, write in (
        (crypto.FILETYPE_PEM, lib.PEM_write_bio_PUBKEY),
        (crypto.FILETYPE_ASN1, lib.i2d_PUBKEY_bio),
    ):
        bio = crypto._new_mem_buf()
        if write(bio, key._pkey) != 1:
            crypto._raise_current_error()
        assert crypto._bio_to_string(bio) == crypto.dump_publickey(form, key)


def test_a_certificate_is_made_of_a_pointer_that_is_given_away() -> None:
    """As programs that read PKCS #7 bundles do."""
    shown = certificate()
    made = crypto.X509._from_raw_x509_ptr(lib.X509_dup(shown._x509))
    assert made.digest("sha256") == shown.digest("sha256")
    assert made.get_subject() == shown.get_subject()


@pytest.mark.parametrize("how", ["borrowed", "copied", "owned by ffi.gc"])
def test_a_certificate_is_made_by_setting_its_pointer(how: str) -> None:
    """A borrowed pointer gets a reference of its own: the object that it was borrowed from may go."""
    shown = certificate()
    digest = shown.digest("sha256")
    pointer = shown._x509
    if how != "borrowed":
        pointer = lib.X509_dup(pointer)
    if how == "owned by ffi.gc":
        pointer = ffi.gc(pointer, lib.X509_free)
    made = crypto.X509.__new__(crypto.X509)
    made._x509 = pointer
    if how == "copied":
        lib.X509_free(pointer)
    del shown, pointer
    churn()
    assert made.digest("sha256") == digest
    made.get_subject().CN = "changed"
    assert made.get_subject().CN == "changed"


def test_a_name_is_made_by_setting_its_pointer() -> None:
    """As pyOpenSSL's former CRL does, and programs that have copied it."""
    shown = certificate().get_issuer()
    made = crypto.X509Name.__new__(crypto.X509Name)
    made._name = ffi.gc(lib.X509_NAME_dup(shown._name), lib.X509_NAME_free)
    churn()
    assert made == shown
    assert made.der() == shown.der()
    assert made.get_components() == shown.get_components()


def test_a_name_with_a_pointer_into_a_certificate_is_kept_by_its_owner() -> None:
    shown = certificate()
    made = crypto.X509Name.__new__(crypto.X509Name)
    made._name = lib.X509_get_subject_name(shown._x509)
    made._owner = shown
    assert made == shown.get_subject()


def test_an_entry_that_is_added_below_is_in_the_certificate() -> None:
    made = crypto.X509()
    name = made.get_subject()
    assert lib.X509_NAME_add_entry_by_NID(name._name, lib.OBJ_txt2nid(b"CN"), lib.MBSTRING_UTF8, b"below", 5, -1, 0)
    assert made.get_subject().CN == name.CN == "below"
    index = lib.X509_NAME_get_index_by_NID(name._name, lib.OBJ_txt2nid(b"CN"), -1)
    entry = lib.X509_NAME_ENTRY_get_data(lib.X509_NAME_get_entry(name._name, index))
    assert ffi.buffer(lib.ASN1_STRING_get0_data(entry), lib.ASN1_STRING_length(entry))[:] == b"below"


def test_a_certificate_is_verified_by_a_stores_pointer() -> None:
    store, shown = crypto.X509Store(), certificate()  # the context does not keep it
    result = []
    for _ in range(2):
        context = ffi.gc(lib.X509_STORE_CTX_new(), lib.X509_STORE_CTX_free)
        assert lib.X509_STORE_CTX_init(context, store._store, shown._x509, ffi.NULL) == 1
        result.append(lib.X509_verify_cert(context))
        store.add_cert(crypto.X509._from_raw_x509_ptr(lib.X509_dup(AUTHORITY.certificate._x509)))
    lib.ERR_clear_error()
    assert result == [0, 1]


def test_a_store_is_made_by_setting_its_pointer() -> None:
    """As pyOpenSSL's ``Context.get_cert_store`` does."""
    context = contexts()[0]
    made = crypto.X509Store.__new__(crypto.X509Store)
    made._store = lib.SSL_CTX_get_cert_store(context._context)
    made.add_cert(crypto.X509._from_raw_x509_ptr(lib.X509_dup(AUTHORITY.certificate._x509)))
    del context
    churn()
    crypto.X509StoreContext(made, certificate()).verify_certificate()


def test_a_key_is_made_by_setting_its_pointer() -> None:
    key = private_key()
    made, public = crypto.PKey.__new__(crypto.PKey), crypto.PKey.__new__(crypto.PKey)
    made._pkey = key._pkey
    public._pkey = lib.X509_get_pubkey(certificate()._x509)
    lib.EVP_PKEY_free(public._pkey)  # the program's own reference
    expected = crypto.dump_privatekey(crypto.FILETYPE_PEM, key)
    del key
    churn()
    assert crypto.dump_privatekey(crypto.FILETYPE_PEM, made) == expected
    assert crypto.dump_publickey(crypto.FILETYPE_PEM, public) == crypto.dump_publickey(
        crypto.FILETYPE_PEM, certificate().get_pubkey()
    )
    assert (made._only_public, public._only_public) == (False, True)


def test_a_key_is_generated_into_an_empty_ones_pointer() -> None:
    """As pyOpenSSL's ``generate_key`` does."""
    made = crypto.PKey()
    assert (made.type(), made.bits()) == (0, 0)
    exponent = ffi.gc(lib.BN_new(), lib.BN_free)
    assert lib.BN_set_word(exponent, lib.RSA_F4) == 1
    rsa = lib.RSA_new()
    assert lib.RSA_generate_key_ex(rsa, 2048, exponent, ffi.NULL) == 1
    assert lib.EVP_PKEY_assign_RSA(made._pkey, rsa) == 1
    made._initialized = True
    assert (made.type(), made.bits()) == (crypto.TYPE_RSA, 2048)
    assert lib.EVP_PKEY_id(made._pkey) == crypto.TYPE_RSA
    assert made.check()
    signed = crypto.X509()
    signed.set_pubkey(made)
    signed.sign(made, "sha256")


def test_the_rsa_key_of_a_key_is_checked_and_printed() -> None:
    key = private_key()
    rsa = ffi.gc(lib.EVP_PKEY_get1_RSA(key._pkey), lib.RSA_free)
    assert lib.RSA_check_key(rsa) == 1
    bio = crypto._new_mem_buf()
    assert lib.RSA_print(bio, rsa, 0) == 1
    assert b"publicExponent: 65537" in crypto._bio_to_string(bio)


def test_a_key_is_written_with_the_passphrases_helper() -> None:
    key, asked = private_key(), []

    def passphrase(writing: int) -> bytes:
        asked.append(writing)
        return b"secret"

    for given in (b"secret", passphrase):
        bio, helper = crypto._new_mem_buf(), crypto._PassphraseHelper(crypto.FILETYPE_PEM, given)
        cipher, callback = lib.EVP_get_cipherbyname(b"aes-128-cbc"), helper.callback
        assert lib.PEM_write_bio_PrivateKey(bio, key._pkey, cipher, ffi.NULL, 0, callback, helper.callback_args) == 1
        helper.raise_if_problem()
        read = crypto.load_privatekey(crypto.FILETYPE_PEM, crypto._bio_to_string(bio), b"secret")
        assert crypto.dump_privatekey(crypto.FILETYPE_PEM, read) == crypto.dump_privatekey(crypto.FILETYPE_PEM, key)
    assert asked == [1]


def test_what_a_passphrases_callback_raises_is_raised_by_the_helper() -> None:
    def passphrase(writing: int) -> bytes:
        raise ZeroDivisionError

    bio, helper = crypto._new_mem_buf(), crypto._PassphraseHelper(crypto.FILETYPE_PEM, passphrase)
    callback, cipher = helper.callback, lib.EVP_get_cipherbyname(b"aes-128-cbc")
    lib.PEM_write_bio_PrivateKey(bio, private_key()._pkey, cipher, ffi.NULL, 0, callback, helper.callback_args)
    with pytest.raises(ZeroDivisionError):
        helper.raise_if_problem()


def test_a_chain_in_a_bio_is_added_to_a_context() -> None:
    root = pyossl.Authority("root")
    chain = root.certificate.to_pem() + AUTHORITY.certificate.to_pem()
    context, bio, count = SSL.Context(SSL.TLS_METHOD), crypto._new_mem_buf(chain), 0
    while (found := lib.PEM_read_bio_X509(bio, ffi.NULL, ffi.NULL, ffi.NULL)) != ffi.NULL:
        assert lib.SSL_CTX_add_extra_chain_cert(context._context, found) == 1
        count += 1
    lib.ERR_clear_error()
    assert count == 2


def test_a_dump_is_read_back_through_a_bio() -> None:
    bio = crypto._new_mem_buf(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate()))
    made = crypto.X509._from_raw_x509_ptr(lib.d2i_X509_bio(bio, ffi.NULL))
    assert made.digest("sha1") == certificate().digest("sha1")


def test_a_digest_is_taken_below() -> None:
    digest, length = ffi.new("unsigned char[]", lib.EVP_MAX_MD_SIZE), ffi.new("unsigned int *")
    assert lib.X509_digest(certificate()._x509, lib.EVP_get_digestbyname(b"sha256"), digest, length) == 1
    assert ffi.buffer(digest, length[0])[:].hex(":").upper().encode() == certificate().digest("sha256")


def test_times_are_set_and_read_below() -> None:
    made = crypto.X509()
    when = lib.X509_getm_notAfter(made._x509)
    for text in (b"20300102030405Z", b"19990102030405Z", b"21000102030405Z"):
        crypto._set_asn1_time(when, text)
        assert crypto._get_asn1_time(when) == made.get_notAfter() == text
    assert crypto._get_asn1_time(crypto._new_asn1_time(b"20300102030405Z")) == b"20300102030405Z"
    assert crypto._get_asn1_time(lib.X509_getm_notBefore(made._x509)) is None
    with pytest.raises(ValueError, match="Invalid string"):
        crypto._set_asn1_time(when, b"tomorrow")


def test_a_serial_number_is_set_below() -> None:
    made, number = crypto.X509(), ffi.new("BIGNUM **")
    assert lib.BN_hex2bn(number, b"abcdef") == 6
    serial = ffi.gc(lib.BN_to_ASN1_INTEGER(number[0], ffi.NULL), lib.ASN1_INTEGER_free)
    lib.BN_free(number[0])
    assert lib.X509_set_serialNumber(made._x509, serial) == 1
    assert made.get_serial_number() == 0xABCDEF


def test_a_callback_in_c_is_shown_once_there_is_one() -> None:
    context = contexts()[0]
    assert (context._keylog_callback, context._info_callback) == (None, None)
    context.set_keylog_callback(lambda connection, line: None)
    context.set_info_callback(lambda connection, where, value: None)
    for found in (context._keylog_callback, context._info_callback):
        assert found is not None
        assert ffi.typeof(found).kind == "function"


def test_a_constant_that_a_program_sets_is_its_own() -> None:
    """As mitmproxy's tests set ``Cryptography_HAS_ALPN``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SSL._lib, "Cryptography_HAS_ALPN", False, raising=False)
        assert lib.Cryptography_HAS_ALPN is False
    assert lib.Cryptography_HAS_KEYLOG == 1


def test_the_error_queue_becomes_an_exception() -> None:
    lib.ERR_put_error(lib.ERR_LIB_SSL, 0, lib.SSL_R_NO_SHARED_CIPHER, b"", 10)
    with pytest.raises(crypto.Error) as caught:
        crypto._raise_current_error()
    assert caught.value.args[0] == [("SSL routines", "", "no shared cipher")]
    for refuse in (crypto._openssl_assert, SSL._openssl_assert, _util.make_assert(ZeroDivisionError)):
        refuse(True)
        with pytest.raises((crypto.Error, SSL.Error, ZeroDivisionError)):
            refuse(False)


def test_a_function_without_its_feature_says_so() -> None:
    @SSL._make_requires(0, "no such feature")
    def missing() -> int:
        return 1

    @SSL._make_requires(1, "no such feature")
    def there() -> int:
        return 1

    with pytest.raises(NotImplementedError, match="no such feature"):
        missing()
    assert there() == 1


def test_text_is_encoded_with_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match="str for what is no longer accepted, use bytes"):
        assert _util.text_to_bytes_and_warn("what", "é") == "é".encode()
    assert _util.text_to_bytes_and_warn("what", b"x") == b"x"
    assert _util.byte_string("é") == b"\xe9"
    assert (_util.path_bytes("/é"), _util.path_bytes(b"/x")) == ("/é".encode(), b"/x")


def test_a_missing_attribute_of_a_connection_is_looked_up_in_its_socket() -> None:
    """As Python's ``socket.SocketIO`` does over a connection, in cheroot; private attributes too."""
    first, second = socket.socketpair()
    with first, second:
        connection = SSL.Connection(contexts()[0], first)
        assert connection._io_refs == first._io_refs  # type: ignore[attr-defined]
        assert connection._decref_socketios == first._decref_socketios  # type: ignore[attr-defined]
        with pytest.raises(AttributeError):
            connection._no_such_thing  # noqa: B018
    for bare in (SSL.Connection(contexts()[0]), SSL.Connection.__new__(SSL.Connection)):
        with pytest.raises(AttributeError):
            bare._io_refs  # noqa: B018


# Pointers outlive their objects


@pytest.mark.parametrize("changed", [False, True])
def test_a_names_pointer_outlives_the_certificate(changed: bool) -> None:
    """Also after a change of the certificate, which changes a copy."""
    shown = certificate()
    expected, pointer = line_of(shown.get_subject()._name), shown.get_subject()._name
    if changed:
        shown.set_serial_number(5)
    del shown
    churn()
    assert line_of(pointer) == expected


def test_other_pointers_outlive_their_objects() -> None:
    made = certificate()._x509, private_key()._pkey, crypto.X509Store()._store, contexts()[0]._context
    churn()
    assert lib.X509_get_version(made[0]) == 2
    assert lib.EVP_PKEY_bits(made[1]) == 2048
    assert lib.X509_STORE_set_flags(made[2], 0) == 1
    assert lib.SSL_CTX_get_verify_depth(made[3]) == contexts()[0].get_verify_depth()


@pytest.mark.parametrize("kind", ["X509", "X509Name", "PKey", "X509Store"])
@pytest.mark.parametrize("wrong", ["NULL", "another pointer", "no pointer"])
def test_a_handle_is_not_set_to_what_it_cannot_be(kind: str, wrong: str) -> None:
    types = {"X509": "X509 *", "X509Name": "X509_NAME *", "PKey": "EVP_PKEY *", "X509Store": "X509_STORE *"}
    attribute = {"X509": "_x509", "X509Name": "_name", "PKey": "_pkey", "X509Store": "_store"}[kind]
    value = {"NULL": ffi.cast(types[kind], 0), "another pointer": ffi.new("int *"), "no pointer": 5}[wrong]
    cls = getattr(crypto, kind)
    with pytest.raises(ValueError if wrong == "NULL" else TypeError):
        setattr(cls.__new__(cls), attribute, value)


# Connections by their pointers


def test_a_connection_is_found_by_its_pointer_for_as_long_as_there_is_one() -> None:
    """As in gevent_openssl, which uses the mapping in a class of its own, and in callbacks for PSK."""
    connection = SSL.Connection(contexts()[0])
    pointer = connection._ssl
    assert SSL.Connection._reverse_mapping[pointer] is connection
    del connection
    gc.collect()
    assert pointer not in SSL.Connection._reverse_mapping


def test_a_verify_callback_in_c_may_accept() -> None:
    told = []

    @ffi.callback("int (*)(int, X509_STORE_CTX *)")
    def verify(ok: int, store_context: Any) -> int:
        ssl = lib.X509_STORE_CTX_get_ex_data(store_context, lib.SSL_get_ex_data_X509_STORE_CTX_idx())
        told.append(SSL.Connection._reverse_mapping[ssl])
        return 1

    client, server = contexts()
    lib.SSL_CTX_set_verify(client._context, SSL.VERIFY_PEER, verify)
    both = SSL.Connection(client), SSL.Connection(server)
    shake_hands(*both)
    assert set(told) == {both[0]}


@pytest.mark.parametrize("trusts", [True, False])
def test_a_refusal_by_a_verify_callback_in_c_is_a_refusal(trusts: bool) -> None:
    client, server = contexts()
    if trusts:
        client.get_cert_store().add_cert(crypto.X509._of(AUTHORITY.certificate))

    @ffi.callback("int (*)(int, X509_STORE_CTX *)")
    def refuse(ok: int, store_context: Any) -> int:
        return 0

    lib.SSL_CTX_set_verify(client._context, SSL.VERIFY_PEER, refuse)
    both = SSL.Connection(client), SSL.Connection(server)
    with pytest.raises(SSL.Error):
        shake_hands(*both)
    client, server = contexts()
    lib.SSL_CTX_set_verify(client._context, SSL.VERIFY_PEER, refuse)
    client.set_verify(SSL.VERIFY_PEER, lambda *_: True)  # this removes the program's callback
    shake_hands(SSL.Connection(client), SSL.Connection(server))


def test_the_result_of_an_openssl_function_is_raised_as_the_connection_raises_it() -> None:
    client, server = pair()
    buffer = ffi.new("char []", 16)
    for _ in range(3):  # session tickets
        result = lib.SSL_read(client._ssl, buffer, len(buffer))
    with pytest.raises(SSL.WantReadError):
        client._raise_ssl_error(client._ssl, result)
    server.send(b"data")
    client.bio_write(server.bio_read(1 << 20))
    result = lib.SSL_read(client._ssl, buffer, len(buffer))
    assert client._raise_ssl_error(client._ssl, result) is None
    server.shutdown()
    client.bio_write(server.bio_read(1 << 20))
    with pytest.raises(SSL.ZeroReturnError):
        client._raise_ssl_error(client._ssl, lib.SSL_read(client._ssl, buffer, len(buffer)))


def test_an_alert_and_an_end_in_an_openssl_function_are_raised_as_the_connection_raises_them() -> None:
    client = SSL.Connection(contexts()[0])
    client.set_connect_state()
    lib.SSL_do_handshake(client._ssl)
    client.bio_write(bytes.fromhex("15030300020228"))  # a fatal alert: handshake_failure
    with pytest.raises(SSL.Error) as error:
        client._raise_ssl_error(client._ssl, lib.SSL_do_handshake(client._ssl))
    assert "alert handshake failure" in error.value.args[0][0][2]
    shut = SSL.Connection(contexts()[0])
    shut.set_connect_state()
    shut.bio_shutdown()
    with pytest.raises(SSL.SysCallError, match="Unexpected EOF"):
        shut._raise_ssl_error(shut._ssl, lib.SSL_do_handshake(shut._ssl))


def test_a_helper_of_a_program_s_callbacks_raises_what_they_raised() -> None:
    """As in programs that add PSK to pyOpenSSL."""
    helper = SSL._CallbackExceptionHelper()
    helper.raise_if_problem()
    helper._problems.append(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        helper.raise_if_problem()
    helper.raise_if_problem()


def test_the_error_queue_is_raised_as_ssls_error() -> None:
    assert lib.SSL_CTX_set_cipher_list(contexts()[0]._context, b"no such cipher") == 0
    with pytest.raises(SSL.Error, match="no cipher match"):
        SSL._raise_current_error()
