"""Python's code in the middle of C's: under a lock that C has taken, and for signals that come while C waits.

The handler of a signal runs between any two instructions of the main thread, and may raise there.  Where Python took a
lock and gave it back, such an exception could come between the two, and the lock would stay taken for good.  So C does
both, and Python's code under the lock is a function that C calls (pyossl/_c/turn.c).  What that raises, whatever it is
and wherever in the callback it comes, is kept until C has returned, and is raised then, itself.
"""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable
from typing import Any, TypeVar

from pyossl._lib import ffi, lib, own
from pyossl.copying import Uncopied
from pyossl.errors import UsageError, check_ptr

_T = TypeVar("_T")

INHERITED = "it was made before this process was forked, and is the parent's"

_raised: dict[int, list[BaseException]] = {}


def keep_raised(error: BaseException) -> None:
    """Keeps an exception for the call that this thread has made of C, which is to tell that there is one."""
    _raised.setdefault(get_ident(), []).append(error)


def take_raised() -> BaseException:
    """The exception that was kept for the call from which this thread has just returned."""
    thread = get_ident()
    errors = _raised.pop(thread, [])
    if not errors:  # two signals at once: the second came where the first one's exception was being kept
        return SystemError("the exception of a signal's handler was lost")
    error = errors.pop()
    if errors:
        _raised[thread] = errors
    return error


def _keep(kind: type[BaseException], error: BaseException, trace: object) -> None:
    """What comes before the first instruction of a callback, or after its last, is nobody else's to catch."""
    keep_raised(error)


_parked: dict[int, BaseException] = {}


def park(error: BaseException) -> None:
    """Keeps what Python raised in a callback for the call that the user made, of a connection or of a BIO."""
    connection = lib.pyossl_park()
    if connection == ffi.NULL:
        _parked.setdefault(get_ident(), error)
    elif connection.handle != ffi.NULL:
        ffi.from_handle(connection.handle).park(error)


def take_parked() -> BaseException:
    """The exception that was parked for the call of a BIO from which this thread has just returned."""
    return _parked.pop(get_ident())


def _park_stray(kind: type[BaseException], error: BaseException, trace: object) -> None:
    park(error)


def callback(failure: int | None = None) -> Any:
    """A decorator for a function that C calls in the middle of a connection's or a BIO's call.

    It catches and parks what the user's function raises; what comes outside of its ``try``, at its first instruction
    or its last, is parked here.  C gets ``failure`` then.
    """
    return ffi.def_extern(error=failure, onerror=_park_stray)


class _Question:
    __slots__ = ("answer", "error", "function")

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function
        self.answer: Any = None
        self.error: BaseException | None = None


_ANSWERED, _RAISED = 1, 2


@ffi.def_extern(error=_RAISED, onerror=_keep)  # type: ignore[untyped-decorator]  # cffi's own
def pyossl_on_turn(handle: Any) -> int:
    question: _Question = ffi.from_handle(handle)
    try:
        question.answer = question.function()
    except BaseException as error:  # raised again by the call that has asked
        question.error = error
        return _RAISED
    return _ANSWERED


@ffi.def_extern(error=1, onerror=_keep)  # type: ignore[untyped-decorator]
def pyossl_on_interrupt() -> int:
    """Python runs the handlers of signals as it enters."""
    return 0


def ask(hold: Callable[[Any, Any], int], of: Any, function: Callable[[], _T], what: str = "connection") -> _T:
    """What ``function`` returns or raises under the lock of ``of``, which ``hold``, a function of turn.c, takes.

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
    """Whose turn it is at a BIO; re-entrant.  See pyossl/_c/lock.c."""

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
