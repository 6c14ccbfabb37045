"""What is told while Helm waits for a release, and where it waited in vain."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from foundation.hosts.jobs.jobs_model import JobState
from installer.events import Kind
from installer.steps import helm
from installer.steps.kind import Ended, StepFailed
from tests.installer.engine_site import when

_PULL = {
    "kind": "Event", "type": "Warning", "reason": "Failed",
    "involvedObject": {"kind": "Pod", "name": "hub-1"},
    "message": 'Failed to pull image "a:1": rpc error: "a:1": a:1: not found', "metadata": {},
}  # fmt: skip
_POD = {
    "kind": "Pod",
    "metadata": {"name": "hub-1"},
    "status": {
        "phase": "Pending",
        "containerStatuses": [
            {"image": "a:1", "state": {"waiting": {"reason": "ImagePullBackOff"}}},
        ],
    },
}
BROKEN = json.dumps({"items": [_POD, _PULL]}).encode()
DATA = {"release": "moja", "namespace": "demo", "chart": "mojaloop", "version": "17.1.0",
        "repository": "https://charts.example/", "kubectl": ["microk8s", "kubectl"]}  # fmt: skip


@dataclass
class Waiting:
    """A stand-in for a step's context: Helm waits until pods were shown `times`, and ends so."""

    state: JobState
    told: list[tuple[Kind, dict[str, Any]]] = field(default_factory=list)
    commands: list[tuple[str, ...]] = field(default_factory=list)
    times: int = 0
    pods: bytes = BROKEN
    dry_run: bool = False
    host: Any = field(default_factory=lambda: SimpleNamespace(name="box"))
    step: Any = field(
        default_factory=lambda: SimpleNamespace(
            id="hub", kind="helm", title="Start", spec=DATA, key="hub/hub", files=(),
            timeout_seconds=60.0, irreversible="",
        )
    )  # fmt: skip

    async def look(self, command: Sequence[str], **_: Any) -> Any:
        """What kubectl says."""
        return SimpleNamespace(status=0, stdout=self.pods)

    async def change(self, _says: str, command: Sequence[str], **_: Any) -> Ended:
        """Helm, which only waits."""
        self.commands.append(tuple(command))
        await when(lambda: len(self.of(Kind.STEP_PROGRESS)) >= self.times)
        good = self.state is JobState.SUCCEEDED
        tail = () if good else ("Error: context deadline exceeded",)
        return Ended(self.state, 0 if good else 1, "", tail)

    def emit(self, kind: Kind, **data: Any) -> None:
        """Note it."""
        self.told.append((kind, data))

    def of(self, kind: Kind) -> list[dict[str, Any]]:
        """What was told of a kind."""
        return [data for told, data in self.told if told is kind]


async def test_where_it_waited_in_vain_the_first_cause_is_the_failure() -> None:
    """Helm's own words are that time is up; they stand behind."""
    context = Waiting(JobState.FAILED)
    with pytest.raises(StepFailed) as failed:
        await helm.Helm().do(context)  # type: ignore[arg-type]  # what a step needs of its context
    assert failed.value.cause.startswith("hub-1 cannot have the image a:1: a:1: not found.")
    assert "0 of 1 pod is ready in demo" in failed.value.cause
    assert "context deadline exceeded" in failed.value.cause
    assert "microk8s kubectl -n demo get events" in (failed.value.remedy or "")


async def test_what_no_waiting_mends_is_told_once_while_it_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(helm, "_PODS_EVERY", 0.01)
    context = Waiting(JobState.SUCCEEDED, times=3)
    await helm.Helm().do(context)  # type: ignore[arg-type]  # what a step needs of its context
    notes = [data["text"] for data in context.of(Kind.NOTE)]
    assert notes == ["hub-1 cannot have the image a:1: a:1: not found. Helm goes on waiting."]
    assert context.of(Kind.STEP_PROGRESS)[0]["total"] == 1
    words = context.commands[0]
    assert words[words.index("--repo") + 1] == "https://charts.example/"


async def test_where_the_pods_say_nothing_helm_s_own_words_are_told() -> None:
    context = Waiting(JobState.FAILED, pods=b"no")
    with pytest.raises(StepFailed) as failed:
        await helm.Helm().do(context)  # type: ignore[arg-type]  # what a step needs of its context
    assert "context deadline exceeded" in failed.value.cause


@pytest.mark.parametrize(
    ("there", "marked"),
    [
        (b"[]", True),
        (b'[{"name": "moja", "status": "failed"}]', False),
        (b"no", False),
    ],
)
async def test_only_a_release_that_this_step_brings_gets_its_mark(
    there: bytes, marked: bool
) -> None:
    """One that stood before is somebody else's, and one of which nobody tells may be."""
    context = Waiting(JobState.SUCCEEDED, pods=there)
    context.step.spec = {**DATA, "kubectl": [], "mark": "sitewright=brought"}
    await helm.Helm().do(context)  # type: ignore[arg-type]  # what a step needs of its context
    words = context.commands[0]
    assert ("--labels" in words) is marked
    assert not marked or words[words.index("--labels") + 1] == "sitewright=brought"
