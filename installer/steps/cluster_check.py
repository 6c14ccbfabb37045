"""Cluster-check: the cluster judged once more, right before something is made in it.

It asks by the kubectl of the step's machine, what `sitewright preflight --cluster` asks, and judges
by the same checks; what stands against the installation fails it, the earliest layer first.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal

from foundation.clusters.machine import Kubectl, MachineApi
from foundation.hosts.connection import Become
from foundation.problems import Problem
from installer.catalogue.solution import load_solution
from installer.catalogue.stages import Planned, Planning, StepData
from installer.events import Json, Kind
from installer.steps.kind import StepContext, StepFailed, StepKind
from installer.steps.probed import Probed, parsed
from installer.steps.releases.rendered import shown
from preflight.assessment import SeenCluster
from preflight.cluster.judge import judge_cluster
from preflight.cluster.read import read_cluster
from preflight.findings import Finding, Severity, Waiver
from preflight.waivers import judge_waivers

_MOST: Final = 12


class ClusterCheckStep(StepData):
    """The checks of a cluster, by the kubectl of a machine."""

    kind: Literal["cluster-check"]
    kubectl: tuple[str, ...]
    checks: tuple[str, ...] = ("*",)
    """Which of them must hold: ids, or areas with a star."""
    sizing: str = ""
    """The sizing table of the environment; "" for its default."""
    waivers: tuple[Waiver, ...] = ()
    """What somebody accepted by name, each until a day: it counts as it does in a preflight."""

    def planned(
        self, planning: Planning, spec: Mapping[str, Json], hosts: tuple[str, ...], where: str
    ) -> Planned:
        """With the site's table, and what it waives."""
        text = planning.renderer.text(
            "{{ {'sizing': sizing, 'waived': waived} | tojson }}", where=where
        )
        told = json.loads(text)  # what we wrote a line before
        waivers: list[Json] = [{"check": check, **one} for check, one in told["waived"].items()]
        return Planned({**spec, "sizing": told["sizing"], "waivers": waivers})


class ClusterCheck(Probed):
    """It is never found done: what it tells is of now."""

    model = ClusterCheckStep

    def data(self, context: StepContext) -> ClusterCheckStep:
        """The step's data."""
        return parsed(context, ClusterCheckStep)

    async def is_done(self, context: StepContext) -> bool | None:
        """Never."""
        return False

    async def verify(self, context: StepContext) -> None:
        """It was just judged."""

    async def do(self, context: StepContext) -> str:
        """Look, and judge; raises StepFailed with the earliest of what stands against it."""
        data = self.data(context)
        connection = await context.connect()
        # As every command of a step: root there, and on this machine whoever it runs as.
        become = Become.IF_ALLOWED
        found = await MachineApi.found(connection, [Kubectl("kubectl", data.kubectl, become)])
        try:
            facts = await read_cluster(found)
        except Problem as problem:
            raise StepFailed(
                problem.cause, where=context.host.name, remedy=problem.remedy, again=True
            ) from problem
        now = datetime.now(UTC)
        needs = load_solution(context.plan.solution).needs(
            context.plan.environment, data.sizing or None
        )
        seen = SeenCluster(context.host.name, found.way, facts, None, now, 0.0)
        today = now.astimezone().date()
        result = judge_cluster(seen, needs, waivers=data.waivers, today=today, now=now)
        told = [one for one in result.findings if _asked(one, data.checks)]
        against = [one for one in told if one.blocks]
        waived = [one for one in told if one.waiver is not None]
        unknown = [one for one in told if one.severity is Severity.UNKNOWN and one.waiver is None]
        for one in judge_waivers(result.findings, data.waivers, today):
            if one.id == "waiver.expired":
                context.emit(Kind.NOTE, text=one.title)
        warned = [one for one in told if one.severity is Severity.WARN and one.waiver is None]
        notes = [
            f"{f'Accepted by {one.waiver.by}' if one.waiver else one.severity.value.capitalize()}:"
            f" {one.title} ({one.id})"
            for one in (*waived, *warned, *unknown)
        ]
        for text in shown(notes, _MOST):
            context.emit(Kind.NOTE, text=text)
        if against:
            first, *others = against
            raise StepFailed(
                f"{first.title} ({first.id})"
                + (
                    f" After it: {'; '.join(shown([o.title for o in others], 5))}" if others else ""
                ),
                where=context.host.name,
                remedy=f"{first.remedy} Then retry it: sitewright resume. Or have somebody accept"
                f" it by name: a waiver of {first.id} in the site file.",
                again=False,
            )
        if unknown:
            raise StepFailed(
                f"{unknown[0].title} What is not known is not called good ({unknown[0].id})",
                where=context.host.name,
                remedy=unknown[0].remedy,
                again=False,
            )
        passed = sum(1 for one in told if one.severity is Severity.PASS)
        return f"{found.way}: {passed} of {len(told)} checks pass, and nothing stands against it."


def _asked(finding: Finding, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(finding.id, pattern) for pattern in patterns)


KIND: Final[StepKind] = ClusterCheck()
