"""pyOpenSSL's API over the system's OpenSSL.

``from pyossl.pyopenssl import SSL, crypto`` for one module; ``install()`` for a whole program, which goes on importing
``OpenSSL``; ``python -m pyossl.pyopenssl script.py`` for a program as it is.
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
from pyossl.pyopenssl.original_names import take_names
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
_ROOM = __name__  # which install() changes
_MODULES = {f"{_ORIGINAL}{suffix}": f"{_ROOM}{suffix}" for suffix in ("", ".SSL", ".crypto", ".version", "._util")}
_LATER = {f"{_ORIGINAL}.{name}": f"{_ROOM}.{name}" for name in ("rand", "debug")}


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports those modules of ``OpenSSL`` that say or do something when they are imported."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname in _LATER else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return importlib.import_module(_LATER[spec.name])

    def exec_module(self, module: ModuleType) -> None:
        """The module has been run, and gets the original's names."""
        take_names(next(name for name, ours in _LATER.items() if ours == module.__name__), module)

    def get_code(self, fullname: str) -> CodeType | None:
        """For ``python -m OpenSSL.debug``."""
        spec = importlib.util.find_spec(_LATER[fullname])
        loader = spec.loader if spec else None
        return loader.get_code(_LATER[fullname]) if isinstance(loader, importlib.abc.InspectLoader) else None


def install() -> None:
    """Puts this in the place of ``OpenSSL``, ``OpenSSL.SSL``, ``OpenSSL.crypto`` and the rest, for the whole program.

    From then on the modules, classes and functions have the original's names, wherever they were imported from:
    ``SSL.Context`` is ``OpenSSL.SSL.Context``.

    Raises ``ImportError`` where the original has been imported: some of the program would have the one, and some the
    other.  To call it twice is no error.
    """
    if sys.modules.get(_ORIGINAL) is sys.modules[_ROOM]:
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
        take_names(name, module)
