"""Hermetic screens: no animation, a fixed terminal, private folders, a clock that stands still."""

from __future__ import annotations

import os

# Textual reads these when it is imported, so they are set before anything imports it.
os.environ["TEXTUAL_ANIMATIONS"] = "none"
os.environ["TEXTUAL_SMOOTH_SCROLL"] = "0"

from pathlib import Path

import pytest

from tests.screens.recorded import RecordedServices


@pytest.fixture(autouse=True)
def hermetic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, one terminal, one locale; returns the folder one works in."""
    home = tmp_path / "home"
    work = tmp_path / "work"
    for folder in (home, work):
        folder.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    for name in ("NO_COLOR", "COLORFGBG", "SITEWRIGHT_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    # A test reads faster than a person; the one of this wait sets it anew.
    monkeypatch.setattr("screens.dialog.READ_SECONDS", 0.0)
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def services() -> RecordedServices:
    """Recorded machines: w3 is silent, st1 is trusted already, the key of lb2 has changed."""
    return RecordedServices(silent=frozenset({"w3"}), keys={"st1": "trusted", "lb2": "changed"})
