"""``python -m pyossl info``: the same information as text and as JSON, and it is correct."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli.cli_runs import in_a_pipe, on_a_terminal

import pyossl
from pyossl.cli import info
from pyossl.cli.screen import Screen


@pytest.fixture(scope="module")
def facts() -> Any:
    ran = in_a_pipe("info", "--json")
    assert ran.status == 0, ran.errors
    return json.loads(ran.output)


def test_json_is_for_programs_on_a_terminal_too(facts: Any) -> None:
    ran = on_a_terminal("info", "--json", columns=60)
    assert json.loads(ran.output) == facts


def test_the_openssl_is_the_one_in_use(facts: Any) -> None:
    assert facts["openssl"]["version"] == pyossl.openssl_version
    for library in ("libssl", "libcrypto"):
        assert Path(facts["openssl"][library]).name.startswith(library)


def test_why_it_is_this_openssl_and_what_was_passed_over(facts: Any) -> None:
    openssl, library = facts["openssl"], pyossl.features.library
    assert (openssl["found_by"], openssl["late"]) == (library.found_by, library.is_late)
    assert openssl["passed_over"] == [each._asdict() for each in library.passed_over]
    text = in_a_pipe("info").output
    assert re.search(rf"^  why +{re.escape(library.found_by)}$", text, re.MULTILINE)
    for each in library.passed_over:
        assert re.search(rf"^  passed over +{re.escape(each.name)}: {re.escape(each.reason)}$", text, re.MULTILINE)


@pytest.mark.skipif(pyossl.features.library.is_late, reason="a late-bound build uses the library that it names")
def test_a_variable_without_effect_is_said_to_have_none() -> None:
    assert "(PYOSSL_LIBSSL has no effect)" in in_a_pipe("info", PYOSSL_LIBSSL="/nothing/libssl.so.3").output
    assert "PYOSSL_LIBSSL" not in in_a_pipe("info").output


@pytest.mark.parametrize("newer", [False, True])
def test_a_library_that_is_newer_than_the_headers_is_said_to_be_so(facts: Any, newer: bool) -> None:
    everything = {**facts, "openssl": {**facts["openssl"], "newer_than_headers": newer}}
    stream = io.StringIO()
    info.show(everything, Screen(stream))
    note = "(pyossl was compiled with these; a newer pyossl may know more of this OpenSSL)"
    assert (note in stream.getvalue()) == newer


def test_the_features_are_those_of_the_library(facts: Any) -> None:
    assert facts["features"] == dict(pyossl.features)


def test_the_python_is_this_one(facts: Any) -> None:
    assert facts["python"]["executable"] == sys.executable
    assert facts["python"]["version"] == sys.version.split()[0]


@pytest.mark.feature("info")
def test_the_text_has_the_information_of_the_json(facts: Any) -> None:
    text = in_a_pipe("info").output
    openssl, trust = facts["openssl"], facts["trust"]
    for fact in (
        openssl["version"],
        openssl["libssl"],
        openssl["libcrypto"],
        openssl["configuration"]["path"],
        trust["file"]["path"],
        facts["python"]["cffi"],
        *(provider["title"] for provider in openssl["providers"]),
        *(directory["path"] for directory in trust["directories"]),
    ):
        assert fact in text
    has, lacks = (re.search(rf"^  {key} +(.*)$", text, re.MULTILINE) for key in ("has", "lacks"))
    assert has
    assert lacks
    for name, is_there in facts["features"].items():
        words = pyossl.features.describe(name)
        assert (words in has[1].split(", ")) == is_there or ", " in words, name


def test_openssl_conf_is_respected_in_policy_and_path(tmp_path: Path) -> None:
    configuration = tmp_path / "strict.cnf"
    configuration.write_text(
        "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n"
        "[c]\nMinProtocol = TLSv1.2\nMaxProtocol = TLSv1.2\nCipherString = DEFAULT@SECLEVEL=3\n"
    )
    facts = json.loads(in_a_pipe("info", "--json", OPENSSL_CONF=str(configuration)).output)
    assert facts["openssl"]["configuration"] == {"path": str(configuration), "exists": True}
    assert facts["policy"] == {"security_level": 3, "minimum_version": "TLSv1.2", "maximum_version": "TLSv1.2"}
    text = in_a_pipe("info", OPENSSL_CONF=str(configuration)).output
    assert "security level  3 (at least 128 bits)" in text
    assert "oldest version  TLSv1.2" in text
    assert "newest version  TLSv1.2" in text


def test_a_missing_configuration_file_is_reported(tmp_path: Path) -> None:
    text = in_a_pipe("info", OPENSSL_CONF=str(tmp_path / "none.cnf")).output
    assert f"{tmp_path / 'none.cnf'} (does not exist)" in text


def test_a_configuration_with_which_openssl_makes_no_context_is_named(tmp_path: Path) -> None:
    if not pyossl.features.providers:
        pytest.skip("an OpenSSL without providers reads no such configuration")
    configuration = tmp_path / "openssl.cnf"
    configuration.write_text(
        "openssl_conf = all\n[all]\nproviders = some\n[some]\nnone = none\n"
        "[none]\nmodule = /nowhere/none.so\nactivate = 1\n"
    )
    ran = in_a_pipe("info", OPENSSL_CONF=str(configuration))
    assert ran.status == 1
    assert "configuration" in ran.errors
    if "SSL_CTX_new" in ran.errors:  # some OpenSSLs cannot be initialised then
        assert str(configuration) in ran.errors


def test_a_trust_store_that_is_malformed_is_a_failure(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    ran = in_a_pipe("info", SSL_CERT_FILE=str(broken))
    assert ran.status == 1
    assert ran.errors.startswith("DecodeError: ")
    assert str(broken) in ran.errors


def test_it_says_over_which_openssl_pythons_own_ssl_is() -> None:
    facts = json.loads(in_a_pipe("info", "--json").output)["python"]["ssl"]
    assert facts["over_pyossl"] is False
    assert facts["openssl"].startswith("OpenSSL ")
    assert f"Python's own, with {facts['openssl']}" in in_a_pipe("info").output


def test_it_says_that_the_process_is_over_pyossl() -> None:
    command = [sys.executable, "-m", "pyossl.stdlib", "-m", "pyossl", "info"]
    text = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "over pyossl, in this process" in text
    text = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60, check=True).stdout
    assert json.loads(text)["python"]["ssl"]["over_pyossl"] is True
