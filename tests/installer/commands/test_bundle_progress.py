"""How work on a bundle is told where nobody sits at a terminal, and what a line says."""

from __future__ import annotations

import time

import pytest

from bundles.format.progress import Event
from installer.commands.bundle_progress import ProgressLine


def test_what_is_over_at_once_writes_no_progress_into_a_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    line = ProgressLine(quiet=False)
    line.bytes(1, 2)
    line.event(Event("bytes", 623, 0, False, 0.0, None, 0, 1))
    assert capsys.readouterr().err == ""
    now += 5.0
    line.event(Event("bytes", 623, 0, False, 0.0, None, 0, 1))
    assert capsys.readouterr().err == "0 of 1 lines, 623 B\n"
    now += 5.0
    line.event(Event("bytes", 1000, 4000, False, 300.0, 10.0, 0, 1))
    assert capsys.readouterr().err == "0 of 1 lines, 1.0 kB of 4.0 kB+, 300 B/s, 10 s left\n"
