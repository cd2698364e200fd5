"""``pyossl.lib``: it has the names of the OpenSSL in use, as fast as cffi's object, and cannot be changed.

In a linked build it is cffi's own object.  A late-bound build is compiled with the newest headers, and leaves out what
the library in use lacks.
"""

from __future__ import annotations

import copy
import pickle
import pydoc
import subprocess
import sys
from typing import Any

import pytest

import build_late
import pyossl
from pyossl import lib

cffi_lib: Any = sys.modules["pyossl._openssl"].lib

of_the_late_build = pytest.mark.skipif(not lib.PYOSSL_LATE, reason="the lib of a linked build is cffi's own object")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("SSL_new_stream", "OpenSSL 3.2 and newer have it"),
        ("OPENSSL_CPU_INFO", "OpenSSL 3.0 and newer have it"),
        ("OSSL_QUIC_client_method", "OpenSSL 3.2 and newer have it, except builds with OPENSSL_NO_QUIC"),
        ("OSSL_QUIC_server_method", "OpenSSL 3.5 and newer have it, except builds with OPENSSL_NO_QUIC"),
        ("OSSL_QUIC_LOCAL_ERR_IDLE_TIMEOUT", "OpenSSL 3.3 and newer have it, except builds with OPENSSL_NO_QUIC"),
        ("SSL_VALUE_QUIC_MAX_PENDING_CONNS", "OpenSSL 3.5.8, 3.6.4, 4.0.2 and newer have it"),
        ("SSL_set1_ech_config_list", "OpenSSL 4.0 and newer have it, except builds with OPENSSL_NO_ECH"),
        ("SSL_trace", "OpenSSL 1.1.1 and newer have it, except builds with OPENSSL_NO_SSL_TRACE"),
        ("BIO_dgram_sctp_notification_cb", "OpenSSL 1.1.1 and newer have it, except builds with OPENSSL_NO_SCTP"),
        ("SSL_get_peer_certificate", "OpenSSL before 3.0 has it; 3.0 has deprecated or removed it"),
        ("SSL_set1_host", "OpenSSL before 4.0 has it; 4.0 has deprecated or removed it"),
        (
            "SSL_CTX_SRP_CTX_init",
            "OpenSSL before 3.0 has it, except builds with OPENSSL_NO_SRP; 3.0 has deprecated or removed it",
        ),
    ],
)
def test_a_name_that_not_every_openssl_has_is_explained(name: str, reason: str) -> None:
    assert build_late.explained(build_late.conditions()[name]) == reason
    if lib.PYOSSL_LATE and name not in dir(lib):
        with pytest.raises(AttributeError) as raised:
            getattr(lib, name)
        assert str(raised.value) == f"{pyossl.openssl_version} has no {name}: {reason}"


def test_every_condition_is_explained() -> None:
    explained = {condition: build_late.explained(condition) for condition in build_late.conditions().values()}
    assert all(text.startswith("OpenSSL ") and " has" in text.replace("have", "has") for text in explained.values())


@of_the_late_build
def test_a_name_that_the_library_lacks_is_neither_listed_nor_there() -> None:
    lacking = set(dir(cffi_lib)) - set(dir(lib))
    assert lacking, "no OpenSSL has all names: each release deprecates some"
    for name in lacking:
        assert not hasattr(lib, name)
        with pytest.raises(AttributeError, match=f" has no {name}: OpenSSL "):
            getattr(lib, name)


def test_a_name_that_no_openssl_has_is_an_attribute_error() -> None:
    for name in ("SSL_nothing", "SSL_nöthing", "", "__path__"):
        with pytest.raises(AttributeError):
            getattr(lib, name)


def test_the_names_that_are_listed_are_those_that_can_be_had() -> None:
    assert [name for name in dir(lib) if not hasattr(lib, name)] == []


@of_the_late_build
def test_the_values_are_those_of_cffi_s_object() -> None:
    for name in dir(lib):
        assert getattr(lib, name) == getattr(cffi_lib, name), name


def test_a_name_cannot_be_set_or_deleted() -> None:
    for name in ("SSL_new", "SSL_ERROR_SSL", "nothing"):
        with pytest.raises(AttributeError):
            setattr(lib, name, 1)
        with pytest.raises(AttributeError):
            delattr(lib, name)
    assert lib.SSL_ERROR_SSL == 1


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, pickle.dumps])
def test_it_can_neither_be_copied_nor_pickled(make: Any) -> None:
    with pytest.raises((TypeError, copy.Error, pickle.PicklingError)):
        make(lib)


def test_its_help_has_the_prototypes() -> None:
    page = pydoc.plain(pydoc.render_doc(lib))
    assert "SSL *SSL_new(SSL_CTX *);" in page
    assert "0x" not in repr(lib)


def test_a_function_is_converted_to_a_pointer() -> None:
    """docs/binding.md: ``ffi.addressof`` accepts no object but cffi's own."""
    pointers = pyossl.ffi.new("void (*[1])(SSL *)", [lib.SSL_free])
    assert pointers[0] == pyossl.ffi.cast("void (*)(SSL *)", lib.SSL_free)
    assert pointers[0] == pyossl.ffi.addressof(cffi_lib, "SSL_free")


def test_threads_that_use_names_at_the_same_time_get_the_same_values() -> None:
    code = """
import threading
from pyossl import lib
names = dir(lib)
start, found = threading.Barrier(4), []
def use():
    start.wait(30)
    found.append([getattr(lib, name) for name in names])
threads = [threading.Thread(target=use) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(found) == 4 and all(values == found[0] for values in found)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
