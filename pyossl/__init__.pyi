"""What ``__init__.py`` finds on demand, for those who read types: the same names, which a test holds."""

from pyossl import errors as errors, outcome as outcome
from pyossl._lib import ffi as ffi, lib as lib
from pyossl.bio import BIO as BIO
from pyossl.bio_filters import (
    Base64Filter as Base64Filter,
    BufferFilter as BufferFilter,
    CipherFilter as CipherFilter,
    DigestFilter as DigestFilter,
    PrefixFilter as PrefixFilter,
)
from pyossl.bio_network import AcceptBIO as AcceptBIO, ConnectBIO as ConnectBIO, DatagramBIO as DatagramBIO
from pyossl.bio_python import PythonBIO as PythonBIO, SSLFilter as SSLFilter
from pyossl.callbacks import Verification as Verification
from pyossl.connection import Connection as Connection
from pyossl.context import Context as Context
from pyossl.crl import CRL as CRL, Revoked as Revoked, load_crls as load_crls
from pyossl.errors import (
    AlertError as AlertError,
    CertificateError as CertificateError,
    ClosedError as ClosedError,
    DecodeError as DecodeError,
    Error as Error,
    PasswordError as PasswordError,
    TLSError as TLSError,
    TransportError as TransportError,
    TruncationError as TruncationError,
    UnsupportedError as UnsupportedError,
    UsageError as UsageError,
    WouldBlockError as WouldBlockError,
)
from pyossl.extensions import Extension as Extension, KeyUsage as KeyUsage
from pyossl.flags import InfoWhere as InfoWhere, Modes as Modes, Options as Options, VerifyFlags as VerifyFlags
from pyossl.general_names import (
    Attribute as Attribute,
    GeneralName as GeneralName,
    GeneralNameType as GeneralNameType,
    Name as Name,
    OtherName as OtherName,
)
from pyossl.have import features as features
from pyossl.issuing import Authority as Authority, Credentials as Credentials, self_signed as self_signed
from pyossl.keys import PrivateKey as PrivateKey, PublicKey as PublicKey
from pyossl.listener import Listener as Listener, listen as listen
from pyossl.message import Message as Message
from pyossl.outcome import Failure as Failure, Record as Record, Want as Want
from pyossl.pkcs12 import PKCS12 as PKCS12
from pyossl.policy import Version as Version
from pyossl.session import Session as Session
from pyossl.sockets import Socket as Socket, connect as connect
from pyossl.store import Store as Store
from pyossl.uri import load_uri as load_uri
from pyossl.x509 import Certificate as Certificate, load_certificates as load_certificates

__version__: str
openssl_version: str
