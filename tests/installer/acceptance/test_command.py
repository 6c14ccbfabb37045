"""`sitewright accept` as it is typed, where no hub is needed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from foundation.problems import ExitCode
from installer.acceptance import accept as whole
from installer.acceptance.accept import Asked, Progress
from installer.acceptance.hub_file import EXAMPLE
from installer.cli import main


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    file = tmp_path / "hub.yaml"
    file.write_text(EXAMPLE)
    return file


def test_a_file_that_stands_there_is_told_before_the_hour_and_not_after(
    hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def accept(*_: object) -> None:
        raise AssertionError("it began")

    monkeypatch.setattr(whole, "accept", accept)
    page = tmp_path / "page.html"
    page.write_text("somebody else's")
    assert main(["accept", str(hub), "--format", "html", "--output", str(page)]) == ExitCode.USAGE
    assert str(page) in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_terminal_that_is_shut_leaves_nothing_set(
    number: int, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undone = []

    class Gone:
        def write(self, _: str) -> int:
            raise OSError(5, "Input/output error")

        flush = write

    async def accept(_: Asked, progress: Progress) -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(sys, "stderr", Gone())
        loop.call_soon(os.kill, os.getpid(), number)
        try:
            await asyncio.sleep(30)
        finally:
            progress.say("Taking back …")
            undone.append(number)
            monkeypatch.undo()

    monkeypatch.setattr(whole, "accept", accept)
    assert main(["accept", str(hub)]) == ExitCode.INTERRUPTED
    assert undone == [number]


@pytest.mark.parametrize("left", ["", "swaccept00a is active: it answered 500."])
def test_that_all_was_taken_back_is_only_said_where_it_was(
    left: str, hub: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def accept(_: Asked, progress: Progress) -> None:
        progress.left += [left] if left else []
        raise asyncio.CancelledError

    monkeypatch.setattr(whole, "accept", accept)
    assert main(["accept", str(hub)]) == ExitCode.INTERRUPTED
    said = " ".join(capsys.readouterr().err.split())
    assert ("what it made in the hub was taken back" in said) is not bool(left)
    assert ("NOT taken back: swaccept00a is active" in said) is bool(left)
