"""The built wheels need what their names say, and hold what pyossl needs.  ``ci/wheels`` runs these tests."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
WHEELS = [Path(path) for path in os.environ.get("PYOSSL_WHEELS", "").split(os.pathsep) if path]

pytestmark = [
    pytest.mark.skipif(not WHEELS, reason="ci/wheels runs these: it builds the wheels first"),
    pytest.mark.timeout(300),
]

MACHINES = {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64"}
LIBRARIES = {
    "manylinux": {"libc.so.6", "libdl.so.2", "libpthread.so.0", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"},
    "musllinux": {"libc.so"},
}
"""The libraries that a wheel may need: the C library's.  musl's loader is the library of this name itself."""

ONE_OF_OPENSSL = re.compile(r"[A-Z]|[adiost]2[adiost]_|o2i_|sk_|lh_")
"""How a function of OpenSSL begins.  Those of Python (``Py``, ``_Py``) are asked for first."""


@pytest.fixture(params=WHEELS, ids=lambda path: path.name.removesuffix(".whl"))
def wheel(request: pytest.FixtureRequest) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(request.param) as archive:
        yield archive


def path_of(wheel: zipfile.ZipFile) -> Path:
    return Path(str(wheel.filename))


def tags(wheel: zipfile.ZipFile) -> tuple[str, str, str]:
    """The Python, the ABI and the platform in the wheel's name."""
    _, _, python, interface, platform = path_of(wheel).stem.split("-")
    return python, interface, platform


def modules(wheel: zipfile.ZipFile) -> dict[str, Any]:
    """The extension modules, by their names."""
    elffile = pytest.importorskip("elftools.elf.elffile")
    return {name: elffile.ELFFile(BytesIO(wheel.read(name))) for name in wheel.namelist() if name.endswith(".so")}


def dynamic(module: Any, kind: str, value: str) -> list[str]:
    return [getattr(tag, value) for tag in module.get_section_by_name(".dynamic").iter_tags(kind)]


def undefined(module: Any) -> list[Any]:
    symbols = module.get_section_by_name(".dynsym").iter_symbols()
    return [symbol for symbol in symbols if symbol["st_shndx"] == "SHN_UNDEF" and symbol.name]


def audited(*command: str) -> str:
    done = subprocess.run([sys.executable, "-m", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_tag_in_the_wheel_is_the_one_in_its_name(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/WHEEL")]
    lines = wheel.read(name).decode().splitlines()
    assert f"Tag: {'-'.join(tags(wheel))}" in lines
    assert "Root-Is-Purelib: false" in lines


def test_record_has_the_checksum_of_every_file(wheel: zipfile.ZipFile) -> None:
    (record,) = [name for name in wheel.namelist() if name.endswith(".dist-info/RECORD")]
    listed = {name: (digest, size) for name, digest, size in csv.reader(wheel.read(record).decode().splitlines())}
    assert sorted(listed) == sorted(wheel.namelist())
    for name in set(listed) - {record}:
        data = wheel.read(name)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        assert listed[name] == (f"sha256={digest}", str(len(data)))


def test_a_wheel_holds_both_extension_modules_under_names_that_its_python_imports(wheel: zipfile.ZipFile) -> None:
    python, _, platform = tags(wheel)
    machine = "x86_64" if platform.endswith("x86_64") else "aarch64"
    library = "musl" if "musl" in platform and python != "cp310" else "gnu"  # 3.10 has one name for both
    own = f".cpython-{python.removeprefix('cp')}-{machine}-linux-{library}.so"
    suffixes = {
        "cp311": {"_openssl": ".abi3.so", "_fast": ".abi3.so"},
        "cp310": {"_openssl": ".abi3.so", "_fast": own},
        "cp314": dict.fromkeys(("_openssl", "_fast"), f".cpython-314t-{machine}-linux-{library}.so"),
    }[python]
    found = {PurePosixPath(name).name for name in wheel.namelist() if name.endswith(".so")}
    assert found == {f"{module}{suffix}" for module, suffix in suffixes.items()}


def test_a_wheel_holds_the_whole_package_and_no_source_of_it_in_c(wheel: zipfile.ZipFile) -> None:
    files = {name for name in wheel.namelist() if ".dist-info/" not in name and not name.endswith(".so")}
    package = {str(path.relative_to(ROOT)) for path in (ROOT / "pyossl").rglob("*") if path.suffix in (".py", ".pyi")}
    assert files == package | {"pyossl/py.typed"}


def test_the_modules_are_for_the_architecture_in_the_name(wheel: zipfile.ZipFile) -> None:
    (machine,) = [value for name, value in MACHINES.items() if tags(wheel)[2].endswith(name)]
    assert {module["e_machine"] for module in modules(wheel).values()} == {machine}


def test_the_modules_need_no_library_but_the_c_librarys(wheel: zipfile.ZipFile) -> None:
    allowed = LIBRARIES[tags(wheel)[2].partition("_")[0]]
    for name, module in modules(wheel).items():
        assert set(dynamic(module, "DT_NEEDED", "needed")) <= allowed, name
        assert dynamic(module, "DT_RPATH", "rpath") + dynamic(module, "DT_RUNPATH", "runpath") == [], name


def test_the_modules_leave_no_function_of_openssl_to_the_linker(wheel: zipfile.ZipFile) -> None:
    for name, module in modules(wheel).items():
        others = [symbol.name for symbol in undefined(module) if not symbol.name.startswith(("Py", "_Py"))]
        assert [other for other in others if ONE_OF_OPENSSL.match(other)] == [], name


def test_the_modules_offer_nothing_but_their_entry(wheel: zipfile.ZipFile) -> None:
    """A name that they offered could be taken for OpenSSL's own by another library in the process."""
    for name, module in modules(wheel).items():
        symbols = module.get_section_by_name(".dynsym").iter_symbols()
        offered = {symbol.name for symbol in symbols if symbol["st_shndx"] != "SHN_UNDEF" and symbol.name}
        entry = f"PyInit_{PurePosixPath(name).name.partition('.')[0]}"
        assert offered - {"_init", "_fini"} == {entry}, name


def test_the_modules_hold_no_path_of_the_machine_that_built_them(wheel: zipfile.ZipFile) -> None:
    for name in modules(wheel):
        data = wheel.read(name)
        for folder in (tempfile.gettempdir(), str(Path.home()), str(ROOT)):
            assert f"{folder}/".encode() not in data, name


def test_auditwheel_agrees_with_the_platform(wheel: zipfile.ZipFile) -> None:
    pytest.importorskip("auditwheel")
    platform = tags(wheel)[2]
    if platform.startswith("musllinux"):
        pytest.skip("auditwheel reads glibc's libc.so, a text, as musl's library; the tests above look at NEEDED")
    said = " ".join(audited("auditwheel", "show", str(path_of(wheel))).split())
    assert f'is consistent with the following platform tag: "{platform}"' in said


def test_abi3audit_finds_nothing_that_the_stable_abi_lacks(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    pytest.importorskip("abi3audit")
    stable = [name for name in wheel.namelist() if name.endswith(".abi3.so")]
    oldest = {"cp311": "3.11", "cp310": "3.10"}.get(tags(wheel)[0])
    for name in stable:
        module = wheel.extract(name, tmp_path)
        audited("abi3audit", "--strict", f"--assume-minimum-abi3={oldest}", module)
