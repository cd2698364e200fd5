"""An object that points into an object of OpenSSL keeps it alive: an iteration needs no other reference.

The tests run in a process in which freed memory is overwritten at once: a read of it gives a wrong value or a crash.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]

PROGRAM = """
import gc
import ipaddress
import json
import sys
import warnings

warnings.simplefilter("ignore")

import pyossl
from pyopenssl import pyopenssl_pairs
from x509.certificate_making import SUBJECT_ALT_NAME, common_name, crl_der, make, revoke
from cryptography import x509
from pairs import shake_hands
from pyossl import BIO, CRL, PKCS12, Certificate, Context, Name, Store
from pyossl.bio.filters import Base64Filter, BufferFilter
from pyossl.pyopenssl import SSL, crypto

NAMES = x509.SubjectAlternativeName([
    x509.DNSName("example.com"), x509.DirectoryName(common_name("somebody")), x509.RFC822Name("a@example.com"),
    x509.IPAddress(ipaddress.ip_address("192.0.2.1")), x509.UniformResourceIdentifier("https://example.com/"),
])
ROOT = make("the root", ca=True)
BETWEEN = make("between", ROOT, ca=True)
LEAF = make("the leaf", BETWEEN, extensions=[(NAMES, False), (x509.IssuerAlternativeName(list(NAMES)), False)])
EVERY = b"".join(made.pem for made in (LEAF, BETWEEN, ROOT))
SERIALS = {n: x509.ReasonFlags.key_compromise if n % 3 else None for n in range(60, 20, -2)}
REVOKED = crl_der(revoke(BETWEEN, SERIALS))
AUTHORITY = pyossl.Authority()
BELOW = pyossl.Authority("below", parent=AUTHORITY)
OWN = BELOW.issue("localhost")
P12 = PKCS12(OWN.private_key, OWN.certificate, OWN.chain, friendly_name="mine").to_der("secret", iterations=1)


def leaf():
    return Certificate.load(LEAF.der)


def changed_order():
    crl = CRL.load(REVOKED)
    steps = iter(crl)
    yield next(steps)
    crl.find(40)
    store = Store.of(ROOT.pem)
    store.add_crl(crl)
    store.verify(leaf(), [Certificate.load(BETWEEN.der)], crls=[crl])
    crl.text
    del crl
    yield from steps


def met(**options):
    server = Context.server([OWN.certificate, *OWN.chain], OWN.private_key, trust=AUTHORITY.certificate, verify=True)
    server.ca_names = [AUTHORITY.certificate, BELOW.certificate]
    client = Context.client(
        trust=AUTHORITY.certificate, certificate=[OWN.certificate, *OWN.chain], private_key=OWN.private_key
    )
    both = pyossl.Connection(client, "localhost"), pyossl.Connection(server)
    shake_hands(*both)
    return both


def refused():
    try:
        Store.of(Certificate.load(make("a stranger", ca=True).der)).verify(leaf(), [Certificate.load(BETWEEN.der)])
    except pyossl.CertificateError as error:
        return error


def refused_handshake():
    stranger = pyossl.Authority("a stranger")
    server = Context.server([OWN.certificate, *OWN.chain], OWN.private_key)
    client = Context.client(trust=stranger.certificate)
    try:
        shake_hands(pyossl.Connection(client, "localhost"), pyossl.Connection(server))
    except pyossl.CertificateError as error:
        return error


def context_of_server():
    context = Context.server([OWN.certificate], OWN.private_key)
    context.ca_names = [AUTHORITY.certificate, BELOW.certificate]
    return context


def shown_to_callback():
    shown = []

    def prepare(client, server):
        client.set_verify(SSL.VERIFY_PEER, lambda _, certificate, *rest: shown.append(certificate) is None)

    pyopenssl_pairs.pair(prepare)
    return shown


def face(made=LEAF):
    return crypto.load_certificate(crypto.FILETYPE_ASN1, made.der)


def face_chain():
    store = crypto.X509Store()
    store.add_cert(face(ROOT))
    return crypto.X509StoreContext(store, face(), [face(BETWEEN)]).get_verified_chain()


def bios():
    return BufferFilter().push(Base64Filter()).push(BIO.memory(b"aGVsbG8K"))


# What each makes is all that refers to what OpenSSL has made for it.
CASES = {
    "a CRL": lambda: iter(CRL.load(REVOKED)),
    "a CRL that is searched meanwhile": changed_order,
    "several CRLs": lambda: (list(each) for each in pyossl.load_crls(REVOKED * 3)),
    "a CRL's extensions": lambda: (each.text for each in CRL.load(REVOKED).extensions),
    "an entry that was found": lambda: (CRL.load(REVOKED).find(n) for n in (60, 22, 44)),
    "a CRL's issuer": lambda: iter(CRL.load(REVOKED).issuer_name),
    "a name": lambda: iter(leaf().subject_name),
    "a name backwards": lambda: reversed(AUTHORITY.certificate.issuer_name),
    "a slice of a name": lambda: iter(leaf().issuer_name[:]),
    "a name's values": lambda: iter(leaf().issuer_name.values("CN")),
    "alternative names": lambda: iter(leaf().subject_alt_names),
    "a name among alternative names": lambda: iter(leaf().subject_alt_names[1].value),
    "an issuer's alternative names": lambda: map(str, leaf().issuer_alt_names),
    "extensions": lambda: (each.text for each in leaf().extensions),
    "a key of a certificate": lambda: (getattr(each, "to_pem")() for each in [leaf().public_key]),
    "certificates": lambda: (each.text for each in pyossl.load_certificates(EVERY)),
    "a store's certificates": lambda: (each.text for each in Store.of(EVERY).certificates),
    "a chain": lambda: (each.text for each in Store.of(ROOT.pem).verify(leaf(), pyossl.load_certificates(EVERY))),
    "who was refused": lambda: (each.text for each in [refused().certificate]),
    "who was refused in a handshake": lambda: (each.text for each in [refused_handshake().certificate]),
    "a PKCS#12's chain": lambda: (each.text for each in PKCS12.load(P12, "secret").chain),
    "a PKCS#12's own": lambda: (getattr(PKCS12.load(P12, "secret"), each).text for each in ["certificate"]),
    "a PKCS#12's key": lambda: (each.to_pem() for each in [PKCS12.load(P12, "secret").private_key]),
    "a context's names": lambda: (list(each) for each in context_of_server().ca_names),
    "a context's ciphers": lambda: iter(context_of_server().ciphers),
    "a connection's names": lambda: (list(each) for each in met()[0].peer_ca_names),
    "a connection's ciphers": lambda: iter(met()[1].shared_ciphers),
    "a peer's chain": lambda: (each.text for each in met()[0].peer_chain),
    "a peer's chain at the server": lambda: (each.text for each in met()[1].peer_chain),
    "a verified chain": lambda: (each.text for each in met()[1].verified_chain),
    "a peer's certificate": lambda: iter(met()[0].peer_certificate.subject_name),
    "a session": lambda: (each for session in [met()[1].session] for each in (session.cipher, session.is_resumable)),
    "BIOs": lambda: (each.name for each in bios()),
    "the face's name": lambda: iter(face().get_subject().get_components()),
    "a name that the face's certificate gave": lambda: (each.CN for each in [face().get_issuer()]),
    "the face's chain": lambda: (crypto.dump_certificate(crypto.FILETYPE_TEXT, each) for each in face_chain()),
    "the face's key": lambda: (crypto.dump_publickey(crypto.FILETYPE_PEM, each) for each in [face().get_pubkey()]),
    "the face's shown": lambda: (crypto.dump_certificate(crypto.FILETYPE_TEXT, each) for each in shown_to_callback()),
    "the face's peer chain": lambda: (
        crypto.dump_certificate(crypto.FILETYPE_TEXT, each) for each in pyopenssl_pairs.pair()[0].get_peer_cert_chain()
    ),
}


def junk():
    gc.collect()
    CRL.load(REVOKED), leaf().extensions, pyossl.load_certificates(EVERY), [bytearray(n) for n in range(1, 600, 7)]


def in_steps(make):
    found, steps = [], make()
    while True:
        junk()
        try:
            found.append(next(steps))
        except StopIteration:
            return found


failed = {}
for what, make_it in CASES.items():
    print(what, file=sys.stderr, flush=True)
    at_once, apart = list(make_it()), in_steps(make_it)
    if not at_once or repr(apart) != repr(at_once):
        failed[what] = repr(at_once)[:200], repr(apart)[:200]
assert [each.serial_number for each in CRL.load(REVOKED)] == list(SERIALS)
assert [each.serial_number for each in changed_order()] == list(SERIALS)
print(json.dumps(failed))
"""


def test_a_stepwise_iteration_gives_the_items_of_a_list() -> None:
    tunables = "glibc.malloc.tcache_count=0:glibc.malloc.perturb=165"
    environment = {**os.environ, "PYTHONMALLOC": "debug", "GLIBC_TUNABLES": tunables, "MALLOC_PERTURB_": "165"}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, cwd=TESTS, env=environment)
    assert done.returncode == 0, f"{done.returncode} at {done.stderr[-2000:]}"
    assert json.loads(done.stdout) == {}
