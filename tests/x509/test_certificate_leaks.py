"""Certificates, keys, CRLs and PKCS#12 files free their memory, also when they are refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from malloc_in_use import ENVIRONMENT, needs_mallinfo2

TESTS = Path(__file__).parents[1]

PROGRAM = """
import base64
import contextlib
import pickle

import pyossl
from malloc_in_use import in_use
from pyossl.x509.certificate_builder import CertificateBuilder
from pyossl import CRL, PKCS12, Certificate, CertificateRequest, KeyUsage, Name, PrivateKey, PublicKey, Store
from x509.certificate_making import crl_der, make, revoke, SUBJECT_ALT_NAME, raw

root = make("the root", ca=True)
leaf = make("the leaf", root)
broken = make("broken", extensions=[(raw(SUBJECT_ALT_NAME, b"\\x30\\x05\\x82\\x04ab"), False)]).der
crl = crl_der(revoke(root, {n: None for n in range(1, 20)}))
issued = pyossl.self_signed("localhost", "127.0.0.1")
authority = pyossl.Authority()
request = CertificateRequest.create("localhost", private_key=issued.private_key, subject=Name.of(CN="localhost"))
p12 = PKCS12(issued.private_key, issued.certificate, [Certificate.load(root.der)]).to_der("x", iterations=1)
key = issued.private_key.to_der()
pem = Certificate.load(leaf.der).to_pem() * 3

uses = bytes.fromhex("3018300a06082b06010505070301a00a06082b06010505070302")
trusted = b"-----BEGIN TRUSTED CERTIFICATE-----\\n%s-----END TRUSTED CERTIFICATE-----\\n"
cut = trusted % base64.encodebytes(root.der + uses[:-1])
trusted %= base64.encodebytes(root.der + uses)

def refused(call):
    try:
        call()
    except (pyossl.Error, ValueError):
        return
    raise AssertionError("this should have been refused")

def once():
    certificate = Certificate.load(issued.certificate.to_der())
    for name in dir(Certificate):
        if isinstance(getattr(Certificate, name), property):
            getattr(certificate, name)
    [each.text for each in certificate.extensions]
    certificate.matches("localhost"), certificate.matches("127.0.0.1"), certificate.fingerprint()
    pyossl.load_certificates(pem)
    refused(lambda: pyossl.load_certificates(pem[:-40]))
    refused(lambda: Certificate.load(leaf.der[:-1]))
    refused(lambda: Certificate.load(broken).subject_alt_names)
    refused(lambda: Name(b"\\x30\\x02\\x31"))
    lists = CRL.load(crl)
    list(lists), lists.find(3), lists.text, lists.extensions, lists.number
    refused(lambda: CRL.load(crl[:-1]))
    asked = CertificateRequest.load(request.to_der())
    for name in dir(CertificateRequest):
        if isinstance(getattr(CertificateRequest, name), property):
            getattr(asked, name)
    authority.sign(asked, *asked.names)
    refused(lambda: CertificateRequest.load(request.to_der()[:-1]))
    refused(lambda: Name.of(C="three"))
    CertificateRequest.create("localhost", private_key=issued.private_key)
    revoking = pyossl.Authority.of(authority.credentials, authority.crl())
    revoking.revoke(7, 1)
    revoking.crl().find(7)
    read = PrivateKey.load(key)
    read.public_key.to_pem(), read == issued.private_key, read.group, hash(read)
    PublicKey.load(read.public_der())
    refused(lambda: PrivateKey.load(key[:-1]))
    refused(lambda: PrivateKey.generate("no such type"))
    refused(lambda: PrivateKey.generate("EC", group="no such group"))
    PKCS12.load(p12, "x").to_der("y", iterations=1)
    refused(lambda: PKCS12.load(p12, "wrong"))
    refused(lambda: PKCS12.load(p12[:-1], "x"))
    store = Store.of(Certificate.load(root.der))
    ours = Certificate.load(leaf.der)
    store.verify(ours, [certificate], crls=[lists])
    refused(lambda: store.verify(certificate, [ours]))
    refused(lambda: store.verify(ours, name="other.example"))
    store.certificates
    lists.find(ours)
    kept = iter(lists)
    next(kept)
    found = pickle.loads(pickle.dumps(Certificate.load(trusted)))
    assert (found.trusted_uses, found.rejected_uses) == (("serverAuth",), ("clientAuth",))
    refused(lambda: Certificate.load(cut))
    heeding = Store.of(trusted)
    heeding.set_time(ours.not_after)
    heeding.set_time(ours.not_before)
    heeding.identity
    refused(lambda: heeding.verify(ours, purpose="sslclient"))
    refused(lambda: Store.of([root.pem, trusted]))
    builder = CertificateBuilder.of(found)
    builder.set_serial_number(5)
    builder.set_not_after(60)
    refused(lambda: builder.set_not_after(b"never"))
    builder.sign(issued.private_key, "sha256")
    with contextlib.suppress(pyossl.Error):  # 1.1.1 signs it
        CertificateBuilder.empty().sign(issued.private_key, "sha256")

growth = []
for _ in range(WINDOWS):
    before = in_use()
    for _ in range(ROUNDS):
        once()
    growth.append((in_use() - before) / ROUNDS)
    if growth[-1] < BOUND:
        break
print(growth)
raise SystemExit(growth[-1] >= BOUND)
"""


@needs_mallinfo2
def test_nothing_is_left_behind() -> None:
    """A leak shows in every window of rounds; the initial growth of a process does not.

    The bound, in bytes per round, is half the smallest block of malloc(3).
    """
    settings = f"WINDOWS, ROUNDS, BOUND = 5, 100, 12\n{PROGRAM}"
    command = [sys.executable, "-c", settings]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, cwd=TESTS, env=ENVIRONMENT)
    assert done.returncode == 0, f"bytes left by each round, window after window: {done.stdout}{done.stderr}"
