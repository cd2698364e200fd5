"""How to call each public function, constructor, method and setter.  public_functions.py finds them.

A new name needs a right value here for each required argument and, for a method, an object.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import functools
import inspect
import io
import itertools
import socket
import tempfile
from collections.abc import Callable
from typing import Any, TypeVar

import anyio
import anyio.streams.stapled
import trio
import trio.testing
from odd_values import AUTHORITY, CLIENT, OWN, SERVER
from pairs import meet
from public_functions import PUBLIC, Case
from served import tls_pair
from tls.callbacks.published_client_hellos import CHROME
from x509.certificate_making import crl_der, make, revoke

import pyossl
import pyossl.aio
import pyossl.anyio
import pyossl.core.outcome
import pyossl.errors
import pyossl.tls.system_openssl
import pyossl.trio

Stack = contextlib.ExitStack
Make = Callable[[Stack], Any]
T = TypeVar("T")


def connected() -> tuple[pyossl.Connection, pyossl.Connection]:
    return meet(CLIENT, SERVER)


def session() -> pyossl.Session:
    made = meet(CLIENT, SERVER)[0].session
    assert made is not None
    return made


def abandoned(stack: Stack) -> socket.socket:
    """A connected socket whose peer is closed: a handshake over it ends at once."""
    ours, theirs = socket.socketpair()
    theirs.close()
    return closed_by(stack, ours)


def listening(stack: Stack) -> socket.socket:
    return closed_by(stack, socket.create_server(("127.0.0.1", 0)))


def closed_by(stack: Stack, made: T) -> T:
    stack.callback(made.close)  # type: ignore[attr-defined]
    return made


def impatient(stack: Stack) -> pyossl.Listener:
    listener = closed_by(stack, pyossl.Listener(listening(stack), SERVER))
    listener.settimeout(0)
    return listener


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def tls_socket(stack: Stack) -> pyossl.Socket:
    client, _ = (stack.enter_context(each) for each in tls_pair(CLIENT, SERVER))
    client.settimeout(0)
    return client


def datagrams(stack: Stack) -> socket.socket:
    return closed_by(stack, socket.socket(socket.AF_INET, socket.SOCK_DGRAM))


def ocsp_response() -> pyossl.OCSPResponse:
    return AUTHORITY.ocsp_response(OWN.certificate)


def revoked() -> pyossl.CRL:
    return pyossl.CRL.load(crl_der(revoke(make("an issuer", ca=True), {7: None})))


def request() -> pyossl.CertificateRequest:
    return pyossl.CertificateRequest.create("example.com", private_key=OWN.private_key)


def saved(stack: Stack) -> str:
    """A folder with a saved authority."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    AUTHORITY.save(folder, None)
    return folder


def checking() -> pyossl.Context:
    return pyossl.Context.server(OWN.certificate, OWN.private_key, trust=AUTHORITY.certificate, verify=True)


class Both(asyncio.Protocol):
    """A protocol that accepts all calls."""


def trio_stream() -> Any:
    ours, theirs = trio.testing.memory_stream_pair()
    theirs.send_stream.close()
    theirs.receive_stream.close()
    return ours


def _ech_store() -> pyossl.ECHStore:
    return pyossl.ECHStore.new("cover.example")


_NUMBERS = itertools.count(1)

STREAMS: list[Any] = []
"""The objects of anyio to close after the test: anyio warns when others are collected."""


def anyio_stream() -> Any:
    send, receive = anyio.create_memory_object_stream[bytes](1)
    receive.close()
    sender, receiver = anyio.create_memory_object_stream[bytes](1)
    sender.close()
    STREAMS.extend((send, receiver))
    return anyio.streams.stapled.StapledObjectStream(send, receiver)


class NoConnectable:
    async def connect(self) -> Any:
        return anyio_stream()


class NoListener:
    """A listener that never gets a client."""

    async def accept(self) -> Any:
        raise OSError("this listener is at its end")

    async def serve(self, *_: Any) -> None:
        raise OSError("this listener is at its end")

    async def aclose(self) -> None: ...

    @property
    def extra_attributes(self) -> dict[Any, Any]:
        return {}


async def aio_streams(stack: Stack) -> tuple[Any, Any]:
    async def answer(reader: Any, writer: Any) -> None:
        writer.write(b"x" * 100 + b"\n")
        writer.write_eof()
        writer.close()

    server = await pyossl.aio.start_server(answer, "127.0.0.1", 0, ssl=SERVER)
    stack.callback(server.close)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await pyossl.aio.open_connection("127.0.0.1", port, ssl=CLIENT)
    stack.callback(writer.transport.abort)
    return reader, writer


OBJECTS: dict[str, Make] = {
    "Authority": lambda stack: AUTHORITY,
    "BIO": lambda stack: pyossl.BIO.memory(),
    "CRL": lambda stack: revoked(),
    "Certificate": lambda stack: OWN.certificate,
    "CertificateRequest": lambda stack: request(),
    "CertificateRequestBuilder": lambda stack: pyossl.CertificateRequestBuilder(),
    "ClientHello": lambda stack: pyossl.ClientHello.parse(CHROME),
    "Connection": lambda stack: connected()[0],
    "Context": lambda stack: checking(),
    "DatagramBIO": lambda stack: pyossl.DatagramBIO(datagrams(stack)),
    "ECHStore": lambda stack: pyossl.ECHStore,
    "Extension": lambda stack: OWN.certificate.extensions[0],
    "LibraryContext": lambda stack: pyossl.LibraryContext(),
    "Listener": impatient,
    "Name": lambda stack: OWN.certificate.subject_name,
    "OCSPResponse": lambda stack: ocsp_response(),
    "PKCS12": lambda stack: pyossl.PKCS12(OWN.private_key, OWN.certificate),
    "PrivateKey": lambda stack: OWN.private_key,
    "PublicKey": lambda stack: OWN.private_key.public_key,
    "SSLFilter": lambda stack: pyossl.SSLFilter(connected()[0]),
    "Session": lambda stack: session(),
    "Socket": tls_socket,
    "Store": lambda stack: pyossl.Store.of(AUTHORITY.certificate),
    "TLSARecord": lambda stack: pyossl.TLSARecord(3, 1, 1, b"x"),
    "TicketKeys": lambda stack: pyossl.TicketKeys(),
    "aio.StreamReader": lambda stack: _first(aio_streams(stack)),
    "aio.StreamWriter": lambda stack: _second(aio_streams(stack)),
    "aio.Transport": lambda stack: _transport(aio_streams(stack)),
    "trio.TLSStream": lambda stack: pyossl.trio.TLSStream(trio_stream(), CLIENT, "example.com"),
    "anyio.TLSStream": lambda stack: pyossl.anyio.TLSStream(anyio_stream(), CLIENT, "example.com"),
    "anyio.TLSListener": lambda stack: pyossl.anyio.TLSListener(NoListener(), SERVER),  # type: ignore[arg-type]
}
"""An object of each class whose methods have arguments."""


async def _first(made: Any) -> Any:
    return (await made)[0]


async def _second(made: Any) -> Any:
    return (await made)[1]


async def _transport(made: Any) -> Any:
    return (await made)[1].transport


def constantly(value: Any) -> Make:
    return lambda stack: value


GOOD: dict[str, Make] = {
    # By the type of the parameter, where that is enough.
    "int": constantly(1),
    "str": constantly("example.com"),
    "bytes": constantly(b"x"),
    "str | bytes": constantly("EXPORTER-x"),
    "bytes | None": constantly(None),
    "bytes | bytearray | memoryview": constantly(b"x"),
    "Bytes": constantly(b"x"),
    "bool": constantly(True),
    "float | None": constantly(1.0),
    "Context": constantly(SERVER),
    "Session | None": constantly(None),
    "str | None": constantly(None),
    "Callable[[Message], object] | None": constantly(None),
    "socket.socket": abandoned,
    "Source": constantly(OWN.certificate.to_pem()),
    "Source | Certificate": constantly(OWN.certificate),
    "Certificate": constantly(OWN.certificate),
    "CertificateSource": constantly(OWN.certificate),
    "Source | PrivateKey": constantly(OWN.private_key),
    "PrivateKey": constantly(OWN.private_key),
    "Key": constantly(OWN.private_key),
    "Password": constantly("secret"),
    "Trust": constantly(AUTHORITY.certificate),
    "datetime.datetime": constantly(datetime.datetime.now(datetime.timezone.utc)),
    "Connection": lambda stack: connected()[0],
    "BIO": lambda stack: pyossl.BIO.memory(),
    "Address": constantly(("127.0.0.1", 0)),
    "Callable[[], P]": constantly(Both),
    "Callable[[], asyncio.BaseProtocol]": constantly(Both),
    "ClientConnected": constantly(lambda reader, writer: None),
    "asyncio.BaseProtocol": lambda stack: Both(),
    "AnyByteStream": lambda stack: anyio_stream(),
    "_Stream": lambda stack: trio_stream(),
    "Listener[Any]": lambda stack: NoListener(),
    "trio.abc.Listener[_Stream]": lambda stack: NoListener(),
    "AnyByteStreamConnectable": lambda stack: NoConnectable(),
    "BaseException": lambda stack: ValueError("a handshake that failed"),
    "CertificateRequest": lambda stack: request(),
    "Extension": constantly(pyossl.Extension("1.2.3", b"x")),
    "Name": constantly(OWN.certificate.subject_name),
    # By the callable and the name of the parameter.
    "Authority.issue(names)": constantly("example.com"),
    "Authority.load(folder)": saved,
    "Authority.of(credentials)": constantly(AUTHORITY.credentials),
    "Authority.revoke(certificate)": lambda stack: next(_NUMBERS),
    "Authority.sign(names)": constantly("example.com"),
    "CertificateRequest(pointer)": lambda stack: request()._request,
    "CertificateRequest.create(names)": constantly("example.com"),
    "CertificateRequest.from_cryptography(request)": lambda stack: request().to_cryptography(),
    "CertificateRequest.load(source)": lambda stack: request().to_pem(),
    "CertificateRequestBuilder.add_names(names)": constantly("example.com"),
    "ClientHello.parse(data)": constantly(CHROME),
    "Name.of(attributes)": constantly(("CN", "example.com")),
    "self_signed(names)": constantly("example.com"),
    "BIO(pointer)": lambda stack: _pointer(pyossl.BIO.null()),
    "BIO.fd(file)": abandoned,
    "BIO.file(path)": constantly(__file__),
    "BIO.own_socket(descriptor)": lambda stack: abandoned(stack).fileno(),
    "BIO.push(below)": lambda stack: pyossl.BIO.null(),
    "BIO.socket(sock)": abandoned,
    "CRL(pointer)": lambda stack: revoked()._crl,
    "CRL.find(certificate)": constantly(7),
    "CRL.fingerprint(digest)": constantly("sha256"),
    "CRL.from_cryptography(crl)": lambda stack: revoked().to_cryptography(),
    "CRL.load(source)": lambda stack: revoked().to_pem(),
    "Certificate(pointer)": lambda stack: OWN.certificate._x509,
    "Certificate.from_cryptography(certificate)": lambda stack: OWN.certificate.to_cryptography(),
    "CipherFilter(iv)": constantly(b"i" * 16),
    "CipherFilter(key)": constantly(b"k" * 16),
    "CipherFilter(name)": constantly("aes-128-cbc"),
    "Connection(context)": constantly(CLIENT),
    "Connection(server_hostname)": constantly("example.com"),
    "ConnectionMethods.read_into(buffer)": lambda stack: bytearray(9),
    "CustomExtensionSettings.add_extension(extension_type)": constantly(65312),
    "SRTPKeys(material)": constantly(bytes(56)),
    "SRTPKeys(profile)": constantly("SRTP_AEAD_AES_128_GCM"),
    "SRTPKeys.size(profile)": constantly("SRTP_AEAD_AES_128_GCM"),
    "TransparencySettings.send_scts(timestamps)": constantly([b"timestamp"]),
    "TransparencySettings.verify_scts(logs)": constantly(__file__),
    "Context.ca_names(authorities)": constantly([AUTHORITY.certificate]),
    "Context.set_purpose(purpose)": constantly("any"),
    "Context.wrap_socket(handshake)": constantly(False),
    "DANE(records)": constantly("3 1 1 " + "ab" * 32),
    "DatagramBIO(sock)": datagrams,
    "DatagramBIO.peer(peer)": constantly(("127.0.0.1", 1)),
    "DigestFilter(name)": constantly("sha256"),
    "ECHOffer(config_list)": lambda stack: _ech_store().config_list,
    "ECHStore(sources)": lambda stack: _ech_store().to_pem(),
    "Extension(oid)": constantly("1.2.3"),
    "Extension.copied(pointer)": lambda stack: OWN.certificate.extensions[0]._extension,
    "LibraryContext.load(name)": constantly("base"),
    "Listener(sock)": listening,
    "Name(der)": lambda stack: OWN.certificate.subject_name.to_der(),
    "Name.copied(pointer)": lambda stack: OWN.certificate.subject_name._name,
    "OCSPResponse(pointer)": lambda stack: ocsp_response()._response,
    "OCSPResponse.load(source)": lambda stack: ocsp_response().to_der(),
    "PKCS12.load(password)": constantly("secret"),
    "PKCS12.load(source)": lambda stack: pyossl.PKCS12(OWN.private_key).to_der("secret"),
    "Settings.configure(command)": constantly("CipherString"),
    "Settings.configure(value)": constantly("DEFAULT"),
    "Settings.set_cipher_list(ciphers)": constantly("DEFAULT"),
    "PrivateKey.from_cryptography(key)": lambda stack: OWN.private_key.to_cryptography(),
    "PrivateKey.load(source)": lambda stack: OWN.private_key.to_pem("secret"),
    "PrivateKey.load(password)": constantly("secret"),
    "PublicKey.borrowed(pointer)": lambda stack: OWN.private_key._key,
    "PublicKey.from_cryptography(key)": lambda stack: OWN.private_key.public_key.to_cryptography(),
    "RawPublicKeySettings.expect_public_keys(keys)": constantly([OWN.private_key.public_key]),
    "PublicKey.load(source)": lambda stack: OWN.private_key.public_key.to_pem(),
    "Session(context)": constantly(CLIENT),
    "Session(pointer)": lambda stack: session()._session,
    "Session.load(data)": lambda stack: session().to_der(),
    "SessionCache.session_id_context(identifier)": constantly(b"x"),
    "Socket(server_hostname)": constantly(None),
    "Socket.sendfile(file)": lambda stack: io.BytesIO(b"x"),
    "Socket.getsockopt(level)": constantly(socket.SOL_SOCKET),
    "Socket.getsockopt(option)": constantly(socket.SO_KEEPALIVE),
    "Socket.setsockopt(level)": constantly(socket.SOL_SOCKET),
    "Socket.setsockopt(option)": constantly(socket.SO_KEEPALIVE),
    "Socket.setsockopt(value)": constantly(1),
    "Store(pointer)": lambda stack: pyossl.Store.empty()._store,
    "Store.add_crl(source)": lambda stack: revoked(),
    "SocketMethods.recv_into(buffer)": lambda stack: bytearray(9),
    "TLSARecord.parse(text)": constantly("3 1 1 ab"),
    "anyio.TLSListener.serve(handler)": constantly(lambda stream: None),
    "anyio.connect_tcp(remote_host)": constantly("127.0.0.1"),
    "anyio.connect_tcp(ssl_context)": constantly(CLIENT),
    "anyio.TLSConnectable(hostname)": constantly("example.com"),
    "anyio.TLSConnectable(ssl_context)": constantly(CLIENT),
    "anyio.TLSStream(context)": constantly(CLIENT),
    "anyio.TLSStream(hostname)": constantly("example.com"),
    "anyio.TLSStream.wrap(hostname)": constantly("example.com"),
    "anyio.TLSStream.wrap(ssl_context)": constantly(CLIENT),
    "connect(address)": lambda stack: ("127.0.0.1", closed_port()),
    "load_uri(uri)": constantly("no-such-file"),
    "trio.TLSStream(context)": constantly(CLIENT),
    "trio.TLSStream(server_hostname)": constantly("example.com"),
    "trio.open_tcp_listeners(host)": constantly("127.0.0.1"),
    "trio.open_tcp_listeners(port)": constantly(0),
    "trio.open_tcp_stream(context)": constantly(CLIENT),
    "trio.open_tcp_stream(host)": constantly("127.0.0.1"),
    "trio.serve_tcp(handler)": constantly(lambda stream: None),
    "trio.serve_tcp(host)": constantly("127.0.0.1"),
    "trio.serve_tcp(port)": constantly(0),
    "aio.StreamWriter.start_tls(sslcontext)": constantly(CLIENT),
    "aio.create_connection(server_hostname)": constantly("example.com"),
    "aio.create_connection(sock)": abandoned,
    "aio.create_connection(ssl)": constantly(CLIENT),
    "aio.create_server(sock)": listening,
    "aio.create_unix_connection(server_hostname)": constantly("example.com"),
    "aio.create_unix_connection(sock)": abandoned,
    "aio.create_unix_connection(ssl)": constantly(CLIENT),
    "aio.create_unix_server(path)": constantly("server"),
    "aio.open_connection(host)": constantly("127.0.0.1"),
    "aio.open_connection(port)": lambda stack: closed_port(),
    "aio.open_connection(ssl)": constantly(CLIENT),
    "aio.open_unix_connection(path)": constantly("no-such-socket"),
    "aio.open_unix_connection(ssl)": constantly(CLIENT),
    "aio.open_over(sslcontext)": constantly(CLIENT),
    "aio.open_over(transport)": lambda stack: _second(aio_streams(stack)),
    "aio.open_over(server_hostname)": constantly("example.com"),
    "aio.start_server(host)": constantly("127.0.0.1"),
    "aio.start_server(port)": constantly(0),
    "aio.start_tls(sslcontext)": constantly(CLIENT),
    "aio.start_tls(server_hostname)": constantly("example.com"),
    "aio.start_tls(transport)": lambda stack: _transport(aio_streams(stack)),
    "aio.start_unix_server(path)": constantly("server"),
}
"""A right value for each parameter that is required, or whose default cannot be used."""

INSTEAD: dict[str, dict[str, Any]] = {
    "Context.client(certificate)": {"private_key": OWN.private_key},
    "Context.client(private_key)": {"certificate": OWN.certificate},
    "Context.client(password)": {"certificate": OWN.certificate, "private_key": OWN.private_key.to_pem("secret")},
    "Context.server(password)": {"private_key": OWN.private_key.to_pem("secret")},
    "Context.server(verify)": {"trust": AUTHORITY.certificate},
    "aio.create_connection(host)": {"sock": None, "port": 1},
    "aio.create_connection(port)": {"sock": None, "host": "127.0.0.1"},
    "aio.create_connection(family)": {"sock": None, "host": "127.0.0.1", "port": 1},
    "aio.create_connection(proto)": {"sock": None, "host": "127.0.0.1", "port": 1},
    "aio.create_connection(flags)": {"sock": None, "host": "127.0.0.1", "port": 1},
    "aio.create_connection(local_addr)": {"sock": None, "host": "127.0.0.1", "port": 1},
    "aio.create_connection(happy_eyeballs_delay)": {"sock": None, "host": "127.0.0.1", "port": 1},
    "aio.create_connection(interleave)": {"sock": None, "host": "127.0.0.1", "port": 1},
    "aio.create_connection(all_errors)": {"sock": None, "host": "127.0.0.1", "port": 1},
    "aio.create_unix_connection(path)": {"sock": None},
    "aio.create_server(host)": {"sock": None, "port": 0},
    "aio.create_server(port)": {"sock": None, "host": "127.0.0.1"},
    "aio.create_server(family)": {"sock": None, "host": "127.0.0.1", "port": 0},
    "aio.create_server(flags)": {"sock": None, "host": "127.0.0.1", "port": 0},
    "aio.create_server(reuse_address)": {"sock": None, "host": "127.0.0.1", "port": 0},
    "aio.create_server(reuse_port)": {"sock": None, "host": "127.0.0.1", "port": 0},
    "aio.create_server(keep_alive)": {"sock": None, "host": "127.0.0.1", "port": 0},
    "aio.create_unix_server(sock)": {"path": None},
    "PrivateKey.generate(bits)": {"type": "RSA"},
}
"""The other arguments that an argument needs."""


def _pointer(bio: pyossl.BIO) -> Any:
    _KEPT.append(bio)
    return bio._bio


_KEPT: list[Any] = []


def good(case: Case, parameter: inspect.Parameter) -> Make | None:
    """The function that makes the right value; None if the default is right."""
    named = GOOD.get(f"{case.name}({parameter.name})")
    if named is not None or parameter.default is not inspect.Parameter.empty:
        return named
    if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
        return None
    return GOOD[str(parameter.annotation)]


async def attempt(case: Case, name: str, value: Any) -> Any:
    """Calls it with ``value`` for that parameter and right values for the others, and returns the result."""
    with contextlib.ExitStack() as stack:
        positional: list[Any] = []
        named: dict[str, Any] = {}
        instead = INSTEAD.get(f"{case.name}({name})", {})
        for parameter in case.parameters:
            if parameter.name == name:
                given = value
            elif parameter.name in instead:
                given = instead[parameter.name]
            elif make := good(case, parameter):
                given = await _made(make(stack))
            else:
                continue
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                positional.append(given)
            else:
                named[parameter.name] = given
        subject = None if case.owner is None else await _made(OBJECTS[short(case.owner)](stack))
        function = _function(case, subject)
        if positional:
            before = inspect.Parameter.POSITIONAL_OR_KEYWORD
            first = [each.name for each in case.parameters if each.name in named and each.kind is before]
            positional = [named.pop(each) for each in first] + positional
        result = function(*positional, **named)
        if inspect.isawaitable(result):
            result = await result
        for each in result if isinstance(result, (tuple, list)) else [result]:
            with contextlib.suppress(Exception):
                close = getattr(each, "close", None) or getattr(each, "aclose", None)
                if close is not None and not isinstance(each, pyossl.Context) and each is not subject:
                    await _made(close())
        return result


async def _made(value: Any) -> Any:
    return await value if inspect.iscoroutine(value) else value


@functools.cache
def short(owner: type) -> str:
    return next(name for name, value in PUBLIC.items() if value is owner)


def _function(case: Case, subject: Any) -> Callable[..., Any]:
    attribute = case.name.rpartition(".")[2]
    if case.owner is None:
        found = PUBLIC.get(case.name)
        if found is not None:
            return found  # type: ignore[no-any-return]
        owner, _, attribute = case.name.rpartition(".")
        return getattr(PUBLIC[owner], attribute)  # type: ignore[no-any-return]
    member = inspect.getattr_static(case.owner, attribute)
    if isinstance(member, property):
        assert member.fset is not None
        setter = member.fset
        return lambda **given: setter(subject, *given.values())
    return getattr(subject, attribute)  # type: ignore[no-any-return]
