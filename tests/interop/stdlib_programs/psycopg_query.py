"""A query over TLS with psycopg in Python, and beside it the same with pg8000: authority, host, port.

psycopg's TLS is libpq's, which is C and uses no ``ssl``: both use the system's libssl in one process.
"""

import ssl
import sys

import pg8000.native
import psycopg
from evidence import over

QUERY = "select ssl, version from pg_stat_ssl where pid = pg_backend_pid()"
authority, port = sys.argv[1], int(sys.argv[3])
with (
    psycopg.connect(
        host="localhost", port=port, user="owner", dbname="postgres", sslmode="verify-full", sslrootcert=authority
    ) as client,
    pg8000.native.Connection(
        "owner", "localhost", "postgres", port, ssl_context=ssl.create_default_context(cafile=authority)
    ) as other,
):
    encrypted, _ = client.execute(QUERY).fetchone()
    print(psycopg.pq.__impl__, encrypted, other.run(QUERY)[0][0], over())
