"""Logging in: every way in, and one clear problem for every way in which it fails."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.hosts import refusals
from foundation.hosts.connection import Connection, Credentials
from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from foundation.hosts.ssh import SshConnection
from foundation.own_log import keep_own_log
from foundation.paths import log_file
from foundation.problems import (
    ChangedHostKey,
    ConnectionProblem,
    ConnectTimeout,
    HostKeyProblem,
    InputProblem,
    KeyProblem,
    LoginRefused,
    Problem,
    UnknownHostKey,
    Unreachable,
)
from foundation.secrets import Secret
from tests.foundation import peers
from tests.foundation.sshd import Sshd, StartSshd, free_port, keygen

PASSWORD = "correct horse battery"
NO_CREDENTIALS = Credentials()


async def login_problem(
    inventory: Inventory, credentials: Credentials = NO_CREDENTIALS, timeout: float = 5.0
) -> Problem:
    """The problem that the login to a site's first machine comes to."""
    async with Pool(inventory, credentials, connect_timeout=timeout) as pool:
        with pytest.raises(Problem) as caught:
            await pool.connect(inventory.hosts[0])
    problem = caught.value
    assert problem.cause
    assert problem.remedy
    assert problem.where
    assert "Traceback" not in str(problem)
    return problem


def add_to_agent(key: Path) -> None:
    """Load a key into the agent of this test."""
    subprocess.run(["ssh-add", "-q", str(key)], check=True)


def encrypt(key: Path, passphrase: str) -> None:
    """Protect a key file that has no passphrase yet."""
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", passphrase, "-f", str(key)], check=True)


def fingerprint_of(key: Path) -> str:
    """The fingerprint of a public key as ssh-keygen shows it."""
    done = subprocess.run(
        ["ssh-keygen", "-lf", str(key)], capture_output=True, text=True, check=True
    )
    return done.stdout.split()[1]


async def whoami(connection: Connection) -> str:
    """The name of the user whom a connection is logged in as."""
    return (await connection.run(["id", "-un"])).stdout.decode().strip()


async def works(inventory: Inventory, credentials: Credentials = NO_CREDENTIALS) -> None:
    """Assert that the login to a site's first machine works."""
    async with Pool(inventory, credentials) as pool:
        assert await whoami(await pool.connect(inventory.hosts[0]))


async def test_a_key_file_opens_the_way_in(sshd: Sshd) -> None:
    async with Pool(sshd.inventory()) as pool:
        connection = await pool.connect(sshd.host())
        assert await whoami(connection) == sshd.user
        assert connection.round_trip is not None
        assert 0 < connection.round_trip < 5


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
async def test_other_kinds_of_keys_open_the_way_in(sshd: Sshd, tmp_path: Path, kind: str) -> None:
    key = keygen(tmp_path / "other", kind=kind)
    (sshd.folder / "authorized_keys").write_text(key.with_suffix(".pub").read_text())
    await works(sshd.inventory(host=sshd.host(identity_files=(key,))))


async def test_a_key_with_a_passphrase_opens_the_way_in(sshd: Sshd, tmp_path: Path) -> None:
    key = keygen(tmp_path / "locked", passphrase="open sesame")
    (sshd.folder / "authorized_keys").write_text(key.with_suffix(".pub").read_text())
    inventory = sshd.inventory(host=sshd.host(identity_files=(key,)))
    await works(inventory, Credentials(passphrase=Secret("open sesame")))

    problem = await login_problem(inventory)
    assert isinstance(problem, KeyProblem)
    assert "passphrase, and none was given" in problem.cause

    problem = await login_problem(inventory, Credentials(passphrase=Secret("open barley")))
    assert isinstance(problem, KeyProblem)
    assert "does not open this key" in problem.cause


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A real ssh-agent without keys."""
    path = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        yield
        process.terminate()


@pytest.mark.usefixtures("agent")
async def test_an_agent_opens_the_way_in(sshd: Sshd, tmp_path: Path) -> None:
    for other in ("a", "b"):
        add_to_agent(keygen(tmp_path / other))
    add_to_agent(sshd.client_key)
    await works(sshd.inventory(host=sshd.host(identity_files=())))


@pytest.mark.usefixtures("agent")
async def test_an_encrypted_key_that_the_agent_holds_needs_no_passphrase(sshd: Sshd) -> None:
    add_to_agent(sshd.client_key)
    encrypt(sshd.client_key, "secret phrase")
    await works(sshd.inventory())


@pytest.mark.usefixtures("agent")
async def test_too_many_agent_keys_are_told_with_the_way_out(
    start_sshd: StartSshd, tmp_path: Path
) -> None:
    server = start_sshd("MaxAuthTries 2")
    for number in range(4):
        add_to_agent(keygen(tmp_path / f"k{number}"))
    problem = await login_problem(server.inventory(host=server.host(identity_files=())))
    assert isinstance(problem, LoginRefused)
    assert "too many keys" in problem.cause
    assert "identity_files" in problem.remedy
    # The key that a machine is given goes first, so the agent's do not get in its way.
    await works(server.inventory())


async def test_a_key_in_the_usual_place_is_found(sshd: Sshd, private_home: Path) -> None:
    (private_home / ".ssh").mkdir(mode=0o700)
    sshd.client_key.rename(private_home / ".ssh" / "id_ed25519")
    await works(sshd.inventory(host=sshd.host(identity_files=())))


async def test_the_ssh_config_is_honoured(sshd: Sshd, private_home: Path) -> None:
    folder = private_home / ".ssh"
    folder.mkdir(mode=0o700)
    (folder / "config").write_text(
        f"Host m1\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {sshd.user}\n"
        f"  IdentityFile {sshd.client_key}\n  IdentitiesOnly yes\n"
        "  SendEnv LANG\n  RequestTTY force\n  RemoteCommand false\n  Compression yes\n"
    )
    await works(Inventory((Host("m1", "m1"),), (sshd.known_hosts,)))


async def test_a_proxy_jump_of_the_ssh_config_is_honoured(
    start_sshd: StartSshd, private_home: Path
) -> None:
    bastion, machine = start_sshd(), start_sshd()
    config = private_home / "config"
    config.write_text(
        f"Host b\n  HostName 127.0.0.1\n  Port {bastion.port}\n"
        f"  IdentityFile {bastion.client_key}\nHost m\n  HostName 127.0.0.1\n"
        f"  Port {machine.port}\n  ProxyJump b\n  IdentityFile {machine.client_key}\n"
    )
    files = (bastion.known_hosts, machine.known_hosts)
    await works(Inventory((Host("m", "m"),), files, ssh_config=config))
    assert b"Accepted publickey" in (bastion.folder / "log").read_bytes()


async def test_a_broken_ssh_config_is_one_problem(sshd: Sshd, private_home: Path) -> None:
    config = private_home / "config"
    config.write_text("Host *\n  Port many\n")
    problem = await login_problem(Inventory((sshd.host(),), ssh_config=config))
    assert isinstance(problem, InputProblem)
    assert "line 2" in problem.cause


async def test_ipv6_opens_the_way_in(start_sshd: StartSshd) -> None:
    try:
        free_port("::1")
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    await works(start_sshd(address="::1").inventory())


async def test_a_banner_is_tolerated_whatever_is_in_it(tmp_path: Path) -> None:
    class Talkative(peers.Server):
        passwords = {"ubuntu": PASSWORD}  # noqa: RUF012 - a constant of this test
        banner = "Unauthorised use is forbidden!\r\n" * 200 + "\u0000\u001b[31mÜ"

    async with peers.ssh_peer(tmp_path, Talkative) as (peer, _):
        await works(peer.inventory(), Credentials(password=Secret(PASSWORD)))


async def test_a_password_opens_the_way_in_and_a_wrong_one_is_tried_once(tmp_path: Path) -> None:
    class Strict(peers.Server):
        passwords = {"ubuntu": PASSWORD}  # noqa: RUF012 - a constant of this test
        interactive = {"ubuntu": PASSWORD}  # noqa: RUF012 - a constant of this test

    async with peers.ssh_peer(tmp_path, Strict) as (peer, attempts):
        await works(peer.inventory(), Credentials(password=Secret(PASSWORD)))
        attempts.clear()
        problem = await login_problem(
            peer.inventory(), Credentials(password=Secret("not this one"))
        )
        assert attempts == ["not this one"]
    assert isinstance(problem, LoginRefused)
    assert "the password" in problem.cause
    assert '"ubuntu"' in problem.cause
    assert "not this one" not in f"{problem} {problem.remedy}"


async def test_keyboard_interactive_answers_a_hidden_question_in_any_language(
    tmp_path: Path,
) -> None:
    class Interactive(peers.Server):
        interactive = {"ubuntu": PASSWORD}  # noqa: RUF012 - a constant of this test
        prompt = "Kennwort für ubuntu: "

    async with peers.ssh_peer(tmp_path, Interactive) as (peer, _):
        await works(peer.inventory(), Credentials(password=Secret(PASSWORD)))


async def test_a_refused_login_names_user_methods_and_keys(sshd: Sshd, tmp_path: Path) -> None:
    stranger = keygen(tmp_path / "stranger")
    problem = await login_problem(sshd.inventory(host=sshd.host(identity_files=(stranger,))))
    assert isinstance(problem, LoginRefused)
    assert f'"{sshd.user}"' in problem.cause
    assert "publickey" in problem.cause
    assert str(stranger) in problem.cause
    assert "ssh-copy-id" in problem.remedy


async def test_a_login_with_nothing_to_try_says_so(sshd: Sshd) -> None:
    problem = await login_problem(sshd.inventory(host=sshd.host(identity_files=())))
    assert isinstance(problem, LoginRefused)
    assert "nothing to try" in problem.cause


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (None, 0o600, "no such key file"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", 0o600,
         "damaged"),
        ("hello\n", 0o600, "not a private key"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ x\n", 0o644, "others on this machine"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ x\n", 0o600, "this is a public key"),
    ],
)  # fmt: skip
async def test_a_key_file_that_cannot_be_used_is_told(
    sshd: Sshd, tmp_path: Path, content: str | None, mode: int, words: str
) -> None:
    key = tmp_path / "key"
    if content is not None:
        key.write_text(content)
        key.chmod(mode)
    problem = await login_problem(sshd.inventory(host=sshd.host(identity_files=(key,))))
    assert isinstance(problem, KeyProblem)
    assert words in problem.cause
    assert problem.where == str(key)


async def test_a_key_that_others_may_read_is_refused_with_the_command(sshd: Sshd) -> None:
    sshd.client_key.chmod(0o644)
    problem = await login_problem(sshd.inventory())
    assert isinstance(problem, KeyProblem)
    assert "0644" in problem.cause
    assert problem.remedy == f"Run: chmod 600 {sshd.client_key}"


async def test_an_unknown_host_key_comes_with_its_fingerprint_and_key(
    sshd: Sshd, tmp_path: Path
) -> None:
    inventory = Inventory((sshd.host(),), (tmp_path / "empty",), use_ssh_config=False)
    problem = await login_problem(inventory)
    assert type(problem) is UnknownHostKey
    shown = fingerprint_of(sshd.folder / "host.pub")
    assert problem.fingerprint == shown
    assert problem.public_key == sshd.host_key
    assert problem.fingerprint in problem.cause


async def test_a_changed_host_key_stops_with_both_fingerprints_and_the_line(
    sshd: Sshd, tmp_path: Path
) -> None:
    old = keygen(tmp_path / "old").with_suffix(".pub").read_text()
    sshd.known_hosts.write_text(f"# a comment\n[127.0.0.1]:{sshd.port} {old}")
    problem = await login_problem(sshd.inventory())
    assert isinstance(problem, ChangedHostKey)
    shown = fingerprint_of(tmp_path / "old.pub")
    assert shown in problem.cause
    assert problem.fingerprint in problem.cause
    assert f"{sshd.known_hosts} line 2" in problem.cause
    assert f"ssh-keygen -R '[127.0.0.1]:{sshd.port}'" in problem.remedy


async def test_a_known_key_of_a_kind_that_is_gone_is_a_changed_key(
    sshd: Sshd, tmp_path: Path
) -> None:
    old = keygen(tmp_path / "old", kind="rsa").with_suffix(".pub").read_text()
    sshd.known_hosts.write_text(f"[127.0.0.1]:{sshd.port} {old}")
    assert isinstance(await login_problem(sshd.inventory()), ChangedHostKey)


async def test_a_revoked_host_key_is_refused_on_every_port(sshd: Sshd) -> None:
    with sshd.known_hosts.open("a") as file:
        file.write(f"@revoked 127.0.0.1 {sshd.host_key}\n")
    problem = await login_problem(sshd.inventory())
    assert isinstance(problem, HostKeyProblem)
    assert "revoked" in problem.cause


async def test_a_name_that_does_not_resolve_is_told() -> None:
    problem = await login_problem(
        Inventory((Host("m", "no-such-machine.invalid"),), use_ssh_config=False)
    )
    assert isinstance(problem, Unreachable)
    assert "does not resolve" in problem.cause


async def test_a_refused_connection_is_told() -> None:
    host = Host("m", "127.0.0.1", port=free_port())
    problem = await login_problem(Inventory((host,), use_ssh_config=False))
    assert isinstance(problem, Unreachable)
    assert "nothing listens on port" in problem.cause


async def test_several_addresses_of_one_name_make_one_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = free_port()
    addresses = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", port)),
    ]
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "getaddrinfo", lambda *_, **__: _given(addresses))
    problem = await login_problem(
        Inventory((Host("m", "two.example", port=port),), use_ssh_config=False)
    )
    assert isinstance(problem, Unreachable)
    assert "nothing listens on port" in problem.cause


async def _given(value: object) -> object:
    return value


async def test_a_black_hole_ends_in_time_with_its_own_sentence() -> None:
    # A full queue of a listener drops what comes, as a firewall does.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        try:
            problem = await login_problem(
                Inventory((Host("m", "127.0.0.1", port=port),), use_ssh_config=False), timeout=0.5
            )
        finally:
            for filler in fillers:
                filler.close()
    assert isinstance(problem, ConnectTimeout)
    assert "nothing came back" in problem.cause


async def test_a_silent_peer_ends_in_time_with_its_own_sentence(tmp_path: Path) -> None:
    async with peers.tcp_peer(tmp_path, peers.silent) as peer:
        problem = await login_problem(peer.inventory(), timeout=0.5)
    assert isinstance(problem, ConnectTimeout)
    assert "accepted the connection and then said nothing" in problem.cause


async def test_a_peer_that_hangs_up_is_told(tmp_path: Path) -> None:
    async with peers.tcp_peer(tmp_path, peers.hang_up) as peer:
        problem = await login_problem(peer.inventory())
    assert isinstance(problem, Unreachable)
    assert "closed it before it spoke SSH" in problem.cause


async def test_a_peer_that_does_not_speak_ssh_is_quoted(tmp_path: Path) -> None:
    async with peers.tcp_peer(tmp_path, peers.web_server) as peer:
        problem = await login_problem(peer.inventory())
    assert isinstance(problem, Unreachable)
    assert "does not speak SSH" in problem.cause
    assert "HTTP/1.1 400" in problem.cause


@pytest.mark.parametrize(
    "options",
    [
        {"kex_algs": ["diffie-hellman-group1-sha1"]},
        {"encryption_algs": ["3des-cbc"], "mac_algs": ["hmac-md5"]},
    ],
)
async def test_a_server_without_a_common_algorithm_is_told(
    tmp_path: Path, options: dict[str, list[str]]
) -> None:
    async with peers.ssh_peer(tmp_path, peers.Server, **options) as (peer, _):
        problem = await login_problem(peer.inventory())
    assert type(problem) is ConnectionProblem
    assert "no algorithm in common" in problem.cause


async def test_the_fast_cipher_is_preferred_and_others_are_taken(
    sshd: Sshd, tmp_path: Path
) -> None:
    async with Pool(sshd.inventory()) as pool:
        connection = await pool.connect(sshd.host())
        assert isinstance(connection, SshConnection)
        assert connection.ssh.get_extra_info("send_cipher") == "aes128-gcm@openssh.com"

    class Restricted(peers.Server):
        passwords = {"ubuntu": PASSWORD}  # noqa: RUF012 - a constant of this test

    ciphers = ["chacha20-poly1305@openssh.com"]
    async with peers.ssh_peer(tmp_path, Restricted, encryption_algs=ciphers) as (peer, _):
        await works(peer.inventory(), Credentials(password=Secret(PASSWORD)))


async def test_a_server_with_host_keys_of_old_alone_is_told_as_that(
    start_sshd: StartSshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "_LOOK_SECONDS", 30.0)
    keygen(tmp_path / "rsa", kind="rsa")
    sshd = start_sshd(f"HostKey {tmp_path / 'rsa'}", "HostKeyAlgorithms ssh-rsa")
    async with Pool(sshd.inventory()) as pool:
        with pytest.raises(ConnectionProblem, match=r"no longer safe.*: ssh-rsa") as caught:
            await pool.connect(sshd.host())
    assert "ssh-keygen -A" in (caught.value.remedy or "")


def test_a_warning_of_a_library_goes_to_the_log_and_not_over_the_screen(
    private_home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warnings.showwarning", warnings.showwarning)
    monkeypatch.setattr("logging.lastResort", logging.lastResort)
    monkeypatch.setattr("logging.raiseExceptions", logging.raiseExceptions)
    keep_own_log()
    warnings.showwarning("FFDH is deprecated", UserWarning, "dh.py", 30)
    assert "FFDH is deprecated" in log_file().read_text()
    assert capfd.readouterr() == ("", "")
