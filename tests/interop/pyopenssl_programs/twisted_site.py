"""An HTTPS site by Twisted's SSL endpoint: certificate, key; prints its port, and serves until its input ends."""

import sys

from twisted.internet import endpoints, reactor, ssl, stdio
from twisted.internet.protocol import Protocol
from twisted.web import resource, server


class Page(resource.Resource):
    isLeaf = True  # noqa: N815 - Twisted's name

    def render_GET(self, request):  # noqa: N802 - Twisted's name
        return b"hello from twisted"

    def render_POST(self, request):  # noqa: N802
        return request.content.read()[::-1]


class UntilTheEnd(Protocol):
    def connectionLost(self, reason):  # noqa: N802
        reactor.stop()


def say(port):
    print("port", port.getHost().port, flush=True)


with open(sys.argv[1], "rb") as certificate, open(sys.argv[2], "rb") as key:
    credentials = ssl.PrivateCertificate.loadPEM(key.read() + certificate.read())
endpoint = endpoints.SSL4ServerEndpoint(reactor, 0, credentials.options(), interface="127.0.0.1")
endpoint.listen(server.Site(Page())).addCallback(say)
stdio.StandardIO(UntilTheEnd())
reactor.run()
