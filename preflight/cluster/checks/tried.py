"""What was tried with pods of ours (--probe), each in its layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Check, Say, check
from preflight.checks.wording import sentence, word
from preflight.cluster.case import ClusterCase
from preflight.cluster.facts import Outcome, Trial, TrialOf, known
from preflight.findings import Finding, Severity

_EVIDENCE: Final = "sitewright preflight --cluster --probe"
_DNS: Final = "Kubernetes, DNS for services and pods"
_POLICIES: Final = "Kubernetes, network policies (a plug-in must enforce them)"
_RESOLVES: Final = (
    "In a pod {subject} resolves",
    "In a pod {subject} does not resolve",
    "Whether {subject} resolves in a pod is not known",
)
_UNTRIED: Final = (
    "See what stands against pods of ours (a quota, an admission webhook, a right that is missing,"
    " an image that no node gets; docs/cluster.md has the role), then try again."
)


def _tried(case: ClusterCase, of: TrialOf) -> tuple[Trial, ...]:
    return tuple(one for one in known(case.facts.trials) or () if one.of is of)


def _trial(
    check_id: str,
    title: str,
    of: TrialOf,
    titles: tuple[str, str, str],
    *,
    expected: str,
    source: str,
    remedy: str,
    wrong: Severity = FAIL,
) -> Check[ClusterCase]:
    """The check of one kind of trial, a finding for each; titles: well, wrong, and unknown.

    In a title "{subject}" stands for what was tried.
    """
    severities = {Outcome.WELL: PASS, Outcome.WRONG: wrong, Outcome.UNKNOWN: UNKNOWN}

    @check(check_id, title=f"{title} (--probe)", severities=severities.values())
    def told(case: ClusterCase, say: Say) -> Iterator[Finding]:
        for one in _tried(case, of):
            well = one.outcome is Outcome.WELL
            said = titles[list(Outcome).index(one.outcome)].replace("{subject}", one.subject)
            # A pass says it in full; what is not one has the reason behind it.
            more = "" if well or not one.told else f": {one.told}"
            yield say.at(
                severities[one.outcome],
                sentence(f"{said}{more}"),
                expected=expected,
                actual=one.told or one.outcome.value,
                source=source,
                evidence=_EVIDENCE,
                remedy=_UNTRIED if one.outcome is Outcome.UNKNOWN else remedy,
                subject=one.subject,
            )

    return told


pulled = _trial(
    "nodes.pull", "Nodes get images", TrialOf.PULL,
    ("{subject} was pulled", "{subject} was not pulled",
     "Whether {subject} can be pulled is not known"),
    expected="it is pulled", source="Kubernetes, images",
    remedy="Try it on that node: `crictl pull IMAGE` (`microk8s ctr images pull IMAGE`). Behind a"
    " mirror or without the internet, name an image that nodes get: --probe-image.",
)  # fmt: skip
"""An image is pulled on nodes, anew and by its digest."""

inside = _trial(
    "dns.inside", "Names of the cluster resolve in a pod", TrialOf.INSIDE, _RESOLVES,
    expected="it resolves", source=_DNS,
    remedy="See what the cluster's DNS says: `kubectl -n kube-system logs -l k8s-app=kube-dns`, and"
    " that kubelets name its address (clusterDNS).",
)  # fmt: skip
"""A pod finds the API server's service by its name."""

outside = _trial(
    "dns.outside", "Names outside resolve in a pod", TrialOf.OUTSIDE, _RESOLVES,
    expected="it resolves, unless the site is cut off", source=_DNS, wrong=WARN,
    remedy="Where the site is not cut off on purpose, see to whom the cluster's DNS forwards:"
    " `kubectl -n kube-system get configmap coredns -o yaml`.",
)  # fmt: skip
"""A pod finds the host from which the probe's image comes; a site may be cut off on purpose."""

reach = _trial(
    "cni.reach", "Pods reach each other", TrialOf.REACH,
    ("One pod reaches another, {subject}", "One pod does not reach another, {subject}",
     "Whether one pod reaches another is not known"),
    expected="it reaches it", source="Kubernetes, cluster networking",
    remedy="See that the network plug-in's pods run on both nodes, and that what it speaks is let"
    " through between them (VXLAN: UDP 4789; Calico's BGP: TCP 179).",
)  # fmt: skip
"""One pod reaches another, on another node if there is one."""

enforced = _trial(
    "cni.enforced", "Network policies are enforced", TrialOf.POLICY,
    ("Network policies are enforced ({subject})", "Network policies are not enforced",
     "Whether network policies are enforced is not known"),
    expected="what a policy denies is barred", source=_POLICIES,
    remedy="Have a network plug-in that enforces them (Calico, Cilium): without it every pod"
    " reaches every other, whatever a policy says.",
)  # fmt: skip
"""A pod that reached another does so no more while a policy denies it."""

mounts = _trial(
    "storage.mounts", "A volume is made, bound and mounted", TrialOf.VOLUME,
    ("A volume of {subject} was bound, mounted and written to",
     "A volume of {subject} could not be used",
     "Whether a volume of {subject} is of use is not known"),
    expected="it is bound, mounted and written to", source="Kubernetes, persistent volumes",
    remedy="See that the pods of its provisioner run, and what they log; a pod that may not write"
    " needs a class that honours fsGroup.",
)  # fmt: skip
"""A pod writes to a new volume of a storage class, as a user who is not root."""


@check("pods.probes", title="What was made to try it is gone again (--probe)", severities=(WARN,))
def removed(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """Nothing of ours stayed in the cluster."""
    for one in _tried(case, TrialOf.REMOVAL):
        yield say.at(
            WARN,
            sentence(f"{one.subject}, which was made to try the cluster, is not gone: {one.told}"),
            expected="nothing is left",
            actual=one.told,
            source="Sitewright: what it makes to find out is removed again",
            evidence="kubectl get namespaces,persistentvolumes -o wide",
            remedy=f"See why it stays: `kubectl describe namespace {word(one.subject)}`, or"
            f" `kubectl describe persistentvolume {word(one.subject)}`. Its pods have ended"
            " within four minutes whatever becomes of it, and the next run removes a namespace.",
            subject=one.subject,
        )
