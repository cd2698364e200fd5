"""``features``: which features the OpenSSL in use has; each is a ``HAVE_x`` of pyossl/_c/have.h."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from pyossl.core import lib
from pyossl.core.errors import UnsupportedError
from pyossl.core.library_in_use import Library, library_in_use

_WORDS = {
    "async_jobs": "asynchronous jobs",
    "ct": "certificate transparency",
    "dtls": "DTLS",
    "ech": "Encrypted Client Hello",
    "err_all": "function names in the error queue",
    "group_names": "every group by its name",
    "ktls": "kernel TLS",
    "new_session_ticket": "session tickets on demand",
    "nextprotoneg": "NPN (before ALPN)",
    "ocsp": "OCSP",
    "ocsp_multi_stapling": "OCSP multi-stapling",
    "options_uint64": "64-bit options",
    "post_quantum": "post-quantum keys and groups (ML-KEM, ML-DSA)",
    "psk": "pre-shared keys",
    "quic": "QUIC client",
    "quic_max_pending_conns": "a limit for pending QUIC connections",
    "quic_server": "QUIC server",
    "retry_verify": "verification that can be paused",
    "sctp": "DTLS over SCTP",
    "srp": "SRP",
    "srtp": "keys for SRTP",
    "ssl_poll": "SSL_poll",
    "ssl_trace": "SSL_trace",
    "tls1_3": "TLS 1.3",
    "typed_names": "reference names by their type",
    "unexpected_eof": "truncation with an error code of its own",
    "x509_store_get1_objects": "thread-safe listing of trust stores",
}
"""Descriptions of the features whose name, with spaces, is no description."""


class Features(Mapping[str, bool]):
    """Which features the OpenSSL in use has, by name: ``features["quic"]`` or ``features.quic`` is True or False.

    ``list(features)`` has the names.  ``features.name`` raises ``AttributeError``, and ``features["name"]``
    ``KeyError``, for a name that is not one of them.  OpenSSL is asked for a feature when a program first asks for it.
    """

    @cached_property
    def _names(self) -> dict[str, str]:
        """The name of each feature, and its constant."""
        return {name[len("HAVE_") :].lower(): name for name in sorted(dir(lib)) if name.startswith("HAVE_")}

    @property
    def library(self) -> Library:
        """Which libssl is in use, and why it is that one."""
        return library_in_use()

    def __getitem__(self, name: str) -> bool:
        return bool(getattr(lib, self._names[name]))

    def __getattr__(self, name: str) -> bool:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no feature {name!r}; the features are: {', '.join(self)}") from None

    def __dir__(self) -> list[str]:
        return sorted([*super().__dir__(), *self])

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def describe(self, name: str) -> str:
        """A description of the feature ``name``, for example ``certificate compression``.

        Raises ``ValueError`` for a name that is not in ``features``, and ``TypeError`` unless it is a ``str``.
        """
        self._check(name)
        if name.startswith("api_"):
            return f"the API of OpenSSL {name.removeprefix('api_').replace('_', '.')}"
        return _WORDS.get(name, name.replace("_", " "))

    def require(self, name: str) -> None:
        """Raises ``UnsupportedError`` if the OpenSSL in use does not have the feature ``name``.

        Raises ``ValueError`` for a name that is not in ``features``, and ``TypeError`` unless it is a ``str``.
        """
        self._check(name)
        if not self[name]:
            raise UnsupportedError(name)

    def _check(self, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"the name of a feature is a str, not {type(name).__name__}")
        if name not in self:
            raise ValueError(f"there is no feature {name[:80]!a}; the features are: {', '.join(self)}")

    def __reduce__(self) -> str:
        return "features"  # unpickled, it is the object of the process, with the features of the OpenSSL there

    def __repr__(self) -> str:
        return f"<Features {' '.join(name for name, have in self.items() if have)}>"


features = Features()
