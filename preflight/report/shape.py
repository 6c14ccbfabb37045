"""The shape of the JSON report, key by key; schema.py publishes it and a test holds it true."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, with_config

# Before Python 3.12 pydantic can read only this TypedDict, which it brings along.
from typing_extensions import TypedDict

VerdictWord = Literal["ready", "ready-with-warnings", "not-ready", "incomplete"]
SeverityWord = Literal["pass", "warn", "fail", "unknown"]

_strict = with_config(ConfigDict(extra="forbid"))


@_strict
class SizingShape(TypedDict):
    """A published sizing table."""

    id: str
    title: str
    environment: str
    source: str
    version: str


@_strict
class WaiverShape(TypedDict):
    """A person's word that a finding is accepted; `until` is an ISO date, its last day."""

    check: str
    host: str | None
    by: str
    reason: str
    until: str


@_strict
class GivenWaiverShape(TypedDict):
    """A waiver as it was given, with what became of it."""

    check: str
    host: str | None
    by: str
    reason: str
    until: str
    in_force: bool
    state: Literal["in-force", "expired", "not-allowed", "unused"]
    covers: int
    """How many findings it covers."""


@_strict
class FindingShape(TypedDict):
    """What one check found; `host` is null between machines."""

    id: str
    host: str | None
    subject: str
    severity: SeverityWord
    title: str
    expected: str
    actual: str
    source: str
    evidence: str
    remedy: str
    undo: str
    waiver: WaiverShape | None


@_strict
class ProblemShape(TypedDict):
    """Why a machine could not be seen."""

    code: str
    title: str
    where: str | None
    cause: str
    remedy: str | None


@with_config(ConfigDict(extra="allow"))
class FactsShape(TypedDict):
    """What a machine told, of which these keys are always there; null is absent or unknown."""

    hostname: str | None
    os: dict[str, Any]
    cpu: dict[str, Any]
    memory: dict[str, Any]
    disks: list[dict[str, Any]] | None
    filesystems: list[dict[str, Any]] | None
    nics: list[dict[str, Any]] | None
    sockets: list[dict[str, Any]] | None
    unknown: dict[str, str]
    """The reason of each unknown by its path: memory.installed_bytes, nics.eth0.speed_mbps."""
    absent: list[str]
    """The paths of what the machine was asked for and has not."""


@_strict
class HostShape(TypedDict):
    """A machine: what it told, and what the checks say of it."""

    name: str
    address: str
    port: int
    roles: list[str]
    verdict: VerdictWord
    reachable: bool
    problem: ProblemShape | None
    seen_at: str | None
    """ISO 8601, in UTC."""
    seconds: float
    facts: FactsShape | None
    """Null where the machine could not be seen."""
    findings: list[FindingShape]


@with_config(ConfigDict(extra="allow"))
class ClusterFactsShape(TypedDict):
    """What a cluster told, of which these keys are always there; null is absent or unknown."""

    version: str | None
    distribution: str | None
    network: str | None
    nodes: list[dict[str, Any]] | None
    pods: dict[str, Any] | None
    storage_classes: list[dict[str, Any]] | None
    calls: int
    """How many questions it was asked."""
    unknown: dict[str, str]
    """The reason of each unknown by its path: nodes, pods, webhooks.NAME.endpoints."""
    absent: list[str]


@_strict
class LayerShape(TypedDict):
    """The earliest layer of a cluster that is not well, and what it says."""

    layer: str
    id: str
    title: str


@_strict
class ClusterShape(TypedDict):
    """A cluster: what it told, and what the checks say of it."""

    name: str
    where: str
    """Its API server, or the machine through which it was reached."""
    verdict: VerdictWord
    reachable: bool
    problem: ProblemShape | None
    seen_at: str | None
    seconds: float
    earliest: LayerShape | None
    facts: ClusterFactsShape | None
    findings: list[FindingShape]


@_strict
class RoleShape(TypedDict):
    """A row of the sizing table with the machines that play it."""

    role: str
    title: str
    optional: bool
    external: bool
    """Whether it is no machine to log in to."""
    min: int
    max: int | None
    machines: list[str]


@_strict
class RiskShape(TypedDict):
    """A machine whose combined roles ask for a formal risk acceptance."""

    host: str
    roles: list[str]
    source: str
    accepted_by: list[WaiverShape]


@_strict
class CarriesShape(TypedDict):
    """Whether the one machine can carry a solution."""

    solution: str
    environment: str
    title: str
    verdict: VerdictWord
    sentence: str


CountsShape = TypedDict(  # in this form, because one of the keys is a word of Python
    "CountsShape", {"fail": int, "unknown": int, "warn": int, "pass": int, "waived": int}
)
"""How many findings there are of each kind, the waived ones apart."""
_strict(CountsShape)


@_strict
class ReportShape(TypedDict):
    """The whole report, "sitewright.preflight/1"."""

    schema: Literal["sitewright.preflight/1"]
    version: str | None
    """Of Sitewright, which made it."""
    made_at: str | None
    site: str | None
    solution: str
    title: str
    environment: str
    sizing: SizingShape
    other_sizings: list[SizingShape]
    notes: list[str]
    """What the sizing and port tables say that no check can."""
    verdict: VerdictWord
    sentence: str
    counts: CountsShape
    roles: list[RoleShape]
    hosts: list[HostShape]
    clusters: list[ClusterShape]
    findings: list[FindingShape]
    """Those between machines."""
    waivers: list[GivenWaiverShape]
    risk_acceptances: list[RiskShape]
    carries: list[CarriesShape]
    extra: dict[str, str]
