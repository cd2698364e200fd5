"""Commands for Redis over TLS, with redis-py: authority, host, port."""

import sys

import redis
from evidence import over

client = redis.Redis("localhost", int(sys.argv[3]), ssl=True, ssl_ca_certs=sys.argv[1], socket_timeout=30)
try:
    client.set("key", b"x" * 100_000)
    answer = client.get("key")
    print(len(answer), over(), client.ping())
    client.close()
except redis.exceptions.ConnectionError as error:
    print("refused", error)
