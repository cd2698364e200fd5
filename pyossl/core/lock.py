"""Locks: calling a Python function while a BIO or a connection is locked.

Theory of operation
-------------------
Python must not take such a lock itself.  A signal handler can run, and raise, between any two instructions of the main
thread: also after a lock was taken and before the ``try`` that releases it.  The lock would then stay locked for ever.

So C takes the lock, calls the Python function and releases the lock (pyossl/_c/core/calls_under_lock.c):

1. ``ask`` puts the function into a ``_Question`` and passes it to ``hold``, a C function.
2. ``hold`` takes the lock and calls ``pyossl_on_turn``, which calls the Python function.
3. ``pyossl_on_turn`` keeps the result, or the exception, in the ``_Question``, and returns which of the two it was.
4. ``hold`` releases the lock and returns that value.  ``ask`` returns the result or raises the same exception.

A signal handler can also raise at the first or the last instruction of ``pyossl_on_turn``, outside of its ``try``.
cffi passes that exception to ``keep_stray``, and ``ask`` takes it from there (pyossl/core/parked_exceptions.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pyossl.core import ffi, lib, own
from pyossl.core.copying import Uncopied
from pyossl.core.errors import UsageError, check_ptr
from pyossl.core.parked_exceptions import keep_stray, take_raised

_T = TypeVar("_T")

INHERITED = "it was made before this process was forked, and belongs to the parent process"


class _Question:
    """A function to be called under a lock, and then its result or its exception."""

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
    except BaseException as error:  # raised again by ``ask``
        question.error = error
        return _RAISED
    return _ANSWERED


def ask(hold: Callable[[Any, Any], int], of: Any, function: Callable[[], _T], what: str = "connection") -> _T:
    """Calls ``function`` under a lock, and returns its result or raises its exception.

    - ``hold``: the function of calls_under_lock.c that takes the lock; it waits for the lock or does not.
    - ``of``: the C object whose lock it takes.
    - ``what``: the name of that object in the message of ``UsageError``.

    Raises ``UsageError`` if the lock was made by a parent process, and ``TakenError`` if another thread has the lock
    and ``hold`` does not wait.
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
            del error  # its traceback refers to this frame: no reference cycle
    if held == 0:
        raise inherited(what)
    raise TakenError


def inherited(what: str = "connection") -> UsageError:
    """The exception for using an object that was made before this process was forked."""
    return UsageError(f"the {what} cannot be used: {INHERITED}")


class TakenError(Exception):
    """Another thread has the lock."""


class Lock(Uncopied):
    """The lock of a BIO, or of several that belong together; a thread can take it again.  pyossl/_c/core/lock.c"""

    __slots__ = ("pointer",)

    def __init__(self) -> None:
        self.pointer = own(check_ptr(lib.pyossl_lock_new(), "making a lock"), lib.pyossl_lock_free)

    @property
    def calls(self) -> int:
        """How many calls of BIOs are running under the lock, one inside the other."""
        return int(self.pointer.calls)

    @property
    def is_inherited(self) -> bool:
        """Whether the lock was made before this process was forked: it then belongs to the parent process."""
        return bool(lib.pyossl_lock_is_inherited(self.pointer))

    def hold(self, function: Callable[[], _T]) -> _T:
        """Waits for the lock, calls ``function`` under it and returns its result.

        Raises the exception of ``function``, or ``UsageError`` if the lock belongs to a parent process.
        """
        return ask(lib.pyossl_under_lock, self.pointer, function, "BIO")

    def hold_if_free(self, function: Callable[[], _T]) -> _T:
        """As ``hold``, but does not wait: raises ``TakenError`` if another thread has the lock."""
        return ask(lib.pyossl_under_lock_if_free, self.pointer, function, "BIO")
