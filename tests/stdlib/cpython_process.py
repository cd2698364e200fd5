"""Runs one module of CPython's own tests, usually over ``pyossl.stdlib``, and reports the outcome of each test.

    python cpython_process.py [--match PATTERN] (pyossl | original) REPORT LIMIT MODULE [TEST...]

REPORT gets a line of JSON when a test starts and when it ends: so a test that crashes the process is known too.  LIMIT
is the number of seconds after which the process ends itself.  PATTERN and TEST choose tests of the module; a TEST is
the name of a test without the module.  The tests that need the internet are left out.

Only the standard library and pyossl are imported, so that any Python can run this file.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import re
import sys
import unittest
from collections.abc import Iterator
from typing import Any, TextIO

RESOURCES = ("cpu", "walltime", "largefile", "subprocess")
"""The resources that CPython's tests may use; without "network" and "urlfetch"."""


class Reporting(unittest.TestResult):
    """Writes the outcome of each test; of a test with several, the report has several lines."""

    def __init__(self, report: TextIO, module: str) -> None:
        super().__init__()
        self._report, self._module = report, module

    def _write(self, test: Any, outcome: str, text: str = "") -> None:
        line = {"test": name_of(test, self._module), "outcome": outcome, "text": text}
        print(json.dumps(line), file=self._report, flush=True)

    def startTest(self, test: Any) -> None:
        super().startTest(test)
        self._write(test, "started")

    def stopTest(self, test: Any) -> None:
        super().stopTest(test)
        self._write(test, "ended")

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self._write(test, "failed", self.errors[-1][1])

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self._write(test, "failed", self.failures[-1][1])

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._write(test, "failed", f"{subtest}\n{(self.errors + self.failures)[-1][1]}")

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        self._write(test, "skipped", reason)

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self._write(test, "failed", "CPython expects that this test fails, and it passed")


def name_of(test: Any, module: str) -> str:
    """The name of a test without its module, or what unittest calls a failure outside of a test."""
    return str(test.id()).removeprefix(f"{module}.")


def each(suite: unittest.TestSuite) -> Iterator[Any]:
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from each(part)
        else:
            yield part


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("over", choices=["pyossl", "original"])
    parser.add_argument("report")
    parser.add_argument("limit", type=float)
    parser.add_argument("module")
    parser.add_argument("--match", default="")
    parser.add_argument("tests", nargs="*")
    chosen = parser.parse_args()
    faulthandler.enable()
    faulthandler.dump_traceback_later(chosen.limit, exit=True)
    if chosen.over == "pyossl":
        import pyossl.stdlib

        pyossl.stdlib.install()
    import ssl

    from test import support

    support.use_resources = dict.fromkeys(RESOURCES)
    module = f"test.{chosen.module}"
    everything = unittest.defaultTestLoader.loadTestsFromName(module)
    pattern = re.compile(chosen.match)
    wanted = [
        test
        for test in each(everything)
        if pattern.search(name_of(test, module)) and (not chosen.tests or name_of(test, module) in chosen.tests)
    ]
    with open(chosen.report, "w", encoding="utf-8") as report:
        facts = {"openssl": ssl.OPENSSL_VERSION, "python": sys.version.split()[0], "over": implementation(ssl)}
        print(json.dumps(facts), file=report, flush=True)
        # A suite, not single tests: setUpModule and setUpClass are called once.
        unittest.TestSuite(wanted).run(Reporting(report, module))
        print(json.dumps({"complete": len(wanted)}), file=report, flush=True)


def implementation(ssl: Any) -> str:
    """What implements ``ssl``, by its types, not by what install() says: "pyossl" or "original"."""
    fast = sys.modules.get("pyossl._fast")
    try:
        fast.state_of(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))  # type: ignore[union-attr]  # or None
    except (AttributeError, TypeError):
        return "original"
    return "pyossl"


if __name__ == "__main__":
    main()
