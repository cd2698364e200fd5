"""Fetches a URL with Twisted's agent, which verifies with an authority: authority, url."""

import sys

from twisted.internet import defer, ssl, task
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, readBody


async def fetch(reactor, authority, url):
    with open(authority, "rb") as file:
        root = ssl.Certificate.loadPEM(file.read())
    agent = Agent(reactor, BrowserLikePolicyForHTTPS(trustRoot=ssl.trustRootFromCertificates([root])))
    try:
        response = await agent.request(b"GET", url.encode())
    except Exception as error:
        print("refused", repr(error), [repr(reason.value) for reason in getattr(error, "reasons", ())])
        return
    print(response.code, await readBody(response))


task.react(lambda reactor: defer.ensureDeferred(fetch(reactor, *sys.argv[1:])))
