"""``pyossl.stdlib.install()`` at the start of a program, and what it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from stdlib.ssl_programs import Run, completed

import pyossl
import pyossl.stdlib


@pytest.mark.feature("ssl of a whole process, also when it is in use already")
def test_before_anything_is_imported_all_of_ssl_is_over_pyossl(run: Run) -> None:
    run(
        """
        import sys
        import pyossl.stdlib
        assert "ssl" not in sys.modules
        pyossl.stdlib.install()
        import ssl
        from exchanges import *
        assert is_over_pyossl(client_context()) and is_over_pyossl(server_context())
        exchange()
        in_memory(client_context(), server_context())
        assert not pyossl.stdlib.left_behind()
        """
    )


def test_a_program_is_told_whether_ssl_is_over_pyossl(run: Run) -> None:
    run(
        """
        import pyossl.stdlib
        assert not pyossl.stdlib.is_installed()
        pyossl.stdlib.install()
        assert pyossl.stdlib.is_installed()
        pyossl.stdlib.uninstall()
        assert not pyossl.stdlib.is_installed()
        """
    )


def test_dir_has_the_public_names_also_those_that_are_imported_later() -> None:
    public = [name for name in dir(pyossl.stdlib) if not name.startswith("__")]
    assert public == sorted(pyossl.stdlib.__all__)
    for name in pyossl.stdlib.__all__:
        assert getattr(pyossl.stdlib, name).__module__.startswith("pyossl.stdlib")
    assert repr(pyossl.stdlib.InstallError) == "<class 'pyossl.stdlib.InstallError'>"


def test_the_library_is_the_one_of_pyossl(run: Run) -> None:
    run(
        """
        import pyossl, pyossl.stdlib
        pyossl.stdlib.install()
        import ssl
        assert ssl.OPENSSL_VERSION == pyossl.openssl_version
        """
    )


def test_the_import_alone_changes_nothing(run: Run) -> None:
    run(
        """
        import sys
        import pyossl.stdlib
        assert not {"ssl", "_ssl"} & set(sys.modules)
        """
    )


def test_the_second_call_does_nothing(run: Run) -> None:
    run(
        """
        import pyossl.stdlib
        pyossl.stdlib.install()
        import ssl
        before = dict(vars(ssl))
        pyossl.stdlib.install()
        pyossl.stdlib.install(strict=False)
        assert vars(ssl) == before
        """
    )


def test_eight_threads_install_at_once_and_each_returns_when_it_is_done(run: Run) -> None:
    run(
        """
        import ssl
        import pyossl.stdlib
        from exchanges import *
        def install():
            pyossl.stdlib.install()
            return is_over_pyossl(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        results = [in_thread(install) for _ in range(8)]
        assert all(result() for result in results)
        """
    )


def test_a_python_without_an_ssl_of_its_own_gets_one(run: Run) -> None:
    run(
        """
        import sys
        class NoSsl:
            def find_spec(self, name, path=None, target=None):
                if name == "_ssl":
                    raise ModuleNotFoundError("No module named '_ssl'", name=name)
        sys.meta_path.insert(0, NoSsl())
        try:
            import ssl
        except ImportError:
            pass
        else:
            raise AssertionError("this Python has one")
        import pyossl.stdlib
        pyossl.stdlib.install()
        import asyncio, http.client
        from exchanges import *
        exchange()
        http.client.HTTPSConnection
        assert "own _ssl cannot be loaded: No module named" in refusal(pyossl.stdlib.uninstall)
        exchange()
        """
    )


def test_a_library_that_is_not_there_is_one_clear_sentence(folder: Path) -> None:
    if not pyossl.features.library.is_late:
        pytest.skip("pyossl is linked to its library here")
    done = completed(
        ["-c", "import pyossl.stdlib; pyossl.stdlib.install()"], folder, {"PYOSSL_LIBSSL": "/nowhere/libssl.so.3"}
    )
    assert done.stderr.splitlines()[-1].startswith("ImportError: PYOSSL_LIBSSL names no library")


def test_a_library_that_python_has_loaded_before_and_that_is_its_own_is_refused(run: Run) -> None:
    if not pyossl.features.library.is_late:
        pytest.skip("pyossl is linked to its library here")
    if os.environ.get("PYOSSL_LIBSSL"):
        pytest.skip("PYOSSL_LIBSSL chooses the library here: then it is accepted")
    run(
        """
        import os, ssl, sys
        import pyossl
        # As if this Python were the one that the library belongs to.
        sys.base_prefix = os.path.dirname(os.path.dirname(os.path.realpath(pyossl.features.library.path)))
        if sys.base_prefix == "/usr":
            sys.base_prefix = "/usr/lib"
        import pyossl.stdlib
        from exchanges import refusal
        before = dict(vars(ssl))
        said = refusal(pyossl.stdlib.install)
        assert f"pyossl uses {pyossl.features.library.path}, which belongs to this Python" in said
        assert vars(ssl) == before
        pyossl.stdlib.install(strict=False)
        """
    )


def broken_configuration(folder: Path) -> dict[str, str]:
    """The environment of a process whose OpenSSL loads a provider that is not there, and so has no algorithms."""
    if not pyossl.features.providers:
        pytest.skip("an OpenSSL without providers reads no such configuration")
    (folder / "openssl.cnf").write_text(
        "openssl_conf = all\n[all]\nproviders = some\n[some]\nnone = none\n"
        "[none]\nmodule = /nowhere/none.so\nactivate = 1\n"
    )
    return {"OPENSSL_CONF": str(folder / "openssl.cnf")}


def test_a_broken_configuration_of_openssl_is_one_clear_sentence_and_changes_nothing(folder: Path) -> None:
    program = """
import ssl, sys
before = dict(vars(ssl))
try:
    import pyossl.stdlib
    pyossl.stdlib.install()
except Exception as error:
    print(type(error).__name__, error)
assert vars(ssl) == before
"""
    done = completed(["-c", program], folder, broken_configuration(folder))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.startswith(("InstallError", "ImportError")), done.stdout
    if done.stdout.startswith("InstallError"):
        assert f"SSL_CTX_new with the configuration {folder / 'openssl.cnf'} failed: " in done.stdout


def test_a_context_that_openssl_cannot_make_is_an_ssl_error(folder: Path) -> None:
    program = """
try:
    import pyossl.stdlib
except ImportError:
    raise SystemExit  # some OpenSSLs cannot be initialised then
pyossl.stdlib.install()
import ssl
try:
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
except ssl.SSLError as error:
    assert error.reason, error
else:
    raise AssertionError
"""
    done = completed(["-c", program], folder, broken_configuration(folder))
    assert done.returncode == 0, done.stderr


BROKEN_SSL_PY = """
import sys
class Broken:
    def __init__(self, loader): self.loader = loader
    def get_code(self, name):
        return compile("import _ssl\\nraise ValueError('broken')", "ssl.py", "exec")
"""


def test_an_ssl_py_that_fails_changes_nothing(run: Run) -> None:
    run(
        BROKEN_SSL_PY
        + """
import ssl, _ssl
import pyossl.stdlib
from exchanges import *
before, module = dict(vars(ssl)), sys.modules["_ssl"]
whole = ssl.__spec__.loader
ssl.__spec__.loader = Broken(whole)
try:
    pyossl.stdlib.install()
except ValueError as error:
    assert str(error) == "broken"
else:
    raise AssertionError
assert sys.modules["_ssl"] is module and vars(ssl) == before
assert not pyossl.stdlib.is_installed()
exchange()
ssl.__spec__.loader = whole
pyossl.stdlib.install()
exchange()
"""
    )


def test_a_failure_in_the_middle_of_the_exchange_is_undone(run: Run) -> None:
    run(
        """
        import ssl, sys
        from ssl import SSLContext, create_default_context
        import pyossl.stdlib
        from pyossl.stdlib import references
        from exchanges import *

        client, server = client_context(), server_context()
        pair = connected(client, server)
        kept = (SSLContext,)
        whole = references.References.find

        def with_a_failure(self):
            def fail():
                raise KeyboardInterrupt
            changes = whole(self)
            return [*changes, references.Change(fail, lambda: None)]

        before = dict(vars(ssl))
        methods = {name: dict(vars(getattr(ssl, name))) for name in ("SSLContext", "SSLSocket")}
        references.References.find = with_a_failure
        try:
            pyossl.stdlib.install(strict=False)
        except KeyboardInterrupt:
            pass
        else:
            raise AssertionError
        assert vars(ssl) == before and ssl._ssl is sys.modules["_ssl"]
        assert {name: dict(vars(getattr(ssl, name))) for name in methods} == methods
        assert SSLContext is ssl.SSLContext and kept == (SSLContext,)
        assert create_default_context is ssl.create_default_context
        assert not pyossl.stdlib.is_installed() and not is_over_pyossl(client_context())
        talk(pair)
        references.References.find = whole
        pyossl.stdlib.install(strict=False)
        talk(pair)
        exchange()
        """
    )


def test_install_while_others_shake_hands(run: Run) -> None:
    run(
        """
        import ssl, time
        import pyossl.stdlib
        from exchanges import *
        def work():
            count = 0
            while not stop:
                exchange()
                ssl.create_default_context()
                count += 1
            return count
        stop = []
        workers = [in_thread(work) for _ in range(4)]
        time.sleep(0.3)
        for _ in range(3):
            pyossl.stdlib.install(strict=False)
            time.sleep(0.2)
            pyossl.stdlib.uninstall()
            time.sleep(0.2)
        pyossl.stdlib.install(strict=False)
        time.sleep(0.3)
        stop.append(True)
        assert all(worker() for worker in workers)
        """
    )


def test_the_floor_below_does_not_know_it() -> None:
    """``import pyossl`` loads nothing of pyossl.stdlib."""
    program = "import sys, pyossl; print([name for name in sys.modules if name.startswith('pyossl.stdlib')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
