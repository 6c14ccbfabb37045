"""Running the probe's script in the shells of this machine, as the tests of the probe need it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from preflight.parse.frames import Answer, split_frames
from preflight.probe import probe_script

NONCE = "probe"

SHELLS: dict[str, list[str]] = {
    "dash": ["dash"],
    "bash": ["bash", "--posix"],
    "busybox": ["busybox", "ash"],
    "sh": ["sh"],
}


def installed(name: str) -> bool:
    """Whether this machine has a shell of SHELLS."""
    return shutil.which(SHELLS[name][0]) is not None


SHORT = {"bounded 2 ": "bounded 0.3 "}
"""For a test of one command that hangs: 0.3 s for each in place of 2."""

SHORTER = {**SHORT, "-ge 6 ]": "-ge 1 ]", "sleep 9 &": "sleep 4 &"}
"""For a test of the whole: no more commands after 1 s in place of 6, and an end after 4, not 9."""


@dataclass(frozen=True)
class Ran:
    """A run of the script: everything it wrote, and the sections in it."""

    output: bytes
    status: int
    answer: Answer


def run_script(
    shell: str = "sh",
    *,
    path: str | None = None,
    before: str = "",
    environment: dict[str, str] | None = None,
    user: int | None = None,
    bounds: Mapping[str, str] | None = None,
) -> Ran:
    """Run the script over standard input; `path` replaces its own PATH, `before` runs first.

    `bounds` replaces the script's own bounds, so that a test of what hangs need not wait for them.
    """
    text = probe_script().decode()
    for usual, short in (bounds or {}).items():
        assert usual in text
        text = text.replace(usual, short)
    if path is not None:
        own = next(line for line in text.split("\n") if line.startswith("PATH="))
        text = text.replace(own, f"PATH={path}")
    done = subprocess.run(
        [*SHELLS[shell], "-s", NONCE],
        input=(before + "\n" + text if before else text).encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PATH": os.environ["PATH"], "HOME": "/", **(environment or {})},
        user=user,
        group=user,
        extra_groups=[] if user is not None else None,
        cwd="/",
        timeout=30,
        check=False,
    )
    return Ran(done.stdout, done.returncode, split_frames(done.stdout, NONCE))


def folder_of_tools(folder: Path, *names: str) -> str:
    """A PATH with only these tools of the machine in it."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    for name in names:
        found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
        if found:
            (folder / name).symlink_to(found)
    return str(folder)


def stand_in(folder: Path, name: str, script: str) -> None:
    """Put a shell script in the place of a tool."""
    folder.mkdir(exist_ok=True)
    tool = folder / name
    tool.unlink(missing_ok=True)
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)


def left_over(words: str) -> list[str]:
    """The command lines of running processes that have these words in them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if words in line:
            found.append(line)
    return found
