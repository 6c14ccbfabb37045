"""Live services that install: settings, plan, the engine with its lock and its run folder."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from foundation.moments import moment
from foundation.problems import InputProblem
from installer.record.errand import Errand
from screens.answers.answers import Answers
from screens.services.memory import Changed, Touched
from screens.services.services import Export, Installing, Order, Unfinished

if TYPE_CHECKING:
    from types import ModuleType

    from foundation.hosts.model import Host
    from installer.catalogue.solution import Solution
    from installer.catalogue.stages import Settings
    from installer.events import Event
    from installer.hand_over.later import Later
    from installer.hand_over.model import HandOver
    from installer.planning.new_site_file import NewSite
    from installer.plans.plan import Plan
    from installer.record.kept_runs import KeptRuns, RunCount
    from installer.record.runs import Run
    from installer.record.state import RunState
    from installer.running.begin import Occasion
    from installer.running.order import Order as Asked
    from installer.running.order import Others
    from installer.sites.site import Site
    from installer.steps.kind import Asker

CONNECT_TIMEOUT: Final = 15.0
LAST_EVENTS: Final = 1_000
"""Events of a run that is gone on with, to see what it did last."""


class LiveInstallation:
    """The part of the live services that installs; `folder` holds other solutions than ours."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    def person(self) -> str:
        """The user who runs Sitewright."""
        try:
            user = getpass.getuser()
        except (OSError, KeyError):
            return ""
        # "root" tells an auditor nothing; who became root does.
        return os.environ.get("SUDO_USER", "") if user == "root" else user

    async def settings(self, answers: Answers) -> Settings:
        """What the solution asks of a site."""

        def read() -> Settings:
            from installer.catalogue.settings import load_settings

            return load_settings(self._solution(answers))

        return await asyncio.to_thread(read)

    async def plan(self, answers: Answers, older: Mapping[str, str] = MappingProxyType({})) -> Plan:
        """The plan of these answers; `older` is who meant an older bundle, by its index."""

        def make() -> Plan:
            from installer.planning.make import make_plan
            from installer.planning.release_lines import refuse_skipped
            from installer.supply.supplies import read_supplies

            site, solution = site_of(answers), self._solution(answers)
            supplied = read_supplies(site, base_of(answers), allow_older=older)
            plan = make_plan(
                solution,
                site,
                (),
                playbooks=site.playbooks_path(base_of(answers)),
                supplied=supplied,
                base=base_of(answers),
            )
            today = datetime.now(UTC).astimezone().date()
            refuse_skipped(solution, site, dict(plan.settings), today, where="settings")
            return plan

        return await asyncio.to_thread(make)

    async def first_time(self, plan: Plan, answers: Answers) -> tuple[str, ...]:
        """Sentences on what of a plan was never used here before."""

        def read() -> tuple[str, ...]:
            from installer.supply.opened_before import first_time

            return tuple(first_time(plan, answers.site_file))

        return await asyncio.to_thread(read)

    @contextlib.asynccontextmanager
    async def installing(
        self, order: Order, ask: Asker, others: Others | None = None
    ) -> AsyncIterator[Installing]:
        """The lock, the connections, the run folder and an engine that is ready to run."""
        begin, asked = await asyncio.to_thread(self._asked, order)
        try:
            async with begin.begun(*asked, ask, others=others) as ready:
                yield Installing(order, ready.engine, ready.run, ready.expected)
        except begin.NotBegun as problem:
            from screens.words.plan_words import not_ready

            raise not_ready(problem.against) from problem

    def _asked(self, order: Order) -> tuple[ModuleType, tuple[Asked, Occasion]]:
        """What a person confirmed, in the words of the floor below, and who takes it."""
        from installer.record.runs import Run
        from installer.running import begin
        from installer.running.order import Order as Asked

        base = base_of(order.answers)
        asked = Asked(
            plan=order.plan,
            by=order.by,
            secrets=order.secrets,
            interactive=order.errand is Errand.INSTALL,
            take_over=order.take_over,
        )
        occasion = begin.Occasion(
            site=site_of(order.answers),
            base=base,
            solution=self._solution(order.answers),
            inventory=order.access.inventory,
            credentials=order.access.credentials,
            site_file=order.answers.site_file,
            run=None if order.run is None else Run(order.run),
            errand=order.errand,
            operation=order.operation,
        )
        return begin, (asked, occasion)

    async def unfinished(self) -> Unfinished | None:
        """The latest run of every site is looked at; the last of those that are not finished."""
        return await asyncio.to_thread(_unfinished)

    async def left_update(self) -> Unfinished | None:
        """The last update of every site is looked at, by its record."""

        def read() -> Unfinished | None:
            from installer.updates.applying.left import left_update

            left = left_update()
            return None if left is None else _unfinished_of(left[0], left[0].plan(), left[1])

        return await asyncio.to_thread(read)

    async def reopen(self, run: Path) -> tuple[Answers, Plan]:
        """The site file and the plan of a run."""

        def read() -> tuple[Answers, Plan]:
            from dataclasses import replace

            from installer.record.runs import open_run
            from installer.sites.site import load_site
            from screens.answers.site_answers import answers_from_site

            opened = open_run(run)
            site = load_site(opened.site_file)
            answers = answers_from_site(site, opened.site_file)
            plan = opened.plan()
            # The copy in the run's folder is a record, and no file to be written to. Where it names
            # no environment, the plan knows which was meant.
            return (
                replace(
                    answers.saying(environment=plan.environment), installable=True, site_file=None
                ),
                plan,
            )

        return await asyncio.to_thread(read)

    async def counted_runs(self) -> RunCount:
        """Counted off the event loop, by the folders alone."""

        def count() -> RunCount:
            from installer.record.kept_runs import counted_runs

            return counted_runs()

        return await asyncio.to_thread(count)

    async def kept_runs(self) -> KeptRuns:
        """Read off the event loop: records may be long."""

        def read() -> KeptRuns:
            from installer.record.kept_runs import kept_runs

            return kept_runs()

        return await asyncio.to_thread(read)

    async def new_site(
        self, solution: str, environment: str, hosts: Sequence[Host], path: Path
    ) -> NewSite:
        """Written by the same function as that of the command."""

        def write() -> NewSite:
            from installer.catalogue.solution import load_solution
            from installer.planning.new_site_file import write_new_site

            found = load_solution(solution, self.folder)
            return write_new_site(found, found.needs(environment), hosts, path)

        return await asyncio.to_thread(write)

    async def touched(self, addresses: Sequence[str]) -> Touched:
        """The last change in the runs of this computer, read off the event loop."""

        def read() -> Touched:
            from installer.record.last_change import last_change

            change = last_change(addresses)
            if change is None:
                return Touched()
            state = Changed.NOW if change.under_way else Changed.DONE
            when = change.when.astimezone() if change.when is not None else None
            return Touched(state, change.by, when, change.run.folder)

        return await asyncio.to_thread(read)

    async def recall(self, run: Path) -> tuple[RunState, tuple[Event, ...]]:
        """The state of a run and its last events, read off the event loop."""

        def read_back() -> tuple[RunState, tuple[Event, ...]]:
            from installer.record.journal import records
            from installer.record.runs import open_run

            opened = open_run(run)
            last = deque(records(opened.journal), maxlen=LAST_EVENTS)
            return opened.state(), tuple(record.event() for record in last)

        return await asyncio.to_thread(read_back)

    async def hand_over(self, run: Path) -> HandOver:
        """The report of a run, read off the event loop."""

        def read() -> HandOver:
            from installer.hand_over.gather import gather
            from installer.record.runs import open_run

            return gather(open_run(run))

        return await asyncio.to_thread(read)

    async def later(self, run: Path) -> tuple[Later, ...]:
        """What its solution can do, and what its site has."""

        def read() -> tuple[Later, ...]:
            from installer.catalogue.solution import load_solution
            from installer.hand_over.later import later_of
            from installer.record.runs import Run
            from installer.sites.site import load_site

            file = Run(run).site_file
            site = load_site(file)
            solution = load_solution(site.solution or "", self.folder)
            needs = solution.needs(site.environment)
            return later_of(
                solution,
                str(file),
                str(run),
                kubernetes=bool(needs.platform.kubernetes_roles or needs.sizing.standing_clusters),
                bundle=site.supplies.bundle is not None,
            )

        return await asyncio.to_thread(read)

    async def write_hand_over(self, kind: Export, path: Path, report: HandOver) -> None:
        """The report in one of its forms, whole or not at all."""
        from installer.hand_over import render

        text = await asyncio.to_thread(render, report, kind.value)
        await self.write_text(path, text)

    async def write_text(self, path: Path, text: str) -> None:
        """A text for people, whole or not at all."""

        def write() -> None:
            from foundation.paths import write_whole

            write_whole(path, text, mode=0o644)

        await written(write, path)

    def _solution(self, answers: Answers) -> Solution:
        from installer.catalogue.solution import load_solution

        return load_solution(answers.solution or "", self.folder)


async def written(write: Callable[[], None], path: Path) -> None:
    """Write a file off the event loop; raises InputProblem where it cannot be written."""
    try:
        await asyncio.to_thread(write)
    except OSError as error:
        raise InputProblem(
            f"the file cannot be written: {error.strerror or error}",
            where=str(path),
            remedy="Name a file in a folder that exists and that you may write to.",
        ) from error


def base_of(answers: Answers) -> Path:
    """The folder that paths in the site are relative to."""
    return answers.site_file.absolute().parent if answers.site_file else Path.cwd()


def site_of(answers: Answers) -> Site:
    from screens.answers.site_answers import site_from_answers

    file = answers.site_file or Path.cwd() / "site.yaml"
    said_in = str(answers.site_file) if answers.site_file else "what the wizard was told"
    return site_from_answers(answers, file, where=said_in)


def _unfinished() -> Unfinished | None:
    from foundation.problems import Problem
    from installer.record.runs import installed_sites, latest_run

    for key in installed_sites():
        run = latest_run(key)
        if run is None or not run.site_file.is_file():
            continue
        try:
            plan, state = run.plan(), run.state()
        except (Problem, OSError):
            continue  # a run that cannot be read cannot be gone on with
        if state.started is None or state.complete(plan):
            continue
        return _unfinished_of(run, plan, state)
    return None


def _unfinished_of(run: Run, plan: Plan, state: RunState) -> Unfinished:
    from installer.record.kept_runs import worker_of
    from installer.record.state import keys_of
    from preflight.report.words import clean

    keys = list(keys_of(plan))
    when = moment(state.last_time or None)
    done = sum(state.finished(step) for step in keys)
    holder = worker_of(run, state.last_time)
    at_work = "" if holder is None else clean(holder.by or holder.user)
    name = f"{plan.solution} {plan.environment}"
    return Unfinished(run.folder, name, done, len(keys), when, at_work)
