"""Reference names: the name of the peer that a client expects, a DNS name or an IP address.

OpenSSL treats the two differently (SSL_set1_dnsname(3), SSL_set1_ipaddr(3)), and SNI never contains an address.  This
module alone decides which of the two a name is.
"""

from __future__ import annotations

import functools
import ipaddress
from typing import NamedTuple

_LONGEST_NAME, _LONGEST_LABEL = 253, 63
_REMEMBERED = 256  # names: most programs have few peers


class ReferenceName(NamedTuple):
    """A name in the form that OpenSSL compares: ASCII, without a trailing dot or a scope id."""

    text: str
    is_address: bool


def reference_name(name: str | ipaddress.IPv4Address | ipaddress.IPv6Address) -> ReferenceName:
    """The reference name for ``name``.

    An internationalised name is encoded (IDNA); a trailing dot and a scope id are removed.  Raises ``TypeError`` if
    ``name`` is not text or an address, and ``ValueError`` if it cannot be in a certificate: if it is empty or too long,
    or has a NUL, a space or a wildcard.
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
    # IDNA converts all kinds of digits to ASCII, so the result may be an address.
    address = _address(ascii_name)
    return ReferenceName(address or ascii_name, address is not None)


def _address(text: str) -> str | None:
    """The IP address in ``text``, without brackets and scope id; None if it is not an address."""
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
