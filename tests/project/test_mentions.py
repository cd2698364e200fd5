"""Comments, docstrings and documents name files, modules and C functions: each of them exists.

A renamed file or function would otherwise go on in the sentences about it.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from project.documents import blocks

from build_ffi import ROOT

FOLDERS = ("pyossl", "tests", "docs", "ci", "benchmarks", "examples", ".github")
OF_PROGRAMS = {"script.py", "NAME.c", "_.py", "try.c"}
"""Files that a reader's program or a measurement makes."""
OF_PYTHON = {"ssl.py", "_ssl.c"}
"""CPython's own files, over and in place of which pyossl/stdlib works."""
# History is about the names of its time.
HISTORY = {ROOT / "CHANGELOG.md"}
SUFFIXES = {".py", ".pyi", ".c", ".h", ".md", ".sh", ".toml", ".yml", ""}

COMMENT_OF_C = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
FILE = re.compile(r"(?<![\w/.:*{}-])(?:[\w.-]+/)*\w[\w-]*\.(?:py|pyi|c)\b(?![\w.(])")
"""A file of Python or C, with or without its folder.  Headers are not checked: most are OpenSSL's or the compiler's."""
TEST = re.compile(r'(?:"|--deselect=|--ignore=)(tests/[\w/]+(?:\.py)?)(?:::(\w+))?')
"""A file or folder of tests in a table of ci, and the function of one test."""
MODULE = re.compile(r"(?<![\w/.@-])(?!pyossl\.(?:c|h|py)\b)pyossl(?:\.[A-Za-z_]\w*)+")
FUNCTION = re.compile(r"\bpyossl_(?!p_)[a-z]\w*")
"""A function of pyossl.  The build makes the names of pointers, which begin with pyossl_p_."""
WORD = re.compile(r"[A-Za-z_]\w*")


def files() -> list[Path]:
    found = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in FOLDERS:
        found += [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return sorted(path for path in found if path.suffix in SUFFIXES and path not in HISTORY)


FILES = files()
PATHS = [path.relative_to(ROOT).as_posix() for path in FILES]


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def prose(path: Path) -> Iterator[str]:
    """The comments and docstrings of a file; the whole of a document."""
    text = text_of(path)
    if path.suffix in (".py", ".pyi"):
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield token.string
        for node in ast.walk(ast.parse(text)):
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                yield node.value.value
    elif path.suffix in (".c", ".h"):
        yield from COMMENT_OF_C.findall(text)
    elif path.suffix == ".md":
        yield text
    else:
        yield from re.findall(r"(?:^|\s)#.*", text)


@cache
def words_of_code() -> frozenset[str]:
    """Every name in the package's C and Python, outside comments."""
    words = set[str]()
    for path in FILES:
        if (ROOT / "pyossl") in path.parents or path == ROOT / "build_ffi.py":
            if path.suffix in (".c", ".h"):
                words.update(WORD.findall(COMMENT_OF_C.sub("", text_of(path))))
            elif path.suffix in (".py", ".pyi"):
                tokens = tokenize.generate_tokens(io.StringIO(text_of(path)).readline)
                words.update(token.string for token in tokens if token.type == tokenize.NAME)
    return frozenset(words)


def module_name(path: str) -> str:
    return path.rpartition(".")[0].removesuffix("/__init__").replace("/", ".")


MODULES = {module_name(path): ROOT / path for path in PATHS if path.endswith((".py", ".pyi"))}


def file_exists(name: str) -> bool:
    """Whether a file has this path, or a path that ends with it."""
    name = name.lstrip("./")
    return name.rpartition("/")[2] in OF_PROGRAMS | OF_PYTHON or any(
        path == name or path.endswith(f"/{name}") for path in PATHS
    )


def module_exists(name: str) -> bool:
    """Whether the name is a module, or the module that it begins with has the name that follows, and the code the rest.

    A feature is an attribute for a constant of the C code: ``pyossl.features.quic`` for ``HAVE_QUIC``.
    """
    module, names = name, list[str]()
    while module not in MODULES:
        module, _, last = module.rpartition(".")
        names.insert(0, last)
    if not names:
        return True
    has_first = names[0] in WORD.findall(text_of(MODULES[module]))
    return has_first and all({each, f"HAVE_{each.upper()}"} & words_of_code() for each in names[1:])


@pytest.mark.parametrize("path", FILES, ids=PATHS)
def test_the_files_modules_and_functions_that_a_comment_names_exist(path: Path) -> None:
    missing = set[str]()
    of_page = {block.file_name for block in blocks(path)} if path.suffix == ".md" else set()
    for text in prose(path):
        missing |= {name for name in FILE.findall(text) if name not in of_page and not file_exists(name)}
        missing |= {name for name in MODULE.findall(text) if not module_exists(name)}
        missing |= {name for name in FUNCTION.findall(text) if name not in words_of_code()}
    assert not missing, f"{path.relative_to(ROOT)} names what does not exist: {', '.join(sorted(missing))}"


def test_the_tests_that_a_table_of_ci_names_exist() -> None:
    """pytest does not say that a test which it is to leave out is gone: a renamed one would run."""
    named = TEST.findall(text_of(ROOT / "ci" / "matrix.toml"))
    assert {"test_floors", "test_groups"} <= {Path(file).stem for file, _ in named}
    for file, test in named:
        assert (ROOT / file).exists(), file
        assert not test or f"def {test}(" in text_of(ROOT / file), f"{file}::{test}"


@pytest.mark.parametrize("name", ["io.c", "pyossl/_c/io.c", "tls/policy.py"])
def test_a_file_that_is_gone_is_noticed(name: str) -> None:
    assert FILE.findall(f"see {name}, and (``{name}``)") == [name, name]
    assert not file_exists(name)


@pytest.mark.parametrize("name", ["pyossl.nowhere", "pyossl.tls.policy", "pyossl.Context.nothing_here"])
def test_a_module_or_name_that_is_gone_is_noticed(name: str) -> None:
    assert MODULE.findall(f"see {name}.") == [name]
    assert not module_exists(name)
