"""Each public function, constructor, method and setter of pyossl, found by introspection."""

from __future__ import annotations

import enum
import importlib
import inspect
from collections.abc import Iterator
from types import FunctionType, MethodDescriptorType
from typing import Any, NamedTuple

from stub_signatures import annotations_of

MODULES = ("pyossl", "pyossl.aio", "pyossl.trio", "pyossl.anyio", "pyossl.tls.system_openssl")
INNER = {
    # Made by pyossl, from a result of OpenSSL or of the loop.
    "aio.Server": "made by create_server",
    "aio.EarlyDataProtocol.early_data_received": "called by a transport",
    "aio.StreamReader": "made by open_connection",
    "aio.StreamReader.early_data_received": "called by a transport",
    "aio.StreamReader.feed_data": "called by a transport",
    "aio.StreamReader.filled": "called by a transport",
    "aio.StreamReader.received": "called by a transport",
    "aio.StreamReader.set_exception": "called by a transport",
    "aio.StreamReader.set_transport": "called by a transport",
    "aio.StreamWriter": "made by open_connection",
    "aio.Transport": "made by create_connection",
    "AsyncPostHandshakeMethods.update_keys": "it needs trio or asyncio: tests/streams/test_post_handshake.py",
    "Authority.save": "it writes into any folder: tests/x509/test_saved_authority.py",
    "BIO.serve": "called by a connection",
    "ContextCall.call": "a function of the program's own, with its own arguments",
    "Context.socket_face": "wrap_socket, by another name",
    "ConnectionCall.call": "a function of the program's own, with its own arguments",
    "PythonBIO.read": "defined by subclasses",
    "PythonBIO.write": "defined by subclasses",
    "Listener.bind": "socket.socket's own, in its words",
    "Listener.listen": "socket.socket's own, in its words",
    "Listener.setsockopt": "socket.socket's own, in its words",
    "Socket.getsockopt": "socket.socket's own, in its words",
    "Socket.setsockopt": "socket.socket's own, in its words",
    "aio.StreamWriter.get_extra_info": "a look into a dictionary",
    "aio.Transport.get_extra_info": "a look into a dictionary",
}
"""The names that are left out, and why: no program calls them, or they pass their arguments on."""


class Case(NamedTuple):
    """A callable: its name, the class of the object on which it is called, and its parameters."""

    name: str
    owner: type | None
    parameters: tuple[inspect.Parameter, ...]


def public() -> Iterator[tuple[str, Any]]:
    """The public names of each module, with their objects."""
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        prefix = module_name.removeprefix("pyossl").removeprefix(".")
        names = getattr(module, "__all__", None) or [
            name for name, value in vars(module).items() if getattr(value, "__module__", "") == module_name
        ]
        for name in names:
            if not name.startswith("_"):
                yield f"{prefix}.{name}".removeprefix("."), getattr(module, name)


PUBLIC = dict(public())


def cases() -> Iterator[Case]:
    seen: set[Any] = set()
    for name, value in PUBLIC.items():
        if inspect.isfunction(value):
            yield from _case(name, None, value, 0)
        elif inspect.isclass(value) and not _is_record(value):
            for owner in (each for each in value.__mro__ if each.__module__.startswith("pyossl")):
                prefix = name if owner is value else owner.__name__
                for attribute, member in vars(owner).items():
                    function = getattr(member, "__func__", getattr(member, "fset", member))
                    # The second type is that of methods in C.
                    if not isinstance(function, (FunctionType, MethodDescriptorType)) or function in seen:
                        continue
                    seen.add(function)
                    if attribute == "__init__" and owner is value:
                        yield from _case(prefix, None, function, 1)
                    elif not attribute.startswith("_"):
                        of = None if isinstance(member, staticmethod) else value
                        yield from _case(f"{prefix}.{attribute}", of, function, int(of is not None))


def _is_record(kind: type) -> bool:
    """Named tuples take any values, and Python makes enumerations and exceptions."""
    return issubclass(kind, (tuple, enum.Enum, BaseException))


def _parameters(function: Any) -> list[inspect.Parameter]:
    parameters = list(inspect.signature(function).parameters.values())
    if isinstance(function, MethodDescriptorType):
        types = annotations_of(function)
        return [each.replace(annotation=types.get(each.name, each.annotation)) for each in parameters]
    return parameters


def _case(name: str, owner: type | None, function: Any, skipped: int) -> Iterator[Case]:
    parameters = tuple(_parameters(function))[skipped:]
    if name not in INNER:
        tried = tuple(each for each in parameters if each.kind is not inspect.Parameter.VAR_KEYWORD)
        if tried:
            yield Case(name, owner, tried)


CASES = {case.name: case for case in cases()}
TRIED = sorted((case.name, parameter.name) for case in CASES.values() for parameter in case.parameters)
