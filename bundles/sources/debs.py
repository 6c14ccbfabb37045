"""Debian packages with all that they depend on: apt is the solver, in a root of its own.

That root is empty and belongs to the release that is wanted, so the result is everything that a
machine could lack, whatever this machine runs. apt checks the signature of the sources; the
packages themselves are fetched by the hashes that those signed indexes state.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from bundles.format.layout import Item
from bundles.format.problems import SourceProblem
from bundles.format.recipe import AptSource, DebsWanted
from bundles.format.untold import some_names
from bundles.registries.web_answers import shown
from bundles.sources.deb_licence import licence_of_deb
from bundles.sources.deb_needs import fetches_of_deb, names_of, unmet
from bundles.sources.keyrings import keyring_folder, place_keyring
from bundles.sources.way_out import apt_way_out
from bundles.sources.workshop import (
    Locked,
    ProgramFailed,
    Ran,
    Workshop,
    address,
    pin,
    run_and_hear,
)
from foundation.isolation import child_environment

_ATTEMPTS: Final = 3
"""Times that silent sources are asked."""
_OWN_SETTINGS: Final = 'Dir::Etc::main "/dev/null";\nDir::Etc::parts "/dev/null";\n'
_SHIPPED: Final = Path(__file__).parent.parent / "keyrings"
_SYSTEM: Final = Path("/usr/share/keyrings")
_URI: Final = re.compile(r"'([^'\s]+)' (\S+) ([0-9]+) (\S*)")
_FIELD: Final = re.compile(r"^([A-Za-z][A-Za-z-]*): (.*)$", re.M)
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
            path = shop.store.path(blob.digest)
            licence = await asyncio.to_thread(licence_of_deb, path)
            fetches = None
            try:
                if not pinned:
                    fetches = await asyncio.to_thread(fetches_of_deb, path)
            except SourceProblem as problem:
                shop.tell(
                    f"the package {deb.name} of {wanted.release}",
                    f"what it fetches when it is installed cannot be told: {problem.cause}",
                )
        if fetches:
            # A package that stands for a snap is nothing but its call of `snap install`.
            script, program = fetches
            shop.tell(
                f"the package {deb.name} of {wanted.release}",
                f"its {script} runs {program} when it is installed, which a machine without a way "
                "out cannot",
                "untold" if program == "snap install" else "perhaps",
            )
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
    words = _make_root(root.resolve(), wanted)
    with keyring_folder(root.resolve()) as folder:
        await asyncio.to_thread(_write_sources, root, wanted, shop.recipe_folder, folder)
        apt = _Apt(shop, root, (*words, *await apt_way_out(shop)), what)
        await apt.update()
        action = "install" if wanted.depends else "download"
        printed = await apt.ask(
            *("apt-get", "-qq", "--no-install-recommends", "--print-uris"),
            *(action, "--", *wanted.packages),
        )
        found = []
        names = []
        for url, file, size, _ in _URI.findall(printed):
            # apt writes pkg_1%3a2.0_amd64.deb: the version's colon is encoded.
            parts = unquote(file).removesuffix(".deb").split("_", 2)
            if len(parts) != 3:
                raise SourceProblem(f"apt names a file {unquote(file)[:80]!r}", where=what)
            name, version, architecture = parts
            names.append((name, version))
            found.append((url, unquote(file), int(size), name, version, architecture))
        if not found:
            raise SourceProblem("apt finds nothing to fetch", where=what)
        shown = await apt.ask("apt-cache", "show", "--", *(f"{n}={v}" for n, v in names))
    _tell_what_is_left(shop, wanted, _records(shown))
    hashes = _hashes(shown)
    debs = []
    for url, file, size, name, version, architecture in found:
        sha256 = hashes.get((name, version, architecture)) or hashes.get((name, version, "all"))
        if sha256 is None:
            raise SourceProblem(f"the source states no SHA-256 of {name} {version}", where=what)
        debs.append(_Deb(name, version, architecture, url, file, size, sha256))
    return debs


def _tell_what_is_left(
    shop: Workshop, wanted: DebsWanted, records: Sequence[Mapping[str, str]]
) -> None:
    """Say what packages name that is not brought with them."""
    there = names_of(records)
    asked = {re.split("[:=]", package)[0] for package in wanted.packages}
    for record in records:
        name = record.get("Package", "")
        of = f"the package {name} of {wanted.release}"
        needed = (
            ()
            if wanted.depends
            else (*unmet(record, "Pre-Depends", there), *unmet(record, "Depends", there))
        )
        if needed:
            shop.tell(
                of,
                f"it depends on {some_names(needed)}, left out as the recipe says "
                "(depends: false); the machine must have it",
                "perhaps",
            )
        wished = unmet(record, "Recommends", there) if name in asked else ()
        if wished:
            shop.tell(
                of,
                f"it recommends {some_names(wished)}, which is not brought; name it under "
                "`packages` where the site uses it",
                "note",
            )


@dataclass(frozen=True, slots=True)
class _Apt:
    """apt with a configuration, an environment and a root of its own."""

    shop: Workshop
    root: Path
    options: tuple[str, ...]
    what: str
    heard: list[str] = field(default_factory=list)
    """What apt complained of while it asked the sources."""

    async def update(self) -> None:
        """Ask every source; one that does not answer is a failure, however apt sees it."""
        patience = self.shop.web.patience
        for attempt in range(1, min(patience.attempts, _ATTEMPTS) + 1):
            try:
                # Quiet, apt keeps to itself that a source has no such architecture.
                ran = await self._run("apt-get", "-o", "quiet=0", "update")
            except ProgramFailed as problem:
                silent = silent_source(problem.words, self.what)
                if silent is None:
                    raise
            else:
                silent = silent_source(ran.complaints, self.what)
                if silent is None:
                    self._tell(ran)
                    return
            if silent.certain or attempt == min(patience.attempts, _ATTEMPTS):
                raise silent
            await asyncio.sleep(min(patience.first_pause * 2**attempt, patience.longest_pause))

    async def ask(self, program: str, *words: str) -> str:
        """What apt answers; its complaints are told."""
        try:
            ran = await self._run(program, *words)
        except ProgramFailed as problem:
            if not any(_NOT_THERE.search(line) for line in problem.words):
                raise
            heard = "".join(f"; apt said before: {line[:300]}" for line in self.heard[:3])
            raise SourceProblem(
                f"{problem.cause}{heard}",
                where=self.what,
                remedy="Check the package's name and version, and whether the sources of the "
                "recipe have it: their suites, components and the architecture.",
            ) from problem
        self._tell(ran)
        return ran.output

    async def _run(self, program: str, *words: str) -> Ran:
        settings = self.root / "etc" / "apt.conf"
        return await run_and_hear(
            [program, *self.options, *words],
            what=self.what,
            surroundings=child_environment(
                "apt", {"APT_CONFIG": str(settings), "HOME": str(self.root)}
            ),
            cwd=self.root,
        )

    def _tell(self, ran: Ran) -> None:
        for line in ran.complaints:
            if line.startswith("N: ") and "Skipping acquire" not in line:
                continue  # on how apt works
            # Where this bundle is made is no part of it.
            said = line.replace(str(self.root.resolve()), "").replace(str(self.root), "")
            self.heard.append(said)
            self.shop.tell(self.what, f"apt says: {said}", "note")


_NOT_THERE: Final = re.compile(
    r"E: (?:Unable to locate package|Package '.*' has no installation candidate"
    r"|Version '.*' for '.*' was not found)"
)
_STALE: Final = re.compile(r"[WE]: Release file for (\S+) is (expired|not valid yet)")
_SILENT: Final = re.compile(r"[WE]: Failed to fetch (\S+)\s*(.*)")
_UNSIGNED: Final = re.compile(
    r"[WE]: (?:GPG error: |An error occurred during the signature verification.*?GPG error: )"
    r"(\S+) .*?: (.*)"
)
_OLD_INDEXES: Final = ("Some index files failed to download",)


class SilentSource(SourceProblem):
    """A package source that could not be asked; `certain` where asking again changes nothing."""

    certain = False


class UnsignedSource(SilentSource):
    """A package source whose signature is not of the key that is meant for it, or not of today."""

    certain = True


def silent_source(words: Sequence[str], what: str) -> SilentSource | None:
    """The problem of a package source that could not be asked, from apt's own words."""
    for line in words:
        unsigned = _UNSIGNED.match(line)
        if unsigned:
            return UnsignedSource(
                f"apt-get failed: the source {shown(unsigned[1])} is not signed with the keyring "
                f"that is meant for it: {unsigned[2][:300]}",
                where=what,
                remedy="Put the key of whoever makes the packages beside the recipe and name it "
                "(keyring: FILE); their page says where it is.",
            )
        if stale := _STALE.match(line):
            return UnsignedSource(
                f"apt-get failed: {line[3:300]}",
                where=what,
                remedy="See whether this machine's clock is right (date). If it is, the source is "
                "a mirror that nobody renews: name another one of it, or its maker's own."
                if stale[2] == "expired"
                else "This machine's clock is behind: set it, and run the same command again.",
            )
    silent = {shown(found[1]): found[2] for line in words if (found := _SILENT.match(line))}
    if silent:
        causes = "; ".join(f"{url}: {why[:200]}" for url, why in silent.items())
        return SilentSource(
            f"apt-get failed: a package source could not be asked, so what it has would be "
            f"missing ({causes[:600]})",
            where=what,
            remedy="Run the same command again when it answers, name a mirror of it, or take it "
            "out of the recipe.",
        )
    if any(mark in line for line in words for mark in _OLD_INDEXES):
        return SilentSource(f"apt-get failed: {'; '.join(words)[:600]}", where=what)
    return None


def _records(shown: str) -> list[dict[str, str]]:
    """What apt-cache shows, a mapping for each package."""
    return [dict(_FIELD.findall(record)) for record in shown.split("\n\n") if record.strip()]


def _hashes(shown: str) -> dict[tuple[str, str, str], str]:
    hashes = {}
    for record in shown.split("\n\n"):
        fields = dict(_CONTROL.findall(record))
        sha256 = fields.get("SHA256", "")
        if re.fullmatch(r"[0-9a-f]{64}", sha256):
            key = (fields.get("Package", ""), fields.get("Version", ""), fields["Architecture"])
            hashes[key] = sha256
    return hashes


def _make_root(root: Path, wanted: DebsWanted) -> tuple[str, ...]:
    for name in ("lists/partial", "cache/archives/partial", "etc/preferences.d", "etc/parts"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "status").touch()
    (root / "extended_states").touch()
    # Read before anything of this machine's own: its apt.conf and apt.conf.d count for nothing.
    (root / "etc" / "apt.conf").write_text(_OWN_SETTINGS, encoding="utf-8")
    settings = {
        "Dir": str(root),
        "Dir::Etc": str(root / "etc"),
        "Dir::Etc::main": "/dev/null",
        "Dir::Etc::parts": "/dev/null",
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
        # Asking again is done here: apt 2.6 hangs where it asks one host again beside another.
        "Acquire::Retries": "0",
        "APT::Sandbox::User": "",
        "APT::Update::Error-Mode": "any",
        "Debug::NoLocking": "true",
    }
    return tuple(word for key, value in settings.items() for word in ("-o", f"{key}={value}"))


def _write_sources(root: Path, wanted: DebsWanted, recipe_folder: Path, keys: Path) -> None:
    lines = [_source_lines(source, recipe_folder, keys) for source in wanted.sources]
    (root / "etc" / "sources.list").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _source_lines(source: AptSource, folder: Path, keys: Path | None = None) -> str:
    """The lines of sources.list for a source; its keys are laid where apt takes them."""
    keyrings = _keyrings(source, folder)
    placed = [place_keyring(keyring, keys) if keys else keyring for keyring in keyrings]
    signed_by = ",".join(map(str, placed))
    lines = []
    for suite in source.suites:
        components = "" if suite.endswith("/") else f" {' '.join(source.components)}"
        lines.append(f"deb [signed-by={signed_by}] {source.url} {suite}{components}")
    return "\n".join(lines)


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
