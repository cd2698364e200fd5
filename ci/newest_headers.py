"""Fetches the headers of the newest OpenSSL, which the wheels are compiled with.

ci/wheels.toml says which package of Debian they are in, with its checksum. The package is fetched once from the mirrors
in the machine's apt configuration, and its headers are kept in the cache.

python ci/newest_headers.py           prints the folder that contains include/openssl
python ci/newest_headers.py update    finds the newest release in Debian, and writes it into ci/wheels.toml
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cmp_to_key
from pathlib import Path

import pyproject
import roots

PINS = Path(__file__).with_name("wheels.toml")
APT_HELPER = Path("/usr/lib/apt/apt-helper")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SUITES = ("sid", "experimental")
UPDATE = "then run python ci/newest_headers.py update, which writes the newest version into ci/wheels.toml"


@dataclass(frozen=True)
class Package:
    """A version of libssl-dev: its path on a mirror, and its checksum."""

    version: str
    file: str
    sha256: str


def pinned() -> Package:
    return Package(**pyproject.load(PINS)["headers"])


def mirrors() -> list[str]:
    """The mirrors in the machine's apt configuration."""
    if not APT_HELPER.exists():
        sys.exit("OpenSSL's headers are fetched with apt from a mirror of Debian: run this on Debian")
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    listed = subprocess.check_output(command, text=True).split()
    return list(dict.fromkeys(mirror.rstrip("/") for mirror in listed))


def headers(*, or_newer: bool = False) -> Path:
    """A folder whose include/openssl has the headers, as PYOSSL_OPENSSL_DIR wants it.

    With ``or_newer``, for tests, the newest ones are fetched if Debian no longer has the pinned ones.
    """
    try:
        return kept(pinned())
    except SystemExit as gone:
        if not or_newer:
            raise
        package = newest(available())
        print(f"{gone}\nThe tests use {package.version} instead.", file=sys.stderr)
        return kept(package)


def kept(package: Package) -> Path:
    def make(target: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder, "headers.deb")
            fetch(package.file, package.sha256, archive, UPDATE)
            unpack(archive, target)

    return roots.kept(roots.CACHE / "headers" / f"{package.version}-{package.sha256[:12]}", make)


def fetch(file: str, sha256: str, archive: Path, advice: str) -> None:
    """Downloads a file of Debian's pool from the first mirror that has it; apt compares the checksum."""
    said = ""
    tried = mirrors()
    for mirror in tried:
        command = [str(APT_HELPER), "download-file", f"{mirror}/{file}", str(archive), f"SHA256:{sha256}"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0:
            return
        said += done.stderr
    sys.exit(
        f"No mirror of apt's configuration ({', '.join(tried) or 'it has none'}) has {file} with the checksum in "
        f"ci/wheels.toml. Debian removes old versions from its pool: {advice}.\n{said.strip()}"
    )


def unpack(archive: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["dpkg-deb", "--extract", str(archive), folder], check=True)
        # On 64-bit Linux, the headers of two architectures differ only in RC4_INT, which pyossl does not use.
        roots.copy_headers(Path(folder, "usr", "include"), target)


def newest(listed: str) -> Package:
    """The newest release in the output of ``apt-cache show``, without alpha and beta versions."""
    packages: list[Package] = []
    for paragraph in listed.strip().split("\n\n"):
        fields = dict(re.findall(r"^(Version|Filename|SHA256): (.+)$", paragraph, re.M))
        if "~" not in fields["Version"]:
            packages.append(Package(fields["Version"], fields["Filename"], fields["SHA256"]))
    return max(packages, key=cmp_to_key(lambda one, other: compare(one.version, other.version)))


def compare(one: str, other: str) -> int:
    if one == other:
        return 0
    return 1 if subprocess.run(["dpkg", "--compare-versions", one, "gt", other]).returncode == 0 else -1


def available() -> str:
    """The output of ``apt-cache show libssl-dev`` for Debian's newest suites, with folders of its own."""
    if not KEYRING.exists():
        sys.exit(f"{KEYRING} is missing: install debian-archive-keyring")
    said = ""
    for mirror in mirrors():
        with tempfile.TemporaryDirectory() as folder:
            for each in ("lists/partial", "cache/archives/partial", "parts"):
                Path(folder, each).mkdir(parents=True)
            lines = [f"deb [arch=amd64 signed-by={KEYRING}] {mirror} {suite} main" for suite in SUITES]
            Path(folder, "sources.list").write_text("\n".join(lines) + "\n")
            settings = {
                "Dir::Etc::SourceList": f"{folder}/sources.list",
                "Dir::Etc::SourceParts": f"{folder}/parts",
                "Dir::State::Lists": f"{folder}/lists",
                "Dir::State::Status": "/dev/null",
                "Dir::Cache": f"{folder}/cache",
                "APT::Architecture": "amd64",
                "APT::Sandbox::User": "",
                "Acquire::Languages": "none",
                "Acquire::Check-Valid-Until": "false",
            }
            options = [f"--option={name}={value}" for name, value in settings.items()]
            done = subprocess.run(["apt-get", *options, "--error-on=any", "update"], capture_output=True, text=True)
            if done.returncode == 0:
                return subprocess.check_output(["apt-cache", *options, "show", "libssl-dev"], text=True)
            said += done.stderr
    sys.exit(f"No mirror of apt's configuration has {' and '.join(SUITES)}:\n{said.strip()}")


def update() -> None:
    package = newest(available())
    text = PINS.read_text(encoding="utf-8")
    for name, value in vars(package).items():
        text = re.sub(rf'(?s)(\[headers\][^\[]*?\n{name} = )"[^"]*"', rf'\1"{value}"', text)
    PINS.write_text(text, encoding="utf-8")
    print(f"{package.version}\n{package.file}\n{package.sha256}")


if __name__ == "__main__":
    if sys.argv[1:] == ["update"]:
        update()
    elif not sys.argv[1:]:
        print(headers())
    else:
        sys.exit("usage: python ci/newest_headers.py [update]")
