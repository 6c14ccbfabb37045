"""Inventories as their owners have them, read as Ansible reads them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from foundation.hosts.ansible import ansible_process
from foundation.hosts.ansible.inventory import read_inventory_file
from foundation.hosts.model import Host
from tests.foundation.ansible_asker import Asker
from tests.foundation.hosts.ansible.reading import a_folder, ours

KUBESPRAY = """\
all:
  hosts:
    node1: {ansible_host: 10.0.0.1, ip: 10.0.0.1, access_ip: 10.0.0.1}
    node2: {ansible_host: 10.0.0.2, ip: 10.0.0.2, etcd_member_name: etcd2}
  children:
    kube_control_plane: {hosts: {node1: , node2: }}
    kube_node: {hosts: {node2: }}
    etcd: {hosts: {node1: }}
    k8s_cluster: {children: {kube_control_plane: , kube_node: }}
    calico_rr: {hosts: {}}
  vars: {ansible_user: ubuntu, kube_version: 1.30, dns_mode: coredns}
"""
MOSIP = """\
# The machines of the cluster
[console]
console.sb ansible_user=mosipuser ansible_host=10.20.20.10

[mzmaster]
# first
mzmaster.sb ansible_host=10.20.20.99

[mzworkers]
mzworker[0:3].sb

[dmzmaster]

[cluster:children]
mzmaster
mzworkers
[cluster:vars]
ansible_user=root
ansible_ssh_private_key_file=/home/mosipuser/.ssh/id_rsa
"""
CORPUS: dict[str, str] = {
    "same level": "[z]\nn\n[z:vars]\nansible_port=2\n[a]\nn\n[a:vars]\nansible_port=3\n",
    "priority": "[a]\nn\n[a:vars]\nansible_port=22\nansible_group_priority=10\n[b]\nn\n"
    "[b:vars]\nansible_port=33\n",
    "depth": "[leaf]\nn\n[leaf:vars]\nansible_user=leaf\n[mid:children]\nleaf\n[mid:vars]\n"
    "ansible_user=mid\n[top:children]\nmid\n[other]\nn\n[other:vars]\nansible_user=other\n",
    "hash in a host's value": "[a]\nn ansible_user=bo$b\n",
    "quoted": "[a]\nn ansible_user=\"bob\" ansible_port='2222'\n",
    "stride": "[a]\nnode[01:05:2] ansible_user=x\n",
    "letters": "[a]\nn[a:c].ex.org\n",
    "two ranges": "[a]\nn[1:2]x[1:2]\n",
    "host twice": "[a]\nn ansible_user=one\n[b]\nn ansible_port=2200\n",
    "all late": "n\n[all:vars]\nansible_user=u\n",
    "ungrouped": "n\n[ungrouped:vars]\nansible_user=uu\n",
    "port in the name": "[a]\nnode1:2222\n",
    "port in a range": "[a]\nnode[1:3].ex:2222\n",
    "port twice": "[a]\nnode1:2222 ansible_port=2223\n",
    "ipv6": "[a]\n[2001:db8::1]:2222\n",
    "hexadecimal": "[a]\nn ansible_port=0x16\n",
    "leading zero in INI": "[a]\nn ansible_port=02222\n",
    "child before group": "[p:children]\nc\n[c]\nn\n[p:vars]\nansible_user=pp\n",
    "empty value": "[a]\nn ansible_user=\n",
    "spaces round the sign": "[a]\nn\n[a:vars]\nansible_user = bob\n",
    "old names": "[a]\nn ansible_ssh_host=10.1.1.1 ansible_ssh_port=2201 ansible_ssh_user=old\n",
    "old and new names": "[a]\nn ansible_host=10.0.0.9 ansible_ssh_host=10.1.1.1\n",
    "mosip": MOSIP,
    "semicolons": "; kubeadm\n[master]\nm1 ansible_host=192.168.0.2\n[node]\nw1\n",
    "group names with hyphens": "[kube-master]\nm1\n[k8s-cluster:children]\nkube-master\n",
    "numbers as names": "[a]\n10.0.0.1\n10.0.0.2 ansible_user=x\n",
    "yaml kubespray": KUBESPRAY,
    "yaml same level": "zeta:\n  hosts: {n: }\n  vars: {ansible_port: 2222}\nalpha:\n"
    "  hosts: {n: }\n  vars: {ansible_port: 3333}\n",
    "yaml range": "all:\n  hosts:\n    node[01:03]: {ansible_user: x}\n",
    "yaml vault": 'all:\n  hosts:\n    n: {ansible_user: x, note: !vault "abc"}\n',
    "yaml vault block": "all:\n  vars:\n    secret: !vault |\n      $ANSIBLE_VAULT;1.1;AES256\n"
    "      6161\n  hosts:\n    n:\n",
    "yaml unsafe": 'all:\n  hosts:\n    n: {ansible_user: !unsafe "bob", x: !unsafe "{{ y }}"}\n',
    "yaml hosts as a word": "all:\n  hosts: n\n",
    "yaml anchors": "a:\n  hosts:\n    n1: &x {ansible_user: u}\n    n2: *x\n    n3: {<<: *x}\n",
    "yaml quoted number": 'all:\n  hosts:\n    "007": {ansible_port: "02222"}\n',
    "yaml port": "all:\n  hosts:\n    n1:2222:\n",
    "yaml templates elsewhere": "all:\n  hosts:\n    n: {x: \"{{ lookup('pipe', 'id') }}\"}\n",
    "yaml documents": "---\nall:\n  hosts:\n    n:\n",
    "json": '{"all": {"hosts": {"n": {"ansible_port": 2201}}}}\n',
}


def file_of(folder: Path, name: str, text: str) -> Path:
    """The file of a case of the corpus."""
    ending = "yml" if name.startswith("yaml") else "json" if name == "json" else "ini"
    file = folder / f"hosts.{ending}"
    file.write_text(text)
    return file


@pytest.mark.parametrize("name", CORPUS)
def test_machines_ports_users_and_groups_are_what_ansible_says(
    name: str, tmp_path: Path, asker: Asker
) -> None:
    file = file_of(tmp_path, name, CORPUS[name])
    (home := tmp_path / "home").mkdir()
    # Asked about the file itself, beside our way through a copy.
    answer = asker.ask(file, home)

    def plain(value: object) -> object:
        return value["__ansible_unsafe"] if isinstance(value, dict) else value

    theirs = {
        name: (
            values.get("ansible_ssh_host") or values.get("ansible_host") or name,
            int(values.get("ansible_ssh_port") or values.get("ansible_port") or 22),
            plain(values.get("ansible_ssh_user") or values.get("ansible_user") or None),
            set(answer.groups[name]),
        )
        for name, values in answer.variables.items()
    }
    read = ours(file, asker)
    assert {
        host.name: (host.address, host.port, host.user, set(host.roles)) for host in read.hosts
    } == theirs


@pytest.mark.parametrize(
    ("words", "bastion", "program"),
    [
        ("-o ProxyCommand=\"ssh -W %h:%p -q -p 22022 ops@10.9.9.9\"", "ops@10.9.9.9:22022", None),
        ("-o ControlMaster=auto -J ops@10.9.9.9:22022", "ops@10.9.9.9:22022", None),
        ("-o 'ProxyCommand ssh -l ops -W [%h]:%p b'", "ops@b", None),
        ("-o ProxyCommand='ssh -o StrictHostKeyChecking=no -W %h:%p -i ~/k b'", "b", None),
        ("-o ProxyJump=none -o ProxyCommand='nc %h %p'", None, None),
        ("-o ProxyCommand='nc -x p:1080 %h %p'", None, "nc -x p:1080 %h %p"),
        ("-o ProxyCommand='ssh b nc %h %p'", None, "ssh b nc %h %p"),
        ("-o ProxyCommand='ssh -W %h:%p -o ProxyCommand=x b'", None,
         "ssh -W %h:%p -o ProxyCommand=x b"),
        ("-C -o ControlPersist=60s -o ServerAliveInterval=5", None, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "key", ["ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"]
)
def test_the_way_to_a_machine_is_never_passed_over(
    key: str, words: str, bastion: str | None, program: str | None, tmp_path: Path, asker: Asker
) -> None:
    file = tmp_path / "hosts.yml"
    file.write_text(f"all:\n  vars:\n    {key}: {json.dumps(words)}\n  hosts: {{n: }}\n")
    [host] = ours(file, asker).hosts
    assert (host.bastion, host.proxy_command) == (bastion, program)
    if program is not None:
        assert host.proxy_place == f"{file} line 3"
    if "-i" in words:
        assert host.identity_files == (Path("~/k").expanduser(),)
    assert ("ProxyJump=none" in host.ssh_options) == ("none" in words)


def test_options_of_ssh_are_kept_and_verification_stays(tmp_path: Path, asker: Asker) -> None:
    file = tmp_path / "hosts.ini"
    file.write_text(
        "[a]\nn[1:2]\n[a:vars]\nansible_host_key_checking=false\nansible_ssh_common_args="
        "'-o HostKeyAlias=al -i /k -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null'\n"
    )
    read = ours(file, asker)
    for host in read.hosts:
        assert host.ssh_options == ("HostKeyAlias=al", "IdentityFile=/k")
    assert len(read.notes) == 3
    assert all("verified all the same" in note for note in read.notes)
    assert any(note.startswith(f"{file} line 4: ") for note in read.notes)


@pytest.mark.parametrize("inner", ["hosts.ini", ""])
def test_variables_beside_the_inventory_are_read_and_encrypted_files_told(
    inner: str, tmp_path: Path, asker: Asker
) -> None:
    folder = a_folder(tmp_path)
    read = ours(folder / inner, asker)
    assert read.hosts == (
        Host("w1", "127.0.0.1", 22022, "everybody", ("worker",)),
        Host("w2", "127.0.0.2", 22022, "two", ("worker",)),
    )
    assert [note for note in read.notes if "vault.yml is encrypted and was not read" in note]


def test_a_group_of_bastions_that_a_playbook_would_go_through_is_told(
    tmp_path: Path, asker: Asker
) -> None:
    """Kubespray's inventories name the way by a group, from which its playbook makes a config."""
    file = tmp_path / "hosts.ini"
    text = (
        "n1 ansible_host=10.0.0.1\nn2 ansible_host=10.0.0.2\n[bastion]\nb ansible_host=203.0.113.9"
    )
    file.write_text(f"{text} ansible_user=ops ansible_port=2201\n")
    (note,) = ours(file, asker).notes
    assert "n1 and 1 more are reached straight" in note
    assert note.endswith("--bastion ops@203.0.113.9:2201")
    file.write_text(f"{text}\n[all:vars]\nansible_ssh_common_args=-J ops@b\n")
    assert ours(file, asker).notes == ()


def test_an_inventory_that_tells_no_roles_says_so(tmp_path: Path, asker: Asker) -> None:
    """Roles that nobody gave are proposed later, which must not come as a surprise."""
    file = tmp_path / "hosts.ini"
    two = "n1 ansible_host=10.0.0.1\nn2 ansible_host=10.0.0.2"
    file.write_text(f"{two}\n")
    (note,) = ours(file, asker).notes
    assert "does not tell which machine plays which role" in note
    for told in (f"{two} role=worker\n", f"{two}\n[workers]\nn2\n", "n1 ansible_host=10.0.0.1\n"):
        file.write_text(told)
        assert ours(file, asker).notes == ()


def test_variables_beside_a_playbook_are_told(tmp_path: Path, asker: Asker) -> None:
    folder = tmp_path / "inventory/prod"
    folder.mkdir(parents=True)
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all.yml").write_text("a: 1\nansible_user: core\nansible_port: 2201\n")
    (tmp_path / "group_vars/other.yml").write_text("a: 1\n")
    (folder / "hosts.ini").write_text("[a]\nn1\n")
    read = ours(folder / "hosts.ini", asker)
    assert read.hosts[0].user is None
    (note,) = read.notes
    assert note.startswith(f"{tmp_path}/group_vars/all.yml says ansible_user, ansible_port: ")


def test_what_ansible_printed_can_be_read_again(tmp_path: Path, asker: Asker) -> None:
    file = tmp_path / "hosts.json"
    file.write_text(json.dumps({
        "_meta": {"hostvars": {"n1": {"ansible_host": "10.0.0.1", "ansible_port": 2201}}},
        "all": {"children": ["ungrouped", "a"]}, "a": {"hosts": ["n1", "n2"]},
    }))  # fmt: skip
    assert ours(file, asker).hosts == (
        Host("n1", "10.0.0.1", 2201, roles=("a",)), Host("n2", "n2", roles=("a",)),
    )  # fmt: skip


def test_the_process_itself_answers_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "mark"
    here = tmp_path / "here"
    for name, text in {
        "ansible.cfg": "[inventory]\nenable_plugins = script, auto\n",
        "group_vars/all.yml": "ansible_user: of_the_current_folder\n",
        "inventory_plugins/evil.py": f"open({str(mark)!r}, 'w')\n",
        "vars_plugins/evil.py": f"open({str(mark)!r}, 'w')\n",
        "ansible.py": f"open({str(mark)!r}, 'w')\n",
        "inv/vars_plugins/evil.py": f"open({str(mark)!r}, 'w')\n",
        "inv/hosts.yml": f"all:\n  vars: {{x: \"{{{{ lookup('pipe', 'touch {mark}') }}}}\"}}\n"
        "  hosts: {n: {ansible_port: 2201}}\n",
    }.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(text)
    monkeypatch.chdir(here)
    monkeypatch.setenv("PYTHONPATH", str(here))
    monkeypatch.setenv("ANSIBLE_CONFIG", str(here / "ansible.cfg"))
    monkeypatch.setenv("ANSIBLE_INVENTORY_PLUGINS", str(here / "inventory_plugins"))
    monkeypatch.setenv("ANSIBLE_VARS_PLUGINS", str(here / "vars_plugins"))
    read = read_inventory_file(Path("inv/hosts.yml"))
    assert read.hosts == (Host("n", "n", 2201),)
    assert not mark.exists()


@pytest.mark.parametrize(
    "text", ["[a]\nn ansible_port=2201\n", "all:\n  hosts:\n    n: {ansible_port: 2201}\n"]
)
def test_an_inventory_that_a_shell_hands_over_is_read_once(text: str, asker: Asker) -> None:
    reading, writing = os.pipe()
    os.write(writing, text.encode())
    os.close(writing)
    try:
        read = read_inventory_file(Path(f"/dev/fd/{reading}"), ask=asker.ask)
    finally:
        os.close(reading)
    assert [(host.name, host.port) for host in read.hosts] == [("n", 2201)]


def test_plain_lists_ask_nobody(tmp_path: Path) -> None:
    def never(*_: object) -> ansible_process.Answer:
        raise AssertionError("Ansible was asked about a plain list")

    file = tmp_path / "hosts.txt"
    file.write_text("10.0.0.1\nm=anna@10.0.0.2:2222\n")
    assert len(read_inventory_file(file, ask=never).hosts) == 2
