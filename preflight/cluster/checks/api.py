"""The first layer: the API server, its version, its certificate, and the APIs behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from foundation.wording import counted, listed, shortened
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.checks.wording import word
from preflight.cluster import support
from preflight.cluster.case import BINDING, READER, ClusterCase, moment_of, unread
from preflight.cluster.facts import Absent, Unknown, known
from preflight.findings import Finding

_SKEW: Final = (
    "Kubernetes, version skew policy (a kubelet may be three minor releases older; two before 1.25)"
)
_MOST_SKEW: Final = 3
_MOST_SKEW_ONCE: Final = 2
_ONCE: Final = (1, 25)
"""The first release of a kubelet that may be three older than the API server."""
_RENEW_DAYS: Final = 30
_RENEW: Final = (
    "Renew it on the control plane: `microk8s refresh-certs --cert server.crt`, `kubeadm certs"
    " renew all`, or restart k3s and RKE2, which renew within 90 days."
)
_LASTS: Final = "Sitewright: nobody speaks with a cluster whose certificate has ended"
_SHOWN: Final = "openssl s_client -connect SERVER </dev/null | openssl x509 -noout -enddate"
_METRICS: Final = "v1beta1.metrics.k8s.io"


@check("api.version", title="The release of Kubernetes", severities=(PASS, WARN, UNKNOWN))
def version(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """A release that its makers still mend, and that the solution was tested on."""
    evidence = "kubectl version"
    have = known(case.facts.version)
    if have is None:
        yield unread(
            say, case.facts.version, "The version", source=support.SOURCE, evidence=evidence
        )
        return
    minor = support.minor_of(have)
    tested = case.needs.platform.kubernetes_tested
    if tested:
        fits = minor is not None and f"{minor[0]}.{minor[1]}" in tested
        yield say.at(
            PASS if fits else WARN,
            f"The cluster runs {have}; {case.needs.title} is tested on {listed(tested)}.",
            expected=f"Kubernetes {listed(tested, 'or')}",
            actual=have,
            source=case.needs.platform.kubernetes_tested_source,
            evidence=evidence,
            remedy="Try the installation on a cluster of that release first, or accept this one"
            " with a waiver.",
            subject="tested",
        )
    ends = support.ENDS.get(minor) if minor else None
    old = minor is not None and minor < min(support.ENDS)
    if minor is None:
        yield say.unknown(
            f"The cluster says that it runs {have or 'nothing'}, which names no release.",
            expected="a release that is still mended",
            reason="its version names no release of Kubernetes",
            source=support.SOURCE,
            evidence=evidence,
            remedy="See what answers there: `kubectl get --raw /version`.",
            subject="support",
        )
        return
    if ends is None and not old:
        yield say.at(
            WARN,
            f"The cluster runs {have}, and until when its makers mend that is not known here: the"
            " table of releases ends before it.",
            expected="a release that is still mended",
            actual=have,
            source=support.SOURCE,
            evidence=evidence,
            remedy="See https://kubernetes.io/releases/, or take a newer Sitewright.",
            subject="support",
        )
        return
    near = False
    if ends is None:
        told = "is no longer mended by its makers"
    else:
        days = (ends - case.now.date()).days
        old, near = days < 0, 0 <= days < support.SOON_DAYS
        told = f"{'was' if old else 'is'} mended by its makers until {ends.isoformat()}"
        told += f", {counted(days, 'day')} from now" if near else ""
    yield say.at(
        WARN if old or near else PASS,
        f"The cluster runs {have}, which {told}.",
        expected="a release that is still mended",
        actual=have,
        source=support.SOURCE,
        evidence=evidence,
        remedy="Plan the upgrade, one minor release after another, the control plane first."
        " A distribution may mend it longer: ask its maker.",
        subject="support",
    )


@check("api.skew", title="Kubelets beside the API server", severities=(PASS, FAIL, UNKNOWN))
def skew(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """No kubelet is newer than the API server, none more than three releases older."""
    nodes, server = known(case.facts.nodes), known(case.facts.version)
    if nodes is None or server is None:
        return  # told by the checks of both
    own = support.minor_of(server)
    wrong, untold = [], []
    for node in nodes:
        theirs = support.minor_of(node.kubelet)
        shown = f"{node.name} ({node.kubelet or 'no version'})"
        if own is None or theirs is None:
            untold.append(shown)
            continue
        most = _MOST_SKEW if theirs >= _ONCE else _MOST_SKEW_ONCE
        if own[0] != theirs[0] or not 0 <= own[1] - theirs[1] <= most:
            wrong.append(shown)
    versions = sorted({node.kubelet for node in nodes if node.kubelet})
    if untold and not wrong:
        yield say.unknown(
            f"Whether these kubelets fit the API server ({server or 'no version'}) is not told:"
            f" {shortened(untold)}.",
            expected=f"{server}, or up to {_MOST_SKEW} minor releases older",
            reason="a version names no release of Kubernetes",
            source=_SKEW,
            evidence="kubectl get nodes",
            remedy="See what each of them runs: `kubelet --version` on the node.",
        )
        return
    yield say.at(
        FAIL if wrong else PASS,
        f"{counted(len(wrong), 'kubelet')} and the API server {server} are too far apart:"
        f" {shortened(wrong)}."
        if wrong
        else f"The kubelets ({listed(versions) or 'none'}) fit the API server ({server}).",
        expected=f"{server}, or up to {_MOST_SKEW} minor releases older",
        actual=listed(versions) or "no node",
        source=_SKEW,
        evidence="kubectl get nodes",
        remedy="Upgrade the control plane before the nodes, and no node beyond it.",
    )


@check("api.distribution", title="Whose Kubernetes it is", severities=(PASS,))
def distribution(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """By its version and what its nodes say."""
    have = case.facts.distribution
    if isinstance(have, Unknown):
        return  # told with the nodes
    name = "not told by its version or its nodes" if isinstance(have, Absent) else have
    yield say.at(
        PASS,
        f"The distribution is {name}.",
        expected="any",
        actual=name,
        source="Sitewright: what it is decides where its parts are looked for",
        evidence="kubectl get nodes --show-labels",
    )


@check(
    "api.certificate", title="Certificates and their last days",
    severities=(PASS, WARN, FAIL, UNKNOWN),
)  # fmt: skip
def certificate(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """The API server's own as it shows it, and the one by which we asked."""
    for fact, what, subject, remedy in (
        (
            case.facts.serving_ends,
            "The API server's certificate",
            "server",
            _RENEW,
        ),
        (
            case.facts.client_ends,
            "The client certificate of the kubeconfig",
            "client",
            "Make a new kubeconfig on the control plane and take it from there.",
        ),
    ):
        if isinstance(fact, (Absent, Unknown)):
            continue  # none is shown, or a machine's kubectl stands between
        ends = moment_of(fact)
        if ends is None:
            yield unread(
                say, Unknown(f'"{fact}" is no moment'), what, source=_LASTS, evidence=_SHOWN,
                subject=subject,
            )  # fmt: skip
            continue
        days = (ends - case.now).days
        severity = FAIL if days < 0 else WARN if days < _RENEW_DAYS else PASS
        yield say.at(
            severity,
            f"{what} is good until {fact[:10]}, {counted(days, 'day')} from now."
            if days >= 0
            else f"{what} ended on {fact[:10]}.",
            expected=f"{_RENEW_DAYS} days or more",
            actual=counted(days, "day"),
            source=_LASTS,
            evidence=_SHOWN,
            remedy=remedy,
            subject=subject,
        )


@check("api.aggregated", title="APIs that other programs serve", severities=(PASS, FAIL, UNKNOWN))
def aggregated(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """Every one of them answers; one that does not holds up deletions everywhere."""
    source = "Kubernetes, API aggregation (an API that is down keeps namespaces from ending)"
    evidence = "kubectl get apiservices"
    have = known(case.facts.api_services)
    if have is None:
        yield unread(
            say, case.facts.api_services, "The list of APIs", source=source, evidence=evidence
        )
        return
    down = [one for one in have if not one.available]
    for one in down:
        yield say.at(
            FAIL,
            f"The API {one.name} does not answer. {one.why}".strip(),
            expected="it is available",
            actual=one.why or "not available",
            source=source,
            evidence=f"kubectl describe apiservice {word(one.name)}",
            remedy="Mend the program behind it (its pods are named there), or take the APIService"
            " away if its program is gone.",
            subject=one.name,
        )
    if not down:
        yield say.at(
            PASS,
            f"All {len(have)} APIs that other programs serve answer."
            if len(have) > 1
            else "The one API that another program serves answers."
            if have
            else "No API is served by another program.",
            expected="each is available",
            actual=counted(len(have), "API"),
            source=source,
            evidence=evidence,
        )


@check("api.metrics", title="Metrics of nodes and pods", severities=(PASS, WARN))
def metrics(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """There is a metrics API, by which `kubectl top` and autoscalers see."""
    have = known(case.facts.api_services)
    if have is None:
        return  # told with the list of APIs
    there = any(one.name == _METRICS for one in have)
    yield say.at(
        PASS if there else WARN,
        "The metrics API is there." if there else "There is no metrics API: nobody sees the load.",
        expected=_METRICS,
        actual="there" if there else "none",
        source="Kubernetes, resource metrics pipeline",
        evidence="kubectl top nodes",
        remedy="Install metrics-server (`microk8s enable metrics-server`).",
    )


@check("api.complete", title="What was read is all there is", severities=(UNKNOWN,))
def complete(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """A list that was longer than the read may be is told."""
    for note in case.facts.notes:
        yield say.unknown(
            f"Not all was read: {note}.",
            expected="everything is read",
            reason=note,
            source="Sitewright: what was not seen is not called ready",
            evidence="kubectl get --raw '/api/v1/pods?limit=1'",
            remedy=f"Let that user read it: `{READER}`, then `{BINDING}`."
            if "Forbidden" in note
            else "Judge the rest by hand; a read has bounds so that it never weighs on a cluster.",
            subject=note.partition(":")[0],
        )
