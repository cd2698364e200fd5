"""The cost of each C function: a summary of callgrind's profile."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

NAMED = re.compile(r"(c?(?:fn|ob))=\((\d+)\)(?: (.*))?")
LIBRARIES = {
    "python": "CPython",
    "libpython": "CPython",
    "_openssl": "pyossl's C",
    "_fast": "pyossl's C",
    "_cffi_backend": "cffi",
    "libffi": "cffi",
    "_ssl": "_ssl",
    "libssl": "libssl",
    "libcrypto": "libcrypto",
    "libc.": "libc",
    "libpthread": "libc",
}


@dataclass(frozen=True)
class Frame:
    """A C function, its library, its own cost, and its cost with the functions that it calls."""

    function: str
    library: str
    own: int
    inclusive: int


def frames_of(profile: str) -> list[Frame]:
    """The functions of a profile, sorted by their own cost, the highest first."""
    names: dict[tuple[str, str], str] = {}
    own: Counter[tuple[str, str]] = Counter()
    called: Counter[tuple[str, str]] = Counter()
    library = function = called_library = called_function = ""
    is_call = False

    for line in profile.splitlines():
        if found := NAMED.match(line):
            what, number, name = found.groups()
            kind = what[-2:]
            if name is not None:
                names[kind, number] = name
            full = names[kind, number]
            if what == "ob":
                library = full
            elif what == "fn":
                function, called_library = full, library
            elif what == "cob":
                called_library = full
            else:
                called_function = full
        elif line.startswith("calls="):
            is_call = True
        elif line[:1].isdigit() or line[:1] in ("+", "-", "*"):
            cost = int(line.split()[1])
            if is_call:
                # The cost of a recursive function is counted once, for its outermost call.
                if (called_library, called_function) != (library, function):
                    called[called_library, called_function] += cost
                is_call, called_library = False, library
            else:
                own[library, function] += cost
    keys = sorted({*own, *called}, key=lambda key: -own[key])
    return [Frame(f, _library(ob), own[ob, f], max(called[ob, f], own[ob, f])) for ob, f in keys]


def _library(path: str) -> str:
    file = path.rpartition("/")[2]
    return next((name for start, name in LIBRARIES.items() if file.startswith(start)), file or "?")
