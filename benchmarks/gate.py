"""The check that ci/performance runs: it fails if an instruction or system call count grows by more than 3 %.

Each count is divided by the count of a reference contender from the same run, so that the processor does not matter.
The committed figures (benchmarks/gate.json) are valid for the versions that are listed in the same file.  With these
versions, the reference is C.  With other versions a Python frame has another cost, so the reference is the standard
library of the same Python, and the limit is wider.

``ssl`` over pyossl is always compared with the original ``ssl``, on the same libssl.  With the versions of the
committed figures, its ratio must also be at most the bound in goals.py, which --rewrite does not change.

    ci/performance             measures and compares
    ci/performance --rewrite   measures and replaces the committed figures: give the reason in the commit
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.goals import ASYNCIO_OVER_PYOSSL, OVER_PYOSSL
from benchmarks.measuring import Bench
from benchmarks.results import machine
from benchmarks.rows import ROWS, TITLES

COMMITTED = Path(__file__).with_name("gate.json")
LIMIT, LIMIT_ELSEWHERE = 1.03, 1.15
ATTEMPTS = 3
"""On a busy machine the peer's bytes arrive in more pieces, and an operation needs a few more instructions.  So what is
worse is measured again, together with what it is compared with, and the lowest figure of each counts."""
HOLDS_FOR = ("architecture", "python", "openssl", "cffi", "compiler", "valgrind")
LEAST_CALLS = 3
HALF_A_CALL = 0.5
"""The number of system calls depends on when the peer answers.  So the lowest of ``LEAST_CALLS`` runs counts, and up to
half a call more per operation is no difference."""


@dataclass(frozen=True)
class Gated:
    """A comparison with ``reference`` for the versions of the committed figures, with ``elsewhere`` for others."""

    row: str
    meter: str
    ours: str
    reference: str = "c"
    elsewhere: str = "stdlib"
    most: float | None = None
    """The most that the ratio may be, with the versions of the committed figures."""

    @property
    def name(self) -> str:
        return f"{self.row} {self.meter} {self.ours}"


GATED = (
    *(
        Gated(row, "instructions", "pyossl")
        for row in ("handshake", "handshake-memory", "resumed", "recv-into-64k", "send-1k", "send-64k", "memory-16k")
    ),
    *(Gated(row, "instructions", ours) for row in ("ping-pong", "memory-64") for ours in ("pyossl", "face")),
    *(Gated(row, "calls", "pyossl") for row in ("recv-into-64k", "send-1k", "send-64k", "ping-pong")),
    Gated("import", "instructions", "pyossl", "stdlib"),
    *(
        Gated(row, "instructions", ours, original, original, most)
        for ours, original, bounds in (
            ("stdlib_face", "stdlib", OVER_PYOSSL),
            ("asyncio_face", "asyncio", ASYNCIO_OVER_PYOSSL),
        )
        for row, most in bounds.items()
    ),
)
BY_NAME = {row.name: row for row in ROWS}

Figures = dict[str, float]


def measure(bench: Bench, wanted: set[tuple[str, str, str]]) -> Figures:
    """Measures ``wanted``: rows, meters and contenders; the keys of the figures are these three, joined by blanks."""

    def count(key: tuple[str, str, str]) -> tuple[str, float]:
        row, _, contender = key
        return " ".join(key), bench.instructions(BY_NAME[row], contender)

    def calls(key: tuple[str, str, str]) -> tuple[str, float]:
        row, _, contender = key
        runs = (bench.system_calls(BY_NAME[row], contender) for _ in range(LEAST_CALLS))
        return " ".join(key), min(sum(each.values()) for each in runs)

    for contender in sorted({contender for _, _, contender in wanted}):
        if why := bench.why_missing(contender):
            sys.exit(f"ci/performance: {TITLES[contender]} is not available: {why}")
    figures = dict(map(calls, sorted(key for key in wanted if key[1] == "calls")))
    with ThreadPoolExecutor(2) as pool:
        figures.update(pool.map(count, sorted(key for key in wanted if key[1] == "instructions")))
    return figures


def judged(committed: Figures, figures: Figures, gated: Gated, reference: str) -> tuple[float, float, float]:
    """The committed ratio, the new ratio, and the new one divided by the committed one."""

    def ratio(of: Figures) -> float:
        ours, theirs = (of[f"{gated.row} {gated.meter} {each}"] for each in (gated.ours, reference))
        return ours / theirs

    was, now = ratio(committed), ratio(figures)
    return was, now, now / was


def compare(committed: Figures, figures: Figures, same: bool) -> list[str]:
    """Prints a line for each figure; returns the names of those that have become worse."""
    limit, worse = LIMIT if same else LIMIT_ELSEWHERE, []
    print(f"{'':44}{'figure':>13}{'ratio':>8}{'was':>8}")
    for gated in GATED:
        reference = gated.reference if same else gated.elsewhere
        was, now, times = judged(committed, figures, gated, reference)
        verdict = f"{times - 1:+.1%}"
        more = figures[gated.name] - committed[gated.name]
        if times > limit and (gated.meter != "calls" or more > HALF_A_CALL):
            verdict += f"  WORSE, by more than {limit - 1:.0%}"
            worse.append(gated.name)
        elif same and gated.most is not None and now > gated.most:
            verdict += f"  WORSE than the bound {gated.most:g}"
            worse.append(gated.name)
        elif times < 1 / LIMIT and same:
            verdict += "  better: ci/performance --rewrite updates the figures"
        figure = figures[gated.name]
        text = f"{figure:,.0f}" if gated.meter == "instructions" else f"{figure:.2f}"
        print(f"{gated.name:44}{text:>13}{now:>8.3f}{was:>8.3f}  {verdict}, to {TITLES[reference]}")
    return worse


def compare_again(bench: Bench, committed: Figures, figures: Figures, same: bool) -> list[str]:
    """Compares; measures again what is worse, and what that is compared with.  Returns what is worse each time."""
    worse = compare(committed, figures, same)
    for _ in range(1, ATTEMPTS):
        if not worse:
            break
        print(f"measured again: {', '.join(worse)}")
        wanted = {
            (each.row, each.meter, contender)
            for each in GATED
            if each.name in worse
            for contender in (each.ours, each.reference if same else each.elsewhere)
        }
        for name, figure in measure(bench, wanted).items():
            figures[name] = min(figures[name], figure)
        worse = compare(committed, figures, same)
    return worse


def versions() -> dict[str, str]:
    import platform

    found: dict[str, Any] = {**machine(), "architecture": platform.machine()}
    return {name: found[name] for name in HOLDS_FOR}


def main() -> int:
    parser = argparse.ArgumentParser(prog="ci/performance", description=__doc__.partition("\n")[0])
    parser.add_argument("--rewrite", action="store_true", help="write the new figures to benchmarks/gate.json")
    chosen = parser.parse_args()
    here = versions()
    committed = {} if chosen.rewrite else json.loads(COMMITTED.read_text())
    different = [name for name in HOLDS_FOR if not chosen.rewrite and committed["holds for"][name] != here[name]]
    wanted = {(each.row, each.meter, each.ours) for each in GATED}
    if chosen.rewrite or not different:
        wanted |= {(each.row, each.meter, each.reference) for each in GATED}
    if chosen.rewrite or different:
        wanted |= {(each.row, each.meter, each.elsewhere) for each in GATED}
    with Bench() as bench:
        figures = measure(bench, wanted)
        if chosen.rewrite:
            text = {"holds for": here, "figures": {name: round(figure, 2) for name, figure in sorted(figures.items())}}
            COMMITTED.write_text(json.dumps(text, indent=1) + "\n")
            print(f"wrote {COMMITTED}")
            return 0
        for name in different:
            print(f"the committed figures are for {name} {committed['holds for'][name]!r}; here it is {here[name]!r}")
        worse = compare_again(bench, committed["figures"], figures, not different)
    print(f"worse: {', '.join(worse)}" if worse else "nothing is worse")
    return int(bool(worse))


if __name__ == "__main__":
    sys.exit(main())
