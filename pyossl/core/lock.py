"""Python's code in the middle of C's: under a lock that C has taken, and for signals that come while C waits.

The handler of a signal runs between any two instructions of the main thread, and may raise there.  Where Python took a
lock and gave it back, such an exception could come between the two, and the lock would stay taken for good.  So C does
both, and Python's code under the lock is a function that C calls (pyossl/_c/core/under_lock.c).  What that raises,
whatever it is and wherever in the callback it comes, is kept until C has returned, and is raised then, itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pyossl.core.binding import ffi, lib, own
from pyossl.core.copying import Uncopied
from pyossl.core.errors import UsageError, check_ptr
from pyossl.core.parked_exceptions import keep_stray, take_raised

_T = TypeVar("_T")

INHERITED = "it was made before this process was forked, and is the parent's"


class _Question:
    __slots__ = ("answer", "error", "function")

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function
        self.answer: Any = None
        self.error: BaseException | None = None


_ANSWERED, _RAISED = 1, 2


@ffi.def_extern(error=_RAISED, onerror=keep_stray)  # type: ignore[untyped-decorator]  # cffi's own
def pyossl_on_turn(handle: Any) -> int:
    question: _Question = ffi.from_handle(handle)
    try:
        question.answer = question.function()
    except BaseException as error:  # raised again by the call that has asked
        question.error = error
        return _RAISED
    return _ANSWERED


def ask(hold: Callable[[Any, Any], int], of: Any, function: Callable[[], _T], what: str = "connection") -> _T:
    """What ``function`` returns or raises under the lock of ``of``, which ``hold``, a function of under_lock.c, takes.

    ``UsageError`` where the lock is a parent process's; ``TakenError`` where another thread has it, and ``hold`` does
    not wait.
    """
    question = _Question(function)
    held = hold(of, ffi.new_handle(question))
    if held == _ANSWERED:
        answer: _T = question.answer
        return answer
    if held == _RAISED:
        error, question.error = question.error or take_raised(), None
        try:
            raise error
        finally:
            del error  # its traceback has this frame
    if held == 0:
        raise inherited(what)
    raise TakenError


def inherited(what: str = "connection") -> UsageError:
    """The exception for what a parent process has made."""
    return UsageError(f"the {what} cannot be used: {INHERITED}")


class TakenError(Exception):
    """Another thread has the lock."""


class Lock(Uncopied):
    """Whose turn it is at a BIO; re-entrant.  See pyossl/_c/core/lock.c."""

    __slots__ = ("pointer",)

    def __init__(self) -> None:
        self.pointer = own(check_ptr(lib.pyossl_lock_new(), "making a lock"), lib.pyossl_lock_free)

    @property
    def calls(self) -> int:
        """How many calls of BIOs are under way, one within the other."""
        return int(self.pointer.calls)

    @property
    def is_inherited(self) -> bool:
        """Whether it is a parent process's, in which only that one's calls are."""
        return bool(lib.pyossl_lock_is_inherited(self.pointer))

    def hold(self, function: Callable[[], _T]) -> _T:
        """Calls ``function`` under the lock and returns its result."""
        return ask(lib.pyossl_under_lock, self.pointer, function, "BIO")

    def hold_if_free(self, function: Callable[[], _T]) -> _T:
        """As ``hold``; ``TakenError`` where another thread has the lock."""
        return ask(lib.pyossl_under_lock_if_free, self.pointer, function, "BIO")
