"""A worker is taken out of a real Kubernetes by `sitewright machine remove`, as a user would.

API, scheduler, eviction and pods are real; `microk8s` is a shim: kubectl is the real one, and to
leave and to be forgotten are what MicroK8s does there: a lock that goes, a node that is deleted.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from foundation.problems import ExitCode
from installer import cli
from installer.sites.site import SiteHost, Ssh, dump_site
from tests.installer.planning.test_planning import site as planned_site
from tests.lab.host import required, wait_until
from tests.lab.kubernetes import build, images, nodes, programs
from tests.lab.kubernetes.clients import kubeconfig
from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

LOCK = "/var/snap/microk8s/current/var/lock/clustered.lock"
SHIM = f"""\
#!/bin/sh
# STAND-IN for microk8s: kubectl is the real one.
export HOME=/root KUBECONFIG=/root/admin.kubeconfig
case $1 in
kubectl) shift; exec /usr/local/bin/lab-kubectl "$@" ;;
remove-node) /usr/local/bin/lab-kubectl delete node "$2"; exit 1 ;;
leave) systemctl stop kubelet; rm -f {LOCK} ;;
esac
"""
REPLICAS = 6


@dataclass
class Site:
    """A real cluster of a master and two workers, and the site file that names them."""

    cluster: nodes.Cluster
    file: Path

    def remove(self, *words: str) -> int:
        """Have w2 taken out, as far as these words let it go."""
        return cli.main(
            ["machine", "remove", "w2", "--site", str(self.file), "--by", "Ma Ma", "--yes",
             "--only", "remove-worker", *words]
        )  # fmt: skip

    def undo(self) -> int:
        return cli.main(
            ["undo", "remove-worker", "--site", str(self.file), "--by", "Ma Ma", "--yes"]
        )

    def takes_work(self) -> bool:
        return not self.cluster.read("node", "w2")["spec"].get("unschedulable")

    def pods_on(self, name: str) -> list[str]:
        pods = self.cluster.read("pods", "-n", "shop")["items"]
        return [p["metadata"]["name"] for p in pods if p["spec"].get("nodeName") == name]

    def settled(self) -> None:
        self.cluster.kubectl("-n", "shop", "rollout", "status", "deployment/shop", "--timeout=300s")


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Iterator[Site]:
    reason = build.missing()
    if reason is not None:
        if required():
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    with nodes.cluster(lab, "m1", "w1", "w2") as cluster:
        master, _, worker = cluster.machines
        admin = kubeconfig(
            tmp_path, cluster.server, cluster.authority, "admin", ("system:masters",), inline=True
        )
        master.write_file("/root/admin.kubeconfig", admin.read_text(), mode=0o600)
        target = f"{master.container}:/usr/local/bin/lab-kubectl"
        subprocess.run(["podman", "cp", str(programs.kubectl()), target], check=True)
        for machine in cluster.machines:
            machine.write_file("/usr/local/bin/microk8s", SHIM, mode=0o755)
        worker.script(f"mkdir -p {LOCK.rpartition('/')[0]}; touch {LOCK}")
        cluster.kubectl("label", "node", "m1", "node.kubernetes.io/microk8s-controlplane=")
        hosts = tuple(
            SiteHost(name=one.name, address=str(one.address), user="ubuntu",
                     roles=("master",) if one is master else ("worker",))
            for one in cluster.machines
        )  # fmt: skip
        ssh = Ssh(identity_files=(str(lab.key),), known_hosts=(str(lab.known_hosts),), config=False)
        file = tmp_path / "site.yaml"
        file.write_text(dump_site(planned_site().model_copy(update={"hosts": hosts, "ssh": ssh})))
        yield Site(cluster, file)


def shop() -> list[dict[str, Any]]:
    labels = {"app": "shop"}
    container = {
        "name": "pod", "image": images.POD, "imagePullPolicy": "Never", "args": ["serve", ":8080"],
        "readinessProbe": images.ready_by("/", 8080),
        "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
    }  # fmt: skip
    pod = {"containers": [container], "volumes": [{"name": "cache", "emptyDir": {}}]}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
        {
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "shop", "namespace": "shop"},
            "spec": {"replicas": REPLICAS, "selector": {"matchLabels": labels},
                     "template": {"metadata": {"labels": labels}, "spec": pod}},
        },
        budget(REPLICAS),
    ]  # fmt: skip


def budget(healthy: int) -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"name": "shop", "namespace": "shop"},
        "spec": {"minAvailable": healthy, "selector": {"matchLabels": {"app": "shop"}}},
    }  # fmt: skip


VOLUME = {
    "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "data-of-somebody"},
    "spec": {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
        "local": {"path": "/srv/data"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
            {"key": "kubernetes.io/hostname", "operator": "In", "values": ["w2"]}]}]}},
    },
}  # fmt: skip


def test_a_worker_is_drained_leaves_and_is_forgotten(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = site.cluster
    cluster.apply(*shop(), VOLUME)
    site.settled()
    assert site.pods_on("w2")
    wait_until(
        lambda: cluster.read("pdb", "shop", "-n", "shop")["status"].get("currentHealthy")
        == REPLICAS,
        "the budget to have counted", seconds=300,
    )  # fmt: skip

    def said() -> str:
        told = capsys.readouterr()
        return " ".join((told.out + told.err).split())

    # What stands against it is told, and nothing was begun.
    assert site.remove() == ExitCode.STAGE_FAILED
    told = said()
    assert "data-of-somebody lies on it (1Gi, nobody's)" in told
    assert "shop/shop allows no disruption now (6 healthy, 6 wanted)" in told
    assert site.takes_work()
    cluster.kubectl("delete", "persistentvolume", "data-of-somebody")
    cluster.apply(budget(REPLICAS - 1))
    wait_until(
        lambda: cluster.read("pdb", "shop", "-n", "shop")["status"]["disruptionsAllowed"] == 1,
        "the budget", seconds=300,
    )  # fmt: skip

    # Cordoned by somebody else: to give up leaves that as it is.
    cluster.kubectl("cordon", "w2")
    agreed = ("--confirm", "remove-worker/agreed")
    assert site.remove(*agreed) == ExitCode.STAGE_FAILED  # nobody said the last word
    assert site.pods_on("w2") == []
    assert site.undo() == ExitCode.DONE
    assert not site.takes_work()
    cluster.kubectl("uncordon", "w2")

    # Cordoned by us: to give up has it take work again.
    assert site.remove(*agreed) == ExitCode.STAGE_FAILED
    assert not site.takes_work()
    assert site.undo() == ExitCode.DONE
    assert site.takes_work()
    said()

    # And to its end.
    words = (*agreed, "--confirm", "remove-worker/last-word")
    assert site.remove(*words) == ExitCode.DONE
    names = {one["metadata"]["name"] for one in cluster.read("nodes")["items"]}
    assert names == {"m1", "w1"}
    site.settled()
    assert len(site.pods_on("m1")) + len(site.pods_on("w1")) == REPLICAS
    worker = cluster.machines[2]
    assert worker.exec(["test", "-e", LOCK], check=False).returncode != 0
