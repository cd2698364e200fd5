"""OCSP responses: what they say, and which of them ``verify`` believes."""

from __future__ import annotations

import base64
import copy
import datetime
import pickle
from pathlib import Path

import pytest
from cli.ocsp_making import ocsp_response
from marks import needs
from x509.ocsp_signers import DAY, NOW, TRY_LATER, responder, signed_by

import pyossl
from pyossl import Authority, CertificateError, Credentials, OCSPResponse, OCSPResponseStatus, OCSPStatus, lib
from pyossl.x509.der_writing import der

pytestmark = needs("ocsp")
MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture(scope="module")
def ca() -> Authority:
    return Authority("the issuer")


@pytest.fixture(scope="module")
def own(ca: Authority) -> Credentials:
    return ca.issue("example.com")


def refusal(response: OCSPResponse, own: Credentials, ca: Authority, **how: object) -> CertificateError:
    with pytest.raises(CertificateError) as caught:
        response.verify(own.certificate, ca.certificate, **how)  # type: ignore[arg-type]
    assert caught.value.certificate == own.certificate
    return caught.value


@pytest.mark.feature("OCSP responses read and verified")
def test_a_response_says_what_the_authority_put_in(ca: Authority, own: Credentials) -> None:
    response = ca.ocsp_response(own.certificate, this_update=NOW, next_update=NOW + DAY)
    assert response.status is OCSPResponseStatus.SUCCESSFUL
    (single,) = response.single_responses
    assert single == (own.certificate.serial_number, OCSPStatus.GOOD, NOW, NOW + DAY, None, None)
    assert response.find(own.certificate, ca.certificate) == single
    assert response.responder_name == ca.certificate.subject_name
    assert response.responder_key_hash is None
    assert response.produced_at is not None
    assert response.produced_at >= NOW
    assert response.certificates == ()
    assert response.signature_algorithm == "ecdsa-with-SHA256"
    assert "Cert Status: good" in response.text
    assert response.verify(own.certificate, ca.certificate) == single


def test_a_response_with_a_malformed_time_has_no_text(ca: Authority, own: Credentials) -> None:
    encoded = ca.ocsp_response(own.certificate).to_der()
    time = encoded.index(b"\x18\x0f20")  # the first GeneralizedTime: when the response was signed
    malformed = encoded[: time + 2] + b"\xff" + encoded[time + 3 :]
    with pytest.raises(pyossl.Error):
        _ = OCSPResponse.load(malformed).text


def test_a_revoked_certificate_has_a_time_and_a_reason() -> None:
    ca = Authority()
    own = ca.issue("example.com")
    ca.revoke(own.certificate, pyossl.RevocationReason.KEY_COMPROMISE, revoked_at=NOW - DAY)
    response = ca.ocsp_response(own.certificate)
    (single,) = response.single_responses
    assert (single.status, single.revoked_at, single.reason) == (OCSPStatus.REVOKED, NOW - DAY, 1)
    error = refusal(response, own, ca)
    assert error.code == lib.X509_V_ERR_CERT_REVOKED
    assert "revoked at" in str(error)


def test_a_response_is_loaded_from_der_and_pem_and_files(ca: Authority, own: Credentials, tmp_path: Path) -> None:
    response = ca.ocsp_response(own.certificate)
    encoded = response.to_der()
    (tmp_path / "response.der").write_bytes(encoded)
    for source in (encoded, tmp_path / "response.der"):
        assert OCSPResponse.load(source) == response
    assert hash(OCSPResponse.load(encoded)) == hash(response)
    assert pickle.loads(pickle.dumps(response)) == copy.copy(response) == response
    assert response != ca.ocsp_response(own.certificate, this_update=NOW - DAY)
    assert response != encoded


def test_pem_is_loaded(ca: Authority, own: Credentials) -> None:
    response = ca.ocsp_response(own.certificate)
    body = base64.encodebytes(response.to_der())
    text = b"-----BEGIN OCSP RESPONSE-----\n" + body + b"-----END OCSP RESPONSE-----\n"
    assert OCSPResponse.load(text) == response
    with pytest.raises(pyossl.DecodeError, match="more than one"):
        OCSPResponse.load(text + text)
    with pytest.raises(pyossl.DecodeError, match="holds no OCSP RESPONSE"):
        OCSPResponse.load(ca.certificate.to_pem())


def test_what_is_no_response_is_refused(ca: Authority, own: Credentials) -> None:
    whole = ca.ocsp_response(own.certificate).to_der()
    basic_of_nothing = der(0x30, bytes.fromhex("0a0100"), der(0xA0, der(0x30, bytes.fromhex("06092b0601050507300101"))))
    for data in (b"", b"\0", b"not a response", ca.certificate.to_der(), whole[:-1], whole + b"\0", basic_of_nothing):
        with pytest.raises(pyossl.DecodeError):
            OCSPResponse.load(data)
    with pytest.raises(TypeError):
        OCSPResponse.load(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"OCSPResponse\.load"):
        OCSPResponse(whole)


def test_a_successful_response_without_contents_is_refused() -> None:
    with pytest.raises(pyossl.DecodeError):
        OCSPResponse.load(bytes.fromhex("30030a0100"))


def test_a_responder_that_does_not_answer_says_nothing(ca: Authority, own: Credentials) -> None:
    response = OCSPResponse.load(TRY_LATER)
    assert response.status is OCSPResponseStatus.TRY_LATER
    assert response.single_responses == response.certificates == ()
    assert response.produced_at is response.responder_name is response.responder_key_hash is None
    assert response.signature_algorithm is None
    assert response.find(own.certificate, ca.certificate) is None
    error = refusal(response, own, ca)
    assert "its status is try later" in str(error)
    assert error.code == lib.X509_V_ERR_OCSP_VERIFY_FAILED


def test_an_unknown_status_of_a_response_is_a_number() -> None:
    response = OCSPResponse.load(bytes.fromhex("30030a0109"))
    assert response.status == 9
    assert "unknown number 9" in repr(response)


@pytest.mark.feature("OCSP responses read and verified")
def test_a_responder_of_the_issuer_may_sign(ca: Authority, own: Credentials) -> None:
    signer = responder(ca)
    response = signed_by(signer, own.certificate, ca.certificate)
    assert response.certificates == (signer.certificate,)
    assert response.verify(own.certificate, ca.certificate).status is OCSPStatus.GOOD


def test_the_issuer_may_be_below_a_root() -> None:
    root = Authority("a root")
    below = Authority("below", parent=root)
    own = below.issue("example.com")
    for signer in (below.credentials, responder(below)):
        response = signed_by(signer, own.certificate, below.certificate)
        assert response.verify(own.certificate, below.certificate).status is OCSPStatus.GOOD
    for signer in (root.credentials, responder(root)):
        refusal(signed_by(signer, own.certificate, below.certificate), own, below)


@pytest.mark.feature("OCSP responses read and verified")
def test_nobody_else_may_sign(ca: Authority, own: Credentials) -> None:
    namesake = Authority("the issuer")
    leaf = ca.issue("evil.example")
    for signer in (
        namesake.credentials,
        responder(namesake),
        responder(ca, may_sign=False),
        responder(ca, until=NOW - DAY),
        leaf,
        own,
        pyossl.self_signed("example.com"),
    ):
        error = refusal(signed_by(signer, own.certificate, ca.certificate), own, ca)
        assert error.code == lib.X509_V_ERR_OCSP_VERIFY_FAILED
        assert "not signed by the issuer" in str(error)


def test_a_changed_response_is_refused(ca: Authority, own: Credentials) -> None:
    encoded = bytearray(ca.ocsp_response(own.certificate).to_der())
    encoded[-3] ^= 1  # in the signature
    assert "not signed by the issuer" in str(refusal(OCSPResponse.load(bytes(encoded)), own, ca))


def test_a_response_about_another_certificate_is_refused(ca: Authority, own: Credentials) -> None:
    other = ca.issue("example.com")
    response = ca.ocsp_response(other.certificate)
    assert response.find(own.certificate, ca.certificate) is None
    assert "about other certificates" in str(refusal(response, own, ca))


def test_the_same_serial_number_of_another_issuer_is_not_enough(ca: Authority, own: Credentials) -> None:
    namesake = Authority("the issuer")
    response = signed_by(responder(ca), own.certificate, namesake.certificate)
    assert response.find(own.certificate, ca.certificate) is None
    refusal(response, own, ca)


@pytest.mark.feature("OCSP responses read and verified")
def test_a_response_is_believed_only_at_its_time(ca: Authority, own: Credentials) -> None:
    start = NOW - 60 * MINUTE  # the authority is valid then
    response = ca.ocsp_response(own.certificate, this_update=start, next_update=NOW + DAY)
    none = datetime.timedelta(0)
    for moment in (start, NOW, NOW + DAY):
        response.verify(own.certificate, ca.certificate, moment=moment, tolerance=none)
    response.verify(own.certificate, ca.certificate, moment=NOW + DAY + MINUTE)
    error = refusal(response, own, ca, moment=NOW + DAY + MINUTE, tolerance=none)
    assert "was valid until" in str(error)
    error = refusal(response, own, ca, moment=start - 6 * MINUTE)
    assert "valid only from" in str(error)


def test_a_response_without_an_end_is_refused(ca: Authority, own: Credentials) -> None:
    response = signed_by(ca.credentials, own.certificate, ca.certificate, next_update=None)
    assert response.single_responses[0].next_update is None
    assert "does not say until when" in str(refusal(response, own, ca))


def test_a_response_that_ends_before_it_begins_is_refused(ca: Authority, own: Credentials) -> None:
    now = datetime.datetime.now(datetime.timezone.utc)  # the end is within the tolerance, however long the tests run
    times = {"this_update": now, "next_update": now - MINUTE}
    response = signed_by(ca.credentials, own.certificate, ca.certificate, **times)
    assert "ends before it begins" in str(refusal(response, own, ca))


def test_the_first_and_the_last_time_of_all_are_compared_too(ca: Authority, own: Credentials) -> None:
    first = datetime.datetime(1, 1, 1, tzinfo=datetime.timezone.utc)
    last = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.timezone.utc)
    response = signed_by(ca.credentials, own.certificate, ca.certificate, this_update=first, next_update=last)
    assert response.verify(own.certificate, ca.certificate).next_update == last
    response = signed_by(ca.credentials, own.certificate, ca.certificate, next_update=first)
    assert "was valid until" in str(refusal(response, own, ca))


def test_a_responder_that_does_not_know_the_certificate_is_no_good(ca: Authority, own: Credentials) -> None:
    response = OCSPResponse.load(ocsp_response(own, ca, unknown=True))
    assert response.single_responses[0].status is OCSPStatus.UNKNOWN
    error = refusal(response, own, ca)
    assert error.code == lib.X509_V_ERR_OCSP_CERT_UNKNOWN


def test_identifiers_with_any_digest_are_compared(ca: Authority, own: Credentials) -> None:
    response = OCSPResponse.load(ocsp_response(own, ca, identifier="sha256"))
    assert response.verify(own.certificate, ca.certificate).status is OCSPStatus.GOOD


def test_a_weak_key_of_a_responder_is_refused_at_a_higher_level(ca: Authority, own: Credentials) -> None:
    response = ca.ocsp_response(own.certificate)
    response.verify(own.certificate, ca.certificate, security_level=3)
    assert "too weak" in str(refusal(response, own, ca, security_level=4))


def test_a_sha1_signature_is_refused(ca: Authority, own: Credentials) -> None:
    response = signed_by(ca.credentials, own.certificate, ca.certificate, digest=lib.EVP_get_digestbyname(b"sha1"))
    assert response.signature_algorithm == "ecdsa-with-SHA1"
    response.verify(own.certificate, ca.certificate, security_level=0)
    assert "too weak" in str(refusal(response, own, ca))


@pytest.mark.parametrize("kind", ["RSA", "ED25519"])
def test_keys_of_other_types_sign(kind: str) -> None:
    ca = Authority(private_key=pyossl.PrivateKey.generate(kind))
    own = ca.issue("example.com")
    assert ca.ocsp_response(own.certificate).verify(own.certificate, ca.certificate).status is OCSPStatus.GOOD


def test_an_authority_answers_only_about_its_own(ca: Authority, own: Credentials) -> None:
    with pytest.raises(ValueError, match="has not issued"):
        Authority("the issuer").ocsp_response(own.certificate)
    with pytest.raises(ValueError, match="not later"):
        ca.ocsp_response(own.certificate, this_update=NOW, next_update=NOW)
    with pytest.raises(TypeError):
        ca.ocsp_response(own.certificate.serial_number)  # type: ignore[arg-type]


def test_bad_arguments_are_named(ca: Authority, own: Credentials) -> None:
    response = ca.ocsp_response(own.certificate)
    with pytest.raises(TypeError, match="issuer"):
        response.verify(own.certificate, None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="time zone"):
        response.verify(own.certificate, ca.certificate, moment=datetime.datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="tolerance is 0 seconds to one day"):
        response.verify(own.certificate, ca.certificate, tolerance=-MINUTE)
    with pytest.raises(TypeError, match="tolerance is a timedelta"):
        response.verify(own.certificate, ca.certificate, tolerance=5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="security level"):
        response.verify(own.certificate, ca.certificate, security_level=6)


def test_a_certificate_says_that_its_server_must_staple(ca: Authority, own: Credentials) -> None:
    assert not own.certificate.must_staple
    assert ca.issue("example.com", must_staple=True).certificate.must_staple
