"""The exceptions of ``_ssl``: classes, texts, and the names of libraries and reasons."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest
from stdlib.original_ssl import original
from stdlib.ssl_over_pyossl import MemoryPair, client_context, ssl

from pyossl.core import lib, text
from pyossl.stdlib import errors, python_versions

HANDSHAKE_FAILURE = lib.ERR_PACK(lib.ERR_LIB_SSL, 0, lib.SSL_AD_REASON_OFFSET + lib.SSL_AD_HANDSHAKE_FAILURE)


@pytest.fixture(autouse=True, scope="module")
def _texts_of_libssl() -> None:
    """OpenSSL loads libssl's texts with the first context (docs/pitfalls.md, 61)."""
    client_context()


def test_a_text_has_the_library_the_reason_and_a_line() -> None:
    error = errors.fill(errors.SSLError, 1, None, lib.ERR_PACK(lib.ERR_LIB_SSL, 0, lib.SSL_R_NO_SHARED_CIPHER))
    assert str(error) == "[SSL: NO_SHARED_CIPHER] no shared cipher (_ssl.c:1000)"
    assert (error.errno, error.library, error.reason) == (1, "SSL", "NO_SHARED_CIPHER")  # type: ignore[attr-defined]


def test_a_text_of_pyossls_own_has_no_library() -> None:
    error = errors.refused("not now")
    assert str(error) == "not now (_ssl.c:1000)"
    assert (error.errno, error.library, error.reason) == (0, None, None)  # type: ignore[attr-defined]


def test_a_reason_that_all_libraries_share_has_no_name() -> None:
    code = lib.ERR_PACK(lib.ERR_LIB_SSL, 0, lib.ERR_R_PEM_LIB) if hasattr(lib, "ERR_R_PEM_LIB") else 0
    if not code or not code & 0x80000:
        pytest.skip("this OpenSSL gives them no number of their own")
    assert errors.reason_name(code) is None
    assert str(errors.of_code(code)).startswith("[SSL] ")


def test_an_alert_has_the_name_of_the_constant_also_where_the_text_has_another() -> None:
    assert errors.reason_name(HANDSHAKE_FAILURE) == "SSLV3_ALERT_HANDSHAKE_FAILURE"


def test_every_reason_of_libssl_has_the_name_of_its_constant() -> None:
    names = {name.removeprefix("SSL_R_"): getattr(lib, name) for name in dir(lib) if name.startswith("SSL_R_")}
    assert len(names) > 100
    if not lib.HAVE_API_3_0:
        del names["UNEXPECTED_EOF_WHILE_READING"]  # compat.h lends it, with a number that 1.1.1 uses for another reason
    found = {name: errors.reason_name(lib.ERR_PACK(lib.ERR_LIB_SSL, 0, number)) for name, number in names.items()}
    # A number without a text in this release belongs to another one.
    assert {name: other for name, other in found.items() if other not in (name, None)} == {}


@pytest.mark.skipif(
    not (python_versions.HAS_ERROR_TABLES and original), reason="this Python's _ssl has no tables of errors"
)
def test_the_reasons_of_all_libraries_have_the_names_of_the_originals_table() -> None:
    table = original.err_codes_to_names
    if original.OPENSSL_VERSION_INFO[0] != ssl.OPENSSL_VERSION_INFO[0]:
        pytest.skip("the original's table is of the OpenSSL that this Python was built with, another major release")
    wrong = {}
    for (library, reason), name in table.items():
        code = lib.ERR_PACK(library, 0, reason)
        found = errors.reason_name(code)
        if found not in (name, None):
            wrong[library, reason] = (name, found, text(lib.ERR_reason_error_string(code)))
    assert not wrong


@pytest.mark.skipif(not python_versions.HAS_ERROR_TABLES, reason="this Python's _ssl has no tables of errors")
def test_the_tables_are_made_when_they_are_asked_for() -> None:
    program = """
from pyossl.stdlib import module
ours = module.make()
assert "err_codes_to_names" in dir(ours) and "err_codes_to_names" not in vars(ours)
names = ours.err_codes_to_names
assert names is ours.err_codes_to_names and len(names) > 500
assert ours.lib_codes_to_names[20] == "SSL"
assert ours.err_names_to_codes["NO_SHARED_CIPHER"][0] == 20
try:
    ours.none_such
except AttributeError:
    print("done")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "done", done.stderr


def test_a_refused_certificate_says_why() -> None:
    untrusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        MemoryPair(untrusting).handshake()
    error = caught.value
    assert isinstance(error, ValueError)
    assert error.verify_code == lib.X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
    reason = text(lib.X509_verify_cert_error_string(error.verify_code))
    assert error.verify_message == reason
    assert str(error) == f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {reason} (_ssl.c:1000)"


def test_the_classes_of_a_python_without_its_own_module_are_as_the_originals() -> None:
    program = """
import pickle, sys
sys.modules["_ssl"] = None
from pyossl.stdlib import module
sys.modules["_ssl"] = ours = module.make()
import ssl
assert ssl.SSLError is ours.SSLError and ssl.SSLError.__module__ == "ssl" and ssl.SSLError.__mro__[1] is OSError
assert str(ssl.SSLError(1, "text")) == "text" and str(ssl.SSLError("text")) == "('text',)"
assert issubclass(ssl.SSLCertVerificationError, (ssl.SSLError, ValueError))
assert repr(pickle.loads(pickle.dumps(ssl.SSLEOFError(8, "end")))) == "SSLEOFError(8, 'end')"
try:
    ssl.SSLError.x = 1
except TypeError:
    print("immutable")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "immutable", done.stderr


def test_an_error_can_be_pickled() -> None:
    error = errors.refused("not now")
    kind, arguments = pickle.loads(pickle.dumps((type(error).__name__, error.args)))
    assert (kind, arguments) == ("SSLError", (0, "not now (_ssl.c:1000)"))
