"""The chart of docs/performance.md: CPU time compared with the standard library, as an SVG."""

from __future__ import annotations

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
LEFT, UNIT, BAR, GAP, TOP = 300, 150, 11, 14, 56
STYLE = (
    "<style>text{font:13px system-ui,sans-serif;fill:#24292f}.small{font-size:10px;fill:#57606a}"
    ".line{stroke:#57606a;stroke-dasharray:3 3}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9198a1}.line{stroke:#9198a1}}</style>"
)
MOST = 3.6
"""A longer bar is cut here; its label shows its value."""


def chart(results: Results) -> str:
    """A bar for each contender: how many times as fast as the standard library, in CPU time; a line marks 1."""
    body, y, width = [], TOP, LEFT + int(MOST * UNIT) + 60
    for row in ROWS:
        if row.name not in CHARTED:
            continue
        standard = results.value(row.name, "asyncio" if "asyncio" in row.contenders else "stdlib", "cpu")
        bars = [(each, results.value(row.name, each, "cpu")) for each in SHOWN if each in row.contenders]
        speeds = [(each, standard / cpu) for each, cpu in bars if standard and cpu]
        if not speeds:
            continue
        middle = y + len(speeds) * (BAR + 1) / 2 + 4
        body.append(f'<text x="{LEFT - 12}" y="{middle:.0f}" text-anchor="end">{escape(row.title)}</text>')
        for contender, speed in speeds:
            length = min(speed, MOST) * UNIT
            body.append(
                f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" fill="{COLOURS[contender]}"/>'
            )
            label = f"{speed:.2f} {TITLES[contender]}"
            body.append(f'<text class="small" x="{LEFT + length + 5:.1f}" y="{y + BAR - 2}">{escape(label)}</text>')
            y += BAR + 1
        y += GAP
    line = LEFT + UNIT
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + 120} {y}" role="img">',
            "<title>CPU time compared with the standard library</title>",
            STYLE,
            f'<text x="{LEFT}" y="20">How many times as fast as the standard library, in CPU time</text>',
            f'<text class="small" x="{line}" y="{TOP - 14}" text-anchor="middle">stdlib = 1</text>',
            f'<line class="line" x1="{line}" y1="{TOP - 8}" x2="{line}" y2="{y - GAP + 4}"/>',
            *body,
            "</svg>",
            "",
        ]
    )
