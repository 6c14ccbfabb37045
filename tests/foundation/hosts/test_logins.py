"""Names of logins: those that OpenSSH takes are taken, and no shell changes or runs one."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from foundation.hosts.ansible.inventory import split_endpoint
from foundation.hosts.logins import destination, login_name, person_here, user_fault
from foundation.hosts.model import Host, Inventory
from foundation.hosts.openssh.ssh_config import config_file, resolve
from foundation.problems import InputProblem
from foundation.sentences import understood
from installer.ansible.inventory import OWN_FILE, export_inventory

TAKEN = ["ubuntu", "DOMAIN\\user", "anna@EXAMPLE.ORG", "a.b+c", "host$", "7of9", "_apt", "jürgen",
         "CORP\\svc-deploy$", "a"]  # fmt: skip


@pytest.mark.parametrize("user", TAKEN)
def test_what_openssh_takes_is_taken_everywhere(user: str, tmp_path: Path) -> None:
    assert user_fault(user) is None
    assert split_endpoint(f"{user}@10.0.0.1:2201") == (user, "10.0.0.1", 2201)
    (tmp_path / "config").write_text(f"User {user}\n")
    host = Host("m", "10.0.0.1")
    target = resolve(host, config_file(Inventory((host,), ssh_config=tmp_path / "config")))
    assert target.user == user
    # A person pastes it, and ssh gets what was meant.
    said = subprocess.run(
        ["sh", "-c", f"printf %s {target.login}"], capture_output=True, text=True, check=True
    ).stdout
    assert said == f"{user}@10.0.0.1"


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("-oProxyCommand=x", "for an option"),
        ("a\\", "between a domain and a name"),
        ("a b", "is not a user name"),
        ("a;b", 'there is ";" in it'),
        ("a$(id)", 'there is "(" in it'),
        ("a`id`", 'there is "`" in it'),
        ("a/b", 'there is "/" in it'),
        ("a" * 129, "longer than 128"),
        ("", "is not a user name"),
        ("\u202eanna", "is not a user name"),
    ],
)
def test_what_a_shell_would_run_is_refused_with_the_reason(user: str, words: str) -> None:
    assert words in (user_fault(user) or "")


@pytest.mark.parametrize("user", TAKEN)
def test_an_inventory_of_ours_hands_a_login_on_as_it_is(user: str, tmp_path: Path) -> None:
    file = tmp_path / "inventory.ini"
    file.write_text(
        export_inventory([Host("m1", "10.0.0.1", user=user)], known_hosts=[], roles={}, groups={})
    )
    words = shlex.split(next(line for line in file.read_text().splitlines() if "m1" in line))
    assert f"ansible_user={user}" in words
    assert OWN_FILE


def test_no_proxy_command_is_given_a_name_that_its_shell_would_change(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("User DOMAIN\\user\nProxyCommand way %r %h\n")
    host = Host("m", "10.0.0.1")
    with pytest.raises(InputProblem, match="cannot be given to the ProxyCommand as %r"):
        resolve(host, config_file(Inventory((host,), ssh_config=tmp_path / "config")))


def test_remedies_name_such_a_login_as_a_shell_and_sudoers_read_it() -> None:
    heard = "CORP\\anna is not in the sudoers file."
    found = understood(heard, user="CORP\\anna")
    assert found is not None
    assert "usermod -aG sudo 'CORP\\anna'" in found.remedy
    polkit = understood("interactive authentication required", user="CORP\\anna")
    assert polkit is not None
    assert "printf '%s\\n' 'CORP\\\\anna ALL=(ALL) NOPASSWD: ALL'" in polkit.remedy


def test_a_user_without_a_name_in_passwd_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError("no user of this number")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert login_name() == "root"
    assert person_here().startswith("uid ")
    assert destination(None, "h") == "h"
