"""Shared: what all steps of a run have in common, and what every command of theirs finds.

A person is one of these things: one question at a time, and the journal remembers the answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

from foundation.hosts.connection import Connection
from foundation.hosts.jobs.jobs_model import JobLine, JobSpec, JobStatus
from foundation.hosts.model import Host, Inventory
from foundation.secrets import Secret
from installer.events import Event, Json, Kind
from installer.plans.plan import Plan
from installer.record.journal import Journal
from installer.record.machine_locks import MachineLocks
from installer.running.others.entering import Entering
from installer.running.reach import Reach
from installer.steps.kind import Answer, Asker, Question, StepContext
from installer.steps.vaults.shares import looks_like_one
from installer.supply.control_host_programs import FOLDER

ENVIRONMENT: Final = (
    ("PATH", f"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin:{FOLDER}"),
    ("LC_ALL", "C.UTF-8"),
    ("HOME", "/root"),
    ("DEBIAN_FRONTEND", "noninteractive"),
    ("NEEDRESTART_SUSPEND", "1"),
)
"""What every command finds: a service has no /snap/bin nor what was brought, words are looked for
in its output, and what it installs has no other services restarted (Ubuntu's needrestart does so
after every package since 24.04)."""


class Jobs(Protocol):
    """Durable jobs, as the module foundation.hosts.jobs.jobs has them."""

    async def start(self, connection: Connection, spec: JobSpec) -> None: ...

    async def status(self, connection: Connection, job_id: str) -> JobStatus: ...

    def follow(
        self, connection: Connection, job_id: str, *, cursor: str = "", units: Sequence[str] = ()
    ) -> AsyncIterator[JobLine]: ...

    async def stop(self, connection: Connection, job_id: str) -> None: ...

    async def forget(self, connection: Connection, job_id: str) -> None: ...

    async def durable_kind(self, connection: Connection) -> str: ...


@dataclass(slots=True)
class Shared:
    """What all steps of a run have in common."""

    plan: Plan
    run_id: str
    folder: Path
    settings: Mapping[str, str]
    secrets: Mapping[str, Secret]
    dry_run: bool
    journal: Journal
    jobs: Jobs
    asker: Asker
    reaches: Callable[[Host], Reach]
    inventory: Inventory | None = None
    """How every machine of the site is reached, for programs that reach them themselves."""
    locks: MachineLocks | None = None
    """The machines' own locks, where the run holds them."""
    docker_will_do: bool = False
    """Whether this machine's steps run as the login, who can never be root and may use Docker."""
    tasks_ended: Callable[[Sequence[Host]], Awaitable[None]] | None = None
    """Returns once no task of Ansible that an earlier try left runs on machines any more, or a
    person ended the run meanwhile."""
    entering: Entering | None = None
    """Holds and asks, before their first step, the machines that were away in the beginning."""
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One question at a time is put to the person."""


_NO_NAME: Final = (
    "What was typed as a name looks like a share. It was not kept, but it stood on this screen: "
    "clear that, its scrollback too. First the name is asked, then the share, unseen. "
)


class Asking(StepContext, Protocol):
    """A step's context that makes events of its own."""

    def event(self, kind: Kind, data: dict[str, Json]) -> Event:
        """An event of the step on its machine."""


async def ask(
    context: Asking,
    shared: Shared,
    text: str,
    items: Sequence[str],
    answers: Mapping[str, Json],
) -> Answer:
    """The answer to a question; one that the journal has is not asked for again."""
    asked = answer_from(answers, text, items)
    if asked is not None:
        return asked
    if shared.dry_run:
        context.emit(Kind.NOTE, text=f"Would ask: {text}")
        return Answer("", yes=True, items=(True,) * len(items))
    return await _put(context, shared, Question(*_place(context), text, tuple(items)))


async def ask_unseen(
    context: Asking,
    shared: Shared,
    text: str,
    *,
    hands: Secret | None,
    wants: str,
    person: str,
) -> Answer:
    """Hand a person a secret, have one typed, or ask for persons to be there.

    What is handed or typed stands nowhere.
    """
    if shared.dry_run:
        context.emit(Kind.NOTE, text=f"Would ask: {text}")
        return Answer(person, yes=True)
    question = Question(
        *_place(context), text, hands=hands, wants=wants, person=person, present=True
    )
    return await _put(context, shared, question)


def _place(context: Asking) -> tuple[str, str, str, str]:
    step = context.step
    return step.stage, step.id, context.host.name, step.title


async def _put(context: Asking, shared: Shared, question: Question) -> Answer:
    async with shared.asking:
        asked: dict[str, Json] = {"text": question.text, "items": list(question.items)}
        context.emit(Kind.QUESTION, text=question.text, items=list(question.items))
        answer = await shared.asker(question)
        while question.wants and looks_like_one(answer.by):
            Secret(answer.by)  # so that it stands in no file, whoever writes it
            answer = await shared.asker(replace(question, text=f"{_NO_NAME}{question.text}"))
        told: dict[str, Json] = {
            **asked,
            "yes": answer.yes,
            "confirmed": list(answer.items),
            "note": answer.note,
        }
        await shared.journal.record(context.event(Kind.ANSWER, {"by": answer.by, "answer": told}))
    return answer


def answer_from(answers: Mapping[str, Json], text: str, items: Sequence[str]) -> Answer | None:
    """A journalled answer to the very same question, if every point was confirmed in it."""
    answer = answers.get("answer")
    if not isinstance(answer, dict) or answer.get("text") != text or answer.get("yes") is not True:
        return None
    confirmed = answer.get("confirmed")
    if answer.get("items") != list(items) or not isinstance(confirmed, list):
        return None
    if not all(part is True for part in confirmed):
        return None
    return Answer(str(answers.get("by")), yes=True, items=(True,) * len(items),
                  note=str(answer.get("note", "")))  # fmt: skip
