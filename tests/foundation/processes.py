"""Processes that a test waits for, and ports that are kept for those it starts."""

from __future__ import annotations

import socket
import time
from collections import deque
from pathlib import Path

BOUNDS = (0.5, 2, 8, 30)
"""Seconds for what never ends: a longer one where a busy machine had not come so far in these."""

PATIENCE = 120.0
"""Seconds for what must come: only a fault waits so long, and so no machine is too busy for it."""

_HELD: deque[socket.socket] = deque()
_HELD_AT_MOST = 100


def free_port(address: str = "127.0.0.1") -> int:
    """A port on which nothing listens, and that is given to nobody who asks for any.

    It stays bound here without listening. The kernel passes over it for every other test beside
    this one and for each connection that goes out; a server that is told to take it may, since
    both say SO_REUSEADDR, as sshd and what is written in Go and Python do.
    """
    held = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((address, 0))
    _HELD.append(held)
    if len(_HELD) > _HELD_AT_MOST:
        _HELD.popleft().close()
    return int(held.getsockname()[1])


def wait_until_gone(pid: int) -> None:
    """Wait for a process to end."""
    deadline = time.monotonic() + PATIENCE
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
