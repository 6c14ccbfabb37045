"""What an ssh config means: as OpenSSH says, over a corpus; and what none may run unasked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from foundation.hosts import openssh
from foundation.hosts.allowed import ProgramsNotAllowed, programs_of, remember
from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from foundation.hosts.ssh_config import Target, config_file, resolve
from foundation.hosts.ssh_parser import parse
from foundation.problems import InputProblem, Problem
from tests.foundation.sshd import StartSshd

CORPUS: dict[str, tuple[str, str]] = {
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
    "certificate": ("Host a\n  CertificateFile ~/.ssh/ca-%r.pub\n  User u\n", "a"),
    "timeout": ("Host *\n  ConnectTimeout 7\n", "a"),
    "other directives": ("Host *\n  ControlMaster auto\n  SetEnv A=1 B=2\n  IPQoS none\n", "a"),
    "wildcards": ("Host n?-*.example\n  User w\n", "n1-x.example"),
    "several patterns": ("Host x a y\n  User s\n", "a"),
    "address": ("Host 10.0.*\n  User ten\n", "10.0.0.9"),
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


# ---- what a file of somebody else would run

Site = Callable[[str], Inventory]


@pytest.fixture
def site(tmp_path: Path, private_home: Path) -> Site:
    """A site file's ssh config with some text."""

    def made(text: str) -> Inventory:
        file = tmp_path / "cfg"
        file.write_text(text)
        return Inventory(
            (Host("m1", "127.0.0.1", 9),), ssh_config=file, config_of_site=True, source="site.yaml"
        )

    return made


RUNS = [
    'Match exec "touch {mark}"\n  User x\n',
    'match  host *  exec "touch {mark}"\n',
    'Match !exec "touch {mark}"\n',
    'Match="exec" "touch {mark}"\n',
    "Host *\n  ProxyCommand sh -c 'touch {mark}; nc %h %p'\n",
    "proxycommand=touch {mark}\n",
    '"ProxyCommand" touch {mark}\n',
    "=ProxyCommand touch {mark}\n",
    '""ProxyCommand touch {mark}\n',
    '"" ProxyCommand touch {mark}\n',
    " = ProxyCommand touch {mark}\n",
    '"ProxyCommand"touch {mark}\n',
    'Pro"xyCommand" touch {mark}\n',
    '=Match exec "touch {mark}"\n',
    'Match e"xec" "touch {mark}"\n',
    'Match host=* exec="touch {mark}"\n',
    'Match ex"ec" "touch {mark}"\n',
    "Match e'xe'c \"touch {mark}\"\n",
    'Proxy"Command" touch {mark}\n',
    'ProxyCommand "none"\n',
    "Host *\n  SomethingNewCommand touch {mark}\n",
    "Host *\n  PermitLocalCommand yes\n  LocalCommand touch {mark}\n",
    "Host *\n  KnownHostsCommand /usr/bin/touch {mark}\n",
    "Host *\n  PKCS11Provider {mark}\n",
    "Host *\n  SecurityKeyProvider {mark}\n",
    "Host *\n  Include {outside}\n",
    "Include inner\n",
]


@pytest.mark.parametrize("text", RUNS)
async def test_a_config_that_a_site_names_starts_nothing_here(
    site: Site, tmp_path: Path, private_home: Path, text: str
) -> None:
    mark, outside = tmp_path / "mark", private_home / "outside"
    outside.write_text(f'Match exec "touch {mark}"\n')
    (private_home / ".ssh").mkdir()
    (private_home / ".ssh" / "inner").write_text(f'Match exec "touch {mark}"\n')
    inventory = site(text.format(mark=mark, outside=outside))
    async with Pool(inventory, connect_timeout=2) as pool:
        for way in (pool.connect, pool.offered_key):
            with pytest.raises(ProgramsNotAllowed) as caught:
                await way(inventory.hosts[0])
            assert f"{tmp_path / 'cfg'} line" in caught.value.cause
            assert "--allow-programs" in caught.value.remedy
    from foundation.hosts.connection import Credentials
    from foundation.hosts.second_client import login

    assert login(inventory.hosts[0], inventory, Credentials())[0] is False
    assert not mark.exists()


@pytest.mark.parametrize("name", ["ev\\il", "%h", "ev?l", "ev[i]l", "${HOME}", "e'vil'", 'e"vil"'])
async def test_an_include_whose_file_cannot_be_told_is_refused(
    site: Site, tmp_path: Path, name: str
) -> None:
    mark = tmp_path / "mark"
    for file in ("evil", "127.0.0.1"):
        (tmp_path / file).write_text(f'Match exec "touch {mark}"\n')
    inventory = site(f"Include {tmp_path}/{name}\n")
    async with Pool(inventory, connect_timeout=2) as pool:
        with pytest.raises(InputProblem, match="which file this Include means"):
            await pool.connect(inventory.hosts[0])
    with pytest.raises(InputProblem):
        programs_of(inventory)
    assert not mark.exists()


def test_an_include_that_leaves_the_folder_is_allowed_with_what_its_file_runs(
    site: Site, private_home: Path
) -> None:
    outside = private_home / "outside"
    outside.write_text("User u\n")
    inventory = site(f"Include {outside}\n")
    remember(programs_of(inventory))
    assert config_file(inventory) is not None
    outside.write_text("ProxyCommand touch here\n")
    with pytest.raises(ProgramsNotAllowed) as caught:
        config_file(inventory)
    assert f"{outside} line 1: ProxyCommand touch here" in caught.value.cause


FORMS = [
    f"{before}{keyword}{between}{rest}"
    for before in ("", "=", '"" ', "\r")
    for keyword, rest in (
        ("ProxyCommand", "touch {mark}"),
        ('"ProxyCommand"', "touch {mark}"),
        ('Proxy"Command"', "touch {mark}"),
        ("Match", 'exec "touch {mark}"'),
        ("Match", 'ex"ec" "touch {mark}"'),
        ("Match", "e'xec' \"touch {mark}\""),
        ("Match", 'ex\\ec "touch {mark}"'),
        ("Include", "{folder}/ev\\il"),
        ("Include", "{folder}/e'v'il"),
    )
    for between in (" ", "")
]


def test_whatever_openssh_would_start_from_a_line_is_found_before(
    site: Site, tmp_path: Path
) -> None:
    """Each way of writing that OpenSSH itself takes, asked of OpenSSH itself."""
    mark = tmp_path / "mark"
    (tmp_path / "evil").write_text(f'Match exec "touch {mark}"\n')
    taken = 0
    for form in FORMS:
        inventory = site(form.format(mark=mark, folder=tmp_path) + "\n")
        assert inventory.ssh_config is not None
        said = subprocess.run(
            ["ssh", "-G", "-F", str(inventory.ssh_config), "127.0.0.1"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if not mark.exists() and "\nproxycommand " not in said.stdout:
            continue
        mark.unlink(missing_ok=True)
        taken += 1
        try:
            found: object = programs_of(inventory)
        except InputProblem as refused:
            found = refused
        assert found, form
        assert not mark.exists()
    assert taken > 10


INJECTED = "a$(touch {mark})"


@pytest.mark.parametrize("ours", [False, True])
@pytest.mark.parametrize("token", ["r", "h", "n", "k"])
async def test_no_name_of_a_site_is_run_by_the_shell_of_a_proxy_command(
    tmp_path: Path, token: str, ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With OpenSSH, and with our own reader in its place."""
    mark, config = tmp_path / "mark", tmp_path / "config"
    config.write_text(f"Host *\n  ProxyCommand true %{token}\n")
    bad = INJECTED.format(mark=mark)
    host = {
        "r": Host("m", "10.0.0.1", user=bad),
        "h": Host("m", "10.0.0.1", ssh_options=(f"HostName={bad}",)),
        "n": Host("m", bad),
        "k": Host("m", "10.0.0.1", ssh_options=(f'HostKeyAlias="{bad}"',)),
    }[token]
    if ours:
        monkeypatch.setattr(openssh, "available", lambda: None)
    async with Pool(Inventory((host,), ssh_config=config), connect_timeout=2) as pool:
        with pytest.raises(InputProblem):
            await pool.connect(host)
    assert not mark.exists()


def test_what_openssh_refuses_is_not_read_by_another(tmp_path: Path) -> None:
    host = Host("m", "10.0.0.1", user="a;b")
    config = tmp_path / "config"
    config.write_text("Host *\n  Port 2200\n")
    with pytest.raises(InputProblem, match="OpenSSH refuses"):
        resolve(host, config)


async def test_what_was_allowed_runs_and_only_exactly_that(site: Site, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    text = f'Match exec "touch {mark}"\n  User x\n'
    inventory = site(text)
    remember(programs_of(inventory))
    async with Pool(inventory, connect_timeout=2) as pool:
        with pytest.raises(Problem) as caught:
            await pool.connect(inventory.hosts[0])
    assert not isinstance(caught.value, ProgramsNotAllowed)
    assert mark.exists()
    with pytest.raises(ProgramsNotAllowed):
        config_file(site(text.replace("touch", "touch -c")))
    # On the command line the operator's word is enough; a file they name themself is theirs.
    config_file(replace(site(text.replace("touch", "true")), programs_allowed=True))
    config_file(replace(site(text.replace("touch", "true")), config_of_site=False))


def test_a_plain_config_of_a_site_is_honoured_with_what_lies_beside_it(
    site: Site, tmp_path: Path
) -> None:
    (tmp_path / "more").write_text("Host *\n  User beside\n  ProxyCommand none\n")
    inventory = site(f"Include {tmp_path / 'more'}\nHost *\n  Port 2200\n")
    target = resolve(inventory.hosts[0], config_file(inventory))
    assert target.user == "beside"


def test_the_program_of_an_inventory_needs_the_operators_word(private_home: Path) -> None:
    host = Host("a", "10.0.0.1", proxy_command="nc %h %p", proxy_place="hosts.ini line 3")
    inventory = Inventory((host,), use_ssh_config=False, source="hosts.ini")
    with pytest.raises(ProgramsNotAllowed) as caught:
        config_file(inventory)
    assert "hosts.ini line 3: ProxyCommand nc %h %p" in caught.value.cause
    allowed = replace(inventory, programs_allowed=True)
    command = resolve(host, config_file(allowed)).proxy_command
    assert command is not None
    assert command[1:] == ("-c", "exec nc 10.0.0.1 22")
    # What its options put into the command is allowed with it.
    remember(programs_of(inventory))
    config_file(inventory)
    other = replace(inventory, hosts=(replace(host, ssh_options=("HostName=10.9.9.9",)),))
    with pytest.raises(ProgramsNotAllowed, match=r"HostName=10\.9\.9\.9"):
        config_file(replace(other, hosts_by_name={}))


def test_a_program_of_an_inventory_is_told_the_machines_own_user_and_port() -> None:
    host = Host("a", "10.0.0.1", 2222, "u", proxy_command="nc %r %h %p")
    command = resolve(host, None).proxy_command
    assert command is not None
    assert command[2] == "exec nc u 10.0.0.1 2222"


@pytest.mark.parametrize("ending", ["exit 3", "true"])
async def test_a_program_that_ends_before_ssh_is_told_with_its_own_words(
    tmp_path: Path, ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    config = tmp_path / "config"
    config.write_text(f"Host *\n  ProxyCommand sh -c 'echo no way to %h >&2; {ending}'\n")
    host = Host("m", "10.0.0.1")
    with caplog.at_level("WARNING"):
        async with Pool(Inventory((host,), ssh_config=config), connect_timeout=10) as pool:
            for way in (pool.connect, pool.offered_key):
                with pytest.raises(Problem) as caught:
                    await way(host)
                assert "ended before SSH was spoken" in caught.value.cause
                assert "no way to 10.0.0.1" in caught.value.cause
                assert "fail2ban" not in (caught.value.remedy or "")
    assert not caplog.records


async def test_a_program_that_stays_silent_is_not_told_as_a_silent_machine(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host *\n  ProxyCommand sh -c 'echo stuck >&2; exec sleep 60'\n")
    host = Host("m", "10.0.0.1")
    async with Pool(Inventory((host,), ssh_config=config), connect_timeout=1) as pool:
        with pytest.raises(Problem) as caught:
            await pool.connect(host)
    assert "10.0.0.1:22 accepted" not in caught.value.cause
    assert "stuck" in caught.value.cause


async def test_what_a_program_complains_of_is_no_word_of_the_server(
    start_sshd: StartSshd, tmp_path: Path
) -> None:
    server, config, bridge = start_sshd(), tmp_path / "config", tmp_path / "bridge.py"
    bridge.write_text(BRIDGE)
    config.write_text(f"Host *\n  ProxyCommand {sys.executable} {bridge} {server.port}\n")
    host = Host("m", "10.0.0.1")
    async with Pool(Inventory((host,), ssh_config=config), connect_timeout=20) as pool:
        offered = await pool.offered_key(host)
    assert offered.public_key.split()[:2] == server.host_key.split()[:2]


BRIDGE = """
import os, socket, sys, threading
print("a complaint", file=sys.stderr, flush=True)
there = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def forth():
    while data := os.read(0, 65536):
        there.sendall(data)
threading.Thread(target=forth, daemon=True).start()
while data := there.recv(65536):
    os.write(1, data)
"""
