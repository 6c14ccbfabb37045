"""Record check: whether a run's journal is the one that was written, as far as this machine knows.

The chain in a journal shows a line that was changed, not that its end is gone, that all of it is
gone, or that it was written anew. So what a run leaves on its machines (see `other_hands`) is noted
here too, beside the folders of the runs; and a run whose logs tell of work had a journal. The notes
tell of each other as well: one that is missing, a run whose folder is gone, lines that came after
the end of a session, and a folder that was put among the runs of another site.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation import bounded_files
from foundation.paths import make_private
from installer.record.journal_lines import BrokenJournal
from installer.record.other_hands import Mark, mark_from_text, not_what_was_left
from installer.record.runs import SITE_KEY, Run, runs_folder, runs_of
from installer.record.witnessed import gone_notes, read_note, witness_of, write_note

if TYPE_CHECKING:
    from installer.record.state import RunState


class RecordGone(BrokenJournal):
    """A site of which no run is left here, though some worked there."""

    code = "record-gone"
    title = "The record of a site is gone"


ENDS: Final = "ends"
"""The folder of a site in which the ends of its journals are noted."""
HERE: Final = "this machine"
_RUN_ID: Final = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}(-dry)?")
_LARGEST: Final = 1024 * 1024
"""Bytes; a site of five thousand machines takes a third of it."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What is noted here of a run."""

    mark: Mark
    """How far its journal was."""
    kept: Mapping[str, int]
    """The machines that took a mark of it, each with the lines that its journal had then."""
    times: Mapping[str, str] = field(default_factory=dict)
    """When each of them took it: UTC, ISO 8601; an earlier version noted none."""

    def left_at(self, host: str) -> str:
        """When a machine took its mark; "" where that is not known."""
        last = self.kept.get(host) == self.mark.events
        return self.times.get(host, self.mark.time if last else "")


def note_end(run: Run, mark: Mark, kept: Iterable[str] = ()) -> None:
    """Note how far the journal of a run is, and which machines keep that; raises OSError."""
    folder = make_private(run.folder.parent / ENDS)
    before = _noted(run)
    now = sorted(kept)
    machines = {**(before.kept if before else {}), **dict.fromkeys(now, mark.events)}
    times = {**(before.times if before else {}), **dict.fromkeys(now, mark.time)}
    value = {**asdict(mark), "kept": machines, "times": times}
    write_note(folder / f"{run.id}.json", json.dumps(value, ensure_ascii=False) + "\n")


def noted_of_site(run: Run) -> list[tuple[str, Noted]]:
    """What is noted of a run, then of the others that worked on the same site, the latest first."""
    found = SITE_KEY.fullmatch(run.site_key)
    others = [other for other in runs_of(run.site_key) if other.id != run.id]
    if found is not None and found[2] and run.folder.parent.parent == runs_folder():
        others += runs_of(found[1])
    others.sort(key=lambda one: one.id, reverse=True)
    return [(one.id, noted) for one in (run, *others) if (noted := _noted(one)) is not None]


def noted_line(run: Run) -> tuple[int, ...]:
    """The number of the line whose hash `check_record` asks for, where one was noted."""
    noted = _noted(run)
    return () if noted is None else (noted.mark.events,)


def check_record(run: Run, state: RunState | None = None) -> RunState:
    """Raise BrokenJournal where a run's journal is missing, shortened, changed or another's.

    A run that was never begun has none, and nothing is wrong with that. `state` is what the journal
    tells, where it was read already. Returns it: who needs both reads the journal once.
    """
    journal = run.journal
    if (foreign := run.foreign) is not None:
        raise BrokenJournal(
            "it is a link, or no ordinary file, and nothing that Sitewright wrote",
            where=str(foreign),
            remedy=_FOREIGN,
        )
    noted = _noted(run)
    _check_note(run)
    if not journal.is_file() or journal.stat().st_size == 0:
        worked = sorted(path.stem for path in _logs(run))
        if not worked and (noted is None or noted.mark.events == 0):
            return state if state is not None else run.state()
        gone = "is empty" if journal.is_file() else "is missing"
        known = (
            f"the logs tell of work on {', '.join(worked[:6])}"
            if worked
            else f"{noted.mark.events if noted is not None else 0} lines were noted of it"
        )
        raise BrokenJournal(f"it {gone}, and {known}", where=str(journal), remedy=_GONE)
    if state is None:
        state = run.state(noted_line(run))
    if noted is not None:
        not_what_was_left(
            journal, [(HERE, noted.mark)], run.id, hashes=state.hashes, lines=state.events
        )
    started = state.started
    if started is None:
        raise BrokenJournal(
            "it does not begin as the journal of a run does", where=str(journal), remedy=_GONE
        )
    told = str(started.data.get("run") or run.id)
    if _RUN_ID.fullmatch(run.id) and told != run.id:
        raise BrokenJournal(
            f"it is another's: it tells of the run {told}", where=str(journal), remedy=_GONE
        )
    pinned = started.data.get("plan_sha256")
    if pinned and pinned != run.plan().sha256:
        raise BrokenJournal(
            "it is another's, or the plan beside it is: it was begun with another plan",
            where=str(journal),
            remedy=_GONE,
        )
    if noted is not None and noted.mark.outcome and state.worked > noted.mark.events:
        # Whoever goes on notes that before the first step.
        raise BrokenJournal(
            f"it ended with its line {noted.mark.events}, and more work was written behind that",
            where=str(journal),
            remedy=_GONE,
        )
    if run.folder.parent.parent == runs_folder():
        _check_place(run, state, noted)
    return state


def _check_place(run: Run, state: RunState, noted: Noted | None) -> None:
    """Raise BrokenJournal where a run is not what it should be among the runs that lie here."""
    started = state.started
    sites = {str(started.data.get("site") or "") if started is not None else ""}
    sites |= {noted.mark.site} if noted is not None else set()
    if other := next((site for site in sites if site not in ("", run.site_key)), None):
        raise BrokenJournal(
            f"it is another's: it tells of the site {other}", where=str(run.journal), remedy=_GONE
        )
    notes = _noted_ids(run.folder.parent)
    anchored = bool(started is not None and started.data.get("anchored"))
    anchored = anchored or any(name < run.id for name in notes)
    if noted is None and not run.dry and state.stages and anchored:
        raise BrokenJournal(
            "what was noted beside the runs of how far it came is gone, so nobody can tell "
            "whether its end is",
            where=str(run.journal),
            remedy=_GONE,
        )
    later = [name for name in gone_runs(run.site_key) if name > run.id]
    if later and all(one.id <= run.id for one in runs_of(run.site_key)):
        note = run.folder.parent / ENDS / f"{later[-1]}.json"
        raise BrokenJournal(
            f"it is not the last one of this site: the run {later[-1]} came later, and its folder "
            "is gone",
            where=str(run.folder.parent),
            remedy="Ask who removed it. What it did stands on the machines: begin a new run "
            "(sitewright install), in which each step is asked whether it is done. If you removed "
            f"it yourself, remove what was noted of it too: {_notes_of(note)}",
        )


def _check_note(run: Run) -> None:
    """Raise BrokenJournal where what was noted of a run is not what was written of it."""
    note = run.folder.parent / ENDS / f"{run.id}.json"
    with contextlib.suppress(OSError, ValueError):
        found = read_note(note, _LARGEST)
        if found.exchanged:
            raise BrokenJournal(
                "what was noted beside the runs of how far it came is another than what was "
                "written, so nobody can tell whether its end is gone",
                where=str(note),
                remedy=_GONE,
            )


def _notes_of(note: Path) -> str:
    """A note and its witness, as words of a command."""
    return shlex.join(str(one) for one in (note, witness_of(note)) if one is not None)


def gone_runs(site_key: str) -> list[str]:
    """The runs of a site of which something is noted here, and whose folder is gone; in order."""
    site = runs_folder() / site_key
    names = {*_noted_ids(site), *(note.stem for note in gone_notes(site / ENDS))}
    return sorted(one for one in names if _RUN_ID.fullmatch(one) and not (site / one).exists())


def gone_sites() -> dict[str, str]:
    """Of which sites no run is left though some worked there: key -> the last run of it.

    Dry runs are none of these.
    """
    folder = runs_folder()
    keys = {note.parent.parent.name for note in gone_notes(folder) if note.parent.name == ENDS}
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        keys |= {one.name for one in folder.iterdir() if (one / ENDS).is_dir()}
    found = {}
    for key in sorted(keys):
        worked = [name for name in gone_runs(key) if not name.endswith("-dry")]
        if worked and not runs_of(key):
            found[key] = worked[-1]
    return found


def record_gone(key: str, run: str) -> RecordGone:
    """The problem of a site, by its key, of whose runs no folder is left, the last of them named.

    To say that there was none would have somebody install beside what stands there.
    """
    note = runs_folder() / key / ENDS / f"{run}.json"
    return RecordGone(
        f"the run {run} worked on this site, and the folder of every run of it is gone",
        where=str(runs_folder() / key),
        remedy="Ask who removed it, and put it back from a backup. Else begin a new run "
        "(sitewright install): each step is asked whether it is done. If you removed it yourself, "
        f"and nothing stands there any more, remove what was noted of it too: {_notes_of(note)}",
    )


def refuse_gone(key: str | None = None) -> None:
    """Raise RecordGone where no run is left of a site, or of any, though some worked there."""
    for site, run in gone_sites().items():
        if key in (None, site):
            raise record_gone(site, run)


def _noted_ids(site: Path) -> list[str]:
    """The runs of which something is noted, in order."""
    try:
        names = [path.stem for path in (site / ENDS).iterdir() if path.suffix == ".json"]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(name for name in names if _RUN_ID.fullmatch(name))


_FOREIGN: Final = (
    "Look at it: ls -l. If you put it there yourself, put a copy of the file in its place; if the "
    "folder came from somebody else, ask them for a support bundle of the run."
)
_GONE: Final = (
    "Keep the folder as it is, and ask who had it. What was done stands in the logs and on the "
    "machines. Begin a new run (sitewright install): each step is asked whether it is done."
)


def changed_later(run: Run, since: float) -> list[str]:
    """Sentences on other runs of the same site that may have changed it after that moment."""
    found = SITE_KEY.fullmatch(run.site_key)
    if found is None or run.folder.parent.parent != runs_folder():
        return []
    told = []
    for folder in sorted(runs_folder().glob(f"{found[1]}*")):
        purpose = SITE_KEY.fullmatch(folder.name)
        for other in runs_of(folder.name) if purpose is not None else ():
            if other.id == run.id:
                continue
            try:
                state = other.state()
            except (BrokenJournal, OSError):
                told.append(f"The run {other.id} of this site cannot be read.")
                continue
            if state.changed and state.last_time > since and state.started is not None:
                what = (purpose[2] if purpose is not None else None) or "install"
                by = state.started.data.get("by") or "somebody"
                told.append(f"Changed since by the run {other.id} ({what}), begun by {by}.")
    return told


def _noted(run: Run) -> Noted | None:
    try:
        noted = run.folder.parent / ENDS / f"{run.id}.json"
        text = bounded_files.read_text(noted, _LARGEST)
        mark, value = mark_from_text(text), json.loads(text)
    except (OSError, ValueError, RecursionError):
        return None
    if mark is None:
        return None
    kept, times = (value.get(name) for name in ("kept", "times"))
    machines = kept if isinstance(kept, dict) else {}
    moments = times if isinstance(times, dict) else {}
    return Noted(
        mark,
        {host: n for host, n in machines.items() if isinstance(n, int)},
        {host: moment for host, moment in moments.items() if isinstance(moment, str)},
    )


def _logs(run: Run) -> list[Path]:
    folder = run.folder / "logs"
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.is_file() and path.stat().st_size]
