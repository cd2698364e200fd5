"""``PYOSSL_STDLIB=1`` with the startup file: each process of this Python is over pyossl.

The tests make a virtual environment of their own and enable the file there: this one's stays as it is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest
from stdlib.ssl_programs import HERE

import pyossl

Ran = subprocess.CompletedProcess[str]
IS_OVER_PYOSSL = "import ssl, pyossl.stdlib; print(pyossl.stdlib.is_installed())"
ON = {"PYOSSL_STDLIB": "1"}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that finds this one's packages, and this pyossl."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    scheme = "venv" if "venv" in sysconfig.get_scheme_names() else "posix_prefix"  # Python 3.10 has no "venv"
    packages = Path(sysconfig.get_path("purelib", scheme, {"base": str(folder), "platbase": str(folder)}))
    paths = [str(Path(pyossl.__file__).parents[1]), sysconfig.get_path("purelib"), str(HERE)]
    (packages / "a_this_pyossl.pth").write_text("\n".join(paths) + "\n")
    return folder


@pytest.fixture
def python(environment: Path, folder: Path) -> Callable[..., Ran]:
    """Runs the Python of the virtual environment."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("PY")}

    def run(*command: str, **variables: str) -> Ran:
        program = [str(environment / "bin" / "python"), *command]
        return subprocess.run(
            program, cwd=folder, env={**others, **variables}, capture_output=True, text=True, timeout=120, check=False
        )

    return run


@pytest.fixture
def enabled(python: Callable[..., Ran]) -> Callable[..., Ran]:
    done = python("-m", "pyossl.stdlib", "--enable")
    assert done.returncode == 0, done.stderr
    return python


def test_it_is_enabled_and_disabled_by_a_command(python: Callable[..., Ran], environment: Path) -> None:
    def files() -> list[Path]:
        return list(environment.glob("lib/python*/site-packages/pyossl_stdlib.pth"))

    python("-m", "pyossl.stdlib", "--disable")
    assert not files()
    status = python("-m", "pyossl.stdlib", "--status")
    assert (status.returncode, status.stdout.partition(":")[0]) == (1, "disabled")
    assert python("-c", IS_OVER_PYOSSL, **ON).stdout == "False\n"
    done = python("-m", "pyossl.stdlib", "--enable")
    assert (done.returncode, done.stderr) == (0, "")
    assert files()
    status = python("-m", "pyossl.stdlib", "--status")
    assert (status.returncode, status.stdout.partition(":")[0]) == (0, "enabled")
    assert python("-c", IS_OVER_PYOSSL, **ON).stdout == "True\n"
    assert python("-m", "pyossl.stdlib", "--enable").returncode == 0
    assert python("-m", "pyossl.stdlib", "--disable").returncode == 0
    assert not files()
    assert python("-m", "pyossl.stdlib", "--disable").returncode == 0


def test_a_file_that_is_out_of_date_is_found(enabled: Callable[..., Ran], environment: Path) -> None:
    (file,) = environment.glob("lib/python*/site-packages/pyossl_stdlib.pth")
    file.write_text("# another\n")
    status = enabled("-m", "pyossl.stdlib", "--status")
    assert (status.returncode, status.stdout.partition(":")[0]) == (1, "out of date")


@pytest.mark.parametrize("variables", [{}, {"PYOSSL_STDLIB": ""}, {"PYOSSL_STDLIB": "0"}], ids=str)
def test_without_the_variable_nothing_is_imported(variables: dict[str, str], enabled: Callable[..., Ran]) -> None:
    program = "import sys; print([name for name in sys.modules if name.startswith('pyossl') or name == 'ssl'])"
    done = enabled("-c", program, **variables)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("option", ["-I", "-E", "-s"])
def test_isolated_processes_heed_the_variable(option: str, enabled: Callable[..., Ran]) -> None:
    done = enabled(option, "-c", IS_OVER_PYOSSL, **ON)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_a_process_without_site_packages_has_no_startup_file(enabled: Callable[..., Ran]) -> None:
    done = enabled("-S", "-c", "import sys, ssl; print('pyossl' in sys.modules)", **ON)
    assert done.stdout == "False\n"


def test_another_value_stops_the_process_with_one_sentence(enabled: Callable[..., Ran]) -> None:
    done = enabled("-c", "print('started')", PYOSSL_STDLIB="yes")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "PYOSSL_STDLIB is set, but not to 1 or 0: 'yes'\n"


def test_a_swap_that_is_impossible_stops_the_process_with_one_sentence(
    enabled: Callable[..., Ran], environment: Path
) -> None:
    (file,) = environment.glob("lib/python*/site-packages/pyossl_stdlib.pth")
    early = file.with_name("before.pth")
    early.write_text(
        "import ssl, sys; sys.modules['early'] = type(sys)('early'); "
        "sys.modules['early'].context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\n"
    )
    try:
        done = enabled("-c", "print('started')", **ON)
    finally:
        early.unlink()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("PYOSSL_STDLIB is set, but ssl cannot be put over pyossl: contexts that were made")
    assert len(done.stderr.splitlines()) == 1


def test_a_pyossl_that_is_gone_stops_the_process_with_one_sentence(
    enabled: Callable[..., Ran], environment: Path
) -> None:
    (file,) = environment.glob("lib/python*/site-packages/pyossl_stdlib.pth")
    path = file.with_name("a_this_pyossl.pth")
    path.rename(path.with_suffix(".away"))
    try:
        done = enabled("-c", "print('started')", **ON)
        without = enabled("-c", "print('started')")
    finally:
        path.with_suffix(".away").rename(path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "PYOSSL_STDLIB is set, but pyossl cannot be imported: No module named 'pyossl'\n"
    assert (without.returncode, without.stdout) == (0, "started\n")


CHILDREN = """
import multiprocessing, sys
def work(queue):
    try:
        from exchanges import client_context, exchange, is_over_pyossl
        exchange()
        queue.put(is_over_pyossl(client_context()))
    except BaseException as error:
        queue.put(repr(error))
if __name__ == "__main__":
    for method in ("spawn", "forkserver", "fork"):
        context = multiprocessing.get_context(method)
        queue = context.SimpleQueue()
        process = context.Process(target=work, args=(queue,))
        process.start()
        print(method, queue.get())
        process.join()
"""


@pytest.mark.feature("processes that other programs start")
@pytest.mark.parametrize("options", [(), ("-I",)], ids=["", "-I"])
def test_the_children_of_multiprocessing_are_over_pyossl(
    options: tuple[str, ...], enabled: Callable[..., Ran], folder: Path
) -> None:
    (folder / "program.py").write_text(CHILDREN)
    done = enabled(*options, "program.py", **ON)
    assert done.stdout == "spawn True\nforkserver True\nfork True\n", done.stderr


def test_python_m_sets_the_variable_for_the_processes_that_the_program_starts(
    enabled: Callable[..., Ran], folder: Path
) -> None:
    (folder / "program.py").write_text(CHILDREN)
    done = enabled("-m", "pyossl.stdlib", "program.py")
    assert done.stdout == "spawn True\nforkserver True\nfork True\n", done.stderr


def test_without_the_file_spawned_children_keep_the_original(python: Callable[..., Ran], folder: Path) -> None:
    python("-m", "pyossl.stdlib", "--disable")
    (folder / "program.py").write_text(CHILDREN)
    done = python("-m", "pyossl.stdlib", "program.py")
    assert done.stdout == "spawn False\nforkserver False\nfork True\n", done.stderr


def test_a_folder_that_cannot_be_written_is_one_sentence(python: Callable[..., Ran], environment: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write into every folder")
    python("-m", "pyossl.stdlib", "--disable")
    (packages,) = environment.glob("lib/python*/site-packages")
    packages.chmod(0o555)
    try:
        done = python("-m", "pyossl.stdlib", "--enable")
    finally:
        packages.chmod(0o755)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "cannot be changed" in done.stderr


def test_the_file_is_not_installed_with_pyossl() -> None:
    assert not list(Path(sysconfig.get_path("purelib")).glob("pyossl_stdlib.pth")), sys.executable
