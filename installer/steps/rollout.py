"""Rollout: one workload of Kubernetes brought to other images, and taken back where it fails.

What watches is a durable job on the machine with kubectl (`on_machine/rollout.py`): it takes the
workload back by itself, though nobody may be there any more. A second updater finds the workload
another than the plan says and leaves it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field

from foundation.hosts.jobs.jobs_model import JobLine
from foundation.problems import Refused
from installer.catalogue.stages import StepData, StrictData
from installer.events import Kind
from installer.plans.plan import PlannedStep
from installer.sites.site_updates import Updates
from installer.steps.kind import Ended, StepContext, StepFailed, StepKind
from installer.steps.on_machine import kube
from installer.steps.probed import Probed, must_be_good, parsed, usual_program

_OF_OURS: Final = re.compile(
    r"^from (?:__future__|installer\.steps\.on_machine\.\w+) import (?:\([^)]*\)|[^(\n]*)\n",
    re.MULTILINE,
)
_WHY: Final = "@why "
_SO_FAR: Final = re.compile(r"(\d+) of (\d+) ")
_LOOK_SECONDS: Final = 60.0


class ImageChange(StrictData):
    """One container of a workload, and its image before and after."""

    container: str
    init: bool = False
    before: str
    after: str


class OfWorkload(StrictData):
    """One workload, as it was when the list was made, and what is to change."""

    workload: Literal["deployment", "statefulset", "daemonset", "cronjob"]
    namespace: str
    name: str
    uid: str
    template: str
    """What tells its pod template from every other."""
    owned: dict[str, str] = Field(default_factory=dict)
    """The marks of owners that it had then."""
    changes: tuple[ImageChange, ...]


class Windowed(StepData):
    """What steps share that bring what runs to other images."""

    migrates: str = ""
    """What changes its data as it begins: then it is not taken back by itself."""
    updates: Updates | None = None
    """When it may begin."""
    settle_seconds: float = 10.0
    """How long it must stand before it is believed."""
    stands_within_minutes: float = 10.0


class Watched(Windowed):
    """Of workloads of Kubernetes."""

    program: tuple[str, ...] = ("kubectl",)


class RolloutStep(Watched):
    """One workload of Kubernetes brought to other images."""

    kind: Literal["rollout"]
    to_change: OfWorkload


class InWindow(Probed):
    """Begun within a window of the site, and never found done."""

    model: type[Windowed]

    def data(self, context: StepContext) -> Windowed:
        """The step's data."""
        return parsed(context, self.model)

    def programs(self, step: PlannedStep) -> tuple[str, ...]:
        """Its own."""
        return usual_program(step, "kubectl")

    async def is_done(self, context: StepContext) -> bool | None:
        """Never found so: that it has the images is no word on whether it stands.

        Asked before every beginning, and never of what is under way: raises Refused where no
        window is open.
        """
        updates = self.data(context).updates
        now = datetime.now(UTC)
        if updates is not None and not context.dry_run and not updates.open_at(now):
            opens = updates.next_opening(now)
            raise Refused(
                "the window for updates is over, so it was not begun",
                where=context.step.key,
                remedy="Give the same command when the next one opens"
                + (f": {opens:%A, %H:%M} ({updates.zone})." if opens else "."),
            )
        return False

    async def verify(self, context: StepContext) -> None:
        """That it stands was just seen."""


class Rollout(InWindow):
    """One workload, by a patch that tests what it changes."""

    model = RolloutStep

    def data(self, context: StepContext) -> RolloutStep:
        """The step's data."""
        return parsed(context, RolloutStep)

    async def do(self, context: StepContext) -> str:
        """Bring it there; raises StepFailed, by then taken back where it did not stand."""
        data = self.data(context)
        images = ", ".join(one.after for one in data.to_change.changes)
        order = order_of(data, data.to_change)
        return await bring(context, words_of(data.to_change), images, order, program())

    async def undo(self, context: StepContext) -> bool:
        """Put its former template back, and see that it stands."""
        data = self.data(context)
        if context.step.irreversible:
            return False
        what = words_of(data.to_change)
        ended = await context.change(
            f"put the former images of {what} back",
            command_of({**order_of(data, data.to_change), "back": True}),
            label="undo",
            stdin=program().encode(),
            on_line=lambda line: told(context, line),
        )
        if not ended.good and not ended.dry:
            raise failed(context, ended, what)
        return True


async def bring(
    context: StepContext,
    what: str,
    where: str,
    order: dict[str, Any],
    code: str,
    remedies: Mapping[int, str] | None = None,
) -> str:
    """Have the program bring it there, and say that it stands; raises StepFailed."""
    ended = await context.change(
        f"bring {what} to {where}",
        command_of(order),
        stdin=code.encode(),
        on_line=lambda line: told(context, line),
    )
    if ended.dry:
        return f"{what} would be brought there."
    if not ended.good:
        raise failed(context, ended, what, remedies)
    return f"{what} stands with the new images."


def words_of(one: OfWorkload) -> str:
    """A workload for a person."""
    return f"{one.workload} {one.namespace}/{one.name}"


def order_of(data: Watched, one: OfWorkload) -> dict[str, Any]:
    """What the program is ordered to do with a workload."""
    return {
        "kubectl": list(data.program),
        "kind": one.workload,
        "namespace": one.namespace,
        "name": one.name,
        "uid": one.uid,
        "template": one.template,
        "owned": one.owned,
        "changes": [
            {"container": each.container, "init": each.init, "from": each.before, "to": each.after}
            for each in one.changes
        ],
        "seconds": data.stands_within_minutes * 60,
        "settle": data.settle_seconds,
        "migrates": data.migrates,
    }


def command_of(order: dict[str, Any]) -> tuple[str, ...]:
    """The program that reads itself from standard input, with its order."""
    return ("python3", "-I", "-B", "-", json.dumps(order))


def program(last: str = "rollout.py") -> str:
    """The program that changes a cluster, as one file."""
    return as_one("kube.py", "watching.py", last)


@cache
def as_one(*names: str) -> str:
    """The files of a program as one: what they import of one another stands before."""
    folder = Path(__file__).with_name("on_machine")
    first, *then = ((folder / name).read_text(encoding="utf-8") for name in names)
    return first + "".join(_OF_OURS.sub("", text) for text in then)


def told(context: StepContext, line: JobLine) -> bool:
    """Take a line of the program; whether it is to be written as it stands."""
    found = _SO_FAR.match(line.text)
    if found:
        context.emit(Kind.STEP_PROGRESS, done=int(found[1]), total=int(found[2]), text=line.text)
    return not line.text.startswith(_WHY)


_REMEDIES: Final = {
    kube.CHANGED: "Look at what changed it, then make the list anew: sitewright updates apply.",
    kube.REFUSED: "Nothing was changed. Mend what is named; whether this login may, is told "
    "by: kubectl auth can-i patch KIND.",
    kube.BACK: "What runs is what ran before. Mend what is named, then make the list anew: "
    "sitewright updates apply.",
    kube.NOT_BACK: "Its template is the former one or stands in the lines above; look at it now: "
    "kubectl describe, kubectl logs.",
    kube.LEFT: "Look at it now: kubectl describe, kubectl logs. Speak with whoever changed it; "
    "where its data may be changed, the way back is the backup.",
}


def failed(
    context: StepContext, ended: Ended, what: str, remedies: Mapping[int, str] | None = None
) -> StepFailed:
    """Why it does not stand, in the program's own words."""
    known = _REMEDIES if remedies is None else remedies
    why = next((line for line in reversed(ended.tail) if line.startswith(_WHY)), "")
    if not why or ended.exit_status not in known:
        must_be_good(context, ended, f"the update of {what}")
    lines = [line for line in ended.tail if not line.startswith(_WHY)]
    return StepFailed(
        f"{what}: {why.removeprefix(_WHY)}",
        where=context.host.name,
        remedy=known[ended.exit_status or kube.REFUSED],
        output=lines,
        again=False,
    )


KIND: Final[StepKind] = Rollout()
