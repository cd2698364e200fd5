"""pyossl: the TLS stack of the operating system's own OpenSSL, from any Python."""

from pyossl._lib import ffi, lib
from pyossl.bio import BIO
from pyossl.callbacks import Message
from pyossl.connection import Connection
from pyossl.context import Context, Version
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
from pyossl.issuing import Authority, Credentials, self_signed
from pyossl.keys import PrivateKey
from pyossl.outcome import Failure, Record, Want
from pyossl.x509 import Certificate, Store

__all__ = []
