"""OpenTofu: one of its commands for an environment, as a durable job of this computer.

A plan is saved and told in words, and that very plan is applied: never another, and never one that
the state has left behind. Before anything is applied the state is put away as it was.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, JsonValue

from foundation import bounded_files
from foundation.hosts.jobs.jobs_model import JobLine
from foundation.paths import write_private
from foundation.problems import Problem
from foundation.secrets import Secret
from installer.catalogue.stages import StepData
from installer.events import Kind
from installer.opentofu.changes import read_changes
from installer.opentofu.program import LARGEST, Asker
from installer.opentofu.saved import (
    Kept,
    configuration_digest,
    digest_of,
    read_kept,
    write_kept,
)
from installer.opentofu.states import backup_name, drop_oldest, read_head
from installer.opentofu.told import Said, for_this, meaning, understand
from installer.opentofu.workplace import OTHER_BYTES, Workplace, starter
from installer.steps.kind import Ended, StepContext, StepFailed, StepKind
from installer.steps.probed import Probed, must_be_good, parsed

_DIFFERS: Final = 2
"""Exit status of `plan -detailed-exitcode` where there is something to change."""
ANEW: Final = "Make the plan anew, and look at it: sitewright environments plan"
_ALWAYS: Final = ("-json", "-input=false")


class OpenTofuStep(StepData):
    """One command of OpenTofu for an environment."""

    kind: Literal["opentofu"]
    action: Literal["init", "plan", "check", "back-up", "apply", "look", "unlock"]
    named: str
    """The environment."""
    words: str
    """By which a command names it."""
    program: str
    title_of_program: str
    version: str
    configuration: str
    root: str
    beside: tuple[str, ...] = ()
    """Files that count as a part of the configuration: those of answers."""
    providers: str = ""
    fetches: bool = False
    answers: dict[str, JsonValue] = Field(default_factory=dict)
    """Values of the configuration's variables."""
    variables: tuple[str, ...] = ()
    """Secrets that are variables of the configuration."""
    environment: tuple[str, ...] = ()
    """Secrets that are variables of the environment, as a provider or a backend reads them."""
    destroy: bool = False
    sha256: str = ""
    """Of the plan that is applied."""
    lineage: str = ""
    serial: int = 0
    lock: str = Field(default="", pattern=r"^[A-Za-z0-9]?[A-Za-z0-9_./:-]{0,200}$")
    """The id of a lock that is given back."""

    @property
    def place(self) -> Workplace:
        """Where the program works."""
        return Workplace(
            self.program, Path(self.configuration), Path(self.root), self.providers, self.fetches
        )


class OpenTofu(Probed):
    """Done by one command, whose lines are told in words as they come."""

    model = OpenTofuStep

    def data(self, context: StepContext) -> OpenTofuStep:
        """The step's data."""
        return parsed(context, OpenTofuStep)

    async def is_done(self, context: StepContext) -> bool | None:
        """Nothing here is done before it was told to be: a plan is made anew, a look too."""
        return False

    async def verify(self, context: StepContext) -> None:
        """Each command tells itself whether it did what it should."""

    async def do(self, context: StepContext) -> str:
        """Carry the command out."""
        data = self.data(context)
        secrets = named_secrets(data, context)
        await asyncio.to_thread(data.place.prepare)
        asker = Asker(data.place, secrets, data.named, data.words)
        match data.action:
            case "init":
                return await self._init(context, data, secrets)
            case "back-up":
                return await self._back_up(context, data, secrets)
            case "check":
                return await self._check(context, data, asker)
            case "apply":
                return await self._apply(context, data, secrets)
            case "unlock":
                return await self._unlock(context, data, secrets, asker)
            case _:
                return await self._plan(context, data, secrets, asker)

    async def _init(
        self, context: StepContext, data: OpenTofuStep, secrets: dict[str, Secret]
    ) -> str:
        ended, errors = await self._run(context, data, secrets, ("init", *_ALWAYS))
        _good(data, context, ended, errors, "init", (0,))
        return f"{data.title_of_program} {data.version} has what the configuration needs."

    async def _plan(
        self, context: StepContext, data: OpenTofuStep, secrets: dict[str, Secret], asker: Asker
    ) -> str:
        looks = data.action == "look"
        file = data.place.look if looks else data.place.saved
        new = data.place.root / f"{data.action}.part"
        before = await asyncio.to_thread(asker.head)
        digest = _digest(data)
        words: tuple[str, ...] = ("plan", *_ALWAYS, "-detailed-exitcode", f"-out={new}")
        if data.answers:
            answers = data.place.root / "answers.tfvars.json"
            await asyncio.to_thread(write_private, answers, json.dumps(data.answers, indent=1))
            words += (f"-var-file={answers}",)
        words += ("-destroy",) if data.destroy else ()
        ended, errors = await self._run(context, data, secrets, words)
        _good(data, context, ended, errors, "plan", (0, _DIFFERS))
        if ended.dry:
            return "Nothing was planned."
        after = await asyncio.to_thread(asker.head)
        if (before.lineage, before.serial) != (after.lineage, after.serial):
            raise _failed(
                data,
                context,
                "the state was changed while the plan was made",
                "Make it again, once nobody else works there.",
            )
        found = read_changes(await asyncio.to_thread(asker.shown, new), where=data.named)
        kept = Kept(
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            sha256=await asyncio.to_thread(digest_of, new),
            configuration=digest,
            program=data.title_of_program,
            version=data.version,
            lineage=after.lineage,
            serial=after.serial,
            summary=found.summary(),
            destroy=data.destroy,
            changes=found.changes,
            drift=found.drift,
            outputs=found.outputs,
            untold=found.untold,
        )
        if looks:
            await asyncio.to_thread(new.unlink)  # it holds secrets, and nobody applies it
        else:
            await asyncio.to_thread(new.replace, file)
        await asyncio.to_thread(write_kept, file, kept)
        return f"{kept.summary[0].upper()}{kept.summary[1:]}."

    async def _back_up(
        self, context: StepContext, data: OpenTofuStep, secrets: dict[str, Secret]
    ) -> str:
        new = data.place.backups / "new.part"
        order = data.place.order(("state", "pull"), secrets, output=new)
        ended = await context.change("put the state away as it is", starter(), stdin=order)
        must_be_good(context, ended, "reading the state")
        if ended.dry:
            return "Nothing was put away."

        def kept() -> str:
            head = read_head(bounded_files.read_text(new, LARGEST), where=data.named)
            if head.empty:
                new.unlink()
                return "There is no state yet."
            stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
            name = backup_name(stamp, head.serial)
            new.replace(data.place.backups / name)
            drop_oldest(data.place.backups)
            return f"The state {head.serial} lies in {data.place.backups / name}."

        return await asyncio.to_thread(kept)

    async def _check(self, context: StepContext, data: OpenTofuStep, asker: Asker) -> str:
        await asyncio.to_thread(asker.held)
        head = await asyncio.to_thread(asker.head)
        if (head.lineage, head.serial) != (data.lineage, data.serial):
            raise _failed(
                data,
                context,
                f"the state is {head.serial} now, and the plan was made of {data.serial}",
                ANEW,
            )
        return "The plan was made of the state as it is, and nobody holds that."

    async def _apply(
        self, context: StepContext, data: OpenTofuStep, secrets: dict[str, Secret]
    ) -> str:
        file = data.place.saved
        words = ("apply", *_ALWAYS, str(file))
        ended, errors = await self._run(context, data, secrets, words, pinned=data.sha256)
        if ended.exit_status == OTHER_BYTES:
            raise _failed(data, context, "the saved plan is not the one that was reviewed", ANEW)
        _good(data, context, ended, errors, "apply", (0,))
        if ended.dry:
            return "Nothing was applied."
        kept = await asyncio.to_thread(read_kept, file)
        # A plan is good once.
        await asyncio.to_thread(file.unlink, missing_ok=True)
        return f"Applied: {kept.summary if kept else 'the plan'}."

    async def _unlock(
        self, context: StepContext, data: OpenTofuStep, secrets: dict[str, Secret], asker: Asker
    ) -> str:
        # The backend `http` gives back whatever lock there is, so it is looked whose that is.
        held = await asyncio.to_thread(asker.holder)
        if held is None or held.id != data.lock:
            now = f"the lock is {held.id} now: {held.sentence()}" if held else "nobody holds it"
            raise _failed(data, context, now, "Look again before you give any lock back.")
        # Its words are no messages: this command of the program has no -json.
        order = data.place.order(("force-unlock", "-force", "--", data.lock), secrets)
        ended = await context.change("give the lock back", starter(), stdin=order)
        must_be_good(context, ended, "giving the lock back")
        return f"The lock {data.lock} is given back."

    async def _run(
        self,
        context: StepContext,
        data: OpenTofuStep,
        secrets: dict[str, Secret],
        words: tuple[str, ...],
        *,
        pinned: str = "",
    ) -> tuple[Ended, list[Said]]:
        errors: list[Said] = []

        def told(line: JobLine) -> bool:
            said = understand(line.text)
            if said is not None:
                if said.error:
                    errors.append(said)
                context.emit(
                    Kind.LINE, text=said.text, stream=line.stream, cursor=line.cursor, unit=""
                )
            return False

        ended = await context.change(
            f"run {data.title_of_program}: {words[0]}",
            starter(),
            stdin=data.place.order(words, secrets, pinned=pinned),
            on_line=told,
        )
        return ended, errors


def named_secrets(data: OpenTofuStep, context: StepContext) -> dict[str, Secret]:
    """The secrets of a step by the names that the program knows them by."""
    return {
        **{f"TF_VAR_{name}": context.secrets[name] for name in data.variables},
        **{name: context.secrets[name.lower()] for name in data.environment},
    }


def _digest(data: OpenTofuStep) -> str:
    return configuration_digest(Path(data.configuration), *map(Path, data.beside))


def _failed(data: OpenTofuStep, context: StepContext, cause: str, remedy: str) -> StepFailed:
    """A failure that no automatic retry mends."""
    remedy = for_this(remedy, data.words)
    return StepFailed(cause, where=context.host.name, remedy=remedy, again=False)


def _good(
    data: OpenTofuStep,
    context: StepContext,
    ended: Ended,
    errors: Sequence[Said],
    what: str,
    fine: tuple[int, ...],
) -> None:
    """Raise StepFailed, with what the program's errors mean, unless it ended as it should."""
    if ended.good or ended.exit_status in fine:
        return
    if not errors:
        must_be_good(context, ended, what)
    meant = meaning(errors)
    problem: Problem = StepFailed(
        f"{what}: {meant.cause}",
        where=context.host.name,
        remedy=for_this(meant.remedy, data.words) or None,
        output=[one.text for one in errors],
        again=False,
    )
    raise problem


KIND: Final[StepKind] = OpenTofu()
