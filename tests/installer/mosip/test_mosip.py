"""MOSIP's release files: what upstream's scripts do, in their order, and nothing unread."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from foundation.problems import InputProblem
from installer.catalogue.solution import load_solution
from installer.commands.operate import operation_plan
from installer.commands.plan import read_plan
from installer.planning.make import make_plan
from installer.plans.plan import Plan
from installer.plans.verification import verification
from installer.sites.site import Site
from tests.installer import quick_yaml
from tests.installer.mosip.charts import releases

MOSIP = load_solution("mosip")
RELEASES = {path.stem: path for path in sorted((MOSIP.folder / "releases").glob("*.yaml"))}


def site(**settings: str) -> Site:
    names = {"domain": "sandbox.example.org", "public_address": "203.0.113.20"}
    return Site.model_validate(
        {
            "solution": "mosip",
            "environment": "on-clusters",
            "hosts": [{"name": "box", "address": "local", "roles": ["workstation"]}],
            "settings": {**names, "internal_address": "10.10.0.20", **settings},
        }
    )


def planned(**settings: str) -> Plan:
    return make_plan(MOSIP, site(**settings), ())


def helm_of(plan: Plan) -> list[dict[str, Any]]:
    return [step.spec for stage in plan.stages for step in stage.steps if step.kind == "helm"]


def test_there_is_a_file_for_each_release_that_may_be_chosen() -> None:
    assert sorted(RELEASES) == ["1.2.0.2", "1.2.1.0"]


@pytest.mark.parametrize("release", list(RELEASES))
def test_a_plan_has_every_release_in_its_order(release: str) -> None:
    found = helm_of(planned(mosip_release=release))
    wanted = releases(RELEASES[release])
    assert [(one["namespace"], one["release"], one["chart"], one["version"]) for one in found] == [
        (one["namespace"], one["release"], one["chart"], one["version"]) for one in wanted
    ]
    places = {(one["namespace"], one["release"]) for one in wanted}
    assert len(places) == len(wanted)


@pytest.mark.parametrize("release", list(RELEASES))
def test_the_hard_gates_wait_for_their_jobs(release: str) -> None:
    """Those of keycloak-init too, for which upstream waits in neither release."""
    waits = {one["name"]: one["waits"] for one in releases(RELEASES[release])}
    gates = {name for name, word in waits.items() if word == "jobs"}
    assert gates == {
        "postgres-init", "keycloak-init", "kernel-keygen", "idrepo-saltgen", "regproc-salt",
        "ida-keygen", "partner-onboarder", "masterdata-loader",
    }  # fmt: skip


def test_what_generates_comes_before_what_uses_it() -> None:
    order = [one["name"] for one in releases(RELEASES["1.2.1.0"])]
    for first, then in (
        ("postgres", "postgres-init"), ("keycloak", "keycloak-init"),
        ("conf-secrets", "config-server"), ("config-server", "kernel-keygen"),
        ("kernel-keygen", "keymanager"), ("idrepo-saltgen", "identity"),
        ("regproc-salt", "regproc-workflow"), ("ida-keygen", "ida-auth"),
    ):  # fmt: skip
        assert order.index(first) < order.index(then)


@pytest.mark.parametrize("release", list(RELEASES))
@pytest.mark.parametrize("self_signed", ["yes", "no"])
@pytest.mark.parametrize("monitoring", ["yes", "no"])
def test_every_file_of_values_is_a_document(
    release: str, self_signed: str, monitoring: str
) -> None:
    plan = planned(mosip_release=release, self_signed=self_signed, monitoring=monitoring)
    for stage in plan.stages:
        for step in stage.steps:
            for name, text in step.files:
                if name.startswith("templates/values/"):
                    assert isinstance(quick_yaml.safe_load(text), dict), name


def test_no_file_of_values_lies_unused() -> None:
    used = {one["values_file"] for path in RELEASES.values() for one in releases(path)} - {""}
    there = {f"templates/values/{p.name}" for p in (MOSIP.folder / "templates/values").iterdir()}
    assert used == there


def test_the_values_know_the_names_of_the_site() -> None:
    files = {name: text for s in planned().stages for step in s.steps for name, text in step.files}
    values = quick_yaml.safe_load(files["templates/values/admin-ui.yaml"])
    assert values["istio"]["hosts"] == ["admin.sandbox.example.org"]
    assert values["admin"]["apiUrl"] == "https://api-internal.sandbox.example.org/v1/"
    ground = list(quick_yaml.safe_load_all(files["templates/ground.yaml"]))
    shared = next(one for one in ground if one and one["kind"] == "ConfigMap")
    assert shared["data"]["mosip-iam-external-host"] == "iam.sandbox.example.org"


def test_every_namespace_of_a_release_is_made_before_it() -> None:
    files = {name: text for s in planned().stages for step in s.steps for name, text in step.files}
    ground = quick_yaml.safe_load_all(files["templates/ground.yaml"])
    made = {one["metadata"]["name"] for one in ground if one and one["kind"] == "Namespace"}
    assert [name for name in made if not re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", name)] == []
    assert {"s3", "msg-gateways", "captcha"} <= made
    for path in RELEASES.values():
        assert {one["namespace"] for one in releases(path)} <= made


def test_a_module_may_be_left_out_and_one_that_is_none_is_told() -> None:
    names = [one["release"] for one in helm_of(planned(modules_left_out="mock-abis, mock-mv"))]
    assert "mock-abis" not in names
    assert "regproc-salt" in names
    with pytest.raises(InputProblem, match='did you mean "mock-abis"'):
        planned(modules_left_out="mock-abs")


def test_one_repository_may_give_every_chart() -> None:
    found = helm_of(planned(chart_repository="https://charts.example.org"))
    assert {one["repository"] for one in found} == {"https://charts.example.org"}


def test_no_secret_is_asked_for_that_the_site_does_without() -> None:
    assert planned().secrets == ()
    assert planned(smtp_user="mosip").secrets == ("smtp_password",)
    text = str(planned(smtp_user="mosip", captcha="yes"))
    assert "--set" not in text


@pytest.mark.parametrize("environment", ["sandbox", "production", "observation"])
def test_the_machines_are_judged_and_not_set_up_yet(environment: str) -> None:
    why = MOSIP.needs(environment).not_installed
    assert why
    assert not MOSIP.needs("on-clusters").not_installed


def test_the_plan_of_a_site_that_lacks_a_cluster_says_so(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(
        "solution: mosip\nenvironment: sandbox\n"
        "hosts: [{name: c1, address: 10.0.0.1, roles: [cluster-node]}]\n"
    )
    with pytest.raises(InputProblem, match="lacks the observation cluster") as caught:
        read_plan(file, None)
    assert "on-clusters" in str(caught.value.remedy)


def test_a_release_waits_for_one_of_the_known_things(tmp_path: Path) -> None:
    from installer.steps.helm import HelmStep

    step = HelmStep(
        id="a",
        kind="helm",
        title="A",
        release="a",
        namespace="a",
        chart="a",
        version="1",
        waits="x",
    )
    with pytest.raises(InputProblem, match='does not wait for "x"'):
        step.planned(None, step.model_dump(mode="json"), ("box",), "here")  # type: ignore[arg-type]  # it needs none


def test_whatever_goes_by_a_kubeconfig_has_it_judged_first(tmp_path: Path) -> None:
    """An installation, a verification alone, and each operation of the solution."""
    file = tmp_path / "site.yaml"
    file.write_text(site().model_dump_json(exclude_defaults=True))
    plan = planned()
    alone = verification(plan)
    assert alone is not None
    names = [path.stem for path in (MOSIP.folder / "operations").glob("*.yaml")]
    operations = [operation_plan(file, name)[2] for name in names]
    for one in (plan, alone, *operations):
        first = one.stages[0].steps[0]
        assert "judged_kubeconfig /root/.kube/mosip.yaml" in str(first.spec), first.id


def test_wireguard_is_made_on_the_bastion_by_the_playbook_of_pm4ml() -> None:
    key = "ZW5naW5lZXJzIG9mIHRoZSBmaWVsZCwgaGVsbG8hISE="
    settings = {"wireguard": "yes", "wireguard_peers": key, "private_network": "10.10.0.0/16"}
    alone = site(**settings)
    with pytest.raises(
        InputProblem, match='no machine of the site has the role "wireguard-bastion"'
    ):
        make_plan(MOSIP, alone, ())
    bastion = {"name": "way-in", "address": "10.10.0.2", "roles": ["wireguard-bastion"]}
    whole = Site.model_validate({**alone.model_dump(exclude_defaults=True), "hosts": [
        *(host.model_dump(exclude_defaults=True) for host in alone.hosts), bastion]})  # fmt: skip
    plan = make_plan(MOSIP, whole, ())
    assert plan.stages[0].id == "wireguard"
    assert plan.stages[0].steps[0].hosts == ("way-in",)
    # The playbook looks for a group "bastion", and asks for these words.
    assert dict(plan.groups)["bastion"] == ("way-in",)
    playbook = (MOSIP.playbooks / "wireguard.yml").read_text()
    assert "hosts: bastion:load_balancer" in playbook
    for name, value in settings.items():
        assert dict(plan.settings)[name] == value
    assert plan.secrets == ()
    without = make_plan(MOSIP, site(), ())
    assert without.stages[0].id == "clusters"
