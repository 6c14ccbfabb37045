"""The second layer: nodes, and whether what they have left is enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from foundation.wording import counted, listed, shortened
from preflight.checks.case import sizing_source
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.checks.wording import GIB, memory_size, plain, word
from preflight.cluster.case import ClusterCase, unread
from preflight.cluster.facts import Node, known
from preflight.findings import Finding
from preflight.needs import RoleNeed

_SOURCE: Final = "Kubernetes, nodes"
_RESERVED: Final = 0.10
"""What a node may keep for the system and the kubelet and still be of the size that it was sold
as; 5 to 9 % is usual."""
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


@check("nodes.ready", title="Every node is Ready", severities=(PASS, FAIL, UNKNOWN))
def ready(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """Each kubelet reports, and says that its node is well."""
    evidence = "kubectl get nodes"
    nodes = known(case.facts.nodes)
    if nodes is None:
        yield unread(say, case.facts.nodes, "The nodes", source=_SOURCE, evidence=evidence)
        return
    wrong = [node for node in nodes if node.ready is not True]
    for node in wrong:
        state = "NotReady" if node.ready is False else "Unknown"
        yield say.at(
            FAIL,
            f"The node {node.name} is {state}: {node.why or 'it does not say why'}",
            expected="Ready",
            actual=f"{state}: {node.why}".rstrip(": "),
            source=_SOURCE,
            evidence=f"kubectl describe node {word(node.name)}",
            remedy=f"Log in to {node.name}: does it run, has it room on its disk, does its kubelet"
            " run (`systemctl status kubelet`, `snap services microk8s`, `systemctl status k3s`,"
            " rke2-server)? Its own log says what it lacks.",
            subject=node.name,
        )
    if not nodes:
        yield say.at(
            FAIL, "The cluster has no node.", expected="one node or more", actual="none",
            source=_SOURCE, evidence=evidence, remedy="Join one.",
        )  # fmt: skip
    elif not wrong:
        yield say.at(
            PASS, f"{'All ' if len(nodes) > 1 else ''}{counted(len(nodes), 'node')}"
            f" {'are' if len(nodes) > 1 else 'is'} Ready.",
            expected="Ready", actual=counted(len(nodes), "node"), source=_SOURCE,
            evidence=evidence,
        )  # fmt: skip


@check("nodes.pressure", title="No node is short of something", severities=(PASS, FAIL))
def pressure(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """No node says that it lacks memory, disk or processes, or has no network."""
    nodes = known(case.facts.nodes)
    if not nodes:
        return
    wrong = [node for node in nodes if node.pressures]
    for node in wrong:
        yield say.at(
            FAIL,
            f"The node {node.name} says {listed(node.pressures)}.",
            expected="no pressure",
            actual=listed(node.pressures),
            source="Kubernetes, node-pressure eviction",
            evidence=f"kubectl describe node {word(node.name)}",
            remedy="Free what is short there (old images and logs for the disk), or give the node"
            " more: its pods are being evicted.",
            subject=node.name,
        )
    if not wrong:
        yield say.at(
            PASS, "No node is short of memory, disk or processes.", expected="no pressure",
            actual="none", source="Kubernetes, node-pressure eviction",
            evidence="kubectl describe nodes",
        )  # fmt: skip


@check("nodes.schedulable", title="Nodes that take new pods", severities=(PASS, WARN, FAIL))
def schedulable(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """Cordoned and tainted nodes are told; one at least is open."""
    nodes = known(case.facts.nodes)
    if not nodes:
        return
    open_ones = [node for node in nodes if node.schedulable]
    cordoned = [node.name for node in nodes if node.cordoned]
    tainted = [f"{node.name} ({listed(node.taints)})" for node in nodes if node.taints]
    told = [
        *([f"cordoned: {shortened(cordoned)}"] if cordoned else []),
        *([f"with taints: {shortened(tainted)}"] if tainted else []),
    ]
    actual = "; ".join([f"{len(open_ones)} of {len(nodes)} open", *told])
    severity = FAIL if not open_ones else WARN if cordoned else PASS
    yield say.at(
        severity,
        f"No node takes new pods ({'; '.join(told) or 'none is Ready'})."
        if not open_ones
        else f"{shortened(cordoned)} {'takes' if len(cordoned) == 1 else 'take'} no new pods"
        " (cordoned)."
        if cordoned
        else f"{len(open_ones)} of {counted(len(nodes), 'node')} take new pods.",
        expected="nodes that take pods",
        actual=actual,
        source="Kubernetes, taints and tolerations; safely drain a node",
        evidence="kubectl get nodes -o custom-columns=NAME:.metadata.name,TAINTS:.spec.taints",
        remedy="Where the work on it is done: `kubectl uncordon NODE`; a taint that nobody needs:"
        " `kubectl taint node NODE KEY-`.",
    )


@check("nodes.architecture", title="Processors that the images run on", severities=(PASS, FAIL))
def architecture(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """Nodes are of an architecture that the solution's images are made for."""
    nodes = known(case.facts.nodes)
    if not nodes or case.as_it_is:
        return
    wanted = [_ARCHITECTURES.get(one, one) for one in case.needs.platform.architectures]
    have = sorted({node.architecture for node in nodes if node.schedulable and node.architecture})
    other = [one for one in have if one not in wanted]
    yield say.at(
        FAIL if other else PASS,
        f"Nodes that take pods are {listed(have) or 'of no told architecture'}; the images are"
        f" for {listed(wanted)}.",
        expected=listed(wanted, "or"),
        actual=listed(have) or "not told",
        source=case.needs.platform.architecture_source or _SOURCE,
        evidence="kubectl get nodes -L kubernetes.io/arch",
        remedy="Cordon or taint the nodes of another architecture.",
    )


@check("nodes.zones", title="Nodes are spread", severities=(PASS, WARN))
def zones(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """Where zones are named, every node has one: a replica in each counts on it."""
    nodes = known(case.facts.nodes)
    if not nodes or len(nodes) < 2:
        return
    named = sorted({node.zone for node in nodes if node.zone})
    without = [node.name for node in nodes if not node.zone]
    partly = bool(named) and bool(without)
    yield say.at(
        WARN if partly else PASS,
        f"{shortened(without)} {'names' if len(without) == 1 else 'name'} no zone, and the other"
        " nodes do."
        if partly
        else f"The nodes lie in {counted(len(named), 'zone')}: {listed(named)}."
        if named
        else "No node names a zone: replicas are spread over nodes alone.",
        expected="a zone on every node, or on none",
        actual=listed(named) or "none",
        source="Kubernetes, running in multiple zones",
        evidence="kubectl get nodes -L topology.kubernetes.io/zone",
        remedy="Label each node with where it stands (a rack, a room):"
        " `kubectl label node NODE topology.kubernetes.io/zone=ZONE`.",
    )


@check(
    "capacity.nodes", title="Nodes of the size that the table asks for",
    severities=(PASS, FAIL),
)  # fmt: skip
def sizes(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """As many nodes of each size as the sizing table asks for, the largest served first."""
    nodes = known(case.facts.nodes)
    if not nodes:
        return
    # One with a taint may be just of the role that is asked for; one that takes nothing is of none.
    takes = [node for node in nodes if node.ready is True and not node.cordoned]
    free = sorted(takes, key=lambda node: (node.memory_bytes, node.cpu_millis), reverse=True)
    for row in sorted(_sized(case), key=_largest, reverse=True):
        cpu, memory = row.shapes[0].cpu or 0, row.shapes[0].memory_gb or 0
        fitting = [node for node in free if _fits(node, cpu, memory)]
        taken = fitting[: row.count.min]
        free = [node for node in free if node not in taken]
        want = f"{row.count.min} x {cpu} CPU, {plain(memory)} GB"
        have = ", ".join(
            f"{node.name}: {plain(node.cpu_millis / 1000)} CPU, {memory_size(node.memory_bytes)}"
            for node in (taken or nodes)[:4]
        )
        short = len(taken) < row.count.min
        yield say.at(
            FAIL if short else PASS,
            f"{len(taken)} of {row.count.min} nodes have the size of"
            f" {(row.title or row.role).lower()}: {cpu} CPU and {plain(memory)} GB.",
            expected=want,
            actual=have,
            source=sizing_source(case.needs.sizing),
            evidence="kubectl describe nodes | grep -A 6 Allocatable",
            remedy="Add nodes of that size, or make the ones there larger; another published table"
            " may ask for less: `sitewright solutions`.",
            subject=row.role,
        )


def _sized(case: ClusterCase) -> list[RoleNeed]:
    rows = case.needs.sizing.roles
    return [
        row for row in rows
        if not (row.optional or row.not_asked) and row.shapes[0].cpu and row.shapes[0].memory_gb
    ]  # fmt: skip


def _largest(row: RoleNeed) -> float:
    return row.shapes[0].memory_gb or 0


def _fits(node: Node, cpu: int, memory_gb: float) -> bool:
    return (
        node.cpu_millis >= cpu * 1000 * (1 - _RESERVED)
        and node.memory_bytes >= memory_gb * GIB * (1 - _RESERVED)
    )  # fmt: skip


@check("capacity.left", title="What is left for it after what runs", severities=(PASS, WARN, FAIL))
def left(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """Allocatable less the requests of what runs, over the nodes that take pods."""
    nodes = [node for node in known(case.facts.nodes) or () if node.schedulable]
    if not nodes or known(case.facts.pods) is None:
        return
    rows = _sized(case)
    for subject, unit, have, used, need in (
        (
            "cpu", "CPU", sum(node.cpu_millis for node in nodes) / 1000,
            sum(node.used_cpu_millis for node in nodes) / 1000,
            float(sum((row.shapes[0].cpu or 0) * row.count.min for row in rows)),
        ),
        (
            "memory", "GiB", sum(node.memory_bytes for node in nodes) / GIB,
            sum(node.used_memory_bytes for node in nodes) / GIB,
            float(sum((row.shapes[0].memory_gb or 0) * row.count.min for row in rows)),
        ),
    ):  # fmt: skip
        rest = have - used
        told = f"{plain(rest)} of {plain(have)} {unit}"
        if need:
            short = rest < need * (1 - _RESERVED)
            yield say.at(
                FAIL if short else PASS,
                f"{told} are left by what runs; the table asks for {plain(need)}.",
                expected=f"{plain(need)} {unit}",
                actual=f"{told} left, {plain(used)} requested",
                source=sizing_source(case.needs.sizing),
                evidence="kubectl describe nodes | grep -A 8 'Allocated resources'",
                remedy="Add nodes, or move what else runs there elsewhere.",
                subject=subject,
            )
        else:
            tight = have <= 0 or rest < 0.1 * have
            yield say.at(
                WARN if tight else PASS,
                f"{told} are left by what the pods request.",
                expected="a tenth or more",
                actual=f"{told} left",
                source="Sitewright: a node that is lost leaves its pods to the others",
                evidence="kubectl describe nodes | grep -A 8 'Allocated resources'",
                remedy="Add a node, or lower requests that are never used (`kubectl top pods -A`).",
                subject=subject,
            )


@check("capacity.pods", title="Room for more pods", severities=(PASS, WARN))
def room(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """A node takes a bounded number of pods, whatever their size."""
    nodes: Sequence[Node] = [n for n in known(case.facts.nodes) or () if n.schedulable]
    if not nodes or known(case.facts.pods) is None:
        return
    full = [node.name for node in nodes if node.used_pods >= node.pods - 5]
    have, used = sum(node.pods for node in nodes), sum(node.used_pods for node in nodes)
    yield say.at(
        WARN if full else PASS,
        f"{shortened(full)} {'has' if len(full) == 1 else 'have'} as many pods as"
        f" {'it takes' if len(full) == 1 else 'they take'}."
        if full
        else f"There is room for {have - used} more pods.",
        expected="room for more",
        actual=f"{used} of {have}",
        source="Kubernetes, considerations for large clusters (110 pods a node)",
        evidence="kubectl describe nodes | grep -E '^Name:|pods:'",
        remedy="Add nodes.",
    )
