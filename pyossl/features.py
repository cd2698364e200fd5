"""What the OpenSSL at hand has: the facts of pyossl/_c/have.h, as a user asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pyossl._lib import lib
from pyossl.errors import UnsupportedError


class Features(Mapping[str, bool]):
    """Whether this OpenSSL has a feature, by name: ``features["quic"]``, or ``features.quic``."""

    def __init__(self) -> None:
        names = (name for name in dir(lib) if name.startswith("HAVE_"))
        self._have = {name[len("HAVE_") :].lower(): bool(getattr(lib, name)) for name in sorted(names)}

    def __getitem__(self, name: str) -> bool:
        return self._have[name]

    def __getattr__(self, name: str) -> bool:
        try:
            return self._have[name]
        except KeyError:
            raise AttributeError(f"no OpenSSL has a feature {name!r}; there are: {', '.join(self)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._have)

    def __len__(self) -> int:
        return len(self._have)

    def require(self, name: str) -> None:
        """Raises ``UnsupportedError`` where this OpenSSL lacks the feature."""
        if not self[name]:
            raise UnsupportedError(name)

    def __repr__(self) -> str:
        return f"<Features {' '.join(name for name, have in self._have.items() if have)}>"


features = Features()
