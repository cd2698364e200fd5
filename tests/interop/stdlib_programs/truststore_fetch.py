"""Fetches a URL with urllib3 and a context of truststore, then with requests, after truststore has replaced ssl's: url.

truststore finds the authority in SSL_CERT_FILE.
"""

import ssl
import sys

import truststore
import urllib3
from evidence import over

try:
    pool = urllib3.PoolManager(ssl_context=truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT), retries=False, timeout=30)
    response = pool.request("GET", sys.argv[1], preload_content=False)
    print(response.status, over(), response.read())
    truststore.inject_into_ssl()
    import requests

    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(sys.argv[1], timeout=30, stream=True)
        print(answer.status_code, over(), answer.content)
except (urllib3.exceptions.SSLError, OSError) as error:
    print("refused", error)
