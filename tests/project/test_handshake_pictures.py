"""The pictures of docs/handshakes.md show the messages that ``python -m pyossl trace --svg`` draws today."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from handshake_pictures import KINDS, PICTURES, draw

SVG = "{http://www.w3.org/2000/svg}"
# When these come, and how many, differs by run and by OpenSSL's version.
AFTER = {"NewSessionTicket", "Alert: close notify"}
# The newer OpenSSLs report it in TLS 1.3, the older ones do not.  The newer ones can also compress certificates.
IGNORED = "server: ChangeCipherSpec"


def messages(picture: Path) -> list[str]:
    """The headings of the panels, and the messages of each with their sender."""
    texts = [(each.attrib["class"], each.text or "") for each in ElementTree.parse(picture).iter(f"{SVG}text")]
    shown = [
        f"{style.split()[0]}: {text}"
        for style, text in texts
        if style in ("heading", "client", "server right") and text not in AFTER | {"client"}
    ]
    return [each.replace("CompressedCertificate", "Certificate") for each in shown if each != IGNORED]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    draw(folder)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_a_committed_picture_shows_the_messages_that_are_drawn_today(drawn: Path, kind: str) -> None:
    """To draw them again: python ci/handshake_pictures.py"""
    assert messages(PICTURES / f"{kind}.svg") == messages(drawn / f"{kind}.svg")


def test_the_picture_of_a_retry_names_the_hello_retry_request() -> None:
    assert messages(PICTURES / "hello-retry-request.svg").count("server: HelloRetryRequest") >= 1


def test_the_picture_of_a_client_certificate_shows_the_request_and_the_answer() -> None:
    shown = messages(PICTURES / "client-certificate.svg")
    assert {"server: CertificateRequest", "client: Certificate", "client: CertificateVerify"} <= set(shown)


def test_the_picture_of_two_versions_shows_a_full_handshake_of_each() -> None:
    shown = messages(PICTURES / "tls-1.3-and-1.2.svg")
    assert [each for each in shown if each.startswith("heading")] == [
        "heading: Full handshake, TLSv1.3",
        "heading: Full handshake, TLSv1.2",
    ]
    assert shown.count("server: Certificate") == 2
