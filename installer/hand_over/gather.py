"""From the folder of a run to the hand-over report; no machine is asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from foundation import bounded_files
from foundation.documents import SIZE_LIMIT
from foundation.problems import Problem
from foundation.version import __version__
from foundation.wording import counted
from installer.events import Event, Json, Kind, Outcome
from installer.hand_over.model import (
    Decision,
    HandOver,
    MachineReport,
    Record,
    Result,
    StageReport,
    StepReport,
    Used,
)
from installer.hand_over.values import used_settings
from installer.hand_over.words import (
    outcome_sentence,
    place,
    supplies_sentence,
    unbelieved,
    when,
)
from installer.plans.plan import Plan, PlannedStage, PlannedStep
from installer.record.errand import Errand
from installer.record.journal_lines import BrokenJournal
from installer.record.progress import StageProgress, progress_of
from installer.record.record_check import changed_later, check_record, noted_line
from installer.record.runs import Run, errand_of, latest_run, runs_folder
from installer.record.state import RunState, decisive, keys_of
from installer.sites.site import Site, load_site
from installer.sites.ways import without_passwords
from installer.steps.kind import done_on
from preflight.assessment import Seen
from preflight.facts import known
from preflight.report.words import capital

_LINES: Final = 12
"""Last lines of a check or a failure that the report shows."""
_DONE: Final = {
    "pause": "paused the run",
    "continue": "let the run go on",
    "finish": "let what ran end, and stopped the run",
    "stop": "stopped the run",
    "end-jobs": "stopped the run and what ran on the machines",
    "end-theirs": "had what others began on the machines ended",
    "retry": "tried again",
    "skip": "skipped",
    "undo": "took the stage back",
}


@dataclass(slots=True)
class _Told:
    """What a journal tells, folded in one pass."""

    state: RunState = field(default_factory=RunState)
    decisions: list[Decision] = field(default_factory=list)
    problem: str = ""


_BEGAN: Final = "began the installation"


def gather(run: Run) -> HandOver:
    """The report of a run. Raises InputProblem.

    A journal that is broken is read up to the break, and the report says so.
    """
    plan = run.plan()
    told = _read(run, plan)
    site = _site(run)
    state = told.state
    trouble = told.problem or _trouble(run, state)
    complete = state.complete(plan) and not trouble
    progress = progress_of(plan, state, {}, now=state.last_time)
    stages = tuple(
        _stage(stage, done, state) for stage, done in zip(plan.stages, progress.stages, strict=True)
    )
    started = state.started
    errand = errand_of(run.site_key)
    sentence = outcome_sentence(state, plan)
    if errand == Errand.VERIFY and complete:
        sentence = _verified(state, plan)
    used = used_settings(plan)
    return HandOver(
        solution=plan.solution,
        title=_title(plan.solution),
        environment=plan.environment,
        outcome=state.outcome,
        sentence=unbelieved(trouble) if trouble else sentence,
        complete=complete,
        began=started.time if started else None,
        ended=state.last_time if started else None,
        seconds=progress.elapsed,
        at_least=progress.at_least,
        by=str(started.data.get("by") or "") if started else "",
        plan_sha256=plan.sha256,
        version=__version__,
        supplies=supplies_sentence(site),
        stages=stages,
        machines=_machines(run, plan, site),
        versions=used.versions,
        addresses=(*_to_open(run, plan, works=complete), *used.addresses),
        settings=used.others,
        secrets=plan.secrets,
        waivers=tuple(site.waivers) if site is not None else (),
        decisions=tuple(_of(errand, decision) for decision in told.decisions),
        site_text=without_passwords(_text(run.site_file)),
        site_file=str(run.site_file),
        record=Record(run.id, str(run.folder), state.events, state.last, trouble),
        later=tuple(changed_later(run, state.last_time)) if started else (),
        asked_again=_asked_again(run, state.last_time) if started else "",
    )


def _verified(state: RunState, plan: Plan) -> str:
    """How a verification ended of which nothing is left."""
    skipped = sum(state.outcome_of(key) is Outcome.SKIPPED for key in keys_of(plan))
    if not skipped:
        return "Verified: every check held, and nothing was changed."
    were = f"{skipped} that {'were' if skipped > 1 else 'was'}"
    return f"Verified: every check held, but for {were} skipped, by name and with a reason."


def _of(errand: str, decision: Decision) -> Decision:
    """A decision in a run that installs nothing is none to install."""
    if errand and decision.what == _BEGAN:
        return replace(decision, what=f"began it ({errand})")
    return decision


def _asked_again(run: Run, since: float) -> str:
    """That somebody asked since whether what was installed works; empty where nobody did."""
    if errand_of(run.site_key) or run.folder.parent.parent != runs_folder():
        return ""
    last = latest_run(f"{run.site_key}-{Errand.VERIFY}")
    if last is None:
        return ""
    try:
        plan, state = last.plan(), last.state()
    except (Problem, OSError):
        return f"The verification {last.id} cannot be read."
    if state.started is None or state.last_time <= since:
        return ""
    keys = list(keys_of(plan))
    held = sum(state.outcome_of(key) in (Outcome.DONE, Outcome.ALREADY) for key in keys)
    by = state.started.data.get("by") or "somebody"
    return (
        f"Asked again {when(state.last_time)} by {by}: {held} of {counted(len(keys), 'check')}"
        f" held (run {last.id})."
    )


def _trouble(run: Run, state: RunState) -> str:
    """Why the journal is not what was written; empty where nothing speaks against it."""
    try:
        check_record(run, state)
    except BrokenJournal as problem:
        return problem.cause
    return ""


def _to_open(run: Run, plan: Plan, *, works: bool) -> tuple[Used, ...]:
    """The pages that can be opened now, and the reports that were copied into the run."""
    pages = [Used(title, title, url) for title, url in plan.pages if works]
    folder = run.folder / "reports"
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    return (*pages, *(Used(path.name, f"Report {path.name}", str(path)) for path in files))


def _read(run: Run, plan: Plan) -> _Told:
    told = _Told(RunState(plan))
    titles = {step.key: step.title for stage in plan.stages for step in stage.steps}
    try:
        for event in decisive(told.state, run.journal, noted_line(run)):
            decision = _decision(event, titles)
            if decision is not None:
                told.decisions.append(decision)
    except BrokenJournal as problem:
        told.problem = problem.cause
    return told


def _decision(event: Event, titles: dict[str, str]) -> Decision | None:
    data = event.data
    by = str(data.get("by") or "somebody")
    about = ""
    if event.step:
        title = titles.get(f"{event.stage}/{event.step}", event.step)
        about = f"{title}{place(event.host)}"
    match event.kind:
        case Kind.RUN_STARTED:
            return Decision(event.time, by, _BEGAN)
        case Kind.RUN_RESUMED:
            return Decision(event.time, by, "went on with it")
        case Kind.ANSWER:
            answer = data.get("answer")
            given: dict[str, Json] = answer if isinstance(answer, dict) else {}
            yes = given.get("yes") is True
            return Decision(
                event.time,
                by,
                "confirmed" if yes else "did not confirm",
                about,
                str(given.get("note") or ""),
                _confirmed(given),
            )
        case Kind.CONTROL:
            action = str(data.get("action"))
            reason = str(data.get("reason") or "")
            if not about and event.stage:
                about = event.stage
            return Decision(event.time, by, _DONE.get(action, action), about, reason)
        case _:
            return None


def _confirmed(given: dict[str, Json]) -> tuple[str, ...]:
    """What was put to the person: the points of a checklist with their ticks, or the question."""
    texts, ticks = given.get("items"), given.get("confirmed")
    if not isinstance(texts, list) or not texts:
        text = str(given.get("text") or "")
        return (text,) if text else ()
    ticked = ticks if isinstance(ticks, list) else []
    return tuple(
        f"{'' if number < len(ticked) and ticked[number] is True else 'NOT: '}{text}"
        for number, text in enumerate(texts)
    )


# ---- stages


def _stage(stage: PlannedStage, progress: StageProgress, state: RunState) -> StageReport:
    return StageReport(
        id=stage.id,
        title=stage.title,
        source=stage.source,
        stand=progress.stand,
        done=progress.done,
        total=progress.total,
        seconds=progress.elapsed,
        steps=tuple(_step(step, state) for step in stage.steps),
    )


def _step(step: PlannedStep, state: RunState) -> StepReport:
    results = []
    for host in done_on(step):
        key = (step.stage, step.id, host)
        standing = state.steps.get(key)
        if standing is None:
            results.append(Result(host, None))
            continue
        failed = state.outcome_of(key) is Outcome.FAILED
        problem = standing.problem or {}
        shown = failed or step.stage == "verify"
        results.append(
            Result(
                host=host,
                outcome=state.outcome_of(key),
                answered=standing.ended if standing.settled else None,
                changed_since=not standing.running and not state.holds(key),
                seconds=standing.seconds,
                sentence=standing.sentence,
                remedy=str(problem.get("remedy") or "") if failed else "",
                lines=tuple(standing.tail)[-_LINES:] if shown else (),
            )
        )
    return StepReport(step.id, step.title, step.kind, tuple(results))


# ---- machines and files


def _machines(run: Run, plan: Plan, site: Site | None) -> tuple[MachineReport, ...]:
    addresses = {host.name: host.address for host in site.hosts} if site is not None else {}
    seen = {one.host.name: one for one in _facts(run)}
    return tuple(
        _machine(name, addresses.get(name), roles, seen.get(name)) for name, roles in plan.hosts
    )


def _machine(
    name: str, address: str | None, roles: tuple[str, ...], seen: Seen | None
) -> MachineReport:
    if seen is None or seen.facts is None:
        return MachineReport(name, address or "", roles)
    facts = seen.facts
    return MachineReport(
        name,
        address or seen.host.address,
        roles,
        system=known(facts.os.pretty_name) or "",
        kernel=known(facts.os.kernel) or "",
        cpus=known(facts.cpu.logical),
        memory_bytes=known(facts.memory.installed_bytes) or known(facts.memory.total_bytes),
    )


def _facts(run: Run) -> list[Seen]:
    from preflight.recorded import load_facts

    try:
        return load_facts(run.facts_file) if run.facts_file.is_file() else []
    except Problem:
        return []  # a report of what was done is worth having without them


def _site(run: Run) -> Site | None:
    try:
        return load_site(run.site_file) if run.site_file.is_file() else None
    except Problem:
        return None


def _text(path: Path) -> str:
    if path.is_symlink():
        return ""  # another file of this computer; that it is none of the run's is told above
    try:
        return bounded_files.read_text(path, SIZE_LIMIT, errors="replace")
    except OSError:
        return ""


def _title(solution: str) -> str:
    from installer.catalogue.solution import load_solution

    try:
        return load_solution(solution).title
    except Problem:
        return capital(solution)  # a run of another version may know a solution that we do not
