"""The installation on lab machines by the command: gate, run, repeat, undo, and what it leaves.

MicroK8s and Argo CD need the snap store and registries, so their steps are skipped by name here;
the firewall and HAProxy are real.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from installer.journal_lines import verify
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.recipe import UBUNTU_24_04

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

ROOT = Path(__file__).parent.parent.parent
AREAS = (
    "machine cpu memory disk nic software kernel limits os role host unique consistency time"
    " network firewall"
)
SKIPS = {
    "prepare/host-preparation": "the machines of the lab cannot set their clocks",
    "microk8s/microk8s": "no snap store",
    "microk8s/nodes-ready": "no snap store",
    "argocd/argocd": "no cluster",
}


def sitewright(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "installer", *(str(word) for word in arguments)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_gate_install_repeat_and_undo(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """Not before preflight allows it; then done, found done again, and taken back."""
    machines = {
        name: machine_factory(name, stand_in=UBUNTU_24_04) for name in ("m1", "w1", "lb1", "lb2")
    }
    roles = {"m1": "master", "w1": "worker", "lb1": "load-balancer", "lb2": "load-balancer"}
    hosts = "".join(
        f"  - {{name: {name}, address: {one.address}, roles: [{roles[name]}]}}\n"
        for name, one in machines.items()
    )
    text = (
        "solution: pm4ml\nenvironment: production\n"
        f"ssh: {{user: ubuntu, identity_files: [{lab.key}], known_hosts: {lab.known_hosts}}}\n"
        f"hosts:\n{hosts}settings:\n  domain: pm4ml.example.org\n  pm4ml_id: bank-one\n"
        f"  private_network: {lab.subnet}\n"
        "  ceph: false\n  applications: false\n  internal_ingress: false\n"
    )
    site = tmp_path / "site.yaml"
    site.write_text(text)
    begin = ("install", "--site", site, "--yes", "--by", "A. Tester", "--until", "haproxy")

    refused = sitewright(*begin)
    assert refused.returncode == 3, refused.stderr
    assert "not begun; nothing was changed" in refused.stderr

    waivers = "".join(
        f"  - {{check: '{area}.*', by: A. Tester, reason: the lab, until: 2099-01-01}}\n"
        for area in AREAS.split()
    )
    site.write_text(f"{text}waivers:\n{waivers}")
    skips = [word for place, why in SKIPS.items() for word in ("--skip", f"{place}={why}")]
    done = sitewright(*begin, *skips)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    for name in ("lb1", "lb2"):
        assert machines[name].exec(["systemctl", "is-active", "haproxy"]).stdout.strip() == "active"
    rules = machines["w1"].exec(["nft", "list", "ruleset"]).stdout
    assert "sitewright" in rules

    told = json.loads(sitewright("status", "--site", site, "--format", "json").stdout)
    assert told[0]["holder"] is None
    verify(Path(told[0]["folder"]) / "events.jsonl")

    again = sitewright(*begin, *skips)
    assert again.returncode == 0, again.stderr
    assert "3.haproxy_setup.yml ran on 4 machines and changed 0 things." in again.stdout

    undone = sitewright("undo", "haproxy", "--site", site, "--by", "A. Tester", "--reason", "test")
    assert undone.returncode == 0, undone.stdout[-2000:] + undone.stderr
    state = machines["lb1"].exec(["systemctl", "is-active", "haproxy"], check=False).stdout.strip()
    assert state != "active"
