"""What a sanitizer or valgrind has found, and whose it is.

Every process of a row writes a file of its own: pytest, what its tests start, the compiler too. A report is
ours when the extension is in its stack. What spoils memory is ours wherever it was seen: CPython and OpenSSL,
which others test, had it from us; only a leak is left to its owner.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

EXTENSION = re.compile(r"_openssl\.[\w.-]*so\b|_openssl\.c:")
VALGRIND = re.compile(r"^==\d+== ?", re.MULTILINE)
LEAK = re.compile(r"\bleak of \d+ byte|\bare definitely lost|SUMMARY: \w+Sanitizer: \d+ byte\(s\) leaked|LeakSanitizer")
# The lines around a report that are none.
FRAME = re.compile(r"^=+$|^-+$|^\s*$")


def blocks(text: str) -> Iterator[str]:
    """The parts of a file that an empty line stands between; valgrind begins each line with its process."""
    for block in re.split(r"\n\s*\n", VALGRIND.sub("", text)):
        if not all(FRAME.match(line) for line in block.splitlines()):
            yield block.strip("\n")


def ours(folder: Path) -> list[str]:
    """The reports in the folder's files that are ours."""
    found = []
    for file in sorted(folder.iterdir()):
        text = file.read_text(encoding="utf-8", errors="replace")
        if file.name.startswith("undefined"):
            # UndefinedBehaviorSanitizer watches what was compiled with it, the extension alone, line by line.
            found += [text]
        elif "ERROR: AddressSanitizer" in text:
            found += [text]
        else:
            found += [block for block in blocks(text) if EXTENSION.search(block) or spoils(block)]
    return found


def spoils(block: str) -> bool:
    """Whether valgrind says of this block that memory was used as it must not be."""
    return "Invalid " in block or "uninitialised" in block


def headline(report: str) -> str:
    return next(line.strip() for line in report.splitlines() if not FRAME.match(line))
