"""A connection over an asynchronous stream of bytes, whichever library runs it.  SSL_do_handshake(3)

Theory of operation ------------------- A ``Connection`` without a transport of its own never waits: a step of it either
comes to something or to ``Want.READ``, and may leave bytes for the peer behind.  An ``AsyncStream`` turns steps into
coroutines.  Between a step and the next await nothing of another task runs, so that what a step said is still true when
the await begins, and exactly one thing is awaited before the step is tried again: bytes are sent, or bytes are
received.

*Sending.*  Bytes of the connection must reach the transport in the order in which OpenSSL made them.  They are kept in
one queue, and only who holds the sending lock takes from it, until it is empty: whoever waits for that lock finds
afterwards that his bytes have been sent.  What was taken and whose sending was interrupted is lost in part, and nobody
knows which: the stream is broken.  Where the transport has failed to send, nothing more is sent, and what is to be sent
is dropped; what the peer had sent before is received to its end, as it is in pyossl/_c/tls/failed_write.c.

*Reading* may leave bytes to be sent too: in TLS 1.3 the answer to a KeyUpdate, before it a part of a renegotiation, or
the alert that refuses one.  An answer to a KeyUpdate is due before our next record and not sooner (RFC 8446, 4.6.3):
it is left to the next write.  A reader that sent it himself would wait where the peer has no room for it, and that
peer may be waiting for the reader, in just the same way; and one who is cancelled while he sends would break the
stream.  For the like reason he leaves whatever it is to a writer that is at work.  Only when a peer has brought so many
answers about that they are no longer small does the reader send them, or wait his turn.  After our close_notify nothing
may follow, and answers are dropped.

In TLS 1.3 a server may ask for the client's certificate after the handshake, and wait for the answer.  So the reader
sends that at once.  Such an answer ends with a new Finished, which OpenSSL remembers: where it has changed, the bytes
that reading has left are such an answer.  A server that does not read the answers can ask no more.

*Receiving.*  Two tasks may need the peer's bytes at once, a reader and one who renegotiates.  One of them receives; the
other waits for the lock and tries his step again.  Nothing is between the transport's bytes and the connection's memory
that can be cancelled: a cancelled read loses none.  Where a transport returns very many bytes at once, the connection
is given a portion of them for each step, with a checkpoint in between: records without data, such as KeyUpdates, cost
as much as any, and their answers add up.

*Tickets.*  A TLS 1.3 server's session tickets go out with its first write, not with the handshake: a client that only
writes and closes would leave them unread, and the kernel answers such a close by a reset (docs/pitfalls.md, 9).
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from types import ModuleType
from typing import Any, NoReturn, TypeVar

from pyossl.core.copying import Uncopied
from pyossl.core.errors import AlertError, Error, NotDueError, TruncationError, UsageError, exception_of
from pyossl.core.outcome import Want
from pyossl.tls.connection import Bytes, Connection

_T = TypeVar("_T")

CHUNK = 131072
"""So many bytes at most are encrypted before they are sent: what a slow peer makes us keep."""
READ = 65536
"""As much as one read returns where the caller leaves it open, and as many bytes of the peer's as a step takes."""
_ANSWERS = 16384
"""So many bytes of answers may wait for a writer before the reader sends them."""
_LAST_WORDS = 1.0
"""Seconds: so long a handshake that can send nothing more waits for the alert that says why."""


class AsyncStream(Uncopied):
    """Drives ``connection`` over a transport.

    ``library`` is the module ``trio`` or ``anyio``, which call their locks, checkpoints and exceptions by the same
    names; ``send`` sends all bytes, ``receive`` returns some, ``b""`` at the end of the transport, and ``busy`` makes
    the exception for two tasks that do the same.  With ``forgives_truncation`` an end of the transport without a
    close_notify is an end like any other.
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
        self.closed = False
        self._library, self._lowlevel = library, library.lowlevel
        self._send, self._receive = send, receive
        self._forgives_truncation = forgives_truncation
        self._broken = self._shaken = self._ended = self._at_end = False
        self._send_failure: Exception | None = None
        self._finished: bytes | None = None  # a client's last Finished
        self._unsent: list[bytes] = []
        self._has_written = False  # the write under way has bytes in a record already
        self._is_awaited = False  # some of the unsent is what the peer waits for
        self._tickets: list[bytes] = []
        self._read: bytes | None = None
        self._received = 0
        self._heard: Bytes = b""  # received, and not given to the connection yet
        self._shaking, self._sending, self._receiving = library.Lock(), library.Lock(), library.Lock()
        self._sender, self._receiver = _Direction("sending on", busy), _Direction("receiving from", busy)
        self._writing = False

    @property
    def is_broken(self) -> bool:
        """Whether nothing more can be sent or received, because of a failure or a cancellation."""
        return self._broken

    # What tasks do

    async def handshake(self) -> None:
        """Finishes the handshake; another task that does so already is waited for."""
        self._check()
        await self._lowlevel.checkpoint_if_cancelled()
        if self._shaken:
            await self._lowlevel.cancel_shielded_checkpoint()
        await self._shake()

    async def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, ``b""`` once the peer has closed."""
        with self._receiver:
            self._check_readable()
            await self._lowlevel.checkpoint_if_cancelled()
            if self._read is None:
                if not self._shaken:
                    await self._shake()
                waited, self._read = await self._read_some(size)
                if waited:
                    return self._take_read(size)
            # Kept meanwhile: asyncio cancels even what is shielded.
            await self._lowlevel.cancel_shielded_checkpoint()
            return self._take_read(size)

    def _take_read(self, size: int) -> bytes:
        data, self._read = self._read or b"", None
        if len(data) > size:
            data, self._read = data[:size], data[size:]
        return data

    async def _read_some(self, size: int) -> tuple[bool, bytes]:
        if self._at_end:
            return False, b""
        try:
            return await self._finish(lambda: self.connection.read(size), reads=True)
        except self._library.BrokenResourceError as error:
            if not (self._forgives_truncation and isinstance(error.__cause__, TruncationError)):
                raise
            self._at_end = True
            return False, b""

    async def write(self, data: Bytes) -> None:
        """Sends all bytes.  Where it raises after the first of them the stream is broken."""
        with self._sender, memoryview(data).cast("B") as view:
            self._check_writable()
            await self._lowlevel.checkpoint_if_cancelled()
            if not self._shaken:
                await self._shake()
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
        _, sent = await self._finish(partial(self.connection.write, chunk))
        self._has_written = True
        while sent < len(chunk):  # a renegotiation came between
            with memoryview(chunk)[sent:] as rest:
                sent += (await self._finish(partial(self.connection.write, rest)))[1]
        await self._flush()

    async def end(self) -> None:
        """Sends close_notify; what the peer sends can still be read.  ``NotImplementedError`` before TLS 1.3."""
        with self._sender:
            self._check_sending()
            await self._lowlevel.checkpoint_if_cancelled()
            await self._shake()
            if self._ended:
                await self._lowlevel.cancel_shielded_checkpoint()
                return
            if self.connection.version != "TLSv1.3":
                raise NotImplementedError(f"{self.connection.version} has no half-close: the peer would close too")
            await self._end()

    async def wait_writable(self, wait: Callable[[], Awaitable[None]]) -> None:
        """Waits with ``wait`` until the transport might take bytes."""
        with self._sender:
            self._check_sending()
            await self._acquire(self._sending)
            try:
                await wait()
            finally:
                self._sending.release()
            if self._unsent:
                await self._flush()

    async def unwrap(self) -> bytes:
        """Exchanges close_notify with the peer; what has been received behind the peer's.

        Raises ``UsageError`` when the peer has sent data that was not read.
        """
        with self._receiver, self._sender:
            self._check_sending()
            await self._lowlevel.checkpoint_if_cancelled()
            await self._shake()
            if self._read:
                raise NotDueError(_UNREAD)
            if not self._ended:
                await self._end()
            if (await self._finish(lambda: self.connection.peek(1)))[1]:
                raise NotDueError(_UNREAD)
            await self._finish(self.connection.shutdown)
            trailing = self.connection._received_beyond() + bytes(self._heard)
            self.close()
            return trailing

    async def say_goodbye(self) -> None:
        """Sends close_notify, once, and waits for nothing but the transport; nothing where it cannot be sent now.

        Before the handshake is finished there is nothing that a close_notify could vouch for, and nobody waits for it.
        """
        if self._broken or not self._shaken or self._writing or self._sending.locked():
            return
        if self._send_failure is not None:
            return
        library = self._library
        # The peer has closed before us, or another task of ours.
        with contextlib.suppress(library.BrokenResourceError, library.ClosedResourceError):
            await self._end()

    def close(self) -> None:
        """Frees the connection; a task that is in another method raises ``ClosedResourceError``."""
        self.closed = True
        self.connection.close()

    # The steps

    async def _shake(self) -> None:
        if self._shaken:
            return
        await self._acquire(self._shaking)
        try:
            if self._shaken:
                return
            self._check_sending()
            try:
                await self._finish(self.connection.handshake)
                if self.connection.context.is_server and self.connection.version == "TLSv1.3":
                    self._tickets, self._unsent = self._unsent, []
                elif not self.connection.context.is_server:
                    self._finished = self.connection.finished
                await self._flush()
            except self._library.BrokenResourceError:
                if self._send_failure is not None:
                    await self._hear_last_words()
                raise
            self._shaken = True
        finally:
            self._shaking.release()

    async def _hear_last_words(self) -> None:
        """Raises what the peer says of why it takes no more of the handshake; nothing where it does not say."""
        self._unsent = []
        said: bytes | Want | Error = Want.READ
        with contextlib.suppress(self._library.BrokenResourceError), self._library.move_on_after(_LAST_WORDS):
            while said is Want.READ and not self.closed:
                await self._fill()
                try:
                    said = self.connection.peek(1)
                except Error as error:
                    said = error
        if isinstance(said, AlertError):
            await self._fail(said)

    async def _end(self) -> None:
        if not self._ended:
            await self._finish(self._shut)
            self._ended = True
        await self._flush()

    def _shut(self) -> None:
        self.connection.shutdown()  # the peer's close_notify is somebody else's to wait for

    async def _finish(self, step: Callable[[], _T | Want], *, reads: bool = False) -> tuple[bool, _T]:
        """Repeats a step until it comes to something: whether there was a wait, and what it came to."""
        waited = False
        while True:
            if self.closed:
                raise self._library.ClosedResourceError("the stream was closed by another task")
            try:
                result = step()
            except BaseException as error:
                await self._fail(error)
            if not isinstance(result, Want):
                if not reads:  # what reading leaves waits for the next step
                    self._take_unsent()
                return waited, result
            self._take_unsent(reads)
            if result is not Want.READ:
                raise UsageError(f"the connection came to {result!r}, which a stream cannot wait for")
            if not reads and self.connection.pending and not self._receiver.is_taken:
                raise NotDueError("the peer has sent data in a renegotiation: it has to be received first")
            if self._unsent and not (reads and self._is_left_to_a_writer()):
                await self._flush_answers() if reads else await self._flush()
            else:
                await self._fill()
            waited = True

    async def _flush_answers(self) -> None:
        """As ``_flush``, for a reader, who reads on where nothing can be sent."""
        try:
            await self._flush()
        except self._library.BrokenResourceError:
            if self._broken or self._send_failure is None:
                raise

    def _is_left_to_a_writer(self) -> bool:
        comes = self._writing or self._sending.locked()
        is_due_later = not self._is_awaited and self.connection.version == "TLSv1.3"
        return (comes or is_due_later) and sum(map(len, self._unsent)) < _ANSWERS

    async def _fail(self, error: BaseException) -> NoReturn:
        """Raises what a step has raised, as the library's exception where TLS has failed."""
        if self.connection.failure is not None:
            self._broken = True
            await self._send_alert()
            if isinstance(error, Error):
                raise self._library.BrokenResourceError(str(error)) from error
        raise error

    def _take_unsent(self, was_reading: bool = False) -> None:
        if self.closed or not (data := self.connection.data_to_send()):
            return
        if not self._ended and self._send_failure is None:
            self._unsent.append(data)
            if was_reading and self._finished is not None and (finished := self.connection.finished) != self._finished:
                self._finished, self._is_awaited = finished, True

    async def _send_alert(self) -> None:
        """Tells the peer why, if that needs nobody's turn."""
        self._take_unsent()
        if self._unsent and not self._sending.locked():
            self._sending.acquire_nowait()
            try:
                with contextlib.suppress(self._library.BrokenResourceError, self._library.ClosedResourceError):
                    await self._send_unsent()
            finally:
                self._sending.release()

    async def _flush(self) -> None:
        self._check_sending()
        if not self._unsent and not self._sending.locked():
            return
        await self._acquire(self._sending)
        try:
            self._check_sending()
            while self._unsent:
                await self._send_unsent()
        finally:
            self._sending.release()

    async def _send_unsent(self) -> None:
        await self._lowlevel.checkpoint_if_cancelled()
        data = b"".join([*self._tickets, *self._unsent])
        self._tickets, self._unsent, self._is_awaited = [], [], False
        try:
            await self._send(data)
        except self._library.BrokenResourceError as error:
            self._send_failure, self._unsent = error, []
            raise
        except BaseException:
            self._broken = True
            raise

    async def _fill(self) -> None:
        received = self._received
        await self._acquire(self._receiving)
        try:
            if received != self._received:
                return
            if self._heard:
                await self._lowlevel.checkpoint()
            else:
                try:
                    self._heard = await self._receive()
                except self._library.BrokenResourceError:
                    self._broken = True
                    raise
            portion = self._heard
            if len(portion) > READ:
                kept = memoryview(portion)
                portion, self._heard = kept[:READ], kept[READ:]
            else:
                self._heard = b""
            if not self.closed:
                self.connection.receive_data(portion)
            self._received += 1
        finally:
            self._receiving.release()

    async def _acquire(self, lock: Any) -> None:
        if lock.locked():
            await lock.acquire()
        else:
            lock.acquire_nowait()

    # Whether it can be done at all

    def _check(self) -> None:
        if self.closed:
            raise self._library.ClosedResourceError("the stream is closed")
        if self._broken:
            failure = self.connection.failure
            if failure is None:
                raise self._library.BrokenResourceError("an operation on the stream failed, or was cancelled half-way")
            error = exception_of(failure)
            raise self._library.BrokenResourceError(str(error)) from error

    def _check_readable(self) -> None:
        # What was received before the failure, or stands for it, can be had after it.
        if self.closed or not (self._at_end or self._read):
            self._check()

    def _check_sending(self) -> None:
        self._check()
        if self._send_failure is not None:
            raise self._library.BrokenResourceError(str(self._send_failure)) from self._send_failure

    def _check_writable(self) -> None:
        self._check_sending()
        if self._ended:
            raise self._library.ClosedResourceError("the stream's sending side is closed")


class _Direction:
    """What one task at a time may do, for a ``with`` statement."""

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
