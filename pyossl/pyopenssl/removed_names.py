"""Names that older releases of pyOpenSSL had: the release that removed them, and what replaces them.

docs/switching/pyopenssl.md lists them for readers.
"""

from __future__ import annotations

_REQUESTS = "the package cryptography (cryptography.x509)"
_SIGNATURES = "the package cryptography (the methods sign and verify of its keys)"
_PKCS7 = "the package cryptography (cryptography.hazmat.primitives.serialization.pkcs7)"

_REMOVED = {
    "SSL": {
        "ConnectionType": ("19.1", "Connection"),
        "ContextType": ("19.1", "Context"),
        "SSLv2_METHOD": ("22.1", "TLS_METHOD: OpenSSL has no SSLv2"),
        "SSLv3_METHOD": ("22.1", "TLS_METHOD: SSLv3 is insecure"),
    },
    "crypto": {
        "CRL": ("24.3", "pyossl.CRL"),
        "CRLType": ("19.1", "pyossl.CRL"),
        "NetscapeSPKI": ("24.1", "the command openssl spkac"),
        "NetscapeSPKIType": ("19.1", "the command openssl spkac"),
        "PKCS12": ("24.1", "pyossl.PKCS12"),
        "PKCS12Type": ("19.1", "pyossl.PKCS12"),
        "PKCS7": ("23.3", _PKCS7),
        "PKCS7Type": ("19.1", _PKCS7),
        "PKeyType": ("19.1", "PKey"),
        "Revoked": ("24.3", "pyossl.Revoked"),
        "X509Extension": ("26.2", "pyossl.Certificate.extensions to read, the package cryptography to make one"),
        "X509ExtensionType": ("19.1", "pyossl.Certificate.extensions to read, the package cryptography to make one"),
        "X509NameType": ("19.1", "X509Name"),
        "X509Req": ("26.3", _REQUESTS),
        "X509ReqType": ("19.1", _REQUESTS),
        "X509StoreType": ("19.1", "X509Store"),
        "X509Type": ("19.1", "X509"),
        "dump_certificate_request": ("26.3", _REQUESTS),
        "dump_crl": ("24.3", "pyossl.CRL.to_pem"),
        "load_certificate_request": ("26.3", _REQUESTS),
        "load_crl": ("24.3", "pyossl.CRL.load"),
        "load_pkcs12": ("23.3", "pyossl.PKCS12.load"),
        "load_pkcs7_data": ("23.3", _PKCS7),
        "sign": ("24.3", _SIGNATURES),
        "verify": ("24.3", _SIGNATURES),
    },
}


def missing(module: str, name: str) -> AttributeError:
    """The exception for an attribute that a module does not have; it says what replaces one that pyOpenSSL removed."""
    message = f"module {module!r} has no attribute {name!r}"
    if removed := _REMOVED[module.rpartition(".")[2]].get(name):
        release, replacement = removed
        message += f": pyOpenSSL {release} removed it; use {replacement}"
    return AttributeError(message)
