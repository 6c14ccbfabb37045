"""Growth: what each figure costs at one size and at larger ones, as plots (SVG).

Machines: the processor time and memory of a whole preflight of 1, 10, 100 and 500 (`farm`). Lines:
`status`, `report`, `support-bundle` and `replay` of a run with 1, 10 and 100 thousand (`record`).
Both axes are logarithmic, and the dotted lines grow as fast as the work: what is steeper than they
are grows faster than its work.
"""

from __future__ import annotations

import argparse
import math
import re
import subprocess
import sys
from html import escape
from pathlib import Path

Points = list[tuple[float, float]]

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 900, 480, 70, 50, 280, 50
COLOURS = ("#0b5394", "#b45f06", "#38761d", "#741b47", "#134f5c", "#7f6000")


def plot(title: str, across: str, up: str, series: dict[str, Points]) -> str:
    """An SVG of some series over the same sizes; both axes logarithmic, all values above 0."""
    xs = sorted({x for points in series.values() for x, _ in points})
    ys = [y for points in series.values() for _, y in points]
    low, high = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))
    high = max(high, low + 1)
    first, last = math.log10(xs[0]), math.log10(xs[-1])
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    middle = TOP + tall / 2

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + wide * (math.log10(x) - first) / ((last - first) or 1),
            TOP + tall * (high - math.log10(y)) / (high - low),
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
        "<style>text{font:13px sans-serif}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        '<clipPath id="field">',
        f'<rect x="{LEFT}" y="{TOP}" width="{wide}" height="{tall}"/>',
        "</clipPath>",
        f'<text x="{LEFT}" y="28">{escape(title)}</text>',
        f'<text x="{LEFT}" y="{HEIGHT - 10}">{escape(across)}</text>',
        f'<text x="16" y="{middle}" transform="rotate(-90 16 {middle})">{escape(up)}</text>',
    ]
    for power in range(low, high + 1):
        _, y = at(xs[0], 10.0**power)
        parts.append(
            f'<path d="M{LEFT} {y:.1f}h{wide}" stroke="#ddd"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g}</text>'
        )
    for x in xs:
        place, _ = at(x, 10.0**low)
        parts.append(
            f'<text x="{place:.1f}" y="{TOP + tall + 18}" text-anchor="middle">{x:,g}</text>'
        )
    for power in range(low - 5, high + 1):
        (x1, y1), (x2, y2) = at(xs[0], 10.0**power), at(xs[-1], 10.0**power * xs[-1] / xs[0])
        parts.append(
            f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="#bbb" '
            'stroke-dasharray="2 4" clip-path="url(#field)"/>'
        )
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = [at(x, y) for x, y in sorted(points)]
        way = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        parts.append(f'<path d="M{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        y = TOP + 16 + number * 20
        parts.append(
            f'<text x="{WIDTH - RIGHT + 20}" y="{y}" fill="{colour}">{escape(name)}: '
            f"{max(points)[1]:,g}</text>"
        )
    return "\n".join([*parts, "</svg>\n"])


def printed(*words: str) -> str:
    """What a benchmark prints."""
    done = subprocess.run(
        [sys.executable, "-m", *words], check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def machines(counts: list[int]) -> dict[str, Points]:
    """CPU (ms) and memory (MB) of a preflight of so many machines."""
    series: dict[str, Points] = {"CPU, ms": [], "memory, MB": []}
    for count in counts:
        text = printed("benchmarks.farm", "--machines", str(count))
        for name, pattern, times in (
            ("CPU, ms", r"client CPU +([\d.]+)", count),
            ("memory, MB", r"client memory, peak +([\d.]+)", 1),
        ):
            found = re.search(pattern, text)
            assert found is not None, text
            series[name].append((count, float(found[1]) * times))
    return series


def lines(text: str) -> dict[str, Points]:
    """CPU (s) of each command by what `benchmarks.record` printed."""
    series: dict[str, Points] = {}
    for count, name, cpu in re.findall(r"^ *(\d+) lines  (\S.*?) +CPU +([\d.]+) s", text, re.M):
        series.setdefault(name, []).append((float(count), max(float(cpu), 0.01)))
    return series


def main() -> None:
    """Measure, and write a plot of each into the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--machines", type=int, nargs="*", default=[1, 10, 100, 500])
    parser.add_argument("--lines", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.machines:
        file = options.folder / "machines.svg"
        found = machines(options.machines)
        file.write_text(plot("A whole preflight", "machines", "ms or MB", found))
        print(file, found)
    if options.lines:
        file = options.folder / "lines.svg"
        found = lines(printed("benchmarks.record", "--lines", *map(str, options.lines)))
        file.write_text(plot("The record of a run", "lines of output", "CPU, s", found))
        print(file, found)


if __name__ == "__main__":
    main()
