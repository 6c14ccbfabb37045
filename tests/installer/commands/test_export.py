"""The inventory for Ansible, read back by Ansible itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.hosts.model import Host, Inventory
from foundation.problems import InputProblem
from installer.ansible.command import PlaybookRun, payload
from installer.ansible.inventory import as_data, export_inventory, ssh_config, variable_files
from installer.commands.export import _write
from installer.plans import pinned_playbooks as carried

HOSTS = (
    Host("m1", "10.0.0.1", user="ubuntu", roles=("master", "worker")),
    Host("lb1", "2001:db8::7", port=2222, roles=("load-balancer",), bastion="ops@10.9.9.9:2200"),
    Host("here", "local", roles=("bastion",)),
)


def as_ansible_reads(text: str, files: Mapping[str, str], folder: Path) -> dict[str, object]:
    """The inventory as `ansible-inventory --list` tells it."""
    file = folder / "inventory.ini"
    file.write_text(text)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    program = Path(sys.executable).with_name("ansible-inventory")
    done = subprocess.run(
        [str(program), "-i", str(file), "--list"],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    assert "WARNING" not in done.stderr
    read: dict[str, object] = json.loads(done.stdout)
    return read


def plain(value: object) -> object:
    """The text of a value that Ansible marks as data."""
    return value["__ansible_unsafe"] if isinstance(value, dict) else value


def test_ansible_reads_groups_hosts_and_variables(tmp_path: Path) -> None:
    values = {"domain": "a.example", "version": "1.10", "odd": 'it\'s #1 "x" = [y]', "n": "007"}
    values |= {"yes": "no", "face": "\U0001f642 \x7f\u2028", "braces": "{{ 1 + 1 }}{% x %}"}
    machine_values = {"m1": {"role": "master", "note": "a 'b' #c = \\ 007", "count": "7"}}
    read = as_ansible_reads(
        export_inventory(HOSTS, known_hosts=["/etc/k"], groups={"cluster": ["m1"]}),
        variable_files(values, machine_values),
        tmp_path,
    )
    assert read["load_balancer"] == {"hosts": ["lb1"]}
    assert read["master"] == {"hosts": ["m1"]}
    assert read["cluster"] == {"hosts": ["m1"]}
    meta = read["_meta"]
    assert isinstance(meta, dict)
    machine = meta["hostvars"]["lb1"]
    assert machine["ansible_host"] == "2001:db8::7"
    assert machine["ansible_port"] == 2222
    assert machine["ansible_ssh_common_args"] == (
        "-o StrictHostKeyChecking=yes -o UserKnownHostsFile=/etc/k -o ProxyJump=ops@10.9.9.9:2200"
    )
    # Every value stays the text that it was, and is marked as data.
    assert {name: plain(machine[name]) for name in values} == values
    assert all(isinstance(machine[name], dict) for name in values)
    assert meta["hostvars"]["here"]["ansible_connection"] == "local"
    first = meta["hostvars"]["m1"]
    assert {n: plain(first[n]) for n in machine_values["m1"]} == machine_values["m1"]


HOSTILE = "{{ lookup('pipe', 'touch PWNED') }}{% raw %}@FOLDER@{{ 1 + 1 }}"
"""What a site file may hold where a text is asked for."""


def played(folder: Path, *arguments: str) -> str:
    """A playbook that uses each value three times over, played by ansible-playbook itself."""
    (folder / "9.look.yml").write_text(
        "- hosts: all\n  connection: local\n  gather_facts: false\n  tasks:\n"
        "  - ansible.builtin.set_fact: {again: '{{ word }}', of_machine: '{{ note }}'}\n"
        "  - ansible.builtin.set_fact: {once_more: '<{{ again }}><{{ of_machine }}>'}\n"
        "  - ansible.builtin.copy: {content: '{{ once_more }}', dest: '{{ playbook_dir }}/seen'}\n"
    )
    program = Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run(
        [str(program), "-i", "inventory.ini", "-e", f"ansible_python_interpreter={sys.executable}",
         "9.look.yml", *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return (folder / "seen").read_text()


@pytest.mark.processes
def test_what_a_person_wrote_is_never_a_template(tmp_path: Path) -> None:
    """Played by hand, with the files of the customer's repository keeping the last word."""
    theirs = tmp_path / "theirs"
    (theirs / "group_vars").mkdir(parents=True)
    (theirs / "group_vars" / "all.yml").write_text("kept: theirs\n")
    (theirs / "1.first.yml").write_text("- hosts: all\n  tasks: []\n")
    out = tmp_path / "out"
    carried.copy(theirs, out)
    files = variable_files(
        {"word": HOSTILE, "kept": "ours"}, {"m1": {"note": HOSTILE, "kept_too": "x"}}
    )
    for name, content in files.items():
        _write(out, name, content)
    _write(out, "inventory.ini", export_inventory([Host("m1", "10.0.0.1")]))
    assert played(out) == f"<{HOSTILE}><{HOSTILE}>"
    assert not list(tmp_path.rglob("PWNED"))
    listed = as_ansible_reads((out / "inventory.ini").read_text(), {}, out)
    meta = listed["_meta"]
    assert isinstance(meta, dict)
    assert plain(meta["hostvars"]["m1"]["kept"]) == "theirs"
    assert plain(meta["hostvars"]["m1"]["kept_too"]) == "x"


def test_only_the_sites_machines_of_the_known_hosts_go_to_another_control_host(
    tmp_path: Path,
) -> None:
    kept = ["10.0.0.1 ssh-ed25519 AAAAm1", "[al]:22 ssh-ed25519 AAAAno", "al ssh-ed25519 AAAAm2"]
    other = ["customer.example ssh-ed25519 AAAAc"]
    (known := tmp_path / "known").write_text("\n".join(kept + other) + "\n")
    run = PlaybookRun(
        playbook="9.look.yml", folder=tmp_path, word="0" * 32,
        inventory=Inventory((Host("m1", "10.0.0.1"), Host("m2", "10.0.0.2")), (known,)),
        known_as={("m2", "10.0.0.2"): "al"},
    )  # fmt: skip

    def told(control: Host) -> str:
        length, _, rest = payload(run, control).partition(b"\n")
        return str(json.loads(rest[int(length) :])["files"]["known_hosts"])

    there = told(Host("control", "10.0.0.1"))
    assert there.splitlines() == [kept[0], kept[2]]
    assert "customer.example" in told(Host("control", "local"))


@pytest.mark.processes
def test_a_run_gives_values_to_ansible_as_data(tmp_path: Path) -> None:
    """The driver's own folder, made from its payload."""
    run = PlaybookRun(
        playbook="9.look.yml", folder=tmp_path, word="0" * 32,
        inventory=Inventory((Host("m1", "10.0.0.1"),)),
        settings={"word": HOSTILE}, host_variables={"m1": {"note": HOSTILE}},
    )  # fmt: skip
    raw = payload(run, Host("control", "local"))
    length, _, rest = raw.partition(b"\n")
    told = json.loads(rest[int(length) :])
    for name, text in told["files"].items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text.replace(told["folder"], str(tmp_path)))
    assert played(tmp_path, "--extra-vars", f"@{tmp_path}/variables.yaml") == (
        f"<{HOSTILE}><{HOSTILE}>"
    )
    assert not list(tmp_path.rglob("PWNED"))


@pytest.mark.parametrize(
    "host",
    [
        Host("a b", "10.0.0.1"),
        Host("a", "10.0.0.1 ansible_become_password=x"),
        Host("a", "10.0.0.1", user="-oProxyCommand=x"),
        Host("a", "10.0.0.1", bastion="x'y"),
        Host("..", "10.0.0.1"),
        Host("a", "10.0.0.1", identity_files=(Path("/k/{{ x }}"),)),
    ],
)
def test_what_ansible_or_ssh_would_misread_is_refused(host: Host) -> None:
    with pytest.raises(InputProblem):
        export_inventory([host])


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_a_value_stays_what_it_is_on_one_line(value: str) -> None:
    text = as_data({"yes": value})
    assert text.count("\n") == 2

    tag, _, rest = text.partition("\n")
    assert tag == "--- !unsafe"
    assert yaml.safe_load(rest) == {"yes": value}


def test_openssh_reads_the_configuration(tmp_path: Path) -> None:
    """Every machine and its bastion are checked against the one file of keys."""
    for host in (HOSTS[0], replace(HOSTS[1], identity_files=(Path("/keys/a b"),))):
        file = tmp_path / host.name
        file.write_text(ssh_config(host, "/run/k n"))
        for name in (host.address, *(["10.9.9.9"] if host.bastion else [])):
            shown = said(file, name)
            assert "stricthostkeychecking true" in shown
            known = [word for word in shown if word.startswith("userknownhostsfile")]
            assert "/run/k n" in known[0]
            jumps = "proxyjump ops@[10.9.9.9]:2200" in shown
            assert jumps == (name == "2001:db8::7")
            assert any("/keys/a b" in word for word in shown) == bool(host.bastion)


def said(file: Path, name: str) -> list[str]:
    """What OpenSSH makes of a file for an address."""
    shown = subprocess.run(
        ["ssh", "-G", "-F", str(file), name], capture_output=True, text=True, check=True
    )
    return shown.stdout.splitlines()


def test_machines_with_one_address_are_two_machines(tmp_path: Path) -> None:
    """Behind different bastions: each has its own way, and no connection of the other's."""
    first = Host("m1", "10.0.0.5", bastion="ops@b1:22")
    second = Host("m2", "10.0.0.5", bastion="ops@b2:22")
    run = PlaybookRun(
        playbook="9.look.yml", folder=tmp_path, word="0" * 32,
        inventory=Inventory((first, second)), known_as={("m1", "10.0.0.5"): "one"},
    )  # fmt: skip
    length, _, rest = payload(run, Host("control", "local")).partition(b"\n")
    files = json.loads(rest[int(length) :])["files"]
    listed = as_ansible_reads(files["inventory.ini"], {}, tmp_path)["_meta"]
    assert isinstance(listed, dict)
    told: dict[str, set[str]] = {}
    for name in ("m1", "m2"):
        words = listed["hostvars"][name]
        option, _, place = words["ansible_ssh_common_args"].partition(" ")
        assert (option, words["ansible_host"]) == ("-F", "10.0.0.5")
        (own := tmp_path / name).write_text(files["ssh/" + place.rpartition("/")[2]])
        told[name] = {word.replace("[", "").replace("]", "") for word in said(own, "10.0.0.5")}
    assert {"proxyjump ops@b1:22", "hostkeyalias one"} <= told["m1"]
    assert "proxyjump ops@b2:22" in told["m2"]
    assert "hostkeyalias one" not in told["m2"]
    connections = {listed["hostvars"][name]["ansible_control_path"] for name in ("m1", "m2")}
    assert len(connections) == 2


def test_an_exported_inventory_shares_no_connection_between_machines(tmp_path: Path) -> None:
    text = export_inventory([Host("m1", "10.0.0.5", bastion="b1"), Host("m2", "10.0.0.5")])
    meta = as_ansible_reads(text, {}, tmp_path)["_meta"]
    assert isinstance(meta, dict)
    paths = {words["ansible_control_path"] for words in meta["hostvars"].values()}
    assert len(paths) == 2
