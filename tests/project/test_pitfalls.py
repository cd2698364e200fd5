"""docs/pitfalls.md: each number that the repository cites is in the list, and a test cites each pitfall."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

from build_ffi import ROOT

PAGE = ROOT / "docs" / "pitfalls.md"
FOLDERS = ("pyossl", "tests", "docs", "ci", "benchmarks", "examples", ".github")
SUFFIXES = {".py", ".pyi", ".c", ".h", ".md", ".toml", ".sh", ".yml", ""}

# One number or several: "3", "3, 5", "1 and 16", "2 to 6", "2, 3, 4 and 6". A new line of a comment may stand between
# two of them.
_NUMBERS = r"\d+(?:(?:,|,? and| to)[\s*#]+\d+)*"
CITATION = re.compile(rf"(?:PITFALLS|pitfalls\.md,)[\s*#]+({_NUMBERS})")
SECTION = re.compile(r"^## (\d+)\. ([^\n]+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)

SECTIONS = {int(number): text for number, _, text in SECTION.findall(PAGE.read_text(encoding="utf-8"))}


def cited(text: str) -> set[int]:
    """The numbers that a text cites."""
    numbers = set[int]()
    for found in CITATION.findall(text):
        numbers.update(int(number) for number in re.findall(r"\d+", found))
        for first, last in re.findall(r"(\d+) to[\s*#]+(\d+)", found):
            numbers.update(range(int(first), int(last) + 1))
    return numbers


def files() -> list[Path]:
    """Every file of the repository that could cite a pitfall, except the list and this test."""
    found = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in FOLDERS:
        found += [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return [path for path in found if path.suffix in SUFFIXES and path not in (PAGE, Path(__file__).resolve())]


CITED_IN: dict[int, set[Path]] = defaultdict(set)
for file in files():
    for cited_number in cited(file.read_text(encoding="utf-8", errors="replace")):
        CITED_IN[cited_number].add(file)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("docs/pitfalls.md, 3", {3}),
        ("(docs/pitfalls.md, 3, 5).", {3, 5}),
        ("docs/pitfalls.md, 1 and 16: it", {1, 16}),
        ("docs/pitfalls.md, 2 to 6", {2, 3, 4, 5, 6}),
        ("docs/pitfalls.md, 2, 3, 4, 5 and 6.  2 of them", {2, 3, 4, 5, 6}),
        ("PITFALLS\n * 9,\n * 12", {9, 12}),
        ("docs/pitfalls.md, 3 and 5", {3, 5}),
        ("docs/pitfalls.md, 7", {7}),
        ("docs/pitfalls.md, 2 to 4, and 9", {2, 3, 4, 9}),
        ("the table of docs/pitfalls.md", set()),
        ("as the table says, 12 of them", set()),
    ],
)
def test_a_citation_is_found_in_each_of_its_forms(text: str, numbers: set[int]) -> None:
    assert cited(text) == numbers


def test_the_numbers_of_the_list_have_no_gaps() -> None:
    numbers = [int(number) for number, _, _ in SECTION.findall(PAGE.read_text(encoding="utf-8"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_number_that_is_cited_is_in_the_list() -> None:
    lost = {number: sorted(map(str, paths)) for number, paths in CITED_IN.items() if number not in SECTIONS}
    assert not lost


@pytest.mark.parametrize("number", SECTIONS)
def test_a_pitfall_names_a_test_that_cites_it_or_says_why_there_is_none(number: int) -> None:
    text = SECTIONS[number]
    if "\nNo test: " in text:
        return
    _, _, named = text.partition("Tests:")
    linked = {(PAGE.parent / target).resolve() for target in re.findall(r"\]\(([^)]+\.py)\)", named)}
    assert linked, f"{number}: the section names no test"
    assert linked & CITED_IN[number], f"none of the tests that section {number} names cites it"
