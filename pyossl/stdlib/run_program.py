"""``python -m pyossl.stdlib`` runs a program as ``python`` does, with ``ssl`` over pyossl from the start.

The program finds what it finds under ``python`` itself: ``sys.argv``, ``sys.path``, the module ``__main__`` with the
attributes that it has there, and its exit status.  For that it runs in the module ``__main__`` of this process, which
is emptied before.
"""

from __future__ import annotations

import importlib.util
import io
import os
import sys
import types
from importlib.machinery import BuiltinImporter, ModuleSpec, PathFinder, SourceFileLoader
from typing import Any, NoReturn

import pyossl.stdlib
from pyossl.stdlib import startup_file

USAGE = f"""\
usage: python -m pyossl.stdlib [-m module | -c code | script.py] [argument ...]

Runs a Python program whose module ssl, and so all of its TLS, is over the system's OpenSSL by pyossl.
-m, -c and a script, a folder or a zip file work as they do for python itself.

For programs that other programs start:
  python -m pyossl.stdlib --enable     installs a startup file for this Python: each process of it that is started
                                       with {startup_file.VARIABLE}=1 in its environment is over pyossl
  python -m pyossl.stdlib --disable    removes it
  python -m pyossl.stdlib --status     says whether it is there, and whether it works
"""

_WRONG_USAGE = 2
_HAS_CACHED = sys.version_info < (3, 15)
"""Whether a module has ``__cached__``."""


def main() -> None:
    """Runs what the command line says.  It returns where the program does, and raises what the program raises."""
    arguments = sys.argv[1:]
    first = arguments[0] if arguments else ""
    if first in ("-h", "--help"):
        print(USAGE, end="")
    elif first in ("--enable", "--disable", "--status") and len(arguments) == 1:
        sys.exit(startup_file.command(first))
    elif first.startswith("-m") and (module := _value(arguments, "-m")):
        _install()
        _run_module(module, arguments)
    elif first.startswith("-c") and (code := _value(arguments, "-c")):
        _install()
        _run_code(code, arguments)
    elif first and not first.startswith("-"):
        _install()
        _run_file(first, arguments)
    else:
        _refuse(USAGE, _WRONG_USAGE)


def _value(arguments: list[str], option: str) -> str:
    """Takes ``-m module`` or ``-mmodule`` off the arguments; empty if there is no module."""
    first = arguments.pop(0)
    if first != option:
        return first.removeprefix(option)
    return arguments.pop(0) if arguments else ""


def _refuse(message: str, status: int = 1) -> NoReturn:
    print(message.rstrip(), file=sys.stderr)
    sys.exit(status)


def _install() -> None:
    try:
        pyossl.stdlib.install()
    except pyossl.stdlib.InstallError as error:
        _refuse(f"python -m pyossl.stdlib: {error}")
    if startup_file.is_enabled():
        os.environ[startup_file.VARIABLE] = "1"  # for the processes that the program starts


def _puts_folders_on_path() -> bool:
    """Whether Python puts the folder of the program in front of ``sys.path``: not with -I or -P."""
    return not (sys.flags.isolated or getattr(sys.flags, "safe_path", False))


def _run_module(name: str, arguments: list[str]) -> None:
    sys.argv = ["-m", *arguments]  # while it is looked for, as Python has it
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            name = f"{name}.__main__"
            spec = importlib.util.find_spec(name)
            if spec is None:
                package = name.removesuffix(".__main__")
                reason = f"{package!r} is a package and cannot be directly executed"
                _refuse(f"{sys.executable}: No module named {name}; {reason}")
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        _refuse(
            f"{sys.executable}: Error while finding module specification for {name!r} ({type(error).__name__}: {error})"
        )
    if spec is None:
        _refuse(f"{sys.executable}: No module named {name}")
    sys.argv[0] = spec.origin or name
    _run_spec(spec)


def _run_spec(spec: ModuleSpec) -> None:
    loader: Any = spec.loader
    code = loader.get_code(spec.name) if hasattr(loader, "get_code") else None
    if code is None:
        _refuse(f"{sys.executable}: No code object available for {spec.name}")
    space = {
        "__file__": spec.origin,
        "__cached__": spec.cached,
        "__loader__": loader,
        "__package__": spec.parent,
        "__spec__": spec,
    }
    _run(code, space)


def _run_code(text: str, arguments: list[str]) -> None:
    sys.argv = ["-c", *arguments]
    if _puts_folders_on_path():
        sys.path[0] = ""
    _run(compile(text, "<string>", "exec", dont_inherit=True), {"__loader__": BuiltinImporter})


def _run_file(path: str, arguments: list[str]) -> None:
    sys.argv = [path, *arguments[1:]]
    path = os.path.join(os.getcwd(), path)
    if (spec := PathFinder.find_spec("__main__", [path])) is not None:  # a folder or a zip file
        if _puts_folders_on_path():
            sys.path[0] = path
        else:
            sys.path.insert(0, path)
        _run_spec(spec)
        return
    try:
        with io.open_code(path) as file:
            source = file.read()
    except OSError as error:
        _refuse(f"{sys.executable}: can't open file {path!r}: [Errno {error.errno}] {error.strerror}", 2)
    if _puts_folders_on_path():
        sys.path[0] = os.path.dirname(os.path.realpath(path))
    code = compile(source, path, "exec", dont_inherit=True)
    _run(code, {"__file__": path, "__cached__": None, "__loader__": SourceFileLoader("__main__", path)})


def _run(code: types.CodeType, space: dict[str, Any]) -> None:
    main_space = vars(sys.modules["__main__"])
    main_space.clear()
    main_space.update(__name__="__main__", __doc__=None, __package__=None, __spec__=None, __loader__=None)
    main_space.update(space)
    if not _HAS_CACHED:
        main_space.pop("__cached__", None)
    exec(code, main_space)
