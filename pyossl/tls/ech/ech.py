"""Encrypted Client Hello (ECH): the server's name is encrypted in the first message of the handshake.  RFC 9849

Theory of operation
-------------------
A client sends two ClientHellos in one.  The outer one is readable on the network and names the *public name* of the
configuration; the inner one has the true name, and is encrypted with the configuration's public key.

- If the server has the private key, it goes on with the inner ClientHello: the handshake, the certificate and all
  verification are those of the true name.
- If it does not, it goes on with the outer one and shows a certificate for the public name.  OpenSSL verifies that
  name, also if the context does not check names, then sends the alert ech_required, and the handshake fails.  The
  server may have sent newer configurations.  They are authentic only if the certificate was verified, and only then
  the program gets them (``ECHError.retry_configs``).

The true name is never sent without encryption.  OpenSSL fails before the first byte if TLS 1.3 is not allowed or no
configuration can be used, and after the handshake if the server did not take part.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any, NamedTuple

from pyossl.core import ffi, lib, own, text
from pyossl.core.arguments import flag, instance
from pyossl.core.copying import Uncopied
from pyossl.core.errors import UsageError, check, require
from pyossl.core.outcome import take_records
from pyossl.tls.ech.ech_store import ECHConfig, ECHStore, config_list_of, configs_of, new_store, read_config_list
from pyossl.tls.settings.alpn import checked_protocols
from pyossl.tls.settings.context_state import ContextState
from pyossl.tls.settings.versions import Version, VersionSettings
from pyossl.x509.reference_name import reference_name

ECH = "Encrypted Client Hello"


class ECHStatus(enum.Enum):
    """What became of Encrypted Client Hello: ``ECHStatus.SUCCESS`` is SSL_ECH_STATUS_SUCCESS.

    - ``SUCCESS``: the server decrypted the inner ClientHello, and the certificate is right.
    - ``BAD_NAME``: the same, but the certificate was not accepted: the client does not verify.
    - ``FAILED``: it was offered, and is not accepted: the handshake failed, or is not that far.
    - ``FAILED_ECH``: it was refused by a server with a certificate for the public name, which sent configurations.
    - ``FAILED_ECH_BAD_NAME``: it was refused, with configurations, by a server whose certificate is not accepted.
    - ``GREASE``: a client sent random data in its place; a server could not decrypt what it got.
    - ``GREASE_ECH``: as ``GREASE``, and the server sent configurations.
    - ``BACKEND``: the server got an inner ClientHello that another server had decrypted.
    - ``NOT_TRIED``: it was not offered.
    - ``NOT_CONFIGURED``: this side has no configuration.

    SSL_ech_get1_status(3)
    """

    SUCCESS = "success"
    BAD_NAME = "bad name"
    FAILED = "failed"
    FAILED_ECH = "failed, with configurations"
    FAILED_ECH_BAD_NAME = "failed, with configurations, bad name"
    GREASE = "grease"
    GREASE_ECH = "grease, with configurations"
    BACKEND = "backend"
    NOT_TRIED = "not tried"
    NOT_CONFIGURED = "not configured"


class ECHOutcome(NamedTuple):
    """What became of Encrypted Client Hello, and the two server names.  SSL_ech_get1_status(3)"""

    status: ECHStatus
    server_name: str | None
    outer_server_name: str | None


ECHOutcome.status.__doc__ = "What became of it."
ECHOutcome.server_name.__doc__ = "The true server name, of the inner ClientHello; None for none."
ECHOutcome.outer_server_name.__doc__ = "The name that was sent without encryption; None for none."


class ECHOffer(Uncopied):
    """What a client offers for Encrypted Client Hello: the argument ``ech`` of a connection.  SSL_set1_echstore(3)

    - ``config_list``: the server's configurations, from the ``ech=`` of its DNS record: base64, or binary as ``bytes``.
      Configurations that OpenSSL cannot use are ignored.
    - ``outer_server_name``: the name to send without encryption; None for the public name of the configuration.  If
      the server refuses, its certificate must be for this name.
    - ``sends_outer_server_name``: False sends no name without encryption.
    - ``outer_alpn``: the application protocols to send without encryption.  If it is empty, the true ones are sent
      without encryption too.

    It is immutable, and can be used for many connections.  Raises ``DecodeError`` if there is no configuration that
    OpenSSL can use, ``UnsupportedError`` before OpenSSL 4.0, and ``TypeError`` or ``ValueError`` for other arguments.
    """

    __slots__ = ("__weakref__", "_alpn", "_config_list", "_outer", "_sends_outer", "_store")

    _instead = "make another one with the same arguments"

    def __init__(
        self,
        config_list: bytes | str,
        *,
        outer_server_name: str | None = None,
        sends_outer_server_name: bool = True,
        outer_alpn: Iterable[str] = (),
    ) -> None:
        self._sends_outer = flag(sends_outer_server_name, "sends_outer_server_name")
        self._outer: str | None = None
        if outer_server_name is not None:
            name = reference_name(outer_server_name)
            if name.is_address:
                raise ValueError(f"outer_server_name is a DNS name, not the address {outer_server_name!r}")
            if not self._sends_outer:
                raise ValueError("outer_server_name is given, and sends_outer_server_name is False")
            self._outer = name.text
        self._alpn = checked_protocols(outer_alpn)
        binary = config_list_of(config_list)
        require(lib.HAVE_ECH, ECH)
        self._store = new_store()
        read_config_list(self._store, binary)
        self._config_list = binary

    @property
    def config_list(self) -> bytes:
        """The list of configurations in binary, with those that OpenSSL cannot use."""
        return self._config_list

    @property
    def configs(self) -> tuple[ECHConfig, ...]:
        """The configurations that OpenSSL can use; it takes the first one.  OSSL_ECHSTORE_get1_info(3)"""
        return configs_of(self._store)

    @property
    def outer_server_name(self) -> str | None:
        """The name that is sent without encryption; None for none."""
        return (self._outer or self.configs[0].public_name) if self._sends_outer else None

    def __repr__(self) -> str:
        return f"<ECHOffer with {self.outer_server_name or 'no name'!r} in the clear>"


Offered = bytes | str | ECHOffer
"""What a connection takes as ``ech``."""


def offer_of(ech: Offered) -> ECHOffer:
    """The ``ECHOffer`` for an argument ``ech``.  Raises the exceptions of ``ECHOffer``."""
    return ech if isinstance(ech, ECHOffer) else ECHOffer(ech)


def encrypt_hello(ssl: Any, context: VersionSettings, name: str, offer: ECHOffer) -> None:
    """Makes a client encrypt its ClientHello.  ``name`` is its ``server_hostname``; empty for none.

    Raises ``UsageError`` if that is not possible: then nothing may be sent.  SSL_set1_echstore(3)
    """
    if context.is_server:
        raise UsageError("ech is for clients: a server has Context.ech_store")
    if not name or reference_name(name).is_address:
        raise UsageError("ech hides the server's DNS name: server_hostname is needed, and not an address")
    newest = context.maximum_version
    if newest is not None and newest < Version.TLSv1_3:
        raise UsageError(f"ech needs TLS 1.3, and this context allows {newest!r} at most")
    take_records()
    check(lib.SSL_set1_echstore(ssl, offer._store), "SSL_set1_echstore")
    if offer._outer is not None or not offer._sends_outer:
        outer = ffi.NULL if offer._outer is None else offer._outer.encode()
        check(lib.SSL_ech_set1_outer_server_name(ssl, outer, not offer._sends_outer), "SSL_ech_set1_outer_server_name")
    if offer._alpn:
        set_alpn = lib.SSL_ech_set1_outer_alpn_protos(ssl, offer._alpn, len(offer._alpn))
        check(set_alpn, "SSL_ech_set1_outer_alpn_protos")


def outcome_of(ssl: Any) -> ECHOutcome:
    """What became of Encrypted Client Hello on an ``SSL *``, with an OpenSSL that has it.  SSL_ech_get1_status(3)"""
    names = ffi.new("char *[2]")
    result = lib.SSL_ech_get1_status(ssl, names, names + 1)
    inner, outer = (own(name, lib.OPENSSL_free) for name in names)
    take_records()  # a status can be FAILED with an entry in the queue
    status = next((each for each in ECHStatus if getattr(lib, f"SSL_ECH_STATUS_{each.name}") == result), None)
    return ECHOutcome(status or ECHStatus.FAILED, text(inner) or None, text(outer) or None)


def retry_configs_of(ssl: Any) -> bytes | None:
    """The configurations of a server that refused, and whose certificate for the public name was verified.

    SSL_ech_get1_retry_config(3)
    """
    if outcome_of(ssl).status is not ECHStatus.FAILED_ECH:
        return None
    configs, size = ffi.new("unsigned char **"), ffi.new("size_t *")
    result = lib.SSL_ech_get1_retry_config(ssl, configs, size)
    take_records()
    owned = own(configs[0], lib.OPENSSL_free)
    return bytes(ffi.buffer(owned, size[0])) if result == 1 and size[0] else None


class ECHSettings(ContextState):
    """The keys of a server for Encrypted Client Hello."""

    __slots__ = ()

    @property
    def ech_store(self) -> ECHStore | None:
        """The keys with which a server decrypts an Encrypted Client Hello; None for none.

        The server needs a certificate for the public names too: ``servername_callback`` is called with the public name
        if a client's configuration is out of date, and with the true name otherwise.  Clients that use none go on as
        before.  Raises ``UsageError`` on a client's context.  OpenSSL 4.0 or newer.  SSL_CTX_set1_echstore(3)
        """
        return self._ech_store

    @ech_store.setter
    def ech_store(self, store: ECHStore | None) -> None:
        self._change_server("ech_store")
        if store is not None:
            instance(store, ECHStore, "ech_store")
        require(lib.HAVE_ECH, ECH)
        take_records()
        pointer = ffi.NULL if store is None else store._store
        check(lib.SSL_CTX_set1_echstore(self._ctx, pointer), "SSL_CTX_set1_echstore")
        self._ech_store = store
