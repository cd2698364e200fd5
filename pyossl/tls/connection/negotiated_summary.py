"""What sockets and streams show of their connection: the properties are made from the connection's own.

So each of them, with its docstring and its type, is written once, and no API lacks a new one.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

from pyossl.core.copying import Uncopied
from pyossl.tls.connection.channel_bindings import ChannelBinding, ChannelBindings
from pyossl.tls.connection.negotiated import Negotiated
from pyossl.tls.connection.peer_algorithms import PeerAlgorithms

NEGOTIATED: dict[str, property] = {
    name: each
    for kind in (Negotiated, PeerAlgorithms, ChannelBindings)
    for name, each in vars(kind).items()
    if isinstance(each, property)
}
"""The properties of a connection that its handshake determines, by their names."""


def _of_the_connection(name: str, original: property) -> property:
    """A property of a socket or stream that is the property ``name`` of its ``connection``."""

    def ask(self: NegotiatedSummary) -> Any:
        return getattr(self.connection, name)

    getter: Any = original.fget
    # With the names of the other module, its annotations mean what they mean there.
    same = FunctionType(ask.__code__, getter.__globals__, name, None, ask.__closure__)
    same.__qualname__ = f"NegotiatedSummary.{name}"
    same.__doc__, same.__annotations__ = original.__doc__, getter.__annotations__
    return property(same)


if TYPE_CHECKING:

    class NegotiatedSummary(PeerAlgorithms, ChannelBindings):
        """To a type checker, the same properties with the same types."""

        connection: Negotiated

else:

    class NegotiatedSummary(Uncopied):
        """The properties of a socket or stream that are those of its ``connection``."""

    for _name, _property in NEGOTIATED.items():
        setattr(NegotiatedSummary, _name, _of_the_connection(_name, _property))


class ChannelBindingsSummary(NegotiatedSummary):
    """The methods of a socket or stream that export keys of its ``connection``."""

    connection: ChannelBindings

    def export_keying_material(self, label: str | bytes, length: int, context: bytes | None = None) -> bytes:
        """``Connection.export_keying_material`` of the connection: ``length`` bytes for the purpose ``label``.

        ``context``: bytes that are mixed in.  SSL_export_keying_material(3)
        """
        return self.connection.export_keying_material(label, length, context)

    def channel_binding(self, kind: ChannelBinding = "tls-exporter") -> bytes:
        """``Connection.channel_binding`` of the connection: the bytes of this ``kind`` that bind a login to it.

        SSL_export_keying_material(3)
        """
        return self.connection.channel_binding(kind)
