"""The report as JUnit XML: one suite a machine, one case a finding, for the CI that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from preflight.assessment import Assessment, HostResult, Target
from preflight.findings import Finding, Severity
from preflight.report.grouping import BETWEEN, UNREACHED
from preflight.report.words import clean, clean_lines, is_waived
from preflight.sizing import table_notes

NOTES = "what the tables say that no check can"


def render_junit(assessment: Assessment) -> str:
    """The report as JUnit XML.

    A failure is a <failure>, an unknown an <error>, what is waived <skipped> with the waiver, and
    a warning a case that passes and says so in its output. There are as many cases as findings,
    and one more for a machine that could not be seen and has no finding that says it.
    """
    suites = [_target(target, assessment.made_at) for target in assessment.targets]
    if assessment.findings:
        suites.append(_Suite(BETWEEN, assessment.findings, assessment.made_at))
    needs = assessment.needs
    name = f"sitewright preflight {needs.solution} {needs.environment}"
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    totals = [suite.totals() for suite in suites]
    whole = {key: sum(one[key] for one in totals) for key in _Suite("", (), None).totals()}
    seconds = sum(suite.seconds for suite in suites)
    lines.append(f"<testsuites{_attributes(name=name, **whole, time=f'{seconds:.3f}')}>")
    for suite in suites:
        lines += suite.lines()
    lines += _notes(assessment)
    lines.append("</testsuites>")
    return "\n".join(lines) + "\n"


def _notes(assessment: Assessment) -> list[str]:
    """What the tables say that no check can: a suite of nothing but words."""
    notes = "\n".join(f"- {clean(note)}" for note in table_notes(assessment.needs))
    if not notes:
        return []
    empty = _Suite(NOTES, (), None).totals()
    return [
        f"  <testsuite{_attributes(name=NOTES, **empty, time='0.000')}>",
        f"    <system-out>{escape(notes, quote=False)}</system-out>",
        "  </testsuite>",
    ]


class _Suite:
    def __init__(
        self,
        name: str,
        findings: Sequence[Finding],
        when: datetime | None,
        *,
        hostname: str = "",
        seconds: float = 0.0,
    ) -> None:
        self.name = name
        self.findings = findings
        self.when = when
        self.hostname = hostname
        self.seconds = seconds

    def totals(self) -> dict[str, int]:
        live = [finding for finding in self.findings if not is_waived(finding)]
        return {
            "tests": len(self.findings),
            "failures": sum(f.severity is Severity.FAIL for f in live),
            "errors": sum(f.severity is Severity.UNKNOWN for f in live),
            "skipped": len(self.findings) - len(live),
        }

    def lines(self) -> list[str]:
        more: dict[str, str] = {"time": f"{self.seconds:.3f}"}
        if self.when is not None:
            more["timestamp"] = f"{self.when.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
        if self.hostname:
            more["hostname"] = self.hostname
        lines = [f"  <testsuite{_attributes(name=self.name, **self.totals(), **more)}>"]
        for finding in self.findings:
            lines += _case(finding)
        lines.append("  </testsuite>")
        return lines


def _target(result: Target, made_at: datetime | None) -> _Suite:
    seen = result.seen
    findings = list(result.findings)
    if not seen.reachable and not any(f.id in UNREACHED for f in findings):
        problem = seen.problem
        findings.append(
            Finding(
                id="host.reachable" if isinstance(result, HostResult) else "cluster.reachable",
                severity=Severity.UNKNOWN,
                title=str(problem) if problem else "It was not looked at.",
                expected="it answers",
                actual=problem.cause if problem else "it was not asked",
                source="",
                host=result.name,
                remedy=problem.remedy if problem else "",
            )
        )
    return _Suite(
        result.name,
        findings,
        seen.seen_at or made_at,
        hostname=result.seen.host.address if isinstance(result, HostResult) else result.endpoint,
        seconds=seen.seconds,
    )


def _case(finding: Finding) -> list[str]:
    name = f"{finding.id} {finding.subject}".strip()
    start = f"    <testcase{_attributes(name=name, classname=finding.area, time='0.000')}"
    waiver = finding.waiver
    if waiver is not None and is_waived(finding):
        said = f"waived by {waiver.by} until {waiver.until.isoformat()}: {waiver.reason}"
        inside = f"<skipped{_attributes(message=said)}>{_body(finding)}</skipped>"
    elif finding.severity is Severity.FAIL:
        inside = f"<failure{_attributes(message=finding.title, type=finding.id)}>"
        inside += f"{_body(finding)}</failure>"
    elif finding.severity is Severity.UNKNOWN:
        inside = f"<error{_attributes(message=finding.title, type='unknown')}>"
        inside += f"{_body(finding)}</error>"
    elif finding.severity is Severity.WARN:
        inside = f"<system-out>WARN: {_body(finding)}</system-out>"
    else:
        return [f"{start}/>"]
    return [f"{start}>", f"      {inside}", "    </testcase>"]


def _body(finding: Finding) -> str:
    rows = (
        ("", finding.title),
        ("expected: ", finding.expected),
        ("found: ", finding.actual),
        ("why: ", finding.source),
        ("see: ", finding.evidence),
        ("do: ", finding.remedy),
        ("undo: ", finding.undo),
    )
    text = "\n".join(label + "\n".join(clean_lines(value)) for label, value in rows if value)
    return escape(text, quote=False)


def _attributes(**values: str | int) -> str:
    # What `clean` leaves has no line break and nothing that XML forbids.
    return "".join(f' {key}="{escape(clean(str(value)))}"' for key, value in values.items())
