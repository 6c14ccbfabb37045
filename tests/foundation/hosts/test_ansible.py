"""Inventories as their owners have them: read as Ansible reads them, or refused with the line."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from foundation.hosts.ansible import ansible_process
from foundation.hosts.ansible.inventory import ReadInventory, read_inventory_file
from foundation.hosts.model import Host
from foundation.problems import InputProblem
from tests.foundation.ansible_asker import Asker

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


def ours(file: Path, asker: Asker) -> ReadInventory:
    """What Sitewright reads."""
    return read_inventory_file(file, ask=asker.ask)


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


def refused(file: Path, asker: Asker) -> InputProblem:
    """The problem with an inventory."""
    with pytest.raises(InputProblem) as caught:
        ours(file, asker)
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    ("name", "text", "line", "words"),
    [
        ("two ports", "[w]\n127.0.0.1:2223\n127.0.0.1:2224\n", 3, "port 2224 here and port 2223"),
        ("yaml two ports", "all:\n  hosts:\n    n:2201:\n    n:2202:\n", 4, "port 2202 here"),
        ("comment", "[a]\nn\n[a:vars]\nansible_user=bob # builder\n", 4, "is not a user name"),
        ("template", "[a]\nn ansible_host={{ip}}\n", 2, "is a template"),
        ("group template", "[a]\nn\n[a:vars]\nansible_port={{ p }}\n", 4, "is a template"),
        ("vault", "yaml", 3, "is encrypted, and Sitewright has no vault password"),
        ("docker", "[a]\nn ansible_connection=docker\n", 2, "not over SSH"),
        ("winrm", "[a]\nn ansible_connection=winrm\n", 2, "not over SSH"),
        ("network", "[a]\nn\n[a:vars]\nansible_network_os=ios\n", 4, "ansible_network_os"),
        ("powershell", "[a]\nn ansible_shell_type=powershell\n", 2, "Windows"),
        ("su", "[a]\nn ansible_become_method=su\n", 2, "uses sudo"),
        ("become user", "[a]\nn ansible_become_user=app\n", 2, "needs root"),
        ("unknown", "[a]\nn ansible_ssh_something=1\n", 2, "does not know it"),
        ("executable", "[a]\nn ansible_ssh_executable=/tmp/ssh\n", 2, "another program"),
        ("file of ssh", "[a]\nn ansible_ssh_common_args='-F ./cfg'\n", 2, '"-F"'),
        ("local command", "[a]\nn ansible_ssh_args='-o LocalCommand=id'\n", 2, "LocalCommand"),
        ("tunnel", "[a]\nn ansible_ssh_extra_args='-L 1:2:3'\n", 2, '"-L"'),
        ("bad jump", "[a]\nn ansible_ssh_common_args='-J a:b:c:d'\n", 2, "bastion"),
        ("octal", "yaml octal", 3, "another number for Ansible"),
        ("number as name", "yaml number", 3, 'Write it in quotes'),
        ("password", "[a]\nn\n[a:vars]\nansible_ssh_pass=hunter22\n", 4, "is a secret"),
        ("hidden", "[a]\nn\u202e1\n", 2, "U+202E"),
        ("two addresses", "[a]\nn ansible_host=10.0.0.1\n[b]\nn ansible_host=10.0.0.2\n", 4,
         "10.0.0.1 in line 2"),
        ("yaml two", "yaml two", 4, "takes both for one machine"),
        ("mistyped section", "[a]\nn\n[a:childern]\nb\n", 3, '"childern" is no kind of section'),
        ("second document", "all:\n  hosts: {n: }\n---\nall: {}\n", 3, "second document"),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_refused_with_its_line(
    name: str, text: str, line: int, words: str, tmp_path: Path, asker: Asker
) -> None:
    text = {
        "yaml": "all:\n  hosts:\n    n: {ansible_user: !vault 'x'}\n",
        "yaml octal": "all:\n  hosts:\n    n: {ansible_port: 02222}\n",
        "yaml two": "all:\n  children:\n    a: {hosts: {n: {ansible_port: 1}}}\n"
        "    b: {hosts: {n: {ansible_port: 2}}}\n",
        "yaml number": "all:\n  hosts:\n    007: {}\n",
    }.get(text, text)
    file = tmp_path / ("hosts.yml" if text.startswith("all:") else "hosts.ini")
    file.write_text(text)
    problem = refused(file, asker)
    assert f"line {line}: " in problem.cause, problem.cause
    assert words in problem.cause + problem.remedy
    assert "hunter22" not in f"{problem}{problem.remedy}"


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


def test_a_byte_order_mark_is_told_as_one(tmp_path: Path, asker: Asker) -> None:
    file = tmp_path / "hosts.ini"
    file.write_text("\ufeff[a]\r\nn1 ansible_host=10.0.0.1\r\n")
    problem = refused(file, asker)
    assert "byte order mark" in problem.cause
    subprocess.run(["sh", "-c", problem.remedy.removeprefix("Take it out: ")], check=True)
    assert [host.address for host in ours(file, asker).hosts] == ["10.0.0.1"]
    file = tmp_path / "list.txt"
    file.write_text("\ufeff10.0.0.1\n")
    assert [host.address for host in ours(file, asker).hosts] == ["10.0.0.1"]


def test_a_variable_of_a_group_is_refused_in_its_own_file(tmp_path: Path, asker: Asker) -> None:
    folder = a_folder(tmp_path)
    (folder / "group_vars/worker.yml").write_text("a: 1\nansible_become_password: hunter22\n")
    problem = refused(folder, asker)
    assert problem.where == str(folder / "group_vars/worker.yml")
    assert "line 2: " in problem.cause
    (folder / "group_vars/worker.yml").write_text("a: 1\n\nansible_port: '{{ port }}'\n")
    problem = refused(folder, asker)
    assert (problem.where, problem.cause[:8]) == (str(folder / "group_vars/worker.yml"), "line 3: ")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("!vault |\n      $ANSIBLE_VAULT;1.1;AES256\n      6162\n", "it is encrypted"),
        ("\"{{ lookup('env', 'PW') }}\"\n", "it is a template"),
        ("\n", "it is empty"),
    ],
)
def test_a_password_that_does_not_lie_open_is_told_and_not_used(
    tmp_path: Path, asker: Asker, value: str, why: str
) -> None:
    file = tmp_path / "hosts.yml"
    file.write_text(
        f"all:\n  vars:\n    ansible_become_password: {value}"
        "  hosts:\n    n1: {ansible_user: u}\n"
    )
    read = ours(file, asker)
    assert read.hosts == (Host("n1", "n1", user="u"),)
    (note,) = read.notes
    assert f"{file} line 3: ansible_become_password: {why}, and not used" in note


def test_a_password_of_an_ini_inventory_may_be_a_template(tmp_path: Path, asker: Asker) -> None:
    file = tmp_path / "hosts.ini"
    file.write_text('n1 ansible_become_password="{{ vault_become }}" ansible_user=u\n')
    assert "it is a template" in ours(file, asker).notes[0]
    file.write_text("n1 ansible_become_password=hunter22\n")
    assert "is a secret" in refused(file, asker).cause


def test_a_marked_password_that_lies_open_is_a_secret(tmp_path: Path, asker: Asker) -> None:
    file = tmp_path / "hosts.yml"
    file.write_text("all:\n  hosts:\n    n1:\n      ansible_password: !unsafe hunter22\n")
    assert "line 4: " in refused(file, asker).cause


def test_a_machine_of_another_connection_is_told_by_that(tmp_path: Path, asker: Asker) -> None:
    file = tmp_path / "hosts.ini"
    file.write_text("[w]\ndc1\n[w:vars]\nansible_winrm_transport=ntlm\nansible_connection=winrm\n")
    problem = refused(file, asker)
    assert problem.cause == 'line 5: "dc1" is reached by "winrm", and not over SSH'


def test_another_program_to_become_root_is_told(tmp_path: Path, asker: Asker) -> None:
    file = tmp_path / "hosts.ini"
    file.write_text("n1 ansible_become_exe=/usr/bin/pbrun\nn2 ansible_become_exe=sudo\n[a]\nn1\n")
    (note,) = ours(file, asker).notes
    assert note.startswith(f"{file} line 1: ansible_become_exe: /usr/bin/pbrun is not used")


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


def test_a_program_and_a_plugin_are_refused_with_the_way_out(tmp_path: Path, asker: Asker) -> None:
    mark = tmp_path / "mark"
    script = tmp_path / "hosts"
    script.write_text(f"#!/bin/sh\ntouch {mark}\necho '{{}}'\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    problem = refused(script, asker)
    assert "ansible-inventory --list --yaml" in problem.remedy
    assert not mark.exists()
    plugin = tmp_path / "aws.yml"
    plugin.write_text("# cloud\nplugin: amazon.aws.aws_ec2\nregions: [eu-west-1]\n")
    problem = refused(plugin, asker)
    assert "line 2: " in problem.cause
    assert "ansible-inventory --list --yaml" in problem.remedy


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


def test_an_answer_that_does_not_come_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ansible_process, "_BOOT", "import time; time.sleep(600)")
    monkeypatch.setattr(ansible_process, "SECONDS", 0.2)
    file = tmp_path / "hosts.ini"
    file.write_text("[a]\nn\n")
    with pytest.raises(InputProblem) as caught:
        read_inventory_file(file)
    assert "did not say" in caught.value.cause


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


def test_a_remedy_can_be_pasted_whatever_the_names_are(tmp_path: Path, asker: Asker) -> None:
    file = tmp_path / "my hosts.ini"
    file.write_text("[a]\nm1 ansible_host={{ip}}\n")
    problem = refused(file, asker)
    assert f"ansible m1 -i '{file}' -m debug -a var=ansible_host" in problem.remedy


def test_a_key_in_the_home_of_nobody_is_told_with_its_line(tmp_path: Path, asker: Asker) -> None:
    file = tmp_path / "hosts.ini"
    file.write_text("[a]\nm1 ansible_host=10.0.0.1 ansible_ssh_private_key_file=~nosuch/key\n")
    with pytest.raises(InputProblem, match="line 2: ~nosuch is the home of no user"):
        ours(file, asker)


@pytest.mark.parametrize(
    ("key", "slip"),
    [
        ("ANSIBLE_HOST", "ansible_host"),
        ("ansible_hosts", "ansible_host"),
        ("anisble_host", "ansible_host"),
        ("ansible-port", "ansible_port"),
        ("ansible_username", "ansible_user"),
        ("ansible_ip", "ansible_host"),
        # Of others, or of the machine itself.
        ("ansible_user_id", ""),
        ("ansible_python_version", ""),
        ("ansible_play_hosts", ""),
        ("anchor", ""),
        ("ansible_pipelining", ""),
    ],
)
def test_a_slip_in_a_variable_of_the_connection_is_told(
    tmp_path: Path, asker: Asker, key: str, slip: str
) -> None:
    """Ansible heeds names as they are written and says nothing of the others."""
    file = tmp_path / "hosts.yml"
    file.write_text(f"all:\n  hosts:\n    n1:\n      {key}: w5\n")
    notes = [note for note in ours(file, asker).notes if key in note]
    assert [f"is {slip} meant?" in note for note in notes] == ([True] if slip else [])


def test_what_is_refused_says_what_is_likely_meant(tmp_path: Path, asker: Asker) -> None:
    file = tmp_path / "hosts.ini"
    file.write_text("n1 ansible_private_keyfile=k\n")
    assert refused(file, asker).remedy.startswith("Is ansible_private_key_file meant? Else take")
