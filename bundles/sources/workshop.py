"""What every source works with: the store, the servers, the progress and the pins."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from bundles.format import media
from bundles.format.budgets import (
    DISK_LEFT_BYTES,
    DISK_LOOK_SECONDS,
    PROGRAM_BYTES,
    PROGRAM_SECONDS,
)
from bundles.format.layout import Item, artifact_manifest
from bundles.format.lock import LockedItem
from bundles.format.problems import SourceProblem, WrongContent
from bundles.format.progress import Tracker
from bundles.format.untold import Kind, Untold, told
from bundles.read.store import Blob, Store
from bundles.registries.registry import Registries
from bundles.registries.web import Web
from bundles.registries.web_answers import shown
from bundles.sources.culprits import culprit
from bundles.sources.renderers import Renderers
from foundation.problems import InputProblem, Problem

if TYPE_CHECKING:
    from bundles.sources.snap_store import StoreAddress

Answer = TypeVar("Answer")


@dataclass
class Workshop:
    """One bundle in the making."""

    store: Store
    web: Web
    registries: Registries
    tracker: Tracker
    recipe_folder: Path
    snap_store: StoreAddress | None = None
    """Where snaps come from; None: Canonical's store."""
    renderers: Renderers = field(default_factory=Renderers)
    """Helm and Kustomize, where they are there."""
    programs: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    """Bounds the programs (apt, pip, git) that run at once."""
    untold: list[Untold] = field(default_factory=list)
    """What one line of the recipe could not tell."""
    _under_way: dict[str, asyncio.Task[Blob]] = field(default_factory=dict)
    _answers: dict[tuple[str, ...], asyncio.Task[Any]] = field(default_factory=dict)

    def for_line(self) -> Workshop:
        """The same workshop for one line of the recipe, with a list of its own."""
        return replace(self, untold=[])

    def tell(self, of: str, what: str, kind: Kind = "untold", *, image: str | None = None) -> None:
        """Something that was seen and is not in the bundle, or only by a guess."""
        entry = told(of, what, kind, image=image)
        if entry not in self.untold:
            self.untold.append(entry)
            self.tracker.note(str(entry))

    async def remember(
        self, question: tuple[str, ...], ask: Callable[[], Coroutine[None, None, Answer]]
    ) -> Answer:
        """Ask something once, so that all lines of a recipe are given the same answer."""
        if question not in self._answers:
            self._answers[question] = asyncio.create_task(ask())
        answer: Answer = await asyncio.shield(self._answers[question])
        return answer

    async def once(
        self, digest: str, size: int, fetch: Callable[[], Coroutine[None, None, Blob]]
    ) -> Blob:
        """Fetch a blob unless it is there or on its way already."""
        task = self._under_way.get(digest)
        if task is None:
            self.tracker.expect(size)
            there = self.store.find(digest, size)
            if there is not None:
                self.tracker.had(size)
                return there
            self.require_space(max(size, self.tracker.total - self.tracker.done))
            task = asyncio.create_task(fetch())
            self._under_way[digest] = task
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            # Whoever waits is cancelled with all the rest; the download must not outlive them.
            task.cancel()
            raise

    async def close(self) -> None:
        """End the downloads that nobody waits for any more; what they have is kept."""
        tasks = [*self._under_way.values(), *self._answers.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.renderers.close()

    async def fetch_file(self, urls: Sequence[str], sha256: str, size: int | None) -> Blob:
        """A file with a pinned hash from the first address that gives it."""
        digest = f"sha256:{sha256}"

        async def fetch() -> Blob:
            problems: list[Problem] = []
            for url in urls:
                try:
                    if url.startswith("file:"):
                        return await self._copy(url, digest, size)
                    return await self.web.download(url, self.store, digest, size, news=self.tracker)
                except (SourceProblem, WrongContent) as problem:
                    problems.append(problem)
            if len(problems) == 1:
                raise problems[0]
            causes = "; ".join(f"{problem.where}: {problem.cause}" for problem in problems)
            raise SourceProblem(f"no address gives it: {causes}", where=shown(urls[0]))

        blob = await self.once(digest, size or 0, fetch)
        if size is None:
            self.tracker.expect(blob.size)
        return blob

    def artifact(
        self,
        kind: str,
        blobs: Sequence[tuple[str, Blob]],
        *,
        name: str,
        origin: str,
        version: str | None = None,
        platform: str | None = None,
        licence: str | None = None,
        pins: dict[str, str] | None = None,
    ) -> Item:
        """An item of ours from files that are in the store; its manifest is written."""
        self.store.add(media.EMPTY)
        raw = artifact_manifest(kind, [(title, blob.digest, blob.size) for title, blob in blobs])
        manifest = self.store.add(raw)
        return Item(
            kind=kind,
            name=name,
            version=version,
            origin=origin,
            media_type=media.OCI_MANIFEST,
            digest=manifest.digest,
            size=manifest.size,
            content=blobs[0][1].digest,
            content_size=sum(blob.size for _, blob in blobs),
            platform=platform,
            licence=licence,
            pins=pins or {},
        )

    def require_space(self, size: int) -> None:
        """Raise InputProblem if the medium has not that many bytes free."""
        free = shutil.disk_usage(self.store.root).free
        if size > free:
            raise InputProblem(
                f"{size} bytes are needed for the next part and {free} are free",
                where=str(self.store.root),
                remedy="Make room there, or name a folder on a larger medium; what is there "
                "already is not fetched twice.",
            )

    async def _copy(self, url: str, digest: str, size: int | None) -> Blob:
        path = Path(unquote(urlsplit(url).path))
        try:
            blob = await asyncio.to_thread(self.store.adopt, path, digest=digest, size=size)
        except OSError as error:
            raise SourceProblem(
                f"the file cannot be read: {error.strerror or error}", where=str(path)
            ) from error
        except WrongContent as problem:
            raise WrongContent(problem.cause, where=str(path)) from problem
        self.tracker.gained(blob.size)
        return blob


Locked = Sequence[LockedItem]
"""The items that a lock names for one line of the recipe; empty where nothing is locked."""


def only(locked: Locked, kind: str) -> LockedItem | None:
    """The one locked item of a kind, or None."""
    return next((item for item in locked if item.kind == kind), None)


def pin(item: LockedItem, name: str) -> str:
    """One of the pins of a locked item; raises InputProblem where the lock lacks it."""
    try:
        return item.pins[name]
    except KeyError as error:
        raise InputProblem(
            f'the lock has no "{name}" for {item.kind} {item.name}',
            remedy="Use the lock as `sitewright bundle create --write-lock` wrote it.",
        ) from error


def address(url: str) -> str:
    """An address as an origin: without a login, and a local file by its path."""
    return url if url.startswith("file:") else shown(url)


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program that succeeded wrote."""

    output: str
    complaints: tuple[str, ...] = ()
    """Lines of its errors, though it ended well."""


async def run_program(
    argv: Sequence[str],
    *,
    what: str,
    surroundings: Mapping[str, str],
    cwd: Path,
) -> str:
    """The standard output of a program that must succeed; raises SourceProblem with its words.

    `surroundings` are its whole environment.
    """
    return (await run_and_hear(argv, what=what, surroundings=surroundings, cwd=cwd)).output


async def run_and_hear(
    argv: Sequence[str], *, what: str, surroundings: Mapping[str, str], cwd: Path
) -> Ran:
    """What a program that must succeed wrote, its complaints as well; raises SourceProblem."""
    output, errors, status = await hear_program(argv, what=what, surroundings=surroundings, cwd=cwd)
    lines = errors.decode("utf-8", "replace").expandtabs(1).strip().splitlines()
    words = tuple(line.strip() for line in lines if line.strip() and line.isprintable())
    if status:
        # Some programs begin with the cause, and some end with it.
        said = "; ".join(dict.fromkeys((*words[:3], *words[-4:])))
        cause, remedy = culprit(Path(argv[0]).name, said)
        raise ProgramFailed(cause, words, where=what, remedy=remedy)
    return Ran(output.decode("utf-8", "replace"), words)


async def hear_program(
    argv: Sequence[str],
    *,
    what: str,
    surroundings: Mapping[str, str],
    cwd: Path,
    asked: bytes | None = None,
) -> tuple[bytes, bytes, int]:
    """What a program wrote, its complaints and its exit status; `asked` is its standard input.

    Bounded in time and bytes, and in what it fills of the disk of `cwd`; raises SourceProblem
    where it goes beyond, InputProblem where it is not there.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=cwd,
            env=dict(surroundings),
            stdin=asyncio.subprocess.DEVNULL if asked is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # what it starts ends with it
        )
    except FileNotFoundError as error:
        raise InputProblem(
            f"the program {argv[0]} is needed for {what} and is not on this machine",
            remedy=f"Install it: apt-get install {argv[0].split('-')[0]}",
        ) from error
    watching = asyncio.create_task(_room_left(cwd, argv[0], what))
    talking = asyncio.create_task(_talk(process, argv[0], what, asked))
    try:
        async with asyncio.timeout(PROGRAM_SECONDS):
            await asyncio.wait({watching, talking}, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            watching.result()
        output, errors = talking.result()
    except TimeoutError as error:
        raise SourceProblem(
            f"{argv[0]} did not end within {PROGRAM_SECONDS / 3600:.0f} hours", where=what
        ) from error
    finally:
        for task in (watching, talking):
            task.cancel()
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        await asyncio.gather(watching, talking, return_exceptions=True)
    return output, errors, process.returncode or 0


async def _talk(
    process: asyncio.subprocess.Process, program: str, what: str, asked: bytes | None
) -> tuple[bytes, bytes]:
    async def ask() -> None:
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                process.stdin.write(asked or b"")
                await process.stdin.drain()
            process.stdin.close()

    output, errors, _ = await asyncio.gather(
        _hear(process.stdout, program, what), _hear(process.stderr, program, what), ask()
    )
    await process.wait()
    return output, errors


async def _room_left(folder: Path, program: str, what: str) -> None:
    """Ends, with a SourceProblem, when the disk is nearly full; a server can give without end."""
    least = min(DISK_LEFT_BYTES, shutil.disk_usage(folder).free // 2)
    while shutil.disk_usage(folder).free >= least:  # noqa: ASYNC110 - a disk, polled
        await asyncio.sleep(DISK_LOOK_SECONDS)
    raise SourceProblem(
        # What else comes in meanwhile lies there too, so that it is not said who filled it.
        f"{program} was ended, for the disk is nearly full: less than {least // (1 << 20)} MiB "
        "were left",
        where=f"{what}, {folder}",
        remedy="Make room there, or name a folder on a larger disk; if it should be small, ask "
        "whose server it is.",
    )


class ProgramFailed(SourceProblem):
    """A program that ended badly, with all that it said."""

    def __init__(
        self,
        cause: str,
        words: tuple[str, ...] = (),
        *,
        where: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(cause, where=where, remedy=remedy)
        self.words = words


async def _hear(stream: asyncio.StreamReader | None, program: str, what: str) -> bytes:
    said = bytearray()
    while stream is not None and (more := await stream.read(1 << 16)):
        said += more
        if len(said) > PROGRAM_BYTES:
            raise SourceProblem(f"{program} writes more than {PROGRAM_BYTES} bytes", where=what)
    return bytes(said)
