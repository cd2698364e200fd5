"""One program, with pyOpenSSL and with pyossl in its place: ``ci/peers side-by-side`` runs these tests.

Both runs use one version of OpenSSL, that of ``cryptography``'s wheels, because reasons and texts differ between
versions.  DIFFERENCES lists where the results may differ, by the rows of the table in docs/pyopenssl.md.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatchcase as fnmatch
from pathlib import Path
from typing import Any

import pytest
from interop.inspected_files import make

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = Path(__file__).resolve().parent / "pyopenssl_programs" / "side_by_side" / "run.py"
PYTHONS: dict[str, str] = json.loads(os.environ.get("PYOSSL_SIDE_BY_SIDE", "{}"))

DIFFERENCES = {
    "a second `recv` after an end without close_notify": ["an_end_without_close_notify_met_twice"],
    '`send(b"")`': ["an_empty_send"],
    "an exception in an info or keylog callback": ["a_keylog_callback_that_raises/*", "an_info_callback_that_raises/*"],
    "after `WantWriteError`, a `send` of other bytes": ["another_write_in_the_place_of_one_that_waits"],
    "an ALPN callback that selects a protocol which was not offered": [
        "alpn_answered_with_nothing/0/*",
        "alpn_answered_with_what_was_not_offered/*",
    ],
    "an error with an empty queue": [
        "odd_certificates/empty",
        "odd_keys/* empty",
        "odd_times/UTC in a month that is none/*",
        "odd_times/UTC on 30 February/*",
        "odd_times/UTC with a second of 60/*",
        "odd_times/UTC with letters/*",
        "stores/15",
        "what_a_context_refuses/21/1",
        "what_cannot_be_loaded/*5/3",
    ],
    "an unusable connection": [
        "a_client_certificate_of_a_stranger/2",
        "a_record_that_was_changed/[123]",
        "no_client_certificate_with_tls_1_2/2",
        "what_is_not_tls/?/1",
    ],
    "`master_key` before there is one": ["*/lengths/master_key"],
    "`get_group_name` of a handshake that failed": [
        "a_client_certificate_of_a_stranger/3/group",
        "no_client_certificate_with_tls_1_2/3/group",
    ],
    "`get_verified_chain` of a server that has refused the client's certificate": [
        "a_client_certificate_of_a_stranger/3/verified",
    ],
    "the alert to the peer after a callback that failed": [
        "a_server_name_callback_that_raises/0/client",
        "a_verify_callback_that_*/0/server",
    ],
    "a negative serial number": ["a_negative_serial_number"],
    "an attribute of a name, set to a value that it cannot have": [
        "a_certificate_made/21/1",
        "a_certificate_made/28/1",
    ],
    "an error of the operating system": [
        "stores/14",
        "what_a_context_refuses/2[03469]/1",
        "what_a_context_refuses/30/1",
    ],
    "the reasons in the error for data that cannot be decoded": [
        "keys/12",
        "keys/25",
        "odd_certificates/PEM",
        "odd_certificates/a text",
        "odd_certificates/one byte",
        "what_a_context_refuses/25/1",
        "what_a_context_refuses/31/1",
        "what_cannot_be_loaded/*[01378]/3",
        "what_cannot_be_loaded/22/3",
    ],
    "None in place of the bytes to load": ["what_cannot_be_loaded/*[49]/3"],
    "the text of an RSA key": ["keys/18"],
    "a path, a list or a time with a NUL in it": ["odd_times_with_a_nul/*"],
}
"""The places that differ, as patterns (a case, and a path in its result), by the row of the page."""

pytestmark = pytest.mark.timeout(300)

Told = dict[str, Any]


def run(kind: str, folder: Path) -> Told:
    start = ["-m", "pyossl.pyopenssl"] if kind == "face" else []
    command = [PYTHONS[kind], "-W", "ignore", *start, str(SCRIPT), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd="/")
    assert done.returncode == 0, done.stderr
    told: Told = json.loads(done.stdout)
    return told


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Told, Told]:
    if not PYTHONS:
        pytest.skip("ci/peers side-by-side runs these: it installs the original first")
    folder = tmp_path_factory.mktemp("side-by-side")
    make(folder)
    return run("original", folder), run("face", folder)


def walk(original: Any, face: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    """The places where two results differ; the type, the arguments and the text of an exception are one place."""
    if isinstance(original, dict) and isinstance(face, dict) and not {"raised"} & (original.keys() | face.keys()):
        for name in dict.fromkeys([*original, *face]):
            yield from walk(original.get(name), face.get(name), f"{place}/{name}")
    elif isinstance(original, list) and isinstance(face, list) and len(original) == len(face):
        for number, (first, second) in enumerate(zip(original, face, strict=True)):
            yield from walk(first, second, f"{place}/{number}")
    elif original != face:
        yield place, original, face


def test_both_run_on_one_version_of_openssl(both: tuple[Told, Told]) -> None:
    original, face = both
    assert original["openssl"].split()[:2] == face["openssl"].split()[:2]


def test_the_answers_differ_only_where_the_page_says(both: tuple[Told, Told]) -> None:
    original, face = (told["cases"] for told in both)
    assert original.keys() == face.keys()
    found = {
        place: (first, second)
        for case in original
        if case != "public_names"
        for place, first, second in walk(original[case], face[case], case)
    }
    named = {place for places in DIFFERENCES.values() for place in places}
    unnamed = [
        f"{place}\n  original: {found[place][0]}\n  face:     {found[place][1]}"
        for place in sorted(found)
        if not any(fnmatch(place, pattern) for pattern in named)
    ]
    assert not unnamed, "\n".join(["", *unnamed])
    assert not [pattern for pattern in named if not any(fnmatch(place, pattern) for place in found)], "no difference"


def test_every_public_name_of_the_originals_is_there(both: tuple[Told, Told]) -> None:
    original, face = (told["cases"]["public_names"] for told in both)
    assert original.keys() == face.keys()
    missing = {name: set(members) - set(face[name]) for name, members in original.items()}
    assert not any(missing.values()), missing


def test_every_difference_stands_in_the_page() -> None:
    page = (ROOT / "docs" / "pyopenssl.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ")]
    assert not [row for row in DIFFERENCES if row not in rows]
