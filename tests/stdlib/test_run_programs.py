"""``python -m pyossl.stdlib`` runs a program as ``python`` does, but for its ``ssl``."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from stdlib.ssl_programs import completed

SHOW = """
import sys
print(sys.argv, sys.path[0], __name__, __package__, type(__loader__).__name__, __spec__ and __spec__.name)
print(globals().get("__file__"), sorted(name for name in globals() if name not in ("__annotations__", "__builtins__")))
print(sys.modules["__main__"].__dict__ is globals())
"""


def both(folder: Path, *arguments: str, options: tuple[str, ...] = ()) -> tuple[object, object]:
    """What python does, and what ``python -m pyossl.stdlib`` does: the exit status and the output."""

    def run(*start: str) -> tuple[int, str, str]:
        done = completed([*options, *start, *arguments], folder)
        return done.returncode, done.stdout, done.stderr

    return run(), run("-m", "pyossl.stdlib")


@pytest.fixture
def programs(folder: Path) -> Path:
    (folder / "deep" / "package").mkdir(parents=True)
    (folder / "show.py").write_text(SHOW)
    (folder / "deep" / "show.py").write_text(SHOW)
    (folder / "deep" / "__main__.py").write_text(SHOW)
    (folder / "deep" / "package" / "__init__.py").write_text("print('the package')")
    (folder / "deep" / "package" / "__main__.py").write_text(SHOW)
    (folder / "package").symlink_to(folder / "deep" / "package")
    (folder / "link.py").symlink_to(folder / "deep" / "show.py")
    with zipfile.ZipFile(folder / "zip.pyz", "w") as file:
        file.writestr("__main__.py", SHOW)
    return folder


@pytest.mark.feature("python -m pyossl.stdlib")
@pytest.mark.parametrize(
    "arguments",
    [
        ("show.py", "a", "-b", "--help"),
        ("deep/show.py",),
        ("./show.py", "-m"),
        ("link.py", "-c"),
        ("deep", "x"),
        ("zip.pyz", "x"),
        ("-m", "show", "a", "-b"),
        ("-mshow", "-m"),
        ("-m", "package", "a"),
        ("-c", SHOW, "a", "-c"),
        ("-c" + SHOW, "a"),
    ],
    ids=str,
)
@pytest.mark.parametrize("options", [(), ("-I",)], ids=["", "-I"])
def test_a_program_finds_what_it_finds_under_python(
    arguments: tuple[str, ...], options: tuple[str, ...], programs: Path
) -> None:
    if options and "-m" in arguments[0]:
        pytest.skip("with -I, the current folder is not on the path")
    ours, theirs = both(programs, *arguments, options=options)
    assert ours == theirs


@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.exit(7)",
        "import sys; sys.exit('wrong')",
        "raise SystemExit",
        "import os; os._exit(3)",
        "import atexit; atexit.register(print, 'at the end')",
        "import threading; threading.Timer(0.1, lambda: print('later')).start()",
        "import signal, os; os.kill(os.getpid(), signal.SIGTERM)",
    ],
)
def test_a_program_ends_as_it_does_under_python(code: str, folder: Path) -> None:
    ours, theirs = both(folder, "-c", code)
    assert ours == theirs


def test_an_exception_ends_it_with_its_traceback(folder: Path) -> None:
    done = completed(["-m", "pyossl.stdlib", "-c", "1 / 0"], folder)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    "arguments", [("nowhere.py",), ("-m", "nowhere"), ("-m", "nowhere.too"), ("-m", "logging")], ids=str
)
def test_a_program_that_is_not_there_is_refused_as_python_does(arguments: tuple[str, ...], folder: Path) -> None:
    ours, theirs = both(folder, *arguments)
    assert ours == theirs


def test_its_ssl_is_over_pyossl(folder: Path) -> None:
    program = "from exchanges import *; assert is_over_pyossl(client_context()); exchange(); print('done')"
    done = completed(["-m", "pyossl.stdlib", "-c", program], folder)
    assert (done.stdout, done.stderr) == ("done\n", "")


@pytest.mark.parametrize("arguments", [(), ("-m",), ("-c",), ("--nothing",), ("--enable", "x")], ids=str)
def test_wrong_usage_is_refused_with_the_usage(arguments: tuple[str, ...], folder: Path) -> None:
    done = completed(["-m", "pyossl.stdlib", *arguments], folder)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: python -m pyossl.stdlib ")


def test_help_says_what_it_does(folder: Path) -> None:
    done = completed(["-m", "pyossl.stdlib", "--help"], folder)
    assert done.returncode == 0
    assert "--enable" in done.stdout


@pytest.mark.feature("python -m pyossl.stdlib")
def test_pip_works(folder: Path) -> None:
    """It downloads from an index on the loopback, over TLS."""
    program = """
import subprocess, sys
from exchanges import *
with https_server() as url:
    command = ["-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "--isolated", "download", "--retries", "0"]
    command += ["--timeout", "20", "--no-deps", "--cert", "ca.pem", f"{url}nothing-1.0.tar.gz"]
    done = subprocess.run([sys.executable, "-m", "pyossl.stdlib", *command], capture_output=True, text=True)
    print(done.stdout, done.stderr)
"""
    (folder / "program.py").write_text(program)
    # What the server sends is no archive; that pip says so shows that it has been downloaded.
    done = completed(["program.py"], folder, {"REQUESTS_CA_BUNDLE": "ca.pem"})
    assert "Downloading" in done.stdout, done.stdout + done.stderr
    assert "SSLError" not in done.stdout


def test_a_refusal_is_one_sentence(folder: Path) -> None:
    """Another startup file has made a context before."""
    program = """
import runpy, ssl, sys
module = sys.modules["early"] = type(sys)("early")
module.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
sys.argv = ["x", "-c", "print(1)"]
runpy.run_module("pyossl.stdlib", run_name="__main__", alter_sys=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("python -m pyossl.stdlib: contexts that were made before")
    assert "early.context" in done.stderr
    assert len(done.stderr.splitlines()) == 1
