"""Live services: the screens' questions put to real machines and real files.

Everything heavy (asyncssh, pydantic, the data files) is imported at the first question that needs
it, and off the event loop, so that the first paint waits for none of it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from foundation.hosts.connection import Become
from foundation.hosts.model import Host
from foundation.paths import state_folder
from foundation.problems import Problem
from screens.answers.answers import Answers
from screens.services.live_acceptance import LiveAcceptance
from screens.services.live_applying import LiveApplying
from screens.services.live_bundles import LiveBundles
from screens.services.live_clusters import LiveClusters
from screens.services.live_guide import LiveGuide, this_host
from screens.services.live_install import (
    CONNECT_TIMEOUT,
    LiveInstallation,
    base_of,
    site_of,
    written,
)
from screens.services.live_updates import LiveUpdates
from screens.services.services import (
    Access,
    Assigned,
    EnvironmentChoice,
    Export,
    MachineFile,
    Question,
    SolutionChoice,
    Tried,
)

if TYPE_CHECKING:
    from foundation.hosts.openssh.hostkeys import HostKeyOffer
    from foundation.hosts.openssh.ssh_files import Program
    from foundation.hosts.pool import Pool
    from installer.sites.site import Site
    from preflight.assessment import Assessment, HostResult, Seen
    from preflight.egress import Egress
    from preflight.findings import Finding
    from preflight.mesh import Mesh
    from preflight.needs import SolutionNeeds

TRIES_AT_ONCE: Final = 32
TRY_TIMEOUT: Final = 10.0


class LiveServices(
    LiveInstallation,
    LiveApplying,
    LiveGuide,
    LiveBundles,
    LiveClusters,
    LiveUpdates,
    LiveAcceptance,
):
    """The real floors below."""

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)
        self._pool: Pool | None = None
        self._pool_for: Access | None = None
        self._tries = asyncio.Semaphore(TRIES_AT_ONCE)
        self._opening = asyncio.Lock()

    def now(self) -> datetime:
        """The time here, with its zone."""
        return datetime.now(UTC).astimezone()

    def this_machine(self) -> Host:
        """This machine under its own name."""
        return this_host()

    # ---- what there is to choose from

    async def solutions(self) -> tuple[SolutionChoice, ...]:
        """Every solution, read from its folder of data."""
        return await asyncio.to_thread(_solutions, self.folder)

    async def single_machine(self) -> tuple[SolutionNeeds, ...]:
        """What fits on one machine, the least demanding first."""

        def read() -> tuple[SolutionNeeds, ...]:
            from installer.catalogue.solution import single_machine_needs

            return tuple(single_machine_needs())

        return await asyncio.to_thread(read)

    # ---- machines

    async def hosts_from_text(self, text: str) -> tuple[Host, ...]:
        """Machines from typed or pasted text."""

        def read() -> tuple[Host, ...]:
            from foundation.hosts.ansible.inventory import hosts_from_text

            return hosts_from_text(text)

        return await asyncio.to_thread(read)

    async def machine_file(self, path: Path) -> MachineFile:
        """A site file where it looks like one, else an inventory or a list."""
        return await asyncio.to_thread(_machine_file, path, self.folder)

    async def try_machine(self, host: Host, access: Access) -> Tried:
        """The host key that a machine offers, or why there is none; nobody logs in."""
        if host.local:
            return Tried(host)
        hostkeys = await _import("foundation.hosts.openssh.hostkeys")
        async with self._tries:
            started = time.monotonic()
            offer: HostKeyOffer | None = None
            problem: Problem | None = None
            notes: list[str] = []
            try:
                offer = await hostkeys.offered_key(
                    host,
                    access.inventory,
                    credentials=access.credentials,
                    timeout=TRY_TIMEOUT,
                    notes=notes,
                )
            except Problem as error:
                problem = error
            return Tried(host, problem, offer, time.monotonic() - started, tuple(notes))

    async def trust(self, offers: Sequence[HostKeyOffer], access: Access) -> Path:
        """Write the keys where this site's known hosts stand."""

        def write() -> Path:
            from foundation.hosts.openssh.hostkeys import default_known_hosts, trust

            file = default_known_hosts(access.inventory)
            trust(offers, file)
            return file

        file = await asyncio.to_thread(write)
        # The pool read the known hosts when it opened; it must read the new ones.
        await self.close()
        return file

    async def allow_programs(self, programs: Sequence[Program]) -> None:
        """Remember them, for every site file that names exactly these."""

        def write() -> None:
            from foundation.hosts.openssh.allowed import remember

            remember(programs)

        await written(write, state_folder())

    async def look(self, host: Host, access: Access) -> Seen:
        """One machine through the shared pool; a problem becomes part of the answer."""
        survey = await _import("preflight.survey")
        pool = await self._pool_of(access)
        become = Become.IF_ALLOWED if access.sudo else Become.LOGIN
        seen: Seen = await survey.look(pool, host, survey.SurveyOptions(become=become))
        return seen

    async def measure(self, access: Access, question: Question, seen: Sequence[Seen]) -> Mesh:
        """The dial results between the machines that were seen."""
        mesh = await _import("preflight.mesh")
        pool = await self._pool_of(access)
        hosts = [entry.host for entry in seen if entry.reachable]
        measured: Mesh = await mesh.measure(pool, hosts, question.roles or {}, question.needs)
        return measured

    async def fetch(
        self,
        access: Access,
        question: Question,
        seen: Sequence[Seen],
        answers: Answers,
        count: Callable[[int, int], None],
    ) -> Egress | None:
        """What the solution fetches, tried through the shared pool, and from here."""
        outside = await _import("installer.running.outside")
        pool = await self._pool_of(access)
        base = base_of(answers)
        solution, site = await asyncio.to_thread(
            lambda: (self._solution(answers), site_of(answers))
        )
        tried: Egress | None = await outside.try_outside(
            pool,
            seen,
            question.needs,
            solution=solution,
            roles=question.roles or {},
            waivers=question.waivers,
            site=site,
            base=base,
            today=self.now().date(),
            count=count,
        )
        return tried

    async def _pool_of(self, access: Access) -> Pool:
        async with self._opening:
            if self._pool is None or self._pool_for != access:
                await self.close()
                module = await _import("foundation.hosts.pool")
                pool: Pool = module.Pool(
                    access.inventory,
                    credentials=access.credentials,
                    connect_timeout=CONNECT_TIMEOUT,
                )
                self._pool = await pool.__aenter__()
                self._pool_for = access
            return self._pool

    # ---- judging

    def judge(self, seen: Seen, roles: tuple[str, ...], question: Question) -> HostResult:
        """One machine's findings."""
        from preflight.judge import judge_host

        return judge_host(
            seen, roles, question.needs, waivers=question.waivers, today=self.now().date()
        )

    async def assign(self, seen: Sequence[Seen], needs: SolutionNeeds) -> Assigned:
        """Which machine could play which role."""

        def work() -> Assigned:
            from preflight.assignment import assign

            found = assign(seen, needs)
            return Assigned(dict(found.roles), tuple(found.shortfalls))

        return await asyncio.to_thread(work)

    async def assess(
        self,
        seen: Sequence[Seen],
        question: Question,
        mesh: Mesh | None,
        egress: Egress | None = None,
    ) -> Assessment:
        """The whole site judged, off the event loop."""
        now = self.now()

        def work() -> Assessment:
            from foundation.version import __version__
            from preflight.judge import assess, assess_alone

            if question.carries_for and len(seen) == 1:
                assessment = assess_alone(
                    seen[0], question.carries_for, waivers=question.waivers, today=now.date()
                )
            else:
                from installer.catalogue.solution import load_solution
                from installer.planning.named_disks import judged_defaults, judged_settings

                solution = load_solution(question.needs.solution, self.folder)
                told: Sequence[Finding] = (
                    judged_defaults(solution, now.date(), seen)
                    if question.site is None
                    else judged_settings(solution, question.site, seen, now.date())
                )
                assessment = assess(
                    seen,
                    question.needs,
                    told=(*told, *question.told),
                    roles=question.roles,
                    waivers=question.waivers,
                    today=now.date(),
                    mesh=mesh,
                    egress=egress,
                )
            extra = {**assessment.extra, "version": __version__}
            return replace(assessment, made_at=now.astimezone(UTC), extra=extra)

        return await asyncio.to_thread(work)

    # ---- files

    async def load_facts(self, path: Path) -> tuple[Seen, ...]:
        """What was saved of machines."""

        def read() -> tuple[Seen, ...]:
            from preflight.recorded import load_facts

            return tuple(load_facts(path))

        return await asyncio.to_thread(read)

    async def export(
        self, kind: Export, path: Path, assessment: Assessment, seen: Sequence[Seen]
    ) -> None:
        """A report or the facts, whole or not at all."""

        def write() -> None:
            from foundation.paths import write_whole

            if kind is Export.FACTS:
                from preflight.recorded import facts_text

                # Facts hold serial numbers, users and addresses: for their owner alone.
                write_whole(path, facts_text(list(seen)), mode=0o600)
                return
            from preflight.report import render

            write_whole(path, render(assessment, kind.value), mode=0o644)

        await written(write, path)

    async def write_site(self, answers: Answers, path: Path) -> None:
        """The site file of these answers."""

        def write() -> None:
            from foundation.paths import write_whole
            from installer.sites.site import dump_site
            from installer.supply.opened_before import remember_own
            from screens.answers.site_answers import site_from_answers

            write_whole(path, dump_site(site_from_answers(answers, path)), mode=0o644)
            remember_own(path)

        await written(write, path)

    async def close(self) -> None:
        """End every connection."""
        pool, self._pool, self._pool_for = self._pool, None, None
        if pool is not None:
            await pool.close()


async def _import(name: str) -> Any:
    """A module, imported off the event loop, since a first import may take half a second."""
    return await asyncio.to_thread(import_module, name)


def _solutions(folder: Path | None) -> tuple[SolutionChoice, ...]:
    from installer.catalogue.solution import load_solution, solution_ids

    return tuple(
        SolutionChoice(
            id=solution.id,
            title=solution.title,
            summary=solution.summary,
            installable=solution.installable,
            note=solution.why_not,
            hub=solution.file.hub,
            environments=tuple(
                EnvironmentChoice(
                    id=environment.id,
                    title=environment.title,
                    needs=solution.needs(environment.id),
                )
                for environment in solution.environments
            ),
        )
        for solution in (load_solution(name, folder) for name in solution_ids(folder))
    )


_OF_A_SITE: Final = re.compile(r"^(?:solution|environment|ssh|sizing)[ \t]*:", re.MULTILINE)
"""What stands at the beginning of a line of a site file, and never of an Ansible inventory."""


def _machine_file(path: Path, folder: Path | None) -> MachineFile:
    from foundation.hosts.ansible.inventory import read_inventory_file
    from foundation.typed_paths import is_folder
    from installer.sites.site_paths import SITE_SUFFIXES

    if path.suffix.lower() in SITE_SUFFIXES and not is_folder(path):
        from foundation.documents import parse_yaml, read_text, validate
        from installer.sites.site import Site
        from screens.answers.site_answers import opened_answers

        text = read_text(path)
        if _OF_A_SITE.search(text):
            value = parse_yaml(text, where=str(path))
            site: Site = validate(Site, value, where=str(path), text=text)
            answers = opened_answers(site, path, folder)
            return MachineFile(path, answers.machines, answers)
    read = read_inventory_file(path)
    return MachineFile(path, read.hosts, notes=read.notes)
