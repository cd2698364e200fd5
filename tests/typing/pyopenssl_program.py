"""A program with the types of pyOpenSSL: ``mypy --strict`` accepts it with pyOpenSSL and with pyossl.

It is not run; ``ci/peers typing`` checks it with both.
"""

from __future__ import annotations

import datetime
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from OpenSSL import SSL, crypto
from OpenSSL.crypto import FILETYPE_PEM, X509, PKey, X509Name, X509Store, X509StoreContext, X509StoreContextError
from OpenSSL.SSL import Connection, Context, Error, Session, SysCallError, WantReadError, ZeroReturnError


def verify(connection: Connection, certificate: X509, number: int, depth: int, ok: int) -> bool:
    return ok == 1 and depth < 5 and certificate.has_expired() is False and number == 0


def told(connection: Connection, where: int, value: int) -> None:
    print(connection.get_state_string(), where & SSL.SSL_CB_HANDSHAKE_DONE, value)


def key_line(connection: Connection, line: bytes) -> None:
    print(line.decode(), connection.get_context())


def choose(connection: Connection, offered: list[bytes]) -> bytes:
    return offered[0]


def server_name(connection: Connection) -> None:
    name: bytes | None = connection.get_servername()
    if name is not None:
        connection.set_context(Context(SSL.TLS_SERVER_METHOD))


def staple(connection: Connection, data: list[int] | None) -> bytes:
    return bytes(data or [])


def stapled(connection: Connection, response: bytes, data: str | None) -> bool:
    return response.startswith(b"0") and data == "wanted"


def passphrase(size: int, twice: bool, data: str | None) -> bytes:
    return (data or "").encode()[:size] if not twice else b""


def make_cookie(connection: Connection) -> bytes:
    return b"cookie"


def check_cookie(connection: Connection, cookie: bytes) -> bool:
    return cookie == b"cookie"


def context(folder: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Context:
    made: Context = SSL.Context(SSL.TLS_METHOD)
    made.set_min_proto_version(SSL.TLS1_2_VERSION)
    made.set_max_proto_version(SSL.TLS1_3_VERSION)
    options: int = made.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET)
    modes: int = made.set_mode(SSL.MODE_RELEASE_BUFFERS)
    made.clear_mode(modes & options)
    made.set_cipher_list(b"ECDHE+AESGCM")
    made.set_tls13_ciphersuites(b"TLS_AES_128_GCM_SHA256")
    made.use_certificate_chain_file(folder / "chain.pem")
    made.use_certificate_file(str(folder / "leaf.pem"), FILETYPE_PEM)
    made.use_privatekey_file(bytes(folder / "key.pem"))
    made.use_certificate(certificate)
    made.use_privatekey(key)
    made.add_extra_chain_cert(certificate)
    made.check_privatekey()
    made.load_verify_locations(folder / "trust.pem", None)
    made.load_verify_locations(None, str(folder))
    made.set_default_verify_paths()
    made.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify)
    made.set_verify(SSL.VERIFY_NONE)
    made.set_verify_depth(3)
    made.set_info_callback(told)
    made.set_keylog_callback(key_line)
    made.set_alpn_protos([b"h2", b"http/1.1"])
    made.set_alpn_select_callback(choose)
    made.set_alpn_select_callback(lambda connection, offered: SSL.NO_OVERLAPPING_PROTOCOLS)
    made.set_tlsext_servername_callback(server_name)
    made.set_tlsext_use_srtp(b"SRTP_AES128_CM_SHA1_80")
    made.set_ocsp_server_callback(staple, [1, 2])
    made.set_ocsp_client_callback(stapled, "wanted")
    made.set_cookie_generate_callback(make_cookie)
    made.set_cookie_verify_callback(check_cookie)
    made.set_session_id(b"program")
    made.set_session_cache_mode(SSL.SESS_CACHE_SERVER | SSL.SESS_CACHE_NO_INTERNAL_STORE)
    cache: int = made.get_session_cache_mode()
    made.set_timeout(cache)
    seconds: int = made.get_timeout()
    made.set_app_data({"seconds": seconds, "mode": made.get_verify_mode(), "depth": made.get_verify_depth()})
    data: Any = made.get_app_data()
    made.add_client_ca(certificate)
    made.load_client_ca(b"authorities.pem" if data else b"")
    made.load_tmp_dh(folder / "parameters.pem")
    made.set_tmp_ecdh(ec.SECP256R1())
    store: X509Store | None = made.get_cert_store()
    if store is not None:
        store.set_flags(crypto.X509StoreFlags.CRL_CHECK | crypto.X509StoreFlags.PARTIAL_CHAIN)
    return made


def client(made: Context, address: tuple[str, int]) -> bytes:
    connection: Connection = SSL.Connection(made, socket.create_connection(address))
    connection.set_tlsext_host_name(b"example.com")
    connection.set_connect_state()
    connection.set_options(SSL.OP_NO_RENEGOTIATION)
    connection.set_verify(SSL.VERIFY_PEER, verify)
    connection.set_verify(SSL.VERIFY_PEER)
    connection.set_info_callback(told)
    connection.set_alpn_protos([b"h2"])
    connection.request_ocsp()
    try:
        connection.do_handshake()
    except WantReadError:
        return b""
    except SysCallError as error:
        number, text = error.args
        raise OSError(number, text) from error
    except Error as error:
        queue: list[tuple[str, str, str]] = error.args[0]
        raise ValueError(queue[0][2]) from error
    sent: int = connection.send(b"question") + connection.send(bytearray(b"!")) + connection.write(memoryview(b"."))
    connection.sendall(b"x" * sent, 0)
    buffer = bytearray(100)
    got: int = connection.recv_into(buffer, 10) + connection.recv_into(buffer) + connection.recv_into(buffer, None, 0)
    try:
        answer: bytes = connection.recv(got) + connection.read(10) + connection.recv(1, socket.MSG_PEEK)
    except ZeroReturnError:
        answer = b""
    both: bool = connection.shutdown()
    connection.sock_shutdown(socket.SHUT_RDWR)
    state: int = connection.get_shutdown()
    connection.set_shutdown(state | SSL.SENT_SHUTDOWN)
    return answer if both else bytes(connection.pending())


def over_memory(made: Context) -> bytes:
    connection = Connection(made, None)
    connection.set_accept_state()
    taken: int = connection.bio_write(b"from the peer")
    data: bytes = connection.bio_read(taken)
    connection.bio_shutdown()
    wants: tuple[bool, bool] = (connection.want_read(), connection.want_write())
    return data if all(wants) else b""


def datagrams(connection: Connection) -> int | None:
    connection.set_ciphertext_mtu(1400)
    connection.DTLSv1_listen()
    connection.DTLSv1_handle_timeout()
    room: int = connection.get_cleartext_mtu()
    timeout: int | None = connection.DTLSv1_get_timeout()
    return timeout if room else None


def facts(connection: Connection) -> dict[str, object]:
    session: Session | None = connection.get_session()
    if session is not None:
        connection.set_session(session)
    certificate: X509 | None = connection.get_peer_certificate()
    also: x509.Certificate | None = connection.get_peer_certificate(as_cryptography=True)
    chain: list[X509] | None = connection.get_peer_cert_chain()
    also_chain: list[x509.Certificate] | None = connection.get_peer_cert_chain(as_cryptography=True)
    verified: list[X509] | None = connection.get_verified_chain()
    own: X509 | None = connection.get_certificate()
    own_also: x509.Certificate | None = connection.get_certificate(as_cryptography=True)
    names: list[X509Name] = connection.get_client_ca_list()
    also_names: list[x509.Name] = connection.get_client_ca_list(as_cryptography=True)
    randoms: list[bytes | None] = [connection.client_random(), connection.server_random(), connection.master_key()]
    finished: tuple[bytes | None, bytes | None] = (connection.get_finished(), connection.get_peer_finished())
    exported: bytes = connection.export_keying_material(b"EXPORTER-x", 32, b"context")
    version: str = connection.get_protocol_version_name()
    number: int = connection.get_protocol_version()
    cipher: str | None = connection.get_cipher_name()
    bits: int | None = connection.get_cipher_bits()
    by: str | None = connection.get_cipher_version()
    ciphers: list[str] = connection.get_cipher_list()
    protocol: bytes = connection.get_alpn_proto_negotiated()
    profile: bytes = connection.get_selected_srtp_profile()
    group: str | None = connection.get_group_name()
    again: bool = connection.renegotiate() and connection.renegotiate_pending()
    times: int = connection.total_renegotiations()
    listener: tuple[Connection, Any] = connection.accept()
    failed: int = connection.connect_ex(("localhost", 443))
    connection.connect(("localhost", 443))
    connection.set_app_data(1)
    connection.use_certificate(own_also or x509.load_pem_x509_certificate(b""))
    return {
        "certificate": (certificate, also, chain, also_chain, verified, own, names, also_names),
        "secrets": (randoms, finished, exported),
        "agreed": (version, number, cipher, bits, by, ciphers, protocol, profile, group),
        "more": (again, times, listener, failed, connection.get_app_data(), connection.get_verify_mode()),
    }


def certificates(pem: bytes, crl: x509.CertificateRevocationList) -> list[X509]:
    found: X509 = crypto.load_certificate(FILETYPE_PEM, pem)
    text: bytes = crypto.dump_certificate(crypto.FILETYPE_TEXT, found)
    over: x509.Certificate = found.to_cryptography()
    back: X509 = X509.from_cryptography(over)
    fingerprint: bytes = back.digest("sha256") + text
    numbers: list[int] = [found.get_version(), found.get_serial_number(), found.subject_name_hash()]
    begins: bytes | None = found.get_notBefore()
    ends: bytes | None = found.get_notAfter()
    algorithm: bytes = found.get_signature_algorithm()
    key: PKey = found.get_pubkey()
    subject: X509Name = found.get_subject()
    parts: list[tuple[bytes, bytes]] = subject.get_components()
    common: str | None = subject.CN
    subject.CN = f"{common} {subject.hash()} {len(subject.der())}"
    found.set_issuer(subject)
    found.set_subject(subject)
    found.set_serial_number(numbers[0])
    found.set_version(2)
    found.gmtime_adj_notBefore(0)
    found.gmtime_adj_notAfter(60)
    found.set_notBefore(begins or b"20200101000000Z")
    found.set_notAfter(ends or b"20400101000000Z")
    found.set_pubkey(key)
    found.sign(key, "sha256")
    print(fingerprint, algorithm, parts)
    store = X509Store()
    store.add_cert(found)
    store.add_crl(crl)
    store.set_time(datetime.datetime(2030, 1, 1))
    store.load_locations("trust.pem", None)
    checking = X509StoreContext(store, found, [back])
    checking.set_store(store)
    try:
        checking.verify_certificate()
    except X509StoreContextError as error:
        refused: X509 = error.certificate
        details: list[Any] = error.errors
        print(refused, details)
    chain: list[X509] = checking.get_verified_chain()
    return chain


Edwards = ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
Private = dsa.DSAPrivateKey | ec.EllipticCurvePrivateKey | Edwards | rsa.RSAPrivateKey


def credentials(made: Context, key: Private) -> PKey:
    if not isinstance(key, Edwards):
        made.use_privatekey(key)
    return PKey.from_cryptography_key(key)


def keys(pem: bytes, ask: Callable[[bool], bytes]) -> Sequence[bytes]:
    key: PKey = crypto.load_privatekey(FILETYPE_PEM, pem, b"secret")
    key = crypto.load_privatekey(crypto.FILETYPE_ASN1, pem, ask)
    made = PKey()
    made.generate_key(crypto.TYPE_RSA, 2048)
    good: bool = made.check()
    kind: int = made.type() + made.bits()
    over = made.to_cryptography_key()
    if isinstance(over, rsa.RSAPrivateKey):
        made = PKey.from_cryptography_key(over)
    public: PKey = crypto.load_publickey(FILETYPE_PEM, pem)
    dumped: bytes = crypto.dump_privatekey(FILETYPE_PEM, key, "aes-256-cbc", b"secret")
    return [dumped, crypto.dump_publickey(FILETYPE_PEM, public), bytes(kind) if good else b""]


def about() -> bytes:
    number: int = SSL.OPENSSL_VERSION_NUMBER
    version: bytes = SSL.OpenSSL_version(SSL.OPENSSL_VERSION)
    return SSL.SSLeay_version(SSL.SSLEAY_PLATFORM) + version + bytes(number)
