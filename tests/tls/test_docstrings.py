"""``help()`` and ``repr()`` of the public classes of TLS are enough to use them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

import pyossl
import pyossl.tls.system_openssl
from pyossl.tls.mutable.mutable_connection import MutableConnection
from pyossl.tls.mutable.mutable_context import Method, MutableContext

CLASSES = (
    pyossl.Context,
    pyossl.Connection,
    pyossl.Session,
    pyossl.Message,
    pyossl.Verification,
    pyossl.tls.system_openssl.Provider,
    pyossl.tls.system_openssl.Policy,
    pyossl.tls.system_openssl.TrustPath,
    pyossl.tls.system_openssl.TrustStore,
    MutableContext,
    MutableConnection,
)


def members() -> Iterator[tuple[str, Any]]:
    """The public properties, methods and fields that a class of pyossl/tls defines."""
    seen = set()
    for each in CLASSES:
        for owner in (base for base in each.__mro__ if base.__module__.startswith("pyossl.tls")):
            for name, member in vars(owner).items():
                documented = isinstance(member, (property, classmethod, staticmethod)) or callable(member)
                is_field = name in getattr(owner, "_fields", ())
                if not name.startswith("_") and (documented or is_field) and (owner, name) not in seen:
                    seen.add((owner, name))
                    yield f"{owner.__name__}.{name}", member


MEMBERS = dict(members())


@pytest.mark.parametrize("name", MEMBERS)
def test_every_public_member_is_documented_and_its_first_sentence_stands_alone(name: str) -> None:
    doc = inspect.getdoc(MEMBERS[name]) or ""
    first = doc.partition("\n")[0].partition("  ")[0]
    assert not doc.startswith("Alias for field number"), "the field has namedtuple's own docstring"
    assert first.endswith("."), doc
    assert " " in first, doc


@pytest.mark.parametrize("make", [pyossl.Context.client, pyossl.Context.server, pyossl.Connection])
def test_every_parameter_is_explained(make: Any) -> None:
    explained = {
        name.strip("` ")
        for line in (inspect.getdoc(make) or "").splitlines()
        if line.startswith("- ``")
        for name in line[2:].partition(":")[0].split(",")
    }
    assert explained == set(inspect.signature(make).parameters)


@pytest.mark.parametrize("each", CLASSES)
def test_every_class_says_what_it_is(each: type) -> None:
    assert (each.__doc__ or "").partition("\n")[0].partition("  ")[0].endswith((".", ":")), each.__doc__
    assert not (each.__doc__ or "").startswith(each.__name__ + "("), "namedtuple's own docstring"


def test_the_repr_of_what_may_be_either_side_names_no_side() -> None:
    context = MutableContext(Method.TLS)
    connection = MutableConnection(context)
    connection.set_accept_state()
    assert repr(context) == "<MutableContext, verify=False>"
    assert repr(connection).startswith("<MutableConnection, ")


def test_the_repr_of_a_context_shows_its_side_and_whether_it_verifies(server_context: pyossl.Context) -> None:
    assert repr(server_context) == "<Context server, verify=False>"
    assert repr(pyossl.Context.client()) == "<Context client>"
