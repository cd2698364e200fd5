"""Fetches a URL with urllib.request: authority, url."""

import ssl
import sys
import urllib.request
from urllib.error import URLError

from evidence import over

context = ssl.create_default_context(cafile=sys.argv[1])
try:
    with urllib.request.urlopen(sys.argv[2], timeout=30, context=context) as response:
        print(response.status, over(), response.read())
except URLError as error:
    print("refused", error.reason)
