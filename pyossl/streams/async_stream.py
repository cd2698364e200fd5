"""A TLS connection over an asynchronous stream of bytes, for trio and for anyio.  SSL_do_handshake(3)

Theory of operation
-------------------
A ``Connection`` without a transport never waits.  A step of it returns a result or ``Want.READ``, and may produce bytes
for the peer.  An ``AsyncStream`` turns steps into coroutines.  No other task runs between a step and the next await, so
the result of the step is still true when the await begins.  Exactly one thing is awaited before the step is tried
again: bytes are sent, or bytes are received.

*Sending.*  The bytes of the connection must reach the transport in the order in which OpenSSL made them.  They are kept
in one queue.  Only the task that holds the send lock takes bytes from it, until it is empty.  So a task that has waited
for the lock finds that its bytes have been sent.  If a send is cancelled, an unknown part of its bytes is lost, and the
stream is broken.  If the transport fails to send, later bytes are dropped.  The bytes that the peer sent before the
failure can still be received to their end, as in pyossl/_c/tls/connection/read_after_failed_write.c.

*Reading* may produce bytes to send too: in TLS 1.3 the answer to a KeyUpdate, before TLS 1.3 a part of a renegotiation,
or the alert that refuses one.  The answer to a KeyUpdate is due before our next record and not earlier (RFC 8446,
4.6.3), so the next write sends it.  If the reader sent it, it would wait until the peer has room for it, and the peer
may be waiting for our reader in the same way.  A reader that is cancelled while it sends would also break the stream.
For the same reasons a reader leaves all its bytes to a writer that is active.  The reader sends them itself, or waits
for the send lock, only if a peer has caused so many answers that they are no longer small.  After our close_notify
nothing may be sent, and answers are dropped.

In TLS 1.3 a server may ask for the client's certificate after the handshake and wait for the answer, so the reader
sends that answer at once.  It ends with a new Finished message, which OpenSSL remembers.  If the message has changed
after a read, the bytes that the read produced are such an answer.  A server that does not read the answers cannot ask
again.

*Receiving.*  Two tasks may need the peer's bytes at once: a reader, and a writer in a renegotiation.  One of them
receives.  The other waits for the receive lock and tries its step again.  Nothing that can be cancelled happens between
receiving bytes from the transport and storing them, so a cancelled read loses none.  If a transport returns very many
bytes at once, the connection gets a portion of them for each step, with a checkpoint between the portions.  Otherwise
many records without data, for example KeyUpdates, could hold up all other tasks.

*Early data.*  A server may read early data before the handshake.  Then its writes do not wait for the handshake.  A
listener reads the first of it, and gives the stream to the handler before the handshake is finished.  The time limit of
the handshake goes on: the stream waits for the client's part of it only as long as is left.  The time in which the
handler works, or sends a long answer, is not the client's.

*Callbacks without an answer.*  If a callback returned an awaitable, the task whose step needs the answer awaits it
(pyossl/tls/callbacks/suspension.py), until the stream is closed.  If the callback returned a ``Want``, the step is
tried again a little later.

*Tickets.*  A TLS 1.3 server's session tickets are sent with its first write, not with the handshake.  A client that
only writes and closes would leave them unread, and the kernel would send a reset (docs/pitfalls.md, 9).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Awaitable, Callable
from functools import partial
from types import ModuleType
from typing import Any, NoReturn, TypeVar

from pyossl.core.buffers import Bytes
from pyossl.core.copying import Uncopied
from pyossl.core.errors import AlertError, Error, NotDueError, TruncationError, UsageError, exception_of
from pyossl.core.outcome import Want
from pyossl.tls.callbacks.suspension import ASK_AGAIN, CALLBACK_WANTS, JOB_WANTS
from pyossl.tls.connection.connection import Connection

_T = TypeVar("_T")

CHUNK = 131072
"""The most bytes that are encrypted before they are sent; a slow peer makes us keep no more."""
READ = 65536
"""The most bytes that one read returns by default, and the most of the peer's bytes that one step takes."""
_MOST_REPLIES = 16384
"""The number of bytes of answers from which the reader sends them itself."""
_LONGEST = 1.0
"""The longest wait for a paused job, in seconds, after which a stream that was closed is noticed."""
_EARLY = 16384
"""The most bytes of early data that a listener reads before it calls the handler."""
_ALERT_TIMEOUT = 1.0
"""How long, in seconds, a handshake whose send has failed waits for the alert that gives the reason."""


class AsyncStream(Uncopied):
    """Runs ``connection`` over a transport.

    - ``library`` is the module ``trio`` or ``anyio``.  Their locks, checkpoints and exceptions have the same names.
    - ``send`` sends all bytes; ``receive`` returns some, or ``b""`` at the end of the transport.
    - ``busy`` makes the exception for a second task in the same direction.
    - With ``forgives_truncation``, an end of the transport without a close_notify is a normal end.
    """

    def __init__(
        self,
        connection: Connection,
        library: ModuleType,
        send: Callable[[bytes], Awaitable[Any]],
        receive: Callable[[], Awaitable[Bytes]],
        busy: Callable[[str], Exception],
        *,
        forgives_truncation: bool = False,
    ) -> None:
        self.connection = connection
        connection._awaits = True
        self.closed = False
        self._library, self._lowlevel = library, library.lowlevel
        self._send, self._receive = send, receive
        self._forgives_truncation = forgives_truncation
        self._broken = self._has_handshake = self._close_notify_sent = self._at_end = False
        self._send_failure: Exception | None = None
        self._last_finished: bytes | None = None  # the last Finished message, on a client
        self._unsent: list[bytes] = []
        self._has_written = False  # some bytes of the current write are in a record
        self._is_urgent = False  # the peer waits for some of the unsent bytes
        self._tickets: list[bytes] = []
        self._read_ahead: bytes | None = None
        self._receive_count = 0
        self._undelivered: Bytes = b""  # received, but not given to the connection yet
        self._handshake_lock, self._send_lock, self._receive_lock = library.Lock(), library.Lock(), library.Lock()
        self._sender, self._receiver = _Direction("sending on", busy), _Direction("receiving from", busy)
        self._writing = False
        self._answer: Any = None  # the cancel scope in which a task awaits a callback
        self._early = b""  # early data that was read, and not returned yet
        self._answers_early = False  # early data was accepted: a write need not wait for the handshake

    @property
    def is_broken(self) -> bool:
        """Whether a failure or a cancellation has ended sending and receiving."""
        return self._broken

    _receive_without_limit: Callable[[], Awaitable[Bytes]] | None = None
    """While the handshake goes on after early data that a listener has read: the transport's receive."""
    _time_left = 0.0
    """How long, in seconds, such a handshake may still wait for the client."""

    # The operations

    async def handshake(self) -> None:
        """Finishes the handshake, or waits for another task that is doing it."""
        self._check()
        await self._lowlevel.checkpoint_if_cancelled()
        if self._has_handshake:
            await self._lowlevel.cancel_shielded_checkpoint()
        await self._ensure_handshake()

    async def read_early_data(self, size: int) -> bytes:
        """On a server, reads up to ``size`` bytes of early data before the handshake; ``b""`` if no more will come."""
        with self._receiver:
            self._check()
            await self._lowlevel.checkpoint_if_cancelled()
            if not self._early:
                await self._acquire(self._handshake_lock)
                try:
                    _, self._early = await self._repeat(lambda: self.connection.read_early_data(size))
                    self._answers_early = bool(self.connection.early_data_accepted)
                finally:
                    self._handshake_lock.release()
            # The data is kept meanwhile, as in read().
            if self._unsent:
                await self._flush()
            else:
                await self._lowlevel.cancel_shielded_checkpoint()
            data, self._early = self._early[:size], self._early[size:]
            return data

    async def handshake_or_early_data(self, timeout: float) -> None:
        """On a server, finishes the handshake, or returns as soon as early data has come.

        The caller limits the time, to ``timeout`` seconds.  What is left of it after early data is the limit for the
        rest of the handshake.
        """
        began = self._library.current_time()
        if early := await self.read_early_data(_EARLY):
            self._early = early
            self._time_left = timeout - (self._library.current_time() - began)
            self._receive_without_limit, self._receive = self._receive, self._receive_in_time
        else:
            await self.handshake()

    async def _receive_in_time(self) -> Bytes:
        assert self._receive_without_limit is not None
        began = self._library.current_time()
        with self._library.CancelScope(deadline=began + self._time_left):
            try:
                return await self._receive_without_limit()
            finally:
                self._time_left -= self._library.current_time() - began
        raise self._library.BrokenResourceError("the client has sent early data, and took too long for the handshake")

    async def read(self, size: int) -> bytes:
        """Reads up to ``size`` bytes; ``b""`` after the peer has closed."""
        with self._receiver:
            self._check_readable()
            await self._lowlevel.checkpoint_if_cancelled()
            if self._read_ahead is None:
                if not self._has_handshake:
                    await self._ensure_handshake()
                waited, self._read_ahead = await self._read_some(size)
                if waited:
                    return self._take_read_ahead(size)
            # The data is kept meanwhile: asyncio cancels even a shielded checkpoint.
            await self._lowlevel.cancel_shielded_checkpoint()
            return self._take_read_ahead(size)

    def _take_read_ahead(self, size: int) -> bytes:
        data, self._read_ahead = self._read_ahead or b"", None
        if len(data) > size:
            data, self._read_ahead = data[:size], data[size:]
        return data

    async def _read_some(self, size: int) -> tuple[bool, bytes]:
        if self._at_end:
            return False, b""
        try:
            return await self._repeat(lambda: self.connection.read(size), reads=True)
        except self._library.BrokenResourceError as error:
            if not (self._forgives_truncation and isinstance(error.__cause__, TruncationError)):
                raise
            self._at_end = True
            return False, b""

    async def write(self, data: Bytes) -> None:
        """Sends all bytes.  If it raises after the first of them, the stream is broken."""
        with self._sender, memoryview(data).cast("B") as view:
            self._check_writable()
            await self._lowlevel.checkpoint_if_cancelled()
            if not self._has_handshake and not self._answers_early:
                await self._ensure_handshake()
            if not view:
                await self._lowlevel.cancel_shielded_checkpoint()
                return
            self._writing, self._has_written = True, False
            try:
                if len(view) <= CHUNK and isinstance(data, bytes):
                    await self._write_chunk(data)
                    return
                for start in range(0, len(view), CHUNK):
                    with view[start : start + CHUNK] as chunk:
                        await self._write_chunk(chunk)
            except BaseException as error:
                if self._send_failure is None and (self._has_written or not isinstance(error, UsageError)):
                    self._broken = True
                raise
            finally:
                self._writing = False

    async def _write_chunk(self, chunk: bytes | memoryview) -> None:
        _, sent = await self._repeat(partial(self.connection.write, chunk))
        self._has_written = True
        while sent < len(chunk):  # a renegotiation came in between
            with memoryview(chunk)[sent:] as rest:
                sent += (await self._repeat(partial(self.connection.write, rest)))[1]
        await self._flush()

    async def post_handshake(self, step: Callable[[], Want | None]) -> None:
        """Does a step of pyossl/tls/connection/post_handshake.py, and sends its bytes.

        A client's renegotiation ends when it is finished.  A reader may go on meanwhile; if there is none, and the peer
        sends data, it raises ``NotDueError``, and the next reads go on with the renegotiation.
        """
        with self._sender:
            self._check_writable()
            await self._lowlevel.checkpoint_if_cancelled()
            await self._ensure_handshake()
            steps = iter((step,))
            await self._repeat(lambda: next(steps, self.connection.handshake)())
            await self._flush()

    async def send_eof(self) -> None:
        """Sends close_notify; the peer's data can still be read.  ``NotImplementedError`` before TLS 1.3."""
        with self._sender:
            self._check_sending()
            await self._lowlevel.checkpoint_if_cancelled()
            await self._ensure_handshake()
            if self._close_notify_sent:
                await self._lowlevel.cancel_shielded_checkpoint()
                return
            if self.connection.version != "TLSv1.3":
                raise NotImplementedError(f"{self.connection.version} has no half-close: the peer would close too")
            await self._repeat(self.connection.handshake)  # the server may have asked for a certificate
            await self._close_sending()

    async def wait_writable(self, wait: Callable[[], Awaitable[None]]) -> None:
        """Waits with ``wait`` until the transport may take bytes."""
        with self._sender:
            self._check_sending()
            await self._acquire(self._send_lock)
            try:
                await wait()
            finally:
                self._send_lock.release()
            if self._unsent:
                await self._flush()

    async def unwrap(self) -> bytes:
        """Exchanges close_notify with the peer; returns the bytes that were received after the peer's.

        Raises ``UsageError`` if the peer has sent data that was not read.
        """
        with self._receiver, self._sender:
            self._check_sending()
            await self._lowlevel.checkpoint_if_cancelled()
            await self._ensure_handshake()
            if self._read_ahead:
                raise NotDueError(_UNREAD)
            if not self._close_notify_sent:
                await self._close_sending()
            if (await self._repeat(lambda: self.connection.peek(1)))[1]:
                raise NotDueError(_UNREAD)
            await self._repeat(self.connection.shutdown)
            trailing = self.connection._received_beyond() + bytes(self._undelivered)
            self.close()
            return trailing

    async def send_close_notify(self) -> None:
        """Sends close_notify once, and waits only for the transport.  Does nothing if it cannot be sent now.

        Before the handshake is finished the peer does not wait for a close_notify, and none is sent.  If a listener has
        taken the client's early data, the client waits: what was not read is dropped, and the handshake is finished.
        """
        if self._receive_without_limit is not None and not self._broken:
            library = self._library
            refusals = library.BrokenResourceError, library.ClosedResourceError, library.BusyResourceError
            with contextlib.suppress(*refusals):
                while await self.read_early_data(_EARLY):
                    pass
                await self.handshake()
        if self._broken or not self._has_handshake or self._writing or self._send_lock.locked():
            return
        if self._send_failure is not None:
            return
        library = self._library
        # The peer, or another task, has closed first; or a renegotiation is not finished.
        with contextlib.suppress(library.BrokenResourceError, library.ClosedResourceError, NotDueError):
            await self._close_sending()

    def close(self) -> None:
        """Frees the connection; tasks in other methods raise ``ClosedResourceError``."""
        self.closed = True
        self.connection.close()
        if self._answer is not None:
            self._answer.cancel()

    # The steps

    async def _ensure_handshake(self) -> None:
        if self._has_handshake:
            return
        await self._acquire(self._handshake_lock)
        try:
            if self._has_handshake:
                return
            self._check_sending()
            try:
                await self._repeat(self.connection.handshake)
                if self.connection.context.is_server and self.connection.version == "TLSv1.3":
                    self._tickets, self._unsent = self._unsent, []
                elif not self.connection.context.is_server:
                    self._last_finished = self.connection.finished
                await self._flush()
            except self._library.BrokenResourceError:
                if self._send_failure is not None:
                    await self._receive_alert()
                raise
            self._has_handshake = True
            if self._receive_without_limit is not None:
                self._receive, self._receive_without_limit = self._receive_without_limit, None
        finally:
            self._handshake_lock.release()

    async def _receive_alert(self) -> None:
        """Raises the alert with which the peer has ended the handshake; returns if there is none."""
        self._unsent = []
        said: bytes | Want | Error = Want.READ
        with contextlib.suppress(self._library.BrokenResourceError), self._library.move_on_after(_ALERT_TIMEOUT):
            while said is Want.READ and not self.closed:
                await self._receive_once()
                try:
                    said = self.connection.peek(1)
                except Error as error:
                    said = error
        if isinstance(said, AlertError):
            await self._fail(said)

    async def _close_sending(self) -> None:
        if not self._close_notify_sent:
            await self._repeat(self._start_shutdown)
            self._close_notify_sent = True
        await self._flush()

    def _start_shutdown(self) -> None:
        self.connection.shutdown()  # it does not wait for the peer's close_notify

    async def _repeat(self, step: Callable[[], _T | Want], *, reads: bool = False) -> tuple[bool, _T]:
        """Repeats a step until it has a result; returns whether it has waited, and the result."""
        waited = False
        while True:
            if self.closed:
                raise self._library.ClosedResourceError("the stream was closed by another task")
            try:
                result = step()
            except BaseException as error:
                await self._fail(error)
            if not isinstance(result, Want):
                if not reads:  # bytes that a read produces wait for the next step
                    self._take_unsent()
                return waited, result
            self._take_unsent(reads)
            if result is not Want.READ:
                await self._await_callback(result)
                waited = True
                continue
            if not reads and self.connection.pending and not self._receiver.is_taken:
                raise NotDueError("the peer has sent data in a renegotiation: it has to be received first")
            if self._unsent and not (reads and self._is_left_to_writer()):
                await self._flush_replies() if reads else await self._flush()
            else:
                await self._receive_once()
            waited = True

    async def _await_callback(self, want: Want) -> None:
        """Waits for a callback that has no answer yet."""
        if want in JOB_WANTS:
            await self._await_job()
            return
        if want not in CALLBACK_WANTS:
            raise UsageError(f"the connection needs {want!r}, and a stream cannot wait for that")
        suspension = self.connection._suspension
        if suspension is not None and not suspension.is_awaited:
            with self._library.CancelScope() as self._answer:
                await suspension.finish(self.connection)
            self._answer = None
        else:
            await self._library.sleep(ASK_AGAIN)

    async def _await_job(self) -> None:
        """Waits for the descriptor of a paused job, or a while; at most ``_LONGEST``, in case another task closes."""
        fds = self.connection.async_fds
        if len(fds) != 1:
            await self._library.sleep(ASK_AGAIN)
            return
        wait_readable = getattr(self._lowlevel, "wait_readable", None) or self._library.wait_readable
        copy = os.dup(fds[0])  # another connection may wait for the same descriptor
        try:
            with self._library.move_on_after(_LONGEST):
                await wait_readable(copy)
        finally:
            os.close(copy)

    async def _flush_replies(self) -> None:
        """Flushes for a reader, which goes on reading if nothing can be sent."""
        try:
            await self._flush()
        except self._library.BrokenResourceError:
            if self._broken or self._send_failure is None:
                raise

    def _is_left_to_writer(self) -> bool:
        is_writing = self._writing or self._send_lock.locked()
        is_due_later = not self._is_urgent and self.connection.version == "TLSv1.3"
        return (is_writing or is_due_later) and sum(map(len, self._unsent)) < _MOST_REPLIES

    async def _fail(self, error: BaseException) -> NoReturn:
        """Raises the exception of a step; if TLS has failed, as the library's exception."""
        if self.connection.failure is not None:
            self._broken = True
            await self._send_alert()
            if isinstance(error, Error):
                raise self._library.BrokenResourceError(str(error)) from error
        raise error

    def _take_unsent(self, was_reading: bool = False) -> None:
        if self.closed or not (data := self.connection.data_to_send()):
            return
        if not self._close_notify_sent and self._send_failure is None:
            self._unsent.append(data)
            if (
                was_reading
                and self._last_finished is not None
                and (finished := self.connection.finished) != self._last_finished
            ):
                self._last_finished, self._is_urgent = finished, True

    async def _send_alert(self) -> None:
        """Sends the alert, unless another task is sending."""
        self._take_unsent()
        if self._unsent and not self._send_lock.locked():
            self._send_lock.acquire_nowait()
            try:
                with contextlib.suppress(self._library.BrokenResourceError, self._library.ClosedResourceError):
                    await self._send_unsent()
            finally:
                self._send_lock.release()

    async def _flush(self) -> None:
        self._check_sending()
        if not self._unsent and not self._send_lock.locked():
            return
        await self._acquire(self._send_lock)
        try:
            self._check_sending()
            while self._unsent:
                await self._send_unsent()
        finally:
            self._send_lock.release()

    async def _send_unsent(self) -> None:
        await self._lowlevel.checkpoint_if_cancelled()
        data = b"".join([*self._tickets, *self._unsent])
        self._tickets, self._unsent, self._is_urgent = [], [], False
        try:
            await self._send(data)
        except self._library.BrokenResourceError as error:
            self._send_failure, self._unsent = error, []
            raise
        except BaseException:
            self._broken = True
            raise

    async def _receive_once(self) -> None:
        received = self._receive_count
        await self._acquire(self._receive_lock)
        try:
            if received != self._receive_count:
                return
            if self._undelivered:
                await self._lowlevel.checkpoint()
            else:
                try:
                    self._undelivered = await self._receive()
                except self._library.BrokenResourceError:
                    self._broken = True
                    raise
            portion = self._undelivered
            if len(portion) > READ:
                kept = memoryview(portion)
                portion, self._undelivered = kept[:READ], kept[READ:]
            else:
                self._undelivered = b""
            if not self.closed:
                self.connection.receive_data(portion)
            self._receive_count += 1
        finally:
            self._receive_lock.release()

    async def _acquire(self, lock: Any) -> None:
        if lock.locked():
            await lock.acquire()
        else:
            lock.acquire_nowait()

    # Checks before an operation

    def _check(self) -> None:
        if self.closed:
            raise self._library.ClosedResourceError("the stream is closed")
        if self._broken:
            failure = self.connection.failure
            if failure is None:
                raise self._library.BrokenResourceError(
                    "an operation on the stream failed, or was cancelled in the middle"
                )
            error = exception_of(failure)
            raise self._library.BrokenResourceError(str(error)) from error

    def _check_readable(self) -> None:
        # Data that was received before the failure can still be read, and so can the end.
        if self.closed or not (self._at_end or self._read_ahead):
            self._check()

    def _check_sending(self) -> None:
        self._check()
        if self._send_failure is not None:
            raise self._library.BrokenResourceError(str(self._send_failure)) from self._send_failure

    def _check_writable(self) -> None:
        self._check_sending()
        if self._close_notify_sent:
            raise self._library.ClosedResourceError("the stream's sending side is closed")


class _Direction:
    """Refuses a second task at the same time, as the context manager of an operation."""

    __slots__ = ("_action", "_busy", "is_taken")

    def __init__(self, action: str, busy: Callable[[str], Exception]) -> None:
        self._action, self._busy, self.is_taken = action, busy, False

    def __enter__(self) -> None:
        if self.is_taken:
            raise self._busy(self._action)
        self.is_taken = True

    def __exit__(self, *_: object) -> None:
        self.is_taken = False


_UNREAD = "the peer has sent data that was not read: read to the end before unwrap()"
