"""What Kustomize and Helm make of the folders and charts of a repository.

The files of a commit are written into a folder of ours as they are stored, and rendered there
without a network. What does not render is told, and stays read as it lies there.
"""

from __future__ import annotations

import asyncio
import errno
import os
import posixpath
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bundles.format import budgets
from bundles.format.recipe import Recipe
from bundles.manifests.from_outside import FromOutside
from bundles.manifests.git_needs import Entry
from bundles.manifests.gitops import read_manifests
from bundles.manifests.gitops_forms import (
    KUSTOMIZATIONS,
    Around,
    chart_folders,
    charts_of,
    is_remote,
    rendered_name,
)
from bundles.manifests.yaml_documents import read_documents
from bundles.sources.git_repository import Repository
from bundles.sources.kustomize_charts import OF_THE_NAME, lay_charts
from bundles.sources.renderers import Hear, RenderFailed
from bundles.sources.workshop import Workshop

_MOST_BYTES: Final = budgets.GIT_CHECKOUT_BYTES
_MOST_SECONDS: Final = budgets.GIT_RENDER_SECONDS
"""For all charts and folders of a repository."""
_NOT_HERE: Final = "missing in charts/"
"""Helm's words for a chart whose dependencies are fetched first."""
_MOST_NAMED: Final = 8


@dataclass(slots=True)
class Rendered:
    """What a repository names, with what of it was rendered and what could not be."""

    outside: FromOutside = field(default_factory=FromOutside)
    texts: dict[str, str] = field(default_factory=dict)
    """By the name of the chart or the folder."""
    failed: list[str] = field(default_factory=list)
    """What did not render, as a sentence each."""
    unasked: list[str] = field(default_factory=list)
    """What was only read, since the program is not here."""


async def render_repository(
    shop: Workshop, repository: Repository, tree: Sequence[Entry], files: Mapping[str, bytes]
) -> Rendered:
    """What a repository names: every folder of Kustomize that no other one takes in, and every
    chart, also with what is set for it there, are rendered where the programs are here."""
    rendered = Rendered()
    recipe = shop.renderers.recipe
    own = repository.wanted.url
    around = Around(own, _brought(recipe, own) if recipe else ())
    await _render(shop, repository, tree, files, rendered, around)
    rendered.outside = await asyncio.to_thread(read_manifests, files, rendered.texts, around)
    return rendered


async def _render(
    shop: Workshop,
    repository: Repository,
    tree: Sequence[Entry],
    files: Mapping[str, bytes],
    rendered: Rendered,
    around: Around,
) -> None:
    documents = _kustomization_files(files)
    folders = kustomizations(files)
    charts = chart_folders(files)
    rendered.unasked += [
        f"{folder} takes in {what}, so its kustomization is read without rendering it"
        for folder, what in unrendered(files, around).items()
    ]
    built = {folder for folder in folders if _charts_below(folder, documents)}
    helm = await shop.renderers.program(shop, "helm") if charts or built else None
    kustomize = (
        await shop.renderers.program(shop, "kustomize")
        or await shop.renderers.program(shop, "kubectl")
        if folders
        else None
    )
    for things, program, name in (
        ("charts", helm or not (charts or built), "Helm"),
        ("folders of Kustomize", kustomize or not folders, "Kustomize"),
    ):
        if not program:
            rendered.unasked.append(
                f"its {things} were read without rendering them, since there is no {name} here"
            )
    charts, folders = charts if helm else [], folders if kustomize else []
    folders = [folder for folder in folders if helm or folder not in built]
    if not charts and not folders:
        return
    ordinary = [entry for entry in tree if entry.is_file and _is_tame(entry.path)]
    if sum(entry.size for entry in ordinary) > _MOST_BYTES:
        rendered.failed.append(
            f"what its folders render, since its files have more than {_MOST_BYTES} bytes"
        )
        return
    checkout = repository.folder / "checkout"
    contents = await repository.contents(entry.object for entry in ordinary)
    unwritten = await asyncio.to_thread(_write, checkout, ordinary, contents)
    rendered.failed += [
        f"what its folders render with {path}, which cannot be written beside its other files "
        f"({why})"
        for path, why in unwritten[:_MOST_NAMED]
    ]
    if more := unwritten[_MOST_NAMED:]:
        rendered.failed.append(f"what its folders render with {len(more)} more files of that kind")
    there = {one for one in (*charts, *folders) if _is_there(checkout / one)}
    rendered.failed += [
        f"what {folder} renders, since it could not be written"
        for folder in (*charts, *folders)
        if folder not in there
    ]
    charts, folders = ([one for one in each if one in there] for each in (charts, folders))
    until = time.monotonic() + _MOST_SECONDS
    left = 0
    for number, folder in enumerate((*charts, *folders)):
        if time.monotonic() > until:
            left += 1
        elif number < len(charts):
            await _chart(shop, checkout, folder, {}, rendered)
        else:
            below = _charts_below(folder, documents)
            await _folder(shop, checkout, folder, below, helm if below else None, rendered)
    if left:
        rendered.failed.append(
            f"what {left} more of its charts and folders render, since that takes more than "
            f"{_MOST_SECONDS:.0f} s"
        )
    # What applications set for these charts is known when the manifests are read.
    first = await asyncio.to_thread(read_manifests, files, rendered.texts, around)
    for folder, values in first.given if charts else ():
        await _chart(shop, checkout, folder, values, rendered)
    await asyncio.to_thread(shutil.rmtree, checkout, ignore_errors=True)


async def _folder(
    shop: Workshop,
    checkout: Path,
    folder: str,
    below: Mapping[str, dict[Any, Any]],
    helm: Path | None,
    rendered: Rendered,
) -> None:
    try:
        for inner, document in below.items():
            await lay_charts(shop, checkout / inner, document)
        hear = _heard(rendered, "Kustomize", folder, checkout)
        text = await shop.renderers.kustomize(shop, checkout / folder, hear, helm=helm)
        rendered.texts[f"{folder} (as Kustomize renders it)"] = text or ""
    except RenderFailed as failed:
        rendered.failed.append(f"what Kustomize makes of {folder}: {_plain(failed, checkout)}")


async def _chart(
    shop: Workshop, checkout: Path, folder: str, values: Mapping[str, Any], rendered: Rendered
) -> None:
    path = f"{folder}/Chart.yaml" if folder != "." else "Chart.yaml"
    try:
        described = read_documents(await asyncio.to_thread((checkout / path).read_bytes)).mapping
    except OSError as error:
        if error.errno not in {errno.ENOENT, *OF_THE_NAME}:
            raise
        rendered.failed.append(f"what Helm makes of {folder}: its Chart.yaml was not written")
        return
    if described.get("type") == "library":
        return
    try:
        hear = _heard(rendered, "Helm", folder, checkout)
        text = await shop.renderers.helm(shop, checkout / folder, values, hear)
        rendered.texts[rendered_name(path, values)] = text or ""
    except RenderFailed as failed:
        if _NOT_HERE not in str(failed):
            rendered.failed.append(f"what Helm makes of {folder}: {_plain(failed, checkout)}")


def _brought(recipe: Recipe, own: str) -> tuple[tuple[str, str], ...]:
    """What other lines of a recipe bring whose images are brought with it."""
    repositories = [
        (line.url, line.commit or line.ref)
        for line in recipe.git
        if line.url != own and line.images
    ]
    files = [(url, "") for line in recipe.files if line.images for url in line.urls]
    return (*repositories, *files)


def unrendered(files: Mapping[str, bytes], around: Around | None = None) -> dict[str, str]:
    """The folders of Kustomize that take in what it fetches by the network, and what that is.

    What lies elsewhere is told, or brought by another line of the recipe.
    """
    found = _kustomization_files(files)
    remote = {
        folder: [one for inner in _closure(folder, found) for one in _remote(found[inner])]
        for folder in found
    }
    return {
        folder: "what another line of the recipe brings"
        if around and all(map(around.brings, some))
        else "what the network brings"
        for folder, some in remote.items()
        if some
    }


def kustomizations(files: Mapping[str, bytes]) -> list[str]:
    """The folders that Kustomize renders by themselves: no other one takes them in.

    Those that need the network are left out.
    """
    found = _kustomization_files(files)
    plain = [
        folder
        for folder in found
        if not any(_remote(found[inner]) for inner in _closure(folder, found))
    ]
    taken = {inner for folder in plain for inner in _closure(folder, found) if inner != folder}
    return [folder for folder in plain if folder not in taken]


def _charts_below(folder: str, found: Mapping[str, dict[Any, Any]]) -> dict[str, dict[Any, Any]]:
    """The folders that one takes in, itself among them, which have Kustomize render charts."""
    return {inner: found[inner] for inner in _closure(folder, found) if charts_of(found[inner])}


def _closure(folder: str, found: Mapping[str, dict[Any, Any]]) -> list[str]:
    """A folder and those that it takes in, and so on."""
    closed = [folder]
    for one in closed:
        inner = (posixpath.normpath(posixpath.join(one, text)) for text in _taken_in(found[one]))
        closed += [each for each in dict.fromkeys(inner) if each in found and each not in closed]
    return closed


def _taken_in(document: Mapping[Any, Any]) -> list[str]:
    keys = ("resources", "bases", "components", "generators", "transformers")
    return [one for key in keys for one in _texts(document.get(key))]


def _remote(document: Mapping[Any, Any]) -> list[str]:
    return [one for one in _taken_in(document) if is_remote(one)]


def _kustomization_files(files: Mapping[str, bytes]) -> dict[str, dict[Any, Any]]:
    """What the kustomization of each folder says."""
    found: dict[str, dict[Any, Any]] = {}
    for path in sorted(files):
        if posixpath.basename(path) in KUSTOMIZATIONS:
            document = read_documents(files[path]).mapping
            if document.get("kind") in (None, "Kustomization") and "kustomize.toolkit" not in str(
                document.get("apiVersion")
            ):
                found[posixpath.dirname(path) or "."] = document
    for folder, document in found.items():
        # Charts may stand in files of their own, which a kustomization names as generators.
        own = [
            chart
            for name in _texts(document.get("generators"))
            for one in read_documents(
                files.get(posixpath.normpath(posixpath.join(folder, name)), b"")
            ).values
            if isinstance(one, dict)
            for chart in charts_of(one)
        ]
        if own:
            found[folder] = {**document, "helmCharts": [*charts_of(document), *own]}
    return found


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _is_tame(path: str) -> bool:
    parts = path.split("/")
    return not path.startswith("/") and not {"..", ".git", ""} & set(parts)


def _write(
    folder: Path, entries: Sequence[Entry], contents: Mapping[str, bytes]
) -> list[tuple[str, str]]:
    """Write the files; those whose names no folder can hold, each with the reason."""
    unwritten = []
    for entry in entries:
        path = folder / entry.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents.get(entry.object, b""))
        except OSError as error:
            if error.errno not in OF_THE_NAME:
                raise
            unwritten.append((entry.path, os.strerror(error.errno)))
    return unwritten


def _is_there(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except OSError:
        return False


def _heard(rendered: Rendered, who: str, folder: str, checkout: Path) -> Hear:
    """Keeps what a program warned of while it rendered a folder."""

    def hear(said: str) -> None:
        rendered.unasked.append(f"{who} says of {folder}: {_plain(said, checkout)}")

    return hear


def _plain(failed: RenderFailed | str, checkout: Path) -> str:
    return str(failed).replace(f"{checkout}/", "").replace(str(checkout), "the repository")
