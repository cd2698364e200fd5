"""The reference that autodoc makes of the docstrings.

A class is public by the name that a program imports, ``pyossl.Context``, and its code is elsewhere, in
``pyossl.tls.context.context``.  Signatures have the second name, the pages of the reference the first: types link to
it.  In docstrings, names in double backticks and manual pages, ``SSL_read_ex(3)``, become links too.
"""

from __future__ import annotations

import builtins
import inspect
import re
from typing import Any

from public_names import MANUAL_PAGE, members, names_by_home, public_names
from sphinx import addnodes

_LITERAL = re.compile(r"``([A-Za-z_][\w.]*)(\(\))?``")


def target_of(written: str, documented: str) -> str | None:
    """The public name that a docstring means by ``written``; ``documented`` is whose docstring it is."""
    names = public_names()
    parts = documented.split(".")
    # The class and the module of what is documented, the innermost first.
    around = [".".join([*parts[:length], written]) for length in range(len(parts), 0, -1)]
    for candidate in (*around, f"pyossl.{written}", written):
        if candidate in names:
            return candidate
        kind, _, member = candidate.rpartition(".")
        if isinstance(names.get(kind), type) and any(name == member for name, *_ in members(names[kind])):
            return candidate
    return None


def link_names(app: Any, what: str, name: str, documented: Any, options: Any, lines: list[str]) -> None:
    """Turns the public names in a docstring, and the functions of OpenSSL, into links."""
    own = parameters(documented)

    def name_link(literal: re.Match[str]) -> str:
        # A parameter often has the name of a member.
        target = None if literal[1] in own else target_of(literal[1], name)
        if target is None or target == name:
            return literal[0]
        return f":py:obj:`{literal[1]}{literal[2] or ''} <{target}>`"

    def page_link(page: re.Match[str]) -> str:
        return f":openssl:`{page[0]} <{page[1]}>`" if page[1] in app.openssl_names else page[0]

    lines[:] = [MANUAL_PAGE.sub(page_link, _LITERAL.sub(name_link, line)) for line in lines]


def parameters(documented: Any) -> set[str]:
    try:
        return set(inspect.signature(documented).parameters) if callable(documented) else set()
    except (TypeError, ValueError):
        return set()


def hide_refused_arguments(
    app: Any, what: str, name: str, documented: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None] | None:
    """A class that other methods make, and whose call says so in an error, is shown without arguments."""
    if what == "class" and signature and signature.startswith("(*misplaced"):
        return "", None
    return None


def link_to_public_name(app: Any, environment: Any, node: Any, content: Any) -> Any:
    """Resolves a type of a signature, ``pyossl.tls.context.context.Context``, to ``pyossl.Context``."""
    target = names_by_home().get(node["reftarget"]) if node.get("refdomain") == "py" else None
    if target is None:
        return None
    python = environment.get_domain("py")
    return python.resolve_xref(environment, node["refdoc"], app.builder, "obj", target, node, content)


def keep_builtins_apart(app: Any, document: Any) -> None:
    """``type`` in a signature is Python's, not the attribute of that name which some class has."""
    for node in document.findall(addnodes.pending_xref):
        if node.get("refdomain") == "py" and hasattr(builtins, node["reftarget"]):
            node["reftarget"] = f"builtins.{node['reftarget']}"


def setup(app: Any) -> dict[str, bool]:
    app.connect("missing-reference", link_to_public_name)
    app.connect("doctree-read", keep_builtins_apart)
    app.connect("autodoc-process-docstring", link_names)
    app.connect("autodoc-process-signature", hide_refused_arguments)
    return {"parallel_read_safe": True}
