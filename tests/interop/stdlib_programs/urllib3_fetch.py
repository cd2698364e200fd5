"""Fetches a URL with urllib3: authority, url."""

import sys

import urllib3
from evidence import over

pool = urllib3.PoolManager(ca_certs=sys.argv[1], retries=False, timeout=30)
try:
    response = pool.request("GET", sys.argv[2], preload_content=False)
    print(response.status, over(), response.read())
except urllib3.exceptions.SSLError as error:
    print("refused", error)
