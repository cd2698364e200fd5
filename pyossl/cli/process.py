"""The process of a command line: its three standard streams, Ctrl-C, and its end.

Ctrl-C is ``KeyboardInterrupt`` in the main thread, which leaves the command through its ``finally`` clauses.  That can
take long, or never happen: a resolver waits in C, a thread is joined.  So a thread is told of the signal too, by C
(``signal.set_wakeup_fd``), and ends the process when it has not ended itself; a second Ctrl-C ends it at once.  So does
one in a finaliser or in the callback of a weak reference, where Python would print the exception and go on.  The exit
status is 130 whichever it was.

After Ctrl-C, or while another thread runs, the process ends by ``os._exit``, once the streams have been flushed:
Python's own end would wait for threads.  In any other case ``SystemExit`` is raised, so that exit handlers run and
profilers and coverage write their files.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from _thread import start_new_thread
from collections.abc import Callable
from typing import Any, NoReturn

FAILED = 1
INTERRUPTED = 130
"""What shells call a program that Ctrl-C has ended."""
_GRACE = 2.0
"""Seconds that a command has to end after Ctrl-C."""


def run(main: Callable[[], int]) -> NoReturn:
    """Ends the process with the exit status that ``main`` returns, or raises ``SystemExit`` with.

    It should be called as early as can be: before it, Ctrl-C is Python's.  In a process that is another program's,
    which runs this one by ``runpy``, it stays that program's: ``SystemExit`` is raised there.
    """
    if getattr(main, "__globals__", None) is not vars(sys.modules["__main__"]):
        sys.exit(main())
    status, is_over = INTERRUPTED, False
    try:
        open_missing_streams()
        interrupts = _answer_interrupts()
        status = _flushed(_status_of(main))
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # in Python's own end it would print a traceback
        import threading  # not at the top: until run() is called, Ctrl-C is Python's

        is_over = not interrupts and threading.active_count() == 1
    except KeyboardInterrupt:
        status = _flushed(INTERRUPTED)
    finally:
        if not is_over:
            os._exit(status)
    sys.exit(status)


def say(message: str) -> None:
    """Prints a line on standard error, if that takes it."""
    try:
        print(message, file=sys.stderr, flush=True)
    except (OSError, ValueError):  # it is full, or nobody reads it, or it is closed
        drop(sys.stderr)


def open_missing_streams() -> None:
    """Opens the null device in the place of standard input, output and error where the process was started without.

    Otherwise the next socket or file would get the number, and what is printed would be written to it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        mode, flags = ("r", os.O_RDONLY) if number == 0 else ("w", os.O_WRONLY)
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, flags)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  # as long as the process


def _answer_interrupts() -> list[int]:
    """Makes Ctrl-C end the process; the list will have an entry for each."""
    interrupts: list[int] = []
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # it is ignored: nohup, or a job of a script
        return interrupts

    def answer(number: int, frame: object) -> None:
        interrupts.append(number)
        if len(interrupts) > 1:
            os._exit(INTERRUPTED)
        raise KeyboardInterrupt

    report = sys.unraisablehook

    def lost(unraisable: Any) -> None:
        if unraisable.exc_type is KeyboardInterrupt:
            os._exit(INTERRUPTED)
        report(unraisable)

    sys.unraisablehook = lost
    if os.name == "posix":
        told, tells = os.pipe()
        os.set_blocking(tells, False)
        signal.set_wakeup_fd(tells, warn_on_full_buffer=False)
        start_new_thread(_end_in_time, (told,))
    signal.signal(signal.SIGINT, answer)
    return interrupts


def _end_in_time(told: int) -> None:
    while signal.SIGINT not in os.read(told, 100):
        pass
    time.sleep(_GRACE)
    os._exit(INTERRUPTED)


def _status_of(main: Callable[[], int]) -> int:
    try:
        return main()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        say(str(end.code))
    except KeyboardInterrupt:
        raise
    except BaseException:  # a fault of ours
        sys.excepthook(*sys.exc_info())
    return FAILED


def _flushed(status: int) -> int:
    """``status``, or ``FAILED`` in the place of 0 where what was printed cannot be written."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError) as error:
            drop(stream)
            if status == 0:
                status = FAILED
                if not isinstance(error, BrokenPipeError):
                    say(f"{type(error).__name__}: {error}")
    return status


def drop(stream: Any) -> None:
    """Sends what is still to be written to a stream to the null device: Python would complain of it once more."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
    except (OSError, ValueError, AttributeError):
        pass
