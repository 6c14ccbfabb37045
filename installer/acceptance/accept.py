"""An acceptance from its first look to its verdict, and the taking back of all it brought along."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from foundation.moments import steady
from foundation.problems import ExitCode, Problem
from foundation.secrets import Secret
from foundation.version import __version__
from foundation.wording import counted, duration, shortened
from installer.acceptance import gates
from installer.acceptance.cast import (
    PREFIX,
    PROBE_LIMIT,
    PROBE_SENT,
    Bounds,
    cast,
    door,
    money_needed,
)
from installer.acceptance.ceiling import ceiling
from installer.acceptance.drills import Drilled, under_load
from installer.acceptance.driver import clock
from installer.acceptance.driver.fleet import Fleet
from installer.acceptance.driver.identifiers import Identifiers
from installer.acceptance.driver.measured import Measured
from installer.acceptance.driver.spec import Spec
from installer.acceptance.driver.told import Told, Told16
from installer.acceptance.hub_file import Drill, HubFile
from installer.acceptance.ledger.by_api import ByApi
from installer.acceptance.ledger.by_sql import BySql, Durability, LedgerUnread
from installer.acceptance.ledger.positions import Position, compare, moves
from installer.acceptance.ledger.reconcile import Reconciled, may_come, reconcile
from installer.acceptance.ledger.view import LedgerView, Transfer
from installer.acceptance.profile import Phase, Profile
from installer.acceptance.provisioning.admin import Admin
from installer.acceptance.provisioning.provision import (
    Provisioned,
    Wanted,
    provision,
    require_unused,
    set_limit,
    take_back,
)
from installer.acceptance.result import Ceiling, Result

_CLOCK_SET: Final = 2.0
"""Seconds by which a clock is corrected while it runs, at most; more is a clock that was set."""
_PERCENTS: Final = (50.0, 90.0, 99.0, 99.9)
_MOST_NAMED: Final = 100_000
"""Identifiers of a class that are written at most."""


class GeneratorTooSlow(Problem):
    """This machine cannot drive the rate that is asked for."""

    code = "generator-too-slow"
    title = "This machine cannot drive so many transfers"
    exit_code = ExitCode.NOT_READY


class SmokeFailed(Problem):
    """The hub does not clear one single transfer."""

    code = "acceptance-smoke"
    title = "The hub does not clear a single transfer, so no load is put on it"
    exit_code = ExitCode.NOT_READY


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for: the hub, the profile, and by how many processes."""

    hub: HubFile
    profile: Profile
    processes: int
    bounds: Bounds = field(default_factory=Bounds)
    token: Secret | None = None
    """Of the hub's administration."""
    allowed_by: str = ""
    """Who answers for the load on a hub that is in use."""
    hub_name: str = "Hub"
    ledger_password: Secret | None = None
    """Given to the hub file's ledger.command as MYSQL_PWD."""
    drills: tuple[Drill, ...] = ()
    """Faults that are set under load, in this order."""
    by: str = ""
    """Who began it; empty where nobody was asked."""


@dataclass
class Progress:
    """How far an acceptance is, for whoever shows it; `stop` lets no more journeys begin."""

    say: Callable[[str], None]
    tick: Callable[[Phase, float, Measured], None]
    """Told each second: the part, the seconds that are left of it, and the counts."""
    fleet: Fleet | None = None
    stopped: bool = False
    left: list[str] = field(default_factory=list)
    """What could not be taken back of what was made in the hub, in sentences."""

    def stop(self) -> None:
        """Begin no more journeys; what was begun is brought to its end and judged."""
        self.stopped = True
        if self.fleet is not None:
            self.fleet.stop()


async def accept(asked: Asked, progress: Progress) -> Result:
    """Carry it through; raises Problem where it cannot begin, and takes back what it brought."""
    key = secrets.token_bytes(16)
    specs = cast(asked.hub, asked.profile, asked.processes, key, asked.bounds)
    tls = asked.hub.tls
    began, watch = time.time(), steady()
    async with AsyncExitStack() as stack:
        admin = await stack.enter_async_context(Admin(
            asked.hub.admin, authority=str(tls.authority or ""),
            certificate=str(tls.certificate or ""), key=str(tls.key or ""), token=asked.token,
        ))  # fmt: skip
        others = await require_unused(admin, asked.hub_name, asked.allowed_by)
        database = _database(asked, key)
        kept = await database.durability() if database is not None else None
        progress.say("First the driver by itself, against a hub that does nothing.")
        own = await _ceiling(asked, specs, progress)
        fleet = await stack.enter_async_context(Fleet(specs))
        progress.fleet = fleet
        # While the hub has nothing to do but what little provisioning asks, its clock is told best.
        looking = asyncio.ensure_future(clock.look(
            asked.hub.transfers, authority=str(tls.authority or ""),
            certificate=str(tls.certificate or ""), key=str(tls.key or ""),
        ))  # fmt: skip
        stack.callback(looking.cancel)
        made = Provisioned(asked.hub.currency, left=progress.left)
        try:
            notes = await _prepare(asked, specs, fleet, admin, made, progress)
            offset = await looking
            notes += kept.notes if kept is not None else ()
            measurement = await _measure(asked, specs, fleet, admin, database, notes, progress)
        finally:
            # Also where it fails or is left: what stands in a hub's ledger is not left standing.
            await _to_its_end(_leave(fleet, admin, made, progress), made, progress)
    measurement.limits.extend(_of_clock(time.time() - began, steady() - watch))
    about = _about(asked, offset, kept)
    return _result(
        asked, specs, own, offset, others, made, measurement, key, began, progress, about
    )


async def _to_its_end(
    leaving: Coroutine[Any, Any, None], made: Provisioned, progress: Progress
) -> None:
    """Take back, also where it is asked to leave meanwhile; asked twice, give that up and say so.

    The connections to the hub are closed once this has returned, so it returns at the end alone.
    """
    task = asyncio.ensure_future(leaving)
    asked_to_leave = False
    while True:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.done():
                raise
            if asked_to_leave:
                made.left.append(f"all of {PREFIX}…: it was given up half-way")
                task.cancel()
                await asyncio.wait({task})
                raise
            asked_to_leave = True
            progress.say(
                "It is still being taken back; asked once more to leave, it is left as it is."
            )


@dataclass
class _Measurement:
    measured: Measured
    told: list[Told16]
    done: Reconciled
    positions: list[Position] | None
    probe: gates.Probe | None
    notes: list[str]
    limits: list[str] = field(default_factory=list)
    """Why nothing is proved, beside what the figures say of that."""
    drills: list[Drilled] = field(default_factory=list)


async def _ceiling(asked: Asked, specs: Sequence[Spec], progress: Progress) -> Ceiling:
    own = await ceiling(specs, asked.profile, asked.bounds, progress.say)
    if not own.held:
        raise GeneratorTooSlow(
            f"against a hub that does nothing it holds {own.rate:.0f} a second with"
            f" {_processes(asked.processes)}, and {asked.profile.rate:g} are asked for"
            f" ({own.why_not})",
            remedy="Let nothing else work on this machine, or take one with more cores and more"
            " processes (--processes), or a lower tier (--rate). A verdict about the hub would be"
            " one about this machine.",
        )
    progress.say(
        f"It holds {own.rate:.0f} a second, at {own.cpu * 1000:.1f} ms of CPU for a journey."
    )
    return own


async def _prepare(
    asked: Asked, specs: Sequence[Spec], fleet: Fleet, admin: Admin, made: Provisioned,
    progress: Progress,
) -> list[str]:  # fmt: skip
    """Make our participants and their parties known; notes of what could not be made anew."""
    wanted = _wanted(asked, specs, fleet)
    before = await provision(admin, wanted, asked.hub.currency, made, progress.say)
    parties = sum(one.parties for spec in specs for one in spec.dfsps)
    progress.say(f"{parties} parties are made known to it …")
    made.parties = True
    notes = _registered(await fleet.do("register"))
    if before:
        notes.append(
            f"{shortened(before)} {'was' if len(before) == 1 else 'were'} active in the hub before:"
            " an acceptance was killed, or one is under way from elsewhere, and then neither's"
            " figures say anything of the hub."
        )
        progress.say(notes[-1])
    return notes


async def _measure(
    asked: Asked, specs: Sequence[Spec], fleet: Fleet, admin: Admin, database: BySql | None,
    notes: list[str], progress: Progress,
) -> _Measurement:  # fmt: skip
    hub, names = asked.hub, [one.name for spec in specs for one in spec.dfsps]
    before = {name: await admin.position(name, hub.currency) for name in names}
    await _smoke(fleet, notes)
    progress.say("One transfer of each pair and direction was cleared. The load begins.")
    ticking = asyncio.ensure_future(_ticks(asked, fleet, progress))
    try:
        set_: list[Drilled] = []
        try:
            async with under_load(
                asked.drills, asked.profile, asked.bounds, fleet, progress.say, set_
            ):
                await fleet.run(asked.profile)
        finally:
            # Also where it is left in the middle: a fault that stays is told at the end.
            progress.left += [
                f"the fault of {one.drill.name}: {one.left}. `sitewright accept --undo-left` tries"
                " it again."
                for one in set_ if one.left
            ]  # fmt: skip
        await fleet.do("drain")
        told = await _settled(asked, fleet, progress)
        probe = await _probe(hub, specs, fleet, admin)
        done = await _reconciled(fleet, told, specs[0].worker, database, notes, progress)
        after = {name: await admin.position(name, hub.currency) for name in names}
    finally:
        ticking.cancel()
    doubt = hub.money * done.undecided
    positions = compare(before, after, moves(specs, told, done), doubt)
    return _Measurement(fleet.measured, told, done, positions, probe, notes, drills=set_)


def _database(asked: Asked, key: bytes) -> BySql | None:
    """The ledger's database, where the hub file names the way to it."""
    if asked.hub.ledger is None:
        return None
    makers: dict[int, Identifiers] = {}

    def name_of(one: Transfer) -> str:
        maker = makers.setdefault(one.worker, Identifiers(key, one.worker))
        return maker.of(one.number)

    return BySql(asked.hub.ledger.command, name_of, asked.ledger_password)


async def _reconciled(
    fleet: Fleet, told: Sequence[Told16], seed: int, database: BySql | None, notes: list[str],
    progress: Progress,
) -> Reconciled:  # fmt: skip
    """By the database where there is one; after an hour's load its failure is no end of it all."""
    if database is not None:
        progress.say(f"Reconciling with {database.name} …")
        try:
            return await reconcile(database, told, seed=seed)
        except LedgerUnread as problem:
            notes.append(
                f"The ledger's database did not answer any more ({problem.cause}), so that the"
                " hub's API was asked instead."
            )
            progress.say(notes[-1])
    view: LedgerView = ByApi(fleet)
    progress.say(f"Reconciling with {view.name} …")
    return await reconcile(view, told, seed=seed)


def _processes(count: int) -> str:
    return f"{count} process{'es' if count != 1 else ''}"


def _wanted(asked: Asked, specs: Sequence[Spec], fleet: Fleet) -> list[Wanted]:
    money = money_needed(asked.hub, asked.profile, asked.processes)
    return [
        Wanted(one.name, door(asked.hub, process.port, one.name), money)
        for spec, process in zip(specs, fleet.processes, strict=True)
        for one in (*spec.dfsps, *spec.probes)
    ]


def _registered(said: Sequence[dict[str, object]]) -> list[str]:
    """Notes of parties that could not be made known: they may be known from before."""
    reasons: dict[str, int] = {}
    for one in said:
        failed = one["failed"]
        if isinstance(failed, dict):
            for reason, count in failed.items():
                reasons[reason] = reasons.get(reason, 0) + count
    return [
        f"Of the parties {count} could not be made known anew: {reason}."
        for reason, count in reasons.items()
    ]


async def _smoke(fleet: Fleet, notes: Sequence[str]) -> None:
    said = await fleet.do("smoke")
    if all(one["good"] == one["asked"] for one in said):
        return
    reasons = shortened(dict.fromkeys(reason for one in said for reason in one["reasons"]))
    raise SmokeFailed(
        "; ".join([reasons, *notes]),
        remedy="See that the hub's pods reach the address and ports of the hub file's `callbacks`,"
        " and that its services are well: sitewright preflight --cluster. The hub keeps what it"
        " knows of an address for three minutes; after a change wait so long.",
    )


async def _ticks(asked: Asked, fleet: Fleet, progress: Progress) -> None:
    profile = asked.profile
    while True:
        await asyncio.sleep(1)
        into = time.time() - fleet.measured.began if fleet.measured.began else 0.0
        if into < 0:
            continue
        phase = Phase.DRAIN if progress.stopped else profile.phase_at(into)
        ends = {
            Phase.WARM_UP: profile.warm_up,
            Phase.RAMP: profile.steady_from,
            Phase.STEADY: profile.length,
        }
        progress.tick(phase, max(0.0, ends.get(phase, into) - into), fleet.measured)


async def _settled(asked: Asked, fleet: Fleet, progress: Progress) -> list[Told16]:
    """What was told, once nothing more can come: at once where all is clean already."""
    deadline = steady() + asked.hub.expiry + asked.bounds.settle
    while True:
        told = await fleet.told()
        seen = Counter(raw for bits in told for raw in bits)
        open_ones = sum(count for raw, count in seen.items() if may_come(Told(raw)))
        left = deadline - steady()
        if not open_ones or left <= 0:
            return told
        progress.say(f"{counted(open_ones, 'transfer')} at no end yet; {duration(left)} more.")
        await asyncio.sleep(min(left, 10.0))


async def _probe(
    hub: HubFile, specs: Sequence[Spec], fleet: Fleet, admin: Admin
) -> gates.Probe | None:
    """Set a limit of so many transfers above what the payer owes, and try twice as many at once."""
    if not specs[0].probes:
        return None
    payer = specs[0].probes[0].name
    owes = await admin.position(payer, hub.currency)
    await set_limit(admin, payer, owes + hub.money * PROBE_LIMIT, hub.currency)
    (said,) = await fleet.do("probe", 0, count=PROBE_SENT, first=0)
    other = int(said["refused"]) - int(said["limited"])
    return gates.Probe(PROBE_LIMIT, PROBE_SENT, int(said["committed"]), int(said["silent"]), other)


async def _leave(fleet: Fleet, admin: Admin, made: Provisioned, progress: Progress) -> None:
    """Take back what was made in the hub, as far as it can be; what cannot be is told."""
    if not made.names:
        return
    progress.say("Taking back what was made in the hub …")
    fleet.stop()
    try:
        for one in await fleet.do("deregister") if made.parties else ():
            for reason, count in one["failed"].items():
                made.left.append(f"{counted(count, 'registration')} of a party: {reason}")
    except Problem as problem:
        made.left.append(f"the registrations of parties: {problem.sentence}")
    await take_back(admin, made)
    for left in made.left:
        progress.say(f"Not taken back: {left}")


def _result(
    asked: Asked, specs: Sequence[Spec], own: Ceiling, offset: clock.Offset | None,
    others: Sequence[str], made: Provisioned, it: _Measurement, key: bytes, began: float,
    progress: Progress, about: dict[str, str],
) -> Result:  # fmt: skip
    criteria = gates.judge(
        asked.profile, it.measured, it.done, it.positions, it.probe, asked.bounds, it.drills
    )
    limited = [*gates.limits_of(asked.profile, it.measured, asked.bounds, offset), *it.limits]
    notes = list(it.notes)
    if others:
        notes.append(
            f"The hub was in use by {shortened(others)}; {asked.allowed_by} answers for the load."
        )
    if offset is None:
        notes.append("Whether the hub's clock agrees with this machine's could not be told.")
    if it.done.sampled:
        notes.append("Not every transfer was asked for in the ledger; see “No lost transfer”.")
    notes += _of_messages(it.measured)
    notes += [f"Not taken back: {left}" for left in made.left]
    return Result(
        verdict=gates.verdict_of(criteria, limited, stopped=progress.stopped),
        profile=asked.profile,
        criteria=criteria,
        limited=limited,
        about=about,
        notes=notes,
        reconciled=it.done,
        positions=it.positions or [],
        points=it.measured.points,
        slots=dict(sorted(it.measured.slots.items())),
        failures=dict(it.measured.failures.most_common(50)),
        percentiles={
            name: [*histogram.percentiles(_PERCENTS), histogram.longest]
            for name, histogram in sorted(it.measured.histograms.items())
            if not name.startswith("~")
        },
        ceiling=own,
        processes=asked.processes,
        began=began,
        ended=time.time(),
        unclean=_unclean(it.done, specs, key),
    )


def _of_clock(told: float, took: float) -> list[str]:
    """Why nothing is proved where the clock of this machine was set, by which slots are counted."""
    if abs(told - took) < _CLOCK_SET:
        return []
    way = "forward" if told > took else "back"
    return [f"the clock of this machine was put {way} by {duration(abs(told - took))} meanwhile"]


def _of_messages(measured: Measured) -> list[str]:
    """Notes of messages that no criterion counts."""
    notes = []
    if resent := int(measured.sum("resent")):
        notes.append(
            f"{counted(resent, 'message')} went to the hub a second time, for the connection broke"
            " before it had answered; what came of the second counts."
        )
    if strays := int(measured.sum("strays")):
        notes.append(
            f"{counted(strays, 'callback')} of the hub came for nothing that was waited for: late,"
            " repeated, or about nothing of this run."
        )
    return notes


def _about(asked: Asked, offset: clock.Offset | None, kept: Durability | None) -> dict[str, str]:
    hub = asked.hub
    return {
        "Lookup": hub.lookup,
        "Agreement of terms": hub.quotes,
        "Clearing": hub.transfers,
        "Ledger": hub.admin,
        "API": f"FSPIOP {hub.version}; the payee reserves and is told of the end by PATCH",
        "Signatures": "none (JWS is not part of this yet); a hub that asks for them refuses",
        "TLS": "mutual" if hub.tls.certificate else "as the addresses say",
        "Amount": f"{hub.amount} {hub.currency} each, to and fro between pairs",
        "Expiry": f"{hub.expiry:g} s",
        "Clock of the hub": offset.words if offset else "could not be told",
        "Durability": kept.words if kept else "not read: the hub file names no ledger.command",
        **({"Begun by": asked.by} if asked.by else {}),
        "Sitewright": __version__,
    }


def _unclean(done: Reconciled, specs: Sequence[Spec], key: bytes) -> dict[str, list[str]]:
    makers = {spec.worker: Identifiers(key, spec.worker) for spec in specs}
    return {
        fate: [makers[one.worker].of(one.number) for one in ones[:_MOST_NAMED]]
        for fate, ones in done.unclean.items()
    }
