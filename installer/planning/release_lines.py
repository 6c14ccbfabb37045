"""Release lines of a site: until when what it installs is mended, and steps that skip one.

Preflight and the gate of a run say it of the day on which they look; the plan says the days
themselves, so that it is the same plan on every day. Of Kubernetes, where the solution has a table
of what fits it, `kubernetes_end` says more.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from foundation.problems import InputProblem, Refused
from foundation.wording import are, listed
from installer.catalogue.releases import (
    End,
    Product,
    ReleaseLine,
    product,
    read_support,
    stands,
    told,
)
from installer.events import Outcome
from installer.planning.kubernetes_end import CHANNEL, matrix_of
from installer.planning.kubernetes_end import ID as ENDS
from installer.record.identity import WhichRecord, runs_for, site_key
from installer.record.journal import BrokenJournal
from installer.record.runs import Run, errand_of
from installer.repository.matrix import minor_of
from preflight.facts import known
from preflight.findings import Finding, Severity
from preflight.waivers import apply_waivers

if TYPE_CHECKING:
    from datetime import date

    from installer.catalogue.releases import Runs
    from installer.catalogue.settings import Value
    from installer.catalogue.solution import Solution
    from installer.sites.site import Site
    from preflight.assessment import Seen

PATH: Final = "software.path"
_BRINGS: Final = ("", "upgrade")
"""Errands of runs that bring machines to the versions of their plan."""
_TAKES_AWAY: Final = "remove"


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A product of the solution, and the version that the settings choose."""

    product: Product
    runs: Runs
    version: str

    @property
    def line(self) -> ReleaseLine | None:
        return self.product.line_of(self.version)

    @property
    def actual(self) -> str:
        where = self.runs.setting or f"{self.runs.component} of the repository to begin with"
        return f"{where}: {self.version}"


def ends_of_lines(
    solution: Solution, values: Mapping[str, Value], seen: Sequence[Seen], today: date
) -> tuple[Finding, ...]:
    """What is past the end of its support on a day, or soon will be, or is not known to the table.

    Of what the settings choose, and of the systems of the machines that were seen.
    """
    found = [
        finding
        for one in _chosen(solution, values)
        if one.product.id != "kubernetes" or matrix_of(solution) is None
        for finding in _end(one.product, one.version, one.actual, today)
    ]
    for machine in seen:
        os = machine.facts.os if machine.facts is not None else None
        name, version = (known(os.id), known(os.version)) if os is not None else (None, None)
        one = product(name or "")
        if one is not None and version:
            of_it = _end(one, version, f"{one.title} {version}", today, host=machine.host.name)
            # A machine whose system is mended is told with its other checks (os.release).
            found += [finding for finding in of_it if finding.severity is not Severity.PASS]
    return tuple(found)


def noted_lines(solution: Solution, values: Mapping[str, Value]) -> tuple[str, ...]:
    """The same for whoever reviews a plan, without a day."""
    return tuple(
        f"{told(one.product, line)} ({one.product.ends_source})"
        if (line := one.line) is not None
        else _unknown(one.product, one.version)
        for one in _chosen(solution, values)
        if one.product.id != "kubernetes" or matrix_of(solution) is None
    )


def skipped_steps(
    solution: Solution, site: Site, values: Mapping[str, Value]
) -> tuple[Finding, ...]:
    """Steps from what this computer's record says was installed, which nobody may take at once."""
    found = {}
    for before in _plans_before(site):
        had = {one.product.id: one.version for one in _chosen(solution, before)}
        for one in _chosen(solution, values):
            version = had.get(one.product.id)
            why = one.product.against(version, one.version) if version else ""
            if why:
                found[one.product.id] = Finding(
                    id=PATH,
                    severity=Severity.FAIL,
                    title=f"{why.partition('. ')[0]}; that it has {version} stands in this"
                    " computer's record.",
                    expected=f"{one.product.title} {version} (by this computer's record), or a step"
                    " that its makers take",
                    actual=one.actual,
                    source=one.product.source,
                    evidence="sitewright status",
                    remedy=f"{one.product.around}: name the next step in the site file. If it was"
                    f" done, have somebody say so by name: a waiver of {PATH}.",
                    subject=one.product.title,
                )
    return tuple(found.values())


class SkippedStep(Refused):
    """A step from what a site has to what it is to have that its makers do not take."""

    code = "skipped-step"


def refuse_skipped(
    solution: Solution, site: Site, values: Mapping[str, Value], today: date, *, where: str
) -> None:
    """Raise SkippedStep for a step that nobody may take, unless a waiver in force speaks of it."""
    every = apply_waivers(skipped_steps(solution, site, values), site.waivers, today)
    if against := [finding for finding in every if finding.blocks]:
        raise SkippedStep(
            " ".join(finding.title for finding in against).rstrip("."),
            where=where,
            remedy=" ".join(finding.remedy for finding in against),
        )


def _chosen(solution: Solution, values: Mapping[str, Value]) -> Iterator[_Chosen]:
    """The versions that settings choose; of a plan they are texts, and all there is counts."""
    support = read_support(solution.folder)
    for runs in support.runs if support is not None else ():
        one = product(runs.product)
        if one is None or (runs.when and values.get(runs.when) in (False, "no", "", None)):
            continue
        version = str(values.get(runs.setting) or "") if runs.setting else ""
        if runs.component:
            version = _of_component(solution, runs.component, values)
        if version:
            yield _Chosen(one, runs, version)


def _of_component(solution: Solution, name: str, values: Mapping[str, Value]) -> str:
    matrix = matrix_of(solution)
    if matrix is None:
        return ""
    try:
        chosen = matrix.chosen(minor_of(str(values.get(CHANNEL) or "")))
    except InputProblem:
        return ""  # that there is none for this Kubernetes is told of the channel
    return chosen[name][1].version


def _plans_before(site: Site) -> Iterator[Mapping[str, str]]:
    """The settings of the runs that brought a site to where it stands, the latest first.

    Back to the last one that was carried out whole; one that was not may have left machines
    anywhere between.
    """
    try:
        runs = runs_for(site_key(site))
    except WhichRecord:
        return  # it is told, with the way out, where the run begins
    for run in runs:
        errand = errand_of(run.site_key)
        with contextlib.suppress(InputProblem, OSError):
            if errand.startswith(_TAKES_AWAY) and _whole(run):
                return
            if errand in _BRINGS and _left_something(run):
                yield dict(run.plan().settings)
                if _whole(run):
                    return


def _whole(run: Run) -> bool:
    try:
        return run.complete
    except BrokenJournal:
        return False


def _left_something(run: Run) -> bool:
    """Whether a run did anything that was not taken back; one that cannot be read may have."""
    try:
        steps = run.state().steps.values()
    except BrokenJournal:
        return True
    return any(one.running or one.outcome not in (None, Outcome.UNDONE) for one in steps)


def _unknown(one: Product, version: str) -> str:
    lines = [line.line for line in one.lines]
    return (
        f"Nothing is known here of {one.title} {version}: the table of its lines goes from"
        f" {lines[0]} to {lines[-1]}."
    )


def _end(
    one: Product, version: str, actual: str, today: date, *, host: str | None = None
) -> Iterator[Finding]:
    line = one.line_of(version)
    end = stands(line, today) if line is not None else None
    if end is End.UNNAMED:
        return  # the plan says that its makers name no day; nothing is to be done about it
    title = told(one, line, today) if line is not None else _unknown(one, version)
    yield Finding(
        id=ENDS,
        severity=Severity.PASS if end is End.MENDED else Severity.WARN,
        title=title if host is None else f"{host}: {title}",
        expected=f"a version that is mended on {today}",
        actual=actual,
        source=one.ends_source,
        host=host,
        evidence="cat /etc/os-release" if host else "",
        remedy="" if end is End.MENDED else _remedy(one, today),
        subject=one.title,
    )


def _remedy(one: Product, today: date) -> str:
    later = [line.line for line in one.lines if stands(line, today) in (End.MENDED, End.UNNAMED)]
    return " ".join(
        filter(
            None,
            (
                f"Of {one.title}, {listed(later)} {are(len(later))} mended."
                if later
                else "See what its makers say.",
                f"{one.around} ({one.source})." if one.around else "",
                f"Or have somebody accept it by name: a waiver of {ENDS}.",
            ),
        )
    )
