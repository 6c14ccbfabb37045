"""No key, click, paste, resize or late answer ends the wizard, in whatever order they come."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from textual import events
from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import Static

from foundation.problems import InputProblem
from screens.answers.wizard import StepId
from screens.shell.app import SitewrightApp
from screens.shell.face import FaceApp
from screens.shell.late import LastingScreen, is_gone
from tests.screens.driving import on_step, until
from tests.screens.fuzzing import (
    KEYS,
    PASTES,
    SIZES,
    STARTS,
    Start,
    answers_still,
    errors_of_ours,
    play,
    settled,
)
from tests.screens.recorded import RecordedServices

ACTS = st.one_of(
    st.tuples(st.just("key"), st.sampled_from(KEYS)),
    st.tuples(st.just("key"), st.sampled_from(KEYS)),
    st.tuples(st.just("key"), st.sampled_from(KEYS)),
    st.tuples(st.just("answer"), st.integers(0, 8)),
    st.tuples(st.just("fail"), st.integers(0, 8)),
    st.tuples(st.just("paste"), st.sampled_from(PASTES)),
    st.tuples(st.just("click"), st.tuples(st.integers(0, 199), st.integers(0, 59))),
    st.tuples(st.just("resize"), st.sampled_from(SIZES)),
    st.tuples(st.just("rest"), st.sampled_from([5, 50])),
)


@settings(
    max_examples=8,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    size=st.sampled_from([(80, 24), (120, 40), (200, 60), (60, 18)]),
    step=st.sampled_from(STARTS),
    kind=st.integers(0, 3),
    acts=st.lists(ACTS, min_size=10, max_size=40),
)
def test_nothing_that_comes_in_any_order_ends_it(
    size: tuple[int, int], step: Start, kind: int, acts: list[tuple[str, object]]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(play(Path(name), size, step, kind, acts))


async def test_next_and_back_as_fast_as_they_can_be_typed(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    with errors_of_ours() as errors:
        async with app.run_test(size=(120, 40)) as pilot:
            await on_step(pilot, StepId.WELCOME)
            for turn in range(12):
                for key in ("f10", "escape"):
                    app.post_message(events.Key(key, None))
                    for _ in range(turn * 8):
                        await asyncio.sleep(0)
            await settled(app, 100)
            assert app.crash is None, app.crash
            await answers_still(app, app.size)
    assert not errors


class Asked(LastingScreen[None]):
    """A screen whose widget wants something done after the next drawing."""

    def compose(self):  # type: ignore[no-untyped-def]
        yield Static("asked", id="asked")


class Drawn(LastingScreen[None]):
    """A screen that remembers for how much room it was made."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (76, "-usual"), (110, "-wide")]  # noqa: RUF012 - Textual's own type
    VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-high")]  # noqa: RUF012 - Textual's own type
    made_for: frozenset[str] = frozenset()

    def compose(self):  # type: ignore[no-untyped-def]
        self.made_for = frozenset(self.classes)
        yield Static("drawn")


class Little(FaceApp):
    """The smallest face there is."""

    CSS_PATH: ClassVar[list[str | Path]] = []

    def __init__(self) -> None:
        super().__init__()
        self.told: list[BaseException] = []

    def work_failed(self, error: BaseException, *, of: object = None) -> None:
        self.told.append(error)

    def action_break(self) -> None:
        raise ValueError("broken")


async def test_what_was_to_come_after_a_drawing_is_dropped_with_its_screen() -> None:
    app = Little()
    done: list[str] = []
    async with app.run_test() as pilot:
        first: Screen[None] = Asked()
        await app.push_screen(first)
        widget = first.query_one("#asked", Static)
        await app.switch_screen(Asked())
        assert is_gone(widget)
        app.screen._invoke_later(lambda: done.append("late"), widget)
        app.screen._invoke_later(lambda: done.append("in time"), app.screen)
        shown = app.screen.query_one("#asked")
        assert not is_gone(shown)
        await until(pilot, lambda: "in time" in done)
        assert done == ["in time"]
        app.exit()
        assert is_gone(shown)  # an error on the way out is nobody's


async def test_a_screen_knows_its_room_before_it_is_drawn() -> None:
    app = Little()
    async with app.run_test(size=(120, 40)):
        screen = Drawn()
        await app.push_screen(screen)
        assert screen.made_for >= {"-wide", "-high"}


async def test_an_older_size_that_comes_late_does_not_call_the_newer_one_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each would be answered by the other, for as long as anything else is on the way."""
    app = Little()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = Drawn()
        await app.push_screen(screen)
        await pilot.pause()
        laid: list[Size] = []
        lay = screen._screen_resized

        def noted(size: Size) -> None:
            laid.append(size)
            lay(size)

        monkeypatch.setattr(screen, "_screen_resized", noted)
        for size in (Size(70, 20), Size(120, 40)):
            screen.post_message(events.Resize(size, size))
            await pilot.pause()
        assert laid
        assert set(laid) == {Size(120, 40)}
        assert screen.has_class("-wide")


async def test_an_error_after_a_drawing_is_told_and_ends_nothing() -> None:
    app = Little()
    async with app.run_test() as pilot:
        await app.push_screen(Asked())

        def fail() -> None:
            raise InputProblem("it went wrong")

        app.screen.query_one("#asked").call_after_refresh(fail)
        await until(pilot, lambda: app.told)
        await app.run_action("app.break")
        assert [str(error) for error in app.told][-1] == "broken"
        assert app.crash is None
