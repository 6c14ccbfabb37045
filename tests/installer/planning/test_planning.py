"""Planning: what runs where and in which order, all of it known before anything starts."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.problems import InputProblem
from installer.catalogue.solution import FOLDER, Solution, load_solution
from installer.commands.plan import plan_text
from installer.planning.make import make_plan
from installer.plans.pinned_playbooks import places
from installer.plans.plan_files import plan_from_json
from installer.sites.site import Site, SiteHost
from installer.steps.kind import StepContext
from installer.steps.playbook import KIND, PlaybookStep, check_tells
from installer.steps.probed import parsed
from installer.steps.stage_files import Stage, load_stages

GIVEN: dict[str, str | bool] = {
    "domain": "pm4ml.example.org",
    "pm4ml_id": "bank-one",
    "private_network": "10.10.0.0/16",
    "public_network": "192.168.50.0/24",
    "ceph_disks": "/dev/sdb, /dev/sdc",
    "git_url": "https://git.example.org/site.git",
}
MACHINES = (
    ("w2", "worker"), ("m2", "master"), ("m1", "master"), ("m3", "master"), ("w1", "worker"),
    ("lb1", "load-balancer"), ("lb2", "load-balancer"), ("s1", "storage"), ("s2", "storage"),
    ("usb", "backup"),
)  # fmt: skip


def site(**changes: Any) -> Site:
    """A whole site, with some of its settings changed (None takes one out)."""
    given = {**GIVEN, **changes}
    return Site.model_validate(
        {
            "solution": "pm4ml",
            "hosts": [
                {"name": name, "address": f"10.10.0.{number + 11}", "roles": [role]}
                for number, (name, role) in enumerate(MACHINES)
            ],
            "settings": {name: value for name, value in given.items() if value is not None},
        }
    )


def made(tmp_path: Path, *stages: dict[str, Any], given: str = "settings: []\n") -> Solution:
    """A copy of PM4ML with other stages."""
    folder = tmp_path / "pm4ml"
    shutil.copytree(FOLDER / "pm4ml", folder, ignore=shutil.ignore_patterns("stages"))
    (folder / "settings.yaml").write_text(given)
    (folder / "stages").mkdir()
    for number, stage in enumerate(stages):
        text = yaml.safe_dump({"stage": stage})
        (folder / "stages" / f"{number:02}-{stage['id']}.yaml").write_text(text)
    return load_solution("pm4ml", tmp_path)


def stage(name: str, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A stage as data."""
    whole = steps or (step("one"),)
    return {"id": name, "title": "T", "why": "W", "source": "S", "steps": list(whole), **more}


def step(name: str, **more: Any) -> dict[str, Any]:
    """A script step as data."""
    return {"id": name, "kind": "script", "title": "Do it", "script": "true", **more}


def bare() -> Site:
    """The machines without settings."""
    return site(**dict.fromkeys(GIVEN))


def test_pm4ml_is_planned_in_the_order_of_the_document() -> None:
    """MicroK8s, Argo CD, HAProxy, Ceph, applications, tuning; the gate stands before the apps."""
    plan = make_plan(load_solution("pm4ml"), site(), [])
    ids = [each.id for each in plan.stages]
    order = ["prepare", "firewall", "microk8s", "argocd", "haproxy", "ceph", "checklist", "apps"]
    assert ids == [*order, "hub-secret", "system-tuning", "verify"]
    assert plan.secrets == ("mcmdev_client_secret",)
    by_hand = make_plan(load_solution("pm4ml"), site(vault_initialise=False), [])
    assert by_hand.secrets == ("vault_token", "mcmdev_client_secret")
    playbooks = [s.spec.get("playbook") for each in plan.stages for s in each.steps]
    for name in ("1.microk8s_setup.yml", "2.argocd_setup.yml", "3.haproxy_setup.yml", "4.ceph.yml",
                 "5.apps_setup.yml", "6.system-tuning.yml"):  # fmt: skip
        assert name in playbooks


def test_a_plan_is_plain_values_and_the_same_for_the_same_site() -> None:
    """It can be written, and its hash tells it from every other."""
    solution = load_solution("pm4ml")
    one, two = make_plan(solution, site(), []), make_plan(solution, site(), [])
    assert json.loads(json.dumps(one.as_json())) == one.as_json()
    assert one.sha256 == two.sha256
    assert make_plan(solution, site(domain="other.example.org"), []).sha256 != one.sha256


def test_the_control_host_of_the_site_is_the_plans_and_is_shown() -> None:
    solution = load_solution("pm4ml")
    made = make_plan(solution, site().model_copy(update={"control": "lb1"}), [])
    assert made.control == "lb1"
    assert "Ansible, Helm and kubectl run on lb1." in plan_text(made, 80)
    assert "run on" not in plan_text(make_plan(solution, site(), []), 80).splitlines()[2]


def test_what_is_not_wanted_is_left_out_with_what_hangs_on_it() -> None:
    """No applications, no checklist, no hub secret; and nobody waits for them."""
    plan = make_plan(load_solution("pm4ml"), site(applications=False, ceph=False, git_url=None), [])
    ids = {each.id for each in plan.stages}
    assert not ids & {"ceph", "checklist", "apps", "hub-secret"}
    assert all(set(each.needs) <= ids for each in plan.stages)
    assert plan.secrets == ()
    for each in plan.stages:
        assert all(s.id not in {"applications", "answers"} for s in each.steps)


def test_what_is_irreversible_is_said() -> None:
    """Taking disks is, and a person confirms it before."""
    plan = make_plan(load_solution("pm4ml"), site(), [])
    ceph = next(each for each in plan.stages if each.id == "ceph")
    kinds = [each.kind for each in ceph.steps]
    assert kinds.index("confirm") < kinds.index("playbook")
    assert "/dev/sdb, /dev/sdc" in next(s for s in ceph.steps if s.kind == "playbook").irreversible


@pytest.mark.parametrize(
    ("words", "hosts"),
    [
        ([], ("control",)),
        (["control", "master"], ("control", "m2", "m1", "m3")),
        (["worker"], ("w2", "w1")),
        (["first:worker"], ("w1",)),
        (["load-balancer", "first:master"], ("m1", "lb1", "lb2")),
        (["all"], ("w2", "m2", "m1", "m3", "w1", "lb1", "lb2", "s1", "s2")),
    ],
)
def test_roles_become_machines_in_the_site_s_order(
    words: list[str], hosts: tuple[str, ...], tmp_path: Path
) -> None:
    """The backup target, to which nobody logs in, is in no step for all."""
    solution = made(tmp_path, stage("a", step("one", on=words)))
    assert make_plan(solution, bare(), []).stages[0].steps[0].hosts == hosts


@pytest.mark.parametrize(
    ("stages", "says"),
    [
        ([stage("a", needs=["b"]), stage("b", needs=["a"])], "in a circle: a, b"),
        ([stage("a", needs=["a"])], "in a circle: a"),
        ([stage("a", needs=["bb"]), stage("b")], 'no stage "bb"'),
        ([stage("a", step("one", on=["mastr"]))], 'no role "mastr"; did you mean "master"'),
        ([stage("a", step("one", on=["first:bastion"]))], 'has the role "bastion"'),
        ([stage("a", step("one", when="nothing"))], 'no setting "nothing"'),
        ([stage("a", step("one", secrets=["nothing"]))], 'no secret "nothing"'),
        ([stage("a", step("one", title="{{ domian }}"))], '"domian" has no value'),
        ([stage("a", step("one", script="\n\n{{ nope }}"))], 'line 3: "nope" has no value'),
        ([stage("a", step("one", undo={"script": "{{ nope }}"}))], '"nope" has no value'),
        ([stage("a", step("one"), step("one"))], 'two steps are called "one"'),
        ([stage("a", {**step("x"), "kind": "playbook", "playbook": "no.yml"})], "no playbook"),
        ([stage("a", step("one", file="../../x", script=""))], "outside"),
    ],
)
def test_what_cannot_be_planned_is_told_before_anything_starts(
    stages: list[dict[str, Any]], says: str, tmp_path: Path
) -> None:
    """Circles, unknown words, missing values, missing files."""
    for each in stages:
        for one in each["steps"]:
            if one["kind"] == "playbook":
                one.pop("script")
    with pytest.raises(InputProblem) as caught:
        make_plan(made(tmp_path, *stages), bare(), [])
    assert says in caught.value.cause


def test_values_in_scripts_are_quoted_and_elsewhere_not(tmp_path: Path) -> None:
    """A setting cannot become a command."""
    solution = made(
        tmp_path,
        stage("a", step("one", script="echo {{ name }}", verify={"command": ["echo", "{{ name }}"]},
                        undo={"script": "rm {{ name }}"})),
        given="settings: [{name: name, title: N, type: text}]\n",
    )  # fmt: skip
    changed = bare().model_copy(update={"settings": {"name": "a b; rm -rf $HOME"}})
    spec = make_plan(solution, changed, []).stages[0].steps[0].spec
    assert spec["script"] == "echo 'a b; rm -rf $HOME'"
    assert spec["verify"]["command"] == ["echo", "a b; rm -rf $HOME"]  # type: ignore[index,call-overload]  # plain JSON
    assert spec["undo"]["script"] == "rm 'a b; rm -rf $HOME'"  # type: ignore[index,call-overload]  # plain JSON


def test_a_stage_s_file_is_called_after_it(tmp_path: Path) -> None:
    """So that the folder shows the order."""
    solution = made(tmp_path, stage("a"))
    (solution.folder / "stages" / "00-a.yaml").rename(solution.folder / "stages" / "00-b.yaml")
    with pytest.raises(InputProblem, match='"a" and its file is called 00-b'):
        load_stages(solution)


def test_an_unknown_role_of_a_machine_is_told() -> None:
    """With the machine and the nearest role."""
    wrong = site().model_copy(
        update={"hosts": (site().hosts[0].model_copy(update={"roles": ("mster",)}),)}
    )
    with pytest.raises(InputProblem, match='did you mean "master"'):
        make_plan(load_solution("pm4ml"), wrong, [])


def test_a_customer_s_playbooks_go_before_ours(tmp_path: Path) -> None:
    """The six are theirs, and must all be there; what they have not is ours."""
    solution = load_solution("pm4ml")
    six = [p.name for p in (solution.folder / "playbooks").glob("[1-6].*.yml")]
    assert len(six) == 6
    for name in six:
        (tmp_path / name).write_text(f"# theirs: {name}\n")
    plan = make_plan(solution, site(), [], playbooks=tmp_path)
    assert plan.playbooks == str(tmp_path)
    steps = {s.spec["playbook"]: s for e in plan.stages for s in e.steps if s.kind == "playbook"}
    assert steps["4.ceph.yml"].files == (("4.ceph.yml", "# theirs: 4.ceph.yml\n"),)
    assert str(solution.folder / "playbooks" / "host_firewall.yml") in steps
    (tmp_path / "4.ceph.yml").unlink()
    with pytest.raises(InputProblem, match=r'no playbook "4\.ceph\.yml"'):
        make_plan(solution, site(), [], playbooks=tmp_path)


def test_a_customers_playbook_is_never_called_done_by_a_check_that_skips_its_commands(
    tmp_path: Path,
) -> None:
    """`--check` passes over commands and scripts: one made of these would never be played."""
    solution = load_solution("pm4ml")
    own = solution.folder / "playbooks"
    names = [path.name for path in own.glob("[1-6].*.yml")]

    def judged(folder: Path | None) -> bool:
        plan = make_plan(solution, site(), [], playbooks=folder)
        [stage] = [stage for stage in plan.stages if stage.id == "prepare"]
        [step] = [step for step in stage.steps if step.kind == "playbook"]
        return bool(step.spec.get("check_mode"))

    for name in names:
        (tmp_path / name).write_text("- hosts: all\n")
    assert judged(None)
    assert judged(tmp_path)  # ours still: the folder has none of this name
    (tmp_path / "host_preparation.yml").write_text("- hosts: all\n")
    assert not judged(tmp_path)


@pytest.mark.parametrize("carried", [True, False])
def test_nor_by_the_plan_of_an_earlier_version_that_says_so(tmp_path: Path, carried: bool) -> None:
    """It kept the solution's word on `--check` for a playbook of the customer's in its place."""
    solution = load_solution("pm4ml")
    for path in (solution.folder / "playbooks").glob("[1-6].*.yml"):
        (tmp_path / path.name).write_text("- hosts: all\n")

    def believed() -> bool:
        plan = make_plan(solution, site(), [], playbooks=tmp_path)
        plan = plan if carried else replace(plan, carries=())
        for place in places(plan, tmp_path / "run"):
            if carried and not place.folder.exists():
                shutil.copytree(place.origin, place.folder)
        [stage] = [stage for stage in plan.stages if stage.id == "prepare"]
        [step] = [step for step in stage.steps if step.kind == "playbook"]
        written = replace(step, spec={**step.spec, "check_mode": True})
        stands_in = SimpleNamespace(plan=plan, folder=tmp_path / "run", step=written)
        context = cast(StepContext, stands_in)
        told = check_tells(context, parsed(context, PlaybookStep))
        if not told:
            assert asyncio.run(KIND.is_done(context)) is None
        return told

    assert believed()  # ours still: the folder has none of this name
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    (tmp_path / "host_preparation.yml").write_text("- hosts: all\n")
    assert not believed()


def test_customers_playbooks_find_the_groups_that_they_know(tmp_path: Path) -> None:
    """[cluster] with role=master or worker, none for both; what the site says wins."""
    solution = load_solution("pm4ml")
    hosts = (
        SiteHost(name="m1", address="10.0.0.1", roles=("master",)),
        SiteHost(name="w1", address="10.0.0.2", roles=("worker",)),
        SiteHost(name="both", address="10.0.0.3", roles=("master", "worker")),
        SiteHost(name="s1", address="10.0.0.5", roles=("storage",)),
        SiteHost(
            name="lb1",
            address="10.0.0.4",
            roles=("load-balancer",),
            variables={"ext_haproxy_ip": "192.0.2.7", "nic": 2, "on": True},
        ),
    )
    plan = make_plan(solution, site().model_copy(update={"hosts": hosts}), [])
    groups = dict(plan.groups)
    assert groups["cluster"] == ("m1", "w1", "both")
    assert groups["haproxy"] == ("lb1",)
    variables = dict(plan.variables)
    assert variables["m1"] == {"role": "master"}
    assert variables["w1"] == {"role": "worker"}
    assert "both" not in variables
    assert variables["lb1"] == {"ext_haproxy_ip": "192.0.2.7", "nic": "2", "on": "yes"}
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan.as_json()))
    assert plan_from_json(file) == plan


@settings(max_examples=40)
@given(
    st.permutations(["a", "b", "c", "d", "e"]),
    st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4))),
)
def test_every_stage_comes_after_those_it_needs(
    names: list[str], edges: set[tuple[int, int]]
) -> None:
    """Whatever the files' order, as long as there is no circle."""
    from installer.planning.make import _ordered

    needs = {n: [f"{names[j]}" for i, j in edges if i == k and j < k] for k, n in enumerate(names)}
    stages = [Stage.model_validate(stage(n, needs=needs[n])) for n in sorted(names)]
    order = [each.id for each in _ordered(stages)]
    assert sorted(order) == sorted(names)
    for name in names:
        assert all(order.index(need) < order.index(name) for need in needs[name])
