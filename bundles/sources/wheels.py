"""Python wheels with all that they depend on: pip solves, the files are fetched by their hashes."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field

from bundles.layout import Item, Printable
from bundles.problems import SourceProblem
from bundles.recipe import WheelsWanted
from bundles.sources.workshop import Locked, Workshop, address, pin, run_program
from bundles.strict_json import parse_model

_REPORT_LIMIT = 64 * 1024 * 1024


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
    license: str | None = None
    license_expression: str | None = None


class _Install(_Outside):
    download_info: _Download
    metadata: _Metadata


class _Report(_Outside):
    install: Annotated[tuple[_Install, ...], Field(max_length=5000)]


async def gather_wheels(shop: Workshop, wanted: WheelsWanted, locked: Locked) -> list[Item]:
    """Bring the wheels of one Python; raises SourceProblem, WrongContent."""
    pinned = [item for item in locked if item.kind == "wheel" and item.content]
    if pinned:
        found = [
            (
                item.name,
                item.version or "",
                pin(item, "url"),
                (item.content or "")[7:],
                item.licence,
            )
            for item in pinned
        ]
    else:
        async with shop.programs:
            found = await _solve(shop, wanted)
    place = f"python{wanted.python}"

    async def one(name: str, version: str, url: str, sha256: str, licence: str | None) -> Item:
        blob = await shop.fetch_file([url], sha256, None)
        return shop.artifact(
            "wheel",
            [(_file_name(url), blob)],
            name=name,
            version=version,
            platform=place,
            origin=address(url),
            licence=licence,
            pins={"url": url, "file": _file_name(url)},
        )

    return list(await asyncio.gather(*(one(*fields) for fields in found)))


async def _solve(
    shop: Workshop, wanted: WheelsWanted
) -> list[tuple[str, str, str, str, str | None]]:
    what = f"wheels for Python {wanted.python}"
    report = shop.store.work / f"wheels-{wanted.key[7:23]}.json"
    platforms = [word for name in wanted.platforms for word in ("--platform", name)]
    await run_program(
        [
            *(sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"),
            *("--disable-pip-version-check", "--no-input", "--only-binary", ":all:"),
            *("--python-version", wanted.python, "--implementation", "cp", *platforms),
            *("--target", str(shop.store.work / "nowhere"), "--report", str(report), "--"),
            *wanted.requirements,
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
        licence = metadata.license_expression or metadata.license
        first = licence.strip().splitlines()[0][:120] if licence and licence.strip() else None
        shown = first if first and first.isprintable() else None
        found.append((metadata.name, metadata.version, url, sha256, shown))
    return found


def _file_name(url: str) -> str:
    return unquote(urlsplit(url).path).rsplit("/", 1)[-1]
