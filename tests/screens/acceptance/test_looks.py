"""The pages of an acceptance as they are drawn: nothing is cut, every letter can be read, each key
that works is shown, at every size; and how they are reached."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.screen import Screen

from installer.acceptance.accept import Asked
from installer.acceptance.cast import Bounds
from installer.acceptance.choice import Choice, read_choice
from installer.acceptance.profile import Phase
from installer.acceptance.report.picture import Stands, picture
from screens.acceptance.ask_hub import HubScreen
from screens.acceptance.choose import ChooseScreen, OwnScreen
from screens.acceptance.open_acceptance import open_page
from screens.acceptance.review import ReviewScreen, begin_question, in_use_question
from screens.acceptance.verdict import VerdictScreen
from screens.acceptance.watch import StopScreen, WatchScreen, last_lines
from screens.answers.wizard import StepId
from screens.dialogs.later import LaterScreen
from screens.shell.app import SitewrightApp
from screens.widgets.board import Board
from screens.words.acceptance_words import stop_words, watched_title
from tests.installer.acceptance.made import measured, result
from tests.screens.acceptance.told import DOCUMENT, FOLDER, Told, hub_file, watched
from tests.screens.driving import on_step, shows, until
from tests.screens.looking import cut, unreadable
from tests.screens.recorded import RecordedServices
from tests.screens.test_rules import missing
from tests.screens.walking import rests


def page_of(name: str, choice: Choice, asked: Asked) -> Screen[Any]:
    going: Any = Told()
    made: dict[str, Callable[[], Screen[Any]]] = {
        "hub": lambda: HubScreen(choice),
        "choose": lambda: ChooseScreen(choice, asked.hub),
        "own": lambda: OwnScreen(choice),
        "review": lambda: ReviewScreen(asked),
        "begin": lambda: begin_question(asked, "Thiri Aung"),
        "in-use": lambda: in_use_question("bank is active in it", "Thiri Aung"),
        "watch": lambda: WatchScreen(going, watched(), watched_title(asked.hub, DOCUMENT)),
        "stop": lambda: StopScreen(*stop_words(going)),
        "verdict": lambda: VerdictScreen(result(), FOLDER),
    }
    return made[name]()


PAGES = ("hub", "choose", "own", "review", "begin", "in-use", "watch", "stop", "verdict")


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (120, 40)], ids=["60x18", "80x24", "120x40"])
async def test_each_page_is_whole_at_every_size(
    services: RecordedServices, tmp_path: Path, size: tuple[int, int]
) -> None:
    choice = Choice(hub_file(tmp_path), DOCUMENT, drills=("ledger-pod",), processes=2)
    asked = read_choice(choice)
    app: Any = SitewrightApp(services)
    found = {}
    async with app.run_test(size=size) as pilot:
        await on_step(pilot, StepId.WELCOME)
        for name in PAGES:
            app.push_screen(page_of(name, choice, asked))
            await rests(pilot)
            screen = app.screen
            # A yes or no is on its buttons, as in all panels of that kind.
            keys = [one for one in missing(screen) if one[0] not in ("y", "n", "f9")]
            found[name] = (cut(screen), unreadable(screen), keys)
            app.pop_screen()
            await rests(pilot)
    assert found == dict.fromkeys(PAGES, ([], [], []))


def test_a_figure_stands_by_its_limit_and_only_once_it_is_measured() -> None:
    before = picture(Phase.WARM_UP, 30, measured(slots=0), DOCUMENT, Bounds())
    assert (before.left, before.to_end) == (30, 30 + 60 + 3600)
    standing = {one.id: one.stands for one in before.figures}
    assert standing["rate"] is standing["lookup"] is standing["failed"] is Stands.NOT_YET
    it = measured(within=980, committed=990, late=0.2)
    it.failures["clearing: no callback came in time"] = 361
    now = {one.id: one for one in picture(Phase.STEADY, 5, it, DOCUMENT, Bounds()).figures}
    assert {one: now[one].stands for one in ("rate", "lookup", "failed", "lag")} == dict.fromkeys(
        ("rate", "lookup", "failed", "lag"), Stands.MISSES
    )
    assert (now["lookup"].now, now["lookup"].limit) == ("98.000 %", "99 % in 1 s")
    assert (now["failed"].now, now["failed"].limit) == ("361", "360")
    assert now["lag"].limit == "50 ms"


def test_the_last_sentences_are_whole_where_there_is_room() -> None:
    said = ["one two three four", "five six seven eight"]
    assert last_lines(said, 10, 5) == ["one two", "three four", "five six", "seven", "eight"]
    assert last_lines(said, 10, 4) == ["five six", "seven", "eight"]
    assert last_lines(said, 10, 1) == ["five six"]
    assert last_lines([], 10, 3) == []


@pytest.mark.parametrize("size", [(60, 18), (80, 24)], ids=["60x18", "80x24"])
async def test_names_are_whole_and_sentences_are_folded_for_the_room_at_first_sight(
    services: RecordedServices, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setattr("screens.acceptance.watch._BEAT", 3600.0)  # what is seen is the first
    going: Any = Told()
    app: Any = SitewrightApp(services)
    async with app.run_test(size=size) as pilot:
        await on_step(pilot, StepId.WELCOME)
        app.push_screen(WatchScreen(going, watched(), "a hub"))
        await shows(pilot, "One transfer of each pair and direction was cleared.")
        app.pop_screen()
        app.push_screen(VerdictScreen(result(), FOLDER))
        await rests(pilot)
        board = app.screen.query_one("#criteria", Board)
        names = [row.cells[1].text for row in board.rows if len(row.cells) > 2]
        assert max(map(len, names)) <= board.widths()[1]


async def test_what_can_be_done_later_with_a_hub_opens_the_page(
    services: RecordedServices,
) -> None:
    from installer.catalogue.solution import load_solution
    from installer.hand_over.later import later_of

    found = later_of(load_solution("miniloop"), "/srv/site.yaml", "/srv/runs/1")
    app: Any = SitewrightApp(services)
    async with app.run_test(size=(80, 24)) as pilot:
        await on_step(pilot, StepId.WELCOME)
        step = app.screen
        app.push_screen(LaterScreen(found), lambda wanted: open_page(step, wanted))
        await rests(pilot)
        app.screen.query_one("#later", Board).move_to("accept HUB-FILE")
        await rests(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, HubScreen))
    pm4ml = later_of(load_solution("pm4ml"), "/srv/site.yaml", "/srv/runs/1")
    assert not [one for one in pm4ml if one.page]
