"""The built site: every public name is in the reference, and every page can be read.  ``ci/site`` runs these tests.

Headless Chromium opens each page at the width of a desk and of a phone, in light and in dark.
"""

from __future__ import annotations

import functools
import http.server
import os
import re
import threading
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

import pytest
from project.documents import ROOT

from pyossl import lib

SITE = Path(os.environ.get("PYOSSL_SITE", ROOT / "build" / "site"))
PAGES = sorted(str(page.relative_to(SITE)) for page in SITE.rglob("*.html")) if "PYOSSL_SITE" in os.environ else []

pytestmark = [
    pytest.mark.skipif("PYOSSL_SITE" not in os.environ, reason="ci/site runs these: it builds the site first"),
    pytest.mark.timeout(300),
]

SCREENS = {
    f"{device}, {scheme}": ({"width": width, "height": height}, scheme)
    for device, width, height in [("desk", 1280, 900), ("phone", 390, 844)]
    for scheme in ("light", "dark")
}
CHROMIUM = [
    "--no-sandbox",  # it cannot make one inside a container, and the pages are our own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

SEARCHES = {
    "SSL_CTX_set_verify": "reference/openssl/ssl.html",
    "SSL_set_tlsext_host_name": "reference/openssl/tls1.html",
    "SSL_OP_NO_TICKET": "reference/openssl/constants.html",
    "Context.servername_callback": "reference/contexts.html",
    "receive_data": "reference/connections.html",
    "TruncationError": "errors.html",
    "truncated": "errors.html",
    "timeout": "sockets.html",
    "fork": "sockets.html",
    "install": "install.html",
    "self-signed": "howto/pinned-ca.html",
    "client certificates": "howto/client-certificates.html",
    "wireshark": "howto/key-log-and-wireshark.html",
    "alpn": "howto/alpn.html",
    "starttls": "howto/starttls.html",
    "scrapy": "howto/scrapy.html",
    "MemoryBIO": "switching/ssl.html",
    "HelloRetryRequest": "handshakes.html",
}
"""What a reader types into the search, and a page that must be among the first results."""


def inventory() -> dict[str, set[str]]:
    """The names of the site's objects.inv, by role."""
    data = (SITE / "objects.inv").read_bytes().split(b"\n", 4)[4]
    found: dict[str, set[str]] = {}
    for line in zlib.decompress(data).decode().splitlines():
        name, role = re.match(r"(.+?)\s+(\S+:\S+)\s+-?\d+\s", line).groups()  # type: ignore[union-attr]
        found.setdefault(role.partition(":")[0] if role.startswith("py:") else role, set()).add(name)
    return found


def test_every_public_name_and_member_is_in_the_reference() -> None:
    from project.test_docstrings import MEMBERS, NAMES

    missing = {*NAMES, *MEMBERS} - inventory()["py"]
    # A base class of the pyOpenSSL face is documented where the native API has it.
    assert not sorted(missing)


def test_every_function_of_openssl_is_in_the_index() -> None:
    functions = {name for name in dir(lib) if callable(getattr(lib, name)) and not name.startswith("pyossl_")}
    assert not sorted(functions - inventory()["std:openssl"])


class Links(HTMLParser):
    """The links of a page, and the anchors that links can lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ("href", "src") and value:
                self.links.append(value)
            elif name == "id" and value:
                self.anchors.add(value)


@functools.cache
def read(page: Path) -> Links:
    links = Links()
    links.feed(page.read_text(encoding="utf-8"))
    return links


def test_every_link_leads_to_a_page_and_an_anchor_that_exist() -> None:
    broken = []
    for name in PAGES:
        page = SITE / name
        for link in read(page).links:
            path, anchor = urldefrag(link)
            if re.match(r"[a-z]+:", path):
                continue
            target = (page.parent / unquote(path.partition("?")[0])).resolve() if path else page
            if not target.is_file() or (
                anchor and target.suffix == ".html" and unquote(anchor) not in read(target).anchors
            ):
                broken.append(f"{name}: {link}")
    assert not broken


def test_no_page_is_alone() -> None:
    linked = {
        str((SITE / name).parent.joinpath(urldefrag(link)[0]).resolve().relative_to(SITE))
        for name in PAGES
        for link in read(SITE / name).links
        if urldefrag(link)[0] and not re.match(r"[a-z]+:", link)
    }
    assert set(PAGES) <= linked


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The site over HTTP, because a search from a file cannot read the pages that it has found."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(SITE))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Debian's, not the one that playwright would download.
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def tab(browser: Any) -> Any:
    return browser.new_page()


LOOK = """() => {
    const found = [];
    const root = document.scrollingElement;
    if (root.scrollWidth > root.clientWidth) {
        const wide = [...document.querySelectorAll("article *")].filter(
            (each) => each.getBoundingClientRect().right > root.clientWidth + 1 && !each.closest(
                ".table-wrapper, pre, .highlight")).slice(0, 3);
        found.push(`wider than the screen: ${root.scrollWidth} > ${root.clientWidth}; `
            + wide.map((each) => each.outerHTML.slice(0, 100)).join(" | "));
    }
    for (const image of document.images)
        if (!image.complete || image.naturalWidth === 0) found.push(`no image: ${image.src}`);
    const luminance = (color) => {
        const [r, g, b] = color.match(/[\\d.]+/g).map(Number).map((each) => each / 255)
            .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const background = (element) => {
        for (let each = element; each; each = each.parentElement) {
            const color = getComputedStyle(each).backgroundColor;
            if (!/rgba\\(.*, 0\\)|transparent/.test(color)) return color;
        }
        return "rgb(255, 255, 255)";
    };
    const faint = new Set();
    for (const element of document.querySelectorAll("article *")) {
        const own = [...element.childNodes].some((each) => each.nodeType === 3 && each.textContent.trim());
        const style = getComputedStyle(element);
        if (!own || style.visibility === "hidden" || !element.offsetParent) continue;
        const [first, second] = [luminance(style.color), luminance(background(element))].sort((a, b) => b - a);
        const contrast = (first + 0.05) / (second + 0.05);
        if (contrast < 4.5) faint.add(`${element.className || element.tagName}: ${contrast.toFixed(1)}`);
    }
    if (faint.size) found.push(`too faint to read: ${[...faint].slice(0, 5).join(", ")}`);
    return found;
}"""
"""What is wrong with a page as it is on the screen."""


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_the_screen_and_has_its_pictures_and_can_be_read(name: str, address: str, tab: Any) -> None:
    faults: list[str] = []

    def failed(response: Any) -> None:
        if response.status >= 400:
            faults.append(f"{response.status}: {response.url}")

    tab.on("response", failed)
    for screen, (size, scheme) in SCREENS.items():
        tab.set_viewport_size(size)
        tab.emulate_media(color_scheme=scheme)
        if not tab.url.endswith(f"/{name}"):
            tab.goto(f"{address}/{name}")
        faults += [f"{screen}: {fault}" for fault in tab.evaluate(LOOK)]
    tab.remove_listener("response", failed)
    assert not faults


@pytest.mark.parametrize("words", SEARCHES)
def test_the_search_finds(words: str, address: str, tab: Any) -> None:
    tab.goto(f"{address}/search.html?q={words.replace(' ', '+')}")
    tab.wait_for_function("document.querySelector('#search-results p.search-summary')?.textContent.includes('found')")
    found = [link.get_attribute("href") for link in tab.query_selector_all("#search-results ul.search > li > a")]
    pages = [urldefrag(each)[0].partition("?")[0] for each in found[:5]]
    assert SEARCHES[words] in pages, pages
