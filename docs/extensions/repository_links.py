"""What the site makes of the repository around docs/: documents beside it are pages, other files are named.

A page that includes a document, ``{include} ../CHANGELOG.md``, has the document's text.  A link to such a document
leads to its page, and a link to a file that the site does not have becomes the file's name.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = {
    ROOT / "CHANGELOG.md": DOCS / "changelog.md",
    ROOT / "CONTRIBUTING.md": DOCS / "contributing.md",
    ROOT / "SECURITY.md": DOCS / "reporting.md",
    ROOT / "README.md": DOCS / "index.md",
}
"""The documents beside docs/ that are pages of the site."""

_INCLUDE = re.compile(r"```\{include\} (\S+)\n```\n")
_LINK = re.compile(r"\[((?:[^\]\\]|\\.)*)\]\((?!https?:)([^)#\s]+)(#[^)]*)?\)")


def site_link(document: Path, page: Path, text: str, path: str, anchor: str) -> str:
    """The link of a document, as it is on its page of the site."""
    target = (document.parent / path).resolve()
    target = PAGES.get(target, target)
    if target.is_relative_to(DOCS):
        return f"[{text}]({os.path.relpath(target, page.parent)}{anchor})"
    name = str(target.relative_to(ROOT)) if target.is_relative_to(ROOT) else path
    if text.strip("`").replace("\\", "") == name:
        return f"`{name}`"
    return f"{text} (`{name}`)"


def rewrite(app: Any, name: str, source: list[str]) -> None:
    page = Path(app.env.doc2path(name))
    document = page
    if included := _INCLUDE.fullmatch(source[0]):
        document = (page.parent / included[1]).resolve()
        source[0] = document.read_text(encoding="utf-8")
        app.env.note_dependency(str(document), docname=name)
    if page.suffix == ".md":
        source[0] = _LINK.sub(lambda link: site_link(document, page, link[1], link[2], link[3] or ""), source[0])


def setup(app: Any) -> dict[str, bool]:
    app.connect("source-read", rewrite)
    return {"parallel_read_safe": True}
