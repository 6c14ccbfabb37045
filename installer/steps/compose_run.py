"""Compose-run: one service run to its end, and judged by its exit code and its summary both.

Neither is believed alone: a run whose tests failed may exit with 0, and one that was cut off may
have printed a good summary before.
"""

from __future__ import annotations

import re
import shutil
from contextlib import aclosing
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from foundation.hosts.connection import Become
from foundation.hosts.jobs.output_lines import clean_line
from foundation.paths import make_private
from foundation.problems import InputProblem
from installer.compose import scripts
from installer.compose.containers import FORMAT, Container, container_of
from installer.events import Kind
from installer.steps.kind import StepContext, StepFailed, StepKind
from installer.steps.of_project import Lines, OfProject, ProjectData, silent_daemon
from installer.steps.probed import parsed

_LAST: Final = """\
id=$(docker ps --all --quiet --no-trunc --latest \\
    --filter "label=com.docker.compose.project=$1" \\
    --filter "label=com.docker.compose.service=$2") || exit 2
[ -n "$id" ] || exit 1
docker inspect --format "$3" "$id"
docker logs --tail 400 "$id" 2>&1
"""
_REPORT_LIMIT: Final = 64 * 1024 * 1024
REPORTS: Final = "reports"
"""The folder of a run in which such reports lie."""


class ComposeRunStep(ProjectData):
    """One service of a Compose project run to its end, and judged by all that it leaves."""

    kind: Literal["compose-run"]
    service: str
    summary: str = ""
    """A regular expression with one group that is a number, in what it writes; it must be there."""
    at_least: float = 0.0
    """What that number must be."""
    reports: tuple[str, ...] = ()
    """Files below `directory` that it writes, copied into the run's folder."""


class ComposeRun(OfProject):
    """It is never found done: what it tells is of now."""

    model = ComposeRunStep

    def data(self, context: StepContext) -> ComposeRunStep:
        """The step's data."""
        return parsed(context, ComposeRunStep)

    async def is_done(self, context: StepContext) -> bool | None:
        """By the step's `done` only."""
        return await super().is_done(context) if self.data(context).done is not None else False

    async def do(self, context: StepContext) -> str:
        """Run the service to its end and judge it; raises StepFailed."""
        data = self.data(context)
        up = self.command(
            data, "up", "--detach", "--no-deps", "--force-recreate", "--no-build",
            "--pull", "never", data.service,
        )  # fmt: skip
        reports = [str(PurePosixPath(data.directory, name)) for name in data.reports]
        lines = Lines(context, (data.service,), (data.service,))
        ended = await context.change(
            f"run {data.service} of the Compose project {data.project}",
            ("sh", "-c", scripts.RUN, "sh", data.project, data.service, "\n".join(reports), *up),
            directory=data.directory,
            on_line=lines,
        )
        if ended.dry:
            return f"{data.service} would be run."
        container, said = await self._last(context, data)
        if container is None or ended.exit_status == scripts.DAEMON_GONE:
            words = lines.said_by_compose[-1:] or [f"it ended with {ended.exit_status}"]
            raise StepFailed(
                f"{data.service} could not be run: {words[0][:300]}",
                where=context.host.name, output=lines.said_by_compose[-20:],
            )  # fmt: skip
        copied = await self._copy(context, data)
        verdict = judge_run(data, container, said)
        shown = f" Its report: {copied[0]}" if copied else ""
        if verdict.problem:
            raise StepFailed(
                verdict.problem, where=context.host.name, output=said[-40:],
                remedy=f"Read what it wrote.{shown} Then: sitewright resume, which runs it again.",
            )  # fmt: skip
        return f"{verdict.sentence}{shown}"

    async def verify(self, context: StepContext) -> None:
        """By the step's `verify` only: it was just judged."""
        if self.data(context).verify is not None:
            await super().verify(context)

    async def undo(self, context: StepContext) -> bool:
        """By the step's `undo`; the container of the run goes with the project."""
        return await super().undo(context) if self.data(context).undo is not None else True

    async def _last(
        self, context: StepContext, data: ComposeRunStep
    ) -> tuple[Container | None, list[str]]:
        """The container of the last run, and the last lines it wrote."""
        seen = await context.look(("sh", "-c", _LAST, "sh", data.project, data.service, FORMAT))
        if seen.status not in (0, 1):
            raise silent_daemon(context, while_=f"after {data.service} was run")
        first, _, rest = seen.stdout.decode("utf-8", "replace").partition("\n")
        # The toolkit colours what it writes whether or not there is a terminal.
        return container_of(first), [clean_line(line) for line in rest.splitlines()]

    async def _copy(self, context: StepContext, data: ComposeRunStep) -> list[Path]:
        """Copy the reports into the run's folder; one that was not written is told."""
        copied = []
        for name in data.reports:
            source = PurePosixPath(data.directory, name)
            if ".." in source.parts:
                raise InputProblem(f'the report "{name}" lies outside', where="the plan")
            target = make_private(context.folder / REPORTS) / source.name
            if await self._fetch(context, str(source), target):
                copied.append(target)
                context.emit(Kind.NOTE, text=f"The report is in {target}")
            else:
                context.emit(Kind.NOTE, text=f"{source} was not written.")
        return copied

    async def _fetch(self, context: StepContext, source: str, target: Path) -> bool:
        """Copy one file that only root may be able to read; False where there is none."""
        part = target.with_name(f".{target.name}.part")
        connection = await context.connect()
        size = 0
        command = ("sh", "-c", 'if [ -f "$1" ]; then cat -- "$1"; fi', "sh", source)
        try:
            with part.open("wb") as file:
                chunks = connection.stream(command, become=Become.IF_ALLOWED, timeout=120)
                async with aclosing(chunks) as pieces:  # type: ignore[type-var]  # an async generator behind the protocol
                    async for chunk in pieces:
                        if chunk.stream != "stdout":
                            continue
                        size += len(chunk.data)
                        if size > _REPORT_LIMIT:
                            return False
                        file.write(chunk.data)
            if size:
                shutil.move(part, target)
            return size > 0
        finally:
            part.unlink(missing_ok=True)


class _Verdict:
    """How a run is to be taken."""

    def __init__(self, sentence: str = "", problem: str = "") -> None:
        self.sentence = sentence
        self.problem = problem


def judge_run(data: ComposeRunStep, container: Container, said: list[str]) -> _Verdict:
    """What an exit code and the lines written before say together."""
    name, code = data.service, container.exit_code
    if container.status != "exited":
        return _Verdict(problem=f"{name} is {container.status} and did not end")
    if not data.summary:
        return (
            _Verdict(f"{name} ended with 0.")
            if code == 0
            else _Verdict(problem=f"{name} ended with {code}")
        )
    found = [match for line in said if (match := re.search(data.summary, line))]
    if not found:
        after = "although it ended with 0" if code == 0 else f"and it ended with {code}"
        return _Verdict(problem=f"{name} printed no summary, {after}")
    text = found[-1][1]
    number = float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) else -1.0
    words = " ".join(found[-1][0].replace("│", " ").split())
    if number < data.at_least:
        after = ", although it ended with 0" if code == 0 else f", and it ended with {code}"
        return _Verdict(problem=f"{name}: {words}; {data.at_least:g} is needed{after}")
    if code != 0:
        return _Verdict(problem=f"{name} ended with {code}, although it says: {words}")
    return _Verdict(f"{words}; it ended with 0.")


KIND: Final[StepKind] = ComposeRun()
