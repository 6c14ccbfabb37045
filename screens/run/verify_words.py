"""The verification in words: each check on each machine, and what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual.content import Content

from foundation.moments import moment
from installer.events import Outcome
from installer.plans.plan import CONTROL_HOST, told_host
from installer.steps.kind import done_on
from screens.widgets.board import Cell, Column, Row

if TYPE_CHECKING:
    from installer.plans.plan import Plan, PlannedStep
    from installer.record.state import RunState, StepState

COLUMNS: Final = (Column("state", 9), Column("check"), Column("where", 14))
_LINES: Final = 8


def check_rows(plan: Plan, state: RunState) -> list[Row]:
    """A row a check and machine; the key is stage/step/machine."""
    rows = []
    for stage in plan.stages:
        for step in stage.steps:
            for host in done_on(step):
                key = (step.stage, step.id, host)
                # What was changed since is to be asked again.
                word, tone = _stand(state.steps.get(key) if state.holds(key) else None)
                cells = (
                    Cell(word, tone),
                    Cell(step.title),
                    Cell(_where(step, host, plan.control), "muted"),
                )
                rows.append(Row(f"{step.key}/{host}", cells))
    return rows


def _where(step: PlannedStep, host: str, control: str) -> str:
    if host == CONTROL_HOST and step.hosts:
        names = step.hosts
        return ", ".join(names) if len(names) < 4 else f"{names[0]} and {len(names) - 1} more"
    return told_host(host, control)


def _stand(standing: StepState | None) -> tuple[str, str]:
    if standing is None or (standing.outcome is None and not standing.running):
        return "not asked", "muted"
    if standing.running:
        return "asking", "accent"
    match standing.outcome:
        case Outcome.DONE | Outcome.ALREADY:
            return "holds", "pass"
        case Outcome.FAILED:
            return "FAILS", "fail"
        case Outcome.SKIPPED:
            return "skipped", "warn"
        case _:
            return "not asked", "muted"


def verdict(plan: Plan, state: RunState, *, running: bool) -> str:
    """How the verification came out, in one sentence."""
    words = [row.cells[0].text for row in check_rows(plan, state)]
    holds, fails = words.count("holds"), words.count("FAILS")
    open_ones = len(words) - holds - fails
    if running:
        return f"Asking: {holds} of {len(words)} hold so far."
    at = moment(state.last_time)
    when = f"{at:%Y-%m-%d %H:%M} UTC" if at is not None else "at a time that no calendar has"
    if fails:
        rest = f", {open_ones} not asked after it" if open_ones else ""
        return f"{fails} of {len(words)} FAILS{rest}; asked {when}."
    if open_ones:
        return f"{holds} of {len(words)} hold, {open_ones} not asked; r asks all of them."
    return f"All {len(words)} hold; asked {when}."


def about_check(plan: Plan, state: RunState, key: str) -> Content:
    """What a check asks, how it came out, and the last lines that it saw."""
    stage_id, _, rest = key.partition("/")
    step_id, _, host = rest.partition("/")
    standing = state.steps.get((stage_id, step_id, host))
    source = next((stage.source for stage in plan.stages if stage.id == stage_id), "")
    parts: list[str | tuple[str, str]] = []
    # That a check was found to hold says its word already.
    if standing is not None and standing.sentence and standing.outcome is not Outcome.ALREADY:
        failed = standing.outcome is Outcome.FAILED
        parts.append((standing.sentence, "bold $error" if failed else ""))
        problem = standing.problem or {}
        if failed and problem.get("remedy"):
            remedy = str(problem["remedy"]).replace(": sitewright resume", "")
            parts += ["\n", ("Do: ", "bold"), remedy]
    parts += ["\n" if parts else "", ("Source: ", "bold"), source]
    for line in list(standing.tail)[-_LINES:] if standing is not None else ():
        parts += ["\n", (f"  {line}", "$text-muted")]
    return Content.assemble(*parts)
