"""Own versions: the Sitewrights that stand beside one another on this computer.

A newer one is put beside the one that brings it, and is what `sitewright` starts from then on. The
one before stays: a run that is under way is gone on with by the version that began it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation import bounded_files
from foundation.paths import data_folder, make_private, write_whole
from foundation.problems import InputProblem, Refused
from foundation.version import __version__
from installer.record.journal_lines import BrokenJournal
from installer.record.witnessed import read_note, witness_of, write_note

if TYPE_CHECKING:
    from installer.record.runs import Run

_LARGEST: Final = 64 << 10
_HEAD: Final = "#!/bin/sh\n# Written by Sitewright: sitewright self-update.\n"
_STAMP: Final = ".stamp"
"""What an install.sh leaves in an environment that it made."""


@dataclass(frozen=True, slots=True)
class Versions:
    """Which programs are here by their versions, and what starts the newest of them."""

    front: Path | None = None
    """What a person starts; None where nothing was ever updated."""
    programs: Mapping[str, Path] = field(default_factory=dict)

    def with_(self, version: str, program: Path, front: Path) -> Versions:
        """The same with one more."""
        return Versions(front, {**self.programs, version: program})


class AnotherVersion(Refused):
    """A run that another version began, which is not here."""

    code = "another-version"


class OtherNote(Refused):
    """What is noted of our own versions is not what was written of them."""

    code = "versions-note-exchanged"


def versions_folder() -> Path:
    """Where the newer ones stand, each in an environment of its own."""
    return data_folder() / "versions"


def _file() -> Path:
    return versions_folder() / "versions.json"


def read_versions() -> Versions:
    """What is noted, by its witness where the note is gone; nothing where neither can be read.

    Raises OtherNote where it is another than was written: it names programs that are started.
    """
    try:
        note = read_note(_file(), _LARGEST)
    except (OSError, ValueError):
        return Versions()
    if note.exchanged:
        raise OtherNote(
            f"it names the programs that are Sitewright here, and {note.wrong}",
            where=str(_file()),
            remedy="Look at it. If you changed it yourself, remove it and its witness, and install "
            f"anew from the bundle: rm {shlex.join(map(str, (_file(), witness_of(_file()))))}",
        )
    try:
        found = json.loads(note.text or "")
        front, programs = found["front"], found["programs"]
        paths = {str(name): Path(str(path)) for name, path in programs.items()}
        return Versions(Path(str(front)), paths)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Versions()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Nobody else updates this Sitewright meanwhile; raises Refused."""
    folder = make_private(versions_folder())
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused(
                "another self-update is under way on this computer",
                where=str(folder),
                remedy="Wait for it, or end it.",
            ) from error
        yield


def _checkout() -> Path | None:
    """The folder of the checkout that runs here; None where it is installed."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() else None


def this_program() -> Path:
    """The program of this very Sitewright, in an environment that an install.sh made.

    Raises InputProblem for a checkout, which is brought on by Git, and for one that somebody else
    installed.
    """
    prefix = Path(sys.prefix)
    program = prefix / "bin/sitewright"
    checkout = _checkout()
    if checkout is not None:
        raise InputProblem(
            "this Sitewright runs from a checkout, which a bundle does not replace",
            where=str(checkout),
            remedy="Bring the checkout on (git pull), then ./install.sh. Or install from the "
            "bundle beside it: sh install.sh, in the bundle's folder.",
        )
    if not (prefix / _STAMP).is_file() or not program.is_file():
        raise InputProblem(
            "this Sitewright was not installed by an install.sh of ours",
            where=str(prefix),
            remedy="Bring it on by what installed it, or install from the bundle: sh install.sh, "
            "in the bundle's folder.",
        )
    return program


def put_in_front(version: str, program: Path) -> Path:
    """Have `sitewright` start another program from now on; what is started by a person.

    The one that runs here is kept under a name of its own. Every file is whole at every moment.
    """
    before, own = read_versions(), this_program()
    front = before.front or own
    known = before.programs.get(__version__)
    if known is None or not known.is_file():
        known = own
        if own == front:
            known = own.with_name(f"sitewright-{__version__}")
            write_whole(known, bounded_files.read_text(own, _LARGEST), mode=0o755)
    noted = before.with_(__version__, known, front).with_(version, program, front)
    value = {"front": str(front), "programs": {n: str(p) for n, p in noted.programs.items()}}
    write_note(_file(), json.dumps(value, indent=1) + "\n")
    write_whole(front, f'{_HEAD}exec {shlex.quote(str(program))} "$@"\n', mode=0o755)
    return front


def front_here() -> Path | None:
    """What a person starts, where this very Sitewright is one of those behind it; else None."""
    noted = read_versions()
    own = Path(sys.prefix) / "bin/sitewright"
    ours = own == noted.front or own in noted.programs.values()
    return noted.front if ours and noted.front is not None and noted.front.is_file() else None


def began(run: Run) -> str:
    """The version that began a run; "" for one of a version that did not say."""
    try:
        started = run.started()
    except (BrokenJournal, OSError):
        return ""  # what is wrong with its record is told where it is opened
    return str(started.data.get("version") or "") if started is not None else ""


def beginner_of(run: Run) -> Path | None:
    """The program to go on with a run: None for this one. Raises AnotherVersion where it is gone.

    What a journal says is only looked for among our own; nothing that it names is started.
    """
    version = began(run)
    if version in ("", __version__):
        return None
    program = read_versions().programs.get(version)
    if program is None or not os.access(program, os.X_OK):
        raise AnotherVersion(
            f"Sitewright {version[:40]} began the run {run.id}, and this is {__version__}; that "
            "one is not on this computer",
            where=str(run.folder),
            remedy="Install that version beside this one, from its bundle: sitewright self-update "
            "BUNDLE --allow-older NAME. Or go on with this one, if you know what differs: "
            "sitewright resume --with-this-version.",
        )
    return program


def require_this(run: Run) -> None:
    """Raise AnotherVersion for a run that another version began, whether that is here or not."""
    program = beginner_of(run)
    if program is not None:
        raise AnotherVersion(
            f"Sitewright {began(run)[:40]} began the run {run.id}, and this is {__version__}",
            where=str(run.folder),
            remedy=f"Go on with it by the one that began it: {shlex.quote(str(program))} resume",
        )


def under_way() -> tuple[Run, ...]:
    """The last run of each site, where something of it is left; one that nobody can read too."""
    from installer.record.runs import installed_sites, latest_run

    found = []
    for key in installed_sites():
        run = latest_run(key)
        if run is None or run.brought:
            continue
        try:
            left = not run.complete
        except (BrokenJournal, InputProblem, OSError):
            left = True
        if left:
            found.append(run)
    return tuple(found)
