"""Git repositories, each as one bundle file that `git clone` reads."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path
from typing import Final

from bundles.layout import Item
from bundles.problems import SourceProblem, WrongContent
from bundles.recipe import GitWanted
from bundles.sources.workshop import Locked, Workshop, address, only, run_program

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
    shop.tracker.expect(blob.size)
    shop.tracker.gained(blob.size)
    await asyncio.to_thread(shutil.rmtree, mirror, ignore_errors=True)
    file.unlink(missing_ok=True)
    return [
        shop.artifact(
            "git",
            [(f"{wanted.name}.bundle", blob)],
            name=wanted.name,
            version=wanted.ref,
            origin=address(wanted.url),
            pins={"commit": found, "ref": wanted.ref},
        )
    ]


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
