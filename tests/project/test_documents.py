"""Every block of code in the documents and every example is run, and every link leads to a file or heading that exists.

tests/project/documents.py explains how a document is read.  The programs are run without changes.
``example.com:443`` is a server that the test starts: the test resolves this one name, and the server's CA is the
system's trust store (``SSL_CERT_FILE``).  The current directory contains ``chain.pem``, ``key.pem`` and ``ca.pem``, for
localhost.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import runpy
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli.cli_servers import written
from interop.chromium import needs_chromium, unattended
from interop.programs import where_installed
from project.console_sessions import ConsoleSession, commands as commands_in_consoles
from project.documents import BLOCKS, DOCUMENTS, NEEDS, PEER_PAGES, ROOT, Block, blocks, matches, programs
from project.example_com import Answering

import pyossl

LINKED = DOCUMENTS + sorted((ROOT / "benchmarks").glob("*.md"))
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PROGRAMS_OF_EXAMPLES = {"fleet.py": "redis-server"}
"""The programs that examples start, and that are not installed everywhere."""

# Commands of the documents that no test runs, and why.
NOT_RUN = {
    "./ci/demo": "sets the machine up, from the network; the demo itself is run by test_the_demo_in_the_readme",
    "./ci/test": "runs this test",
    "./ci/matrix": "runs this test on each OpenSSL",
    "./ci/peers": "another project's suite, which .ci/run runs by itself",
    "./ci/soak": "attacks for an hour; what it does so often is in tests, which ./ci/test runs once",
    "./ci/site": "opens every page in a browser for minutes; .ci/run runs it by itself",
    "./ci/performance": "counts for a minute; .ci/run runs it by itself",
    "python -m benchmarks": "measures for minutes, or writes into the tree: see tests/project/test_benchmarks.py",
    "python3 -m venv": "makes a folder in the home directory; ci/setup makes a virtual environment",
    "pip install": "takes build tools from the network; ci/setup and ci/matrix do it on each OpenSSL",
    "./ci/wheels": "compiles for minutes, with a compiler from the network; ci/matrix does it by itself",
    "./ci/without-compiler": "makes other Debians, from the network",
    "PYOSSL_LATE=1": "needs the headers of the newest OpenSSL; ci/wheels does it",
    "PYOSSL_OPENSSL_DIR=": "needs an OpenSSL besides the system's; ci/matrix's row 1.1.1 does it",
    "ruff": "./ci/test runs it, with mypy",
    "python -m pytest": "is running",
    "python tests/stdlib/cpython_suite.py": "tests/stdlib/test_cpython_suite.py does the same",
    "python build_ffi.py --stubs": "writes into the tree: see tests/project/test_declarations.py",
}

PROGRAMS = list(programs())


def needs_more(path: Path) -> bool:
    """Whether the programs of a page, or an example, need a feature that this OpenSSL does not have."""
    return path in NEEDS and not pyossl.features[NEEDS[path]]


LANGUAGES = ("python", "output", "console", "sh", "c", "text")


def test_every_block_is_of_a_kind_that_is_run() -> None:
    strange = [f"{block.where}: {block.language!r}" for block in BLOCKS if block.language not in LANGUAGES]
    assert not strange


@pytest.fixture(scope="session")
def example_com() -> Iterator[Answering]:
    server = Answering()
    yield server
    server.close()


@pytest.fixture
def world(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    authority: pyossl.Authority,
    credentials: pyossl.Credentials,
    example_com: Answering,
) -> Path:
    """What the documents' programs find around them, as this module's docstring says; the current directory."""
    written(tmp_path, authority, credentials)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "public.pem").write_bytes(example_com.trust)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "public.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    resolve = socket.getaddrinfo

    def look_up(host: Any, port: Any, *arguments: Any, **named: Any) -> Any:
        if (host, port) == ("example.com", 443):
            host, port = example_com.listener.address
        name = host.decode() if isinstance(host, bytes) else host
        assert name in ("localhost", "127.0.0.1", "::1"), f"the documents talk to example.com:443 alone, not {name}"
        return resolve(host, port, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return tmp_path


@pytest.mark.parametrize("program", PROGRAMS, ids=[program[0].where for program in PROGRAMS])
def test_a_program_runs_and_prints_what_the_document_says(
    program: list[Block], world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if needs_more(program[0].document):
        pytest.skip(f"this OpenSSL has no {pyossl.features.describe(NEEDS[program[0].document])}")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in program:
        if block.language == "python":
            # Errors are reported at the document's own lines.
            code = compile("\n" * (block.line - 1) + block.text, str(block.document), "exec")
            exec(code, namespace)
        else:
            printed = capsys.readouterr().out
            assert matches(block.text, printed), f"{block.where}: what was printed is\n{printed}"
    assert (left := capsys.readouterr().out) == "", f"{program[-1].where}: the document does not show\n{left}"


# The pages in PEER_PAGES need other packages: tests/interop/test_pyopenssl_programs.py runs their commands.
SESSIONS = [page for page in DOCUMENTS if page not in PEER_PAGES and any(b.language == "console" for b in blocks(page))]


WITH_CHROMIUM = ROOT / "docs" / "howto" / "browser.md"
"""The page whose commands start a browser."""


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(page, id=str(page.relative_to(ROOT)), marks=[needs_chromium] if page == WITH_CHROMIUM else [])
        for page in SESSIONS
    ],
)
def test_the_commands_of_a_page_print_what_the_page_says(
    document: Path, world: Path, example_com: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    if document == WITH_CHROMIUM:
        monkeypatch.setenv("PATH", f"{unattended(world / 'bin')}{os.pathsep}{os.environ['PATH']}")
    with ConsoleSession(world, example_com.listener.address[1]) as session:
        session.run_page(list(blocks(document)))


def test_every_file_of_a_page_is_run_by_a_command() -> None:
    def is_run(block: Block) -> bool:
        commands = commands_in_consoles(list(blocks(block.document)))
        return any(str(block.file_name) in each.command for each in commands)

    assert not [block.where for block in BLOCKS if block.file_name and not is_run(block)]


def commands() -> Iterator[tuple[Block, str]]:
    for block in BLOCKS:
        if block.language == "sh":
            for line in block.text.splitlines():
                if command := line.partition("#")[0].strip():
                    yield block, command


def reason_not_to_run(command: str) -> str | None:
    """The key in ``NOT_RUN`` that the command begins with."""
    return next((start for start in sorted(NOT_RUN, reverse=True) if command.startswith(start)), None)


COMMANDS = [(block, command) for block, command in commands() if reason_not_to_run(command) is None]


@pytest.mark.parametrize(("block", "command"), COMMANDS, ids=[command for _, command in COMMANDS])
def test_a_command_succeeds(block: Block, command: str, tmp_path: Path) -> None:
    # The repository, but for the package: the one that is installed is to be found.
    for entry in ROOT.iterdir():
        if entry.name != "pyossl":
            (tmp_path / entry.name).symlink_to(entry)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, f"{block.where}: {command}\n{done.stdout}{done.stderr}"


def test_each_reason_not_to_run_a_command_excuses_one() -> None:
    used = {reason_not_to_run(command) for _, command in commands()}
    assert set(NOT_RUN) <= used, f"no document has these commands any more: {set(NOT_RUN) - used}"


FRAGMENTS = [block for block in BLOCKS if block.language == "c"]


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=[block.where for block in FRAGMENTS])
def test_the_compiler_agrees_with_a_declaration_and_refuses_it_when_it_is_wrong(
    fragment: Block, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "build_ffi.py", tmp_path)
    shutil.copytree(ROOT / "pyossl" / "_c", tmp_path / "pyossl" / "_c")
    named = re.match(r"/\* (\S+) \*/\n", fragment.text)
    assert named, f"{fragment.where}: the first line says which file this goes into"

    def check(text: str) -> subprocess.CompletedProcess[str]:
        with (tmp_path / named[1]).open("w") as file:
            file.write((ROOT / named[1]).read_text() + text)
        command = [sys.executable, "build_ffi.py", "--check"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280)

    agreed = check(fragment.text)
    assert agreed.returncode == 0, agreed.stderr
    if pyossl.features.new_session_ticket or "#if" not in fragment.text:
        refused = check(fragment.text.replace("(SSL *", "(int ").replace("(const SSL *", "(int "))
        assert refused.returncode != 0
        assert "SSL_" in refused.stderr


def needs(example: Path) -> list[pytest.MarkDecorator]:
    needed = PROGRAMS_OF_EXAMPLES.get(example.name)
    return [where_installed(needed)] if needed else []


@pytest.mark.parametrize(
    "example", [pytest.param(example, id=example.name, marks=needs(example)) for example in EXAMPLES]
)
def test_an_example_prints_what_its_docstring_says(
    example: Path, world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if needs_more(example):
        pytest.skip(f"this OpenSSL has no {pyossl.features.describe(NEEDS[example])}")
    docstring = ast.get_docstring(ast.parse(example.read_text(encoding="utf-8"))) or ""
    _, says, expected = docstring.partition("\n\nPrints:\n")
    assert says, "the docstring ends with what the example prints"
    monkeypatch.setattr(sys, "argv", [str(example)])
    runpy.run_path(str(example), run_name="__main__")
    printed = capsys.readouterr().out
    assert matches(inspect.cleandoc(expected), printed), printed


def links() -> Iterator[tuple[Path, str]]:
    for document in LINKED:
        prose = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)
        for target in re.findall(r"\]\(([^)]+)\)|src(?:set)?=\"([^\"]+)\"", prose):
            yield document, "".join(target)


def anchors(document: Path) -> set[str]:
    """The anchors of the headings, as the forges make them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_to_files_and_headings_that_exist() -> None:
    lost = []
    for document, target in links():
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        if not file.exists() or (anchor and anchor not in anchors(file)):
            lost.append(f"{document.relative_to(ROOT)}: {target}")
    assert not lost


def test_every_page_is_found_by_links_from_the_readme() -> None:
    """A link to a folder is one to the pages in it."""
    found, new = set[Path](), {ROOT / "README.md"}
    while new:
        found |= new
        targets = {(page.parent / target.partition("#")[0]).resolve() for page, target in links() if page in new}
        new = {page for target in targets for page in (target.glob("*.md") if target.is_dir() else [target])} - found
    assert set(LINKED) <= found, f"no way leads to {sorted(map(str, set(LINKED) - found))}"


def test_each_exception_has_its_section_in_errors_md() -> None:
    sections = set(re.findall(r"^## (\w*Error)$", (ROOT / "docs" / "errors.md").read_text(encoding="utf-8"), re.M))
    public = {name: getattr(pyossl, name) for name in pyossl.__all__}
    kinds = {name for name, kind in public.items() if isinstance(kind, type) and issubclass(kind, pyossl.Error)}
    assert sections == kinds


def without_numbers(text: str) -> str:
    """What a run of the demo has in common with another, on another OpenSSL."""
    text = re.sub(r"^OpenSSL .*", "OpenSSL", text.strip())
    # Not every OpenSSL tells of the server's.
    text = re.sub(r"^.*ChangeCipherSpec.*\n", "", text, flags=re.M)
    return re.sub(r"[ ─]+", " ", re.sub(r"\d[\d.]*", "0", text)).lower()


def test_the_demo_in_the_readme() -> None:
    excerpt, *others = [block for block in BLOCKS if block.language == "text"]
    assert not others, f"{others[0].where}: no test reads this text"
    # Outside of the source tree: the package that is installed is the one to be found.
    command = [sys.executable, "-m", "pyossl", "demo"]
    done = subprocess.run(command, cwd=ROOT / "docs", capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert matches(without_numbers(excerpt.text), without_numbers(done.stdout)), done.stdout


def test_the_readme_lists_the_openssl_versions_of_the_matrix() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| (\d\S*) \| \S+ .*\| (.+?) \|$", readme, re.M))
    # By a pattern and not by tomllib, which Python 3.10 lacks.
    rows = re.findall(r"^\[\[row\]\]\n(.*?)(?=^\[\[row|\Z)", (ROOT / "ci" / "matrix.toml").read_text(), re.M | re.S)
    facts = [dict(re.findall(r'^(\w+) = "(.*)"$', row, re.M)) for row in rows]
    by_version = [row for row in facts if row["name"][0].isdigit()]
    assert listed == {row["name"]: row.get("python", "this machine's") for row in by_version}
