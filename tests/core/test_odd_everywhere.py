"""Each public function, constructor, method and setter is called with odd values, one argument at a time.

The names are found by introspection (odd_cases.py), so that new ones are tested too.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import math
import pathlib
import socket
import warnings
from collections.abc import Iterator
from typing import Any

import anyio
import anyio.streams.stapled
import odd_values
import pytest
import trio
import trio.testing
from hypothesis import given, settings
from odd_cases import OBJECTS, STREAMS, attempt, good, short
from odd_values import LISTED, OWN, why_refused
from public_functions import CASES, TRIED, Case

import pyossl
import pyossl.aio
import pyossl.anyio
import pyossl.core.outcome
import pyossl.errors
import pyossl.tls.system_openssl
import pyossl.trio
from pyossl import ffi

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")

ENDS_LATER = {"trio.serve_tcp", "anyio.TLSListener.serve"}
ALLOWED = (trio.BrokenResourceError, trio.ClosedResourceError, anyio.BrokenResourceError, anyio.EndOfStream, EOFError)


def refusal(case: Case, name: str, value: Any) -> BaseException | None:
    """The exception that it raises, or None; the test fails if it takes too long."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if case.name.startswith("trio."):
                trio.run(_bounded_by_trio, case, name, value)
            elif case.name.startswith(("aio.", "anyio.")):
                asyncio.run(odd_values.bounded(attempt(case, name, value)))
            else:
                with contextlib.suppress(StopIteration):
                    attempt(case, name, value).send(None)
    except ALLOWED:
        return None
    except TypeError as error:
        # An exception of the caller's own function, also about its arguments, belongs to the caller.
        return None if callable(value) and ("()" in str(error) or "not callable" in str(error)) else error
    except Exception as error:
        # all_errors raises several OSErrors together.
        return None if type(error).__name__ == "ExceptionGroup" and name == "all_errors" else error
    return None


async def _bounded_by_trio(case: Case, name: str, value: Any) -> None:
    if case.name in ENDS_LATER:
        with trio.move_on_after(0.02):
            await attempt(case, name, value)
    else:
        with trio.fail_after(5):
            await attempt(case, name, value)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with odd_values.no_names_looked_up(monkeypatch):
        yield
    while STREAMS:
        STREAMS.pop().close()
    pyossl.outcome.take_records()


@pytest.mark.parametrize(("of", "name"), TRIED)
def test_an_odd_argument_is_taken_or_refused_in_a_sentence(of: str, name: str) -> None:
    case, wrong = CASES[of], []
    for each in LISTED:
        value = each()
        shown = ascii(value)[:70]
        error = refusal(case, name, value)
        if error is not None and (why := why_refused(error)):
            wrong.append(f"{shown}: {why[:200]}")
    assert not wrong, f"{of}({name}): {len(wrong)}\n" + "\n".join(wrong)


@settings(max_examples=8)
@given(value=odd_values.ANY)
@pytest.mark.parametrize(("of", "name"), TRIED)
def test_any_argument_is_taken_or_refused_in_a_sentence(of: str, name: str, value: Any) -> None:
    error = refusal(CASES[of], name, value)
    why = None if error is None else why_refused(error)
    assert why is None, f"{of}({name}) with {value!a:.80}: {why}"


OF_ANOTHER_TYPE: dict[str, tuple[Any, ...]] = {
    "int": (None, 1.5, "1", b"1", [1], object()),
    "int | None": (1.5, "1", b"1", [1], object()),
    "str": (None, 5, b"x", ["x"], object()),
    "str | None": (5, b"x", ["x"], object()),
    "bytes": (None, 5, "x", ["x"], object()),
    "bool": (None, 5, "x", [], object(), 1.0),
    "bool | None": (5, "x", [], object(), 1.0),
    "float | None": ("1", b"1", [1], object(), math.nan, -1, -0.5, True),
    "float": (None, "1", b"1", [1], object(), math.nan, -1),
    "datetime.datetime": (None, 5, "2026-01-01", datetime.date(2026, 1, 1), datetime.datetime(2026, 1, 1)),
    "datetime.datetime | None": (5, "2026-01-01", datetime.date(2026, 1, 1), datetime.datetime(2026, 1, 1)),
    "Context": (None, 5, pyossl.Context, OWN, object()),
    "Context | None": (5, pyossl.Context, OWN, object()),
    "Certificate": (None, 5, "x", pyossl.Certificate, OWN, OWN.private_key),
    "PrivateKey": (None, 5, "x", pyossl.PrivateKey, OWN, OWN.certificate),
    "PrivateKey | None": (5, "x", pyossl.PrivateKey, OWN, OWN.certificate),
    "Session | None": (5, "x", pyossl.Session, OWN),
    "socket.socket": (None, 5.5, "x", socket.socket, OWN),
    "Callable[[Message], object] | None": (5, "x", [], object()),
    "Iterable[str]": (5, "x", b"x", [5], [b"x"], [None]),
    "Iterable[Certificate]": (5, "x", [5], [None], [OWN.private_key]),
    "Source": (None, 5, 1.5, [], object()),
    "Any pointer": (None, 5, "x", b"x", object(), ffi.NULL, ffi.new("int *")),
}
"""Values that are silently used as something else if they are not checked."""

TYPED = [
    (of, name, values)
    for of, name in TRIED
    for parameter in CASES[of].parameters
    if parameter.name == name
    and (values := OF_ANOTHER_TYPE.get(f"Any {name}" if name == "pointer" else str(parameter.annotation)))
]


@pytest.mark.parametrize(("of", "name", "values"), TYPED, ids=[f"{of}({name})" for of, name, _ in TYPED])
def test_a_value_of_another_type_is_never_taken(of: str, name: str, values: tuple[Any, ...]) -> None:
    for value in values:
        if (of, name) not in AS_PYTHON or type(value) not in AS_PYTHON[of, name]:
            error = refusal(CASES[of], name, value)
            refused = isinstance(error, (TypeError, ValueError, pyossl.UnsupportedError))
            assert refused, f"{value!r} was taken: {error!r}"


AS_PYTHON: dict[tuple[str, str], tuple[type, ...]] = {
    ("Socket.setblocking", "flag"): (int,),  # a number, as for sockets
    **{
        (f"SocketMethods.{each}", "flags"): (type(None),) for each in ("recv", "recv_into", "send", "sendall")
    },  # none, as 0
    ("SocketMethods.recv_into", "size"): (type(None),),
}
"""Arguments that take another type, as Python's own function of that name does."""


def test_every_right_value_is_accepted() -> None:
    """Otherwise the odd values would be refused because of the other arguments."""
    for of, name in TRIED:
        for parameter in CASES[of].parameters:
            if parameter.name != name:
                good(CASES[of], parameter)
        assert CASES[of].owner is None or short(CASES[of].owner) in OBJECTS, of
