"""What an ssh config or an inventory of somebody else would run: nothing that nobody allowed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from foundation.hosts.model import Host, Inventory
from foundation.hosts.openssh import openssh
from foundation.hosts.openssh.allowed import ProgramsNotAllowed, programs_of, remember
from foundation.hosts.openssh.ssh_config import config_file, resolve
from foundation.hosts.pool import Pool
from foundation.problems import InputProblem, Problem
from tests.foundation.processes import BOUNDS
from tests.foundation.sshd import StartSshd

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
    from foundation.hosts.openssh.second_client import login

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


@pytest.mark.processes
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
    # asyncio may tell here of a program of the test before, whose loop is gone.
    told = [record.getMessage() for record in caplog.records]
    assert not [text for text in told if "that handles pid" not in text]


async def test_a_program_that_stays_silent_is_not_told_as_a_silent_machine(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host *\n  ProxyCommand sh -c 'echo stuck >&2; exec sleep 60'\n")
    host = Host("m", "10.0.0.1")
    cause = ""
    for seconds in BOUNDS:
        inventory = Inventory((host,), ssh_config=config)
        async with Pool(inventory, connect_timeout=seconds) as pool:
            with pytest.raises(Problem) as caught:
                await pool.connect(host)
        cause = caught.value.cause
        assert "10.0.0.1:22 accepted" not in cause
        if "stuck" in cause:
            break
    assert "stuck" in cause


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
