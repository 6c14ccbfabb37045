"""What must hold before an update is carried through: a window, approvals, a verified backup."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from foundation.moments import moment
from foundation.paths import data_folder
from foundation.problems import InputProblem, Refused
from foundation.terminal import clean_line
from foundation.wording import duration, listed
from installer.events import Outcome
from installer.record.identity import site_key
from installer.record.record_check import gone_runs
from installer.record.runs import all_sites, runs_of
from installer.record.witnessed import read_note, write_note
from installer.sites.site_updates import Updates, folded

if TYPE_CHECKING:
    from installer.plans.plan import Plan
    from installer.sites.site import Site

_LARGEST: Final = 1 << 20
_KEPT_SECONDS: Final = 14 * 86400.0
"""For which an approval counts; a plan of that age is another one as a rule."""
_HOUR: Final = 3600.0
_VERIFIED: Final = "backup-verify"
"""The operation by whose runs a site's backups were looked at."""
_GOOD: Final = frozenset({Outcome.DONE, Outcome.ALREADY})


class NotNow(Refused):
    """An update that may not begin as things are; nothing was changed."""

    code = "update-not-now"
    title = "The update may not begin"


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's word for one plan."""

    person: str
    plan: str
    """The plan's own hash: another plan is not approved by it."""
    at: float


def when(seconds: float) -> str:
    """A moment of the record for a person."""
    found = moment(seconds)
    return f"{found:%d %B %Y, %H:%M} UTC" if found is not None else "at no moment that there is"


@dataclass(frozen=True, slots=True)
class Gate:
    """One thing that must hold before an update begins, and how it stands."""

    name: str
    """"clock", "window", "backup" or "approvals"."""
    stands: str = ""
    """A sentence, where it holds."""
    shut: NotNow | None = None
    """What stands against it, where it does not."""


def gates_of(
    site: Site,
    plan: Plan,
    migrates: Sequence[str],
    *,
    again: str,
    without: Sequence[str] = (),
) -> tuple[Gate, ...]:
    """How each gate of an update stands now.

    `migrates` are those whose data change as they begin, `without` who said that they may without
    a verified backup, as a sentence, `again` the command that makes the same plan.
    """
    if not migrates:
        without = ()
    wanted = (
        "" if without or not migrates else f", for {listed(migrates)} changes data as it begins"
    )

    def window() -> str:
        check_window(site.updates)
        return _window_words(site.updates)

    def backup() -> str:
        check_backup(site, wanted=wanted)
        at = last_verified(site) if wanted or _backup_hours(site) is not None else None
        if at is None:
            return " ".join(without) or "None is asked for."
        return " ".join((*without, f"Verified {when(at)}."))

    def approvals() -> str:
        given = check_approvals(site, plan, again=again)
        return " ".join(approved(given)) or "None is asked for."

    checks: tuple[tuple[str, Callable[[], str]], ...] = (
        ("clock", lambda: _went_on(site)),
        ("window", window),
        ("backup", backup),
        ("approvals", approvals),
    )
    found = []
    for name, check in checks:
        try:
            found.append(Gate(name, check()))
        except NotNow as problem:
            found.append(Gate(name, shut=problem))
    return tuple(found)


def through_gates(
    site: Site,
    plan: Plan,
    migrates: Sequence[str],
    *,
    again: str,
    without: Sequence[str] = (),
) -> Plan:
    """The plan with who approved it; raises NotNow where it may not begin as things are."""
    for gate in gates_of(site, plan, migrates, again=again, without=without):
        if gate.shut is not None:
            raise gate.shut
    said = approved(check_approvals(site, plan, again=again))
    return replace(plan, notes=(*plan.notes, *said, *(without if migrates else ())))


def without_backup(person: str, reason: str) -> tuple[str, ...]:
    """The sentence of a person who lets data be changed without a verified backup; none for none.

    Raises InputProblem for nobody's.
    """
    if not reason.strip():
        return ()
    if not person.strip():
        raise InputProblem(
            "nobody is named who lets data be changed without a backup",
            where="--without-backup",
            remedy='Say who you are: --by "A. Name".',
        )
    return (f"Without a verified backup, by {person}: {reason}",)


def approved(given: Sequence[Approval]) -> tuple[str, ...]:
    """Who approved and when, as sentences."""
    return tuple(f"Approved by {one.person}, {when(one.at)}." for one in given)


def _window_words(updates: Updates | None) -> str:
    if updates is None or not updates.windows:
        return "It may begin at any time."
    closes = updates.closing(datetime.now(UTC))
    return f"Open until {closes:%A, %H:%M} ({updates.zone})." if closes else "Open."


def _backup_hours(site: Site) -> float | None:
    return site.updates.backup_within_hours if site.updates is not None else None


def _went_on(site: Site) -> str:
    check_clock(site)
    return "It goes on from where the site's record was written."


def check_clock(site: Site, now: float | None = None) -> None:
    """Raise NotNow where this computer's clock stands before what the site's record was written at.

    By a clock that was put back a window is open again, an approval counts, a backup is young.
    """
    at, key = time.time() if now is None else now, site_key(site)
    runs = [run for name in all_sites() if name == key or name.startswith(f"{key}-")
            for run in runs_of(name)]  # fmt: skip
    written = max((run.journal.stat().st_mtime for run in runs if run.journal.is_file()), default=0)
    if at >= written - _HOUR:
        return
    raise NotNow(
        f"this computer's clock says {when(at)}, and the site's record was written at "
        f"{when(written)}: it was put back, or was ahead then",
        where="the clock of this computer",
        remedy="Set it right (timedatectl), then give the same command again.",
    )


def check_window(updates: Updates | None, now: datetime | None = None) -> None:
    """Raise NotNow where no window is open."""
    at = now or datetime.now(UTC)
    if updates is None or updates.open_at(at):
        return
    opens = updates.next_opening(at)
    when = f"{opens:%A, %d %B %Y, %H:%M} ({updates.zone})" if opens else "not within 15 days"
    raise NotNow(
        "no window for updates is open",
        where="updates.windows of the site file",
        remedy=f"The next one opens: {when}. Give the same command then.",
    )


def check_backup(site: Site, *, wanted: str = "", now: float | None = None) -> None:
    """Raise NotNow where a backup must have been verified lately and none was.

    `wanted` says why one is asked for where the site does not ask for it itself.
    """
    hours = _backup_hours(site)
    if hours is None and not wanted:
        return
    hours = 24.0 if hours is None else hours
    last = last_verified(site)
    age = None if last is None else (time.time() if now is None else now) - last
    if age is not None and -_HOUR < age <= hours * _HOUR:
        return
    lost = gone_runs(f"{site_key(site)}-{_VERIFIED}")
    never = (
        f"the record of the run {lost[-1]}, which verified one, is gone"
        if lost
        else "no backup of it was ever verified from here"
    )
    has = (
        never
        if age is None or last is None
        else f"the last was verified {when(last)}, {duration(abs(age))} "
        + ("ago" if age > 0 else "ahead of this computer's clock")
    )
    raise NotNow(
        f"a backup verified within {hours:g} hours is wanted{wanted}, and {has}",
        where="the site's record",
        remedy="Make one and open it: sitewright backup make --site FILE, then sitewright backup "
        "verify --site FILE."
        + (' Backed up in another way: --by "A. Name" --without-backup REASON.' if wanted else ""),
    )


def last_verified(site: Site) -> float | None:
    """When a backup of the site was last opened and found whole, by its record; Unix seconds."""
    for run in runs_of(f"{site_key(site)}-{_VERIFIED}"):
        state = run.state()
        # What was passed over is not verified.
        done = all(step.outcome in _GOOD for step in state.steps.values())
        if state.steps and done and state.complete(run.plan()):
            return max(step.ended for step in state.steps.values())
    return None


def approvals_file(site: Site) -> Path:
    """Where the approvals of a site are kept."""
    return data_folder() / "updates" / f"{site_key(site)}.json"


def read_approvals(site: Site, *, now: float | None = None) -> tuple[Approval, ...]:
    """The approvals that count still; one that cannot be read is none."""
    at = time.time() if now is None else now
    try:
        note = read_note(approvals_file(site), _LARGEST)
        if note.exchanged:
            raise ValueError(note.wrong)
        if note.gone or note.text is None:
            return ()  # who approved says so again
        found: Any = json.loads(note.text)
        every = tuple(
            Approval(clean_line(str(one["person"])), str(one["plan"]), float(one["at"]))
            for one in found["approvals"]
        )
    except (ValueError, TypeError, KeyError, OSError, RecursionError) as error:
        raise NotNow(
            f"the approvals of this site cannot be read: {clean_line(str(error))}",
            where=str(approvals_file(site)),
            remedy="Move the file away, and have the plan approved again.",
        ) from error
    return tuple(one for one in every if 0 <= at - one.at <= _KEPT_SECONDS)


def approve(site: Site, plan: Plan, person: str, *, now: float | None = None) -> Approval:
    """Keep a person's word for a plan; raises NotNow for one who may not give it."""
    updates = site.updates or Updates()
    if folded(person) not in {folded(name) for name in updates.approvers}:
        raise NotNow(
            f"{person or 'nobody'} is none of those who may approve",
            where="updates.approvers of the site file",
            remedy=f"They are {listed(updates.approvers)}: --by NAME."
            if updates.approvers
            else "Name them there, and how many must approve: updates.approvals.",
        )
    given = Approval(person, plan.sha256, time.time() if now is None else now)
    others = [one for one in read_approvals(site, now=now) if not _same(one, given)]
    every = [{"person": one.person, "plan": one.plan, "at": one.at} for one in (*others, given)]
    file = approvals_file(site)
    write_note(file, json.dumps({"approvals": every}, indent=1) + "\n")
    return given


def _same(one: Approval, other: Approval) -> bool:
    return folded(one.person) == folded(other.person) and one.plan == other.plan


def check_approvals(
    site: Site, plan: Plan, *, again: str, now: float | None = None
) -> tuple[Approval, ...]:
    """The approvals of this very plan; raises NotNow where they are too few."""
    updates = site.updates
    if updates is None or not updates.approvals:
        return ()
    may = {folded(name) for name in updates.approvers}
    given = [one for one in read_approvals(site, now=now) if one.plan == plan.sha256]
    given = [one for one in given if folded(one.person) in may]
    left = _others(updates.approvers, [one.person for one in given])
    if len(given) >= updates.approvals:
        return tuple(given)
    has = f"{listed([one.person for one in given])} approved it" if given else "nobody has yet"
    raise NotNow(
        f"{updates.approvals} must approve plan {plan.sha256[:12]}, and {has}",
        where="updates.approvals of the site file",
        remedy=f'Of {listed(left)}, each: {again} --approve --by "NAME". It shows the plan first.',
    )


def _others(names: Sequence[str], given: Sequence[str]) -> list[str]:
    done = {folded(name) for name in given}
    return [name for name in names if folded(name) not in done]
