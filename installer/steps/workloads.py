"""Workloads: what of a namespace does not come up, the earliest cause first.

Of a wait that was too long neither Helm nor kubectl says more than that; the objects know why. What
keeps pods from being made goes before what keeps them from a node, then images and configuration,
then what crashes, then what is not ready. A pod that waits for another in an init container is no
cause and is told last.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from foundation.secrets import cut
from foundation.wording import are, counted

ASK: Final = ("get", "pods,events", "--output", "json", "--namespace")
"""What kubectl is asked, with the namespace behind it."""
_LONGEST: Final = 300
_BEGINNING: Final = frozenset({"ContainerCreating", "PodInitializing", ""})
_IMAGE: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull",
     "RegistryUnavailable"}
)  # fmt: skip
_CREATED: Final = frozenset({"FailedCreate", "ReplicaSetCreateError"})


class Layer(IntEnum):
    """Where it fails; what fails earlier explains what fails later."""

    MADE = 1
    PLACED = 2
    IMAGE = 3
    CONFIGURED = 4
    CRASHING = 5
    WAITING = 6
    NOT_READY = 7


_REMEDIES: Final = {
    Layer.MADE: "The API refuses the pod itself: raise the quota or the limit that is named",
    Layer.PLACED: "No node takes it: free what it names, or leave parts out in the settings",
    Layer.IMAGE: "The image cannot be had: see that the machine reaches the registry and that the "
    "name and the tag are there",
    Layer.CONFIGURED: "What it names must be there first: see that the release before it stands",
    Layer.CRASHING: "Read its last words; OOMKilled means that the memory is not enough",
    Layer.WAITING: "It waits for another pod: see why that one is not up",
    Layer.NOT_READY: "Its probe says no: its log says what it waits for",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that does not come up."""

    layer: Layer
    name: str
    """The pod, or the object that may make none."""
    why: str
    since: str
    """When it was made, as the API says it."""

    @property
    def hopeless(self) -> bool:
        """Whether waiting rarely mends it."""
        return self.layer in {Layer.MADE, Layer.IMAGE, Layer.CONFIGURED}

    @property
    def sentence(self) -> str:
        """What is wrong, for a person."""
        return f"{self.name} {self.why}"

    def remedy(self, kubectl: Sequence[str], namespace: str) -> str:
        """What to do about it, and how to see more."""
        if self.layer is Layer.CRASHING:
            see = f"{' '.join(kubectl)} -n {namespace} logs {self.name} --previous"
        elif self.layer is Layer.NOT_READY:
            see = f"{' '.join(kubectl)} -n {namespace} logs {self.name}"
        else:
            see = f"{' '.join(kubectl)} -n {namespace} get events"
        return f"{_REMEDIES[self.layer]} (more: {see})"


@dataclass(frozen=True, slots=True)
class Standing:
    """How the workloads of a namespace stand."""

    ready: int
    total: int
    """Pods that are to stay; those that ran to their end are not counted."""
    troubles: tuple[Trouble, ...]
    """The earliest cause first."""

    @property
    def sentence(self) -> str:
        """How many are ready."""
        return f"{self.ready} of {counted(self.total, 'pod')} {are(self.total)} ready"


def standing(answer: bytes) -> Standing | None:
    """What kubectl's answer to `ASK` says; None where it cannot be read."""
    try:
        items = json.loads(answer)["items"]
        pods = [one for one in items if one["kind"] == "Pod"]
        events = [one for one in items if one["kind"] == "Event"]
        # A test of a release is judged by itself, and ends.
        pods = [one for one in pods if not _of_test(one) and _phase(one) != "Succeeded"]
        troubles = sorted(
            (*_not_made(events), *(found for pod in pods if (found := _trouble(pod, events)))),
            key=lambda one: (one.layer, one.since, one.name),
        )
        return Standing(sum(map(_ready, pods)), len(pods), tuple(troubles))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _phase(pod: Mapping[str, Any]) -> str:
    return str((pod.get("status") or {}).get("phase"))


def _of_test(pod: Mapping[str, Any]) -> bool:
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    return "test" in str(annotations.get("helm.sh/hook", ""))


def _ready(pod: Mapping[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def _said(text: object) -> str:
    return cut(str(text or ""), _LONGEST)


def _not_made(events: Iterable[Mapping[str, Any]]) -> Iterator[Trouble]:
    """What may make no pods: a quota, a limit, an admission; the last word of each object."""
    last: dict[str, Trouble] = {}
    for event in events:
        if event.get("type") != "Warning" or event.get("reason") not in _CREATED:
            continue
        whose = event.get("involvedObject") or {}
        name = f"{whose.get('kind', '?')} {whose.get('name', '?')}"
        since = str((event.get("metadata") or {}).get("creationTimestamp", ""))
        last[name] = Trouble(
            Layer.MADE, _said(name), f"may make no pod: {_said(event.get('message'))}", since
        )
    yield from last.values()


def _trouble(pod: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> Trouble | None:
    """What keeps a pod from being ready; None for one that is."""
    if _ready(pod):
        return None
    metadata, status = pod["metadata"], pod.get("status") or {}
    name, since = _said(metadata["name"]), str(metadata.get("creationTimestamp", ""))
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            why = f"finds no node: {_said(condition.get('message'))}"
            return Trouble(Layer.PLACED, name, why, since)
    init = status.get("initContainerStatuses") or []
    every = [*init, *(status.get("containerStatuses") or [])]
    for one in every:
        waiting = (one.get("state") or {}).get("waiting") or {}
        reason = str(waiting.get("reason") or "")
        if reason in _BEGINNING:
            continue
        image, said = _said(one.get("image")), _said(waiting.get("message"))
        if reason in _IMAGE:
            # The back-off says nothing of the cause; the event of the pull does.
            pull = _pull(name, events) or said
            return Trouble(Layer.IMAGE, name, f"cannot have the image {image}: {pull}", since)
        if reason == "CrashLoopBackOff":
            last = (one.get("lastState") or {}).get("terminated") or {}
            ended = f"{_said(last.get('reason'))}, exit code {last.get('exitCode', '?')}"
            why = f"crashes again and again ({ended})"
            return Trouble(Layer.CRASHING, name, why, since)
        return Trouble(Layer.CONFIGURED, name, f"cannot begin ({_said(reason)}): {said}", since)
    if _phase(pod) == "Failed":
        return Trouble(Layer.CRASHING, name, f"failed: {_said(status.get('message'))}", since)
    for one in init:
        if (one.get("state") or {}).get("running") is not None:
            why = f"waits in its init container {_said(one.get('name'))}"
            return Trouble(Layer.WAITING, name, why, since)
    return Trouble(Layer.NOT_READY, name, f"is {_phase(pod)} and not ready", since)


def _pull(pod: str, events: Sequence[Mapping[str, Any]]) -> str:
    """The last word of the kubelet on pulling an image of a pod."""
    # The image stands several times in it; what the registry said comes last.
    said = [
        _said(str(event["message"]).rpartition('": ')[2])
        for event in events
        if event.get("type") == "Warning"
        and (event.get("involvedObject") or {}).get("name") == pod
        and str(event.get("message") or "").startswith("Failed to pull image")
    ]
    return said[-1] if said else ""
