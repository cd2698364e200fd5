"""The system's OpenSSL: its libraries, providers, configuration file, policy and trust store.

Nothing here changes a setting.  ``python -m pyossl info`` prints all of it.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from pyossl.core import ffi, lib, own, text
from pyossl.core.errors import Error, failed
from pyossl.core.library_configuration import configuration_file
from pyossl.core.outcome import take_records
from pyossl.core.provider import Provider, providers_of
from pyossl.tls.settings.versions import Version
from pyossl.x509.certificate import load_certificates
from pyossl.x509.trust_store import default_certificate_directory, default_certificate_file

__all__ = [
    "Policy",
    "Provider",
    "TrustPath",
    "TrustStore",
    "configuration_file",
    "crypto_library",
    "headers",
    "is_fips_enabled",
    "policy",
    "providers",
    "ssl_library",
    "trust_store",
]

_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")


class Policy(NamedTuple):
    """The defaults that the system's configuration sets for every TLS connection.

    config(5), SSL_CTX_set_security_level(3)
    """

    security_level: int
    minimum_version: Version | None
    maximum_version: Version | None


Policy.security_level.__doc__ = "The security level, 0 to 5."
Policy.minimum_version.__doc__ = "The oldest version; None if only OpenSSL's own limit applies."
Policy.maximum_version.__doc__ = "The newest version; None if only OpenSSL's own limit applies."


class TrustPath(NamedTuple):
    """A file or directory of trusted certificates."""

    path: str
    certificates: int | None


TrustPath.path.__doc__ = "The path of the file or directory."
TrustPath.certificates.__doc__ = "The number of certificates in it; None if it does not exist or cannot be read."


class TrustStore(NamedTuple):
    """The files in which this OpenSSL looks for trusted certificates.  X509_STORE_set_default_paths(3)"""

    file: TrustPath
    directories: tuple[TrustPath, ...]


TrustStore.file.__doc__ = "The file, which is read first."
TrustStore.directories.__doc__ = "The directories, in which certificates are found by the hash of their subject."


def ssl_library() -> str:
    """The path of the loaded libssl, as the dynamic linker reports it.  dladdr(3)"""
    return text(lib.pyossl_ssl_library())


def crypto_library() -> str:
    """The path of the loaded libcrypto, as the dynamic linker reports it.  dladdr(3)"""
    return text(lib.pyossl_crypto_library())


def headers() -> str:
    """The version of the headers that pyossl was compiled with, for example ``OpenSSL 3.0.19 27 Jan 2026``."""
    return text(lib.pyossl_headers())


def providers() -> tuple[Provider, ...]:
    """The loaded providers; empty with OpenSSL 1.1.1, which has none.  OSSL_PROVIDER_do_all(3)"""
    return providers_of(ffi.NULL)


def is_fips_enabled() -> bool:
    """Whether algorithms are taken from a FIPS module by default.

    EVP_default_properties_is_fips_enabled(3)
    """
    return bool(lib.pyossl_fips(ffi.NULL))


def policy() -> Policy:
    """The policy of this system, read from a new SSL_CTX.

    Raises ``Error`` if OpenSSL makes none: its configuration can be wrong.  SSL_CTX_new(3)
    """
    take_records()
    context = own(lib.SSL_CTX_new(lib.TLS_client_method()), lib.SSL_CTX_free)
    if context == ffi.NULL:
        raise no_context()
    minimum, maximum = lib.SSL_CTX_get_min_proto_version(context), lib.SSL_CTX_get_max_proto_version(context)
    return Policy(
        lib.SSL_CTX_get_security_level(context),
        Version(minimum) if minimum else None,
        Version(maximum) if maximum else None,
    )


def no_context() -> Error:
    """The exception for a call of SSL_CTX_new(3) that has just failed, which names the configuration file."""
    return failed(f"SSL_CTX_new with the configuration {configuration_file()}")


def trust_store() -> TrustStore:
    """The system's trust store: its file and its directories.

    The environment variables ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` may set them.  Raises ``DecodeError`` for a
    malformed file.  X509_get_default_cert_file(3)
    """
    file = default_certificate_file()
    directories = default_certificate_directory().split(os.pathsep)
    return TrustStore(
        TrustPath(file, len(load_certificates(file)) if os.access(file, os.R_OK) and os.path.isfile(file) else None),
        tuple(TrustPath(each, _hashed_certificates(each)) for each in directories if each),
    )


def _hashed_certificates(folder: str) -> int | None:
    """The number of certificates that OpenSSL can find in ``folder``: files ``HASH.N``, most of them links."""
    try:
        names = os.listdir(folder)
    except OSError:
        return None
    links = (os.path.join(folder, name) for name in names if _HASHED.fullmatch(name))
    return len({os.path.realpath(link) for link in links if os.path.isfile(link)})
