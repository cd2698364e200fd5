"""Measures, prints a table and saves the results: ``python -m benchmarks``.

The contenders run in turns (A B A B …).  Each turn has its own process.  All of them use the same peer.  With
``--root`` they run in a Debian where all of them load the same libssl.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from benchmarks.frames import frames_of
from benchmarks.measuring import REPOSITORY, Bench, ContenderError, instructions_in
from benchmarks.results import Results, machine
from benchmarks.rows import HOT_PATHS, ROWS, TITLES, Row
from benchmarks.table import row_lines

METERS = {"time": None, "instructions": "valgrind", "calls": "strace"}
RESULTS = REPOSITORY / "benchmarks" / "results"


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few turns and no counts, in under two minutes")
    parser.add_argument("--only", nargs="+", metavar="ROW", help=", ".join(row.name for row in ROWS))
    parser.add_argument("--contenders", nargs="+", metavar="NAME", choices=TITLES, help=", ".join(TITLES))
    parser.add_argument("--meters", nargs="+", choices=METERS, help="what to measure; the default is everything")
    parser.add_argument("--turns", type=int, metavar="N", help="turns of each contender; the default is 9")
    parser.add_argument("--again", action="store_true", help="measure the chosen rows again; keep the other results")
    parser.add_argument("--output", type=Path, metavar="FILE", help="the JSON file to write")
    parser.add_argument("--root", metavar="NAME", help="run in the Debian of this row of ci/matrix, for example 3.5")
    parser.add_argument("--one-libssl", action="store_true", help="fail if contenders load different files of libssl")
    chosen = parser.parse_args(given)
    if unknown := set(chosen.only or ()) - {row.name for row in ROWS}:
        parser.error(f"there is no row {', '.join(sorted(unknown))}")
    chosen.output = chosen.output or RESULTS / f"latest{f'-{chosen.root}' if chosen.root else ''}.json"
    return chosen


def meet(bench: Bench, row: Row, contender: str, results: Results, chosen: argparse.Namespace) -> None:
    """Finds out whether a contender can run here, and which OpenSSL it uses."""
    if contender in [*results.here, *results.missing]:
        return
    if why := bench.why_missing(contender):
        results.missing[contender] = why
        return
    results.here.append(contender)
    if row.kind != "import":  # which does not load OpenSSL
        learn(bench.times(row, contender, max(2, row.connections)), contender, results, chosen)


def learn(taken: dict[str, Any], contender: str, results: Results, chosen: argparse.Namespace) -> None:
    """Takes what a process says about its OpenSSL out of its results."""
    if "libssl" in taken:
        results.learn(contender, taken.pop("openssl"), taken.pop("libssl"))
        if chosen.one_libssl and not results.has_one_libssl():
            raise SystemExit("\n".join(["the contenders have not loaded one libssl:", *libssl_lines(results)]))


def libssl_lines(results: Results) -> list[str]:
    return [f"  {TITLES[each]}: {', '.join(files) or 'no file of that name'}" for each, files in results.libssl.items()]


def measure(bench: Bench, row: Row, results: Results, chosen: argparse.Namespace, meters: list[str]) -> None:
    contenders = [each for each in row.contenders if not chosen.contenders or each in chosen.contenders]
    for contender in contenders:
        meet(bench, row, contender, results, chosen)
    contenders = [each for each in contenders if each in results.here]
    if "time" in meters:
        turns = min(chosen.turns or (3 if chosen.quick else 9), row.turns or 1000)
        count = max(row.count // 4, 1) if chosen.quick and row.service else row.count
        for contender in contenders:
            cell = results.cell(row.name, contender)
            cell.cpu, cell.wall, cell.memory = [], [], []
        for _ in range(turns):
            for contender in contenders:
                taken = bench.times(row, contender, count)
                learn(taken, contender, results, chosen)
                cell = results.cell(row.name, contender)
                for meter, value in taken.items():
                    getattr(cell, meter).append(value)
    for contender in contenders if row.counted else ():
        if "instructions" in meters:
            profile(bench, row, contender, results)
        if "calls" in meters:
            results.cell(row.name, contender).system_calls = bench.system_calls(row, contender)


def profile(bench: Bench, row: Row, contender: str, results: Results) -> None:
    text, cell = bench.profile(row, contender), results.cell(row.name, contender)
    cell.instructions = instructions_in(text) / row.counted
    if row.name in HOT_PATHS:
        frames = [each for each in frames_of(text) if each.own >= row.counted]
        cell.frames = [
            [each.function, each.library, round(each.own / row.counted), round(each.inclusive / row.counted)]
            for each in frames
        ]


def main() -> int:
    chosen = arguments()
    if chosen.root:
        from benchmarks.root import run

        return run(chosen)
    wanted = chosen.meters or (["time"] if chosen.quick else list(METERS))
    meters = [each for each in wanted if METERS[each] is None or shutil.which(str(METERS[each]))]
    for each in set(wanted) - set(meters):
        print(f"{METERS[each]} is not installed: no {each}")
    rows = [row for row in ROWS if not chosen.only or row.name in chosen.only]
    results = Results(machine())
    if chosen.again:
        before = Results.read(chosen.output)
        results.rows, results.openssl, results.libssl = before.rows, before.openssl, before.libssl
    print("\n".join(f"{name}: {value}" for name, value in results.machine.items() if value), flush=True)
    status = 0
    with Bench() as bench:
        for row in rows:
            try:
                measure(bench, row, results, chosen, meters)
            except ContenderError as error:
                print(f"\n{row.title}: {error}", file=sys.stderr)
                status = 1
            print("\n".join(row_lines(row, results)), flush=True)
            results.write(chosen.output)
    for name, why in results.missing.items():
        print(f"\n{TITLES[name]} is not available: {why}")
    print(f"\nsaved to {chosen.output}")
    return status


if __name__ == "__main__":
    sys.exit(main())
