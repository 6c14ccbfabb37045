"""Assessment: machines and clusters, what was seen of each, and what the checks say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from foundation.hosts.model import Host
from foundation.problems import Problem
from preflight.cluster.facts import ClusterFacts
from preflight.facts import Facts
from preflight.findings import Finding, Severity, Verdict, Waiver
from preflight.needs import SolutionNeeds


@dataclass(frozen=True, slots=True)
class Seen:
    """One machine after it was looked at: its facts, or the problem that prevented it."""

    host: Host
    facts: Facts | None = None
    problem: Problem | None = None
    seen_at: datetime | None = None
    """When, in UTC."""
    seconds: float = 0.0
    """From the first packet to the last, as a person waits."""

    @property
    def reachable(self) -> bool:
        """Whether its facts are there."""
        return self.facts is not None


@dataclass(frozen=True, slots=True)
class HostResult:
    """A machine with its findings."""

    seen: Seen
    roles: tuple[str, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The word on this machine alone."""
        return verdict_of(self.findings, complete=self.seen.reachable)

    @property
    def name(self) -> str:
        """The machine's name in the site."""
        return self.seen.host.name

    @property
    def endpoint(self) -> str:
        """Where it is reached."""
        return self.seen.host.endpoint


@dataclass(frozen=True, slots=True)
class SeenCluster:
    """One cluster after it was looked at: its facts, or the problem that prevented it."""

    name: str
    """Its context, or the machine through which it was reached."""
    where: str
    """Its API server, or that machine."""
    facts: ClusterFacts | None = None
    problem: Problem | None = None
    seen_at: datetime | None = None
    """When, in UTC."""
    seconds: float = 0.0

    @property
    def reachable(self) -> bool:
        """Whether its facts are there."""
        return self.facts is not None


@dataclass(frozen=True, slots=True)
class ClusterResult:
    """A cluster with its findings."""

    seen: SeenCluster
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The word on this cluster alone."""
        return verdict_of(self.findings, complete=self.seen.reachable)

    @property
    def name(self) -> str:
        """What it is called in a report."""
        return self.seen.name

    @property
    def endpoint(self) -> str:
        """Where it is reached."""
        return self.seen.where


Target: TypeAlias = HostResult | ClusterResult
"""What is judged: a machine or a cluster, with its name, its findings and its verdict."""


@dataclass(frozen=True, slots=True)
class Carries:
    """Whether this one machine can carry a solution."""

    solution: str
    environment: str
    title: str
    verdict: Verdict
    sentence: str
    """Why not, or what to mind, in one sentence."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """The whole result of a preflight, from which every report is made."""

    needs: SolutionNeeds
    hosts: tuple[HostResult, ...]
    clusters: tuple[ClusterResult, ...] = ()
    findings: tuple[Finding, ...] = ()
    """Those between machines."""
    waivers: tuple[Waiver, ...] = ()
    """Those given, in force or not."""
    carries: tuple[Carries, ...] = ()
    made_at: datetime | None = None
    """When it was judged, in UTC."""
    extra: dict[str, str] = field(default_factory=dict)
    """What else the report should say: the site file, the version."""

    @property
    def targets(self) -> tuple[Target, ...]:
        """All that was judged: the machines, then the clusters."""
        return (*self.hosts, *self.clusters)

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Every finding, machine by machine and cluster by cluster, then those between machines."""
        return (*(f for target in self.targets for f in target.findings), *self.findings)

    @property
    def verdict(self) -> Verdict:
        """The word on the whole site."""
        complete = all(one.seen.reachable for one in self.targets) and bool(self.targets)
        return verdict_of(self.all_findings, complete=complete)


def verdict_of(findings: Iterable[Finding], *, complete: bool) -> Verdict:
    """The verdict that findings add up to; `complete` is whether every machine was seen.

    A failure decides; then something that was not seen; then unknowns and warnings that nobody
    waived. An unknown counts like a machine that was not seen: nobody may call it ready.
    """
    severities = {f.severity for f in findings if f.waiver is None}
    if Severity.FAIL in severities:
        return Verdict.NOT_READY
    if not complete or Severity.UNKNOWN in severities:
        return Verdict.INCOMPLETE
    return Verdict.READY_WITH_WARNINGS if Severity.WARN in severities else Verdict.READY
