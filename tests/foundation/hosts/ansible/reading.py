"""Inventories that tests have read, or refused, with Ansible's own reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.hosts.ansible.inventory import ReadInventory, read_inventory_file
from foundation.problems import InputProblem
from tests.foundation.ansible_asker import Asker


def ours(file: Path, asker: Asker) -> ReadInventory:
    """What Sitewright reads."""
    return read_inventory_file(file, ask=asker.ask)


def refused(file: Path, asker: Asker) -> InputProblem:
    """The problem with an inventory."""
    with pytest.raises(InputProblem) as caught:
        ours(file, asker)
    assert caught.value.remedy
    return caught.value


def a_folder(tmp_path: Path) -> Path:
    """An inventory folder as Kubernetes playbooks keep it."""
    folder = tmp_path / "mycluster"
    for name, text in {
        "hosts.ini": "[worker]\nw1 ansible_host=127.0.0.1\nw2\n",
        "group_vars/all/all.yml": "ansible_user: everybody\nproxy: '{{ x }}'\n",
        "group_vars/all/vault.yml": "$ANSIBLE_VAULT;1.1;AES256\n6161\n",
        "group_vars/worker.yml": "ansible_port: 22022\n",
        "host_vars/w2.yml": "ansible_user: two\nansible_host: 127.0.0.2\n",
        "host_vars/nobody.yml": "ansible_user: ghost\n",
        "group_vars/README.md": "not yaml: [",
        ".hidden": "x y z",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder
