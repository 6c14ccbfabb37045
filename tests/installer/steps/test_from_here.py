"""A playbook on this machine reaches the machines as Sitewright does: OpenSSH is asked twice."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from foundation.hosts.model import Host, Inventory
from foundation.hosts.openssh.allowed import ProgramsNotAllowed
from installer.ansible.from_here import Reached, as_reached
from installer.ansible.inventory import ssh_config

CONFIG = """\
Host m1
  HostName 10.9.9.1
  Port 2201
  User anna
  HostKeyAlias first
  IdentityFile /k/%h
  ProxyJump b
Host m2
  HostName 10.9.9.2
  ProxyCommand nc -x 127.0.0.1:1080 %h %p
Host b
  HostName 10.9.9.9
  User ops
  HostKeyAlias bastion
"""


def said(config: Path, address: str) -> dict[str, str]:
    """What OpenSSH makes of a file for an address."""
    shown = subprocess.run(
        ["ssh", "-G", "-F", str(config), address], capture_output=True, text=True, check=True
    ).stdout
    return dict(line.split(" ", 1) for line in shown.splitlines() if " " in line)


def test_the_file_of_a_playbook_says_what_the_persons_own_config_says(tmp_path: Path) -> None:
    (own := tmp_path / "own").write_text(CONFIG)
    hosts = (Host("m1", "m1"), Host("m2", "m2"), Host("m3", "10.9.9.3"), Host("here", "local"))
    reached = as_reached(Inventory(hosts, ssh_config=own))
    inventory, known_as = reached.inventory, reached.known_as
    m1, m2, m3, here = inventory.hosts
    assert (m1.address, m1.port, m1.user) == ("10.9.9.1", 2201, "anna")
    assert (m1.bastion, m1.identity_files) == ("ops@10.9.9.9:22", (Path("/k/10.9.9.1"),))
    assert known_as == {("m1", "10.9.9.1"): "first", ("m1", "10.9.9.9"): "bastion"}
    assert (m2.address, m2.bastion, m3.address, here.local) == ("10.9.9.2", None, "10.9.9.3", True)
    for host, address in ((m1, "10.9.9.1"), (m2, "10.9.9.2")):
        text = ssh_config(host, "/kh", known_as=known_as, settings=reached.settings)
        (tmp_path / host.name).write_text(text)
        theirs, ours = said(own, host.name), said(tmp_path / host.name, address)
        assert ours.get("hostkeyalias") == theirs.get("hostkeyalias")
        assert ours["stricthostkeychecking"] in ("yes", "true")
    assert said(tmp_path / "m1", "10.9.9.1")["proxyjump"].replace("[", "").replace("]", "") == (
        "ops@10.9.9.9:22"
    )
    assert said(tmp_path / "m2", "10.9.9.2")["proxycommand"] == "nc -x 127.0.0.1:1080 10.9.9.2 22"
    assert said(tmp_path / "m1", "10.9.9.9")["hostkeyalias"] == "bastion"


def test_without_a_config_nothing_is_changed_and_none_of_a_site_is_run(tmp_path: Path) -> None:
    plain = Inventory((Host("m1", "10.0.0.1"),), use_ssh_config=False)
    assert as_reached(plain) == Reached(plain)
    (own := tmp_path / "cfg").write_text(CONFIG)
    of_a_site = Inventory((Host("m1", "m1"),), ssh_config=own, config_of_site=True)
    with pytest.raises(ProgramsNotAllowed):
        as_reached(of_a_site)


BEHIND_ONE_ADDRESS = """\
Host m1
  HostName gw
  Port 2221
  HostKeyAlias one
  IdentityAgent /run/a gent
  CertificateFile /k/m1-cert.pub
  IdentitiesOnly yes
  UserKnownHostsFile /kh/one /kh/more
  HostKeyAlgorithms ssh-ed25519
  KexAlgorithms curve25519-sha256
  Ciphers aes256-ctr
  MACs hmac-sha2-512
Host m2
  HostName gw
  Port 2222
  HostKeyAlias two
"""


def test_machines_behind_one_address_keep_their_own_settings(tmp_path: Path) -> None:
    (own := tmp_path / "own").write_text(BEHIND_ONE_ADDRESS.replace("a gent", "agent"))
    reached = as_reached(Inventory((Host("m1", "m1"), Host("m2", "m2")), ssh_config=own))
    ours = {}
    for host in reached.inventory:
        text = ssh_config(host, "/kh/ours", known_as=reached.known_as, settings=reached.settings)
        (tmp_path / host.name).write_text(text)
        ours[host.name] = said(tmp_path / host.name, "gw")
    assert [ours[name]["hostkeyalias"] for name in ("m1", "m2")] == ["one", "two"]
    for key, theirs in said(own, "m1").items():
        if key in {"identityagent", "certificatefile", "identitiesonly", "hostkeyalgorithms",
                   "kexalgorithms", "ciphers", "macs"}:  # fmt: skip
            assert ours["m1"][key] == theirs, key
    assert ours["m1"]["userknownhostsfile"] == "/kh/ours /kh/one /kh/more"
    assert ours["m2"]["identitiesonly"] == "no"


@pytest.mark.parametrize("config", ["", "Host *\n  User anna\n"])
def test_the_keys_of_a_home_that_openssh_does_not_know_are_named_to_it(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sudo -E` leaves HOME as it was; the ssh of a playbook looks in root's home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (key := tmp_path / ".ssh/id_ed25519").write_text("a key")
    file = None
    if config:
        (file := tmp_path / "config").write_text(config)
    hosts = (Host("m1", "10.9.9.1"), Host("m2", "10.9.9.2", identity_files=(Path("/k/own"),)))
    reached = as_reached(Inventory(hosts, ssh_config=file)).inventory
    assert reached.hosts[0].identity_files == (key,)
    assert reached.hosts[1].identity_files == (Path("/k/own"),)
