"""Git repositories, each as one bundle file that `git clone` reads, with what they name."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from bundles.format import budgets, media
from bundles.format.layout import Item
from bundles.format.problems import SourceProblem
from bundles.format.recipe import ChartWanted, GitWanted
from bundles.format.untold import some_names
from bundles.manifests.git_needs import (
    POINTER_LIMIT,
    Entry,
    filters_of,
    large_files_of,
    needs_of,
    submodules_of,
)
from bundles.manifests.looked_into import looked_into
from bundles.manifests.named_charts import ChartNamed
from bundles.sources.charts import gather_chart
from bundles.sources.git_rendering import Rendered, render_repository
from bundles.sources.git_repository import Repository, long_names, open_repository
from bundles.sources.naming import Naming, gather_found, gather_locked
from bundles.sources.workshop import Locked, Workshop, address, only

_COMMIT_LENGTH: Final = 40
"""Signs of a commit's name by SHA-1."""
_MOST_BYTES: Final = budgets.GIT_MANIFESTS_BYTES
"""Bytes of all manifests of a repository together."""


async def gather_git(shop: Workshop, wanted: GitWanted, locked: Locked) -> list[Item]:
    """Bring one repository at a branch or tag; raises SourceProblem, WrongContent."""
    if wanted.commit and len(wanted.commit) != _COMMIT_LENGTH:
        raise long_names(wanted)
    pinned = only(locked, "git")
    if pinned and not wanted.commit:
        wanted = wanted.model_copy(update={"commit": pinned.pins.get("commit")})
    async with shop.programs:
        repository = await open_repository(shop.store.work, wanted)
        try:
            await shop.remember(("git's settings",), lambda: _tell(shop, repository.told))
            commit = await repository.fetch()
            tree = await repository.tree(commit)
            if not locked:
                await _judge_needs(shop, repository, tree, commit)
            looked_at = wanted.images and not locked
            rendered = Rendered()
            if looked_at:
                files = await _manifests(repository, tree)
                rendered = await render_repository(shop, repository, tree, files)
            file = await repository.pack(commit)
            blob = await asyncio.to_thread(shop.store.adopt, file)
        finally:
            await repository.close()
    for words in dict.fromkeys(repository.complaints):
        shop.tell(f"the repository {wanted.name}", f"git says: {words[:300]}", "note")
    shop.tracker.expect(blob.size)
    shop.tracker.gained(blob.size)
    item = shop.artifact(
        "git",
        [(f"{wanted.name}.bundle", blob)],
        name=wanted.name,
        version=wanted.ref,
        origin=address(wanted.url),
        pins={"commit": commit, "ref": wanted.ref},
    )
    if not wanted.images:
        return [item]
    return [item, *await _named(shop, wanted, rendered, locked)]


async def _tell(shop: Workshop, told: Sequence[str]) -> None:
    for sentence in told:
        shop.tracker.note(sentence)


async def _judge_needs(
    shop: Workshop, repository: Repository, tree: Sequence[Entry], commit: str
) -> None:
    """Tell what a clone needs from elsewhere; raises SourceProblem where the recipe can say it."""
    wanted = repository.wanted
    attributes = [e for e in tree if e.is_file and e.path.rpartition("/")[2] == ".gitattributes"]
    links = [e for e in tree if e.is_link]
    contents = await repository.contents(e.object for e in (*attributes, *links))
    of = f"the repository {wanted.name}"
    for sentence in needs_of(tree, contents):
        shop.tell(of, sentence)
    if any("lfs" in filters_of(contents.get(e.object, b"")) for e in attributes):
        small = [e.object for e in tree if e.is_file and e.size < POINTER_LIMIT]
        contents |= await repository.contents(small)
    modules = await repository.modules(commit) if any(e.is_submodule for e in tree) else {}
    refused = []
    for things, left, kind in (
        (large_files_of(tree, contents), wanted.lfs, _LARGE_FILES),
        (submodules_of(tree, modules), wanted.submodules, _SUBMODULES),
    ):
        if things and left:
            shop.tell(of, f"{kind.left}, as the recipe says: {some_names(things)}", "note")
        elif things:
            refused.append((f"{kind.refused}: {some_names(things)}", kind))
    if refused:
        raise SourceProblem(
            "; ".join(cause for cause, _ in refused),
            where=address(wanted.url),
            remedy=" ".join(kind.remedy for _, kind in refused)
            + " The line of a solution's own recipe is replaced by one with the same name and url "
            "in a file for --with.",
        )


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """What a clone fetches from elsewhere, in the words for it."""

    left: str
    refused: str
    remedy: str


_LARGE_FILES: Final = _Elsewhere(
    "files in Git LFS are left out and only their pointers are brought",
    "it has files in Git LFS, which a bundle cannot bring",
    "Write `lfs: leave` on its line of the recipe where the site does without these files, and "
    "what it needs of them under `files`; or keep them in the repository itself (in a clone of it: "
    "git lfs migrate export --everything --include='*').",
)
_SUBMODULES: Final = _Elsewhere(
    "submodules are left out",
    "it has submodules, which a bundle cannot bring with it",
    "Write `submodules: leave` on its line of the recipe, and give each that the site needs a line "
    "of its own under `git` (url and commit as above); there `git submodule set-url PATH ADDRESS` "
    "names where it is served.",
)


async def _manifests(repository: Repository, tree: Sequence[Entry]) -> dict[str, bytes]:
    """The files of a commit that may name something, by their paths; links are not followed."""
    read = looked_into(entry.path for entry in tree)
    chosen = [entry for entry in tree if entry.is_file and entry.path in read]
    if sum(entry.size for entry in chosen) > _MOST_BYTES:
        raise SourceProblem(
            f"its manifests have more than {_MOST_BYTES} bytes",
            where=address(repository.wanted.url),
            remedy="Set `images: false` for it, and name the images that the site needs.",
        )
    contents = await repository.contents(entry.object for entry in chosen)
    return {entry.path: contents.get(entry.object, b"") for entry in chosen}


async def _named(
    shop: Workshop,
    wanted: GitWanted,
    rendered: Rendered,
    locked: Locked,
) -> list[Item]:
    naming = Naming(
        of=f"the repository {wanted.name}",
        platforms=wanted.platforms,
        without=wanted.without,
        operators=wanted.operators,
        remedy="If the site does without it, add --without and its name, or name it under "
        "`without` for the repository; or set `images: false` for it and name what the site needs.",
        by=lambda place: f"{place} of the repository {wanted.name}",
    )
    if locked:
        lines = [_chart_line(wanted, chart, images=False) for chart in _locked_charts(locked)]
        charts = await asyncio.gather(
            *(gather_chart(shop, line, _own(locked, line)) for line in lines)
        )
        images = await gather_locked(shop, naming, locked)
        return [item for items in (*charts, images) for item in items]
    outside = rendered.outside
    for sentence in rendered.failed:
        shop.tell(naming.of, sentence)
    for sentence in rendered.unasked:
        shop.tell(naming.of, sentence, "note")
    gathered = await asyncio.gather(
        gather_found(shop, naming, outside.named),
        *(_chart(shop, wanted, chart, naming) for chart in outside.charts),
    )
    return [item for items in gathered for item in items]


async def _chart(
    shop: Workshop, wanted: GitWanted, chart: ChartNamed, naming: Naming
) -> list[Item]:
    try:
        return await gather_chart(shop, _chart_line(wanted, chart), ())
    except (SourceProblem, ValidationError) as problem:
        cause = problem.cause if isinstance(problem, SourceProblem) else "it is no chart's name"
        raise SourceProblem(
            f"{naming.who(chart.by)} names it: {cause}",
            where=f"chart {chart.name} {chart.version} of {chart.repository}",
            remedy=naming.remedy,
        ) from problem


def _chart_line(wanted: GitWanted, chart: ChartNamed, *, images: bool = True) -> ChartWanted:
    return ChartWanted(
        name=chart.name,
        repository=chart.repository,
        version=chart.version,
        platforms=wanted.platforms,
        values=dict(chart.values),
        without=wanted.without,
        operators=wanted.operators,
        images=images,
    )


def _locked_charts(locked: Locked) -> list[ChartNamed]:
    return [
        ChartNamed(item.name, item.pins["repository"], item.version or "", {}, by="the lock")
        for item in locked
        if item.kind == media.CHART and "repository" in item.pins
    ]


def _own(locked: Locked, line: ChartWanted) -> Locked:
    return [
        item
        for item in locked
        if item.kind == media.CHART and (item.name, item.version) == (line.name, line.version)
    ]
