"""Our ``_ssl`` has the names, the values and the behaviour of the one that belongs to the running Python.

behaviours.py puts the same questions to both, each in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from stdlib.original_ssl import original, with_original

import pyossl
from pyossl.core import lib
from pyossl.stdlib import module, python_versions

BEHAVIOURS = Path(__file__).with_name("behaviours.py")

with_same_openssl = pytest.mark.skipif(
    original is None or lib.OpenSSL_version_num() != original.OPENSSL_VERSION_NUMBER,
    reason="this Python's own _ssl has another OpenSSL",
)
with_same_headers = pytest.mark.skipif(
    original is None or (original.OPENSSL_VERSION_INFO < (3, 0)) != (lib.OpenSSL_version_num() < 0x30000000),
    reason="this Python's own _ssl has an OpenSSL with other options",
)

OF_A_FILE = {"__file__", "__loader__", "__spec__", "__package__"}
"""What only a module has that was loaded from a file."""
HEADERS_OWN = {"_OPENSSL_API_VERSION"}
"""The version of the headers, with which each was compiled."""


def public(m: Any) -> set[str]:
    return set(dir(m)) - OF_A_FILE


@pytest.mark.feature("names, values and answers of each Python's own _ssl")
@with_same_headers
def test_it_has_the_names_of_the_original_and_no_others() -> None:
    assert public(module.make()) == public(original)


@with_same_openssl
def test_its_constants_have_the_values_of_the_originals() -> None:
    ours = module.make()
    plain = (bool, int, str, tuple)
    values = {name: getattr(original, name) for name in public(original) - HEADERS_OWN}
    expected = {name: (type(value), value) for name, value in values.items() if isinstance(value, plain)}
    expected.pop("__doc__", None)
    assert {name: (type(getattr(ours, name)), getattr(ours, name)) for name in expected} == expected


@with_original
def test_its_functions_and_types_are_functions_and_types() -> None:
    ours = module.make()
    wrong = [
        name
        for name in public(original)
        if callable(getattr(original, name)) != callable(getattr(ours, name, None))
        or isinstance(getattr(original, name), type) != isinstance(getattr(ours, name, None), type)
    ]
    assert not wrong


@with_original
def test_the_exceptions_of_a_loaded_original_are_kept() -> None:
    program = """
import _ssl
from pyossl.stdlib import module
ours = module.make(_ssl)
names = [name for name in dir(_ssl) if name.endswith("Error")]
assert len(names) == 7 and all(getattr(ours, name) is getattr(_ssl, name) for name in names)
try:
    ours._SSLContext(ours.PROTOCOL_TLS_CLIENT).set_ciphers("none such")
except _ssl.SSLError:
    pass
memory = ours.MemoryBIO()
memory.write_eof()
try:
    memory.write(b"x")
except _ssl.SSLError:
    print("both were caught")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "both were caught", done.stderr


@with_original
def test_the_default_ciphers_are_known_without_the_original() -> None:
    program = "from pyossl.stdlib import module; print(module.make()._DEFAULT_CIPHERS)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == original._DEFAULT_CIPHERS, done.stderr


# The behaviour


def wrote(folder: Path) -> Path:
    """Writes a certificate with its key, plain and encrypted, and files that are none."""
    authority, another = pyossl.Authority("Authority of the tests"), pyossl.Authority("Another authority")
    leaf = authority.issue("localhost")
    certificate, key = leaf.certificate.to_pem(), leaf.private_key.to_pem()
    trusted, other = authority.certificate, another.certificate
    files = {
        "authority.pem": trusted.to_pem(),
        "both.pem": certificate + key,
        "broken.pem": certificate[:200],
        "certificate.der": leaf.certificate.to_der(),
        "certificate.pem": certificate,
        "empty.pem": b"",
        "encrypted.pem": certificate + leaf.private_key.to_pem(b"secret"),
        "key.pem": key,
        "other.pem": other.to_pem(),
        "other_key.pem": another.credentials.private_key.to_pem(),
        "then_broken.pem": certificate + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "trailing.der": leaf.certificate.to_der() + b"xyz",
        "two.der": trusted.to_der() + other.to_der(),
        "two.pem": trusted.to_pem() + other.to_pem(),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


@lru_cache(maxsize=1)
def files() -> Path:
    return wrote(Path(mkdtemp(prefix="pyossl-ssl-")))


@lru_cache(maxsize=2)
def answers(which: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-X", "utf8", str(BEHAVIOURS), which, str(files())],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=mkdtemp(prefix="pyossl-ssl-"),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


LOOSE = ("TypeError", "OverflowError", "AttributeError", "BufferError")
"""Exceptions of a wrong argument: their texts are Python's, and differ between functions in C and in Python."""


def comparable(answer: Any) -> Any:
    result, *warned = answer
    if isinstance(result, str) and result.partition(":")[0] in LOOSE:
        result = result.partition(":")[0]
    return [result, *warned]


def left_out(question: str) -> bool:
    """What is not compared, each with its reason."""
    # Before 3.14 the original makes one, which crashes when it is used.
    if question == "_SSLSocket()":
        return True
    # In 3.10 the original asks OpenSSL's EC_KEY, which it does not have for all groups.
    if not python_versions.CURVES_ARE_GROUPS and ".set_ecdh_curve(" in question:
        return "X25519" in question or "rsaEncryption" in question
    # The names that need a newer OpenSSL than pyossl was compiled for.
    return python_versions.HAS_ALGORITHMS and not lib.HAVE_API_3_4 and question.startswith("get_sigalgs")


@pytest.mark.feature("names, values and answers of each Python's own _ssl")
@with_same_openssl
@pytest.mark.parametrize("area", ["settings", "combinations", "methods", "files", "functions", "objects"])
def test_it_answers_as_the_original(area: str) -> None:
    theirs, ours = answers("original")[area], answers("ours")[area]
    assert list(ours) == list(theirs)
    differing = {
        question: (theirs[question], ours[question])
        for question in theirs
        if comparable(theirs[question]) != comparable(ours[question]) and not left_out(question)
    }
    assert not differing


def test_deleting_an_attribute_is_an_error_and_no_crash() -> None:
    ours = module.make()
    context = ours._SSLContext(ours.PROTOCOL_TLS_SERVER)
    names = [name for name, value in vars(ours._SSLContext).items() if type(value).__name__ == "getset_descriptor"]
    assert len(names) > 10
    for name in names:
        with pytest.raises(AttributeError):
            delattr(context, name)
