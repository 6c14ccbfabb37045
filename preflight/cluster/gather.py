"""From the objects of an API to facts: pure, bounded, every text fit to be shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from preflight.cluster.facts import (
    ApiService,
    Claim,
    Node,
    Pod,
    Pods,
    PodState,
    Quota,
    StorageClass,
    SystemPod,
    Webhook,
)
from preflight.cluster.objects import (
    ApiServiceObject,
    ClaimObject,
    Container,
    ContainerStatus,
    EventObject,
    HookConfiguration,
    NodeObject,
    PodObject,
    PodSpec,
    QuotaObject,
    StorageClassObject,
)
from preflight.cluster.quantity import millis, whole
from preflight.parse.text import plain

TROUBLED: Final = 200
"""Pods that are told one by one; the rest are counted."""
MESSAGE: Final = 400
_ROLE: Final = "node-role.kubernetes.io/"
_PRESSURES: Final = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
_DEFAULTS: Final = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
"""Either makes a class the default (Kubernetes, pkg/volume/util, IsDefaultAnnotation)."""
_ZONE: Final = "topology.kubernetes.io/zone"
_BEGINNING: Final = frozenset({"ContainerCreating", "PodInitializing", ""})
"""What every pod says for some seconds."""
_BEGINS: Final = timedelta(minutes=10)
"""For so long a pod may begin, or end after its time to, and nobody has to say why."""
_OF_CONDITIONS: Final = frozenset(
    f"node.kubernetes.io/{word}"
    for word in ("not-ready", "unreachable", "memory-pressure", "disk-pressure", "pid-pressure",
                 "network-unavailable", "unschedulable")
)  # fmt: skip
"""Taints of the node controller, for what its conditions and its spec say already."""
_CRASHES: Final = frozenset({"CrashLoopBackOff", "RunContainerError"})

_NETWORKS: Final = (
    ("calico-node", "calico"), ("cilium", "cilium"), ("kube-flannel", "flannel"),
    ("canal", "canal"), ("rke2-canal", "canal"), ("weave-net", "weave"),
    ("antrea-agent", "antrea"), ("kube-router", "kube-router"), ("ovnkube-node", "ovn-kubernetes"),
    ("kube-ovn", "kube-ovn"), ("aws-node", "aws-vpc-cni"), ("azure-cns", "azure-cni"),
    ("kindnet", "kindnet"), ("sdn-", "openshift-sdn"),
)  # fmt: skip
"""Network plug-ins by the beginning of their pods' names; all of them run on the host's network."""


def of_node(one: NodeObject) -> Node:
    """A node as facts."""
    conditions = {condition.type: condition for condition in one.status.conditions}
    ready = conditions.get("Ready")
    state = {"True": True, "False": False}.get(ready.status) if ready is not None else None
    why = ""
    if ready is None:
        why = "its kubelet has said nothing yet"
    elif state is not True:
        why = plain(f"{ready.reason}: {ready.message}".strip(": "), MESSAGE)
    labels = one.metadata.labels
    allocatable = one.status.allocatable
    return Node(
        name=plain(one.metadata.name),
        ready=state,
        why=why,
        pressures=tuple(
            name for name in _PRESSURES
            if (found := conditions.get(name)) is not None and found.status == "True"
        ),
        cordoned=one.spec.unschedulable,
        taints=tuple(
            plain(f"{taint.key}={taint.value}:{taint.effect}" if taint.value else
                  f"{taint.key}:{taint.effect}")
            for taint in one.spec.taints
            if taint.key not in _OF_CONDITIONS
        ),
        roles=tuple(
            sorted(plain(key.removeprefix(_ROLE)) for key in labels if key.startswith(_ROLE))
        ),
        zone=plain(labels.get(_ZONE, "")),
        kubelet=plain(one.status.info.kubelet),
        architecture=plain(one.status.info.architecture),
        runtime=plain(one.status.info.runtime),
        system=plain(one.status.info.system),
        cpu_millis=millis(allocatable.get("cpu", "0")) or 0,
        memory_bytes=whole(allocatable.get("memory", "0")) or 0,
        pods=whole(allocatable.get("pods", "0")) or 0,
    )  # fmt: skip


_BY_LABEL: Final = (
    ("microk8s.io/cluster", "microk8s"), ("eks.amazonaws.com/nodegroup", "eks"),
    ("cloud.google.com/gke-nodepool", "gke"), ("kubernetes.azure.com/cluster", "aks"),
    ("node.openshift.io/os_id", "openshift"), ("minikube.k8s.io/name", "minikube"),
)  # fmt: skip
_BY_VERSION: Final = (
    ("+k3s", "k3s"), ("+rke2", "rke2"), ("-eks-", "eks"), ("-gke.", "gke"), ("+vmware", "vmware"),
)  # fmt: skip
_BY_ANNOTATION: Final = (("kubeadm.alpha.kubernetes.io/cri-socket", "kubeadm"),)


def distribution(version: str, nodes: Iterable[NodeObject]) -> str:
    """Whose Kubernetes it is, by its version and what its nodes say; "" where nothing tells."""
    for mark, name in _BY_VERSION:
        if mark in version:
            return name
    for node in nodes:
        if "talos" in node.status.info.system.lower():
            return "talos"
        for key, name in _BY_LABEL:
            if key in node.metadata.labels:
                return name
        for key, name in _BY_ANNOTATION:
            if key in node.metadata.annotations:
                return name
    return ""


@dataclass(slots=True)
class Events:
    """The last warning about each thing."""

    of: dict[tuple[str, str, str], tuple[str, str]] = field(default_factory=dict)

    def add(self, event: EventObject) -> None:
        """Take in one, in any order; the later of two about one thing stays."""
        key = (event.about.kind, event.about.namespace, event.about.name)
        when = event.last or event.at or ""
        if key not in self.of or when >= self.of[key][0]:
            self.of[key] = (when, plain(f"{event.reason}: {event.message}", MESSAGE))

    def about(self, kind: str, namespace: str, name: str) -> str:
        """The last warning about one thing; "" where there is none."""
        return self.of.get((kind, namespace, name), ("", ""))[1]


@dataclass(slots=True)
class _Load:
    cpu: int = 0
    memory: int = 0
    pods: int = 0


@dataclass(slots=True)
class PodCount:
    """What the pods come to, page by page: figures, loads of nodes, and what is wrong."""

    events: Events
    now: datetime
    total: int = 0
    running: int = 0
    troubled: list[Pod] = field(default_factory=list)
    troubled_total: int = 0
    dns: list[SystemPod] = field(default_factory=list)
    network: str = ""
    loads: dict[str, _Load] = field(default_factory=dict)

    def add(self, pod: PodObject) -> None:
        """Take in one pod."""
        self.total += 1
        phase = pod.status.phase
        name, namespace = pod.metadata.name, pod.metadata.namespace
        if phase not in {"Succeeded", "Failed"} and pod.spec.node:
            load = self.loads.setdefault(pod.spec.node, _Load())
            load.cpu += _asked(pod, "cpu")
            load.memory += _asked(pod, "memory")
            load.pods += 1
        ready = any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions)
        self.running += phase == "Running"
        if pod.metadata.labels.get("k8s-app") == "kube-dns" or namespace == "openshift-dns":
            shown = SystemPod(plain(namespace), plain(name), ready, plain(pod.spec.node))
            if phase not in {"Succeeded", "Failed"}:
                self.dns.append(shown)
        if not self.network and pod.spec.on_host:
            self.network = next((word for mark, word in _NETWORKS if name.startswith(mark)), "")
        event = self.events.about("Pod", namespace, name)
        trouble = _trouble(pod, ready=ready, event=event, now=self.now)
        if trouble is not None:
            self.troubled_total += 1
            if len(self.troubled) < TROUBLED:
                self.troubled.append(trouble)

    def loaded(self, nodes: Iterable[Node]) -> tuple[Node, ...]:
        """The nodes with what their pods request."""
        return tuple(
            replace(
                node,
                used_cpu_millis=load.cpu,
                used_memory_bytes=load.memory,
                used_pods=load.pods,
            )
            if (load := self.loads.get(node.name))
            else node
            for node in nodes
        )

    def pods(self) -> Pods:
        """All of it as a fact."""
        return Pods(self.total, self.running, tuple(self.troubled), self.troubled_total)


def _asked(pod: PodObject, what: str) -> int:
    """What a pod requests as the scheduler counts it (Kubernetes, component-helpers, PodRequests).

    Init containers run one after another before the others, each beside the sidecars before it.
    """
    to_number = millis if what == "cpu" else whole

    def of(one: Container | PodSpec) -> int:
        return to_number(one.resources.requests.get(what, "0")) or 0

    spec = pod.spec
    sidecars = most = 0
    for one in spec.init:
        if one.restart == "Always":
            sidecars += of(one)
            most = max(most, sidecars)
        else:
            most = max(most, sidecars + of(one))
    most = max(most, sum(map(of, spec.containers)) + sidecars)
    if what in spec.resources.requests:
        most = of(spec)
    return most + (to_number(spec.overhead.get(what, "0")) or 0)


def _lately(now: datetime, *moments: str | None) -> bool:
    """Whether the last of some moments is so near that a pod may still be beginning or ending."""
    told: list[datetime] = []
    for moment in moments:
        try:
            at = datetime.fromisoformat(moment or "")
        except ValueError:
            continue
        told.append(at if at.tzinfo is not None else at.replace(tzinfo=UTC))
    return bool(told) and now - max(told) < _BEGINS


def _trouble(pod: PodObject, *, ready: bool, event: str, now: datetime) -> Pod | None:
    status = pod.status
    if status.phase == "Succeeded":
        return None
    if pod.metadata.deletion and _lately(now, pod.metadata.deletion):
        return None
    made = Pod(
        namespace=plain(pod.metadata.namespace),
        name=plain(pod.metadata.name),
        state=PodState.FAILED,
        node=plain(pod.spec.node),
        restarts=sum(one.restarts for one in status.containers),
        event=event,
    )
    if pod.metadata.deletion:
        return replace(made, state=PodState.ENDING, reason="Terminating")
    beginning = _lately(now, pod.metadata.created, *(one.since for one in status.conditions))
    if status.phase == "Failed":
        evicted = status.reason == "Evicted"
        return replace(
            made,
            state=PodState.EVICTED if evicted else PodState.FAILED,
            reason=plain(status.reason) or "Failed",
            message=plain(status.message, MESSAGE) or _ended(status.containers),
        )
    for one in (*status.init, *status.containers):
        waiting = one.state.waiting
        if waiting is None:
            continue
        crashing = waiting.reason in _CRASHES
        if waiting.reason in _BEGINNING and not event and beginning:
            continue
        last = _ended((one,)) if crashing else ""
        return replace(
            made,
            state=PodState.CRASHING if crashing else PodState.WAITING,
            reason=plain(waiting.reason),
            message=last or plain(waiting.message, MESSAGE),
            container=plain(one.name),
        )
    for condition in status.conditions:
        if condition.type == "PodScheduled" and condition.status == "False":
            return replace(
                made,
                state=PodState.PENDING,
                reason=plain(condition.reason),
                message=plain(condition.message, MESSAGE),
            )
    if status.phase == "Pending" and not beginning:
        # Whoever should have said something of it does not run.
        return replace(
            made,
            state=PodState.WAITING if pod.spec.node else PodState.PENDING,
            message="its kubelet has said nothing of it"
            if pod.spec.node
            else "no scheduler has said anything of it",
        )
    if status.phase not in {"Pending", "Running"}:
        return replace(made, state=PodState.UNKNOWN, reason=plain(status.phase))
    if status.phase == "Running" and not ready:
        not_ready = next((one.name for one in status.containers if not one.ready), "")
        return replace(made, state=PodState.NOT_READY, container=plain(not_ready))
    return None


def _ended(containers: Iterable[ContainerStatus]) -> str:
    """How a container ended last: "OOMKilled, exit code 137"."""
    for one in containers:
        ended = one.last.terminated or one.state.terminated
        if ended is not None and (ended.code or ended.reason not in {"", "Completed"}):
            said = f": {ended.message}" if ended.message else ""
            return plain(f"{ended.reason or 'Error'}, exit code {ended.code}{said}", MESSAGE)
    return ""


def of_storage_class(one: StorageClassObject) -> StorageClass:
    """A class of volumes as facts."""
    return StorageClass(
        name=plain(one.metadata.name),
        default=any(one.metadata.annotations.get(key) == "true" for key in _DEFAULTS),
        provisioner=plain(one.provisioner),
        reclaim=plain(one.reclaim),
        binding=plain(one.binding),
        expands=one.expands,
    )


def of_claim(one: ClaimObject, events: Events) -> Claim:
    """A claim as facts, with the last warning about it."""
    meta = one.metadata
    return Claim(
        namespace=plain(meta.namespace),
        name=plain(meta.name),
        phase=plain(one.status.phase),
        storage_class=plain(one.spec.storage_class or ""),
        event=events.about("PersistentVolumeClaim", meta.namespace, meta.name),
    )


def of_hooks(configurations: Iterable[HookConfiguration], *, validating: bool) -> list[Webhook]:
    """The webhooks of some configurations as facts; their endpoints are told later."""
    return [
        Webhook(
            configuration=plain(one.metadata.name),
            name=plain(hook.name),
            validating=validating,
            fails_closed=hook.failure == "Fail",
            service=plain(f"{hook.client.service.namespace}/{hook.client.service.name}")
            if hook.client.service is not None
            else "",
            own_namespace_only=bool(hook.namespaces.labels or hook.namespaces.expressions),
        )
        for one in configurations
        for hook in one.webhooks
    ]


def of_quota(one: QuotaObject) -> list[Quota]:
    """The lines of a quota."""
    meta, status = one.metadata, one.status
    return [
        Quota(
            plain(meta.namespace), plain(meta.name), plain(resource), plain(hard),
            plain(status.used.get(resource, "0")),
        )
        for resource, hard in sorted(status.hard.items())
    ]  # fmt: skip


def of_api_service(one: ApiServiceObject) -> ApiService | None:
    """An API of another program; None for one that the API server serves itself."""
    if one.spec.service is None:
        return None
    available = next((c for c in one.status.conditions if c.type == "Available"), None)
    well = available is not None and available.status == "True"
    why = "" if well or available is None else f"{available.reason}: {available.message}"
    return ApiService(plain(one.metadata.name), well, plain(why, MESSAGE))


def level_of(labels: Mapping[str, str]) -> str:
    """The level of PodSecurity that a namespace enforces."""
    return plain(labels.get("pod-security.kubernetes.io/enforce", ""))
