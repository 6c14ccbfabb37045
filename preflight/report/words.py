"""Words: the sentences, counts and sizes that every form of the report shares; see `texts`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from preflight.assessment import Assessment
from preflight.cluster.case import AS_IT_IS
from preflight.findings import Finding, Severity, Verdict
from preflight.report.texts import capital, cells, clean, clean_lines, cut, to_ascii

__all__ = [
    "SEVERITY_WORDS",
    "VERDICT_CLASSES",
    "VERDICT_WORDS",
    "Colored",
    "capital",
    "cells",
    "clean",
    "clean_lines",
    "count",
    "cut",
    "is_waived",
    "moment",
    "name_list",
    "numbers_of",
    "severity_word",
    "subject_sentence",
    "target_noun",
    "to_ascii",
    "verdict_sentence",
    "verdict_word",
]

SEVERITY_WORDS = {
    Severity.PASS: "PASS",
    Severity.WARN: "WARN",
    Severity.FAIL: "FAIL",
    Severity.UNKNOWN: "UNKNOWN",
}

VERDICT_WORDS = {
    Verdict.READY: "READY",
    Verdict.READY_WITH_WARNINGS: "READY WITH WARNINGS",
    Verdict.NOT_READY: "NOT READY",
    Verdict.INCOMPLETE: "INCOMPLETE",
}


@dataclass(frozen=True, slots=True)
class Colored:
    """A word with the colour of a class; the word says by itself what the colour says."""

    word: str
    name: str
    """The class of the style sheet."""


VERDICT_CLASSES = {
    Verdict.READY: "ok",
    Verdict.READY_WITH_WARNINGS: "warn",
    Verdict.NOT_READY: "fail",
    Verdict.INCOMPLETE: "unknown",
}


def verdict_word(verdict: Verdict) -> Colored:
    """The word of a verdict in its colour."""
    return Colored(VERDICT_WORDS[verdict], VERDICT_CLASSES[verdict])


def severity_word(finding: Finding) -> str:
    """The word for a finding: PASS, WARN, FAIL, UNKNOWN, or WAIVED where a waiver covers it."""
    return "WAIVED" if is_waived(finding) else SEVERITY_WORDS[finding.severity]


def is_waived(finding: Finding) -> bool:
    """Whether a waiver covers something that is not a pass anyway."""
    return finding.waiver is not None and finding.severity is not Severity.PASS


def count(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: "1 machine", "3 machines", "no machines"."""
    if number == 1:
        return f"1 {one}"
    return f"{number or 'no'} {many or one + 's'}"


def moment(when: datetime | None) -> str:
    """A moment to the minute in UTC; an empty text where there is none."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if when else ""


_NUMBERED = re.compile(r"^(.*?)(\d{1,9})$", re.ASCII)


def name_list(names: Iterable[str]) -> str:
    """Names in their order, with runs of numbered ones drawn together: m1, w1 to w3, lb2."""
    runs: list[tuple[str, str, int]] = []  # first, last, length
    for name in map(clean, names):
        if runs and _follows(runs[-1][1], name):
            first, _, length = runs[-1]
            runs[-1] = (first, name, length + 1)
        else:
            runs.append((name, name, 1))
    parts = []
    for first, last, length in runs:
        if length == 1:
            parts.append(first)
        else:
            parts.append(f"{first}, {last}" if length == 2 else f"{first} to {last}")
    return ", ".join(parts)


def _follows(one: str, other: str) -> bool:
    left, right = _NUMBERED.match(one), _NUMBERED.match(other)
    if left is None or right is None or left[1] != right[1]:
        return False
    return str(int(left[2]) + 1).zfill(len(left[2])) == right[2]


def numbers_of(findings: Sequence[Finding]) -> dict[str, int]:
    """How many findings end in each way: pass, warn, fail, unknown, and waived apart."""
    totals = {"fail": 0, "unknown": 0, "warn": 0, "pass": 0, "waived": 0}
    for finding in findings:
        totals["waived" if is_waived(finding) else finding.severity.value] += 1
    return totals


def subject_sentence(assessment: Assessment) -> str:
    """What the machines are judged for: Payment Manager for Mojaloop, production."""
    needs = assessment.needs
    return clean(f"{needs.title or needs.solution}, {needs.environment}")


def target_noun(assessment: Assessment) -> str:
    """What one of the things judged is: a machine, or a cluster where no machine is among them."""
    return "cluster" if assessment.clusters and not assessment.hosts else "machine"


def verdict_sentence(assessment: Assessment, *, failures: int, unknowns: int) -> str:
    """The verdict with its reason, without the word itself.

    `failures` and `unknowns` count one thing on several machines once, as the report lists them.
    """
    noun = target_noun(assessment)
    machines = len(assessment.targets)
    unseen = sum(not target.seen.reachable for target in assessment.targets)
    totals = numbers_of(assessment.all_findings)
    parts = []
    if unseen:
        parts.append(f"{count(unseen, noun)} could not be seen")
    if unknowns:
        parts.append(f"{count(unknowns, 'thing')} could not be told")
    match assessment.verdict:
        case Verdict.NOT_READY:
            where = _where_it_lacks(assessment)
            parts.insert(0, f"{count(failures, 'thing')} must be mended {where}")
        case Verdict.INCOMPLETE:
            parts = [f"nothing that was seen stands against it, but {' and '.join(parts)}"]
            if not machines:
                parts = [f"no {noun} was named"]
        case Verdict.READY_WITH_WARNINGS:
            warnings = count(totals["warn"], "warning")
            what = "an installation" if assessment.needs.solution != AS_IT_IS else "it"
            parts = [f"nothing stands against {what}, with {warnings} to read"]
        case Verdict.READY:
            parts = [f"all {machines} {noun}s have what is asked of them"]
            if machines == 1:
                parts = [f"{_only_one(assessment)} has what is asked of it"]
    if totals["waived"]:
        parts.append(f"{count(totals['waived'], 'finding is', 'findings are')} waived")
    return "; ".join(parts) + "."


def _where_it_lacks(assessment: Assessment) -> str:
    """Where that lies which must be mended, on the machines and between them."""
    noun = target_noun(assessment)
    on = sum(any(f.blocks for f in target.findings) for target in assessment.targets)
    between = any(f.blocks for f in assessment.findings)
    if len(assessment.targets) == 1:
        one = f"{'on' if noun == 'machine' else 'in'} {_only_one(assessment)}"
        whole = "in the site as a whole"
        return f"{one} and {whole}" if on and between else one if on else whole
    if not on:
        return f"between the {noun}s"
    return f"on {on} of {len(assessment.targets)} {noun}s{' and between them' if between else ''}"


def _only_one(assessment: Assessment) -> str:
    """The one target by its name: "this machine" would be the one under the reader's hands."""
    if target_noun(assessment) == "cluster":
        return "this cluster"
    return clean(assessment.targets[0].name)
