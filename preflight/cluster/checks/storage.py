"""The fourth layer: classes of volumes, and claims that wait for one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from foundation.wording import counted, how_many, listed, shortened
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.checks.wording import word
from preflight.cluster.case import ClusterCase, unread
from preflight.cluster.facts import Unknown, known
from preflight.findings import Finding

_SOURCE: Final = "Kubernetes, storage classes"
_EVIDENCE: Final = "kubectl get storageclasses"
_DEFAULT: Final = "storageclass.kubernetes.io/is-default-class"
_MOST: Final = 30
"""Claims that are told one by one."""


@check("storage.default", title="One class of volumes by default",
       severities=(PASS, WARN, FAIL, UNKNOWN))  # fmt: skip
def default(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """Exactly one class is the default: charts that name none get it."""
    classes = known(case.facts.storage_classes)
    if classes is None:
        yield unread(
            say, case.facts.storage_classes, "The storage classes", source=_SOURCE,
            evidence=_EVIDENCE,
        )  # fmt: skip
        return
    chosen = [one.name for one in classes if one.default]
    names = [one.name for one in classes]
    if not classes:
        severity, title = case.elsewhere if case.as_it_is else FAIL, (
            "The cluster has no storage class: no claim of a volume is ever bound by itself."
        )  # fmt: skip
    elif not chosen:
        severity, title = (
            FAIL,
            (
                f"None of the {counted(len(names), 'storage class')} is the default"
                f" ({shortened(names)}): a claim that names no class waits for ever."
            ),
        )
    elif len(chosen) > 1:
        severity, title = (
            FAIL,
            (f"{listed(chosen)} are all the default: which one a claim gets is the newest's luck."),
        )
    else:
        severity, title = PASS, f"The default storage class is {chosen[0]}."
    yield say.at(
        severity,
        title.replace("storage classs", "storage classes"),
        expected="one default storage class",
        actual=listed(chosen) or ("none of " + shortened(names) if names else "no class"),
        source=_SOURCE,
        evidence=_EVIDENCE,
        remedy=f"Mark the one: `kubectl annotate storageclass NAME {_DEFAULT}=true --overwrite`"
        " and the others with false. Where there is none, install a provisioner"
        " (on one box `microk8s enable hostpath-storage`; Longhorn or Ceph for more).",
    )


@check("storage.reclaim", title="What becomes of a volume that nobody claims",
       severities=(PASS, WARN))  # fmt: skip
def reclaim(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """Volumes of the default class outlive their claim: databases lie on them."""
    for one in known(case.facts.storage_classes) or ():
        if not one.default:
            continue
        yield say.at(
            PASS if one.reclaim == "Retain" else WARN,
            f"Volumes of {one.name} stay when their claim goes."
            if one.reclaim == "Retain"
            else f"Volumes of {one.name} are deleted with their claim, and what is on them too.",
            expected="Retain",
            actual=one.reclaim,
            source="Sitewright: what a transaction waits for lies on volumes that are retained",
            evidence=_EVIDENCE,
            remedy="Make a class of the same provisioner with reclaimPolicy Retain for databases"
            " and Kafka; a class itself cannot be changed.",
            subject=one.name,
        )


@check("storage.binding", title="When a volume is made", severities=(PASS, WARN))
def binding(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """A volume is made where its pod will run, if it lies on one node or in one zone."""
    nodes = known(case.facts.nodes) or ()
    for one in known(case.facts.storage_classes) or ():
        if not one.default:
            continue
        local = any(mark in one.provisioner for mark in ("local", "hostpath", "topolvm", "lvm"))
        spread = len({node.zone for node in nodes if node.zone}) > 1
        early = one.binding == "Immediate" and len(nodes) > 1 and (local or spread)
        yield say.at(
            WARN if early else PASS,
            f"Volumes of {one.name} are made before it is known where their pod runs"
            f" ({'on one node' if local else 'in one zone'}): the pod may never reach them."
            if early
            else f"Volumes of {one.name} are made {_WHEN.get(one.binding, one.binding)}.",
            expected="WaitForFirstConsumer" if early else "either",
            actual=one.binding,
            source="Kubernetes, storage classes, volume binding mode",
            evidence=_EVIDENCE,
            remedy="Make a class of the same provisioner with volumeBindingMode"
            " WaitForFirstConsumer, and make that the default.",
            subject=one.name,
        )


_WHEN: Final = {
    "WaitForFirstConsumer": "where their pod runs",
    "Immediate": "at once, wherever their pod will run",
}


@check("storage.claims", title="Claims of volumes are bound",
       severities=(PASS, WARN, FAIL, UNKNOWN))  # fmt: skip
def claims(case: ClusterCase, say: Say) -> Iterator[Finding]:
    """No claim waits, but for one whose class waits for a pod."""
    source, evidence = "Kubernetes, persistent volumes", "kubectl get pvc -A"
    have = known(case.facts.claims)
    if have is None:
        yield unread(
            say, case.facts.claims, "The claims of volumes", source=source, evidence=evidence
        )
        return
    classes = {one.name: one for one in known(case.facts.storage_classes) or ()}
    sure = not isinstance(case.facts.storage_classes, Unknown)
    waiting = []
    for one in have.unbound:
        chosen = classes.get(one.storage_class)
        patient = chosen is not None and chosen.binding == "WaitForFirstConsumer"
        if one.phase == "Pending" and patient and not one.event:
            continue  # no pod has asked for it yet
        waiting.append(one)
    for one in waiting[:_MOST]:
        why = one.event
        if not why and sure and one.storage_class and one.storage_class not in classes:
            why = f"there is no storage class {one.storage_class}"
        elif not why and not one.storage_class:
            why = "it names no storage class, and had no default to get"
        yield say.at(
            case.elsewhere,
            f"The claim {one.name} of {one.namespace} is {one.phase or 'not bound'}"
            f"{': ' + why if why else '.'}",
            expected="Bound",
            actual=f"{one.phase}, class {one.storage_class or 'none'}",
            source=source,
            evidence=f"kubectl -n {word(one.namespace)} describe pvc {word(one.name)}",
            remedy="See that its storage class exists and that the pods of its provisioner run.",
            subject=f"{one.namespace}/{one.name}",
        )
    rest = len(waiting) - _MOST
    if not waiting or rest > 0:
        yield say.at(
            case.elsewhere if waiting else PASS,
            f"{counted(rest, 'more claim')} are not bound either."
            if waiting
            else f"{how_many(have.total, 'claim').capitalize()} of volumes, and none waits.",
            expected="Bound",
            actual=counted(rest, "claim") if waiting else "all bound",
            source=source,
            evidence=evidence,
            remedy="Begin with those above.",
        )
