"""The second day of a cluster that stays, by the commands that a user gives.

Kubernetes, its certificates and the restarts are real; `microk8s` and `snap` are the stand-ins of
tests/stand_ins, and etcd stands in for dqlite. The newer Kubernetes of an upgrade is the same
program, which calls itself v1.32.14 and serves what that version serves; that snapd copies the data
of a revision, that two versions share one dqlite, and Calico are not to be seen here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from foundation.problems import ExitCode
from installer import cli
from tests.installer.pm4ml_site import LabSite, make
from tests.lab.firmware import restarting
from tests.lab.host import wait_until
from tests.lab.kubernetes import images
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine
from tests.lab.site import site_text
from tests.stand_ins.install import order

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
BACKEND = "/var/snap/microk8s/current/var/kubernetes/backend"
DQLITE = (
    f"/snap/microk8s/current/bin/dqlite -s file://{BACKEND}/cluster.yaml"
    f" -c {BACKEND}/cluster.crt -k {BACKEND}/cluster.key"
)
CERTS = "/var/snap/microk8s/current/certs"
ROLES = {"m1": "master", "m2": "master", "m3": "master", "w1": "worker"}


@dataclass
class Upkept:
    """A cluster, and the site file that names its machines."""

    site: LabSite
    file: Path
    machines: dict[str, Machine]

    def run(self, *words: str) -> int:
        """What a user types behind `sitewright`."""
        for machine in self.machines.values():
            machine.altered = True
        return cli.main([*words, "--site", str(self.file), "--by", "Ma Ma", "--yes"])

    def read(self, machine: str, file: str) -> str:
        """A file of a machine's certificates."""
        return self.machines[machine].exec(["cat", f"{CERTS}/{file}"]).stdout

    def days(self, machine: str, file: str) -> int:
        """How many days a certificate that lies on a machine has."""
        ends = x509.load_pem_x509_certificate(self.read(machine, file).encode()).not_valid_after_utc
        return (ends - datetime.now(UTC)).days

    def end_in(self, machine: str, file: str, days: float) -> None:
        """Have a certificate end in so many days, signed by the cluster's own authority."""
        old = x509.load_pem_x509_certificate(self.read(machine, file).encode())
        authority = x509.load_pem_x509_certificate(self.read(machine, "ca.crt").encode())
        key = load_pem_private_key(self.read(machine, "ca.key").encode(), None)
        assert isinstance(key, EllipticCurvePrivateKey)
        last = datetime.now(UTC) + timedelta(days=days, hours=1)
        builder = x509.CertificateBuilder().subject_name(old.subject)
        builder = builder.issuer_name(authority.subject).public_key(old.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_after(last)
        builder = builder.not_valid_before(last - timedelta(days=365))
        for one in old.extensions:
            builder = builder.add_extension(one.value, critical=one.critical)
        made = builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()
        self.machines[machine].write_file(f"{CERTS}/{file}", made)
        self.machines[machine].exec(["systemctl", "restart", "snap.microk8s.daemon-kubelite"])

    def findings(self, report: Path) -> dict[tuple[str, str], str]:
        """What preflight says of the certificates: by machine and file, how bad it is."""
        words = ("--site", str(self.file), "--format", "json", "--output", str(report))
        cli.main(["preflight", *words, "--overwrite"])
        return {
            (str(host["name"]), str(one["subject"]).rpartition("/")[2]): str(one["severity"])
            for host in json.loads(report.read_text())["hosts"]
            for one in host["findings"]
            if one["id"] == "certificate.ends"
        }


@pytest.fixture
def upkept(lab: Lab, machine_factory: MachineFactory, tmp_path: Path) -> Upkept:
    site = make(lab, machine_factory, tmp_path, kubernetes=True, **ROLES)
    made = site.play("1.microk8s_setup.yml")
    assert made.status == 0, made.output
    machines = {machine.name: machine for machine in site.roles}
    file = tmp_path / "site.yaml"
    file.write_text(site_text(lab, list(machines.values()), ROLES, "production"))
    return Upkept(site, file, machines)


def test_a_cluster_is_kept_up(
    upkept: Upkept, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    certificates_are_renewed(upkept, capsys, tmp_path)
    machines_are_restarted(upkept, capsys)
    the_cluster_is_raised(upkept, capsys)


def certificates_are_renewed(
    upkept: Upkept, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What ends soon is told, and made anew on one master after another."""
    upkept.end_in("m1", "server.crt", -2)
    upkept.end_in("m2", "front-proxy-client.crt", 20)
    capsys.readouterr()
    found = upkept.findings(tmp_path / "report.json")
    assert found[("m1", "server.crt")] == "fail"
    assert found[("m2", "front-proxy-client.crt")] == "warn"
    assert set(found.values()) == {"fail", "warn", "pass"}
    began = upkept.read("m3", "server.crt")

    # What MicroK8s says of itself is not believed: it made none, and the next master is not begun.
    order(upkept.machines["m1"], no_openssl=1)
    assert upkept.run("renew") == ExitCode.STAGE_FAILED
    assert upkept.days("m2", "front-proxy-client.crt") == 20
    capsys.readouterr()
    assert upkept.run("renew") == ExitCode.DONE
    told = " ".join("".join(capsys.readouterr()).split())
    assert "Goes on with the run" in told
    assert "The server certificate will expire in 364 days." in told

    for machine, file in (("m1", "server.crt"), ("m2", "front-proxy-client.crt")):
        assert upkept.days(machine, file) == 364
    assert upkept.read("m3", "server.crt") == began  # it had most of its year
    asks = ["microk8s", "kubectl", "get", "nodes", "--no-headers"]
    wait_until(
        lambda: upkept.machines["m1"].exec(asks).stdout.count(" Ready ") == len(ROLES), "the nodes"
    )
    assert set(upkept.findings(tmp_path / "report.json").values()) == {"pass"}


def machines_are_restarted(upkept: Upkept, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that wait for it, the worker before the master; and the one that others cordoned."""
    m1, m2, w1 = (upkept.machines[name] for name in ("m1", "m2", "w1"))
    kubectl = ["microk8s", "kubectl"]
    m1.exec([*kubectl, "apply", "-f", "-"], stdin=json.dumps(SHOP))
    m1.exec([*kubectl, "rollout", "status", "deployment/shop", "--timeout=300s"], timeout=400)
    upkept.machines["m3"].exec(["systemctl", "stop", "snap.microk8s.daemon-kubelet"])
    for machine in (m2, w1):
        machine.script("touch /run/reboot-required; echo linux-base > /run/reboot-required.pkgs")
    m1.exec([*kubectl, "cordon", "m2"])

    def since() -> list[str]:
        return [one.script("cut -d' ' -f22 /proc/1/stat") for one in upkept.machines.values()]

    began = since()
    with restarting(list(upkept.machines.values())) as came_up:
        not_ready = [*kubectl, "wait", "--for=condition=Ready=Unknown", "node/m3", "--timeout=300s"]
        m1.exec(not_ready, timeout=400)
        assert upkept.run("reboot", "--confirm", "reboot/agreed") == ExitCode.STAGE_FAILED
        assert came_up == []
        assert "m3 is not Ready" in "".join(capsys.readouterr())
        upkept.machines["m3"].exec(["systemctl", "start", "snap.microk8s.daemon-kubelet"])
        m1.exec([*kubectl, "wait", "--for=condition=Ready", "node/m3", "--timeout=300s"],
                timeout=400)  # fmt: skip
        assert upkept.run("reboot", "--confirm", "reboot/agreed") == ExitCode.DONE
        assert came_up == ["w1", "m2"]
    told = " ".join("".join(capsys.readouterr()).split())
    assert "m2 was cordoned by somebody else, and is left so" in told
    m1_since, m2_since, m3_since, w1_since = began
    assert since()[0] == m1_since
    assert since()[2] == m3_since
    assert (since()[1], since()[3]) != (m2_since, w1_since)
    nodes = json.loads(m1.exec([*kubectl, "get", "nodes", "-o", "json"]).stdout)["items"]
    assert [n["metadata"]["name"] for n in nodes if n["spec"].get("unschedulable")] == ["m2"]
    assert not any("sitewright" in str(n["metadata"]["annotations"]) for n in nodes)
    m1.exec([*kubectl, "uncordon", "m2"])
    assert upkept.run("reboot") == ExitCode.DONE
    assert "No machine of this site waits" in capsys.readouterr().out

    # Of the masters the one that leads the database comes last, whichever it is.
    leader = m1.script(f"{DQLITE} k8s .leader").rpartition(":")[0]
    (name,) = [one.name for one in upkept.machines.values() if one.address == leader]
    asked = ["reboot", "m1", "m2", "m3", "--site", str(upkept.file)]
    assert cli.main(asked) == ExitCode.REFUSED
    plan = [line for line in capsys.readouterr().err.splitlines() if "(reboot-m" in line]
    assert len(plan) == 3
    assert f"(reboot-{name})" in plan[-1]


def the_cluster_is_raised(upkept: Upkept, capsys: pytest.CaptureFixture[str]) -> None:
    """By one minor version: not by two; not while a removed API is asked for; the first alone."""
    m1 = upkept.machines["m1"]
    kubectl = ["microk8s", "kubectl"]
    text = upkept.file.read_text()

    def wanted(channel: str) -> None:
        upkept.file.write_text(
            text.replace("settings:\n", f"settings:\n  microk8s_channel: {channel}\n")
        )

    def told() -> str:
        return " ".join("".join(capsys.readouterr()).split())

    def versions() -> dict[str, str]:
        nodes = json.loads(m1.exec([*kubectl, "get", "nodes", "-o", "json"]).stdout)["items"]
        return {n["metadata"]["name"]: n["status"]["nodeInfo"]["kubeletVersion"] for n in nodes}

    wanted("1.33/stable")
    assert upkept.run("upgrade") == ExitCode.STAGE_FAILED
    assert "m1 runs 1.31, and 1.33 is more than one minor version further: go by 1.32" in told()
    wanted("1.32/stable")
    m1.exec([*kubectl, "get", "--raw", "/apis/flowcontrol.apiserver.k8s.io/v1beta3/flowschemas"])
    assert upkept.run("upgrade", "--anew") == ExitCode.STAGE_FAILED
    said = told()
    assert "flowcontrol.apiserver.k8s.io/v1beta3/flowschemas is asked for here, and 1.32" in said
    assert set(versions().values()) == {"v1.31.14"}
    m1.exec(["systemctl", "restart", "snap.microk8s.daemon-kubelite"])  # it counts anew
    m1.exec(["microk8s", "status", "--wait-ready"])
    asks = [*kubectl, "wait", "--for=condition=Ready", "nodes", "--all", "--timeout=120s"]
    wait_until(lambda: m1.exec(asks, check=False).returncode == 0, "the nodes", seconds=600)

    # The first master alone, though the whole was agreed to; snapd's trouble leaves it held.
    agreed = ("--confirm", "upgrade/agreed")
    order(m1, no_refresh=1)
    assert upkept.run("upgrade", *agreed) == ExitCode.STAGE_FAILED
    assert "has running apps" in told()
    assert upkept.run("upgrade", *agreed) == ExitCode.STAGE_FAILED
    assert versions() == {"m1": "v1.32.14", "m2": "v1.31.14", "m3": "v1.31.14", "w1": "v1.31.14"}
    assert "Accept m1 at its new version" in told()
    assert upkept.run("upgrade", "--confirm", "upgrade-m1/accepted") == ExitCode.DONE
    assert set(versions().values()) == {"v1.32.14"}
    nodes = json.loads(m1.exec([*kubectl, "get", "nodes", "-o", "json"]).stdout)["items"]
    assert not [n for n in nodes if n["spec"].get("unschedulable")]
    for machine in upkept.machines.values():
        assert "held" in machine.exec(["snap", "list", "microk8s"]).stdout
    assert m1.exec([*kubectl, "get", "--raw", "/readyz"]).stdout == "ok"


SHOP = {
    "apiVersion": "v1",
    "kind": "List",
    "items": [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "shop"},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": {"app": "shop"}},
                "template": {
                    "metadata": {"labels": {"app": "shop"}},
                    "spec": {
                        "tolerations": [{"operator": "Exists", "key": CONTROL_PLANE}],
                        "containers": [
                            {
                                "name": "pod",
                                "image": images.POD,
                                "imagePullPolicy": "Never",
                                "args": ["serve", ":8080"],
                            }
                        ],
                    },
                },
            },
        },
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "shop"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "shop"}}},
        },
    ],
}
