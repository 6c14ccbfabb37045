"""The machines and trust steps with recorded machines: typed, pasted, read, tried, confirmed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual import events
from textual.widgets import TextArea

from screens.answers.wizard import StepId
from screens.machines.change_machine import ChangeScreen
from screens.machines.login import LoginScreen
from screens.machines.machine_list import ListScreen
from screens.shell.app import SitewrightApp
from screens.widgets.board import Board
from screens.widgets.field import Line
from tests.screens.driving import (
    judged,
    on_step,
    shows,
    text,
    to_machines,
    to_trust,
    types,
    until,
)
from tests.screens.recorded import RecordedServices
from tests.screens.saying import said

SMALL = (80, 24)


async def test_each_machine_is_tried_at_once_with_the_reason(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_machines(pilot, "m1=10.10.0.11", "w3=10.10.0.16", "lb2=10.10.0.22")
        await shows(pilot, "its key is new", "its key has CHANGED", "no: nobody answered")
        app.screen.query_one("#machines", Board).focus()
        app.screen.query_one("#machines", Board).move_to("w3")
        await shows(pilot, "Check the address, the cable")


async def test_a_bad_address_is_told_and_stays_in_the_line(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_machines(pilot)
        await types(pilot, "10.0.0.1:99999")
        await pilot.press("enter")
        await shows(pilot, '"99999" is not a port', "from 1 to 65535")
        assert app.screen.query_one("#add", Line).value == "10.0.0.1:99999"
        assert app.answers.machines == ()
        await pilot.press("f10")
        await shows(pilot, "Press Enter first")


async def test_the_same_machine_twice_is_told(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_machines(pilot, "m1=10.10.0.11")
        await types(pilot, "m2=10.10.0.11")
        await pilot.press("enter")
        await shows(pilot, "on the list already", "name=user@address")


async def test_several_pasted_lines_open_as_a_list(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_machines(pilot)
        app.screen.query_one("#add", Line).post_message(
            events.Paste("m1=10.10.0.11\nw1=10.10.0.14\nlb1=10.10.0.20:99999\n")
        )
        await until(pilot, lambda: isinstance(app.screen, ListScreen))
        await pilot.press("f10")
        await shows(pilot, "line 3", "is not a port")
        area = app.screen.query_one("#lines", TextArea)
        area.text = area.text.replace(":99999", "")
        await pilot.press("f10")
        await on_step(pilot, StepId.MACHINES)
        await until(pilot, lambda: len(app.answers.machines) == 3)
        assert [host.name for host in app.answers.machines] == ["m1", "w1", "lb1"]


async def test_one_pasted_line_stays_in_the_line(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_machines(pilot)
        line = app.screen.query_one("#add", Line)
        line.post_message(events.Paste("ops@10.10.0.11\n"))
        await until(pilot, lambda: line.value == "ops@10.10.0.11")


async def test_machines_come_from_an_inventory(services: RecordedServices, hermetic: Path) -> None:
    (hermetic / "hosts.ini").write_text("[master]\nm1 ansible_host=10.10.0.11\n")
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_machines(pilot)
        await pilot.press("f6")
        await types(pilot, "hosts.ini")
        await pilot.press("enter")
        await until(pilot, lambda: len(app.answers.machines) == 1)
        assert app.answers.machines[0].roles == ("master",)


async def test_a_missing_file_is_told(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_machines(pilot)
        await pilot.press("f6")
        await types(pilot, "nowhere.ini")
        await pilot.press("enter")
        await shows(pilot, "nowhere.ini", "no such file")


async def test_an_unreadable_key_is_told_before_it_is_taken(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_machines(pilot, "m1=10.10.0.11")
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, LoginScreen))
        app.screen.query_one("#key", Line).value = "no-such-key"
        await pilot.press("f10")
        await shows(pilot, "there is no key no-such-key")
        assert isinstance(app.screen, LoginScreen)


async def test_passwords_are_unseen_and_kept_in_memory_only(
    services: RecordedServices, hermetic: Path
) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_machines(pilot, "m1=10.10.0.11")
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, LoginScreen))
        app.screen.query_one("#user", Line).value = "ubuntu"
        app.screen.query_one("#password", Line).focus()
        await types(pilot, "hunter2hunter2")
        assert "hunter2" not in text(pilot)
        await pilot.press("f10")
        await on_step(pilot, StepId.MACHINES)
        await until(pilot, lambda: app.answers.login.user == "ubuntu")
        secret = app.memory.credentials.password
        assert secret is not None
        assert secret.reveal() == "hunter2hunter2"
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, LoginScreen))
        assert "hunter2" not in text(pilot)
    written = [f.read_bytes() for f in hermetic.parent.rglob("*") if f.is_file()]
    assert written
    assert not any(b"hunter2" in content for content in written)


async def test_a_machine_can_be_changed_and_removed(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_machines(pilot, "m1=10.10.0.11", "w1=10.10.0.14")
        board = app.screen.query_one("#machines", Board)
        board.focus()
        board.move_to("m1")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ChangeScreen))
        app.screen.query_one("#port", Line).value = "0"
        await pilot.press("f10")
        await shows(pilot, '"0" is not a port')
        app.screen.query_one("#port", Line).value = "2222"
        await pilot.press("f10")
        await until(pilot, lambda: app.answers.machines[0].port == 2222)
        board.move_to("w1")
        await pilot.press("delete")
        await until(pilot, lambda: len(app.answers.machines) == 1)


async def test_a_changed_key_cannot_be_confirmed_and_the_remedy_is_told(
    services: RecordedServices,
) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=(100, 40)) as pilot:
        await to_trust(pilot, "m1=10.10.0.11", "lb2=10.10.0.22")
        app.screen.query_one("#keys-board", Board).move_to("lb2")
        await shows(pilot, "CHANGED", "ssh-keygen -R 10.10.0.22 -f /home/op/.ssh/known_hosts")
        await pilot.press("space")
        await shows(pilot, "cannot be accepted here")
        assert app.memory.confirmed == set()
        await pilot.press("a")
        await shows(pilot, "Confirm this key?")
        assert "lb2" not in "".join(
            str(line) for line in app.screen.query_one("#fingerprints").render_lines(
                app.screen.query_one("#fingerprints").size.region
            )
        )  # fmt: skip


async def test_only_confirmed_keys_are_written_down(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_trust(pilot, "m1=10.10.0.11", "w1=10.10.0.14", "st1=10.10.0.31")
        board = app.screen.query_one("#keys-board", Board)
        board.move_to("w1")
        await pilot.press("space")
        await shows(pilot, "confirmed")
        await pilot.press("f10")
        await on_step(pilot, StepId.PREFLIGHT)
        await judged(pilot)
        assert [offer.host.name for offer in services.trusted] == ["w1"]
        await shows(pilot, "its host key is not confirmed")
        assert app.memory.seen["w1"].reachable
        assert not app.memory.seen["m1"].reachable


async def test_what_is_said_of_a_machine_follows_its_name_and_comes_back(
    services: RecordedServices,
) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=(80, 24)) as pilot:
        await to_machines(pilot, "m1=10.10.0.11")
        screen = app.screen
        given = said(
            app.answers,
            machines=(replace(app.answers.machines[0], variables=(("rack", "R1"),)),),
            control="m1",
        )
        app.answers = given
        screen.hosts = list(given.machines)  # type: ignore[attr-defined] # the machines step
        screen.query_one("#machines", Board).focus()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ChangeScreen))
        app.screen.query_one("#name", Line).value = "first"
        await pilot.press("f10")
        await until(pilot, lambda: app.answers.site.control == "first")
        assert [(host.name, host.variables) for host in app.answers.machines] == [
            ("first", (("rack", "R1"),))
        ]
        await pilot.press("z")
        await until(pilot, lambda: app.answers.machines == given.machines)
        assert app.answers.site.control == "m1"


@pytest.mark.parametrize(
    ("solution", "environment", "words"),
    [
        ("helm-deploy", "existing-cluster", "1 access; the nodes of a cluster that stands need"),
        ("mosip", "sandbox", "6+ cluster-node"),
    ],
)
async def test_the_machines_that_a_goal_asks_for_are_told_while_none_is_named(
    services: RecordedServices, solution: str, environment: str, words: str
) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=(60, 18)) as pilot:
        await on_step(pilot, StepId.WELCOME)
        app.memory.solutions = await services.solutions()
        app.go(StepId.MACHINES, said(solution=solution, environment=environment))
        await on_step(pilot, StepId.MACHINES)
        await shows(pilot, "Asked for:", words)
        await types(pilot, "c1=10.10.0.9")
        await pilot.press("enter")
        await until(pilot, lambda: "Asked for:" not in text(pilot))
