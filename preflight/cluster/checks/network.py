"""The third layer: the cluster's DNS, its network plug-in, and the ways in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from foundation.wording import counted, listed, shortened
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.cluster.case import ClusterCase, unread
from preflight.cluster.facts import Absent, Outcome, TrialOf, Unknown, known
from preflight.findings import Finding

_DNS: Final = "Kubernetes, DNS for services and pods"
_POLICIES: Final = "Kubernetes, network policies (a plug-in must enforce them)"
_ENFORCING: Final = frozenset(
    {"calico", "cilium", "canal", "weave", "antrea", "kube-router", "ovn-kubernetes", "kube-ovn",
     "openshift-sdn", "azure-cni"}
)  # fmt: skip
_LETTING: Final = frozenset({"flannel", "kindnet"})


@check("dns.pods", title="The cluster's DNS", severities=(PASS, WARN, FAIL, UNKNOWN))
def pods(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """It runs, and more than once where there is more than one node."""
    evidence = "kubectl get pods -A -l k8s-app=kube-dns -o wide"
    have = known(case.facts.dns)
    if have is None:
        yield unread(say, case.facts.dns, "The DNS's pods", source=_DNS, evidence=evidence)
        return
    well = [pod for pod in have if pod.ready]
    nodes = len(known(case.facts.nodes) or ())
    alone = nodes > 1 and len({pod.node for pod in well}) < 2
    if not well:
        title = (
            f"None of the {counted(len(have), 'pod')} of the cluster's DNS is ready: no name of a"
            " service resolves."
            if have
            else "The cluster has no pod of a DNS (label k8s-app=kube-dns): no name of a service"
            " resolves."
        )
    elif len(well) < len(have):
        title = (
            f"{len(well)} of {len(have)} pods of the cluster's DNS are ready;"
            f" not: {shortened(pod.name for pod in have if not pod.ready)}."
        )
    elif alone:
        where = f"on {well[0].node}" if well[0].node else "on one node"
        title = f"The cluster's DNS runs {where} alone, of {nodes} nodes: it ends with that node."
    else:
        title = f"The cluster's DNS runs in {counted(len(well), 'pod')}."
    yield say.at(
        FAIL if not well else WARN if alone or len(well) < len(have) else PASS,
        title,
        expected="two pods or more on nodes of their own, ready" if nodes > 1 else "a pod, ready",
        actual=f"{len(well)} of {len(have)} ready",
        source=_DNS,
        evidence=evidence,
        remedy="See why with `kubectl -n kube-system logs -l k8s-app=kube-dns`. Where there is"
        " none: `microk8s enable dns`. Where it is one: `kubectl -n kube-system scale deployment"
        " coredns --replicas=2`.",
    )


@check("cni.policy", title="Who enforces network policies", severities=(PASS, WARN, UNKNOWN))
def policy(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """The network plug-in is one that enforces them, by its maker's word; it is not tried here."""
    if any(one.of is TrialOf.POLICY and one.outcome is not Outcome.UNKNOWN
           for one in known(case.facts.trials) or ()):  # fmt: skip
        return  # what was tried is told by cni.enforced
    have = case.facts.network
    evidence = "kubectl get daemonsets -A"
    if isinstance(have, Unknown):
        yield unread(say, have, "The network plug-in", source=_POLICIES, evidence=evidence)
        return
    if isinstance(have, Absent):
        severity, title = WARN, (
            "Its pods name no network plug-in that is known here: whether network policies are"
            " enforced is not told."
        )  # fmt: skip
    elif have in _LETTING and case.facts.distribution != "k3s":
        severity, title = WARN, (
            f"The network plug-in is {have}, which enforces no network policy: every pod reaches"
            " every other."
        )  # fmt: skip
    elif have in _ENFORCING or have in _LETTING:
        severity, title = PASS, f"The network plug-in is {have}; network policies are enforced."
    else:
        severity, title = WARN, (
            f"The network plug-in is {have}, which enforces network policies only where it is told"
            " to."
        )  # fmt: skip
    yield say.at(
        severity,
        title,
        expected="a plug-in that enforces them",
        actual="not told" if isinstance(have, Absent) else f"{have}; not tried with pods",
        source=_POLICIES,
        evidence=evidence,
        remedy="Ask who runs the cluster, or try it: `sitewright preflight --cluster --probe`.",
    )


@check("ingress.class", title="A way in from outside", severities=(PASS, WARN, UNKNOWN))
def ingress(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """There is an ingress class or a gateway class."""
    source = "Kubernetes, ingress controllers; Gateway API"
    evidence = "kubectl get ingressclasses,gatewayclasses"
    classes, gateways = case.facts.ingress_classes, case.facts.gateway_classes
    found = [*(known(classes) or ()), *(known(gateways) or ())]
    if not found and isinstance(classes, Unknown):
        yield unread(say, classes, "The ingress classes", source=source, evidence=evidence)
        return
    if not found and isinstance(gateways, Unknown):
        yield unread(say, gateways, "The gateway classes", source=source, evidence=evidence)
        return
    yield say.at(
        PASS if found else WARN,
        f"Services are reached from outside by {listed(found)}."
        if found
        else "There is neither an ingress class nor a gateway class: no service is reached by its"
        " name from outside.",
        expected="an ingress class or a gateway class",
        actual=listed(found) or "none",
        source=source,
        evidence=evidence,
        remedy="Install an ingress controller (`microk8s enable ingress`).",
    )
