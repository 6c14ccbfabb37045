"""Start-up: `sitewright --version` against a bare Python, and the wizard's first paint."""

from __future__ import annotations

import argparse
import os
import pty
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def timed(command: list[str], runs: int) -> list[float]:
    """Seconds of whole processes, one after the other."""
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - started)
    return seconds


def first_paint(command: list[str], marker: bytes, home: str) -> float:
    """Seconds from exec until the marker's text is on a pseudo-terminal of 80x24."""
    started = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(
            TERM="xterm-256color",
            COLUMNS="80",
            LINES="24",
            HOME=home,
            XDG_STATE_HOME=home,
            XDG_CONFIG_HOME=home,
        )
        os.execv(command[0], command)  # noqa: S606 - a pseudo-terminal needs fork and exec
    seen = b""
    try:
        while marker not in seen:
            ready, _, _ = select.select([terminal], [], [], 20)
            if not ready:
                raise TimeoutError("the wizard painted nothing in 20 s")
            seen += os.read(terminal, 65536)
        return time.perf_counter() - started
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def main() -> None:
    """Print medians of both figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    program = str(Path(sys.executable).with_name("sitewright"))
    # As installed: the modules' bytecode is there from the second start on.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    timed([program, "--version"], 1)
    bare: list[float] = []
    version: list[float] = []
    for _ in range(options.runs):
        bare += timed([sys.executable, "-c", "pass"], 1)
        version += timed([program, "--version"], 1)
    base, ours = statistics.median(bare), statistics.median(version)
    print(f"python3 -c pass        {base * 1000:7.1f} ms")
    print(f"sitewright --version   {ours * 1000:7.1f} ms   (+{(ours - base) * 1000:.1f} ms)")
    with tempfile.TemporaryDirectory() as home:
        paints = [first_paint([program], b"Sitewright", home) for _ in range(options.runs)]
    print(f"wizard, first paint    {statistics.median(paints) * 1000:7.1f} ms")


if __name__ == "__main__":
    main()
