"""A cluster judged once more in a run: whose word counts there, and until when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from foundation.clusters.https import HttpsApi
from foundation.clusters.kubeconfig import read_access
from foundation.clusters.machine import MachineApi
from installer.steps import cluster_check
from installer.steps.kind import StepFailed
from tests.preflight.cluster.fake_api import CLASSES, FakeApi, fake_api

NOW = datetime.now(UTC)
TODAY = NOW.astimezone().date()


class Clock(datetime):
    """Stands still, so that no midnight falls between a waiver and who reads it."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # no Clock
        return NOW.astimezone(tz)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[FakeApi]:
    with fake_api(tmp_path) as api:
        api.objects[CLASSES] = []
        yield api


async def _checked(served: FakeApi, *waivers: dict[str, str]) -> tuple[list[str], str]:
    notes: list[str] = []
    spec = {"kubectl": ["kubectl"], "checks": ["storage.*"], "waivers": list(waivers)}
    step = SimpleNamespace(id="judge", kind="cluster-check", title="Judge", spec=spec, key="x")

    async def connect() -> None:
        return None

    context: Any = SimpleNamespace(
        step=step, connect=connect, host=SimpleNamespace(name="way"),
        plan=SimpleNamespace(solution="helm-deploy", environment="existing-cluster"),
        emit=lambda _kind, text: notes.append(text),
    )  # fmt: skip
    async with HttpsApi(read_access([served.way_in(days=300)])) as api:

        async def found(*_: Any) -> HttpsApi:
            return api

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(MachineApi, "found", found)
            patch.setattr(cluster_check, "datetime", Clock)
            return notes, await cluster_check.KIND.do(context)


def _waiver(check: str, days: int) -> dict[str, str]:
    return {"check": check, "by": "A. Name", "reason": "a hub to try",
            "until": (TODAY + timedelta(days=days)).isoformat()}  # fmt: skip


async def test_a_word_counts_until_its_last_day_and_no_longer(served: FakeApi) -> None:
    with pytest.raises(StepFailed, match=r"\(storage\."):
        await _checked(served)
    notes, said = await _checked(served, _waiver("storage.*", 0))
    assert "nothing stands against it" in said
    assert any(note.startswith("Accepted by A. Name: ") for note in notes)
    with pytest.raises(StepFailed, match=r"\(storage\."):
        await _checked(served, _waiver("storage.*", -1))
