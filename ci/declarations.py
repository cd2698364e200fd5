"""Compares the public names of OpenSSL's headers with those that the binding declares: what ci/declarations starts.

Theory of operation
-------------------
The compiler's preprocessor is run over the headers with ``-dD``, which leaves every declaration and every ``#define``
in place, with markers that say which file each came from.  It is told to hide what this OpenSSL deprecates, so that
what remains is public by OpenSSL's own word.  Of each header it counts

  functions   what is declared or defined there, and function-like macros; an object-like macro that names one of them
              (``SSL_get_cipher_name``) is one too
  constants   enumerators, and object-like macros that the compiler takes for an integer

and nothing else: types come with the functions that take them, and texts are written as bytes.  Against them stand
the names in the fragments of pyossl/_c/decl that hold for this OpenSSL, and those of ci/left_out.toml.
"""

from __future__ import annotations

import argparse
import fnmatch
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyproject

sys.path.insert(0, str(pyproject.REPOSITORY))

import build_ffi

HEADERS = ["ssl", "tls1", "bio", "err", "ssl3", "dtls1", "srtp", "quic", "ech"]
LEFT_OUT = Path(__file__).with_name("left_out.toml")

# The first is for 3.0 and later, the second for 1.1.1, which knows not the first.
HIDE_DEPRECATED = ["-DOPENSSL_NO_DEPRECATED", "-DOPENSSL_MIN_API=0x10101000L"]

SOURCE = "#include <sys/types.h>\n" + "".join(f"#include <openssl/{header}.h>\n" for header in HEADERS[:4])


@dataclass
class Header:
    """What the preprocessor found in one header."""

    text: list[str] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)
    constants: set[str] = field(default_factory=set)
    objects: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        return self.functions | self.constants


@dataclass(frozen=True)
class LeftOut:
    """An entry of left_out.toml: patterns of one header's names, and why they are not declared."""

    header: str
    names: list[str]
    reason: str

    def matches(self, header: str, name: str) -> bool:
        return header == self.header and any(fnmatch.fnmatchcase(name, pattern) for pattern in self.names)


def public(cc: build_ffi.Compiler, flags: Iterable[str]) -> dict[str, Header]:
    """The names of each header, by the header's name without its ``.h``."""
    done = cc.run("-E", "-dD", *flags, source=SOURCE)
    if done.returncode != 0:
        sys.exit(f"the headers cannot be preprocessed:\n{done.stderr}")
    headers = {name: Header() for name in HEADERS}
    current: Header | None = None
    for line in done.stdout.splitlines():
        if marker := re.match(r'# \d+ "(?:.*/openssl/(\w+)\.h)?', line):
            current = headers.get(marker[1] or "")
        elif removed := re.match(r"#undef (\w+)", line):
            for header in headers.values():
                header.functions.discard(removed[1])
                header.objects.pop(removed[1], None)
        elif current is None:
            continue
        elif macro := re.match(r"#define (\w+)(\()?(.*)", line):
            if macro[2]:
                current.functions.add(macro[1])
            else:
                current.objects[macro[1]] = macro[3].strip()
        else:
            current.text.append(line)
    for header in headers.values():
        declarations(header)
    functions = set[str]().union(*(header.functions for header in headers.values()))
    for header in headers.values():
        aliases(header, functions)
    integers = set(integer(cc, flags, [name for header in headers.values() for name in header.objects]))
    for header in headers.values():
        header.constants |= integers & set(header.objects)
    return headers


def statements(text: str) -> Iterator[str]:
    """The statements at file level; a body in braces ends one, unless it is a type's."""
    depth, start = 0, 0
    for place, character in enumerate(text):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth == 0 and (character == ";" or (character == "}" and function_name(text[start:place]))):
            yield text[start : place + 1].strip()
            start = place + 1


def function_name(statement: str) -> str | None:
    """The name that a prototype or a definition declares; None for types and variables."""
    head = re.sub(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)|__extension__", "", statement).strip()
    if re.match(r"(typedef|enum|struct \w+ *\{|union \w+ *\{)", head):
        return None
    name = re.match(r"[\w\s*]*?\(\s*\*\s*(\w+)\s*\(", head) or re.match(r"[\w\s*]*?\b(\w+)\s*\(", head)
    return name[1] if name else None


def declarations(header: Header) -> None:
    for statement in statements(" ".join(header.text)):
        if name := function_name(statement):
            header.functions.add(name)
        elif enumeration := re.match(r"(?:typedef\s+)?enum\b[^{;]*\{([^}]*)\}", statement):
            header.constants |= set(re.findall(r"(?:^|,)\s*(\w+)", enumeration[1]))


def aliases(header: Header, functions: set[str]) -> None:
    """Moves the macros that name a function, at once or over another such macro, to the functions."""
    for name in list(header.objects):
        target = name
        while target in header.objects:
            target = header.objects[target].strip("() ")
        if target in functions:
            del header.objects[name]
            header.functions.add(name)


def integer(cc: build_ffi.Compiler, flags: Iterable[str], names: list[str]) -> Iterator[str]:
    """Those of the macros that the compiler takes as an enumerator's value: every other is named in an error."""
    enumerators = (f'#line {number} "macro"\nenum {{ e{number} = ({name}) }};' for number, name in enumerate(names, 1))
    done = cc.run("-fsyntax-only", "-w", "-fmax-errors=0", *flags, source=SOURCE + "\n".join(enumerators))
    refused = {int(number) for number in re.findall(r"^macro:(\d+):", done.stderr, re.MULTILINE)}
    return (name for number, name in enumerate(names, 1) if number not in refused)


def left_out() -> list[LeftOut]:
    return [LeftOut(**entry) for entry in pyproject.load(LEFT_OUT)["left_out"]]


def report(arguments: argparse.Namespace) -> int:
    openssl = build_ffi.find_openssl()
    cc = build_ffi.Compiler(openssl)
    declared = build_ffi.declared(build_ffi.surviving(cc))
    found = public(cc, HIDE_DEPRECATED)
    everything = public(cc, [])
    reasons = left_out()
    total = 0
    rows: list[tuple[str, ...]] = [("", "public", "declared", "left out", "missing", "deprecated")]
    for name, header in found.items():
        excused = {n: r.reason for n in sorted(header.names) for r in reasons if r.matches(f"{name}.h", n)}
        if double := sorted(set(excused) & declared):
            sys.exit(f"{LEFT_OUT.name}: declared all the same: {', '.join(double)}")
        missing = sorted(header.names - declared - set(excused))
        total += len(missing)
        counts = (header.names, header.names & declared, excused, missing, everything[name].names - header.names)
        rows.append((f"{name}.h", *(str(len(count)) for count in counts)))
        if arguments.missing:
            print("".join(f"{name}.h {n}\n" for n in missing), end="")
        if arguments.left_out:
            print("".join(f"{name}.h {n}: {reason}\n" for n, reason in excused.items()), end="")
    if not (arguments.missing or arguments.left_out):
        print(f"{version(cc)}, headers found by {openssl.found_by}")
        for row in rows:
            print(row[0].ljust(8), *(cell.rjust(10) for cell in row[1:]))
        print("nothing is missing" if total == 0 else f"{total} missing: ci/declarations --missing names them")
    return 1 if total else 0


def version(cc: build_ffi.Compiler) -> str:
    """The headers' own words for their version."""
    text = cc.run("-E", "-P", source="#include <openssl/opensslv.h>\nOPENSSL_VERSION_TEXT\n").stdout
    return text.strip().splitlines()[-1].replace('" "', "").strip('"')


def main() -> int:
    parser = argparse.ArgumentParser(prog="ci/declarations", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--missing", action="store_true", help="name what is missing")
    parser.add_argument("--left-out", action="store_true", help="name what is left out, with the reasons")
    return report(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
