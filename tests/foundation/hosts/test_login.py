"""Logging in: every way in, and one clear problem for every way that the login takes to fail."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foundation.hosts.connection import Credentials
from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from foundation.problems import (
    InputProblem,
    KeyProblem,
    LoginRefused,
)
from foundation.secrets import Secret
from tests.foundation import peers
from tests.foundation.logging_in import (
    add_to_agent,
    encrypt,
    login_problem,
    whoami,
    works,
)
from tests.foundation.processes import free_port
from tests.foundation.sshd import Sshd, StartSshd, keygen

PASSWORD = "correct horse battery"


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


async def test_a_second_factor_is_told_in_its_words_and_gets_no_password(tmp_path: Path) -> None:
    class Factor(peers.Server):
        interactive = {"ubuntu": PASSWORD}  # noqa: RUF012 - a constant of this test
        prompt = "Verification code: "

    class After(Factor):
        prompt = "Password: "

        def validate_kbdint_response(self, username: str, responses: Any) -> Any:
            self.attempts.extend(responses)
            return "", "Duo for ubuntu", "", [("Passcode or option (1-2): ", True)]

    for kind, asked, sent in (
        (Factor, "Verification code:", []),
        (After, "Duo for ubuntu Passcode or option (1-2):", [PASSWORD]),
    ):
        folder = tmp_path / kind.__name__
        folder.mkdir()
        async with peers.ssh_peer(folder, kind) as (peer, attempts):
            given = Credentials(password=Secret(PASSWORD))
            problem = await login_problem(peer.inventory(), given)
            assert attempts == sent
        assert isinstance(problem, LoginRefused)
        assert f'asks "{asked}"' in problem.cause
        assert "AuthenticationMethods publickey" in problem.remedy


async def test_a_key_that_is_refused_is_not_half_the_way(
    start_sshd: StartSshd, tmp_path: Path
) -> None:
    """Where the server has further ways to log in, which are asked about afterwards."""
    sshd = start_sshd("KbdInteractiveAuthentication yes", "PasswordAuthentication yes")
    stranger = keygen(tmp_path / "stranger")
    host = sshd.host(identity_files=(stranger,))
    problem = await login_problem(sshd.inventory(host=host))
    assert isinstance(problem, LoginRefused)
    assert "the key was taken" not in f"{problem.cause} {problem.remedy}".lower()
    assert "asks" not in problem.cause
    assert "too many" not in problem.cause
    assert "ssh-copy-id" in problem.remedy


async def test_a_key_that_is_half_the_way_is_not_called_refused(start_sshd: StartSshd) -> None:
    sshd = start_sshd("AuthenticationMethods publickey,password", "PasswordAuthentication yes")
    problem = await login_problem(sshd.inventory())
    assert isinstance(problem, LoginRefused)
    assert "The key was taken" in problem.remedy


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
        ("-----BEGIN OPENSSH PRIVATE KEY-----\n", 0o644, "others on this machine"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ x\n", 0o644, "this is a public key"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\n", 0o644, "a key of PuTTY"),
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


async def test_a_key_that_the_ssh_config_names_and_that_is_not_there_is_told(
    sshd: Sshd, private_home: Path
) -> None:
    config = private_home / ".ssh/config"
    config.parent.mkdir(exist_ok=True)
    config.write_text("IdentityFile ~/.ssh/missing\nIdentitiesOnly yes\n")
    inventory = replace(sshd.inventory(host=sshd.host(identity_files=())), use_ssh_config=True)
    problem = await login_problem(inventory)
    assert isinstance(problem, LoginRefused)
    assert "missing (there is no such key file)" in problem.cause
    config.write_text("BindInterface gone0\n")
    assert isinstance(await login_problem(inventory), InputProblem)


async def test_a_key_that_others_may_read_is_refused_with_the_command(sshd: Sshd) -> None:
    sshd.client_key.chmod(0o644)
    problem = await login_problem(sshd.inventory())
    assert isinstance(problem, KeyProblem)
    assert "0644" in problem.cause
    assert problem.remedy == f"Run: chmod 600 {sshd.client_key}"
