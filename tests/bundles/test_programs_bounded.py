"""What a program that helps to make a bundle may fill of the disk, and what it may write."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from bundles.format.budgets import MIB
from bundles.format.problems import SourceProblem
from bundles.sources import workshop
from bundles.sources.workshop import hear_program

FILLS = "echo $$ >pid; while :; do head -c 100000 /dev/zero >>big; done"


async def test_a_server_that_gives_without_end_does_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is a stand-in; the program, as git does, leaves its work to a child."""

    def usage(folder: Path) -> SimpleNamespace:
        big = folder / "big"
        return SimpleNamespace(free=4 * MIB - (big.stat().st_size if big.exists() else 0))

    monkeypatch.setattr(shutil, "disk_usage", usage)
    monkeypatch.setattr(workshop, "DISK_LOOK_SECONDS", 0.01)
    command = ["sh", "-c", 'sh -c "$0" & wait', FILLS]
    with pytest.raises(SourceProblem, match="sh was ended, for the disk is nearly full"):
        await hear_program(command, what="git env", surroundings=dict(os.environ), cwd=tmp_path)
    assert has_ended((tmp_path / "pid").read_text().strip())


def has_ended(pid: str) -> bool:
    """Whether a process is gone, or waits only for its parent to hear of it."""
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


async def test_what_a_program_is_asked_reaches_it_however_long(tmp_path: Path) -> None:
    asked = b"x" * 300_000
    output, errors, status = await hear_program(
        ["cat"], what="cat", surroundings=dict(os.environ), cwd=tmp_path, asked=asked
    )
    assert (output, errors, status) == (asked, b"", 0)
