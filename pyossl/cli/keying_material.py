"""Bytes that both sides derive from the secrets of a connection: ``--export``, and the channel bindings."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from pyossl import Connection, Error
from pyossl.tls.connection.channel_bindings import ChannelBinding

_BINDINGS: tuple[ChannelBinding, ...] = ("tls-exporter", "tls-server-end-point", "tls-unique")
_LENGTH = 20
"""The number of bytes without ``:LENGTH``, as with ``-keymatexportlen`` of openssl-s_client(1)."""
_LONGEST_LABEL, _LONGEST_EXPORT = 249, 65535


class Export(NamedTuple):
    """What ``--export`` asks for: a label, and the number of bytes."""

    label: str
    length: int

    @classmethod
    def parsed(cls, argument: str) -> Export:
        """A type for ``argparse``: ``LABEL`` or ``LABEL:LENGTH``."""
        label, colon, length = argument.rpartition(":")
        if not colon or not re.fullmatch("[0-9]{1,5}", length):
            label, length = argument, str(_LENGTH)
        if not (label.isascii() and label.isprintable() and 1 <= len(label) <= _LONGEST_LABEL):
            raise argparse.ArgumentTypeError(f"a label is 1 to {_LONGEST_LABEL} characters of ASCII, not {label!r:.80}")
        if not 1 <= int(length) <= _LONGEST_EXPORT:
            raise argparse.ArgumentTypeError(f"a length is 1 to {_LONGEST_EXPORT} bytes, not {length}")
        return cls(label, int(length))


def add_export(parser: argparse.ArgumentParser) -> None:
    """Adds the option ``--export``."""
    parser.add_argument(
        "--export",
        action="append",
        type=Export.parsed,
        metavar="LABEL[:LENGTH]",
        help="show the bytes that both sides can derive from the connection's secrets for this purpose, in hex, for "
        f"example EXPORTER-example:32; can be repeated; {_LENGTH} bytes by default",
    )


def exported(connection: Connection, wanted: Iterable[Export]) -> list[dict[str, Any]]:
    """The bytes of each ``--export``, as JSON values.  Raises ``Error`` if OpenSSL refuses one of them."""
    return [
        {
            "label": each.label,
            "length": each.length,
            "hex": connection.export_keying_material(each.label, each.length).hex(),
        }
        for each in wanted
    ]


def channel_bindings(connection: Connection) -> dict[str, str | None]:
    """The channel bindings of a connection, in hex; None for those that it does not have."""
    found: dict[str, str | None] = {}
    for kind in _BINDINGS:
        try:
            found[kind] = connection.channel_binding(kind).hex()
        except Error:
            found[kind] = None
    return found
