"""PEM and DER: reading the sources, and calling OpenSSL's readers and writers.

How PEM and DER are distinguished
---------------------------------
OpenSSL's PEM readers skip everything before a block.  So they find a block that a certificate in DER quotes in an
extension.  They also read a long line in pieces, and find a block that begins in the middle of it.  Every reader of
pyossl calls ``pem_text`` first, and passes only the blocks that it returns to OpenSSL.

PEM is text: it has a line that begins with ``-----BEGIN``, and everything before this line is text too, in any encoding
that is ASCII below 128.  No DER that is read here is text: a certificate, CRL, key, session or PKCS#12 begins with
headers (a tag and a length), followed by an INTEGER or an OBJECT IDENTIFIER.  Their tags are control characters, which
text does not contain, and they come before any byte that the author of the file can choose.  The first byte alone
does not decide it: a SEQUENCE begins with 0x30, and so does the line ``0 s:CN=example.com`` of s_client(1).
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from pyossl.bio.bio import BIO
from pyossl.core import ffi, lib, own
from pyossl.core.arguments import path
from pyossl.core.errors import DecodeError, Error, check, failed
from pyossl.core.outcome import take_records

Source = str | os.PathLike[str] | bytes
"""The path of a file, or the PEM or DER itself as ``bytes``."""


def source_bytes(source: Source) -> bytes:
    """The bytes of a source, PEM or DER.

    Raises ``OSError`` if the file cannot be read, and ``TypeError`` if the source is neither a path nor bytes.
    """
    if isinstance(source, bytes):
        return source
    given = path(source, "a source that is not bytes")
    if isinstance(given, str) and "-----BEGIN" in given:
        # The error of open() would show the text, which may be a private key.
        raise TypeError("PEM is given as bytes: a str is the path of a file")
    with open(given, "rb") as file:
        return file.read()


def describe(source: Source) -> str:
    """The source for an error message, without its contents."""
    return f"{len(source)} bytes" if isinstance(source, bytes) else repr(os.fspath(source))


_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FIRST_LINE = re.compile(rb"^-----BEGIN ", re.MULTILINE)
_BLOCK = re.compile(rb"^-----BEGIN .*?(?:^-----END [^\n]*|\Z)", re.MULTILINE | re.DOTALL)
# The control characters that text does not contain: all but BEL to SI, SUB and ESC.
_NO_TEXT = re.compile(rb"[\x00-\x06\x10-\x19\x1c-\x1f]")


def pem_text(data: bytes) -> bytes:
    """The PEM blocks in ``data``, without the text between them; empty if ``data`` is not PEM."""
    text = data.removeprefix(_BYTE_ORDER_MARK)
    first = _FIRST_LINE.search(text)
    if first is None or _NO_TEXT.search(text, 0, first.start()):
        return b""
    return b"".join(block.group() + b"\n" for block in _BLOCK.finditer(text, first.start()))


def is_pem(data: bytes) -> bool:
    """Whether ``data`` is PEM, and not DER."""
    return bool(pem_text(data))


def pem_file(path: bytes) -> bytes:
    """The path of a file that OpenSSL is to open and read as PEM.

    If the file is DER that quotes PEM, the path of an empty file.
    """
    with contextlib.suppress(OSError):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                data = file.read()
            if b"-----BEGIN " in data and not is_pem(data):
                return os.fsencode(os.devnull)
    return path


class Block(NamedTuple):
    """One PEM block, or DER if ``label`` is empty."""

    label: str
    header: bytes
    der: bytes

    def pem(self) -> bytes:
        """The block in PEM, as OpenSSL writes it.  PEM_write_bio(3)"""
        label = self.label.encode("latin-1")
        return output_of(lib.PEM_write_bio, label, self.header, self.der, len(self.der))


def pem_blocks(text: bytes, reading: str) -> tuple[list[Block], Error | None]:
    """The blocks in PEM text, and the error if one is malformed; no block after it is read.

    PEM_read_bio(3)
    """
    bio = BIO.memory(text)
    out, data, length = ffi.new("char *[2]"), ffi.new("unsigned char **"), ffi.new("long *")
    blocks: list[Block] = []
    take_records()
    while lib.PEM_read_bio(bio._bio, out, out + 1, data, length) == 1:
        label, header, der = (own(pointer, lib.OPENSSL_free) for pointer in (out[0], out[1], data[0]))
        name = ffi.string(label).decode("latin-1")
        blocks.append(Block(name, ffi.string(header), bytes(ffi.buffer(der, length[0]))))
    if _is_at_the_end():
        take_records()
        return blocks, None
    # OpenSSL reports no error for some malformed blocks.
    if lib.ERR_peek_error() == 0:
        return blocks, DecodeError(f"{reading} failed: one of its PEM blocks is malformed")
    return blocks, failed(reading, DecodeError)


def _is_at_the_end() -> bool:
    """Whether a PEM reader has failed because there are no more blocks."""
    last = lib.ERR_peek_last_error()
    return bool(lib.ERR_GET_LIB(last) == lib.ERR_LIB_PEM and lib.ERR_GET_REASON(last) == lib.PEM_R_NO_START_LINE)


def element_end(data: bytes, start: int = 0) -> int | None:
    """The end of the DER or BER element that begins at ``start``; None if it is malformed or cut short.

    ASN1_get_object(3)
    """
    at, unended = start, 0
    try:
        while True:
            if unended and data[at : at + 2] == b"\0\0":
                at, unended = at + 2, unended - 1
            else:
                at, length = _header(data, at)
                if length is None:
                    unended += 1
                    continue
                at += length
            if at > len(data):
                return None
            if not unended:
                return at
    except IndexError:
        return None


def _header(data: bytes, at: int) -> tuple[int, int | None]:
    """Where the content of an element begins, and its length; None if an end marker follows the content."""
    tag, at = data[at], at + 1
    if tag & _HIGH_TAG == _HIGH_TAG:
        while data[at] & _LONG:
            at += 1
        at += 1
    first, at = data[at], at + 1
    if not first & _LONG:
        return at, first
    count = first & ~_LONG
    if not count:
        return at, None
    return at + count, int.from_bytes(data[at : at + count], "big")


_HIGH_TAG = 0x1F
_LONG = 0x80


def check_nothing_follows(data: bytes, reading: str) -> None:
    """Raises ``DecodeError`` if bytes follow the first DER element.  Malformed DER is left to OpenSSL."""
    end = element_end(data)
    if end is not None and end < len(data):
        raise DecodeError(f"{reading} failed: {len(data) - end} bytes follow it")


def read_der(
    data: bytes, what: str, free: Callable[[Any], Any], d2i: Callable[..., Any], new: Callable[[], Any] | None = None
) -> Any:
    """The pointer to the one object in DER, owned.

    ``what`` names the object in error messages.  ``new`` makes an empty object of a library context to read into.
    Raises ``DecodeError`` for other data, and if bytes follow the object.
    """
    reading = f"reading a {what} from {describe(data)}"
    check_nothing_follows(data, reading)
    take_records()
    pointer = read_into(new, free, d2i, BIO.memory(data)._bio)
    if pointer == ffi.NULL:
        raise _undecoded(reading)
    owned = own(pointer, free)
    take_records()
    return owned


def bio_contents(bio: BIO) -> bytes:
    """All bytes that were written to a memory BIO."""
    data = bio.read()
    return data if isinstance(data, bytes) else b""


def output_of(write: Callable[..., int], *arguments: Any) -> bytes:
    """The bytes that one of OpenSSL's writers, for example i2d_X509_bio(3), writes to a BIO."""
    bio = BIO.memory()
    take_records()
    check(write(bio._bio, *arguments), _name_of(write))
    return bio_contents(bio)


def der_of(i2d: Callable[[Any, Any], int], pointer: Any) -> bytes:
    """The DER of an object, by an ``i2d_*`` function that does not write to a BIO.  i2d_X509(3)"""
    out = ffi.new("unsigned char **")
    length = check(i2d(pointer, out), _name_of(i2d))
    return bytes(ffi.buffer(own(out[0], lib.OPENSSL_free), length))


def _name_of(function: Any) -> str:
    return str(getattr(function, "__name__", function))


def read_every(
    source: Source,
    what: str,
    label: str,
    free: Callable[[Any], Any],
    pem: Callable[..., Any],
    d2i: Callable[..., Any],
    new: Callable[[], Any] | None = None,
) -> list[Any]:
    """The pointers to all objects in a source, owned: PEM blocks with this label, or DER one after the other.

    ``what`` names an object in error messages.  ``new`` makes an empty object of a library context to read into.
    Raises ``DecodeError`` if there is none, or if one is malformed or cut short.
    """
    data = source_bytes(source)
    reading = f"reading a {what} from {describe(source)}"
    text = pem_text(data)
    bio = BIO.memory(text or data)
    take_records()
    found: list[Any] = []
    if not text:
        while not found or lib.BIO_ctrl_pending(bio._bio) > 0:
            pointer = read_into(new, free, d2i, bio._bio)
            if pointer == ffi.NULL:
                raise _undecoded(reading)
            found.append(own(pointer, free))
        take_records()  # OpenSSL leaves errors of a CRL's extensions there, and continues
        return found
    while True:
        pointer = read_into(new, free, pem, bio._bio, lib.pyossl_password_callback, ffi.NULL)
        if pointer != ffi.NULL:
            found.append(own(pointer, free))
            continue
        if not _is_at_the_end():
            raise _undecoded(reading)
        take_records()
        if not found:
            raise DecodeError(f"{reading} failed: it holds no {label}, only other PEM")
        return found


def read_into(
    new: Callable[[], Any] | None, free: Callable[[Any], Any], read: Callable[..., Any], bio: Any, *more: Any
) -> Any:
    """The result of one of OpenSSL's readers, which reads into the object that ``new`` makes.  d2i_X509(3)

    An object keeps the library context that it was made with.
    """
    if new is None:
        return read(bio, ffi.NULL, *more)
    empty = new()
    place = ffi.new(ffi.getctype(ffi.typeof(empty), "*"), empty)
    pointer = read(bio, place, *more)
    if pointer == ffi.NULL and place[0] != ffi.NULL:  # the reader frees it only if it has begun to read into it
        free(place[0])
    return pointer


def _undecoded(reading: str) -> Error:
    # OpenSSL reports no error if the data ends before the first byte of an object.
    if lib.ERR_peek_error() == 0:
        return DecodeError(f"{reading} failed: it is empty, or cut short")
    return failed(reading, DecodeError)
