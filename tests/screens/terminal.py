"""A pseudo-terminal with a program in it, read until something is on it."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 90.0


class Terminal:
    """A Python program on a terminal of its own."""

    def __init__(
        self, code: str, *, size: tuple[int, int] = (80, 24), environment: Mapping[str, str]
    ) -> None:
        self.output = b""
        self.status: int | None = None
        self.fd, theirs = pty.openpty()
        # Before there is a program that could look, or change what it finds.
        columns, lines = size
        termios.tcsetwinsize(theirs, (lines, columns))
        self.before = termios.tcgetattr(theirs)
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.fd)
            os.login_tty(theirs)
            env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
            # A runner in the background has it ignored, and a child would inherit that.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.execve(sys.executable, [sys.executable, "-c", code], env)  # noqa: S606 - a test's own program
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def _read(self, seconds: float) -> bool:
        """Read what there is; False at the end."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # how Linux tells that the other side is gone
            return False
        self.output += data
        return bool(data)

    def wait_for(self, words: str) -> None:
        """Read until some words have come."""
        end = time.monotonic() + PATIENCE
        while words.encode() not in self.output:
            alive = self._read(0.1)
            if (not alive and words.encode() not in self.output) or time.monotonic() > end:
                raise AssertionError(f"{words!r} did not come:\n{self.output.decode()[-3000:]}")

    def send(self, text: str) -> None:
        """Type."""
        os.write(self.fd, text.encode())

    def end(self) -> int:
        """Read to the end; the exit code."""
        end = time.monotonic() + PATIENCE
        while self._read(0.1):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
                while self._read(0.05) and select.select([self.fd], [], [], 0)[0]:
                    pass
                return self.status
            if time.monotonic() > end:
                raise AssertionError(f"it did not end:\n{self.output.decode()[-3000:]}")
        _, status = os.waitpid(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        return self.status
