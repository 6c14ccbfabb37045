"""A PM4ML site made of lab machines, and its playbooks run against it with ansible-playbook."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from installer.catalogue.settings import answers, load_settings
from installer.catalogue.solution import load_solution
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine
from tests.lab.recipe import FULL, Recipe
from tests.stand_ins.install import install, recipe_for

SOLUTION = load_solution("pm4ml")
PLAYBOOKS = SOLUTION.folder / "playbooks"

SEARCH = """\
grep -rlF "$1" /etc /root /home /tmp /var/tmp /var/log 2>/dev/null
journalctl --output=cat | grep -F "$1"
grep -F "$1" /var/lib/stand-in/calls
"""
"""A script that shows where on a machine a text stands that must be nowhere; $1 is the text."""

_RECAP = re.compile(r"^(\S+)\s*:\s*ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)")


@dataclass(frozen=True)
class Played:
    """How a playbook ended."""

    status: int
    output: str

    @property
    def changed(self) -> dict[str, int]:
        """How many tasks changed something, by machine."""
        found = (_RECAP.match(line) for line in self.output.splitlines())
        return {match[1]: int(match[3]) for match in found if match}

    @property
    def flat(self) -> str:
        """The output with its line breaks and quoting taken away, to look for sentences in."""
        return " ".join(self.output.replace("\\n", " ").split())


@dataclass
class LabSite:
    """Machines with roles, and the settings of their site."""

    lab: Lab
    folder: Path
    roles: Mapping[Machine, tuple[str, ...]]
    settings: dict[str, str | int | bool] = field(default_factory=dict)

    @property
    def private_network(self) -> str:
        """The half of the lab's network in which machines get their addresses."""
        return str(next(self.lab.subnet.subnets(1)))

    @property
    def public_network(self) -> str:
        """The third quarter of it, for the load balancers' public addresses."""
        return str(list(self.lab.subnet.subnets(2))[2])

    def public_address(self, number: int) -> str:
        """An address of the public network."""
        return str(list(self.lab.subnet.subnets(2))[2].network_address + number)

    def variables(self) -> dict[str, object]:
        """Every setting with its value, as the playbooks get them from a plan."""
        given = {
            "domain": "pm4ml.test.example",
            "pm4ml_id": "bank-one",
            "private_network": self.private_network,
            "public_network": self.public_network,
            "ceph_disks": "/dev/sdx",
            "git_url": "https://git.test.example/site.git",
            **self.settings,
        }
        values = answers(load_settings(SOLUTION), given).values
        # Texts, as the plan has them: a playbook must understand "no" as well as false.
        return {
            name: ("yes" if value else "no") if isinstance(value, bool) else str(value)
            for name, value in values.items()
        }

    def inventory(self, extra: Mapping[str, object] | None = None) -> Path:
        """Write the inventory and return its path."""
        common = (
            f"-F none -o UserKnownHostsFile={self.lab.known_hosts} -o GlobalKnownHostsFile=none "
            "-o StrictHostKeyChecking=yes -o IdentitiesOnly=yes -o ControlMaster=auto "
            f"-o ControlPersist=30s -o ControlPath={self.lab.folder}/%C"
        )
        groups: dict[str, dict[str, object]] = {}
        for machine, roles in self.roles.items():
            for role in roles:
                groups.setdefault(role.replace("-", "_"), {})[machine.name] = {}
        document = {
            "all": {
                "hosts": {
                    machine.name: {"ansible_host": machine.address} for machine in self.roles
                },
                "vars": {
                    **self.variables(),
                    "environment_name": "production",
                    "ansible_user": "ubuntu",
                    "ansible_ssh_private_key_file": str(self.lab.key),
                    "ansible_ssh_args": common,
                    **(extra or {}),
                },
                "children": {name: {"hosts": hosts} for name, hosts in groups.items()},
            }
        }
        path = self.folder / "inventory.yaml"
        path.write_text(yaml.safe_dump(document))
        return path

    def play(
        self,
        playbook: str,
        *options: str,
        secrets: Mapping[str, str] | None = None,
        timeout: float = 900,
        extra: Mapping[str, object] | None = None,
    ) -> Played:
        """Run a playbook as a person would, from its folder."""
        self._altered()
        arguments: Sequence[str] = ()
        if secrets:
            file = self.folder / "secrets.json"
            file.touch(mode=0o600)
            file.write_text(json.dumps(secrets))
            arguments = ("--extra-vars", f"@{file}")
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("ansible-playbook")),
                *("-i", str(self.inventory(extra)), playbook, *arguments, *options),
            ],
            cwd=PLAYBOOKS,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=timeout,
            env={
                **os.environ,
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_FORCE_COLOR": "0",
                "ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp"),
            },
        )
        return Played(done.returncode, done.stdout)

    def _altered(self) -> None:
        for machine in self.roles:
            machine.altered = True


def make(
    lab: Lab,
    machine_factory: MachineFactory,
    folder: Path,
    *,
    kubernetes: bool = False,
    **roles: str,
) -> LabSite:
    """Machines with the stand-ins on them; `kubernetes`: masters and workers have a real one."""
    by_recipe: dict[Recipe, list[str]] = {}
    for name, role in roles.items():
        by_recipe.setdefault(recipe_for((role,)) if kubernetes else FULL, []).append(name)
    started = [
        machine
        for recipe, names in by_recipe.items()
        for machine in machine_factory.several(*names, recipe=recipe)
    ]
    with ThreadPoolExecutor() as pool:
        list(pool.map(install, started))
    machines = {machine.name: machine for machine in started}
    return LabSite(lab, folder, {machines[name]: (role,) for name, role in roles.items()})
