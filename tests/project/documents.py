"""The documents: which they are, their blocks, and the programs that the blocks are.

How a document is read
----------------------
``python``   is run. A block that imports begins a new program. A block without imports continues the program of the
             block before it. A block that begins with a comment with a file's name, ``# server.py``, is that file; it
             is run by the commands of the page's console blocks.
``output``   is the output of the program since the last such block. ``…`` matches any text in a line; ``…`` alone on a
             line matches any lines.
``console``  is one session in a terminal per page: the lines that begin with ``$`` are commands, the lines after a
             command are its output (tests/project/console_sessions.py).
``sh``       each command is run, or is in ``NOT_RUN`` of tests/project/test_documents.py with the reason.
``c``        is a fragment of declarations in CONTRIBUTING.md, which the compiler must accept.
``text``     is the excerpt of the demo in README.md, which the demo must still print, with any numbers.

A page that needs a package which pyossl's own tests do not install is in ``PEER_PAGES``.  Its programs are files that
its console blocks run; ``ci/peers programs`` runs these blocks in an environment with that package.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
DOCUMENTS += sorted((ROOT / "docs").rglob("*.md"))

_PEERS = ("requests", "scrapy", "twisted", "urllib3")
PEER_PAGES = {ROOT / "docs" / "howto" / f"{package}.md": package for package in _PEERS}
"""The pages whose programs need a package, and the package, as ci/peers_pyopenssl.toml names it in ``[programs]``."""


NEEDS = {
    ROOT / "docs" / "howto" / "encrypted-client-hello.md": "ech",
    ROOT / "examples" / "encrypted_client_hello.py": "ech",
    ROOT / "docs" / "howto" / "raw-public-keys.md": "raw_public_keys",
    ROOT / "examples" / "raw_public_keys.py": "raw_public_keys",
    ROOT / "docs" / "howto" / "certificate-compression.md": "certificate_compression",
    ROOT / "examples" / "certificate_compression.py": "certificate_compression",
    ROOT / "docs" / "howto" / "srtp-keys.md": "srtp",
    ROOT / "examples" / "srtp_keys.py": "srtp",
}
"""The pages and examples whose programs need a feature that not every OpenSSL has, and its name in ``pyossl.features``.

With another OpenSSL their programs are not run.
"""


class Block(NamedTuple):
    """A fenced block of a document: its language, its text, and the number of its first line."""

    document: Path
    language: str
    text: str
    line: int

    @property
    def where(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"

    @property
    def file_name(self) -> str | None:
        """The name in the comment that the block begins with."""
        named = re.match(r"# (\w+\.py)\n", self.text) if self.language == "python" else None
        return named and named[1]


def blocks(document: Path) -> Iterator[Block]:
    """The fenced blocks.  MyST's directives, in braces, have no code."""
    language: str | None = None
    lines: list[str] = []
    start = 0
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        fence = re.match(r"```(\S*)", line)
        if language is None and fence:
            language, lines, start = fence[1], [], number + 1
        elif language is not None and fence:
            if not language.startswith("{"):
                yield Block(document, language, "\n".join(lines) + "\n", start)
            language = None
        elif language is not None:
            lines.append(line)
    assert language is None, f"{document.name}: the block of line {start} never ends"


BLOCKS = [block for document in DOCUMENTS for block in blocks(document)]


def programs() -> Iterator[list[Block]]:
    """The blocks of Python, each with the blocks and the outputs that continue it."""
    program: list[Block] = []
    for block in BLOCKS:
        if block.language not in ("python", "output") or block.file_name:
            continue
        new_document = program and program[0].document != block.document
        if block.language == "python" and (imports(block) or new_document):
            if program:
                yield program
            program = []
        program.append(block)
    if program:
        yield program


def imports(block: Block) -> bool:
    tree = ast.parse(block.text, block.where)
    return any(isinstance(statement, (ast.Import, ast.ImportFrom)) for statement in tree.body)


def matches(expected: str, printed: str) -> bool:
    """Whether text was printed as expected, ``…`` standing for any text in a line, or for any lines."""
    lines = (line.rstrip() for line in expected.strip().splitlines())
    pattern = "".join(r"(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + r"\n" for line in lines)
    return re.fullmatch(pattern, printed.rstrip() + "\n") is not None
