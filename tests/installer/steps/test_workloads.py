"""What of a namespace does not come up: the earliest cause first, from what the API says."""

from __future__ import annotations

import json
from typing import Any

from installer.steps.workloads import Layer, standing


def pod(name: str, *, since: str = "1", ready: bool = False, **status: Any) -> dict[str, Any]:
    """A pod as the API gives it."""
    conditions = status.pop("conditions", [])
    conditions = [*conditions, {"type": "Ready", "status": "True" if ready else "False"}]
    return {
        "kind": "Pod",
        "metadata": {"name": name, "creationTimestamp": since, **status.pop("metadata", {})},
        "status": {"phase": "Pending", "conditions": conditions, **status},
    }


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    """The status of a container that waits."""
    state = {"waiting": {"reason": reason, "message": message}}
    return {"name": "main", "image": "example.org/a:1", "state": state, **more}


def warning(kind: str, name: str, reason: str, message: str) -> dict[str, Any]:
    """An event of the type Warning."""
    return {
        "kind": "Event", "type": "Warning", "reason": reason, "message": message,
        "involvedObject": {"kind": kind, "name": name}, "metadata": {"creationTimestamp": "9"},
    }  # fmt: skip


def stands(*items: dict[str, Any]) -> Any:
    """What is said of these objects."""
    found = standing(json.dumps({"items": items}).encode())
    assert found is not None
    return found


def test_the_earliest_cause_comes_first() -> None:
    """What makes no pod goes before a node, an image, a crash, and what only waits for another."""
    killed = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    found = stands(
        pod("late", initContainerStatuses=[{"name": "wait-for-kafka", "state": {"running": {}}}]),
        pod("crash", containerStatuses=[waiting("CrashLoopBackOff", lastState=killed)]),
        pod("image", containerStatuses=[waiting("ImagePullBackOff", "Back-off")]),
        pod("node", conditions=[
            {"type": "PodScheduled", "status": "False", "message": "Insufficient memory"}]),
        warning("ReplicaSet", "hub-1", "FailedCreate", "exceeded quota: none"),
        pod("well", ready=True),
        pod("done", phase="Succeeded"),
    )  # fmt: skip
    assert [one.layer for one in found.troubles] == [
        Layer.MADE, Layer.PLACED, Layer.IMAGE, Layer.CRASHING, Layer.WAITING,
    ]  # fmt: skip
    assert found.troubles[0].sentence == "ReplicaSet hub-1 may make no pod: exceeded quota: none"
    assert "Insufficient memory" in found.troubles[1].sentence
    assert "OOMKilled, exit code 137" in found.troubles[3].sentence
    assert [one.hopeless for one in found.troubles] == [True, False, True, False, False]
    assert (found.ready, found.total) == (1, 5)


def test_why_an_image_is_not_there_says_the_registry() -> None:
    """The pod itself says only that it backs off."""
    text = (
        'Failed to pull image "example.org/a:1": rpc error: code = NotFound desc = failed to pull'
        ' and unpack image "example.org/a:1": example.org/a:1: not found'
    )
    found = stands(
        pod("a", containerStatuses=[waiting("ImagePullBackOff", 'Back-off pulling "a"')]),
        warning("Pod", "a", "Failed", text),
    )
    assert found.troubles[0].sentence == (
        "a cannot have the image example.org/a:1: example.org/a:1: not found"
    )


def test_of_the_same_layer_the_one_that_was_made_first_comes_first() -> None:
    found = stands(
        pod("b", since="2", containerStatuses=[waiting("ErrImagePull")]),
        pod("c", since="1", containerStatuses=[waiting("ErrImagePull")]),
    )
    assert [one.name for one in found.troubles] == ["c", "b"]


def test_a_test_of_a_release_is_none_of_its_workloads() -> None:
    hook = {"annotations": {"helm.sh/hook": "test"}}
    assert stands(pod("test", phase="Failed", metadata=hook)).total == 0


def test_what_is_not_understood_is_no_standing() -> None:
    """And no answer is called well."""
    for answer in (b"", b"null", b"[]", b'{"items": 3}', b'{"items": [{"kind": "Pod"}]}'):
        assert standing(answer) is None


def test_words_from_outside_have_no_control_characters() -> None:
    found = stands(pod("a", containerStatuses=[waiting("Odd\x1b[31m", "red\x1b[0m\n")]))
    assert "\x1b" not in found.troubles[0].sentence
