"""StepKind: what every kind of step can do, and what it is given to do it with.

A step is asked whether it is done, done, verified, and may be taken back. It looks at a machine
through `look`, which changes nothing, and changes one only through `change`: the one gate, which
makes a durable job of the command, writes it to the journal, re-attaches to it when the run is
resumed, and in a dry run only says what would be done.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from foundation.hosts.connection import Completed, Connection
from foundation.hosts.jobs.jobs_model import JobLine, JobState
from foundation.hosts.model import Host
from foundation.problems import ExitCode, InputProblem, Problem
from foundation.secrets import Secret
from installer.catalogue.stages import Probe, StepData
from installer.events import Json, Kind
from installer.plans.plan import CONTROL_HOST, Plan, PlannedStep

SHOWN_LINES: Final = 20
"""Last lines of output that a failure shows."""


class StepFailed(Problem):
    """A step that could not be done, or that did not bring what it should."""

    code = "step-failed"
    title = "A step failed"
    exit_code = ExitCode.STAGE_FAILED
    default_remedy = (
        "Read the last lines, mend the cause on the machine, then retry it: sitewright resume."
    )

    def __init__(
        self,
        cause: str,
        *,
        where: str | None = None,
        remedy: str | None = None,
        output: Sequence[str] = (),
        again: bool = True,
    ) -> None:
        super().__init__(cause, where=where, remedy=remedy)
        self.output = tuple(output)
        """The last lines that the command wrote; a retry's texts are looked for in all of them."""
        self.again = again
        """Whether an automatic retry may make sense at all."""


class JobGone(StepFailed):
    """A command that its machine knows nothing of any more: rebooted, or it never began."""

    code = "job-gone"
    title = "The machine lost the command"


class Restarted(JobGone):
    """A command that was cut off by a restart of its machine: how far it came is not known."""


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """What a probe said: yes, no, or that it cannot tell; and what it wrote."""

    yes: bool | None
    output: str
    """What it wrote on both streams, without the last line break."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended that went through the gate."""

    state: JobState
    exit_status: int | None
    result: str
    tail: tuple[str, ...]
    """The last lines it wrote, at most 200."""
    dry: bool = False
    """Whether it was a dry run, in which nothing was done."""

    @property
    def good(self) -> bool:
        """Whether it did what it should."""
        return self.state is JobState.SUCCEEDED


@dataclass(frozen=True, slots=True)
class Question:
    """Something that a person must confirm, by name."""

    stage: str
    step: str
    host: str
    title: str
    text: str
    items: tuple[str, ...] = ()
    """Lines to be confirmed one by one; empty where the text is the question."""
    hands: Secret | None = None
    """A share that one person gets: shown once, and confirmed by typing its end."""
    wants: str = ""
    """What is typed unseen, as the label of its line; "" where nothing is."""
    person: str = ""
    """Whose answer it is, where that is known before."""
    present: bool = False
    """Whether it is for persons at the screen, where a share can be shown: no other word counts."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's answer."""

    by: str
    """The name of the person."""
    yes: bool
    items: tuple[bool, ...] = ()
    """One for each line of the question; all must be confirmed."""
    note: str = ""
    typed: Secret | None = None
    """What was typed unseen, where the question wants something."""


class Asker(Protocol):
    """Puts a question to a person; raises Refused where nobody is there to answer."""

    async def __call__(self, question: Question) -> Answer: ...


class StepContext(Protocol):
    """One step on one machine: what is to be done, and the only ways to do it."""

    @property
    def step(self) -> PlannedStep: ...

    @property
    def host(self) -> Host:
        """The machine; the control host for a step that runs once."""

    @property
    def hosts(self) -> tuple[Host, ...]:
        """Every machine of the step."""

    @property
    def plan(self) -> Plan: ...

    @property
    def run_id(self) -> str: ...

    @property
    def folder(self) -> Path:
        """The run's folder on this machine; private."""

    @property
    def attempt(self) -> int:
        """1 at the first try."""

    @property
    def settings(self) -> Mapping[str, str]: ...

    @property
    def secrets(self) -> Mapping[str, Secret]: ...

    @property
    def dry_run(self) -> bool: ...

    async def connect(self, host: Host | None = None) -> Connection:
        """A live connection to the step's machine or another, waited for while time allows."""

    async def look(
        self,
        command: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout: float = 60.0,
        host: Host | None = None,
        still_so: float | None = None,
    ) -> Completed:
        """Run a command, as root, that changes nothing; done again where the connection broke.

        With `still_so`, what the very same command told such a caller at most so many seconds ago
        is taken instead, where no other was begun on the machine since; 0 asks anew.
        """

    async def ask_machine(self, probe: Probe, *, host: Host | None = None) -> ProbeAnswer:
        """Put a probe's question to the machine."""

    async def change(
        self,
        says: str,
        command: Sequence[str],
        *,
        label: str = "do",
        stdin: bytes | None = None,
        environment: Sequence[tuple[str, str]] = (),
        directory: str = "/",
        timeout: float | None = None,
        on_line: Callable[[JobLine], bool] | None = None,
    ) -> Ended:
        """The gate: run a command that changes the machine, as a durable job.

        `says` tells in a few words what it does; a dry run says them and does nothing. `label`
        tells this command from others of the same step. `on_line` sees each line and returns
        whether it is to be written as a LINE event too. `timeout` is the step's own by default.
        """

    async def privately(
        self, says: str, command: Sequence[str], *, stdin: bytes, timeout: float = 60.0
    ) -> Completed:
        """Run a command that changes something, and whose words nobody else may have.

        It is no durable job: what it reads and writes goes to no file, journal or event, here or
        there. It is never begun twice: where the connection breaks, ConnectionLost is raised and
        what came of it is not known. In a dry run it says what would be done, and is not begun.
        """

    def emit(self, kind: Kind, *, host: str | None = None, **data: Json) -> None:
        """Write an event of this step to the journal; `host` where it is another machine's."""

    async def ask(self, text: str, items: Sequence[str] = ()) -> Answer:
        """Put a question to a person; an answer that the journal has is not asked for again."""

    async def ask_unseen(
        self, text: str, *, hands: Secret | None = None, wants: str = "", person: str = ""
    ) -> Answer:
        """Hand a person a secret or have one typed, or (neither) have a person say that they are
        at the screen for that; see Question. The journal has who answered."""

    def resume_cursor(self, host: str) -> str:
        """The cursor of the last line that the journal has of a machine in this attempt, or "".

        For following journals of other machines beside `change`, which minds its own cursor.
        """


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a planned step delivers: selectors, where to, and the name of its record there."""

    items: tuple[str, ...]
    target: str
    record: str


class StepKind(Protocol):
    """A kind of step. Its methods raise Problems: StepFailed, ConnectionProblem, Refused."""

    @property
    def model(self) -> type[StepData]:
        """Its data, and what they come to in a plan."""

    def programs(self, step: PlannedStep) -> tuple[str, ...]:
        """Programs that must be on the control host before it begins, as they are brought there."""

    def brings(self, step: PlannedStep) -> str:
        """What a planned step brings to its machines, in words; "" for what brings nothing."""

    def delivers(self, step: PlannedStep) -> Delivery | None:
        """What of the bundle a planned step brings to its machines; None for what brings none."""

    async def is_done(self, context: StepContext) -> bool | None:
        """Whether it is done already; None where the machine cannot tell. Changes nothing."""

    async def do(self, context: StepContext) -> str:
        """Do it; return one sentence about what was done. Must be safe to call again for the
        same attempt: commands that were begun are re-attached to, not begun again."""

    async def verify(self, context: StepContext) -> None:
        """Raise StepFailed unless it brought what it should. Changes nothing."""

    async def undo(self, context: StepContext) -> bool:
        """Take it back; False where the step does not say how."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of a kind of step without its module: the one place that says it."""

    module: str
    """Of `installer.steps`; it has a constant `KIND`, imported when a plan first needs it."""
    once: bool = False
    """Whether it is done once, on the control host, for all machines of the step together."""
    changes: bool = True
    """Whether it leaves anything on a machine that could be taken back."""
    knows_undo: bool = False
    """Whether it can be taken back without a step that says how."""
    counts_bytes: bool = False
    """Whether it tells how many bytes went, of how many."""
    again: bool = True
    """Whether its tools look before they change: to begin it again comes to the same, however far
    it came before a machine was restarted."""


KINDS: Final[Mapping[str, Traits]] = {
    "script": Traits("script", again=False),
    "playbook": Traits("playbook", once=True),
    "file": Traits("file", knows_undo=True),
    "helm": Traits("helm", knows_undo=True),
    "helm-look": Traits("helm_look", changes=False, again=False),
    "helm-test": Traits("helm_test", knows_undo=True, again=False),
    "kubectl": Traits("kubectl"),
    "cluster-check": Traits("cluster_check", changes=False, again=False),
    "compose": Traits("compose", knows_undo=True),
    "compose-check": Traits("compose_check", changes=False, again=False),
    "compose-down": Traits("compose_down", again=False),
    "compose-run": Traits("compose_run", knows_undo=True, again=False),
    "compose-status": Traits("compose_status", changes=False, again=False),
    "images": Traits("images", knows_undo=True),
    "wait": Traits("wait", changes=False),
    "checklist": Traits("checklist", changes=False, again=False),
    "record": Traits("record"),
    "record-back": Traits("record_back", changes=False),
    "opened": Traits("opened", again=False),
    "rollout": Traits("rollout", knows_undo=True),
    "helm-values": Traits("helm_values"),
    "compose-service": Traits("compose_service", knows_undo=True),
    "confirm": Traits("confirm", once=True, changes=False, again=False),
    "deliver": Traits("deliver", knows_undo=True, counts_bytes=True),
    "push": Traits("push", knows_undo=True, counts_bytes=True),
    "vault": Traits("vault"),
    "opentofu": Traits("opentofu", again=False),
}

CHANGES_NOTHING: Final = frozenset(name for name, kind in KINDS.items() if not kind.changes)
"""Kinds that leave nothing on a machine that could be taken back."""


def runs_once(step: PlannedStep) -> bool:
    """Whether a step is done once, on the control host, rather than on each of its machines."""
    kind = KINDS.get(step.kind)
    return not step.hosts or (kind is not None and kind.once)


def done_at_once(kind: str) -> bool:
    """Whether steps of a kind are done once, for all their machines together."""
    traits = KINDS.get(kind)
    return traits is not None and traits.once


def comes_to_the_same(kind: str) -> bool:
    """Whether to begin a step of a kind again comes to the same, however far it came."""
    traits = KINDS.get(kind)
    return traits is not None and traits.again


def counts_bytes(step: PlannedStep) -> bool:
    """Whether a step tells how many bytes went; one of a kind that is not known here does not."""
    kind = KINDS.get(step.kind)
    return kind is not None and kind.counts_bytes


def done_on(step: PlannedStep) -> tuple[str, ...]:
    """Where a step is done: on each of its machines, or once on the control host."""
    return (CONTROL_HOST,) if runs_once(step) else step.hosts


def taken_back(step: PlannedStep) -> Literal["never", "nothing", "yes", "by hand"]:
    """Whether a step can be taken back: by us, by a person alone, or not at all."""
    if step.irreversible:
        return "never"
    if step.kind in CHANGES_NOTHING:
        return "nothing"
    kind = KINDS.get(step.kind)
    return "yes" if step.says_undo or (kind and kind.knows_undo) else "by hand"


def brings(step: PlannedStep) -> str:
    """What a planned step brings to its machines, in words; "" for what brings nothing."""
    return step_kind(step.kind).brings(step) if step.kind in KINDS else ""


def step_kind(name: str) -> StepKind:
    """The kind of step by its name; raises InputProblem for one that there is not."""
    traits = KINDS.get(name)
    if traits is None:
        raise InputProblem(
            f'there is no kind of step "{name}"',
            where="the plan",
            remedy=f"The kinds are {', '.join(KINDS)}.",
        )
    module = f"installer.steps.{traits.module}"
    try:
        kind: StepKind = importlib.import_module(module).KIND
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise InputProblem(
            f'steps of the kind "{name}" cannot be carried out yet', where="the plan"
        ) from error
    return kind
