"""What an inventory says that cannot be honoured: refused or told, with its line."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from foundation.hosts.ansible import ansible_process
from foundation.hosts.ansible.inventory import read_inventory_file
from foundation.hosts.model import Host
from foundation.problems import InputProblem
from tests.foundation.ansible_asker import Asker
from tests.foundation.hosts.ansible.reading import a_folder, ours, refused


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
