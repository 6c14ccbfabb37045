"""Lab machines, a folder of playbooks, and plans of one playbook on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from foundation.paths import known_hosts_file, write_private
from installer.plans.plan import Plan
from tests.installer.engine_site import Watch, engine, new_run, plan, step
from tests.lab.lab import Lab
from tests.lab.machine import Machine

CHANGES = """\
- name: Change something
  hosts: load_balancer
  become: true
  gather_facts: false
  tasks:
    - name: A file
      ansible.builtin.copy:
        dest: /etc/sitewright-test
        content: "{{ word }}\\n"
        mode: "0600"
"""


class Site:
    """Some lab machines, a folder of playbooks, and plans of one step."""

    def __init__(self, lab: Lab, machines: Sequence[Machine], folder: Path) -> None:
        self.machines = machines
        self.folder = folder
        self.inventory = Inventory(
            hosts=tuple(
                Host(m.name, m.address, user="ubuntu", identity_files=(lab.key,)) for m in machines
            ),
            known_hosts=(lab.known_hosts,),
            use_ssh_config=False,
        )
        write_private(known_hosts_file(), lab.known_hosts.read_text())

    def plan(self, playbook: str, **spec: Any) -> Plan:
        """A plan of one playbook on all machines."""
        (self.folder / "test.yml").write_text(playbook)
        names = [machine.name for machine in self.machines]
        one = step("play", *names, kind="playbook", playbook="test.yml", **spec)
        made = plan(one, playbooks=str(self.folder))
        return replace(made, hosts=tuple((name, ("load-balancer",)) for name in names))

    async def run(self, made: Plan, watch: Watch, **more: Any) -> str:
        """Run it; the outcome of the step."""
        async with Pool(self.inventory) as pool:
            built = engine(made, new_run(made), pool=pool, watch=watch, **more)
            await built.run()
        [(_, _, outcome)] = watch.outcomes()
        return outcome
