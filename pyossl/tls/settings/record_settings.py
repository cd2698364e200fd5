"""Records: how long those are that a context's connections send, and how they are padded.

SSL_CTX_set_max_send_fragment(3), SSL_CTX_set_block_padding(3), SSL_CTX_set_tlsext_max_fragment_length(3)

A record shows its length on the network, also when it is encrypted.  In TLS 1.3 a record can be padded.
"""

from __future__ import annotations

from typing import Any

from pyossl.core import ffi, lib
from pyossl.core.arguments import function, integer
from pyossl.core.errors import UsageError, check, require
from pyossl.core.outcome import take_records
from pyossl.core.parked_exceptions import callback
from pyossl.tls.callbacks.callbacks import Callbacks, RecordPaddingCallback
from pyossl.tls.settings.context_state import ContextState

_SHORTEST_FRAGMENT = 512
_LONGEST: int = lib.PYOSSL_RECORD
_PADDING_FAILED = -1
_MOST_PIPELINES: int = lib.SSL_MAX_PIPELINES
_LENGTHS = {
    None: lib.TLSEXT_max_fragment_length_DISABLED,
    512: lib.TLSEXT_max_fragment_length_512,
    1024: lib.TLSEXT_max_fragment_length_1024,
    2048: lib.TLSEXT_max_fragment_length_2048,
    4096: lib.TLSEXT_max_fragment_length_4096,
}
_LENGTH_OF = {mode: length for length, mode in _LENGTHS.items()}


def fragment_length_of(session: Any) -> int | None:
    """The length that an ``SSL_SESSION *`` was negotiated with; None for no limit of its own, or for NULL.

    SSL_SESSION_get_max_fragment_length(3)
    """
    return None if session == ffi.NULL else _LENGTH_OF.get(lib.SSL_SESSION_get_max_fragment_length(session))


class RecordSettings(ContextState):
    """The length and the padding of the records of a context."""

    __slots__ = ()

    def set_max_send_fragment(self, size: int) -> None:
        """Sets that a record holds at most ``size`` bytes of data, 512 to 16384; OpenSSL's default is 16384.

        Short records reach the peer's program sooner over a slow network, and cost more work.  Raises ``ValueError``
        for another size.  SSL_CTX_set_max_send_fragment(3)
        """
        self._change()
        take_records()
        size = integer(size, "the size of a fragment", _SHORTEST_FRAGMENT, _LONGEST)
        check(lib.SSL_CTX_set_max_send_fragment(self._ctx, size), "SSL_CTX_set_max_send_fragment")

    def set_max_fragment_length(self, length: int | None) -> None:
        """Makes a client ask servers for records of ``length`` bytes at most: 512, 1024, 2048 or 4096; None for any.

        Both sides keep to it, if the server agrees: ``Connection.max_fragment_length``.  A client with little memory
        needs it.  Raises ``ValueError`` for another length, ``UsageError`` on a server's context.
        SSL_CTX_set_tlsext_max_fragment_length(3), RFC 6066, 4
        """
        self._change()
        if length is not None:
            integer(length, "a fragment length", _SHORTEST_FRAGMENT, _LONGEST)
        if self.is_server:
            raise UsageError("set_max_fragment_length is only for clients: a server agrees to what a client asks for")
        if length not in _LENGTHS:
            raise ValueError(f"a fragment length is 512, 1024, 2048, 4096 or None, not {length}")
        take_records()
        mode = _LENGTHS[length]
        check(lib.SSL_CTX_set_tlsext_max_fragment_length(self._ctx, mode), "SSL_CTX_set_tlsext_max_fragment_length")

    def set_block_padding(self, size: int, *, handshake: int | None = None) -> None:
        """Pads TLS 1.3 records so that their length is a multiple of ``size`` bytes, 1 to 16384; 0 or 1 for no padding.

        - ``handshake``: the same for the records of the handshake and for alerts; None for ``size``.  Another value
          than ``size`` needs OpenSSL 3.4 or newer, otherwise it raises ``UnsupportedError``.

        A record is not padded beyond its longest length (``set_max_send_fragment``).  A callback for padding replaces
        this.  Raises ``ValueError`` for another size.  SSL_CTX_set_block_padding(3)
        """
        self._change()
        size = integer(size, "a block", 0, _LONGEST)
        other = size if handshake is None else integer(handshake, "a block of the handshake", 0, _LONGEST)
        take_records()
        if other == size:
            check(lib.SSL_CTX_set_block_padding(self._ctx, size), "SSL_CTX_set_block_padding")
        else:
            require(lib.HAVE_API_3_4, "padding of its own for the handshake")
            check(lib.SSL_CTX_set_block_padding_ex(self._ctx, size, other), "SSL_CTX_set_block_padding_ex")

    @property
    def record_padding_callback(self) -> RecordPaddingCallback | None:
        """A callback that chooses the padding of each TLS 1.3 record, ``callback(connection, type, length)``, or None.

        ``type`` is the content type, for example 23 for data and 22 for the handshake.  ``length`` is the number of
        bytes in the record, one more than those of the data.  The callback returns how many zero bytes to add, 0 to
        16384.  OpenSSL adds fewer if the record would become too long, and does not ask about full records.  If the
        callback raises, the record gets all the padding that fits, and the call of the connection raises.
        SSL_CTX_set_record_padding_callback(3)
        """
        return self._callbacks.record_padding

    @record_padding_callback.setter
    def record_padding_callback(self, callback: RecordPaddingCallback | None) -> None:
        self._change()
        function(callback, "a callback for record padding")
        self._callbacks.record_padding = callback
        lib.pyossl_set_record_padding(self._ctx, callback is not None)

    def set_pipelines(self, count: int, size: int) -> None:
        """Divides what a write sends into up to ``count`` records of ``size`` bytes, to encrypt them at the same time.

        - ``count``: 1 to 32; 1, the default, is no pipeline.
        - ``size``: the data of each record, 1 to 16384 bytes.

        OpenSSL does this only with the ciphers of an engine that can encrypt several records in one call, in TLS 1.1
        and 1.2, and has no function that says whether it does.  Its own ciphers, those of providers, and OpenSSL 4.0,
        which has no engines, never do: then the records are encrypted one after the other, from OpenSSL 3.0 on in that
        size, and before in their usual one.  Raises ``ValueError`` for other numbers, also for a ``size`` above that of
        ``set_max_send_fragment``.
        SSL_CTX_set_max_pipelines(3), SSL_CTX_set_split_send_fragment(3)
        """
        self._change()
        count = integer(count, "the number of pipelines", 1, _MOST_PIPELINES)
        size = integer(size, "the size of a fragment", 1, _LONGEST)
        take_records()
        if not lib.SSL_CTX_set_split_send_fragment(self._ctx, size):
            raise ValueError(f"the size of a fragment is at most that of set_max_send_fragment, not {size}")
        check(lib.SSL_CTX_set_max_pipelines(self._ctx, count), "SSL_CTX_set_max_pipelines")


@callback(_PADDING_FAILED)
def pyossl_on_record_padding(handle: Any, content_type: int, length: int) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)

    def question(connection: Any) -> int:
        ask = callbacks.of_context.record_padding
        return (
            0 if ask is None else integer(ask(connection, content_type, length), "the padding of a record", 0, _LONGEST)
        )

    return int(callbacks.ask(question, _PADDING_FAILED))
