"""The last layer: pods that crash, wait, are evicted or are not ready, with their last word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from foundation.wording import counted, how_many, shortened
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.checks.wording import word
from preflight.cluster.case import ClusterCase, unread
from preflight.cluster.facts import Pod, PodState, known
from preflight.findings import Finding, Severity

_SOURCE: Final = "Kubernetes, pod lifecycle"
_OWN: Final = frozenset({"kube-system", "kube-public", "kube-node-lease"})
_MOST: Final = 40
"""Groups of pods that are told; what a hundred name is one thing that lies deeper."""

_WORDS: Final = {
    PodState.CRASHING: ("crashes again and again", "crash again and again"),
    PodState.WAITING: ("cannot begin", "cannot begin"),
    PodState.PENDING: ("finds no node", "find no node"),
    PodState.EVICTED: ("was evicted", "were evicted"),
    PodState.FAILED: ("failed", "failed"),
    PodState.UNKNOWN: ("is in a state that is not known", "are in a state that is not known"),
    PodState.ENDING: ("was deleted and does not end", "were deleted and do not end"),
    PodState.NOT_READY: ("runs and is not ready", "run and are not ready"),
}
_REMEDIES: Final = {
    PodState.CRASHING: "Read its last words: `kubectl -n NAMESPACE logs POD --previous`."
    " OOMKilled: raise its memory limit.",
    PodState.WAITING: "An image: can the nodes reach the registry, is the name right, is a pull"
    " secret there? A configuration: the ConfigMap or Secret that it names must be there first.",
    PodState.PENDING: "Add nodes or free some; or take away the taint, the selector or the"
    " volume's zone that keeps it from them. The message names which; where nobody says anything,"
    " see that the kube-scheduler runs.",
    PodState.EVICTED: "Its node was short of something: see the nodes. What is left of it"
    " is a record and may be taken away.",
    PodState.FAILED: "See why: `kubectl -n NAMESPACE logs POD`. A Job's pod that failed and was"
    " done again may go.",
    PodState.UNKNOWN: "Its node has not said anything of it: see the nodes.",
    PodState.ENDING: "Its node does not say that it ended, or a finalizer holds it: see the nodes,"
    " then `kubectl -n NAMESPACE get pod POD -o jsonpath={.metadata.finalizers}`.",
    PodState.NOT_READY: "Its probe says no: `kubectl -n NAMESPACE describe pod POD` names it, the"
    " log says what it waits for.",
}
_PLACES: Final = re.compile(r"\b(?:NAMESPACE|POD)\b")
_PASSING: Final = frozenset({PodState.EVICTED, PodState.FAILED, PodState.NOT_READY})
"""What is over, or may be over in a moment."""


@check("pods.well", title="Pods run and are ready", severities=(PASS, WARN, FAIL, UNKNOWN))
def well(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """No pod crashes, waits, is evicted or is not ready; each kind is told once a namespace."""
    evidence = "kubectl get pods -A"
    have = known(case.facts.pods)
    if have is None:
        yield unread(say, case.facts.pods, "The pods", source=_SOURCE, evidence=evidence)
        return
    groups: dict[tuple[str, PodState, str], list[Pod]] = {}
    for pod in have.troubled:
        groups.setdefault((pod.namespace, pod.state, pod.reason), []).append(pod)
    # What cannot begin explains more than what is not ready.
    order = list(PodState)
    found = sorted(
        groups.items(), key=lambda item: (item[0][0] not in _OWN, order.index(item[0][1]))
    )
    for (namespace, state, reason), pods in found[:_MOST]:
        yield _told(case, say, namespace, state, reason, pods)
    told = sum(len(pods) for _, pods in found[:_MOST])
    rest = have.troubled_total - told
    if rest > 0:
        yield say.at(
            case.elsewhere,
            f"{counted(rest, 'more pod')} are not well; so many at once have one cause that lies"
            " deeper.",
            expected="every pod is ready",
            actual=counted(have.troubled_total, "pod"),
            source=_SOURCE,
            evidence="kubectl get pods -A | grep -v Running",
            remedy="Begin with the earliest layer above.",
        )
    if not have.troubled_total:
        yield say.at(
            PASS,
            f"{how_many(have.total, 'pod').capitalize()}, and every one is well.",
            expected="every pod is ready",
            actual=f"{have.running} run",
            source=_SOURCE,
            evidence=evidence,
        )


def _told(
    case: ClusterCase, say: Say, namespace: str, state: PodState, reason: str, pods: list[Pod]
) -> Finding:
    first = pods[0]
    names_of = {"NAMESPACE": word(namespace), "POD": word(first.name)}
    names = shortened(pod.name for pod in pods)
    one, many = _WORDS[state]
    why = first.message or first.event
    severity: Severity = FAIL if namespace in _OWN else case.elsewhere
    if state in _PASSING and severity is FAIL and namespace not in _OWN:
        severity = WARN if state is not PodState.NOT_READY else FAIL
    because = f" ({reason})" if reason else ""
    event = f"; last event: {first.event}" if first.event and first.event != why else ""
    inside = f" -c {word(first.container)}" if first.container else ""
    return say.at(
        severity,
        f"{names} of {namespace} {one if len(pods) == 1 else many}{because}"
        f"{': ' + why if why else '.'}",
        expected="every pod is ready",
        actual=f"{counted(len(pods), 'pod')}{because}, {counted(first.restarts, 'restart')} of the"
        f" first{event}",
        source=_SOURCE,
        evidence=f"kubectl -n {word(namespace)} describe pod {word(first.name)}; kubectl -n"
        f" {word(namespace)} logs {word(first.name)}{inside}",
        remedy=_PLACES.sub(lambda place: names_of[place[0]], _REMEDIES[state]),
        subject=f"{namespace} {reason or state.value}",
    )
