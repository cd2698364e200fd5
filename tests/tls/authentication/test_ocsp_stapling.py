"""OCSP stapling in memory: what a server gives, and what a client refuses, with every version of TLS."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.ocsp_making import ocsp_response
from marks import VERSIONS, needs
from pairs import carry, meet, shake_hands
from x509.ocsp_signers import DAY, NOW, TRY_LATER, responder, signed_by

import pyossl
from pyossl import (
    Alert,
    AlertError,
    Authority,
    CertificateError,
    Connection,
    Context,
    Credentials,
    OCSPStatus,
    UsageError,
    Version,
    lib,
)

pytestmark = needs("ocsp")


@pytest.fixture(scope="module")
def ca() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def own(ca: Authority) -> Credentials:
    return ca.issue("example.com")


def serving(own: Credentials, answer: Any = None) -> Context:
    """A server's context whose callback returns ``answer``, or is ``answer``."""
    context = Context.server((own.certificate, *own.chain), own.private_key)
    context.ocsp_callback = answer if callable(answer) else lambda connection: answer
    return context


def verifying(ca: Authority, version: Version | None = None, *, required: bool = True) -> Context:
    context = Context.client(trust=ca.certificate, maximum_version=version)
    context.verify_ocsp(required=required)
    return context


def refusal(client_context: Context, server_context: Context) -> CertificateError:
    """The client's exception; the server has got the alert for it."""
    client, server = Connection(client_context, "example.com"), Connection(server_context)
    with pytest.raises(CertificateError) as caught:
        shake_hands(client, server)
    with pytest.raises(CertificateError) as again:
        client.handshake()
    assert str(again.value) == str(caught.value), "every later call raises the same"
    server.receive_data(client.data_to_send())
    with pytest.raises(AlertError) as refused:
        server.handshake() or server.read()
    assert refused.value.number == Alert.BAD_CERTIFICATE_STATUS_RESPONSE
    assert client.failure == caught.value.failure
    return caught.value


@pytest.mark.feature("OCSP stapling, both sides", "OCSP stapling, checked by the client")
@VERSIONS
def test_a_good_response_is_sent_and_checked(version: Version, ca: Authority, own: Credentials) -> None:
    response = ca.ocsp_response(own.certificate)
    client, server = meet(verifying(ca, version), serving(own, response))
    assert client.ocsp_response == response.to_der()
    assert client.ocsp_responses == (response.to_der(),)
    assert client.ocsp_status is not None
    assert client.ocsp_status.status is OCSPStatus.GOOD
    assert server.ocsp_status is server.ocsp_response is None
    assert server.ocsp_responses == ()


@pytest.mark.feature("OCSP stapling, both sides")
def test_one_response_is_for_every_connection(ca: Authority, own: Credentials, tmp_path: Path) -> None:
    response = ca.ocsp_response(own.certificate)
    (tmp_path / "response.der").write_bytes(response.to_der())
    for source in (response, response.to_der(), tmp_path / "response.der"):
        context = Context.server((own.certificate, *own.chain), own.private_key)
        context.staple_ocsp(source)
        assert context.ocsp_callback is None
        for _ in range(2):
            client, _ = meet(verifying(ca), context)
            assert client.ocsp_response == response.to_der()


def test_a_client_that_does_not_ask_gets_none_and_the_callback_is_not_called(ca: Authority, own: Credentials) -> None:
    called: list[Connection] = []
    client, _ = meet(Context.client(trust=ca.certificate), serving(own, called.append))
    assert (client.ocsp_response, client.ocsp_status, called) == (None, None, [])


def test_the_callback_gets_the_connection_and_may_ask_it(ca: Authority, own: Credentials) -> None:
    seen: list[str | None] = []

    def answer(connection: Connection) -> pyossl.OCSPResponse:
        seen.append(connection.server_hostname)
        return ca.ocsp_response(own.certificate)

    context = serving(own, answer)
    assert context.ocsp_callback is answer
    meet(verifying(ca), context)
    assert seen == ["example.com"]


@VERSIONS
@pytest.mark.feature("OCSP stapling, checked by the client")
def test_a_missing_response_is_refused_if_it_is_required(version: Version, ca: Authority, own: Credentials) -> None:
    for nothing in (None, b"", []):
        error = refusal(verifying(ca, version), serving(own, nothing))
        assert error.code == lib.X509_V_ERR_OCSP_VERIFY_NEEDED
        assert "has stapled no OCSP response" in str(error)
    error = refusal(verifying(ca, version), Context.server((own.certificate, *own.chain), own.private_key))
    assert error.code == lib.X509_V_ERR_OCSP_VERIFY_NEEDED
    client, _ = meet(verifying(ca, version, required=False), serving(own, None))
    assert client.ocsp_status is None


@VERSIONS
@pytest.mark.feature("must-staple certificates")
def test_a_certificate_that_must_staple_makes_the_response_required(version: Version, ca: Authority) -> None:
    own = ca.issue("example.com", must_staple=True)
    error = refusal(verifying(ca, version, required=False), serving(own, None))
    assert error.code == lib.X509_V_ERR_OCSP_VERIFY_NEEDED
    assert "the certificate says that its server staples an OCSP response" in str(error)
    client, _ = meet(verifying(ca, version, required=False), serving(own, ca.ocsp_response(own.certificate)))
    assert client.ocsp_status is not None
    meet(Context.client(trust=ca.certificate), serving(own, None))  # a client that does not verify OCSP


def bad_responses(ca: Authority, own: Credentials) -> dict[str, tuple[bytes, str]]:
    """What a server may send, and a part of the message that refuses it."""
    other, namesake = ca.issue("example.com"), Authority()
    leaf, above = own.certificate, ca.certificate
    return {
        "no response": (b"not an OCSP response", "malformed"),
        "a certificate": (leaf.to_der(), "malformed"),
        "cut short": (ca.ocsp_response(leaf).to_der()[:-1], "malformed"),
        "followed by a byte": (ca.ocsp_response(leaf).to_der() + b"\0", "malformed"),
        "try later": (TRY_LATER, "try later"),
        "stale": (ocsp_response(own, ca, this_update=NOW - 2 * DAY, next_update=NOW - DAY), "was valid until"),
        "future": (ocsp_response(own, ca, this_update=NOW + DAY, next_update=NOW + 2 * DAY), "valid only from"),
        "without an end": (ocsp_response(own, ca, next_update=None), "does not say until when"),
        "for another certificate": (ca.ocsp_response(other.certificate).to_der(), "other certificates"),
        "by somebody else": (signed_by(namesake.credentials, leaf, above).to_der(), "not signed by the issuer"),
        "by a namesake's responder": (signed_by(responder(namesake), leaf, above).to_der(), "not signed by the issuer"),
        "by the server itself": (signed_by(own, leaf, above).to_der(), "not signed by the issuer"),
        "revoked": (ocsp_response(own, ca, revoked=True), "certificate revoked"),
        "unknown": (ocsp_response(own, ca, unknown=True), "does not know it"),
    }


BAD = (
    "no response",
    "a certificate",
    "cut short",
    "followed by a byte",
    "try later",
    "stale",
    "future",
    "without an end",
    "for another certificate",
    "by somebody else",
    "by a namesake's responder",
    "by the server itself",
    "revoked",
    "unknown",
)


@VERSIONS
@pytest.mark.parametrize("which", BAD)
@pytest.mark.parametrize("required", [True, False], ids=["required", "if present"])
@pytest.mark.feature("OCSP stapling, checked by the client")
def test_a_bad_response_is_refused(
    which: str, required: bool, version: Version, ca: Authority, own: Credentials
) -> None:
    response, why = bad_responses(ca, own)[which]
    context = verifying(ca, version, required=required)
    client, server = Connection(context, "example.com"), Connection(serving(own, response))
    if pyossl.features.ocsp_multi_stapling and which == "followed by a byte":
        shake_hands(client, server)  # the server sends what it has read: the response without the byte
        assert client.ocsp_response == response[:-1]
        return
    if pyossl.features.ocsp_multi_stapling and why in ("malformed", "other certificates"):
        # The server does not send it: docs/pitfalls.md, 78.
        if not required:
            shake_hands(client, server)
            assert client.ocsp_status is client.ocsp_response is None
            return
        why = "has stapled no OCSP response"
    with pytest.raises(CertificateError) as caught:
        shake_hands(client, server)
    assert why in str(caught.value)
    assert caught.value.certificate == own.certificate
    with pytest.raises(CertificateError):
        client.read()


def test_all_bad_responses_are_tried(ca: Authority, own: Credentials) -> None:
    assert set(BAD) == set(bad_responses(ca, own))


@VERSIONS
def test_the_server_is_told_by_an_alert(version: Version, ca: Authority, own: Credentials) -> None:
    error = refusal(verifying(ca, version), serving(own, ocsp_response(own, ca, revoked=True)))
    assert error.code == lib.X509_V_ERR_CERT_REVOKED
    assert error.reason == "certificate revoked"
    assert error.depth == 0


def test_no_byte_of_application_data_is_sent_to_a_revoked_server(ca: Authority, own: Credentials) -> None:
    client = Connection(verifying(ca), "example.com")
    server = Connection(serving(own, ocsp_response(own, ca, revoked=True)))
    with pytest.raises(CertificateError):
        shake_hands(client, server)
    with pytest.raises(CertificateError):
        client.write(b"secret")
    carry(client, server)
    with pytest.raises(AlertError):
        server.handshake() or server.read()


def test_a_responder_below_an_intermediate_authority_is_believed() -> None:
    root = Authority("root")
    below = Authority("below", parent=root)
    own = below.issue("example.com")
    response = signed_by(responder(below), own.certificate, below.certificate)
    client, _ = meet(verifying(root), serving(own, response))
    assert client.ocsp_status is not None
    refused = signed_by(root.credentials, own.certificate, below.certificate)
    assert "not signed by the issuer" in str(refusal(verifying(root), serving(own, refused)))


def test_a_self_signed_certificate_signs_its_own_response() -> None:
    own = pyossl.self_signed("example.com")
    context = Context.client(trust=own.certificate)
    context.verify_ocsp(required=True)
    server_context = serving(own, signed_by(own, own.certificate, own.certificate))
    if pyossl.features.ocsp_multi_stapling:  # the server does not send it: docs/pitfalls.md, 78
        refusal(context, server_context)
    else:
        client, _ = meet(context, server_context)
        assert client.ocsp_status is not None


def test_the_time_of_the_verification_counts(ca: Authority, own: Credentials) -> None:
    moment = NOW + 30 * DAY
    response = ocsp_response(own, ca, this_update=moment - DAY, next_update=moment + DAY)
    context = verifying(ca)
    context.set_verify_time(moment)
    meet(context, serving(own, response))
    store = pyossl.Store.of(ca.certificate)
    store.set_time(moment)
    context = Context.client(trust=store)
    context.verify_ocsp(required=True)
    meet(context, serving(own, response))
    assert "valid only from" in str(refusal(verifying(ca), serving(own, response)))


def test_the_tolerance_is_for_clocks_that_differ(ca: Authority, own: Credentials) -> None:
    stale = ocsp_response(own, ca, this_update=NOW - DAY, next_update=NOW - datetime.timedelta(minutes=20))
    context = Context.client(trust=ca.certificate)
    context.verify_ocsp(required=True, tolerance=datetime.timedelta(hours=1))
    meet(context, serving(own, stale))
    assert "was valid until" in str(refusal(verifying(ca), serving(own, stale)))


@VERSIONS
def test_a_resumed_session_is_not_checked_again(version: Version, ca: Authority, own: Credentials) -> None:
    answers = [ca.ocsp_response(own.certificate)]
    server_context = serving(own, lambda connection: answers[0] if answers else None)
    context = verifying(ca, version)
    client, _ = meet(context, server_context)
    answers.clear()
    again, _ = meet(context, server_context, session=client.session)
    assert again.session_reused
    assert again.ocsp_status is None
    refusal(context, server_context)


@needs("psk")
def test_a_server_with_a_pre_shared_key_has_no_certificate_to_check() -> None:
    key = bytes(range(32))
    server_context = Context(is_server=True)
    server_context.psk_server_callback = lambda connection, identity: key
    context = Context.client(trust=pyossl.Store.empty())
    context.psk_client_callback = lambda connection, hint: (b"us", key)
    context.verify_ocsp(required=True)
    client, _ = meet(context, server_context)
    assert client.peer_certificate is None


@needs("ocsp_multi_stapling")
@pytest.mark.feature("OCSP responses about several certificates")
def test_several_responses_are_about_several_certificates() -> None:
    root = Authority("root")
    below = Authority("below", parent=root)
    own = below.issue("example.com")
    responses = below.ocsp_response(own.certificate), root.ocsp_response(below.certificate)
    context = Context.server((own.certificate, *own.chain), own.private_key)
    context.staple_ocsp(*responses)
    client, _ = meet(verifying(root), context)
    assert client.ocsp_responses == tuple(each.to_der() for each in responses)
    client, _ = meet(verifying(root, Version.TLSv1_2), context)
    assert client.ocsp_responses == (responses[0].to_der(),)

    root.revoke(below.certificate)
    context = serving(own, [responses[0], root.ocsp_response(below.certificate)])
    error = refusal(verifying(root), context)
    assert error.code == lib.X509_V_ERR_CERT_REVOKED
    assert error.certificate == below.certificate
    assert error.depth == 1


def test_a_server_refuses_to_staple_what_does_not_fit(ca: Authority, own: Credentials, tmp_path: Path) -> None:
    context = Context.server((own.certificate, *own.chain), own.private_key)
    other = ca.issue("other.example")
    with pytest.raises(ValueError, match=f"not about the certificate .* but about {other.certificate.serial_number:x}"):
        context.staple_ocsp(ca.ocsp_response(other.certificate))
    with pytest.raises(ValueError, match="try later"):
        context.staple_ocsp(TRY_LATER)
    with pytest.raises(pyossl.DecodeError):
        context.staple_ocsp(b"nothing")
    with pytest.raises(FileNotFoundError):
        context.staple_ocsp(tmp_path / "missing")
    with pytest.raises(TypeError, match="at least one"):
        context.staple_ocsp()
    with pytest.raises(TypeError):
        context.staple_ocsp(None)  # type: ignore[arg-type]
    response = ca.ocsp_response(own.certificate)
    if pyossl.features.ocsp_multi_stapling:
        with pytest.raises(ValueError, match="2 OCSP responses are more than the 1 certificates"):
            context.staple_ocsp(response, response)
    else:
        with pytest.raises(pyossl.UnsupportedError, match="multi-stapling"):
            context.staple_ocsp(response, response)


BAD_ANSWERS: dict[str, tuple[Callable[[Connection], object], type[BaseException], str]] = {
    "text": (lambda connection: "text", TypeError, "answers with an OCSPResponse, bytes or None, not str"),
    "a number": (lambda connection: 5, TypeError, "not int"),
    "text in a list": (lambda connection: ["text"], TypeError, "not str"),
    "too much": (lambda connection: bytes(1 << 24), ValueError, "16777215 bytes at most"),
    "an exception": (lambda connection: 1 / 0, ZeroDivisionError, "division"),
    "re-entrance": (lambda connection: connection.write(b"x"), UsageError, "a callback cannot"),
}


@VERSIONS
@pytest.mark.parametrize("which", BAD_ANSWERS)
def test_a_callback_that_misbehaves_ends_the_handshake(
    which: str, version: Version, ca: Authority, own: Credentials
) -> None:
    answer, kind, why = BAD_ANSWERS[which]
    client = Connection(verifying(ca, version, required=False), "example.com")
    server = Connection(serving(own, answer))
    client.handshake()
    server.receive_data(client.data_to_send())
    with pytest.raises(kind, match=why):
        server.handshake()
    with pytest.raises(pyossl.TLSError):
        server.handshake()
    client.receive_data(server.data_to_send())
    with pytest.raises(pyossl.TLSError):
        client.handshake()


def test_several_answers_of_a_callback_need_openssl_3_6(ca: Authority, own: Credentials) -> None:
    response = ca.ocsp_response(own.certificate)
    client, server = Connection(verifying(ca), "example.com"), Connection(serving(own, [response, response]))
    if pyossl.features.ocsp_multi_stapling:
        shake_hands(client, server)
        return
    with pytest.raises(pyossl.UnsupportedError, match="multi-stapling"):
        shake_hands(client, server)


def test_the_context_for_a_name_has_its_own_response(ca: Authority, own: Credentials) -> None:
    other = ca.issue("other.example")
    second = serving(other, ca.ocsp_response(other.certificate))
    first = serving(own, ca.ocsp_response(own.certificate))
    first.servername_callback = lambda connection, name: second if name == "other.example" else None
    for name, credentials in (("example.com", own), ("other.example", other)):
        client, _ = meet(verifying(ca), first, name)
        assert client.ocsp_status is not None
        assert client.ocsp_status.serial_number == credentials.certificate.serial_number


def test_each_side_has_its_own_settings(ca: Authority, own: Credentials) -> None:
    client, server = Context.client(trust=ca.certificate), Context.server(own.certificate, own.private_key)
    with pytest.raises(UsageError, match="verify_ocsp is only for clients"):
        server.verify_ocsp(required=True)
    with pytest.raises(UsageError, match="staple_ocsp is only for servers"):
        client.staple_ocsp(ca.ocsp_response(own.certificate))
    with pytest.raises(UsageError, match="ocsp_callback is only for servers"):
        client.ocsp_callback = lambda connection: None
    with pytest.raises(UsageError, match="does not verify"):
        Context.client(verify=False).verify_ocsp(required=False)
    with pytest.raises(TypeError, match="required is True or False"):
        client.verify_ocsp(required=1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="tolerance"):
        client.verify_ocsp(required=True, tolerance=300)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="an OCSP callback"):
        server.ocsp_callback = b"response"  # type: ignore[assignment]


def test_a_frozen_context_is_not_changed(ca: Authority, own: Credentials) -> None:
    client, server = Context.client(trust=ca.certificate), Context.server(own.certificate, own.private_key)
    Connection(client, "example.com")
    Connection(server)
    for change in (
        lambda: client.verify_ocsp(required=True),
        lambda: server.staple_ocsp(ca.ocsp_response(own.certificate)),
        lambda: setattr(server, "ocsp_callback", None),
    ):
        with pytest.raises(UsageError, match="frozen"):
            change()


def test_a_closed_connection_says_so(ca: Authority) -> None:
    client = Connection(verifying(ca), "example.com")
    client.close()
    for name in ("ocsp_status", "ocsp_response", "ocsp_responses"):
        with pytest.raises(UsageError, match="closed"):
            getattr(client, name)
