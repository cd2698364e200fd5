"""Draws handshakes as an SVG picture: their ladders below one another, so narrow that a phone can show them.

Time runs from top to bottom.  The rungs of one flight have equal distances.  The distance between two flights grows
with the logarithm of the time between them, so that microseconds and seconds fit on one page.  All text is escaped,
because names come from the peer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from xml.sax.saxutils import escape

from pyossl.cli.handshake_ladder import Handshake, Ladder, Rung
from pyossl.cli.screen import counted

_WIDTH, _MARGIN, _CLOCK, _SERVER_SIDE = 480, 12, 92, 34
_PANEL = _WIDTH - 2 * _MARGIN
_TOP, _HEAD, _STEP, _FLIGHT_GAP, _FOOT = 76, 104, 36, 14, 78
_MOST_GAP = 60
_FINISH = 32
_TITLE = 20

_STYLE = """
  text { font-family: "DejaVu Sans", "Segoe UI", Helvetica, Arial, sans-serif; font-size: 14px; fill: #24292f; }
  .paper { fill: #ffffff; } .panel { fill: #f6f8fa; stroke: #d0d7de; }
  .title, .heading { font-weight: bold; } .heading { font-size: 16px; }
  .note, .clock, .size { font-size: 13px; fill: #59636e; }
  .clock { text-anchor: end; } .right { text-anchor: end; } .middle { text-anchor: middle; }
  .banner { font-size: 13px; fill: #59636e; stroke: #f6f8fa; stroke-width: 12; paint-order: stroke; }
  .finish { stroke: #1a7f37; stroke-width: 1.5; stroke-dasharray: 6 4; }
  .life { stroke: #afb8c1; stroke-width: 2; } .wait { stroke: #d4a72c; stroke-width: 4; }
  .client { fill: #0969da; } .server { fill: #8250df; } .alert { fill: #cf222e; }
  .side { font-weight: bold; }
  line.client { stroke: #0969da; } line.server { stroke: #8250df; } line.alert { stroke: #cf222e; }
  line.client, line.server, line.alert { stroke-width: 1.6; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .paper { fill: #0d1117; } .panel { fill: #161b22; stroke: #30363d; }
    .note, .clock, .size { fill: #9198a1; } .banner { fill: #9198a1; stroke: #161b22; }
    .finish { stroke: #3fb950; } .life { stroke: #484f58; } .wait { stroke: #d29922; }
    .client { fill: #58a6ff; } .server { fill: #bc8cff; } .alert { fill: #ff7b72; }
    line.client { stroke: #58a6ff; } line.server { stroke: #bc8cff; } line.alert { stroke: #ff7b72; }
  }
"""


def svg(handshakes: Sequence[Handshake]) -> str:
    """The handshakes as an SVG document.  There must be at least one."""
    report = handshakes[0].report
    name = report["servername"] or ""
    heights = [_HEAD + _height(handshake.ladder) + _FOOT for handshake in handshakes]
    height = _TOP + sum(heights) + _MARGIN * len(handshakes)
    size = f'width="{_WIDTH}" height="{height:.0f}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {_WIDTH} {height:.0f}" role="img">',
        f"<title>{escape(_printable(name))}: the messages of a TLS handshake</title>",
        f"<style>{_STYLE} .title {{ font-size: {_title_size(name):.1f}px; }}</style>",
        f'<rect class="paper" {size}/>',
        _text(_MARGIN + 4, 36, name, "title"),
        _text(_MARGIN + 4, 60, report["peer"], "note"),
    ]
    most = max(each.ladder.size(outgoing=outgoing) for each in handshakes for outgoing in (True, False))
    top = float(_TOP)
    for handshake, panel_height in zip(handshakes, heights, strict=True):
        lines += _panel(handshake, top, panel_height)
        lines += _byte_bars(handshake.ladder, top + panel_height - _FOOT, most)
        top += panel_height + _MARGIN
    return "\n".join([*lines, "</svg>\n"])


def _panel(handshake: Handshake, top: float, height: float) -> Iterator[str]:
    ladder = handshake.ladder
    left, right = _MARGIN + 16, _MARGIN + _PANEL - 16
    client, server = _MARGIN + _CLOCK, _MARGIN + _PANEL - _SERVER_SIDE
    foot = top + height - _FOOT
    yield f'<rect class="panel" x="{_MARGIN}" y="{top:.1f}" width="{_PANEL}" height="{height:.1f}" rx="8"/>'
    yield _text(left, top + 28, f"{handshake.title[:1].upper()}{handshake.title[1:]}", "heading")
    yield _text(right, top + 28, f"{ladder.milliseconds:.2f} ms", "heading right")
    yield _text(left, top + 50, handshake.negotiated, "note")
    yield _text(client, top + _HEAD - 18, "client", "client side middle")
    yield _text(server, top + _HEAD - 18, "server", "server side middle")
    for x in (client, server):
        yield f'<line class="life" x1="{x}" y1="{top + _HEAD - 8:.1f}" x2="{x}" y2="{foot - 8:.1f}"/>'
    finished = max((rung for rung in ladder.rungs if rung.name == "Finished"), key=_time, default=None)
    before: Rung | None = None
    y = top + _HEAD
    for rung in ladder.rungs:
        gap = _gap(before, rung)
        if before is not None and gap > _FLIGHT_GAP + 1:
            yield f'<line class="wait" x1="{client}" y1="{y + 4:.1f}" x2="{client}" y2="{y + gap + 2:.1f}"/>'
            yield _text(client + 10, y + gap / 2 + 6, f"{rung.milliseconds - before.milliseconds:.1f} ms", "size")
        y += gap + _STEP
        yield from _rung(rung, client, server, y - _STEP / 2)
        if rung is finished:
            line = y + _FINISH / 2
            yield f'<line class="finish" x1="{left}" y1="{line:.1f}" x2="{right}" y2="{line:.1f}"/>'
            yield _text((client + server) / 2, line + 4, "the handshake is finished", "banner middle")
            y += _FINISH
        before = rung


def _rung(rung: Rung, client: int, server: int, y: float) -> Iterator[str]:
    style = "alert" if rung.name.startswith("Alert") and "close notify" not in rung.name else ""
    style = style or ("client" if rung.outgoing else "server")
    start, end = (client, server) if rung.outgoing else (server, client)
    back = -8 if rung.outgoing else 8
    size = counted(rung.size, "byte")
    yield _text(client - 10, y + 4, f"{rung.milliseconds:.2f} ms", "clock")
    yield f'<line class="{style}" x1="{start}" y1="{y:.1f}" x2="{end + back}" y2="{y:.1f}"/>'
    yield f'<path class="{style}" d="M{end} {y:.1f} l{back} -4.5 v9 z"/>'
    if rung.outgoing:
        yield _text(client + 10, y - 5, rung.name, style)
        yield _text(server - 12, y - 5, size, "size right")
    else:
        yield _text(server - 10, y - 5, rung.name, f"{style} right")
        yield _text(client + 12, y - 5, size, "size")


def _time(rung: Rung) -> float:
    return rung.milliseconds


def _byte_bars(ladder: Ladder, top: float, most: int) -> Iterator[str]:
    """Two bars that show how many bytes each side sent.  ``most`` is the scale, the same for all panels."""
    left, right = _MARGIN + 16, _MARGIN + _PANEL - 16
    sizes = {"client": ladder.size(outgoing=True), "server": ladder.size(outgoing=False)}
    scale = (right - left - 170) / max(most, 1)
    for place, (side, size) in enumerate(sizes.items()):
        y, length = top + 16 + place * 24, max(size * scale, 1)
        yield _text(left, y + 10, side, side)
        yield f'<rect class="{side}" x="{left + 60}" y="{y + 1:.1f}" width="{length:.1f}" height="10" rx="2"/>'
        yield _text(right, y + 10, counted(size, "byte"), "size right")


def _height(ladder: Ladder) -> float:
    gaps = sum(_gap(before, rung) for before, rung in pairwise([None, *ladder.rungs]) if rung)
    return _STEP * len(ladder.rungs) + gaps + _FINISH


def _gap(before: Rung | None, rung: Rung) -> float:
    """The extra distance between two rungs: for a change of direction, and for time without a message."""
    if before is None:
        return 0.0
    waited = max(rung.milliseconds - before.milliseconds, 0.0)
    turn = _FLIGHT_GAP if before.outgoing is not rung.outgoing else 0
    return turn + (min(14 * math.log1p(waited), _MOST_GAP) if waited >= 1 else 0)


def _title_size(title: str) -> float:
    """The largest font size with which a title in bold letters fits into the picture."""
    return min(_TITLE, _PANEL / (0.72 * max(len(title), 1)))


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text x="{x:g}" y="{y:.1f}" class="{style}">{escape(_printable(text))}</text>'


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
