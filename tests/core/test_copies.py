"""Copying and pickling: the objects of each public class can be copied, or copying raises TypeError.

Python's own copy would share the pointer to OpenSSL's object, and not the state in Python: a change of the copy of a
context would change the original too, even a frozen one.
"""

from __future__ import annotations

import copy
import enum
import inspect
import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from pairs import meet, shake_hands
from served import tls_pair
from x509.certificate_making import crl_der, make, revoke

import pyossl
import pyossl.aio
import pyossl.anyio
import pyossl.pyopenssl
import pyossl.trio
from pyossl import Connection, Context
from pyossl.core.errors import UsageError, transport_error
from pyossl.pyopenssl import SSL, crypto
from pyossl.pyopenssl.certificates import X509Name

MODULES = (pyossl, pyossl.aio, pyossl.trio, pyossl.anyio, SSL, crypto)
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def public_classes() -> Iterator[type]:
    """The public classes, and the classes of the public objects; each new one needs an entry below."""
    seen: set[type] = set()
    for module in MODULES:
        names = getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")])
        for name in names:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # deprecated names of the pyOpenSSL face
                value = getattr(module, name)
            kind = value if isinstance(value, type) else type(value)
            is_ours = kind.__module__.startswith("pyossl" if hasattr(module, "__all__") else module.__name__)
            if is_ours and kind not in seen:
                seen.add(kind)
                yield kind


CLASSES = sorted(public_classes(), key=lambda kind: (kind.__module__, kind.__qualname__))


class House(NamedTuple):
    """The parts from which the objects are made."""

    authority: pyossl.Authority
    own: pyossl.Credentials
    client_context: Context
    server_context: Context

    @property
    def connection(self) -> Connection:
        return Connection(self.client_context, "example.com")

    @property
    def session(self) -> pyossl.Session:
        session = meet(self.client_context, self.server_context)[0].session
        assert session is not None
        return session

    def failure(self) -> pyossl.CertificateError:
        stranger = Context.client(trust=pyossl.Authority("other").certificate)
        client, server = Connection(stranger, "example.com"), Connection(self.server_context)
        with pytest.raises(pyossl.CertificateError) as caught:
            shake_hands(client, server)
        return caught.value

    def crl(self) -> pyossl.CRL:
        return pyossl.CRL.load(crl_der(revoke(make("CA", ca=True), {7: None})))

    def ocsp_response(self) -> pyossl.OCSPResponse:
        return self.authority.ocsp_response(self.own.certificate)

    def request(self) -> pyossl.CertificateRequest:
        return pyossl.CertificateRequest.create("example.com", private_key=self.own.private_key)

    def face(self) -> SSL.Connection:
        return SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)


@pytest.fixture
def house(
    authority: pyossl.Authority, credentials: pyossl.Credentials, client_context: Context, server_context: Context
) -> House:
    return House(authority, credentials, client_context, server_context)


def sample(kind: type[Any]) -> Callable[[House], Any]:
    return {
        pyossl.Certificate: lambda house: house.own.certificate,
        pyossl.CRL: House.crl,
        pyossl.CertificateRequest: House.request,
        pyossl.DANEMatch: lambda house: pyossl.DANEMatch(pyossl.TLSARecord(3, 1, 1, b"x"), 0, house.own.certificate),
        pyossl.TLSARecord: lambda house: pyossl.TLSARecord(3, 1, 1, b"x"),
        pyossl.ECHConfig: lambda house: pyossl.ECHConfig("cover.example", "[fe0d]", False, False),
        pyossl.ECHOutcome: lambda house: pyossl.ECHOutcome(pyossl.ECHStatus.SUCCESS, "a", "b"),
        pyossl.OCSPResponse: House.ocsp_response,
        pyossl.SCT: lambda house: pyossl.SCT(
            bytes(32), house.own.certificate.not_before, pyossl.SCTSource.CERTIFICATE, pyossl.SCTStatus.VALID
        ),
        pyossl.OCSPSingleResponse: lambda house: house.ocsp_response().single_responses[0],
        pyossl.CipherSuite: lambda house: house.client_context.cipher_suites[0],
        pyossl.CertificateDemand: lambda house: pyossl.CertificateDemand("example.com", (0x0403,), ()),
        pyossl.CustomExtension: lambda house: pyossl.CustomExtension(
            65280, pyossl.ExtensionContext.TLS1_3_CERTIFICATE, b"x", house.own.certificate, 0
        ),
        pyossl.ClientHello: lambda house: pyossl.ClientHello("t", 0x303, bytes(32), b"", (0x1301,), b"\0", ()),
        pyossl.ClientHelloExtension: lambda house: pyossl.ClientHelloExtension(16, b"\0\3\2h2"),
        pyossl.Revoked: lambda house: pyossl.Revoked(7, house.own.certificate.not_before, None),
        pyossl.PublicKey: lambda house: house.own.certificate.public_key,
        pyossl.Name: lambda house: house.own.certificate.subject_name,
        pyossl.Attribute: lambda house: house.own.certificate.subject_name[0],
        pyossl.GeneralName: lambda house: house.own.certificate.subject_alt_names[0],
        pyossl.OtherName: lambda house: pyossl.OtherName("1.2.3", b"\x05\x00"),
        pyossl.Extension: lambda house: pyossl.Extension("1.2.3", b"\x05\x00", critical=True),
        pyossl.Message: lambda house: pyossl.Message(True, 0x303, 22, b"\x01\x00\x00\x00"),
        pyossl.Verification: lambda house: pyossl.Verification(True, 0, "ok", 0, house.own.certificate, ()),
        pyossl.Failure: lambda house: house.failure().failure,
        pyossl.Record: lambda house: house.failure().records[0],
        pyossl.Error: lambda house: pyossl.Error("why"),
        pyossl.AlertError: lambda house: pyossl.AlertError("why", pyossl.Failure("it"), 40),
        pyossl.CertificateError: House.failure,
        pyossl.TransportError: lambda house: transport_error(0, "why"),
        pyossl.UnsupportedError: lambda house: pyossl.UnsupportedError("QUIC"),
        pyossl.WouldBlockError: lambda house: pyossl.WouldBlockError(pyossl.Want.READ),
        pyossl.PreSharedKey: lambda house: pyossl.PreSharedKey(b"identity", b"key"),
        type(pyossl.features): lambda house: pyossl.features,
        type(SSL.NO_OVERLAPPING_PROTOCOLS): lambda house: SSL.NO_OVERLAPPING_PROTOCOLS,
        crypto.X509StoreContextError: lambda house: crypto.X509StoreContextError("why", [1, 2, "why"], None),
    }.get(kind, lambda house: kind("why"))


def is_value(kind: type) -> bool:
    return issubclass(kind, (enum.Enum, Exception)) or kind in VALUES


VALUES = {
    pyossl.Certificate,
    pyossl.CipherSuite,
    pyossl.DANEMatch,
    pyossl.TLSARecord,
    pyossl.ECHConfig,
    pyossl.ECHOutcome,
    pyossl.CRL,
    pyossl.CertificateRequest,
    pyossl.CertificateDemand,
    pyossl.CustomExtension,
    pyossl.ClientHello,
    pyossl.ClientHelloExtension,
    pyossl.Revoked,
    pyossl.OCSPResponse,
    pyossl.SCT,
    pyossl.OCSPSingleResponse,
    pyossl.PublicKey,
    pyossl.Name,
    pyossl.Attribute,
    pyossl.GeneralName,
    pyossl.OtherName,
    pyossl.Extension,
    pyossl.Message,
    pyossl.Verification,
    pyossl.Failure,
    pyossl.Record,
    type(pyossl.features),
    type(SSL.NO_OVERLAPPING_PROTOCOLS),
}
"""Objects whose copy is equal; so are enums and exceptions."""

SECRETS: dict[type, Callable[[House], Any]] = {
    pyossl.PrivateKey: lambda house: house.own.private_key,
    pyossl.Credentials: lambda house: house.own,
    pyossl.Authority: lambda house: house.authority,
    pyossl.PKCS12: lambda house: pyossl.PKCS12(house.own.private_key, house.own.certificate, ()),
}
"""Objects that can be copied and not pickled."""

REFUSED: dict[type, Callable[[House], Any]] = {
    pyossl.BIO: lambda house: pyossl.BIO.memory(),
    pyossl.Base64Filter: lambda house: pyossl.Base64Filter(),
    pyossl.BufferFilter: lambda house: pyossl.BufferFilter(),
    pyossl.CipherFilter: lambda house: pyossl.CipherFilter("aes-128-cbc", b"k" * 16, b"i" * 16),
    pyossl.DigestFilter: lambda house: pyossl.DigestFilter("sha256"),
    pyossl.ConnectBIO: lambda house: pyossl.ConnectBIO(("localhost", 1)),
    pyossl.AcceptBIO: lambda house: pyossl.AcceptBIO(("127.0.0.1", 0)),
    pyossl.CertificateRequestBuilder: lambda house: pyossl.CertificateRequestBuilder(),
    pyossl.Connection: lambda house: house.connection,
    pyossl.Context: lambda house: house.client_context,
    pyossl.LibraryContext: lambda house: object.__new__(pyossl.LibraryContext),
    pyossl.SRTPKeys: lambda house: pyossl.SRTPKeys("SRTP_AEAD_AES_128_GCM", bytes(56)),
    pyossl.Session: lambda house: house.session,
    pyossl.TicketKeys: lambda house: pyossl.TicketKeys(),
    pyossl.Store: lambda house: pyossl.Store.of(house.own.certificate),
    SSL.Connection: House.face,
    SSL.Context: lambda house: SSL.Context(SSL.TLS_METHOD),
    crypto.X509Store: lambda house: crypto.X509Store(),
    crypto.X509: lambda house: crypto.X509(),
    X509Name: lambda house: object.__new__(X509Name),
    crypto.PKey: lambda house: crypto.PKey(),
    crypto.X509StoreContext: lambda house: crypto.X509StoreContext(crypto.X509Store(), crypto.X509()),
}

NAMESPACES = {crypto.X509StoreFlags, SSL.X509VerificationCodes, pyossl.anyio.NegotiatedAttribute}
"""Classes that only hold constants."""

BARE = {kind for kind in CLASSES if not is_value(kind) and kind not in SECRETS and kind not in REFUSED} - NAMESPACES
"""Sockets, streams, listeners and their files: tested without an instance, which another loop or thread would use."""


def copies(value: Any) -> Iterator[Any]:
    yield copy.copy(value)
    yield copy.deepcopy(value)


def pickled(value: Any) -> Iterator[Any]:
    for protocol in PROTOCOLS:
        yield pickle.loads(pickle.dumps(value, protocol))


def identifier(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if is_value(kind)], ids=identifier)
def test_a_value_is_copied(kind: type[Any], house: House) -> None:
    value = next(iter(kind)) if issubclass(kind, enum.Enum) else sample(kind)(house)
    assert isinstance(value, kind)
    for other in (*copies(value), *pickled(value)):
        assert type(other) is type(value)
        if kind is pyossl.Extension:
            assert (other.oid, other.value, other.critical) == (value.oid, value.value, value.critical)
        elif kind is pyossl.CRL:
            assert other.to_der() == value.to_der()
        elif isinstance(value, Exception):
            assert other.args == value.args
            assert vars(other).keys() == vars(value).keys()
            assert getattr(other, "failure", None) == getattr(value, "failure", None)
        else:
            assert other == value
        for name, pointer in vars(value).items() if hasattr(value, "__dict__") else ():
            if "CData" in type(pointer).__name__ and other is not value:
                assert getattr(other, name) != pointer, "two objects of Python's have one of OpenSSL's"


@pytest.mark.parametrize("kind", SECRETS, ids=identifier)
def test_objects_with_a_private_key_are_not_pickled(kind: type[Any], house: House) -> None:
    value = SECRETS[kind](house)
    for other in copies(value):
        assert type(other) is kind
    for protocol in PROTOCOLS:
        with pytest.raises(TypeError, match=r"PrivateKey objects cannot be pickled: .*to_pem\(\)"):
            pickle.dumps(value, protocol)


@pytest.mark.parametrize("kind", REFUSED, ids=identifier)
def test_an_object_of_openssl_is_not_copied_and_the_message_says_so(kind: type[Any], house: House) -> None:
    value = REFUSED[kind](house)
    sentence = f"{kind.__name__} objects cannot be copied or pickled: "
    for copied in copy.copy, copy.deepcopy:
        with pytest.raises(TypeError, match=sentence):
            copied(value)
    for protocol in PROTOCOLS:
        with pytest.raises(TypeError, match=sentence):
            pickle.dumps(value, protocol)


@pytest.mark.parametrize("kind", sorted(BARE, key=identifier), ids=identifier)
def test_every_other_public_class_refuses_too(kind: type[Any]) -> None:
    """Its instances need a transport: so the method that ``copy`` and ``pickle`` call is called directly."""
    if inspect.isabstract(kind):
        return
    for protocol in PROTOCOLS:
        with pytest.raises(TypeError, match=f"{kind.__name__} objects cannot be copied or pickled: "):
            kind.__reduce_ex__(object.__new__(kind) if kind.__new__ is object.__new__ else kind.__new__(kind), protocol)
    assert not any(hasattr(kind, name) for name in ("__copy__", "__deepcopy__"))


def test_sockets_and_their_listener_are_refused(house: House) -> None:
    client, server = tls_pair(house.client_context, house.server_context)
    with client, server, pyossl.listen(("127.0.0.1", 0), house.server_context) as listener:
        for value in client, server, listener, client.connection:
            for copied in copy.copy, copy.deepcopy, pickle.dumps:
                with pytest.raises(TypeError, match="cannot be copied or pickled"):
                    copied(value)


def test_a_copied_context_does_not_loosen_the_original(house: House) -> None:
    frozen = house.client_context
    Connection(frozen, "example.com")
    with pytest.raises(TypeError, match="make another one with the same arguments"):
        copy.copy(frozen)
    with pytest.raises(UsageError):
        frozen.minimum_version = pyossl.Version.TLSv1_2


def test_a_session_says_how_it_is_stored(house: House) -> None:
    with pytest.raises(TypeError, match=r"to_der\(\)"):
        pickle.dumps(house.session)
