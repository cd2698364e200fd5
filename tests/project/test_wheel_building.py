"""The parts of ``ci/wheels`` that need no compiler: the pinned headers, the names, the files of a wheel."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

if not (Path(__file__).resolve().parents[2] / "ci" / "wheels.py").exists():
    pytest.skip("the tests run without the source tree", allow_module_level=True)

import newest_headers
import wheel_runs
import wheels

needs_apt = pytest.mark.skipif(
    not newest_headers.APT_HELPER.exists() or shutil.which("dpkg-deb") is None, reason="only Debian's tools fetch these"
)

INDEX = """\
Package: libssl-dev
Version: 3.6.5-1
Filename: pool/main/o/openssl/libssl-dev_3.6.5-1_amd64.deb
SHA256: aa

Package: libssl-dev
Version: 4.1.0~beta1-1
Filename: pool/main/o/openssl/libssl-dev_4.1.0~beta1-1_amd64.deb
SHA256: bb

Package: libssl-dev
Version: 4.0.10-1
Filename: pool/main/o/openssl/libssl-dev_4.0.10-1_amd64.deb
SHA256: cc

Package: libssl-dev
Version: 4.0.9-1
Filename: pool/main/o/openssl/libssl-dev_4.0.9-1_amd64.deb
SHA256: dd
"""


@needs_apt
def test_the_newest_headers_are_those_of_the_newest_release_and_of_no_beta() -> None:
    assert newest_headers.newest(INDEX).version == "4.0.10-1"


@needs_apt
def test_an_update_writes_the_three_lines_of_the_headers_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pins = Path(shutil.copy(newest_headers.PINS, tmp_path))
    before = pins.read_text().splitlines()
    monkeypatch.setattr(newest_headers, "PINS", pins)
    monkeypatch.setattr(newest_headers, "available", lambda: INDEX)
    newest_headers.update()
    assert newest_headers.pinned() == newest_headers.newest(INDEX)
    changed = [new for old, new in zip(before, pins.read_text().splitlines(), strict=True) if old != new]
    assert [line.partition(" ")[0] for line in changed] == ["version", "file", "sha256"]


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror in a folder, with a package of headers, which ci/wheels.toml names."""
    package = tmp_path / "package"
    for name in ("DEBIAN", "usr/include/openssl", "usr/include/x86_64-linux-gnu/openssl"):
        (package / name).mkdir(parents=True)
    (package / "DEBIAN" / "control").write_text(
        "Package: libssl-dev\nVersion: 4.0.9-1\nArchitecture: amd64\nMaintainer: a test <test@example.com>\n"
        "Description: headers\n"
    )
    (package / "usr/include/openssl/ssl.h").write_text("")
    (package / "usr/include/x86_64-linux-gnu/openssl/configuration.h").write_text("")
    mirror = tmp_path / "mirror"
    (mirror / "pool").mkdir(parents=True)
    archive = mirror / "pool" / "headers.deb"
    subprocess.run(["dpkg-deb", "--build", str(package), str(archive)], check=True, capture_output=True)
    checksum = hashlib.sha256(archive.read_bytes()).hexdigest()
    pins = tmp_path / "wheels.toml"
    pins.write_text(f'[headers]\nversion = "4.0.9-1"\nfile = "pool/headers.deb"\nsha256 = "{checksum}"\n')
    monkeypatch.setattr(newest_headers, "PINS", pins)
    monkeypatch.setattr(newest_headers.roots, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(newest_headers, "mirrors", lambda: [f"file:{tmp_path}/empty", f"file:{mirror}"])
    return mirror


@needs_apt
def test_the_headers_are_fetched_once_and_hold_those_of_the_architecture(mirror: Path) -> None:
    folder = newest_headers.headers()
    assert sorted(path.name for path in (folder / "include" / "openssl").iterdir()) == ["configuration.h", "ssl.h"]
    shutil.rmtree(mirror)
    assert newest_headers.headers() == folder


@needs_apt
def test_headers_that_no_mirror_has_end_with_the_command_that_updates_them(mirror: Path) -> None:
    (mirror / "pool" / "headers.deb").unlink()
    with pytest.raises(SystemExit, match=r"has pool/headers\.deb .* run python ci/newest_headers\.py update"):
        newest_headers.headers()


@needs_apt
def test_the_tests_take_newer_headers_if_debian_no_longer_has_the_pinned_ones(
    mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = mirror / "pool"
    checksum = hashlib.sha256((pool / "headers.deb").read_bytes()).hexdigest()
    (pool / "headers.deb").rename(pool / "newer.deb")
    listed = f"Package: libssl-dev\nVersion: 4.0.10-1\nFilename: pool/newer.deb\nSHA256: {checksum}\n"
    monkeypatch.setattr(newest_headers, "available", lambda: listed)
    assert newest_headers.headers(or_newer=True).name.startswith("4.0.10-1-")
    with pytest.raises(SystemExit):
        newest_headers.headers()


@needs_apt
def test_headers_with_another_checksum_are_refused(mirror: Path) -> None:
    with open(mirror / "pool" / "headers.deb", "ab") as archive:
        archive.write(b"more")
    with pytest.raises(SystemExit, match="has pool/headers"):
        newest_headers.headers()
    assert list((newest_headers.roots.CACHE / "headers").glob("4.0.9-1-*[!k]")) == []


def test_pythons_headers_are_copied_with_the_pyconfig_that_debians_includes(tmp_path: Path) -> None:
    include = tmp_path / "include" / "python3.13"
    real = tmp_path / "include" / f"{wheels.platform.machine()}-linux-gnu" / "python3.13"
    for folder, text in ((include, "/* includes the other */"), (real, "#define SIZEOF_LONG 8")):
        folder.mkdir(parents=True)
        (folder / "pyconfig.h").write_text(text)
    (include / "Python.h").write_text("")
    wheels.copy_headers(include, tmp_path / "copy")
    assert (tmp_path / "copy" / "pyconfig.h").read_text() == "#define SIZEOF_LONG 8"
    assert (tmp_path / "copy" / "Python.h").exists()


@pytest.mark.parametrize(
    ("python", "platform", "tag", "suffix"),
    [
        ("cp310", "manylinux_2_17_x86_64", "cp310-cp310", ".cpython-310-x86_64-linux-gnu.so"),
        ("cp310", "musllinux_1_2_aarch64", "cp310-cp310", ".cpython-310-aarch64-linux-gnu.so"),
        ("cp311", "musllinux_1_2_x86_64", "cp311-abi3", ".cpython-311-x86_64-linux-musl.so"),
        ("cp314t", "musllinux_1_2_x86_64", "cp314-cp314t", ".cpython-314t-x86_64-linux-musl.so"),
        ("cp314t", "manylinux_2_17_aarch64", "cp314-cp314t", ".cpython-314t-aarch64-linux-gnu.so"),
    ],
)
def test_a_target_has_the_tag_and_the_suffix_of_its_python(python: str, platform: str, tag: str, suffix: str) -> None:
    target = wheels.Target(python, platform, Path("/headers"))
    assert target.tag == f"{tag}-{platform}"
    assert target.suffix == suffix


@pytest.mark.parametrize(
    ("python", "kinds", "suffix"),
    [
        ("cp310", "False False", ".cpython-310-aarch64-linux-gnu.so"),
        ("cp311", "False True", ".cpython-311-aarch64-linux-musl.so"),
        ("cp314t", "True False", ".cpython-314t-aarch64-linux-musl.so"),
    ],
)
@pytest.mark.skipif(sys.implementation.name != "cpython", reason="ci/wheels runs on CPython")
def test_setup_compiles_with_the_settings_of_the_target_not_of_the_running_python(
    python: str, kinds: str, suffix: str, tmp_path: Path
) -> None:
    target = wheels.Target(python, "musllinux_1_2_aarch64", tmp_path)
    (tmp_path / f"{wheels.SETTINGS}.py").write_text(f"build_time_vars = {target.settings(tmp_path)!r}\n")
    ask = (
        "import sysconfig, setup\n"
        "from setuptools.dist import Distribution\n"
        "from setuptools.command.build_ext import build_ext\n"
        "command = build_ext(Distribution()); command.finalize_options()\n"
        "print(setup.FREE_THREADED, setup.FAST_STABLE_ABI, sysconfig.get_platform())\n"
        "print(command.get_ext_filename('_fast'))\n"
        "print(*command.include_dirs, sysconfig.get_config_var('CFLAGS'))"
    )
    environment = {
        **os.environ,
        "_PYTHON_SYSCONFIGDATA_NAME": wheels.SETTINGS,
        "_PYTHON_HOST_PLATFORM": "linux-aarch64",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(wheels.pyproject.REPOSITORY)]),
    }
    command = [sys.executable, "-c", "import sys; sys.argv = ['setup.py', '--quiet', '--name']\n" + ask]
    said = subprocess.check_output(command, env=environment, text=True, cwd=wheels.pyproject.REPOSITORY)
    assert f"{kinds} linux-aarch64\n_fast{suffix}\n" in said
    assert str(tmp_path) in said
    assert ("-DPy_GIL_DISABLED=1" in said) == (python == "cp314t")


def test_a_wheel_has_the_same_bytes_whenever_it_is_written_and_pip_reads_it(tmp_path: Path) -> None:
    metadata = tmp_path / "dist" / "example-1.0.dist-info"
    files = tmp_path / "files"
    for folder in (metadata / "licenses", files / "example"):
        folder.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: example\nVersion: 1.0\n")
    (metadata / "licenses" / "LICENSE").write_text("free\n")
    (files / "example" / "__init__.py").write_text("")
    (files / "example" / "module.so").write_bytes(b"\x7fELF")
    written = []
    for name in ("one", "other"):
        path = tmp_path / name / "example-1.0-py3-none-any.whl"
        os.utime(files / "example" / "module.so", (len(written), len(written)))
        wheels.write_wheel(path, list(wheels.contents(files, metadata, "py3-none-any")), 1_700_000_000)
        written.append(path.read_bytes())
    assert written[0] == written[1]
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("example/module.so").date_time == (2023, 11, 14, 22, 13, 20)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir"]
    target = tmp_path / "installed"
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--target", str(target), str(path)], check=True)
    assert (target / "example" / "module.so").stat().st_mode & 0o777 == 0o755
    assert (target / "example-1.0.dist-info" / "licenses" / "LICENSE").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these wheels, and GCC's messages are read")
def test_the_constants_of_the_headers_are_read_without_a_program_to_run() -> None:
    import build_ffi

    openssl = build_ffi.find_openssl()
    flags = [flag.removeprefix("-I") for flag in openssl.compile_args if flag.startswith("-I")]
    found = wheel_runs.values([Path(folder) for folder in openssl.include_dirs or flags])
    assert found["SSL_ERROR_WANT_READ"] == 2
    assert found["SSL_OP_NO_SSLv2"] == 0
    assert found["TLS_ST_BEFORE"] == 0  # an enumerator
    assert len(found) > 1500
