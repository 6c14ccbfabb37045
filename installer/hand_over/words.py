"""Words that every form of the hand-over report shares."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from foundation.moments import moment
from installer.events import Outcome
from installer.plans.plan import CONTROL_HOST

if TYPE_CHECKING:
    from installer.hand_over.model import Decision, HandOver, Result, StageReport
    from installer.plans.plan import Plan
    from installer.record.state import RunState
    from installer.sites.site import Site

_SENTENCES: Final = {
    Outcome.DONE: "Installed: every step was done and verified.",
    Outcome.ALREADY: "Installed before: everything was found done, and nothing was changed.",
    Outcome.STOPPED: "NOT FINISHED: it was stopped, and can be gone on with.",
    Outcome.FAILED: "NOT FINISHED: a step failed, and it can be gone on with.",
    Outcome.UNDONE: "Taken back.",
    Outcome.SKIPPED: "Skipped.",
}

RESULT_WORDS: Final = {
    Outcome.DONE: "done",
    Outcome.ALREADY: "already",
    Outcome.FAILED: "FAILED",
    Outcome.SKIPPED: "skipped",
    Outcome.STOPPED: "stopped",
    Outcome.UNDONE: "taken back",
    None: "not done",
}


def unbelieved(trouble: str) -> str:
    """The first sentence of a report whose record is not to be believed."""
    return f"NOT TO BE RELIED ON: the record of this run is broken; {trouble}."


def outcome_sentence(state: RunState, plan: Plan) -> str:
    """How a run ended, and how much of it was left out."""
    if state.started is None:
        return "NOT BEGUN: nothing was changed on any machine."
    outcome = state.outcome
    doubt = _in_doubt(state, plan)
    if doubt:
        return f"NOT FINISHED: {doubt}"
    if outcome is Outcome.DONE and not state.complete(plan):
        text = "NOT FINISHED: the part that was asked for was done and verified."
    else:
        text = _SENTENCES[outcome] if outcome is not None else "NOT FINISHED: it was cut off."
    skipped = sum(stand.outcome is Outcome.SKIPPED for stand in state.steps.values())
    if skipped and outcome is Outcome.DONE and state.complete(plan):
        those = f"{skipped} that {'were' if skipped > 1 else 'was'} skipped"
        return text.rstrip(".") + f", but for {those}, by name and with a reason."
    if skipped:
        those = f"{skipped} step{'s were' if skipped > 1 else ' was'} skipped"
        text += f" {those} by name and with a reason."
    return text


def _in_doubt(state: RunState, plan: Plan) -> str:
    """What was taken back, and what must be asked again since; empty where all of it holds."""
    back = {key[0]: 0 for key, one in state.steps.items() if one.outcome is Outcome.UNDONE}
    again = sum(
        one.outcome is not None and not one.running and not state.holds(key)
        for key, one in state.steps.items()
    )
    if not back and not again:
        return ""
    titles = [stage.title for stage in plan.stages if stage.id in back]
    told = f"{', '.join(titles)}: taken back. " if titles else ""
    if again:
        steps = f"{again} answers are" if again > 1 else "one answer is"
        told += f"{steps} from before a change, and must be given again. "
    return f"{told}Go on with: sitewright resume."


def supplies_sentence(site: Site | None) -> str:
    """Where the software came from."""
    if site is None:
        return ""
    if site.supplies.bundle:
        return f"From the bundle {site.supplies.bundle}."
    return "Online, from the software's own places."


def place(host: str) -> str:
    """Where a step was, to follow its title; empty for the machine that everything was run from."""
    return "" if host in ("", CONTROL_HOST) else f" on {host}"


def shown(host: str) -> str:
    """A machine's name for people."""
    return "the control host" if host == CONTROL_HOST else host


def when(time: float | None) -> str:
    """A moment to the minute, UTC; empty where there is none."""
    if time is None:
        return ""
    at = moment(time)
    return f"{at:%Y-%m-%d %H:%M} UTC" if at is not None else "at a time that no calendar has"


def decision_sentence(decision: Decision) -> str:
    """What a person did, without the time."""
    text = f"{decision.by} {decision.what}"
    if decision.about:
        text += f": {decision.about}"
    if decision.reason:
        text += f" ({decision.reason})"
    return text


def result_word(result: Result) -> str:
    """How a step ended on a machine, in a word."""
    return RESULT_WORDS[result.outcome]


def check_word(result: Result) -> str:
    """How a check at the end came out, in a word."""
    if result.changed_since:
        return "not asked since the last change"
    if result.outcome in (Outcome.DONE, Outcome.ALREADY):
        return "holds"
    return "not asked" if result.outcome is None else RESULT_WORDS[result.outcome]


def check_sentence(result: Result) -> str:
    """What a check that holds says of itself; nothing where its word says it all."""
    return result.sentence if result.outcome is Outcome.DONE else ""


def checks_title(report: HandOver) -> str:
    """What the checks are: the last word of the installation, or no longer that."""
    results = [result for step in report.checks for result in step.results]
    changed = any(result.changed_since for result in results)
    return "Verified before something was changed" if changed else "Verified at the end"


def versions_title(report: HandOver) -> str:
    """What the versions are: those that are there, or those that would have been."""
    return "Versions" if report.complete else "Versions that were planned"


def stage_word(stage: StageReport) -> str:
    """How a stage stands, and how much of it was left out."""
    skipped = sum(
        result.outcome is Outcome.SKIPPED for step in stage.steps for result in step.results
    )
    if skipped and skipped == stage.total:
        return "skipped"
    word = stage.stand
    return f"{word}, {skipped} skipped" if skipped else word


def setting_name(name: str) -> str:
    """A setting's name as words: argocd_version is "argocd version"."""
    return re.sub(r"_+", " ", name).strip()


def title(report: HandOver) -> str:
    """What the report is of."""
    return f"{report.title}, {report.environment}"


def gigabytes(amount: int | None) -> str:
    """An amount of memory in GB, as people count it; empty where it is not known."""
    return "" if amount is None else f"{amount / 1e9:.0f} GB"
