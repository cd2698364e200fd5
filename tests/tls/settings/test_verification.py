"""What a connection requires of the peer's chain: trust, depth, purpose, time, CRLs, names, and a callback's answer."""

from __future__ import annotations

import datetime

import pytest
from pairs import carry, meet, shake_hands
from x509.certificate_making import crl_der, make, revoke

import pyossl
from pyossl import Context, Store, VerifyFlags, lib


def refusal(client_context: Context, server_context: Context, name: str = "example.com") -> pyossl.CertificateError:
    with pytest.raises(pyossl.CertificateError) as caught:
        meet(client_context, server_context, name)
    return caught.value


@pytest.mark.feature("verification depth")
def test_a_depth_bounds_the_authorities_between(authority: pyossl.Authority) -> None:
    between = pyossl.Authority("lower", parent=pyossl.Authority("upper", parent=authority))
    own = between.issue("example.com")
    server_context = Context.server((own.certificate, *own.chain), own.private_key)
    for depth in 1, 2:
        context = Context.client(trust=authority.certificate)
        context.verify_depth = depth
        assert context.verify_depth == depth
        if depth < 2:
            refusal(context, server_context)
        else:
            assert len(meet(context, server_context)[0].verified_chain) == 4


@pytest.mark.feature("verification purpose")
def test_a_purpose_is_asked_for(authority: pyossl.Authority, server_context: Context) -> None:
    context = Context.client(trust=authority.certificate)
    context.set_purpose("crlsign")
    assert refusal(context, server_context).code == lib.X509_V_ERR_INVALID_PURPOSE
    with pytest.raises(ValueError, match="nonsense"):
        Context.client(trust=authority.certificate).set_purpose("nonsense")


@pytest.mark.feature("verification time")
def test_a_time_to_verify_at(authority: pyossl.Authority, server_context: Context) -> None:
    now = datetime.datetime.now(datetime.timezone.utc)
    for years, code in {2: lib.X509_V_ERR_CERT_HAS_EXPIRED, -2: lib.X509_V_ERR_CERT_NOT_YET_VALID}.items():
        context = Context.client(trust=authority.certificate)
        context.set_verify_time(now + datetime.timedelta(days=365 * years))
        assert refusal(context, server_context).code == code
    with pytest.raises(ValueError, match="time zone"):
        Context.client(verify=False).set_verify_time(datetime.datetime(2026, 1, 1))


@pytest.mark.feature("partial chain")
def test_a_partial_chain_is_trusted_when_asked(authority: pyossl.Authority) -> None:
    own = pyossl.Authority("between", parent=authority).issue("example.com")
    server_context = Context.server((own.certificate, *own.chain), own.private_key)
    context = Context.client(trust=own.chain[0])
    refusal(context, server_context)
    context = Context.client(trust=own.chain[0])
    context.verify_flags |= VerifyFlags.PARTIAL_CHAIN
    assert meet(context, server_context)[0].verified_chain == (own.certificate, *own.chain)


@pytest.mark.feature("certificate revocation lists")
@pytest.mark.parametrize("revoked", [True, False])
def test_a_store_s_crl_decides_in_a_handshake(revoked: bool) -> None:
    """X509_STORE_add_crl(3)"""
    issuer = make("the issuer", ca=True)
    leaf = make("example.com", issuer)
    server_context = Context.server(leaf.pem, leaf.key_pem)
    store = Store.of(issuer.pem)
    store.add_crl(crl_der(revoke(issuer, {leaf.certificate.serial_number if revoked else 1: None})))
    context = Context.client(trust=store, check_hostname=False)
    context.verify_flags |= VerifyFlags.CRL_CHECK
    if revoked:
        assert refusal(context, server_context).code == lib.X509_V_ERR_CERT_REVOKED
    else:
        meet(context, server_context)


def test_a_context_that_checks_crls_refuses_a_peer_whose_authority_has_none(
    authority: pyossl.Authority, server_context: Context
) -> None:
    context = Context.client(trust=authority.certificate)
    context.verify_flags |= VerifyFlags.CRL_CHECK
    assert refusal(context, server_context).code == lib.X509_V_ERR_UNABLE_TO_GET_CRL


@pytest.mark.feature("several reference names")
@pytest.mark.feature("the name that matched")
@pytest.mark.parametrize(
    ("names", "matched"), [(("b.example",), "b.example"), (("x.example", "a.example"), "a.example")]
)
def test_one_of_several_names_is_enough(names: tuple[str, ...], matched: str, authority: pyossl.Authority) -> None:
    own = authority.issue("a.example", "b.example")
    server = pyossl.Connection(Context.server(own.certificate, own.private_key))
    context = Context.client(trust=authority.certificate)
    client = pyossl.Connection(context, "first.example", other_names=names)
    shake_hands(client, server)
    assert client.verified_name == matched
    with pytest.raises(pyossl.CertificateError):
        shake_hands(
            pyossl.Connection(context, "first.example", other_names=["second.example"]),
            pyossl.Connection(Context.server(own.certificate, own.private_key)),
        )


def test_other_names_need_a_check_and_are_no_addresses(client_context: Context) -> None:
    with pytest.raises(ValueError, match="only DNS names"):
        pyossl.Connection(client_context, "example.com", other_names=["127.0.0.1"])
    with pytest.raises(pyossl.UsageError, match="does not check names"):
        pyossl.Connection(Context.client(verify=False), "example.com", other_names=["a.example"])


# The verify callback


def test_the_callback_sees_each_certificate_and_may_let_all_stand(
    client_context: Context, server_context: Context, authority: pyossl.Authority
) -> None:
    seen: list[pyossl.Verification] = []

    def callback(connection: pyossl.Connection, verification: pyossl.Verification) -> bool:
        seen.append(verification)
        return verification.ok

    client_context.verify_callback = callback
    meet(client_context, server_context)
    assert {each.depth for each in seen} == {0, 1}
    assert all(each.ok and each.code == lib.X509_V_OK for each in seen)
    assert seen[-1].chain[-1] == authority.certificate


@pytest.mark.feature("verify callback that overrides or refuses")
def test_the_callback_may_accept_what_openssl_refuses(server_context: Context) -> None:
    context = Context.client(trust=pyossl.Authority("stranger").certificate)
    context.verify_callback = lambda connection, verification: True
    client, _ = meet(context, server_context)
    assert client.verify_code == lib.X509_V_OK


@pytest.mark.feature("verify callback that overrides or refuses")
def test_the_callback_may_refuse_what_openssl_accepts(client_context: Context, server_context: Context) -> None:
    client_context.verify_callback = lambda connection, verification: verification.depth != 0
    error = refusal(client_context, server_context)
    assert (error.code, error.depth) == (lib.X509_V_ERR_APPLICATION_VERIFICATION, 0)


@pytest.mark.parametrize("answer", [None, 1, 0, "yes", object()])
def test_an_answer_that_is_neither_true_nor_false_refuses(
    answer: object, client_context: Context, server_context: Context
) -> None:
    """docs/pitfalls.md, 16: it fails closed, with a number for True too."""
    client_context.verify_callback = lambda connection, verification: answer  # type: ignore[assignment, return-value]
    with pytest.raises(TypeError, match="True or False"):
        meet(client_context, server_context)


def test_what_the_callback_raises_refuses(client_context: Context, server_context: Context) -> None:
    error = KeyboardInterrupt()

    def callback(connection: pyossl.Connection, verification: pyossl.Verification) -> bool:
        raise error

    client_context.verify_callback = callback
    client, server = pyossl.Connection(client_context, "example.com"), pyossl.Connection(server_context)
    with pytest.raises(KeyboardInterrupt) as caught:
        shake_hands(client, server)
    assert caught.value is error
    carry(client, server)
    with pytest.raises(pyossl.AlertError):
        server.handshake()
