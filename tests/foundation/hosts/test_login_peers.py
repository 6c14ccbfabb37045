"""Peers that no login comes through to: host keys, names, ports, silence, odd servers."""

from __future__ import annotations

import asyncio
import logging
import socket
import warnings
from pathlib import Path

import pytest

from foundation.hosts import refusals
from foundation.hosts.connection import Credentials
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
    UnknownHostKey,
    Unreachable,
)
from foundation.secrets import Secret
from tests.foundation import peers
from tests.foundation.logging_in import (
    fingerprint_of,
    login_problem,
    works,
)
from tests.foundation.processes import BOUNDS, free_port
from tests.foundation.sshd import Sshd, StartSshd, keygen

PASSWORD = "correct horse battery"


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
        said = ""
        for seconds in BOUNDS:
            problem = await login_problem(peer.inventory(), timeout=seconds)
            assert isinstance(problem, ConnectTimeout)
            said = problem.cause
            if "nothing came back" not in said:
                break
    assert "accepted the connection and then said nothing" in said


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
