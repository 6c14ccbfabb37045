"""What became of a pod of a probe: pure, from what the API server says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from preflight.cluster.objects import Condition, OwnPod, OwnStatus, State
from preflight.parse.text import plain

_LONGEST: Final = 400
_NOT_PULLED: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull",
     "RegistryUnavailable", "ImageInspectError", "SignatureValidationFailed"}
)  # fmt: skip
"""Reasons of a kubelet for an image that it did not get (pkg/kubelet/images/types.go)."""
_GIVEN_UP: Final = _NOT_PULLED - {"ErrImagePull"}
"""Those after which no better answer is to be waited for."""
_BEGINNING: Final = frozenset({"ContainerCreating", "PodInitializing", ""})


@dataclass(frozen=True, slots=True)
class Became:
    """What became of one pod so far."""

    ended: bool | None = None
    """Whether its program saw what it should; None while that is not known."""
    pulled: bool | None = None
    """Whether its node got the image; None while that is not known."""
    settled: bool = False
    """Whether nothing better is to be waited for."""
    ready: bool = False
    node: str = ""
    address: str = ""
    image: str = ""
    """The image's digest, as the node says."""
    why: str = ""
    """What it said, or what it waits for."""


def became(pod: OwnPod, before: Became | None = None) -> Became:
    """What became of a pod; with what was seen before, the fuller word of a failed pull is kept."""
    status = pod.status
    node, address = plain(pod.spec.node), plain(status.address)
    ready = any(one.type == "Ready" and one.status == "True" for one in status.conditions)
    container = status.containers[0] if status.containers else OwnStatus()
    digest = plain(container.image).rpartition("@")[2]
    state = container.state
    if status.phase == "Failed" and status.reason and state.terminated is None:
        # DeadlineExceeded, Evicted, and admission by the node itself.
        why = plain(f"{status.reason}: {status.message}".strip(": "), _LONGEST)
        return Became(None, None, True, node=node, why=why)
    if state.terminated is not None:
        told = state.terminated
        why = plain(told.message or told.reason, _LONGEST)
        ended = {0: True, 1: False}.get(told.code)
        if ended is None:
            why = f"its program ended with {told.code}" + (f": {why}" if why else "")
        return Became(ended, True, True, node=node, image=digest, why=why)
    pulled, settled, why = _of_waiting(state, status.conditions, before)
    if not settled and digest and state.waiting is None:
        pulled = True
    return Became(
        None, pulled, settled, ready=ready, node=node, address=address, image=digest, why=why
    )


def _of_waiting(
    state: State, conditions: tuple[Condition, ...], before: Became | None
) -> tuple[bool | None, bool, str]:
    waiting = state.waiting
    if waiting is None:
        unscheduled = [
            one for one in conditions if one.type == "PodScheduled" and one.status == "False"
        ]
        why = unscheduled[0].message or unscheduled[0].reason if unscheduled else ""
        return None, False, plain(f"no node takes it: {why}" if why else "", _LONGEST)
    said = plain(f"{waiting.reason}: {waiting.message}".strip(": "), _LONGEST)
    if waiting.reason in _NOT_PULLED:
        fuller = before.why if before is not None and before.pulled is False else ""
        return False, waiting.reason in _GIVEN_UP, max(fuller, said, key=len)
    if waiting.reason in _BEGINNING:
        return None, False, ""
    # What follows a pull: CreateContainerError, RunContainerError and the like.
    return True, True, said
