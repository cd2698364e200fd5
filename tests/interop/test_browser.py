"""A real browser, Chromium, as the client of a pyossl server: it verifies, resumes, shows its certificate and refuses.

Chromium has BoringSSL, and asks for certificates of clients as for everything else: with several connections at once,
of which it closes some.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from interop import http_requests as http
from interop.authorities import Authority, Identity
from interop.chromium import Chromium, needs_chromium, prepare_home
from interop.programs import DEADLINE
from interop.refusals import Alert, Reason

import pyossl
from pyossl import Version, features, lib

pytestmark = needs_chromium

REFUSED = {"net::ERR_BAD_SSL_CLIENT_AUTH_CERT", "net::ERR_SOCKET_NOT_CONNECTED"}
"""The errors of a browser whose certificate the server refuses, or misses.

The browser has finished its handshake before it receives the alert: in TLS 1.3 always, in TLS 1.2 because it does not
wait for the server's last message (False Start, RFC 7918).  It shows the second error if the alert arrives before it
has sent its request.
"""

GROUP = "X25519MLKEM768" if features.post_quantum else "X25519"
PROTOCOLS = {Version.TLSv1_2: "TLS 1.2", Version.TLSv1_3: "TLS 1.3"}

PAGE = """\
<!doctype html>
<title>pyossl</title>
<link rel="icon" href="data:,">
<body style="font: 20px sans-serif; margin: 2em">
<h1>pyossl answers a browser</h1>
<p>{path}: {facts}</p>
"""


class Visit:
    """What the server knows about a connection with a request."""

    def __init__(self, tls: pyossl.Socket, path: str) -> None:
        self.path, self.version, self.cipher, self.group, self.alpn = path, tls.version, tls.cipher, tls.group, tls.alpn
        self.reused, self.name = tls.session_reused, tls.connection.server_hostname
        self.client = tls.peer_certificate

    def __str__(self) -> str:
        client = "no certificate" if self.client is None else self.client.subject
        again = "resumed" if self.reused else "new"
        return f"{self.version}, {self.cipher}, {self.group}, {self.alpn}, {again}, {client}"


class Site:
    """A site whose pages say what the server knows about the connection.  Each connection has one request."""

    def __init__(self, context: pyossl.Context) -> None:
        self._listener = pyossl.listen(("127.0.0.1", 0), context)
        self.url = f"https://localhost:{self._listener.address[1]}"
        self._visits: queue.Queue[Visit] = queue.Queue()
        self.errors: list[Exception] = []
        """The errors of the connections that failed: all of them after the site has been closed."""
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener has been closed: the test is over
            for tls, _ in self._listener:
                self._threads.append(threading.Thread(target=self._answer, args=[tls]))
                self._threads[-1].start()

    def _answer(self, tls: pyossl.Socket) -> None:
        try:
            with tls:
                tls.settimeout(DEADLINE)
                lines, _ = http.receive_head(tls)
                visit = Visit(tls, lines[0].split(" ")[1])
                self._visits.put(visit)
                body = PAGE.format(path=visit.path, facts=visit).encode()
                head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n"
                tls.sendall(head.encode() + b"Connection: close\r\n\r\n" + body)
        except (OSError, http.ClosedEarlyError) as error:  # the test decides whether it is right
            self.errors.append(error)

    def visit(self) -> Visit:
        """The next request."""
        return self._visits.get(timeout=DEADLINE)

    def was_visited(self) -> bool:
        return not self._visits.empty()

    def close(self) -> None:
        self._listener.close()
        for thread in self._threads:
            thread.join(DEADLINE)
            assert not thread.is_alive(), "a thread of the server did not end"


@contextlib.contextmanager
def site(context: pyossl.Context) -> Iterator[Site]:
    site = Site(context)
    try:
        yield site
    finally:
        site.close()


@pytest.fixture(scope="module")
def second_client(program_authority: Authority) -> Identity:
    """Another certificate of the browser's user, of another authority."""
    return program_authority.issue("second.example")


@pytest.fixture(scope="module")
def browser(
    tmp_path_factory: pytest.TempPathFactory,
    trustme_authority: Authority,
    client_identity: Identity,
    second_client: Identity,
) -> Iterator[Chromium]:
    home = tmp_path_factory.mktemp("browser")
    prepare_home(home, [trustme_authority.trust], [client_identity, second_client])
    with Chromium(home) as browser:
        yield browser


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """The folder for what a person may want to see after the test."""
    folder = Path(os.environ.get("PYOSSL_ARTIFACTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.feature("Chromium")
def test_a_browser_shows_a_page(version: Version, identity: Identity, browser: Chromium, artifacts: Path) -> None:
    """With the post-quantum group where OpenSSL has it.  A screenshot shows the page."""
    context = pyossl.Context.server(*identity, alpn=["http/1.1"], maximum_version=version)
    with site(context) as server:
        page = browser.visit(f"{server.url}/first")
        visit = server.visit()
    group = GROUP if version is Version.TLSv1_3 else "X25519"
    assert page.error is None
    assert f"/first: {visit}" in page.text
    assert (visit.path, visit.name, visit.alpn, visit.client) == ("/first", "localhost", "http/1.1", None)
    assert visit.version == version.name.replace("_", ".")
    # A server with OpenSSL 1.1.1 does not know the group in TLS 1.2.
    known = version is Version.TLSv1_3 or features.api_3_0
    assert (visit.group and visit.group.upper()) == (group if known else None)
    assert (page.protocol, page.security["protocol"]) == ("http/1.1", PROTOCOLS[version])
    assert page.security["keyExchangeGroup"] == group
    assert page.security["sanList"] == ["localhost", "127.0.0.1", "::1"]
    picture = browser.take_screenshot()
    (artifacts / f"browser-{version.name}.png").write_bytes(picture)
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.feature("Chromium")
def test_a_browser_resumes_its_session(version: Version, identity: Identity, browser: Chromium) -> None:
    with site(pyossl.Context.server(*identity, alpn=["http/1.1"], maximum_version=version)) as server:
        for path, reused in (("/first", False), ("/second", True), ("/third", True)):
            assert browser.visit(server.url + path).error is None
            visit = server.visit()
            assert (visit.path, visit.reused) == (path, reused)


def demanding(
    identity: Identity, *authorities: Authority, named: Authority | None = None, version: Version = Version.TLSv1_3
) -> pyossl.Context:
    """The context of a server that accepts only clients of these authorities, and tells the browser one of them."""
    trust = [pyossl.Certificate.load(authority.trust) for authority in authorities]
    context = pyossl.Context.server(*identity, trust=trust, verify=True, alpn=["http/1.1"], maximum_version=version)
    if named is not None:
        context.ca_names = pyossl.load_certificates(named.trust)
    return context


@pytest.mark.feature("Chromium")
def test_a_browser_shows_the_certificate_of_its_user(
    version: Version, identity: Identity, client_identity: Identity, pyossl_authority: Authority, browser: Chromium
) -> None:
    """It sends the intermediate authority too, which the server does not have."""
    context = demanding(identity, pyossl_authority, named=pyossl_authority, version=version)
    with site(context) as server:
        for path, reused in (("/first", False), ("/second", True)):
            page = browser.visit(server.url + path)
            assert page.error is None
            visit = server.visit()
            assert visit.client == pyossl.Certificate.load(client_identity.certificate)
            assert visit.reused is reused
            assert f"{path}: {visit}" in page.text
            assert "CN=a-client.example" in page.text


def test_a_browser_chooses_its_certificate_by_the_names_of_the_authorities(
    identity: Identity,
    client_identity: Identity,
    second_client: Identity,
    pyossl_authority: Authority,
    program_authority: Authority,
    browser: Chromium,
) -> None:
    both = (pyossl_authority, program_authority)
    for authority, chosen in zip(both, (client_identity, second_client), strict=True):
        with site(demanding(identity, *both, named=authority)) as server:
            assert browser.visit(server.url + "/").error is None
            assert server.visit().client == pyossl.Certificate.load(chosen.certificate)


def test_a_browser_without_a_certificate_of_the_named_authority_is_refused(
    version: Version, identity: Identity, trustme_authority: Authority, browser: Chromium
) -> None:
    with site(demanding(identity, trustme_authority, named=trustme_authority, version=version)) as server:
        assert browser.visit(server.url + "/").error in REFUSED
    assert not server.was_visited()
    failures = [error.failure for error in server.errors if isinstance(error, pyossl.Error)]
    assert any(failure and failure.has_reason(Reason.PEER_DID_NOT_RETURN_A_CERTIFICATE) for failure in failures)


def test_a_browser_with_a_certificate_of_another_authority_is_refused(
    version: Version, identity: Identity, trustme_authority: Authority, browser: Chromium
) -> None:
    """If the server names no authority, the browser may send any certificate."""
    with site(demanding(identity, trustme_authority, version=version)) as server:
        assert browser.visit(server.url + "/").error in REFUSED
    assert not server.was_visited()
    refusals = [error for error in server.errors if isinstance(error, pyossl.CertificateError)]
    assert {error.code for error in refusals} == {lib.X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY}


@pytest.mark.feature("Chromium")
@pytest.mark.parametrize(
    ("authority", "names", "expired", "refusal"),
    [
        ("trustme_authority", ["localhost"], True, "net::ERR_CERT_DATE_INVALID"),
        ("trustme_authority", ["other.example"], False, "net::ERR_CERT_COMMON_NAME_INVALID"),
        ("pyossl_authority", ["localhost"], False, "net::ERR_CERT_AUTHORITY_INVALID"),
    ],
    ids=["expired", "of another name", "of an unknown authority"],
)
def test_a_browser_refuses_a_certificate_that_is(
    authority: str, names: list[str], expired: bool, refusal: str, request: pytest.FixtureRequest, browser: Chromium
) -> None:
    """It sends an alert, and no request."""
    issuer: Authority = request.getfixturevalue(authority)
    with site(pyossl.Context.server(*issuer.issue(*names, expired=expired), alpn=["http/1.1"])) as server:
        assert browser.visit(server.url + "/").error == refusal
    assert not server.was_visited()
    alerts = {error.number for error in server.errors if isinstance(error, pyossl.AlertError)}
    assert alerts == {Alert.CERTIFICATE_UNKNOWN}
