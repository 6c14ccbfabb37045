"""When a run is at work, and when it waits for a person; what the record says of machines."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from installer.events import Event, Json, Kind, Outcome
from installer.record.last_change import last_change
from installer.record.runs import Run, create_run
from installer.record.state import RunState
from installer.sites.site import dump_site
from screens.answers.site_answers import site_from_answers
from screens.run.run_clock import waits_since
from screens.services.memory import Changed, Touched
from tests.screens.scripted import SITE, scripted, under_way, write_run

KINDS = (
    Kind.STEP_STARTED, Kind.STEP_FINISHED, Kind.QUESTION, Kind.ANSWER, Kind.NOTE, Kind.LINE
)  # fmt: skip


def state_of(told: list[tuple[Kind, str, str]]) -> RunState:
    """Where a run stands after events on machines, a second apart."""
    state = RunState()
    for place, (kind, host, outcome) in enumerate(told, 1):
        data: dict[str, Json] = {"outcome": outcome, "seconds": 1.0, "attempt": 1, "text": "x"}
        state.apply(Event(kind, 100.0 + place, "a", "b", host, data))
    return state


def test_a_failure_beside_a_step_at_work_holds_nobody_up() -> None:
    told = [(Kind.STEP_STARTED, "m1", ""), (Kind.STEP_STARTED, "m2", "")]
    failed = (Kind.STEP_FINISHED, "m1", "failed")
    assert waits_since(state_of([*told, failed])) is None
    both = state_of([*told, failed, (Kind.STEP_FINISHED, "m2", "done")])
    assert waits_since(both) == 102.0  # begun at 101, it took a second


def test_who_is_asked_is_waited_for() -> None:
    told = [(Kind.STEP_STARTED, "m1", ""), (Kind.QUESTION, "m1", "")]
    assert waits_since(state_of(told)) == 102.0
    assert waits_since(state_of([*told, (Kind.ANSWER, "m1", "")])) is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(KINDS),
            st.sampled_from(["m1", "m2"]),
            st.sampled_from(["done", "failed", "skipped"]),
        ),
        max_size=12,
    )
)
def test_nothing_waits_while_a_step_works_and_time_is_never_to_come(
    told: list[tuple[Kind, str, str]],
) -> None:
    state = state_of(told)
    since = waits_since(state)
    working = [k for k, s in state.steps.items() if s.running and k not in state.questions]
    if working:
        assert since is None
    if since is not None:
        assert since <= 100.0 + len(told) + 1
        assert state.questions or any(s.outcome is Outcome.FAILED for s in state.steps.values())


async def test_the_record_says_who_changed_the_machines_and_when(tmp_path: Path) -> None:
    services = scripted(tmp_path)
    plan = await services.plan(SITE)
    site = site_from_answers(SITE, tmp_path / "site.yaml")
    assert last_change() is None
    run = create_run("tiny-0123456789", plan, site_text=dump_site(site))
    write_run(Run(run.folder), plan, under_way(failed=True))
    other = create_run("other-0123456789", plan, site_text=dump_site(site).replace("10.10", "10.9"))
    write_run(Run(other.folder), plan, under_way(failed=True)[:2])  # nothing was begun there
    found = last_change(["10.10.0.12"])
    assert found is not None
    assert (found.run, found.by, found.under_way) == (run, "Thiri Aung", False)
    assert last_change(["10.77.0.1"]) is None
    assert last_change(["10.9.0.11"]) is None


def test_the_first_line_says_when_and_by_whom() -> None:
    assert Touched().sentence == "Nothing has been changed on any machine"
    when = datetime(2026, 11, 28, tzinfo=UTC)
    done = Touched(Changed.DONE, "Asha Mwangi", when)
    assert done.sentence == "Machines were changed on 28 Nov, by Asha Mwangi"
    assert done.short == "Machines were changed on 28 Nov"
