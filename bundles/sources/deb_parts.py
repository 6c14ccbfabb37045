"""The two archives inside a Debian package, as dpkg-deb unpacks them, bounded in bytes and time."""

from __future__ import annotations

import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from bundles.format import budgets
from bundles.format.tar_stream import Budget, members
from foundation.isolation import child_environment


@contextmanager
def part_of_deb(
    path: Path, part: Literal["fsys", "ctrl"], budget: Budget
) -> Iterator[tuple[tarfile.TarFile, Iterator[tarfile.TarInfo]]]:
    """The files (fsys) or the control files (ctrl) of a package, in turn.

    Raises OSError where dpkg-deb is not there, tarfile.TarError where they cannot be read.
    """
    # dpkg-deb knows every compression that a package may have, and only unpacks.
    process = subprocess.Popen(
        ["dpkg-deb", f"--{part}-tarfile", str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=child_environment("dpkg-deb"),
    )
    late = threading.Timer(budgets.PROGRAM_SECONDS, process.kill)
    late.daemon = True
    late.start()
    with process:
        try:
            with members(process.stdout, budget) as found:
                yield found
        finally:
            late.cancel()
            process.kill()
