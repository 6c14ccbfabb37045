"""The hand-over report as one HTML file that needs nothing else: for the screen and on paper."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Final

from foundation.wording import duration
from installer.events import Outcome
from installer.hand_over.model import HandOver, Result, StageReport, StepReport, Used
from installer.hand_over.words import (
    check_sentence,
    check_word,
    checks_title,
    decision_sentence,
    gigabytes,
    result_word,
    shown,
    stage_word,
    title,
    versions_title,
    when,
)
from preflight.report.pages import rendered
from preflight.report.words import Colored

_TEMPLATES: Final = Path(__file__).parent / "templates"
_CLASSES: Final = {
    Outcome.DONE: "ok", Outcome.ALREADY: "ok", Outcome.FAILED: "fail", Outcome.SKIPPED: "waived",
    Outcome.STOPPED: "warn", Outcome.UNDONE: "warn", None: "unknown",
}  # fmt: skip
_STANDS: Final = {"done": "ok", "already": "ok", "failed": "fail", "skipped": "waived"}


@dataclass(frozen=True, slots=True)
class Row:
    """A step on a machine: how it stands, and what it says."""

    title: str
    where: str
    state: Colored
    sentence: str
    took: str = ""
    answered: str = ""
    lines: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class StageRow:
    """A stage, and its steps on their machines."""

    title: str
    state: Colored
    done: str
    took: str
    source: str
    steps: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Pair:
    """A setting and its value, which may lead to a page."""

    title: str
    value: str
    link: bool


@dataclass(frozen=True, slots=True)
class Decided:
    """What a person decided, and the items of it."""

    when: str
    sentence: str
    items: Sequence[str]


def render_page(report: HandOver) -> str:
    """The report as HTML: no script, nothing loaded from anywhere, everything escaped."""
    head, _, rest = report.sentence.partition(": ")
    return rendered(
        "hand_over.html",
        _TEMPLATES,
        title=title(report),
        verdict=Colored(head, "ok" if report.complete else "fail"),
        sentence=rest,
        broken=report.record.problem,
        later=(*report.later, report.asked_again),
        cover=_cover(report),
        stages=[_stage(stage) for stage in report.stages],
        checks_title=checks_title(report),
        checks_source=next((stage.source for stage in report.stages if stage.id == "verify"), ""),
        checks=[_check(step, result) for step in report.checks for result in step.results],
        failed=[_row(step, result) for step, result in report.results(Outcome.FAILED)],
        skipped=[
            (step.title, shown(result.host), result.sentence)
            for step, result in report.results(Outcome.SKIPPED)
        ],
        versions_title=versions_title(report),
        versions=_pairs(report.versions),
        addresses=_pairs(report.addresses),
        settings=_pairs(report.settings),
        machines=[
            (
                machine.name,
                machine.address,
                ", ".join(machine.roles),
                machine.system,
                str(machine.cpus or ""),
                gigabytes(machine.memory_bytes),
            )
            for machine in report.machines
        ],
        decisions=[
            Decided(when(one.time), decision_sentence(one), one.items) for one in report.decisions
        ],
        waivers=report.waivers,
        again=f"sitewright install --site {quote(report.site_file)}",
        site_text=report.site_text,
        record=report.record,
        plan=report.plan_sha256,
        version=report.version,
    )


def _cover(report: HandOver) -> list[tuple[str, str]]:
    names = ", ".join(report.secrets)
    return [
        (
            "Begun",
            f"{when(report.began)} by {report.by or 'somebody'}" if report.began else "",
        ),
        ("Last at work", when(report.ended)),
        ("It took", report.took if report.began else ""),
        ("Software", report.supplies),
        ("Secrets", f"{names} (names only; their values stand in no file)" if names else ""),
    ]


def _took(seconds: float) -> str:
    return duration(seconds) if seconds else ""


def _stage(stage: StageReport) -> StageRow:
    skipped = "skipped" in stage_word(stage)
    name = "waived" if skipped else _STANDS.get(stage.stand, "warn")
    return StageRow(
        stage.title,
        Colored(stage_word(stage), name),
        f"{stage.done} of {stage.total}",
        _took(stage.seconds),
        stage.source,
        [_row(step, result) for step in stage.steps for result in step.results],
    )


def _row(step: StepReport, result: Result) -> Row:
    return Row(
        step.title,
        shown(result.host),
        Colored(result_word(result), _CLASSES[result.outcome]),
        result.sentence,
        took=_took(result.seconds),
        lines="\n".join(result.lines),
        remedy=result.remedy,
    )


def _check(step: StepReport, result: Result) -> Row:
    # What a step says of itself is meant for people; a program's last lines are not.
    last = "; ".join(line for line in result.lines[-4:] if line.strip())
    return Row(
        step.title,
        shown(result.host),
        Colored(check_word(result), _CLASSES[result.outcome]),
        check_sentence(result) or last,
        answered=when(result.answered),
    )


def _pairs(settings: Iterable[Used]) -> list[Pair]:
    return [Pair(used.title, used.value, _is_page(used.value)) for used in settings]


def _is_page(text: str) -> bool:
    return text.startswith(("http://", "https://")) and not set(text) & set(" \t\n")
