"""What a sanitizer or valgrind has found, and whose it is.

Every process of a row writes a file of its own: pytest, what its tests start, the compiler too. The stack of a report
tells whose it is: behind the allocator and OpenSSL, neither of which knows for whom it works, its first frame is the
extension's, or it is CPython's, cffi's or another program's own, which end without freeing what they keep. Memory that
is used after its end or beyond its bounds is ours wherever the extension is in the stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

FRAME = re.compile(r"^\s*(?:#\d+|at|by) 0x.*$", re.MULTILINE)
EXTENSION = re.compile(r"_openssl\.[\w.-]*so\b|/_openssl\.c:|pyossl/_c/")
FOR_ANYBODY = re.compile(r"libsanitizer|vg_replace|vgpreload|/lib(c|ssl|crypto)\.so|\((str|mem)\w*\.[cS]:")
VALGRIND = re.compile(r"^==\d+== ?", re.MULTILINE)


def reports(text: str) -> Iterator[str]:
    """The parts of a file with a stack; an empty line stands between, and valgrind begins each with its process."""
    for block in re.split(r"\n[ \t]*\n", VALGRIND.sub("", text)):
        if FRAME.search(block):
            yield block.strip("\n")


def is_ours(report: str) -> bool:
    frames = FRAME.findall(report)
    if "Invalid " in report:
        return any(EXTENSION.search(frame) for frame in frames)
    first = next((frame for frame in frames if not FOR_ANYBODY.search(frame)), "")
    # PyInit__openssl makes what stays as long as the process: modules, and the types in them.
    return EXTENSION.search(first) is not None and "_cffi_init" not in first


def ours(folder: Path) -> list[str]:
    """The reports in the folder's files that are ours."""
    found = []
    for file in sorted(folder.iterdir()):
        text = file.read_text(encoding="utf-8", errors="replace")
        # An error, not a leak, ended the process; and what is undefined is sought in the extension alone.
        if "ERROR: AddressSanitizer" in text or file.name.startswith("undefined"):
            found.append(text)
        else:
            found += filter(is_ours, reports(text))
    return found


def headline(report: str) -> str:
    return next(line.strip() for line in report.splitlines() if re.search(r"\w", line))
