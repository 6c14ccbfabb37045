"""The notes of sizing and port tables, in every form of the report, and what a report ends with."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from html import unescape

import pytest

from foundation.hosts.model import Host
from installer.catalogue.solution import load_solution
from preflight.assessment import Assessment, HostResult
from preflight.judge import assess
from preflight.needs import SolutionNeeds
from preflight.report import render
from preflight.report.next_steps import next_steps
from preflight.sizing import machines_needed, machines_told, table_notes
from tests.preflight.facts_factory import seen

TODAY = date(2026, 11, 28)


def judged(needs: SolutionNeeds) -> Assessment:
    """A worker judged by what a solution needs."""
    return assess([seen()], needs, today=TODAY)


@pytest.mark.parametrize("environment", ["production", "staging"])
@pytest.mark.parametrize("form", ["text", "json", "html", "junit"])
def test_every_form_of_the_report_carries_the_notes_of_its_tables(
    form: str, environment: str
) -> None:
    needs = load_solution("pm4ml").needs(environment)
    text = render(judged(needs), form, width=10_000)
    if form == "json":
        assert json.loads(text)["notes"] == list(table_notes(needs))
    text = unescape(text) if form in {"html", "junit"} else text
    flat = " ".join(text.split())
    notes = (*needs.sizing.notes, *needs.ports.notes)
    assert notes
    for note in notes:
        told = json.dumps(" ".join(note.split()), ensure_ascii=False)[1:-1]
        assert (told if form == "json" else " ".join(note.split())) in flat


def test_two_masters_without_a_quorum_and_local_disks_against_ceph_are_among_them() -> None:
    pm4ml = load_solution("pm4ml")
    assert any("no high availability" in note for note in table_notes(pm4ml.needs("staging")))
    assert any("local NVMe" in note for note in table_notes(pm4ml.needs("production")))


def test_a_system_that_cannot_be_installed_does_not_send_anybody_to_the_wizard() -> None:
    mosip, pm4ml = load_solution("mosip").needs(), load_solution("pm4ml").needs()
    assert mosip.not_installed
    assert not pm4ml.not_installed
    ready = Assessment(needs=mosip, hosts=judged(mosip).hosts[:1])
    ready = Assessment(
        needs=mosip,
        hosts=tuple(type(h)(seen=h.seen, roles=h.roles, findings=()) for h in ready.hosts),
        extra={"site": "site.yaml"},
    )
    assert ready.verdict.value == "ready"
    steps = next_steps(ready)
    assert "sitewright" not in steps
    assert not any("plan" in step for step in steps)
    assert mosip.not_installed in steps[0]


@pytest.mark.parametrize(("environment", "least"), [("sandbox", 11), ("production", 26)])
def test_mosip_counts_its_second_cluster(environment: str, least: int) -> None:
    needs = load_solution("mosip").needs(environment)
    assert machines_needed(needs) == f"{least} machines"
    told = machines_told(needs)
    assert "3 for the observation cluster" in told
    assert f"{least - 4} for the MOSIP cluster, 1 for both" in told


@pytest.mark.parametrize(
    ("host", "machine"),
    [
        (Host("box", "local"), ""),
        (Host("box", "10.10.0.5", user="ubuntu"), " --machine ubuntu@10.10.0.5"),
        (Host("box", "fd00::5", port=2222), " --machine '[fd00::5]:2222'"),
    ],
)
def test_one_machine_is_installed_on_by_the_command_that_is_named(host: Host, machine: str) -> None:
    needs = load_solution("core-test-harness").needs()
    seen = replace(judged(needs).hosts[0].seen, host=host)
    ready = Assessment(needs=needs, hosts=(HostResult(seen=seen, roles=("box",), findings=()),))
    command = "sitewright install --solution core-test-harness --environment single-box"
    assert next_steps(ready) == ["sitewright", f"{command}{machine}"]


def test_a_machine_with_a_way_of_its_own_is_not_installed_on_by_its_address_alone() -> None:
    needs = load_solution("core-test-harness").needs()
    host = Host("box", "10.10.0.5", bastion="jump@192.0.2.1")
    seen = replace(judged(needs).hosts[0].seen, host=host)
    ready = Assessment(needs=needs, hosts=(HostResult(seen=seen, roles=("box",), findings=()),))
    assert next_steps(ready) == ["sitewright"]


def test_facts_that_are_not_ready_are_not_judged_once_more() -> None:
    """The same facts say the same again: new ones are taken on the site."""
    needs = load_solution("core-test-harness").needs()
    assessment = replace(judged(needs), extra={"facts": "seen.json"})
    assert assessment.verdict.value == "incomplete"
    assert next_steps(assessment) == [
        "on the site: sitewright facts --site FILE --output seen.json",
        "sitewright preflight --facts seen.json --solution core-test-harness",
    ]
