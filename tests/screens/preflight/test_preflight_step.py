"""The preflight step with recorded machines: looks, findings, the filter, waivers."""

from __future__ import annotations

from textual.pilot import Pilot
from textual.widgets import Static

from installer.catalogue.solution import load_solution
from installer.planning.demands import demanded
from preflight.assessment import Assessment
from preflight.egress import Attempt, Destination, Egress, Met
from preflight.sizing import table_notes
from screens.answers.wizard import StepId
from screens.preflight.findings import FindingsScreen
from screens.preflight.matrix import BETWEEN, NOTES
from screens.preflight.notes_panel import NotesPanel
from screens.preflight.waive import WaiveScreen
from screens.services.judging import stands_against
from screens.services.memory import Memory
from screens.services.services import Question
from screens.shell.app import SitewrightApp
from screens.widgets.board import Board
from screens.widgets.field import Line
from tests.screens.driving import (
    judged,
    on_step,
    shows,
    text,
    to_preflight,
    to_trust,
    types,
    until,
    wizard,
)
from tests.screens.recorded import RecordedServices, offer_of
from tests.screens.saying import said

SMALL = (80, 24)


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


async def to_findings_of_w1(pilot: Pilot[int]) -> None:
    """Look at two machines, and open what was found on one."""
    await to_preflight(pilot, "w1=10.10.0.14", "m1=10.10.0.11")
    pilot.app.screen.query_one("#machines", Board).move_to("w1")
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, FindingsScreen))


async def test_a_finding_opens_to_evidence_remedy_and_source(services: RecordedServices) -> None:
    services.shapes["w1"] = "small-vm"
    app = SitewrightApp(services)
    async with app.run_test(size=(100, 50)) as pilot:
        await to_findings_of_w1(pilot)
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
        await to_findings_of_w1(pilot)
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
        await to_findings_of_w1(pilot)
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
        board = app.screen.query_one("#findings", Board)
        board.move_to(next(row.key for row in board.rows if row.cells[1].text == "cpu.count"))
        await shows(pilot, "w Waiver")


async def test_what_cannot_be_waived_says_so(services: RecordedServices) -> None:
    services.shapes["w1"] = "arm-board"
    app = SitewrightApp(services)
    async with app.run_test(size=(100, 40)) as pilot:
        await to_findings_of_w1(pilot)
        findings = app.screen.query_one("#findings", Board)
        key = next(
            row.key for row in findings.rows
            if "arch" in row.cells[1].text and row.cells[0].text == "FAIL"
        )  # fmt: skip
        findings.move_to(key)
        await pilot.press("w")
        await shows(pilot, "This cannot be waived")


async def test_what_is_fetched_is_tried_by_itself_and_again_for_other_supplies(
    services: RecordedServices,
) -> None:
    """What does not answer stands in the table, also of one machine alone, and in the plan's way.

    With a bundle chosen since, it says nothing: it is tried again before the run begins.
    """
    place = Destination("registry", "https://quay.io/v2/")
    services.egress = Egress((Attempt("m1", place, Met.SILENT),))
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_preflight(pilot, "m1=10.10.0.11")
        await judged(pilot)
        await shows(pilot, "around it", "FAIL")
        assert app.memory.assessment is not None
        found = {one.id for one in app.memory.assessment.findings}
        assert "egress.registry" in found
        assert len(services.fetched) == 1
        before = [one.where for one in stands_against(app.answers, app.memory)]
        supplied = said(app.answers, supplies={"bundle": "x.bundle"})
        after = [one.where for one in stands_against(supplied, app.memory)]
        assert len(before) == len(after) + 1
        await pilot.press("R")
        await until(pilot, lambda: len(services.fetched) == 2)


async def test_a_kubernetes_that_nobody_mends_any_more_stands_among_the_findings(
    services: RecordedServices,
) -> None:
    """Also on what is around one machine alone; and it stands in nobody's way."""
    app = SitewrightApp(services)
    async with app.run_test(size=(120, 40)) as pilot:
        await to_preflight(pilot, "m1=10.10.0.11")
        await judged(pilot)
        app.screen.query_one("#machines", Board).move_to(BETWEEN)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FindingsScreen))
        findings = app.screen.query_one("#findings", Board)
        said = [(row.key, " ".join(cell.text for cell in row.cells)) for row in findings.rows]
        (ended,) = [key for key, words in said if "end-of-life" in words and "Kubernetes" in words]
        findings.move_to(ended)  # others are of Argo CD and Istio
        await shows(pilot, "mended by nobody since 2025-11-11", "microk8s_channel: 1.35/stable")
        against = [one.cause for one in stands_against(app.answers, app.memory)]
        assert not [one for one in against if "mended" in one]


def test_what_a_setting_lacked_does_not_stand_against_one_that_was_given() -> None:
    """Who fills it in on the settings step, as the remedy says, is not told that it is empty."""
    pm4ml = load_solution("pm4ml")
    empty = said(solution="pm4ml", environment="production", settings={"domain": "a.b"})
    needs, told = pm4ml.needs("production"), demanded(pm4ml, empty.site)
    memory = Memory(
        question=Question(needs, site=empty.site),
        assessment=Assessment(needs=needs, hosts=(), findings=told),
    )
    assert len(stands_against(empty, memory)) == 1
    given = said(empty, settings={"domain": "a.b", "ssh_networks": "203.0.113.0/24"})
    assert stands_against(given, memory) == ()


async def test_what_the_tables_say_and_no_check_can_tell_is_there_to_read(
    services: RecordedServices,
) -> None:
    """As every report has it: two masters have no quorum, a document's figure is wrong."""
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_preflight(pilot, "m1=10.10.0.11")
        await judged(pilot)
        assert app.memory.question is not None
        notes = table_notes(app.memory.question.needs)
        assert notes
        await shows(pilot, "tables", f"{len(notes)} notes that no check can tell")
        app.screen.query_one("#machines", Board).move_to(NOTES)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, NotesPanel))
        said = str(app.screen.query_one("#notes-text", Static).render())
        assert all(" ".join(note.split()) in " ".join(said.split()) for note in notes)
        await pilot.press("escape")
        await on_step(pilot, StepId.PREFLIGHT)


async def test_a_cluster_that_was_not_looked_at_is_told_with_its_command(
    services: RecordedServices,
) -> None:
    """HELM Deploy stands on it, and its verdict speaks of the machine alone."""
    async with SitewrightApp(services).run_test(size=(120, 40)) as pilot:
        await on_step(pilot, StepId.WELCOME)
        app = wizard(pilot)
        hosts = await services.hosts_from_text("c1=10.10.0.11")
        services.trusted += [offer_of(host) for host in hosts]
        app.go(
            StepId.PREFLIGHT,
            said(solution="helm-deploy", environment="existing-cluster", machines=hosts),
        )
        await on_step(pilot, StepId.PREFLIGHT)
        await judged(pilot)
        assert "master" not in text(pilot)
        await pilot.press("f10")
        await on_step(pilot, StepId.SUMMARY)
        await shows(
            pilot,
            "The cluster itself was not looked at here",
            "sitewright preflight --cluster CONTEXT --solution",
            "helm-deploy --environment existing-cluster judges it.",
        )


async def test_what_is_known_of_the_bundle_stands_among_the_findings(
    services: RecordedServices,
) -> None:
    """As the command tells it; whether an older one is meant, the plan asks by itself."""
    app = SitewrightApp(services)
    async with app.run_test(size=(120, 40)) as pilot:
        await to_preflight(pilot, "m1=10.10.0.11")
        named = said(app.answers, supplies={"bundle": "/media/none"})
        app.memory.forget_judgement()
        app.go(StepId.PREFLIGHT, named)
        await on_step(pilot, StepId.PREFLIGHT)
        await judged(pilot)
        assessment = app.memory.assessment
        assert assessment is not None
        found = {finding.id: finding for finding in assessment.findings}
        assert "The bundle could not be looked at" in found["bundle.maintained"].title
        board = app.screen.query_one("#machines", Board)
        board.move_to(BETWEEN)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FindingsScreen))
        await shows(pilot, "bundle.maintained")
        assert not any("bundle" in one.cause for one in stands_against(named, app.memory))
