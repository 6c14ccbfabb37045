"""Delivery: a bundle brought to several machines side by side, each told apart from the others.

A machine that fails does not hold up the rest. A connection that breaks is opened again, and the
copy goes on where it was; what a machine has already is not sent.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, cast

from bundles.deliver.cargo import Cargo, load, place_command
from bundles.deliver.machine import ASK, Machine, machine_from, suiting
from bundles.deliver.on_machine.place import IN_PLACE
from bundles.deliver.pace import Pace
from bundles.deliver.selection import check_target, select
from bundles.deliver.source import BundleSource
from bundles.format import budgets
from bundles.format.layout import BundleIndex, Item
from bundles.read.age import Stamp
from bundles.read.opened import Bundle
from foundation.hosts.connection import Become, Chunk, Connection, Connector
from foundation.hosts.model import Host
from foundation.hosts.transfer import bring
from foundation.problems import (
    ConnectionLost,
    ConnectTimeout,
    ExitCode,
    InputProblem,
    Problem,
    Unreachable,
)

PATIENCE: Final = budgets.LOST_MACHINE_SECONDS
"""Seconds for a machine that was lost to come back, counted from the last byte."""
_FIRST_WAIT: Final = 0.25
_MOST_TRIES: Final = 20
"""Tries in a row that brought nothing."""
_LONGEST_WAIT: Final = 15.0
_PLACE_SECONDS: Final = budgets.PLACE_SECONDS
_LAST_LINES: Final = 20


class PlaceProblem(Problem):
    """A machine that has what was delivered and could not put it where it is used."""

    code = "place"
    title = "What was delivered could not be put in its place"
    exit_code = ExitCode.STAGE_FAILED
    default_remedy = "Read the machine's words, mend the cause there, and do it again."


@dataclass(frozen=True, slots=True)
class Consignment:
    """What goes where: the selectors of items, the target, and the name to remember it by."""

    items: tuple[str, ...]
    target: str
    record: str


@dataclass(frozen=True, slots=True)
class News:
    """One piece of news of one machine. `done` and `total` are bytes, `rate` bytes a second."""

    host: str
    kind: Literal["bytes", "line", "note", "delivered", "failed"]
    done: int = 0
    total: int = 0
    rate: float = 0.0
    text: str = ""


@dataclass(slots=True)
class Delivered:
    """What became of one machine."""

    host: str
    items: int = 0
    total: int = 0
    """Bytes of everything that it was to have."""
    sent: int = 0
    """Bytes that came over the network now."""
    seconds: float = 0.0
    problem: Problem | None = None
    lines: list[str] = field(default_factory=list)
    """The last lines of a program on the machine that failed."""


class _Life:
    """How long a machine that was lost is waited for, counted from its last sign of life."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._clock = asyncio.get_running_loop().time
        self.seen()

    def seen(self) -> None:
        """Something was gained from the machine."""
        self._tries = 0
        self._wait = _FIRST_WAIT
        self.reached()

    def reached(self) -> None:
        """The machine let us in, which alone is not enough for ever."""
        self._alive = self._clock()

    def wait(self) -> float | None:
        """Seconds until it is tried again; None where that would be too late."""
        self._tries += 1
        late = self._clock() + self._wait - self._alive > self._patience
        if late or self._tries > _MOST_TRIES:
            return None
        wait = self._wait
        self._wait = min(wait * 2, _LONGEST_WAIT)
        return wait


class Delivery:
    """Brings items of an open, verified bundle to machines."""

    def __init__(
        self,
        bundle: Bundle,
        index: BundleIndex,
        pool: Connector,
        *,
        parallel: int = 8,
        patience: float = PATIENCE,
        stamp: Stamp | None = None,
        older: str = "",
        listener: Callable[[News], None] | None = None,
    ) -> None:
        self._bundle = bundle
        self._index = index
        self._pool = pool
        self._patience = patience
        self._stamp = stamp
        self._older = older
        self._bound = asyncio.Semaphore(parallel)
        self._listener = listener or (lambda news: None)
        self._cargoes: dict[tuple[Consignment, Machine], asyncio.Task[tuple[Cargo, int]]] = {}

    async def deliver(
        self, consignments: Sequence[tuple[Host, Sequence[Consignment]]], only: Sequence[str] = ()
    ) -> list[Delivered]:
        """Every machine's consignments, one after the other; the machines side by side, bounded.

        `only` narrows every consignment to the items whose `kind:name` one of its globs chooses.
        """
        try:
            return list(
                await asyncio.gather(
                    *(self._machine(host, own, only) for host, own in consignments)
                )
            )
        finally:
            for task in self._cargoes.values():
                task.cancel()

    async def _machine(
        self, host: Host, consignments: Sequence[Consignment], only: Sequence[str]
    ) -> Delivered:
        result = Delivered(host.name)
        loop = asyncio.get_running_loop()
        async with self._bound:
            began = loop.time()
            try:
                await self._consigned(host, consignments, only, result)
            except Problem as problem:
                result.problem = problem
            result.seconds = loop.time() - began
        self._listener(
            News(
                host.name,
                "failed" if result.problem else "delivered",
                done=result.sent,
                total=result.total,
                text=result.problem.cause if result.problem else "",
            )
        )
        return result

    async def _consigned(
        self,
        host: Host,
        consignments: Sequence[Consignment],
        only: Sequence[str],
        result: Delivered,
    ) -> None:
        life = _Life(self._patience)

        async def ask(connection: Connection) -> bytes:
            return (await connection.run(ASK, become=Become.LOGIN)).stdout

        # At the first call nothing is waited for: a machine that is away is somebody's mistake.
        machine = machine_from(await ask(await self._pool.connect(host)))
        for consignment in consignments:
            cargo, count = await self._cargo(consignment, machine, only, host.name)
            if not count:
                continue
            result.items += count
            result.total += cargo.size
            result.sent += await self._copy(host, cargo, life)
            await self._patiently(host, life, lambda c, cargo=cargo: self._place(c, cargo, result))  # type: ignore[misc]  # mypy cannot infer a lambda with a default

    async def _patiently(
        self, host: Host, life: _Life, action: Callable[[Connection], Awaitable[None]]
    ) -> None:
        """Do what may be done twice, again and again while a machine that was lost may return."""
        while True:
            try:
                connection = await self._pool.connect(host)
                life.reached()
                await action(connection)
                return
            except (ConnectionLost, Unreachable, ConnectTimeout) as problem:
                wait = life.wait()
                if wait is None:
                    raise
                self._listener(News(host.name, "note", text=f"cut off: {problem.cause}"))
                await asyncio.sleep(wait)

    async def _cargo(
        self, consignment: Consignment, machine: Machine, only: Sequence[str], where: str
    ) -> tuple[Cargo, int]:
        """Made once for all machines alike, in a thread: it reads the bundle."""
        key = (consignment, machine)
        if key not in self._cargoes:
            self._cargoes[key] = asyncio.create_task(
                asyncio.to_thread(self._load, consignment, machine, tuple(only), where)
            )
        try:
            return await asyncio.shield(self._cargoes[key])
        except InputProblem as problem:
            # Made for the first machine of its kind, and true of each of them.
            raise InputProblem(problem.cause, where=where, remedy=problem.remedy) from problem

    def _load(
        self, consignment: Consignment, machine: Machine, only: tuple[str, ...], where: str
    ) -> tuple[Cargo, int]:
        check_target(consignment.items, consignment.target)
        items = select(self._index.items, consignment.items, where=str(self._bundle.path))
        items = narrowed(items, only)
        if items:
            items = suiting(items, machine, where=where)
        cargo = load(
            self._bundle, items, consignment.target, consignment.record,
            created=self._index.created, stamp=self._stamp, older=self._older,
        ) if items else Cargo(consignment.target, consignment.record)  # fmt: skip
        cargo.whole = not only
        return cargo, len(items)

    async def _copy(self, host: Host, cargo: Cargo, life: _Life) -> int:
        """Bring the blobs, through lost connections; the bytes that were sent."""
        blobs = tuple(cargo.blobs.values())
        first = latest = -1

        def told(done: int, total: int, text: str) -> None:
            self._listener(News(host.name, "bytes", done, total, pace.rate, text))

        def progress(done: int, total: int) -> None:
            nonlocal first, latest
            first = done if first < 0 else first
            if done > latest:
                latest = done
                life.seen()
            pace(done, total)

        pace = Pace(told)

        async def bring_it(connection: Connection) -> None:
            nonlocal pace
            pace = Pace(told)
            await bring(connection, blobs, BundleSource(self._bundle), progress=progress)

        await self._patiently(host, life, bring_it)
        return cargo.size - max(first, 0)

    async def _place(self, connection: Connection, cargo: Cargo, result: Delivered) -> None:
        host = connection.host
        wanted = cargo.as_bytes()
        result.lines = []

        async def feed() -> AsyncGenerator[bytes]:
            yield wanted

        output = bytearray()
        chunks = cast(
            AsyncGenerator[Chunk],
            connection.stream(
                place_command("place"), stdin=feed, become=Become.ROOT, timeout=_PLACE_SECONDS
            ),
        )
        async with contextlib.aclosing(chunks):
            async for chunk in chunks:
                *lines, rest = (output + chunk.data).split(b"\n")
                output = bytearray(rest[-65536:])
                for line in lines:
                    self._line(host, bytes(line), result)
        # A stream tells no status, so the program on the machine says how it ended.
        if IN_PLACE not in result.lines:
            last = result.lines[-1] if result.lines else "the machine does not say why"
            raise PlaceProblem(last, where=host.name)

    def _line(self, host: Host, raw: bytes, result: Delivered) -> None:
        text = "".join(
            c if c.isprintable() else " " for c in raw[:1000].decode("utf-8", "replace")
        ).rstrip()
        if text:
            result.lines = [*result.lines[-_LAST_LINES + 1 :], text]
            self._listener(News(host.name, "line", text=text))


def narrowed(items: Sequence[Item], only: Sequence[str]) -> tuple[Item, ...]:
    """The items that one of the globs chooses, as `kind:name` or by the name alone."""
    import fnmatch

    if not only:
        return tuple(items)
    from bundles.deliver.selection import KINDS

    words = {kind: word for word, kind in KINDS.items()}
    return tuple(
        item
        for item in items
        if any(
            fnmatch.fnmatchcase(name, glob)
            for glob in only
            for name in (item.name, f"{words.get(item.kind, item.kind)}:{item.name}")
        )
    )
