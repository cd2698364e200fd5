"""Contexts, certificates and keys: the values that they accept, refuse and return."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cases import FOLDER, attempt, case, certificate, connected, context, facts, key, pem, shown
from OpenSSL import SSL, crypto


@case
def what_a_context_refuses() -> Any:
    made = SSL.Context(SSL.TLS_METHOD)
    used = context()
    SSL.Connection(used, None)
    nothing = str(FOLDER / "nothing.pem")
    root = str(FOLDER / "root.pem")
    calls: list[tuple[Any, ...]] = [
        (SSL.Context, 99),
        (SSL.Context, "method"),
        (SSL.Context, None),
        (made.set_options, "options"),
        (made.set_mode, "mode"),
        (made.set_cipher_list, 5),
        (made.set_cipher_list, b"no-such-cipher"),
        (made.set_cipher_list, b""),
        (made.set_tls13_ciphersuites, b"TLS_NO_SUCH"),
        (made.set_tls13_ciphersuites, "text"),
        (made.set_verify, "mode"),
        (made.set_verify, 1, "callback"),
        (made.set_verify_depth, "depth"),
        (made.set_session_id, b"x" * 33),
        (made.set_session_cache_mode, "mode"),
        (made.set_timeout, "seconds"),
        (made.set_alpn_protos, []),
        (made.set_alpn_protos, [b"x" * 256]),
        (made.set_tlsext_use_srtp, b"NO_SUCH_PROFILE"),
        (made.set_tlsext_use_srtp, "text"),
        (made.load_verify_locations, nothing),
        (made.load_verify_locations, None),
        (made.load_verify_locations, 5),
        (made.load_client_ca, b"/nothing"),
        (made.load_tmp_dh, nothing),
        (made.load_tmp_dh, root),
        (made.use_certificate_file, nothing),
        (made.use_certificate_file, root, 99),
        (made.use_certificate_file, root, "type"),
        (made.use_certificate_chain_file, nothing),
        (made.use_privatekey_file, nothing),
        (made.use_privatekey_file, root),
        (made.use_privatekey_file, root, "type"),
        (made.use_certificate, "text"),
        (made.use_privatekey, "text"),
        (made.add_extra_chain_cert, "text"),
        (made.add_client_ca, "text"),
        (made.set_client_ca_list, ["text"]),
        (made.check_privatekey,),
        (made.set_passwd_cb, "callback"),
        (made.set_tmp_ecdh, "curve"),
        (used.set_options, 0),
        (used.set_verify, 0),
        (used.use_certificate_file, root),
    ]
    return [[getattr(call[0], "__name__", "?"), attempt(*call)] for call in calls]


@case
def a_key_of_another_certificate() -> Any:
    made = SSL.Context(SSL.TLS_METHOD)
    made.use_certificate(certificate("server"))
    said = attempt(made.use_privatekey, key("client"))
    return [said, attempt(made.check_privatekey)]


@case
def files() -> Any:
    made = SSL.Context(SSL.TLS_METHOD)
    made.set_passwd_cb(lambda size, twice, data: data, b"secret")
    said = [attempt(made.use_privatekey_file, str(FOLDER / "locked.pem"))]
    made.set_passwd_cb(lambda size, twice, data: b"wrong")
    said += [attempt(made.use_privatekey_file, str(FOLDER / "locked.pem"))]
    made.set_passwd_cb(lambda size, twice, data: 1 // 0)
    said += [attempt(made.use_privatekey_file, str(FOLDER / "locked.pem"))]
    made.set_passwd_cb(lambda size, twice, data: b"x" * 2000)
    said += [attempt(made.use_privatekey_file, str(FOLDER / "locked.pem"))]
    plain = SSL.Context(SSL.TLS_METHOD)
    said += [attempt(plain.use_certificate_chain_file, FOLDER / "server.pem")]
    said += [
        attempt(plain.use_privatekey_file, os.fsencode(FOLDER / "server-key.pem")),
        attempt(plain.check_privatekey),
    ]
    return said


@case
def settings() -> Any:
    made = SSL.Context(SSL.TLS_METHOD)
    said: list[Any] = [
        made.get_verify_mode(),
        made.get_verify_depth(),
        made.get_timeout(),
        made.get_session_cache_mode(),
    ]
    said += [made.set_mode(0), made.set_mode(SSL.MODE_RELEASE_BUFFERS), made.clear_mode(SSL.MODE_RELEASE_BUFFERS)]
    said += [made.set_options(0), bool(made.set_options(SSL.OP_NO_TICKET) & SSL.OP_NO_TICKET)]
    said += [made.set_timeout(7), made.get_timeout(), made.set_session_cache_mode(SSL.SESS_CACHE_OFF)]
    said += [made.get_session_cache_mode(), made.get_app_data(), made.set_app_data([1]), made.get_app_data()]
    said += [attempt(made.set_verify_depth, 5), made.get_verify_depth(), type(made.get_cert_store()).__name__]
    connection = SSL.Connection(made, None)
    said += [connection.get_app_data(), connection.set_app_data("x"), connection.get_app_data()]
    said += [bool(connection.set_options(0) & SSL.OP_NO_TICKET), connection.get_context() is made]
    made = SSL.Context(SSL.TLS_METHOD)
    made.set_cipher_list(b"ECDHE-RSA-AES128-GCM-SHA256")
    made.set_tls13_ciphersuites(b"TLS_AES_256_GCM_SHA384")
    return [*said, SSL.Connection(made, None).get_cipher_list(), facts(SSL.Connection(made, None))]


@case
def the_default_ciphers() -> Any:
    return SSL.Connection(context(), None).get_cipher_list()


@case
def constants() -> Any:
    return {name: getattr(SSL, name) for name in SSL.__all__ if isinstance(getattr(SSL, name), int)}


@case
def public_names() -> Any:
    known = {"SSL": sorted(SSL.__all__), "crypto": sorted(crypto.__all__)}
    for module in (SSL, crypto):
        for name in module.__all__:
            thing = getattr(module, name)
            if isinstance(thing, type):
                members = sorted(each for each in dir(thing) if not each.startswith("_"))
                known[f"{module.__name__.split('.')[-1]}.{name}"] = members
    return known


# Certificates and keys


@case
def a_certificate_inspected() -> Any:
    said: list[Any] = []
    for name in ("root", "server", "expired", "deep"):
        found = certificate(name)
        subject, issuer = found.get_subject(), found.get_issuer()
        said.append(
            [
                [found.get_version(), found.get_serial_number(), shown(found.get_signature_algorithm())],
                [shown(found.digest(each)) for each in ("sha1", "sha256", "md5")],
                [shown(found.get_notBefore()), shown(found.get_notAfter()), found.has_expired()],
                [found.subject_name_hash(), found.get_extension_count(), found.get_pubkey().type()],
                [found.get_pubkey().bits(), repr(subject), shown(subject.get_components()), subject.hash()],
                [
                    shown(subject.der()),
                    subject.CN,
                    subject.O,
                    subject.emailAddress,
                    attempt(getattr, subject, "nothing"),
                ],
                [subject == issuer, subject != issuer, subject < issuer, shown(issuer)],
                [shown(crypto.dump_certificate(each, found)) for each in (crypto.FILETYPE_PEM, crypto.FILETYPE_ASN1)],
                shown(crypto.dump_certificate(crypto.FILETYPE_TEXT, found)),
                shown(crypto.dump_publickey(crypto.FILETYPE_PEM, found.get_pubkey())),
                found == certificate(name),
                found == certificate("client"),
                attempt(found.digest, "no such digest"),
            ]
        )
    return said


@case
def a_certificate_made() -> Any:
    signing = key("root")
    made = crypto.X509()
    said: list[Any] = [made.get_version(), made.get_serial_number(), made.get_notBefore(), made.get_notAfter()]
    said += [attempt(made.get_pubkey), shown(made.get_subject()), attempt(made.sign, signing, "no such digest")]
    said += [attempt(made.set_version, 2), attempt(made.set_version, "2"), attempt(made.set_serial_number, 2**65)]
    said += [attempt(made.set_serial_number, "1"), attempt(made.set_notBefore, b"text")]
    said += [attempt(made.set_notBefore, b"20200102030405Z"), attempt(made.set_notAfter, b"20400102030405Z")]
    said += [attempt(made.set_notAfter, "20400102030405Z"), attempt(made.gmtime_adj_notBefore, "1")]
    subject = made.get_subject()
    subject.CN, subject.O, subject.C = "made", "by hand", "CH"
    said += [
        attempt(setattr, subject, "C", "CHE"),
        attempt(setattr, subject, "colour", "red"),
        attempt(delattr, subject, "CN"),
    ]
    said += [attempt(setattr, subject, "CN", b"bytes"), attempt(setattr, subject, "CN", 5), shown(subject)]
    said += [attempt(made.set_subject, "text"), attempt(made.set_issuer, subject), attempt(made.set_pubkey, "text")]
    said += [
        attempt(made.set_pubkey, signing),
        attempt(made.sign, "text", "sha256"),
        attempt(made.sign, signing, "sha256"),
    ]
    again = crypto.load_certificate(crypto.FILETYPE_ASN1, crypto.dump_certificate(crypto.FILETYPE_ASN1, made))
    return [
        *said,
        shown(again),
        again.get_serial_number(),
        again.get_notBefore() == b"20200102030405Z",
        again.get_version(),
    ]


@case
def a_negative_serial_number() -> Any:
    """In a process of its own, because it may crash."""
    child = os.fork()
    if child == 0:
        made = crypto.X509()
        attempt(made.set_serial_number, -1)
        os._exit(0 if made.get_serial_number() == -1 else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@case
def keys() -> Any:
    said: list[Any] = []
    for name in ("root-key", "rsa-key"):
        found = crypto.load_privatekey(crypto.FILETYPE_PEM, pem(name))
        said += [found.type(), found.bits(), attempt(found.check)]
        forms = (crypto.FILETYPE_PEM, crypto.FILETYPE_ASN1, crypto.FILETYPE_TEXT)
        said += [attempt(crypto.dump_privatekey, form, found) for form in forms]
        said += [attempt(crypto.dump_publickey, form, found) for form in forms]
        public = crypto.load_publickey(crypto.FILETYPE_PEM, crypto.dump_publickey(crypto.FILETYPE_PEM, found))
        said += [public.type(), public.bits(), attempt(public.check), attempt(crypto.dump_privatekey, forms[0], public)]
    made = crypto.PKey()
    said += [
        attempt(made.generate_key, crypto.TYPE_RSA, 0),
        attempt(made.generate_key, "x", 1),
        attempt(made.generate_key, 99, 1),
    ]
    said += [attempt(made.generate_key, crypto.TYPE_RSA, "1024"), attempt(made.generate_key, crypto.TYPE_RSA, 1024)]
    said += [made.bits(), made.type(), attempt(made.check), attempt(crypto.PKey().check), attempt(crypto.PKey().bits)]
    return said


@case
def a_key_with_a_passphrase() -> Any:
    locked = pem("locked")
    form = crypto.FILETYPE_PEM
    again = crypto.dump_privatekey(form, key("rsa"), "aes-256-cbc", b"secret")
    return [
        attempt(crypto.load_privatekey, form, locked, b"secret"),
        attempt(crypto.load_privatekey, form, locked, "secret"),
        attempt(crypto.load_privatekey, form, locked, lambda *given: b"secret"),
        attempt(crypto.load_privatekey, form, locked, b"wrong"),
        attempt(crypto.load_privatekey, form, locked, lambda *given: 1 // 0),
        attempt(crypto.load_privatekey, form, locked, lambda *given: 5),
        attempt(crypto.load_privatekey, form, locked, lambda *given: b"x" * 2000),
        attempt(crypto.load_privatekey, form, locked, 5),
        again.splitlines()[0].decode(),
        attempt(crypto.dump_privatekey, form, key("rsa"), "no such cipher", b"secret"),
        attempt(crypto.dump_privatekey, form, key("rsa"), "aes-256-cbc"),
        attempt(crypto.dump_privatekey, crypto.FILETYPE_ASN1, key("rsa"), "aes-256-cbc", b"secret"),
        attempt(crypto.dump_privatekey, form, "text"),
    ]


@case
def what_cannot_be_loaded() -> Any:
    said: list[Any] = []
    for load in (crypto.load_certificate, crypto.load_privatekey, crypto.load_publickey):
        for form in (crypto.FILETYPE_PEM, crypto.FILETYPE_ASN1, 99, "PEM"):
            for data in (b"", b"nonsense", pem("root")[:100], "text", None):
                said.append([load.__name__, form, shown(data), attempt(load, form, data)])
    return said


@case
def curves() -> Any:
    named = {curve.name for curve in crypto.get_elliptic_curves()}
    said = [sorted(named & {"prime256v1", "secp384r1", "secp521r1", "secp256k1"})]
    found = crypto.get_elliptic_curve("prime256v1")
    made = SSL.Context(SSL.TLS_METHOD)
    return [*said, repr(found), attempt(crypto.get_elliptic_curve, "no such curve"), attempt(made.set_tmp_ecdh, found)]


@case
def crls() -> Any:
    from cryptography import x509

    store = crypto.X509Store()
    store.add_cert(certificate("root"))
    store.add_crl(x509.load_pem_x509_crl(pem("crl")))
    store.set_flags(crypto.X509StoreFlags.CRL_CHECK)
    verify = [crypto.X509StoreContext(store, certificate(name)).verify_certificate for name in ("server", "revoked")]
    return [attempt(each) for each in verify]


@case
def with_cryptography() -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509 import Certificate

    found = certificate("server")
    both = connected(context(trust="root"))
    peer = both[0].get_peer_certificate(as_cryptography=True)
    chain = both[0].get_peer_cert_chain(as_cryptography=True) or []
    verified = both[0].get_verified_chain(as_cryptography=True) or []
    return [
        isinstance(found.to_cryptography(), Certificate),
        crypto.X509.from_cryptography(found.to_cryptography()) == found,
        isinstance(key("root").to_cryptography_key(), ec.EllipticCurvePrivateKey),
        isinstance(key("rsa").to_cryptography_key(), rsa.RSAPrivateKey),
        crypto.PKey.from_cryptography_key(key("rsa").to_cryptography_key()).bits(),
        peer == found.to_cryptography(),
        [len(chain), len(verified), isinstance(chain[0], Certificate)],
        attempt(crypto.X509.from_cryptography, "text"),
        attempt(crypto.PKey.from_cryptography_key, "text"),
    ]


@case
def deprecations() -> Any:
    said: list[Any] = []

    def warned(call: Callable[..., Any], *arguments: Any) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            outcome = attempt(call, *arguments)
        mine = [each for each in caught if Path(each.filename).name == Path(__file__).name]
        said.append([[[each.category.__name__, str(each.message)] for each in mine], outcome])

    client, _ = connected()
    found, signing = certificate("server"), key("root")
    made = SSL.Context(SSL.TLS_METHOD)
    warned(lambda: client.send("text"))
    warned(lambda: client.sendall("text"))
    warned(lambda: made.set_cipher_list("ECDHE-RSA-AES128-GCM-SHA256"))
    warned(lambda: made.set_session_id("text"))
    warned(lambda: made.use_certificate(found))
    warned(lambda: made.use_privatekey(key("server")))
    warned(lambda: made.add_extra_chain_cert(found))
    warned(lambda: made.add_client_ca(found))
    warned(lambda: made.set_client_ca_list([found.get_subject()]))
    warned(lambda: made.set_passwd_cb(lambda *given: b""))
    warned(lambda: made.set_tmp_ecdh(crypto.get_elliptic_curve("prime256v1")))
    warned(lambda: found.get_subject())
    warned(lambda: found.get_issuer())
    warned(lambda: found.get_notBefore())
    warned(lambda: found.has_expired())
    warned(lambda: found.set_version(2))
    warned(lambda: certificate("other").sign(signing, "sha256"))
    warned(lambda: crypto.X509())
    warned(lambda: crypto.dump_certificate(crypto.FILETYPE_PEM, found))
    warned(lambda: crypto.dump_privatekey)
    warned(lambda: crypto.X509Name)
    warned(lambda: crypto.get_elliptic_curve("prime256v1"))
    warned(lambda: crypto.get_elliptic_curves())
    return said
