"""Recorded facts of a cluster: what was seen, as a JSON file that can be judged again elsewhere.

The form is "sitewright.cluster-facts/1". A file from elsewhere is treated as hostile: whatever is
wrong with it is one InputProblem that says what and where.
"""

from __future__ import annotations

import json
from datetime import UTC
from pathlib import Path
from typing import Any, Final

from foundation.clusters import problems
from foundation.clusters.problems import ClusterProblem
from foundation.problems import InputProblem, Problem
from preflight.assessment import SeenCluster
from preflight.cluster.facts import ClusterFacts
from preflight.facts_json import misfit, reader_of, record_of, written
from preflight.recorded import moment_of, recorded_value

SCHEMA: Final = "sitewright.cluster-facts/1"
_REMEDY: Final = "Give a file that `sitewright preflight --cluster --save-facts FILE` wrote."


def cluster_facts_text(seen: SeenCluster) -> str:
    """What was seen of a cluster as the text of a file."""
    record = {
        "schema": SCHEMA,
        "name": seen.name,
        "where": seen.where,
        "seen_at": seen.seen_at.astimezone(UTC).isoformat() if seen.seen_at else None,
        "seconds": seen.seconds,
        "problem": seen.problem.as_dict() if seen.problem else None,
        "facts": written(seen.facts) if seen.facts is not None else None,
    }
    return json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def load_cluster_facts(path: Path) -> SeenCluster:
    """The cluster of a file of recorded facts; raises InputProblem with the reason and place."""
    value = recorded_value(path, SCHEMA, remedy=_REMEDY)
    try:
        return _seen(value)
    except InputProblem as problem:
        raise InputProblem(
            f"{problem.where}: {problem.cause}", where=str(path), remedy=_REMEDY
        ) from problem
    except RecursionError as error:
        raise InputProblem("the values are nested too deeply", where=str(path)) from error


def _seen(value: Any) -> SeenCluster:
    names = {"schema", "name", "where", "seen_at", "seconds", "problem", "facts"}
    record = record_of(value, "file", names)
    facts = record.get("facts")
    problem = _problem(record.get("problem"))
    if facts is None and problem is None:
        raise misfit("facts", "the facts or the problem that prevented them", facts)
    return SeenCluster(
        name=reader_of(str)(record.get("name"), "name"),
        where=reader_of(str)(record.get("where"), "where"),
        facts=None if facts is None else reader_of(ClusterFacts)(facts, "facts"),
        problem=problem,
        seen_at=moment_of(record.get("seen_at"), "seen_at"),
        seconds=reader_of(float)(record.get("seconds", 0.0), "seconds"),
    )


def _problem(value: Any) -> Problem | None:
    if value is None:
        return None
    record = record_of(value, "problem", {"code", "title", "where", "cause", "remedy"})
    text = reader_of(str | None)
    known = {
        one.code: one
        for one in vars(problems).values()
        if isinstance(one, type) and issubclass(one, ClusterProblem)
    }
    code = text(record.get("code"), "problem.code") or ""
    return known.get(code, ClusterProblem)(
        text(record.get("cause"), "problem.cause") or "",
        where=text(record.get("where"), "problem.where"),
        remedy=text(record.get("remedy"), "problem.remedy"),
    )
