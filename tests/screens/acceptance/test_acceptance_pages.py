"""The pages of an acceptance, over the real core and a stand-in of a hub: chosen, reviewed, begun
by name, watched, stopped, and judged.

The driver's processes are real, and so is everything between them and the stand-in. Times are
wide, so that a busy machine changes nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from installer.acceptance import carried as under_way
from installer.acceptance.accept import Asked
from installer.acceptance.hub_file import HubFile
from screens.acceptance.ask_hub import HubScreen
from screens.acceptance.choose import ChooseScreen
from screens.acceptance.open_acceptance import ask_acceptance
from screens.acceptance.review import BeginAcceptance, ReviewScreen
from screens.acceptance.verdict import VerdictScreen
from screens.acceptance.watch import StopScreen, WatchScreen
from screens.answers.wizard import StepId
from screens.dialogs.ask_programs import ProgramsScreen
from screens.shell.app import SitewrightApp
from screens.widgets.board import Board
from screens.widgets.field import Line
from tests.installer.acceptance.test_accept import WIDE, hub_file
from tests.screens.driving import on_step, shows, until
from tests.screens.recorded import RecordedServices
from tests.stand_ins.hub import Faults, Hub

pytestmark = pytest.mark.processes

LONG = "600s"
"""A steady part that no test waits for: it is stopped."""


def written(folder: Path, hub: Hub, **more: Any) -> Path:
    """The hub file of a stand-in."""
    file = folder / "hub.yaml"
    read = hub_file(hub).model_dump(mode="json", exclude_defaults=True)
    file.write_text(HubFile.model_validate({**read, **more}).model_dump_json())
    return file


async def to_choosing(pilot: Any, file: Path) -> None:
    """From Welcome to the choice of a profile."""
    await on_step(pilot, StepId.WELCOME)
    ask_acceptance(pilot.app.screen, file)
    await until(pilot, lambda: isinstance(pilot.app.screen, HubScreen))
    await pilot.press("f10")
    await until(pilot, lambda: isinstance(pilot.app.screen, ChooseScreen))


async def choose_own(pilot: Any, rate: str, steady: str) -> None:
    """A profile of one's own, by one process."""
    await pilot.press("o")
    await until(pilot, lambda: pilot.app.screen.query("#steady"))
    typed = {"rate": rate, "steady": steady, "warm": "0", "ramp": "0", "processes": "1"}
    for name, value in typed.items():
        pilot.app.screen.query_one(f"#{name}", Line).value = value
    await pilot.press("f10")
    await until(pilot, lambda: isinstance(pilot.app.screen, ChooseScreen))


async def begin(pilot: Any) -> None:
    """From the choice over the review to the name, and begin."""
    await pilot.press("f10")
    await until(pilot, lambda: isinstance(pilot.app.screen, ReviewScreen))
    await pilot.press("f10")
    await until(pilot, lambda: isinstance(pilot.app.screen, BeginAcceptance))
    pilot.app.screen.query_one("#by", Line).value = "Thiri Aung"
    await pilot.press("f10")


def ours(hub: Hub) -> list[str]:
    """Participants of an acceptance that are active."""
    return [one.name for one in hub.participants.values() if one.active and one.name != "Hub"]


@pytest.mark.parametrize("size", [(60, 18), (120, 40)], ids=["60x18", "120x40"])
async def test_a_hub_that_holds_from_the_first_question_to_the_verdict(
    services: RecordedServices, tmp_path: Path, size: tuple[int, int]
) -> None:
    app: Any = SitewrightApp(services)
    async with Hub().serving() as hub, app.run_test(size=size) as pilot:
        await to_choosing(pilot, written(tmp_path, hub))
        board = app.screen.query_one("#profiles", Board)
        assert board.rows[0].cells[1].text == "A short trial"
        document = next(row for row in board.rows if row.key == "document")
        assert document.cells[2].text == "62 min"
        assert document.cells[3].text.startswith("3,639,0")  # a few more for each process
        await choose_own(pilot, "20", "2s")
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, ReviewScreen))
        review = app.screen.query_one("#review-text").render()
        assert review is not None
        await shows(pilot, "What is proven", "tier of 20 a second")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ChooseScreen))
        await begin(pilot)
        await until(pilot, lambda: isinstance(app.screen, VerdictScreen))
        await shows(pilot, "HELD. The hub held a tier of 20 a second")
        result, folder = app.screen.result, app.screen.folder
        assert result.about["Begun by"] == "Thiri Aung"
        app.screen.query_one("#criteria", Board).move_to("page acceptance.html")
        await shows(pilot, "acceptance.html")
        assert {one.name for one in folder.iterdir()} == {
            "acceptance.html", "acceptance.json", "acceptance.xml", "unclean-transfers.tsv",
        }  # fmt: skip
        await pilot.press("escape")
        await on_step(pilot, StepId.WELCOME)
        assert ours(hub) == []
        assert app.tidings == ["The acceptance has ended: HELD"]


async def test_a_hub_that_fails_is_told_by_criterion(
    services: RecordedServices, tmp_path: Path
) -> None:
    app: Any = SitewrightApp(services)
    async with Hub(Faults(stuck=7)).serving() as hub, app.run_test(size=(80, 24)) as pilot:
        await to_choosing(pilot, written(tmp_path, hub))
        await choose_own(pilot, "20", "2s")
        await begin(pilot)
        await until(pilot, lambda: isinstance(app.screen, VerdictScreen))
        await shows(pilot, "MISSED. The hub missed")
        board = app.screen.query_one("#criteria", Board)
        board.move_to("losses")
        await shows(pilot, "stuck (at no end after its time)")
        await pilot.press("enter")
        await shows(pilot, "Zero RTO/RPO for critical operations", "as close to zero as possible")
        assert app.screen_stack[-2].result.unclean["stuck"]


async def test_it_is_watched_and_stopped_with_what_stands(
    services: RecordedServices, tmp_path: Path
) -> None:
    app: Any = SitewrightApp(services)
    async with Hub().serving() as hub, app.run_test(size=(60, 18)) as pilot:
        await to_choosing(pilot, written(tmp_path, hub))
        await choose_own(pilot, "20", LONG)
        await begin(pilot)
        await until(pilot, lambda: isinstance(app.screen, WatchScreen))
        figures = app.screen.query_one("#figures", Board)
        await until(pilot, lambda: any(row.cells[0].text == "holds" for row in figures.rows))
        await shows(pilot, "Steady part:", "Clearing", "99 % in 4 s", "p99", "Our lag")
        # Whoever would leave is asked here first; no means that it goes on.
        await pilot.press("ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, StopScreen))
        await shows(pilot, "what was measured until then is judged")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, WatchScreen))
        assert not app.screen.carried.stopping
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, StopScreen))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, VerdictScreen))
        await shows(pilot, "STOPPED")
        assert ours(hub) == []
        assert hub.parties == {}


async def test_left_altogether_it_takes_back_and_shows_no_verdict(
    services: RecordedServices, tmp_path: Path
) -> None:
    app: Any = SitewrightApp(services)
    async with Hub().serving() as hub, app.run_test(size=(80, 24)) as pilot:
        await to_choosing(pilot, written(tmp_path, hub))
        await choose_own(pilot, "20", LONG)
        await begin(pilot)
        await until(pilot, lambda: isinstance(app.screen, WatchScreen))
        watching = app.screen
        await until(pilot, lambda: ours(hub))
        watching.carried.leave()
        await on_step(pilot, StepId.WELCOME)
        await shows(pilot, "The acceptance was left before its end", "was taken back")
        assert ours(hub) == []


async def test_a_face_that_ends_leaves_nothing_in_the_hub(
    services: RecordedServices, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever ends it: a crash, a hang-up; the face itself is gone by then."""
    import asyncio

    from screens.services.under_way import leave_what_is_under_way

    app: Any = SitewrightApp(services)
    async with Hub().serving() as hub:
        async with app.run_test(size=(80, 24)) as pilot:
            await to_choosing(pilot, written(tmp_path, hub))
            await choose_own(pilot, "20", LONG)
            await begin(pilot)
            await until(pilot, lambda: isinstance(app.screen, WatchScreen))
            await until(pilot, lambda: ours(hub))
        # The stand-in serves in this loop, so that the waiting is done beside it.
        carried = under_way._UNDER_WAY[0]
        carried.leave()
        while not carried.ended():  # noqa: ASYNC110 - a thread's own event
            await asyncio.sleep(0.05)
        assert ours(hub) == []
        leave_what_is_under_way()
    assert under_way._UNDER_WAY == []


async def test_a_hub_in_use_is_loaded_only_where_somebody_answers_for_it(
    services: RecordedServices, tmp_path: Path
) -> None:
    app: Any = SitewrightApp(services)
    async with Hub().serving() as hub, app.run_test(size=(80, 24)) as pilot:
        hub.participants["bank"] = hub._made("bank", "XTS")
        await to_choosing(pilot, written(tmp_path, hub))
        await choose_own(pilot, "20", "2s")
        await begin(pilot)
        await shows(pilot, "This hub is in use", "bank is active in it")
        app.screen.query_one("#by", Line).value = "A. Name"
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, VerdictScreen))
        assert "A. Name answers for the load" in " ".join(app.screen.result.notes)
        assert ours(hub) == ["bank"]


async def test_commands_of_the_hub_file_are_shown_and_asked_about(
    services: RecordedServices, tmp_path: Path
) -> None:
    app: Any = SitewrightApp(services)
    drill = {"name": "pod", "command": [sys.executable, "-c", "pass"], "wait": 0}
    async with Hub().serving() as hub, app.run_test(size=(80, 24)) as pilot:
        await to_choosing(pilot, written(tmp_path, hub, drills=[drill]))
        board = app.screen.query_one("#profiles", Board)
        board.move_to("drill pod")
        await pilot.press("space")
        await until(pilot, lambda: board.rows[-1].cells[0].text == "[x]")
        # A steady part that is too short for it is told before anything else.
        await choose_own(pilot, "20", "2s")
        await pilot.press("f10")
        await shows(pilot, "The steady part is too short for pod")
        await choose_own(pilot, "20", LONG)
        await begin(pilot)
        await until(pilot, lambda: isinstance(app.screen, ProgramsScreen))
        await shows(pilot, "May the hub file start this program")
        await pilot.press("n")
        await shows(pilot, "nothing was begun")
        assert ours(hub) == []


async def test_what_is_wrong_in_a_file_is_told_where_it_is_typed(
    services: RecordedServices, tmp_path: Path
) -> None:
    app: Any = SitewrightApp(services)
    file = tmp_path / "mine.yaml"
    async with app.run_test(size=(80, 24)) as pilot:
        await on_step(pilot, StepId.WELCOME)
        ask_acceptance(app.screen)
        await until(pilot, lambda: isinstance(app.screen, HubScreen))
        await pilot.press("f10")
        await shows(pilot, "Name the hub file")
        app.screen.query_one("#hub", Line).value = str(file)
        await pilot.press("f9")
        await shows(pilot, "Written:")
        assert "callbacks:" in file.read_text()
        file.write_text(file.read_text().replace("XTS", "xts"))
        await pilot.press("f10")
        await shows(pilot, "currency")
        assert isinstance(app.screen, HubScreen)
        file.write_text(file.read_text().replace("xts", "XTS"))
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, ChooseScreen))
        await pilot.press("o")
        await until(pilot, lambda: app.screen.query("#steady"))
        app.screen.query_one("#rate", Line).value = "fast"
        await pilot.press("f10")
        await shows(pilot, "A rate is between")


async def test_a_hub_file_that_is_opened_leads_here(
    services: RecordedServices, tmp_path: Path
) -> None:
    from installer.acceptance.hub_file import EXAMPLE

    file = tmp_path / "hub.yaml"
    file.write_text(EXAMPLE)
    app: Any = SitewrightApp(services, site_file=file)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, HubScreen))
        assert pilot.app.screen.query_one("#hub", Line).value == str(file)


def test_the_review_names_every_gate_with_both_words(tmp_path: Path) -> None:
    from installer.acceptance.profile import Profile
    from installer.acceptance.report.review import review

    hub = hub_file(Hub(url="http://hub.example"))
    sections = {one.title: one for one in review(Asked(hub, Profile(1000), 7, WIDE))}
    told = sections["What it is held against"].entries
    titles = [label for label, _ in told if label]
    assert titles == [
        "Rate", "Lookup", "Agreement of terms", "Clearing", "Availability", "No lost transfer",
        "Positions", "A limit holds", "Told once", "Recovery from a fault",
    ]  # fmt: skip
    words = " ".join(text for _, text in told)
    assert "Document 001: “99.99% availability”" in words
    assert "Its source: “99 % under 1 second, excluding external latencies”" in words
    left = " ".join(text for _, text in sections["What it leaves behind"].entries)
    assert "16 participants" in left
