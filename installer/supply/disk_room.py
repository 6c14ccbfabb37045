"""Room: whether each machine's disk holds what the bundle brings it, asked before a run begins.

Only what a machine lacks counts, so a run that is begun again is not refused for what is there.
What a runtime unpacks lies where the runtime keeps it; it is known when it is unpacked, and no
number is made up for it here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from foundation.hosts.connection import Become
from foundation.hosts.transfer import SPARE, SUPPLIES, Blob, MachineFull, look
from foundation.problems import Problem
from foundation.wording import counted, human_size
from installer.steps.kind import step_kind

if TYPE_CHECKING:
    from foundation.hosts.pool import Pool
    from installer.plans.plan import Plan, PlannedStep


async def short_of_room(pool: Pool, plan: Plan) -> Sequence[Problem]:
    """What stands against the plan's deliveries: a full disk, a machine that the bundle has
    nothing for, one that does not answer."""
    steps: dict[str, list[PlannedStep]] = {}
    for stage in plan.stages:
        for step in stage.steps:
            if step_kind(step.kind).delivers(step) is not None:
                for name in step.hosts:
                    steps.setdefault(name, []).append(step)
    found = await asyncio.gather(*(_one(pool, plan, name, own) for name, own in steps.items()))
    return [problem for problem in found if problem is not None]


async def _one(pool: Pool, plan: Plan, name: str, steps: Sequence[PlannedStep]) -> Problem | None:
    from bundles.deliver.machine import ASK, machine_from
    from installer.steps.deliver import CARGOES

    try:
        connection = await pool.connect(pool.inventory.hosts_by_name[name])
        machine = machine_from((await connection.run(ASK, become=Become.LOGIN)).stdout)
        blobs: dict[str, Blob] = {}
        for step in steps:
            blobs |= (await CARGOES.of(plan, step, machine, where=name)).blobs
        looked = await look(connection, tuple(blobs.values()))
    except Problem as problem:
        return problem
    return objection(name, blobs, looked.bytes, looked.room)


def objection(name: str, blobs: Mapping[str, Blob], needed: int, room: int) -> Problem | None:
    """A machine that lacks `needed` bytes of some blobs and has `room` bytes free."""
    if not needed or needed + SPARE <= room:
        return None
    return MachineFull(
        f"the bundle brings it {human_size(needed)} ({counted(len(blobs), 'blob')}) to {SUPPLIES}, "
        f"{human_size(SPARE)} must stay free, and {human_size(room)} are",
        where=name,
        remedy=f"Make room on its disk, or make {SUPPLIES} a link to a folder on a larger one.",
    )
