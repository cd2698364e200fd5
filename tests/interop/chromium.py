"""Debian's Chromium without a window, and the certificates that it trusts and shows.

How it is driven
----------------
The test starts ``chromium --headless --remote-debugging-pipe``.  With this option Chromium reads the commands of the
DevTools protocol from file descriptor 3, and writes its answers and events to 4.  Each message is one JSON object with
a zero byte after it.  A shell makes 3 and 4 the program's standard input and output, so that ``Program`` reads and
writes them.  Five commands are needed: a library for this protocol would bring its own Node.

What it trusts
--------------
Chromium reads the NSS database in ``$HOME/.pki/nssdb``: authorities that it trusts in addition to its own, and
certificates of clients.  The test gives it a folder as ``HOME``, and fills the database with certutil(1) and
pk12util(1).  So verification is on, as for a user, and nothing of this machine's user is read or changed.

Chromium asks its user which certificate to show to a server.  The policy ``AutoSelectCertificateForUrls`` answers for
the user.  A policy is a file in /etc, but the setting that it makes can be in the ``Preferences`` of a profile too.

It stays on this machine: ``--host-resolver-rules`` lets it find no other name than localhost.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, NamedTuple

import pytest
from interop.authorities import Identity
from interop.programs import Program, program

import pyossl

PROGRAMS = ("chromium", "certutil", "pk12util")
PACKAGES = {"chromium", "libnss3-tools"}
IN_ROW = set(os.environ.get("PYOSSL_ROW_PACKAGES", "").split()) >= PACKAGES

needs_chromium = pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)) and not IN_ROW,
    reason="needs chromium and libnss3-tools, which ci/programs installs on a machine, and ci/matrix in row 3.5",
)

_UNATTENDED = [
    "--no-sandbox",  # it cannot make one inside a container, and the pages are our own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-sync",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--no-proxy-server",
    "--password-store=basic",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
]
"""The options with which it asks nobody, and calls no other machine."""

_DEBUGGED = ["sh", "-c", 'exec "$@" 3<&0 4>&1 0</dev/null 1>&2', "sh"]
_PASSWORD = "secret"
_ANY_CERTIFICATE = {"https://localhost:*,*": {"setting": {"filters": [{}]}}}
_PREFERENCES = {
    "profile": {"content_settings": {"exceptions": {"auto_select_certificate": _ANY_CERTIFICATE}}},
    # Otherwise it opens a second connection to each site, before it needs one.  The test could not say which is used.
    "net": {"network_prediction_options": 2},
}


def unattended(folder: Path) -> Path:
    """Writes a program ``chromium`` with these options into a folder for PATH, which it returns."""
    path = folder / "chromium"
    folder.mkdir()
    path.write_text(f'#!/bin/sh\nexec {shlex.join([program("chromium"), *_UNATTENDED])} "$@"\n')
    path.chmod(0o755)
    return folder


def _run(*command: str | Path) -> None:
    with Program(program(str(command[0])), *command[1:]) as run:
        finished = run.finish()
        assert finished.status == 0, str(run)


def prepare_home(home: Path, trusted: Sequence[Path], clients: Sequence[Identity]) -> None:
    """Makes the folder of a user who trusts these authorities and has these certificates."""
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    of_database = ("-d", f"sql:{database}")
    _run("certutil", "-N", *of_database, "--empty-password")
    for number, authority in enumerate(trusted):
        _run("certutil", "-A", *of_database, "-n", f"authority {number}", "-t", "C,,", "-i", authority)
    for identity in clients:
        leaf, *chain = pyossl.load_certificates(identity.certificate)
        bundle = home / "client.p12"
        bundle.write_bytes(pyossl.PKCS12(pyossl.PrivateKey.load(identity.private_key), leaf, chain).to_der(_PASSWORD))
        _run("pk12util", "-i", bundle, *of_database, "-W", _PASSWORD)
    preferences = home / "profile" / "Default" / "Preferences"
    preferences.parent.mkdir(parents=True)
    preferences.write_text(json.dumps(_PREFERENCES))


class Page(NamedTuple):
    """What the browser has made of a visit."""

    error: str | None
    """Why it shows no page, for example ``net::ERR_CERT_DATE_INVALID``."""
    text: str = ""
    """The text of the page, as a user reads it."""
    protocol: str = ""
    """The protocol of HTTP."""
    security: Mapping[str, Any] = MappingProxyType({})
    """The ``SecurityDetails`` of the DevTools protocol."""


class Chromium:
    """A running browser with one tab, whose user has the folder ``home``."""

    def __init__(self, home: Path) -> None:
        options = ["--headless", "--remote-debugging-pipe", f"--user-data-dir={home / 'profile'}", *_UNATTENDED]
        own = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"), str(home))
        self._run = Program(*_DEBUGGED, program("chromium"), *options, environment=own)
        self._numbers = itertools.count(1)
        self._session: dict[str, str] = {}
        try:
            tab = self._call("Target.createTarget", url="about:blank")
            attached = self._call("Target.attachToTarget", targetId=tab["targetId"], flatten=True)
            self._session = {"sessionId": attached["sessionId"]}
            self._call("Network.enable")
        except BaseException:  # of any kind: nobody else would end the browser
            self._run.__exit__(None, None, None)
            raise

    def _wait_for(self, start: bytes) -> Any:
        """The first message that begins with this pattern."""
        return json.loads(self._run.wait_for(rb"(?:^|\0)(" + start + rb"[^\0]*)\0")[1])

    def _call(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": parameters} | self._session
        self._run.type(json.dumps(command).encode() + b"\0")
        answer = self._wait_for(b'{"id":%d,' % number)
        assert "error" not in answer, (command, answer)
        return answer["result"]

    def _evaluate(self, expression: str) -> Any:
        evaluated = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in evaluated, evaluated
        return evaluated["result"]["value"]

    def visit(self, url: str) -> Page:
        """Opens a page, and waits until it is shown or refused."""
        navigated = self._call("Page.navigate", url=url)
        if error := navigated.get("errorText"):
            return Page(error)
        # The request of a page has the number of its loader.
        started = b'{"method":"Network.responseReceived","params":{"requestId":"%s",' % navigated["loaderId"].encode()
        response = self._wait_for(started)["params"]["response"]
        return Page(None, self._evaluate(_TEXT), response["protocol"], response["securityDetails"])

    def take_screenshot(self) -> bytes:
        """The tab as a picture, in PNG."""
        return base64.b64decode(self._call("Page.captureScreenshot")["data"])

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._run:
            self._session = {}
            self._call("Browser.close")
            self._run.finish()


_TEXT = """new Promise((resolve) => {
    const answer = () => resolve(document.body.innerText);
    if (document.readyState === "complete") answer(); else addEventListener("load", answer);
})"""
"""Waits until the page has been loaded; its text."""
