"""The report as JSON, "sitewright.preflight/1": what a program reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from foundation.problems import Problem
from preflight.assessment import Assessment, ClusterResult, HostResult
from preflight.facts_json import cluster_facts_for_report, facts_for_report
from preflight.findings import Finding, Waiver
from preflight.needs import SizingTable
from preflight.report.areas import area_title
from preflight.report.clusters import earliest
from preflight.report.grouping import (
    WaiverState,
    external,
    given_waivers,
    risk_acceptances,
    sentence,
)
from preflight.report.words import numbers_of
from preflight.sizing import table_notes

if TYPE_CHECKING:
    from preflight.report import shape


def render_json(assessment: Assessment) -> str:
    """The report as JSON text: keys in a fixed order, UTF-8, ending with a newline."""
    return "".join(json_pieces(assessment))


def json_pieces(assessment: Assessment) -> Iterator[str]:
    """The same text in pieces, a machine or a cluster each.

    Of hundreds of machines it is some tens of megabytes, and as plain values several times that.
    """
    lists: dict[str, Iterator[object]] = {
        "hosts": map(_host, assessment.hosts),
        "clusters": map(_cluster, assessment.clusters),
    }
    before = "{"
    for key, value in _frame(assessment).items():
        yield f"{before}\n  {json.dumps(key)}: "
        if key in lists:
            yield from _listed(lists[key])
        else:
            yield _indented(value, 1)
        before = ","
    yield "\n}\n"


def _listed(values: Iterator[object]) -> Iterator[str]:
    before = "["
    for value in values:
        yield f"{before}\n    {_indented(value, 2)}"
        before = ","
    yield "[]" if before == "[" else "\n  ]"


def _indented(value: object, depth: int) -> str:
    """A value as JSON that stands so deep; no text in it has a line's end of its own."""
    text = _RISKY.sub(_escaped, _json(value))
    return text.replace("\n", "\n" + "  " * depth)


def _json(value: object) -> str:
    from pydantic_core import PydanticSerializationError, to_json

    try:
        # json writes what is indented in Python, which takes as long as the judgement.
        return to_json(value, indent=2).decode()
    except PydanticSerializationError:  # half a surrogate pair
        return json.dumps(value, ensure_ascii=False, indent=2)


_RISKY = re.compile(
    "[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]"
)
"""What would act on a terminal that shows the file, and halves of surrogate pairs."""


def _escaped(match: re.Match[str]) -> str:
    # Outside strings JSON has none of these, so writing them as escapes changes no value; half a
    # surrogate pair is no text at all, and the one thing that is replaced.
    code = ord(match[0])
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else f"\\u{code:04x}"


def report(assessment: Assessment) -> shape.ReportShape:
    """The report as plain values, in the published shape."""
    return {
        **_frame(assessment),
        "hosts": [_host(host) for host in assessment.hosts],
        "clusters": [_cluster(cluster) for cluster in assessment.clusters],
    }


def _frame(assessment: Assessment) -> shape.ReportShape:
    """All of it but its machines and clusters, which have their place."""
    needs = assessment.needs
    extra = assessment.extra
    return {
        "schema": "sitewright.preflight/1",
        "version": extra.get("version"),
        "made_at": assessment.made_at.isoformat() if assessment.made_at else None,
        "site": extra.get("site"),
        "solution": needs.solution,
        "title": needs.title,
        "environment": needs.environment,
        "sizing": _sizing(needs.sizing),
        "other_sizings": [_sizing(table) for table in needs.other_sizings],
        "notes": list(table_notes(needs)),
        "verdict": assessment.verdict.value,
        "sentence": sentence(assessment),
        "counts": _counts(assessment.all_findings),
        "roles": [
            {
                "role": row.role,
                "title": row.title,
                "optional": row.optional,
                "external": external(row),
                "min": row.count.min,
                "max": row.count.max,
                "machines": [h.seen.host.name for h in assessment.hosts if row.role in h.roles],
            }
            for row in needs.sizing.roles
        ],
        "hosts": [],
        "clusters": [],
        "findings": [_finding(finding) for finding in assessment.findings],
        "waivers": [
            {
                "check": given.waiver.check,
                "host": given.waiver.host,
                "by": given.waiver.by,
                "reason": given.waiver.reason,
                "until": given.waiver.until.isoformat(),
                "in_force": given.state is WaiverState.IN_FORCE,
                "state": given.state.value,
                "covers": given.covers,
            }
            for given in given_waivers(assessment)
        ],
        "risk_acceptances": [
            {
                "host": risk.host,
                "roles": list(risk.roles),
                "source": risk.source,
                "accepted_by": [_waiver(waiver) for waiver in risk.accepted_by],
            }
            for risk in risk_acceptances(assessment)
        ],
        "carries": [
            {
                "solution": carries.solution,
                "environment": carries.environment,
                "title": carries.title,
                "verdict": carries.verdict.value,
                "sentence": carries.sentence,
            }
            for carries in assessment.carries
        ],
        "extra": {key: extra[key] for key in extra if key not in {"version", "site"}},
    }


def _counts(findings: tuple[Finding, ...]) -> shape.CountsShape:
    totals = numbers_of(findings)
    return {
        "fail": totals["fail"],
        "unknown": totals["unknown"],
        "warn": totals["warn"],
        "pass": totals["pass"],
        "waived": totals["waived"],
    }


def _sizing(table: SizingTable) -> shape.SizingShape:
    return {
        "id": table.id,
        "title": table.title,
        "environment": table.environment,
        "source": table.source,
        "version": table.version,
    }


def _host(result: HostResult) -> shape.HostShape:
    seen = result.seen
    return {
        "name": seen.host.name,
        "address": seen.host.address,
        "port": seen.host.port,
        "roles": list(result.roles),
        "verdict": result.verdict.value,
        "reachable": seen.reachable,
        "problem": _problem(seen.problem),
        "seen_at": seen.seen_at.isoformat() if seen.seen_at else None,
        "seconds": round(seen.seconds, 3),
        "facts": None
        if seen.facts is None
        else cast("shape.FactsShape", facts_for_report(seen.facts)),
        "findings": [_finding(finding) for finding in result.findings],
    }


def _cluster(result: ClusterResult) -> shape.ClusterShape:
    seen = result.seen
    first = earliest(result)
    return {
        "name": result.name,
        "where": result.endpoint,
        "verdict": result.verdict.value,
        "reachable": seen.reachable,
        "problem": _problem(seen.problem),
        "seen_at": seen.seen_at.isoformat() if seen.seen_at else None,
        "seconds": round(seen.seconds, 3),
        "earliest": None
        if first is None
        else {"layer": area_title(first.area), "id": first.id, "title": first.title},
        "facts": None
        if seen.facts is None
        else cast("shape.ClusterFactsShape", cluster_facts_for_report(seen.facts)),
        "findings": [_finding(finding) for finding in result.findings],
    }


def _problem(problem: Problem | None) -> shape.ProblemShape | None:
    if problem is None:
        return None
    return {
        "code": problem.code,
        "title": problem.title,
        "where": problem.where,
        "cause": problem.cause,
        "remedy": problem.remedy or None,
    }


def _finding(finding: Finding) -> shape.FindingShape:
    return {
        "id": finding.id,
        "host": finding.host,
        "subject": finding.subject,
        "severity": finding.severity.value,
        "title": finding.title,
        "expected": finding.expected,
        "actual": finding.actual,
        "source": finding.source,
        "evidence": finding.evidence,
        "remedy": finding.remedy,
        "undo": finding.undo,
        "waiver": None if finding.waiver is None else _waiver(finding.waiver),
    }


def _waiver(waiver: Waiver) -> shape.WaiverShape:
    return {
        "check": waiver.check,
        "host": waiver.host,
        "by": waiver.by,
        "reason": waiver.reason,
        "until": waiver.until.isoformat(),
    }
