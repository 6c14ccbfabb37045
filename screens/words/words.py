"""Words: the sentences and short forms that the wizard and its plain twin share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from foundation.wording import counted
from preflight.assessment import Assessment, HostResult
from preflight.findings import Finding, Severity, Verdict
from preflight.needs import SolutionNeeds
from preflight.report.words import clean, is_waived

SEVERITY_WORDS: Final = {
    Severity.PASS: "ok",
    Severity.WARN: "warn",
    Severity.FAIL: "FAIL",
    Severity.UNKNOWN: "?",
}

VERDICT_WORDS: Final = {
    Verdict.READY: "ready",
    Verdict.READY_WITH_WARNINGS: "ready, with warnings",
    Verdict.NOT_READY: "not ready",
    Verdict.INCOMPLETE: "incomplete",
}

VERDICT_TONES: Final = {
    Verdict.READY: "pass",
    Verdict.READY_WITH_WARNINGS: "warn",
    Verdict.NOT_READY: "fail",
    Verdict.INCOMPLETE: "unknown",
}

_WORST_FIRST: Final = (Severity.FAIL, Severity.UNKNOWN, Severity.WARN, Severity.PASS)


def by_weight(findings: Iterable[Finding]) -> list[Finding]:
    """Findings with the worst first, the waived after those that count."""
    return sorted(
        findings,
        key=lambda finding: (
            2.5 if is_waived(finding) else _WORST_FIRST.index(finding.severity),
            finding.id,
            finding.subject,
        ),
    )


def to_mend(findings: Iterable[Finding]) -> list[Finding]:
    """Those that somebody has to do something about."""
    return [f for f in findings if f.severity is not Severity.PASS and not is_waived(f)]


def finding_word(finding: Finding) -> str:
    """The word of a finding: ok, warn, FAIL, ?, or waived."""
    return "waived" if is_waived(finding) else SEVERITY_WORDS[finding.severity]


def finding_tone(finding: Finding) -> str:
    """The tone in which its word is shown."""
    return "muted" if is_waived(finding) else finding.severity.value


def host_sentence(result: HostResult) -> str:
    """One machine in one sentence."""
    if result.seen.problem is not None:
        return clean(f"{result.seen.problem.title}: {result.seen.problem.cause}")
    mend = to_mend(result.findings)
    if not mend:
        waived = sum(map(is_waived, result.findings))
        return f"nothing to mend, {waived} waived" if waived else "everything is as asked"
    failed = [f for f in mend if f.severity is Severity.FAIL]
    if failed:
        return failed[0].title if len(failed) == 1 else f"{len(failed)} failures"
    return f"{counted(len(mend), 'thing')} to look at"


def by_waiver(assessment: Assessment) -> bool:
    """Whether it is ready only because a failure was waived."""
    if assessment.verdict not in (Verdict.READY, Verdict.READY_WITH_WARNINGS):
        return False
    found = [*assessment.findings, *(f for host in assessment.hosts for f in host.findings)]
    return any(is_waived(one) and one.severity is Severity.FAIL for one in found)


def verdict_sentence(assessment: Assessment) -> str:
    """The verdict and its reason, in the words of the report."""
    from preflight.report.grouping import sentence

    word = VERDICT_WORDS[assessment.verdict]
    if by_waiver(assessment):
        word = f"{word}, by waiver"
    return f"{word[:1].upper()}{word[1:]}: {sentence(assessment)}"


def clusters_beside(needs: SolutionNeeds) -> str:
    """What was not looked at though the installation stands on it; empty where nothing is."""
    number = needs.sizing.standing_clusters
    if not number:
        return ""
    what = "The cluster itself was" if number == 1 else f"The {number} clusters themselves were"
    by = ""
    if any(row.of_cluster for row in needs.sizing.roles):
        by = f" --solution {needs.solution} --environment {needs.environment}"
    it = "it" if number == 1 else "each"
    return f"{what} not looked at here; sitewright preflight --cluster CONTEXT{by} judges {it}."


OLDER_WORD: Final = "older"
"""What a person types who means an older bundle."""


def older_lines(this: str, before: str) -> tuple[str, ...]:
    """What a person reads before that word; `before` is empty where only machines may know it."""
    had = f"This site had: {before}."
    if not before:
        had = "A machine that had a newer one refuses it, unless this tells it that it is meant."
    warns = (
        "An older bundle can bring back faults that the newer one mended; who sends it may mean "
    )
    return f"This bundle: {this}.", had, f"{warns}mean harm. The plan says who allowed it."
