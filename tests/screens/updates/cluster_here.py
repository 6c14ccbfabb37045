"""A cluster of one deployment: an API that is read, the stand-in of `kubectl` that changes it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from installer.plans.plan import Plan
from screens.answers.answers import Answers
from screens.services.services import Access, ClusterWay, ToApply, ToUpdate
from tests.bundles.servers import answering
from tests.installer.updates.test_hostile_registries import StandIn
from tests.installer.updates.test_updates import ALL, DEPLOYMENTS, workload
from tests.preflight.cluster.fake_api import FakeApi, fake_api
from tests.screens.recorded import RecordedServices

KUBECTL = Path(__file__).parents[2] / "stand_ins/kubectl"
OLD = "mojaloop/central-ledger:v1.0.0"
NEW = f"mojaloop/central-ledger:v1.0.2@{StandIn().digest('v1.0.2')}"
SITE = "solution: miniloop\nhosts: [{name: box, address: 192.0.2.1, roles: [box]}]\n"
WITHIN_MINUTES = 0.05


@dataclass
class ClusterHere:
    """Its state in a file, how it is reached, and its site."""

    folder: Path
    api: FakeApi
    mirror: str

    @property
    def state_file(self) -> Path:
        """What the stand-in keeps."""
        return self.folder / "cluster.json"

    @property
    def site(self) -> Path:
        """The site's file."""
        return self.folder / "site.yaml"

    @property
    def asked(self) -> ToUpdate:
        """What a person typed."""
        return ToUpdate(ClusterWay(kubeconfig=self.api.way_in()), newer=self.mirror)

    @property
    def now(self) -> dict[str, Any]:
        """The state as it is."""
        found: dict[str, Any] = json.loads(self.state_file.read_text())
        return found

    @property
    def image(self) -> str:
        """The image that the deployment has."""
        (main,) = self.now["object"]["spec"]["template"]["spec"]["containers"]
        return str(main["image"])

    def behaves(self, how: str) -> None:
        """What becomes of pods of the new image: they stand, crash, or wait."""
        self.keep(self.now | {"behaves": how})

    def keep(self, state: dict[str, Any]) -> None:
        """Have the stand-in know it, whole at every moment."""
        beside = self.state_file.with_suffix(".new")
        beside.write_text(json.dumps(state))
        beside.replace(self.state_file)

    def migrates(self) -> None:
        """Have the deployment migrate its data as it begins."""
        state = self.now
        pod = state["object"]["spec"]["template"]["spec"]
        pod["initContainers"] = [{"name": "migrate", "image": "mojaloop/central-ledger:v1.0.2"}]
        self.show(state["object"])
        self.keep(state)

    def show(self, thing: dict[str, Any]) -> None:
        """Have the API say it too."""
        self.api.objects[DEPLOYMENTS] = [thing]
        place = "/apis/apps/v1/namespaces/moja/deployments/ledger"
        self.api.answers[place] = (200, json.dumps(thing).encode())


class HereServices(RecordedServices):
    """The real core beneath; what it would wait for in minutes it waits for in seconds."""

    async def prepare_update(
        self, asked: ToUpdate, chosen: tuple[str, ...], answers: Answers, access: Access
    ) -> ToApply:
        found = await super().prepare_update(asked, chosen, answers, access)
        return found if found.run is not None else replace(found, plan=quick(found.plan))


def quick(plan: Plan) -> Plan:
    """The plan with steps that believe at once, and give up soon."""
    stages = tuple(
        replace(stage, steps=tuple(
            replace(step, spec={**step.spec, "settle_seconds": 0,
                                "stands_within_minutes": WITHIN_MINUTES})
            for step in stage.steps
        ))
        for stage in plan.stages
    )  # fmt: skip
    return replace(plan, stages=stages)


@contextmanager
def cluster_here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClusterHere]:
    """A deployment moja/ledger on v1.0.0, where v1.0.2 is newer; nobody owns it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    program = folder / "bin/kubectl"
    program.parent.mkdir()
    thing = workload("ledger", OLD)
    thing["metadata"] |= {"uid": "u1", "resourceVersion": "1", "generation": 1}
    thing["spec"] |= {"replicas": 1, "selector": {"matchLabels": {"app": "ledger"}}}
    with fake_api(folder) as api, answering(StandIn().answer) as registry:
        here = ClusterHere(folder, api, f"docker.io={registry.url}")
        here.keep({"object": thing, "well": OLD, "behaves": "stands", "patches": 0})
        here.site.write_text(SITE)
        words = f"{sys.executable} -I {KUBECTL} {here.state_file}"
        program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        api.objects = {path: [] for path in ALL}
        here.show(thing)
        yield here
