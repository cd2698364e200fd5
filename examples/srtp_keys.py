"""Two peers agree on the keys for their audio and video, as in WebRTC: a DTLS handshake over UDP.

Each compares the fingerprint of the other's certificate with the one that it has got in another way, here a variable.

Needs the package cryptography.

Prints:
    SRTP_AEAD_AES_128_GCM: both peers have the same 4 keys and salts
"""

import contextlib
import socket
import threading

import pyossl
from pyossl.pyopenssl import SSL

PROFILES = b"SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80"
SECONDS = 10


class Peer:
    """One side of a call: its socket, its certificate, and the keys that it gets."""

    def __init__(self) -> None:
        self.own = pyossl.self_signed("example.com")
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(SECONDS)
        self.keys: tuple[bytes, ...] = ()
        self.profile = ""

    def call(self, other: "Peer", is_client: bool) -> None:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.use_certificate(self.own.certificate.to_cryptography())
        context.use_privatekey(self.own.private_key.to_cryptography())
        context.set_tlsext_use_srtp(PROFILES)
        # Both show a certificate, and its fingerprint decides.
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *arguments: True)
        connection = SSL.Connection(context, None)
        connection.set_connect_state() if is_client else connection.set_accept_state()
        self.socket.connect(other.socket.getsockname())
        self.shake_hands(connection)
        shown = connection.get_peer_certificate(as_cryptography=True)
        assert shown is not None
        fingerprint = pyossl.Certificate.from_cryptography(shown).fingerprint("sha256")
        if fingerprint != other.own.certificate.fingerprint("sha256"):
            raise SystemExit("this is another peer")
        profile = connection.get_selected_srtp_profile()
        if not profile:
            raise SystemExit("there is no common SRTP profile")
        material = connection.export_keying_material(pyossl.SRTPKeys.LABEL.encode(), pyossl.SRTPKeys.size(profile))
        keys = pyossl.SRTPKeys(profile, material)
        self.profile = keys.profile
        self.keys = keys.client_key, keys.server_key, keys.client_salt, keys.server_salt

    def shake_hands(self, connection: SSL.Connection) -> None:
        # The loopback loses no datagrams.  In other networks, call DTLSv1_handle_timeout too.
        is_finished = False
        while not is_finished:
            try:
                connection.do_handshake()
                is_finished = True
            except SSL.WantReadError:
                pass
            with contextlib.suppress(SSL.WantReadError):  # there is nothing to send
                self.socket.send(connection.bio_read(65535))
            if not is_finished:
                connection.bio_write(self.socket.recv(65535))


ours, theirs = Peer(), Peer()
thread = threading.Thread(target=theirs.call, args=(ours, False))
thread.start()
ours.call(theirs, True)
thread.join()
for peer in (ours, theirs):
    peer.socket.close()
assert ours.keys == theirs.keys
print(f"{ours.profile}: both peers have the same {len(set(ours.keys))} keys and salts")
