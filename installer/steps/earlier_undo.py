"""How runs of earlier versions take a step back: never by a script that lies on a machine.

A plan keeps the words of the version that made it. Where these begin a script that a step had left
on its machine, nobody reviewed what lies there now, and it asks less than ours does before it
removes anything; then the step is taken back as this version of its solution does.
"""

from __future__ import annotations

from typing import Final

from installer.catalogue.stages import Probe

_ON_A_MACHINE: Final = {
    "sh /var/lib/sitewright/core-test-harness/undo-docker.sh": (
        "core-test-harness", "docker", "engine",
    ),
}  # fmt: skip
"""What earlier plans say, and the solution, stage and step whose undo it is."""


def of_this_version(undo: Probe) -> Probe:
    """The undo of a plan, or this version's where that one began a script on its machine."""
    if (found := _ON_A_MACHINE.get(undo.script.strip())) is None:
        return undo
    # A stage's file is read only for a plan of an earlier version.
    from installer.catalogue.solution import load_solution
    from installer.steps.stage_files import load_stages

    solution, stage_id, step_id = found
    stages = {stage.id: stage for stage in load_stages(load_solution(solution))}
    step = next(step for step in stages[stage_id].steps if step.id == step_id)
    return step.undo or undo
