"""The algorithms that a connection and its peer have offered: ciphers, groups, signature algorithms.

What they have agreed on is in negotiated.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pyossl.core import ffi, lib, own, text
from pyossl.tls.connection.negotiated import Negotiated, ciphers_in
from pyossl.tls.connection.signature_schemes import SIGNATURE_SCHEMES

_UNNAMED_GROUP = 0x1000000
"""OpenSSL's flag for the number of a group that has no NID: TLSEXT_nid_unknown."""


class PeerAlgorithms(Negotiated):
    """The algorithms that both sides have offered."""

    @property
    def supported_ciphers(self) -> tuple[tuple[str, str, int], ...]:
        """The ciphers that this side can use, by its settings and the versions that are possible, the preferred first.

        Each is a tuple as in ``shared_ciphers``.  SSL_get1_supported_ciphers(3)
        """

        def supported(ssl: Any) -> tuple[tuple[str, str, int], ...]:
            stack = own(lib.SSL_get1_supported_ciphers(ssl), lib.sk_SSL_CIPHER_free)
            return _without_numbers(stack)

        return self._ask(supported)

    @property
    def peer_ciphers(self) -> tuple[tuple[str, str, int], ...]:
        """On a server, the client's ciphers in its order, as far as OpenSSL knows them.

        Each is a tuple as in ``shared_ciphers``.  Empty on a client, and before the ClientHello.
        SSL_get_client_ciphers(3)
        """
        return self._ask(lambda ssl: _without_numbers(lib.SSL_get_client_ciphers(ssl)))

    @property
    def peer_groups(self) -> tuple[str, ...]:
        """On a server, the client's groups for the key exchange, in its order, for example ``x25519``.

        A group without a name is its number, for example ``0x2a2a``.  Empty on a client, and before the ClientHello.
        SSL_get1_groups(3)
        """

        def offered(ssl: Any) -> tuple[str, ...]:
            count = lib.SSL_get1_groups(ssl, ffi.NULL) if lib.SSL_is_server(ssl) else 0
            groups = ffi.new("int[]", max(count, 0))
            if count > 0:
                lib.SSL_get1_groups(ssl, groups)
            return tuple(_group_name(ssl, group) for group in groups)

        return self._ask(offered)

    @property
    def shared_groups(self) -> tuple[str, ...]:
        """On a server, the groups that both sides have, in the order of the side whose preference counts.

        Empty on a client, and before the ClientHello.  SSL_get_shared_group(3)
        """

        def shared(ssl: Any) -> tuple[str, ...]:
            if not lib.SSL_is_server(ssl) or lib.SSL_get_session(ssl) == ffi.NULL:
                return ()
            numbers = (lib.SSL_get_shared_group(ssl, n) for n in range(lib.SSL_get_shared_group(ssl, -1)))
            return tuple(_group_name(ssl, number) for number in numbers)

        return self._ask(shared)

    @property
    def peer_signature_algorithms(self) -> tuple[str, ...]:
        """The signature algorithms that the peer accepts, in its order, for example ``ecdsa_secp256r1_sha256``.

        On a server those of the ClientHello; on a client those of the request for its certificate.  An algorithm
        without a name is its number, for example ``0x0a0a``.  Empty if the peer has sent none.  SSL_get_sigalgs(3)
        """
        return self._ask(lambda ssl: tuple(_signature_algorithms(ssl, lib.SSL_get_sigalgs)))

    @property
    def shared_signature_algorithms(self) -> tuple[str, ...]:
        """The signature algorithms that both sides have, in the order in which this side chooses.

        Empty if the peer has sent none.  SSL_get_shared_sigalgs(3)
        """
        return self._ask(lambda ssl: tuple(_signature_algorithms(ssl, lib.SSL_get_shared_sigalgs)))


def _without_numbers(stack: Any) -> tuple[tuple[str, str, int], ...]:
    return tuple((name, version, bits) for _, name, version, bits in ciphers_in(stack))


def _group_name(ssl: Any, group: int) -> str:
    """The name of a group by its NID, or by its number on the wire and ``_UNNAMED_GROUP``."""
    name = ""
    if lib.HAVE_API_3_0:
        name = text(lib.SSL_group_to_name(ssl, group))
    elif not group & _UNNAMED_GROUP:
        name = text(lib.OBJ_nid2sn(group))
    return name or f"{group & 0xFFFF:#06x}"


def _signature_algorithms(ssl: Any, function: Callable[..., int]) -> Iterator[str]:
    signature, digest = ffi.new("unsigned char *"), ffi.new("unsigned char *")
    index = count = 0
    while index == 0 or index < count:
        count = function(ssl, index, ffi.NULL, ffi.NULL, ffi.NULL, signature, digest)
        if count <= index:
            return
        number = digest[0] << 8 | signature[0]
        yield SIGNATURE_SCHEMES.get(number, f"{number:#06x}")
        index += 1
