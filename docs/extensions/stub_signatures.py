"""The types of the methods in C, which are in the stub pyossl/_fast.pyi: the signatures of the methods have none."""

from __future__ import annotations

import ast
import copy
from pathlib import Path
from types import MethodDescriptorType
from typing import Any

import pyossl

STUB = {
    (kind.name, method.name): method
    for kind in ast.parse(Path(pyossl.__file__).with_name("_fast.pyi").read_text(encoding="utf-8")).body
    if isinstance(kind, ast.ClassDef)
    for method in kind.body
    if isinstance(method, ast.FunctionDef)
}
"""Each method, by the name of its class and its own."""

SHOWN = {"Bytes": "bytes | bytearray | memoryview", "Want": "~pyossl.Want", "Any": "~typing.Any"}


def stub_of(method: MethodDescriptorType) -> ast.FunctionDef:
    return STUB[method.__objclass__.__name__, method.__name__]


def annotations_of(method: MethodDescriptorType) -> dict[str, str]:
    """The type of each argument, as the stub writes it."""
    return {each.arg: ast.unparse(each.annotation) for each in stub_of(method).args.args if each.annotation}


class _Shown(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(SHOWN.get(node.id, node.id))


def signature_with_types(
    app: Any, what: str, name: str, documented: Any, options: Any, signature: str | None, result: str | None
) -> tuple[str | None, str | None]:
    """For Sphinx: the signature of a method in C with the types of the stub."""
    if not isinstance(documented, MethodDescriptorType) or documented.__objclass__.__module__ != "pyossl._fast":
        return signature, result
    stub = _Shown().visit(copy.deepcopy(stub_of(documented)))
    stub.args.args = stub.args.args[1:]
    return f"({ast.unparse(stub.args)})", ast.unparse(stub.returns)


def setup(app: Any) -> dict[str, bool]:
    app.connect("autodoc-process-signature", signature_with_types)
    return {"parallel_read_safe": True}
