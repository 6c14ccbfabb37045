"""Hermetic screens: no animation, a fixed terminal, private folders, a clock that stands still."""

from __future__ import annotations

import os

# Textual reads these when it is imported, so they are set before anything imports it.
os.environ["TEXTUAL_ANIMATIONS"] = "none"
os.environ["TEXTUAL_SMOOTH_SCROLL"] = "0"

from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.css.types import CSSLocation

from tests.screens.recorded import RecordedServices


@pytest.fixture(scope="session", autouse=True)
def styles_read_once() -> Iterator[None]:
    """One reading of the style sheets for all apps of a process, each of which would read them.

    An app keeps what it has read by the same key, as long as its colours are the same.
    """
    read = Stylesheet._parse_rules
    kept: dict[tuple[object, ...], list[RuleSet]] = {}

    def once(
        sheet: Stylesheet,
        css: str,
        read_from: CSSLocation,
        is_default_rules: bool = False,
        tie_breaker: int = 0,
        scope: str = "",
    ) -> list[RuleSet]:
        words = (css, read_from, is_default_rules, tie_breaker, scope)
        key = (*words, *sorted(sheet._variables.items()))
        if key not in kept:
            kept[key] = read(sheet, *words)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", once)
        yield


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
    monkeypatch.setattr("screens.shell.dialog.READ_SECONDS", 0.0)
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def services() -> RecordedServices:
    """Recorded machines: w3 is silent, st1 is trusted already, the key of lb2 has changed."""
    return RecordedServices(silent=frozenset({"w3"}), keys={"st1": "trusted", "lb2": "changed"})
