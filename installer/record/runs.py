"""Runs: the folder of each run, and how long its steps took before.

Which record is that of a site, `identity` tells.

$XDG_DATA_HOME/sitewright/runs/<site key>/
    lock                  who is working on the site now
    <run id>/             site.yaml, plan.json, facts.json, events.jsonl, logs/<machine>.log,
                          playbooks/ as the plan has them
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import secrets
import shutil
import stat
import statistics
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final

from foundation.moments import moment
from foundation.paths import data_folder, make_private, write_private
from foundation.problems import InputProblem
from foundation.terminal import visible
from installer.events import Event, Kind, Outcome
from installer.plans.pinned_playbooks import keep
from installer.plans.plan import Plan
from installer.plans.plan_files import BROUGHT, plan_from_json
from installer.record.journal_lines import BrokenJournal, of_kind, records
from installer.record.state import RunState, replay

log = logging.getLogger(__name__)

_RUN_ID: Final = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}(-dry)?")
_STAMP: Final = "%Y%m%d-%H%M%S"
UNBEGUN: Final = "not-begun"
"""The file that marks the folder of a run which has not begun."""
_FIRST_LINES: Final = 100
"""Lines of a journal among which it says that the run began: notes on locks come before."""
_BEFORE_A_START: Final = (Kind.NOTE, Kind.CONTROL)
SITE_KEY: Final = re.compile(r"(.*-[0-9a-f]{10})(?:-([a-z-]+))?")
"""A site's key, and behind it the errand of runs that install nothing."""
_FEWEST_CHARACTERS: Final = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a site: a private folder, made by `create_run` or found by `latest_run`."""

    folder: Path

    @property
    def id(self) -> str:
        """The time it was made (UTC) and four digits: 20261121-042406-1f3a; see `_stamp`."""
        return self.folder.name

    @property
    def site_key(self) -> str:
        """The site it belongs to."""
        return self.folder.parent.name

    @property
    def dry(self) -> bool:
        """Whether it is a dry run, which is never resumed."""
        return self.id.endswith("-dry")

    @property
    def brought(self) -> bool:
        """Whether a machine gave it to this computer: it is looked at, and never gone on with."""
        return (self.folder / BROUGHT).exists()

    @property
    def journal(self) -> Path:
        """The record of everything that happened."""
        return self.folder / "events.jsonl"

    @property
    def plan_file(self) -> Path:
        """The plan that was reviewed and runs."""
        return self.folder / "plan.json"

    @property
    def site_file(self) -> Path:
        """The site file that repeats the run."""
        return self.folder / "site.yaml"

    @property
    def facts_file(self) -> Path:
        """What the machines looked like before."""
        return self.folder / "facts.json"

    @property
    def foreign(self) -> Path | None:
        """What lies under the name of a file of ours and is none: a link, a pipe; else None.

        We write plain files. A link in a folder that came from elsewhere would have another file of
        this computer read, shown or packed as the run's own.
        """
        for path in (self.journal, self.plan_file, self.site_file, self.facts_file):
            try:
                if not stat.S_ISREG(path.lstat().st_mode):
                    return path
            except FileNotFoundError:
                continue
        logs = self.folder / "logs"
        return logs if logs.is_symlink() else None

    def log(self, host: str) -> Path:
        """The file with everything that one machine said, as plain text."""
        name = _FEWEST_CHARACTERS.sub("_", host).lstrip(".") or "_"
        if name != host:  # two machines must not share a file
            name += "-" + hashlib.sha256(host.encode()).hexdigest()[:6]
        return self.folder / "logs" / f"{name[:120]}.log"

    @property
    def begun(self) -> bool:
        """Whether the run came past its beginning; one that did not is nobody's latest run.

        A folder is marked as not begun when it is made, so that a journal that was lost later makes
        no run undone. The journal's word counts where the process was killed in between.
        """
        return not (self.folder / UNBEGUN).exists() or self._tells_of_a_start()

    def note_begun(self) -> None:
        """Take the mark away, once the journal has it on the disk that the run began."""
        (self.folder / UNBEGUN).unlink(missing_ok=True)

    def forget_unbegun(self) -> None:
        """Remove the folder of a run that was refused, or killed, before it began."""
        if not self.begun:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _tells_of_a_start(self) -> bool:
        """Whether the journal says that the run began; one that cannot be read may have."""
        try:
            first = islice(records(self.journal), _FIRST_LINES)
            return any(record.event().kind not in _BEFORE_A_START for record in first)
        except FileNotFoundError:
            return False
        except (BrokenJournal, OSError):
            return True

    def plan(self) -> Plan:
        """The plan of the run; raises InputProblem where it cannot be read."""
        return plan_from_json(self.plan_file)

    def started(self) -> Event | None:
        """That the run began, by the first lines of its journal alone; raises BrokenJournal."""
        found = (record.event() for record in records(self.journal) if not record.is_line)
        return next((event for event in found if event.kind is Kind.RUN_STARTED), None)

    def state(self, hashes_of: Collection[int] = ()) -> RunState:
        """Where the run stands, by its journal, read once and whole; raises BrokenJournal.

        `hashes_of` are the numbers of lines whose hashes are wanted besides.
        """
        try:
            plan = self.plan()
        except InputProblem:
            plan = None  # what it tells by itself is worth having without it
        return replay(self.journal, plan, hashes_of, keep=True)

    @property
    def complete(self) -> bool:
        """Whether everything that it planned is done; a run that is not can be resumed."""
        return self.state().complete(self.plan())


def runs_folder() -> Path:
    """Where the runs of every site lie."""
    return data_folder() / "runs"


def create_run(
    key: str, plan: Plan, *, site_text: str = "", facts_text: str = "", dry: bool = False
) -> Run:
    """A new run of a site, with what it starts from; raises InputProblem, OSError."""
    folder = make_private(runs_folder() / key)
    stamp = _stamp(key)
    while True:
        run = Run(folder / f"{stamp}-{secrets.token_hex(2)}{'-dry' if dry else ''}")
        try:
            run.folder.mkdir(mode=0o700)
            break
        except FileExistsError:
            continue
    try:
        _fill(run, plan, site_text, facts_text)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        shutil.rmtree(run.folder, ignore_errors=True)
        raise
    return run


def _stamp(key: str) -> str:
    """The time of day; where the clock was put back, the second after the site's last run.

    The order of runs is that of their names, and the last one is the one to go on with.
    """
    now = datetime.now(UTC).strftime(_STAMP)
    site = site_of(key)
    beside = [one.name for one in runs_folder().iterdir() if site_of(one.name) == site]
    last = max((run.id[: len(now)] for one in beside for run in _folders(one)), default="")
    if last < now:
        return now
    try:
        after = datetime.strptime(last, _STAMP).replace(tzinfo=UTC) + timedelta(seconds=1)
        return after.strftime(_STAMP)
    except (ValueError, OverflowError):
        return now  # somebody else named that one


def _fill(run: Run, plan: Plan, site_text: str, facts_text: str) -> None:
    write_private(run.folder / UNBEGUN, "")
    (run.folder / "logs").mkdir(mode=0o700)
    if site_text:
        write_private(run.site_file, site_text)
    if facts_text:
        write_private(run.facts_file, facts_text)
    keep(plan, run.folder)
    # The plan comes last: a folder with a plan is whole.
    write_private(run.plan_file, json.dumps(plan.as_json(), indent=1, ensure_ascii=False) + "\n")


def sweep_unbegun(key: str) -> None:
    """Remove what was left of runs of a site that were killed in their beginning.

    For who holds the site's lock: nobody else begins one then. A dry run holds no lock, and stays.
    """
    for run in _folders(key):
        if not run.dry and (run.folder / UNBEGUN).exists():
            if run.begun:
                run.note_begun()
            else:
                run.forget_unbegun()


def runs_of(key: str, *, dry: bool = False) -> tuple[Run, ...]:
    """The runs of a site, the latest first; dry runs only where they are asked for.

    One that was refused or killed before it began is none.
    """
    return tuple(
        run for run in _folders(key) if run.plan_file.is_file() and (dry if run.dry else run.begun)
    )


def _folders(key: str) -> list[Run]:
    try:
        names = sorted((path.name for path in (runs_folder() / key).iterdir()), reverse=True)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [Run(runs_folder() / key / name) for name in names if _RUN_ID.fullmatch(name)]


def latest_run(key: str) -> Run | None:
    """The last run of a site, or None."""
    return next(iter(runs_of(key)), None)


def all_sites() -> tuple[str, ...]:
    """The keys of all sites that have runs, the latest used first."""
    folder = runs_folder()
    if not folder.is_dir():
        return ()
    keys = [path.name for path in folder.iterdir() if path.is_dir() and runs_of(path.name)]
    return tuple(sorted(keys, key=lambda key: runs_of(key)[0].id, reverse=True))


def installed_sites() -> tuple[str, ...]:
    """The keys of all sites on which an installation was begun, the latest used first.

    What verifies, stops or removes one has runs of its own, which are no installation to go on
    with.
    """
    return tuple(key for key in all_sites() if not errand_of(key))


def site_of(key: str) -> str:
    """The key of the site itself: what verifies, stops or removes it has runs of its own."""
    found = SITE_KEY.fullmatch(key)
    return found[1] if found is not None else key


def errand_of(key: str) -> str:
    """What the runs under a key are for, where that is no installation: verify, stop, remove."""
    found = SITE_KEY.fullmatch(key)
    return (found[2] or "") if found is not None else ""


def earlier_seconds(keys: Sequence[str] = (), *, at_most: int = 20) -> dict[tuple[str, str], float]:
    """How long each (stage, step) took in earlier runs: the median over machines and runs.

    `keys` names the sites to look at, all where it is empty; the last `at_most` runs count.
    """
    runs = sorted(
        (run for key in keys or all_sites() for run in runs_of(key)),
        key=lambda run: run.id,
        reverse=True,
    )[:at_most]
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    for run in runs:
        for event in _finished_steps(run):
            taken = event.data.get("seconds")
            if event.data.get("outcome") == Outcome.DONE and isinstance(taken, (int, float)):
                seconds[event.stage, event.step].append(float(taken))
    return {key: statistics.median(values) for key, values in seconds.items()}


def _finished_steps(run: Run) -> Iterator[Event]:
    try:
        yield from of_kind(run.journal, Kind.STEP_FINISHED)
    except (BrokenJournal, OSError):
        return  # an old run that cannot be read only costs a better estimate


class HostLogs:
    """Writes what each machine said to its log; a subscriber of the journal."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._told = False
        """Whether it was said that a log cannot be written; the journal has everything."""

    def __call__(self, events: Sequence[Event]) -> None:
        """Take a batch of events."""
        texts: dict[str, list[str]] = defaultdict(list)
        for event in events:
            text = log_line(event)
            if text is not None:
                texts[event.host].append(text)
        for host, lines in texts.items():
            try:
                self._write(self._run.log(host), "".join(lines))
            except OSError as error:
                if not self._told:
                    self._told = True
                    log.warning(
                        "The log of %s cannot be written here (%s); the journal is what counts",
                        host, error.strerror or error,
                    )  # fmt: skip

    def _write(self, path: Path, text: str) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o600), "ab") as file:
            file.write(visible(text).encode("utf-8", "backslashreplace"))


def log_line(event: Event) -> str | None:
    """An event as a line of a machine's log, or None where it does not belong there."""
    if not event.host:
        return None
    data = event.data
    match event.kind:
        case Kind.LINE:
            unit = data.get("unit")
            said = f"{unit}: {data.get('text')}" if unit else str(data.get("text"))
        case Kind.STEP_STARTED:
            said = f"== {event.stage}/{event.step}: {data.get('title')}"
        case Kind.STEP_FINISHED:
            said = f"== {event.stage}/{event.step}: {data.get('outcome')}. {data.get('sentence')}"
        case Kind.TASK:
            said = f"-- {data.get('task')}: {data.get('status')} {data.get('sentence')}".rstrip()
        case Kind.NOTE:
            said = f"-- {data.get('text')}"
        case _:
            return None
    at = moment(event.time)
    shown = f"{at:%Y-%m-%d %H:%M:%S}" if at is not None else "????-??-?? ??:??:??"
    return f"{shown}Z {said}\n".replace("\0", "\\0")


def open_run(folder: Path) -> Run:
    """The run that lies in a folder; raises InputProblem where there is none."""
    if not (folder / "plan.json").is_file():
        raise InputProblem(
            "there is no run in this folder",
            where=str(folder),
            remedy="Name a folder with plan.json and events.jsonl in it; they lie under "
            f"{runs_folder()}.",
        )
    return Run(folder)
