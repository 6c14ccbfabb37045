"""Faults that a drill left set: a note of each, for whoever comes after, and their undoing."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import shlex
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation.isolation import NOWHERE, environment
from foundation.paths import data_folder, make_private
from foundation.problems import Refused
from foundation.secrets import cut
from foundation.wording import counted, duration
from installer.acceptance.hub_file import Drill
from installer.acceptance.spoken import spoken
from installer.record.witnessed import drop_note, gone_notes, read_note, witness_of, write_note

_NOTE_BYTES: Final = 1 << 20
_MOST_NOTES: Final = 1000
_SECONDS: Final = 600.0
"""For one command."""


@dataclass
class Note:
    """What undoes a fault, on disk from before the fault is set; held while somebody is at it."""

    file: Path
    held: int
    """A descriptor of the file, locked: who was killed holds nothing."""

    def take_away(self) -> None:
        """The fault was undone."""
        drop_note(self.file)
        os.close(self.held)

    def leave(self) -> None:
        """It was not, and nobody is at it any more."""
        os.close(self.held)


@dataclass(frozen=True, slots=True)
class LeftFault:
    """A fault of an acceptance before of which nobody saw that it was undone."""

    file: Path
    name: str
    undo: tuple[str, ...]
    """Empty where the note cannot be read."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Its note and the note's witness, as many of them as there are."""
        return tuple(one for one in (self.file, witness_of(self.file)) if one and one.exists())

    @property
    def command(self) -> str:
        """What undoes it, as a person would type it."""
        if self.undo:
            return shlex.join(self.undo)
        return f"as {self.file} says, which cannot be read or is not as it was written"


def notes_folder() -> Path:
    """Where there is a note of each fault while it is set."""
    return data_folder() / "acceptances" / "not-undone"


def note(drill: Drill) -> Note:
    """Note what undoes a fault; of each one by itself, so that none takes another's place."""
    file = make_private(notes_folder()) / f"{drill.name}-{secrets.token_hex(4)}.json"
    write_note(file, json.dumps({"drill": drill.name, "undo": drill.undo}))
    held = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    fcntl.flock(held, fcntl.LOCK_EX)
    return Note(file, held)


def left_faults() -> list[LeftFault]:
    """Every fault of which there is a note, also that of an acceptance which is under way."""
    # The one file of an earlier version stands beside the folder.
    files = [notes_folder().with_suffix(".json")]
    with contextlib.suppress(FileNotFoundError):
        files += sorted(notes_folder().iterdir())[:_MOST_NOTES]
    # One that was deleted is undone by what its witness says, and is no word that none was set.
    files += gone_notes(notes_folder())[:_MOST_NOTES]
    return [fault for file in files if (fault := _read(file)) is not None]


def _read(file: Path) -> LeftFault | None:
    try:
        found = read_note(file, _NOTE_BYTES)
        if found.text is None and not found.gone:
            return None
        if found.exchanged:
            return LeftFault(file, "?", ())
        said = json.loads(found.text or "")
        return LeftFault(file, str(said["drill"]), tuple(map(str, said["undo"])))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return LeftFault(file, "?", ())


def require_none_left() -> None:
    """Raise Refused where a fault of an acceptance before was not undone, as far as is known."""
    faults = left_faults()
    if not faults:
        return
    first = faults[0]
    more = f", and {counted(len(faults) - 1, 'fault')} besides" if len(faults) > 1 else ""
    raise Refused(
        f"the fault {cut(first.name, 60)} of an acceptance before was set{more}, and nobody saw"
        " that it was undone: what is measured now would be measured with it",
        where=str(first.file),
        remedy="Have them undone: sitewright accept --undo-left. By hand it is "
        + "; ".join(cut(one.command, 4000) for one in faults[:10])
        + "; see that the hub is whole, and take the notes away: rm "
        + shlex.join(str(path) for one in faults[:10] for path in one.files),
    )


async def undo_left(say: Callable[[str], None]) -> bool:
    """Undo each that is left and at which nobody is; whether none is left."""
    whole = True
    for one in left_faults():
        try:
            # Of one whose note is gone the witness is held: nobody else undoes it meanwhile.
            held = os.open(one.files[0] if one.files else one.file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            say(f"NOT undone: {one.name} ({error})")
            whole = False
            continue
        try:
            whole = await _undone(one, held, say) and whole
        finally:
            os.close(held)
    return whole


async def _undone(one: LeftFault, held: int, say: Callable[[str], None]) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        say(f"Left alone: {one.name}. The acceptance that set it is under way, and undoes it.")
        return False
    if not one.undo:
        say(f"NOT undone: {one.name}, {one.command}")
        return False
    say(f"Undoing {one.name}: {one.command}")
    if why := await run_command(one.undo):
        say(f"NOT undone: {one.command} ({why})")
        return False
    drop_note(one.file)
    return True


async def run_command(command: Sequence[str]) -> str:
    """Run a command to its end; why it failed, or ""."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=NOWHERE, env=environment(), start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        return f"{command[0]} could not be started: {error}"
    try:
        _, err = await asyncio.wait_for(spoken(process), _SECONDS)
    except TimeoutError:
        return f"it did not end within {duration(_SECONDS)}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if process.returncode == 0:
        return ""
    said = cut(err, 600, last=True)
    return f"it ended with {process.returncode}: {said or 'no word'}"
