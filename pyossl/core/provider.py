"""The providers of algorithms that a library context has loaded.  OSSL_PROVIDER(3)"""

from __future__ import annotations

from typing import Any, NamedTuple

from pyossl.core import ffi, lib, text
from pyossl.core.outcome import take_records

_ROOM = 32


class Provider(NamedTuple):
    """A loaded provider of algorithms.  OSSL_PROVIDER_get_params(3)"""

    name: str
    title: str
    version: str
    active: bool


Provider.name.__doc__ = "The name by which it is loaded, for example ``default`` or ``fips``."
Provider.title.__doc__ = "Its name for people."
Provider.version.__doc__ = "Its version."
Provider.active.__doc__ = "Whether it reports that it works."


def providers_of(library: Any) -> tuple[Provider, ...]:
    """The providers of an ``OSSL_LIB_CTX *``; of the default library context for NULL.  OSSL_PROVIDER_do_all(3)"""
    found = ffi.new("pyossl_provider[]", _ROOM)
    count = lib.pyossl_providers(library, found, _ROOM)
    take_records()
    return tuple(
        Provider(text(each.name), text(each.title), text(each.version), bool(each.active)) for each in found[0:count]
    )
