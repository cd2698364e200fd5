"""Finds the reports of a sanitizer or valgrind that are about pyossl's extension.

Every process of a row writes a file of its own: pytest, the programs that the tests start, and the compiler. Many
reports are about CPython, cffi or other programs, which exit without freeing their memory. The stack shows which code a
report is about. Frames of the allocator and of OpenSSL are skipped, because any code can call them. If the next frame
is in the extension, the report is about the extension. A report of an invalid read or write counts if the extension is
anywhere in its stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

FRAME = re.compile(r"^\s*(?:#\d+|at|by) 0x.*$", re.MULTILINE)
EXTENSION = re.compile(r"_(?:openssl|fast)\.[\w.-]*so\b|/_openssl\.c:|pyossl/_c/")
FOR_ANYBODY = re.compile(r"libsanitizer|vg_replace|vgpreload|/lib(c|ssl|crypto)\.so|\((str|mem)\w*\.[cS]:")
VALGRIND = re.compile(r"^==\d+== ?", re.MULTILINE)


def reports(text: str) -> Iterator[str]:
    """The parts of a file that have a stack. Empty lines separate them; valgrind begins each line with a process id."""
    for block in re.split(r"\n[ \t]*\n", VALGRIND.sub("", text)):
        if FRAME.search(block):
            yield block.strip("\n")


def is_ours(report: str) -> bool:
    frames = FRAME.findall(report)
    if "Invalid " in report:
        return any(EXTENSION.search(frame) for frame in frames)
    first = next((frame for frame in frames if not FOR_ANYBODY.search(frame)), "")
    # PyInit__openssl makes objects that live as long as the process: modules and their types.
    return EXTENSION.search(first) is not None and "_cffi_init" not in first


def ours(folder: Path) -> list[str]:
    """The reports in the folder's files that are about the extension."""
    found = []
    for file in sorted(folder.iterdir()):
        text = file.read_text(encoding="utf-8", errors="replace")
        # AddressSanitizer ends the process at an error, not at a leak. UBSan checks the extension only.
        if "ERROR: AddressSanitizer" in text or file.name.startswith("undefined"):
            found.append(text)
        else:
            found += filter(is_ours, reports(text))
    return found


def headline(report: str) -> str:
    return next(line.strip() for line in report.splitlines() if re.search(r"\w", line))
