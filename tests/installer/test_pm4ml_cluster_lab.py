"""PM4ML's cluster, storage and applications in the lab.

snapd's store cannot be reached there: `snap`, `microk8s` and `microceph` are stood in for by
programs that keep their command lines (tests/stand_ins). Ansible, SSH, systemd, chrony and the
files on the machines are real.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.installer.pm4ml_site import PLAYBOOKS, LabSite
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine
from tests.stand_ins.install import calls, install, order

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

SECRETS = {
    "git_password": "known-git-password",
    "vault_token": "root-token",
    "mcmdev_client_secret": "known-hub-secret",
}
APPLICATIONS = "/var/snap/microk8s/common/stand-in/applications.json"

SEARCH = """\
grep -rlF "$1" /etc /root /home /tmp /var/tmp /var/log 2>/dev/null
journalctl --output=cat | grep -F "$1"
grep -F "$1" /var/lib/stand-in/calls
"""


KEPT = ("base-utils", "storage-app", "certmanager-helm", "pm4ml")
"""Applications that the tests wait for, in the guide's order; one is like the other."""


def ordered() -> list[str]:
    """Every application of the guide, in its order."""
    text = (PLAYBOOKS / "vars/applications.yml").read_text()
    return list(yaml.safe_load(text)["ordered_applications"])


def make(lab: Lab, machine_factory: MachineFactory, folder: Path, **roles: str) -> LabSite:
    """Machines with the stand-ins on them."""
    made = {machine_factory(name): (role,) for name, role in roles.items()}
    for machine in made:
        install(machine)
    return LabSite(lab, folder, made)


def nodes(machine: Machine) -> set[str]:
    """Whom the cluster knows."""
    return set(machine.exec(["microk8s", "kubectl", "get", "nodes", "-o", "name"]).stdout.split())


def test_three_masters_and_a_worker_become_a_cluster(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """Joined one by one with tokens of their own; an expired one is replaced; again: no change."""
    site = make(
        lab, machine_factory, tmp_path, m1="master", m2="master", m3="master", w1="worker",
        lb1="load-balancer",
    )  # fmt: skip
    m1, m2, m3, w1, lb1 = site.roles
    site.settings = {"api_name": "k8s.test.example", "registry_mirror": "http://10.1.1.1:5000"}
    order(m1, expired_token=1)
    order(m2, too_early=1)
    first = site.play("1.microk8s_setup.yml", timeout=500)
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
    assert all("--token-ttl 300" in call for call in joins)
    assert "microk8s join --worker" in calls(w1)
    assert "microk8s join" in calls(m2)

    certificate = m1.exec(
        ["openssl", "x509", "-in", "/var/snap/microk8s/current/certs/server.crt", "-noout", "-text"]
    ).stdout
    assert certificate.count("DNS:k8s.test.example") == 1
    assert f"IP Address:{lb1.address}" in certificate
    seen = m1.exec(["cat", "/var/snap/microk8s/common/stand-in/launch-configuration-seen"]).stdout
    assert "registry.k8s.io" in seen  # it was there before the snap
    for machine in (m1, m2, m3, w1):
        assert "held" in machine.exec(["snap", "list", "microk8s"]).stdout
        assert "api.snapcraft.io" not in machine.exec(["cat", "/etc/hosts"]).stdout
    for machine in (m1, m2, m3):
        node = json.loads(
            m1.exec(["microk8s", "kubectl", "get", "node", machine.name, "-o", "json"]).stdout
        )
        assert node["spec"]["taints"][0]["effect"] == "NoSchedule"

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

    again = site.play("1.microk8s_setup.yml", timeout=500)
    assert again.status == 0, again.output
    assert set(again.changed.values()) == {0}, again.output


def test_a_node_that_is_half_in_is_told_with_the_remedy(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """It died between the two sides: it is not joined again, and the remedy really mends it."""
    site = make(lab, machine_factory, tmp_path, m1="master", m2="master")
    m1, m2 = site.roles
    order(m2, die_in_join=1)
    assert site.play("1.microk8s_setup.yml").status != 0
    halfway = site.play("1.microk8s_setup.yml", "--extra-vars", '{"half_in_tries": 1}')
    assert halfway.status != 0
    assert "m2 is half in the cluster" in halfway.flat
    assert f"sudo microk8s remove-node {m2.address} --force" in halfway.flat
    m2.exec(["snap", "remove", "--purge", "microk8s"])
    # Without the second half of the remedy the master itself refuses, with the remedy again.
    refused = site.play("1.microk8s_setup.yml")
    assert refused.status != 0
    assert "m2 is half in the cluster" in refused.flat
    m1.exec(["microk8s", "remove-node", m2.address, "--force"], check=False)
    mended = site.play("1.microk8s_setup.yml")
    assert mended.status == 0, mended.output
    assert nodes(m1) == {"node/m1", "node/m2"}


def test_another_channel_is_refused_and_left_as_it_is(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """Kubernetes is not raised on the way."""
    site = make(lab, machine_factory, tmp_path, m1="master")
    (m1,) = site.roles
    m1.exec(["snap", "install", "microk8s", "--classic", "--channel=1.29/stable"])
    played = site.play("1.microk8s_setup.yml")
    assert played.status != 0
    assert "from the channel 1.29/stable, and 1.31/stable is wanted" in played.flat
    assert "1.29/stable" in m1.exec(["snap", "list", "microk8s"]).stdout


REPOSITORY = """\
apt-get update -qq
apt-get install -qq -y --no-install-recommends git >/dev/null 2>&1
mkdir -p /srv && cd /srv
git init -q --bare -b main site.git
git clone -q site.git work 2>/dev/null
cd work
git -c user.name=x -c user.email=x@x.example commit -q --allow-empty -m x
git push -q origin HEAD:main
cd ../site.git && git update-server-info
systemd-run --quiet --unit=web -p WorkingDirectory=/srv python3 -m http.server 8000
"""


def test_argo_cd_the_applications_and_the_hub_s_secret(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """In order, each waited for; why one is not healthy; secrets over standard input only."""
    site = make(lab, machine_factory, tmp_path, m1="master")
    (m1,) = site.roles
    m1.write_file("/root/install.yaml", "apiVersion: v1\n")
    m1.script(REPOSITORY, timeout=200)
    site.settings = {
        "argocd_manifest": "/root/install.yaml",
        "git_url": f"http://{m1.address}:8000/site.git",
        "git_user": "robot",
        "applications_left_out": ", ".join(name for name in ordered() if name not in KEPT),
    }
    assert site.play("1.microk8s_setup.yml").status == 0

    site.settings["git_revision"] = "no-such-branch"
    refused = site.play("2.argocd_setup.yml", secrets=SECRETS)
    assert refused.status != 0
    assert "answers and has no branch or tag no-such-branch" in refused.flat
    site.settings["git_revision"] = "main"
    assert "is missing" in site.play("2.argocd_setup.yml").flat
    whole = site.play("2.argocd_setup.yml", secrets=SECRETS)
    assert whole.status == 0, whole.output
    assert set(site.play("2.argocd_setup.yml", secrets=SECRETS).changed.values()) == {0}

    # By SSH with a key: told to Argo CD with the server's host key, and nowhere on a disk.
    by_password = dict(site.settings)
    m1.exec(["chown", "-R", "ubuntu", "/srv/site.git"])
    site.settings |= {
        "git_url": f"ssh://ubuntu@{m1.address}/srv/site.git",
        "git_by_key": True,
        "git_host_keys": f"{m1.address} {m1.host_key}",
    }
    key = lab.key.read_text()
    keyed = site.play("2.argocd_setup.yml", secrets={"git_ssh_key": key})
    assert keyed.status == 0, keyed.output
    stored = m1.exec(["cat", "/var/snap/microk8s/common/stand-in/objects.json"]).stdout
    secret = json.loads(stored)["Secret/argocd/sitewright-repository"]["data"]
    assert base64.b64decode(secret["sshPrivateKey"]).decode().strip() == key.strip()
    assert set(site.play("2.argocd_setup.yml", secrets={"git_ssh_key": key}).changed.values()) == {
        0
    }
    middle = key.splitlines()[2]
    assert m1.exec(["sh", "-c", SEARCH, "sh", middle], check=False).stdout == ""
    assert middle not in keyed.output
    site.settings["git_host_keys"] = f"{m1.address} ssh-ed25519 {'A' * 68}"
    stranger = site.play("2.argocd_setup.yml", secrets={"git_ssh_key": key})
    assert stranger.status != 0
    assert "cannot be read" in stranger.flat
    site.settings = by_password
    assert site.play("2.argocd_setup.yml", secrets=SECRETS).status == 0

    sick = {
        "storage-app": {
            "health": "Degraded",
            "conditions": [{"message": "chart not found"}],
            "resources": [
                {
                    "kind": "Deployment",
                    "name": "d1",
                    "namespace": "storage",
                    "health": {"status": "Degraded", "message": "no room"},
                }
            ],
        }
    }
    m1.write_file(APPLICATIONS, json.dumps(sick))
    events = [
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"e-{namespace}", "namespace": namespace},
            "type": "Warning",
            "reason": "BackOff",
            "message": message,
            "involvedObject": {"kind": "Pod", "name": "d1-x", "namespace": namespace},
        }
        for namespace, message in (("storage", "Back-off pulling image"), ("other", "of another"))
    ]
    m1.exec(
        ["microk8s", "kubectl", "apply", "-f", "-"],
        stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": events}),
    )
    site.settings["application_minutes"] = "1"
    failed = site.play("5.apps_setup.yml", "--extra-vars", '{"application_poll_seconds": 30}')
    assert failed.status != 0
    assert "storage-app is Synced and Degraded" in failed.flat
    assert "chart not found; Deployment d1 is Degraded: no room" in failed.flat
    assert "Pod d1-x: BackOff: Back-off pulling image" in failed.flat
    assert "of another" not in failed.flat
    assert (
        "certmanager-helm"
        not in m1.exec(["microk8s", "kubectl", "-n", "argocd", "get", "app"]).stdout
    )

    m1.write_file(APPLICATIONS, "{}")
    deployed = site.play("5.apps_setup.yml")
    assert deployed.status == 0, deployed.output
    asked = [call.split()[6] for call in calls(m1) if "get applications.argoproj.io" in call]
    in_order = list(dict.fromkeys(asked))
    assert in_order == list(KEPT)
    assert set(site.play("5.apps_setup.yml").changed.values()) == {0}

    wrong = site.play("hub_secret.yml", secrets={**SECRETS, "vault_token": "wrong-token"})
    assert wrong.status != 0
    assert "permission denied" in wrong.flat
    written = site.play("hub_secret.yml", secrets=SECRETS)
    assert written.status == 0, written.output
    stored = m1.exec(["cat", "/var/lib/stand-in/vault/secret_bank-one/mcmdev_client_secret"]).stdout
    assert stored == SECRETS["mcmdev_client_secret"]
    assert set(site.play("hub_secret.yml", secrets=SECRETS).changed.values()) == {0}

    # Taking it back is refused while there is anything of value, and then takes all of it.
    assert "Argo CD has deployed" in site.play("undo/argocd.yml").flat
    m1.exec(["microk8s", "kubectl", "-n", "argocd", "delete", "app", "--all"])
    for playbook in ("undo/argocd.yml", "undo/checklist.yml", "undo/microk8s.yml"):
        undone = site.play(playbook)
        assert undone.status == 0, undone.output
        if playbook == "undo/argocd.yml":
            left = m1.exec(["microk8s", "kubectl", "get", "ns", "-o", "name"]).stdout
            assert "argocd" not in left
            assert set(site.play(playbook).changed.values()) == {0}
    assert m1.exec(["sh", "-c", "command -v microk8s; ls /var/snap"], check=False).stdout == ""

    for secret in (SECRETS["git_password"], SECRETS["mcmdev_client_secret"]):
        found = m1.exec(
            ["sh", "-c", SEARCH, "sh", secret],
            check=False,
        )  # fmt: skip
        assert found.stdout == ""
        for played in (whole, deployed, written, wrong):
            assert secret not in played.output


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
        lab, machine_factory, tmp_path, m1="master", s1="storage", s2="storage", s3="storage"
    )
    m1, *servers = site.roles
    site.settings = {"ceph_disks": "/dev/lab-disk"}
    for server in servers:
        disks.append(server)
        server.script(
            "truncate -s 64M /root/disk; ln -s $(losetup -f --show /root/disk) /dev/lab-disk"
        )
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


def test_machines_are_prepared_and_tuned(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """Names, a real time server, modules and parameters; the second run changes nothing."""
    site = make(lab, machine_factory, tmp_path, m1="master", w1="worker", s1="storage")
    m1, w1, s1 = site.roles
    s1.write_file("/etc/chrony/conf.d/serve.conf", "allow all\nlocal stratum 5\n")
    s1.exec(["systemctl", "restart", "chrony"])
    clock = machine_factory("clock")
    clock.write_file("/etc/chrony/conf.d/serve.conf", "allow all\nlocal stratum 4\n")
    clock.exec(["systemctl", "restart", "chrony"])
    site.settings = {"ntp_servers": clock.address}
    for playbook in ("host_preparation.yml", "6.system-tuning.yml"):
        first = site.play(playbook)
        assert first.status == 0, first.output
        again = site.play(playbook)
        assert set(again.changed.values()) == {0}, again.output
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
    played = site.play("host_preparation.yml", timeout=200)
    assert played.status != 0
    assert f"cannot reach any of its time servers ({site.settings['ntp_servers']})" in played.flat
