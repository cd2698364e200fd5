"""The names of the classes and functions: pyOpenSSL's under ``install()``, else those of the files that they are in.

``install()`` is for a whole process, so each of these tests starts one.
"""

from __future__ import annotations

import json
import operator
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import pyossl
from pyossl.pyopenssl import SSL, crypto, removed_names

QUIET = "import warnings; warnings.simplefilter('ignore')\n"
INSTALLED = QUIET + "import pyossl.pyopenssl; pyossl.pyopenssl.install()\n"
ALL = (
    "from OpenSSL import SSL, crypto\n"
    "every = {f'{module.__name__}.{name}': getattr(module, name)"
    " for module in (SSL, crypto) for name in module.__all__}\n"
    "made = {name: each for name, each in every.items() if callable(each)}\n"
)


def said(program: str, cwd: Path | None = None) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def told(program: str) -> Any:
    """The value of the program's last expression, which it prints as JSON."""
    return json.loads(said(f"import json\n{program}"))


def test_installed_classes_and_functions_are_called_as_in_the_original() -> None:
    homes = told(INSTALLED + ALL + "print(json.dumps({name: each.__module__ for name, each in made.items()}))")
    assert len(homes) > 20
    for name, home in homes.items():
        assert home == name.rpartition(".")[0], name


def test_installed_methods_are_called_as_in_the_original() -> None:
    """Also those of a base class, a property and a class method."""
    others = told(
        INSTALLED + ALL + "classes = [each for each in made.values() if isinstance(each, type)]\n"
        "def function(each): return getattr(each, '__func__', getattr(each, 'fget', each))\n"
        "functions = [function(each) for kind in classes for base in kind.__mro__ for each in vars(base).values()]\n"
        "homes = {each.__module__ for each in functions if hasattr(each, '__code__') and each.__module__}\n"
        "print(json.dumps(sorted(homes)))"
    )
    # Arguments of unusual kinds and the refusal to be copied are the core's.  Ordering and deprecation are Python's, in
    # the original too.
    pythons = {"functools", "warnings", "_py_warnings"}
    core = {"pyossl.core.buffers", "pyossl.core.copying", "pyossl.core.unusual_arguments"}
    assert set(others) <= {"OpenSSL.SSL", "OpenSSL.crypto", *core, *pythons}


def test_installed_modules_are_called_as_in_the_original() -> None:
    names = told(
        INSTALLED + "import OpenSSL, OpenSSL.SSL, OpenSSL.crypto, OpenSSL.rand, OpenSSL.debug, OpenSSL._util, sys\n"
        "print(json.dumps([[name, each.__name__] for name, each in sys.modules.items() if name.startswith('OpenSSL')]))"
    )
    assert len(names) == 7
    assert all(imported == name for imported, name in names)


def test_the_text_of_a_type_names_the_original() -> None:
    texts = said(INSTALLED + "from OpenSSL import SSL, crypto; print(SSL.Context, SSL.Error, crypto.X509, sep='\\n')")
    assert texts.splitlines() == [
        "<class 'OpenSSL.SSL.Context'>",
        "<class 'OpenSSL.SSL.Error'>",
        "<class 'OpenSSL.crypto.X509'>",
    ]


def test_a_traceback_names_the_original() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INSTALLED + "from OpenSSL import SSL; raise SSL.WantReadError"],
        capture_output=True,
        text=True,
    )
    assert done.stderr.splitlines()[-1] == "OpenSSL.SSL.WantReadError"


def test_what_was_imported_before_install_gets_the_names_too() -> None:
    program = QUIET + "from pyossl.pyopenssl import SSL, install; before = SSL.Context; install(); print(before)"
    assert said(program) == "<class 'OpenSSL.SSL.Context'>"


def test_installed_classes_and_functions_are_pickled_by_the_original_names() -> None:
    lost = told(
        INSTALLED + "import pickle\n" + ALL + "print(json.dumps([name for name, each in made.items()"
        " if pickle.loads(pickle.dumps(each)) is not each or b'pyossl' in pickle.dumps(each)]))"
    )
    assert lost == []


@pytest.mark.parametrize("first", [INSTALLED, QUIET], ids=["installed", "not installed"])
def test_exceptions_and_the_sentinel_survive_pickle(first: str) -> None:
    names = "OpenSSL" if first is INSTALLED else "pyossl.pyopenssl"
    program = first + (
        f"import pickle; from {names} import SSL, crypto\n"
        "error = pickle.loads(pickle.dumps(SSL.SysCallError(-1, 'Unexpected EOF')))\n"
        "assert type(error) is SSL.SysCallError and error.args == (-1, 'Unexpected EOF')\n"
        "assert type(pickle.loads(pickle.dumps(crypto.Error([])))) is crypto.Error\n"
        "assert pickle.loads(pickle.dumps(SSL.NO_OVERLAPPING_PROTOCOLS)) is SSL.NO_OVERLAPPING_PROTOCOLS\n"
        "print('survived')"
    )
    assert said(program) == "survived"


def test_what_was_pickled_before_install_is_read_after_it() -> None:
    program = QUIET + (
        "import pickle; from pyossl.pyopenssl import SSL, install\n"
        "data = pickle.dumps(SSL.Error([])); install(); print(type(pickle.loads(data)))"
    )
    assert said(program) == "<class 'OpenSSL.SSL.Error'>"


def test_an_exception_crosses_to_another_process_under_install() -> None:
    program = INSTALLED + (
        "import pickle, subprocess, sys; from OpenSSL import SSL\n"
        "reader = 'import pyossl.pyopenssl as face, pickle, sys; face.install();'"
        " 'print(type(pickle.load(sys.stdin.buffer)))'\n"
        "subprocess.run([sys.executable, '-c', reader], input=pickle.dumps(SSL.ZeroReturnError()), check=True)"
    )
    assert said(program) == "<class 'OpenSSL.SSL.ZeroReturnError'>"


def test_inspect_finds_the_modules_under_install() -> None:
    found = told(
        INSTALLED + "import inspect\n" + ALL + "print(json.dumps([[name, inspect.getmodule(each).__name__]"
        " for name, each in made.items()]))"
    )
    assert all(name.rpartition(".")[0] == module for name, module in found)


def test_the_types_of_a_classs_attributes_are_found_under_install() -> None:
    said(
        INSTALLED
        + "import typing\n"
        + ALL
        + "for each in made.values(): isinstance(each, type) and typing.get_type_hints(each)"
    )


def test_without_install_nothing_is_called_openssl() -> None:
    """A process that loads such a pickle would get pyOpenSSL's class, or none."""
    program = QUIET + (
        "from pyossl.pyopenssl import SSL, crypto\n"
        "print([each for each in (SSL, SSL.Context, SSL.Error, crypto.X509, crypto.load_certificate)"
        " if 'OpenSSL' in repr(each).replace('pyopenssl', '')"
        " or getattr(each, '__module__', 'pyossl').startswith('OpenSSL')])"
    )
    assert said(program) == "[]"


@pytest.mark.parametrize("module", ["SSL", "crypto"])
def test_an_attribute_that_is_not_there_is_missed_under_the_original_name(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INSTALLED + f"import OpenSSL.{module}; OpenSSL.{module}.PKCS13"],
        capture_output=True,
        text=True,
    )
    assert f"AttributeError: module 'OpenSSL.{module}' has no attribute 'PKCS13'\n" in done.stderr


@pytest.mark.parametrize(
    ("module", "name", "advice"),
    [
        (crypto, "PKCS12", "pyOpenSSL 24.1 removed it; use pyossl.PKCS12"),
        (crypto, "X509Req", "pyOpenSSL 26.3 removed it; use the package cryptography (cryptography.x509)"),
        (SSL, "SSLv3_METHOD", "pyOpenSSL 22.1 removed it; use TLS_METHOD: SSLv3 is insecure"),
    ],
)
def test_the_error_for_a_removed_name_says_what_replaces_it(module: ModuleType, name: str, advice: str) -> None:
    with pytest.raises(AttributeError, match=f" has no attribute '{name}': {re.escape(advice)}$"):
        getattr(module, name)
    assert not hasattr(module, name)
    assert name not in dir(module)


@pytest.mark.parametrize("module", [SSL, crypto])
def test_what_replaces_a_removed_name_exists(module: ModuleType) -> None:
    names = removed_names._REMOVED[module.__name__.rpartition(".")[2]]
    assert not [name for name in names if hasattr(module, name)]
    for _, replacement in names.values():
        first = re.split(r"[.: ]", replacement)[0]
        if first == "pyossl":
            attribute = re.match(r"pyossl((?:\.\w+)+)", replacement)
            assert attribute
            assert operator.attrgetter(attribute[1][1:])(pyossl)
        elif first != "the":
            assert hasattr(module, first)


def test_trustme_takes_the_contexts() -> None:
    pytest.importorskip("trustme", reason="trustme is not installed here")
    program = INSTALLED + (
        "import trustme; from OpenSSL import SSL\n"
        "authority = trustme.CA(); context = SSL.Context(SSL.TLS_METHOD)\n"
        "authority.configure_trust(context); authority.issue_cert('localhost').configure_cert(context)\n"
        "context.check_privatekey(); print('taken')"
    )
    assert said(program) == "taken"
