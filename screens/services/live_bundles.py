"""Live services for bundles: reading, verifying, joining and making them, off the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from foundation.problems import InputProblem
from screens.answers.answers import Answers
from screens.services.bundle_seen import BundleSeen, Going, ItemSeen, Place, ToMake

if TYPE_CHECKING:
    from bundles.format.layout import Item
    from bundles.format.progress import Event
    from bundles.format.recipe import Recipe
    from bundles.read.opened import Bundle
    from bundles.read.structure import Structure

Tell = Callable[[Going], None]
Result = TypeVar("Result")
_VOLUME: Final = re.compile(r".+\.volume(?:P[0-9]{3}|[0-9]{4})")


class LiveBundles:
    """The part of the live services that knows bundles; `folder` holds other solutions."""

    folder: Path | None

    async def bundle_place(self, path: Path) -> Place:
        """What lies at a path; raises InputProblem where nothing does."""

        def look() -> Place:
            try:
                path.stat()
                if path.is_dir() and not (path / "index.json").exists():
                    found = [one for one in path.iterdir() if _VOLUME.fullmatch(one.name)]
                    return Place(volumes=len(found))
            except OSError as error:
                raise InputProblem(
                    "nothing is there"
                    if isinstance(error, FileNotFoundError)
                    else f"it cannot be looked at: {error.strerror or error}",
                    where=str(path),
                    remedy="Name a folder or a file.",
                ) from error
            return Place(volumes=1 if _VOLUME.fullmatch(path.name) else 0)

        return await asyncio.to_thread(look)

    async def open_bundle(self, path: Path, keys: Path | None, answers: Answers) -> BundleSeen:
        """Read a bundle's index and check its signature; raises BundleProblem, InputProblem."""

        def read() -> BundleSeen:
            from installer.supply.supplies import judged

            file, own = _lists(keys)
            with judged(path, file, own) as (bundle, signer, structure):
                name = signer.name if signer else ""
                return self._seen(bundle, file, structure, name, answers)

        return await asyncio.to_thread(read)

    async def verify_bundle(self, seen: BundleSeen, tell: Tell, answers: Answers) -> BundleSeen:
        """Compare every byte with its hash; raises BundleProblem."""

        def verify(news: Callable[[int, int], None]) -> BundleSeen:
            from dataclasses import replace

            from bundles.read.signers import read_signers
            from bundles.read.verify import verify_open
            from installer.supply.supplies import judged

            file, own = _lists(seen.keys)
            with judged(seen.path, file, own) as (bundle, _, _):
                signers = read_signers(file) if file else ()
                found = verify_open(bundle, signers, progress=news)
                signer = found.signer.name if found.signer else ""
                now = self._seen(bundle, file, found.structure, signer, answers)
            return replace(now, whole=True)

        return await _with_bytes(verify, tell)

    async def join_volumes(self, path: Path, output: Path, tell: Tell) -> tuple[str, ...]:
        """Join volumes into one file; what had to be repaired. Raises BundleProblem."""

        def join(news: Callable[[int, int], None]) -> tuple[str, ...]:
            from bundles.read.volumes import join_volumes

            folder = path if path.is_dir() else path.parent
            return join_volumes([folder], output, progress=news)

        return await _with_bytes(join, tell)

    async def make_bundle(self, wanted: ToMake, answers: Answers, tell: Tell) -> None:
        """Make the bundle of the chosen solution, or finish it; raises SourceProblem and others."""
        from bundles.make.create import CreateOptions, create_bundle
        from bundles.read.signature import load_signing_key
        from bundles.registries.credentials import read_logins

        recipe, folder, environment = await asyncio.to_thread(self._recipe, answers)
        if recipe is None:
            raise InputProblem(
                "the solution has no recipe, so what it needs is not known",
                where=answers.solution,
                remedy="Make one by hand: sitewright bundle create --recipe FILE --output DIR",
            )
        key = (
            await asyncio.to_thread(load_signing_key, wanted.key, wanted.passphrase)
            if wanted.key
            else None
        )

        def news(event: Event) -> None:
            note = event.text if event.kind in ("note", "waiting") else ""
            items = (event.items_done, event.items_total)
            tell(Going(event.done, event.total, event.rate, event.left, note, items))

        options = CreateOptions(
            environment=environment, key=key, logins=read_logins(), recipe_folder=folder
        )
        await create_bundle(recipe, wanted.folder, options, listener=news)

    def _recipe(self, answers: Answers) -> tuple[Recipe | None, Path, str]:
        from bundles.format.recipe import RECIPE_NAME, load_recipe
        from installer.catalogue.solution import load_solution
        from installer.supply.recipe_values import recipe_values

        solution = load_solution(answers.solution or "", self.folder)
        environment = solution.environment(answers.environment).id
        if not (solution.folder / RECIPE_NAME).is_file():
            return None, solution.folder, environment
        given = {name: _given(value) for name, value in answers.site.settings.items()}
        values = recipe_values(solution, given, where="the settings")
        recipe = load_recipe(solution.folder, values, environment=environment)
        return recipe, solution.folder, environment

    def _seen(
        self,
        bundle: Bundle,
        keys: Path | None,
        structure: Structure,
        signer: str,
        answers: Answers,
    ) -> BundleSeen:
        from bundles.format.untold import serious, untold_lines
        from bundles.read.completeness import find_gaps, read_contents

        path, index = bundle.path, structure.index
        if answers.solution is not None and index.solution != answers.solution:
            raise InputProblem(
                f"the bundle was made for {index.solution}, and this site is one of "
                f"{answers.solution}",
                where=str(path),
                remedy="Name the bundle that was made for this solution.",
            )
        recipe = None
        if answers.solution:
            # A setting that is not known yet leaves the comparison for later.
            with contextlib.suppress(InputProblem):
                recipe, _, _ = self._recipe(answers)
        contents = read_contents(bundle, structure, recipe)
        gaps = find_gaps(contents, recipe)
        return BundleSeen(
            path=path,
            solution=index.solution,
            version=index.version,
            environment=index.environment,
            created=index.created,
            index=structure.index_digest,
            size=structure.size,
            items=tuple(_item(item) for item in index.items),
            signer=signer,
            keys=keys,
            missing=tuple(str(gap) for gap in gaps),
            compared=recipe is not None,
            untold=tuple(untold_lines(contents.untold)),
            doubts=len(serious(contents.untold)),
        )


def _given(value: object) -> str | int | float | bool | None:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _item(item: Item) -> ItemSeen:
    return ItemSeen(
        kind=item.kind,
        name=item.name,
        version=item.version or "",
        size=item.content_size,
        origin=item.origin,
        digest=item.digest,
        content=item.content or "",
        platform=item.platform or "",
        licence=item.licence or "",
    )


def _lists(keys: Path | None) -> tuple[Path | None, Path | None]:
    """Whose word counts: the list given, else Sitewright's own; and its own beside another one."""
    from installer.supply.supplies import own_signers

    own = own_signers()
    if not own.exists():
        return keys, None
    if keys is None or keys.resolve() == own.resolve():
        return own, None
    return keys, own


class _Stopped(Exception):
    """Whoever waited for the work does not any more."""


async def _with_bytes(work: Callable[[Callable[[int, int], None]], Result], tell: Tell) -> Result:
    """Run work in a thread; its bytes come to `tell` in the event loop; cancelling ends it.

    A medium that cannot be read, or a folder that is not there, is a FileProblem.
    """
    from bundles.format.progress import Tracker
    from foundation.paths import file_problem

    loop = asyncio.get_running_loop()
    stopped = threading.Event()

    def event(news: Event) -> None:
        going = Going(news.done, news.total, news.rate, news.left)
        loop.call_soon_threadsafe(tell, going)

    tracker = Tracker(event)

    def progress(done: int, total: int) -> None:
        if stopped.is_set():
            raise _Stopped
        tracker.expect(total - tracker.total)
        tracker.gained(done - tracker.done)

    working = asyncio.ensure_future(asyncio.to_thread(work, progress))
    try:
        result = await asyncio.shield(working)
        # The tracker spares its listener the last bytes where they come too soon.
        tell(Going(tracker.done, tracker.total, tracker.rate, 0.0))
        return result
    except OSError as error:
        raise file_problem(error) from error
    except asyncio.CancelledError:
        stopped.set()
        await asyncio.wait({working})
        raise
