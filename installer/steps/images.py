"""Images: the images of a Compose project brought onto the machine, with progress by image."""

from __future__ import annotations

from typing import Final, Literal

from foundation.hosts.jobs.jobs_model import JobLine
from foundation.wording import are, counted
from installer.compose import scripts
from installer.compose.pulling import Pulling, refusal
from installer.events import Kind
from installer.steps.kind import StepContext, StepFailed, StepKind
from installer.steps.of_project import OfProject, ProjectData
from installer.steps.probed import must_be_good, parsed

_LACKING: Final = """\
# All in one call where none is lacking, as nearly always after the first time.
docker image inspect --format x "$@" >/dev/null 2>&1 && exit 0
docker version --format '{{.Server.Version}}' >/dev/null || exit 2
for image do docker image inspect --format x "$image" >/dev/null 2>&1 || echo "$image"; done
"""


class ImagesStep(ProjectData):
    """The images of a Compose project, on the machine."""

    kind: Literal["images"]
    registry: str = ""
    """host:port of a registry that has them instead of the one in their names."""


class Images(OfProject):
    """Done where the machine has every image; those that a bundle brought are not pulled."""

    model = ImagesStep

    still_so = 20.0
    """Of the project only the images' names matter, which the check before has just read."""

    def data(self, context: StepContext) -> ImagesStep:
        """The step's data."""
        return parsed(context, ImagesStep)

    async def is_done(self, context: StepContext) -> bool | None:
        """Whether every image is there."""
        data = self.data(context)
        try:
            project = await self.project(context, data)
        except StepFailed:
            return None  # told when it is done; in a dry run its files are not there yet
        seen = await context.look(("sh", "-c", _LACKING, "sh", *project.images))
        return None if seen.status != 0 else not seen.stdout.strip()

    async def do(self, context: StepContext) -> str:
        """Pull what is lacking; raises StepFailed with what the registry's refusal means."""
        data = self.data(context)
        if context.dry_run:
            await context.change(f"pull the images of {data.project}", ("true",))
            return "The images that are lacking would be pulled."
        project = await self.project(context, data)
        reader = _Reader(context, len(project.images))
        ended = await context.change(
            f"pull {counted(len(project.images), 'image')}",
            ("sh", "-c", scripts.PULL, "sh", data.registry, data.project, *project.images),
            on_line=reader,
        )
        if not ended.good:
            pulling = reader.pulling
            said = " ".join(pulling.said[-3:]) if pulling else "\n".join(ended.tail[-3:])
            why = refusal(pulling.image if pulling else "an image", said)
            cause = f"{why.cause}: {said[-300:]}" if said else why.cause
            raise StepFailed(
                cause, where=context.host.name,
                remedy=f"{why.remedy} Then: sitewright resume. What has come is kept.",
                output=pulling.said if pulling else ended.tail, again=why.again,
            )  # fmt: skip
        return f"{counted(len(project.images), 'image')} {are(len(project.images))} on the machine."

    async def undo(self, context: StepContext) -> bool:
        """By the step's `undo`, else remove what was pulled for the project and nothing uses.

        What was there before it was pulled, and what came from a bundle, is not its to remove.
        """
        data = self.data(context)
        if data.undo is not None:
            return await super().undo(context)
        ended = await context.change(
            f"remove the images that were pulled for {data.project}",
            ("sh", "-c", scripts.REMOVE_PULLED, "sh", data.project),
            label="undo",
            on_line=lambda line: _removed(context, line),
        )
        must_be_good(context, ended, "removing the images")
        return True


def _removed(context: StepContext, line: JobLine) -> bool:
    """Take a line of the job that removes images; whether it is to be written as it stands."""
    word, _, rest = line.text.partition(" ")
    if word == "@removed":
        context.emit(Kind.LINE, text="is removed", stream=line.stream, cursor=line.cursor,
                     unit=rest)  # fmt: skip
    elif word == "@kept":
        image, _, container = rest.partition(" ")
        why = f"the container {container} uses it"
        if container == "?":
            why = "Docker does not say who uses it; undo again when it answers"
        context.emit(Kind.NOTE, text=f"{image} is kept, since {why}.")
    return word not in ("@removed", "@kept")


class _Reader:
    """Reads the lines of the job: each image's lines under its name, and progress over all."""

    def __init__(self, context: StepContext, total: int) -> None:
        self._context = context
        self._total = total
        self._have = 0
        self.pulling: Pulling | None = None

    def __call__(self, line: JobLine) -> bool:
        """Take a line; whether it is to be written as it stands."""
        word, _, rest = line.text.partition(" ")
        match word:
            case "@have":
                self._have += 1
                if self.pulling is not None:
                    self._write(line, "is here", rest)
                self.pulling = None
                self._progress(rest)
            case "@pull":
                self.pulling = Pulling(rest)
                self._write(line, "is pulled", rest)
                self._progress(rest)
            case "@part" if self.pulling is not None:
                if not self.pulling.take(rest):
                    self._write(line, rest, self.pulling.image)
                else:
                    self._progress(self.pulling.words, self.pulling.share)
            case "@failed":
                pass
            case _:
                return True
        return False

    def _write(self, line: JobLine, text: str, image: str) -> None:
        self._context.emit(Kind.LINE, text=text, stream=line.stream, cursor=line.cursor, unit=image)

    def _progress(self, words: str, share: float = 0.0) -> None:
        self._context.emit(
            Kind.STEP_PROGRESS, done=round(self._have + share, 2), total=self._total,
            text=f"{self._have} of {self._total} images; {words}",
        )  # fmt: skip


KIND: Final[StepKind] = Images()
