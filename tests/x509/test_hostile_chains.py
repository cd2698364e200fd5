"""Chains of a thousand certificates, and chains in a loop.  They cost little time, and the error is clear.

The certificates are made by the package cryptography.  Only the shape of the chains is wrong.
"""

from __future__ import annotations

import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from pairs import carry, shake_hands
from x509.certificate_making import Made, make
from x509.test_malformed_extensions import extension, with_extensions

import pyossl
from pyossl import lib

LONG = 1000
LARGEST = 1_000_000
DEFAULT_DEPTH = 100
BAD_CERTIFICATE, ILLEGAL_PARAMETER, UNKNOWN_CA = 42, 47, 48
CHAIN_TOO_LONG = 22  # X509_V_ERR_CERT_CHAIN_TOO_LONG, in every version
NAME = x509.SubjectAlternativeName([x509.DNSName("example.com")])
Chain = tuple[pyossl.Certificate, ...]


def loaded(*made: Made) -> Chain:
    return tuple(pyossl.Certificate.load(each.der) for each in made)


class Long:
    """A leaf below a thousand authorities, each issued by the next; the last is the root."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        self.root = make("authority 0", ca=True, key=key)
        authorities = [self.root]
        for number in range(1, LONG + 1):
            authorities.append(make(f"authority {number}", authorities[-1], ca=True, key=key))
        leaf = make("example.com", authorities[-1], extensions=[(NAME, False)])
        self.private_key = leaf.key_pem
        self.chain = loaded(leaf, *reversed(authorities[1:]))
        (self.trust,) = loaded(self.root)


@pytest.fixture(scope="module")
def long() -> Long:
    return Long()


class Loop:
    """A leaf below two authorities that have issued each other: the chain never ends."""

    def __init__(self) -> None:
        one, other = make("one", ca=True), make("other", ca=True)
        self.one = make("one", other, ca=True, key=one.key)
        self.other = make("other", one, ca=True, key=other.key)
        leaf = make("example.com", one, extensions=[(NAME, False)])
        self.private_key = leaf.key_pem
        self.leaf, self.one_by_other, self.other_by_one = loaded(leaf, self.one, self.other)
        (self.other_as_root,) = loaded(other)

    @property
    def chain(self) -> Chain:
        return self.leaf, self.one_by_other, self.other_by_one


@pytest.fixture(scope="module")
def loop() -> Loop:
    return Loop()


@pytest.fixture(scope="module")
def stranger() -> pyossl.Certificate:
    """A root that did not issue any of these certificates."""
    return pyossl.Authority("a stranger").certificate


@pytest.fixture(params=[pyossl.Version.TLSv1_2, pyossl.Version.TLSv1_3], ids=lambda version: version.name)
def version(request: pytest.FixtureRequest) -> pyossl.Version:
    return request.param


def client_for(trust: pyossl.Certificate, version: pyossl.Version, largest: int | None = None) -> pyossl.Context:
    """``largest`` is the limit for the certificates of a peer in bytes; OpenSSL's default is 100 kB."""
    context = pyossl.Context.client(trust=trust, minimum_version=version, maximum_version=version)
    if largest is not None:
        lib.SSL_CTX_set_max_cert_list(context._ctx, largest)
    return context


def refusal(client: pyossl.Connection, server: pyossl.Connection) -> tuple[pyossl.Error, int]:
    """The exception of the client's handshake, and the alert that it sends to the server."""
    with pytest.raises(pyossl.Error) as caught:
        shake_hands(client, server)
    with pytest.raises(type(caught.value)):
        client.read()
    carry(client, server)
    with pytest.raises(pyossl.AlertError) as heard:
        server.handshake()
    assert not client.is_handshake_finished
    assert not server.is_handshake_finished
    return caught.value, heard.value.number


def pair(client: pyossl.Context, server: pyossl.Context) -> tuple[pyossl.Connection, pyossl.Connection]:
    return pyossl.Connection(client, "example.com"), pyossl.Connection(server)


class TestAThousandCertificates:
    def test_are_more_than_a_client_takes(
        self, long: Long, stranger: pyossl.Certificate, version: pyossl.Version
    ) -> None:
        """SSL_CTX_set_max_cert_list(3) is checked before a certificate is parsed."""
        context = pyossl.Context.server(long.chain, long.private_key)
        error, alert = refusal(*pair(client_for(stranger, version), context))
        assert error.failure is not None
        assert error.failure.has_reason(lib.SSL_R_EXCESSIVE_MESSAGE_SIZE)
        assert not isinstance(error, pyossl.CertificateError)
        assert alert == ILLEGAL_PARAMETER

    def test_are_a_chain_too_long_for_a_client_that_takes_them(self, long: Long, version: pyossl.Version) -> None:
        """The trusted root is at the end: OpenSSL follows at most a hundred certificates."""
        context = pyossl.Context.server(long.chain, long.private_key)
        error, alert = refusal(*pair(client_for(long.trust, version, LARGEST), context))
        assert isinstance(error, pyossl.CertificateError)
        assert (error.code, error.depth) == (CHAIN_TOO_LONG, DEFAULT_DEPTH + 1)
        assert alert == UNKNOWN_CA

    def test_are_good_for_a_client_that_asks_for_so_many(self, long: Long, version: pyossl.Version) -> None:
        """The other chains are refused only for their length."""
        context = client_for(long.trust, version, LARGEST)
        context.verify_depth = LONG
        client, server = pair(context, pyossl.Context.server(long.chain, long.private_key))
        shake_hands(client, server)
        assert client.peer_chain == long.chain
        assert client.verified_chain == (*long.chain, long.trust)
        server.write(b"after a long introduction")
        carry(client, server)
        assert client.read() == b"after a long introduction"

    def test_of_a_client_are_more_than_a_server_takes(
        self, long: Long, credentials: pyossl.Credentials, authority: pyossl.Authority, version: pyossl.Version
    ) -> None:
        """The server has the same limit.  A client does not have to be trusted to send a long chain."""
        demanding = pyossl.Context.server(
            credentials.certificate, credentials.private_key, trust=authority.certificate, verify=True
        )
        context = pyossl.Context.client(
            trust=authority.certificate,
            certificate=long.chain,
            private_key=long.private_key,
            minimum_version=version,
            maximum_version=version,
        )
        client, server = pair(context, demanding)
        with pytest.raises(pyossl.Error) as caught:
            shake_hands(client, server)
        assert caught.value.failure is not None
        assert caught.value.failure.has_reason(lib.SSL_R_EXCESSIVE_MESSAGE_SIZE)
        carry(client, server)
        with pytest.raises(pyossl.AlertError) as heard:
            client.read()
        # From OpenSSL 3.2 on a TLS 1.3 server sends another alert for an invalid certificate message.
        assert heard.value.number in (ILLEGAL_PARAMETER, BAD_CERTIFICATE)

    def test_are_followed_as_far_as_a_store_is_told(self, long: Long) -> None:
        store, (leaf, *between) = pyossl.Store.of(long.trust), long.chain
        assert store.verify(leaf, between, depth=LONG) == (*long.chain, long.trust)
        for depth, allowed in (({}, DEFAULT_DEPTH), ({"depth": LONG - 1}, LONG - 1)):
            with pytest.raises(pyossl.CertificateError) as caught:
                store.verify(leaf, between, **depth)
            assert caught.value.code == CHAIN_TOO_LONG
            assert caught.value.depth == allowed + 1


class TestALoop:
    """No certificate is in a chain twice."""

    def test_of_a_server_leads_to_no_root(
        self, loop: Loop, stranger: pyossl.Certificate, version: pyossl.Version
    ) -> None:
        server = pyossl.Context.server(loop.chain, loop.private_key)
        error, alert = refusal(*pair(client_for(stranger, version), server))
        assert isinstance(error, pyossl.CertificateError)
        assert (error.code, error.depth) == (lib.X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 2)
        assert error.certificate == loop.other_by_one
        assert alert == UNKNOWN_CA

    def test_of_certificates_that_are_trusted_leads_to_no_root(self, loop: Loop) -> None:
        """X509_verify_cert(3) follows a loop of trusted certificates up to the depth limit."""
        store = pyossl.Store.of([loop.one_by_other, loop.other_by_one])
        with pytest.raises(pyossl.CertificateError) as caught:
            store.verify(loop.leaf)
        assert caught.value.code == CHAIN_TOO_LONG
        assert store.verify(loop.leaf, partial_chain=True) == (loop.leaf, loop.one_by_other)

    def test_with_a_way_out_is_a_chain(self, loop: Loop, version: pyossl.Version) -> None:
        """One of the two is also trusted as a root."""
        client, server = pair(
            client_for(loop.other_as_root, version), pyossl.Context.server(loop.chain, loop.private_key)
        )
        shake_hands(client, server)
        assert client.peer_chain == loop.chain
        assert client.verified_chain == (loop.leaf, loop.one_by_other, loop.other_as_root)


def test_the_work_for_malformed_extensions_grows_no_faster_than_their_number() -> None:
    """A peer may send a certificate with many thousands of extensions."""

    def calls(count: int) -> int:
        many = [extension(f"1.3.6.1.4.1.99999.{number}", b"") for number in range(count)]
        certificate = with_extensions({"2.5.29.19": b"\1"}, *many)
        made = 0

        def count_one(*_: object) -> None:
            nonlocal made
            made += 1

        sys.setprofile(count_one)
        try:
            malformed = certificate.malformed_extensions
        finally:
            sys.setprofile(None)
        assert malformed == ("basicConstraints",)
        return made

    assert calls(200) < 3 * calls(100)
