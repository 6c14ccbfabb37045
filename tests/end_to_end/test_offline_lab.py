"""PM4ML's platform from a bundle, by the command, on machines from which nothing gets out.

SSH, sudo, apt, Ansible and HAProxy are real, the packages are Debian's under the name
of the release that the machines say they are. The snap store was a stand-in when the bundle was
made, `snap` and `microk8s` on the machines are stand-ins (but for its Kubernetes), and Argo CD is
pods that only wait.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.bundles.conftest import Keys, keys
from tests.bundles.offline import debian_line, file_line, make_bundle, push_image
from tests.bundles.places import start_registry
from tests.bundles.snap_store import SnapStoreStandIn, running, usual
from tests.end_to_end.pm4ml_lab_site import WAIVED
from tests.end_to_end.test_install_lab import sitewright
from tests.lab.lab import Lab
from tests.lab.leaving import count_what_leaves, tried_to_leave
from tests.lab.lending import MachineFactory
from tests.lab.recipe import UBUNTU_24_04
from tests.stand_ins import argocd_small
from tests.stand_ins.install import start

__all__ = ["keys"]

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3000)]

STORE = "/var/lib/sitewright/supplies"
ROLES = {"m1": "[master, worker]", "lb1": "[load-balancer]"}
SKIP = "prepare/host-preparation=the machines of the lab cannot set their clocks"


def made(folder: Path, keys: Keys) -> Path:
    """The bundle, as the side with the internet makes it."""
    registry = start_registry(folder / "registry")
    manifest = argocd_small.manifest().encode()
    try:
        push_image(registry, folder / "layout", "a page")
        with running(SnapStoreStandIn(*usual())) as store:
            return make_bundle(
                folder / "site.bundle", registry, keys.key, "pm4ml", store.address,
                snaps=[{"name": "microk8s", "channel": "1.31/stable"}],
                debs=[debian_line("haproxy", "curl", "python3-apt", release="noble")],
                images=["docker.io/example/web:1.0"],
                files=[file_line(folder / "f", "argocd-v2.14.20.yaml", manifest)],
            )  # fmt: skip
    finally:
        registry.stop()


def shown(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout[-4000:] + done.stderr[-2000:]


def test_a_site_without_the_internet_is_installed_from_its_bundle(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path, keys: Keys
) -> None:
    """Refused while a byte is wrong; then planned with sizes, delivered, installed, taken back."""
    bundle = made(tmp_path, keys)
    roles = {name: role.strip("[]").split(", ") for name, role in ROLES.items()}
    machines = start(machine_factory, roles, stand_in=UBUNTU_24_04)
    for machine in machines.values():
        count_what_leaves(machine, lab)
    hosts = "".join(
        f"  - {{name: {name}, address: {machine.address}, roles: {ROLES[name]}}}\n"
        for name, machine in machines.items()
    )
    waivers = "".join(
        f"  - {{check: '{area}.*', by: A. Tester, reason: the lab, until: 2099-01-01}}\n"
        for area in WAIVED
    )
    site = tmp_path / "site.yaml"
    site.write_text(
        "solution: pm4ml\nenvironment: production\n"
        f"ssh: {{user: ubuntu, identity_files: [{lab.key}], known_hosts: {lab.known_hosts}}}\n"
        f"hosts:\n{hosts}settings:\n  domain: pm4ml.example.org\n  pm4ml_id: bank-one\n"
        f"  private_network: {lab.subnet}\n"
        "  ceph: false\n  applications: false\n  internal_ingress: false\n  host_firewall: false\n"
        f"supplies: {{bundle: ./site.bundle, keys: {keys.allowed}}}\nwaivers:\n{waivers}"
    )
    planned = sitewright("plan", "--site", site)
    assert planned.returncode == 0, shown(planned)
    words = " ".join(planned.stdout.split())
    assert "[deliver] on m1, lb1" in words
    assert " MB to each machine that lacks them" in words
    begin = ("install", "--site", site, "--yes", "--by", "A. Tester", "--until", "haproxy",
             "--skip", SKIP)  # fmt: skip

    largest = max((bundle / "blobs/sha256").iterdir(), key=lambda file: file.stat().st_size)
    whole = largest.read_bytes()
    largest.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refused = sitewright(*begin)
    assert (refused.returncode, "damaged" in refused.stderr) == (6, True), shown(refused)
    assert machines["m1"].exec(["ls", STORE], check=False).returncode != 0
    largest.write_bytes(whole)

    done = sitewright(*begin)
    assert done.returncode == 0, shown(done)
    assert "signed by maker@example.org" in done.stderr
    lb1, m1 = machines["lb1"], machines["m1"]
    assert lb1.exec(["systemctl", "is-active", "haproxy"]).stdout.strip() == "active"
    assert f"file:{STORE}/apt" in lb1.script("apt-cache policy haproxy")
    assert "microk8s" in m1.script("snap list microk8s")
    calls = m1.script("cat /var/lib/stand-in/calls")
    assert f"snap ack {STORE}/snaps/microk8s_7394.assert" in calls
    assert len(m1.script("ls /var/snap/microk8s/common/sideload/*.tar").split()) == 1
    for name, machine in machines.items():
        assert (name, tried_to_leave(machine)) == (name, {})

    undone = sitewright("undo", "supplies", "--site", site, "--by", "A. Tester", "--reason", "test")
    assert undone.returncode == 0, shown(undone)
    assert lb1.script(f"find {STORE} -type f ! -name lock ! -name bundles.json") == ""
    assert lb1.script("find /etc/apt -name '*sitewright*' -type f") == ""
    status = sitewright("status", "--site", site, "--format", "json")
    assert json.loads(status.stdout)[0]["holder"] is None
