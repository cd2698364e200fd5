"""pyossl: the TLS stack of the operating system's own OpenSSL, from any Python.

``connect`` and ``listen`` are blocking sockets; ``Connection`` is TLS with no I/O of its own; ``ffi`` and ``lib`` are
OpenSSL's functions by their own names.
"""

from pyossl import errors, outcome
from pyossl._lib import ffi, lib, text
from pyossl.bio import BIO
from pyossl.bio_filters import Base64Filter, BufferFilter, CipherFilter, DigestFilter, PrefixFilter
from pyossl.bio_network import AcceptBIO, ConnectBIO, DatagramBIO
from pyossl.bio_python import PythonBIO, SSLFilter
from pyossl.callbacks import Verification
from pyossl.connection import Connection
from pyossl.context import Context
from pyossl.crl import CRL, Revoked, load_crls
from pyossl.errors import (
    AlertError,
    CertificateError,
    ClosedError,
    DecodeError,
    Error,
    PasswordError,
    TransportError,
    TruncationError,
    UnsupportedError,
    UsageError,
    WouldBlockError,
)
from pyossl.extensions import Extension, KeyUsage
from pyossl.features import features
from pyossl.flags import InfoWhere, Modes, Options, VerifyFlags
from pyossl.general_names import Attribute, GeneralName, GeneralNameType, Name, OtherName
from pyossl.issuing import Authority, Credentials, self_signed
from pyossl.keys import PrivateKey, PublicKey
from pyossl.listener import Listener, listen
from pyossl.message import Message
from pyossl.outcome import Failure, Record, Want
from pyossl.pkcs12 import PKCS12
from pyossl.policy import Version
from pyossl.session import Session
from pyossl.sockets import Socket, connect
from pyossl.store import Store
from pyossl.uri import load_uri
from pyossl.x509 import Certificate, load_certificates

openssl_version: str = text(lib.OpenSSL_version(lib.OPENSSL_VERSION))
"""The OpenSSL library in use, such as ``OpenSSL 3.0.19 27 Jan 2026``.  OpenSSL_version(3)"""

__all__ = [
    "BIO",
    "CRL",
    "PKCS12",
    "AcceptBIO",
    "AlertError",
    "Attribute",
    "Authority",
    "Base64Filter",
    "BufferFilter",
    "Certificate",
    "CertificateError",
    "CipherFilter",
    "ClosedError",
    "ConnectBIO",
    "Connection",
    "Context",
    "Credentials",
    "DatagramBIO",
    "DecodeError",
    "DigestFilter",
    "Error",
    "Extension",
    "Failure",
    "GeneralName",
    "GeneralNameType",
    "InfoWhere",
    "KeyUsage",
    "Listener",
    "Message",
    "Modes",
    "Name",
    "Options",
    "OtherName",
    "PasswordError",
    "PrefixFilter",
    "PrivateKey",
    "PublicKey",
    "PythonBIO",
    "Record",
    "Revoked",
    "SSLFilter",
    "Session",
    "Socket",
    "Store",
    "TransportError",
    "TruncationError",
    "UnsupportedError",
    "UsageError",
    "Verification",
    "VerifyFlags",
    "Version",
    "Want",
    "WouldBlockError",
    "connect",
    "errors",
    "features",
    "ffi",
    "lib",
    "listen",
    "load_certificates",
    "load_crls",
    "load_uri",
    "openssl_version",
    "outcome",
    "self_signed",
]
