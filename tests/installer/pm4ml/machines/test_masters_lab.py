"""Masters of a real Kubernetes are taken out by `sitewright machine`, as a user would.

API, kubelets, scheduler, etcd with its members, HAProxy, SSH and Ansible are real; MicroK8s around
them is a stand-in (tests/stand_ins/microk8s, which says what it hides: who votes, above all).
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from foundation.problems import ExitCode
from installer import cli
from installer.commands.machine import removal_plan
from installer.sites.site import SiteHost, Ssh, dump_site, load_site
from tests.end_to_end.pm4ml_lab_site import WAIVED
from tests.foundation.processes import PATIENCE
from tests.installer.planning.test_planning import site as planned_site
from tests.installer.pm4ml.machines.removals import ran, whole
from tests.installer.pm4ml_site import LabSite, make
from tests.lab.host import wait_until
from tests.lab.kubernetes import images
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine
from tests.stand_ins.install import calls

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

ARGUMENTS = "/var/snap/microk8s/current/args/kube-apiserver"


@dataclass
class Asked:
    """What the API said to somebody who asked on and on, through the load balancer."""

    statuses: list[int] = field(default_factory=list)
    failed: int = 0
    longest: float = 0.0
    """The longest time in seconds between two answers."""


@contextmanager
def asking(address: str, certificate: Path) -> Iterator[Asked]:
    """Ask for a node that is there, ten times a second; an empty database would not know it.

    It goes on until there was an answer behind the end of the block.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(certificate)
    asked, end = Asked(), threading.Event()

    def answered() -> bool:
        connection = http.client.HTTPSConnection(address, 16443, timeout=20, context=context)
        try:
            connection.request("GET", "/api/v1/nodes/w1")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        asked.statuses.append(status)
        # The database chooses another leader: who asks meanwhile is told to ask again.
        return status < 500

    def go_on() -> None:
        last = time.monotonic()
        while asked.longest < PATIENCE:
            over, well = end.wait(0.1), answered()
            asked.failed += not well
            asked.longest = max(asked.longest, time.monotonic() - last)
            if well:
                last = time.monotonic()
                if over:
                    return

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield asked
    finally:
        end.set()
        thread.join()


@dataclass
class Site:
    """The machines, and the site file that names them."""

    lab: LabSite
    file: Path
    m4: Machine
    """A master that is in no cluster yet."""

    def named(self, *names: str) -> dict[str, Machine]:
        machines = {machine.name: machine for machine in self.lab.roles}
        return {name: machines[name] for name in names}

    def write(self, *left_out: str) -> None:
        """Write the site file, without some of the machines."""
        hosts = tuple(
            SiteHost(name=one.name, address=str(one.address), user="ubuntu", roles=roles)
            for one, roles in self.lab.roles.items()
            if one.name not in left_out
        )
        lab = self.lab.lab
        ssh = Ssh(identity_files=(str(lab.key),), known_hosts=(str(lab.known_hosts),), config=False)
        settings = {
            **self.lab.settings, "private_network": self.lab.private_network,
            "host_firewall": "no", "wireguard": "no", "ceph": "no", "applications": "no",
        }  # fmt: skip
        made = planned_site(**{name: str(value) for name, value in settings.items()})
        made = made.model_copy(update={"hosts": hosts, "ssh": ssh})
        waivers = "".join(
            f"  - {{check: '{area}.*', by: A. Tester, reason: the lab, until: 2099-01-01}}\n"
            for area in WAIVED
        )
        self.file.write_text(dump_site(made) + f"waivers:\n{waivers}")

    def machine(self, *words: str) -> int:
        return cli.main(
            ["machine", *words, "--site", str(self.file), "--by", "Ma Ma", "--yes"]
        )  # fmt: skip


def kubectl(machine: Machine, *words: str) -> dict[str, Any]:
    told = machine.exec(["microk8s", "kubectl", "get", *words, "-o", "json"]).stdout
    read: dict[str, Any] = json.loads(told)
    return read


def nodes(machine: Machine) -> set[str]:
    return {one["metadata"]["name"] for one in kubectl(machine, "nodes")["items"]}


def ready(machine: Machine, node: str) -> str:
    conditions = kubectl(machine, "node", node)["status"]["conditions"]
    return str(next(one["status"] for one in conditions if one["type"] == "Ready"))


def dead_for(machine: Machine, node: str, minutes: int) -> None:
    """Have the API say that a node is not Ready for so long: nobody waits for that here."""
    then = (datetime.now(UTC) - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    conditions = kubectl(machine, "node", node)["status"]["conditions"]
    of_old = [{**one, "lastTransitionTime": then} for one in conditions if one["type"] == "Ready"]
    patch = {"status": {"conditions": of_old}}
    machine.exec(
        ["microk8s", "kubectl", "patch", "node", node, "--subresource=status", "--type=strategic",
         "--patch", json.dumps(patch)]
    )  # fmt: skip


def of_shop(machine: Machine) -> set[tuple[str, int]]:
    """The pods of the shop that run, and how often each was begun again."""
    return {
        (pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"])
        for pod in kubectl(machine, "pods", "-l", "app=shop")["items"]
        if pod["status"]["phase"] == "Running"
    }


SHOP = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"},
    "spec": {
        "replicas": 2, "selector": {"matchLabels": {"app": "shop"}},
        "template": {
            "metadata": {"labels": {"app": "shop"}},
            "spec": {"containers": [
                {"name": "pod", "image": images.POD, "imagePullPolicy": "Never",
                 "args": ["serve", ":8080"]}]},
        },
    },
}  # fmt: skip


@pytest.fixture
def site(lab: Lab, machine_factory: MachineFactory, tmp_path: Path) -> Site:
    """Three masters and a worker in one cluster, with a load balancer before the API."""
    made = make(
        lab, machine_factory, tmp_path, kubernetes=True, m1="master", m2="master", m3="master",
        w1="worker", lb1="load-balancer", m4="master",
    )  # fmt: skip
    m4 = next(machine for machine in made.roles if machine.name == "m4")
    made.roles = {machine: roles for machine, roles in made.roles.items() if machine is not m4}
    made.settings = {
        "api_load_balanced": "yes",
        "internal_ingress": "no",
        "public_network": made.private_network,
    }
    for playbook in ("1.microk8s_setup.yml", "3.haproxy_setup.yml"):
        played = made.play(playbook)
        assert played.status == 0, played.output
    return Site(made, tmp_path / "site.yaml", m4)


BEFORE = ("prepare/host-preparation",)


def test_a_dead_master_is_replaced_and_the_first_one_taken_out(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_name = site.named("m1", "m2", "m3", "w1", "lb1")
    m1, m2, m3, w1, lb1 = by_name.values()
    m1.exec(["microk8s", "kubectl", "apply", "-f", "-"], stdin=json.dumps(SHOP))
    wait_until(lambda: len(of_shop(m2)) == 2, "the shop", seconds=300)
    shop = of_shop(m2)
    certificate = tmp_path / "client.pem"
    certificate.touch(mode=0o600)
    certs = "/var/snap/microk8s/current/certs"
    certificate.write_text(m1.exec(["cat", f"{certs}/client.crt", f"{certs}/client.key"]).stdout)
    site.write()

    def said() -> str:
        told = capsys.readouterr()
        return " ".join((told.out + told.err).split())

    # The record has the site as it was installed.
    recorded = load_site(site.file)
    ran(recorded, whole(removal_plan(site.file, "m1")[2]))

    # With a member away nobody leaves.
    m3.kill()
    assert site.machine("remove", "m1") == ExitCode.STAGE_FAILED
    assert f"the database does not answer at {m3.address}:19001" in said()

    # What lives is not given up, nor what is dead for a moment only. The site file names the new
    # one in the place of the dead one.
    site.lab.roles = {**site.lab.roles, site.m4: ("master",)}
    site.write("m2")
    assert site.machine("replace", "m2", "--with", "m4", "--no-egress") == ExitCode.REFUSED
    assert "m2 answers to SSH, and lives" in said()
    site.lab.roles = {one: roles for one, roles in site.lab.roles.items() if one is not m3}
    site.write()
    skipped = [word for one in BEFORE for word in ("--skip", f"{one}=the lab has no time servers")]
    replace = ("replace", "m3", "--with", "m4", "--no-egress", "--until", "microk8s", *skipped)
    not_ready = lambda: ready(m1, "m3") != "True"  # noqa: E731 - a condition to wait for
    wait_until(not_ready, "m3 to be seen as dead", seconds=300)
    # Not five minutes ago, as it might be on a busy machine when it is looked at.
    dead_for(m1, "m3", 0)
    assert site.machine(*replace) == ExitCode.STAGE_FAILED
    assert "m3 is not Ready for" in said()
    dead_for(m1, "m3", 10)
    assert site.machine(*replace) == ExitCode.STAGE_FAILED  # nobody agreed
    assert "Below 3 one alone has a copy" in said()
    assert nodes(m1) == {"m1", "m2", "m3", "w1"}
    assert site.machine(*replace, "--confirm", "replace-node/agreed") == ExitCode.DONE, said()
    m4 = site.m4
    assert nodes(m1) == nodes(m4) == {"m1", "m2", "m4", "w1"}
    shown = m1.exec(["microk8s", "status"]).stdout
    assert "high-availability: yes" in shown
    assert str(m3.address) not in shown
    said()
    assert site.machine(*replace) == ExitCode.USAGE
    assert "neither the site file nor the record" in said()

    # That one copy of the database stays is a word by name.
    assert site.machine("remove", "m1") == ExitCode.STAGE_FAILED  # nobody agreed
    assert "Below 3 one alone has a copy" in said()

    agreed = ("--confirm", "remove-master/agreed", "--confirm", "remove-master/last-word")
    with asking(str(lb1.address), certificate) as asked:
        begun = time.monotonic()
        assert site.machine("remove", "m1", *agreed) == ExitCode.DONE
        took = time.monotonic() - begun
    told = said()
    assert "m1 is out" in told
    assert "sudo microk8s start" in told
    # Nobody was told by an empty database that there is no such node.
    assert {status for status in asked.statuses if status < 500} == {200}
    # How many fail meanwhile is the machine's business; that nobody asks in vain for long, ours.
    print(f"{took:.0f} s; {len(asked.statuses)} requests answered, {asked.failed} failed")
    assert asked.longest < PATIENCE, asked.longest
    assert nodes(m2) == nodes(m4) == {"m2", "m4", "w1"}
    assert of_shop(m2) == shop
    members = m2.exec(["microk8s", "status"]).stdout
    assert str(m1.address) not in members
    masters = w1.exec(["cat", "/var/snap/microk8s/current/args/traefik/provider.yaml"]).stdout
    assert str(m1.address) not in masters
    configured = lb1.exec(["cat", "/etc/haproxy/haproxy.cfg"]).stdout
    assert f"{m1.address}:16443" not in configured
    assert f"{m2.address}:16443" in configured
    assert m1.exec(["test", "-e", "/etc/sitewright/first-master"], check=False).returncode != 0
    assert "microk8s stop" in calls(m1)
    assert "bind-address" not in m1.exec(["cat", ARGUMENTS]).stdout

    # It joins again by the ordinary playbook, once it was started, and another one is the first.
    m1.exec(["microk8s", "start"])
    joined = site.lab.play("1.microk8s_setup.yml")
    assert joined.status == 0, joined.output
    assert nodes(m1) == {"m1", "m2", "m4", "w1"}
    assert m1.exec(["test", "-e", "/etc/sitewright/first-master"], check=False).returncode != 0
