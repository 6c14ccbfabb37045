"""A panel closes once, itself, and with its answer, whatever stands before it by then."""

from __future__ import annotations

from pathlib import Path

from textual import events
from textual.geometry import Size

from screens.answers.wizard import StepId
from screens.dialogs.ask_file import FileScreen
from screens.shell.app import SitewrightApp
from screens.shell.help import HelpScreen
from screens.shell.small import SmallScreen
from tests.screens.driving import on_step, until
from tests.screens.recorded import RecordedServices
from tests.screens.walking import rests


def asked() -> FileScreen:
    return FileScreen("Which file?", "It is read.", example="site.yaml")


async def test_a_window_that_is_small_large_and_small_again_keeps_the_answer(
    services: RecordedServices,
) -> None:
    app = SitewrightApp(services)
    answers: list[Path | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await on_step(pilot, StepId.WELCOME)
        panel = asked()
        app.push_screen(panel, answers.append)
        await rests(pilot)
        await pilot.resize_terminal(40, 10)
        await until(pilot, lambda: isinstance(app.screen, SmallScreen))
        panel.dismiss(Path("site.yaml"))
        assert panel in app.screen_stack  # it would take the word on the small window with it
        # Both come before the panel has read that it is in front again.
        for size in (Size(80, 24), Size(40, 10)):
            app.on_resize(events.Resize(size, size))
        assert isinstance(app.screen, SmallScreen)
        await rests(pilot)
        assert isinstance(app.screen, SmallScreen)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: app.screen is app.step_screen)
        assert answers == [Path("site.yaml")]


async def test_a_panel_behind_help_closes_when_help_does(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    answers: list[Path | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await on_step(pilot, StepId.WELCOME)
        panel = asked()
        app.push_screen(panel, answers.append)
        await rests(pilot)
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        panel.dismiss(Path("site.yaml"))
        await rests(pilot)
        assert isinstance(app.screen, HelpScreen)
        assert answers == []
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.step_screen)
        assert answers == [Path("site.yaml")]
