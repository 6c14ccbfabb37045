"""For each: one step of a stage file becomes a step for each thing that it is done for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foundation.problems import InputProblem
from installer.catalogue.solution import load_solution
from installer.commands.plan import plan_text
from installer.planning.make import make_plan
from installer.plans.plan import Plan, PlannedStage, PlannedStep
from installer.steps.checklist import ChecklistStep
from tests.installer.planning.test_planning import made, site, stage, step

OF_A_SETTING = "settings:\n  - {name: charts, title: Charts, type: text, default: ''}\n"


def stage_of(plan: Plan, name: str) -> PlannedStage:
    """One stage of a plan."""
    return next(each for each in plan.stages if each.id == name)


def deployed(plan: Plan) -> list[PlannedStep]:
    """The steps that deploy an application, without those that stand behind one."""
    return [each for each in stage_of(plan, "apps").steps if each.kind == "playbook"]


@pytest.fixture(scope="module")
def plan() -> Plan:
    """Of a whole site."""
    return make_plan(load_solution("pm4ml"), site(), [])


def test_the_plan_shows_every_application_of_the_document_in_its_order(plan: Plan) -> None:
    """24 of them in eleven groups, each a step with its own time, deployed alone."""
    steps = deployed(plan)
    assert len(steps) == 24
    groups = list(dict.fromkeys(each.group for each in steps))
    assert (len(groups), groups[0], groups[-1]) == (11, "Base Utilities", "PM4ML Core")
    for each in steps:
        assert each.title == f"Deploy {each.id}"
        later = {"opened_later": "yes"} if each.id == "vault" else {}
        assert each.spec["variables"] == {"only_application": each.id, **later}
        assert 0 < each.expected_seconds < 1200
    text = plan_text(plan, 80)
    assert text.index("Deploy vault-pki-app") < text.index("Stateful Resources") < text.index(
        "Deploy common-stateful-resources-app"
    )  # fmt: skip


def checklist_of(plan: Plan) -> str:
    """What the checklist says, and how it is asked."""
    step = next(each for each in stage_of(plan, "checklist").steps if each.kind == "checklist")
    return "\n".join(
        f"{item.text}\n{item.check.script if item.check else ''}"
        for item in ChecklistStep.model_validate(step.spec).items
    )


def test_each_is_looked_for_in_the_repository_before_and_asked_for_by_name_after(
    plan: Plan,
) -> None:
    names = [each.id for each in deployed(plan)]
    assert f"--applications '{' '.join(names)}' --left-out ''" in checklist_of(plan)
    assert "a folder for each of the 24 applications" in checklist_of(plan)
    asked = stage_of(plan, "verify").steps
    ids = [each.id for each in asked]
    # Before its application: the first that fails ends it, and a sealed Vault is not Healthy.
    assert ids[ids.index("vault") - 1] == "vault-open"
    assert [each for each in ids[1:-3] if each != "vault-open"] == [*names, "applications"]
    assert asked[1].title == "base-utils is Synced and Healthy"
    assert asked[1].expected_seconds == 3


def test_a_site_does_without_some_and_a_name_that_is_none_is_told_at_once() -> None:
    solution = load_solution("pm4ml")
    fewer = make_plan(solution, site(applications_left_out="external-dns-app, ory-app"), [])
    names = [each.id for each in deployed(fewer)]
    assert len(names) == 22
    assert not {"external-dns-app", "ory-app"} & set(names)
    with pytest.raises(InputProblem, match='no application "vaultt"; did you mean "vault"'):
        make_plan(solution, site(applications_left_out="vaultt"), [])


def test_a_customers_own_playbook_deploys_them_at_once(tmp_path: Path) -> None:
    """It knows nothing of one application alone, and is not given the variable."""
    for name in ("1.microk8s_setup", "2.argocd_setup", "3.haproxy_setup", "4.ceph",
                 "5.apps_setup", "6.system-tuning"):  # fmt: skip
        (tmp_path / f"{name}.yml").write_text("- hosts: all\n")
    plan = make_plan(load_solution("pm4ml"), site(), [], playbooks=tmp_path)
    (only,) = stage_of(plan, "apps").steps
    assert (only.id, only.group, only.spec["variables"]) == ("apps", "", {})
    assert only.title == "Deploy the applications from https://git.example.org/site.git at main"
    assert only.expected_seconds == 90 * 60
    # What it deploys nobody knows here: it is not asked for by name, and a person looks.
    asked = [each.id for each in stage_of(plan, "verify").steps]
    assert asked == ["nodes", "applications", "certificates", "haproxy", "answers"]
    assert "--applications '' --left-out ''" in checklist_of(plan)


def charts(tmp_path: Path, asked: dict[str, Any], **settings: Any) -> Plan:
    """A plan whose one stage has a step for each word of a setting, and a step behind it."""
    one = step("chart", for_each={"what": "chart", **asked}, title="Install {{ each.name }}")
    solution = made(tmp_path, stage("install", one, step("after")), given=OF_A_SETTING)
    bare = site(**dict.fromkeys(site().settings), **settings)
    return make_plan(solution, bare, [])


def test_the_names_may_come_from_a_setting(tmp_path: Path) -> None:
    plan = charts(tmp_path, {"setting": "charts"}, charts="mysql, kafka")
    assert [each.title for each in stage_of(plan, "install").steps] == [
        "Install mysql", "Install kafka", "Do it"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("mysql, mysql", '"mysql" stands there twice'),
        ("after", 'two steps are called "after"'),
        ("My SQL", '"My SQL" is no name of one chart'),
    ],
)
def test_names_that_are_no_steps_are_told(tmp_path: Path, given: str, words: str) -> None:
    with pytest.raises(InputProblem, match=words):
        charts(tmp_path, {"setting": "charts"}, charts=given)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"setting": "chart"}, 'no setting "chart"; did you mean "charts"'),
        ({"file": "playbooks/vars/applications.yml", "key": "them"}, 'has no list "them"'),
        ({}, "takes its names from"),
        ({"setting": "charts", "without": "others"}, 'no setting "others"'),
    ],
)
def test_a_list_that_is_not_there_is_told(
    tmp_path: Path, asked: dict[str, str], words: str
) -> None:
    with pytest.raises(InputProblem, match=words):
        charts(tmp_path, asked)


def test_a_step_stands_behind_another_and_goes_with_it(plan: Plan) -> None:
    """Vault is opened by persons before what needs it; where it is left out, nobody is asked."""
    ids = [each.id for each in stage_of(plan, "apps").steps]
    at = ids.index("vault")
    behind = ["vault-program", "vault-runs", "vault-shares", "vault-open", "vault-well"]
    assert ids[at + 1 : at + 7] == [*behind, "vault-config-operator"]
    assert {each.group for each in stage_of(plan, "apps").steps[at : at + 7]} == {
        "Vault & Secrets Management"
    }
    solution = load_solution("pm4ml")
    for changed in ({"applications_left_out": "vault"}, {"vault_initialise": False}):
        without = make_plan(solution, site(**changed), [])
        left = {each.id for stage in without.stages for each in stage.steps}
        assert left.isdisjoint(behind)
