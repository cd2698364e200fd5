"""The cipher suites that a scan can ask for, and why a suite is weak."""

from __future__ import annotations

from collections.abc import Collection

from pyossl import CipherSuite, Context, Version
from pyossl.cli.scan_probe import scan_context
from pyossl.core.errors import Error

_TLS_1_3_NAMES = (
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_128_CCM_SHA256",
    "TLS_AES_128_CCM_8_SHA256",
    "TLS_SM4_GCM_SM3",
    "TLS_SM4_CCM_SM3",
    "TLS_SHA256_SHA256",
    "TLS_SHA384_SHA384",
)
_NEED_A_SECRET = ("_PSK_", "TLS_PSK", "TLS_SRP", "_SRP_")
_FAMILIES = {
    "NULL": "NULL",
    "EXPORT": "EXPORT",
    "DES": "_DES_",
    "3DES": "_3DES_",
    "RC2": "_RC2_",
    "RC4": "_RC4_",
    "IDEA": "_IDEA_",
    "SEED": "_SEED_",
    "CAMELLIA": "_CAMELLIA_",
    "ARIA": "_ARIA_",
    "GOST": "GOST",
    "static Diffie-Hellman (DH, ECDH)": "TLS_DH_RSA",
}
"""Families of cipher suites before TLS 1.3, and the part of the standard name by which one is recognised."""
_LEAST_BITS = 112
_LEAST_DH_BITS = 2048


class AskableSuites:
    """The cipher suites that this OpenSSL can ask for: those of TLS 1.3, and those before, by number."""

    def __init__(self) -> None:
        oldest = scan_context(Version.TLSv1, Version.TLSv1_2)
        every = [suite for suite in oldest.cipher_suites if suite.version != "TLSv1.3"]
        self.before_1_3 = [suite for suite in every if not _needs_a_secret(suite)]
        self.of_1_3 = [suite for name in _TLS_1_3_NAMES for suite in _suite_of_1_3(name)]
        self.by_number = {suite.number: suite for suite in (*self.of_1_3, *self.before_1_3)}
        self._needing_a_secret = [suite for suite in every if _needs_a_secret(suite)]

    def of(self, version: Version) -> list[CipherSuite]:
        """The suites of a version."""
        if version == Version.TLSv1_3:
            return list(self.of_1_3)
        is_1_2 = version == Version.TLSv1_2
        return [suite for suite in self.before_1_3 if is_1_2 or suite.version != "TLSv1.2"]

    def missing(self, offered: Collection[int]) -> list[str]:
        """The cipher suites and families of suites that this OpenSSL cannot ask for.

        ``offered`` are the numbers of the suites that the ClientHellos of a scan have offered.  A suite may be missing
        among them because a version is, or because of the system's policy.
        """
        refused = [suite for suite in self.by_number.values() if suite.number not in offered]
        names = [suite.standard_name for suite in self.before_1_3]
        families = [family for family, part in _FAMILIES.items() if not any(part in name for name in names)]
        missing = [f"suites with {family}" for family in families]
        missing += [name for name in _TLS_1_3_NAMES if name not in {suite.name for suite in self.of_1_3}]
        missing += [suite.name for suite in refused]
        return [*missing, "suites with a pre-shared key or password (PSK, SRP)"]


def _needs_a_secret(suite: CipherSuite) -> bool:
    return any(part in suite.standard_name for part in _NEED_A_SECRET) or suite.name.startswith(("PSK-", "SRP-"))


def _suite_of_1_3(name: str) -> list[CipherSuite]:
    try:
        context: Context = scan_context(Version.TLSv1_3, Version.TLSv1_3, ciphersuites=name)
    except (Error, ValueError):
        return []
    return [suite for suite in context.cipher_suites if suite.name == name]


def weakness(suite: CipherSuite, dh_bits: int | None = None) -> str:
    """Why a suite is weak, in a few words; empty if it is not."""
    name, reasons = suite.standard_name, []
    if "_anon_" in name:
        reasons.append("no authentication")
    if "_NULL_" in name or name in ("TLS_SHA256_SHA256", "TLS_SHA384_SHA384"):
        reasons.append("no encryption")
    elif "EXPORT" in name or suite.bits < _LEAST_BITS or any(part in name for part in ("_DES_", "_3DES_", "_RC4_")):
        reasons.append("weak encryption")
    if dh_bits is not None and dh_bits < _LEAST_DH_BITS:
        reasons.append("small Diffie-Hellman group")
    if suite.version != "TLSv1.3" and not name.startswith(("TLS_ECDHE_", "TLS_DHE_")) and "_anon_" not in name:
        reasons.append("no forward secrecy")
    if "_CBC_" in name:
        reasons.append("CBC")
    return ", ".join(reasons)


def key_exchange(suite: CipherSuite) -> str:
    """The key exchange of a suite before TLS 1.3: ``ECDHE``, ``DHE``, ``RSA`` and others."""
    exchange = suite.standard_name.partition("_WITH_")[0].removeprefix("TLS_")
    return exchange.partition("_")[0]
