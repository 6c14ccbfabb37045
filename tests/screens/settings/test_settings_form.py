"""The form of a solution's settings: what is asked, in which order, and what is folded away."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Static

from installer.catalogue.settings import load_settings
from installer.catalogue.solution import load_solution
from screens.answers.wizard import StepId
from screens.settings.settings import FOLD
from screens.settings.settings_form import NEEDED, Form
from screens.shell.app import SitewrightApp
from screens.widgets.board import Board
from tests.screens.driving import on_step, shows, until
from tests.screens.recorded import RecordedServices
from tests.screens.saying import said

PM4ML = load_settings(load_solution("pm4ml"))


def filled(**given: object) -> Form:
    return Form.filled(PM4ML, given, {})[0]


def test_what_has_no_default_comes_first_and_nothing_is_lost() -> None:
    form = filled()
    groups = form.groups()
    assert groups[0].title == NEEDED
    assert all(setting.default is None for setting in groups[0].shown)
    named = [setting.name for group in groups for setting in (*group.shown, *group.folded)]
    assert sorted(named) == sorted(setting.name for setting in form.asked())
    assert len(set(named)) == len(named)


def test_what_was_given_stands_though_its_section_is_folded() -> None:
    form = filled(vault_namespace="other", haproxy_statistics=False)
    groups = {group.title: group for group in form.groups()}
    assert [one.name for one in groups["Vault"].shown] == ["vault_namespace"]
    shown = groups["Load balancers (HAProxy)"].shown
    assert [one.name for one in shown] == ["haproxy_statistics"]
    unfolded = {group.title: group for group in form.groups({"Vault"})}
    assert unfolded["Vault"].folded == ()


def test_a_short_form_is_one_list() -> None:
    few = PM4ML.model_copy(update={"settings": PM4ML.settings[:5]})
    (group,) = Form.filled(few, {}, {})[0].groups()
    assert (group.title, len(group.shown), group.folded) == ("", 5, ())


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_a_long_form_fits_the_screen_and_unfolds(
    services: RecordedServices, hermetic: Path, size: tuple[int, int]
) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=size) as pilot:
        await on_step(pilot, StepId.WELCOME)
        await pilot.pause()
        hosts = await services.hosts_from_text("m1=10.10.0.11")
        app.go(StepId.SETTINGS, said(solution="pm4ml", environment="production", machines=hosts))
        await on_step(pilot, StepId.SETTINGS)
        board = app.screen.query_one("#settings", Board)
        await until(pilot, lambda: len(board.rows) > 8)
        folded = len(board.rows)
        assert folded < 25
        await shows(pilot, NEEDED, "Domain of the installation")
        board.move_to(f"{FOLD}Host preparation")
        await shows(pilot, "+ Host preparation", "Enter shows them: ")
        assert not app.screen.query_one(".field").display
        await pilot.press("enter")
        await shows(pilot, "- Host preparation", "Time servers")
        assert len(board.rows) > folded
        await pilot.press("down")
        await until(pilot, lambda: app.screen.query_one(".field").display)
        assert "Time servers" in str(app.screen.query_one("#setting", Static).render())
        board.move_to(f"{FOLD}Host preparation")
        await shows(pilot, "Enter hides again")
        await pilot.press("space")
        await until(pilot, lambda: len(board.rows) == folded)


def test_a_heading_stands_only_over_settings() -> None:
    """Miniloop has a default for everything: nothing is what only a person can know."""
    form, _ = Form.filled(load_settings(load_solution("miniloop")), {}, {})
    assert NEEDED not in [group.title for group in form.groups()]
    form, _ = Form.filled(load_settings(load_solution("helm-deploy")), {}, {})
    assert form.groups()[0].title == NEEDED
