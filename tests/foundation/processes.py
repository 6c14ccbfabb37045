"""Processes that a test waits for."""

from __future__ import annotations

import time
from pathlib import Path


def wait_until_gone(pid: int) -> None:
    """Wait for a process to end, a minute at most."""
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
