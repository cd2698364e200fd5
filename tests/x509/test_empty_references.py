"""An empty name or address to verify is an error.  OpenSSL may accept every certificate for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import pyossl
from pyossl import Certificate, Connection, Context, Store

REFERENCES: dict[str, Callable[[Context, Certificate], object]] = {
    "a connection's email": lambda context, _: Connection(context, "example.com", email=""),
    "a connection's server name": lambda context, _: Connection(context, ""),
    "a connection's other name": lambda context, _: Connection(context, "example.com", other_names=[""]),
    "a verification's email": lambda _, root: Store.of(root).verify(root, email=""),
    "a verification's name": lambda _, root: Store.of(root).verify(root, name=""),
}


@pytest.mark.parametrize("reference", REFERENCES)
def test_an_empty_name_or_address_is_refused(
    reference: str, client_context: Context, authority: pyossl.Authority
) -> None:
    """docs/pitfalls.md, 48: OpenSSL 3.0 and 3.5 take an empty email address, and no address is checked then."""
    with pytest.raises(ValueError, match="empty"):
        REFERENCES[reference](client_context, authority.certificate)
