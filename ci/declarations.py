"""Compares the public names in OpenSSL's headers with those that the binding declares.  See ci/declarations.

Theory of operation
-------------------
The compiler's preprocessor reads the headers with ``-dD``.  Its output has every declaration and every ``#define``, and
markers that name the file of each.  Macros of OpenSSL hide the deprecated names, so that the rest is public.  Of each
header this program counts

  functions   declared or defined functions, and function-like macros; also object-like macros that name one of them,
              for example ``SSL_get_cipher_name``
  constants   enumerators, and object-like macros whose value is an integer for the compiler

It does not count types, which are declared with the functions that take them, or macros for texts, which programs write
as bytes.  It compares these names with those in the fragments of pyossl/_c/decl that apply to this OpenSSL, and with
those in ci/left_out.toml.
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

# The first macro is for 3.0 and newer, the second for 1.1.1, which does not know the first.
HIDE_DEPRECATED = ["-DOPENSSL_NO_DEPRECATED", "-DOPENSSL_MIN_API=0x10101000L"]

SOURCE = "#include <sys/types.h>\n" + "".join(f"#include <openssl/{header}.h>\n" for header in HEADERS[:4])


@dataclass
class Header:
    """The names and the text that the preprocessor found in one header."""

    text: list[str] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)
    constants: set[str] = field(default_factory=set)
    objects: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        return self.functions | self.constants


@dataclass(frozen=True)
class LeftOut:
    """An entry of left_out.toml: patterns for names in one header, and why they are not declared."""

    header: str
    names: list[str]
    reason: str

    def matches(self, header: str, name: str) -> bool:
        return header == self.header and any(fnmatch.fnmatchcase(name, pattern) for pattern in self.names)


def public(cc: build_ffi.Compiler, flags: Iterable[str]) -> dict[str, Header]:
    """The names in each header; the keys are the headers' names without ``.h``."""
    done = cc.run("-E", "-dD", *flags, source=SOURCE)
    if done.returncode != 0:
        sys.exit(f"the compiler cannot preprocess OpenSSL's headers:\n{done.stderr}")
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
    """The statements at file level.  A body in braces ends a statement, unless it is the body of a type."""
    depth, start = 0, 0
    for place, character in enumerate(text):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth == 0 and (character == ";" or (character == "}" and function_name(text[start:place]))):
            yield text[start : place + 1].strip()
            start = place + 1


def function_name(statement: str) -> str | None:
    """The name of the function that a statement declares or defines; None for types and variables."""
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
    """Moves macros that name a function, directly or through another such macro, to the functions."""
    for name in list(header.objects):
        target = name
        while target in header.objects:
            target = header.objects[target].strip("() ")
        if target in functions:
            del header.objects[name]
            header.functions.add(name)


def integer(cc: build_ffi.Compiler, flags: Iterable[str], names: list[str]) -> Iterator[str]:
    """The macros that the compiler accepts as the value of an enumerator; it names each other one in an error."""
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
            sys.exit(f"{LEFT_OUT.name} lists names that are declared: {', '.join(double)}")
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
        print("nothing is missing" if total == 0 else f"{total} missing: ci/declarations --missing lists them")
    return 1 if total else 0


def version(cc: build_ffi.Compiler) -> str:
    """The version text in the headers."""
    text = cc.run("-E", "-P", source="#include <openssl/opensslv.h>\nOPENSSL_VERSION_TEXT\n").stdout
    return text.strip().splitlines()[-1].replace('" "', "").strip('"')


def main() -> int:
    parser = argparse.ArgumentParser(prog="ci/declarations", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--missing", action="store_true", help="list the names that are missing")
    parser.add_argument("--left-out", action="store_true", help="list the names that are left out, with the reasons")
    return report(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
