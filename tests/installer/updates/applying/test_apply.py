"""What `updates apply` would do: which workloads, why, at what risk, and which it leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from installer.catalogue.solution import load_solution
from installer.cli import main
from installer.plans.plan import Plan
from installer.sites.site import Site
from installer.updates.applying.plans import Way, update_plan
from installer.updates.applying.workloads import Change, Workload
from installer.updates.owners import By, Owner
from tests.bundles.servers import answering
from tests.installer.updates.test_hostile_registries import StandIn
from tests.installer.updates.test_updates import ALL, workload
from tests.preflight.cluster.fake_api import FakeApi, fake_api

LEDGER = "mojaloop/central-ledger:v1.0.0"
APPLICATIONS = "/apis/argoproj.io/v1alpha1/applications"
ONE = {"deployment": "deployments", "statefulset": "statefulsets", "cronjob": "cronjobs"}


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    kubectl = tmp_path / "bin/kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text("#!/bin/sh\nexit 1\n")
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{kubectl.parent}:/usr/bin:/bin")
    with fake_api(tmp_path) as api:
        api.objects = {path: [] for path in ALL}
        yield api


@pytest.fixture
def site(tmp_path: Path) -> Path:
    file = tmp_path / "site.yaml"
    file.write_text("solution: miniloop\nhosts: [{name: box, address: 192.0.2.1, roles: [box]}]\n")
    return file


def laid(api: FakeApi, kind: str, *things: dict[str, Any]) -> None:
    """Objects as a list of their kind has them, and each by itself."""
    group = "batch/v1" if kind == "cronjob" else "apps/v1"
    api.objects[f"/apis/{group}/{ONE[kind]}"] = list(things)
    for one in things:
        one["metadata"]["uid"] = one["metadata"]["name"]
        one["spec"].setdefault("selector", {})
        place = f"/apis/{group}/namespaces/moja/{ONE[kind]}/{one['metadata']['name']}"
        api.answers[place] = (200, json.dumps(one).encode())


def applied(
    api: FakeApi, site: Path, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str]:
    """The command without a terminal and without --yes: it shows what it would do."""
    with answering(StandIn().answer) as server:
        line = ["updates", "apply", "--site", str(site), "--kubeconfig", str(api.way_in())]
        code = main([*line, "--mirror", f"docker.io={server.url}", *words])
    told = capsys.readouterr()
    return code, " ".join((told.out + told.err).split())


def test_what_why_risk_and_owner_are_shown_before_anything_begins(
    cluster: FakeApi, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, alone = (
        workload("ledger", LEDGER, init="mojaloop/wait:v1.0.1"),
        workload("store", LEDGER),
    )
    plain["spec"]["replicas"] = alone["spec"]["replicas"] = 1
    laid(cluster, "deployment", plain)
    laid(cluster, "statefulset", alone)
    code, told = applied(cluster, site, capsys)
    assert code == 7
    assert "1. Bring deployment moja/ledger to v1.0.2 (update-1)" in told
    assert f"main: {LEDGER} becomes mojaloop/central-ledger:v1.0.2, for v1.0.2 is newer at" in told
    assert "wait: mojaloop/wait:v1.0.1 becomes mojaloop/wait:v1.0.2" in told
    assert "Owner: nobody. Risk: main has no readiness probe" in told
    assert "its one pod is replaced, and what it does rests meanwhile" in told
    assert "the plan is not confirmed" in told


@pytest.mark.parametrize(
    ("meta", "whose"),
    [
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, "whoever rendered it"),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "hub:apps/Deployment:moja/x"}},
         "the Argo CD application hub"),
        ({"labels": {"helm.toolkit.fluxcd.io/name": "moja"}}, "Flux's HelmRelease moja"),
    ],
)  # fmt: skip
def test_what_is_owned_is_left_to_its_owner(
    cluster: FakeApi, site: Path, capsys: pytest.CaptureFixture[str], meta: Any, whose: str
) -> None:
    laid(cluster, "deployment", workload("ledger", LEDGER, **meta))
    code, told = applied(cluster, site, capsys)
    assert code == 0
    assert f"deployment moja/ledger is left: {whose}" in told
    assert "0 workloads to be changed, 1 left." in told
    assert told.endswith("Nothing is applied.")


def test_argo_that_tracks_by_label_is_not_taken_for_helm(
    cluster: FakeApi, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its way before version 3: the object has a chart's labels, and Argo CD alone knows it."""
    labels = {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "hub"}
    laid(cluster, "deployment", workload("ledger", LEDGER, labels=labels))
    owns = {"group": "apps", "kind": "Deployment", "namespace": "moja", "name": "ledger"}
    cluster.objects[APPLICATIONS] = [
        {"metadata": {"name": "hub", "namespace": "argocd"}, "status": {"resources": [owns]}}
    ]
    _, told = applied(cluster, site, capsys)
    assert "is left: the Argo CD application hub owns it" in told
    assert "Helm" not in told


def test_argo_that_may_not_be_asked_is_told(
    cluster: FakeApi, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    laid(cluster, "deployment", workload("ledger", LEDGER))
    cluster.forbidden.add(APPLICATIONS)
    _, told = applied(cluster, site, capsys)
    assert "what Argo CD owns was not seen: Forbidden" in told


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"paused": True}, "its rollout is paused"),
        ({"updateStrategy": {"type": "OnDelete"}}, "(OnDelete)"),
    ],
)
def test_what_would_not_move_is_left(
    cluster: FakeApi, site: Path, capsys: pytest.CaptureFixture[str], spec: Any, why: str
) -> None:
    one = workload("ledger", LEDGER)
    one["spec"] |= spec
    laid(cluster, "deployment", one)
    code, told = applied(cluster, site, capsys)
    assert code == 0
    assert why in told


def test_a_workload_that_is_not_there_is_told(
    cluster: FakeApi, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    laid(cluster, "deployment", workload("ledger", LEDGER))
    code, told = applied(cluster, site, capsys, "--workload", "moja/leger")
    assert code == 2
    assert "nothing of moja/leger has something newer" in told


def planned(*workloads: Workload) -> Plan:
    site = Site.model_validate(
        {
            "solution": "miniloop",
            "hosts": [{"name": "box", "address": "192.0.2.1", "roles": ["box"]}],
        }
    )
    way = Way("box", ("microk8s", "kubectl"), ("microk8s", "helm3"))
    solution = load_solution("miniloop")
    return update_plan(workloads, way, solution, site, Path("/"), within_minutes=3, origin="it")


def test_a_stage_a_workload_and_nothing_of_a_cluster_is_a_template() -> None:
    change = Change("main", False, "a:1", "a:2@sha256:" + "2" * 64, "2", "2 is newer")
    one = Workload("deployment", "n", "a", (change,), "u", "t", (("x", "{{ 7 * 7 }}"),))
    plan = planned(one, replace(one, name="b"))
    assert [stage.id for stage in plan.stages] == ["update-1", "update-2"]
    assert plan.stages[1].needs == ("update-1",)
    (step,) = plan.stages[0].steps
    assert step.hosts == ("box",)
    of = step.spec["to_change"]
    assert isinstance(of, dict)
    assert of["owned"] == {"x": "{{ 7 * 7 }}"}
    assert step.timeout_seconds == 26 * 60


def test_what_helm_owns_is_one_upgrade_of_its_release() -> None:
    change = Change("main", False, "a:1", "a:2@sha256:" + "2" * 64, "2", "2 is newer")
    owner = Owner(By.HELM, "the Helm release", "hub", "moja")
    a, b = (Workload("deployment", "moja", n, (change,), "u", "t", owner=owner) for n in "ab")
    plan = planned(a, Workload("deployment", "moja", "c", (change,), "u", "t"), b)
    assert [stage.title for stage in plan.stages] == [
        "Bring the Helm release hub in moja to 2",
        "Bring deployment moja/c to 2",
    ]
    (step,) = plan.stages[0].steps
    assert (step.kind, step.spec["helm"]) == ("helm-values", ["microk8s", "helm3"])
    assert "deployment moja/b: main: a:1 becomes a:2" in plan.stages[0].why
    assert "changed by helm upgrade --reuse-values --set-string" in plan.stages[0].why


def test_nothing_to_do_is_no_plan() -> None:
    assert planned().stages == ()
