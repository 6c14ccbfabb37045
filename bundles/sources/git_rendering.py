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

from bundles import budgets
from bundles.git_needs import Entry
from bundles.gitops import FromOutside, chart_folders, read_manifests
from bundles.gitops_forms import KUSTOMIZATIONS, is_remote, rendered_name
from bundles.sources.git_repository import Repository
from bundles.sources.renderers import RenderFailed
from bundles.sources.workshop import Workshop
from bundles.yaml_documents import read_documents

_MOST_BYTES: Final = budgets.GIT_CHECKOUT_BYTES
_MOST_SECONDS: Final = budgets.GIT_RENDER_SECONDS
"""For all charts and folders of a repository."""
_NOT_HERE: Final = "missing in charts/"
"""Helm's words for a chart whose dependencies are fetched first."""
_OF_THE_NAME: Final = {
    *(errno.ENAMETOOLONG, errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.EINVAL, errno.EILSEQ)
}
"""What a tree brings about that no folder can hold; a full disk is no fault of the tree."""
_MOST_NAMED: Final = 8
_WITH_HELM: Final = ("helmCharts", "helmChartInflationGenerator")


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
    await _render(shop, repository, tree, files, rendered)
    rendered.outside = await asyncio.to_thread(read_manifests, files, rendered.texts)
    return rendered


async def _render(
    shop: Workshop,
    repository: Repository,
    tree: Sequence[Entry],
    files: Mapping[str, bytes],
    rendered: Rendered,
) -> None:
    folders = kustomizations(files)
    charts = chart_folders(files)
    rendered.unasked += [
        f"{folder} takes in {what}, so its kustomization is read without rendering it"
        for folder, what in unrendered(files).items()
    ]
    helm = await shop.renderers.program(shop, "helm") if charts else None
    kustomize = (
        await shop.renderers.program(shop, "kustomize")
        or await shop.renderers.program(shop, "kubectl")
        if folders
        else None
    )
    for things, program, name in (
        ("charts", helm or not charts, "Helm"),
        ("folders of Kustomize", kustomize or not folders, "Kustomize"),
    ):
        if not program:
            rendered.unasked.append(
                f"its {things} were read without rendering them, since there is no {name} here"
            )
    charts, folders = charts if helm else [], folders if kustomize else []
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
            await _folder(shop, checkout, folder, rendered)
    if left:
        rendered.failed.append(
            f"what {left} more of its charts and folders render, since that takes more than "
            f"{_MOST_SECONDS:.0f} s"
        )
    # What applications set for these charts is known when the manifests are read.
    first = await asyncio.to_thread(read_manifests, files, rendered.texts)
    for folder, values in first.given if charts else ():
        await _chart(shop, checkout, folder, values, rendered)
    await asyncio.to_thread(shutil.rmtree, checkout, ignore_errors=True)


async def _folder(shop: Workshop, checkout: Path, folder: str, rendered: Rendered) -> None:
    try:
        text = await shop.renderers.kustomize(shop, checkout / folder)
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
        if error.errno not in {errno.ENOENT, *_OF_THE_NAME}:
            raise
        rendered.failed.append(f"what Helm makes of {folder}: its Chart.yaml was not written")
        return
    if described.get("type") == "library":
        return
    try:
        text = await shop.renderers.helm(shop, checkout / folder, values)
        rendered.texts[rendered_name(path, values)] = text or ""
    except RenderFailed as failed:
        if _NOT_HERE not in str(failed):
            rendered.failed.append(f"what Helm makes of {folder}: {_plain(failed, checkout)}")


def unrendered(files: Mapping[str, bytes]) -> dict[str, str]:
    """The folders of Kustomize that take in what it fetches by the network, and what that is.

    Their charts are brought and rendered by themselves; what lies elsewhere is told.
    """
    found = _kustomization_files(files)
    return {
        folder: "charts of Helm"
        if any(key in document for key in _WITH_HELM)
        else "what Helm or the network brings"
        for folder, document in found.items()
        if _needs_more(folder, found)
    }


def kustomizations(files: Mapping[str, bytes]) -> list[str]:
    """The folders that Kustomize renders by themselves: no other one takes them in.

    Those with charts are left out, since Kustomize renders them only with a plugin.
    """
    found = _kustomization_files(files)
    taken = {
        posixpath.normpath(posixpath.join(folder, one))
        for folder, document in found.items()
        for key in ("resources", "bases", "components")
        for one in _texts(document.get(key))
    }
    plain = {folder for folder in found if not _needs_more(folder, found)}
    return [folder for folder in found if folder in plain and folder not in taken]


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
    return found


def _needs_more(folder: str, found: Mapping[str, dict[Any, Any]], depth: int = 0) -> bool:
    """Whether a folder, or one that it takes in, needs a plugin or the network."""
    document = found.get(folder, {})
    below = [one for key in ("resources", "bases", "components")
             for one in _texts(document.get(key))]  # fmt: skip
    return (
        depth > 20
        or any(key in document for key in _WITH_HELM)
        or any(is_remote(one) for one in below)
        or any(
            _needs_more(inner, found, depth + 1)
            for one in below
            if (inner := posixpath.normpath(posixpath.join(folder, one))) in found
        )
    )


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
            if error.errno not in _OF_THE_NAME:
                raise
            unwritten.append((entry.path, os.strerror(error.errno)))
    return unwritten


def _is_there(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except OSError:
        return False


def _plain(failed: RenderFailed, checkout: Path) -> str:
    return str(failed).replace(f"{checkout}/", "").replace(str(checkout), "the repository")
