"""CPython's own tests of TLS pass over ``pyossl.stdlib``, except for those that cpython_suite.toml lists with a reason.

The tests are those of the Python that runs this file: they are installed with it, or in a package of their own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from stdlib import cpython_suite
from stdlib.cpython_suite import Ran, differences

TABLE = cpython_suite.table()
# The packages that ci/matrix has installed for its row: what they bring must be there.
PACKAGES = os.environ.get("PYOSSL_ROW_PACKAGES", "").split()


def _why_missing(module: str) -> str:
    """Why this Python cannot run a module of its tests; "" if it can."""
    if importlib.util.find_spec("test.support") is None:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        return f"Python {version} is installed without its tests: Debian has them in libpython{version}-testsuite"
    parent, _, _ = module.rpartition(".")
    if importlib.util.find_spec(f"test.{parent}" if parent else "test") and importlib.util.find_spec(f"test.{module}"):
        return ""
    return f"Python {sys.version_info[0]}.{sys.version_info[1]} has no test.{module}"


def test_a_row_that_has_installed_cpythons_tests_runs_them() -> None:
    if any(each.endswith("-testsuite") for each in PACKAGES):
        assert _why_missing("test_ssl") == ""


# Most of these tests wait: so that a worker does not wait for each of them, the short modules run side by side.
TOGETHER = {**{module: [module] for module in TABLE["whole"]}, "the parts of other modules": TABLE["parts"]}


@pytest.mark.feature("names, values and answers of each Python's own _ssl")
@pytest.mark.timeout(2 * TABLE["limit"] + 120)
@pytest.mark.parametrize("modules", TOGETHER.values(), ids=TOGETHER)
def test_cpythons_own_tests_pass_over_pyossl(modules: list[str]) -> None:
    missing = {module: why for module in modules if (why := _why_missing(module))}
    if len(missing) == len(modules):
        pytest.skip(missing[modules[0]])
    with ThreadPoolExecutor(4) as pool:
        everything = list(pool.map(cpython_suite.run, [each for each in modules if each not in missing]))
    print("\n".join(map(cpython_suite.summary, everything)))
    found = [difference for ran in everything for difference in differences(ran, TABLE.get("listed", []))]
    assert not found, "\n".join(found)
    assert {ran.facts["over"] for ran in everything} == {"pyossl"}


def test_every_listed_exception_has_a_reason_and_names_a_module_that_runs() -> None:
    for listed in TABLE.get("listed", []):
        assert listed["reason"]
        assert any(listed["test"].startswith(f"{module}.") for module in (*TABLE["whole"], *TABLE["parts"])), listed


FACTS = {"python": "3.13.5", "openssl": "OpenSSL 3.5.1 1 Jul 2026", "over": "pyossl"}
ENDED = [{"test": "A.test_a", "outcome": "started"}, {"test": "A.test_a", "outcome": "ended"}]


def _ran(tmp_path: Path, *lines: dict[str, str], complete: bool = True) -> Ran:
    """The result of a process that wrote these lines."""
    report, ran = tmp_path / "report", Ran("test_ssl")
    end = [{"complete": "1"}] if complete else []
    report.write_text("\n".join(json.dumps(each) for each in (FACTS, *ENDED, *lines, *end)))
    ran.read(report)
    return ran


FAILS = tuple({"test": "B.b", "outcome": outcome} for outcome in ("started", "failed", "ended"))
LISTED = {"test": "test_ssl.B.b", "reason": "because"}


def test_a_test_that_fails_is_an_error_unless_it_is_listed(tmp_path: Path) -> None:
    ran = _ran(tmp_path, *FAILS)
    assert differences(ran, []) == ["test_ssl.B.b failed, and is not listed:\n"]
    assert differences(ran, [LISTED]) == []


@pytest.mark.parametrize(
    ("where", "applies"),
    [
        ({"python": ["3.1"]}, False),
        ({"python": ["3.13"]}, True),
        ({"python": ["3.12", "3.13.5"]}, True),
        ({"openssl": ["3.5"]}, True),
        ({"openssl": ["1.1.1"]}, False),
        ({"python": ["3.13"], "openssl": ["1.1.1"]}, False),
    ],
)
def test_a_listed_test_is_listed_for_the_versions_that_it_names(
    tmp_path: Path, where: dict[str, list[str]], applies: bool
) -> None:
    assert (differences(_ran(tmp_path, *FAILS), [{**LISTED, **where}]) == []) is applies


def test_a_listed_test_that_passes_or_is_skipped_or_is_gone_is_an_error(tmp_path: Path) -> None:
    begun, done = {"test": "B.b", "outcome": "started"}, {"test": "B.b", "outcome": "ended"}
    (passed,) = differences(_ran(tmp_path, begun, done), [LISTED])
    assert "passed, and is listed" in passed
    (skipped,) = differences(_ran(tmp_path, begun, {"test": "B.b", "outcome": "skipped"}, done), [LISTED])
    assert "was skipped, and is listed" in skipped
    (gone,) = differences(_ran(tmp_path), [LISTED])
    assert "does not exist" in gone


def test_a_test_that_ends_the_process_is_an_error_also_where_it_is_the_last(tmp_path: Path) -> None:
    crashed = differences(_ran(tmp_path, {"test": "B.b", "outcome": "started"}, complete=False), [])
    assert len(crashed) == 2
    assert "B.b unfinished" in crashed[0]
    assert "did not finish" in crashed[1]


def test_a_failure_in_one_part_of_a_test_is_not_hidden_by_a_part_that_is_skipped(tmp_path: Path) -> None:
    ran = _ran(tmp_path, *FAILS[:2], {"test": "B.b", "outcome": "skipped"}, FAILS[2])
    assert ran.outcomes["B.b"] == "failed"


def test_the_original_fails_the_check_that_the_tests_ran_over_pyossl() -> None:
    if why := _why_missing("test_ssl"):
        pytest.skip(why)
    ran = cpython_suite.run("test_ssl", "original", ["BasicSocketTests.test_constants"])
    assert ran.facts["over"] == "original"
    assert differences(ran, []) == []
