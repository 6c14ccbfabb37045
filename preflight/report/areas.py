"""Areas: the columns of the summary, in the order in which a person works through them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from preflight.assessment import Assessment, Target
from preflight.findings import Finding, Severity
from preflight.report.words import is_waived


@dataclass(frozen=True, slots=True)
class Area:
    """One column: its full and its short heading, and the parts of check ids it gathers."""

    title: str
    short: str
    gathers: tuple[str, ...]


CLUSTER_AREAS = (
    # Of a cluster, layer by layer: what fails first explains what comes after it.
    Area("API", "API", ("cluster", "api")),
    Area("nodes", "node", ("nodes", "capacity")),
    Area("network", "net", ("dns", "cni", "ingress")),
    Area("storage", "stor", ("storage",)),
    Area("admission", "adm", ("admission",)),
    Area("workloads", "pods", ("pods",)),
)
"""Those that no machine has."""
_OF_CLUSTERS = frozenset(part for area in CLUSTER_AREAS for part in area.gathers)

AREAS = (
    Area("access", "acc", ("access",)),
    Area("roles", "role", ("role",)),
    Area("kind", "kind", ("machine",)),
    Area("CPU", "CPU", ("cpu",)),
    Area("memory", "mem", ("memory",)),
    Area("disks", "disk", ("disk",)),
    Area("NICs", "NIC", ("nic",)),
    Area("ports", "port", ("port",)),
    Area("OS", "OS", ("os", "host")),
    Area("kernel", "kern", ("kernel", "limits")),
    Area("network", "net", ("network", "firewall", "mesh", "egress")),
    Area("time", "time", ("time",)),
    Area("software", "soft", ("software", "docker")),
    *CLUSTER_AREAS,
    Area("site", "site", ("unique", "consistency", "waiver")),
)
"""The known areas; an area that none gathers gets a column of its own at the end."""

_COLUMN = {part: place for place, area in enumerate(AREAS) for part in area.gathers}


def is_of_cluster(pattern: str) -> bool:
    """Whether a check, or a pattern of checks, is a cluster's: dns.pods, nodes.*."""
    return pattern.partition(".")[0] in _OF_CLUSTERS


def area_rank(area: str) -> int:
    """The place of an area in the order of the columns."""
    return _COLUMN.get(area, len(AREAS))


def area_title(area: str) -> str:
    """The heading of the column that an area belongs to."""
    place = _COLUMN.get(area)
    return area if place is None else AREAS[place].title


class Mark(StrEnum):
    """The word in a cell: the worst that an area has to say of a machine."""

    NONE = "none"
    """No check of this area looked at this machine."""
    OK = "ok"
    WAIVED = "waived"
    WARN = "warn"
    UNKNOWN = "unknown"
    FAIL = "fail"


_ORDER = {mark: place for place, mark in enumerate(Mark)}
_MARKS = {
    Severity.PASS: Mark.OK,
    Severity.WARN: Mark.WARN,
    Severity.UNKNOWN: Mark.UNKNOWN,
    Severity.FAIL: Mark.FAIL,
}


def mark_of(finding: Finding) -> Mark:
    """The mark of one finding."""
    return Mark.WAIVED if is_waived(finding) else _MARKS[finding.severity]


def worst(marks: Iterable[Mark]) -> Mark:
    """The worst of some marks; NONE of none."""
    return max(marks, key=_ORDER.__getitem__, default=Mark.NONE)


@dataclass(frozen=True, slots=True)
class Row:
    """A machine or a cluster with one mark a column."""

    target: Target
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """Machines and clusters by areas; only the areas that anything was found in have a column."""

    columns: tuple[Area, ...]
    rows: tuple[Row, ...]


def grid(assessment: Assessment) -> Grid:
    """The summary of the machines and clusters, in their order."""
    marks = [_marks_by_area(target.findings) for target in assessment.targets]
    present = {part for row in marks for part in row}
    known = [area for area in AREAS if present.intersection(area.gathers)]
    others = sorted(part for part in present if part not in _COLUMN)
    columns = (*known, *(Area(part, part, (part,)) for part in others))
    rows = tuple(
        Row(
            target,
            tuple(worst(row[part] for part in column.gathers if part in row) for column in columns),
        )
        for target, row in zip(assessment.targets, marks, strict=True)
    )
    return Grid(columns, rows)


def _marks_by_area(findings: Iterable[Finding]) -> dict[str, Mark]:
    marks: dict[str, Mark] = {}
    for finding in findings:
        area, mark = finding.area, mark_of(finding)
        if _ORDER[mark] > _ORDER[marks.get(area, Mark.NONE)]:
            marks[area] = mark
    return marks
