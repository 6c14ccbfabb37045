"""Git repositories, each as one bundle file that `git clone` reads, with what they name."""

from __future__ import annotations

import asyncio
import re
import shutil
import tarfile
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from bundles.gitops import ChartNamed, read_manifests
from bundles.layout import Item
from bundles.problems import SourceProblem, WrongContent
from bundles.recipe import ChartWanted, GitWanted
from bundles.sources.charts import gather_chart
from bundles.sources.images import gather_named
from bundles.sources.workshop import Locked, Workshop, address, only, run_program

_MOST_BYTES: Final = 256 * 1024 * 1024
"""Bytes of all manifests of a repository together."""
_SETTINGS: Final = {
    # No other transport: `ext::` would run a program that an address names.
    "GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
}


async def gather_git(shop: Workshop, wanted: GitWanted, locked: Locked) -> list[Item]:
    """Bring one repository at a branch or tag; raises SourceProblem, WrongContent."""
    pinned = only(locked, "git")
    commit = wanted.commit or (pinned.pins.get("commit") if pinned else None)
    mirror = shop.store.work / "git" / wanted.key.removeprefix("sha256:")[:16]
    file = mirror.with_suffix(".bundle")
    async with shop.programs:
        await _fetch(mirror, wanted)
        found = await _resolve(mirror, wanted, commit)
        await _git(mirror, "update-ref", "refs/heads/bundle", found, what=wanted.name)
        await _only_this(mirror, wanted)
        # Packed anew by one thread, the same history gives the same file.
        await _git(
            mirror, "-c", "pack.threads=1", "repack", "-adfFq", "--window=10", what=wanted.name
        )
        heads = ["refs/heads/bundle"]
        await _git(
            mirror,
            *("-c", "pack.threads=1", "bundle", "create", "-q", "--version=2"),
            str(file),
            *heads,
            what=wanted.name,
        )
        blob = await asyncio.to_thread(shop.store.adopt, file)
        files = await _manifests(mirror, wanted, found) if wanted.images else {}
    shop.tracker.expect(blob.size)
    shop.tracker.gained(blob.size)
    await asyncio.to_thread(shutil.rmtree, mirror, ignore_errors=True)
    file.unlink(missing_ok=True)
    item = shop.artifact(
        "git",
        [(f"{wanted.name}.bundle", blob)],
        name=wanted.name,
        version=wanted.ref,
        origin=address(wanted.url),
        pins={"commit": found, "ref": wanted.ref},
    )
    return [item, *await _named(shop, wanted, files, locked)]


async def _manifests(mirror: Path, wanted: GitWanted, commit: str) -> dict[str, bytes]:
    """The YAML files of a commit by their paths; links are not followed."""
    packed = mirror.with_suffix(".tar")
    await _git(mirror, "archive", "--format=tar", "-o", str(packed), commit, what=wanted.name)
    try:
        return await asyncio.to_thread(_yaml_files, packed, wanted)
    finally:
        packed.unlink(missing_ok=True)


def _yaml_files(packed: Path, wanted: GitWanted) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    size = 0
    with tarfile.open(packed) as tar:
        for member in tar:
            if not member.isreg() or not member.name.endswith((".yaml", ".yml")):
                continue
            size += member.size
            if size > _MOST_BYTES:
                raise SourceProblem(
                    f"its manifests have more than {_MOST_BYTES} bytes",
                    where=address(wanted.url),
                    remedy="Set `images: false` for it, and name the images that the site needs.",
                )
            content = tar.extractfile(member)
            found[member.name] = content.read() if content else b""
    return found


async def _named(
    shop: Workshop, wanted: GitWanted, files: Mapping[str, bytes], locked: Locked
) -> list[Item]:
    outside = await asyncio.to_thread(read_manifests, files)
    for sentence in outside.unread:
        shop.tracker.note(f"repository {wanted.name}: it cannot be told, in {sentence}")
    remedy = (
        "If the site does without it, add --without and its name, or name it under `without` for "
        "the repository; or set `images: false` for it and name what the site needs."
    )

    async def one_image(name: str, path: str) -> list[Item]:
        by = f"{path} of the repository {wanted.name}"
        return await gather_named(shop, [name], wanted.platforms, locked, by=by, remedy=remedy)

    async def one_chart(chart: ChartNamed) -> list[Item]:
        try:
            line = ChartWanted(
                name=chart.name,
                repository=chart.repository,
                version=chart.version,
                platforms=wanted.platforms,
                values=dict(chart.values),
                without=wanted.without,
            )
            own = [
                item
                for item in locked
                if item.kind != "chart" or (item.name, item.version) == (chart.name, chart.version)
            ]
            return await gather_chart(shop, line, own)
        except (SourceProblem, ValidationError) as problem:
            cause = problem.cause if isinstance(problem, SourceProblem) else "it is no chart's name"
            raise SourceProblem(
                f"{chart.by} of the repository {wanted.name} names it: {cause}",
                where=f"chart {chart.name} {chart.version} of {chart.repository}",
                remedy=remedy,
            ) from problem

    images = {
        name: path
        for name, path in outside.images.items()
        if not any(fnmatchcase(name, pattern) for pattern in wanted.without)
    }
    gathered = await asyncio.gather(
        *(one_image(name, path) for name, path in images.items()),
        *(one_chart(chart) for chart in outside.charts),
    )
    return [item for items in gathered for item in items]


async def _fetch(mirror: Path, wanted: GitWanted) -> None:
    if not (mirror / "HEAD").exists():
        mirror.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - one folder
        await _git(mirror, "init", "-q", "--bare", ".", what=wanted.name)
    await _git(
        mirror,
        *("fetch", "-q", "--no-auto-gc", "--force", "--", wanted.url),
        *("+HEAD:refs/fetched/HEAD", "+refs/heads/*:refs/fetched/heads/*"),
        "+refs/tags/*:refs/fetched/tags/*",
        what=wanted.name,
    )


async def _resolve(mirror: Path, wanted: GitWanted, commit: str | None) -> str:
    names = (
        [commit]
        if commit
        else [f"refs/fetched/{place}{wanted.ref}" for place in ("heads/", "tags/", "")]
    )
    for name in names:
        try:
            found = await _git(
                mirror, "rev-parse", "-q", "--verify", f"{name}^{{commit}}", what=wanted.name
            )
        except SourceProblem:
            continue
        if not re.fullmatch(r"[0-9a-f]{40}", found.strip()):
            raise WrongContent("its commits have another form of name", where=address(wanted.url))
        return found.strip()
    raise SourceProblem(
        f"there is no {commit or wanted.ref} in it",
        where=address(wanted.url),
        remedy="Check the branch, the tag or the commit.",
    )


async def _only_this(mirror: Path, wanted: GitWanted) -> None:
    refs = await _git(mirror, "for-each-ref", "--format=%(refname)", what=wanted.name)
    for ref in refs.split():
        if ref != "refs/heads/bundle":
            await _git(mirror, "update-ref", "-d", ref, what=wanted.name)


async def _git(folder: Path, *words: str, what: str) -> str:
    argv = ["git", *words]
    return await run_program(argv, what=f"git {what}", environment=_SETTINGS, cwd=folder)
