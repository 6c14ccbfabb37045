"""How long a run took, whatever became of the clock of the laptop."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from foundation.wording import took
from installer.events import Event, Json, Kind
from installer.record.progress import progress_of
from installer.record.state import RunState
from tests.installer.engine_site import plan, step

PLAN = plan(step("a", script="true"))


def told(*events: tuple[Kind, float, dict[str, Json]]) -> RunState:
    state = RunState(PLAN)
    for kind, time, data in events:
        state.apply(Event(kind, time, data=data))
    return state


def note(time: float) -> tuple[Kind, float, dict[str, Json]]:
    return Kind.NOTE, time, {"text": "x"}


def finished(time: float, seconds: float) -> tuple[Kind, float, dict[str, Json]]:
    return Kind.RUN_FINISHED, time, {"outcome": "done", "seconds": seconds}


def test_a_session_that_ended_is_known_whatever_the_clock_did() -> None:
    """Put back by an hour, or on by a year: what was measured counts."""
    for jump in (-3600.0, -20.0, 0.0, 31_536_000.0):
        state = told((Kind.RUN_STARTED, 5000.0, {}), note(5100 + jump), finished(5120 + jump, 120))
        progress = progress_of(PLAN, state, {}, now=state.last_time)
        assert (progress.elapsed, progress.at_least) == (120.0, False)


def test_what_was_cut_off_is_a_least_where_the_clock_was_put_back() -> None:
    state = told(
        (Kind.RUN_STARTED, 5000.0, {}), note(5100), note(1600), note(1650),
        (Kind.RUN_RESUMED, 1700.0, {}), finished(1710, 10),
    )  # fmt: skip
    progress = progress_of(PLAN, state, {}, now=state.last_time)
    assert (progress.elapsed, progress.at_least) == (210.0, True)
    assert "at least 4 min (the clock" in took(progress.elapsed, at_least=progress.at_least)


def test_pauses_between_sessions_count_and_what_is_under_way_goes_on() -> None:
    state = told(
        (Kind.NOTE, 10.0, {"text": "a lock"}), (Kind.RUN_STARTED, 100.0, {}), finished(110, 10),
        (Kind.RUN_RESUMED, 150.0, {}), note(151),
    )  # fmt: skip
    assert progress_of(PLAN, state, {}, now=160.0).elapsed == 60.0
    assert not state.clock.at_least
    assert progress_of(PLAN, state, {}, now=0.0).elapsed == 50.0  # put back just now
    assert progress_of(PLAN, state, {}, now=150.5).elapsed == 50.5


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=20))
def test_where_nobody_sets_the_clock_the_sum_is_the_difference(steps: list[float]) -> None:
    events, now = [(Kind.RUN_STARTED, 0.0, dict[str, Json]())], 0.0
    for seconds in steps:
        now += seconds
        events.append(note(now))
    state = told(*events)
    assert abs(state.clock.elapsed() - now) < 1e-6
    assert not state.clock.at_least


def test_a_stage_that_was_ended_half_way_does_not_run() -> None:
    """One step of two is done when the run ends: nobody is at work on the rest."""
    two = plan(step("a", script="true"), step("b", script="true"))
    first, second = two.stages[0].steps
    state = RunState(two)
    ((host, _),) = progress_of(two, state, {}, now=0.0).stages[0].steps[0].hosts

    def stand() -> str:
        (stage,) = progress_of(two, state, {}, now=9.0).stages
        return stage.stand

    def tell(kind: Kind, time: float, key: str = "", **data: Json) -> None:
        where = {"stage": first.stage, "step": key, "host": host} if key else {}
        state.apply(Event(kind, time, data=data, **where))

    tell(Kind.RUN_STARTED, 1.0)
    tell(Kind.STEP_STARTED, 2.0, first.id, attempt=1)
    tell(Kind.STEP_FINISHED, 3.0, first.id, outcome="done", seconds=1)
    assert second.id not in {step for _, step, _ in state.steps}
    assert stand() == "running"
    tell(Kind.RUN_FINISHED, 4.0, outcome="stopped", seconds=3)
    assert stand() == "stopped"
    tell(Kind.RUN_RESUMED, 5.0)
    assert stand() == "running"
