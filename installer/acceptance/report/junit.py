"""The result as JUnit XML: one case a criterion."""

from __future__ import annotations

from html import escape

from installer.acceptance.result import Criterion, Outcome, Result, Verdict
from preflight.report.words import clean


def as_junit(result: Result) -> str:
    """A missed criterion is a <failure>, one that could not be measured an <error>.

    What is not measured yet is skipped.

    Where the generator limited it or it was stopped, what hangs on time is an <error>.
    """
    spoilt = bool(result.limited) or result.verdict is Verdict.STOPPED
    cases = [_case(one, result, spoilt=spoilt and one.by_time) for one in result.criteria]
    whole = "".join(cases)
    totals = {
        "tests": len(cases),
        "failures": whole.count("<failure"),
        "errors": whole.count("<error"),
        "skipped": whole.count("<skipped"),
    }
    seconds = f"{result.ended - result.began:.3f}"
    head = _attributes(name=f"sitewright accept: {result.name}", **totals, time=seconds)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites{head}>\n'
        f"  <testsuite{head}>\n{whole}  </testsuite>\n</testsuites>\n"
    )


def _case(one: Criterion, result: Result, *, spoilt: bool) -> str:
    start = f"    <testcase{_attributes(name=one.title, classname='acceptance')}"
    body = escape(clean(f"asked: {one.asked}; {' '.join(one.more)}"), quote=False)
    if spoilt:
        why = "; ".join(result.limited) or "it was stopped"
        return f"{start}><error{_attributes(message=why, type='limited')}/></testcase>\n"
    match one.outcome:
        case Outcome.MISSED:
            inside = f"<failure{_attributes(message=one.seen, type='missed')}>{body}</failure>"
        case Outcome.UNKNOWN if not one.to_come:
            inside = f"<error{_attributes(message=one.seen, type='not-measured')}/>"
        case Outcome.UNKNOWN:
            inside = f"<skipped{_attributes(message=one.seen)}/>"
        case _:
            inside = f"<system-out>{escape(clean(one.seen), quote=False)}</system-out>"
    return f"{start}>{inside}</testcase>\n"


def _attributes(**values: str | int) -> str:
    return "".join(f' {key}="{escape(clean(str(value)))}"' for key, value in values.items())
