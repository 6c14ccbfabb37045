"""Facts of a cluster, typed: each a value, absent, or unknown with the reason.

A read that is forbidden is unknown, and its reason is the API server's own sentence, which names
the user, the verb and the resource. Sizes are bytes, CPUs thousandths, moments ISO 8601 in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from preflight.facts import ABSENT, Absent, Fact, Unknown, known, why_unknown

__all__ = ["ABSENT", "Absent", "ClusterFacts", "Fact", "Unknown", "known", "why_unknown"]

NOT_READ: Final = Unknown("it was not read")


@dataclass(frozen=True, slots=True)
class Node:
    """One node, as the API server knows it."""

    name: str
    ready: bool | None
    """None where its kubelet has said nothing, or nothing lately."""
    why: str = ""
    """What it says of not being ready."""
    pressures: tuple[str, ...] = ()
    """MemoryPressure, DiskPressure, PIDPressure, NetworkUnavailable, those that are true."""
    cordoned: bool = False
    taints: tuple[str, ...] = ()
    """As kubectl writes them: key=value:NoSchedule."""
    roles: tuple[str, ...] = ()
    """Of its node-role.kubernetes.io labels."""
    zone: str = ""
    kubelet: str = ""
    """v1.31.14."""
    architecture: str = ""
    runtime: str = ""
    system: str = ""
    cpu_millis: int = 0
    """Allocatable."""
    memory_bytes: int = 0
    """Allocatable."""
    pods: int = 0
    """Allocatable."""
    used_cpu_millis: int = 0
    """The sum of what its pods request."""
    used_memory_bytes: int = 0
    used_pods: int = 0

    @property
    def schedulable(self) -> bool:
        """Whether new pods without tolerations can go there."""
        barred = any(taint.endswith((":NoSchedule", ":NoExecute")) for taint in self.taints)
        return self.ready is True and not self.cordoned and not barred


class PodState(StrEnum):
    """What is wrong with a pod."""

    CRASHING = "crashing"
    WAITING = "waiting"
    """A container cannot begin: its image, its configuration, its volume."""
    PENDING = "pending"
    """No node takes it."""
    EVICTED = "evicted"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Its phase is none that is known: its node is lost."""
    ENDING = "ending"
    """It was deleted, and is still there long after its time to end."""
    NOT_READY = "not-ready"
    """It runs, and its probe says no."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that something is wrong with."""

    namespace: str
    name: str
    state: PodState
    reason: str = ""
    """Kubernetes' own word: CrashLoopBackOff, ImagePullBackOff, Unschedulable…"""
    message: str = ""
    container: str = ""
    node: str = ""
    restarts: int = 0
    event: str = ""
    """The last event of it that warned: reason and message."""


@dataclass(frozen=True, slots=True)
class Pods:
    """All pods in figures, and those that something is wrong with."""

    total: int
    running: int
    troubled: tuple[Pod, ...] = ()
    """The first of them."""
    troubled_total: int = 0


@dataclass(frozen=True, slots=True)
class SystemPod:
    """A pod of the cluster's own services: its DNS, its network plug-in."""

    namespace: str
    name: str
    ready: bool
    node: str = ""


@dataclass(frozen=True, slots=True)
class StorageClass:
    """A class of volumes."""

    name: str
    default: bool
    provisioner: str
    reclaim: str
    """Delete or Retain."""
    binding: str
    """Immediate or WaitForFirstConsumer."""
    expands: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of a volume that is not bound."""

    namespace: str
    name: str
    phase: str
    storage_class: str = ""
    event: str = ""


@dataclass(frozen=True, slots=True)
class Claims:
    """All claims in figures, and those that are not bound."""

    total: int
    unbound: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True)
class Webhook:
    """An admission webhook."""

    configuration: str
    name: str
    validating: bool
    fails_closed: bool
    """Whether objects are refused while it does not answer."""
    service: str = ""
    """namespace/name; "" where it is called by a URL."""
    endpoints: Fact[int] = NOT_READ
    """How many ready addresses its service has."""
    own_namespace_only: bool = False
    """Whether it looks at some namespaces alone."""


@dataclass(frozen=True, slots=True)
class ApiService:
    """An API that another program in the cluster serves, such as metrics."""

    name: str
    available: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace and the level of PodSecurity that it enforces."""

    name: str
    phase: str = "Active"
    enforce: str = ""
    """privileged, baseline, restricted; "" where no label says."""


@dataclass(frozen=True, slots=True)
class Quota:
    """One line of a ResourceQuota."""

    namespace: str
    name: str
    resource: str
    hard: str
    used: str


class TrialOf(StrEnum):
    """What was tried with pods of ours."""

    PULL = "pull"
    REACH = "reach"
    """One pod reaches another."""
    POLICY = "policy"
    """A NetworkPolicy is enforced."""
    INSIDE = "dns-inside"
    OUTSIDE = "dns-outside"
    VOLUME = "volume"
    REMOVAL = "removal"
    """That what was made for it is gone again."""


class Outcome(StrEnum):
    """What a trial came to."""

    WELL = "well"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing that was tried in the cluster with a pod of ours."""

    of: TrialOf
    subject: str
    """A storage class, a node, a name; "" where there is but one."""
    outcome: Outcome
    told: str = ""
    """What was seen, or why nothing is known; a phrase."""


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """Everything that one cluster told, in one value."""

    version: Fact[str] = NOT_READ
    """v1.31.14, with what a distribution adds."""
    distribution: Fact[str] = NOT_READ
    """microk8s, k3s, rke2, openshift, eks, gke, aks, talos, kubeadm; absent where none is known."""
    network: Fact[str] = NOT_READ
    """The network plug-in, by its pods: calico, cilium, flannel…; absent where none is known."""
    nodes: Fact[tuple[Node, ...]] = NOT_READ
    pods: Fact[Pods] = NOT_READ
    dns: Fact[tuple[SystemPod, ...]] = NOT_READ
    storage_classes: Fact[tuple[StorageClass, ...]] = NOT_READ
    claims: Fact[Claims] = NOT_READ
    ingress_classes: Fact[tuple[str, ...]] = NOT_READ
    """name (controller)."""
    gateway_classes: Fact[tuple[str, ...]] = NOT_READ
    """Absent where the cluster does not know the Gateway API."""
    api_services: Fact[tuple[ApiService, ...]] = NOT_READ
    webhooks: Fact[tuple[Webhook, ...]] = NOT_READ
    namespaces: Fact[tuple[Namespace, ...]] = NOT_READ
    quotas: Fact[tuple[Quota, ...]] = NOT_READ
    limit_ranges: Fact[tuple[str, ...]] = NOT_READ
    """Namespaces that have one."""
    serving_ends: Fact[str] = NOT_READ
    """The last moment of the API server's certificate."""
    client_ends: Fact[str] = NOT_READ
    """The last moment of the certificate by which we asked; absent where we showed none."""
    trials: Fact[tuple[Trial, ...]] = ABSENT
    """What was tried with pods; absent where nobody asked for it."""
    way: str = ""
    """By what it was reached."""
    calls: int = 0
    """How many questions it was asked."""
    notes: tuple[str, ...] = ()
    """What could not be seen, one phrase each."""
