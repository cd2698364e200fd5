"""Reference names: whom a connection is meant for, as a DNS name or as an IP address.

The two are different things to OpenSSL (SSL_set1_dnsname(3), SSL_set1_ipaddr(3)) and to SNI, which never carries an
address, so that the question is answered once, here.
"""

from __future__ import annotations

import functools
import ipaddress
from typing import NamedTuple

_LONGEST_NAME, _LONGEST_LABEL = 253, 63
_REMEMBERED = 256  # names: a program has few peers, or it has so many that the cost of one does not show


class ReferenceName(NamedTuple):
    """A name in the form that OpenSSL compares: ASCII, with no trailing dot and no scope id."""

    text: str
    is_address: bool


def reference_name(name: str | ipaddress.IPv4Address | ipaddress.IPv6Address) -> ReferenceName:
    """What ``name`` stands for; an internationalised name is encoded (IDNA), a trailing dot and a scope id go.

    Raises ``TypeError`` for anything but text or an address, and ``ValueError``, which says why, for a name that no
    certificate can be for: empty, with a NUL, a space or a wildcard, or too long.
    """
    if isinstance(name, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
        name = str(name)
    if not isinstance(name, str):
        raise TypeError(f"a server name is str or an ipaddress object, not {type(name).__name__}")
    return _of_text(name)


@functools.lru_cache(_REMEMBERED)
def _of_text(name: str) -> ReferenceName:
    bare = name.removesuffix(".")
    if address := _address(bare):
        return ReferenceName(address, True)
    ascii_name = _dns_name(bare, name)
    # IDNA makes plain digits of all the others that there are.
    address = _address(ascii_name)
    return ReferenceName(address or ascii_name, address is not None)


def _address(text: str) -> str | None:
    """The IP address that ``text`` is, without brackets and scope id; None if it is none."""
    inside = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ipaddress.ip_address(inside)).partition("%")[0]
    except ValueError:
        return None


def _dns_name(bare: str, name: str) -> str:
    if not bare:
        raise ValueError(f"a server name cannot be empty: {name!r}")
    if not bare.isascii():
        try:
            bare = bare.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise ValueError(f"the server name {name!r} cannot be encoded as an IDNA name: {error}") from error
    if wrong := next((c for c in bare if not (c.isalnum() or c in "-_.")), None):
        raise ValueError(f"a server name cannot contain {wrong!r}: {name!r}")
    if len(bare) > _LONGEST_NAME:
        raise ValueError(f"the server name is {len(bare)} characters long, more than {_LONGEST_NAME}")
    for label in bare.split("."):
        if not 1 <= len(label) <= _LONGEST_LABEL:
            raise ValueError(f"a label of the server name is empty or longer than {_LONGEST_LABEL}: {name!r}")
    return bare
