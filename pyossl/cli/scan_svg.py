"""Draws the result of a scan as one SVG picture, so narrow that a phone can show it.

A row of badges shows the versions.  Below it, each version has a panel: a bar for each cipher suite, as long as the
suite is strong, and chips for groups and signature algorithms.  What is weak is amber, with the reason beside it.  All
text is escaped, because names come from the peer.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from xml.sax.saxutils import escape

from pyossl.cli.certificate_status import ocsp_text, scts_text
from pyossl.cli.scan_report import client_certificate_text, order_text, resumption_text
from pyossl.cli.screen import counted

_WIDTH, _MARGIN = 560, 12
_PANEL = _WIDTH - 2 * _MARGIN
_LEFT, _RIGHT = _MARGIN + 16, _MARGIN + _PANEL - 16
_ROW, _LINE, _CHIP = 36, 20, 28
_BAR, _MOST_BITS = 96, 256
_NOTE = 130
_LETTER = 7.2
"""The width of a letter in pixels, a little too large, so that text of any font fits."""

_STYLE = """
  text { font-family: "DejaVu Sans", "Segoe UI", Helvetica, Arial, sans-serif; font-size: 13px; fill: #24292f; }
  .paper { fill: #ffffff; } .panel { fill: #f6f8fa; stroke: #d0d7de; }
  .title { font-weight: bold; font-size: 20px; } .heading { font-weight: bold; font-size: 16px; }
  .note { fill: #59636e; font-size: 12px; } .right { text-anchor: end; } .middle { text-anchor: middle; }
  .track { fill: #d0d7de; } .good { fill: #1a7f37; } .weak { fill: #bf8700; } .off { fill: #afb8c1; }
  text.weak { fill: #9a6700; font-size: 12px; } text.on { fill: #ffffff; font-weight: bold; }
  .chip { fill: #ddf4ff; stroke: #54aeff; } .chip.weak { fill: #fff8c5; stroke: #d4a72c; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .paper { fill: #0d1117; } .panel { fill: #161b22; stroke: #30363d; }
    .note { fill: #9198a1; } .track { fill: #30363d; } .good { fill: #238636; } .weak { fill: #9e6a03; }
    .off { fill: #484f58; } text.weak { fill: #d29922; }
    .chip { fill: #121d2f; stroke: #1f6feb; } .chip.weak { fill: #272115; stroke: #9e6a03; }
  }
"""


def svg(report: dict[str, Any]) -> str:
    """The result of a scan as an SVG document."""
    canvas = _Canvas()
    title = report["server"]
    canvas.text(_MARGIN + 4, 24, title, "title", size=min(20.0, _PANEL / (0.72 * max(len(title), 1))))
    canvas.down(46)
    canvas.text(_MARGIN + 4, 0, f"{counted(report['handshakes'], 'handshake')}, {report['openssl']}", "note")
    canvas.down(16)
    _badges(canvas, report["versions"])
    for found in report["versions"]:
        if found["accepted"]:
            with _panel(canvas):
                _version(canvas, found)
    if any(found["accepted"] for found in report["versions"]):
        with _panel(canvas):
            _server(canvas, report)
    return canvas.document(f"{title}: what its TLS server has")


class _Canvas:
    """The elements that have been drawn, and how far down the next one is."""

    def __init__(self) -> None:
        self.y = 12.0
        self._elements: list[str] = []

    def down(self, distance: float) -> None:
        """Moves down."""
        self.y += distance

    def add(self, element: str) -> None:
        """Adds an element."""
        self._elements.append(element)

    def text(self, x: float, y: float, text: str, style: str, size: float | None = None) -> None:
        """Draws text whose base line is ``y`` below the present place."""
        font = "" if size is None else f' style="font-size: {size:.1f}px"'
        self.add(f'<text x="{x:g}" y="{self.y + y:.1f}" class="{style}"{font}>{escape(_printable(text))}</text>')

    def rect(self, x: float, y: float, width: float, height: float, style: str, radius: int = 3) -> None:
        """Draws a rectangle."""
        place = f'x="{x:g}" y="{self.y + y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{radius}"'
        self.add(f'<rect class="{style}" {place}/>')

    def place(self) -> int:
        """The place of the next element, for ``insert``."""
        return len(self._elements)

    def insert(self, place: int, element: str) -> None:
        """Adds an element below those that were added after ``place``."""
        self._elements.insert(place, element)

    def document(self, title: str) -> str:
        """The SVG document."""
        size = f'width="{_WIDTH}" height="{self.y:.0f}"'
        head = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {_WIDTH} {self.y:.0f}" role="img">',
            f"<title>{escape(_printable(title))}</title>",
            f"<style>{_STYLE}</style>",
            f'<rect class="paper" {size}/>',
        ]
        return "\n".join([*head, *self._elements, "</svg>\n"])


def _badges(canvas: _Canvas, versions: Iterable[dict[str, Any]]) -> None:
    """A row with a badge for each version, the oldest first: green, amber if it is deprecated, grey if it is not
    there.
    """
    every = list(versions)[::-1]
    width = (_PANEL - 8 * (len(every) - 1)) / len(every)
    for place, found in enumerate(every):
        x = _MARGIN + place * (width + 8)
        style = "off" if not found["accepted"] else "weak" if found["weakness"] else "good"
        canvas.rect(x, 0, width, 30, style, 6)
        canvas.text(x + width / 2, 20, found["version"], "on middle")
        says = counted(len(found["ciphers"]), "suite") if found["accepted"] else _no(found)
        canvas.text(x + width / 2, 46, _shortened(says, width), "note middle")
    canvas.down(64)


def _no(found: dict[str, Any]) -> str:
    return "refused" if found["accepted"] is False else "not asked"


@contextmanager
def _panel(canvas: _Canvas) -> Iterator[None]:
    """Draws a panel behind what is drawn in the ``with`` block."""
    place, top = canvas.place(), canvas.y
    canvas.down(10)
    yield
    canvas.down(10)
    size = f'width="{_PANEL}" height="{canvas.y - top:.1f}" rx="8"'
    canvas.insert(place, f'<rect class="panel" x="{_MARGIN}" y="{top:.1f}" {size}/>')
    canvas.down(_MARGIN)


def _version(canvas: _Canvas, found: dict[str, Any]) -> None:
    canvas.text(_LEFT, 18, found["version"], "heading")
    canvas.text(_RIGHT, 18, order_text(found), "note right")
    canvas.down(34)
    for cipher in found["ciphers"]:
        _suite(canvas, cipher)
    for title, part in (("groups", "groups"), ("signatures", "signature_algorithms")):
        if found[part]:
            _chips(canvas, title, [(each["name"], each["weakness"]) for each in found[part]])
    _note(canvas, "client certificate", client_certificate_text(found["client_certificate"]))
    _note(canvas, "resumption", resumption_text(found["resumption"]))


def _suite(canvas: _Canvas, cipher: dict[str, Any]) -> None:
    """A cipher suite: its name, its key exchange, and a bar that is as long as it is strong."""
    style = "weak" if cipher["weakness"] else "good"
    bits = min(cipher["bits"], _MOST_BITS)
    start = _RIGHT - _BAR
    canvas.text(_LEFT, 11, cipher["name"], "")
    canvas.text(_LEFT, 26, cipher["key_exchange"], "note")
    if cipher["weakness"]:
        room = start - _LEFT - 150
        canvas.text(_LEFT + 140, 26, _shortened(cipher["weakness"], room), "weak")
    canvas.rect(start, 4, _BAR, 8, "track")
    if bits:
        canvas.rect(start, 4, _BAR * bits / _MOST_BITS, 8, style)
    canvas.text(_RIGHT, 26, f"{cipher['bits']} bits", "note right")
    canvas.down(_ROW)


def _chips(canvas: _Canvas, title: str, chips: Iterable[tuple[str, str]]) -> None:
    """Names in rounded boxes, as many in each row as fit; weak ones are amber."""
    canvas.text(_LEFT, 12, title, "note")
    canvas.down(20)
    x = float(_LEFT)
    for name, weakness in chips:
        shown = _shortened(name, _PANEL - 60)
        width = len(shown) * _LETTER + 16
        if x > _LEFT and x + width > _RIGHT:
            x = _LEFT
            canvas.down(_CHIP)
        canvas.rect(x, 0, width, 22, "chip weak" if weakness else "chip", 11)
        canvas.text(x + width / 2, 15, shown, "middle")
        x += width + 6
    canvas.down(_CHIP + 4)


def _note(canvas: _Canvas, title: str, text: str) -> None:
    """A title, and text that is wrapped beside it."""
    canvas.text(_LEFT, 12, title, "note")
    letters = int((_RIGHT - _LEFT - _NOTE) / _LETTER)
    for line in textwrap.wrap(text, letters) or [""]:
        canvas.text(_LEFT + _NOTE, 12, line, "")
        canvas.down(_LINE)


def _server(canvas: _Canvas, report: dict[str, Any]) -> None:
    canvas.text(_LEFT, 18, "Server", "heading")
    canvas.down(34)
    if report["alpn"]:
        _chips(canvas, "application protocols", [(name, "") for name in report["alpn"]])
    else:
        _note(canvas, "ALPN", "none")
    _note(canvas, "OCSP", ocsp_text(report["ocsp"]))
    _note(canvas, "SCTs", scts_text(report["scts"]))
    for certificate in report["certificates"]:
        _note(canvas, "certificate", f"{certificate['subject']}, {certificate['key']}")


def _shortened(text: str, width: float) -> str:
    """As much of a text as fits into ``width`` pixels."""
    letters = max(int(width / _LETTER), 1)
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
