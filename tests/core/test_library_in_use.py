"""``pyossl.features.library``: which libssl is in use and why; OpenSSL is asked for a feature at its first use."""

from __future__ import annotations

import json
import os
import pydoc
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pyossl
from pyossl import lib
from pyossl.core.library_in_use import Library, PassedOver

of_the_late_build = pytest.mark.skipif(not lib.PYOSSL_LATE, reason="a linked build looks for no library")
of_the_linked_build = pytest.mark.skipif(bool(lib.PYOSSL_LATE), reason="a late-bound build is linked to no library")


def library_in(*options: str, **environment: str) -> Any:
    """``features.library`` in a new interpreter."""
    code = "import json, pyossl; print(json.dumps(pyossl.features.library._asdict()))"
    done = subprocess.run(
        [sys.executable, *options, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "PYOSSL_LIBSSL"} | environment,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_path_is_that_of_the_loaded_file() -> None:
    library = pyossl.features.library
    assert Path(library.path).name.startswith("libssl")
    assert library.headers.startswith("OpenSSL ")
    assert library.is_late == bool(lib.PYOSSL_LATE)
    assert not library.is_newer or library.headers != pyossl.openssl_version


@of_the_linked_build
def test_a_linked_build_says_that_it_is_linked_whatever_the_variable_names() -> None:
    for environment in ({}, {"PYOSSL_LIBSSL": "/nothing/libssl.so.3"}):
        library = library_in(**environment)
        assert (library["found_by"], library["passed_over"]) == ("pyossl is linked to it", [])


@of_the_late_build
def test_the_library_that_the_variable_names_is_used_for_that_reason() -> None:
    path = os.path.realpath(pyossl.features.library.path)
    library = library_in(PYOSSL_LIBSSL=path)
    assert os.path.realpath(library["path"]) == path
    assert (library["found_by"], library["passed_over"]) == ("PYOSSL_LIBSSL names it", [])


SHIM = """
unsigned long OpenSSL_version_num(void) { return %s; }
extern void SSL_new(void);
void *keeps_libssl = SSL_new;
"""


@pytest.fixture
def shim(tmp_path: Path) -> Any:
    """Makes a library that reports another version, and otherwise is the libssl in use."""

    def made(version: str) -> Path:
        source, library = tmp_path / "shim.c", tmp_path / "libshim.so"
        source.write_text(SHIM % version)
        libssl = os.path.realpath(pyossl.features.library.path)
        libcrypto = os.path.realpath(pyossl.ffi.string(lib.pyossl_crypto_library()).decode())
        # With the older tag, the folders are also searched for what libssl itself needs.
        folders = {f"-Wl,--disable-new-dtags,-rpath,{os.path.dirname(each)}" for each in (libssl, libcrypto)}
        command = ["cc", "-shared", "-fPIC", "-o", str(library), str(source), libssl, libcrypto, *sorted(folders)]
        subprocess.run(command, check=True)
        return library

    return made


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the shim is made for Linux's dynamic linker")
def test_a_library_that_is_newer_than_the_headers_works_and_is_said_to_be_newer(shim: Any) -> None:
    major, minor = (int(part) for part in pyossl.features.library.headers.split()[1].split(".")[:2])
    if major == 1:
        pytest.skip("no release after 1.1.1 has the same major version")
    library = shim(f"0x{major:x}{minor + 1:02x}00000UL")
    assert library_in(**{"PYOSSL_LIBSSL" if lib.PYOSSL_LATE else "LD_PRELOAD": str(library)})["is_newer"] is True


@of_the_late_build
def test_the_libraries_that_were_passed_over_are_listed_with_the_reasons() -> None:
    library = library_in()
    if library["path"].endswith(".so.4"):
        pytest.skip("the first candidate is used")
    name, reason = library["passed_over"][0]
    assert name == "libssl.so.4"
    assert reason.startswith(("cannot open shared object file", "Error loading shared library", "it is "))


@of_the_late_build
@pytest.mark.parametrize("option", ["-E", "-I"])
def test_the_variable_is_ignored_if_python_ignores_the_environment(option: str) -> None:
    assert library_in(option, PYOSSL_LIBSSL="/nothing/libssl.so.3")["found_by"] != "PYOSSL_LIBSSL names it"


@pytest.mark.parametrize("kind", [Library, PassedOver])
def test_help_describes_each_field(kind: Any) -> None:
    page = pydoc.plain(pydoc.render_doc(kind))
    for field in kind._fields:
        assert not getattr(kind, field).__doc__.startswith("Alias for field"), field
        assert getattr(kind, field).__doc__ in page


# Features


@of_the_late_build
def test_openssl_is_asked_for_a_feature_at_its_first_use_only() -> None:
    code = """
import pyossl
from pyossl import features, lib
names = list(features)
assert "tls1_3" in features and "nothing" not in features and len(features) == len(names)
features.describe("tls1_3"); features.library; dir(features)
print(*(name for name in vars(lib) if name.startswith("HAVE_")))
assert features.tls1_3 == features["tls1_3"] == bool(lib.HAVE_TLS1_3)
print(*(name for name in vars(lib) if name.startswith("HAVE_")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    before, after = done.stdout.splitlines()
    assert "HAVE_TLS1_3" not in before.split()
    assert set(after.split()) - set(before.split()) == {"HAVE_TLS1_3"}


def test_a_version_that_openssl_cnf_forbids_is_still_a_feature_of_the_build(tmp_path: Path) -> None:
    configuration = tmp_path / "openssl.cnf"
    configuration.write_text(
        "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = default\n"
        "[default]\nProtocol = -TLSv1.3, -TLSv1.2, -TLSv1.1, -TLSv1\n"
    )
    code = "from pyossl import lib; print(lib.HAVE_TLS1_3, lib.HAVE_DTLS)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "OPENSSL_CONF": str(configuration)},
    )
    assert done.stdout == f"{lib.HAVE_TLS1_3} {lib.HAVE_DTLS}\n"


def test_an_unknown_feature_is_a_key_error_and_an_attribute_error() -> None:
    with pytest.raises(KeyError):
        pyossl.features["nothing"]
    with pytest.raises(AttributeError, match="there is no feature 'nothing'"):
        pyossl.features.nothing  # noqa: B018  # that is the point
    assert "QUIC" not in pyossl.features
