"""Gets a page over HTTPS and shows the server's certificate: python examples/https_get.py [HOST [PORT]].

Prints:
    TLSv1.3 TLS_… example.com
    the certificate: …
    the root of its chain: …
    HTTP/1.… 200 OK
"""

import sys

import pyossl

host = sys.argv[1] if len(sys.argv) > 1 else "example.com"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 443

with pyossl.connect((host, port), timeout=10) as tls:
    print(tls.version, tls.cipher, tls.connection.server_hostname)
    own, *_, root = tls.connection.verified_chain
    print("the certificate:", own.subject, "until", own.not_after.date())
    print("the root of its chain:", root.subject)

    tls.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    with tls.makefile("rb") as file:
        print(file.readline().decode().rstrip())
