"""Fetches a URL with requests: authority, url."""

import sys

import requests
from evidence import over

with requests.Session() as session:
    session.trust_env = False
    try:
        response = session.get(sys.argv[2], verify=sys.argv[1], timeout=30, stream=True)
        print(response.status_code, over(), response.content)
    except requests.exceptions.SSLError as error:
        print("refused", error)
