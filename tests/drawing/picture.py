"""Picture: the map of options drawn as an SVG, in the reader's light or dark colours.

Every mark is a word; colour only helps the eye. The text uses whatever font the reader has.
"""

from __future__ import annotations

from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from installer.guide.chart import chart_of

if TYPE_CHECKING:
    from installer.guide.chart import Line
    from installer.guide.guide import Map

NAME: Final = 216
"""Pixels for an option's name; what follows is in pixels too."""
CELL: Final = 92
STATE: Final = 224
BY: Final = 100
ROW: Final = 30
HEAD: Final = 116
EDGE: Final = 20

STYLE: Final = """
.map { font-family: ui-sans-serif, system-ui, sans-serif; font-size: 13px; }
.map .ground { fill: #f8f8f5; } .map text { fill: #1f252c; }
.map .muted { fill: #59636e; } .map .head { font-weight: 600; fill: #1c6a8c; }
.map .title { font-size: 18px; font-weight: 600; } .map .line { stroke: #d3d7d8; }
.map .poc { fill: #dcebf2; } .map .prod { fill: #1c6a8c; } .map .both { fill: #8dbcd2; }
.map .on-prod { fill: #ffffff; } .map .mark { text-anchor: middle; font-size: 12px; }
@media (prefers-color-scheme: dark) {
.map .ground { fill: #11161d; } .map text { fill: #d5dbe3; } .map .muted { fill: #93a0b0; }
.map .head { fill: #6cb6d9; } .map .line { stroke: #2b3542; } .map .poc { fill: #1f3340; }
.map .both { fill: #2f5c73; } .map .prod { fill: #6cb6d9; } .map .on-prod { fill: #11161d; }
}
"""


def map_picture(chart: Map) -> str:
    """The whole map as an SVG document."""
    table = chart_of(chart)
    width = EDGE * 2 + NAME + CELL * len(table.columns) + STATE + BY
    rows = sum(1 + len(lines) for _, lines in table.sections)
    height = EDGE * 2 + HEAD + rows * ROW + 40
    size = f'width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="map" role="img" {size}>',
        "<title>The map of deployment options: who is served by what, and how well</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="ground" {size} rx="8"/>',
        _text(EDGE, EDGE + 18, "Which way of deploying suits whom?", "title"),
    ]
    parts += _heads(chart)
    y = EDGE + HEAD
    for title, lines in table.sections:
        parts.append(_text(EDGE, y + 20, title, "head"))
        y += ROW
        for line in lines:
            parts += _row(line, y)
            y += ROW
    parts += _legend(y + 24)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _heads(chart: Map) -> list[str]:
    table = chart_of(chart)
    parts = []
    x = EDGE + NAME
    for title, number in table.groups:
        parts.append(_text(x + 4, EDGE + 52, title[:1].upper() + title[1:], "head"))
        parts.append(
            f'<line class="line" x1="{x + 4}" x2="{x + number * CELL - 4}" y1="{EDGE + 60}"'
            f' y2="{EDGE + 60}"/>'
        )
        x += number * CELL
    for place, case in enumerate(table.columns):
        for number, word in enumerate(wrap(case.title, 12, break_long_words=False)):
            x = EDGE + NAME + place * CELL + 4
            parts.append(_text(x, EDGE + 80 + number * 15, word, "muted"))
    x = EDGE + NAME + len(table.columns) * CELL + 12
    parts.append(_text(x, EDGE + 80, "State today", "muted"))
    parts.append(_text(x + STATE, EDGE + 80, "Installed", "muted"))
    return parts


def _row(line: Line, y: int) -> list[str]:
    file = line.option.file
    end = EDGE + NAME + len(line.marks) * CELL
    parts = [
        f'<line class="line" x1="{EDGE}" x2="{end + STATE + BY}" y1="{y}" y2="{y}"/>',
        _text(EDGE + 10, y + 20, file.short),
    ]
    for place, mark in enumerate(line.marks):
        if mark:
            x = EDGE + NAME + place * CELL
            parts.append(
                f'<rect class="{mark.lower()}" x="{x + 4}" y="{y + 5}" width="{CELL - 8}"'
                f' height="{ROW - 10}" rx="5"/>'
            )
            on = " on-prod" if mark == "prod" else ""
            parts.append(_text(x + CELL // 2, y + 19, mark, f"mark{on}"))
    parts.append(_text(end + 12, y + 20, file.state_words, "muted"))
    who = "by Sitewright" if line.option.installable else "by hand"
    parts.append(_text(end + 12 + STATE, y + 20, who, "" if line.option.installable else "muted"))
    return parts


def _legend(y: int) -> list[str]:
    text = (
        "PoC: a proof of concept. prod: of production quality, as somebody who publishes it says."
        " both: a way of it for each."
    )
    return [_text(EDGE, y, text, "muted")]


def _text(x: int, y: int, text: str, kind: str = "") -> str:
    name = f' class="{kind}"' if kind else ""
    return f'<text{name} x="{x}" y="{y}">{escape(text)}</text>'
