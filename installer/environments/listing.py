"""How the environments of a centre stand, from what is kept of them: no program is asked."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation.problems import InputProblem
from foundation.wording import counted, listed
from installer.environments.centre import Environment, names, read_environment
from installer.events import Outcome
from installer.opentofu.saved import Kept, read_kept
from installer.opentofu.workplace import LOOK, PLAN
from installer.record.identity import site_key
from installer.record.journal_lines import BrokenJournal
from installer.record.runs import runs_of

OPERATIONS: Final = (
    "tofu-init",
    "tofu-plan",
    "tofu-apply",
    "tofu-destroy",
    "tofu-drift",
    "tofu-unlock",
)
"""The folders of an environment's runs, behind its key."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One environment, as it stands."""

    name: str
    environment: str = ""
    version: str = ""
    state: str = ""
    verdict: str = ""
    drift: str = ""
    plan: str = ""
    """The plan that waits to be applied."""
    problems: tuple[str, ...] = ()


def entries(roof: Path) -> tuple[Entry, ...]:
    """Every environment of a centre; one that cannot be read is told as that."""
    found = []
    lineages: dict[str, list[str]] = defaultdict(list)
    for name in names(roof):
        try:
            environment = read_environment(roof, name)
            applied = environment.applied()
        except InputProblem as problem:
            found.append(Entry(name, problems=(f"{problem.where}: {problem.sentence}",)))
            continue
        if applied is not None:
            lineages[applied.lineage].append(name)
        found.append(_entry(environment))
    twice = {
        name: [other for other in several if other != name]
        for several in lineages.values()
        if len(several) > 1
        for name in several
    }
    return tuple(_of_one_state(one, twice.get(one.name, [])) for one in found)


def _of_one_state(entry: Entry, others: list[str]) -> Entry:
    from dataclasses import replace

    if not others:
        return entry
    told = f"It has the very state of {listed(others)}: what one destroys, the other loses."
    return replace(entry, problems=(*entry.problems, told))


def _entry(environment: Environment) -> Entry:
    applied = environment.applied()
    saved = read_kept(environment.root / PLAN)
    waits = (environment.root / PLAN).exists()
    look = read_kept(environment.root / LOOK)
    return Entry(
        environment.name,
        environment.file.environment,
        environment.file.version,
        state=f"{counted(applied.resources, 'resource')}, state {applied.serial}, applied "
        f"{applied.at} by {applied.by} with {applied.program} {applied.version}"
        + (
            f"; that was {applied.of or 'no version'}"
            if applied.of != environment.file.version
            else ""
        )
        if applied
        else "never applied",
        verdict=_verdict(environment),
        drift=_drift(look),
        plan=f"{saved.summary} ({saved.at})" if saved and waits else "",
    )


def _drift(look: Kept | None) -> str:
    if look is None:
        return "never looked"
    if not look.differs:
        return f"none ({look.at})"
    return (
        f"{counted(len(look.drift), 'resource')} changed outside, "
        f"{counted(len(look.changes), 'resource')} to be mended ({look.at})"
    )


def _verdict(environment: Environment) -> str:
    key = site_key(environment.site())
    runs = [
        (run.id, operation, run)
        for operation in OPERATIONS
        for run in runs_of(f"{key}-{operation}")
    ]
    if not runs:
        return ""
    _, operation, last = max(runs, key=lambda one: one[0])
    what = operation.removeprefix("tofu-")
    try:
        outcome = last.state().outcome
    except BrokenJournal as problem:
        return f"{what}: its record is broken: {problem.cause}"
    said = "done" if outcome in (Outcome.DONE, Outcome.ALREADY) else str(outcome or "cut off")
    return f"{what}: {said} (run {last.id})"
