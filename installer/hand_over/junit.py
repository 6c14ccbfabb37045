"""The hand-over report as JUnit XML: one suite a stage, one case a step on a machine."""

from __future__ import annotations

from datetime import datetime
from html import escape

from foundation.moments import moment
from installer.events import Outcome
from installer.hand_over.model import HandOver, Result, StageReport, StepReport
from installer.hand_over.words import shown
from preflight.report.words import clean, clean_lines


def render_junit(report: HandOver) -> str:
    """A failed step is a <failure>; one that was never done an <error>; a skip says by whom."""
    suites = [_Suite(stage) for stage in report.stages]
    totals = [suite.totals() for suite in suites]
    whole = {key: sum(one[key] for one in totals) for key in ("tests", "failures", "errors")}
    whole["skipped"] = sum(one["skipped"] for one in totals)
    name = f"sitewright install {report.solution} {report.environment}"
    seconds = f"{report.seconds:.3f}"
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines.append(f"<testsuites{_attributes(name=name, **whole, time=seconds)}>")
    when = moment(report.began)
    for suite in suites:
        lines += suite.lines(when)
    lines.append("</testsuites>")
    return "\n".join(lines) + "\n"


class _Suite:
    def __init__(self, stage: StageReport) -> None:
        self.stage = stage
        self.cases = [(step, result) for step in stage.steps for result in step.results]

    def totals(self) -> dict[str, int]:
        found = [result.outcome for _, result in self.cases]
        return {
            "tests": len(found),
            "failures": sum(outcome is Outcome.FAILED for outcome in found),
            "errors": sum(outcome in (None, Outcome.STOPPED) for outcome in found),
            "skipped": sum(outcome in (Outcome.SKIPPED, Outcome.UNDONE) for outcome in found),
        }

    def lines(self, when: datetime | None) -> list[str]:
        more = {"time": f"{self.stage.seconds:.3f}"}
        if when is not None:
            more["timestamp"] = f"{when:%Y-%m-%dT%H:%M:%S}"
        head = _attributes(name=self.stage.title, **self.totals(), **more)
        cases = [line for step, result in self.cases for line in _case(self.stage, step, result)]
        return [f"  <testsuite{head}>", *cases, "  </testsuite>"]


def _case(stage: StageReport, step: StepReport, result: Result) -> list[str]:
    name = f"{step.title} ({shown(result.host)})"
    seconds = f"{result.seconds:.3f}"
    start = f"    <testcase{_attributes(name=name, classname=stage.id, time=seconds)}"
    match result.outcome:
        case Outcome.FAILED:
            body = escape("\n".join(_body(result)), quote=False)
            message = _attributes(message=(result.sentence.splitlines() or [""])[0], type=step.kind)
            inside = f"<failure{message}>{body}</failure>"
        case Outcome.SKIPPED | Outcome.UNDONE:
            inside = f"<skipped{_attributes(message=result.sentence)}/>"
        case None | Outcome.STOPPED:
            said = result.sentence or "It was not done."
            inside = f"<error{_attributes(message=said, type='not-done')}/>"
        case _:
            return [f"{start}/>"]
    return [f"{start}>", f"      {inside}", "    </testcase>"]


def _body(result: Result) -> list[str]:
    lines = clean_lines(result.sentence)
    if result.remedy:
        lines += ["do: " + line for line in clean_lines(result.remedy)]
    return [*lines, *(clean(line) for line in result.lines)]


def _attributes(**values: str | int) -> str:
    # What `clean` leaves has no line break and nothing that XML forbids.
    return "".join(f' {key}="{escape(clean(str(value)))}"' for key, value in values.items())
