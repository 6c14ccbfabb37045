"""Record-back: what a machine was given of a site's record, laid on this computer again.

What comes is read as hostile: only names that Sitewright gives, only of this site, only regular
files, bounded; a run that lies here already stays as it is. What a run would do was reviewed on
another computer, and whoever wrote on that machine could write it: such a run is looked at, and not
gone on with (`Run.brought`).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import gzip
import io
import re
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import Final, Literal

from bundles.format.tar_stream import Budget, members
from foundation.paths import make_private
from foundation.wording import counted
from installer.catalogue.stages import StepData
from installer.plans.plan_files import BROUGHT
from installer.steps.kind import StepContext, StepFailed, StepKind
from installer.steps.probed import Probed, parsed
from installer.steps.record import ENDS, MOST, RUN

_CHUNK: Final = 256 * 1024
_MOST_FILES: Final = 20_000
_MOST_BYTES: Final = 1 << 30
_NAME: Final = re.compile(
    r"(?P<site>[a-z0-9][a-z0-9.-]{0,100}-[0-9a-f]{10}(-[a-z-]{1,40})?)"
    rf"/((?P<run>{RUN.pattern})(/[A-Za-z0-9_][A-Za-z0-9_.-]{{0,119}}){{1,7}}"
    rf"|{ENDS}/{RUN.pattern}\.json)"
)
_READ: Final = '[ ! -e "$1" ] || tail -c "+$2" -- "$1" | head -c "$3" | base64'


class RecordBackStep(StepData):
    """The record that was restored on a machine, for this computer."""

    kind: Literal["record-back"]
    path: str
    """Where the archive lies there."""
    site: str = ""
    """The record that was backed up; empty (a plan of an earlier version) takes that of the run."""


class RecordBack(Probed):
    """Run folders are made whole or not at all."""

    model = RecordBackStep

    def data(self, context: StepContext) -> RecordBackStep:
        """The step's data."""
        return parsed(context, RecordBackStep)

    async def do(self, context: StepContext) -> str:
        """Fetch and unpack it; how many runs are here now that were not."""
        if context.dry_run:
            return "A dry run brings nothing."
        packed = await self._fetched(context, self.data(context).path)
        if not packed:
            return "There was no record of Sitewright in the backup."
        try:
            site = self.data(context).site or _site_of(context.folder.parent.name)
            came, were = await asyncio.to_thread(unpack, packed, context.folder.parent.parent, site)
        except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError) as error:
            raise StepFailed(
                f"the record that was backed up cannot be read: {error}",
                where=context.host.name,
                remedy="The cluster is restored all the same. Leave this step out by name: --skip "
                f'{context.step.key}="the record cannot be read".',
                again=False,
            ) from error
        return (
            f"{counted(came, 'run')} of the site came back to this computer, to be looked at; "
            f"{were} lay here."
        )

    async def _fetched(self, context: StepContext, path: str) -> bytes:
        packed = bytearray()
        while len(packed) <= MOST * 2:
            words = ("sh", "-c", _READ, "sh", path, str(len(packed) + 1), str(_CHUNK))
            seen = await context.look(words)
            try:
                piece = base64.b64decode(seen.stdout, validate=False)
            except binascii.Error as error:
                raise StepFailed(f"{path} cannot be read", where=context.host.name) from error
            if seen.status != 0:
                raise StepFailed(f"{path} cannot be read", where=context.host.name)
            packed += piece
            if len(piece) < _CHUNK:
                return bytes(packed)
        raise StepFailed(f"{path} is larger than any record", where=context.host.name, again=False)


def _site_of(folder: str) -> str:
    """The record to which a folder of runs belongs."""
    found = re.match(r".*-[0-9a-f]{10}(?=-|$)", folder)
    return found[0] if found else folder


def unpack(packed: bytes, runs: Path, site: str) -> tuple[int, int]:
    """Lay the runs of an archive below the folder of all: how many came, and how many lay here.

    `site` is the record that is meant; runs of any other are refused.
    Raises ValueError and what tarfile and gzip raise; nothing is laid then.
    """
    make_private(runs)
    ours = re.compile(re.escape(site) + r"(-[a-z-]{1,40})?")
    with tempfile.TemporaryDirectory(prefix=".coming-", dir=runs) as work:
        found: set[tuple[str, str]] = set()
        budget = Budget(_MOST_BYTES, _MOST_FILES)
        with (
            gzip.GzipFile(fileobj=io.BytesIO(packed)) as clear,
            members(clear, budget) as (tar, each),
        ):
            for member in each:
                name = _NAME.fullmatch(member.name)
                if name is None or not member.isfile():
                    raise ValueError(f"{member.name!r} is no file of a run")
                if not ours.fullmatch(name["site"]):
                    raise ValueError(f"{member.name!r} is of another site")
                content = tar.extractfile(member)
                if content is None:
                    raise ValueError(f"{member.name!r} has no content")
                path = Path(work) / member.name
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with path.open("xb") as file:
                    shutil.copyfileobj(content, file)
                path.chmod(0o600)
                if name["run"]:
                    found.add((name["site"], name["run"]))
        came = 0
        for of, run in sorted(found):
            place = runs / of / run
            if not place.exists():
                make_private(place.parent)
                (Path(work) / of / run / BROUGHT).touch(mode=0o600)
                (Path(work) / of / run).rename(place)
                came += 1
                end = Path(ENDS) / f"{run}.json"
                if (Path(work) / of / end).is_file():
                    make_private(runs / of / ENDS)
                    (Path(work) / of / end).replace(runs / of / end)
    return came, len(found) - came


KIND: Final[StepKind] = RecordBack()
