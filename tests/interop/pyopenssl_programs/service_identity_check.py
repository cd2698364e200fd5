"""Handshakes with a server and lets service_identity look at its certificate: host, port, name."""

import socket
import sys

from OpenSSL import SSL
from service_identity import VerificationError
from service_identity.pyopenssl import extract_patterns, verify_hostname

connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD), socket.create_connection((sys.argv[1], int(sys.argv[2])), 20))
connection.set_connect_state()
connection.setblocking(True)
connection.do_handshake()
print(len(extract_patterns(connection.get_peer_certificate())), "names")
try:
    verify_hostname(connection, sys.argv[3])
    print("matches")
except VerificationError as error:
    print("refused", type(error).__name__)
