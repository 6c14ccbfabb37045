"""This machine as a connection: the same protocol, in processes of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from foundation.hosts.connection import Connection, PortState
from foundation.hosts.local import LocalConnection
from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from foundation.problems import ConnectionProblem, ConnectTimeout, InputProblem
from tests.foundation.processes import BOUNDS, free_port, wait_until_gone


@pytest.fixture
def here() -> LocalConnection:
    """This machine."""
    return LocalConnection(Host("here", "local"))


async def test_the_pool_gives_this_machine_without_ssh() -> None:
    host = Host("here", "local")
    async with Pool(Inventory((host,))) as pool:
        connection: Connection = await pool.connect(host)
        assert (await connection.run(["echo", "hi"])).stdout == b"hi\n"
        assert connection.round_trip == 0
        assert connection.host is host
        await connection.close()


async def test_a_command_gives_status_and_both_streams(here: LocalConnection) -> None:
    done = await here.run(["sh", "-c", "cat; echo oops >&2; exit 3"], stdin=b"in\x00put")
    assert (done.status, done.stdout, done.stderr) == (3, b"in\x00put", b"oops\n")
    assert (await here.run(["sh", "-c", "kill -9 $$"])).status == 137
    assert (await here.run(["cat"])).stdout == b""


async def test_a_large_input_passes_both_ways(here: LocalConnection) -> None:
    data = os.urandom(3_000_000)
    assert (await here.run(["cat"], stdin=data)).stdout == data
    assert (await here.run(["true"], stdin=data)).status == 0


async def test_output_beyond_the_limit_ends_the_command(here: LocalConnection) -> None:
    done = await here.run(["yes"], limit=100_000, timeout=30)
    assert done.truncated
    assert len(done.stdout) == 100_000


async def test_a_command_that_takes_too_long_is_ended_with_its_children(
    here: LocalConnection, tmp_path: Path
) -> None:
    file = tmp_path / "pid"
    script = 'sleep 60 & echo $! >"$0"; wait'
    for seconds in BOUNDS:
        with pytest.raises(ConnectTimeout) as caught:
            await here.run(["sh", "-c", script, str(file)], timeout=seconds)
        assert f"{seconds:g} s" in caught.value.cause
        if file.exists() and file.read_text():
            break
    await asyncio.to_thread(wait_until_gone, int(file.read_text()))


async def test_a_cancelled_command_is_ended(here: LocalConnection, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    script = 'echo $$ >"$0.new"; mv "$0.new" "$0"; echo go; exec sleep 60'
    stream = here.stream(["sh", "-c", script, str(file)])
    async for _ in stream:
        break
    await stream.aclose()  # type: ignore[attr-defined]  # an async generator, as its type hides
    await asyncio.to_thread(wait_until_gone, int(file.read_text()))


async def test_a_stream_ends_at_its_time_out(here: LocalConnection) -> None:
    with pytest.raises(ConnectTimeout):
        async for _ in here.stream(["sh", "-c", "echo a; sleep 60"], timeout=0.3):
            pass


@pytest.mark.parametrize("command", [["/no/such/program"], [""], ["a\0b"], ["/"]])
async def test_a_command_that_cannot_start_is_a_problem(
    here: LocalConnection, command: list[str]
) -> None:
    with pytest.raises(ConnectionProblem) as caught:
        await here.run(command)
    assert caught.value.remedy


async def test_a_file_is_copied_whole_or_not_at_all(here: LocalConnection, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(100_000))
    await here.put(source, str(tmp_path / "there"), mode=0o640)
    await here.get(str(tmp_path / "there"), tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == source.read_bytes()
    assert (tmp_path / "there").stat().st_mode & 0o777 == 0o640
    with pytest.raises(ConnectionProblem):
        await here.put(source, str(tmp_path / "no" / "folder"))
    with pytest.raises(InputProblem):
        await here.put(tmp_path / "nothing", str(tmp_path / "there"))


async def test_a_dial_tells_open_from_refused_and_filtered(here: LocalConnection) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        seen = await here.dial(*listener.getsockname())
        assert (seen.state, seen.via) == (PortState.OPEN, "local")
    assert (await here.dial("127.0.0.1", free_port())).state is PortState.REFUSED
    assert (await here.dial("no-such-machine.invalid", 22)).state is PortState.UNKNOWN
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        assert (await here.dial(*full.getsockname(), timeout=0.3)).state is PortState.FILTERED
        for filler in fillers:
            filler.close()


@pytest.mark.processes
async def test_this_machine_needs_no_ssh_library() -> None:
    program = (
        "import asyncio, sys\n"
        "from foundation.hosts.model import Host, Inventory\n"
        "from foundation.hosts.pool import Pool\n"
        "async def main():\n"
        "    async with Pool(Inventory()) as pool:\n"
        "        await (await pool.connect(Host('here', 'local'))).run(['true'])\n"
        "asyncio.run(main())\n"
        "assert 'asyncssh' not in sys.modules\n"
    )
    here = LocalConnection(Host("here", "local"))
    done = await here.run([sys.executable, "-c", program])
    assert done.status == 0, done.stderr.decode()
