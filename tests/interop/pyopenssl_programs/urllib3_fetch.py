"""Fetches a URL with urllib3 over pyOpenSSL: authority, url."""

import sys

import urllib3
import urllib3.contrib.pyopenssl

urllib3.contrib.pyopenssl.inject_into_urllib3()
pool = urllib3.PoolManager(ca_certs=sys.argv[1], retries=False, timeout=20)
try:
    response = pool.request("GET", sys.argv[2])
    print(response.status, response.data)
    print(pool.request("POST", sys.argv[2], body=b"x" * 100_000).data == b"x" * 100_000)
except urllib3.exceptions.SSLError as error:
    print("refused", error)
