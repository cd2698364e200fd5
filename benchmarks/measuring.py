"""Measures one contender's process at a time: CPU and wall time, instructions, system calls.

Every contender calls getrusage(2) before and after the work, to measure its CPU time.  Instructions and system calls
are counted between these two calls, so that starting, connecting and ending are not counted.  (The usual method is the
difference between a run of N operations and one of 2 N.  It does twice the work, and its results vary by 2 %; the
results of this method vary by 0.02 %.)
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.rows import Row

REPOSITORY = Path(__file__).resolve().parent.parent
C = Path(__file__).resolve().parent / "c"
LIMIT = 300
"""The time limit of one process, in seconds."""

# Every libssl reads this, also one in a wheel: all contenders use the same protocol, cipher and group.
CONFIGURATION = """\
openssl_conf = benchmarks
[benchmarks]
ssl_conf = modules
[modules]
system_default = policy
[policy]
MinProtocol = TLSv1.3
Ciphersuites = TLS_AES_128_GCM_SHA256
Groups = X25519
"""

# OpenSSL chooses its code by the CPU's features.  Without AVX, it is the same on every x86-64 CPU with AES-NI.
WITHOUT_AVX = "~0x1000100000000000:~0xffffffffffffffff"

IMPORTS = {
    "socket": "import socket",
    "stdlib": "import ssl",
    "stdlib_face": "import pyossl.stdlib; pyossl.stdlib.install()",
    "pyossl": "import pyossl",
    "pyopenssl": "from OpenSSL import SSL",
    "face": "from pyossl.pyopenssl import SSL",
}


IMPORTING = """\
from json import dumps
from resource import RUSAGE_SELF, getrusage
from time import perf_counter
wall, before = perf_counter(), getrusage(RUSAGE_SELF)
{}
after = getrusage(RUSAGE_SELF)
cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
print(dumps({{"cpu": cpu, "wall": perf_counter() - wall}}))
"""

MARK = "getrusage"
"""The system call that marks the begin and the end of the work."""


class ContenderError(RuntimeError):
    """A contender's process failed."""


def compile_program(name: str, folder: Path) -> Path:
    """Compiles benchmarks/c/NAME.c against the OpenSSL that pyossl is built against."""
    sys.path.insert(0, str(REPOSITORY))
    import build_ffi

    openssl = build_ffi.find_openssl()
    program = folder / name
    command = [
        *build_ffi.compiler(),
        *("-O2", "-pthread", "-o", str(program), str(C / f"{name}.c")),
        *openssl.compile_args,
        *(f"-I{each}" for each in openssl.include_dirs),
        *(f"-L{each}" for each in openssl.library_dirs),
        *(f"-Wl,-rpath,{each}" for each in openssl.runtime_dirs),
        *(f"-l{each}" for each in openssl.libraries),
        *openssl.link_args,
    ]
    subprocess.run(command, check=True)
    return program


def write_certificates(folder: Path) -> None:
    """Writes an ECDSA P-256 certificate for localhost, and the CA that clients trust."""
    import pyossl

    authority = pyossl.Authority()
    own = authority.issue("localhost")
    (folder / "ca.pem").write_bytes(authority.certificate.to_pem())
    (folder / "certificate.pem").write_bytes(own.certificate_pem())
    (folder / "key.pem").write_bytes(own.private_key.to_pem())


@dataclass
class Bench:
    """The peer, the certificates and the C contender, in a temporary folder; for a ``with`` statement."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="pyossl-benchmarks-")))
    ports: dict[str, int] = field(default_factory=dict)

    def __enter__(self) -> Bench:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        (self.folder / "openssl.cnf").write_text(CONFIGURATION)
        write_certificates(self.folder)
        self.client = compile_program("client", self.folder)
        certificates = [str(self.folder / each) for each in ("certificate.pem", "key.pem")]
        self.peer = subprocess.Popen(
            [str(compile_program("peer", self.folder)), *certificates],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.peer.stdout is not None
        for _ in range(4):
            name, port = self.peer.stdout.readline().split()
            self.ports[name] = int(port)
        return self

    def __exit__(self, *_: object) -> None:
        self.peer.communicate()
        shutil.rmtree(self.folder)

    def environment(self, **more: str) -> dict[str, str]:
        # Bytecode is always written: otherwise most of the measured time would be the compilation of modules.
        own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return {
            **own,
            "OPENSSL_CONF": str(self.folder / "openssl.cnf"),
            "PYTHONHASHSEED": "0",
            **more,
        }

    def command(self, row: Row, contender: str, count: int) -> list[str]:
        """The command that runs ``count`` operations of the row."""
        if row.kind == "import":
            return [sys.executable, "-c", IMPORTING.format(IMPORTS[contender])]
        place = [str(self.folder), str(self.ports[row.service])]
        if contender in ("c", "c_released"):
            kind = {"recv_into_timeout": "recv_into"}.get(row.kind, row.kind) + contender[1:]
            return [str(self.client), kind, str(row.size), str(count), *place]
        arguments = [row.kind, str(row.size), str(count), *place, str(row.connections)]
        return [sys.executable, "-m", "benchmarks.worker", contender, *arguments]

    def why_missing(self, contender: str) -> str:
        """Why a contender cannot run here, or "" if it can; compiles its modules too."""
        if contender in ("c", "c_released"):
            return ""
        module = IMPORTS["socket"] if contender == "socket" else f"import benchmarks.contenders.{contender}"
        try:
            self._run([sys.executable, "-c", module])
        except ContenderError as error:
            return str(error).rpartition("\n")[2]
        return ""

    def _run(self, command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        if done.returncode != 0:
            raise ContenderError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
        return done

    def times(self, row: Row, contender: str, count: int) -> dict[str, Any]:
        """``cpu`` and ``wall`` of one operation in seconds, ``memory`` in bytes, and the contender's ``openssl``."""
        taken: dict[str, Any] = json.loads(self._run(self.command(row, contender, count)).stdout)
        return {name: value / count if isinstance(value, (int, float)) else value for name, value in taken.items()}

    def instructions(self, row: Row, contender: str) -> float:
        """The number of instructions of one operation, counted by callgrind."""
        return instructions_in(self.profile(row, contender)) / row.counted

    def profile(self, row: Row, contender: str) -> str:
        """The profile of ``row.counted`` operations, made by callgrind."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "callgrind"
            valgrind = ["valgrind", "--tool=callgrind", "-q", f"--dump-after={MARK}", f"--callgrind-out-file={out}"]
            self._run([*valgrind, *self.command(row, contender, row.counted)], OPENSSL_ia32cap=WITHOUT_AVX)
            parts = sorted(out.parent.glob("callgrind.*"))
            if len(parts) != 2:
                raise ContenderError(f"{contender} called {MARK} {len(parts)} times, not twice")
            return parts[1].read_text()

    def system_calls(self, row: Row, contender: str) -> dict[str, float]:
        """The system calls of one operation, counted by strace: the number for each name."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "strace"
            self._run(["strace", "-f", "-qq", "-o", str(out), *self.command(row, contender, row.counted)])
            calls = calls_in(out.read_text())
        return {name: number / row.counted for name, number in sorted(calls.items())}


def instructions_in(profile: str) -> int:
    """The total number of instructions in a profile of callgrind."""
    found = re.search(r"^totals: (\d+)", profile, re.MULTILINE)
    if found is None:
        raise ContenderError("callgrind's profile has no total")
    return int(found[1])


def calls_in(log: str) -> Counter[str]:
    """The number of each system call between the two marks in the log of strace."""
    calls = re.findall(r"^(?:\d+ +)?(\w+)\(", log, re.MULTILINE)
    if calls.count(MARK) != 2:
        raise ContenderError(f"strace saw {MARK} {calls.count(MARK)} times, not twice")
    start = calls.index(MARK) + 1
    return Counter(calls[start : calls.index(MARK, start)])
