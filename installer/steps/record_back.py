"""Record-back: what a machine was given of a site's record, laid on this computer again.

What comes is read as hostile: only names that Sitewright gives, only regular files, bounded; a run
that lies here already stays as it is.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import re
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import Final, Literal

from foundation.paths import make_private
from foundation.wording import counted
from installer.catalogue.stages import StepData
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
            came, were = await asyncio.to_thread(unpack, packed, context.folder.parent.parent)
        except (tarfile.TarError, EOFError, zlib.error, ValueError) as error:
            raise StepFailed(
                f"the record that was backed up cannot be read: {error}",
                where=context.host.name,
                remedy="The cluster is restored all the same. Leave this step out by name: --skip "
                f'{context.step.key}="the record cannot be read".',
                again=False,
            ) from error
        return f"{counted(came, 'run')} of the site came back to this computer; {were} lay here."

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


def unpack(packed: bytes, runs: Path) -> tuple[int, int]:
    """Lay the runs of an archive below the folder of all; how many came, and how many lay here.

    Raises ValueError and what tarfile raises; nothing is laid then.
    """
    make_private(runs)
    with tempfile.TemporaryDirectory(prefix=".coming-", dir=runs) as work:
        found: set[tuple[str, str]] = set()
        files = room = 0
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
            for member in tar:
                name = _NAME.fullmatch(member.name)
                files, room = files + 1, room + member.size
                if name is None or not member.isfile():
                    raise ValueError(f"{member.name!r} is no file of a run")
                if files > _MOST_FILES or room > _MOST_BYTES:
                    raise ValueError("it is larger than any record")
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
        for site, run in sorted(found):
            place = runs / site / run
            if not place.exists():
                make_private(place.parent)
                (Path(work) / site / run).rename(place)
                came += 1
                end = Path(ENDS) / f"{run}.json"
                if (Path(work) / site / end).is_file():
                    make_private(runs / site / ENDS)
                    (Path(work) / site / end).replace(runs / site / end)
    return came, len(found) - came


KIND: Final[StepKind] = RecordBack()
