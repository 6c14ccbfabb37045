"""MOSIP on clusters that stand: its whole order, a failure amid it, resumed, verified, taken back.

Real: two Kubernetes 1.31 with their controllers and etcd, Helm 3.17, kubectl, and the machine from
which both are reached, over SSH. Stand-ins: the charts (charts.py), Istio but for its definitions,
and the nodes, which kwok plays. One pair of clusters serves the module; the tests go on from one
another.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from installer.catalogue.solution import load_solution
from tests.installer.helm_site import AREAS
from tests.installer.mosip.charts import Repository, given_out, releases
from tests.lab.host import required
from tests.lab.kubernetes import build, programs
from tests.lab.kubernetes.clients import kubeconfig
from tests.lab.kubernetes.plane import Plane, plane
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine
from tests.lab.recipe import FULL, UBUNTU_24_04

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parent.parent.parent.parent
RELEASES = load_solution("mosip").folder / "releases"
NEW, OLD = "1.2.1.0", "1.2.0.2"
FAILS = ("identity", "1.3.0")
"""The chart that fails in the middle of the order."""


@dataclass
class Mosip:
    """Two clusters, the machine from which they are reached, and the command on the site."""

    lab: Lab
    machine: Machine
    cluster: Plane
    charts: Repository
    folder: Path
    dead: str
    """An address that nobody has, so that no word leaves the lab for it."""

    @property
    def file(self) -> Path:
        """The site file."""
        return self.folder / "site.yaml"

    def says(self, **settings: str) -> None:
        """Write the site file with these settings besides."""
        said = {
            "domain": "sandbox.example.org", "check_names": "no",
            "public_address": self.dead, "internal_address": self.dead,
            "chart_repository": self.charts.address, **settings,
        }  # fmt: skip
        site = {
            "solution": "mosip",
            "environment": "on-clusters",
            "ssh": {"user": "ubuntu", "identity_files": [str(self.lab.key)],
                    "known_hosts": str(self.lab.known_hosts)},
            "hosts": [{"name": "desk", "address": self.machine.address, "roles": ["workstation"]}],
            "settings": said,
            "waivers": [
                {"check": f"{area}.*", "by": "A. Tester", "reason": "lab", "until": "2099-01-01"}
                for area in AREAS.split()
            ],
        }  # fmt: skip
        self.file.write_text(yaml.safe_dump(site, sort_keys=False))

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `sitewright` on the site to its end."""
        return subprocess.run(
            [sys.executable, "-m", "installer", *words, "--site", str(self.file)],
            cwd=ROOT,
            env={
                **{name: value for name, value in os.environ.items() if name[:4] != "XDG_"},
                "PYTHONPATH": str(ROOT),
                "HOME": str(self.folder / "home"),
                "COLUMNS": "80",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=1500,
        )

    def does(self, *words: str) -> tuple[int, list[dict[str, Any]]]:
        """A command that changes something; the exit code and the events."""
        done = self.command(*words, "--yes", "--by", "A. Tester", "--json-lines")
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert events, done.stderr
        return done.returncode, events

    def installs(self, *words: str) -> tuple[int, list[dict[str, Any]]]:
        """The same of what installs; that Rancher is set up is confirmed."""
        return self.does(*words, "--confirm", "governed/rancher", "--no-egress")

    def there(self) -> list[str]:
        """Every release that Helm knows, as NAMESPACE/NAME STATUS."""
        told = self.machine.exec(
            ["helm", "--kubeconfig", "/root/.kube/mosip.yaml", "list", "--all", "--all-namespaces",
             "--max", "0", "--output", "json"]
        ).stdout  # fmt: skip
        return [f"{one['namespace']}/{one['name']} {one['status']}" for one in json.loads(told)]


def _things() -> list[dict[str, Any]]:
    """What a cluster has before MOSIP: Istio's definitions, a class of volumes, and one volume.

    The class keeps what it holds, and the volume was made by hand and does not.
    """
    kinds = {"Gateway": "gateways", "VirtualService": "virtualservices",
             "EnvoyFilter": "envoyfilters"}  # fmt: skip
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1beta1", "served": True, "storage": True,
               "schema": {"openAPIV3Schema": schema}}  # fmt: skip
    group = "networking.istio.io"
    meta = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-system"}},
        *(
            {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
             "metadata": {"name": f"{plural}.{group}"},
             "spec": {"group": group, "scope": "Namespaced", "versions": [version],
                      "names": {"plural": plural, "singular": kind.lower(), "kind": kind}}}
            for kind, plural in kinds.items()
        ),
        {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
         "metadata": {"name": "lab", **meta}, "reclaimPolicy": "Retain",
         "provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "Immediate"},
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv-1"},
         "spec": {"storageClassName": "lab", "accessModes": ["ReadWriteOnce"],
                  "capacity": {"storage": "8Gi"}, "hostPath": {"path": "/srv/pv-1"},
                  "persistentVolumeReclaimPolicy": "Delete"}},
    ]  # fmt: skip


@pytest.fixture(scope="module")
def mosip(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosip]:
    """Both clusters, empty, and a repository with every chart of both releases."""
    reason = build.missing()
    if reason is not None:
        if required():
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("mosip")
    (folder / "home").mkdir()
    (folder / "charts").mkdir()
    address = str(lab.subnet.network_address + 1)
    clients = ("--volume", f"{programs.kubectl().parent}:/opt/kubernetes-clients:ro")
    recipe = replace(FULL, options=(*FULL.options, *clients))
    factory = MachineFactory(lab)
    try:
        (machine,) = factory.several("desk", recipe=recipe, stand_in=UBUNTU_24_04)
        files = [RELEASES / f"{release}.yaml" for release in (NEW, OLD)]
        with (
            plane("w1", address=address) as cluster,
            plane("o1", address=address) as observation,
            given_out(folder / "charts", *files, address=address) as charts,
        ):
            machine.script("ln -sf /opt/kubernetes-clients/* /usr/local/bin/; mkdir -p /root/.kube")
            for name, one in (("mosip", cluster), ("observation", observation)):
                group = ("system:masters",)
                way = kubeconfig(one.folder, one.server, one.authority, "desk", group, inline=True)
                machine.write_file(f"/root/.kube/{name}.yaml", way.read_text(), mode=0o600)
            cluster.apply(*_things())
            cluster.kubectl("wait", "--for=condition=Established", "--timeout=300s", "crd", "--all")
            made = Mosip(lab, machine, cluster, charts, folder, lab.dead_address())
            made.says()
            yield made
    finally:
        factory.remove_all()


def of(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The events of a kind."""
    return [event for event in events if event["kind"] == kind]


def ended(events: list[dict[str, Any]]) -> dict[str, str]:
    """How each step ended, by its name."""
    return {e["step"]: str(e["data"]["outcome"]) for e in of(events, "step.finished")}


def wanted(release: str) -> list[str]:
    """Every release of a release file, in its order."""
    every = releases(RELEASES / f"{release}.yaml")
    return [f"{one['namespace']}/{one['release']} deployed" for one in every]


def test_the_whole_order_breaks_off_at_what_the_api_refuses(mosip: Mosip) -> None:
    mosip.charts.add(*FAILS, refused=True)
    status, events = mosip.installs("install")
    assert status == 5, events[-3:]
    (problem,) = of(events, "problem")
    assert "selector" in problem["data"]["cause"]
    there, order = mosip.there(), wanted(NEW)
    at = order.index("idrepo/identity deployed")
    assert sorted(there) == sorted([*order[:at], "idrepo/identity failed"])


def test_it_is_resumed_there_and_carried_to_the_last_look(mosip: Mosip) -> None:
    mosip.charts.add(*FAILS)
    status, events = mosip.installs("resume")
    assert status == 0, events[-4:]
    outcomes = ended(events)
    assert outcomes["identity"] == "done"
    # What stood already is not begun again.
    assert "kernel-keygen" not in outcomes
    assert sorted(mosip.there()) == sorted(wanted(NEW))
    status, events = mosip.does("verify")
    assert status == 0, events[-3:]
    assert set(ended(events)) == {"ways", "releases", "services"}


def test_each_release_has_the_mark_of_who_brought_it(mosip: Mosip) -> None:
    """Also the one that failed at first and was brought to its end by a resume."""
    told = mosip.machine.exec(
        ["helm", "--kubeconfig", "/root/.kube/mosip.yaml", "list", "--all", "--all-namespaces",
         "--max", "0", "--selector", "sitewright=brought", "--output", "json"]
    ).stdout  # fmt: skip
    marked = [f"{one['namespace']}/{one['name']} {one['status']}" for one in json.loads(told)]
    assert sorted(marked) == sorted(wanted(NEW))


def test_its_hardening_list_is_asked_of_the_real_clusters(mosip: Mosip) -> None:
    """What made charts and played nodes cannot have is not told, or fails; nothing else holds."""
    done = mosip.command("verify", "--hardening", "--format", "json")
    assert done.returncode == 3, done.stderr
    found = json.loads(done.stdout)["findings"]
    results: dict[str, list[str]] = {}
    for one in found:
        results.setdefault(one["result"], []).append(one["id"].partition(".")[2])
    assert len(found) == 26
    assert sorted(results["pass"]) == [
        "class-keeps", "grafana-password", "kubeconfig-mode", "longhorn-copies",
        "one-default-class",
    ]  # fmt: skip
    assert sorted(results["fail"]) == [
        "class-grows", "default-accounts", "prereg-limit", "volumes-kept",
    ]  # fmt: skip
    assert sorted(results["warn"]) == ["mocks", "replicas"]
    said = {one["id"].partition(".")[2]: one["found"] for one in found}
    assert said["volumes-kept"] == "pv-1"
    assert "abis/mock-abis" in said["mocks"]


def test_nothing_is_removed_from_a_cluster_that_is_another_site_s(mosip: Mosip) -> None:
    mosip.says(domain="other.example.org")
    status, events = mosip.does("remove")
    assert status == 5, events[-3:]
    assert "holds the installation sandbox sandbox.example.org" in str(of(events, "problem"))
    assert len(mosip.there()) == len(wanted(NEW))
    mosip.says()


def test_it_is_taken_back_to_what_others_have_and_goes_on_behind_that(mosip: Mosip) -> None:
    """The last first; a release of another chart holds it up, and the second time it goes on."""
    helm = ["helm", "--kubeconfig", "/root/.kube/mosip.yaml", "-n", "kafka"]
    mosip.machine.exec([*helm, "uninstall", "kafka", "--wait"])
    mosip.machine.exec(
        [*helm, "install", "kafka", "minio", "--repo", mosip.charts.address, "--version", "15.0.6"]
    )
    status, events = mosip.does("remove")
    assert status == 5, events[-3:]
    assert "the release kafka of kafka is no kafka, so it was left" in str(of(events, "problem"))
    gone = [name for name, outcome in ended(events).items() if outcome == "done"]
    assert gone.index("regclient") < gone.index("kernel-keygen") < gone.index("kafka-ui")
    order = wanted(NEW)
    assert sorted(mosip.there()) == sorted(order[: order.index("kafka/kafka deployed") + 1])
    # Somebody else's goes by its owner's hand; their other release stays.
    mosip.machine.exec([*helm, "uninstall", "kafka", "--wait"])
    shop = ["install", "shop", "websub", "--repo", mosip.charts.address, "--version", "1.3.0"]
    mosip.machine.exec([*helm, *shop])
    status, events = mosip.does("remove")
    assert status == 0, events[-3:]
    assert ended(events)["regclient"] == "already"
    assert ended(events)["postgres"] == "done"
    assert mosip.there() == ["kafka/shop deployed"]
    said = "\n".join(event["data"]["text"] for event in of(events, "line"))
    assert "minio: volume pv-1 of minio (8Gi) stays." in said
    assert "kafka: release shop (websub-1.3.0), which this site does not name stays." in said
    volume = mosip.cluster.read("persistentvolume", "pv-1")
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    # Its controller says so in its own time.
    released = ("wait", "persistentvolume/pv-1", "--for=jsonpath={.status.phase}=Released")
    mosip.cluster.kubectl(*released, "--timeout=300s")
    kept = [
        one["metadata"]["name"] for one in mosip.cluster.read("secrets", "-n", "minio")["items"]
    ]
    assert [name.rpartition("-")[0] for name in kept] == ["kept-minio"]
    mosip.cluster.kubectl("get", "secret", "s3", "-n", "s3")
    namespaces = mosip.cluster.kubectl("get", "namespaces", "-o", "name").stdout
    assert "namespace/regproc" in namespaces
    left = mosip.cluster.read("configmaps", "-n", "regproc")["items"]
    assert [one["metadata"]["name"] for one in left] == ["kube-root-ca.crt"]
    mosip.machine.exec([*helm, "uninstall", "shop", "--wait"])


def test_the_order_of_the_release_before_begins_as_planned(mosip: Mosip) -> None:
    """Its external components, on the same clusters."""
    mosip.says(mosip_release=OLD)
    shown = mosip.command("plan")
    assert shown.returncode == 0, shown.stderr
    for name in ("activemq-artemis 0.0.2", "regclient"):
        assert name in shown.stdout
    # The volume of before is another installation's; this one has a volume of its own.
    volume = {**_things()[-1], "metadata": {"name": "pv-2"}}
    mosip.cluster.apply(volume)
    status, events = mosip.installs("install", "--until", "external")
    assert status == 0, events[-4:]
    order = wanted(OLD)
    last = order.index("landing-page/landing-page deployed")
    assert sorted(mosip.there()) == sorted(order[: last + 1])
