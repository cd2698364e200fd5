"""Odd values for arguments, and the exceptions that a program may get for one."""

from __future__ import annotations

import array
import asyncio
import contextlib
import datetime
import decimal
import enum
import fractions
import ipaddress
import math
import pathlib
import re
import socket
import types
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

import pyossl

AUTHORITY = pyossl.Authority()
OWN = AUTHORITY.issue("example.com", "127.0.0.1", "localhost")
CLIENT = pyossl.Context.client(trust=AUTHORITY.certificate)
SERVER = pyossl.Context.server(OWN.certificate, OWN.private_key)


class _Number(enum.IntEnum):
    ONE = 1


class _OfAnotherKind:
    """An object without attributes."""


class _NoIndex:
    def __index__(self) -> int:
        raise ValueError("this object is no index, whatever it seems")


def _released() -> memoryview:
    view = memoryview(b"abc")
    view.release()
    return view


def _closed_socket() -> socket.socket:
    sock = socket.socket()
    sock.close()
    return sock


def _plain(value: Any) -> Callable[[], Any]:
    return lambda: value


NUMBERS: tuple[Any, ...] = (
    True, False, 0, 1, -1, -2, 6, 99, 2**15, 2**16, 2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64, 2**70,
    -(2**31) - 1, -(2**63) - 1, -(2**70), 10**400, -(10**400), 0.0, 1.5, -1.5, 1e300, math.nan, math.inf, -math.inf,
    1j, decimal.Decimal("1.5"), decimal.Decimal("NaN"), decimal.Decimal("sNaN"), fractions.Fraction(1, 3), _Number.ONE,
)  # fmt: skip

TEXTS: tuple[Any, ...] = (
    "", " ", "x", "\0", "x\0y", "\ud800", "x\udcff", "ä", "x" * 300, "x" * 70_000, "a b", "-1", "1", "%s{}", "\n",
    "-----BEGIN CERTIFICATE-----", "/", "2026-01-01",
)  # fmt: skip

BYTES: tuple[Any, ...] = (b"", b"x", b"\0", b"x\0y", b"\xff\xfe", b"x" * 300, b"0" * 70_000)

BUFFERS: tuple[Callable[[], Any], ...] = (
    lambda: bytearray(),
    lambda: bytearray(b"x"),
    lambda: memoryview(b"abcdef"),
    lambda: memoryview(b"abcdef")[::2],
    lambda: memoryview(b"abcdef")[::-1],
    lambda: memoryview(b"abcdef").cast("B", (2, 3)),
    lambda: array.array("i", [1, 2]),
    lambda: memoryview(array.array("d", [1.5])),
    _released,
)

MOMENTS: tuple[Any, ...] = (
    datetime.date(2026, 1, 1),
    datetime.datetime(2026, 1, 1),
    datetime.datetime(1, 1, 1, tzinfo=datetime.timezone.utc),
    datetime.datetime.max.replace(tzinfo=datetime.timezone.utc),
    datetime.datetime.max.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=-12))),
    datetime.time(1),
    datetime.timedelta(days=1),
)

SEVERAL: tuple[Callable[[], Any], ...] = (
    list,
    lambda: (),
    dict,
    lambda: set(),
    lambda: [None],
    lambda: [5],
    lambda: ["x", 5],
    lambda: ["x", b"x"],
    lambda: [b"x", "x"],
    lambda: ["\ud800"],
    lambda: [""],
    lambda: [[]],
    lambda: (1, 2),
    lambda: ("x",),
    lambda: ("x", 1),
    lambda: ("127.0.0.1", -1),
    lambda: ("127.0.0.1", 2**70),
    lambda: ("127.0.0.1", None),
    lambda: ("127.0.0.1", True),
    lambda: ("127.0.0.1", 1.5),
    lambda: ("127.0.0.1", "\ud800"),
    lambda: ("127.0.0.1", "\0"),
    lambda: (b"127.0.0.1", 1),
    lambda: ("\0", 1),
    lambda: ("\ud800", 1),
    lambda: ("x" * 300, 1),
    lambda: ("", 1),
    lambda: (None, 1),
    lambda: {"x": 1},
    lambda: {1: "x"},
    lambda: (each for each in ["x", 5]),
    lambda: iter(()),
    lambda: range(3),
    lambda: [OWN.certificate, None],
    lambda: [OWN.certificate, OWN.private_key],
    lambda: [OWN.certificate, "x"],
    lambda: (OWN.certificate, OWN.certificate, OWN.certificate),
)

THINGS: tuple[Callable[[], Any], ...] = (
    _plain(None),
    _plain(...),
    _plain(object()),
    _OfAnotherKind,
    _NoIndex,
    _plain(object),
    _plain(int),
    _plain(str),
    _plain(types),
    _plain(pyossl.Certificate),
    _plain(pyossl.Context),
    _plain(pyossl.BIO),
    _plain(pyossl.ffi.NULL),
    lambda: pyossl.ffi.new("int *"),
    _plain(pathlib.Path("no-such-file")),
    _plain(pathlib.Path(".")),
    lambda: lambda: None,
    lambda: lambda a, b, c, d, e, f: None,
    _plain(ipaddress.ip_address("127.0.0.1")),
    _plain(ipaddress.ip_network("127.0.0.0/24")),
    _closed_socket,
    _plain(OWN),
    _plain(OWN.certificate),
    _plain(OWN.private_key),
    lambda: OWN.private_key.public_key,
    lambda: OWN.certificate.subject_name,
    _plain(AUTHORITY),
    _plain(CLIENT),
    _plain(SERVER),
    lambda: pyossl.GeneralNameType.DNS,
    lambda: pyossl.Store.empty(),
    lambda: pyossl.BIO.memory(),
    lambda: pyossl.BufferFilter(),
    lambda: pyossl.Connection(CLIENT, "example.com"),
    lambda: pyossl.Connection(SERVER),
    lambda: pyossl.Want.READ,
    lambda: pyossl.Version.TLSv1_2,
    lambda: pyossl.Options.NO_COMPRESSION,
    lambda: pyossl.PKCS12(OWN.private_key),
    lambda: re.compile("x"),
    lambda: ValueError("x"),
)

LISTED: tuple[Callable[[], Any], ...] = (
    *map(_plain, (*NUMBERS, *TEXTS, *BYTES, *MOMENTS)),
    *BUFFERS,
    *SEVERAL,
    *THINGS,
)

_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.binary(max_size=6), st.complex_numbers(), st.datetimes(),
    st.text(st.characters(codec=None, exclude_categories=()), max_size=6),
)  # fmt: skip
ANY: st.SearchStrategy[Any] = st.recursive(
    st.one_of(_SCALARS, st.sampled_from(LISTED).map(lambda make: make())),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.text(max_size=2), st.integers()), inner, max_size=2),
        st.lists(inner, max_size=2).map(iter),
    ),
    max_leaves=4,
)

_ACCIDENTS = re.compile(
    r"cdata '[^']*' (has|does|is) no|initializer|has no attribute|object is not (iterable|callable|subscriptable)|"
    r"has no len\(\)|"
    r"not supported between|unsupported operand|bad operand|cannot be interpreted as an integer|must be real number|"
    r"^'[\w-]+' codec can't|positional argument|unexpected keyword|unhashable|object does not support|"
    r"can't concat|embedded null|argument of type|not in range\(|values to unpack|returned a result with|"
    r"string argument without an encoding|Exceeds the limit|argument should be a|"
    r"must be str, bytes or bytearray|is not a container|sequence item|expected str instance|can only join|"
    r"cannot convert float|an integer is required|expected a readable buffer|byte must be in range|arg(ument)? \d",
    re.IGNORECASE,
)
"""The words of Python's and cffi's messages for an argument that pyossl did not check."""


def why_refused(error: BaseException) -> str | None:
    """None if this exception is right for a wrong argument; else a text that says what is wrong with it."""
    if not isinstance(error, (TypeError, ValueError, OSError, pyossl.Error)):
        return f"{type(error).__name__}: {error}"
    if isinstance(error, UnicodeError) and not type(error).__module__.startswith(
        "idna"
    ):  # idna's text says what is wrong
        return f"no sentence, but {type(error).__name__}: {error}"
    said = str(error)
    if not said or " " not in said.strip() or _ACCIDENTS.search(said):
        return f"no sentence: {type(error).__name__}: {said!r}"
    return None


@contextlib.contextmanager
def no_names_looked_up(monkeypatch: Any) -> Iterator[None]:
    """Only the loopback is reached: the resolver takes numeric addresses, and never sends a query."""
    resolve = socket.getaddrinfo

    def numbers(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
        return resolve(host, port, family, type, proto, flags | socket.AI_NUMERICHOST)

    monkeypatch.setattr(socket, "getaddrinfo", numbers)
    yield


async def bounded(call: Any, seconds: float = 5) -> Any:
    """The result of a coroutine, within a time limit."""
    return await asyncio.wait_for(call, seconds)
