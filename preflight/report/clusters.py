"""The clusters as the reports take them: how they were reached, what they told, where to begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from foundation.wording import counted, listed
from preflight.assessment import Assessment, ClusterResult
from preflight.checks.wording import memory_size, plain
from preflight.cluster.facts import ClusterFacts, Fact, Node, Unknown, known
from preflight.findings import Finding, Severity
from preflight.report.areas import area_rank, area_title
from preflight.report.page_findings import Line, lines, numbers_of_sources
from preflight.report.words import Colored, count, moment, verdict_word


def earliest(cluster: ClusterResult) -> Finding | None:
    """The first failure in the order of the layers: what comes after it may follow from it.

    Where nothing fails, the first thing that is unknown; None where there is neither.
    """
    for severity in (Severity.FAIL, Severity.UNKNOWN):
        found = [f for f in cluster.findings if f.severity is severity and f.waiver is None]
        if found:
            return min(found, key=lambda finding: area_rank(finding.area))
    return None


def begin_with(cluster: ClusterResult) -> str:
    """The earliest layer that is not well, in words; "" where all are."""
    first = earliest(cluster)
    return "" if first is None else f"{area_title(first.area)}: {first.title}"


def rows(assessment: Assessment) -> list[tuple[str, str]]:
    """What a report says at its head of each cluster."""
    told = []
    for one in assessment.clusters:
        way = one.seen.facts.way if one.seen.facts is not None else ""
        told += [
            ("Cluster", f"{one.name}, {one.endpoint}"),
            ("Reached by", way),
            ("Seen", moment(one.seen.seen_at)),
            ("Begin with", begin_with(one)),
        ]
    return told


@dataclass(frozen=True, slots=True)
class ClusterPart:
    """A cluster on the page: what it told, its nodes, and every check."""

    name: str
    at: str
    verdict: Colored
    unseen: str
    """Why nothing was seen of it; then it told nothing."""
    told: Sequence[tuple[str, str]]
    nodes: Sequence[Sequence[str]]
    open: Sequence[Line]
    passed: Sequence[Line]
    passed_words: str


def clusters(assessment: Assessment) -> list[ClusterPart]:
    """The clusters in their order."""
    numbers = numbers_of_sources(assessment)
    made = []
    for one in assessment.clusters:
        problem, facts = one.seen.problem, one.seen.facts
        why = f"{problem.title}: {problem.cause}" if problem else "It was not looked at."
        passed = [f for f in one.findings if f.severity is Severity.PASS]
        made.append(
            ClusterPart(
                name=one.name,
                at=one.endpoint,
                verdict=verdict_word(one.verdict),
                unseen="" if facts is not None else why,
                told=_told(facts) if facts is not None else (),
                nodes=[_node(node) for node in known(facts.nodes) or ()] if facts else (),
                open=lines((f for f in one.findings if f.severity is not Severity.PASS), numbers),
                passed=lines(passed, numbers),
                passed_words=count(len(passed), "check"),
            )
        )
    return made


def _told(facts: ClusterFacts) -> list[tuple[str, str]]:
    pods, classes = known(facts.pods), known(facts.storage_classes)
    return [
        ("Reached by", facts.way),
        ("Kubernetes", _text(facts.version)),
        ("Distribution", _text(facts.distribution)),
        ("Network plug-in", _text(facts.network)),
        ("Pods", _text(facts.pods) if pods is None else counted(pods.total, "pod")),
        (
            "Storage classes",
            _text(facts.storage_classes)
            if classes is None
            else listed(one.name + (" (default)" if one.default else "") for one in classes),
        ),
        ("Ingress classes", listed(known(facts.ingress_classes) or ())),
    ]


def _text(fact: Fact[object]) -> str:
    if isinstance(fact, Unknown):
        return f"unknown: {fact.reason}"
    value = known(fact)
    return value if isinstance(value, str) else ""


def _node(node: Node) -> tuple[str, ...]:
    state = {True: "Ready", False: "NotReady", None: "Unknown"}[node.ready]
    return (
        node.name,
        f"{state}, cordoned" if node.cordoned else state,
        listed(node.roles),
        node.kubelet,
        f"{plain(node.used_cpu_millis / 1000)} of {plain(node.cpu_millis / 1000)}",
        f"{memory_size(node.used_memory_bytes)} of {memory_size(node.memory_bytes)}",
        f"{node.used_pods} of {node.pods}",
        node.zone,
    )
