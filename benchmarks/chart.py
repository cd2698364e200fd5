"""The chart of docs/performance.md: CPU time compared with the standard library, as an SVG."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from benchmarks.results import Results
from benchmarks.rows import ROWS, TITLES

CHARTED = (
    *(
        "handshake",
        "resumed",
        "recv-into-64k",
        "recv-256k",
        "send-1k",
        "send-64k",
        "ping-pong",
        "memory-64",
        "memory-16k",
    ),
    *("protocol-echo-1", "protocol-echo-50", "stream-echo-1", "stream-echo-50", "stream-in-1m", "stream-out-1m"),
)
SHOWN = ("c", "pyossl", "pyopenssl", "face", "uvloop", "pyossl_asyncio", "pyossl_uvloop")
COLOURS = {
    "c": "#8a8f98",
    "pyossl": "#0a7f5a",
    "pyopenssl": "#c9822b",
    "face": "#5fb596",
    "uvloop": "#b0574f",
    "pyossl_asyncio": "#0a7f5a",
    "pyossl_uvloop": "#5fb596",
}
WIDTH, MARGIN, VALUES, LEFT = 440, 14, 186, 196
BAR, STEP, HEAD, GAP, TOP = 11, 17, 24, 14, 86
"""Names and values stand in columns beside the bars, so that no text meets a bar or the line."""
STYLE = (
    "<style>text{font:13px system-ui,sans-serif;fill:#24292f}.row{font-weight:600}.small{fill:#57606a}"
    ".paper{fill:#fff}.line{stroke:#57606a;stroke-dasharray:3 3}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9198a1}.paper{fill:#0d1117}"
    ".line{stroke:#9198a1}}</style>"
)


def chart(results: Results) -> str:
    """A bar for each contender: how many times as fast as the standard library, in CPU time; a line marks 1.

    The longest bar fills the width: all bars have one scale and none is cut.
    """
    rows = [(title, speeds) for title, speeds in _speeds(results) if speeds]
    unit = (WIDTH - MARGIN - LEFT) / max((speed for _, speeds in rows for _, speed in speeds), default=1)
    body: list[str] = []
    y = TOP
    for title, speeds in rows:
        body.append(f'<text class="row" x="{MARGIN}" y="{y + 13}">{escape(title)}</text>')
        y += HEAD
        for contender, speed in speeds:
            base = y + BAR - 1
            body += [
                f'<text class="small" x="{MARGIN}" y="{base}">{escape(TITLES[contender])}</text>',
                f'<text x="{VALUES}" y="{base}" text-anchor="end">{speed:.2f}</text>',
                f'<rect x="{LEFT}" y="{y}" width="{speed * unit:.1f}" height="{BAR}" fill="{COLOURS[contender]}"/>',
            ]
            y += STEP
        # One piece of the line for each row, so that it crosses no title.
        body.append(_line(LEFT + unit, y - STEP * len(speeds) - 3, y - STEP + BAR + 3))
        y += GAP
    size = f'width="{WIDTH}" height="{y}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {WIDTH} {y}" role="img">',
            "<title>CPU time compared with the standard library</title>",
            STYLE,
            f'<rect class="paper" {size} rx="8"/>',
            f'<text class="row" x="{MARGIN}" y="28">How many times as fast as the standard library,</text>',
            f'<text class="row" x="{MARGIN}" y="46">in CPU time</text>',
            f'<text class="small" x="{MARGIN}" y="66">The dashed line is the standard library: 1.00</text>',
            *body,
            "</svg>",
            "",
        ]
    )


def _speeds(results: Results) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    for row in ROWS:
        if row.name in CHARTED:
            standard = results.value(row.name, "asyncio" if "asyncio" in row.contenders else "stdlib", "cpu")
            bars = [(each, results.value(row.name, each, "cpu")) for each in SHOWN if each in row.contenders]
            yield row.title, [(each, standard / cpu) for each, cpu in bars if standard and cpu]


def _line(x: float, top: float, bottom: float) -> str:
    return f'<line class="line" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}"/>'
