"""Pods of ours in a real cluster of two nodes: what they find out, and that they leave nothing.

Real: Kubernetes, containerd, what it pulls over HTTP, busybox, CoreDNS. Two things stand in, named
where they are: who makes volumes, and who enforces a NetworkPolicy. What that hides is how a
storage driver fails, and how long an engine such as Calico takes.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from installer.cli import main
from preflight.cluster.case import BINDING, READER
from tests.lab.host import LabError, required, wait_until
from tests.lab.kubernetes import build, images, served
from tests.lab.kubernetes.nodes import NAMES, Cluster, cluster
from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

_IMAGE = "lab.example.org/tools/busybox:1"
_APPLETS = ("sh", "nc", "nslookup", "grep", "httpd", "cat", "rm", "sync", "sleep")
_CLASS = "local-kept"
_RIGHTS = re.compile(r"^    kubectl create (.*sitewright-prober.*)$", re.MULTILINE)
_MADE = "pv.kubernetes.io/provisioned-by"


@pytest.fixture(scope="module")
def nodes(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    reason = build.missing()
    if reason is not None:
        if required():
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("images")
    with (
        cluster(lab, "k1", "k2") as running,
        # The address is this machine's once a machine of the lab has been made.
        served.registry(str(lab.subnet.network_address + 1)) as registry,
    ):
        links = {f"/bin/{name}": "/usr/bin/busybox" for name in _APPLETS}
        layer = served.layer(folder / "tools.tar", programs=["/usr/bin/busybox"], links=links)
        paths = {"Env": ["PATH=/usr/bin:/bin"]}
        registry.add("tools/busybox", "1", paths, layer)
        coredns = build.kubernetes().with_name("coredns")
        names = served.layer(folder / "coredns.tar", files={"/coredns": coredns.read_bytes()})
        registry.add("tools/coredns", "1", {"Entrypoint": ["/coredns"]}, names)
        hosts = f'server = "{registry.address}"\n[host."{registry.address}"]\n'
        for machine in running.machines:
            machine.write_file("/etc/containerd/certs.d/lab.example.org/hosts.toml", hosts)
        running.apply(_storage_class())
        yield running


def _storage_class() -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": _CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "lab.example.org/local",
        "reclaimPolicy": "Retain",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def _coredns() -> list[dict[str, Any]]:
    corefile = ".:53 {\n ready\n kubernetes cluster.local\n}\n"
    name = {"name": "coredns", "namespace": "kube-system"}
    labels = {"k8s-app": "kube-dns"}
    rule = {
        "apiGroups": ["", "discovery.k8s.io"],
        "resources": ["endpoints", "services", "pods", "namespaces", "endpointslices"],
        "verbs": ["list", "watch"],
    }
    rights = "rbac.authorization.k8s.io"
    container = {
        "name": "coredns",
        "image": "lab.example.org/tools/coredns:1",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "readinessProbe": images.ready_by("/ready", 8181),
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
    }
    pod = {
        "serviceAccountName": "coredns",
        "dnsPolicy": "Default",
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": name},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": name, "data": {"Corefile": corefile}},
        {"apiVersion": f"{rights}/v1", "kind": "ClusterRole", "metadata": name, "rules": [rule]},
        {
            "apiVersion": f"{rights}/v1", "kind": "ClusterRoleBinding", "metadata": name,
            "roleRef": {"apiGroup": rights, "kind": "ClusterRole", "name": "coredns"},
            "subjects": [{"kind": "ServiceAccount", **name}],
        },
        {
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {**name, "labels": labels},
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "v1", "kind": "Service", "metadata": {**name, "name": "kube-dns"},
            "spec": {
                "selector": labels, "clusterIP": NAMES,
                "ports": [{"name": "dns", "port": 53, "protocol": "UDP"}],
            },
        },
    ]  # fmt: skip


@contextmanager
def _again_and_again(once: Callable[[], None]) -> Iterator[None]:
    """Something that a controller does, for the time of a `with` block."""
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            with contextlib.suppress(LabError):
                once()
            over.wait(0.3)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _provisioner(nodes: Cluster) -> Callable[[], None]:
    """The STAND-IN for who makes volumes: a folder of the node, as rancher's local-path has it."""

    def once() -> None:
        for claim in nodes.read("persistentvolumeclaims", "-A")["items"]:
            about, spec = claim["metadata"], claim["spec"]
            node = about.get("annotations", {}).get("volume.kubernetes.io/selected-node")
            if spec.get("storageClassName") != _CLASS or spec.get("volumeName") or not node:
                continue
            name = f"pvc-{about['uid']}"
            # Before there is a volume, as a provisioner has it: a pod may write at once.
            for machine in nodes.machines:
                machine.exec(["sh", "-c", f"mkdir -p /tmp/{name} && chmod 777 /tmp/{name}"])
            term = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
            nodes.apply({
                "apiVersion": "v1", "kind": "PersistentVolume",
                "metadata": {"name": name, "annotations": {_MADE: "lab.example.org/local"}},
                "spec": {
                    "capacity": {"storage": "64Mi"}, "accessModes": ["ReadWriteOnce"],
                    "storageClassName": _CLASS, "persistentVolumeReclaimPolicy": "Retain",
                    "hostPath": {"path": f"/tmp/{name}", "type": "Directory"},
                    "claimRef": {"namespace": about["namespace"], "name": about["name"],
                                 "uid": about["uid"]},
                    "nodeAffinity": {"required": {
                        "nodeSelectorTerms": [{"matchExpressions": [term]}]}},
                },
            })  # fmt: skip
        for volume in nodes.read("persistentvolumes")["items"]:
            spec = volume["spec"]
            if volume["status"].get("phase") == "Released" and (
                spec["persistentVolumeReclaimPolicy"] == "Delete"
            ):
                nodes.kubectl("delete", "pv", volume["metadata"]["name"], "--wait=false")

    return once


def _engine(nodes: Cluster) -> Callable[[], None]:
    """The STAND-IN for who enforces policies: it knows one that lets nobody in, between nodes."""
    barred: set[str] = set()

    def once() -> None:
        wanted: set[str] = set()
        for policy in nodes.read("networkpolicies", "-A")["items"]:
            labels = policy["spec"]["podSelector"]["matchLabels"]
            chosen = ",".join(f"{key}={value}" for key, value in labels.items())
            found = nodes.read("pods", "-n", policy["metadata"]["namespace"], "-l", chosen)
            wanted |= {pod["status"]["podIP"] for pod in found["items"]}
        for action, addresses in (("-I", wanted - barred), ("-D", barred - wanted)):
            for address in addresses:
                rule = ["FORWARD", "-d", address, "-p", "tcp", "--dport", "8080", "-j", "DROP"]
                for machine in nodes.machines:
                    machine.exec(["iptables", action, *rule])
        barred.clear()
        barred.update(wanted)

    return once


def _tried(
    nodes: Cluster, capsys: pytest.CaptureFixture[str], *more: str, way_in: Path | None = None
) -> tuple[dict[str, dict[str, Any]], str]:
    """The findings of what was tried, by id, and what was said meanwhile."""
    capsys.readouterr()
    way = str(way_in or nodes.kubeconfig)
    main(["preflight", "--kubeconfig", way, "--format", "json", "--probe", *more])
    shown = capsys.readouterr()
    found = json.loads(shown.out)["clusters"][0]["findings"]
    chosen = (
        "nodes.pull",
        "dns.in",
        "dns.out",
        "cni.reach",
        "cni.enf",
        "storage.mo",
        "pods.probes",
    )
    return {
        f"{one['id']} {one['subject']}".strip(): one
        for one in found
        if one["id"].startswith(chosen)
    }, shown.err


def _left(nodes: Cluster) -> list[str]:
    """What of ours is in the cluster."""
    spaces = nodes.read("namespaces")["items"]
    volumes = nodes.read("persistentvolumes")["items"]
    return [
        *(one["metadata"]["name"] for one in spaces if "probe" in one["metadata"]["name"]),
        *(one["metadata"]["name"] for one in volumes),
    ]


def test_a_cluster_that_lets_everything_through_and_has_neither_names_nor_volumes(
    nodes: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes.apply({**_storage_class(), "metadata": {"name": "by-hand"},
                 "provisioner": "kubernetes.io/no-provisioner"})  # fmt: skip
    found, said = _tried(
        nodes, capsys, "--probe-image", _IMAGE, "--probe-class", "by-hand",
        "--probe-class", "gold", "--pull", "lab.example.org/tools/nothing:1",
    )  # fmt: skip
    severities = {name: one["severity"] for name, one in found.items()}
    way = next(one for name, one in found.items() if name.startswith("cni.reach"))
    nothing = "lab.example.org/tools/nothing:1"
    assert severities == {
        f"nodes.pull {_IMAGE} on k1": "pass",
        f"nodes.pull {_IMAGE} on k2": "pass",
        f"nodes.pull {nothing} on k1": "fail",
        f"nodes.pull {nothing} on k2": "fail",
        "dns.inside kubernetes.default.svc": "fail",
        "dns.outside lab.example.org": "warn",
        f"cni.reach {way['subject']}": "pass",
        f"cni.enforced {way['subject']}": "fail",
        "storage.mounts by-hand": "unknown",
        "storage.mounts gold": "unknown",
    }
    assert "not found" in found[f"nodes.pull {nothing} on k1"]["title"]
    assert " to " in way["subject"]  # from one node to the other
    assert "no servers could be reached" in found["dns.inside kubernetes.default.svc"]["title"]
    assert "was made" in said
    assert _left(nodes) == []


def test_a_cluster_in_which_all_of_it_works(
    nodes: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes.apply(*_coredns())
    nodes.kubectl("-n", "kube-system", "rollout", "status", "daemonset/coredns", "--timeout=300s")
    for right in _RIGHTS.findall((Path(__file__).parents[3] / "docs/cluster.md").read_text()):
        nodes.kubectl("create", *right.replace("USER", "prober").split())
    reader = READER.removeprefix("echo '").partition("' | ")[0]
    nodes.kubectl("apply", "-f", "-", stdin=reader)
    nodes.kubectl(*BINDING.replace("USER", "prober").split()[1:])
    # The API knows of a right a moment after it has it.
    for verb, what in (("create", "namespaces"), ("list", "nodes")):
        may = ("auth", "can-i", verb, what, "--as=prober")
        wait_until(lambda: nodes.kubectl(*may, check=False).returncode == 0, what)  # noqa: B023 - waited for within the turn
    with _again_and_again(_provisioner(nodes)), _again_and_again(_engine(nodes)):
        found, said = _tried(nodes, capsys, "--probe-image", _IMAGE, way_in=nodes.way_in("prober"))
    del found["dns.outside lab.example.org"]  # nobody in the lab knows a name of the world
    assert {name: one["title"] for name, one in found.items() if one["severity"] != "pass"} == {}
    assert found[f"storage.mounts {_CLASS}"]["severity"] == "pass"
    assert any(name.startswith("cni.enforced") for name in found)
    assert "is gone" in said
    # The class retains, and yet no volume stayed.
    assert _left(nodes) == []


_DIES = """
import asyncio, sys
from foundation.clusters.https import HttpsApi
from foundation.clusters.kubeconfig import read_access
from pathlib import Path
from preflight.cluster.probes import objects, trials

objects.LONGEST, objects._KEPT_SECONDS = 30, 2

async def run():
    image = objects.Image(sys.argv[2], "")
    asked = trials.Asked(image, nodes=("k1",), classes=(sys.argv[3],))
    async with HttpsApi(read_access([Path(sys.argv[1])])) as api:
        await trials.try_out(api, asked, tell=lambda _: None)

asyncio.run(run())
"""


def test_what_a_killed_run_leaves_ends_and_goes_by_itself(nodes: Cluster) -> None:
    """All but an empty namespace: the jobs' time ends, and what belongs to them goes with them."""
    command = [sys.executable, "-c", _DIES, str(nodes.kubeconfig), _IMAGE, _CLASS]
    running = subprocess.Popen(command, cwd=Path(__file__).parents[3])

    def begun() -> bool:
        # Whether the pod runs yet says how busy the machine is.
        chosen = ("-A", "-l", "sitewright/probe=server")
        claims = nodes.read("persistentvolumeclaims", "-A")["items"]
        return bool(claims and nodes.read("pods", *chosen)["items"])

    try:
        wait_until(begun, "pods of a probe", seconds=300)
    finally:
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    (name,) = [one for one in _left(nodes) if one.startswith("sitewright-probe-")]

    def gone() -> bool:
        kinds = "jobs,pods,persistentvolumeclaims,networkpolicies"
        return not nodes.read(kinds, "-n", name)["items"]

    wait_until(gone, "what was left to go", seconds=600)
    nodes.kubectl("delete", "namespace", name)
