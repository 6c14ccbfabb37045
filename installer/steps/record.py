"""Record: what this computer keeps of the site, laid on a machine as one private archive.

The newest runs go first, as many as there is room for; what stays behind is told. There are no
secrets in it, as in everything that Sitewright writes.
"""

from __future__ import annotations

import asyncio
import io
import re
import tarfile
from pathlib import Path
from typing import Final, Literal

from foundation.problems import InputProblem
from foundation.wording import counted
from installer.catalogue.stages import StepData
from installer.events import Kind
from installer.plans.plan_files import BROUGHT
from installer.steps.kind import StepContext, StepKind
from installer.steps.probed import Probed, must_be_good, parsed

MOST: Final = 24 * 1024 * 1024
"""Bytes of the archive: it is held in memory, and goes to the machine as one input."""
_LARGEST_FILE: Final = 64 * 1024 * 1024
RUN: Final = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}(-dry)?")
ENDS: Final = "ends"
"""Beside the runs: how far the journal of each is, as it was noted while it worked."""

_WRITE: Final = """\
set -eu
umask 077
mkdir -p -- "$(dirname -- "$1")"
cat > "$1.new"
mv -f -- "$1.new" "$1"
"""


class RecordStep(StepData):
    """What this computer keeps of the site, as one archive on each machine of the step."""

    kind: Literal["record"]
    path: str
    """Where it lies there; root's alone."""
    site: str
    """The key of the site's record; what verified or changed it has folders of its own beside."""


class Record(Probed):
    """Made anew each time: the record grows with each run."""

    model = RecordStep

    def data(self, context: StepContext) -> RecordStep:
        """The step's data."""
        return parsed(context, RecordStep)

    async def do(self, context: StepContext) -> str:
        """Pack and lay down the record; it says how many runs are in it."""
        data = self.data(context)
        path = data.path
        if not path.startswith("/"):
            raise InputProblem(f'the path "{path}" is not absolute', where="the plan")
        packed, runs, left = await asyncio.to_thread(
            archive_of, context.folder.parent.parent, data.site
        )
        if left:
            context.emit(
                Kind.NOTE,
                text=f"{counted(left, 'older run')} of this site did not fit into the record that "
                "is backed up; they stay on this computer alone.",
            )
        ended = await context.change(
            f"lay down the record of {counted(runs, 'run')}",
            ("sh", "-c", _WRITE, "sh", path),
            stdin=packed,
        )
        must_be_good(context, ended, f"writing {path}")
        return f"The record of {counted(runs, 'run')} lies there ({len(packed)} bytes)."


def archive_of(folder: Path, site: str, most: int = MOST) -> tuple[bytes, int, int]:
    """A .tar.gz of the runs of a site, how many are in it, and how many did not fit.

    `folder` has the folders of all sites.
    """
    ours = re.compile(re.escape(site) + r"(-[a-z-]+)?")
    found = [
        run
        for errand in folder.iterdir()
        if errand.is_dir() and not errand.is_symlink() and ours.fullmatch(errand.name)
        for run in errand.iterdir()
        if RUN.fullmatch(run.name) and run.is_dir() and not run.is_symlink()
    ]
    found.sort(key=lambda run: run.name, reverse=True)
    buffer = io.BytesIO()
    runs = 0
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=6) as tar:
        for run in found:
            # How far a journal is goes before it: that of this very run grows meanwhile.
            for path in (run.parent / ENDS / f"{run.name}.json", *sorted(run.rglob("*"))):
                if path.is_symlink() or not path.is_file() or path.name == BROUGHT:
                    continue
                if path.stat().st_size > _LARGEST_FILE:
                    continue
                name = f"{run.parent.name}/{path.relative_to(run.parent)}"
                with path.open("rb") as file:
                    member = tarfile.TarInfo(name)
                    # What is appended meanwhile is not in it.
                    member.size, member.mode = path.stat().st_size, 0o600
                    member.mtime = int(path.stat().st_mtime)
                    tar.addfile(member, file)
            runs += 1
            if buffer.tell() > most * 3 // 4:
                break
    return buffer.getvalue(), runs, len(found) - runs


KIND: Final[StepKind] = Record()
