"""Python wheels with all that they depend on: pip solves, the files are fetched by their hashes."""

from __future__ import annotations

import asyncio
import re
import sys
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import unquote, urlsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import BaseModel, ConfigDict, Field

from bundles.format.budgets import PIP_REPORT_BYTES, WHEEL_METADATA_BYTES
from bundles.format.layout import Item, Printable
from bundles.format.lock import LockedItem
from bundles.format.problems import SourceProblem
from bundles.format.recipe import WheelsWanted
from bundles.format.strict_json import digest_of, parse_model
from bundles.format.untold import Kind
from bundles.registries.web_answers import shown
from bundles.sources.way_out import pip_environment, pip_way_out
from bundles.sources.wheel_needs import (
    Solved,
    environments_of,
    holds,
    lacking,
    parsed,
    runs_code,
    without_marker,
)
from bundles.sources.workshop import Locked, Workshop, address, pin, run_and_hear
from foundation.isolation import ISOLATED

_NO_SUCH_EXTRA: Final = "does not provide the extra"
"""pip's words where a package has nothing of the name in brackets; it then installs less."""
_WITHOUT_PROGRAMS: Final = """
import runpy, sys

def refuse(event, _):
    if event == "subprocess.Popen" or event.startswith(("os.system", "os.exec", "os.posix_spawn",
                                                        "os.spawn", "os.fork", "pty.spawn")):
        raise PermissionError("only wheels are taken; to build another would run its code here")

sys.addaudithook(refuse)
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
"""pip, which may start no other program.

What a package requires by an address, pip fetches and builds, and so runs the code that is there:
`--only-binary` does not hold for addresses, and pip refuses them of packages from PyPI alone.
"""
_METADATA: Final = re.compile(r"[^/]+\.dist-info/METADATA")


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
    requires_dist: Annotated[tuple[str, ...], Field(max_length=5000)] = ()


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
    requires: tuple[str, ...] = ()
    """As its metadata states it; empty where a lock names the wheel."""


async def gather_wheels(shop: Workshop, wanted: WheelsWanted, locked: Locked) -> list[Item]:
    """Bring the wheels of one Python; raises SourceProblem, WrongContent."""
    pinned = [item for item in locked if item.kind == "wheel" and item.content]
    found = locked_wheels(pinned) if pinned else await _solve(shop, wanted)
    return await bring_wheels(shop, wanted.python, found)


async def _solve(shop: Workshop, wanted: WheelsWanted) -> list[Wheel]:
    """Everything that the requirements lead to on the target, whatever pip itself runs on."""
    what = f"wheels for Python {wanted.python}"
    # pip compares what a package asks of Python with the Python that it runs on, even when it is
    # told of another; so for another it must not, and the wheels themselves are asked below.
    here = "{}.{}".format(*sys.version_info[:2]) == wanted.python
    options = () if here else ("--ignore-requires-python",)
    targets = environments_of(wanted.python, wanted.platforms)
    asked = []
    lines = []
    for text in wanted.requirements:
        one = parsed(text)
        if runs_code(text):
            raise SourceProblem(
                f"{one.name if one else shown(text)} names no wheel, and to build one would"
                " run its code on this machine",
                where=what,
                remedy="Name it by its name and version as an index has it, or by the address of a "
                "wheel: name @ https://host/name-1.0-py3-none-any.whl.",
            )
        if one is None:
            lines.append(text)
        elif holds(one, targets):
            asked.append(one)
            lines.append(without_marker(one))
        else:
            shop.tell(what, f"{text} does not count there, by its own marker", "note")
    if not lines:
        raise SourceProblem("none of its requirements counts there, by their markers", where=what)
    added: dict[str, str] = {}
    while True:
        found = await solve_wheels(shop, wanted, [*options, "--", *lines, *added], what=what)
        solved = [Solved(one.name, one.version, one.requires) for one in found]
        more = lacking(solved, asked, targets)
        named = {text for text in more if (one := parsed(text)) is not None and one.url is None}
        new = {text: by for text, by in more.items() if text not in added and text in named}
        for text, by in more.items():
            if text not in named and parsed(text) is not None:
                shop.tell(
                    what, f"{by} requires {text}, which is not from the index: it is not followed"
                )
            elif text not in new:
                shop.tell(what, f"{by} requires {text}, and nobody can say what meets that")
        if not new:
            return found
        added |= new


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
        head = await asyncio.to_thread(_metadata_of, shop.store.path(blob.digest))
        if head is not None and python and not _runs_on(head, python):
            raise SourceProblem(
                f"it asks for Python {head.get('Requires-Python')}, and {python} is meant",
                where=f"wheel {wheel.name} {wheel.version}",
                remedy="Pin an older version of it in the recipe, or make the bundle with "
                f"Python {python}.",
            )
        return shop.artifact(
            "wheel",
            [(_file_name(wheel.url), blob)],
            name=wheel.name,
            version=wheel.version,
            platform=f"python{python}" if python else None,
            origin=address(wheel.url),
            licence=_licence(head) if head is not None else None,
            pins={"url": wheel.url, "file": _file_name(wheel.url)},
        )

    return list(await asyncio.gather(*map(one, wheels)))


async def solve_wheels(
    shop: Workshop, wanted: WheelsWanted, words: Sequence[str], *, what: str
) -> list[Wheel]:
    """What pip would install for a Python from these requirements; raises SourceProblem."""
    report = shop.store.work / f"wheels-{digest_of(repr((wanted, words)).encode())[7:23]}.json"
    platforms = [word for name in wanted.platforms for word in ("--platform", name)]
    surroundings = pip_environment(await pip_way_out(shop))
    async with shop.programs:
        ran = await run_and_hear(
            [
                *(sys.executable, ISOLATED, "-c", _WITHOUT_PROGRAMS, "install"),
                *("--dry-run", "--ignore-installed"),
                *("--quiet", "--disable-pip-version-check", "--no-input"),
                *("--only-binary", ":all:", "--implementation", "cp"),
                *("--python-version", wanted.python, *platforms),
                *("--target", str(shop.store.work / "nowhere"), "--report", str(report), *words),
            ],
            what=what,
            surroundings=surroundings,
            cwd=shop.store.work,
        )
    for line in ran.complaints:
        kind: Kind = "untold" if _NO_SUCH_EXTRA in line else "note"
        shop.tell(what, f"pip says: {line}", kind)
    solved = parse_model(
        _Report, report.read_bytes(), where=what, limit=PIP_REPORT_BYTES, problem=SourceProblem
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
        found.append(Wheel(metadata.name, metadata.version, url, sha256, metadata.requires_dist))
    return found


def _metadata_of(path: Path) -> Message | None:
    """What a wheel says of itself; None where it cannot be read."""
    try:
        with zipfile.ZipFile(path) as packed:
            name = next(n for n in packed.namelist() if _METADATA.fullmatch(n))
            with packed.open(name) as file:
                text = file.read(WHEEL_METADATA_BYTES).decode("utf-8", "replace")
    except (
        OSError,
        ValueError,
        NotImplementedError,
        StopIteration,
        zipfile.BadZipFile,
        zlib.error,
    ):
        return None
    return Parser().parsestr(text, headersonly=True)


def _runs_on(head: Message, python: str) -> bool:
    """Whether a wheel runs on a Python, as far as it says."""
    try:
        # The latest of its kind: a package may ask for 3.12.3.
        return SpecifierSet(str(head.get("Requires-Python") or "")).contains(f"{python}.99")
    except InvalidSpecifier:
        return True


def _licence(head: Message) -> str | None:
    stated = str(head.get("License-Expression") or head.get("License") or "")
    if not stated.strip() or len(stated) > 200:
        # Older packages say it by a classifier, or give the whole text of the licence.
        named = [str(one) for one in head.get_all("Classifier", ()) if "License ::" in str(one)]
        stated = " AND ".join(one.rpartition(" :: ")[2] for one in named) or stated
    first = stated.strip().splitlines()[0][:120] if stated.strip() else None
    return first if first and first.isprintable() else None


def _file_name(url: str) -> str:
    return unquote(urlsplit(url).path).rsplit("/", 1)[-1]
