"""The table that ``python -m benchmarks`` prints."""

from __future__ import annotations

from benchmarks.results import Cell, Results
from benchmarks.rows import TITLES, Row

HEADER = f"{'':24}{'CPU':>10}{'±':>6}{'wall':>11}{'±':>6}{'instructions':>14}{'calls':>8}{'memory':>11}"


def row_lines(row: Row, results: Results) -> list[str]:
    """The row's title and a line for each contender; ``x`` is the ratio of its instructions to the first one's."""
    cells = results.rows.get(row.name, {})
    first = next(iter(cells.values()), None)
    lines = ["", row.title, HEADER]
    for contender in row.contenders:
        if contender in cells:
            lines.append(f"  {TITLES[contender]:22}{_figures(cells[contender], first, row.kind == 'idle')}")
    return lines


def _figures(cell: Cell, first: Cell | None, with_memory: bool) -> str:
    calls = cell.value("calls")
    parts = [
        f"{duration(cell.value('cpu')):>10}{share(cell.spread('cpu')):>6}",
        f"{duration(cell.value('wall')):>11}{share(cell.spread('wall')):>6}",
        f"{number(cell.instructions):>14}",
        f"{'' if calls is None else f'{calls:.2f}':>8}",
        f"{size(cell.value('memory')) if with_memory else '':>11}",
    ]
    if first is not None and cell.instructions and first.instructions:
        parts.append(f"  {cell.instructions / first.instructions:.2f}x")
    return "".join(parts)


def duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.2f} {unit}"
    return f"{seconds * 1e6:.2f} µs"


def share(spread: float | None) -> str:
    return "" if spread is None else f"{spread:.0%}"


def number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def size(value: float | None) -> str:
    return "" if not value or value < 64 else f"{value / 1024:.1f} KiB"
