"""Deliver: items of the site's bundle on each machine, verified there and put where it uses them.

The copy is no durable job: it needs this end. Cut off, it goes on where it was, in the same run or
in a resumed one. What follows on the machine (an import, an index) is a job like any other.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator

from bundles.deliver.cargo import Cargo, load, place_command
from bundles.deliver.machine import ASK, Machine, machine_from, suiting
from bundles.deliver.pace import Pace
from bundles.deliver.selection import TARGETS, check_target, select
from bundles.deliver.source import BundleSource
from bundles.format.layout import INDEX_NAME, Item
from bundles.format.problems import CorruptBundle
from bundles.format.strict_json import digest_of
from bundles.read.age import stamp_of
from bundles.read.opened import Bundle, open_bundle, read_document
from bundles.read.structure import read_structure
from foundation.hosts.transfer import bring
from foundation.problems import ConnectionLost, InputProblem
from foundation.wording import counted, human_size
from installer.catalogue.stages import Planned, Planning, StepData
from installer.events import Json, Kind
from installer.plans.plan import CONTROL_HOST, Plan, PlannedStep
from installer.steps.kind import Delivery, StepContext, StepFailed, StepKind
from installer.steps.probed import Probed, must_be_good, parsed, said

CHECK_SECONDS: Final = 300.0
"""For asking a machine whether everything is in its place."""
_NOTE_SECONDS: Final = 30.0
_CUTS: Final = 10
"""How often a copy may be cut off in a row without a byte between, before it is a failure."""


@dataclass(frozen=True, slots=True)
class _Loading:
    """What a cargo is made from; equal ones are made once for all machines alike."""

    index: str
    delivery: Delivery
    machine: Machine
    older: str
    """Who allowed an older bundle; "" for nobody."""


class Cargoes:
    """Cargoes that were made, each once for all machines alike."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._made: dict[_Loading, Cargo] = {}

    async def of(self, plan: Plan, step: PlannedStep, machine: Machine, *, where: str) -> Cargo:
        """The cargo of a step for a machine; raises BundleProblem, InputProblem."""
        kept = dict(plan.supplies)
        # A plan of an earlier Sitewright says that one was allowed, and not by whom.
        older = (kept.get("older_by") or "nobody named") if kept.get("older") else ""
        loading = _Loading(kept.get("index", ""), delivery_of(step), machine, older)
        return await asyncio.to_thread(self._load, plan, loading, where)

    def _load(self, plan: Plan, loading: _Loading, where: str) -> Cargo:
        with self._guard:
            if loading not in self._made:
                with bundle_of(plan) as bundle:
                    structure = read_structure(bundle)
                    items = select(structure.index.items, loading.delivery.items, where=where)
                    self._made[loading] = load(
                        bundle,
                        suiting(items, loading.machine, where=where),
                        loading.delivery.target,
                        loading.delivery.record,
                        created=structure.index.created,
                        stamp=stamp_of(structure.index, structure.index_digest),
                        older=loading.older,
                    )
            return self._made[loading]


CARGOES: Final = Cargoes()


@contextmanager
def bundle_of(plan: Plan) -> Iterator[Bundle]:
    """The plan's bundle, which must still be the same; raises BundleProblem."""
    supplies = dict(plan.supplies)
    if not supplies.get("bundle"):
        raise InputProblem("it delivers from a bundle, and it has none", where="the plan")
    with open_bundle(Path(supplies["bundle"])) as bundle:
        if digest_of(read_document(bundle, INDEX_NAME)) != supplies.get("index"):
            raise CorruptBundle(
                "it is another bundle than the one that the plan was made with",
                where=str(bundle.path),
                remedy="Bring that one back, or make and review a new plan.",
            )
        yield bundle


def items_text(items: Iterable[Item]) -> str:
    """Items as lines for the review of a plan: what each is, and its size."""
    lines = [
        f"{item.kind} {item.name} {item.version or ''}".rstrip()
        + f", {human_size(item.content_size)}, {item.digest[7:19]}"
        for item in items
    ]
    return "\n".join(lines) + "\n"


def delivery_of(step: PlannedStep) -> Delivery:
    """What a step of this kind delivers, as its plan says."""
    items = step.spec.get("items")
    return Delivery(
        tuple(str(item) for item in items) if isinstance(items, list) else (),
        str(step.spec.get("to")),
        f"{step.stage}-{step.id}",
    )


class DeliverStep(StepData):
    """Items of the bundle brought to each machine and put where it uses them.

    It is left out of a plan without a bundle.
    """

    kind: Literal["deliver"]
    items: Annotated[tuple[str, ...], Field(min_length=1)]
    """Selectors, `kind:glob`; see bundles.deliver.selection."""
    to: str
    """Where they go there; see bundles.deliver.selection.TARGETS."""
    size: int = 0
    """Bytes of all its items together; the plan fills it in."""
    timeout_minutes: float = 240.0
    expected_minutes: float = 5.0

    @field_validator("to")
    @classmethod
    def _is_target(cls, value: str) -> str:
        if value not in TARGETS:
            raise ValueError(f"nothing can be delivered to it; choose one of {', '.join(TARGETS)}")
        return value

    def is_due(self, planning: Planning) -> bool:
        """Where there is a bundle."""
        return planning.bundle is not None

    def planned(
        self, planning: Planning, spec: Mapping[str, Json], hosts: tuple[str, ...], where: str
    ) -> Planned:
        """With the items of the bundle that it brings, and their size."""
        if planning.bundle is None:
            raise ValueError("it is left out of a plan without a bundle")
        if CONTROL_HOST in hosts:
            raise InputProblem(
                "a bundle is delivered to machines, and the step names none",
                where=where,
                remedy="Say `on:` with roles, or all.",
            )
        items = spec["items"]
        selectors = [str(item) for item in items] if isinstance(items, list) else []
        check_target(selectors, str(spec["to"]), where=where)
        chosen = select(planning.bundle, selectors, where=f"{where}, {planning.bundle_path}")
        size = sum(item.content_size for item in chosen)
        return Planned({**spec, "size": size}, (("items", items_text(chosen)),))


class Deliver(Probed):
    """Asked by what lies on the machine, by what its runtimes have, and by the step's `done`."""

    model = DeliverStep

    def data(self, context: StepContext) -> DeliverStep:
        """The step's data."""
        return parsed(context, DeliverStep)

    def delivers(self, step: PlannedStep) -> Delivery:
        """As its plan says."""
        return delivery_of(step)

    def brings(self, step: PlannedStep) -> str:
        """How many items, and how large they are together."""
        size = step.spec.get("size")
        if not isinstance(size, int):
            return ""
        count = sum(text.count("\n") for _, text in step.files)
        return f"{counted(count, 'item')}, {human_size(size)} to each machine that lacks them"

    async def is_done(self, context: StepContext) -> bool | None:
        """Whether everything is in its place; what a runtime has need not lie there besides."""
        cargo = await self._cargo(context)
        placed = await context.look(
            place_command("check"), stdin=cargo.as_bytes(), timeout=CHECK_SECONDS
        )
        if placed.status == 0 and (done := self.data(context).done) is not None:
            return (await context.ask_machine(done)).yes
        return {0: True, 1: False}.get(placed.status)

    async def do(self, context: StepContext) -> str:
        """Copy what is lacking, then put everything in its place."""
        cargo = await self._cargo(context)
        if context.dry_run:
            context.emit(
                Kind.NOTE,
                text=f"Would bring {counted(len(cargo.blobs), 'blob')}, "
                f"{human_size(cargo.size)}, less what the machine has, "
                f"and put them to {cargo.target}.",
            )
            return "Nothing was copied."
        sent = await self._copy(context, cargo)
        ended = await context.change(
            f"put what was delivered to {cargo.target}",
            place_command("place"),
            label="place",
            stdin=cargo.as_bytes(),
        )
        must_be_good(context, ended, f"putting it to {cargo.target}")
        return f"{human_size(cargo.size)} are there and in use; {human_size(sent)} were sent now."

    async def _copy(self, context: StepContext, cargo: Cargo) -> int:
        """Bring the blobs, again and again after a cut; the bytes sent."""
        blobs = tuple(cargo.blobs.values())
        first = latest = -1
        cuts = 0

        loop = asyncio.get_running_loop()
        noted = loop.time()

        def told(done: int, total: int, text: str) -> None:
            nonlocal noted
            context.emit(Kind.STEP_PROGRESS, done=done, total=total, text=text)
            if loop.time() - noted > _NOTE_SECONDS:
                # Where there is no bar to be seen, a line now and then.
                noted = loop.time()
                context.emit(Kind.NOTE, text=text)

        def progress(done: int, total: int) -> None:
            nonlocal first, latest, cuts
            first = done if first < 0 else first
            cuts = 0 if done > latest else cuts
            latest = max(latest, done)
            pace(done, total)

        with bundle_of(context.plan) as bundle:
            while True:
                pace = Pace(told, every=1.0)
                connection = await context.connect()
                try:
                    await bring(connection, blobs, BundleSource(bundle), progress=progress)
                    return cargo.size - first
                except ConnectionLost as problem:
                    cuts += 1
                    if cuts > _CUTS:
                        raise
                    text = f"The copy was cut off ({problem.cause}); it goes on where it was."
                    context.emit(Kind.NOTE, text=text)
                    await asyncio.sleep(min(0.5 * cuts, 5.0))

    async def verify(self, context: StepContext) -> None:
        """That everything is in its place, and the step's `verify` where it has one."""
        cargo = await self._cargo(context)
        seen = await context.look(
            place_command("check"), stdin=cargo.as_bytes(), timeout=CHECK_SECONDS
        )
        if seen.status != 0:
            output = (seen.stdout + seen.stderr).decode("utf-8", "replace")
            raise StepFailed(
                "it was delivered, and the machine does not have it in its place" + said(output),
                where=context.host.name,
                output=output.splitlines(),
            )
        if self.data(context).verify is not None:
            await super().verify(context)

    async def undo(self, context: StepContext) -> bool:
        """By the step's `undo`, else take it out of its place, and what nothing else needs away."""
        if self.data(context).undo is not None:
            return await super().undo(context)
        if context.step.irreversible:
            return False
        cargo = await self._cargo(context)
        ended = await context.change(
            "take back what was delivered",
            place_command("undo"),
            label="undo",
            stdin=cargo.as_bytes(),
        )
        must_be_good(context, ended, "taking it back")
        return True

    async def _cargo(self, context: StepContext) -> Cargo:
        machine = machine_from((await context.look(ASK)).stdout)
        where = context.host.name
        return await CARGOES.of(context.plan, context.step, machine, where=where)


KIND: Final[StepKind] = Deliver()
