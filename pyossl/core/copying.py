"""What can be copied and pickled, and what cannot.

An object that stands for one of OpenSSL's, or of the operating system's, has the pointer or the descriptor and a state
of its own beside it: a copy as Python makes them would share the first and not the second.  A true copy is made by
``__reduce__``, from DER; what has none says so.
"""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn, SupportsIndex


class Uncopied:
    """What there is once: ``copy`` and ``pickle`` are refused with a ``TypeError``."""

    __slots__ = ()

    _instead: ClassVar[str] = "each stands for something that there is once"
    """Why not, or what to do instead."""

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        # copy.copy, copy.deepcopy and pickle all ask this.
        raise TypeError(f"{type(self).__name__} objects cannot be copied or pickled: {self._instead}")


class Unpickled(Uncopied):
    """What never changes, so that it is its own copy, and holds secrets, so that it is not pickled unasked."""

    __slots__ = ()

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(f"{type(self).__name__} objects cannot be pickled: {self._instead}")
