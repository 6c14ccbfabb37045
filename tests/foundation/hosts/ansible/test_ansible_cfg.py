"""What an ansible.cfg beside an inventory says of a login is told, never passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.hosts.ansible.ansible_cfg import notes_on_cfg

KUBESPRAY = """[ssh_connection]
pipelining=True
ssh_args = -o ControlMaster=auto -o ControlPersist=30m -o ConnectionAttempts=100
[defaults]
host_key_checking=False
gathering = smart
stdout_callback = default
[privilege_escalation]
become_method = sudo
"""


def notes(folder: Path, text: str, inventory: str = "hosts.ini") -> list[str]:
    """The notes on a project's file; the inventory may lie deeper."""
    (folder / "ansible.cfg").write_text(text)
    file = folder / inventory
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("[a]\nn1\n")
    return list(notes_on_cfg(file))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "[defaults]\nremote_user = deploy\n",
            "remote_user = deploy is not gone by here: give",
        ),
        ("[defaults]\nremote_port=2222\n", "give --port"),
        ("[defaults]\nprivate_key_file = ~/.ssh/k\n", "give --identity"),
        ("[defaults]\ntransport = paramiko_of_mine\n", "over SSH"),
        ("[ssh_connection]\nssh_args = -o ProxyJump=b@gate\n", "give --bastion"),
        ("[ssh_connection]\nssh_extra_args = -F ./ssh.cfg\n", "--ssh-config"),
        ("[ssh_connection]\nssh_common_args = -o ProxyCommand='nc %h %p'\n", "--ssh-config"),
        ("[privilege_escalation]\nbecome_method = doas\n", "by sudo"),
        ("remote_user = x\n", "cannot be read"),
    ],
)
def test_what_decides_a_login_is_told_with_the_option(
    text: str, words: str, tmp_path: Path
) -> None:
    (note,) = notes(tmp_path, text, "inventory/mine/hosts.ini")
    assert words in note
    assert str(tmp_path / "ansible.cfg") in note


def test_how_ansible_works_is_not(tmp_path: Path) -> None:
    assert notes(tmp_path, KUBESPRAY) == []
    (tmp_path / "ansible.cfg").unlink()
    assert list(notes_on_cfg(tmp_path / "hosts.ini")) == []
