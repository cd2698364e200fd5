"""The C types of our ``_ssl``: the same names, kinds and limits as those of the original."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from stdlib.original_ssl import original, with_original
from stdlib.ssl_over_pyossl import MemoryPair, client_context, pair, server_context, ssl

from pyossl.core.methods_in_c import new_certificate, new_ssl_session, queue_of, report_unraisable, state_of
from pyossl.stdlib import module

ours: Any = module.make()
NAMES = ("_SSLContext", "_SSLSocket", "MemoryBIO", "SSLSession", "Certificate")
each_type = pytest.mark.parametrize("name", NAMES)

OTHER_SIGNATURES = {("Certificate", "public_bytes")}
"""The original's cannot be parsed: its default is no literal."""


def parts(of: Any) -> dict[str, tuple[str, str | None]]:
    """The attributes of a type: their kinds and their signatures."""
    return {
        name: (type(getattr(of, name)).__name__, getattr(getattr(of, name), "__text_signature__", None))
        for name in dir(of)
    }


@with_original
@each_type
def test_a_type_has_the_names_kinds_and_signatures_of_the_original(name: str) -> None:
    expected, found = parts(getattr(original, name)), parts(getattr(ours, name))
    for method in [each for kind, each in OTHER_SIGNATURES if kind == name]:
        expected[method] = expected[method][0], found[method][1]
    assert found == expected


@with_original
@each_type
def test_a_type_has_docstrings_where_the_original_has_some(name: str) -> None:
    kind, theirs = getattr(ours, name), getattr(original, name)
    silent = [each for each in dir(theirs) if getattr(theirs, each).__doc__ and not getattr(kind, each).__doc__]
    assert not silent


@each_type
def test_a_type_belongs_to_the_module(name: str) -> None:
    kind = getattr(ours, name)
    assert (kind.__module__, kind.__name__, kind.__qualname__) == ("_ssl", name, name)


@each_type
def test_a_type_is_immutable(name: str) -> None:
    with pytest.raises(TypeError, match="immutable type"):
        getattr(ours, name).anything = 1


@pytest.mark.parametrize("name", ["_SSLSocket", "SSLSession", "Certificate"])
def test_only_connections_make_the_others(name: str) -> None:
    kind = getattr(ours, name)
    for make in (kind, lambda: object.__new__(kind), lambda: kind.__new__(kind)):
        with pytest.raises((TypeError, AttributeError)):
            make()


@pytest.mark.parametrize("name", ["_SSLSocket", "SSLSession", "Certificate", "MemoryBIO"])
def test_only_contexts_can_be_subclassed(name: str) -> None:
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Own", (getattr(ours, name),), {})


def test_a_context_can_have_other_bases() -> None:
    class Named:
        name = "of another class"

    class Own(ssl.SSLContext, Named):
        pass

    context = Own(ssl.PROTOCOL_TLS_CLIENT)
    assert (context.name, context.check_hostname) == ("of another class", True)


@pytest.mark.parametrize("arguments", [(), (2, 3), ("TLS",), (None,), (1 << 70,)])
def test_a_context_needs_a_protocol(arguments: tuple[Any, ...]) -> None:
    with pytest.raises((TypeError, OverflowError)):
        ours._SSLContext(*arguments)


def test_a_context_takes_no_keywords() -> None:
    with pytest.raises(TypeError, match="no keyword arguments"):
        ours._SSLContext(proto=2)


def subjects() -> dict[str, Any]:
    """An object of each type."""
    memory = MemoryPair().handshake()
    with pair() as (client, _):
        return {
            "_SSLContext": ours._SSLContext(16),
            "_SSLSocket": memory.client._sslobj,
            "MemoryBIO": memory.to_client,
            "SSLSession": client.session,
            "Certificate": client._sslobj.get_unverified_chain()[0],
        }


@each_type
@pytest.mark.parametrize("function", [copy.copy, copy.deepcopy, pickle.dumps])
def test_no_object_can_be_copied(name: str, function: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=f"cannot pickle '_ssl.{name}' object"):
        function(subjects()[name])


@each_type
def test_every_object_can_be_referred_to_weakly(name: str) -> None:
    held = subjects()[name]
    weak = weakref.ref(held)
    assert weak() is held
    del held
    gc.collect()
    assert weak() is None


@each_type
def test_read_only_attributes_stay_so(name: str) -> None:
    held = subjects()[name]
    read_only = {
        "_SSLContext": ["protocol", "security_level"],
        "_SSLSocket": ["server_side", "server_hostname", "session_reused"],
        "MemoryBIO": ["pending", "eof"],
        "SSLSession": ["id", "time", "timeout", "has_ticket", "ticket_lifetime_hint"],
        "Certificate": [],
    }
    for attribute in read_only[name]:
        with pytest.raises(AttributeError):
            setattr(held, attribute, 1)


@pytest.mark.parametrize("attribute", ["options", "verify_mode", "sni_callback", "keylog_filename", "_msg_callback"])
def test_an_attribute_of_a_context_cannot_be_deleted(attribute: str) -> None:
    context = ours._SSLContext(16)
    with pytest.raises((AttributeError, TypeError)):
        delattr(context, attribute)
    getattr(context, attribute)


def test_only_sessions_and_certificates_are_compared_by_value() -> None:
    with pair() as (client, _):
        first, second = (client._sslobj.get_unverified_chain()[0] for _ in range(2))
        assert first is not second
        assert first == second
        assert hash(first) == hash(second)
        assert first != client.session
        assert client.session == client.session
        assert client.session != first
        with pytest.raises(TypeError, match="unhashable"):
            hash(client.session)
        with pytest.raises(TypeError):
            first < second  # noqa: B015
    assert ours._SSLContext(16) != ours._SSLContext(16)


@pytest.mark.parametrize("context", [client_context, server_context])
def test_a_context_ends_with_its_last_reference(context: Callable[[], Any]) -> None:
    gc.disable()
    try:
        made = context()
        weak, state = weakref.ref(made), weakref.ref(state_of(made))
        del made
        assert weak() is None
        assert state() is None
    finally:
        gc.enable()


def test_a_context_lives_as_long_as_its_connections() -> None:
    with pair() as (client, _):
        context = client.context
        weak = weakref.ref(context)
        del context
        assert client.context is weak()


@pytest.mark.parametrize("function", [state_of, queue_of])
@pytest.mark.parametrize("value", [None, 1, object(), type])
def test_only_our_objects_have_a_state(function: Callable[[Any], Any], value: object) -> None:
    with pytest.raises(TypeError):
        function(value)


@pytest.mark.parametrize("new", [new_ssl_session, new_certificate])
def test_a_method_without_implementation_is_an_error(new: Callable[[Any], Any]) -> None:
    made = new(object())
    with pytest.raises(AttributeError):
        made.time() if new is new_ssl_session else made.get_info()


def test_signatures_can_be_inspected() -> None:
    for name in NAMES:
        kind = getattr(ours, name)
        for method in dir(kind):
            if (
                not method.startswith("__")
                and callable(getattr(kind, method))
                and (name, method) != ("_SSLSocket", "read")
            ):
                inspect.signature(getattr(kind, method))


class ClaimsToBeAnException:
    __class__ = ValueError  # type: ignore[assignment]


def test_only_an_exception_is_reported_as_unraisable() -> None:
    error: Any = ClaimsToBeAnException()
    with pytest.raises(TypeError, match="an exception is needed"):
        report_unraisable(error, None)
