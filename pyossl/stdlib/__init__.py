"""Python's own ``ssl``, in the whole process, over the system's OpenSSL.

``install()`` puts the module ``ssl`` over pyossl, and with it every library that uses ``ssl``: requests, urllib3,
httpx, aiohttp, asyncio, urllib, smtplib, pip.  Call it at the start of the program, before other imports if possible.

- ``install``, ``uninstall``, ``is_installed``: the exchange.
- ``left_behind``: what was made before it, and goes on over the original.
- ``InstallError``: why the exchange is not possible.
- ``python -m pyossl.stdlib`` runs a program over pyossl, without a change in it.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, which takes longer to import than this module
if TYPE_CHECKING:
    from pyossl.stdlib.install_error import InstallError
    from pyossl.stdlib.old_objects import LeftBehind

__all__ = ["InstallError", "LeftBehind", "install", "is_installed", "left_behind", "uninstall"]

_HOMES = {"InstallError": "pyossl.stdlib.install_error", "LeftBehind": "pyossl.stdlib.old_objects"}


def install(*, strict: bool = True) -> None:
    """Puts ``ssl`` over pyossl, in the whole process.  If it is already so, nothing happens.

    ``ssl`` may have been imported before, and used.  Contexts and connections that exist go on over Python's own
    OpenSSL, ``left_behind`` lists them, and all that are made from now on use the system's.  What other modules have
    imported from ``ssl`` by name is replaced there.

    ``strict`` refuses two things that would be a silent loss: a context which a module holds, and which new
    connections would go on using; and a method of a class of ``ssl`` that another module has replaced.

    Raises ``InstallError`` if that is so, or if another module has replaced classes of ``ssl`` (truststore, gevent), or
    if ``ssl`` has been imported before and the system's OpenSSL makes no context.  Nothing has been changed then.
    """
    from pyossl.stdlib import swap

    swap.install(strict=strict)


def uninstall() -> None:
    """Puts the original back.  If nothing is installed, nothing happens.

    What was made over pyossl goes on over pyossl.

    Raises ``InstallError`` if there is no original, or if another module has replaced classes of ``ssl`` meanwhile.
    """
    from pyossl.stdlib import swap

    swap.uninstall()


def is_installed() -> bool:
    """Whether ``ssl`` is over pyossl in this process."""
    import sys

    swap = sys.modules.get("pyossl.stdlib.swap")
    return swap is not None and swap.is_installed()


def left_behind() -> list[LeftBehind]:
    """What was made before ``install()`` and goes on over the original: contexts, connections, and derived classes.

    Each has ``what``, a description, and ``thing``, the object.  The list is empty if nothing is installed, or if
    ``ssl`` had not been imported before.
    """
    from pyossl.stdlib import swap

    return swap.left_behind()


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'pyossl.stdlib' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
