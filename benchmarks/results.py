"""The results of a run, and their JSON."""

from __future__ import annotations

import datetime
import json
import math
import os
import platform
import re
import shutil
import statistics
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SECONDS = ("cpu", "wall")


@dataclass
class Cell:
    """The cost of one operation of a row for one contender; the lists have an element for each turn."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    instructions: float | None = None
    system_calls: dict[str, float] | None = None
    frames: list[list[Any]] = field(default_factory=list)
    """For a hot path: function, library, its own instructions per operation, and those with the functions it calls."""

    def value(self, meter: str) -> float | None:
        """The median of ``cpu``, ``wall`` (seconds) or ``memory`` (bytes); or the ``instructions`` or ``calls``."""
        if meter == "instructions":
            return self.instructions
        if meter == "calls":
            return None if self.system_calls is None else math.fsum(self.system_calls.values())
        turns: list[float] = getattr(self, meter)
        return statistics.median(turns) if turns else None

    def spread(self, meter: str) -> float | None:
        """The distance between the first and third quartile of the turns, as a share of the median."""
        turns: list[float] = getattr(self, meter)
        middle = self.value(meter)
        if len(turns) < 4 or not middle:
            return None
        first, _, third = statistics.quantiles(turns, n=4)
        return (third - first) / middle


@dataclass
class Results:
    """The results of a whole run."""

    machine: dict[str, str]
    rows: dict[str, dict[str, Cell]] = field(default_factory=dict)
    openssl: dict[str, str] = field(default_factory=dict)
    here: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    """The contenders that are not available, and why."""
    libssl: dict[str, list[str]] = field(default_factory=dict)
    """The files of libssl that each contender's processes have loaded; empty if OpenSSL is linked into another file."""

    def cell(self, row: str, contender: str) -> Cell:
        return self.rows.setdefault(row, {}).setdefault(contender, Cell())

    def value(self, row: str, contender: str, meter: str) -> float | None:
        cell = self.rows.get(row, {}).get(contender)
        return None if cell is None else cell.value(meter)

    def learn(self, contender: str, openssl: str, libssl: list[str]) -> None:
        """Adds what a process of the contender says about its OpenSSL."""
        self.openssl.setdefault(contender, openssl)
        self.libssl[contender] = sorted({*self.libssl.get(contender, ()), *filter(None, libssl)})

    def has_one_libssl(self) -> bool:
        """Whether every process of every contender has loaded the same libssl, and no other."""
        found = list(self.libssl.values())
        return bool(found) and all(len(files) == 1 and files == found[0] for files in found)

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(re.sub(r"\n {5,}| *\n {4}(?=\])", " ", json.dumps(asdict(self), indent=1)) + "\n")

    @classmethod
    def read(cls, path: Path) -> Results:
        text: dict[str, Any] = json.loads(path.read_text())
        rows = {
            row: {name: Cell(**cell) for name, cell in contenders.items()} for row, contenders in text["rows"].items()
        }
        return cls(text["machine"], rows, text["openssl"], text["here"], text["missing"], text["libssl"])


def machine() -> dict[str, str]:
    """The machine, system, compiler, Python and libraries for which the figures are valid."""
    import pyossl

    return {
        "date": datetime.date.today().isoformat(),
        "load before": f"{os.getloadavg()[0]:.1f}",
        "processor": f"{os.cpu_count()} x {_processor()}",
        "system": f"{_distribution()}, Linux {platform.release()}"
        if platform.system() == "Linux"
        else platform.system(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "openssl": pyossl.openssl_version,
        "compiler": _first_line("cc", "--version"),
        "valgrind": _first_line("valgrind", "--version"),
        "strace": _first_line("strace", "--version"),
        "commit": _first_line("git", "describe", "--always", "--dirty"),
        **{name: _version(name) for name in ("pyOpenSSL", "cryptography", "cffi", "uvloop")},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return "unknown"


def _first_line(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, capture_output=True, text=True).stdout.partition("\n")[0].strip()


def _version(package: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
