"""A home of nobody in a name that is typed: told where it is typed, and the wizard goes on."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from foundation.problems import InputProblem
from installer.recorded_run import recorded_run
from screens.app import SitewrightApp
from screens.ask_file import FileScreen
from screens.bundle_make import MakeScreen
from screens.dialog import Form
from screens.export import ExportScreen
from screens.login_words import login_from
from screens.new_site import NewSiteScreen
from screens.widgets.board import Board
from screens.widgets.field import Line
from screens.wizard import StepId
from tests.screens.driving import on_step, shows, until
from tests.screens.recorded import RecordedServices
from tests.screens.test_plain import PM4ML, flat, talk

NOBODY = "~nosuch/site.yaml"
TOLD = "~nosuch is the home of no user"


def is_open(app: SitewrightApp, form: Form[Any]) -> bool:
    """Whether a form stands in front, with its lines."""
    return app.screen is form and bool(form.query(Line))


async def test_every_form_says_so_and_stays_open(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=(80, 24)) as pilot:
        await on_step(pilot, StepId.WELCOME)
        solutions = await services.solutions()
        forms: list[tuple[Form[Any], str]] = [
            (NewSiteScreen(solutions, "pm4ml/production"), "#name"),
            (FileScreen("Which?", "A file."), "#name"),
            (ExportScreen("site"), "#name"),
            (MakeScreen("site"), "#folder"),
            (MakeScreen("site"), "#key"),
        ]
        for form, line in forms:
            app.push_screen(form)
            await until(pilot, partial(is_open, app, form))
            await pilot.pause()
            form.query_one(line, Line).value = NOBODY
            await pilot.pause()
            await pilot.press("f10")
            await shows(pilot, TOLD)
            assert app.screen is form
            await pilot.press("escape")
            await on_step(pilot, StepId.WELCOME)
        app.screen.query_one("#choices", Board).move_to("open")
        app.screen.query_one("#file", Line).value = NOBODY
        app.screen.query_one("#file", Line).focus()
        await pilot.press("enter")
        await shows(pilot, TOLD)
        assert app.is_running


async def test_a_key_in_a_folder_that_may_not_be_entered_is_told(
    services: RecordedServices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking for a file there raises, which no root sees: a stand-in raises in its place."""
    closed = tmp_path / "closed" / "key"

    def refused(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refused)
    app = SitewrightApp(services)
    async with app.run_test(size=(80, 24)) as pilot:
        await on_step(pilot, StepId.WELCOME)
        form = MakeScreen("site")
        app.push_screen(form)
        await until(pilot, partial(is_open, app, form))
        form.query_one("#key", Line).value = str(closed)
        await pilot.press("f10")
        await shows(pilot, "is no file that you may see")


def test_a_login_with_such_a_file_is_told() -> None:
    for keys, known_hosts in (("~nosuch/key", ""), ("", "~nosuch/known_hosts")):
        with pytest.raises(InputProblem, match=TOLD):
            login_from(user="", port="", keys=keys, bastion="", known_hosts=known_hosts, sudo="yes")


def test_a_recorded_run_with_such_a_name_is_told() -> None:
    with pytest.raises(InputProblem, match=TOLD), recorded_run("~nosuch/run"):
        pass


def test_the_plain_face_says_so_and_asks_on(services: RecordedServices) -> None:
    code, said = talk(services, f"1\n{PM4ML}file\n{NOBODY}\nm1=10.10.0.11\nq\n")
    assert TOLD in flat(said)
    assert "1. m1, 10.10.0.11" in flat(said)
    assert code != 1
    _, said = talk(services, f"3\n{NOBODY}\nq\n")
    assert TOLD in flat(said)


def test_the_plain_face_writes_a_site_file_after_such_a_name(
    services: RecordedServices, hermetic: Path
) -> None:
    code, said = talk(
        services,
        f"1\n{PM4ML}m1=ops@10.10.0.11\nw1=10.10.0.14\ngo\nyes\nyes\ngo\n"
        f"site\n{NOBODY}\nexport\n1\n{NOBODY}\nsite\n\ngo\n",
    )
    assert code == 0
    assert flat(said).count(TOLD) == 2
    assert (hermetic / "pm4ml-production.yaml").is_file()
