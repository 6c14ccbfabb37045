"""A home of nobody in a name that is typed: told where it is typed, and the wizard goes on."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from foundation.problems import InputProblem
from foundation.typed_paths import is_folder, is_there, typed_path
from installer.record.recorded_run import recorded_run
from installer.sites.site_paths import against_site_name
from screens.answers.wizard import StepId
from screens.dialogs.ask_file import FileScreen, WriteFileScreen
from screens.dialogs.export import ExportScreen
from screens.machines.login_words import login_from
from screens.services.live import LiveServices
from screens.shell.app import SitewrightApp
from screens.shell.dialog import Form
from screens.supplies.bundle_make import MakeScreen
from screens.welcome.new_site import NewSiteScreen
from screens.widgets.board import Board
from screens.widgets.field import Line
from tests.screens.driving import on_step, shows, until
from tests.screens.plain.test_plain import PM4ML, flat, talk
from tests.screens.recorded import RecordedServices

NOBODY = "~nosuch/site.yaml"
TOLD = "~nosuch is the home of no user"
TOO_LONG = f"{'a' * 300}.yaml"


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


def test_a_name_that_no_path_can_have_is_told() -> None:
    with pytest.raises(InputProblem, match="NUL"):
        typed_path("a\0.yaml")


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


async def test_a_file_that_is_there_is_written_over_only_on_a_second_word(
    services: RecordedServices, tmp_path: Path
) -> None:
    """Whoever types the name of a file of theirs by mistake still has it."""
    there = tmp_path / "README.md"
    there.write_text("mine")
    app = SitewrightApp(services)
    async with app.run_test(size=(80, 24)) as pilot:
        await on_step(pilot, StepId.WELCOME)
        taken: list[object] = []
        for form in (WriteFileScreen("Save the lines", "Lines."), ExportScreen("site")):
            app.push_screen(form, taken.append)
            await until(pilot, partial(is_open, app, form))
            await pilot.pause()
            form.query_one("#name", Line).value = str(there)
            await pilot.pause()
            await pilot.press("f10")
            await shows(pilot, "There is a file of this name already.")
            assert app.screen is form
            form.query_one("#name", Line).value = str(tmp_path)
            await pilot.pause()
            await pilot.press("f10")
            await shows(pilot, "This is a folder")
            form.query_one("#name", Line).value = str(there)
            await pilot.pause()
            await pilot.press("f10")
            await on_step(pilot, StepId.WELCOME)
        assert taken[0] == there
        assert len(taken) == 2


async def test_a_site_file_is_written_under_no_name_of_another_kind(
    services: RecordedServices,
) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=(80, 24)) as pilot:
        await on_step(pilot, StepId.WELCOME)
        form = WriteFileScreen("Write", "Answers.", against=against_site_name)
        app.push_screen(form)
        await until(pilot, partial(is_open, app, form))
        form.query_one("#name", Line).value = "site.json"
        await pilot.pause()
        await pilot.press("f10")
        await shows(pilot, "A site file ends in .yaml")
        assert app.screen is form
        # What cannot even be looked for is told by the one who writes it.
        form.query_one("#name", Line).value = TOO_LONG
        await pilot.pause()
        await pilot.press("f10")
        await on_step(pilot, StepId.WELCOME)


def test_a_name_that_no_file_can_have_is_told_and_asked_for_again(
    services: RecordedServices, hermetic: Path
) -> None:
    code, said = talk(
        services,
        f"1\n{PM4ML}m1=ops@10.10.0.11\nw1=10.10.0.14\ngo\nyes\nyes\ngo\n"
        f"site\n{TOO_LONG}\nsite\nsite.yaml\ngo\n",
    )
    assert code == 0
    assert "File name too long" in flat(said)
    assert (hermetic / "site.yaml").is_file()


@pytest.mark.parametrize("name", [TOO_LONG, "a" * 300, "/dev/null/site.yaml"])
def test_a_file_that_cannot_be_looked_for_is_told_where_it_is_opened(name: str) -> None:
    services = LiveServices()
    for opened in (services.machine_file(Path(name)), services.bundle_place(Path(name))):
        with pytest.raises(InputProblem, match=r"too long|Not a directory"):
            asyncio.run(opened)


def test_a_folder_that_may_not_be_entered_is_no_error_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Root may enter every folder: a stand-in refuses in its place."""

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "stat", refused)
    seen = is_there(Path("/closed/a")), is_folder(Path("/closed/a"))
    monkeypatch.undo()
    assert seen == (False, False)


def test_the_plain_face_asks_before_it_writes_over_a_file(
    services: RecordedServices, hermetic: Path
) -> None:
    mine = hermetic / "mine.yaml"
    mine.write_text("mine")
    talk(
        services,
        f"1\n{PM4ML}m1=ops@10.10.0.11\nw1=10.10.0.14\ngo\nyes\nyes\ngo\n"
        "site\nmine.yaml\nno\nsite.json\nother.yaml\nexport\n1\nmine.yaml\n\nb\ngo\n",
    )
    assert mine.read_text() == "mine"
    assert (hermetic / "other.yaml").is_file()
    assert not (hermetic / "site.json").exists()
