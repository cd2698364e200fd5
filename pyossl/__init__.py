"""TLS with the operating system's own OpenSSL.

- ``connect`` and ``listen``: TLS over blocking sockets, with the settings of a ``Context``.
- ``Connection``: TLS without I/O, or over a ``BIO``.
- ``Certificate``, ``PrivateKey``, ``CRL``, ``PKCS12``, ``Store``: certificates, keys and trust; ``Authority`` makes
  certificates for development.
- ``pyossl.aio``, ``pyossl.trio``, ``pyossl.anyio``, ``pyossl.greenlets``: TLS for these libraries.
- ``pyossl.pyopenssl``: pyOpenSSL's API.
- ``LibraryContext``: providers and FIPS for a part of the process.
- ``pyossl.errors``: the exceptions.  ``features`` and ``openssl_version``: what the OpenSSL in use has.
- ``ffi`` and ``lib``: OpenSSL's functions by their own names.
"""

from pyossl.core import ffi, lib

__version__: str = "0.1.0"
"""The release of pyossl, the same as in pyproject.toml."""

_HOMES = {
    "bio.bio": ("BIO",),
    "bio.filters": ("Base64Filter", "BufferFilter", "CipherFilter", "DigestFilter", "PrefixFilter"),
    "bio.network": ("AcceptBIO", "ConnectBIO", "DatagramBIO"),
    "bio.python_bio": ("PythonBIO",),
    "core.constants": ("openssl_version",),
    "core.errors": (
        "AlertError",
        "CertificateError",
        "ClosedError",
        "DecodeError",
        "ECHError",
        "Error",
        "PasswordError",
        "TLSError",
        "TransportError",
        "TruncationError",
        "UnsupportedError",
        "UsageError",
        "WouldBlockError",
    ),
    "core.features": ("features",),
    "core.flags": ("ExtensionContext", "InfoWhere", "Modes", "Options", "VerifyFlags"),
    "core.library_context": ("LibraryContext",),
    "core.outcome": ("Failure", "Record", "VerifyCode", "Want"),
    "sockets.listener": ("Listener", "listen"),
    "sockets.socket": ("Socket", "connect"),
    "tls.authentication.certificate_transparency": ("SCT", "SCTSource", "SCTStatus"),
    "tls.authentication.dane": ("DANE", "DANEMatch"),
    "tls.authentication.raw_public_keys": ("CertificateType",),
    "tls.callbacks.alert": ("Alert",),
    "tls.callbacks.callbacks": ("Verification",),
    "tls.callbacks.certificate_demand": ("CertificateDemand",),
    "tls.callbacks.client_hello": ("ClientHello", "ClientHelloExtension"),
    "tls.callbacks.custom_extension": ("CustomExtension",),
    "tls.callbacks.message": ("Message",),
    "tls.connection.connection": ("Connection",),
    "tls.connection.session": ("Session",),
    "tls.connection.ssl_filter": ("SSLFilter",),
    "tls.context.context": ("Context",),
    "tls.ech.ech": ("ECHOffer", "ECHOutcome", "ECHStatus"),
    "tls.ech.ech_store": ("ECHConfig", "ECHStore"),
    "tls.mutable.srtp": ("SRTPKeys",),
    "tls.sessions.pre_shared_key": ("PreSharedKey",),
    "tls.sessions.ticket_keys": ("TicketKeys",),
    "tls.settings.cipher_suite": ("CipherSuite",),
    "tls.settings.versions": ("Version",),
    "x509.authority": ("Authority", "self_signed"),
    "x509.certificate": ("Certificate", "load_certificates"),
    "x509.certificate_request": ("CertificateRequest", "CertificateRequestBuilder"),
    "x509.credentials": ("Credentials",),
    "x509.crl": ("CRL", "RevocationReason", "Revoked", "load_crls"),
    "x509.extensions": ("Extension", "KeyUsage"),
    "x509.keys": ("PrivateKey", "PublicKey"),
    "x509.load_uri": ("load_uri",),
    "x509.names": ("Attribute", "GeneralName", "GeneralNameType", "Name", "OtherName"),
    "x509.ocsp_response": ("OCSPResponse", "OCSPResponseStatus", "OCSPSingleResponse", "OCSPStatus"),
    "x509.pkcs12": ("PKCS12",),
    "x509.tlsa_record": ("TLSARecord",),
    "x509.trust_store": ("Store",),
}
"""Each module, and the names that a program gets from it.  The module is loaded at the first use of one of them.

``__init__.pyi`` has the same names for type checkers.
"""

_HOME = {name: home for home, names in _HOMES.items() for name in names}
_MODULES = {"errors": "pyossl.errors", "outcome": "pyossl.core.outcome"}

__all__ = [*_HOME, *_MODULES, "ffi", "lib"]


def __getattr__(name: str) -> object:
    from importlib import import_module  # a third of what this module takes to import

    # Python cannot import collections.abc while another thread imports collections: this waits for the other thread.
    import_module("collections")
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name not in _HOME:
        raise AttributeError(f"module 'pyossl' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"pyossl.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
