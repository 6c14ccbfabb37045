"""Transfer: blobs brought into a store on a machine, only those that it lacks, verified there.

One command as root on the machine's one connection: it says what is missing and from which byte
on, and the rest comes as one stream, without a round trip between blobs. The machine hashes each
blob as it comes, writes it to the disk for good, and only then names it; so a transfer that was
cut goes on where it was, and a name never stands for wrong bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import os
import platform
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol, cast

from foundation.hosts.connection import Become, Chunk, Connection
from foundation.problems import (
    ConnectionLost,
    ConnectionProblem,
    ExitCode,
    MachineProblem,
    Problem,
    Refused,
)
from foundation.sentences import understood

SUPPLIES: Final = "/var/lib/sitewright/supplies"
"""The folder of what was delivered, on every machine; root's."""
SPARE: Final = 256 * 1024 * 1024
"""Bytes that are left free on a machine's disk."""
_LOOK_SECONDS: Final = 60.0
_LINE_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of one line of a machine's answer."""


class MachineFull(Problem):
    """A machine whose disk has no room for what it is to get."""

    code = "machine-full"
    title = "The machine's disk is too small"
    exit_code = ExitCode.NOT_READY


class WrongBytes(Problem):
    """A blob that arrived otherwise than its name says: nothing of it was kept."""

    code = "wrong-bytes"
    title = "What arrived is not what was sent for"
    exit_code = ExitCode.BUNDLE_INVALID
    default_remedy = "Verify the bundle again, and look for broken memory or a broken disk here."


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob to be brought: its SHA-256 in hex and its size in bytes."""

    sha256: str
    size: int


class Source(Protocol):
    """Where blobs come from."""

    def chunks(self, blob: Blob, begin: int) -> Iterator[memoryview]:
        """The bytes of a blob from one on, each piece valid until the next; raises Problem."""


@dataclass(frozen=True, slots=True)
class Lacking:
    """A blob that a machine lacks: `begun` bytes of it are there."""

    blob: Blob
    begun: int


@dataclass(frozen=True, slots=True)
class Looked:
    """What a machine lacks, and the bytes that it can still hold."""

    lacking: tuple[Lacking, ...]
    room: int

    @property
    def bytes(self) -> int:
        """Bytes that are to come."""
        return sum(one.blob.size - one.begun for one in self.lacking)


@dataclass(slots=True)
class Brought:
    """What a transfer brought."""

    landed: list[str] = field(default_factory=list)
    """SHA-256 of the blobs that were named, in order."""
    sent: int = 0
    """Bytes that were sent."""
    had: int = 0
    """Bytes that the machine had already."""


Progress = Callable[[int, int], None]
"""Told the bytes that are there and those there will be."""


async def look(connection: Connection, blobs: Sequence[Blob], *, store: str = SUPPLIES) -> Looked:
    """What a machine lacks, without changing anything; raises ConnectionProblem."""
    answered = await connection.run(
        _command(), stdin=_request(blobs, store, look=True), become=Become.ROOT,
        timeout=_LOOK_SECONDS, limit=_LINE_LIMIT,
    )  # fmt: skip
    if answered.status != 0:
        raise _no_answer(connection, answered.stderr)
    return looked(answered.stdout, blobs, where=connection.host.name)


def looked(answer: bytes, blobs: Sequence[Blob], *, where: str) -> Looked:
    """The answer of `look`; raises ConnectionProblem where it is none."""
    value = _parsed(answer.partition(b"\n")[0], where)
    return _looked(value, {blob.sha256: blob for blob in blobs}, where)


async def bring(
    connection: Connection,
    blobs: Sequence[Blob],
    source: Source,
    *,
    store: str = SUPPLIES,
    spare: int = SPARE,
    progress: Progress | None = None,
) -> Brought:
    """Bring what a machine lacks; raises MachineFull, WrongBytes, Refused, ConnectionProblem.

    Done again after it was cut off, it goes on where it was.
    """
    distinct = tuple({blob.sha256: blob for blob in blobs}.values())
    told = await _Transfer(connection, distinct, source, store, spare, progress).run()
    if told.busy:
        if not _gone(told.busy):
            raise Refused(
                f"another delivery writes to this machine just now: {told.busy}",
                where=connection.host.name,
                remedy="Wait until it has ended. A dead one is passed over after a minute.",
            )
        again = _Transfer(connection, distinct, source, store, spare, progress, dead=told.busy)
        told = await again.run()
    if told.broken:
        # What an earlier transfer left was damaged there: those come once more, whole.
        told = await _Transfer(connection, distinct, source, store, spare, progress).run()
    return told.brought


class _Transfer:
    def __init__(
        self,
        connection: Connection,
        blobs: Sequence[Blob],
        source: Source,
        store: str,
        spare: int,
        progress: Progress | None,
        *,
        dead: str = "",
    ) -> None:
        self._connection = connection
        self._where = connection.host.name
        self._by_name = {blob.sha256: blob for blob in blobs}
        self._source = source
        self._store = store
        self._spare = spare
        self._progress = progress
        self._total = sum(blob.size for blob in blobs)
        self._answer: asyncio.Future[Looked] = asyncio.get_running_loop().create_future()
        self._ended = False
        self._dead = dead
        self.busy = ""
        """Whose delivery holds the machine's store, where one does."""
        self.brought = Brought()
        self.broken = False
        """Whether something that was begun earlier came to wrong bytes."""

    async def run(self) -> _Transfer:
        errors = bytearray()
        line = bytearray()
        chunks = cast(
            AsyncGenerator[Chunk],
            self._connection.stream(_command(), stdin=self._feed, become=Become.ROOT),
        )
        try:
            async with contextlib.aclosing(chunks):
                async for chunk in chunks:
                    if chunk.stream == "stderr":
                        errors += chunk.data[:4096]
                        continue
                    *whole, rest = (line + chunk.data).split(b"\n")
                    line = bytearray(rest)
                    if len(line) > _LINE_LIMIT:
                        raise ConnectionProblem("it answers without an end", where=self._where)
                    for one in whole:
                        self._take(_parsed(bytes(one), self._where))
        finally:
            self._answer.cancel()
        if not self._ended and not self.busy:
            raise _no_answer(self._connection, bytes(errors))
        return self

    async def _feed(self) -> AsyncIterator[bytes | memoryview]:
        blobs = tuple(self._by_name.values())
        yield _request(blobs, self._store, look=False, spare=self._spare, dead=self._dead)
        looked = await self._answer
        for lacking in looked.lacking:
            chunks = self._source.chunks(lacking.blob, lacking.begun)
            # A thread: the medium may be slow, and other machines and a screen are waiting.
            while (piece := await asyncio.to_thread(next, chunks, None)) is not None:
                yield piece
                self.brought.sent += len(piece)
                self._tell()

    def _take(self, told: Mapping[str, Any]) -> None:
        if "busy" in told:
            self.busy = _shown(told["busy"]) or "somebody"
        if "missing" in told:
            looked = _looked(told, self._by_name, self._where)
            self.brought.had = self._total - looked.bytes
            need = told.get("need")
            if isinstance(need, int) and need > looked.room:
                raise _full(self._where, self._store, need, looked.room)
            self._tell()
            if not self._answer.done():
                self._answer.set_result(looked)
        elif "landed" in told:
            self.brought.landed.append(_shown(told["landed"]))
        elif "wrong" in told:
            if not told.get("begun"):
                raise WrongBytes(
                    f"{_shown(told['wrong'])} arrived as {_shown(told.get('got'))}; it was removed",
                    where=self._where,
                )
            self.broken = True
        elif "failed" in told:
            if told.get("full"):
                blob = _shown(told["failed"])[:16]
                raise MachineFull(
                    f"the disk was full while {blob}… was written; what was written of it was "
                    "removed, and whole blobs were kept"
                    if blob
                    else "the disk is full: not even a folder can be made on it",
                    where=self._where,
                    remedy=f"Make room on the disk of {self._store} (df -h {self._store}), then "
                    "do it again: it goes on where it was.",
                )
            raise MachineProblem(
                f"the machine could not write to {self._store}: {_shown(told.get('error'))}",
                where=self._where,
                remedy="Look at its disk: dmesg | tail; mount",
            )
        elif told.get("end") is True:
            self._ended = True

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self.brought.had + self.brought.sent, self._total)


def _full(where: str, store: str, need: int, room: int) -> MachineFull:
    return MachineFull(
        f"{need} bytes are needed below {store} and {room} are free; nothing was sent",
        where=where,
        remedy=f"Make room on its disk, or make {store} a link to a folder on a larger one.",
    )


def _command() -> tuple[str, ...]:
    # The shell says clearly where Python is missing. Isolated, it imports nothing of the folder
    # that a login begins in, since it runs as root.
    check = 'command -v python3 >/dev/null || { echo "python3 is not there" >&2; exit 127; }; '
    return (
        *("sh", "-c", f'{check} exec python3 -I -c "$1" sitewright-receive', "sh"),
        _program(),
    )


@cache
def _program() -> str:
    path = Path(__file__).with_name("on_machine") / "receive.py"
    return path.read_text(encoding="utf-8")


def _request(
    blobs: Sequence[Blob], store: str, *, look: bool, spare: int = 0, dead: str = ""
) -> bytes:
    request = {
        "store": store,
        "look": look,
        "who": _who(),
        "dead": dead,
        "spare": spare,
        "blobs": [(blob.sha256, blob.size) for blob in blobs],
    }
    raw = json.dumps(request).encode()
    return b"%012d" % len(raw) + raw


def _who(pid: int | None = None) -> str:
    """Who sends: one's own delivery that was cut off can be told from another that lives."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "somebody"
    return _shown(f"{user} on {platform.node()}, process {os.getpid() if pid is None else pid}")


def _gone(who: str) -> bool:
    """Whether a sender is known to have gone: this process itself, or a dead one of this machine.

    This process sends to a machine once at a time, so what it sent before was cut off.
    """
    number = who.rpartition(" ")[2]
    if not number.isdecimal() or who != _who(int(number)):
        return False
    if int(number) == os.getpid():
        return True
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass  # somebody's, then; or no number of a process
    return False


def _parsed(line: bytes, where: str) -> Mapping[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        said = line[:200].decode("utf-8", "replace")
        said = "".join(c if c.isprintable() else "?" for c in said)
        raise ConnectionProblem(
            f'it answers what cannot be read: "{said}"',
            where=where,
            remedy="The login shell of the user may print something of its own: look at its "
            "start files.",
        )
    return value


def _looked(told: Mapping[str, Any], by_name: Mapping[str, Blob], where: str) -> Looked:
    """A machine's answer, believed only as far as it is about what was asked."""
    lacking = []
    try:
        for name, size, begun in told["missing"]:
            blob = by_name[name]
            if size != blob.size or not 0 <= int(begun) <= blob.size:
                raise ValueError(name)
            lacking.append(Lacking(blob, int(begun)))
        room = int(told["room"])
    except (KeyError, ValueError, TypeError) as error:
        raise ConnectionProblem(
            "its answer does not fit the question", where=where, remedy="Try again."
        ) from error
    return Looked(tuple(lacking), room)


def _shown(value: object) -> str:
    return "".join(c if c.isprintable() else "?" for c in str(value)[:200])


def _no_answer(connection: Connection, errors: bytes) -> Problem:
    lines = [line.strip() for line in errors.decode("utf-8", "replace").splitlines()]
    said = _shown(next((line for line in reversed(lines) if line), ""))
    where = connection.host.name
    if "python3 is not there" in said:
        return MachineProblem(
            "there is no python3 on the machine, which receiving needs",
            where=where,
            remedy="Install it: apt-get install python3-minimal",
        )
    if not said:
        return ConnectionLost("the receiving end was cut off", where=where, remedy="Try again.")
    known = understood("\n".join(lines), user=connection.host.user or "")
    if known is not None:
        return MachineProblem(
            f'{known.meaning}, so receiving ended ("{said}")', where=where, remedy=known.remedy
        )
    return MachineProblem(
        f'receiving ended on the machine: "{said}"', where=where, remedy="Look at its disk: df -h"
    )
