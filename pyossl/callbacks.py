"""Every function that OpenSSL's C calls in Python, and what becomes of an exception in one.

The life of a callback, in seven steps
--------------------------------------
1. The user gives a function to a ``Connection``, which keeps it in its ``Callbacks``.
2. The C side of the connection holds a handle to these ``Callbacks`` (``ffi.new_handle``), which lives as long as the
   SSL does, and is NULL afterwards.
3. OpenSSL calls a trampoline in pyossl/_c/callbacks.c, which finds the handle from the ``SSL *``.  Where there is
   none, it answers with the failure.
4. The trampoline calls one of the functions below, which turns C values into Python's (copies: nothing borrowed
   leaves) and calls the user's function.
5. If that returns, its answer is checked and goes back to C.
6. If it raises, whatever it raises, the exception is parked, and C gets the explicit failure: the handshake fails
   closed.  The first exception is the one that is kept.
7. The call that the user made (``handshake``, ``read_into``, …) finds the parked exception when C returns, marks the
   connection dead and raises that very exception.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyossl._lib import ffi
from pyossl.message import Message


class Callbacks:
    """One connection's callbacks, and the exception that one of them raised."""

    __slots__ = ("__weakref__", "message", "parked")

    def __init__(self) -> None:
        self.message: Callable[[Message], object] | None = None
        self.parked: BaseException | None = None

    def park(self, error: BaseException) -> None:
        if self.parked is None:
            self.parked = error

    def take_parked(self) -> BaseException | None:
        error, self.parked = self.parked, None
        return error


@ffi.def_extern()  # type: ignore[untyped-decorator]  # cffi's own
def pyossl_on_message(handle: Any, outgoing: int, version: int, content_type: int, data: Any, length: int) -> None:
    callbacks: Callbacks = ffi.from_handle(handle)
    try:
        if callbacks.message is not None and callbacks.parked is None:
            callbacks.message(Message(bool(outgoing), version, content_type, bytes(ffi.buffer(data, length))))
    except BaseException as error:  # parked, and raised again by the call that the user made
        callbacks.park(error)
