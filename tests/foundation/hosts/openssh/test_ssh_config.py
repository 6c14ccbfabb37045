"""What an ssh config means: as OpenSSH says, over a corpus."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from foundation.hosts.ansible.inventory import hosts_from_arguments
from foundation.hosts.model import Host, Inventory
from foundation.hosts.openssh import openssh
from foundation.hosts.openssh.ssh_config import Target, config_file, resolve
from foundation.hosts.openssh.ssh_parser import parse
from foundation.problems import InputProblem

CORPUS: dict[str, tuple[str, str]] = {
    "a comma among patterns": ("Host a,b\n  Port 2001\nHost c,d a\n  Port 2002\n", "a"),
    "a jump as an address": ("Host a\n  ProxyJump ssh://u@b:2201\n", "a"),
    "tokens": ("Host box*\n  HostName %h.example.org\n  User u\n", "box1"),
    "first wins": ("Host a\n  Port 2001\nHost *\n  Port 2002\n  User x\n", "a"),
    "negation": ("Host * !a\n  User no\nHost a\n  User yes\n", "a"),
    "match host": ("Match host a\n  Port 2222\n  User m\n", "a"),
    "match after HostName": (
        "Host a\n  HostName b.ex\nMatch originalhost a\n  User o\nMatch host b.ex\n  Port 2299\n",
        "a",
    ),
    "match final": ("Host a\n  HostName b.example\nMatch final host b.example\n  User f\n", "a"),
    "match exec": ('Match exec "true"\n  User ex\n', "a"),
    "jump none": ("Host a\n  ProxyJump none\nHost *\n  ProxyJump bastion\n", "a"),
    "jump chain": ("Host a\n  ProxyJump u@b1:2201,b2\n", "a"),
    "jump before command": ("Host a\n  ProxyJump b\n  ProxyCommand nc %h %p\n", "a"),
    "command": ("Host a\n  HostName h.example\n  ProxyCommand nc -x p:1080 %h %p\n", "a"),
    "command none": ("Host a\n  ProxyCommand none\nHost *\n  ProxyCommand nc %h %p\n", "a"),
    "equals": ("Host=a\nPort=2244\nUser=eq\n", "a"),
    "identity tokens": ("Host a\n  IdentityFile ~/.ssh/%r_%h\n  User bob\n", "a"),
    "identity variable": ("Host a\n  IdentityFile ${HOME}/k\n", "a"),
    "identity none": ("Host a\n  IdentityFile none\n", "a"),
    "two identities": ("Host a\n  IdentityFile /1\n  IdentityFile /2\n  IdentitiesOnly yes\n", "a"),
    "alias": ("Host a\n  HostKeyAlias al\n  Port 2222\n", "a"),
    "comments": ("# all\nHost a # the box\n  Port 2255\n", "a"),
    "case": ("HOST a\n  pOrT 2266\n", "a"),
    "name in capitals": ("Host NODE1\n  Port 2267\n", "NODE1"),
    "user in match": ("Host a\n  User bob\nMatch user bob\n  Port 2277\n", "a"),
    "agent": ("Host a\n  IdentityAgent /run/agent\nHost *\n  IdentityAgent none\n", "a"),
    "agent none": ("Host *\n  IdentityAgent none\n", "a"),
    "known hosts": ("Host a\n  UserKnownHostsFile /k/%h /k2\n  GlobalKnownHostsFile /g\n", "a"),
    "known hosts with a blank": ('Host a\n  UserKnownHostsFile "/k/my hosts" /k2\n', "a"),
    "certificate": ("Host a\n  CertificateFile ~/.ssh/ca-%r.pub\n  User u\n", "a"),
    "no known hosts": ("Host a\n  UserKnownHostsFile none\n  GlobalKnownHostsFile none\n", "a"),
    "timeout": ("Host *\n  ConnectTimeout 7\n", "a"),
    "timeout with units": ("Host *\n  ConnectTimeout 1m30s\n  ServerAliveInterval 2M\n", "a"),
    "no timeout": ("Host a\n  ConnectTimeout none\nHost *\n  ConnectTimeout 7\n", "a"),
    "service": ("Host a\n  Port ssh\n", "a"),
    "crlf": ("Host a\r\n\tPort 2201\r\n\tUser u\r\n", "a"),
    "jump in brackets": ("Host a\n  ProxyJump u@[2001:db8::1]:2201\n", "a"),
    "match not": ("Match !host b\n  Port 2299\n", "a"),
    "all at first": ("Match all\n  User z\nHost a\n  User y\n", "a"),
    "other directives": ("Host *\n  ControlMaster auto\n  SetEnv A=1 B=2\n  IPQoS none\n", "a"),
    "wildcards": ("Host n?-*.example\n  User w\n", "n1-x.example"),
    "several patterns": ("Host x a y\n  User s\n", "a"),
    "address": ("Host 10.0.*\n  User ten\n", "10.0.0.9"),
    "comment after a value": ("Host a # one\n  User bob # x\nMatch host a # y\n  Port 2222\n", "a"),
    "backslash": ("Host a\n  User dom\\bob\n", "a"),
    "single quotes": ("Host a\n  IdentityFile '/k/my key'\n  User \"bob\"\n", "a"),
    "escaped blank": ("Host a\n  IdentityFile /k/my\\ key\n", "a"),
    "sign of a comment within a word": ("Host a\n  User bob#x\n", "a"),
    "command before jump": ("Host a\n  ProxyCommand nc %h %p\n  ProxyJump b\n", "a"),
    "no command before jump": ("Host a\n  ProxyCommand none\n  ProxyJump b\n", "a"),
    "no jump before command": ("Host a\n  ProxyJump none\n  ProxyCommand nc %h %p\n", "a"),
    "match in capitals": ("Match originalhost NODE1\n  Port 2222\n", "node1"),
    "match of capitals": ("Match host node1\n  Port 2222\n", "NODE1"),
    "one identity twice": ("IdentityFile /1\nHost a\n  IdentityFile /1\n  IdentityFile /2\n", "a"),
    "no certificate": ("CertificateFile none\nHost a\n  Port 2222\n", "a"),
    "unbound key": ("PubkeyAuthentication unbound\nHost a\n  Port 2222\n", "a"),
    "final alone": ("Host a\n  User x\nMatch final all\n  Port 2222\n", "a"),
}  # fmt: skip


@dataclass
class Said:
    """What one reader makes of a configuration."""

    address: str
    port: int
    user: str
    bastion: str | None
    alias: str
    identities: tuple[Path, ...]
    agent: str | None
    only: bool
    known: tuple[tuple[str, ...] | None, tuple[str, ...] | None]
    certificates: tuple[str, ...]
    timeout: int | None
    command: str | None


def said(target: Target) -> Said:
    """A target as the values that decide a login."""
    bastion = target.bastion
    chain = []
    while bastion is not None:
        chain.append(f"{bastion.user or ''}@{bastion.endpoint}")
        bastion = None if bastion.bastion is None else Host("x", "x", bastion=bastion.bastion)
        if bastion is not None:
            chain.append(str(bastion.bastion))
            break
    settings = target.settings
    return Said(
        target.address.lower(), target.port, target.user, " ".join(chain) or None,
        target.known_as.lower(), target.identity_files, target.agent, target.identities_only,
        (settings.user_known_hosts, settings.global_known_hosts), settings.certificate_files,
        settings.connect_timeout, target.proxy_command[2] if target.proxy_command else None,
    )  # fmt: skip


def target_of(text: str, name: str, folder: Path) -> Target:
    """What we make of a configuration for a machine."""
    file = folder / "config"
    file.write_text(text)
    host = Host(name, name)
    return resolve(host, config_file(Inventory((host,), ssh_config=file)))


@pytest.mark.parametrize("case", CORPUS)
def test_both_readers_say_the_same_as_openssh(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, name = CORPUS[case]
    theirs = target_of(text, name, tmp_path)
    # The raw words of OpenSSH are the truth of the first of the two readers.
    shown = subprocess.run(
        ["ssh", "-G", "-F", str(tmp_path / "config"), name], capture_output=True, text=True,
        check=True,
    ).stdout  # fmt: skip
    raw = dict(line.split(" ", 1) for line in reversed(shown.splitlines()) if " " in line)
    assert (theirs.address, theirs.port, theirs.user) == (
        raw["hostname"], int(raw["port"]), raw["user"],
    )  # fmt: skip
    assert bool(theirs.bastion) == (raw.get("proxyjump", "none") != "none")
    monkeypatch.setattr(openssh, "available", lambda: None)
    ours = target_of(text, name, tmp_path)
    assert said(ours) == said(theirs)
    assert ours.settings.notes == ()


def test_a_port_that_somebody_wrote_counts_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("Host *\n  Port 2222\n")
    for words, port in (("a", 2222), ("a:22", 22), ("a:23", 23)):
        (host,) = hosts_from_arguments([words])
        config = config_file(Inventory((host,), ssh_config=file))
        assert resolve(host, config).port == port
        assert config is not None
        assert (parse(host, config.lines, "").port or 22) == port


def test_what_follows_an_include_belongs_to_its_own_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inc").write_text("Port 2201\nHost b\n  HostName b.example\n")
    text = f"Host a\n  Include {tmp_path / 'inc'}\n  User after\nHost *\n  Port 2299\n"
    theirs = target_of(text, "a", tmp_path)
    assert (theirs.port, theirs.user, theirs.address) == (2201, "after", "a")
    monkeypatch.setattr(openssh, "available", lambda: None)
    assert said(target_of(text, "a", tmp_path)) == said(theirs)


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("Host a\n  Port 2222\nMatch localnetwork 192.0.2.0/24\n  ProxyJump b\n", 2222),
        ("Match localnetwork 127.0.0.0/8\n  Port 2223\n", 2223),
        ("Host *\n  CanonicalizeHostname no\n  Port 2224\nMatch canonical\n  Port 1\n", 2224),
    ],
)
def test_what_openssh_alone_can_judge_it_judges(text: str, port: int, tmp_path: Path) -> None:
    asked = subprocess.run(
        ["ssh", "-G", "-F", "/dev/stdin", "a"], input=text, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    target = target_of(text, "a", tmp_path)
    if asked.returncode == 0:
        assert f"port {target.port}\n" in asked.stdout
        assert target.bastion is None
        assert target.settings.notes == ()
    else:  # an older OpenSSH than the file: the block is left out and told
        assert any("is left out" in note for note in target.settings.notes)
    assert port in (target.port, 2223)


def test_blocks_that_nobody_here_can_judge_are_left_out_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openssh, "available", lambda: None)
    text = (
        "Host edge-*\n  Tag siteA\n  HostName 127.0.0.1\n  Port 22022\n"
        "Match tagged siteA\n  User bugsh\nMatch version OpenSSH_10*\n  Port 1\n"
        "Match sessiontype exec\n  Port 2\nMatch localnetwork 192.0.2.0/24\n  ProxyJump b\n"
        "Host *\n  ServerAliveInterval 20\n"
    )
    target = target_of(text, "edge-1", tmp_path)
    assert (target.address, target.port, target.user) == ("127.0.0.1", 22022, "bugsh")
    assert target.bastion is None
    for condition, line in (("version", 7), ("sessiontype", 9), ("localnetwork", 11)):
        (note,) = [note for note in target.settings.notes if f"`{condition}`" in note]
        assert f"line {line}" in note


def test_a_file_newer_than_the_ssh_here_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: object, **__: object) -> None:
        raise openssh.CannotSay("line 2: Bad configuration option: tag")

    monkeypatch.setattr(openssh, "ask", cannot)
    target = target_of("Host a\n  Tag x\nMatch tagged x\n  Port 2222\n", "a", tmp_path)
    assert target.port == 2222
    assert any("Bad configuration option: tag" in note for note in target.settings.notes)


@pytest.mark.parametrize(
    "line",
    [
        "Port 0", "Port 70000", "Port", "User two words", "User", "Host", "HostName",
        "ConnectTimeout -1", "ServerAliveInterval -1", "Match all host a",
    ],
)  # fmt: skip
@pytest.mark.parametrize("by_openssh", [True, False])
def test_a_file_that_openssh_refuses_is_used_by_neither_reader(
    line: str, by_openssh: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with "1 bad configuration options" whatever it found, as for what is unknown."""
    text = f"Host a\n  Port 2222\n{line}\n"
    (tmp_path / "config").write_text(text)
    asked = ["ssh", "-G", "-F", str(tmp_path / "config"), "a"]
    assert subprocess.run(asked, capture_output=True, check=False).returncode != 0
    if not by_openssh:
        monkeypatch.setattr(openssh, "available", lambda: None)
    with pytest.raises(InputProblem, match="line 3"):
        target_of(text, "a", tmp_path)


@pytest.mark.parametrize("line", ["NoSuchOption yes", "Match nosuch x", "\u00a0Port 23"])
def test_what_no_openssh_knows_is_refused_as_by_openssh(line: str, tmp_path: Path) -> None:
    """A slip of the pen is no directive of a later version; the rest of the file would be used."""
    with pytest.raises(InputProblem, match="OpenSSH refuses"):
        target_of(f"Host a\n  Port 2222\n{line}\n", "a", tmp_path)


def test_names_that_openssh_alone_would_complete_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openssh, "available", lambda: None)
    text = "CanonicalizeHostname yes\nCanonicalDomains example.org\nHost a\n  Port 2222\n"
    (note,) = target_of(text, "a", tmp_path).settings.notes
    assert "CanonicalizeHostname" in note


def test_a_value_that_nobody_can_read_is_a_problem_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputProblem) as caught:
        target_of("Host *\n  Port many\n", "a", tmp_path)
    assert "line 2" in caught.value.cause
    assert "--ssh-config /dev/null" in caught.value.remedy


def test_algorithms_of_a_config_are_asked_of_openssh_as_whole_lists(tmp_path: Path) -> None:
    target = target_of("Host *\n  HostKeyAlgorithms ^rsa-sha2-512\n  Ciphers aes256-ctr\n", "a",
                       tmp_path)  # fmt: skip
    assert target.settings.host_key_algorithms.startswith("rsa-sha2-512,")
    assert target.settings.ciphers == "aes256-ctr"
    assert target_of("Host a\n  Port 23\n", "a", tmp_path).settings.ciphers == ""


def test_an_alias_stands_in_known_hosts_without_a_port(tmp_path: Path) -> None:
    target = target_of("Host a\n  HostKeyAlias al\n  Port 2222\n", "a", tmp_path)
    assert (target.known_as, target.known_port, target.port) == ("al", 22, 2222)


def test_options_of_an_inventory_go_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("Host *\n  HostKeyAlias other\n  Port 2200\n")
    host = Host("a", "a", ssh_options=("HostKeyAlias=mine",))
    for inventory in (
        Inventory((host,), ssh_config=file),
        Inventory((host,), use_ssh_config=False),
    ):
        assert resolve(host, config_file(inventory)).known_as == "mine"
    assert parse(host, (), "").host_key_alias == "mine"


@pytest.mark.parametrize(
    "words", ["IdentityFile", "CertificateFile", "IdentityAgent", "UserKnownHostsFile"]
)
def test_a_file_in_the_home_of_nobody_is_refused_as_by_openssh(words: str, tmp_path: Path) -> None:
    """`tilde_expand: No such user nosuch`, it says, and ends."""
    file = tmp_path / "config"
    file.write_text(f"Host *\n  {words} ~nosuch/x\n")
    with pytest.raises(InputProblem, match="nosuch"):
        resolve(Host("m1", "10.0.0.1"), file)
    with pytest.raises(InputProblem, match="~nosuch is the home of no user"):
        resolve(Host("m1", "10.0.0.1"), Path("~nosuch/config"))


def test_what_is_included_from_the_home_of_nobody_is_nothing(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("Host *\n  Include ~nosuch/x\n  User carl\n")
    assert resolve(Host("m1", "10.0.0.1"), file).user == "carl"
