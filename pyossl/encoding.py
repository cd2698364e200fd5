"""PEM and DER: where encoded things come from, and how OpenSSL's readers and writers of them are called."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

from pyossl._lib import ffi, lib, own
from pyossl.bio import BIO
from pyossl.errors import DecodeError, Error, check, failed
from pyossl.outcome import take_records

Source = str | os.PathLike[str] | bytes
"""Where an encoded thing is: a file's path, or the bytes themselves."""

Password = str | bytes | Callable[[], str | bytes]
"""A password, or a function that is asked for it when it turns out to be needed."""


def encoded(source: Source) -> bytes:
    """The bytes of a source: PEM text (as ``str`` it is a path) or DER.

    Raises ``OSError`` where a file cannot be read, ``TypeError`` for anything else than a path or bytes.
    """
    if isinstance(source, bytes):
        return source
    if isinstance(source, str) and "-----BEGIN" in source:
        # The error of open() would show what may be a private key.
        raise TypeError("PEM is given as bytes: a str is the path of a file")
    with open(os.fspath(source), "rb") as file:
        return file.read()


def describe(source: Source) -> str:
    """How an error message names a source; never its contents."""
    return f"{len(source)} bytes" if isinstance(source, bytes) else repr(os.fspath(source))


def is_pem(data: bytes) -> bool:
    """Whether these bytes are PEM text, and not DER."""
    return b"-----BEGIN" in data


def contents(bio: BIO) -> bytes:
    """All that was written to a memory BIO."""
    data = bio.read()
    return data if isinstance(data, bytes) else b""


def written(write: Callable[..., int], *arguments: Any) -> bytes:
    """What one of OpenSSL's writers, such as i2d_X509_bio(3), writes to a BIO."""
    bio = BIO.memory()
    take_records()
    check(write(bio._bio, *arguments), _name_of(write))
    return contents(bio)


def der(i2d: Callable[[Any, Any], int], pointer: Any) -> bytes:
    """The DER of an object for which OpenSSL has an ``i2d_x`` function, and none that writes to a BIO.  i2d_X509(3)"""
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
) -> list[Any]:
    """The pointers to every ``what`` in a source, owned: the PEM blocks of that label, or DER one after the other.

    Raises ``DecodeError`` when there is none, or when one is malformed or cut.
    """
    data = encoded(source)
    reading = f"reading a {what} from {describe(source)}"
    bio = BIO.memory(data)
    take_records()
    found: list[Any] = []
    if not is_pem(data):
        while not found or lib.BIO_ctrl_pending(bio._bio) > 0:
            pointer = d2i(bio._bio, ffi.NULL)
            if pointer == ffi.NULL:
                raise _undecoded(reading)
            found.append(own(pointer, free))
        return found
    while True:
        pointer = pem(bio._bio, ffi.NULL, lib.pyossl_password_callback, ffi.NULL)
        if pointer != ffi.NULL:
            found.append(own(pointer, free))
            continue
        last = lib.ERR_peek_last_error()
        if lib.ERR_GET_LIB(last) != lib.ERR_LIB_PEM or lib.ERR_GET_REASON(last) != lib.PEM_R_NO_START_LINE:
            raise _undecoded(reading)
        take_records()
        if not found:
            raise DecodeError(f"{reading} failed: it holds no {label}, only other PEM")
        return found


def _undecoded(reading: str) -> Error:
    # Of what ends before it has begun OpenSSL says nothing.
    if lib.ERR_peek_error() == 0:
        return DecodeError(f"{reading} failed: it is empty, or cut short")
    return failed(reading, DecodeError)


def c_string(value: str, what: str) -> bytes:
    """``value`` for a function that takes it up to a NUL; ``ValueError`` where that would cut it."""
    if not isinstance(value, str):
        raise TypeError(f"{what} is a str, not {type(value).__name__}")
    if "\0" in value:
        raise ValueError(f"{what} cannot contain a NUL: {value!r}")
    return value.encode()


def password_bytes(password: Password) -> bytes:
    """The bytes of a password, in UTF-8 where it is ``str``; a function is asked for it."""
    known = password() if callable(password) else password
    if isinstance(known, str):
        return known.encode()
    if isinstance(known, bytes):
        return known
    raise TypeError(f"a password is str or bytes, not {type(known).__name__}")


MOST_ITERATIONS: int = lib.PYOSSL_MOST_ITERATIONS
"""How often a password may be hashed for all that one file locks with it: ten million times, which takes seconds."""


def check_iterations(iterations: int, what: str) -> None:
    """Raises ``DecodeError`` for a file that asks for more, before any of them is done."""
    if iterations > MOST_ITERATIONS:
        raise DecodeError(
            f"{what} would take {iterations} iterations of its password's hash or more, "
            f"and {MOST_ITERATIONS} are allowed"
        )


def cryptography(module: str) -> Any:
    """A module of the package ``cryptography``, which is imported only where one of its objects is asked for.

    Raises ``ImportError`` where that package is not installed.
    """
    try:
        return importlib.import_module(f"cryptography.{module}")
    except ModuleNotFoundError as error:
        raise ImportError(f"this needs the package cryptography, which is not installed ({error})") from error
