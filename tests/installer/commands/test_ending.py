"""How a run ended, in words that are true of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from installer.commands.ending import ending
from installer.events import Event, Json, Kind, Outcome
from installer.record.state import RunState
from tests.installer.engine_site import plan, step

PLAN = plan(step("a", script="x"), step("b", stage="two", script="x"))


def state_of(*outcomes: tuple[str, str, Outcome]) -> RunState:
    """A state in which these steps ended so."""
    state = RunState()
    for stage, name, outcome in outcomes:
        key = (stage, name, "local")
        state.apply(Event(Kind.STEP_STARTED, 1.0, *key, {"title": "", "attempt": 1}))
        data: dict[str, Json] = {"outcome": outcome.value, "seconds": 1.0, "sentence": ""}
        state.apply(Event(Kind.STEP_FINISHED, 1.0, *key, data))
    return state


@pytest.mark.parametrize(
    ("outcome", "outcomes", "dry", "words", "code"),
    [
        ("done", ["done", "done"], False, "every step was done and verified.", 0),
        ("done", ["done", "skipped"], False, "but for 1 that was skipped by name", 0),
        ("done", ["done"], False, "Left: two. Go on with", 0),
        ("already", ["already", "already"], False, "done already; nothing was changed", 0),
        ("done", ["already", "skipped"], True, "1 step would be done, 1 is done already", 0),
        ("failed", ["failed"], True, "a step would fail", 5),
        ("failed", ["failed"], False, "A step failed; see above and /run/x", 5),
        ("stopped", ["done"], False, "No step runs any more. Go on with", 130),
        ("undone", ["undone"], False, "It was taken back.", 0),
    ],
)
def test_the_ending_is_true(
    outcome: str, outcomes: list[str], dry: bool, words: str, code: int
) -> None:
    places = [("one", "a"), ("two", "b")]
    state = state_of(*((*place, Outcome(o)) for place, o in zip(places, outcomes, strict=False)))
    sentence, exit_code = ending(Outcome(outcome), PLAN, state, Path("/run/x"), dry=dry)
    assert words in sentence
    assert exit_code == code


def test_a_step_that_was_left_running_is_told_and_so_is_the_command_that_goes_on() -> None:
    state = state_of(("one", "a", Outcome.DONE))
    key = ("two", "b", "local")
    state.apply(Event(Kind.STEP_STARTED, 1.0, *key, {"title": "", "attempt": 1}))
    stopped = Outcome.STOPPED
    sentence, _ = ending(stopped, PLAN, state, Path("/run/x"), dry=False, again="sitewright stop")
    assert sentence.endswith("goes on there. Go on with: sitewright stop")


def test_a_verification_is_said_to_hold() -> None:
    """Nothing of it "was done": it asked."""
    made = plan(step("b", stage="verify", script="x"))
    state = state_of(("verify", "b", Outcome.ALREADY))
    sentence, code = ending(Outcome.ALREADY, made, state, Path("/run/x"), dry=False)
    assert (sentence, code) == ("Every check held; nothing was changed.", 0)
