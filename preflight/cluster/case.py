"""Case: a cluster before the checks, with what a solution asks of it, and how a gap is told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from preflight.checks.check import Say
from preflight.cluster.facts import ClusterFacts, Fact, Unknown, why_unknown
from preflight.findings import Finding, Severity
from preflight.needs import SizingTable, SolutionNeeds

AS_IT_IS: Final = "kubernetes"
"""The word for a cluster that no solution is asked for: how it is, and nothing else."""

_RESOURCES: Final = (
    "nodes", "pods", "namespaces", "events", "persistentvolumeclaims", "resourcequotas",
    "limitranges", "storageclasses", "ingressclasses", "gatewayclasses", "endpointslices",
    "apiservices", "validatingwebhookconfigurations", "mutatingwebhookconfigurations",
)  # fmt: skip
_ROLE: Final = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "sitewright-reader"},
    # Any group: `kubectl create clusterrole` refuses one that the cluster does not know.
    "rules": [{"apiGroups": ["*"], "resources": [*_RESOURCES], "verbs": ["list"]}],
}
READER: Final = f"echo '{json.dumps(_ROLE)}' | kubectl apply -f -"
"""Makes a role with all that the read asks for, and nothing that changes anything."""
BINDING: Final = (
    "kubectl create clusterrolebinding sitewright-reader --clusterrole=sitewright-reader"
    " --user=USER"
)


@dataclass(frozen=True, slots=True)
class ClusterCase:
    """One cluster, what it told, and what a solution asks."""

    name: str
    facts: ClusterFacts
    needs: SolutionNeeds
    now: datetime

    @property
    def as_it_is(self) -> bool:
        """Whether no solution is asked for: a living cluster, and how well it is."""
        return self.needs.solution == AS_IT_IS

    @property
    def elsewhere(self) -> Severity:
        """How much a workload of somebody else weighs: it stands against no installation."""
        return Severity.FAIL if self.as_it_is else Severity.WARN


def moment_of(text: str) -> datetime | None:
    """A moment of a fact; None where it is none, as a file from elsewhere may have it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def no_solution() -> SolutionNeeds:
    """The needs of a cluster that is looked at for no solution."""
    return SolutionNeeds(
        solution=AS_IT_IS,
        title="A Kubernetes cluster as it is",
        environment="any",
        sizing=SizingTable(
            id="none",
            environment="any",
            title="no sizing table",
            source="Sitewright: without a solution no size is asked for",
            version="1",
            roles=(),
        ),
    )


def unread(
    say: Say, fact: Fact[object], what: str, *, source: str, evidence: str, subject: str = ""
) -> Finding:
    """The finding for what could not be read, with the right that is missing where one is."""
    reason = why_unknown(fact)
    forbidden = isinstance(fact, Unknown) and reason.startswith("Forbidden")
    return say.unknown(
        f"{what} could not be read: {reason}",
        expected="it can be read",
        reason=reason,
        source=source,
        evidence=evidence,
        subject=subject,
        remedy=f"Let that user read it: `{READER}`, then `{BINDING}`."
        if forbidden
        else "Look at the API server and what stands before it, then look again.",
    )
