"""The folders of docs/design.md: which may import which, which may use OpenSSL, and how long a file may be.

The folders are read, not a list of modules.  An import inside a function counts as one at run time; an import under
``if TYPE_CHECKING`` is for types alone.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import build_ffi

PACKAGE = build_ffi.ROOT / "pyossl"

FLOORS = (
    ("core",),
    ("bio",),
    ("x509",),
    ("tls/__init__", "tls/callbacks"),
    ("tls/settings",),
    ("tls/sessions", "tls/system_openssl"),
    ("tls/authentication", "tls/ech"),
    ("tls/context",),
    ("tls/connection",),
    ("tls/mutable",),
    ("sockets", "errors"),  # pyossl.errors gives the names of core/errors.py to programs
    ("streams", "aio", "greenlets"),
    ("trio", "anyio"),
    ("pyopenssl",),
    ("stdlib",),
    ("cli",),
    ("__main__",),
)
"""The folders of pyossl/, and the files beside them, from the lowest floor to the highest."""
DIVIDED = {"tls"}
"""The folders whose own folders, and the files beside these, each have a floor."""
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FRONT_DOOR = "__init__"
FLOOR_OF_THE_FRONT_DOOR = FLOOR["sockets"]
"""``from pyossl import ...`` loads any of the folders up to this floor."""
FOLDERS_WITH_LIB = {"core", "bio", "x509", "tls", "sockets", "stdlib"}
OTHERS_WITH_LIB = {
    "pyopenssl/cryptography_binding.py": "it offers OpenSSL's functions by the names of another package's binding",
}
UPWARD_FOR_TYPES = {
    ("core/errors.py", "x509/certificate.py"): "CertificateError.certificate",
    ("core/outcome.py", "x509/certificate.py"): "Failure.certificate",
    ("tls/context/context.py", "sockets/socket.py"): "Context.wrap_socket returns a Socket",
    ("tls/callbacks/callbacks.py", "tls/connection/connection.py"): "every callback is called with its Connection",
    ("tls/callbacks/callbacks.py", "tls/context/context.py"): "a server name callback returns a Context",
    ("tls/callbacks/callbacks.py", "tls/connection/session.py"): "a new session callback is called with a Session",
    ("tls/callbacks/callbacks.py", "tls/sessions/pre_shared_key.py"): "a callback for keys returns a PreSharedKey",
    ("tls/settings/context_state.py", "tls/ech/ech_store.py"): "the state of a context has its ECHStore",
    ("tls/settings/context_state.py", "tls/sessions/ticket_keys.py"): "the state of a context has its TicketKeys",
    ("tls/context/context.py", "tls/connection/session.py"): "Context.wrap_socket takes a Session",
}
"""The imports that only a type checker follows and that go up, each with the annotation that needs it."""
HOMES = {"pyossl._openssl": "core/__init__.py", "pyossl._fast": "core/methods_in_c.py"}
"""The compiled modules, each with the file that imports it."""
LONGEST_FILE = 600
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "misc", "common", "base"}
STDLIB_TLS = {"ssl", "_ssl"}
FINDS_THE_LIBRARY = "core/library_search.py"
"""It imports ``_ssl`` if there is no other OpenSSL, to use the one that Python has."""

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def identifier(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


each_module = pytest.mark.parametrize("path", MODULES, ids=identifier)


def folder(path: Path) -> str:
    """The folder of a file in pyossl/, or the name of a file that is in none."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def room(path: Path) -> str:
    """What has the floor: the folder, or in a divided folder the part that the file is in, such as ``tls/settings``."""
    parts = path.relative_to(PACKAGE).parts
    return "/".join(parts[: 2 if folder(path) in DIVIDED else 1]).removesuffix(".py")


class Import(NamedTuple):
    module: str
    """Such as ``pyossl.core.errors``."""
    name: str
    """What is imported from it; empty for ``import module``."""
    is_for_types: bool


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def nodes(node: ast.AST, for_types: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Every node, and whether only a type checker reads it."""
    yield node, for_types
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from nodes(child, for_types or (is_for_types(node) and field == "body"))


def imports(path: Path) -> Iterator[Import]:
    package = ["pyossl", *path.relative_to(PACKAGE).parent.parts]
    for node, for_types in nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, "", for_types) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (Import(module, alias.name, for_types) for alias in node.names)


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {module_name(path): path for path in MODULES}


def modules_imported(path: Path) -> Iterator[tuple[Path | None, bool]]:
    """The files of pyossl that a file imports, and whether for types alone; None is the front door."""
    for each in imports(path):
        if each.module.partition(".")[0] == "pyossl" and each.module not in HOMES:
            yield NAMES.get(f"{each.module}.{each.name}", NAMES.get(each.module)), each.is_for_types


def rooms_imported(path: Path, for_types: bool = False) -> set[str]:
    """The other rooms that a file imports at run time, or for types alone."""
    rooms = {
        FRONT_DOOR if other is None else room(other) for other, types in modules_imported(path) if types == for_types
    }
    return rooms - {room(path)}


def floor(name: str) -> int:
    return FLOOR_OF_THE_FRONT_DOOR if name == FRONT_DOOR else FLOOR[name]


@each_module
def test_every_folder_has_its_floor(path: Path) -> None:
    assert room(path) in FLOOR, f"{identifier(path)} is in none of the folders of docs/design.md"


@each_module
def test_imports_go_down_the_floors_only(path: Path) -> None:
    ours = floor(room(path))
    for other in rooms_imported(path):
        assert floor(other) < ours, f"{identifier(path)} imports {other}, which is not below"


@each_module
def test_imports_for_types_go_up_only_where_nothing_else_is_possible(path: Path) -> None:
    for other, _ in modules_imported(path):
        if other is not None and floor(room(other)) > floor(room(path)):
            assert (identifier(path), identifier(other)) in UPWARD_FOR_TYPES


def circles(for_types: bool) -> list[str] | None:
    """The files of a circle, each of which imports the next one; None where there is no circle."""
    graph = {
        identifier(path): {
            identifier(other)
            for other, types in modules_imported(path)
            if other is not None and other != path and (for_types or not types)
            if (identifier(path), identifier(other)) not in UPWARD_FOR_TYPES
        }
        for path in MODULES
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as cycle:
        found: list[str] = cycle.args[1]
        return found
    return None


def test_no_files_import_one_another_in_a_circle() -> None:
    assert circles(for_types=False) is None


def test_no_files_import_one_another_in_a_circle_for_types_either() -> None:
    """A reader follows these imports too.  The few that go up are listed above."""
    assert circles(for_types=True) is None


@each_module
def test_lib_is_touched_by_the_core_only(path: Path) -> None:
    touched = {each.name for each in imports(path) if each.module.startswith("pyossl")} & {"lib", "ffi"}
    for node, _ in nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and node.attr in ("lib", "ffi"):
            touched.add(node.attr)
    assert folder(path) in FOLDERS_WITH_LIB or identifier(path) in OTHERS_WITH_LIB or not touched, touched


@each_module
def test_each_extension_is_imported_by_one_file_alone(path: Path) -> None:
    """The guard of core/__init__.py has run before any code sees ``lib``, and the methods in C have their functions."""
    for extension, home in HOMES.items():
        if identifier(path) != home:
            assert not any(extension in (each.module, f"{each.module}.{each.name}") for each in imports(path))


@each_module
def test_the_core_does_not_import_the_stdlibs_ssl(path: Path) -> None:
    """It may be another OpenSSL's (docs/pitfalls.md, 29)."""
    if folder(path) in FOLDERS_WITH_LIB and identifier(path) != FINDS_THE_LIBRARY:
        assert not STDLIB_TLS & {each.module.partition(".")[0] for each in imports(path)}


def test_no_ssl_is_loaded_with_pyossl() -> None:
    """As above, of what the core's imports import in their turn."""
    script = "import sys, pyossl; print(*sorted({'ssl', '_ssl'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


SOURCES = sorted(
    path
    for pattern in ("*.py", "pyossl/**/*.py", "pyossl/_c/**/*.[ch]", "tests/**/*.py", "ci/*.py")
    for path in build_ffi.ROOT.glob(pattern)
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(build_ffi.ROOT)))
def test_a_file_has_at_most_600_lines_and_a_name_that_says_something(path: Path) -> None:
    # A fragment has the length of the header that it is named after.
    assert len(path.read_text().splitlines()) <= LONGEST_FILE or path.parent.name == "decl"
    assert path.stem.lower() not in NAMES_THAT_SAY_NOTHING


def folders_with(pattern: str, below: Path) -> set[str]:
    """The folders in which a file is, such as ``core`` and ``tls/settings``."""
    found = {path.parent.relative_to(below).as_posix() for path in below.rglob(pattern)}
    return {each for each in found if not each.startswith(("_", "."))}


FOLDERS = folders_with("__init__.py", PACKAGE)


def test_the_tests_have_the_same_folders() -> None:
    tested = folders_with("test_*.py", build_ffi.ROOT / "tests")
    assert tested >= FOLDERS
    assert tested - FOLDERS == {"interop", "project"}


def test_the_c_of_a_divided_folder_has_the_same_folders() -> None:
    below = PACKAGE / "_c"
    assert {each for each in folders_with("*.c", below) if each.partition("/")[0] in DIVIDED} <= FOLDERS - DIVIDED


@pytest.mark.parametrize("name", sorted(each for each in FOLDERS if each.partition("/")[0] in DIVIDED))
def test_a_folder_of_a_divided_folder_imports_nothing_itself(name: str) -> None:
    """Its ``__init__.py`` only says what is in it: an import of one of its files loads no other file."""
    assert list(imports(PACKAGE / name / "__init__.py")) == []
