"""What both faces of an acceptance are tried with."""

from __future__ import annotations

from pathlib import Path

import pytest

from installer.acceptance import accept as whole
from installer.acceptance.result import Ceiling
from tests.installer.acceptance.test_accept import WIDE


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch, hermetic: Path) -> None:
    """Bounds that a busy machine does not break, and no driver held against a null hub first."""

    async def ceiling(*_: object) -> Ceiling:
        return Ceiling(1000.0, 0.002, held=True)

    monkeypatch.setattr(whole, "ceiling", ceiling)
    monkeypatch.setattr("installer.acceptance.choice.bounds", lambda: WIDE)
    monkeypatch.setenv("XDG_DATA_HOME", str(hermetic / "data"))
    # What comes so soon after a grave question is not believed; no test waits for that.
    monkeypatch.setattr("screens.shell.dialog.READ_SECONDS", 0.0)
