"""The package's metadata: the README and the addresses, as an index page shows them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ASK = "import sys, setuptools.build_meta as b; print(b.prepare_metadata_for_build_wheel(sys.argv[1]))"
LINK = re.compile(r"\[[^][]*\]\(([^)\s]+)\)")

pytestmark = pytest.mark.skipif(
    not (ROOT / "setup.py").exists(), reason="the tests run without the source tree: there is no metadata to write"
)


def metadata(folder: Path, repository: str) -> Message:
    subprocess.run(
        [sys.executable, "-c", ASK, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYOSSL_REPOSITORY": repository},
        check=True,
        capture_output=True,
        timeout=100,
    )
    return Parser().parsestr(next(folder.glob("*.dist-info/METADATA")).read_text(encoding="utf-8"))


def test_without_the_repositorys_address_the_description_is_the_readme(tmp_path: Path) -> None:
    found = metadata(tmp_path, "")
    assert found["Description-Content-Type"].startswith("text/markdown")
    assert str(found.get_payload()).strip() == (ROOT / "README.md").read_text(encoding="utf-8").strip()
    assert found.get_all("Project-URL") is None


def test_with_it_every_link_and_picture_of_the_description_is_a_file_of_the_repository(tmp_path: Path) -> None:
    repository = "https://forge.example/us/pyossl"
    found = metadata(tmp_path, f"{repository}/")
    links = [link for link in LINK.findall(str(found.get_payload())) if not link.startswith("#")]
    ours = [link for link in links if link.startswith(repository)]
    assert len(ours) > 10
    assert [link for link in links if not link.startswith("https://")] == []
    for link in ours:
        kind, release, path = link.removeprefix(f"{repository}/").split("/", 2)
        assert (kind, release) == ("raw" if path.endswith(".svg") else "blob", f"v{found['Version']}")
        assert (ROOT / path).is_file(), path
    addresses = dict(line.split(", ", 1) for line in found.get_all("Project-URL"))
    assert addresses["Source"] == repository
    assert set(addresses) == {"Source", "Documentation", "Changelog", "Issues"}
