"""Charts as SVG of our own: lines over the time of a run, with a limit and words for a reader.

They have no script, no font and no style of their own: their colours are the page's, and what a
line is stands beside its end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from markupsafe import Markup

from preflight.report.words import clean

_WIDTH, _HEIGHT = 720, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 118, 12, 34
_COLORS: Final = ("accent", "ok", "unknown", "warn")
_DASHES: Final = ("", "7 3", "2 3", "9 3 2 3")
"""Beside its colour each line has its own dashes, for who does not see the colours."""
_MOST_POINTS: Final = 360
_APART: Final = 13.0
"""Between the names of two lines at least."""
_OPENS: Final = (
    f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{{title}}"'
    ' xmlns="http://www.w3.org/2000/svg" width="100%">'
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its name, and a value for each moment; None leaves a gap."""

    name: str
    points: Sequence[tuple[float, float | None]]


def chart(
    title: str, unit: str, lines: Sequence[Line], limit: tuple[float, str] | None = None,
    lowest: float = 0.0,
) -> Markup:  # fmt: skip
    """A chart of lines over seconds; nothing where there is nothing to show."""
    lines = [Line(one.name, _thinned(one.points)) for one in lines]
    values = [value for one in lines for _, value in one.points if value is not None]
    times = [at for one in lines for at, _ in one.points]
    if not values or len(times) < 2:
        return Markup()
    top = max([*values, *([limit[0]] if limit else [])])
    step = _step((top - lowest) / 4)
    top = lowest + step * max(1, math.ceil((top - lowest) / step - 1e-9))
    first, last = min(times), max(*times, min(times) + 1)
    frame = _Frame(first, last, lowest, top)
    parts = [
        _OPENS.format(title=_text(title)),
        *_grid(frame, step, unit),
    ]
    names = []
    if limit:
        y = frame.y(limit[0])
        parts.append(_level(y, "fail", 1.5))
        names.append((y, limit[1], "fail"))
    for number, one in enumerate(lines):
        color = _COLORS[number % len(_COLORS)]
        dash = _DASHES[number % len(_DASHES)]
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        look = f'fill="none" stroke="var(--{color})" stroke-width="1.8"{dashes}'
        parts += [f'<path d="{path}" {look}/>' for path in _paths(one, frame)]
        if ends := [value for _, value in one.points if value is not None]:
            names.append((frame.y(ends[-1]), one.name, color))
    parts += _names(names)
    parts.append("</svg>")
    return Markup("".join(parts))  # noqa: S704 - every text in it was cleaned and escaped


@dataclass(frozen=True, slots=True)
class _Frame:
    first: float
    last: float
    low: float
    high: float

    def x(self, at: float) -> float:
        wide = _WIDTH - _LEFT - _RIGHT
        return _LEFT + wide * (at - self.first) / (self.last - self.first)

    def y(self, value: float) -> float:
        part = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * part


def _grid(frame: _Frame, step: float, unit: str) -> list[str]:
    parts = []
    value = frame.low
    while value <= frame.high + step / 2:
        y = frame.y(value)
        parts += [
            _level(y, "line", 1),
            _label(_LEFT - 6, y + 4, f"{value:,.6g}", "dim", end=True),
        ]
        value += step
    between = _nice_seconds((frame.last - frame.first) / 6)
    at = math.ceil(frame.first / between) * between
    while at <= frame.last:
        name = f"{at / 60:g} min" if between >= 60 else f"{at:g} s"
        parts.append(_label(frame.x(at), _HEIGHT - _BOTTOM + 18, name, "dim", middle=True))
        at += between
    parts.append(_label(_LEFT - 6, _HEIGHT - 4, unit, "dim", end=True))
    return parts


def _level(y: float, color: str, width: float) -> str:
    return (
        f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}"'
        f' stroke="var(--{color})" stroke-width="{width:g}"/>'
    )


def _paths(one: Line, frame: _Frame) -> list[str]:
    paths, open_path = [], ""
    for at, value in one.points:
        if value is None:
            if open_path:
                paths.append(open_path)
            open_path = ""
            continue
        open_path += f"{'L' if open_path else 'M'}{frame.x(at):.1f} {frame.y(value):.1f}"
    return [*paths, open_path] if open_path else paths


def _names(names: Sequence[tuple[float, str, str]]) -> list[str]:
    """The name of each line at its end, in their order, none on another and none outside."""
    places: list[float] = []
    for y, _, _ in sorted(names):
        places.append(max(y, places[-1] + _APART if places else _TOP))
    below = float(_HEIGHT - _BOTTOM)
    for number in reversed(range(len(places))):
        places[number] = min(places[number], below)
        below = places[number] - _APART
    return [
        _label(_WIDTH - _RIGHT + 6, place + 4, name, color)
        for place, (_, name, color) in zip(places, sorted(names), strict=True)
    ]


def _label(
    x: float, y: float, text: str, color: str, *, end: bool = False, middle: bool = False
) -> str:
    anchor = "end" if end else ("middle" if middle else "start")
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" text-anchor="{anchor}"'
        f' fill="var(--{color})">{_text(text)}</text>'
    )


def _thinned(points: Sequence[tuple[float, float | None]]) -> list[tuple[float, float | None]]:
    """Few enough points to draw: of each run of them the highest, so that no peak is lost."""
    each = math.ceil(len(points) / _MOST_POINTS)
    if each <= 1:
        return list(points)
    groups = [points[at : at + each] for at in range(0, len(points), each)]
    return [max(group, key=lambda one: -math.inf if one[1] is None else one[1]) for group in groups]


def _step(wanted: float) -> float:
    if wanted <= 0:
        return 1.0
    power = math.pow(10, math.floor(math.log10(wanted)))
    return next(part * power for part in (1, 2, 2.5, 5, 10) if part * power >= wanted * 0.999)


def _nice_seconds(wanted: float) -> float:
    nice = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
    return float(next((one for one in nice if one >= wanted), 7200))


def _text(text: str) -> str:
    return escape(clean(text))
