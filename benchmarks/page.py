"""Writes results into docs/performance.md, between its marks, and draws its chart.

``python -m benchmarks.page FILE...`` copies the results of each FILE into benchmarks/results and writes the page from
them.  Without FILE it writes the page from the results there again.  The page has two tables: the first is for results
where every contender loaded the same libssl (one_libssl.json), and has the goals and the chart.  The second is for the
other results, where pyOpenSSL uses the OpenSSL in the wheels of cryptography (wheels.json).
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.chart import chart
from benchmarks.goals import GOALS, Comparison, accounts
from benchmarks.measuring import REPOSITORY
from benchmarks.results import Cell, Results
from benchmarks.rows import BLOCKING, HOT_PATHS, ROWS, TITLES
from benchmarks.table import duration, number, size

PAGE = REPOSITORY / "docs" / "performance.md"
CHART = REPOSITORY / "docs" / "performance.svg"
ONE_LIBSSL = REPOSITORY / "benchmarks" / "results" / "one_libssl.json"
WHEELS = ONE_LIBSSL.with_name("wheels.json")
FRAMES = 12


def machine_lines(results: Results) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    for name, value in results.machine.items():
        if value:
            yield f"| {name} | {value} |"
    if results.has_one_libssl():
        ((file,),) = {tuple(files) for files in results.libssl.values()}
        yield f"| libssl of every contender | `{file}` |"
    for contender, openssl in results.openssl.items():
        if openssl and openssl != results.machine["openssl"]:
            yield f"| {TITLES[contender]} | with its own {openssl} |"


def outcome(comparison: Comparison, results: Results, why: dict[str, str]) -> str:
    value = comparison.value(results)
    if value is None:
        return "not measured"
    shown = size(value) if not comparison.theirs and comparison.meter == "memory" else f"{value:.2f}"
    if comparison.holds(value):
        return f"**{shown}**"
    if shown == f"{comparison.bound:.2f}":  # rounded, it would look as if the goal were met
        shown = f"{value:.3f}"
    return f"{shown}: {why.get(comparison.key, 'missed, and no reason given')}"


def goal_lines(results: Results) -> Iterator[str]:
    why = accounts()
    yield "| work | goal | measured |"
    yield "|---|---|---|"
    titles = {row.name: row.title for row in ROWS}
    for goal in GOALS:
        several = len({each.row for each in goal.comparisons}) > 1
        for index, comparison in enumerate(goal.comparisons):
            where = f"{titles[comparison.row]}: " if several else ""
            text = where + comparison.text
            yield f"| {'' if index else goal.work} | {text} | {outcome(comparison, results, why)} |"


def figure_lines(results: Results) -> Iterator[str]:
    for row in ROWS:
        cells = results.rows.get(row.name, {})
        if not cells:
            continue
        yield f"| **{row.title}** | CPU | ± | wall | ± | instructions | system calls | memory |"
        if row is ROWS[0]:
            yield "|---|--:|--:|--:|--:|--:|--:|--:|"
        for contender, cell in cells.items():
            calls = cell.value("calls")
            columns = [TITLES[contender]]
            for meter in ("cpu", "wall"):
                spread = cell.spread(meter)
                columns += [duration(cell.value(meter)), "" if spread is None else f"{spread:.0%}"]
            columns += [number(cell.instructions), "" if calls is None else f"{calls:.2f}"]
            columns.append(size(cell.value("memory")) if row.kind == "idle" else "")
            yield f"| {' | '.join(columns)} |"


def path_lines(results: Results) -> Iterator[str]:
    for row in ROWS:
        cells = {name: cell for name, cell in results.rows.get(row.name, {}).items() if cell.frames}
        if row.name not in HOT_PATHS or "pyossl" not in cells:
            continue
        shown = [each for each in ("c", "stdlib", "pyossl") if each in cells]
        yield f"### {row.title[0].upper()}{row.title[1:]}"
        yield ""
        yield f"| instructions of one operation in | {' | '.join(TITLES[each] for each in shown)} |"
        yield f"|---|{'--:|' * len(shown)}"
        libraries = {each: Counter[str]() for each in shown}
        for each in shown:
            for _, library, own, _ in cells[each].frames:
                libraries[each][library] += own
        for library, _ in libraries["pyossl"].most_common():
            costs = [number(libraries[each][library]) if libraries[each][library] else "" for each in shown]
            if libraries["pyossl"][library] >= 10:
                yield f"| {library} | {' | '.join(costs)} |"
        yield ""
        yield "| pyossl's frames | library | own | with the functions that it calls |"
        yield "|---|---|--:|--:|"
        named = (frame for frame in cells["pyossl"].frames if not frame[0].startswith("0x"))
        for function, library, own, inclusive in list(named)[:FRAMES]:
            # CPython's frames call themselves through other functions: only their own cost is meaningful.
            whole = "" if library in ("CPython", "cffi") else number(inclusive)
            yield f"| `{function.partition(chr(39))[0].partition('@')[0]}` | {library} | {number(own)} | {whole} |"
        yield ""


def wheel_lines(results: Results) -> Iterator[str]:
    yield f"| CPU time, instructions | {' | '.join(TITLES[each] for each in BLOCKING)} |"
    yield f"|---|{'--:|' * len(BLOCKING)}"
    for row in ROWS:
        if "pyopenssl" in row.contenders and row.name in results.rows:
            cells = results.rows[row.name]
            costs = [cost(cells[each], row.kind == "idle") if each in cells else "" for each in BLOCKING]
            yield f"| {row.title} | {' | '.join(costs)} |"


def cost(cell: Cell, idle: bool) -> str:
    if idle:
        return size(cell.value("memory"))
    return ", ".join(filter(None, (duration(cell.value("cpu")), number(cell.instructions))))


FIRST = {"goals": goal_lines, "figures": figure_lines, "paths": path_lines, "machine": machine_lines}
SECOND = {"wheels": wheel_lines, "machine of the wheels": machine_lines}


def rewritten(text: str, one_libssl: Results, wheels: Results) -> str:
    """The text of the page, with these results between its marks."""
    of_each = {**dict.fromkeys(FIRST, one_libssl), **dict.fromkeys(SECOND, wheels)}
    for name, lines in {**FIRST, **SECOND}.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        if begin not in text or end not in text:
            raise ValueError(f"{PAGE} lacks the marks {begin} and {end}")
        before, _, rest = text.partition(begin)
        after = rest.partition(end)[2]
        section = "\n".join(lines(of_each[name])).strip()
        text = f"{before}{begin}\n{section}\n{end}{after}"
    return text


def place_of(results: Results) -> Path:
    """The file in benchmarks/results for these results."""
    return ONE_LIBSSL if results.has_one_libssl() else WHEELS


def missed(results: Results) -> list[Comparison]:
    """The comparisons that are missed or not measured, and have no reason in accounts.toml."""
    why = accounts()
    every = (comparison for goal in GOALS for comparison in goal.comparisons)
    measured = ((each, each.value(results)) for each in every)
    return [each for each, value in measured if (value is None or not each.holds(value)) and each.key not in why]


def main() -> int:
    for file in map(Path, sys.argv[1:]):
        shutil.copy(file, place_of(Results.read(file)))
    one_libssl, wheels = Results.read(ONE_LIBSSL), Results.read(WHEELS)
    PAGE.write_text(rewritten(PAGE.read_text(), one_libssl, wheels))
    CHART.write_text(chart(one_libssl))
    for comparison in missed(one_libssl):
        value = comparison.value(one_libssl)
        print(f'"{comparison.key}" = ""  # {comparison.text}; {"not measured" if value is None else f"{value:.2f}"}')
    return 0


if __name__ == "__main__":
    sys.exit(main())
