"""``lib`` has what the headers of the OpenSSL in use declare: these names with these values, and no other names.

The headers are those that find_openssl() of build_ffi.py finds, and the compiler tells what they declare.  A build that
is linked to OpenSSL was compiled with them.  A late-bound build (a wheel) was compiled with the headers of the newest
OpenSSL, whatever library it runs with.
"""

from __future__ import annotations

import re
import sys

import pytest

import build_ffi
from pyossl import ffi, lib

# At the end of the path, so that an installed pyossl is still the one that is tested.
sys.path.append(str(build_ffi.ROOT / "ci"))

import changed_constants  # of ci/

OURS = re.compile(r"pyossl_|PYOSSL_|HAVE_")


@pytest.fixture(scope="module")
def compiler() -> build_ffi.Compiler:
    found = build_ffi.Compiler(build_ffi.find_openssl())
    number = lib.OpenSSL_version_num()
    headers, in_use = changed_constants.release(found), (number >> 28, number >> 20 & 0xFF)
    if headers != in_use:
        pytest.skip("needs the headers of the OpenSSL in use; the ones that are found are of another release")
    return found


@pytest.fixture(scope="module")
def declared(compiler: build_ffi.Compiler) -> set[str]:
    """The names that the fragments declare for these headers."""
    return build_ffi.declared(build_ffi.surviving(compiler)) | set(build_ffi.flags())


def of_openssl(names: set[str]) -> set[str]:
    return {name for name in names if not OURS.match(name)}


def value(name: str) -> int | None:
    """As the compiler prints it: a 64-bit number with a sign."""
    found = getattr(lib, name, None)
    return found - 2**64 if isinstance(found, int) and found >= 2**63 else found


def test_every_constant_and_enumerator_has_the_value_that_the_headers_give(compiler: build_ffi.Compiler) -> None:
    expected = changed_constants.values(compiler, changed_constants.names(compiler))
    assert len(expected) > 1700
    assert {name: value(name) for name in expected} == expected


def test_lib_has_the_names_that_these_headers_declare_and_no_others(declared: set[str]) -> None:
    assert of_openssl(set(dir(lib))) == of_openssl(declared)


def test_every_name_can_be_had(declared: set[str]) -> None:
    assert {name for name in declared | set(dir(lib)) if not hasattr(lib, name)} == set()


def test_a_name_that_these_headers_do_not_declare_is_an_attribute_error(declared: set[str]) -> None:
    others = of_openssl(build_ffi.declared(list(build_ffi.fragment_lines()))) - declared
    assert {name for name in others if hasattr(lib, name)} == set()


def test_the_version_number_of_a_late_bound_build_is_that_of_the_library() -> None:
    """That of a linked build is the one of its headers."""
    if lib.PYOSSL_LATE:
        assert lib.OpenSSL_version_num() == lib.OPENSSL_VERSION_NUMBER
    else:
        headers = ffi.string(lib.pyossl_headers()).decode().split()[1]
        number = lib.OPENSSL_VERSION_NUMBER
        assert headers.startswith(f"{number >> 28}.{number >> 20 & 0xFF}.")


def test_each_feature_is_there_if_the_headers_have_it(compiler: build_ffi.Compiler) -> None:
    """Also if OpenSSL was configured without it: no-quic, no-psk and so on."""
    asked = [f"#if {flag}\nin_the_headers {flag[:4]} {flag[4:]}\n#endif" for flag in build_ffi.flags()]
    answers = compiler.preprocess("\n".join(['#include "have.h"', *asked]) + "\n")
    expected = {f"HAVE{flag}" for flag in re.findall(r"in_the_headers HAVE (\w+)", answers)}
    assert "HAVE_API_3_0" in expected or lib.OPENSSL_VERSION_NUMBER < 0x30000000
    assert {flag for flag in build_ffi.flags() if getattr(lib, flag)} == expected
