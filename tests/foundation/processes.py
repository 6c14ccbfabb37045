"""Processes that a test waits for."""

from __future__ import annotations

import time
from pathlib import Path

BOUNDS = (0.5, 2, 8, 30)
"""Seconds for what never ends: a longer one where a busy machine had not come so far in these."""


def wait_until_gone(pid: int) -> None:
    """Wait for a process to end, a minute at most."""
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
