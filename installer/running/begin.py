"""Begin: the one beginning of a run, for everybody who begins one.

The wizard, each command, and what begins a run with nobody at the keyboard come through here: the
bundle is verified, the site locked, its machines looked at, room asked for, the run's folder made
and the engine built. Whatever comes in between, what was not begun leaves nothing behind: no lock,
no connection, no folder, and no run that would be the site's latest.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final

from foundation.hosts.connection import Credentials
from foundation.hosts.model import Inventory
from foundation.hosts.pool import Pool
from foundation.paths import ABOUT_FILES, file_problem
from foundation.problems import ConnectionProblem, ExitCode, InputProblem, Problem, Refused
from foundation.wording import counted, listed
from installer.planning.notes import accepted
from installer.record.errand import Errand
from installer.record.identity import (
    as_machines_say,
    asked_of_machines,
    begun_on,
    identity_of,
    site_key,
)
from installer.record.record_check import check_record, gone_runs
from installer.record.runs import (
    Run,
    create_run,
    earlier_seconds,
    errand_of,
    site_of,
    sweep_unbegun,
)
from installer.record.site_lock import Lock
from installer.running.changed_since import told_of_changes
from installer.running.engine import Engine
from installer.running.gate import NotReady, look_at, objections, recheck
from installer.running.levers import Control
from installer.running.order import Order, Others, Tools
from installer.running.outside import fetches_from_outside
from installer.running.taken_out import not_joining_again
from installer.sites.site import dump_site, load_site, resolved
from installer.sites.ways import ways_of
from installer.steps.kind import KINDS, step_kind
from installer.supply.control_host_programs import needed
from installer.supply.disk_room import short_of_room
from installer.supply.opened_before import remember
from installer.supply.own_versions import require_this
from installer.supply.supplies import remember_bundle, verify_for
from preflight.recorded import facts_text

if TYPE_CHECKING:
    from bundles.read.verify import Verified
    from installer.catalogue.solution import Solution
    from installer.plans.plan import Plan, PlannedStage, PlannedStep
    from installer.sites.site import Site
    from installer.steps.kind import Asker

CONNECT_TIMEOUT: Final = 15.0
_WHOLE_AGAIN: Final = 20.0
"""Seconds in which a run that is gone on with tries what it fetches; then it goes on."""


class _GivenUp(Exception):
    """Nobody waits for the bundle's verification any more."""


class NotBegun(NotReady):
    """Everything that stands against beginning, as one problem; each is in `against`."""

    def __init__(self, against: Sequence[Problem]) -> None:
        self.against = tuple(against)
        remedies = dict.fromkeys(problem.remedy for problem in against if problem.remedy)
        places: dict[str, list[str]] = {}
        for one in against:
            places.setdefault(one.cause.rstrip("."), []).append(one.where or "the site")
        super().__init__(
            "; ".join(f"{', '.join(where)}: {cause}" for cause, where in places.items()),
            where=counted(len(against), "objection"),
            remedy=" ".join(remedies),
        )


class NotReached(NotBegun):
    """The same, where a machine was not reached, or is not trusted."""

    exit_code = ExitCode.UNREACHABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Where a run is begun, and what for."""

    site: Site
    base: Path
    """The folder that paths in the site are relative to."""
    solution: Solution
    inventory: Inventory
    credentials: Credentials = field(default_factory=Credentials)
    connect_timeout: float = CONNECT_TIMEOUT
    site_file: Path | None = None
    """Where the answers stand; None where they are in no file that was opened."""
    run: Run | None = None
    """The run to go on with; None for a new one."""
    errand: Errand = Errand.INSTALL
    operation: str = ""
    """Which operation; it has runs of its own."""
    joins: str = ""
    """The machine that is meant to join, though it was taken out once."""
    other_ways: bool = False
    """Whether it is meant that the site says other ways than the run was begun with."""
    fetches: bool = True
    """Whether what the installation fetches is tried before it begins."""

    @property
    def key(self) -> str:
        """The folder of its runs."""
        if self.run is not None:
            return self.run.site_key
        of = self.operation if self.errand is Errand.OPERATE else ""
        of = self.errand.value if self.errand is Errand.VERIFY else of
        return "-".join(filter(None, (site_key(self.site), of)))

    @property
    def locks(self) -> str:
        """Whose lock it takes: what is installed is not stopped while it is being installed."""
        # A verification changes nothing, and has a lock of its own.
        return self.key if errand_of(self.key) == Errand.VERIFY else site_of(self.key)


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that is ready to go."""

    engine: Engine
    run: Run
    expected: Mapping[tuple[str, str], float]
    """Seconds by (stage, step), from earlier runs."""


def _nothing(text: str) -> None:
    """Nobody is there to be told."""


@contextlib.asynccontextmanager
async def begun(
    order: Order,
    occasion: Occasion,
    ask: Asker,
    *,
    control: Control | None = None,
    others: Others | None = None,
    tell: Callable[[str], None] = _nothing,
) -> AsyncIterator[Begun]:
    """Everything that a run needs, for the time of the block, and an engine that is ready to go.

    `tell` gets sentences on the way. Raises Problem: NotBegun with all that stands against it,
    Locked, BundleProblem, FileProblem.
    """
    async with contextlib.AsyncExitStack() as held:
        try:
            work = await _Beginning(order, occasion, ask, control or Control(), others, tell).begin(
                held
            )
        except OSError as error:
            if error.filename is None and error.errno not in ABOUT_FILES:
                raise
            raise file_problem(error) from error
        yield work


def _same_machines(run: Run, occasion: Occasion) -> None:
    """Raise InputProblem where a site file, that of the run's own folder too, names other machines.

    What was reviewed for some machines is not done on others.
    """
    if not begun_on(run, occasion.site):
        raise InputProblem(
            "it names other machines than those on which this run was begun, or another "
            "environment",
            where=str(occasion.site_file or run.site_file),
            remedy="Begin a new run for it, whose plan you review: sitewright install. To go on "
            "with this one, put back the addresses, ports, bastion and programs that stood there, "
            f"or name the site as it was then: --site {quote(str(run.site_file))}",
        )


def _reviewed_here(run: Run) -> None:
    """Raise Refused for a run that a machine gave: what it would do was reviewed by nobody here.

    Its plan names what runs on every machine, and its copies of playbooks run on this computer.
    """
    if run.brought:
        raise Refused(
            f"the run {run.id} came to this computer out of a backup: it can be looked at, and "
            "what it would do was reviewed elsewhere",
            where=str(run.folder),
            remedy="Begin a new run, whose plan you review, and of which each step is asked "
            "whether it is done: sitewright install",
        )


def _same_ways(run: Run, occasion: Occasion) -> None:
    """Raise Refused where the site says other ways to its machines than the run was begun with.

    Which login, bastion, keys, options and programs are used was reviewed with the plan.
    """
    before = _ways_before(run)
    now = ways_of(occasion.site, occasion.base.absolute())
    if occasion.other_ways or before is None or before == now:
        return
    gone = [line.strip() for line in before if line not in now]
    new = [line.strip() for line in now if line not in before]
    raise Refused(
        "the site says other ways to its machines than those that were reviewed with this run: "
        + "; ".join([*(f"before: {line}" for line in gone), *(f"now: {line}" for line in new)]),
        where=str(occasion.site_file or run.site_file),
        remedy="If that is meant, give the same command again with --other-ways. If not, go on by "
        f"the site as it was: --site {quote(str(run.site_file))}",
    )


def _delivers(step: PlannedStep) -> bool:
    """Whether a step takes of the plan's bundle."""
    return step.kind in KINDS and step_kind(step.kind).delivers(step) is not None


def _of_kubeconfig(plan: Plan) -> str:
    """That a cluster which is named around us is not the one of the steps; empty where none is."""
    asked = {"helm", "kubectl"} & set(needed(plan.stages))
    if not asked or plan.control or "KUBECONFIG" not in os.environ:
        return ""
    return (
        f"KUBECONFIG is set here and handed to no step: {listed(sorted(asked))} of this run "
        "reach the cluster of ~/.kube/config."
    )


def _ways_before(run: Run) -> tuple[str, ...] | None:
    """The ways that were reviewed; None where a run of an earlier version does not tell."""
    try:
        if ways := run.plan().ways:
            return ways
        return ways_of(load_site(run.site_file), run.folder)
    except InputProblem:
        return None


def _accepted_since(occasion: Occasion, plan: Plan) -> Iterator[str]:
    """What the site accepts by now and the plan that was reviewed does not say; for the record."""
    if occasion.run is not None and occasion.errand is Errand.INSTALL:
        for text in accepted(occasion.site):
            if text not in plan.notes:
                yield (
                    "It was not in the plan that was reviewed, and counts from now on where "
                    f"machines are looked at again: {text}"
                )


@dataclass(frozen=True, slots=True)
class _Beginning:
    order: Order
    occasion: Occasion
    ask: Asker
    control: Control
    others: Others | None
    tell: Callable[[str], None]

    async def begin(self, held: contextlib.AsyncExitStack) -> Begun:
        """Each step after the one before; what it holds is given to `held` at once."""
        order, occasion = self.order, self.occasion
        if occasion.run is not None:
            _reviewed_here(occasion.run)
        if said := _of_kubeconfig(order.plan):
            self.tell(said)
        found = await self.verified()
        lock = self.locked(held)
        pool = await held.enter_async_context(
            Pool(
                occasion.inventory,
                credentials=occasion.credentials,
                connect_timeout=occasion.connect_timeout,
            )
        )
        facts, looked = await self.looked(pool)
        known = await self.settled(pool)
        # While the machines were looked at, another may have begun the record that this site is of.
        if lock is not None and lock.key != await asyncio.to_thread(lambda: known.occasion.locks):
            lock.release()  # that of a record which is not to be made
            lock = known.locked(held)
        run = occasion.run or await known.new_run(facts, held)
        expected = await asyncio.to_thread(earlier_seconds)

        async def again(stage: PlannedStage) -> Sequence[Problem]:
            return await recheck(pool, occasion.site, occasion.solution, stage)

        tools = Tools(
            machines=pool,
            ask=self.ask,
            control=self.control,
            lock=lock,
            recheck=again,
            looked=looked,
            expected=expected,
            begun=lambda: known.noted(found),
            others=self.others,
        )
        return Begun(Engine(order, run, tools), run, expected)

    async def verified(self) -> Verified | None:
        """Nothing of a bundle is used before every byte of it was verified."""
        plan = self.order.plan
        installs = self.occasion.errand is Errand.INSTALL
        brings = any(_delivers(step) for stage in plan.stages for step in stage.steps)
        if not (installs or brings) or self.order.dry or not plan.supplies:
            return None
        self.tell(f"Verifying {dict(plan.supplies)['bundle']} …")
        given_up = threading.Event()

        def heed(_done: int, _all: int) -> None:
            if given_up.is_set():
                raise _GivenUp

        try:
            found = await asyncio.to_thread(verify_for, plan, progress=heed)
        finally:
            given_up.set()  # the thread of who waits no more ends too
        if found is not None:
            by = (
                f"signed by {found.signer.name}"
                if found.signer
                else "its signature was NOT checked"
            )
            self.tell(f"The bundle is whole, {by} ({found.seconds:.1f} s).")
        return found

    def locked(self, held: contextlib.AsyncExitStack) -> Lock | None:
        """The site is ours, and what an earlier beginning left behind is gone; raises Locked."""
        if self.order.dry:
            return None
        occasion = self.occasion
        lock = Lock(occasion.locks, by=self.order.by, take_over=self.order.take_over)
        held.enter_context(lock)
        sweep_unbegun(occasion.key)
        if occasion.run is not None:
            check_record(occasion.run)
            if not self.order.any_version:
                require_this(occasion.run)
            _same_machines(occasion.run, occasion)
            _same_ways(occasion.run, occasion)
        if occasion.errand is Errand.INSTALL:
            file = str(occasion.site_file or "")
            not_joining_again(occasion.key, occasion.site, occasion.joins, file=file)
        return lock

    async def looked(self, pool: Pool) -> tuple[str, float | None]:
        """The machines' facts, and when they were good to begin on; raises NotBegun.

        What asks and changes nothing needs machines that answer, and no more.
        """
        order, occasion = self.order, self.occasion
        if occasion.run is not None and occasion.errand is Errand.INSTALL:
            self.tell(f"Goes on with the run {occasion.run.id}, whose plan was reviewed.")
            base = occasion.base.absolute()
            changed = told_of_changes(occasion.run, occasion.site, base, file=occasion.site_file)
            if changed:
                self.tell(changed)
            await self.told_outside(pool, occasion.run)
        if occasion.run is not None or occasion.errand not in (Errand.INSTALL, Errand.VERIFY):
            return "", None
        looked = time.monotonic()
        fetches = occasion.errand is Errand.INSTALL and occasion.fetches
        assessment = await look_at(
            pool,
            occasion.site,
            occasion.solution,
            base=occasion.base.absolute() if fetches else None,
            tell=self.tell,
        )
        against = objections(assessment)
        if occasion.errand is Errand.VERIFY:
            against = tuple(one for one in against if isinstance(one, ConnectionProblem))
        elif not against:
            against = tuple(await short_of_room(pool, order.plan))
        if against and not order.dry:
            away = any(problem.exit_code is ExitCode.UNREACHABLE for problem in against)
            raise (NotReached if away else NotBegun)(against)
        for problem in against:
            self.tell(f"It would not be begun: {problem.where}: {problem.sentence}")
        return facts_text([host.seen for host in assessment.hosts]), looked

    async def settled(self, pool: Pool) -> _Beginning:
        """The same, with the record that the machines remember where none lies here.

        Raises WhichRecord, Unreachable.
        """
        occasion = self.occasion
        if self.order.dry or occasion.run is not None:
            return self
        if (await asyncio.to_thread(identity_of, occasion.site)).known:
            return self
        said = await asked_of_machines(occasion.inventory.hosts, pool.connect)
        # One that has no part in the plan, as that of the backups, lets nobody in.
        needed = {n for stage in self.order.plan.stages for s in stage.steps for n in s.hosts}
        said = {name: key for name, key in said.items() if key is not None or name in needed}
        site = await asyncio.to_thread(as_machines_say, occasion.site, said)
        if site == occasion.site:
            return self
        self.tell(
            f"The machines remember the site {site.record}, whose record is not on this computer: "
            "it goes on under that name, and each step is asked whether it is done."
        )
        return replace(self, occasion=replace(occasion, site=site))

    async def told_outside(self, pool: Pool, run: Run) -> None:
        """Say what a run that is gone on with cannot fetch now; what is left may need none of it.

        Nothing is tried while steps of it run, which are attached to at once.
        """
        if self.order.dry or not self.occasion.fetches:
            return
        state = await asyncio.to_thread(run.state)
        if any(standing.running for standing in state.steps.values()):
            return
        occasion = self.occasion
        if not await asyncio.to_thread(fetches_from_outside, occasion.solution, occasion.site):
            return
        assessment = await look_at(
            pool, occasion.site, occasion.solution, base=occasion.base.absolute(),
            tell=self.tell, whole=_WHOLE_AGAIN,
        )  # fmt: skip
        for finding in assessment.all_findings:
            if finding.area == "egress" and finding.blocks:
                self.tell(f"What is left may fail: {finding.title} Do: {finding.remedy}")

    async def new_run(self, facts: str, held: contextlib.AsyncExitStack) -> Run:
        """The folder of a new run, which goes again unless the run begins."""
        occasion = self.occasion
        if gone := gone_runs(occasion.key):
            self.tell(
                f"Of the run {gone[-1]} of this site the record is gone from this computer: what "
                "it did stands on the machines, and each step is asked whether it is done."
            )
        text = dump_site(resolved(occasion.site, occasion.base))
        run = create_run(
            occasion.key, self.order.plan, site_text=text, facts_text=facts, dry=self.order.dry
        )
        held.callback(run.forget_unbegun)
        self.tell(f"The record of this run is in {run.folder}")
        return run

    def noted(self, found: Verified | None) -> list[str]:
        """What is remembered of the site once the run has begun; sentences on what could not be."""
        order, occasion = self.order, self.occasion
        if order.dry:
            return []
        if occasion.errand is Errand.INSTALL:
            remember(order.plan, occasion.site_file)
        said = list(_accepted_since(occasion, order.plan))
        if found is None:
            return said
        try:
            remember_bundle(occasion.site, found)
        except OSError as error:
            what = error.strerror or error
            text = f"Which bundle this site has now could not be noted here ({what}): an older "
            said.append(f"{text}one will not be known as older.")
        return said
