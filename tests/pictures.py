"""Draws the pictures of the README with recorded machines: `python -m tests.pictures FOLDER`."""

from __future__ import annotations

import os

os.environ.update(TEXTUAL_ANIMATIONS="none", TERM="xterm-256color", COLORTERM="truecolor")

import asyncio
import sys
from pathlib import Path

from screens.app import SitewrightApp
from tests.screens.recorded import RecordedServices
from tests.screens.test_snapshots import DRIVES


async def draw(folder: Path) -> None:
    """The welcome, the preflight and a finding, 100 columns wide."""
    for name in ("goal", "preflight", "findings"):
        app = SitewrightApp(RecordedServices())
        async with app.run_test(size=(100, 28)) as pilot:
            await DRIVES[name](pilot)
            picture = app.export_screenshot(title="Sitewright")
        # The font is fetched from nowhere: the reader's own monospace is used.
        lines = picture.splitlines()
        start = next(i for i, line in enumerate(lines) if "@font-face" in line)
        end = max(i for i, line in enumerate(lines) if "font-weight: 700" in line) + 1
        kept = lines[:start] + lines[end + 1 :]
        text = "\n".join(kept).replace("Fira Code", "monospace")
        (folder / f"{name}.svg").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(draw(Path(sys.argv[1])))
