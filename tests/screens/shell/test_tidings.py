"""What calls a person: bell and notification, off by a key; a title that ends with the wizard."""

from __future__ import annotations

from pathlib import Path

from screens.answers.wizard import StepId
from screens.shell.app import SitewrightApp
from screens.shell.tidings import BELL, GIVE_TITLE_BACK, KEEP_TITLE, is_quiet
from tests.screens.driving import on_step, shows
from tests.screens.recorded import RecordedServices


class Heard(SitewrightApp):
    """A wizard whose terminal keeps what it was sent."""

    def __init__(self, services: RecordedServices, folder: Path) -> None:
        super().__init__(services, state_file=folder / "state.json")
        self.sent: list[str] = []

    def write_sequence(self, sequence: str) -> None:
        self.sent.append(sequence)


async def test_the_key_turns_bell_and_notification_off_and_on(hermetic: Path) -> None:
    app = Heard(RecordedServices(), hermetic)
    async with app.run_test() as pilot:
        await on_step(pilot, StepId.WELCOME)
        app.sent.clear()
        app.call_person("tiny: done")
        (heard,) = app.sent
        assert heard.startswith(BELL)
        assert "tiny: done" in heard
        await pilot.press("ctrl+g")
        await shows(pilot, "are off")
        assert is_quiet()
        app.call_person("tiny: failed")
        assert app.sent == [heard]
        await pilot.press("ctrl+g")
        await shows(pilot, "are on")
        app.call_person("tiny: failed")
        assert len(app.sent) == 2


async def test_the_terminal_has_its_own_title_again_when_the_wizard_is_gone(hermetic: Path) -> None:
    app = Heard(RecordedServices(), hermetic)
    async with app.run_test() as pilot:
        await on_step(pilot, StepId.WELCOME)
        app.show_title("tiny: 42 %")
        app.exit(0)
        app.show_title("tiny: done")  # work that ends late
    assert app.sent[0] == KEEP_TITLE
    assert app.sent[-1] == GIVE_TITLE_BACK
    assert app.sent.count(GIVE_TITLE_BACK) == app.sent.count(KEEP_TITLE) == 1


async def test_nothing_is_written_to_a_terminal_that_went_away(hermetic: Path) -> None:
    """Its window was closed: what is written then is never taken, and the wizard would stay."""
    app = Heard(RecordedServices(), hermetic)
    async with app.run_test() as pilot:
        await on_step(pilot, StepId.WELCOME)
        app.sent.clear()
        app._hang_up()
    assert app.sent == []
