"""OfProject: what steps on a Docker Compose project share: its command, its services, its words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from weakref import WeakKeyDictionary

from pydantic import Field

from foundation.hosts.connection import Completed
from foundation.hosts.jobs.jobs_model import JobLine
from foundation.problems import InputProblem
from installer.catalogue.stages import StepData
from installer.compose.containers import (
    FORMAT,
    Container,
    Judged,
    Stand,
    container_of,
    containers_of,
    judge_all,
    progress_words,
)
from installer.compose.project import Project
from installer.compose.reading import Reading, reading_of
from installer.compose.scripts import READ
from installer.events import Kind
from installer.steps.kind import StepContext, StepFailed
from installer.steps.probed import Probed, parsed, said

_PROJECT: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")

_EVERY_CONTAINER: Final = """\
ids=$(docker ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$1" \\
    --filter label=com.docker.compose.oneoff=False) || exit 2
[ -z "$ids" ] || docker inspect --format "$2" $ids
"""
_WHY: Final = """\
docker inspect --format '{{if .State.Health}}{{range .State.Health.Log}}{{.Output}}
{{end}}{{end}}{{.State.Error}}' "$1" 2>/dev/null | grep -v '^[[:space:]]*$' | tail -n 2
docker logs --tail "$2" "$1" 2>&1
"""
"""Arguments: a container, how many lines of its log."""

_LAST_LOG_LINES: Final = 15
_readings: WeakKeyDictionary[StepContext, Reading] = WeakKeyDictionary()
"""What was read of the project of a try that is under way."""
_ATTRIBUTE: Final = re.compile(r'level=(warning|error|fatal) msg="((?:[^"\\]|\\.)*)"')


class ProjectData(StepData):
    """What steps on a Docker Compose project share."""

    project: str = Field(pattern=r"^([a-z0-9][a-z0-9_-]*|.*\{\{.*)$")
    directory: str
    """Where its files lie on the machine; absolute."""
    files: tuple[str, ...] = ("docker-compose.yml",)
    profiles: tuple[str, ...] = ()
    """Each may name several, parted by commas, or none, as a template leaves it."""

    @property
    def chosen_profiles(self) -> tuple[str, ...]:
        """The profiles one by one, each once."""
        names = (name.strip() for text in self.profiles for name in text.split(","))
        return tuple(dict.fromkeys(name for name in names if name))


class OfProject(Probed):
    """Steps on a Compose project; each kind reads its own model."""

    still_so: float = 0.0
    """Seconds for which a step of this kind takes what an earlier one read of the project."""

    model: type[ProjectData]

    def data(self, context: StepContext) -> ProjectData:
        """The step's data."""
        return parsed(context, self.model)

    def command(self, data: ProjectData, *words: str) -> tuple[str, ...]:
        """`docker compose` on the project."""
        if not data.directory.startswith("/"):
            raise InputProblem(f'the folder "{data.directory}" is not absolute', where="the plan")
        if not _PROJECT.fullmatch(data.project):
            raise InputProblem(
                f'"{data.project}" cannot be the name of a Compose project', where="the plan",
                remedy="Use small letters, digits, hyphens and underscores.",
            )  # fmt: skip
        files = [part for file in data.files for part in ("--file", f"{data.directory}/{file}")]
        profiles = [part for name in data.chosen_profiles for part in ("--profile", name)]
        return (
            *("docker", "compose", "--project-name", data.project),
            *("--project-directory", data.directory, *files, *profiles, *words),
        )

    async def read(self, context: StepContext, data: ProjectData) -> Reading:
        """All that there is to know of the project, as it was before this try of the step."""
        known = _readings.get(context)
        if known is None:
            seen = await context.look(
                ("sh", "-c", READ, "sh", data.project, FORMAT, *self.command(data)),
                timeout=120, still_so=self.still_so,
            )  # fmt: skip
            known = _readings[context] = reading_of(seen)
        return known

    async def project(self, context: StepContext, data: ProjectData) -> Project:
        """The project as Compose reads it; raises StepFailed with Compose's own words."""
        reading = await self.read(context, data)
        if reading.project is None:
            raise StepFailed(
                f"Docker Compose cannot read the project{compose_words(reading.seen)}",
                where=context.host.name,
                remedy="Look at it there with: " + " ".join(self.command(data, "config")),
                output=_lines(reading.seen),
                again=False,
            )
        return reading.project

    async def containers(
        self, context: StepContext, data: ProjectData
    ) -> tuple[Container, ...] | None:
        """Every container of the project as it is now; None where Docker does not answer.

        Its files are not read: they may be gone.
        """
        seen = await context.look(("sh", "-c", _EVERY_CONTAINER, "sh", data.project, FORMAT))
        if seen.status != 0:
            return None
        return containers_of(seen.stdout.decode("utf-8", "replace"))

    async def failure(
        self, context: StepContext, data: ProjectData, bad: Sequence[Judged], before: str = ""
    ) -> StepFailed:
        """What is wrong with services that do not stand, with what they said last."""
        containers = await self.containers(context, data) or ()
        names = {one.service: one.name for one in containers}
        output: list[str] = []
        for judged in bad[:5]:
            if judged.service not in names:
                continue
            why = ("sh", "-c", _WHY, "sh", names[judged.service], str(_LAST_LOG_LINES))
            seen = await context.look(why)
            output += [f"{judged.service}: {line}" for line in _lines(seen)]
        words = "; ".join(f"{one.service} {one.words}" for one in bad[:5])
        more = f"; and {len(bad) - 5} more" if len(bad) > 5 else ""
        first = next((names[one.service] for one in bad if one.service in names), None)
        ask = f"docker logs {first}" if first else f"docker compose -p {data.project} ps --all"
        return StepFailed(
            f"{before}{words}{more}",
            where=context.host.name,
            remedy=f"Read what it says with: {ask}. The containers are left as they are. Mend the "
            "cause, then: sitewright resume.",
            output=output,
        )

    async def verify(self, context: StepContext) -> None:
        """By the step's `verify` only: that it is so was just seen."""
        if self.data(context).verify is not None:
            await super().verify(context)


def silent_daemon(context: StepContext, *, while_: str) -> StepFailed:
    """Docker does not answer."""
    return StepFailed(
        f"the Docker daemon does not answer {while_}",
        where=context.host.name,
        remedy="See why with: systemctl status docker; journalctl -u docker -n 50. Start it, then: "
        "sitewright resume. Containers that ran are started again; nothing is lost.",
    )


class Lines:
    """Reads the lines of a Compose job: they become lines of services, states and progress."""

    def __init__(
        self,
        context: StepContext,
        services: Sequence[str] = (),
        ending: Sequence[str] = (),
        containers: Sequence[Container] = (),
    ) -> None:
        self._context = context
        self._services = tuple(services)
        self._ending = frozenset(ending)
        self._by_name: dict[str, Container] = {one.name: one for one in containers}
        self.said_by_compose: list[str] = []
        self._handlers: Mapping[str, Callable[[JobLine, str], None]] = {
            "@up": self._up, "@log": self._log, "@state": self._state,
        }  # fmt: skip

    def __call__(self, line: JobLine) -> bool:
        """Take a line; whether it is to be written as it stands."""
        word, _, rest = line.text.partition(" ")
        handler = self._handlers.get(word)
        if handler is None:
            return True
        handler(line, rest)
        return False

    def _write(self, line: JobLine, text: str, unit: str) -> None:
        self._context.emit(Kind.LINE, text=text, stream=line.stream, cursor=line.cursor, unit=unit)

    def _up(self, line: JobLine, rest: str) -> None:
        found = _ATTRIBUTE.search(rest)
        text = found[2] if found else rest.strip()
        if "the attribute `version` is obsolete" in text:
            text = ""  # true of nearly every project, and of no use to anybody here
        if text:
            self.said_by_compose.append(text)
            self._write(line, text, "compose")

    def _log(self, line: JobLine, rest: str) -> None:
        name, _, text = rest.partition(" ")
        container = self._by_name.get(name)
        self._write(line, text, container.service if container else name)

    def _state(self, line: JobLine, rest: str) -> None:
        container = container_of(rest)
        if container is None:
            return
        before = self._by_name.get(container.name)
        self._by_name[container.name] = container
        judged = judge_all((container,), (container.service,), self._ending)[0]
        foreign = self._services and container.service not in self._services
        if foreign and container.status == "exited" and container.exit_code == 0:
            return  # another profile's one-shot, which this step neither starts nor waits for
        if before is None or judged.stand is not Stand.STARTING or before.status != "running":
            self._write(line, judged.words, container.service)
        known = judge_all(tuple(self._by_name.values()), self._services, self._ending)
        done = sum(one.good for one in known)
        self._context.emit(
            Kind.STEP_PROGRESS, done=done, total=len(known),
            text=f"{done} of {len(known)} services stand; {progress_words(known)}",
        )  # fmt: skip


def compose_words(seen: Completed) -> str:
    """What Compose said of a mistake, for the end of a sentence."""
    text = (seen.stderr or seen.stdout).decode("utf-8", "replace")
    plain = [
        found[2] if (found := _ATTRIBUTE.search(line)) else line
        for line in text.splitlines()
        if "attribute `version` is obsolete" not in line
    ]
    return said("\n".join(plain))


def _lines(seen: Completed) -> tuple[str, ...]:
    text = (seen.stdout + seen.stderr).decode("utf-8", "replace")
    return tuple(line for line in text.splitlines() if line.strip())
