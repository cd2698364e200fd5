"""The types of the names that ``__init__.py`` loads on demand.  A test checks that both have the same names."""

from pyossl import errors as errors
from pyossl.bio.bio import BIO as BIO
from pyossl.bio.filters import (
    Base64Filter as Base64Filter,
    BufferFilter as BufferFilter,
    CipherFilter as CipherFilter,
    DigestFilter as DigestFilter,
    PrefixFilter as PrefixFilter,
)
from pyossl.bio.network import AcceptBIO as AcceptBIO, ConnectBIO as ConnectBIO, DatagramBIO as DatagramBIO
from pyossl.bio.python_bio import PythonBIO as PythonBIO
from pyossl.core import ffi as ffi, lib as lib, outcome as outcome
from pyossl.core.constants import openssl_version as openssl_version
from pyossl.core.errors import (
    AlertError as AlertError,
    CertificateError as CertificateError,
    ClosedError as ClosedError,
    DecodeError as DecodeError,
    ECHError as ECHError,
    Error as Error,
    PasswordError as PasswordError,
    TLSError as TLSError,
    TransportError as TransportError,
    TruncationError as TruncationError,
    UnsupportedError as UnsupportedError,
    UsageError as UsageError,
    WouldBlockError as WouldBlockError,
)
from pyossl.core.features import features as features
from pyossl.core.flags import (
    ExtensionContext as ExtensionContext,
    InfoWhere as InfoWhere,
    Modes as Modes,
    Options as Options,
    VerifyFlags as VerifyFlags,
)
from pyossl.core.library_context import LibraryContext as LibraryContext
from pyossl.core.outcome import Failure as Failure, Record as Record, VerifyCode as VerifyCode, Want as Want
from pyossl.sockets.listener import Listener as Listener, listen as listen
from pyossl.sockets.socket import Socket as Socket, connect as connect
from pyossl.tls.authentication.certificate_transparency import (
    SCT as SCT,
    SCTSource as SCTSource,
    SCTStatus as SCTStatus,
)
from pyossl.tls.authentication.dane import DANE as DANE, DANEMatch as DANEMatch
from pyossl.tls.authentication.raw_public_keys import CertificateType as CertificateType
from pyossl.tls.callbacks.alert import Alert as Alert
from pyossl.tls.callbacks.callbacks import Verification as Verification
from pyossl.tls.callbacks.certificate_demand import CertificateDemand as CertificateDemand
from pyossl.tls.callbacks.client_hello import ClientHello as ClientHello, ClientHelloExtension as ClientHelloExtension
from pyossl.tls.callbacks.custom_extension import CustomExtension as CustomExtension
from pyossl.tls.callbacks.message import Message as Message
from pyossl.tls.connection.connection import Connection as Connection
from pyossl.tls.connection.session import Session as Session
from pyossl.tls.connection.ssl_filter import SSLFilter as SSLFilter
from pyossl.tls.context.context import Context as Context
from pyossl.tls.ech.ech import ECHOffer as ECHOffer, ECHOutcome as ECHOutcome, ECHStatus as ECHStatus
from pyossl.tls.ech.ech_store import ECHConfig as ECHConfig, ECHStore as ECHStore
from pyossl.tls.mutable.srtp import SRTPKeys as SRTPKeys
from pyossl.tls.sessions.pre_shared_key import PreSharedKey as PreSharedKey
from pyossl.tls.sessions.ticket_keys import TicketKeys as TicketKeys
from pyossl.tls.settings.cipher_suite import CipherSuite as CipherSuite
from pyossl.tls.settings.versions import Version as Version
from pyossl.x509.authority import Authority as Authority, self_signed as self_signed
from pyossl.x509.certificate import Certificate as Certificate, load_certificates as load_certificates
from pyossl.x509.certificate_request import (
    CertificateRequest as CertificateRequest,
    CertificateRequestBuilder as CertificateRequestBuilder,
)
from pyossl.x509.credentials import Credentials as Credentials
from pyossl.x509.crl import (
    CRL as CRL,
    RevocationReason as RevocationReason,
    Revoked as Revoked,
    load_crls as load_crls,
)
from pyossl.x509.extensions import Extension as Extension, KeyUsage as KeyUsage
from pyossl.x509.keys import PrivateKey as PrivateKey, PublicKey as PublicKey
from pyossl.x509.load_uri import load_uri as load_uri
from pyossl.x509.names import (
    Attribute as Attribute,
    GeneralName as GeneralName,
    GeneralNameType as GeneralNameType,
    Name as Name,
    OtherName as OtherName,
)
from pyossl.x509.ocsp_response import (
    OCSPResponse as OCSPResponse,
    OCSPResponseStatus as OCSPResponseStatus,
    OCSPSingleResponse as OCSPSingleResponse,
    OCSPStatus as OCSPStatus,
)
from pyossl.x509.pkcs12 import PKCS12 as PKCS12
from pyossl.x509.tlsa_record import TLSARecord as TLSARecord
from pyossl.x509.trust_store import Store as Store

__version__: str
