"""Each step with recorded machines, at the two sizes that matter."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events
from textual.widgets import TextArea

from foundation.hosts.connection import Credentials
from screens.app import SitewrightApp
from screens.change_machine import ChangeScreen
from screens.export import ExportScreen
from screens.findings import FindingsScreen
from screens.login import LoginScreen
from screens.machine_list import ListScreen
from screens.matrix import BETWEEN
from screens.waive import WaiveScreen
from screens.widgets.board import Board
from screens.widgets.field import Line
from screens.wizard import StepId
from tests.screens.driving import (
    LOOKING,
    choose,
    judged,
    on_step,
    shows,
    text,
    to_goal,
    to_list,
    to_machines,
    to_preflight,
    to_summary,
    to_trust,
    types,
    until,
    wizard,
)
from tests.screens.recorded import RecordedServices

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
SMALL = (80, 24)


@SIZES
async def test_every_step_keeps_its_frame_in_sight(
    services: RecordedServices, size: tuple[int, int]
) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=size) as pilot:
        await to_summary(pilot, "m1=10.10.0.11")
        for step in reversed(LOOKING):
            await on_step(pilot, step)
            lines = text(pilot).splitlines()
            assert lines[0].endswith("Nothing has been changed on any machine")
            assert "F1 Help" in lines[size[1] - 1]
            assert "Back" in lines[size[1] - 2]
            assert app.screen.query_one("#body").size.width >= 62
            if step is not StepId.WELCOME:
                await pilot.press("escape")


@SIZES
async def test_the_goal_explains_the_choice_under_the_cursor(
    services: RecordedServices, size: tuple[int, int]
) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=size) as pilot:
        await to_goal(pilot)
        await to_list(pilot)
        app.screen.query_one("#list", Board).move_to("pm4ml/production")
        await shows(pilot, "Payment Manager for Mojaloop", "master")
        await choose(pilot)
        assert (app.answers.solution, app.answers.environment) == ("pm4ml", "production")


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


async def test_no_machine_waits_for_another(services: RecordedServices) -> None:
    import asyncio

    gate = services.gates["w1"] = asyncio.Event()
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_trust(pilot, "m1=10.10.0.11", "w1=10.10.0.14")
        await pilot.press("a", "y", "f10")
        await on_step(pilot, StepId.PREFLIGHT)
        await shows(pilot, "1 of 2 have answered", "looking")
        rows = {row.key: row for row in app.screen.query_one("#machines", Board).rows}
        assert len(rows["m1"].cells) > 4
        assert rows["w1"].cells[1].text == "looking"
        await pilot.press("f10")
        await shows(pilot, "still being looked at")
        gate.set()
        await judged(pilot)


async def test_an_unseen_machine_stands_with_its_reason(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_preflight(pilot, "m1=10.10.0.11", "w3=10.10.0.16")
        await shows(pilot, "w3", "not seen: nobody answered at 10.10.0.16:22")


async def test_a_finding_opens_to_evidence_remedy_and_source(services: RecordedServices) -> None:
    services.shapes["w1"] = "small-vm"
    app = SitewrightApp(services)
    async with app.run_test(size=(100, 50)) as pilot:
        await to_preflight(pilot, "w1=10.10.0.14", "m1=10.10.0.11")
        app.screen.query_one("#machines", Board).move_to("w1")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FindingsScreen))
        await shows(pilot, "FAIL", "expected", "found", "source", "evidence", "remedy")
        await pilot.press("enter")
        await shows(pilot, "undo" if "undo" in text(pilot) else "remedy")
        await pilot.press("escape", "escape")
        await on_step(pilot, StepId.PREFLIGHT)


async def test_the_line_between_the_machines_opens_too(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_preflight(pilot, "w1=10.10.0.14", "m1=10.10.0.11")
        app.screen.query_one("#machines", Board).move_to(BETWEEN)
        await pilot.press("enter")
        await shows(pilot, "Between the machines", "FAIL")


async def test_looking_again_says_what_has_changed(services: RecordedServices) -> None:
    services.shapes["w1"] = "small-vm"
    app = SitewrightApp(services)
    async with app.run_test(size=(100, 40)) as pilot:
        await to_preflight(pilot, "w1=10.10.0.14", "m1=10.10.0.11")
        app.screen.query_one("#machines", Board).move_to("w1")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FindingsScreen))
        services.shapes["w1"] = "pm4ml-worker"
        await pilot.press("r")
        await shows(pilot, "now ok")
        assert services.looks.count("w1") == 2
        assert services.looks.count("m1") == 1


async def test_r_looks_at_one_and_shift_r_at_all(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_preflight(pilot, "w1=10.10.0.14", "m1=10.10.0.11")
        app.screen.query_one("#machines", Board).move_to("m1")
        await pilot.press("r")
        await until(pilot, lambda: services.looks.count("m1") == 2)
        await judged(pilot)
        await pilot.press("R")
        await until(pilot, lambda: services.looks.count("m1") == 3)
        assert services.looks.count("w1") == 2


async def test_the_filter_leaves_only_what_is_to_mend(services: RecordedServices) -> None:
    services.shapes["w1"] = "small-vm"
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_preflight(pilot, "w1=10.10.0.14", "lb1=10.10.0.20", "w3=10.10.0.16")
        board = app.screen.query_one("#machines", Board)
        everything = [row.key for row in board.rows]
        await pilot.press("f")
        await until(pilot, lambda: len(board.rows) <= len(everything))
        kept = [row.key for row in board.rows]
        assert {"w1", "w3"} <= set(kept)
        await pilot.press("f")
        await until(pilot, lambda: [row.key for row in board.rows] == everything)


async def test_a_waiver_needs_a_name_a_reason_and_a_day_to_come(
    services: RecordedServices,
) -> None:
    services.shapes["w1"] = "small-vm"
    app = SitewrightApp(services)
    async with app.run_test(size=(100, 40)) as pilot:
        await to_preflight(pilot, "w1=10.10.0.14", "m1=10.10.0.11")
        app.screen.query_one("#machines", Board).move_to("w1")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FindingsScreen))
        findings = app.screen.query_one("#findings", Board)
        key = next(row.key for row in findings.rows if row.cells[1].text == "cpu.count")
        findings.move_to(key)
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, WaiveScreen))
        await pilot.press("f10")
        await shows(pilot, "needs the name")
        await types(pilot, "Ada Long")
        await pilot.press("f10")
        await shows(pilot, "needs a reason")
        await types(pilot, "a test site")
        await pilot.press("enter")
        await types(pilot, "31.01.2027")
        await pilot.press("enter")
        await shows(pilot, "is not a day", "2027-01-31")
        app.screen.query_one("#until", Line).value = "2026-11-19"
        await pilot.press("enter")
        await shows(pilot, "is over already")
        app.screen.query_one("#until", Line).value = "2027-01-31"
        await pilot.press("enter")
        await shows(pilot, "Waived until 2027-01-31")
        await until(pilot, lambda: "waived" in text(pilot))
        waiver = app.answers.waivers[0]
        assert (waiver.check, waiver.host, waiver.by) == ("cpu.count", "w1", "Ada Long")


async def test_what_cannot_be_waived_says_so(services: RecordedServices) -> None:
    services.shapes["w1"] = "arm-board"
    app = SitewrightApp(services)
    async with app.run_test(size=(100, 40)) as pilot:
        await to_preflight(pilot, "w1=10.10.0.14", "m1=10.10.0.11")
        app.screen.query_one("#machines", Board).move_to("w1")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FindingsScreen))
        findings = app.screen.query_one("#findings", Board)
        key = next(
            row.key for row in findings.rows
            if "arch" in row.cells[1].text and row.cells[0].text == "FAIL"
        )  # fmt: skip
        findings.move_to(key)
        await pilot.press("w")
        await shows(pilot, "This cannot be waived")


async def test_every_form_is_exported_with_its_path_shown(
    services: RecordedServices, hermetic: Path
) -> None:
    beginnings = {"text": "", "html": "<!doctype html", "json": "{", "junit": "<?xml", "facts": "{"}
    app = SitewrightApp(services)
    async with app.run_test(size=(100, 30)) as pilot:
        await to_preflight(pilot, "w1=10.10.0.14")
        for kind, beginning in beginnings.items():
            await pilot.press("e")
            await until(pilot, lambda: isinstance(app.screen, ExportScreen))
            app.screen.query_one("#kinds", Board).move_to(kind)
            await pilot.press("enter")
            app.screen.query_one("#name", Line).value = f"out-{kind}"
            await pilot.press("enter")
            await shows(pilot, f"out-{kind}")
            await until(pilot, (hermetic / f"out-{kind}").exists)
            content = (hermetic / f"out-{kind}").read_text()
            assert content.lower().startswith(beginning)
            assert len(content) > 500


async def test_an_export_to_a_place_that_is_not_there_is_told(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_preflight(pilot, "w1=10.10.0.14")
        await pilot.press("e")
        await shows(pilot, "Write the result to a file")
        app.screen.query_one("#name", Line).value = "/no/such/folder/report.txt"
        app.screen.query_one("#name", Line).focus()
        await pilot.press("enter")
        await shows(pilot, "file cannot be written", "a folder that exists")


async def test_the_site_file_repeats_the_answers(
    services: RecordedServices, hermetic: Path
) -> None:
    from installer.site import load_site

    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_summary(pilot, "m1=ops@10.10.0.11", "w1=10.10.0.14:2222")
        await pilot.press("s")
        await shows(pilot, "Write the site file")
        await pilot.press("enter")
        await shows(pilot, "sitewright preflight --site pm4ml-production.yaml")
    site = load_site(hermetic / "pm4ml-production.yaml")
    assert (site.solution, site.environment) == ("pm4ml", "production")
    assert [(h.name, h.address, h.port, h.user, h.roles) for h in site.hosts] == [
        ("m1", "10.10.0.11", None, "ops", ("master",)),
        ("w1", "10.10.0.14", 2222, None, ("worker",)),
    ]
    assert any("Again: sitewright preflight --site" in line for line in app.memory.last_words)


async def test_roles_can_be_changed_and_everything_is_judged_again(
    services: RecordedServices,
) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_summary(pilot, "m1=10.10.0.11", "w1=10.10.0.14")
        before = app.memory.assessment
        app.screen.query_one("#table", Board).move_to("m1")
        await pilot.press("enter")
        await shows(pilot, "What should m1 be?")
        await pilot.press("space", "down", "space", "f10")
        await until(pilot, lambda: app.memory.assessment is not before)
        assert app.answers.roles == {"m1": ("worker",)}
        assert app.memory.assessment is not None
        assert app.memory.assessment.hosts[0].roles == ("worker",)
        await shows(pilot, "Judged again")


async def test_this_machine_against_everything_that_fits(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_goal(pilot)
        await choose(pilot, "carry")
        await on_step(pilot, StepId.PREFLIGHT)
        await judged(pilot)
        await pilot.press("f10")
        await on_step(pilot, StepId.SUMMARY)
        await shows(pilot, "Core Test Harness", "Miniloop", "Again, without the wizard:")
        assert services.looks == ["thinkpad"]
        await pilot.press("s")
        await shows(pilot, "no site file to write")


async def test_saved_facts_are_judged_without_a_machine(
    services: RecordedServices, hermetic: Path
) -> None:
    from preflight.recorded import save_facts
    from tests.screens.recorded import recorded

    save_facts(hermetic / "facts.json", [recorded("pm4ml-master"), recorded("pm4ml-worker")])
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await on_step(pilot, StepId.WELCOME)
        app.screen.query_one("#choices", Board).move_to("open")
        await pilot.press("f10")
        await types(pilot, "facts.json")
        await pilot.press("enter")
        await on_step(pilot, StepId.GOAL)
        await until(pilot, lambda: len(app.screen.query_one("#list", Board).rows) > 5)
        await choose(pilot)
        await on_step(pilot, StepId.PREFLIGHT)
        await judged(pilot)
        assert services.looks == []
        await pilot.press("r")
        await shows(pilot, "These facts come from a file")


async def test_every_access_carries_the_login_of_this_session(services: RecordedServices) -> None:
    from foundation.secrets import Secret

    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        app.memory.credentials = Credentials(password=Secret("abcd1234"))
        await to_preflight(pilot, "st1=10.10.0.31", "m1=10.10.0.11")
        assert all(access.credentials.password for access in services.accesses)
        assert wizard(pilot).access().sudo
