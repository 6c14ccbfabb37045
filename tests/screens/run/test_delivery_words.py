"""A delivery in words: what the plan says that it brings, and how far it is on each machine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from installer.plans.plan import PlannedStage, PlannedStep
from installer.record.state import StepState
from screens.run.run_words import copying
from screens.words.plan_words import about_step, step_lines

STEP = PlannedStep(
    stage="supplies", id="images", kind="deliver", title="Bring the images", hosts=("w1", "w2"),
    spec={"items": ["images:*"], "to": "containers-docker", "size": 2_500_000_000},
    files=(("items", "image one, 1.0 GB\nimage two, 1.5 GB\n"),),
)  # fmt: skip
STAGE = PlannedStage("supplies", "Supplies", "Because.", "a test", (), (), (STEP,))


def test_the_plan_says_what_comes_and_how_large_it_is() -> None:
    assert ("brings", "2 items, 2.5 GB to each machine that lacks them") in about_step(STAGE, STEP)
    lines = step_lines(STAGE, STEP)
    assert "to: containers-docker" in lines
    assert "image two, 1.5 GB" in lines


@pytest.mark.parametrize(
    ("progress", "shown"),
    [
        (None, ""),
        ((0.0, 0.0, "nothing to copy"), ""),
        ((0.0, 100.0, "0 of 100"), "[----------] 0 of 100"),
        ((55.0, 100.0, "55 of 100"), "[#####-----] 55 of 100"),
        ((100.0, 100.0, "all"), "[##########] all"),
    ],
)
def test_each_machine_has_a_bar(progress: tuple[float, float, str] | None, shown: str) -> None:
    standing = StepState()
    standing.progress = progress
    assert copying(STEP, standing) == shown


def test_a_step_of_a_kind_that_is_not_known_here_has_none() -> None:
    """The record of a newer version is looked at."""
    standing = StepState()
    standing.progress = (1.0, 2.0, "half")
    assert copying(replace(STEP, kind="of tomorrow"), standing) == ""
