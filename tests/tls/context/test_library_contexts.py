"""Contexts, keys, certificates and stores of library contexts; objects of different ones are not mixed."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from marks import VERSIONS, needs
from pairs import carry, meet, shake_hands
from served import child_that_does

import pyossl
from pyossl import (
    CRL,
    PKCS12,
    Authority,
    Certificate,
    CertificateRequest,
    Connection,
    Context,
    LibraryContext,
    PrivateKey,
    PublicKey,
    Store,
    UsageError,
    VerifyFlags,
    ffi,
    lib,
)
from pyossl.tls.mutable.mutable_context import Method, MutableContext

pytestmark = needs("providers")

ONLY_BASE = ("base",)
"""With it a library context has no algorithms."""


@pytest.fixture
def library() -> LibraryContext:
    return LibraryContext()


def contexts(
    library: LibraryContext | None, authority: Authority, credentials: pyossl.Credentials
) -> tuple[Context, Context]:
    chain, key = credentials.certificate_pem(), credentials.private_key.to_pem()
    return (
        Context.client(trust=authority.certificate, library_context=library),
        Context.server(chain, key, library_context=library),
    )


@pytest.mark.feature("library contexts with providers and properties of their own")
@VERSIONS
def test_a_handshake_with_the_algorithms_of_library_contexts(
    version: pyossl.Version, authority: Authority, credentials: pyossl.Credentials
) -> None:
    client_context, _ = contexts(mine := LibraryContext(), authority, credentials)
    _, server_context = contexts(LibraryContext(), authority, credentials)
    client_context.minimum_version = client_context.maximum_version = version
    assert client_context.library_context is mine
    client, server = meet(client_context, server_context)
    client.write(b"hello")
    carry(client, server)
    assert server.read() == b"hello"
    assert client.peer_certificate == credentials.certificate


def test_a_context_without_one_has_the_default_library_context() -> None:
    assert Context.client(verify=False).library_context is None
    assert Store.empty().library_context is None


def test_each_has_its_own_providers_side_by_side() -> None:
    """An old encryption of a key can be opened only where the provider ``legacy`` is loaded."""
    without, with_legacy = LibraryContext(), LibraryContext(providers=("default", "legacy"))
    key = PrivateKey.load(WITH_RC2, "secret", library_context=with_legacy)
    for library_context in (without, None):
        with pytest.raises(pyossl.UnsupportedError, match="encrypted with"):
            PrivateKey.load(WITH_RC2, "secret", library_context=library_context)
    assert key.type == "EC"


def test_a_library_context_without_algorithms_makes_nothing(credentials: pyossl.Credentials) -> None:
    base = LibraryContext(providers=ONLY_BASE)
    with pytest.raises(pyossl.Error, match="SSL_CTX_new"):
        Context.client(verify=False, library_context=base)
    with pytest.raises(pyossl.UnsupportedError, match="key type 'EC'"):
        PrivateKey.generate(library_context=base)
    for data in (credentials.private_key.to_pem(), credentials.private_key.to_der()):
        with pytest.raises(pyossl.Error, match=r"for this EC key|reading a private key"):
            PrivateKey.load(data, library_context=base)
    public = credentials.private_key.public_key
    for data in (public.to_pem(), public.to_der()):
        with pytest.raises(pyossl.Error, match=r"for this EC key|reading a public key"):
            PublicKey.load(data, library_context=base)


def test_a_certificate_is_verified_with_the_algorithms_of_its_store(
    authority: Authority, credentials: pyossl.Credentials, library: LibraryContext
) -> None:
    """Certificates of another library context are read again: their own would verify their signatures."""
    base = LibraryContext(providers=ONLY_BASE)
    with pytest.raises(pyossl.CertificateError):
        Store.of(authority.certificate, library_context=base).verify(credentials.certificate)
    store = Store.of(authority.certificate, library_context=library)
    assert store.library_context is library
    in_base = Certificate.load(credentials.certificate.to_pem(), library_context=base)
    for certificate in (credentials.certificate, in_base):
        assert store.verify(certificate)[1] == authority.certificate
    assert Store.of(authority.certificate).verify(in_base)[1] == authority.certificate


def test_crls_are_of_the_library_context_of_their_store(library: LibraryContext) -> None:
    authority = Authority("revoking")
    good, revoked = authority.issue("good.example").certificate, authority.issue("bad.example").certificate
    authority.revoke(revoked)
    crl = authority.crl()
    in_store = Store.of(authority.certificate, library_context=library)
    in_store.add_crl(crl)
    in_store.add_flags(VerifyFlags.CRL_CHECK)
    given = Store.of(authority.certificate, library_context=library)
    assert in_store.verify(good)
    assert given.verify(good, crls=[crl])
    for store, crls in ((in_store, None), (given, [crl])):
        with pytest.raises(pyossl.CertificateError, match="revoked"):
            store.verify(revoked, crls=crls)


def test_the_system_s_store_is_of_the_library_context(library: LibraryContext) -> None:
    store = Store.system(library_context=library)
    assert store.library_context is library
    assert set(store.certificates) == set(Store.system().certificates)
    with pytest.raises(UsageError, match="shared"):
        store.add(b"")
    assert Context.client(library_context=library).verifies


def test_a_store_loads_files_and_directories(library: LibraryContext, authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(authority.certificate.to_pem())
    store = Store.of(tmp_path / "ca.pem", library_context=library)
    assert store.certificates == (authority.certificate,)
    other = Store.empty(library_context=library)
    other.add_locations(bytes(tmp_path / "ca.pem"), bytes(tmp_path))
    other.add(tmp_path)
    assert other.certificates == (authority.certificate,)


def test_a_key_is_generated_stored_and_loaded_in_a_library_context(library: LibraryContext) -> None:
    for key in (
        PrivateKey.generate(library_context=library),
        PrivateKey.generate("RSA", bits=2048, library_context=library),
    ):
        for data, password in (
            (key.to_pem(), None),
            (key.to_der(), None),
            (key.to_pem("secret"), "secret"),
            (key.to_der("secret"), "secret"),
        ):
            assert PrivateKey.load(data, password, library_context=library) == key
        for data in (key.public_key.to_pem(), key.public_key.to_der()):
            assert PublicKey.load(data, library_context=library) == key.public_key


@pytest.mark.parametrize("data", [b"", b"no key", b"\x30\x03\x02\x01\x01"], ids=repr)
def test_what_is_no_key_and_no_certificate_is_refused(data: bytes, library: LibraryContext) -> None:
    for load in (PrivateKey.load, PublicKey.load, Certificate.load):
        with pytest.raises(pyossl.DecodeError):
            load(data, library_context=library)


def test_a_damaged_certificate_is_refused(library: LibraryContext, credentials: pyossl.Credentials) -> None:
    der = credentials.certificate.to_der()
    for end in (0, 1, 40, len(der) - 1):
        with pytest.raises(pyossl.DecodeError):
            Certificate.load(der[:end], library_context=library)
    pem = credentials.certificate.to_pem()
    with pytest.raises(pyossl.DecodeError):
        Certificate.load(pem.replace(b"MII", b"MIJ", 1), library_context=library)


def test_an_authority_issues_in_the_library_context_of_its_key(library: LibraryContext) -> None:
    authority = Authority("own", private_key=PrivateKey.generate(library_context=library))
    issued = authority.issue("example.com")
    revoked = authority.issue("other.example")
    authority.revoke(revoked.certificate)
    assert isinstance(authority.crl(), CRL)
    server = Context.server(issued.certificate, issued.private_key, library_context=library)
    client = Context.client(trust=authority.certificate, library_context=library)
    meet(client, server)
    request = CertificateRequest.create("example.com", private_key=issued.private_key)
    assert request.is_signature_valid
    with pytest.raises(UsageError, match="belongs to <LibraryContext"):
        Context.server(issued.certificate, issued.private_key)


def test_a_pkcs12_is_opened_in_a_library_context(library: LibraryContext, credentials: pyossl.Credentials) -> None:
    root = Authority("another").certificate
    written = PKCS12(credentials.private_key, credentials.certificate, [root], friendly_name="mine").to_der("secret")
    loaded = PKCS12.load(written, "secret", library_context=library)
    assert (loaded.private_key, loaded.certificate) == (credentials.private_key, credentials.certificate)
    assert (loaded.chain, loaded.friendly_name) == ((root,), "mine")
    assert loaded.private_key is not None
    assert loaded.certificate is not None
    assert Context.server(loaded.certificate, loaded.private_key, library_context=library)
    with pytest.raises(pyossl.Error):
        PKCS12.load(written, "secret", library_context=LibraryContext(providers=ONLY_BASE))
    with pytest.raises(pyossl.PasswordError):
        PKCS12.load(written, "wrong", library_context=library)
    with pytest.raises(pyossl.DecodeError):
        PKCS12.load(b"", library_context=library)


def test_a_key_of_another_library_context_is_refused(library: LibraryContext, credentials: pyossl.Credentials) -> None:
    key = credentials.private_key
    inside = PrivateKey.load(key.to_pem(), library_context=library)
    other = PrivateKey.load(key.to_pem(), library_context=LibraryContext())
    for wrong, where in ((key, library), (other, library), (inside, None)):
        with pytest.raises(UsageError, match=r"the key belongs to .*: load the key with the library_context"):
            Context.server(credentials.certificate, wrong, library_context=where)
        with pytest.raises(UsageError, match="the key belongs to "):
            Context.client(certificate=credentials.certificate, private_key=wrong, library_context=where)
    assert Context.server(credentials.certificate, inside, library_context=library)


def test_a_mutable_context_refuses_a_key_of_a_library_context(
    library: LibraryContext, credentials: pyossl.Credentials
) -> None:
    context = MutableContext(Method.TLS)
    inside = PrivateKey.load(credentials.private_key.to_pem(), library_context=library)
    with pytest.raises(UsageError, match="the key belongs to "):
        context.use_private_key(inside)
    with pytest.raises(UsageError, match="the key belongs to "):
        context.use_credentials(credentials.certificate, inside, ())


def test_a_store_of_another_library_context_is_refused(library: LibraryContext, authority: Authority) -> None:
    for store, where in (
        (Store.of(authority.certificate), library),
        (Store.of(authority.certificate, library_context=LibraryContext()), library),
        (Store.of(authority.certificate, library_context=library), None),
    ):
        with pytest.raises(UsageError, match="the store and the context have different library contexts"):
            Context.client(trust=store, library_context=where)
        with pytest.raises(UsageError, match="the store and the context have different library contexts"):
            Context.server(b"", b"", trust=store, verify=True, library_context=where)


def test_a_session_of_another_library_context_is_refused(
    library: LibraryContext, authority: Authority, credentials: pyossl.Credentials
) -> None:
    client_context, server_context = contexts(library, authority, credentials)
    client, _ = meet(client_context, server_context)
    session = client.session
    assert session is not None
    for other in (LibraryContext(), None):
        with pytest.raises(ValueError, match="context"):
            Connection(contexts(other, authority, credentials)[0], "example.com", session=session)
    resumed, _ = meet(client_context, server_context, session=session)
    assert resumed.session_reused


@pytest.mark.parametrize(
    ("callback", "said"),
    [
        ("servername_callback", "a context of another library context"),
        ("client_hello_callback", "a ClientHello callback returned a context of another library context"),
    ],
)
def test_a_callback_cannot_change_the_library_context(
    callback: str, said: str, library: LibraryContext, authority: Authority, credentials: pyossl.Credentials
) -> None:
    client_context, server_context = contexts(library, authority, credentials)
    _, other = contexts(None, authority, credentials)
    setattr(server_context, callback, lambda connection, given: other)
    client, server = Connection(client_context, "example.com"), Connection(server_context)
    with pytest.raises(UsageError, match=said):
        shake_hands(client, server)


def test_connections_live_longer_than_the_name_of_their_library_context(
    authority: Authority, credentials: pyossl.Credentials
) -> None:
    client_context, server_context = contexts(LibraryContext(), authority, credentials)
    connection = Connection(client_context, "example.com")
    del client_context
    gc.collect()
    server = Connection(server_context)
    shake_hands(connection, server)
    certificate, session = connection.peer_certificate, connection.session
    del connection, server, server_context
    gc.collect()
    LibraryContext(), LibraryContext()
    assert certificate is not None
    assert certificate.is_signed_by(authority.certificate.public_key)
    assert session is not None
    assert session.to_der()


def test_contexts_of_a_closed_library_context_can_still_be_used(
    authority: Authority, credentials: pyossl.Credentials
) -> None:
    with LibraryContext() as library:
        client_context, server_context = contexts(library, authority, credentials)
    meet(client_context, server_context)
    assert library.closed


def test_a_certificate_callback_gives_a_key_of_the_library_context(
    library: LibraryContext, authority: Authority, credentials: pyossl.Credentials
) -> None:
    client_context, server_context = contexts(library, authority, credentials)
    key = PrivateKey.load(credentials.private_key.to_pem(), library_context=library)
    answers = [credentials._replace(private_key=key), credentials]
    server_context.certificate_callback = lambda connection, demand: answers.pop(0)
    library.close()
    client, _ = meet(client_context, server_context)
    assert client.peer_certificate == credentials.certificate
    with pytest.raises(UsageError, match="the key belongs to the default library context"):
        shake_hands(Connection(client_context, "example.com"), Connection(server_context))


WITHOUT_ALGORITHMS = """\
openssl_conf = first
[first]
providers = list
[list]
base = on
[on]
activate = 1
"""
"""A configuration of the process in which only library contexts of its own have algorithms."""

RESUMES = """
import sys
from pyossl import BIO, Connection, Context, LibraryContext, Store, TicketKeys, Version
library = LibraryContext(providers=["default"])
own = {"certificate": "chain.pem", "private_key": "key.pem", "library_context": library}
server_context = Context.server(trust="ca.pem", verify=True, **own)
server_context.session_id_context = b"test"
server_context.rotating_ticket_keys = TicketKeys([bytes(range(1, 81))])
for version in (Version.TLSv1_2, Version.TLSv1_3):
    context = Context.client(trust="ca.pem", maximum_version=version, **own)
    session = None
    for _ in range(2):
        ours, theirs = BIO.pair()
        client = Connection(context, "example.com", bio=ours, session=session)
        server = Connection(server_context, bio=theirs)
        while (client.handshake(), server.handshake()) != (None, None):
            pass
        server.write(b"with the ticket")
        client.read()
        session = client.session
        print(client.session_reused)
    print(len(Store.of("ca.pem", library_context=library).verify(server.peer_certificate)))
"""


def test_tickets_are_used_with_the_algorithms_of_the_library_context(
    authority: Authority, credentials: pyossl.Credentials, tmp_path: Path
) -> None:
    """And the certificate in a ticket is verified with them."""
    (tmp_path / "openssl.cnf").write_text(WITHOUT_ALGORITHMS)
    (tmp_path / "ca.pem").write_bytes(authority.certificate.to_pem())
    (tmp_path / "chain.pem").write_bytes(credentials.certificate_pem())
    (tmp_path / "key.pem").write_bytes(credentials.private_key.to_pem())
    env = {**os.environ, "OPENSSL_CONF": str(tmp_path / "openssl.cnf")}
    command = [sys.executable, "-c", RESUMES]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["False", "True", "2"] * 2, done.stderr


@needs("ocsp")
def test_an_ocsp_response_is_verified_with_the_algorithms_of_the_issuer(
    authority: Authority, credentials: pyossl.Credentials, library: LibraryContext
) -> None:
    """OpenSSL would use the default one for the signature: docs/pitfalls.md, 91."""
    response = authority.ocsp_response(credentials.certificate)
    issuer = authority.certificate
    assert response.verify(credentials.certificate, issuer._in(library))
    with pytest.raises(pyossl.CertificateError, match="is not signed by the issuer"):
        response.verify(credentials.certificate, issuer._in(LibraryContext(providers=ONLY_BASE)))


@needs("ocsp")
def test_a_stapled_ocsp_response_is_verified_in_the_library_context_of_the_client(
    authority: Authority, credentials: pyossl.Credentials
) -> None:
    """Also after it was closed: contexts that were made with it can still be used."""
    with LibraryContext() as library:
        client_context, server_context = contexts(library, authority, credentials)
        server_context.staple_ocsp(authority.ocsp_response(credentials.certificate))
        client_context.verify_ocsp(required=True)
    client, _ = meet(client_context, server_context)
    assert client.ocsp_status is not None
    assert [each._library_context for each in client.verified_chain] == [library] * 2


def test_the_peers_certificates_belong_to_the_library_context(
    authority: Authority, credentials: pyossl.Credentials
) -> None:
    """Elsewhere they are read again, as others: OpenSSL would take the algorithms from their own library context."""
    library = LibraryContext(providers=ONLY_BASE)
    library.load("default")
    client_context, server_context = contexts(library, authority, credentials)
    seen: list[tuple[Certificate, ...]] = []
    client_context.chain_callback = lambda connection, chain: not seen.append(chain)  # type: ignore[func-returns-value]
    client, _ = meet(client_context, server_context)
    shown = [client.peer_certificate, *client.peer_chain, *client.verified_chain, *seen[0]]
    library.unload("default")
    store = Store.of(authority.certificate)
    for certificate in shown:
        assert certificate is not None
        assert certificate._library_context is library
        assert store.verify(certificate)


def test_uris_of_files_are_loaded_in_the_library_context(
    library: LibraryContext, authority: Authority, credentials: pyossl.Credentials, tmp_path: Path
) -> None:
    key, certificate = credentials.private_key, credentials.certificate
    contents = {
        "key.pem": key.to_pem("secret"),
        "key.der": key.to_der(),
        "public.pem": key.public_key.to_pem(),
        "chain.pem": credentials.certificate_pem(),
        "bundle.p12": PKCS12(key, certificate).to_der("secret"),
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
        for each in pyossl.load_uri(f"file:{tmp_path / name}", "secret", library_context=library):
            assert not isinstance(each, (str, CRL))
            assert each._library_context is library
    (tmp_path / "ca.pem").write_bytes(authority.certificate.to_pem())
    client = Context.client(trust=f"file:{tmp_path / 'ca.pem'}", library_context=library)
    uris = f"file:{tmp_path / 'chain.pem'}", f"file:{tmp_path / 'key.pem'}"
    meet(client, Context.server(*uris, password="secret", library_context=library))
    base = LibraryContext(providers=ONLY_BASE)
    with pytest.raises(pyossl.Error):
        pyossl.load_uri(f"file:{tmp_path / 'key.der'}", kind=PrivateKey, library_context=base)
    library.close()
    with pytest.raises(UsageError, match="this library context is closed"):
        pyossl.load_uri(f"file:{tmp_path / 'key.der'}", library_context=library)


@VERSIONS
def test_tickets_are_encrypted_with_the_algorithms_of_the_library_context(
    version: pyossl.Version, authority: Authority, credentials: pyossl.Credentials
) -> None:
    """In a child, where the default library context has none from then on: docs/pitfalls.md, 91."""
    client_context, server_context = contexts(LibraryContext(), authority, credentials)
    client_context.maximum_version = version
    server_context.rotating_ticket_keys = pyossl.TicketKeys()
    meet(client_context, server_context)  # from now on the contexts are frozen

    def child() -> None:
        assert lib.EVP_set_default_properties(ffi.NULL, b"provider=none") == 1
        client, _ = meet(client_context, server_context)
        client, _ = meet(client_context, server_context, session=client.session)
        assert client.session_reused

    assert os.waitpid(child_that_does(child), 0)[1] == 0


@VERSIONS
def test_a_provider_that_is_unloaded_while_it_is_used(
    version: pyossl.Version, authority: Authority, credentials: pyossl.Credentials
) -> None:
    """Connections with keys go on.  The rest fails, or uses algorithms that OpenSSL has kept; nothing crashes."""
    library = LibraryContext(providers=ONLY_BASE)
    library.load("default")
    client_context, server_context = contexts(library, authority, credentials)
    client_context.maximum_version = version
    client, server = meet(client_context, server_context)
    begun, answering = Connection(client_context, "example.com"), Connection(server_context)
    begun.handshake()
    library.unload("default")
    for sender, receiver in ((client, server), (server, client)):
        sender.write(b"still here")
        carry(client, server)
        assert receiver.read() == b"still here"
    with suppress(pyossl.Error):
        shake_hands(begun, answering)
    with suppress(pyossl.Error):
        shake_hands(Connection(client_context, "example.com"), Connection(server_context))
    with suppress(pyossl.Error):
        PrivateKey.generate(library_context=library)
    assert [provider.name for provider in library.providers] == ["base"]
    library.load("default")
    meet(*contexts(library, authority, credentials))


WITH_RC2 = b"""\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGxMBwGCiqGSIb3DQEMAQUwDgQI4MNEavcEHwICAggABIGQklW7KSLBq/nY4jbi
LTRon+G/3f80pkXN95gXp2YnwiERZzsL66nKmnWE5FZJsQox2Uk5tv63fv4z8bn3
O1edDqkL1327qJrffTRuiwKpSiCNasA7UxjAvKy5QHG5Rbqoxt07yExrzUh8QIIY
UnOe58FY7YRO0BiKGvnzgdI7U2x1Sb7T4BWa9RCrMrE8uSaB
-----END ENCRYPTED PRIVATE KEY-----
"""
