"""Words and numbers that every form of the report shares."""

from __future__ import annotations

from typing import Final

from installer.acceptance.result import Criterion, Outcome, Result, Verdict
from preflight.report.words import Colored

VERDICTS: Final = {
    Verdict.HELD: Colored("HELD", "ok"),
    Verdict.MISSED: Colored("MISSED", "fail"),
    Verdict.OPEN: Colored("NOT PROVED", "unknown"),
    Verdict.LIMITED: Colored("NO VERDICT", "unknown"),
    Verdict.STOPPED: Colored("STOPPED", "warn"),
}
OUTCOMES: Final = {
    Outcome.HELD: Colored("HELD", "ok"),
    Outcome.MISSED: Colored("MISSED", "fail"),
    Outcome.NOTED: Colored("NOTED", "warn"),
    Outcome.UNKNOWN: Colored("NOT MEASURED", "unknown"),
}
LEGS: Final = (
    ("lookup", "Lookup"),
    ("terms", "Agreement of terms"),
    ("clearing", "Clearing"),
)
PERCENTS: Final = ("p50", "p90", "p99", "p99.9", "longest")


def sentence(result: Result) -> str:
    """The verdict in a sentence, without its word."""
    missed = [
        one.title.lower()
        for one in result.criteria
        if one.outcome is Outcome.MISSED and not (one.by_time and result.limited)
    ]
    open_ones = [one.title.lower() for one in result.criteria if one.outcome is Outcome.UNKNOWN]
    criteria = "one criterion" if len(missed) == 1 else f"{len(missed)} criteria"
    left = f"; not measured: {', '.join(open_ones)}" if open_ones else ""
    match result.verdict:
        case Verdict.HELD:
            return f"the hub held {result.name}{left}."
        case Verdict.MISSED:
            left += "; what hangs on time is not judged" if result.limited else ""
            return f"the hub missed {criteria} ({', '.join(missed)}) in {result.name}{left}."
        case Verdict.OPEN:
            return f"the hub missed nothing in {result.name}, and not all was measured{left}."
        case Verdict.LIMITED:
            return f"the generator limited the measurement of {result.name}; the hub may do better."
        case Verdict.STOPPED:
            return f"it was stopped before the end of {result.name}."


def words_of(one: Criterion) -> list[tuple[str, str]]:
    """Whose words a criterion has: the document's, and the softer ones of its source."""
    said = []
    if one.document:
        said.append(("Document 001", f"“{one.document}”"))
    if one.source:
        said.append(("Its source", f"“{one.source}”"))
    return said or [("Our own", "the document does not ask for it")]


def milliseconds(seconds: float | None) -> str:
    """A duration in milliseconds; empty for none."""
    if seconds is None:
        return ""
    return f"{seconds * 1000:,.0f}" if seconds >= 0.01 else f"{seconds * 1000:.1f}"
