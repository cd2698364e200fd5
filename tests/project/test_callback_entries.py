"""Every Python function that C calls keeps its exceptions: none goes to ``sys.unraisablehook``."""

from __future__ import annotations

import ast
import re

import build_ffi

PACKAGE = build_ffi.ROOT / "pyossl"
OF_TURNS = {"pyossl_on_turn", "pyossl_on_interrupt"}
"""They keep exceptions for the call that asks, each with an ``onerror`` of its own."""


def decorated() -> dict[str, str]:
    """The functions whose names say that C calls them, and the decorators of each."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("pyossl_on_"):
                found[node.name] = " ".join(map(ast.unparse, node.decorator_list))
    return found


def test_every_callback_that_is_declared_parks_what_is_raised_at_its_entry() -> None:
    declarations = (PACKAGE / "_c" / "decl" / "pyossl.h").read_text("utf-8")
    declared = set(re.findall(r"\b(pyossl_on_\w+)\(", declarations))
    found = decorated()
    assert set(found) == declared
    for name, decorators in found.items():
        assert "onerror=" in decorators if name in OF_TURNS else decorators.startswith("callback("), name


def test_no_callback_is_made_in_another_way() -> None:
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text("utf-8")
        assert "ffi.callback(" not in source, path
        assert source.count("def_extern(") == {"lock.py": 1, "parked_exceptions.py": 2}.get(path.name, 0), path
