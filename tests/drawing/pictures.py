"""The pictures of the README, of recorded machines: `python -m tests.drawing.pictures FOLDER`."""

from __future__ import annotations

import os

os.environ.update(TEXTUAL_ANIMATIONS="none", TERM="xterm-256color", COLORTERM="truecolor")

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from textual.pilot import Pilot

from screens.shell.app import SitewrightApp
from tests.screens.recorded import RecordedServices
from tests.screens.scripted import scripted
from tests.screens.test_snapshots import DRIVES, INSTALLATION

SIZE = (100, 28)


async def draw(folder: Path) -> None:
    """The goal, the preflight and a finding with recorded machines, and a scripted installation."""
    for name in ("goal", "preflight", "findings"):
        write(folder, name, await drawn(SitewrightApp(RecordedServices()), DRIVES[name]))
    drive, events, failures = INSTALLATION["install"]
    with TemporaryDirectory() as place:
        app = SitewrightApp(scripted(Path(place), events, failures))
        write(folder, "install", await drawn(app, drive))


async def drawn(app: SitewrightApp, drive: Callable[[Pilot[int]], Awaitable[None]]) -> str:
    """The screen at the end of a drive, as an SVG."""
    async with app.run_test(size=SIZE) as pilot:
        await drive(pilot)
        return app.export_screenshot(title="Sitewright")


def write(folder: Path, name: str, picture: str) -> None:
    """A picture without the address of a font."""
    # The font is fetched from nowhere: the reader's own monospace is used.
    lines = picture.splitlines()
    start = next(i for i, line in enumerate(lines) if "@font-face" in line)
    end = max(i for i, line in enumerate(lines) if "font-weight: 700" in line) + 1
    kept = lines[:start] + lines[end + 1 :]
    text = "\n".join(kept).replace("Fira Code", "monospace")
    (folder / f"{name}.svg").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(draw(Path(sys.argv[1])))
