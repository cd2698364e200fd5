"""A query over TLS with pg8000, which is written in Python: authority, host, port."""

import ssl
import sys

import pg8000.native
from evidence import over

context = ssl.create_default_context(cafile=sys.argv[1])
try:
    with pg8000.native.Connection("owner", "localhost", "postgres", int(sys.argv[3]), ssl_context=context) as client:
        ((encrypted, version),) = client.run("select ssl, version from pg_stat_ssl where pid = pg_backend_pid()")
        print(encrypted, over(), version)
except (pg8000.exceptions.InterfaceError, ssl.SSLError) as error:
    print("refused", error)
