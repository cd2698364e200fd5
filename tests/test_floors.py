"""The house that DESIGN draws: who may import whom, who may touch OpenSSL, and how long a file may be.

The modules are read, not run: an import inside a function counts, one under ``if TYPE_CHECKING`` does not.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import build_ffi

PACKAGE = build_ffi.ROOT / "pyossl"

FLOORS = {
    0: {"_openssl", "import_failure"},
    1: {"_lib", "process"},
    2: {
        "outcome",
        "errors",
        "names",
        "message",
        "have",
        "flags",
        "constants",
        "turns",
        "copying",
        "arguments",
        "descriptors",
    },
    3: {
        "scratch",
        "callbacks",
        "bio",
        "bio_filters",
        "bio_network",
        "bio_python",
        "encoding",
        "asn1",
        "general_names",
        "extensions",
        "keys",
        "x509",
        "crl",
        "store",
        "pkcs12",
        "issuing",
        "policy",
        "session_policy",
        "context",
        "session",
        "draft",
        "generic_context",
        "system",
        "uri",
    },
    4: {
        "connection",
        "generic_connection",
        "negotiation",
        "peercert",
        "waiting",
        "polling",
        "program_wait",
        "stream",
        "evented",
        "cryptography_binding",
        "dtls",
        "quic",
    },
    5: {"connecting", "sockets", "listener", "greenlets", "carrier", "aio", "trio", "anyio"},
    6: {"pyopenssl", "stdlib"},
    7: {"cli", "__main__"},
}
FLOOR = {name: floor for floor, names in FLOORS.items() for name in names}
FLOORS_OF_LIB = range(1, 5)
LAST_FLOOR_OF_THE_CORE = 4
LONGEST_FILE = 600
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "misc", "common", "base"}
STDLIB_TLS = {"ssl", "_ssl"}

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def identifier(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


each_module = pytest.mark.parametrize("path", MODULES, ids=identifier)


def room(path: Path) -> str:
    """The name by which the table knows a file: a package's files are all in the package's room."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def is_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def run_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Every node that is ever run."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and is_for_types(child):
            for otherwise in child.orelse:
                yield from run_nodes(otherwise)
        else:
            yield from run_nodes(child)


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """Each import of a file as (module, name): the name is empty for ``import module``."""
    package = ["pyossl", *path.relative_to(PACKAGE).parent.parts]
    for node in run_nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((module, alias.name) for alias in node.names)


def rooms_imported(path: Path) -> set[str]:
    """The rooms that a file takes something from; ``__init__`` is the front door, ``from pyossl import ...``."""
    rooms = set()
    for module, name in imported(path):
        package, *inside = module.split(".")
        if package == "pyossl":
            rooms.add(inside[0] if inside else name if name in FLOOR else "__init__")
    return rooms - {room(path)}


@each_module
def test_every_module_has_its_floor(path: Path) -> None:
    assert room(path) in FLOOR, f"DESIGN and this file's table give no floor to {identifier(path)}"


@each_module
def test_imports_go_down_the_floors_only(path: Path) -> None:
    """DESIGN: "A module imports only from lower floors." Within one floor there is an order, see below.

    The front door is made of all the core and of the sockets: it is for who lives above them.
    """
    ours = FLOOR[room(path)]
    for other in rooms_imported(path):
        theirs = FLOOR[other] if other != "__init__" else LAST_FLOOR_OF_THE_CORE + 2
        assert theirs <= ours, f"floor {ours} imports {other}, which is on floor {theirs}"


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_has_an_order_without_cycles(floor: int) -> None:
    graph: dict[str, set[str]] = {}
    for path in MODULES:
        if FLOOR.get(room(path)) == floor:
            graph.setdefault(room(path), set()).update(
                other for other in rooms_imported(path) if FLOOR.get(other) == floor
            )
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as cycle:
        pytest.fail(f"modules of floor {floor} import one another: {cycle.args[1]}")


@each_module
def test_lib_is_touched_on_floors_1_to_4_only(path: Path) -> None:
    """DESIGN: "`lib` is touched on floors 1 to 4 only."""
    touched = {"lib", "ffi"} & {name for module, name in imported(path) if module.startswith("pyossl")}
    for node in run_nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and node.attr in ("lib", "ffi"):
            touched.add(node.attr)
    assert FLOOR[room(path)] in FLOORS_OF_LIB or not touched, f"{identifier(path)} touches {touched}"


@each_module
def test_the_extension_is_imported_by_its_guard_alone(path: Path) -> None:
    """The guard of _lib.py has run before anybody sees ``lib``."""
    assert "_openssl" not in rooms_imported(path) or room(path) == "_lib"


@each_module
def test_the_core_does_not_import_the_stdlibs_ssl(path: Path) -> None:
    """DESIGN: "The core never imports the standard library's `ssl`." (PITFALLS 29: it may be another OpenSSL's)"""
    if FLOOR[room(path)] <= LAST_FLOOR_OF_THE_CORE:
        assert not STDLIB_TLS & {module.partition(".")[0] for module, _ in imported(path)}


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
