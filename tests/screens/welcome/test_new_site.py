"""A site file with every setting explained, written in the wizard as by `sitewright init`."""

from __future__ import annotations

from pathlib import Path

from installer.catalogue.solution import load_solution
from installer.planning.new_site import new_site_text
from screens.answers.answers import load_answers
from screens.answers.wizard import StepId
from screens.shell.app import SitewrightApp
from screens.welcome.new_site import NewSiteScreen, WrittenScreen
from screens.widgets.board import Board
from screens.widgets.field import Line
from tests.screens.driving import on_step, shows, to_goal, until
from tests.screens.plain.test_plain import flat, talk
from tests.screens.recorded import RecordedServices


async def test_it_is_written_from_welcome_shown_and_opened(
    services: RecordedServices, hermetic: Path
) -> None:
    app = SitewrightApp(services)
    path = hermetic / "dodoma.yaml"
    async with app.run_test(size=(80, 24)) as pilot:
        await on_step(pilot, StepId.WELCOME)
        app.screen.query_one("#choices", Board).move_to("file")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, NewSiteScreen))
        app.screen.query_one("#site-goals", Board).move_to("pm4ml/production")
        # What could not be opened here afterwards is not written.
        app.screen.query_one("#name", Line).value = str(path.with_suffix(".json"))
        await pilot.pause()
        await pilot.press("f10")
        await shows(pilot, "A site file ends in .yaml")
        assert not path.with_suffix(".json").exists()
        app.screen.query_one("#name", Line).value = str(path)
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, WrittenScreen))
        await shows(pilot, "Written:", "dodoma.yaml", "What only you can know", "o Open it here")
        solution = load_solution("pm4ml")
        assert path.read_text() == new_site_text(solution, solution.needs("production"))
        await pilot.press("o")
        await on_step(pilot, StepId.MACHINES)
        assert (app.answers.solution, app.answers.environment) == ("pm4ml", "production")
        # Nobody looks for a machine of the name FILL-IN.
        await shows(pilot, "its address is to be filled in: Enter")
        assert not app.memory.tried
        await pilot.press("f10")
        await shows(pilot, "No address was filled in yet")


async def test_nothing_is_written_over_and_the_goal_brings_its_own(
    services: RecordedServices, hermetic: Path
) -> None:
    app = SitewrightApp(services)
    path = hermetic / "site.yaml"
    path.write_text("mine\n")
    async with app.run_test(size=(80, 24)) as pilot:
        await to_goal(pilot)
        await pilot.press("l")
        app.screen.query_one("#list", Board).move_to("pm4ml/staging")
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, NewSiteScreen))
        assert app.screen.query_one("#site-goals", Board).key == "pm4ml/staging"
        app.screen.query_one("#name", Line).value = str(path)
        await pilot.press("f10")
        await shows(pilot, "already; it is left as it is")
        assert isinstance(app.screen, NewSiteScreen)
        assert path.read_text() == "mine\n"


def test_the_plain_face_tries_no_machine_that_is_to_be_filled_in_and_does_not_go_on(
    services: RecordedServices, hermetic: Path
) -> None:
    solution = load_solution("pm4ml")
    path = hermetic / "dodoma.yaml"
    path.write_text(new_site_text(solution, solution.needs("production")))
    _, said = talk(services, f"2\n{path}\nagain\ngo\nq\n")
    assert "its address is to be filled in" in flat(said)
    assert "No address was filled in yet" in flat(said)
    assert "Step 4" not in said  # the machines are the third
    assert "its key is" not in flat(said)
    answers = load_answers(None).answers
    assert answers is not None
    removed = "remove\n1\n" * len(answers.machines)
    _, said = talk(services, f"3\n{path}\n{removed}m1=ops@10.10.0.11\ngo\nq\n")
    assert "its key is new" in flat(said)
    assert "Step 4" in said
