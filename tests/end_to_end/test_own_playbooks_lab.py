"""A customer's own repository of playbooks, driven by the command with real Ansible.

Its shape is that of the repositories in the field: [cluster] with role=, [haproxy] with addresses
of its own, group_vars beside the playbooks, roles of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.pm4ml_lab_site import WAIVED
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.recipe import UBUNTU_24_04

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parent.parent.parent
FILES = {
    "group_vars/all.yml": 'git_branch: "main"\nsite_name: from their group_vars\n',
    "6.system-tuning.yml": """\
- hosts: cluster
  become: true
  gather_facts: false
  tasks:
    - copy:
        dest: /etc/theirs
        content: "{{ role | default('both') }}, {{ site_name }}, {{ groups['haproxy'] | first }}"
- hosts: haproxy
  become: true
  gather_facts: false
  roles: [front]
""",
    "roles/front/tasks/main.yml": """\
- template: {src: front.j2, dest: /etc/theirs}
""",
    "roles/front/templates/front.j2": "{{ ext_haproxy_ip }} {{ int_haproxy_ip }}",
    "2.argocd_setup.yml": "- hosts: bastion\n  tasks: []\n",
    "1.microk8s_setup.yml": "- hosts: cluster\n",
    "3.haproxy_setup.yml": "- hosts: haproxy\n",
    "4.ceph.yml": "- hosts: ceph\n",
    "5.apps_setup.yml": "- hosts: cluster[0]\n",
}

BEFORE = (
    *("prepare/host-preparation", "firewall/host-firewall", "microk8s/microk8s"),
    *("microk8s/nodes-ready", "argocd/argocd", "haproxy/haproxy", "haproxy/haproxy-active"),
)
"""Steps that come before the one that is shown."""


def test_it_is_driven_with_the_names_that_it_knows(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """Groups, variables, group_vars and roles are found; a playbook for nobody is told."""
    folder = tmp_path / "playbooks"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    roles = {"m1": "master", "both": "master, worker", "lb1": "load-balancer"}
    started = machine_factory.several(*roles, stand_in=UBUNTU_24_04)
    machines = dict(zip(roles, started, strict=True))
    hosts = "".join(
        f"  - {{name: {name}, address: {machines[name].address}, roles: [{role}]"
        + (
            ", variables: {ext_haproxy_ip: 192.0.2.7, int_haproxy_ip: 10.0.0.7}"
            if name == "lb1"
            else ""
        )
        + "}\n"
        for name, role in roles.items()
    )
    waivers = "".join(
        f"  - {{check: '{area}.*', by: A. Tester, reason: the lab, until: 2099-01-01}}\n"
        for area in WAIVED
    )
    site = tmp_path / "site.yaml"
    site.write_text(
        "solution: pm4ml\nenvironment: staging\nplaybooks: playbooks\n"
        f"ssh: {{user: ubuntu, identity_files: [{lab.key}], known_hosts: {lab.known_hosts}}}\n"
        f"hosts:\n{hosts}settings:\n  domain: pm4ml.bank.test\n  pm4ml_id: bank-one\n"
        f"  private_network: {lab.subnet}\n  ceph: false\n  applications: false\n"
        f"  internal_ingress: false\nwaivers:\n{waivers}"
    )

    def install(stage: str) -> subprocess.CompletedProcess[str]:
        words = ["install", "--site", str(site), "--yes", "--by", "A. Tester", "--until", stage]
        for place in BEFORE:
            if not place.startswith(stage):
                words += ["--skip", f"{place}=not theirs to show"]
        return subprocess.run(
            [sys.executable, "-m", "installer", *words],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )

    done = install("system-tuning")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    theirs = {name: one.exec(["cat", "/etc/theirs"]).stdout for name, one in machines.items()}
    assert theirs == {
        "m1": "master, from their group_vars, lb1",
        "both": "both, from their group_vars, lb1",
        "lb1": "192.0.2.7 10.0.0.7",
    }
    nobody = install("argocd")
    assert nobody.returncode == 5, nobody.stdout[-3000:] + nobody.stderr
    assert "2.argocd_setup.yml works on none of the machines" in nobody.stderr + nobody.stdout
    assert "cluster, haproxy, load_balancer" in nobody.stderr + nobody.stdout
