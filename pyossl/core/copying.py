"""Base classes for objects that cannot be copied or pickled.

An object with a C pointer or a descriptor also has state in Python.  ``copy`` would share the pointer and duplicate the
state.  Classes that can be made again from DER have a ``__reduce__`` for it; the others have one of these bases.
"""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn, SupportsIndex


class Uncopied:
    """Base of a class that cannot be copied: ``copy`` and ``pickle`` raise ``TypeError``."""

    __slots__ = ()

    _instead: ClassVar[str] = "each is tied to one object of OpenSSL or of the system"
    """The end of the message: why not, or what to do instead."""

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        # copy.copy, copy.deepcopy and pickle all call this.
        raise TypeError(f"{type(self).__name__} objects cannot be copied or pickled: {self._instead}")


class Unpickled(Uncopied):
    """Base of an immutable class with secrets: a copy is the same object, and ``pickle`` raises ``TypeError``."""

    __slots__ = ()

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(f"{type(self).__name__} objects cannot be pickled: {self._instead}")
