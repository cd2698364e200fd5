"""The process of a command: its standard streams, Ctrl-C, and its exit.

On Ctrl-C, Python raises ``KeyboardInterrupt`` in the main thread, and the command runs its ``finally`` clauses.  This
may take long or not happen at all, for example while a resolver waits in C, or while a thread is joined.  Therefore C
also writes the signal to a pipe (``signal.set_wakeup_fd``).  A thread reads the pipe, and ends the process if it is
still running two seconds later.  A second Ctrl-C ends the process immediately.  So does Ctrl-C in a finaliser or in the
callback of a weak reference, where Python would print the exception and continue.  The exit status is 130 in all cases.

After Ctrl-C, or if another thread is running, the process flushes its streams and ends with ``os._exit``, because
Python's normal exit would wait for the threads.  Otherwise it raises ``SystemExit``, so that exit handlers run, and
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
"""The exit status that shells use for a program that Ctrl-C ended."""
_GRACE = 2.0
"""The number of seconds in which a command has to end after Ctrl-C."""


def run(main: Callable[[], int], *, owns_process: bool | None = None) -> NoReturn:
    """Calls ``main`` and ends the process with the exit status that it returns, or raises ``SystemExit`` with it.

    Call it as early as possible: until then, Python handles Ctrl-C.  If another program runs the command line with
    ``runpy``, the process and its signals belong to that program, and this function only raises ``SystemExit``.
    ``owns_process`` says whether the process is the command line's.  By default, it is if ``main`` is in ``__main__``.
    """
    if owns_process is None:
        owns_process = getattr(main, "__globals__", None) is vars(sys.modules["__main__"])
    if not owns_process:
        sys.exit(main())
    status, is_over = INTERRUPTED, False
    try:
        open_missing_streams()
        interrupts = _handle_interrupts()
        status = _flush_streams(_status_of(main))
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # during Python's exit it would print a traceback
        import threading  # not at the top: until run() is called, Python handles Ctrl-C

        is_over = not interrupts and threading.active_count() == 1
    except KeyboardInterrupt:
        status = _flush_streams(INTERRUPTED)
    finally:
        if not is_over:
            os._exit(status)
    sys.exit(status)


def print_error(message: str) -> None:
    """Prints a line on standard error.  If that fails, the message is lost."""
    try:
        print(message, file=sys.stderr, flush=True)
    except (OSError, ValueError):  # the disk is full, or the reader has closed the pipe, or the stream is closed
        discard(sys.stderr)


def open_missing_streams() -> None:
    """Opens the null device as standard input, output and error, if the process was started without them.

    Otherwise the next socket or file would get the number of the missing stream, and output would be written to it.
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
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  # open until the process ends


def _handle_interrupts() -> list[int]:
    """Makes Ctrl-C end the process.  Each Ctrl-C adds an entry to the list that is returned."""
    interrupts: list[int] = []
    if (
        signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):  # ignored: nohup, or a script's background job
        return interrupts

    def interrupt(number: int, frame: object) -> None:
        interrupts.append(number)
        if len(interrupts) > 1:
            os._exit(INTERRUPTED)
        raise KeyboardInterrupt

    report = sys.unraisablehook

    def report_or_exit(unraisable: Any) -> None:
        if unraisable.exc_type is KeyboardInterrupt:
            os._exit(INTERRUPTED)
        report(unraisable)

    sys.unraisablehook = report_or_exit
    if os.name == "posix":
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        start_new_thread(_exit_after_interrupt, (reader,))
    signal.signal(signal.SIGINT, interrupt)
    return interrupts


def _exit_after_interrupt(reader: int) -> None:
    """Waits for Ctrl-C, then for the command to end, and ends the process if it does not."""
    while signal.SIGINT not in os.read(reader, 100):
        pass
    time.sleep(_GRACE)
    os._exit(INTERRUPTED)


def _status_of(main: Callable[[], int]) -> int:
    try:
        return main()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print_error(str(end.code))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if isinstance(error.__cause__, KeyboardInterrupt):  # before 3.12, __set_name__ raises RuntimeError from it
            raise error.__cause__ from None
        # an error in pyossl's own code
        sys.excepthook(*sys.exc_info())
    return FAILED


def _flush_streams(status: int) -> int:
    """Flushes standard output and error, and returns ``status``, or ``FAILED`` instead of 0 if that fails."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError) as error:
            discard(stream)
            if status == 0:
                status = FAILED
                if not isinstance(error, BrokenPipeError):
                    print_error(f"{type(error).__name__}: {error}")
    return status


def discard(stream: Any) -> None:
    """Redirects a stream to the null device, so that Python does not report its unwritten data as an error again."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
    except (OSError, ValueError, AttributeError):
        pass
