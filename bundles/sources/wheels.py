"""Python wheels with all that they depend on: pip solves, the files are fetched by their hashes."""

from __future__ import annotations

import asyncio
import re
import sys
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field

from bundles.layout import Item, Printable
from bundles.lock import LockedItem
from bundles.problems import SourceProblem
from bundles.recipe import WheelsWanted
from bundles.sources.workshop import Locked, Workshop, address, pin, run_program
from bundles.strict_json import digest_of, parse_model

_REPORT_LIMIT: Final = 64 * 1024 * 1024
_METADATA: Final = re.compile(r"[^/]+\.dist-info/METADATA")
_METADATA_LIMIT: Final = 1 << 20


class _Outside(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Archive(_Outside):
    hashes: dict[str, str] = Field(default_factory=dict)


class _Download(_Outside):
    url: str
    archive_info: _Archive | None = None


class _Metadata(_Outside):
    name: Printable
    version: Printable


class _Install(_Outside):
    download_info: _Download
    metadata: _Metadata


class _Report(_Outside):
    install: Annotated[tuple[_Install, ...], Field(max_length=5000)]


@dataclass(frozen=True, slots=True)
class Wheel:
    """One wheel: where it is and what its bytes are."""

    name: str
    version: str
    url: str
    sha256: str


async def gather_wheels(shop: Workshop, wanted: WheelsWanted, locked: Locked) -> list[Item]:
    """Bring the wheels of one Python; raises SourceProblem, WrongContent."""
    pinned = [item for item in locked if item.kind == "wheel" and item.content]
    found = (
        locked_wheels(pinned)
        if pinned
        else await solve_wheels(
            shop,
            wanted,
            ["--", *wanted.requirements],
            what=f"wheels for Python {wanted.python}",
        )
    )
    return await bring_wheels(shop, wanted.python, found)


def locked_wheels(pinned: Iterable[LockedItem]) -> list[Wheel]:
    """The wheels that a lock names; raises InputProblem."""
    return [
        Wheel(
            item.name,
            item.version or "",
            pin(item, "url"),
            (item.content or "").removeprefix("sha256:"),
        )
        for item in pinned
    ]


async def bring_wheels(shop: Workshop, python: str | None, wheels: Sequence[Wheel]) -> list[Item]:
    """Fetch wheels as items for a Python, or for any; raises SourceProblem, WrongContent."""

    async def one(wheel: Wheel) -> Item:
        blob = await shop.fetch_file([wheel.url], wheel.sha256, None)
        licence = await asyncio.to_thread(_licence_in, shop.store.path(blob.digest))
        return shop.artifact(
            "wheel",
            [(_file_name(wheel.url), blob)],
            name=wheel.name,
            version=wheel.version,
            platform=f"python{python}" if python else None,
            origin=address(wheel.url),
            licence=licence,
            pins={"url": wheel.url, "file": _file_name(wheel.url)},
        )

    return list(await asyncio.gather(*map(one, wheels)))


async def solve_wheels(
    shop: Workshop, wanted: WheelsWanted, words: Sequence[str], *, what: str
) -> list[Wheel]:
    """What pip would install for a Python from these requirements; raises SourceProblem."""
    report = shop.store.work / f"wheels-{digest_of(repr((wanted, words)).encode())[7:23]}.json"
    platforms = [word for name in wanted.platforms for word in ("--platform", name)]
    async with shop.programs:
        await run_program(
            [
                *(sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"),
                *("--quiet", "--disable-pip-version-check", "--no-input"),
                *("--only-binary", ":all:", "--implementation", "cp"),
                *("--python-version", wanted.python, *platforms),
                *("--target", str(shop.store.work / "nowhere"), "--report", str(report), *words),
            ],
            what=what,
            cwd=shop.store.work,
        )
    solved = parse_model(
        _Report, report.read_bytes(), where=what, limit=_REPORT_LIMIT, problem=SourceProblem
    )
    found = []
    for one in solved.install:
        download, metadata = one.download_info, one.metadata
        sha256 = (download.archive_info.hashes if download.archive_info else {}).get("sha256")
        url = download.url.partition("#")[0]
        if sha256 is None or not _file_name(url).endswith(".whl"):
            raise SourceProblem(
                f"{metadata.name} cannot be had as a wheel with a SHA-256 hash", where=what
            )
        found.append(Wheel(metadata.name, metadata.version, url, sha256))
    return found


def _licence_in(path: Path) -> str | None:
    """What a wheel says of its licence; None where it says nothing, or cannot be read."""
    try:
        with zipfile.ZipFile(path) as packed:
            name = next(n for n in packed.namelist() if _METADATA.fullmatch(n))
            with packed.open(name) as file:
                text = file.read(_METADATA_LIMIT).decode("utf-8", "replace")
    except (
        OSError,
        ValueError,
        NotImplementedError,
        StopIteration,
        zipfile.BadZipFile,
        zlib.error,
    ):
        return None
    head = Parser().parsestr(text, headersonly=True)
    stated = head.get("License-Expression") or head.get("License") or ""
    if not stated.strip() or len(stated) > 200:
        # Older packages say it by a classifier, or give the whole text of the licence.
        named = [str(one) for one in head.get_all("Classifier", ()) if "License ::" in str(one)]
        stated = " AND ".join(one.rpartition(" :: ")[2] for one in named) or stated
    first = stated.strip().splitlines()[0][:120] if stated.strip() else None
    return first if first and first.isprintable() else None


def _file_name(url: str) -> str:
    return unquote(urlsplit(url).path).rsplit("/", 1)[-1]
