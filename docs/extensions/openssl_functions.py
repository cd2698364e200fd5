"""The index of OpenSSL's functions: a page for each header, written to docs/reference/openssl when the site is built.

The functions are those that pyossl/_c/decl declares.  A function belongs to the members of the API whose docstrings
name its manual page, or else to those whose code calls it, directly or through pyossl's own C functions.
"""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Container, Iterator
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

import openssl_versions
from public_names import MANUAL_PAGE, members, public_names

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "reference" / "openssl"
DECLARATIONS = ROOT / "pyossl" / "_c" / "decl"
MANY = 5
"""A function that more members than this call is part of how pyossl works, and is not shown as theirs."""

CONSTANTS = {
    "SSL_OP_": "pyossl.Options",
    "SSL_MODE_": "pyossl.Modes",
    "X509_V_FLAG_": "pyossl.VerifyFlags",
    "X509_V_ERR_": "pyossl.VerifyCode",
}
"""The classes of pyossl that have OpenSSL's constants, by the prefix that their members do not have."""


class Function(NamedTuple):
    """A function that ``lib`` has: its declaration, and the conditions for having it."""

    name: str
    declaration: str
    conditions: tuple[str, ...]


def functions(header: Path) -> Iterator[Function]:
    conditions: list[str] = []
    for line in header.read_text(encoding="utf-8").splitlines():
        if line.startswith("#if "):
            conditions.append(line.removeprefix("#if "))
        elif line.startswith("#else"):
            conditions[-1] = f"!({conditions[-1]})"
        elif line.startswith("#endif"):
            conditions.pop()
        elif line.endswith(");") and not line.startswith(("typedef", "#")):
            # A function that returns a pointer to a function has its name inside: void (*SSL_get_x(SSL *))(int).
            named = re.match(r".*?\(\*(\w+)\(", line) or re.match(r"[^(]*?(\w+)\s*\(", line)
            if named and not named[1].startswith("pyossl_"):
                yield Function(named[1], line.removesuffix(";"), tuple(conditions))


def availability(conditions: tuple[str, ...]) -> str:
    """The OpenSSL that a declaration needs, in words."""
    known = {f"HAVE_{each.name.upper()}": each for each in openssl_versions.features()}
    said = []
    for condition in " && ".join(conditions).split(" && ") if conditions else ():
        if release := re.fullmatch(r"HAVE_API_(\d)_(\d)", condition):
            said.append(f"OpenSSL {release[1]}.{release[2]} or newer")
        elif release := re.fullmatch(r"!\(?HAVE_API_(\d)_(\d)\)?", condition):
            said.append(f"an OpenSSL before {release[1]}.{release[2]}")
        elif condition in known:
            feature = known[condition]
            said.append(f"OpenSSL {feature.releases[0]} or newer with ``features.{feature.name}``")
        else:
            said.append(f"``{condition}``")
    return ", ".join(said)


def documented() -> Iterator[tuple[str, str, Any]]:
    """Each public function and member: its name, its docstring and itself."""
    for name, value in public_names().items():
        yield name, inspect.getdoc(value) or "", value
        if isinstance(value, type):
            for member, each, _ in members(value):
                if not (callable(each) or inspect.isdatadescriptor(each) or hasattr(each, "__func__")):
                    continue  # a value, which has the docstring of its class
                yield f"{name}.{member}", inspect.getdoc(getattr(each, "__func__", each)) or "", each


def codes(value: Any) -> Iterator[FunctionType]:
    """The functions of which a member's code is made."""
    value = getattr(value, "__func__", value)
    if isinstance(value, FunctionType):
        yield value
    elif isinstance(value, property):
        yield from (each for each in (value.fget, value.fset) if isinstance(each, FunctionType))


def calls_of_c(without: Container[str] = ()) -> dict[str, set[str]]:
    """For each C function of pyossl, the functions of OpenSSL that it calls, itself or through others.

    - ``without``: functions whose own calls are not looked at.
    """
    direct: dict[str, set[str]] = {}
    for path in sorted((ROOT / "pyossl" / "_c").rglob("*.c")):
        text = path.read_text(encoding="utf-8")
        for found in re.finditer(r"^\w[^\n;{}()]*?(\w+)\((?:[^;{}]*)\)\s*\n?\{\n(.*?)^\}", text, re.M | re.S):
            if found[1] not in without:
                direct[found[1]] = set(re.findall(r"\b(\w+)\(", found[2]))

    def reached(name: str, seen: set[str]) -> set[str]:
        for called in direct.get(name, ()):
            if called not in seen:
                seen.add(called)
                reached(called, seen)
        return seen

    return {name: reached(name, set()) for name in direct if name.startswith("pyossl_")}


class Uses(NamedTuple):
    """The public names that belong to each function of OpenSSL: by their docstrings, and by their code."""

    cited: dict[str, list[str]]
    called: dict[str, list[str]]


def uses() -> Uses:
    cited, called = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    of_c = calls_of_c()
    for name, docstring, value in documented():
        for page in dict.fromkeys(MANUAL_PAGE.findall(docstring)):
            cited[page].append(name)
        direct = {each for code in codes(value) for each in re.findall(r"\blib\.(\w+)", inspect.getsource(code))}
        for function in sorted(direct.union(*(of_c.get(each, ()) for each in direct))):
            called[function].append(name)
    return Uses(cited, called)


def name_link(name: str) -> str:
    short = name.removeprefix("pyossl.")
    return f":py:obj:`{short} <{name}>`"


def entry(function: Function, used: Uses) -> list[str]:
    if function.name in used.cited:
        said = "In pyossl: " + ", ".join(map(name_link, used.cited[function.name]))
    elif 0 < len(used.called.get(function.name, ())) <= MANY:
        said = "Called by " + ", ".join(map(name_link, used.called[function.name]))
    elif function.name in used.called:
        said = "``lib``. Many methods of pyossl call it"
    else:
        said = "``lib`` only"
    needs = availability(function.conditions)
    return [
        f".. openssl:: {function.name}",
        "",
        f"   ``{' '.join(function.declaration.split())}``",
        "",
        f"   {said}." + (f" Needs {needs}." if needs else ""),
        "",
    ]


def constants() -> list[str]:
    lines = ["Constants", "=========", "", "OpenSSL's constants that are members of a class of pyossl.", ""]
    for prefix, name in CONSTANTS.items():
        kind = public_names()[name]
        shown = [each for each in dir(kind) if each.isupper() and not each.startswith("_")]
        for member in sorted(shown):
            lines += [f".. openssl:: {prefix}{member}", "", f"   :py:obj:`{kind.__name__}.{member} <{name}>`", ""]
    return lines


def write(page: Path, lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    # Sphinx reads a page again when it is newer than what it has read.
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")


def write_pages(app: Any) -> None:
    PAGES.mkdir(exist_ok=True)
    used = uses()
    app.openssl_names = set()
    written = {PAGES / "constants.rst"}
    for header in sorted(DECLARATIONS.glob("*.h")):
        found: dict[str, Function] = {}
        for function in functions(header):
            # Declared on both sides of an #else, it is in every OpenSSL.
            found[function.name] = function._replace(conditions=()) if function.name in found else function
        if not found:
            continue
        title = f"openssl/{header.name}"
        lines = [title, "=" * len(title), ""]
        for name in sorted(found):
            lines += entry(found[name], used)
        write(PAGES / f"{header.stem}.rst", lines)
        written.add(PAGES / f"{header.stem}.rst")
        app.openssl_names |= set(found)
    write(PAGES / "constants.rst", constants())
    for old in set(PAGES.glob("*.rst")) - written:
        old.unlink()


def setup(app: Any) -> dict[str, bool]:
    app.add_object_type("openssl", "openssl", objname="of OpenSSL", indextemplate="")
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True}
