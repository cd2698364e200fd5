"""pyOpenSSL's API over the system's OpenSSL.

- For one module: ``from pyossl.pyopenssl import SSL, crypto``.
- For a whole program that imports ``OpenSSL``: call ``install()`` first.
- For a program that you cannot change: ``python -m pyossl.pyopenssl script.py``.

The classes are in files named after them: ``X509`` and ``X509Name`` in certificates.py, ``PKey`` in keys.py,
``X509Store`` in stores.py, ``Session`` in sessions.py, ``Context`` and ``Connection`` in context_and_connection.py.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import CodeType, ModuleType

from pyossl.pyopenssl import SSL, crypto
from pyossl.pyopenssl.original_names import give_original_names
from pyossl.pyopenssl.version import (
    __author__,
    __copyright__,
    __email__,
    __license__,
    __summary__,
    __title__,
    __uri__,
    __version__,
)

__all__ = [
    "SSL",
    "__author__",
    "__copyright__",
    "__email__",
    "__license__",
    "__summary__",
    "__title__",
    "__uri__",
    "__version__",
    "crypto",
    "install",
]

_ORIGINAL = "OpenSSL"
_PACKAGE = __name__  # install() changes __name__
_MODULES = {f"{_ORIGINAL}{suffix}": f"{_PACKAGE}{suffix}" for suffix in ("", ".SSL", ".crypto", ".version", "._util")}
_AT_IMPORT = {f"{_ORIGINAL}.{name}": f"{_PACKAGE}.{name}" for name in ("rand", "debug")}


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports ``OpenSSL.rand``, which warns when it is imported, and ``OpenSSL.debug``, only if a program does."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname in _AT_IMPORT else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return importlib.import_module(_AT_IMPORT[spec.name])

    def exec_module(self, module: ModuleType) -> None:
        """Gives the module, which ``create_module`` has executed, its original names."""
        give_original_names(next(name for name, ours in _AT_IMPORT.items() if ours == module.__name__), module)

    def get_code(self, fullname: str) -> CodeType | None:
        """The code of the module, for ``python -m OpenSSL.debug``."""
        spec = importlib.util.find_spec(_AT_IMPORT[fullname])
        loader = spec.loader if spec else None
        return loader.get_code(_AT_IMPORT[fullname]) if isinstance(loader, importlib.abc.InspectLoader) else None


def install() -> None:
    """Makes ``import OpenSSL`` import this package, for the whole program.

    Call it before anything imports ``OpenSSL``.  From then on the modules, classes and functions of this package have
    pyOpenSSL's names, also where they were imported before: ``SSL.Context`` is ``OpenSSL.SSL.Context``.  A second call
    does nothing.

    Raises ``ImportError`` if the original has been imported: a part of the program would use the original.
    """
    if sys.modules.get(_ORIGINAL) is sys.modules[_PACKAGE]:
        return
    if imported := sorted(name for name in sys.modules if name.split(".")[0] == _ORIGINAL):
        raise ImportError(
            f"the original {_ORIGINAL} has been imported already ({', '.join(imported)}): call "
            "pyossl.pyopenssl.install() before anything that imports it, or run the program with "
            "python -m pyossl.pyopenssl"
        )
    modules = {name: importlib.import_module(ours) for name, ours in _MODULES.items()}
    sys.modules.update(modules)
    sys.meta_path.insert(0, _Finder())
    for name, module in modules.items():
        give_original_names(name, module)
