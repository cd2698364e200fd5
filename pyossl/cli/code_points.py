"""The numbers on the wire and their names: versions, groups, signature algorithms, extensions, application protocols.

The names are those of IANA's registries.  For groups and signature algorithms there is also the name with which
OpenSSL's functions take them.  https://www.iana.org/assignments/tls-parameters
"""

from __future__ import annotations

from typing import NamedTuple

from pyossl.tls.connection.signature_schemes import SIGNATURE_SCHEMES

VERSIONS = {0x0300: "SSLv3", 0x0301: "TLSv1.0", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}
"""The versions, with the names of OpenSSL, but TLSv1.0 for its TLSv1."""


class Algorithm(NamedTuple):
    """A group or a signature algorithm: IANA's name, OpenSSL's name, and why it is weak, or an empty text."""

    name: str
    openssl: str
    weakness: str = ""


_SMALL = "below 112 bits of security"
_SMALL_CURVES = {1, 2, 3, 4, 5, 15, 16, 17, 18, 19}
_CURVE_NAMES = {
    1: "sect163k1",
    2: "sect163r1",
    3: "sect163r2",
    4: "sect193r1",
    5: "sect193r2",
    6: "sect233k1",
    7: "sect233r1",
    8: "sect239k1",
    9: "sect283k1",
    10: "sect283r1",
    11: "sect409k1",
    12: "sect409r1",
    13: "sect571k1",
    14: "sect571r1",
    15: "secp160k1",
    16: "secp160r1",
    17: "secp160r2",
    18: "secp192k1",
    19: "secp192r1",
    20: "secp224k1",
    21: "secp224r1",
    22: "secp256k1",
}

GROUPS = {
    29: Algorithm("x25519", "X25519"),
    23: Algorithm("secp256r1", "P-256"),
    24: Algorithm("secp384r1", "P-384"),
    25: Algorithm("secp521r1", "P-521"),
    30: Algorithm("x448", "X448"),
    4588: Algorithm("X25519MLKEM768", "X25519MLKEM768"),
    4587: Algorithm("SecP256r1MLKEM768", "SecP256r1MLKEM768"),
    4589: Algorithm("SecP384r1MLKEM1024", "SecP384r1MLKEM1024"),
    512: Algorithm("MLKEM512", "MLKEM512"),
    513: Algorithm("MLKEM768", "MLKEM768"),
    514: Algorithm("MLKEM1024", "MLKEM1024"),
    256: Algorithm("ffdhe2048", "ffdhe2048"),
    257: Algorithm("ffdhe3072", "ffdhe3072"),
    258: Algorithm("ffdhe4096", "ffdhe4096"),
    259: Algorithm("ffdhe6144", "ffdhe6144"),
    260: Algorithm("ffdhe8192", "ffdhe8192"),
    26: Algorithm("brainpoolP256r1", "brainpoolP256r1"),
    27: Algorithm("brainpoolP384r1", "brainpoolP384r1"),
    28: Algorithm("brainpoolP512r1", "brainpoolP512r1"),
    31: Algorithm("brainpoolP256r1tls13", "brainpoolP256r1tls13"),
    32: Algorithm("brainpoolP384r1tls13", "brainpoolP384r1tls13"),
    33: Algorithm("brainpoolP512r1tls13", "brainpoolP512r1tls13"),
    41: Algorithm("curveSM2", "curveSM2"),
    4590: Algorithm("curveSM2MLKEM768", "curveSM2MLKEM768"),
    **{
        number: Algorithm(name, "prime192v1" if number == 19 else name, _SMALL if number in _SMALL_CURVES else "")
        for number, name in _CURVE_NAMES.items()
    },
}
"""The groups of the key exchange by number.  Those that servers usually have come first."""

_SHA1, _MD5 = "SHA-1 can be forged", "MD5 can be forged"

_SIGNATURE_ALGORITHMS = {
    0x0403: ("ECDSA+SHA256",),
    0x0503: ("ECDSA+SHA384",),
    0x0603: ("ECDSA+SHA512",),
    0x0807: ("ed25519",),
    0x0808: ("ed448",),
    0x0804: ("rsa_pss_rsae_sha256",),
    0x0805: ("rsa_pss_rsae_sha384",),
    0x0806: ("rsa_pss_rsae_sha512",),
    0x0809: ("rsa_pss_pss_sha256",),
    0x080A: ("rsa_pss_pss_sha384",),
    0x080B: ("rsa_pss_pss_sha512",),
    0x0904: ("mldsa44",),
    0x0905: ("mldsa65",),
    0x0906: ("mldsa87",),
    0x081A: ("ecdsa_brainpoolP256r1tls13_sha256",),
    0x081B: ("ecdsa_brainpoolP384r1tls13_sha384",),
    0x081C: ("ecdsa_brainpoolP512r1tls13_sha512",),
    0x0401: ("RSA+SHA256",),
    0x0501: ("RSA+SHA384",),
    0x0601: ("RSA+SHA512",),
    0x0301: ("RSA+SHA224",),
    0x0303: ("ECDSA+SHA224",),
    0x0402: ("DSA+SHA256",),
    0x0502: ("DSA+SHA384",),
    0x0602: ("DSA+SHA512",),
    0x0302: ("DSA+SHA224",),
    0x0201: ("RSA+SHA1", _SHA1),
    0x0203: ("ECDSA+SHA1", _SHA1),
    0x0202: ("DSA+SHA1", _SHA1),
    0x0101: ("RSA+MD5", _MD5),
}

SIGNATURE_ALGORITHMS = {
    number: Algorithm(SIGNATURE_SCHEMES[number], *openssl) for number, openssl in _SIGNATURE_ALGORITHMS.items()
}
"""The signature algorithms by number.  In TLS 1.2 the curve is not a part of the algorithm."""

EXTENSIONS = {
    0: "server_name",
    1: "max_fragment_length",
    5: "status_request",
    10: "supported_groups",
    11: "ec_point_formats",
    13: "signature_algorithms",
    14: "use_srtp",
    16: "application_layer_protocol_negotiation",
    17: "status_request_v2",
    18: "signed_certificate_timestamp",
    20: "server_certificate_type",
    22: "encrypt_then_mac",
    23: "extended_master_secret",
    27: "compress_certificate",
    28: "record_size_limit",
    35: "session_ticket",
    41: "pre_shared_key",
    42: "early_data",
    43: "supported_versions",
    44: "cookie",
    45: "psk_key_exchange_modes",
    47: "certificate_authorities",
    49: "post_handshake_auth",
    50: "signature_algorithms_cert",
    51: "key_share",
    65037: "encrypted_client_hello",
    65281: "renegotiation_info",
}

PROTOCOLS = (
    "h2",
    "http/1.1",
    "http/1.0",
    "http/0.9",
    "h3",
    "spdy/3.1",
    "spdy/3",
    "spdy/2",
    "spdy/1",
    "acme-tls/1",
    "coap",
    "dicom",
    "doq",
    "dot",
    "ftp",
    "grpc-exp",
    "imap",
    "irc",
    "managesieve",
    "mqtt",
    "nnsp",
    "nntp",
    "ntske/1",
    "pop3",
    "postgresql",
    "radius/1.0",
    "radius/1.1",
    "sip/2",
    "smb",
    "stun.nat-discovery",
    "stun.turn",
    "sunrpc",
    "tds/8.0",
    "webrtc",
    "c-webrtc",
    "xmpp-client",
    "xmpp-server",
)
"""The names of application protocols that IANA has registered for ALPN, and two older ones.

https://www.iana.org/assignments/tls-extensiontype-values
"""


def version(number: int) -> str:
    """The name of a version."""
    return VERSIONS.get(number, f"version {number:#06x}")


def group(number: int) -> str:
    """The name of a group."""
    return GROUPS[number].name if number in GROUPS else f"group {number}"


def signature_algorithm(number: int) -> str:
    """The name of a signature algorithm."""
    return SIGNATURE_ALGORITHMS[number].name if number in SIGNATURE_ALGORITHMS else f"signature algorithm {number:#06x}"


def extension(number: int) -> str:
    """The name of an extension."""
    return EXTENSIONS.get(number, f"extension {number}")
