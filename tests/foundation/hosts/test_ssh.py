"""Commands, files and dials over a real OpenSSH server."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from foundation.hosts.connection import Become, PortState
from foundation.hosts.pool import Pool
from foundation.hosts.ssh import SshConnection
from foundation.problems import (
    ConnectionLost,
    ConnectionProblem,
    ConnectTimeout,
    InputProblem,
    Problem,
)
from tests.foundation.processes import BOUNDS, free_port, wait_until_gone
from tests.foundation.sshd import Sshd, StartSshd

ENDLESS = ["sh", "-c", 'echo $$ >"$0.new"; mv "$0.new" "$0"; while echo on; do sleep 0.02; done']
"""A command that goes on for as long as somebody takes its output.

sshd passes signals on only where the login is not root's (session_signal_req in session.c), and
these tests may run as root; with the signal itself, see the tests on lab machines.
"""


def leftovers(folder: Path) -> list[Path]:
    """The partial files of copies below a folder."""
    return list(folder.glob("**/.*.part"))


@pytest.fixture
async def connection(sshd: Sshd) -> AsyncIterator[SshConnection]:
    """A connection to a real sshd."""
    async with Pool(sshd.inventory()) as pool:
        opened = await pool.connect(sshd.host())
        assert isinstance(opened, SshConnection)
        yield opened


async def test_a_command_gives_status_and_both_streams(connection: SshConnection) -> None:
    done = await connection.run(["sh", "-c", "cat; echo oops >&2; exit 3"], stdin=b"in\x00put")
    assert (done.status, done.stdout, done.stderr) == (3, b"in\x00put", b"oops\n")
    assert done.started > 1e9
    assert done.seconds > 0
    assert not done.truncated


async def test_arguments_arrive_as_they_are(connection: SshConnection) -> None:
    words = ["a b", "$HOME", "`id`", "'", '"', "\\", "", "ünï", "*", "line\nline", "!x", ";&|"]
    done = await connection.run(["printf", "%s\\0", *words])
    assert done.stdout.decode().split("\0")[:-1] == words


async def test_a_signal_is_a_status_of_128_and_more(connection: SshConnection) -> None:
    assert (await connection.run(["sh", "-c", "kill -9 $$"])).status == 137


async def test_a_command_that_reads_nothing_is_no_error(connection: SshConnection) -> None:
    done = await connection.run(["true"], stdin=b"x" * 3_000_000)
    assert done.status == 0


async def test_output_beyond_the_limit_ends_the_command(connection: SshConnection) -> None:
    done = await connection.run(["yes"], limit=100_000, timeout=30)
    assert done.truncated
    assert len(done.stdout) + len(done.stderr) == 100_000
    assert (await connection.run(["echo", "still there"])).stdout == b"still there\n"


async def test_a_command_that_takes_too_long_is_ended(
    connection: SshConnection, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    for seconds in BOUNDS:
        with pytest.raises(ConnectTimeout) as caught:
            await connection.run([*ENDLESS, str(pid_file)], timeout=seconds)
        assert f"did not end within {seconds:g} s" in caught.value.cause
        if pid_file.exists():
            break
    await asyncio.to_thread(wait_until_gone, int(pid_file.read_text()))


async def test_a_lost_connection_is_told(sshd: Sshd) -> None:
    async with Pool(sshd.inventory()) as pool:
        connection = await pool.connect(sshd.host())
        running = asyncio.create_task(connection.run(["sh", "-c", "echo up; sleep 60"]))
        await connection.run(["true"])
        sshd.stop()
        with pytest.raises(ConnectionLost) as caught:
            await running
        assert caught.value.remedy
        with pytest.raises(ConnectionProblem):
            await connection.run(["true"])
        with pytest.raises(ConnectionProblem):
            await connection.put(sshd.client_key, "/tmp/never")
        with pytest.raises(ConnectionProblem):
            await connection.dial("127.0.0.1", 1)


async def test_a_stream_gives_output_while_the_command_runs(
    connection: SshConnection, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    script = 'echo one; while [ ! -e "$0" ]; do sleep 0.01; done; echo two >&2'
    seen = []
    async for chunk in connection.stream(["sh", "-c", script, str(gate)], timeout=30):
        seen.append((chunk.stream, chunk.data))
        gate.touch()
    assert seen == [("stdout", b"one\n"), ("stderr", b"two\n")]


async def test_a_stream_of_many_megabytes_arrives_whole(connection: SshConnection) -> None:
    size = 20_000_000
    seen = 0
    async for chunk in connection.stream(["head", "-c", str(size), "/dev/zero"]):
        seen += len(chunk.data)
        await asyncio.sleep(0)
    assert seen == size


async def test_a_stream_that_is_left_ends_its_command(
    connection: SshConnection, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    stream = connection.stream([*ENDLESS, str(pid_file)])
    async for _ in stream:
        break
    await stream.aclose()  # type: ignore[attr-defined]  # an async generator, as its type hides
    await asyncio.to_thread(wait_until_gone, int(pid_file.read_text()))


async def test_a_stream_ends_at_its_time_out(connection: SshConnection) -> None:
    with pytest.raises(ConnectTimeout):
        async for _ in connection.stream(["sh", "-c", "echo a; sleep 60"], timeout=0.5):
            pass


async def test_a_file_goes_there_and_back(connection: SshConnection, tmp_path: Path) -> None:
    source, there, back = tmp_path / "a b", tmp_path / "there's", tmp_path / "back"
    source.write_bytes(os.urandom(3_000_001))
    there.write_bytes(b"old")
    await connection.put(source, str(there), mode=0o640)
    await connection.get(str(there), back)
    digests = {hashlib.sha256(path.read_bytes()).digest() for path in (source, there, back)}
    assert len(digests) == 1
    assert there.stat().st_mode & 0o777 == 0o640
    assert leftovers(tmp_path) == []


async def test_a_failed_copy_leaves_nothing(connection: SshConnection, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    for target in (tmp_path / "missing" / "file", tmp_path / "folder"):
        with pytest.raises(ConnectionProblem) as caught:
            await connection.put(source, str(target))
        assert str(target) in caught.value.cause
    with pytest.raises(ConnectionProblem):
        await connection.get(str(tmp_path / "nothing"), tmp_path / "got")
    with pytest.raises(ConnectionProblem):
        await connection.get(str(tmp_path / "folder"), tmp_path / "got")
    with pytest.raises(InputProblem):
        await connection.put(tmp_path / "nothing", "/tmp/x")
    with pytest.raises(InputProblem):
        await connection.get(str(source), tmp_path / "no folder" / "got")
    assert not (tmp_path / "got").exists()
    assert leftovers(tmp_path) == []


async def test_a_server_without_sftp_is_told(start_sshd: StartSshd, tmp_path: Path) -> None:
    server = start_sshd("Subsystem sftp /bin/false")
    async with Pool(server.inventory()) as pool:
        connection = await pool.connect(server.host())
        (tmp_path / "f").write_text("x")
        with pytest.raises(ConnectionProblem) as caught:
            await connection.put(tmp_path / "f", str(tmp_path / "g"))
    assert "SFTP" in caught.value.cause


@pytest.mark.parametrize("forwarding", [True, False])
async def test_a_dial_tells_open_from_refused(start_sshd: StartSshd, forwarding: bool) -> None:
    server = start_sshd(f"AllowTcpForwarding {'yes' if forwarding else 'no'}")
    via = "channel" if forwarding else "bash"
    async with Pool(server.inventory()) as pool:
        connection = await pool.connect(server.host())
        opened = await connection.dial("127.0.0.1", server.port)
        assert (opened.state, opened.via) == (PortState.OPEN, via)
        refused = await connection.dial("127.0.0.1", free_port())
        assert (refused.state, refused.via) == (PortState.REFUSED, via)
        unknown = await connection.dial("no-such-machine.invalid", 22)
        assert unknown.state is PortState.UNKNOWN
        assert unknown.detail


@pytest.mark.parametrize("forwarding", [True, False])
async def test_a_dial_that_nobody_answers_is_filtered(
    start_sshd: StartSshd, forwarding: bool
) -> None:
    server = start_sshd(f"AllowTcpForwarding {'yes' if forwarding else 'no'}")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        async with Pool(server.inventory()) as pool:
            connection = await pool.connect(server.host())
            seen = await connection.dial(*address, timeout=0.5)
        for filler in fillers:
            filler.close()
    assert seen.state is PortState.FILTERED
    assert seen.seconds >= 0.5


async def test_root_needs_no_sudo(connection: SshConnection) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root logs in as root")
    for become in Become:
        assert (await connection.run(["id", "-u"], become=become)).stdout == b"0\n"


async def test_a_slow_or_noisy_shell_does_not_matter(sshd: Sshd) -> None:
    async with Pool(sshd.inventory()) as pool:
        connection = await pool.connect(sshd.host())
        done = await connection.run(["sh", "-s"], stdin=b"echo from stdin\n")
    assert done.stdout == b"from stdin\n"


async def test_only_problems_come_out_of_a_closed_connection(connection: SshConnection) -> None:
    await connection.close()
    await connection.close()
    assert connection.closed
    with pytest.raises(Problem):
        await connection.run(["true"])
