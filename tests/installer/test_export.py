"""The inventory for Ansible, read back by Ansible itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.hosts.model import Host
from foundation.problems import InputProblem
from installer.ansible.inventory import export_inventory, ssh_config

HOSTS = (
    Host("m1", "10.0.0.1", user="ubuntu", roles=("master", "worker")),
    Host("lb1", "2001:db8::7", port=2222, roles=("load-balancer",), bastion="ops@10.9.9.9:2200"),
    Host("here", "local", roles=("bastion",)),
)


def as_ansible_reads(text: str, folder: Path) -> dict[str, object]:
    """The inventory as `ansible-inventory --list` tells it."""
    file = folder / "inventory.ini"
    file.write_text(text)
    program = Path(sys.executable).with_name("ansible-inventory")
    done = subprocess.run(
        [str(program), "-i", str(file), "--list"], capture_output=True, text=True, check=True
    )
    assert "WARNING" not in done.stderr
    read: dict[str, object] = json.loads(done.stdout)
    return read


def test_ansible_reads_groups_hosts_and_variables(tmp_path: Path) -> None:
    values = {"domain": "a.example", "version": "1.10", "odd": 'it\'s #1 "x" = [y]', "n": "007"}
    read = as_ansible_reads(
        export_inventory(HOSTS, variables=values, known_hosts=["/etc/k"]), tmp_path
    )
    assert read["load_balancer"] == {"hosts": ["lb1"]}
    assert read["master"] == {"hosts": ["m1"]}
    meta = read["_meta"]
    assert isinstance(meta, dict)
    machine = meta["hostvars"]["lb1"]
    assert machine["ansible_host"] == "2001:db8::7"
    assert machine["ansible_port"] == 2222
    assert machine["ansible_ssh_common_args"] == (
        "-o StrictHostKeyChecking=yes -o UserKnownHostsFile=/etc/k -o ProxyJump=ops@10.9.9.9:2200"
    )
    # Every value stays the text that it was.
    assert {name: machine[name] for name in values} == values
    assert meta["hostvars"]["here"]["ansible_connection"] == "local"


def test_customers_groups_and_variables_of_machines_are_read_too(tmp_path: Path) -> None:
    """Beside the roles; a value with blanks and signs stays the text that it was."""
    variables = {"m1": {"role": "master", "note": "a b #c = 007", "count": "7"}}
    read = as_ansible_reads(
        export_inventory(HOSTS, groups={"cluster": ["m1"]}, host_variables=variables), tmp_path
    )
    assert read["cluster"] == {"hosts": ["m1"]}
    assert read["master"] == {"hosts": ["m1"]}
    meta = read["_meta"]
    assert isinstance(meta, dict)
    assert {n: meta["hostvars"]["m1"][n] for n in ("role", "note", "count")} == variables["m1"]
    for wrong in ("it's", 'say "x"', "a\nb", "back\\slash"):
        with pytest.raises(InputProblem):
            export_inventory(HOSTS, host_variables={"m1": {"note": wrong}})


@pytest.mark.parametrize(
    "host",
    [
        Host("a b", "10.0.0.1"),
        Host("a", "10.0.0.1 ansible_become_password=x"),
        Host("a", "10.0.0.1", user="-oProxyCommand=x"),
        Host("a", "10.0.0.1", bastion="x'y"),
    ],
)
def test_what_ansible_or_ssh_would_misread_is_refused(host: Host) -> None:
    with pytest.raises(InputProblem):
        export_inventory([host])


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_a_value_never_leaves_its_line(value: str) -> None:
    lines = export_inventory([], variables={"x": value}).splitlines()
    assert json.loads(lines[-1].removeprefix("x=")) == value


def test_openssh_reads_the_configuration(tmp_path: Path) -> None:
    """Every machine and its bastion are checked against the one file of keys."""
    file = tmp_path / "ssh_config"
    file.write_text(ssh_config(HOSTS, "/run/k n", identities={"lb1": ["/keys/a b"]}))
    for name in ("2001:db8::7", "10.9.9.9", "10.0.0.1"):
        shown = subprocess.run(
            ["ssh", "-G", "-F", str(file), name], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        assert "stricthostkeychecking true" in shown
        assert any(word.startswith("userknownhostsfile") and "/run/k n" in word for word in shown)
        assert ("proxyjump ops@[10.9.9.9]:2200" in shown) == (name == "2001:db8::7")
        assert any("/keys/a b" in word for word in shown) == (name != "10.0.0.1")
