"""Keys for SRTP, the encryption of audio and video, which the two sides agree on over DTLS.  RFC 5764

SSL_CTX_set_tlsext_use_srtp(3), SSL_get_selected_srtp_profile(3)

A DTLS handshake with this extension chooses a protection profile, which is a cipher of SRTP with the sizes of its keys.
Each side then derives the same keys from the connection, and OpenSSL's part is done: SRTP packets do not go through it.
OpenSSL negotiates the extension in DTLS alone, and DTLS is reached by ``MutableContext``, over which pyOpenSSL's API is
made.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pyossl.core import ffi, lib, text
from pyossl.core.arguments import c_string, c_text, iterated, octets
from pyossl.core.copying import Uncopied
from pyossl.core.errors import Error, NotDueError, UsageError, failed, require
from pyossl.core.outcome import take_records
from pyossl.tls.connection.connection import Connection
from pyossl.tls.context.context import Context

_SIZES = {
    # RFC 5764, 4.1.2
    "SRTP_AES128_CM_SHA1_80": (16, 14),
    "SRTP_AES128_CM_SHA1_32": (16, 14),
    # RFC 7714, 12
    "SRTP_AEAD_AES_128_GCM": (16, 12),
    "SRTP_AEAD_AES_256_GCM": (32, 12),
    # RFC 8723, 10.1
    "SRTP_DOUBLE_AEAD_AES_128_GCM_AEAD_AES_128_GCM": (32, 24),
    "SRTP_DOUBLE_AEAD_AES_256_GCM_AEAD_AES_256_GCM": (64, 24),
    # RFC 8269, 6
    "SRTP_ARIA_128_CTR_HMAC_SHA1_80": (16, 14),
    "SRTP_ARIA_128_CTR_HMAC_SHA1_32": (16, 14),
    "SRTP_ARIA_256_CTR_HMAC_SHA1_80": (32, 14),
    "SRTP_ARIA_256_CTR_HMAC_SHA1_32": (32, 14),
    "SRTP_AEAD_ARIA_128_GCM": (16, 12),
    "SRTP_AEAD_ARIA_256_GCM": (32, 12),
}
"""The bytes of the master key and of the salt of each profile."""


class SRTPKeys(Uncopied):
    """The master keys and salts of SRTP that both sides of a DTLS connection have (RFC 5764, 4.2).

    - ``profile``: the name of the profile that was selected, for example ``"SRTP_AEAD_AES_128_GCM"``, as ``str`` or as
      ``bytes``.
    - ``material``: the keying material that the connection has exported: ``SRTPKeys.size(profile)`` bytes for the label
      ``SRTPKeys.LABEL``, without a context.

    A client encrypts with the client's key and decrypts with the server's, and a server the other way around.  Raises
    ``ValueError`` for a profile that is not known, and for material of another size.  SSL_export_keying_material(3)
    """

    __slots__ = ("_parts", "_profile")
    _instead = "they are secrets; make another one from the same arguments"

    LABEL: Final = "EXTRACTOR-dtls_srtp"
    """The label with which the keying material is exported."""

    def __init__(self, profile: str | bytes, material: bytes) -> None:
        key, salt = _sizes(profile)
        size = 2 * (key + salt)
        if len(octets(material, "the keying material")) != size:
            raise ValueError(f"the keying material of this profile has {size} bytes, not {len(material)}")
        ends = (key, 2 * key, 2 * key + salt, size)
        self._profile = _name(profile)
        self._parts = tuple(material[start:end] for start, end in zip((0, *ends), ends, strict=False))

    @staticmethod
    def size(profile: str | bytes) -> int:
        """The number of bytes of keying material that ``profile`` needs: two keys and two salts.

        ``profile`` is as for ``SRTPKeys``.  Raises ``ValueError`` for one that is not known.
        """
        return 2 * sum(_sizes(profile))

    @property
    def profile(self) -> str:
        """The name of the profile."""
        return self._profile

    @property
    def client_key(self) -> bytes:
        """The master key with which the client encrypts."""
        return self._parts[0]

    @property
    def server_key(self) -> bytes:
        """The master key with which the server encrypts."""
        return self._parts[1]

    @property
    def client_salt(self) -> bytes:
        """The salt of the client's key."""
        return self._parts[2]

    @property
    def server_salt(self) -> bytes:
        """The salt of the server's key."""
        return self._parts[3]

    def __repr__(self) -> str:
        return f"<SRTPKeys {self._profile}>"


def _name(profile: object) -> str:
    if not isinstance(profile, (str, bytes)):
        raise TypeError(f"an SRTP profile is a str or bytes, not {type(profile).__name__}")
    return profile if isinstance(profile, str) else profile.decode("latin-1")


def _sizes(profile: object) -> tuple[int, int]:
    """The bytes of a key and of a salt."""
    sizes = _SIZES.get(_name(profile))
    if sizes is None:
        raise ValueError(f"there is no SRTP profile {_name(profile)[:80]!a}; the profiles are: {', '.join(_SIZES)}")
    return sizes


class SRTPContext(Context):
    """A context with SRTP profiles."""

    __slots__ = ("_is_dtls", "_srtp_profiles")
    _is_dtls: bool
    _srtp_profiles: tuple[str, ...]

    @property
    def srtp_profiles(self) -> tuple[str, ...]:
        """The SRTP profiles to offer or to accept, by name, in the order of preference; empty for none.

        ``("SRTP_AEAD_AES_128_GCM", "SRTP_AES128_CM_SHA1_80")``, for example.  A client offers them, and a server
        selects the first one of its own that the client offers.  If there is none, the handshake goes on without:
        look at ``srtp_profile``.

        Setting them raises ``UsageError`` on a context for TLS (docs/pitfalls.md, 89), ``ValueError`` for none,
        ``Error`` for names that this OpenSSL does not have and for a name that comes twice, and ``UnsupportedError`` if
        OpenSSL was built without SRTP.  SSL_CTX_set_tlsext_use_srtp(3)
        """
        return self._srtp_profiles

    @srtp_profiles.setter
    def srtp_profiles(self, profiles: Iterable[str]) -> None:
        self._change_srtp()
        if not self._is_dtls:
            raise UsageError("SRTP profiles are only for DTLS: this context is for TLS")
        names = [c_string(each, "an SRTP profile") for each in iterated(profiles, "SRTP profiles")]
        if not names:
            raise ValueError("SRTP profiles are one or more names: OpenSSL cannot remove them")
        self.use_srtp(b":".join(names))

    def use_srtp(self, profiles: bytes) -> None:
        """Sets the SRTP profiles, ``bytes`` with colons between the names, also on a context for TLS.

        Raises ``Error`` and ``UnsupportedError`` as ``srtp_profiles``.  SSL_CTX_set_tlsext_use_srtp(3)
        """
        self._change_srtp()
        wire = c_text(profiles, "a list of SRTP profiles")
        take_records()
        # It returns 0 for success.
        if lib.SSL_CTX_set_tlsext_use_srtp(self._ctx, wire) != 0:
            raise failed("SSL_CTX_set_tlsext_use_srtp")
        self._srtp_profiles = tuple(wire.decode("latin-1").split(":"))

    def _change_srtp(self) -> None:
        self._change()
        require(lib.HAVE_SRTP, "keys for SRTP")


class SRTPConnection(Connection):
    """What a connection has negotiated for SRTP."""

    @property
    def srtp_profile(self) -> str | None:
        """The name of the SRTP profile that was selected; None for none.  SSL_get_selected_srtp_profile(3)"""

        def selected(ssl: Any) -> str | None:
            profile = lib.SSL_get_selected_srtp_profile(ssl) if lib.HAVE_SRTP else ffi.NULL
            return None if profile == ffi.NULL else text(profile.name)

        return self._ask(selected)

    def srtp_keys(self) -> SRTPKeys:
        """Derives the keys for SRTP from the connection, the same on both sides.

        Raises ``NotDueError`` before the handshake is finished, and ``Error`` if no profile was selected: then nothing
        may be sent over SRTP.  SSL_export_keying_material(3)
        """
        profile = self.srtp_profile
        if not self.is_handshake_finished:
            raise NotDueError("the handshake is not finished: there are no keys for SRTP yet")
        if profile is None:
            raise Error("no SRTP profile was selected: the peers have none in common, or one of them offers none")
        return SRTPKeys(profile, self.export_keying_material(SRTPKeys.LABEL, SRTPKeys.size(profile)))
