"""A flame graph (SVG) of a benchmark: `python -m benchmarks.flame farm.svg farm --machines 100`.

The stack of the main thread is looked at a thousand times a second of the process's own processor
time, so that waiting and what other processes do do not count. Wide is what took long; above a
frame stand those that it called. A frame's title has its share.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections import Counter
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from types import FrameType

WIDTH, ROW = 1400, 17
NARROWEST = 0.7
"""Pixels; what is narrower is left out."""
EVERY = 0.001
"""Seconds of processor time."""

Stack = tuple[str, ...]


@dataclass
class Frame:
    """A function as it was called by those below it."""

    samples: int = 0
    above: dict[str, Frame] = field(default_factory=dict)


def tree(stacks: Counter[Stack]) -> Frame:
    """The stacks, the outermost function first, laid upon one another."""
    root = Frame()
    for stack, count in stacks.items():
        frame = root
        frame.samples += count
        for name in stack:
            frame = frame.above.setdefault(name, Frame())
            frame.samples += count
    return root


def drawn(root: Frame, title: str) -> str:
    """The flame graph of a tree."""
    boxes: list[str] = []
    deepest = 0

    def draw(frame: Frame, name: str, x: float, depth: int) -> None:
        nonlocal deepest
        wide = WIDTH * frame.samples / max(root.samples, 1)
        if wide < NARROWEST:
            return
        deepest = max(deepest, depth)
        share = f"{name}: {100 * frame.samples / max(root.samples, 1):.1f} %"
        hue = 20 + sum(name.encode()) % 35
        shown = name[: int(wide / 6.5)] if wide > 25 else ""
        boxes.append(
            f'<g transform="translate({x:.1f} {-depth * ROW})"><title>{escape(share)}</title>'
            f'<rect width="{wide:.1f}" height="{ROW - 1}" fill="hsl({hue} 85% 68%)"/>'
            f'<text x="2" y="12">{escape(shown)}</text></g>'
        )
        for called, inner in sorted(frame.above.items(), key=lambda one: -one[1].samples):
            draw(inner, called, x, depth + 1)
            x += WIDTH * inner.samples / max(root.samples, 1)

    draw(root, title, 0, 0)
    tall = (deepest + 1) * ROW
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {ROW - tall} {WIDTH} {tall}">'
    return "\n".join([head, "<style>text{font:11px monospace}</style>", *boxes, "</svg>\n"])


def stack_of(frame: FrameType | None) -> Stack:
    """The functions of a stack, the outermost first."""
    names: list[str] = []
    while frame is not None:
        code = frame.f_code
        names.append(f"{Path(code.co_filename).stem}.{code.co_qualname}")
        frame = frame.f_back
    return tuple(reversed(names))


def main() -> None:
    """Run the benchmark under the eye, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("name", help="of the benchmark")
    parser.add_argument("words", nargs=argparse.REMAINDER, help="its options")
    options = parser.parse_args()
    stacks: Counter[Stack] = Counter()

    def look(_signal: int, frame: FrameType | None) -> None:
        stacks[stack_of(frame)] += 1

    signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
    sys.argv = [options.name, *options.words]
    try:
        # Imported, not run: what it starts processes with must be found under its own name.
        importlib.import_module(f"benchmarks.{options.name}").main()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        options.file.write_text(drawn(tree(stacks), " ".join(sys.argv)))


if __name__ == "__main__":
    main()
