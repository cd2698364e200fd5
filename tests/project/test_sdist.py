"""The source distribution holds every file of the repository that its readers need, and its tests run there."""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import pyossl

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 280

LEFT_OUT = {
    ".ci/*": "what a landing must pass; it starts scripts of ci/, which are in the sdist",
    ".github/*": "the continuous integration of the repository",
    ".gitignore": "git's own; an sdist is no repository",
}
"""The tracked files that the sdist does not hold, each with the reason."""

MADE = ("PKG-INFO", "setup.cfg", "pyossl.egg-info/*")
"""The files that setuptools makes for an sdist."""

pytestmark = [
    pytest.mark.skipif(
        not (ROOT / "build_ffi.py").exists(), reason="the tests run without the source tree: there is nothing to pack"
    ),
    pytest.mark.timeout(PATIENCE),
]


def is_one_of(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def run(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, **environment},
    )


def sources() -> set[str]:
    """The files of the repository; in an unpacked sdist, the files that it was made with."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        # A file that is deleted, but not yet in a commit, is still listed.
        return {name for name in listed.split("\0") if name and (ROOT / name).exists()}
    listing = ROOT / "pyossl.egg-info" / "SOURCES.txt"
    if not (ROOT / "PKG-INFO").exists():
        pytest.skip("neither a repository nor an sdist: nothing lists the files")
    return {name for name in listing.read_text(encoding="utf-8").splitlines() if not is_one_of(name, MADE)}


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist of the sources, made without isolation, and unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    for name in sources():
        (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / "tree" / name)
    code = f"from setuptools import build_meta; build_meta.build_sdist({str(folder)!r})"
    done = run("-c", code, folder=folder / "tree")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (made,) = folder.glob("*.tar.gz")
    with tarfile.open(made) as archive:
        # 3.14 uses this filter by default, 3.12 and 3.13 warn without a filter, some 3.10 and 3.11 have none.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(folder / "unpacked")
    (tree,) = (folder / "unpacked").iterdir()
    return tree


def held(tree: Path) -> set[str]:
    names = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    return {name for name in names if not is_one_of(name, MADE)}


def test_the_sdist_holds_every_tracked_file_but_those_with_a_reason_and_no_other(unpacked: Path) -> None:
    assert held(unpacked) == {name for name in sources() if not is_one_of(name, tuple(LEFT_OUT))}


def test_each_reason_leaves_a_file_out() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("an sdist: the files with a reason are not here")
    assert not [pattern for pattern in LEFT_OUT if not fnmatch.filter(sources(), pattern)]


@pytest.fixture(scope="module")
def beside_the_package(unpacked: Path) -> dict[str, str]:
    """The environment in which the tests of the unpacked sdist import the package that is installed here.

    The sdist holds no compiled module.  tests/project/test_build.py builds one from it.
    """
    package = Path(pyossl.__file__).parent
    for name in (path.name for path in package.iterdir() if path.suffix in (".so", ".pyd", ".dylib")):
        shutil.copy(package / name, unpacked / "pyossl" / name)
    return {"PYTHONPATH": str(unpacked)}


def test_the_tests_can_be_collected_in_the_sdist(unpacked: Path, beside_the_package: dict[str, str]) -> None:
    options = ("--collect-only", "-q", "-p", "no:cacheprovider", "-p", "no:xdist")
    done = run("-m", "pytest", *options, folder=unpacked, **beside_the_package)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    files = {line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line}
    assert len(files) > 100
    assert all((unpacked / name).exists() for name in files)


def test_the_table_of_features_is_checked_in_the_sdist(unpacked: Path, beside_the_package: dict[str, str]) -> None:
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "tests/project/test_features.py")
    done = run("-m", "pytest", *options, folder=unpacked, **beside_the_package)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "passed" in done.stdout
