"""Sphinx's settings for the site.  ``ci/site`` builds it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pygments.lexers.special import TextLexer

import pyossl

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS / "extensions"), str(DOCS.parent / "ci")]

project = "pyossl"
author = "the pyossl developers"
copyright = "the pyossl developers, Apache-2.0"
version = release = pyossl.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "openssl_functions",
    "docstrings",
    "stub_signatures",
    "repository_links",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

autodoc_default_options = {
    "members": True,
    # The members of Python's own classes are in Python's documentation.
    "inherited-members": "object, tuple, int, str, dict, Enum, IntEnum, IntFlag, Exception, BaseException, OSError,"
    "ConnectionError, TimeoutError, ValueError, TypeError, BlockingIOError, Protocol, Generic, BaseTransport,"
    "Transport, AbstractServer, TLSAttribute, TypedAttributeProvider",
}
autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

copybutton_prompt_text = "$ "  # in a terminal, only the commands are copied

html_theme = "furo"
html_title = f"pyossl {release}"
html_copy_source = False
html_show_sphinx = False
html_search_scorer = str(DOCS / "search_scorer.js")
html_theme_options = {"navigation_with_keys": True}


def setup(app: Any) -> None:
    app.add_lexer("output", TextLexer)
