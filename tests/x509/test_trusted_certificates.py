"""PEM blocks TRUSTED CERTIFICATE, with trusted and rejected uses, compared with `openssl verify`."""

from __future__ import annotations

import base64
import copy
import pickle
import re
import warnings
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from pairs import shake_hands
from x509.certificate_making import Made, crl_der, make, openssl, revoke

import pyossl
from pyossl import CRL, Certificate, Context, PrivateKey, Store, VerifyFlags, lib
from pyossl.pyopenssl import crypto

NAMES = x509.SubjectAlternativeName([x509.DNSName("localhost")])
BOTH = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])


@pytest.fixture(scope="module")
def chain() -> tuple[Made, Made, Made]:
    """A certificate for localhost, an intermediate and a root."""
    root = make("the root", ca=True)
    between = make("between", root, ca=True)
    return make("the leaf", between, extensions=[(NAMES, False), (BOTH, False)]), between, root


def ours(made: Made) -> Certificate:
    return Certificate.load(made.der)


def trusted(made: Made, *uses: str) -> bytes:
    """A TRUSTED CERTIFICATE written by the openssl program, with uses like ``+serverAuth`` and ``-clientAuth``."""
    options = [option for use in uses for option in ("-addtrust" if use[0] == "+" else "-addreject", use[1:])]
    written = openssl("x509", "-trustout", *options, input=made.pem)
    assert b"BEGIN TRUSTED CERTIFICATE" in written
    return written


# The uses of the root and of the intermediate; None if it is not in the file.
SAID: dict[str, tuple[list[str] | None, list[str] | None]] = {
    "nothing": ([], None),
    "nothing of both": ([], []),
    "trusted for servers": (["+serverAuth"], None),
    "trusted for clients": (["+clientAuth"], None),
    "trusted for both": (["+serverAuth", "+clientAuth"], None),
    "trusted for email": (["+emailProtection"], None),
    "trusted for everything": (["+anyExtendedKeyUsage"], None),
    "rejected for servers": (["-serverAuth"], None),
    "rejected for clients": (["-clientAuth"], None),
    "rejected for everything": (["-anyExtendedKeyUsage"], None),
    "trusted for servers and rejected for them": (["+serverAuth", "-serverAuth"], None),
    "between rejected for servers": ([], ["-serverAuth"]),
    "between rejected for everything": ([], ["-anyExtendedKeyUsage"]),
    "between trusted for servers": ([], ["+serverAuth"]),
    "between trusted for clients": ([], ["+clientAuth"]),
    "between alone, trusted for servers": (None, ["+serverAuth"]),
    "between alone": (None, []),
}


def bundle(said: str, chain: tuple[Made, Made, Made]) -> bytes:
    of_root, of_between = SAID[said]
    blocks = []
    for uses, made in ((of_root, chain[2]), (of_between, chain[1])):
        if uses is not None:
            blocks.append(trusted(made, *uses) if uses else made.pem)
    return b"".join(blocks)


def openssl_accepts(trust: Path, purpose: str | None, chain: tuple[Made, Made, Made], folder: Path) -> bool:
    names = [folder / "leaf.pem", folder / "between.pem"]
    for name, made in zip(names, chain, strict=False):
        name.write_bytes(made.pem)
    asked = ["-purpose", purpose] if purpose else []
    only = ["-no-CAfile", "-no-CApath"]
    arguments = ["verify", *only, *asked, "-CAfile", str(trust), "-untrusted", str(names[1]), str(names[0])]
    try:
        openssl(*arguments)
    except AssertionError:
        openssl(*arguments, fails=True)
        return False
    return True


def accepts(store: Store, purpose: str | None, chain: tuple[Made, Made, Made]) -> bool:
    leaf, between, _ = map(ours, chain)
    try:
        store.verify(leaf, [between], purpose=purpose)
    except pyossl.CertificateError:
        return False
    return True


@pytest.mark.parametrize("said", SAID)
def test_openssl_verify_agrees(said: str, chain: tuple[Made, Made, Made], tmp_path: Path) -> None:
    """The source is a file, its bytes, each of its certificates, or a directory that is searched by hash.

    docs/pitfalls.md, 35
    """
    file, content = tmp_path / "trust.pem", bundle(said, chain)
    file.write_bytes(content)
    answers = {}
    for purpose in (None, "sslserver", "sslclient", "smimesign", "any"):
        expected = openssl_accepts(file, purpose, chain, tmp_path)
        answers[purpose] = expected
        certificates = pyossl.load_certificates(content)
        for trust in (file, str(file), content, certificates, Store.of(content).certificates):
            assert accepts(Store.of(trust), purpose, chain) == expected, (purpose, type(trust))
    if SAID[said] == (["-serverAuth"], None):
        assert answers == {None: True, "sslserver": False, "sslclient": True, "smimesign": False, "any": True}


@pytest.mark.parametrize("said", SAID)
def test_a_handshake_heeds_it_on_both_sides(said: str, chain: tuple[Made, Made, Made], tmp_path: Path) -> None:
    leaf, between, root = chain
    file = tmp_path / "trust.pem"
    file.write_bytes(bundle(said, chain))
    shown, key = [ours(leaf), ours(between)], PrivateKey.load(leaf.key_pem)
    plain = ours(root)
    for purpose, client_trust, server_trust in (("sslserver", file, plain), ("sslclient", plain, file)):
        client = Context.client(trust=client_trust, certificate=shown, private_key=key)
        server = Context.server(shown, key, trust=server_trust, verify=True)
        try:
            shake_hands(pyossl.Connection(client, "localhost"), pyossl.Connection(server))
            accepted = True
        except pyossl.CertificateError:
            accepted = False
        assert accepted == openssl_accepts(file, purpose, chain, tmp_path), purpose


def test_a_refusal_names_the_certificate_that_is_rejected(chain: tuple[Made, Made, Made]) -> None:
    leaf, between, root = map(ours, chain)
    store = Store.of(chain[2].pem + trusted(chain[1], "-serverAuth"))
    with pytest.raises(pyossl.CertificateError) as refused:
        store.verify(leaf, [between], purpose="sslserver")
    assert refused.value.code == lib.X509_V_ERR_CERT_REJECTED
    assert refused.value.certificate == between
    store.verify(leaf, [between], purpose="sslclient")
    assert root in store.certificates


def test_a_certificate_tells_its_uses_and_has_them_in_pem_for_itself_only(chain: tuple[Made, Made, Made]) -> None:
    plain = ours(chain[2])
    assert (plain.trusted_uses, plain.rejected_uses) == (None, ())
    found = Certificate.load(trusted(chain[2], "+serverAuth", "+1.2.3.4", "-emailProtection"))
    assert (found.trusted_uses, found.rejected_uses) == (("serverAuth", "1.2.3.4"), ("emailProtection",))
    assert found == plain
    assert hash(found) == hash(plain)
    assert (found.to_der(), found.to_pem()) == (plain.to_der(), plain.to_pem())
    only_rejected = Certificate.load(trusted(chain[2], "-serverAuth"))
    assert (only_rejected.trusted_uses, only_rejected.rejected_uses) == (None, ("serverAuth",))


def test_a_store_s_certificates_tell_them_too(chain: tuple[Made, Made, Made]) -> None:
    store = Store.of([trusted(chain[2], "+serverAuth"), chain[1].pem])
    assert {each.subject: each.trusted_uses for each in store.certificates} == {
        "CN=the root": ("serverAuth",),
        "CN=between": None,
    }


@pytest.mark.parametrize("through", [pickle.dumps, copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"])
def test_a_copy_has_them(through: object, chain: tuple[Made, Made, Made]) -> None:
    original = Certificate.load(trusted(chain[2], "+clientAuth", "-serverAuth"))
    copied = through(original)  # type: ignore[operator]
    if isinstance(copied, bytes):
        copied = pickle.loads(copied)
    assert copied == original
    assert (copied.trusted_uses, copied.rejected_uses) == (("clientAuth",), ("serverAuth",))


def test_stores_that_trust_for_other_things_are_not_alike(chain: tuple[Made, Made, Made]) -> None:
    """A server uses ``identity`` to decide which sessions it may resume without verifying again."""
    sources = [
        chain[2].pem,
        *(trusted(chain[2], *uses) for uses in (["+clientAuth"], ["-clientAuth"], ["-serverAuth"])),
    ]
    identities = [Store.of(source).identity for source in sources]
    assert len(set(identities)) == len(sources)
    assert [Store.of(source).identity for source in sources] == identities
    assert Store.of(trusted(chain[2], "+clientAuth", "-serverAuth")).identity not in identities


def test_a_session_of_a_server_that_trusts_is_not_resumed_by_one_that_rejects(chain: tuple[Made, Made, Made]) -> None:
    leaf, between, root = chain
    shown, key = [ours(leaf), ours(between)], PrivateKey.load(leaf.key_pem)
    client = Context.client(trust=ours(root), certificate=shown, private_key=key)

    def server(trust: bytes, keys: bytes | None = None) -> Context:
        made = Context.server(shown, key, trust=trust, verify=True)
        if keys is not None:
            made.ticket_keys = keys
        return made

    first = server(root.pem)
    keys = first.ticket_keys
    connections = pyossl.Connection(client, "localhost"), pyossl.Connection(first)
    shake_hands(*connections)
    connections[0].read()
    session = connections[0].session
    again = pyossl.Connection(client, "localhost", session=session)
    shake_hands(again, pyossl.Connection(server(root.pem, keys)))
    assert again.session_reused
    refusing = server(trusted(root, "-clientAuth"), keys)
    refused = pyossl.Connection(client, "localhost", session=session)
    with pytest.raises(pyossl.CertificateError):
        shake_hands(refused, pyossl.Connection(refusing))


def test_uses_that_a_store_would_ignore_are_refused(chain: tuple[Made, Made, Made]) -> None:
    """A store keeps the first of two equal certificates: a rejection would be lost silently."""
    rejected, plain = trusted(chain[2], "-serverAuth"), chain[2].pem
    with pytest.raises(ValueError, match="uses"):
        Store.of(plain + rejected)
    store = Store.of(plain)
    with pytest.raises(ValueError, match="uses"):
        store.add(rejected)
    with pytest.raises(ValueError, match="uses"):
        Store.of(trusted(chain[2], "+serverAuth") + rejected)
    twice = Store.of([rejected, rejected, plain])
    assert not accepts(twice, "sslserver", chain)
    assert len(twice.certificates) == 1


def test_the_system_s_file_is_heeded(chain: tuple[Made, Made, Made], tmp_path: Path, monkeypatch: object) -> None:
    file = tmp_path / "system.pem"
    file.write_bytes(trusted(chain[2], "-serverAuth"))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))  # type: ignore[attr-defined]
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "nothing"))  # type: ignore[attr-defined]
    besides = Store.empty()
    besides.trust_system()
    located = Store.empty()
    located.add_locations(bytes(file), None)
    for store in (Store.system(), besides, located):
        assert not accepts(store, "sslserver", chain)
        assert accepts(store, "sslclient", chain)


def test_a_directory_is_heeded(chain: tuple[Made, Made, Made], tmp_path: Path) -> None:
    digest = openssl("x509", "-noout", "-hash", input=chain[2].pem).decode().strip()
    (tmp_path / f"{digest}.0").write_bytes(trusted(chain[2], "-serverAuth"))
    for purpose, expected in (("sslserver", False), ("sslclient", True)):
        assert accepts(Store.of(tmp_path), purpose, chain) == expected


def test_crls_in_a_file_of_trust_are_skipped(chain: tuple[Made, Made, Made]) -> None:
    crl = CRL.load(crl_der(revoke(chain[1], {})))
    store = Store.of(trusted(chain[2], "+serverAuth") + crl.to_pem())
    leaf, between, _ = map(ours, chain)
    store.verify(leaf, [between], purpose="sslserver")
    with pytest.raises(pyossl.CertificateError) as refused:
        store.verify(leaf, [between], purpose="sslserver", flags=VerifyFlags.CRL_CHECK)
    assert refused.value.code == lib.X509_V_ERR_UNABLE_TO_GET_CRL


def test_outside_of_trust_it_is_a_certificate_like_any_other(chain: tuple[Made, Made, Made]) -> None:
    leaf, between, root = chain
    content = trusted(leaf, "-serverAuth") + trusted(between, "-serverAuth") + root.pem
    assert pyossl.load_certificates(content) == [ours(leaf), ours(between), ours(root)]
    server = Context.server(content, leaf.key_pem)
    shake_hands(pyossl.Connection(Context.client(trust=root.pem), "localhost"), pyossl.Connection(server))
    assert accepts(Store.of(root.pem), "sslserver", chain)
    untrusted = pyossl.load_certificates(content)
    Store.of(root.pem).verify(untrusted[0], untrusted[1:2], purpose="sslserver")


def test_bytes_after_a_certificate_are_not_uses(chain: tuple[Made, Made, Made]) -> None:
    """PEM_read_bio_X509_AUX(3) would read it, and refuse bytes that are not uses."""
    made = trusted(chain[2], "-serverAuth").replace(b"TRUSTED CERTIFICATE", b"CERTIFICATE")
    found = Certificate.load(made)
    assert (found, found.rejected_uses) == (ours(chain[2]), ())


def test_a_malformed_one_is_an_error_and_no_certificate(chain: tuple[Made, Made, Made]) -> None:
    block = trusted(chain[2], "-serverAuth", "+clientAuth")
    begin, *text, end = block.splitlines(keepends=True)
    der = base64.b64decode(b"".join(text))
    cut = begin + base64.encodebytes(der[:-1]) + end
    for damaged in (cut, block.removesuffix(end), re.sub(rb"\n.", b"\n!", block, count=1)):
        for content in (damaged, chain[1].pem + damaged):
            with pytest.raises(pyossl.DecodeError):
                Certificate.load(damaged)
            with pytest.raises(pyossl.DecodeError):
                Store.of(content)


def test_the_face_heeds_it_also_in_a_certificate_that_was_changed(chain: tuple[Made, Made, Made]) -> None:
    leaf, between, root = chain
    rejected = crypto.load_certificate(crypto.FILETYPE_PEM, trusted(root, "-anyExtendedKeyUsage"))
    changed = crypto.load_certificate(crypto.FILETYPE_PEM, trusted(root, "-anyExtendedKeyUsage"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        changed.set_serial_number(5)
    for trust in (rejected, changed):
        store = crypto.X509Store()
        store.add_cert(trust)
        shown = [crypto.load_certificate(crypto.FILETYPE_PEM, made.pem) for made in (leaf, between)]
        with pytest.raises(crypto.X509StoreContextError) as refused:
            crypto.X509StoreContext(store, shown[0], shown[1:]).verify_certificate()
        assert refused.value.errors[0] == lib.X509_V_ERR_CERT_REJECTED
