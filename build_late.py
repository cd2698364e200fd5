"""Writes the C headers of the late-bound extension, which links to no OpenSSL and finds one when it is imported.

Theory of operation
-------------------
The extension is compiled with the headers of the newest OpenSSL.  Before them, pyossl.c includes ``pointers.h``, which
defines each function as a pointer: with ``#define SSL_read_ex (*pyossl_p_SSL_read_ex)``, the prototype in the header
declares a pointer of exactly that type, and each macro, each inline function and cffi's code call through it.
pyossl/_c/late/load.c fills the pointers from the library that it has loaded.

The files that are written here:

``pointers.h``       the pointers: the functions in pyossl/_c/late/symbols.txt, without those of older libraries
``facts.h``          HAVE_x as a question to the library, from the comments in have.h
``table.h``          for each function its pointer, its older name and what stands in for it, for load.c
``older_functions.h``  pointers for the functions that only older libraries have, with the types of the fragments
``names.h``          for each name that not every OpenSSL has, the condition under which a fragment declares it
``held_functions.h``  pointers for the functions that calls_that_hold_forks.h defines as macros

A fragment's line belongs to the newest OpenSSL if no condition above it has a ``!``.  The rest belongs to older ones:
of it, the extension gets the names that the newest OpenSSL does not have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import build_ffi
from build_ffi import CONDITIONAL, PROTOTYPE, C, Line

SYMBOLS = C / "late" / "symbols.txt"
ENUMERATOR = re.compile(r"\s*(\w+)\s*(?:=[^,]*)?,?\s*$")


@dataclass(frozen=True)
class Declaration:
    """A statement of a fragment, or a line with a constant: its text, the names that it declares, and its condition."""

    text: str
    names: tuple[str, ...]
    condition: str
    is_function: bool = False

    @property
    def is_older(self) -> bool:
        """Whether the newest OpenSSL does not have it."""
        return "!" in self.condition


def symbols() -> list[str]:
    """The functions of OpenSSL that the extension calls, whichever library has them."""
    return [line for line in SYMBOLS.read_text().splitlines() if line and not line.startswith("#")]


def conditional_lines() -> Iterator[tuple[Line, str]]:
    """Each line of the fragments, with the condition under which it is declared; "" for always."""
    stack: list[str] = []
    for line in build_ffi.fragment_lines():
        if not (word := CONDITIONAL.match(line.text)):
            yield line, " && ".join(stack)
        elif word[1] == "if":
            stack.append(f"({line.text.split('if', 1)[1].strip()})")
        elif word[1] == "else":
            stack[-1] = f"(!{stack[-1]})"
        elif word[1] == "endif":
            stack.pop()
        else:
            raise SystemExit(f"\npyossl cannot be built: {line.file}:{line.number} has an #{word[1]}")


def declarations() -> Iterator[Declaration]:
    """The declarations of all fragments, in order.  Enumerators come besides the type that they are in."""
    statement, begins_with, python = "", "", False
    for line, condition in conditional_lines():
        text = re.sub(r"/[*].*?[*]/|//.*", "", line.text).rstrip()
        if constant := re.match(r"#define (\w+) \.\.\.", text):
            yield Declaration(text, (constant[1],), condition)
            continue
        if 'extern "Python"' in text:
            python = text.endswith("{")
            continue
        if python:
            python = not text.startswith("}")
            continue
        if not text.strip():
            continue
        if not statement:
            begins_with = condition
        elif re.match(r"(typedef\s+)?enum\b", statement) and (found := ENUMERATOR.match(text)) and "}" not in text:
            yield Declaration("", (found[1],), condition)
        statement = f"{statement} {text}".strip()
        if statement.count("{") == statement.count("}") and statement.endswith(";"):
            found = PROTOTYPE.match(statement)
            if found and "{" not in statement and not statement.startswith("typedef"):
                yield Declaration(statement, (found["name"],), begins_with, is_function=True)
            else:
                yield Declaration(statement, (), begins_with)
            statement = ""


def older() -> list[Declaration]:
    """What only older libraries have."""
    newest = {name for each in declarations() if not each.is_older for name in each.names}
    return [each for each in declarations() if each.is_older and not newest & set(each.names)]


def cdef() -> str:
    """The declarations for cffi: those of the newest OpenSSL, and what only older ones have."""
    newest = "\n".join(line.text for line, condition in conditional_lines() if "!" not in condition)
    types = [each for each in older() if not each.names and each.text and not is_declared(each.text, newest)]
    rest = [each.text for each in older() if each.names and each.text]
    constants = [f"#define {flag} ..." for flag in build_ffi.flags()]
    return "\n".join([*constants, newest, *(each.text for each in types), *rest])


def is_declared(typedef: str, text: str) -> bool:
    """Whether ``text`` declares the type that ``typedef`` does."""
    name = re.match(r"typedef .*?\(?\*?\b(\w+)\)?\(", typedef)
    return name is not None and re.search(rf"typedef [^;]*\b{name[1]}\b", text) is not None


# compat.h


def compat() -> str:
    return (C / "compat.h").read_text() + (C / "late" / "older_libraries.h").read_text()


def stand_ins() -> set[str]:
    return set(re.findall(r"STAND_IN\((\w+)\)\(", compat()))


def renamed() -> dict[str, str]:
    """The older name of each renamed function."""
    return dict(re.findall(r"^RENAMED\([^,]+, (\w+), (\w+),", compat(), re.MULTILINE))


def older_of_compat() -> list[str]:
    """The functions of older libraries that compat.h declares."""
    return re.findall(r"^OLDER\([^,]+, (\w+),", compat(), re.MULTILINE)


# The files


def older_functions() -> list[Declaration]:
    """The functions of older libraries that those export; the others are macros."""
    exported = set(symbols())
    return [each for each in older() if each.is_function and each.names[0] in exported]


def pointers() -> list[str]:
    not_in_the_headers = {each.names[0] for each in older_functions()} | set(older_of_compat())
    return [name for name in symbols() if name not in not_in_the_headers]


def pointers_h() -> str:
    options = sorted(set(re.findall(r"OPENSSL_NO_\w+", (C / "have.h").read_text())))
    return "\n".join(
        [
            "#include <openssl/opensslconf.h>",
            *(f"#undef {option}" for option in options),
            *(f"#define {name} (*pyossl_p_{name})" for name in pointers()),
            "",
        ]
    )


def older_functions_h() -> str:
    lines = []
    for each in older_functions():
        name = each.names[0]
        pointer = re.sub(rf"\b{name}\s*\(", f"(*pyossl_older_{name})(", each.text, count=1)
        lines += [f"#undef {name}", *([f"static {pointer}"] if name not in older_of_compat() else [])]
        lines += [f"#define {name} (*pyossl_older_{name})"]
    return "\n".join([*lines, ""])


def facts_h() -> str:
    """HAVE_x for each feature of have.h: the release in its #if line, and its question."""
    lines = [
        "/* The questions; load.c answers them. */",
        "static int pyossl_has_symbol(const char *name);",
        "static int pyossl_has_ktls(void);",
        "static int pyossl_limits_pending_connections(void);",
        "#define PYOSSL_HAS(name) pyossl_has_symbol(#name)",
    ]
    release = option = ""
    for line in (C / "have.h").read_text().splitlines():
        if line.startswith("#if "):
            found = re.search(r"PYOSSL_SINCE\(\d+, \d+\)", line)
            release, option = found[0] if found else "", "defined(" in line
        elif flag := re.match(r"#  define (HAVE_\w+) 1(?:\s*/\* asks: (.*) \*/)?$", line):
            if option and not flag[2]:
                raise SystemExit(f"\npyossl cannot be built: {flag[1]} in have.h has no question for the library")
            lines.append(f"#define {flag[1]} ({' && '.join(filter(None, [release, flag[2]]))})")
    return "\n".join([*lines, ""])


def table_h() -> str:
    ours = pointers()
    older_names, substitutes = renamed(), stand_ins()
    lines = [f"__typeof__(pyossl_p_{name}) pyossl_p_{name};" for name in ours]
    lines.append("static const pyossl_symbol pyossl_symbols[] = {")
    for name in ours:
        older_name = f'"{older_names[name]}"' if name in older_names else "NULL"
        stand_in = f"(void *)pyossl_stand_in_{name}" if name in substitutes else "NULL"
        lines.append(f'    {{ "{name}", (void **)&pyossl_p_{name}, {older_name}, {stand_in} }},')
    only_older = dict.fromkeys([*(each.names[0] for each in older_functions()), *older_of_compat()])
    lines += [f'    {{ "{name}", (void **)&pyossl_older_{name}, NULL, NULL }},' for name in only_older]
    return "\n".join([*lines, "};", ""])


def conditions() -> dict[str, str]:
    """For each name that not every OpenSSL has, the condition in C."""
    found: dict[str, list[str]] = {}
    for each in declarations():
        for name in each.names:
            found.setdefault(name, []).append(each.condition)
    return {
        name: " || ".join(dict.fromkeys(each))
        for name, each in found.items()
        if not {"", "(PYOSSL_LATE)"} & set(each) and not any(f"(!{condition})" in each for condition in each)
    }


@dataclass(frozen=True)
class Fact:
    """A HAVE_x: the releases that brought it, in words, and the option of OpenSSL's Configure that leaves it out."""

    releases: str
    option: str = ""


def facts() -> dict[str, Fact]:
    """What have.h says of each HAVE_x."""
    found, releases, option = {}, "", ""
    for line in (C / "have.h").read_text().splitlines():
        if heading := re.match(r"/[*] OpenSSL (\d[\d., ]*\d)", line):
            releases = heading[1]
        elif api := re.match(r"#define (HAVE_API_(\d+)_(\d+))\b", line):
            found[api[1]] = Fact(f"{api[2]}.{api[3]}")
        elif line.startswith("#if "):
            option = "".join(re.findall(r"OPENSSL_NO_\w+", line))
        elif flag := re.match(r"#  define (HAVE_\w+) 1", line):
            found[flag[1]] = Fact(releases, option)
    return found


def literals(condition: str) -> set[str]:
    """The HAVE_x that a condition demands, each with ``!`` before it if it must be 0."""
    alternatives = [
        {f"{negated and '!'}{flag}" for negated, flag in re.findall(r"(!\(*)?\(*(HAVE_\w+)", alternative)}
        for alternative in condition.split(" || ")
    ]
    return set.intersection(*alternatives)  # one alternative has what the other lacks, as `#if` and `#else` do


def explained(condition: str) -> str:
    """The condition in words, for example ``OpenSSL 3.2 and newer have it``."""
    known, demanded = facts(), literals(condition)
    number = {flag: tuple(map(int, re.findall(r"\d+", fact.releases))) for flag, fact in known.items()}
    gone = [flag[1:] for flag in demanded if flag.startswith("!")]
    there = sorted(demanded - {f"!{flag}" for flag in gone}, key=lambda flag: number[flag])
    options = " and ".join(known[flag].option for flag in there if known[flag].option)
    if gone:
        last = known[min(gone, key=lambda flag: number[flag])].releases
        but = f", except builds with {options}" if options else ""
        return f"OpenSSL before {last} has it{but}; {last} has deprecated or removed it"
    said = f"OpenSSL {known[there[-1]].releases} and newer have it"
    return f"{said}, except builds with {options}" if options else said


def names_h() -> str:
    by_name = conditions()
    distinct = list(dict.fromkeys(by_name.values()))
    numbers = {condition: number for number, condition in enumerate(distinct)}
    return "\n".join(
        [
            "static const struct {",
            "    const char *name;",
            "    unsigned char condition;",
            "} pyossl_conditional_names[] = {",
            *(f'    {{ "{name}", {numbers[by_name[name]]} }},' for name in sorted(by_name)),
            "};",
            "",
            "static int pyossl_ask_condition(int number)",
            "{",
            "    switch (number) {",
            *(f"    case {number}:\n        return {condition};" for condition, number in numbers.items()),
            "    }",
            "    return 0;",
            "}",
            "",
            "/* Each condition is asked once.  Threads that ask at the same time get the same answer. */",
            "static int pyossl_condition(int number)",
            "{",
            "    enum { UNKNOWN, HOLDS, FAILS };",
            f"    static char answers[{len(distinct)}];",
            "    char answer = __atomic_load_n(&answers[number], __ATOMIC_RELAXED);",
            "",
            "    if (answer == UNKNOWN) {",
            "        answer = pyossl_ask_condition(number) ? HOLDS : FAILS;",
            "        __atomic_store_n(&answers[number], answer, __ATOMIC_RELAXED);",
            "    }",
            "    return answer == HOLDS;",
            "}",
            "",
            "static const char *const pyossl_condition_texts[] = {",
            *(f'    "{explained(condition)}",' for condition in distinct),
            "};",
            "",
        ]
    )


def held_functions_h() -> str:
    """The functions that calls_that_hold_forks.h defines as macros: each name becomes a pointer first."""
    text = (C / "core" / "calls_that_hold_forks.h").read_text()
    ours = set(pointers())
    held = [name for name in re.findall(r"^#define (\w+)\(\.\.\.\)", text, re.MULTILINE) if name in ours]
    return "\n".join(
        [
            *(f"#undef {name}\nstatic __typeof__(pyossl_p_{name}) {name};" for name in held),
            "",
            "static void pyossl_fill_held_functions(void)",
            "{",
            *(f"    {name} = pyossl_p_{name};" for name in held),
            "}",
            "",
        ]
    )


def write_headers(folder: Path) -> None:
    """Writes all files into ``folder``, which must be the first in which the compiler looks for headers."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {
        "pointers.h": pointers_h(),
        "facts.h": facts_h(),
        "table.h": table_h(),
        "older_functions.h": older_functions_h(),
        "names.h": names_h(),
        "held_functions.h": held_functions_h(),
    }.items():
        (folder / name).write_text(f"/* Written by build_late.py; not edited by hand. */\n\n{text}")
