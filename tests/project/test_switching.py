"""The guide from Python's ``ssl`` names every public name of that module, and only names of pyossl that exist.

The page may have names that this Python's ``ssl`` lacks: those of older, newer and other systems' Pythons.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator

import pytest
from project.documents import ROOT

import pyossl
import pyossl.aio

PAGE = (ROOT / "docs" / "switching" / "ssl.md").read_text(encoding="utf-8")
PROSE = re.sub(r"^```.*?^```$", "", PAGE, flags=re.M | re.S)

SECTIONS = {
    ssl.SSLContext: "SSLContext",
    ssl.SSLSocket: "SSLSocket and SSLObject",
    ssl.SSLObject: "SSLSocket and SSLObject",
    ssl.MemoryBIO: "MemoryBIO",
    ssl.SSLSession: "SSLSession",
}

# What the page calls an object, and where its attributes are.
OBJECTS = {
    "certificate": pyossl.Certificate,
    "connection": pyossl.Connection,
    "context": pyossl.Context,
    "pyossl": pyossl,
    "session": pyossl.Session,
    "store": pyossl.Store,
    "tls": pyossl.Socket,
    **{name: getattr(pyossl, name) for name in pyossl.__all__},
}

SET_BY_INIT = {"tls.connection", "AlertError.number"}
"""Attributes that the instances have, and their classes do not."""


def rows(section: str) -> Iterator[list[str]]:
    """The cells of the tables below the heading ``### section``."""
    found = re.search(rf"^### {section}\n(.*?)(?=^##|\Z)", PROSE, re.M | re.S)
    assert found, f"the page has no section {section}"
    for line in found[1].splitlines():
        if line.startswith("|"):
            yield re.split(r"(?<!\\)\|", line)[1:-1]


def names_of_ssl(section: str) -> set[str]:
    """The names in code in the first column."""
    code = (span for row in rows(section) for span in re.findall(r"`([^`]+)`", row[0]))
    return {name for span in code for name in re.findall(r"[A-Za-z_]\w*", span)}


@pytest.mark.parametrize("kind", SECTIONS, ids=lambda kind: str(kind.__name__))
def test_the_page_names_every_public_member_of_a_class_of_ssl(kind: type) -> None:
    members = {name for name in dir(kind) if not name.startswith("_")}
    missing = members - names_of_ssl(SECTIONS[kind])
    assert not missing


def test_the_page_names_every_function_and_exception_of_ssl() -> None:
    public = {name: value for name, value in vars(ssl).items() if not name.startswith("_")}
    functions = {
        name
        for name, value in public.items()
        if not isinstance(value, type) and getattr(value, "__module__", None) in ("ssl", "_ssl") and callable(value)
    }
    exceptions = {name for name, value in public.items() if isinstance(value, type) and issubclass(value, Exception)}
    missing = (functions - names_of_ssl("Functions")) | (exceptions - names_of_ssl("Exceptions"))
    assert not missing


def test_the_page_names_every_constant_of_ssl_or_what_it_begins_with() -> None:
    named = {span for row in rows("Constants") for span in re.findall(r"`([^`]+)`", row[0])}
    starts = tuple(name.removesuffix("…") for name in named if name.endswith("…"))
    starts += ("OP_",)  # "`OP_NO_TICKET` and others"
    constants = {name for name in vars(ssl) if name.isupper() or re.match(r"[A-Z]+_[A-Z]", name)}
    of_socket = {"AF_INET", "SOCK_STREAM", "SOL_SOCKET", "SO_TYPE"}
    missing = {name for name in constants - named - of_socket if not name.startswith(("_", *starts))}
    assert not missing


def test_the_names_of_pyossl_on_the_page_exist() -> None:
    code = "\n".join(re.findall(r"`([^`\n]+)`", PROSE))
    named = re.findall(rf"(?<![\w.])({'|'.join(OBJECTS)})\.([A-Za-z_]\w*)", code)
    assert len(named) > 100
    unknown = {f"{name}.{attribute}" for name, attribute in named if not hasattr(OBJECTS[name], attribute)}
    assert unknown == SET_BY_INIT
