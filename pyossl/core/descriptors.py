"""The descriptors of the sockets and files that callers pass: objects that are TLS connections are refused.

TLS over the descriptor of a TLS connection bypasses that connection: its records stand between the records of the outer
TLS, without its encryption, and break it.  The same is true for the descriptor of an object that sends its bytes in
another way, for example an SSH channel.  So the descriptor is taken from plain sockets only, or as a number.
"""

from __future__ import annotations

import functools
from _socket import socket as _socket  # the class below all of them, without the enumerations of socket
from typing import Any

from pyossl.core.arguments import LARGEST_INT, integer
from pyossl.core.errors import UsageError

INSTEAD = (
    "for TLS inside TLS make a pyossl.Connection without a socket, and carry its bytes over the other "
    "(receive_data and data_to_send, or bio=pyossl.SSLFilter(outer.connection))"
)
"""What to do with a socket that is TLS already."""

_SIGNS_OF_TLS = (
    "do_handshake",  # ssl, gevent's and eventlet's too; pyOpenSSL and pyossl.pyopenssl
    "getpeercert",  # ssl and its replacements, for example urllib3's sockets
    "keeps_to_records",  # pyossl
    "get_peer_cert",  # M2Crypto
    "getCipherName",  # tlslite
)
_WRAPPED = ("fd", "_sock")  # of eventlet, whose _sock is the object itself; of gevent, trio and asyncio
_DEEPEST = 4  # of eventlet's socketpair each socket is one around another
_REMEMBERED = 64  # classes of sockets
_LAYERS_OF_FILES = ("buffer", "raw", "_sock", "_socket")


def is_tls(thing: Any) -> bool:
    """Whether an object is a TLS connection: it has a method that plain sockets and files do not have.

    The class is looked at first and then the object, which may pass attributes on to a connection inside it.
    """
    if _makes_tls(type(thing)):  # type: ignore[arg-type]  # mypy takes the __hash__ of instances for the class's
        return True
    return not isinstance(thing, (_socket, type)) and any(_shows(thing, sign) for sign in _SIGNS_OF_TLS)


@functools.lru_cache(_REMEMBERED)
def _makes_tls(kind: type) -> bool:
    return any(sign in base.__dict__ for base in kind.__mro__ for sign in _SIGNS_OF_TLS)


def _shows(thing: Any, name: str) -> bool:
    try:
        return hasattr(thing, name)
    except Exception:  # the attribute exists and raises: for example a property of a closed connection
        return True


def require_plain(sock: Any, instead: str = INSTEAD) -> None:
    """Raises ``TypeError`` unless ``sock`` is a plain socket: a ``socket.socket``, also of a subclass, or the object of
    gevent, eventlet or trio around one.  ``instead`` says, in the message, what to do with a TLS connection.
    """
    thing = sock
    for _ in range(_DEEPEST):
        if is_tls(thing):
            raise TypeError(
                f"{_name(sock)} is a TLS connection, and TLS over its descriptor would bypass it: {instead}"
            )
        if isinstance(thing, _socket):
            return
        thing = next((inner for name in _WRAPPED if (inner := getattr(thing, name, None)) is not None), None)
    raise TypeError(f"a socket.socket is needed, not {_name(sock)}, whose bytes may not go through its descriptor")


def socket_descriptor(sock: Any) -> int:
    """The descriptor of a plain socket; an ``int`` is returned as it is.

    Raises ``TypeError`` for any other object and ``UsageError`` if the socket is closed.
    """
    is_plain = isinstance(sock, _socket) and not _makes_tls(type(sock))  # type: ignore[arg-type]  # as above
    if not is_plain and not isinstance(sock, int):
        if not hasattr(sock, "fileno") or isinstance(sock, type):
            raise TypeError(f"a socket or its descriptor is needed, not {type(sock).__name__}")
        require_plain(sock)
    return _number_of(sock)


def descriptor_of(file: Any) -> int:
    """The descriptor of a socket or a file; an ``int`` is returned as it is.

    Raises ``TypeError`` for a TLS connection and for a file made of one, and ``UsageError`` if the file is closed.
    """
    if not isinstance(file, int) and not isinstance(file, type):
        _refuse_tls_below(file)
    return _number_of(file)


def _number_of(file: Any) -> int:
    if isinstance(file, int):
        fd = integer(file, "a descriptor", -1, LARGEST_INT)
    elif hasattr(file, "fileno") and not isinstance(file, type):
        try:
            fd = integer(file.fileno(), "a descriptor", -1, LARGEST_INT)
        except ValueError:
            fd = -1  # a Python file that is closed
    else:
        raise TypeError(f"a socket, a file or a descriptor is needed, not {type(file).__name__}")
    if fd < 0:
        raise UsageError("the socket is closed" if hasattr(file, "recv") else "the descriptor is closed")
    return fd


def _refuse_tls_below(file: Any) -> None:
    """Raises ``TypeError`` for a TLS connection, and for a file that its ``makefile`` has made."""
    thing, steps = file, 0
    while thing is not None and steps <= len(_LAYERS_OF_FILES):
        if is_tls(thing):
            require_plain(thing)
        layers = (getattr(thing, name, None) for name in _LAYERS_OF_FILES)
        thing, steps = next((layer for layer in layers if layer is not None), None), steps + 1


def _name(thing: Any) -> str:
    kind = type(thing)
    return f"{kind.__module__}.{kind.__qualname__}"
