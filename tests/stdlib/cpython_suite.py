"""Runs CPython's own tests over pyossl, in processes of their own, and compares the outcomes with cpython_suite.toml.

    python tests/stdlib/cpython_suite.py [--original] [--python FILE] [MODULE [TEST...]]

runs them outside of pytest, with any Python that can import pyossl: all modules, or one of them, or some of its tests.
With --original, they run over Python's own ``_ssl``, and nothing is listed: what fails then is not about pyossl.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROCESS = Path(__file__).with_name("cpython_process.py")
LIST = Path(__file__).with_name("cpython_suite.toml")


def table() -> dict[str, Any]:
    """The contents of cpython_suite.toml."""
    sys.path.append(str(ROOT / "ci"))
    import pyproject

    facts: dict[str, Any] = pyproject.load(LIST)
    return facts


@dataclass
class Ran:
    """What a process said about the tests of a module."""

    module: str
    facts: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    """"passed", "skipped", "failed", or "unfinished" for a test that ended the process; by the name of the test."""
    texts: dict[str, str] = field(default_factory=dict)
    complete: bool = False
    output: str = ""

    def read(self, report: Path) -> None:
        text = report.read_text(encoding="utf-8") if report.exists() else ""
        lines = [json.loads(line) for line in text.splitlines()]
        self.facts = lines.pop(0) if lines else {}
        for line in lines:
            if "complete" in line:
                self.complete = True
                continue
            test, outcome = line["test"], line["outcome"]
            if outcome == "started":
                self.outcomes[test] = "unfinished"
            elif outcome == "ended":
                if self.outcomes[test] == "unfinished":
                    self.outcomes[test] = "passed"
            elif self.outcomes.get(test) != "failed":  # the failure counts, if a part of the test is skipped
                self.outcomes[test] = outcome
            if line.get("text"):
                self.texts[test] = f"{self.texts.get(test, '')}{line['text']}\n"


def run(module: str, over: str = "pyossl", tests: Sequence[str] = (), *, python: str = sys.executable) -> Ran:
    """Runs a module of CPython's tests, or some of its tests."""
    facts, ran = table(), Ran(module)
    match = f"--match={facts['pattern']}" if module in facts["parts"] and not tests else "--match="
    # The tests write into the current folder.
    with tempfile.TemporaryDirectory(prefix="cpython-", ignore_cleanup_errors=True) as folder:
        report = Path(folder, "report.json")
        command = [python, "-W", "ignore", str(PROCESS), match, over, str(report), str(facts["limit"]), module, *tests]
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=facts["limit"] + 60,
            env={**os.environ, "TMPDIR": folder},
        )
        ran.output = done.stdout.decode(errors="replace")
        ran.read(report)
    return ran


def applies(listed: dict[str, Any], facts: dict[str, str]) -> bool:
    """Whether a listed test must fail with this Python and this OpenSSL."""
    python, openssl = f"{facts['python']}.", facts["openssl"].split()[1]
    pythons, openssls = listed.get("python", [""]), listed.get("openssl", [""])
    return any(python.startswith(f"{each}." if each else "") for each in pythons) and any(
        openssl.startswith(each) for each in openssls
    )


def differences(ran: Ran, listed: Sequence[dict[str, Any]]) -> list[str]:
    """What differs from the list, in words; empty if nothing does."""
    if not ran.facts:
        return [f"the process of {ran.module} ended before the first test:\n{ran.output[-4000:]}"]
    expected = {
        each["test"].removeprefix(f"{ran.module}.")
        for each in listed
        if each["test"].startswith(f"{ran.module}.") and applies(each, ran.facts)
    }
    found = []
    for test, outcome in ran.outcomes.items():
        if outcome in ("failed", "unfinished") and test not in expected:
            found.append(f"{ran.module}.{test} {outcome}, and is not listed:\n{ran.texts.get(test, '')}")
        elif outcome == "passed" and test in expected:
            found.append(f"{ran.module}.{test} passed, and is listed: remove it from {LIST.name}")
        elif outcome == "skipped" and test in expected:
            found.append(
                f"{ran.module}.{test} was skipped, and is listed: remove it, or say with which versions it fails"
            )
    found += [f"{ran.module}.{test} is listed, and does not exist" for test in sorted(expected - {*ran.outcomes})]
    if not ran.complete:
        found.append(f"the process of {ran.module} did not finish:\n{ran.output[-4000:]}")
    elif "passed" not in ran.outcomes.values():
        found.append(f"no test of {ran.module} passed")
    return found


def summary(ran: Ran) -> str:
    counts = Counter(ran.outcomes.values())
    numbers = ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())
    versions = f"Python {ran.facts.get('python')}, {ran.facts.get('openssl')}"
    return f"{ran.module}: {numbers or 'nothing ran'} ({ran.facts.get('over')}, {versions})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--original", action="store_true", help="run them over Python's own _ssl")
    parser.add_argument("--python", default=sys.executable, metavar="FILE", help="the Python that runs the tests")
    parser.add_argument("module", nargs="?", help="the module, for example test_ssl or test_asyncio.test_ssl")
    parser.add_argument("test", nargs="*", help="the tests of the module, for example ContextTests.test_options")
    chosen = parser.parse_args()
    facts, status = table(), 0
    os.environ.setdefault("PYTHONPATH", str(ROOT))  # under pytest, the pyossl that is installed is tested
    over = "original" if chosen.original else "pyossl"
    for module in [chosen.module] if chosen.module else [*facts["whole"], *facts["parts"]]:
        ran = run(module, over, chosen.test, python=chosen.python)
        # Listed tests that were not chosen do not exist in what ran.
        listed = [] if chosen.original or chosen.test else facts.get("listed", [])
        found = differences(ran, listed)
        print("\n".join([*found, summary(ran)]), flush=True)
        status |= bool(found)
    return status


if __name__ == "__main__":
    sys.exit(main())
