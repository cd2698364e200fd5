"""pyossl in place of pyOpenSSL, for one module and for a whole program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

NO_CRYPTOGRAPHY = "import sys; sys.modules['cryptography'] = None; "


def python(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=cwd)


@pytest.mark.feature("pyOpenSSL's modules replaced in a whole process")
def test_install_puts_every_module_in_the_place_of_the_original() -> None:
    script = (
        "import pyossl.pyopenssl as face; face.install(); face.install();"
        "import OpenSSL, OpenSSL.SSL, OpenSSL.crypto, OpenSSL.version, OpenSSL.debug;"
        "from OpenSSL import SSL, crypto;"
        "assert SSL is face.SSL and crypto is face.crypto and OpenSSL is face;"
        "print(OpenSSL.__version__, OpenSSL.version.__version__)"
    )
    done = python("-c", script)
    assert (done.returncode, done.stdout.split()) == (0, ["26.4.0", "26.4.0"]), done.stderr


def test_rand_warns_when_it_is_imported_as_the_original_does() -> None:
    script = (
        "import warnings; warnings.simplefilter('error'); import pyossl.pyopenssl as face; face.install();\n"
        "try: import OpenSSL.rand\n"
        "except DeprecationWarning as warning: print(warning)"
    )
    assert "OpenSSL.rand is deprecated" in python("-c", script).stdout


def test_install_refuses_when_the_original_is_there(tmp_path: Path) -> None:
    (tmp_path / "OpenSSL").mkdir()
    (tmp_path / "OpenSSL" / "__init__.py").touch()
    done = python("-c", "import OpenSSL, pyossl.pyopenssl as face; face.install()", cwd=tmp_path)
    assert done.returncode != 0
    assert "ImportError: the original OpenSSL has been imported already" in done.stderr


@pytest.mark.feature("python -m pyossl.pyopenssl")
def test_a_script_runs_untouched_with_its_arguments_and_its_folder(tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("import OpenSSL; where = OpenSSL.__name__")
    script = tmp_path / "program.py"
    script.write_text("import sys, neighbour; print(__name__, sys.argv[1:], neighbour.where)")
    done = python("-m", "pyossl.pyopenssl", str(script), "a", "-b")
    assert done.stdout.strip() == "__main__ ['a', '-b'] OpenSSL", done.stderr


def test_a_module_runs_untouched_with_its_arguments() -> None:
    done = python("-m", "pyossl.pyopenssl", "-m", "OpenSSL.debug")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("pyOpenSSL: 26.4.0")


def test_without_a_program_the_usage_is_shown() -> None:
    done = python("-m", "pyossl.pyopenssl")
    assert done.returncode == 1
    assert done.stderr.startswith("usage: python -m pyossl.pyopenssl")


def test_the_face_works_without_cryptography() -> None:
    """``cryptography`` is optional: only its own objects need it."""
    script = NO_CRYPTOGRAPHY + (
        "from pyossl.pyopenssl import SSL, crypto; import warnings; warnings.simplefilter('ignore')\n"
        "key = crypto.PKey(); key.generate_key(crypto.TYPE_RSA, 2048)\n"
        "certificate = crypto.X509(); certificate.set_pubkey(key); certificate.sign(key, 'sha256')\n"
        "context = SSL.Context(SSL.TLS_METHOD); context.use_privatekey(key); context.use_certificate(certificate)\n"
        "context.check_privatekey()\n"
        "try: certificate.to_cryptography()\n"
        "except ImportError as error: print(error)"
    )
    done = python("-c", script)
    assert "this needs the package cryptography" in done.stdout, done.stderr


@pytest.mark.feature("every name of pyOpenSSL")
@pytest.mark.parametrize("name", ["SSL", "crypto"])
def test_every_public_name_is_there(name: str) -> None:
    script = (
        "import warnings; warnings.simplefilter('ignore'); import importlib;"
        f"module = importlib.import_module('pyossl.pyopenssl.{name}');"
        "print(sorted(each for each in module.__all__ if not hasattr(module, each)))"
    )
    assert python("-c", script).stdout.strip() == "[]"
