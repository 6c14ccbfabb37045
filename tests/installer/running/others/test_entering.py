"""Machines that were away in the beginning, where a step of theirs is to begin."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from foundation.hosts.model import Host
from installer.events import Event, Json, Kind, Outcome
from installer.record.state import RunState
from installer.running.levers import Control
from installer.running.shared import Shared
from installer.running.work import Work
from installer.steps.kind import step_kind
from tests.installer.engine_site import plan, step


async def test_who_ends_an_undo_while_a_machine_is_waited_for_leaves_its_step_as_it_was() -> None:
    made = plan(step("a", "m1", undo={"script": "true"}))
    state, control, host, told = RunState(made), Control(), Host("m1", "192.0.2.1"), list[Event]()
    key = ("one", "a", "m1")
    state.apply(Event(Kind.STEP_STARTED, 1.0, *key, {"title": "a", "attempt": 1}))
    done: dict[str, Json] = {"outcome": "done", "seconds": 1.0, "sentence": ""}
    state.apply(Event(Kind.STEP_FINISHED, 2.0, *key, done))

    class Late:
        """Stands in for a machine on which others work until a person ends the run."""

        late = ("m1",)

        async def enter(self, *_: object) -> None:
            control.finish(by="Ctrl-C")

    class Journal:
        """Stands in for the journal: keeps what it is told."""

        async def record(self, event: Event) -> None:
            told.append(event)
            state.apply(event)

    shared = SimpleNamespace(
        entering=Late(), journal=Journal(), jobs=None, docker_will_do=False, locks=None,
        tasks_ended=None, plan=made,
    )  # fmt: skip
    work = Work(
        cast("Shared", shared), state, control, made.stages[0].steps[0], step_kind("script"),
        host, (host,), lambda _: None,
    )  # fmt: skip
    assert await work.undo() is Outcome.STOPPED
    assert told == []
    assert state.finished(key)
