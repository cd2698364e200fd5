"""The versions of the protocol, and the range of them that a context allows.  SSL_CTX_set_min_proto_version(3)"""

from __future__ import annotations

import enum
from typing import Any

from pyossl.core import lib
from pyossl.core.errors import check, require
from pyossl.tls.settings.context_state import ContextState


class Version(enum.IntEnum):
    """A version of the protocol; its value is the number on the wire.  SSL_CTX_set_min_proto_version(3)

    The members are ``TLSv1``, ``TLSv1_1``, ``TLSv1_2`` and ``TLSv1_3``.
    """

    TLSv1 = lib.TLS1_VERSION
    TLSv1_1 = lib.TLS1_1_VERSION
    TLSv1_2 = lib.TLS1_2_VERSION
    TLSv1_3 = lib.TLS1_3_VERSION


def checked_version(value: Any) -> Version:
    """``value``, a ``Version`` or its number; ``ValueError`` for any other."""
    # A float may be equal to a number of a version, and so may True.
    if isinstance(value, int) and not isinstance(value, bool) and value in Version.__members__.values():
        return Version(value)
    raise ValueError(f"{value!r:.80} is not a valid Version: pass a member of pyossl.Version, such as Version.TLSv1_2")


class VersionSettings(ContextState):
    """The oldest and the newest version that the connections of a context may use."""

    __slots__ = ()

    def _set_versions(self, minimum: int | None, maximum: int | None) -> None:
        minimum = None if minimum is None else checked_version(minimum)
        maximum = None if maximum is None else checked_version(maximum)
        if minimum is not None and maximum is not None and minimum > maximum:
            raise ValueError(f"the minimum version {minimum.name} is above the maximum version {maximum.name}")
        if minimum is not None:
            require(minimum < Version.TLSv1_3 or lib.HAVE_TLS1_3, "TLS 1.3")
            check(
                lib.SSL_CTX_set_min_proto_version(self._ctx, minimum),
                f"setting the minimum version {minimum.name}",
            )
        if maximum is not None:
            if minimum is None and maximum < lib.SSL_CTX_get_min_proto_version(self._ctx):
                raise ValueError(
                    f"the maximum version {maximum.name} is below the minimum {self.minimum_version.name}: "
                    "set a lower minimum_version too"
                )
            check(
                lib.SSL_CTX_set_max_proto_version(self._ctx, maximum),
                f"setting the maximum version {maximum.name}",
            )

    @property
    def minimum_version(self) -> Version:
        """The oldest version that connections may use.

        The default is TLS 1.2, or the system's policy if that is newer.  Setting it raises
        ``ValueError`` if it is above ``maximum_version``, and ``UnsupportedError`` if OpenSSL was built without the
        version.  SSL_CTX_set_min_proto_version(3)
        """
        return Version(lib.SSL_CTX_get_min_proto_version(self._ctx) or Version.TLSv1)

    @minimum_version.setter
    def minimum_version(self, version: Version) -> None:
        self._change()
        self._set_versions(checked_version(version), self.maximum_version)

    @property
    def maximum_version(self) -> Version | None:
        """The newest version that connections may use; None for the newest version that this OpenSSL has.

        Setting it raises ``ValueError`` if it is below ``minimum_version``.  SSL_CTX_set_max_proto_version(3)
        """
        version = lib.SSL_CTX_get_max_proto_version(self._ctx)
        return Version(version) if version else None

    @maximum_version.setter
    def maximum_version(self, version: Version | None) -> None:
        self._change()
        if version is None:
            check(lib.SSL_CTX_set_max_proto_version(self._ctx, 0), "taking away the maximum version")
        self._set_versions(None, version)
