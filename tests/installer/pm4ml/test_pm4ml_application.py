"""What an application of Argo CD comes to and why, from what a real one said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from installer.solutions.pm4ml.playbooks.filter_plugins import argocd

LOOKED = "2025-11-29T01:33:20Z"
OLD, YOUNG = "2025-11-29T01:30:20Z", "2025-11-29T01:33:00Z"
"""A look before the last, and just before it."""


def said(
    sync: str = "Synced",
    health: str = "Healthy",
    *,
    phase: str = "Succeeded",
    of: str = "new",
    works: bool = False,
    annotated: bool = False,
    **status: Any,
) -> str:
    """An application as it is read."""
    operation = {"phase": phase, "message": "successfully synced (all tasks run)"}
    operation |= {"syncResult": {"revision": of, "resources": []}} | status.pop("operation", {})
    state = {
        "sync": {"status": sync, "revision": "new"},
        "health": {"status": health},
        "reconciledAt": LOOKED,
        "resources": [{"kind": "ConfigMap", "name": "c", "namespace": "shop"}],
        "operationState": operation,
        **status,
    }
    annotations = {"argocd.argoproj.io/refresh": "normal"} if annotated else {}
    application: dict[str, Any] = {"metadata": {"annotations": annotations}, "status": state}
    if works:
        application["operation"] = {"sync": {"revision": of}}
    return json.dumps(application)


def unread(message: str, since: str) -> dict[str, Any]:
    """The state of one whose repository cannot be read."""
    condition = {"type": "ComparisonError", "message": message, "lastTransitionTime": since}
    return {"sync": "Unknown", "conditions": [condition]}


@pytest.mark.parametrize(
    ("shown", "holds"),
    [
        (said(), {"well"}),
        (said(annotated=True), set()),
        (said(resources=[]), {"empty"}),
        (said(health="Progressing"), set()),
        # A hook after the sync failed: the objects themselves are well.
        (said(phase="Failed"), {"failed"}),
        (said(phase="Running", works=True), set()),
        (said("OutOfSync", "Missing", phase="Failed"), {"failed"}),
        (said("OutOfSync", "Missing", phase="Failed", of="old"), set()),
        (said("OutOfSync", "Missing", phase="Running", works=True), set()),
        (said("OutOfSync", "Missing", phase="Running", works=True, of="old"), {"overtaken"}),
        (said(**unread("app path does not exist", OLD)), {"unread", "cached"}),
        (said(**unread("app path does not exist", YOUNG)), {"cached"}),
        (said(**unread("app path does not exist", "")), {"cached"}),
        (said(**unread("a", OLD), reconciledAt=None), {"cached"}),
        ("", set()),
        ("[]", set()),
        ('{"metadata": {}}', set()),
        ('{"metadata": [], "status": {"sync": 1, "conditions": {"a": 1}}}', set()),
    ],
)
def test_how_it_stands(shown: str, holds: set[str]) -> None:
    """What will not change by itself is told apart from what comes."""
    stands = argocd.standing(shown)
    names = {"well", "empty", "failed", "unread", "overtaken", "cached"}
    assert {name for name in names if stands[name]} == holds


def listed(*items: dict[str, Any]) -> str:
    """Items as kubectl lists them."""
    return json.dumps({"items": items})


def pod(name: str, state: dict[str, Any], inside: str = "shop") -> dict[str, Any]:
    """A pod with its state."""
    return {"metadata": {"name": name, "namespace": inside, "uid": name}, "status": state}


def container(**state: Any) -> dict[str, Any]:
    """The state of a pod whose one container stands so."""
    ready = {"type": "Ready", "status": "False"}
    return {
        "phase": "Pending",
        "conditions": [ready],
        "containerStatuses": [{"name": "c", **state}],
    }


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    """A container that waits."""
    return {"state": {"waiting": {"reason": reason, "message": message}}}


def warning(
    reason: str, message: str, *, of: str = "p", kind: str = "Pod", uid: str = "", last: str = YOUNG
) -> dict[str, Any]:
    """A warning of something in the namespace of the application."""
    thing = {"kind": kind, "name": of, "namespace": "shop", "uid": uid or of}
    return {"reason": reason, "message": message, "involvedObject": thing, "lastTimestamp": last}


PULL = 'Failed to pull image "x:1": rpc error: code = NotFound desc = x:1: not found'
UNPLACED = (
    "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }."
)


@pytest.mark.parametrize(
    ("pods", "warnings", "why"),
    [
        (
            [pod("p", container(**waiting("ImagePullBackOff", 'Back-off pulling image "x:1"')))],
            [warning("BackOff", 'Back-off pulling image "x:1"'), warning("Failed", PULL, last=OLD)],
            f"Pod p: ImagePullBackOff: {PULL}",
        ),
        (
            [
                pod(
                    "p",
                    container(
                        **waiting("CrashLoopBackOff", "back-off 10s"),
                        lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
                    ),
                )
            ],
            [warning("BackOff", "Back-off restarting failed container")],
            "Pod p: CrashLoopBackOff: its container c ended with status 137 (OOMKilled)",
        ),
        (  # between two tries
            [pod("p", container(state={"terminated": {"exitCode": 1, "reason": "Error"}}))],
            [warning("BackOff", "Back-off restarting failed container")],
            "Pod p: CrashLoopBackOff: its container c ended with status 1",
        ),
        (
            [
                pod(
                    "p",
                    {
                        "conditions": [
                            {
                                "type": "PodScheduled",
                                "status": "False",
                                "reason": "Unschedulable",
                                "message": UNPLACED,
                            }
                        ]
                    },
                )
            ],
            [],
            f"Pod p: Unschedulable: {UNPLACED.rstrip('.')}",
        ),
        (
            [pod("p", container(state={"running": {}}))],
            [
                warning("Unhealthy", "Readiness probe failed: 503"),
                warning("Failed", "of a pod of this name that is gone", uid="other"),
            ],
            "Pod p: Unhealthy: Readiness probe failed: 503",
        ),
        # What is well, of another, or gone says nothing.
        (
            [
                pod("p", {"conditions": [{"type": "Ready", "status": "True"}]}),
                pod("q", container(**waiting("ErrImagePull", "no")), inside="other"),
            ],
            [warning("BackOff", "it was so"), warning("Failed", "of one that is gone", of="gone")],
            "",
        ),
        (
            [],
            [
                warning("FailedCreate", "exceeded quota: few", of="d1", kind="ReplicaSet"),
                warning("FailedCreate", "an older one", of="d1", kind="ReplicaSet", last=OLD),
            ],
            "ReplicaSet d1: FailedCreate: exceeded quota: few",
        ),
    ],
)
def test_the_cluster_s_reasons(
    pods: list[dict[str, Any]], warnings: list[dict[str, Any]], why: str
) -> None:
    """Of each pod that is not ready the cause, of what is no pod its last warning."""
    assert argocd.reasons(said(health="Progressing"), listed(*pods), listed(*warnings)) == why


def test_what_argo_cd_itself_says_stands_after_the_causes() -> None:
    """What is unwell by name with its reason, then the conditions; not that the sync ended well."""
    unwell = {
        "kind": "Deployment", "name": "d1", "namespace": "shop",
        "health": {"status": "Degraded", "message": "no room"},
    }  # fmt: skip
    state: dict[str, Any] = {"resources": [unwell], "conditions": [{"message": "chart not found"}]}
    told = argocd.reasons(said(health="Degraded", **state), listed(), listed())
    assert told == "Deployment d1 is Degraded: no room; chart not found"
