"""The pool: one connection a machine, shared bastions, and ends that come in time."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from foundation.hosts.ssh import SshConnection
from foundation.problems import (
    ConnectionProblem,
    InputProblem,
    Problem,
    UnknownHostKey,
    Unreachable,
)
from tests.foundation import peers
from tests.foundation.processes import PATIENCE, free_port
from tests.foundation.sshd import Sshd, StartSshd


def logins(server: Sshd) -> int:
    """How many logins a server has taken."""
    return (server.folder / "log").read_text().count("Accepted publickey")


async def test_many_callers_share_one_login(sshd: Sshd) -> None:
    async with Pool(sshd.inventory()) as pool:
        opened = await asyncio.gather(*(pool.connect(sshd.host()) for _ in range(10)))
        assert len({id(connection) for connection in opened}) == 1
        await opened[0].run(["true"])
    assert logins(sshd) == 1


async def test_a_caller_who_gives_up_does_not_end_the_login_of_the_others(sshd: Sshd) -> None:
    async with Pool(sshd.inventory()) as pool:
        first = asyncio.create_task(pool.connect(sshd.host()))
        second = asyncio.create_task(pool.connect(sshd.host()))
        await asyncio.sleep(0)
        first.cancel()
        assert (await (await second).run(["true"])).status == 0


async def test_a_lost_connection_is_opened_again(sshd: Sshd) -> None:
    async with Pool(sshd.inventory()) as pool:
        connection = await pool.connect(sshd.host())
        await connection.close()
        again = await pool.connect(sshd.host())
        assert again is not connection
        assert (await again.run(["true"])).status == 0


async def test_a_failed_login_is_tried_again_when_asked_again(sshd: Sshd) -> None:
    key = sshd.client_key
    hidden = key.rename(key.with_name("hidden"))
    async with Pool(Inventory((sshd.host(),), (sshd.known_hosts,), use_ssh_config=False)) as pool:
        with pytest.raises(Problem):
            await pool.connect(sshd.host())
    hidden.rename(key)
    await test_many_callers_share_one_login(sshd)


async def test_a_key_trusted_meanwhile_counts_at_once(sshd: Sshd, tmp_path: Path) -> None:
    file = tmp_path / "kh"
    async with Pool(Inventory((sshd.host(),), (file,), use_ssh_config=False)) as pool:
        with pytest.raises(UnknownHostKey):
            await pool.connect(sshd.host())
        file.write_text(sshd.known_hosts.read_text())
        assert (await (await pool.connect(sshd.host())).run(["true"])).status == 0


async def test_machines_behind_a_bastion_share_its_connection(start_sshd: StartSshd) -> None:
    bastion, *machines = (start_sshd() for _ in range(3))
    (bastion.folder / "authorized_keys").write_text(
        "".join((server.folder / "client.pub").read_text() for server in machines)
    )
    jump = f"{bastion.user}@127.0.0.1:{bastion.port}"
    key = machines[0].client_key
    for machine in machines:
        (machine.folder / "authorized_keys").write_text((key.parent / "client.pub").read_text())
    hosts = tuple(m.host(bastion=jump, identity_files=(key,)) for m in machines)
    files = tuple(server.known_hosts for server in (bastion, *machines))
    async with Pool(Inventory(hosts, files, use_ssh_config=False)) as pool:
        opened = await asyncio.gather(*(pool.connect(host) for host in hosts))
        for connection in opened:
            assert (await connection.run(["echo", "hi"])).stdout == b"hi\n"
    assert logins(bastion) == 1
    for machine in machines:
        assert logins(machine) == 1


async def test_the_host_key_of_a_bastion_is_verified(start_sshd: StartSshd) -> None:
    bastion, machine = start_sshd(), start_sshd()
    host = machine.host(bastion=f"{bastion.user}@127.0.0.1:{bastion.port}")
    async with Pool(Inventory((host,), (machine.known_hosts,), use_ssh_config=False)) as pool:
        with pytest.raises(UnknownHostKey) as caught:
            await pool.connect(host)
    assert "bastion" in caught.value.cause
    assert caught.value.public_key == bastion.host_key


async def test_a_dead_bastion_is_one_clear_problem_on_each_machine_behind_it() -> None:
    jump = f"ops@127.0.0.1:{free_port()}"
    hosts = tuple(Host(f"m{n}", f"10.0.0.{n}", bastion=jump) for n in range(1, 6))
    async with Pool(Inventory(hosts, use_ssh_config=False)) as pool:
        ended = await asyncio.gather(
            *(pool.connect(host) for host in hosts), return_exceptions=True
        )
    for host, problem in zip(hosts, ended, strict=True):
        assert isinstance(problem, Unreachable)
        assert problem.where == host.name
        assert problem.cause.startswith(f"the bastion {jump} is in the way: ")
        assert problem.remedy


async def test_what_lies_behind_a_bastion_is_told_as_seen_from_there(
    start_sshd: StartSshd,
) -> None:
    bastion, closed = start_sshd(), start_sshd("AllowTcpForwarding no")
    for server, words in ((bastion, "nothing listens on"), (closed, "does not allow")):
        jump = f"{server.user}@127.0.0.1:{server.port}"
        host = Host("m", "127.0.0.1", free_port(), bastion=jump,
                    identity_files=(server.client_key,))  # fmt: skip
        async with Pool(Inventory((host,), (server.known_hosts,), use_ssh_config=False)) as pool:
            with pytest.raises(Unreachable) as caught:
                await pool.connect(host)
        assert words in caught.value.cause
        assert "bastion" in caught.value.cause


async def test_bastions_in_a_circle_are_one_problem(private_home: Path) -> None:
    config = private_home / "config"
    config.write_text("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n")
    host = Host("a", "a")
    async with Pool(Inventory((host,), ssh_config=config)) as pool:
        with pytest.raises(InputProblem) as caught:
            await asyncio.wait_for(pool.connect(host), PATIENCE)
    assert "circle" in caught.value.cause


async def test_a_bastion_that_is_a_machine_of_the_site_is_reached_directly(sshd: Sshd) -> None:
    jump = f"{sshd.user}@127.0.0.1:{sshd.port}"
    host = sshd.host(bastion=jump)
    async with Pool(sshd.inventory(host=host)) as pool:
        assert (await (await pool.connect(host)).run(["true"])).status == 0
    assert logins(sshd) == 1


async def test_a_silent_machine_delays_only_itself(sshd: Sshd, tmp_path: Path) -> None:
    async with peers.tcp_peer(tmp_path, peers.silent) as peer:
        inventory = sshd.inventory()
        async with Pool(inventory, connect_timeout=PATIENCE) as pool:
            waiting = asyncio.create_task(pool.connect(peer.host()))
            connection = await pool.connect(sshd.host())
            assert (await connection.run(["true"])).status == 0
            assert not waiting.done()
            waiting.cancel()


async def test_closing_ends_logins_that_are_under_way(tmp_path: Path) -> None:
    async with peers.tcp_peer(tmp_path, peers.silent) as peer:
        pool = Pool(peer.inventory(), connect_timeout=PATIENCE)
        waiting = asyncio.create_task(pool.connect(peer.host()))
        await asyncio.wait({waiting}, timeout=0.1)
        async with asyncio.timeout(PATIENCE / 2):
            await pool.close()
            with pytest.raises(ConnectionProblem):
                await waiting
            await pool.close()
    with pytest.raises(ConnectionProblem):
        await pool.connect(peer.host())


async def test_closing_is_bounded_where_a_peer_is_stopped(sshd: Sshd) -> None:
    pool = Pool(sshd.inventory())
    connection = await pool.connect(sshd.host())
    assert isinstance(connection, SshConnection)
    session = int((await connection.run(["sh", "-c", "echo $PPID"])).stdout)
    os.kill(session, signal.SIGSTOP)
    try:
        async with asyncio.timeout(PATIENCE):
            await pool.close()
        assert connection.closed
    finally:
        # What was stopped must be let go, or the server's own end would wait for it.
        os.kill(session, signal.SIGCONT)


async def test_logins_are_bounded_in_number(tmp_path: Path) -> None:
    here: list[int] = [0, 0]

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here[0] += 1
        here[1] = max(here)
        await reader.read()
        here[0] -= 1
        writer.close()

    async with peers.tcp_peer(tmp_path, counted) as peer:
        hosts = tuple(Host(f"n{n}", "127.0.0.1", peer.port, f"u{n}") for n in range(9))
        inventory = Inventory(hosts, use_ssh_config=False)
        async with Pool(inventory, concurrency=3, connect_timeout=0.2) as pool:
            ended = await asyncio.gather(
                *(pool.connect(host) for host in hosts), return_exceptions=True
            )
    assert all(isinstance(problem, Problem) for problem in ended)
    assert 1 <= here[1] <= 3
