"""Programs of Go for tests, built once from the sources that Go's module proxy serves."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.lab.host import LabError, run
from tests.lab.recipe import cache_folder, locked

_CACHE = cache_folder()
"""Asked when this is imported, since each test has a home of its own."""
_SECONDS = 3600.0


def built(name: str, source: Path, program: str, build: Callable[[Path], None]) -> Path:
    """The path of a program in a folder of the cache, built if need be.

    The folder is called by a hash of Go's version and all files of `source`. `build` is given the
    path and puts the program there last: where it is, all is there.
    """
    folder = _CACHE / f"{name}-{_digest(source)}"
    path = folder / program
    if not path.exists():
        with locked(folder):
            if not path.exists():
                build(path)
    return path


def _digest(source: Path) -> str:
    digest = hashlib.sha256(run(["go", "version"]).stdout.encode())
    for path in sorted(source.rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def build_one(what: str, folder: Path, flags: str, target: Path, package: str = ".") -> None:
    """Build a program for `target`; raises LabError, which says of what."""
    words = ["build", "-mod=readonly", "-trimpath", "-ldflags", f"-s -w {flags}".rstrip()]
    go(what, folder, [*words, "-o", str(target), package])


def go(what: str, folder: Path, arguments: list[str]) -> str:
    """What `go` says in a folder; raises LabError, which says that `what` could not be built."""
    done = subprocess.run(
        ["go", *arguments],
        cwd=folder,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=_SECONDS,
    )
    if done.returncode != 0:
        raise LabError(f"{what} could not be built: {done.stderr[-2000:]}")
    return done.stdout
