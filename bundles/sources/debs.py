"""Debian packages with all that they depend on: apt is the solver, in a root of its own.

That root is empty and belongs to the release that is wanted, so the result is everything that a
machine could lack, whatever this machine runs. apt checks the signature of the sources; the
packages themselves are fetched by the hashes that those signed indexes state.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from bundles.layout import Item
from bundles.problems import SourceProblem
from bundles.recipe import AptSource, DebsWanted
from bundles.sources.deb_licence import licence_of_deb
from bundles.sources.workshop import Locked, Workshop, address, pin, run_program
from foundation.problems import InputProblem

_SHIPPED: Final = Path(__file__).parent.parent / "keyrings"
_SYSTEM: Final = Path("/usr/share/keyrings")
_URI: Final = re.compile(r"'([^'\s]+)' (\S+) ([0-9]+) (\S*)")
_CONTROL: Final = re.compile(r"^(Package|Version|Architecture|SHA256|Filename|Size): (.+)$", re.M)


@dataclass(frozen=True, slots=True)
class _Deb:
    name: str
    version: str
    architecture: str
    url: str
    file: str
    size: int
    sha256: str


async def gather_debs(shop: Workshop, wanted: DebsWanted, locked: Locked) -> list[Item]:
    """Bring packages and their whole closure for one release; raises SourceProblem."""
    pinned = [item for item in locked if item.kind == "deb" and item.content]
    if pinned:
        debs = [
            _Deb(
                name=item.name,
                version=item.version or "",
                architecture=pin(item, "architecture"),
                url=pin(item, "url"),
                file=pin(item, "file"),
                size=item.content_size,
                sha256=(item.content or "").removeprefix("sha256:"),
            )
            for item in pinned
        ]
    else:
        async with shop.programs:
            debs = await _solve(shop, wanted)

    async def one(deb: _Deb) -> Item:
        blob = await shop.fetch_file([deb.url], deb.sha256, deb.size)
        async with shop.programs:
            licence = await asyncio.to_thread(licence_of_deb, shop.store.path(blob.digest))
        return shop.artifact(
            "deb",
            [(deb.file, blob)],
            name=deb.name,
            version=deb.version,
            origin=address(deb.url),
            licence=licence,
            pins={
                "architecture": deb.architecture,
                "file": deb.file,
                "release": wanted.release,
                "url": deb.url,
            },
        )

    return list(await asyncio.gather(*(one(deb) for deb in debs)))


async def _solve(shop: Workshop, wanted: DebsWanted) -> list[_Deb]:
    root = shop.store.work / "apt" / wanted.key.removeprefix("sha256:")[:16]
    what = f"packages of {wanted.release}"
    options = _make_root(root.resolve(), wanted, shop.recipe_folder)
    await run_program(["apt-get", *options, "-qq", "update"], what=what, cwd=root)
    action = "install" if wanted.depends else "download"
    printed = await run_program(
        [
            *("apt-get", *options, "-qq", "--no-install-recommends", "--print-uris"),
            *(action, "--", *wanted.packages),
        ],
        what=what,
        cwd=root,
    )
    found = []
    names = []
    for url, file, size, _ in _URI.findall(printed):
        # apt writes pkg_1%3a2.0_amd64.deb: the version's colon is encoded.
        name, version, architecture = unquote(file).removesuffix(".deb").split("_", 2)
        names.append((name, version))
        found.append((url, unquote(file), int(size), name, version, architecture))
    if not found:
        raise SourceProblem("apt finds nothing to fetch", where=what)
    hashes = await _hashes(options, names, what, root)
    debs = []
    for url, file, size, name, version, architecture in found:
        sha256 = hashes.get((name, version, architecture)) or hashes.get((name, version, "all"))
        if sha256 is None:
            raise SourceProblem(f"the source states no SHA-256 of {name} {version}", where=what)
        debs.append(_Deb(name, version, architecture, url, file, size, sha256))
    return debs


async def _hashes(
    options: list[str], names: list[tuple[str, str]], what: str, root: Path
) -> dict[tuple[str, str, str], str]:
    shown = await run_program(
        ["apt-cache", *options, "show", "--", *(f"{name}={version}" for name, version in names)],
        what=what,
        cwd=root,
    )
    hashes = {}
    for record in shown.split("\n\n"):
        fields = dict(_CONTROL.findall(record))
        sha256 = fields.get("SHA256", "")
        if re.fullmatch(r"[0-9a-f]{64}", sha256):
            key = (fields.get("Package", ""), fields.get("Version", ""), fields["Architecture"])
            hashes[key] = sha256
    return hashes


def _make_root(root: Path, wanted: DebsWanted, folder: Path) -> list[str]:
    for name in ("lists/partial", "cache/archives/partial", "etc/preferences.d", "etc/parts"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "status").touch()
    (root / "extended_states").touch()
    sources = "\n".join(_source_lines(source, folder) for source in wanted.sources)
    (root / "etc" / "sources.list").write_text(sources + "\n", encoding="utf-8")
    settings = {
        "Dir": str(root),
        "Dir::Etc": str(root / "etc"),
        "Dir::Etc::sourcelist": str(root / "etc" / "sources.list"),
        "Dir::Etc::sourceparts": str(root / "etc" / "parts"),
        "Dir::Etc::preferences": str(root / "etc" / "preferences"),
        "Dir::Etc::preferencesparts": str(root / "etc" / "preferences.d"),
        "Dir::Etc::trustedparts": str(root / "etc" / "parts"),
        "Dir::State": str(root),
        "Dir::State::status": str(root / "status"),
        "Dir::State::lists": str(root / "lists"),
        "Dir::Cache": str(root / "cache"),
        "Dir::Log": str(root),
        "APT::Architecture": wanted.architecture,
        "APT::Architectures": wanted.architecture,
        "APT::Get::AllowUnauthenticated": "false",
        "Acquire::AllowInsecureRepositories": "false",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "APT::Sandbox::User": "",
        "Debug::NoLocking": "true",
    }
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def _source_lines(source: AptSource, folder: Path) -> str:
    keyrings = _keyrings(source, folder)
    for keyring in keyrings:
        if not keyring.is_file():
            raise InputProblem(
                "there is no such keyring to check the source's signature with",
                where=str(keyring),
                remedy="Name the archive's keyring in the recipe (keyring: FILE).",
            )
        if re.search(r"[\s\]\[,]", str(keyring)):
            raise InputProblem(
                "apt takes no keyring whose path has spaces, commas or brackets",
                where=str(keyring),
            )
    signed_by = ",".join(map(str, keyrings))
    components = " ".join(source.components)
    return "\n".join(
        f"deb [signed-by={signed_by}] {source.url} {suite} {components}" for suite in source.suites
    )


def _keyrings(source: AptSource, folder: Path) -> list[Path]:
    """The recipe's keyring, else that of the distribution which the address names.

    This machine's own is newer than the one that Sitewright ships; an address that names neither
    distribution may be a mirror of either.
    """
    if source.keyring:
        return [(folder / source.keyring).resolve()]
    named = [name for name in ("ubuntu", "debian") if name in source.url.lower()]
    found = []
    for name in named or ["ubuntu", "debian"]:
        file = f"{name}-archive-keyring.gpg"
        own = _SYSTEM / file
        found.append(own if own.is_file() else _SHIPPED / file)
    return found
