"""``_ssl.Certificate``, and the dictionary of ``getpeercert``."""

from __future__ import annotations

from typing import Any

import pytest
from stdlib.original_ssl import original, with_original
from stdlib.ssl_over_pyossl import MemoryPair, client_context, credentials, server_context, ssl

import pyossl
from pyossl.core import lib
from pyossl.stdlib import module
from pyossl.stdlib.certificate import certificate_of, dictionary_of
from pyossl.stdlib.errors import SSLError

ours: Any = module.make()


def made(certificate: pyossl.Certificate) -> Any:
    """An ``_ssl.Certificate`` of a copy of this one."""
    return certificate_of(pyossl.Certificate.load(certificate.to_der())._x509)


@pytest.fixture(scope="module")
def authority() -> pyossl.Authority:
    return pyossl.Authority("Authority of the tests")


def test_it_is_written_in_pem_and_der(authority: pyossl.Authority) -> None:
    certificate = made(authority.certificate)
    assert certificate.public_bytes() == authority.certificate.to_pem().decode()
    assert certificate.public_bytes(ours.ENCODING_PEM) == authority.certificate.to_pem().decode()
    assert certificate.public_bytes(format=ours.ENCODING_DER) == authority.certificate.to_der()


@pytest.mark.parametrize("format", [0, 3, -1])
def test_another_format_is_an_error(authority: pyossl.Authority, format: int) -> None:
    with pytest.raises(ValueError, match="Unsupported format"):
        made(authority.certificate).public_bytes(format)


def test_equal_certificates_have_equal_hashes(authority: pyossl.Authority) -> None:
    first, second = made(authority.certificate), made(authority.certificate)
    assert first is not second
    assert first == second
    assert hash(first) == hash(second)


def test_others_differ(authority: pyossl.Authority) -> None:
    certificate = made(authority.certificate)
    assert certificate != made(authority.issue("localhost").certificate)
    assert certificate != authority.certificate.to_der()
    assert not certificate == 1  # noqa: SIM201  the operator is tested


def test_its_repr_is_its_subject(authority: pyossl.Authority) -> None:
    assert repr(made(authority.certificate)) == "<_ssl.Certificate 'CN=Authority of the tests'>"


@with_original
@pytest.mark.parametrize("names", [("localhost",), ("*.example.org", "192.0.2.1", "2001:db8::1", "user@example.org")])
def test_its_dictionary_is_the_originals(authority: pyossl.Authority, names: tuple[str, ...], tmp_path: Any) -> None:
    certificate, path = authority.issue(*names).certificate, tmp_path / "certificate.pem"
    path.write_bytes(certificate.to_pem())
    expected = original._test_decode_cert(str(path))  # for CPython's own tests
    assert made(certificate).get_info() == expected
    assert ours._test_decode_cert(str(path)) == expected
    assert list(made(certificate).get_info()) == list(expected)


def test_a_certificate_that_cannot_be_shown_is_an_ssl_error(authority: pyossl.Authority) -> None:
    der = authority.issue("localhost").certificate.to_der()
    broken = der.replace(b"\x82\x09localhost", b"\x82\x09local\xffost")  # no UTF-8
    assert broken != der
    with pytest.raises(SSLError, match="UTF-8"):
        dictionary_of(pyossl.Certificate.load(broken)._x509)


def test_the_peers_certificate_is_a_dictionary_or_der_and_empty_if_it_is_not_verified() -> None:
    client = MemoryPair().handshake().client
    der = client.getpeercert(binary_form=True)
    assert client.getpeercert()["subjectAltName"] == (("DNS", "localhost"),)
    careless = client_context()
    careless.check_hostname, careless.verify_mode = False, ssl.CERT_NONE
    client = MemoryPair(careless).handshake().client
    assert client.getpeercert() == {}
    assert client.getpeercert(True) == der == pyossl.Certificate.load(credentials()[0]).to_der()


def test_a_server_has_no_certificate_of_a_client_that_sent_none() -> None:
    server = MemoryPair().handshake().server
    assert server.getpeercert() is None
    assert server.getpeercert(True) is None


def test_a_certificate_before_the_handshake_is_an_error() -> None:
    with pytest.raises(ValueError, match="handshake not done yet"):
        MemoryPair().client.getpeercert()


def test_the_chains_are_those_of_the_peer_and_of_the_verification() -> None:
    connection = MemoryPair().handshake().client._sslobj
    unverified, verified = connection.get_unverified_chain(), connection.get_verified_chain()
    assert unverified[0].public_bytes(ours.ENCODING_DER) == connection.getpeercert(True)
    assert verified[0] == unverified[0]
    assert len(verified) == 2
    assert verified[-1].get_info()["subject"] == verified[-1].get_info()["issuer"]


def test_a_server_without_a_certificate_of_its_client_has_no_chain() -> None:
    server = server_context()
    server.verify_mode = ssl.CERT_OPTIONAL
    assert MemoryPair(server=server).handshake().server._sslobj.get_unverified_chain() is None


def test_a_server_has_the_client_first_in_the_chain() -> None:
    certificate, key, _ = credentials()
    server, client = server_context(), client_context()
    server.verify_mode = ssl.CERT_REQUIRED
    client.load_cert_chain(certificate, key)
    connections = MemoryPair(client, server).handshake()
    connections.server._sslobj.do_handshake()
    chain = connections.server._sslobj.get_unverified_chain()
    assert chain[0].public_bytes(ours.ENCODING_DER) == pyossl.Certificate.load(certificate).to_der()


def test_the_trusted_authorities_are_listed_and_counted() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert context.cert_store_stats() == {"x509": 0, "crl": 0, "x509_ca": 0}
    authority = pyossl.Authority("Root")
    leaf = authority.issue("localhost").certificate
    context.load_verify_locations(cadata=authority.certificate.to_der() + leaf.to_der())
    assert context.cert_store_stats() == {"x509": 2, "crl": 0, "x509_ca": 1}
    assert context.get_ca_certs(binary_form=True) == [authority.certificate.to_der()]
    assert context.get_ca_certs()[0]["subject"] == ((("commonName", "Root"),),)
    assert lib.ERR_peek_error() == 0
