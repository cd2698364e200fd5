"""The benchmark: its counters, its gate, and that C and pyossl both do every kind of work."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import pyossl

ROOT = Path(__file__).resolve().parents[2]
# At the end of the path, so that an installed pyossl is still the one that is tested.
sys.path.append(str(ROOT))

pytest.importorskip("benchmarks", reason="the tests run without the source tree, and benchmarks/ is part of it")

import pyproject  # noqa: E402  # of ci/

from benchmarks import gate, goals, page, root  # noqa: E402  # the path is set above
from benchmarks.__main__ import arguments, learn  # noqa: E402
from benchmarks.chart import chart  # noqa: E402
from benchmarks.frames import frames_of  # noqa: E402
from benchmarks.goals import cheaper, faster  # noqa: E402
from benchmarks.measuring import Bench, ContenderError, calls_in, instructions_in  # noqa: E402
from benchmarks.results import Cell, Results  # noqa: E402
from benchmarks.rows import ROWS, Row  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"
CHECKED = ("c", "pyossl", "face", "stdlib_face", "pyossl_asyncio", "asyncio_face")
OURS = [(row, name) for row in ROWS for name in row.contenders if name in CHECKED]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    if Path(pyossl.__file__).parent.parent != ROOT:
        pytest.skip("the benchmark imports pyossl from the source tree, and the tests use an installed one")
    with Bench() as running:
        yield running


@pytest.mark.parametrize(("row", "contender"), OURS, ids=lambda each: each.name if isinstance(each, Row) else each)
def test_a_contender_does_the_work_of_a_row(bench: Bench, row: Row, contender: str) -> None:
    taken = bench.times(row, contender, max(2 if row.service else 1, row.connections))
    assert taken["wall"] > 0
    assert taken["cpu"] >= 0


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="/proc shows which files are loaded, on Linux only")
def test_c_and_pyossl_report_the_same_file_of_libssl(bench: Bench) -> None:
    ping_pong = next(row for row in ROWS if row.name == "ping-pong")
    reported = [bench.times(ping_pong, contender, 2)["libssl"] for contender in ("c", "pyossl")]
    assert reported[0] == reported[1]
    assert len(reported[0]) == 1
    assert Path(reported[0][0]).is_file()


def test_a_contender_that_fails_says_why(bench: Bench) -> None:
    no_such_kind = dataclasses.replace(ROWS[0], kind="nothing")
    with pytest.raises(ContenderError, match="no kind of work nothing"):
        bench.times(no_such_kind, "c", 1)
    with pytest.raises(ContenderError, match="no attribute 'nothing'"):
        bench.times(no_such_kind, "pyossl", 1)


def test_system_calls_are_counted_between_the_marks_only() -> None:
    log = """\
7 read(3, "", 1) = 0
7 getrusage(RUSAGE_SELF, {...}) = 0
7 sendto(4, "x", 1, 0, NULL, 0 <unfinished ...>
8 futex(0x1, FUTEX_WAIT) = 0
7 <... sendto resumed>) = 1
7 recvfrom(4, "x", 1, 0, NULL, NULL) = 1
7 sendto(4, "x", 1, 0, NULL, 0) = 1
7 getrusage(RUSAGE_SELF, {...}) = 0
7 close(4) = 0
"""
    assert calls_in(log) == {"sendto": 2, "futex": 1, "recvfrom": 1}
    with pytest.raises(ContenderError, match="1 times"):
        calls_in(log[:80])


PROFILE = """\
ob=(1) /usr/lib/libssl.so.3
fl=(1) ???
fn=(1) SSL_read_ex
0 10
cob=(2) /usr/lib/libcrypto.so.3
cfn=(2) BIO_read
calls=2 0
0 300
+4 5
fn=(1)
0 7

ob=(2)
fn=(2)
0 300
totals: 322
"""


def test_a_frame_costs_what_it_does_itself_and_what_it_calls() -> None:
    read, call = frames_of(PROFILE)[::-1]
    assert (read.function, read.library, read.own) == ("SSL_read_ex", "libssl", 22)
    assert (call.function, call.library, call.own, call.inclusive) == ("BIO_read", "libcrypto", 300, 300)
    assert instructions_in(PROFILE) == read.own + call.own


def results(**cells: Cell) -> Results:
    return Results({}, {"ping-pong": cells})


def test_cheaper_is_at_most_and_faster_at_least() -> None:
    both = results(pyossl=Cell(cpu=[1.0, 2.0, 9.0], instructions=700), stdlib=Cell(cpu=[3.0], instructions=1000))
    fewer, less_time = cheaper("ping-pong", "instructions", "stdlib", 0.7), faster("ping-pong", "cpu", "stdlib", 1.5)
    assert fewer.value(both) == 0.7
    assert less_time.value(both) == 1.5  # of the median
    assert fewer.holds(0.7)
    assert not fewer.holds(0.71)
    assert less_time.holds(1.5)
    assert not less_time.holds(1.49)
    assert fewer.value(results(pyossl=Cell(instructions=700))) is None


def test_a_goal_that_is_missed_does_not_look_as_if_it_were_met() -> None:
    goal = cheaper("ping-pong", "instructions", "c", 1.02)
    for instructions, shown in ((1020, "**1.02**"), (1024, "1.024: because"), (1100, "1.10: because")):
        both = results(pyossl=Cell(instructions=instructions), c=Cell(instructions=1000))
        assert page.outcome(goal, both, {goal.key: "because"}) == shown


@pytest.mark.parametrize(
    ("dearer", "same", "worse"),
    [(1.02, True, False), (1.04, True, True), (0.5, True, False), (1.10, False, False), (1.20, False, True)],
)
def test_the_gate_fails_where_a_ratio_has_become_worse(dearer: float, same: bool, worse: bool) -> None:
    committed: dict[str, float] = json.loads(gate.COMMITTED.read_text())["figures"]
    (gated,) = (each for each in gate.GATED if each.name == "ping-pong instructions pyossl")
    # As on another processor: everything costs twice as much, and one figure more than that.
    figures = {name: 2 * figure for name, figure in committed.items()}
    assert gate.compare(committed, figures, same) == []
    figures[gated.name] *= dearer
    assert gate.compare(committed, figures, same) == ([gated.name] if worse else [])


def test_the_gate_fails_for_one_more_system_call_but_not_for_an_occasional_one() -> None:
    committed: dict[str, float] = json.loads(gate.COMMITTED.read_text())["figures"]
    name = "ping-pong calls pyossl"
    assert gate.compare(committed, {**committed, name: committed[name] + 0.4}, True) == []
    assert gate.compare(committed, {**committed, name: committed[name] + 1}, True) == [name]


@pytest.mark.parametrize(
    ("of_the_bound", "same", "worse"), [(0.99, True, False), (1.01, True, True), (1.01, False, False)]
)
def test_the_gate_fails_where_ssl_over_pyossl_costs_more_than_the_bound(
    of_the_bound: float, same: bool, worse: bool
) -> None:
    """Also where the committed figure was as bad: --rewrite cannot accept it."""
    (gated,) = (each for each in gate.GATED if each.name == "ping-pong instructions stdlib_face")
    assert gated.most is not None
    figures = {
        f"{each.row} {each.meter} {name}": 1.0 for each in gate.GATED for name in (each.reference, each.elsewhere)
    }
    figures |= {each.name: each.most or 1.0 for each in gate.GATED}
    figures[gated.name] = gated.most * of_the_bound
    assert gate.compare(figures, figures, same) == ([gated.name] if worse else [])


@pytest.mark.parametrize(("again", "worse"), [(1.0, False), (1.2, True)], ids=["noise", "not noise"])
def test_the_gate_measures_again_what_is_worse(monkeypatch: pytest.MonkeyPatch, again: float, worse: bool) -> None:
    committed: dict[str, float] = json.loads(gate.COMMITTED.read_text())["figures"]
    name, measured = "ping-pong instructions pyossl", []

    def measure(bench: Any, wanted: set[tuple[str, str, str]]) -> dict[str, float]:
        measured.append(sorted(wanted))
        keys = [" ".join(key) for key in wanted]
        return {key: committed[key] * (again if key == name else 1) for key in keys}

    monkeypatch.setattr(gate, "measure", measure)
    bench: Any = None  # only the real function uses it
    found = gate.compare_again(bench, committed, {**committed, name: committed[name] * 1.2}, True)
    assert found == ([name] if worse else [])
    assert measured == [[("ping-pong", "instructions", "c"), ("ping-pong", "instructions", "pyossl")]] * (
        2 if worse else 1
    )


DEBIAN, OTHER = "/usr/lib/x86_64-linux-gnu/libssl.so.3", "/opt/lib/libssl.so.3"


@pytest.mark.parametrize(
    ("reports", "one"),
    [
        ([("c", DEBIAN), ("pyopenssl", DEBIAN), ("c", DEBIAN)], True),
        ([("c", DEBIAN), ("pyopenssl", OTHER)], False),
        ([("c", DEBIAN), ("c", OTHER)], False),
        ([("c", DEBIAN), ("pyopenssl", "")], False),
        ([("c", ""), ("pyopenssl", "")], False),
        ([], False),
    ],
    ids=["the same", "another one", "another one later", "none of its own", "no file at all", "not measured"],
)
def test_contenders_have_one_libssl_if_every_process_reports_the_same_file(
    reports: list[tuple[str, str]], one: bool
) -> None:
    reported = results()
    for contender, file in reports:
        reported.learn(contender, "OpenSSL 3.5.0", [file])
    assert reported.has_one_libssl() is one
    assert page.place_of(reported) == (page.ONE_LIBSSL if one else page.WHEELS)


def test_a_run_with_one_libssl_stops_at_a_contender_that_has_loaded_another_one() -> None:
    reported, strict, loose = results(), arguments(["--one-libssl"]), arguments([])
    learn({"openssl": "OpenSSL 3.5.0", "libssl": [DEBIAN]}, "c", reported, strict)
    linked_in = {"openssl": "OpenSSL 4.0.3", "libssl": []}
    learn(dict(linked_in), "pyopenssl", reported, loose)
    with pytest.raises(SystemExit, match=f"C: {DEBIAN}\n  pyOpenSSL: no file of that name"):
        learn(dict(linked_in), "pyopenssl", reported, strict)


def test_the_run_in_a_root_gets_the_arguments_of_the_user_and_checks_the_libssl() -> None:
    given = [
        "--only",
        "memory-64",
        "ping-pong",
        "--meters",
        "time",
        "--contenders",
        "c",
        "face",
        "--turns",
        "2",
        "--again",
    ]
    user = arguments(["--root", "3.5", *given])
    inner = arguments(root.passed_on(user))
    assert user.output.name == "latest-3.5.json"
    changed = {"root": None, "one_libssl": True, "output": Path("/mnt/results.json")}
    assert vars(inner) == {**vars(user), **changed}


def test_only_a_row_with_a_root_and_debians_own_python_can_be_measured() -> None:
    rows = pyproject.load(ROOT / "ci" / "matrix.toml")["row"]
    assert root.row_named("3.5", rows)["suite"] == "trixie"
    for name in ("1.1.1", "py3.14t", "nothing"):
        with pytest.raises(SystemExit, match=rf"there is no root {name}; the roots are 3\.5, "):
            root.row_named(name, rows)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the page is written with tomllib")
def test_the_page_shows_the_results_that_are_committed() -> None:
    """To write it again: python -m benchmarks.page"""
    one_libssl, wheels = Results.read(page.ONE_LIBSSL), Results.read(page.WHEELS)
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.rewritten(text, one_libssl, wheels) == text
    assert chart(one_libssl) == page.CHART.read_text(encoding="utf-8")


def test_the_page_leads_with_the_results_where_all_contenders_have_one_libssl() -> None:
    assert Results.read(page.ONE_LIBSSL).has_one_libssl()
    assert not Results.read(page.WHEELS).has_one_libssl()
    text = page.PAGE.read_text(encoding="utf-8")
    places = [text.index(f"<!-- begin {name} -->") for name in ("goals", "figures", "paths", "machine", "wheels")]
    assert places == sorted(places)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the reasons are read with tomllib")
def test_every_reason_is_for_a_goal_that_exists() -> None:
    keys = {comparison.key for goal in goals.GOALS for comparison in goal.comparisons}
    assert set(goals.accounts()) <= keys


def test_the_face_has_a_goal_in_every_row_that_pyopenssl_has() -> None:
    compared = {
        comparison.row
        for goal in goals.GOALS
        for comparison in goal.comparisons
        if (comparison.ours, comparison.theirs) == ("face", "pyopenssl")
    }
    assert compared == {row.name for row in ROWS if "pyopenssl" in row.contenders}


def drawn() -> ElementTree.Element:
    return ElementTree.fromstring(chart(Results.read(page.ONE_LIBSSL)))


def number(element: ElementTree.Element, name: str) -> float:
    return float(element.attrib[name])


def test_every_bar_of_the_chart_is_as_long_as_the_value_beside_it() -> None:
    picture = drawn()
    (unit,) = {number(line, "x1") for line in picture.iter(f"{SVG}line")}
    bars = [bar for bar in picture.iter(f"{SVG}rect") if "fill" in bar.attrib]
    values = [float(text.text or "") for text in picture.iter(f"{SVG}text") if text.get("text-anchor") == "end"]
    assert len(bars) == len(values) > 0
    for bar, value in zip(bars, values, strict=True):
        assert number(bar, "width") == pytest.approx(value * (unit - number(bar, "x")), abs=0.5)
        assert number(bar, "x") + number(bar, "width") <= number(picture, "width")


def test_no_text_of_the_chart_meets_the_line_or_a_bar() -> None:
    picture = drawn()
    marks = [(number(each, "x1"), number(each, "y1"), number(each, "y2")) for each in picture.iter(f"{SVG}line")]
    bars = [bar for bar in picture.iter(f"{SVG}rect") if "fill" in bar.attrib]
    marks += [(number(bar, "x"), number(bar, "y"), number(bar, "y") + number(bar, "height")) for bar in bars]
    for text in picture.iter(f"{SVG}text"):
        width = 0 if text.get("text-anchor") == "end" else 7.5 * len(text.text or "")
        right, base = number(text, "x") + width, number(text, "y")
        assert all(right < x or base <= top or base - 10 >= bottom for x, top, bottom in marks), text.text


def test_the_chart_can_be_read_on_a_phone_and_in_dark_mode() -> None:
    """Its text has at least 10 pixels where the picture is 343 pixels wide, and it brings its own background."""
    picture = drawn()
    style = picture.findtext(f"{SVG}style") or ""
    sizes = [int(size) for size in re.findall(r"(\d+)px", style)]
    assert min(sizes) * 343 / number(picture, "width") >= 10
    assert "prefers-color-scheme:dark" in style
    assert any(rect.get("class") == "paper" for rect in picture.iter(f"{SVG}rect"))


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    written = results(c=Cell(cpu=[0.5, 0.25], system_calls={"read": 2.0}, frames=[["SSL_read_ex", "libssl", 1, 2]]))
    written.write(tmp_path / "results.json")
    assert Results.read(tmp_path / "results.json") == written
