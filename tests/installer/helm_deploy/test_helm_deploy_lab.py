"""HELM Deploy on a cluster that is there: planned, installed, upgraded, taken back, removed.

What is real and what is made by the tests is said in tests/installer/helm_site.py. One cluster
serves the whole module; the tests go on from one another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from tests.installer.helm_site import PASSWORD, given_out, make_cluster, site_text
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.recipe import UBUNTU_24_04
from tests.lab.typed_on_site import OnSite, of
from tests.stand_ins.install import start

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

_READER = """\
kubectl='microk8s kubectl'
$kubectl create serviceaccount reader -n default
$kubectl create clusterrolebinding reader --clusterrole=view --serviceaccount=default:reader
$kubectl config view --raw > /root/reader
ln -sf /opt/kubernetes-clients/kubectl /opt/kubernetes-clients/helm /usr/local/bin/
token=$($kubectl create token reader -n default)
export KUBECONFIG=/root/reader
cluster=$(kubectl config get-clusters | tail -n 1)
for who in reader:$token late:$token-no-more; do
    kubectl config set-credentials ${who%%:*} --token=${who#*:}
    kubectl config set-context ${who%%:*} --user=${who%%:*} --cluster=$cluster
done
"""
"""A kubeconfig of a user who may only read, and of one whose token is none."""


@dataclass
class Hub(OnSite):
    """The machine by which the cluster is reached, and the command run on its site."""

    lab: Lab
    namespace = "hub"
    environment: ClassVar[Mapping[str, str]] = {
        "COLUMNS": "80",
        "SITEWRIGHT_SECRET_MYSQL_PASSWORD": PASSWORD,
    }

    def says(self, **settings: str) -> None:
        """Write the site file with these settings besides."""
        self.file.write_text(site_text(self.lab, self.machine, self.given, **settings))

    def refused(self, *words: str) -> str:
        """A command that fails in a step; the one problem's cause."""
        status, events = self.does(*words)
        (problem,) = of(events, "problem")
        assert status == 5, events[-3:]
        return str(problem["cause"])

    def helm(self, *words: str) -> str:
        """Do something behind Sitewright's back."""
        return self.machine.exec(["microk8s", "helm3", "-n", "hub", *words], timeout=300).stdout


@pytest.fixture(scope="module")
def hub(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A cluster that is there already, and a registry and a chart that it reaches."""
    factory = MachineFactory(lab)
    folder = tmp_path_factory.mktemp("helm-deploy")
    machine = start(factory, {"way": ("master", "worker")}, stand_in=UBUNTU_24_04)["way"]
    try:
        with given_out(lab, folder) as given:
            make_cluster(machine, given)
            # A pod of the DNS that is not ready yet is told before anything else.
            ready = "microk8s kubectl -n kube-system wait pod --all --for=condition=Ready"
            machine.script(f"{ready} --timeout=300s", timeout=330)
            made = Hub(machine, given, folder, lab)
            made.home.mkdir()
            made.says()
            yield made
    finally:
        factory.remove_all()


def notes(events: list[dict[str, Any]]) -> str:
    """All that was noted, a line each."""
    return "\n".join(one["text"] for one in of(events, "note"))


def test_what_cannot_be_installed_is_told_before_anything_is_made(hub: Hub) -> None:
    """A chart that wants a value, a kind that is missing, a schema, the wrong cluster."""
    for release, why in (
        ("17.9.1", "the value hub.licence is needed"),
        ("17.9.2", 'the cluster does not know "PeerAuthentication" of security.istio.io/v1'),
        ("17.9.3", "the chart's schema refuses the values"),
        ("17.8.0", "the chart cannot be had"),
    ):
        hub.says(release=release)
        assert why in hub.refused("install")
    hub.says(cluster_id="00000000-0000-4000-8000-000000000000")
    assert "the setting cluster_id names 00000000" in hub.refused("install")
    assert "hub" not in hub.kubectl("get", "namespaces", "-o", "name").split()


def test_a_user_who_may_only_read_is_told_what_is_missing(hub: Hub) -> None:
    """And one whose certificate has been forged for another cluster."""
    hub.machine.script(_READER)
    hub.says(kubernetes="kubectl", kubeconfig="/root/reader", context="late")
    assert "the cluster refuses the login" in hub.refused("install")
    hub.says(kubernetes="kubectl", kubeconfig="/root/reader", context="reader")
    cause = hub.refused("install")
    assert (
        "system:serviceaccount:default:reader of the kubeconfig may not: create namespaces" in cause
    )
    assert "create secrets" in cause
    assert "hub" not in hub.kubectl("get", "namespaces", "-o", "name")


def test_the_databases_are_asked_before_the_hub_is_installed(hub: Hub) -> None:
    """By a pod of the hub's namespace, which goes again; no release was begun."""
    hub.says(kafka_host="nowhere.institution.svc.cluster.local")
    cause = hub.refused("install")
    assert "from a pod of hub not usable: kafka" in cause
    assert hub.kubectl("get", "pods", "-o", "name").split() == []
    assert hub.helm("list", "--all", "-q").split() == []


def test_a_quota_that_refuses_is_told_before_a_pod_is_made(hub: Hub) -> None:
    hub.says(quota_pods="5")
    cause = hub.refused("install")
    assert "the quota sitewright leaves 5 of pods (5 in all), and the release wants 13" in cause
    assert hub.helm("list", "--all", "-q").split() == []


def test_it_is_installed_and_says_of_itself_that_it_is_well(hub: Hub) -> None:
    hub.says()
    status, events = hub.does("install")
    assert status == 0, events[-4:]
    (look,) = of(events, "step.finished", "look")
    assert look["sentence"].startswith("moja would be new in hub: ")
    assert "the server's dry run and the quotas take it" in look["sentence"]
    (backing,) = of(events, "step.finished", "backing")
    assert backing["outcome"] == "done"
    deployments = json.loads(hub.kubectl("get", "deployments", "-o", "json"))["items"]
    counts = {one["metadata"]["name"]: one["spec"]["replicas"] for one in deployments}
    assert counts["moja-centralledger-service"] == 2
    assert counts["moja-centralledger-handler-timeout"] == 1
    resources = deployments[0]["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert resources == {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"memory": "128Mi"}}
    labels = json.loads(hub.kubectl("get", "namespace", "hub", "-o", "json"))["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"
    assert len(hub.kubectl("get", "networkpolicies", "-o", "name").split()) == 4
    # The password is in the cluster's secret, and nowhere in what Helm was given.
    assert PASSWORD not in hub.helm("get", "values", "moja") + hub.helm("get", "manifest", "moja")
    told = json.dumps(events)
    assert PASSWORD not in told
    status, events = hub.does("install")
    assert status == 0
    assert {one["outcome"] for one in of(events, "step.finished", "hub")} <= {"already", "done"}


def test_what_an_upgrade_changes_is_told_first_then_done_then_taken_back(hub: Hub) -> None:
    hub.says(release="17.1.1")
    status, events = hub.does("changes")
    assert status == 0, events[-3:]
    said = notes(events)
    assert "Deployment moja-centralledger-handler-transfer-get is new, 2 pods." in said
    assert (
        "Deployment moja-centralledger-service: centralledger-service runs"
        " docker.io/mojaloop/central-ledger:v19.8.4 instead of"
        " docker.io/mojaloop/central-ledger:v19.8.3; its pods start anew."
    ) in said
    assert "v19.8.3" in hub.kubectl("get", "deployment", "moja-centralledger-service", "-o", "yaml")
    status, events = hub.does("install")
    assert status == 0, events[-4:]
    assert "v19.8.4" in hub.kubectl("get", "deployment", "moja-centralledger-service", "-o", "yaml")
    status, events = hub.does("back")
    assert status == 0, events[-4:]
    assert "v19.8.3" in hub.kubectl("get", "deployment", "moja-centralledger-service", "-o", "yaml")
    assert "transfer-get" not in hub.kubectl("get", "deployments", "-o", "name")


def test_it_is_stopped_and_started_with_the_pods_that_it_had(hub: Hub) -> None:
    hub.says()
    status, events = hub.does("stop")
    assert status == 0, events[-3:]
    assert "moja-centralledger-service is stopped (0 of 0)" in hub.command("services").stdout
    status, events = hub.does("start")
    assert status == 0, events[-3:]
    ready = hub.kubectl("get", "deployment", "moja-centralledger-service", "-o",
                        "jsonpath={.status.readyReplicas}")  # fmt: skip
    assert ready == "2"


def test_a_release_of_somebody_else_is_left_alone(hub: Hub) -> None:
    """Removed, then in its name another chart, then one that was cut off in the middle."""
    status, events = hub.does("remove")
    assert status == 0, events[-3:]
    assert hub.kubectl("get", "secret", "mysqldb", "-o", "name").strip() == "secret/mysqldb"
    hub.machine.exec(["rm", "-rf", "/root/shop"])
    hub.machine.exec(["microk8s", "helm3", "create", "/root/shop"])
    hub.helm("install", "moja", "/root/shop", "--set", "replicaCount=0")
    assert "shop-0.1.0: somebody else's" in hub.refused("install")
    assert "the release moja of hub is no mojaloop, so it was left" in hub.refused(
        "remove", "--with-data"
    )
    hub.helm("uninstall", "moja", "--wait")


def test_removed_with_its_data_the_namespace_is_gone_and_the_institution_s_is_not(hub: Hub) -> None:
    status, events = hub.does("remove", "--with-data")
    assert status == 0, events[-3:]
    names = hub.kubectl("get", "namespaces", "-o", "name").split()
    assert "namespace/hub" not in names
    assert "namespace/institution" in names
