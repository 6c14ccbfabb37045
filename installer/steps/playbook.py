"""Playbook: an Ansible playbook, run once on the control host against the step's machines.

ansible-playbook is a durable job of the control host. What it does comes task by task, and the
journals of the services it touches are followed on their machines at the same time.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from foundation import bounded_files
from foundation.documents import SIZE_LIMIT
from foundation.hosts.jobs import jobs
from foundation.hosts.jobs.jobs_model import Fenced, JobLine, JobState
from foundation.hosts.model import Host, Inventory
from foundation.problems import ConnectionProblem, InputProblem
from foundation.wording import counted
from installer.ansible import command as ansible
from installer.ansible.on_control_host import FENCED_OUT, NEEDS
from installer.ansible.told import Told, parse
from installer.catalogue.stages import Planned, Planning, StepData
from installer.events import Json, Kind
from installer.plans.pinned_playbooks import SITE, SOLUTION, Place, places, to_take_back
from installer.plans.plan import CONTROL_HOST
from installer.steps import control_host
from installer.steps.control_host import Way
from installer.steps.kind import SHOWN_LINES, Ended, JobGone, StepContext, StepFailed, StepKind
from installer.steps.probed import LATE, Probed, parsed, remedy_for, undo_by, why

SUDO_PASSWORD: Final = "sudo_password"  # noqa: S105 - the name of a secret, not one
SSH_PASSWORD: Final = "ssh_password"  # noqa: S105 - the name of a secret, not one
_PROGRAM: Final = "ansible-playbook"
_NO_WAY: Final = re.compile(r"^(Task failed: )?(Failed to connect to the host via ssh: )?(ssh: )?")
"""What Ansible says before the reason for which a machine is away."""
_AWAY_PAUSE: Final = 5.0


class PlaybookStep(StepData):
    """An Ansible playbook, run on the control host against the machines."""

    kind: Literal["playbook"]
    playbook: str
    tags: tuple[str, ...] = ()
    variables: dict[str, str] = Field(default_factory=dict)
    check_mode: bool = False
    """Whether `--check` tells the truth for it, so that a dry run may use it.

    Said of the solution's own playbook; one of the customer's in its place is never judged by it.
    """

    def planned(
        self, planning: Planning, spec: Mapping[str, Json], hosts: tuple[str, ...], where: str
    ) -> Planned:
        """With its name, or its whole path where it does not lie in the plan's folder."""
        folder = self._folder(planning)
        path = folder / self.playbook
        if not path.is_file():
            raise InputProblem(
                f'there is no playbook "{self.playbook}"',
                where=f"{where} ({folder})",
                remedy="Bring the playbook under that name, or name another folder of playbooks.",
            )
        near = folder == (planning.playbooks or folder)
        name = self.playbook if near else str(path)
        text = bounded_files.read_text(path, SIZE_LIMIT)
        # A variable that comes to nothing is not given: it would stand over the playbook's own.
        said = spec.get("variables")
        given: dict[str, Json] = {}
        if isinstance(said, dict):
            given = {variable: value for variable, value in said.items() if value}
        filled: dict[str, Json] = {**spec, "playbook": name, "variables": given}
        if is_customers(planning, self.playbook):
            # The word on `--check` is of the solution's playbook. Of another it skips the commands
            # and the scripts, so that one made of these would be called done and never be played.
            filled["check_mode"] = False
        return Planned(filled, ((self.playbook, text),), (name,))

    def _folder(self, planning: Planning) -> Path:
        """Where it lies."""
        theirs = planning.playbooks
        if theirs is None or not is_customers(planning, self.playbook):
            return planning.solution_playbooks
        return theirs


def is_customers(planning: Planning, playbook: str) -> bool:
    """Whether a playbook is the customer's: of those that bring a folder, what lies in it.

    The document's six, which have numbers, are the customer's where there is a folder at all.
    """
    theirs = planning.playbooks
    return theirs is not None and ((theirs / playbook).is_file() or playbook[:1].isdigit())


class Playbook(Probed):
    """Done by its probe, or by `--check` where that tells the truth; undone by a playbook."""

    model = PlaybookStep

    def data(self, context: StepContext) -> PlaybookStep:
        """The step's data."""
        return parsed(context, PlaybookStep)

    async def is_done(self, context: StepContext) -> bool | None:
        """By the probe; else by `--check` where it is honest: done is where it changes nothing."""
        data = self.data(context)
        if data.done is not None:
            return (await context.ask_machine(data.done)).yes
        if not check_tells(context, data):
            return None
        stats = await self._check(context, data)
        return None if stats is None else _changes(stats) == 0

    async def _check(self, context: StepContext, data: PlaybookStep) -> Told | None:
        """The numbers of `--check`; None where it could not be carried out.

        On another control host it would take a key that its machines let in: not in a dry run.
        """
        if context.dry_run and not context.host.local:
            return None
        word = secrets.token_hex(16)
        async with _control_host_ready(context, data) as way:
            return await self._checked(context, data, word, way)

    async def _checked(
        self, context: StepContext, data: PlaybookStep, word: str, way: Way
    ) -> Told | None:
        folders = places(context.plan, context.folder)
        run = _run(context, data, data.playbook, folders, word, way, check=True)
        # As long as the playbook itself where there are many machines, and not a line of its own.
        context.emit(
            Kind.NOTE, text=f"Looking whether {data.playbook} has anything left to change."
        )
        done = await context.look(
            ansible.command(context.host),
            stdin=ansible.payload(run, context.host),
            timeout=data.timeout_minutes * 60,
        )
        lines = done.stdout.decode("utf-8", "replace").splitlines()
        told = [found for line in lines if (found := parse(line, word)) is not None]
        stats = next((found for found in reversed(told) if found.event == "stats"), None)
        return stats if done.status == 0 else None

    async def do(self, context: StepContext) -> str:
        """Run the playbook to its end; a dry run does `--check` where that is honest."""
        data = self.data(context)
        if context.dry_run and check_tells(context, data):
            stats = await self._check(context, data)
            if stats is not None:
                text = f"{data.playbook} would change {_changes(stats)} things ({stats.text})"
                context.emit(Kind.NOTE, text=text)
        watching = _Watching(context, _word(context))
        async with _services_followed(context, data.follow):
            found = places(context.plan, context.folder)
            ended = await self._play(context, data, data.playbook, watching, found, label="do")
        if not ended.good:
            raise _failure(context, data.playbook, watching, ended)
        stats = watching.stats
        if stats is not None and not stats.stats:
            raise _nobody(context, data.playbook)
        changed = _changes(stats) if stats is not None else 0
        machines = counted(len(context.hosts), "machine")
        return f"{data.playbook} ran on {machines} and changed {counted(changed, 'thing')}."

    async def _play(
        self,
        context: StepContext,
        data: PlaybookStep,
        playbook: str,
        watching: _Watching,
        found: Sequence[Place],
        *,
        label: str,
    ) -> Ended:
        async with _control_host_ready(context, data) as way:
            run = _run(context, data, playbook, found, watching.word, way)
            return await context.change(
                f"run the playbook {playbook} on {', '.join(host.name for host in context.hosts)}",
                ansible.command(context.host),
                label=label,
                stdin=ansible.payload(run, context.host),
                environment=_agent(context.host),
                on_line=watching.line,
            )

    async def undo(self, context: StepContext) -> bool:
        """Take it back: `undo` names a playbook (ansible-playbook FILE) or another command."""
        data = self.data(context)
        if data.undo is None:
            return False
        if data.undo.command[:1] != (_PROGRAM,):
            await undo_by(context, data.undo)
            return True
        if len(data.undo.command) != 2:
            raise InputProblem(
                "a playbook that takes a step back is named alone: [ansible-playbook, FILE]",
                where=context.step.key,
            )
        playbook = data.undo.command[1]
        found, told = await asyncio.to_thread(to_take_back, context.plan, context.folder)
        place, name = _placed(found, data, playbook)
        if place.name == SOLUTION:
            if not (place.folder / name).is_file():
                raise StepFailed(
                    f"this version of Sitewright has no {playbook}, and one of an earlier version "
                    "may remove what ours would hold back",
                    where=context.host.name,
                    remedy="Take it back with the version of Sitewright that this run was begun "
                    "with, once you have looked at what is on the machines.",
                    again=False,
                )
            if told:
                context.emit(Kind.NOTE, text=told)
        watching = _Watching(context, _word(context))
        ended = await self._play(context, data, playbook, watching, found, label="undo")
        if not ended.good:
            raise _failure(context, playbook, watching, ended)
        return True


@asynccontextmanager
async def _control_host_ready(context: StepContext, data: PlaybookStep) -> AsyncIterator[Way]:
    """Another control host gets what it needs, for as long as this is open and the play runs.

    What ends this early (a stop, a lost laptop) leaves it there, for the playbook runs on.
    """
    if context.host.local or context.dry_run:
        from installer.ansible.from_here import as_reached

        reached = await asyncio.to_thread(as_reached, _inventory(context))
        yield Way("", reached.inventory, reached.known_as, reached.settings)
        return
    way = await control_host.prepare(context, ansible.FLOOR, data.timeout_minutes)
    try:
        yield way
    except JobGone:
        await control_host.leave(context)
        raise
    await control_host.leave(context)


def _run(
    context: StepContext,
    data: PlaybookStep,
    playbook: str,
    found: Sequence[Place],
    word: str,
    way: Way,
    *,
    check: bool = False,
) -> ansible.PlaybookRun:
    place, playbook = _placed(found, data, playbook)
    # A playbook that a customer brought knows best on which of its groups it works.
    own = place.name == SITE and not Path(data.playbook).is_absolute()
    names = [host.name for host in context.hosts if host.name != context.host.name]
    missing = [name for name in data.secrets if name not in context.secrets]
    if missing:
        raise InputProblem(
            f"the secrets {', '.join(missing)} were not given",
            where=context.step.key,
            remedy="Give them when you are asked for them, or in a private file.",
        )
    return ansible.PlaybookRun(
        playbook=playbook,
        folder=place.folder,
        inventory=way.inventory or _inventory(context),
        word=word,
        roles=dict(context.plan.hosts),
        groups=dict(context.plan.groups),
        host_variables=dict(context.plan.variables),
        limit=[] if own else names,
        tags=data.tags,
        settings=dict(context.plan.settings),
        variables=data.variables,
        secrets={name: context.secrets[name] for name in data.secrets},
        become_password=context.secrets.get(SUDO_PASSWORD),
        connection_password=context.secrets.get(SSH_PASSWORD),
        check=check,
        near=way.near,
        known_as=way.known_as,
        ssh_settings=way.ssh_settings,
        run_id="" if context.dry_run else context.run_id,
    )


def _placed(found: Sequence[Place], data: PlaybookStep, playbook: str) -> tuple[Place, str]:
    """The folder of those of a run in which it has a playbook, and its name there."""
    first, solution = found[0], found[-1]
    if Path(playbook).is_absolute():
        # A playbook of the solution beside a customer's own folder of playbooks.
        path = Path(playbook)
        if path.is_relative_to(solution.origin):
            return solution, str(path.relative_to(solution.origin))
        return Place(solution.name, path.parent, path.parent), path.name
    if not (first.folder / playbook).is_file() and Path(data.playbook).is_absolute():
        return solution, playbook
    return first, playbook


def check_tells(context: StepContext, data: PlaybookStep) -> bool:
    """Whether `--check` tells the truth of it: said of a playbook of the solution, and it is one.

    A plan of an earlier version says it of a customer's playbook in its place too.
    """
    place, _ = _placed(places(context.plan, context.folder), data, data.playbook)
    return data.check_mode and place.name == SOLUTION


def _nobody(context: StepContext, playbook: str) -> StepFailed:
    groups = {role.replace("-", "_") for _, roles in context.plan.hosts for role in roles}
    groups |= {name for name, _ in context.plan.groups}
    return StepFailed(
        f"{playbook} works on none of the machines: it names groups that this site has not",
        where=context.host.name,
        remedy=f"The groups of this site are {', '.join(sorted(groups))}; the playbook must name "
        "one of them after `hosts:`.",
        again=False,
    )


def _inventory(context: StepContext) -> Inventory:
    """The site's inventory where the engine tells it; else the step's machines alone."""
    known = getattr(context, "inventory", None)
    if isinstance(known, Inventory):
        return known
    return Inventory(hosts=tuple(host for host in context.hosts if host.name != CONTROL_HOST))


def _word(context: StepContext) -> str:
    """The word of this try: the same when it is resumed, and known to nobody else."""
    path = context.folder / "playbooks.key"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        key = path.read_bytes()
    else:
        key = secrets.token_bytes(32)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
    told = json.dumps([context.step.key, context.attempt]).encode()
    return hashlib.blake2b(told, key=key, digest_size=16).hexdigest()


def _agent(control: Host) -> list[tuple[str, str]]:
    socket = os.environ.get("SSH_AUTH_SOCK", "")
    return [("SSH_AUTH_SOCK", socket)] if socket and control.local else []


def _changes(stats: Told) -> int:
    return sum(numbers.get("changed", 0) for numbers in stats.stats.values())


class _Watching:
    """The lines of a running playbook, made into events."""

    def __init__(self, context: StepContext, word: str) -> None:
        self.word = word
        self.stats: Told | None = None
        self.failures: list[Told] = []
        self._context = context
        self._tasks = 0

    def line(self, line: JobLine) -> bool:
        """Take a line; False where it has been written in our words."""
        told = None if line.unit else parse(line.text, self.word)
        if told is None:
            return True
        if told.event == "host":
            self._context.emit(
                Kind.TASK,
                host=told.host,
                play=told.play,
                task=told.task,
                status=told.status,
                sentence=told.sentence,
            )
            if told.status in {"failed", "unreachable"}:
                self.failures.append(told)
        elif told.event == "task":
            self._tasks += 1
            self._context.emit(Kind.STEP_PROGRESS, done=self._tasks, total=0, text=told.task)
        elif told.event == "stats":
            self.stats = told
            # A resumed try has not seen what failed before; this names it all.
            self.failures = list(told.failures) or self.failures
        # Written with its cursor, so that a resumed run goes on right after it.
        self._context.emit(
            Kind.LINE, text=told.text, stream=line.stream, cursor=line.cursor, unit=""
        )
        return False

    def shown(self, lines: Sequence[str]) -> tuple[str, ...]:
        """Lines as a person reads them."""
        return tuple(
            told.text if (told := parse(line, self.word)) is not None else line for line in lines
        )


def _failure(context: StepContext, playbook: str, watching: _Watching, ended: Ended) -> StepFailed:
    output = watching.shown(ended.tail)[-SHOWN_LINES:]
    where = context.host.name
    if ended.exit_status == FENCED_OUT:
        raise Fenced(
            f"another works on the machines now, so {playbook} ended before its next task",
            where=where,
            remedy="Speak with them: sitewright resume says who it is.",
        )
    if ended.exit_status in NEEDS:
        return StepFailed(
            (output[-1] if output else NEEDS[ended.exit_status]),
            where=where,
            remedy="Install ansible-core 2.18 or later on the control host, or let this machine "
            "be the control host.",
            output=output,
            again=False,
        )
    if ended.state is JobState.TIMED_OUT:
        minutes = parsed(context, PlaybookStep).timeout_minutes
        told = why(replace(ended, tail=output), playbook, minutes * 60)
        return StepFailed(told, where=where, remedy=LATE, output=output)
    failures = watching.failures
    if not failures:
        told = why(replace(ended, tail=output), playbook, 0)
        return StepFailed(told, where=where, remedy=remedy_for(output), output=output)
    first = failures[0]
    names = list(dict.fromkeys(failure.host for failure in failures))
    machines = (
        len(watching.stats.stats) if watching.stats and watching.stats.stats else len(context.hosts)
    )
    said = (first.sentence or "it said nothing").rstrip(".")
    if first.status == "unreachable":
        said = f"{first.host} could not be reached: {_NO_WAY.sub('', said)}"
    others = f", with {', '.join(names[1:6])}" if len(names) > 1 else ""
    more = f"; {len(names)} of {machines} machines{others}" if machines > 1 else ""
    return StepFailed(
        f'{said} ({first.host}, task "{first.task}" of {playbook}{more})',
        where=", ".join(names[:6]),
        remedy=remedy_for([failure.sentence for failure in failures]),
        output=output,
        again=True,
    )


@asynccontextmanager
async def _services_followed(context: StepContext, units: Sequence[str]) -> AsyncIterator[None]:
    """Follow the journals of services on the step's machines for as long as this is open."""
    targets = [host for host in context.hosts if host.name != context.host.name]
    if context.dry_run or not units:
        targets = []
    tasks = [asyncio.create_task(_follow_services(context, host, units)) for host in targets]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _follow_services(context: StepContext, host: Host, units: Sequence[str]) -> None:
    """Follow until cancelled; a machine that is away is tried again, for this is only a view."""
    cursor = context.resume_cursor(host.name)
    while True:
        try:
            connection = await context.connect(host)
            async with aclosing(jobs.follow_units(connection, units, cursor=cursor)) as lines:
                async for line in lines:
                    cursor = line.cursor
                    context.emit(
                        Kind.LINE,
                        host=host.name,
                        text=line.text,
                        stream=line.stream,
                        cursor=line.cursor,
                        unit=line.unit,
                    )
            return
        except ConnectionProblem:
            await asyncio.sleep(_AWAY_PAUSE)


KIND: Final[StepKind] = Playbook()
