"""PM4ML's cluster and storage in the lab.

snapd's store cannot be reached there: `snap`, `microk8s` and `microceph` are stood in for by
programs that keep their command lines (tests/stand_ins). The Kubernetes of `microk8s` is real, and
so are kubectl, Helm, Ansible, SSH, systemd, chrony and the files on the machines.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installer.pm4ml_site import SEARCH, LabSite, make
from tests.lab.host import wait_until
from tests.lab.kubernetes import images
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine
from tests.stand_ins import ceph_chart
from tests.stand_ins.install import calls, install, order, recipe_for

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3000)]


def nodes(machine: Machine) -> set[str]:
    """Whom the cluster knows."""
    return set(machine.exec(["microk8s", "kubectl", "get", "nodes", "-o", "name"]).stdout.split())


def shown_by_the_api(machine: Machine) -> str:
    """The certificate that the API of a master shows."""
    return machine.script(
        "openssl s_client -connect 127.0.0.1:16443 </dev/null 2>/dev/null"
        " | openssl x509 -noout -ext subjectAltName"
    )


def test_three_masters_and_a_worker_become_a_cluster(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """Joined one by one with tokens of their own; an expired one is replaced; again: no change."""
    site = make(
        lab, machine_factory, tmp_path, kubernetes=True, m1="master", m2="master", m3="master",
        w1="worker", lb1="load-balancer",
    )  # fmt: skip
    m1, m2, m3, w1, lb1 = site.roles
    site.settings = {
        "api_name": "k8s.test.example",
        "registry_mirror": "http://10.1.1.1:5000",
        "join_token_seconds": 900,  # no join takes longer, however busy the machine
    }
    order(m1, expired_token=1)
    order(m2, too_early=1)
    first = site.play("1.microk8s_setup.yml", timeout=900)
    assert first.status == 0, first.output
    assert nodes(m1) == {f"node/{m.name}" for m in (m1, m2, m3, w1)}
    status = m1.exec(["microk8s", "status"]).stdout
    assert "high-availability: yes" in status
    assert (
        w1.exec(["test", "-e", "/var/snap/microk8s/current/var/lock/clustered.lock"]).returncode
        == 0
    )
    joins = [call for call in calls(m1) if call.startswith("microk8s add-node")]
    assert len(joins) == 4  # three nodes, and one token that had expired
    assert all("--token-ttl 900" in call for call in joins)
    assert "microk8s join --worker" in calls(w1)
    assert "microk8s join" in calls(m2)

    certificate = shown_by_the_api(m1)
    assert certificate.count("DNS:k8s.test.example") == 1
    assert f"IP Address:{lb1.address}" in certificate
    for machine in (m2, m3):
        assert f"IP Address:{machine.address}" in shown_by_the_api(machine)
    seen = m1.exec(["cat", "/var/snap/microk8s/common/stand-in/launch-configuration-seen"]).stdout
    assert "registry.k8s.io" in seen  # it was there before the snap
    for machine in (m1, m2, m3, w1):
        assert "held" in machine.exec(["snap", "list", "microk8s"]).stdout
        assert "api.snapcraft.io" not in machine.exec(["cat", "/etc/hosts"]).stdout
    for machine in (m1, m2, m3):
        node = json.loads(
            m1.exec(["microk8s", "kubectl", "get", "node", machine.name, "-o", "json"]).stdout
        )
        taints = {taint["key"]: taint["effect"] for taint in node["spec"]["taints"]}
        assert taints["node-role.kubernetes.io/control-plane"] == "NoSchedule"
        assert node["metadata"]["labels"]["node.kubernetes.io/microk8s-controlplane"]

    # No token is left anywhere, nor good for a second use.
    tokens = m1.exec(["cat", "/var/lib/stand-in/issued"]).stdout.split()
    assert len(tokens) == 4
    kept = m1.exec(["cat", "/var/snap/microk8s/current/credentials/cluster-tokens.txt"]).stdout
    assert kept.strip() == ""
    for machine in (m1, m2, m3, w1):
        for token in tokens:
            found = machine.exec(
                ["sh", "-c", SEARCH, "sh", token],
                check=False,
            )  # fmt: skip
            assert found.stdout == "", machine.name
    assert not any(token in first.output for token in tokens)
    # Whoever joined authorises as the first master does, and its pods find the cluster's DNS.
    for machine in (m1, m2, m3):
        arguments = machine.exec(["cat", "/var/snap/microk8s/current/args/kube-apiserver"]).stdout
        assert "--authorization-mode=RBAC,Node" in arguments
    assert "10.152.183.10" in w1.exec(["cat", "/var/snap/microk8s/current/args/kubelet"]).stdout

    again = site.play("1.microk8s_setup.yml", timeout=900)
    assert again.status == 0, again.output
    assert set(again.changed.values()) == {0}, again.output

    # What is scheduled goes to the worker alone, and one master may die.
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "shop"},
        "spec": {
            "containers": [{"name": "pod", "image": images.POD, "imagePullPolicy": "Never"}],
        },
    }
    m1.exec(["microk8s", "kubectl", "apply", "-f", "-"], stdin=json.dumps(pod))
    m1.kill()
    wait = ["microk8s", "kubectl", "wait", "--for=condition=Ready", "pod/shop", "--timeout=300s"]
    wait_until(lambda: m2.exec(wait, check=False).returncode == 0, "the pod", seconds=600)
    ran = m2.exec(["microk8s", "kubectl", "get", "pod", "shop", "-o", "jsonpath={.spec.nodeName}"])
    assert ran.stdout == "w1"


def test_a_node_that_is_half_in_is_told_with_the_remedy(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """It died between the two sides: it is not joined again, and the remedy really mends it."""
    site = make(lab, machine_factory, tmp_path, kubernetes=True, m1="master", m2="master")
    m1, m2 = site.roles
    order(m2, die_in_join=1)
    assert site.play("1.microk8s_setup.yml").status != 0
    halfway = site.play("1.microk8s_setup.yml", "--extra-vars", '{"half_in_tries": 1}')
    assert halfway.status != 0
    assert "m2 is half in the cluster" in halfway.flat
    assert f"sudo microk8s remove-node {m2.address} --force" in halfway.flat
    assert "on m2: sudo microk8s leave" in halfway.flat
    assert "remove --purge" not in halfway.flat
    # Where its API is down as well, nobody waits for what cannot come without being told this.
    m2.exec(["systemctl", "stop", "snap.microk8s.daemon-kubelite"])
    down = site.play("1.microk8s_setup.yml", "--extra-vars", '{"microk8s_wait_seconds": 5}')
    assert down.status != 0
    assert "Its join to a cluster was cut off in the middle" in down.flat
    assert f"sudo microk8s remove-node {m2.address} --force" in down.flat
    m2.exec(["microk8s", "leave"])
    m1.exec(["microk8s", "remove-node", m2.address, "--force"], check=False)
    mended = site.play("1.microk8s_setup.yml")
    assert mended.status == 0, mended.output
    assert nodes(m1) == {"node/m1", "node/m2"}


def test_a_first_master_that_was_made_anew_joins_the_others(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """And so does one whose name sorts first. Nothing is taken off those that have the cluster.

    With three masters: of two that both vote, one alone has no majority, and its API no data.
    """
    site = make(
        lab, machine_factory, tmp_path, kubernetes=True, m1="master", m2="master", m3="master"
    )
    m1, m2, _ = site.roles
    assert site.play("1.microk8s_setup.yml").status == 0
    assert m1.exec(["test", "-e", "/etc/sitewright/first-master"], check=False).returncode == 0
    m1.script("snap remove --purge microk8s; rm -rf /etc/sitewright")
    told = site.play("1.microk8s_setup.yml")
    assert told.status != 0
    assert "The first master is m2" in told.flat
    assert "m1 is half in the cluster" in told.flat
    assert "It was made anew" in told.flat
    assert "on m2: sudo microk8s remove-node m1 --force" in told.flat
    assert "remove --purge" not in told.flat
    assert nodes(m2) == {"node/m1", "node/m2", "node/m3"}
    m2.exec(["microk8s", "remove-node", "m1", "--force"])
    a0 = machine_factory("a0", recipe=recipe_for(("master",)))
    install(a0)
    site.roles = {a0: ("master",), **site.roles}
    joined = site.play("1.microk8s_setup.yml")
    assert joined.status == 0, joined.output
    assert nodes(m2) == nodes(a0) == {"node/a0", "node/m1", "node/m2", "node/m3"}
    assert m2.exec(["cat", "/etc/sitewright/first-master"]).returncode == 0
    assert "microk8s leave" not in calls(m2)
    assert not any(call.startswith("snap remove") for call in calls(m2))


def test_a_node_with_a_cluster_of_its_own_is_not_joined(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """To join is to lose what it holds."""
    site = make(lab, machine_factory, tmp_path, kubernetes=True, m1="master", w1="worker")
    _, w1 = site.roles
    w1.exec(["snap", "install", "microk8s", "--classic", "--channel=1.31/stable"], timeout=600)
    own = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "payments"}}
    w1.exec(["microk8s", "kubectl", "apply", "-f", "-"], stdin=json.dumps(own))
    refused = site.play("1.microk8s_setup.yml")
    assert refused.status != 0
    assert "w1 runs a MicroK8s of its own, with namespace/payments" in refused.flat
    assert "payments" in w1.exec(["microk8s", "kubectl", "get", "ns", "-o", "name"]).stdout


def test_another_channel_is_refused_and_left_as_it_is(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """Kubernetes is not raised on the way."""
    site = make(lab, machine_factory, tmp_path, kubernetes=True, m1="master")
    (m1,) = site.roles
    m1.exec(["snap", "install", "microk8s", "--classic", "--channel=1.29/stable"], timeout=600)
    played = site.play("1.microk8s_setup.yml")
    assert played.status != 0
    assert "from the channel 1.29/stable, and 1.31/stable is wanted" in played.flat
    assert "1.29/stable" in m1.exec(["snap", "list", "microk8s"]).stdout


HELM = ("microk8s", "helm3")


def lay_chart(site: LabSite, machine: Machine, image: str = images.POD) -> None:
    """Lay the driver's chart down on a machine, in the version that the site takes."""
    ceph_chart.lay(machine, str(site.variables()["ceph_csi_version"]), image)


def releases(machine: Machine) -> str:
    """What Helm knows of the driver."""
    return machine.exec([*HELM, "list", "--all", "--namespace", "ceph-csi", "-o", "json"]).stdout


@pytest.fixture
def disks() -> Iterator[list[Machine]]:
    """Machines that were given a disk of 64 MiB as /dev/lab-disk; it is taken away at the end."""
    machines: list[Machine] = []
    yield machines
    for machine in machines:
        machine.exec(["sh", "-c", 'losetup -d "$(readlink /dev/lab-disk)"'], check=False)


def test_ceph_takes_the_disks_that_are_empty_and_no_others(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path, disks: list[Machine]
) -> None:
    """A disk with a filesystem on it is refused before any is touched."""
    site = make(
        lab,
        machine_factory,
        tmp_path,
        kubernetes=True,
        m1="master",
        s1="storage",
        s2="storage",
        s3="storage",
    )
    m1, *servers = site.roles
    site.settings = {"ceph_disks": "/dev/lab-disk", "ceph_csi_chart": ceph_chart.CHART}
    lay_chart(site, m1)
    for server in servers:
        disks.append(server)
        server.add_disk("/dev/lab-disk")
    assert site.play("1.microk8s_setup.yml").status == 0
    servers[1].exec(["mkfs.ext4", "-q", "/dev/lab-disk"])
    refused = site.play("4.ceph.yml")
    assert refused.status != 0
    assert "/dev/lab-disk is not empty" in refused.flat
    assert "ext4" in servers[1].exec(["blkid", "/dev/lab-disk"]).stdout
    servers[1].exec(["wipefs", "--all", "--quiet", "/dev/lab-disk"])
    whole = site.play("4.ceph.yml")
    assert whole.status == 0, whole.output
    assert "ceph-rbd" in m1.exec(["microk8s", "kubectl", "get", "storageclass"]).stdout
    members = servers[0].exec(["microceph", "cluster", "list"]).stdout
    assert all(server.name in members for server in servers)
    for server in servers:
        assert calls(server).count("microceph disk add /dev/lab-disk") == 1
    again = site.play("4.ceph.yml")
    assert set(again.changed.values()) == {0}, again.output

    # The first storage server is made anew: no second cluster is begun beside the one there is.
    s1, s2, _ = servers
    site.settings["join_token_seconds"] = 90  # no join takes longer, however busy the machine
    s1.script("snap remove microceph; rm -rf /etc/sitewright; : > /var/lib/stand-in/calls")
    anew = site.play("4.ceph.yml")
    assert anew.status != 0
    assert "on s2: sudo microceph cluster remove s1 --force" in anew.flat, anew.output
    assert not any("cluster bootstrap" in call for call in calls(s1))
    s2.exec(["microceph", "cluster", "remove", "s1", "--force"])
    healed = site.play("4.ceph.yml")
    assert healed.status == 0, healed.output
    assert "s1" in s2.exec(["microceph", "cluster", "list"]).stdout
    # A driver that does not come is told with what its pods wait for, and installed the next time.
    m1.exec([*HELM, "uninstall", "ceph-csi-rbd", "--namespace", "ceph-csi"])
    lay_chart(site, m1, image="localhost/lab/nothing:1")
    told = "Helm did not install ceph-csi-rbd: context deadline exceeded. In ceph-csi:"

    def waits_for_its_image() -> bool:
        # On a busy machine no pod may have come so far in these seconds.
        failed = site.play("4.ceph.yml", "--extra-vars", '{"chart_wait": "20s"}')
        assert failed.status != 0
        return told in failed.flat and "ErrImageNeverPull" in failed.flat

    wait_until(waits_for_its_image, "what the driver's pods wait for")
    assert '"status":"failed"' in releases(m1)
    lay_chart(site, m1)
    mended = site.play("4.ceph.yml")
    assert mended.status == 0, mended.output
    assert mended.changed["m1"] == 1
    assert '"status":"deployed"' in releases(m1)


def test_machines_are_prepared_and_tuned(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """Names, a real time server, modules and parameters; again: in test_install_lab.py."""
    site = make(lab, machine_factory, tmp_path, m1="master", w1="worker", s1="storage")
    m1, w1, s1 = site.roles
    s1.write_file("/etc/chrony/conf.d/serve.conf", "allow all\nlocal stratum 5\n")
    s1.exec(["systemctl", "restart", "chrony"])
    clock = machine_factory("clock")
    clock.write_file("/etc/chrony/conf.d/serve.conf", "allow all\nlocal stratum 4\n")
    clock.exec(["systemctl", "restart", "chrony"])
    site.settings = {"ntp_servers": clock.address}
    for playbook in ("host_preparation.yml", "6.system-tuning.yml"):
        played = site.play(playbook)
        assert played.status == 0, played.output
    for machine in (m1, w1, s1):
        for other in (m1, w1, s1):
            assert other.address in machine.exec(["getent", "ahosts", other.name]).stdout.split()
        assert clock.address in machine.exec(["chronyc", "-n", "sources"]).stdout
    value = w1.exec(["cat", "/proc/sys/fs/inotify/max_user_watches"]).stdout.strip()
    assert int(value) >= 1048576
    assert int(w1.exec(["cat", "/proc/sys/net/core/somaxconn"]).stdout) >= 32768
    undone = site.play("undo/host_preparation.yml")
    assert undone.status == 0, undone.output
    assert "Sitewright" not in m1.exec(["cat", "/etc/hosts", "/etc/chrony/chrony.conf"]).stdout


def test_a_time_server_that_does_not_answer_is_told(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """With its name, and what breaks without the right time."""
    site = make(lab, machine_factory, tmp_path, m1="master")
    site.settings = {"ntp_servers": lab.dead_address()}
    played = site.play("host_preparation.yml")
    assert played.status != 0
    assert f"cannot reach any of its time servers ({site.settings['ntp_servers']})" in played.flat
