"""The system's OpenSSL as it is found: its files, providers and configuration, its policy, and whom it trusts.

Nothing here changes anything; ``python -m pyossl info`` prints it.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from pyossl.core.binding import ffi, lib, own, text
from pyossl.core.errors import check_ptr
from pyossl.core.outcome import take_records
from pyossl.tls.versions import Version
from pyossl.x509.certificate import load_certificates
from pyossl.x509.store import default_certificate_directory, default_certificate_file

_ROOM = 32
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")


class Provider(NamedTuple):
    """A loaded provider of algorithms; ``active`` tells whether it says that it works.  OSSL_PROVIDER_get_params(3)"""

    name: str
    title: str
    version: str
    active: bool


class Policy(NamedTuple):
    """What the configuration demands of every TLS connection, before a program has said anything.

    A version is None where there is no limit but OpenSSL's own.  config(5), SSL_CTX_set_security_level(3)
    """

    security_level: int
    minimum_version: Version | None
    maximum_version: Version | None


class TrustPath(NamedTuple):
    """A file or directory of trusted certificates, and how many it holds; None where there is none to be read."""

    path: str
    certificates: int | None


class TrustStore(NamedTuple):
    """Where this OpenSSL looks for whom to trust.  X509_STORE_set_default_paths(3)"""

    file: TrustPath
    directories: tuple[TrustPath, ...]


def ssl_library() -> str:
    """The file that libssl was loaded from, as the dynamic linker knows it.  dladdr(3)"""
    return text(lib.pyossl_ssl_library())


def crypto_library() -> str:
    """The file that libcrypto was loaded from, as the dynamic linker knows it.  dladdr(3)"""
    return text(lib.pyossl_crypto_library())


def headers() -> str:
    """The OpenSSL whose headers pyossl was compiled with, such as ``OpenSSL 3.0.19 27 Jan 2026``."""
    return text(lib.pyossl_headers())


def configuration_file() -> str:
    """The configuration file that is read at start, there or not; ``OPENSSL_CONF`` is respected.

    CONF_get1_default_config_file(3)
    """
    what = "CONF_get1_default_config_file"
    return text(own(check_ptr(lib.CONF_get1_default_config_file(), what), lib.OPENSSL_free))


def providers() -> tuple[Provider, ...]:
    """The loaded providers; none before OpenSSL 3.0, which has no providers.  OSSL_PROVIDER_do_all(3)"""
    found = ffi.new("pyossl_provider[]", _ROOM)
    count = lib.pyossl_providers(found, _ROOM)
    take_records()
    return tuple(
        Provider(text(each.name), text(each.title), text(each.version), bool(each.active)) for each in found[0:count]
    )


def is_fips_enabled() -> bool:
    """Whether algorithms are taken from a FIPS module unless a program says else.

    EVP_default_properties_is_fips_enabled(3)
    """
    return bool(lib.pyossl_fips())


def policy() -> Policy:
    """The policy of this system, as a new SSL_CTX shows it.  SSL_CTX_new(3)"""
    context = own(check_ptr(lib.SSL_CTX_new(lib.TLS_client_method()), "SSL_CTX_new"), lib.SSL_CTX_free)
    minimum, maximum = lib.SSL_CTX_get_min_proto_version(context), lib.SSL_CTX_get_max_proto_version(context)
    return Policy(
        lib.SSL_CTX_get_security_level(context),
        Version(minimum) if minimum else None,
        Version(maximum) if maximum else None,
    )


def trust_store() -> TrustStore:
    """The system's trust store: its file and its directories; ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` are respected.

    Raises ``DecodeError`` for a file that is malformed.  X509_get_default_cert_file(3)
    """
    file = default_certificate_file()
    directories = default_certificate_directory().split(os.pathsep)
    return TrustStore(
        TrustPath(file, len(load_certificates(file)) if os.access(file, os.R_OK) and os.path.isfile(file) else None),
        tuple(TrustPath(each, _hashed_certificates(each)) for each in directories if each),
    )


def _hashed_certificates(folder: str) -> int | None:
    """How many certificates OpenSSL can find in ``folder``: it looks for ``HASH.N``, mostly links, by subject."""
    try:
        names = os.listdir(folder)
    except OSError:
        return None
    links = (os.path.join(folder, name) for name in names if _HASHED.fullmatch(name))
    return len({os.path.realpath(link) for link in links if os.path.isfile(link)})
