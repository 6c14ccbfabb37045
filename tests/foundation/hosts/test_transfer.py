"""Blobs brought to a machine over a real sshd: cut off, gone on with, damaged, refused."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from foundation.hosts import transfer
from foundation.hosts.connection import Connection
from foundation.hosts.model import LOCAL_ADDRESS, Host, Inventory
from foundation.hosts.pool import Pool
from foundation.hosts.transfer import Blob, MachineFull, WrongBytes, bring, look
from foundation.problems import ConnectionProblem, Problem, Refused
from tests.foundation.processes import PATIENCE
from tests.foundation.sshd import Sshd

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="blobs are received as root")

MIB = 1024 * 1024


class Memory:
    """Blobs that a test holds, and from which byte on they were asked for."""

    def __init__(self, *contents: bytes) -> None:
        self.contents = {hashlib.sha256(raw).hexdigest(): raw for raw in contents}
        self.asked: list[int] = []
        self.fail_after: int | None = None

    @property
    def blobs(self) -> list[Blob]:
        return [Blob(name, len(raw)) for name, raw in self.contents.items()]

    def chunks(self, blob: Blob, begin: int) -> Iterator[memoryview]:
        self.asked.append(begin)
        raw = memoryview(self.contents[blob.sha256])
        for at in range(begin, len(raw), 100_000):
            if self.fail_after is not None and at >= self.fail_after:
                raise Problem("the medium is broken")
            yield raw[at : at + 100_000]


@pytest.fixture(params=["ssh", "local"])
async def connection(request: pytest.FixtureRequest, sshd: Sshd) -> AsyncIterator[Connection]:
    """Both ways to a machine."""
    local = Host("here", LOCAL_ADDRESS)
    inventory = sshd.inventory() if request.param == "ssh" else Inventory((local,))
    async with Pool(inventory) as pool:
        yield await pool.connect(sshd.host() if request.param == "ssh" else local)


def there(store: Path) -> dict[str, bytes]:
    """The blobs of a store."""
    return {file.name: file.read_bytes() for file in (store / "blobs/sha256").iterdir()}


def mode(path: Path) -> int:
    """The permissions of a file."""
    return path.stat().st_mode & 0o777


async def send(connection: Connection, memory: Memory, store: Path) -> transfer.Brought:
    return await bring(connection, memory.blobs, memory, store=str(store), spare=0)


async def test_what_is_lacking_comes_and_nothing_comes_twice(
    connection: Connection, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    memory = Memory(b"", b"one", os.urandom(3 * MIB))
    lacking = await look(connection, memory.blobs, store=str(store))
    assert lacking.bytes == 3 * MIB + 3
    assert not store.exists()
    seen: list[tuple[int, int]] = []
    brought = await bring(
        connection, memory.blobs, memory, store=str(store), spare=0,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert there(store) == memory.contents
    assert brought.sent == 3 * MIB + 3
    assert seen[0] == (0, 3 * MIB + 3)
    assert seen[-1] == (3 * MIB + 3, 3 * MIB + 3)
    again = await send(connection, memory, store)
    assert (again.sent, again.had, again.landed) == (0, 3 * MIB + 3, [])
    more = Memory(*memory.contents.values(), b"new")
    assert (await send(connection, more, store)).sent == 3


async def test_blobs_are_for_root_alone_and_the_way_to_them_is_open(
    connection: Connection, tmp_path: Path
) -> None:
    assert mode(tmp_path) == 0o700
    memory = Memory(b"one")
    await send(connection, memory, tmp_path / "store")
    assert mode(tmp_path) == 0o711  # apt reads as a user of its own
    assert mode(tmp_path / "store/blobs/sha256" / memory.blobs[0].sha256) == 0o600
    assert mode(tmp_path / "store/incoming") == 0o700


async def test_a_transfer_that_was_cut_sends_only_the_rest(
    connection: Connection, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    memory = Memory(b"first", os.urandom(8 * MIB))
    memory.fail_after = 4_000_000
    with pytest.raises(Problem, match="the medium is broken"):
        await send(connection, memory, store)
    memory.fail_after = None
    memory.asked.clear()
    brought = await send(connection, memory, store)
    assert there(store) == memory.contents
    assert memory.asked[-1] > 1_000_000
    assert brought.sent == sum(map(len, memory.contents.values())) - brought.had
    assert not list((store / "incoming").glob("*.part"))


async def test_a_damaged_beginning_is_sent_again_whole(
    connection: Connection, tmp_path: Path
) -> None:
    memory = Memory(os.urandom(MIB))
    (blob,) = memory.blobs
    incoming = tmp_path / "store/incoming"
    incoming.mkdir(parents=True)
    (incoming / f"{blob.sha256}.part").write_bytes(b"x" * 300_000)
    await send(connection, memory, tmp_path / "store")
    assert memory.asked == [300_000, 0]
    assert there(tmp_path / "store") == memory.contents


async def test_wrong_bytes_are_not_kept(connection: Connection, tmp_path: Path) -> None:
    memory = Memory(os.urandom(MIB))
    (name,) = memory.contents
    raw = bytearray(memory.contents[name])
    raw[-1] ^= 1
    memory.contents[name] = bytes(raw)
    with pytest.raises(WrongBytes, match="it was removed"):
        await send(connection, memory, tmp_path / "store")
    assert there(tmp_path / "store") == {}
    assert not list((tmp_path / "store/incoming").glob("*.part"))


async def test_a_machine_without_room_gets_nothing(connection: Connection, tmp_path: Path) -> None:
    memory = Memory(b"one")
    with pytest.raises(MachineFull, match="nothing was sent"):
        await bring(connection, memory.blobs, memory, store=str(tmp_path / "s"), spare=1 << 60)
    assert memory.asked == []


async def test_a_living_delivery_is_not_disturbed_and_a_dead_one_is_passed_over(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    slow = Memory(os.urandom(2 * MIB))
    held = asyncio.Event()

    async def hold() -> AsyncIterator[bytes | memoryview]:
        yield transfer._request(slow.blobs, str(store), look=False)
        yield b"some bytes"
        await asyncio.Event().wait()

    async def holding() -> None:
        async with aclosing(connection.stream(transfer._command(), stdin=hold)) as lines:  # type: ignore[type-var]  # the protocol says iterator
            async for line in lines:
                if b"missing" in line.data:
                    held.set()

    monkeypatch.setattr(transfer, "_who", lambda pid=None: "A. Name on other, process 1")
    task = asyncio.create_task(holding())
    async with asyncio.timeout(PATIENCE):
        await held.wait()
    monkeypatch.undo()
    with pytest.raises(Refused, match=r"A\. Name on other"):
        await send(connection, slow, store)
    monkeypatch.setattr(transfer, "_gone", lambda who: who == "A. Name on other, process 1")
    await send(connection, slow, store)
    assert there(store) == slow.contents
    async with asyncio.timeout(PATIENCE):
        await task


async def test_a_machine_without_python_says_so(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = transfer._command()
    bare = (*words[:2], words[2].replace("python3", "no-python3"), *words[3:])
    monkeypatch.setattr(transfer, "_command", lambda: bare)
    with pytest.raises(ConnectionProblem, match="no python3"):
        await send(connection, Memory(b"x"), tmp_path / "store")


@pytest.mark.parametrize("answer", [
    b"welcome\n", b"[]\n", b'{"missing": [["x", 1, 0]], "room": 1}\n', b'{"missing": 3}\n',
    b'{"missing": [], "room": "much"}\n',
])  # fmt: skip
def test_an_answer_that_makes_no_sense_is_refused(answer: bytes) -> None:
    with pytest.raises(ConnectionProblem):
        transfer.looked(answer, [Blob("a" * 64, 5)], where="m1")


def test_more_than_a_blob_has_cannot_have_begun() -> None:
    name = "a" * 64
    with pytest.raises(ConnectionProblem):
        transfer.looked(b'{"missing": [["%s", 5, 9]], "room": 1}' % name.encode(),
                        [Blob(name, 5)], where="m1")  # fmt: skip
