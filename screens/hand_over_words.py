"""The hand-over report: what was installed, with which values, where, and who waived what."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from installer.events import Outcome
from screens.plan_words import HERE, counted, duration
from screens.run_words import titles_of

if TYPE_CHECKING:
    from installer.plan import Plan
    from installer.running.progress import Progress
    from installer.running.state import RunState
    from installer.runs import Run
    from screens.answers import Answers

_VERSIONS = ("version", "channel", "revision", "release", "tag")

_OUTCOMES = {
    Outcome.DONE: "Installed: every step was done and verified.",
    Outcome.ALREADY: "Installed before: everything was found done, and nothing was changed.",
    Outcome.STOPPED: "NOT FINISHED: it was stopped, and can be gone on with.",
    Outcome.FAILED: "NOT FINISHED: a step failed, and it can be gone on with.",
    Outcome.UNDONE: "Taken back.",
    Outcome.SKIPPED: "Skipped.",
}


def outcome_sentence(outcome: Outcome | None, plan: Plan, state: RunState) -> str:
    """How it ended, and how much was left out."""
    text = _OUTCOMES[outcome] if outcome is not None else "NOT FINISHED: it was cut off."
    skipped = [key for key, stand in state.steps.items() if stand.outcome is Outcome.SKIPPED]
    if skipped:
        text += f" {counted(len(skipped), 'step')} skipped, by name and with a reason."
    return text


def repeat_command(site: Path) -> str:
    """The command that repeats the installation."""
    return f"sitewright install --site {quote(str(site))}"


def hand_over_lines(
    run: Run, plan: Plan, state: RunState, progress: Progress, answers: Answers
) -> list[str]:
    """The report, line by line; a line that ends in a colon and is not indented is a heading."""
    lines = [outcome_sentence(state.outcome, plan, state)]
    lines += [f"{plan.solution}, {plan.environment}, plan {plan.sha256[:12]}"]
    if state.started is not None:
        when = datetime.fromtimestamp(state.started.time, UTC)
        by = state.started.data.get("by") or "somebody"
        taken = duration(progress.elapsed)
        lines.append(f"Begun {when:%Y-%m-%d %H:%M} UTC by {by}, {taken}.")
    lines += ["", "Stages:"]
    for number, stage in enumerate(progress.stages, 1):
        took = f", {duration(stage.elapsed)}" if stage.elapsed else ""
        lines.append(f"  {number}. {stage.title}: {stage.stand}, {stage.done}/{stage.total}{took}")
    lines += _people(plan, state)
    versions = [(k, v) for k, v in plan.settings if any(word in k for word in _VERSIONS)]
    if versions:
        lines += ["", "Versions:", *(f"  {name}: {value}" for name, value in versions)]
    lines += ["", "Machines:"]
    for name, roles in plan.hosts:
        host = answers.host(name)
        address = host.address if host is not None else "?"
        lines.append(f"  {name}: {address}, {', '.join(roles) or 'no role'}")
    others = [(k, v) for k, v in plan.settings if (k, v) not in versions]
    if others:
        lines += ["", "Settings:", *(f"  {name}: {value or '-'}" for name, value in others)]
    if plan.secrets:
        lines += ["", "Secrets, which stand in no file:", f"  {', '.join(plan.secrets)}"]
    lines += ["", "Waivers:"]
    lines += [
        f"  {waiver.check} on {waiver.host or 'every machine'}: {waiver.by}, until "
        f"{waiver.until}: {waiver.reason}"
        for waiver in answers.waivers
    ] or ["  none"]
    lines += [
        "", "The record:", f"  {run.folder}", "The site file that repeats it:",
        f"  {run.site_file}", "Again, without the wizard:", f"  {repeat_command(run.site_file)}",
    ]  # fmt: skip
    return lines


def _people(plan: Plan, state: RunState) -> list[str]:
    """What people confirmed, and what they left out."""
    titles = titles_of(plan)
    confirmed, skipped, failed = [], [], []
    for (stage, step, host), standing in state.steps.items():
        title = titles.get(f"{stage}/{step}", step)
        place = "" if host == HERE else f" on {host}"
        if standing.answers:
            confirmed.append(f"  {title}{place}: {standing.answers.get('by')}")
        if standing.outcome is Outcome.SKIPPED:
            skipped.append(f"  {title}{place}: {standing.sentence}")
        if standing.outcome is Outcome.FAILED:
            failed.append(f"  {title}{place}: {standing.sentence.splitlines()[0]}")
    lines = []
    for heading, found in (
        ("Confirmed by a person:", confirmed),
        ("Skipped:", skipped),
        ("Failed:", failed),
    ):
        if found:
            lines += ["", heading, *found]
    return lines
