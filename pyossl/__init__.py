"""pyossl: the TLS stack of the operating system's own OpenSSL, from any Python.

``connect`` and ``listen`` are blocking sockets; ``Connection`` is TLS with no I/O of its own; ``ffi`` and ``lib`` are
OpenSSL's functions by their own names.
"""

from importlib import import_module

from pyossl._lib import ffi, lib, text

openssl_version: str = text(lib.OpenSSL_version(lib.OPENSSL_VERSION))
"""The OpenSSL library in use, such as ``OpenSSL 3.0.19 27 Jan 2026``.  OpenSSL_version(3)"""

__version__: str = "0.1.0"
"""The release of pyossl, the same as in pyproject.toml."""

_HOMES = {
    "bio": ("BIO",),
    "bio_filters": ("Base64Filter", "BufferFilter", "CipherFilter", "DigestFilter", "PrefixFilter"),
    "bio_network": ("AcceptBIO", "ConnectBIO", "DatagramBIO"),
    "bio_python": ("PythonBIO", "SSLFilter"),
    "callbacks": ("Verification",),
    "connection": ("Connection",),
    "context": ("Context",),
    "crl": ("CRL", "Revoked", "load_crls"),
    "errors": (
        "AlertError",
        "CertificateError",
        "ClosedError",
        "DecodeError",
        "Error",
        "PasswordError",
        "TLSError",
        "TransportError",
        "TruncationError",
        "UnsupportedError",
        "UsageError",
        "WouldBlockError",
    ),
    "extensions": ("Extension", "KeyUsage"),
    "flags": ("InfoWhere", "Modes", "Options", "VerifyFlags"),
    "have": ("features",),
    "general_names": ("Attribute", "GeneralName", "GeneralNameType", "Name", "OtherName"),
    "issuing": ("Authority", "Credentials", "self_signed"),
    "keys": ("PrivateKey", "PublicKey"),
    "listener": ("Listener", "listen"),
    "message": ("Message",),
    "outcome": ("Failure", "Record", "Want"),
    "pkcs12": ("PKCS12",),
    "policy": ("Version",),
    "session": ("Session",),
    "sockets": ("Socket", "connect"),
    "store": ("Store",),
    "uri": ("load_uri",),
    "x509": ("Certificate", "load_certificates"),
}
"""Each name's module, which is loaded when somebody first asks for the name: no program needs them all.

``__init__.pyi`` says the same to those who read types.
"""

_HOME = {name: home for home, names in _HOMES.items() for name in names}
_MODULES = ("errors", "outcome")

__all__ = [*_HOME, *_MODULES, "ffi", "lib", "openssl_version"]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(f"pyossl.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'pyossl' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"pyossl.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
