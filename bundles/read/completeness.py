"""What a bundle lacks, told before it moves: against the recipe, its charts, and the machines.

The recipe says what was asked for; the charts and manifests in the bundle name images themselves;
the machines have a release and an architecture. Everything here is worked out from the index and
the small files that it leads to, so it takes a moment, whatever the bundle's size.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from bundles.format import budgets, media
from bundles.format.layout import BundleIndex, Item
from bundles.format.lock import LOCK_LIMIT, LOCK_RECORD, Lock
from bundles.format.platforms import runs_on
from bundles.format.problems import HostileBundle
from bundles.format.recipe import ChartWanted, Recipe
from bundles.format.reference import parse_reference
from bundles.format.strict_json import parse_model
from bundles.format.untold import Untold, told
from bundles.manifests.chart_images import images_of_manifest, read_chart_file
from bundles.read.opened import Bundle, read_small
from bundles.read.structure import Structure

_NAMED_LIMIT: Final = budgets.NAMING_BYTES
"""Bytes of a chart or a manifest that is looked into."""
_RELEASES: Final[Mapping[tuple[str, str], str]] = {
    ("debian", "11"): "bullseye",
    ("debian", "12"): "bookworm",
    ("debian", "13"): "trixie",
    ("ubuntu", "22.04"): "jammy",
    ("ubuntu", "24.04"): "noble",
    ("ubuntu", "26.04"): "resolute",
}
_ARCHITECTURES: Final[Mapping[str, str]] = {
    "aarch64": "arm64",
    "arm64": "arm64",
    "amd64": "amd64",
    "x86_64": "amd64",
}


@dataclass(frozen=True, slots=True)
class Target:
    """A machine that the bundle is for, or any machine of a kind that the solution asks for."""

    name: str
    release: str | None = None
    """Its code name, as package sources have it: noble; None where it is not known."""
    architecture: str | None = None
    """As Debian names it: amd64."""
    free_bytes: int | None = None
    """Where supplies are put; None where it is not known."""


def release_name(system: str, version: str) -> str | None:
    """The code name of a release by `ID` and `VERSION_ID` of os-release; None if unknown."""
    return _RELEASES.get((system, version))


def architecture_name(machine: str) -> str | None:
    """An architecture that uname tells, as Debian and containers name it; None if unknown."""
    return _ARCHITECTURES.get(machine)


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that is not in the bundle."""

    kind: str
    name: str
    by: str
    """Who needs it, as it follows "needed by": the recipe, the chart ceph-csi-rbd, w1."""
    remedy: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}, needed by {self.by}"


@dataclass(frozen=True, slots=True)
class Named:
    """The images that a chart or a manifest in the bundle names."""

    by: str
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a bundle has, ready to be asked."""

    index: BundleIndex
    named: tuple[Named, ...] = ()
    untold: tuple[Untold, ...] = ()
    """What could not be told when it was made, by its lock."""

    def of(self, kind: str, name: str) -> tuple[Item, ...]:
        """The items of a kind and a name."""
        return tuple(item for item in self.index.of_kind(kind) if item.name == name)


def read_contents(bundle: Bundle, structure: Structure, recipe: Recipe | None = None) -> Contents:
    """What an open bundle has and names; raises HostileBundle for a chart that is none."""
    index = structure.index
    charts = {(line.name, line.version): line for line in recipe.charts} if recipe else {}
    manifests = {line.name: line.without for line in recipe.files if line.images} if recipe else {}
    named = []
    for item in index.of_kind(media.CHART):
        line = charts.get((item.name, item.version or ""))
        if line is not None and not line.images:
            continue
        named.append(Named(f"the chart {item.name}", _chart_images(bundle, item, structure, line)))
    for item in index.of_kind("file"):
        if item.name in manifests:
            raw = _content(bundle, item, structure)
            text = raw.decode("utf-8", "replace")
            images = _but(images_of_manifest(text, item.name), manifests[item.name])
            named.append(Named(f"the manifest {item.name}", images))
    return Contents(index, tuple(named), read_untold(bundle, structure))


def read_untold(bundle: Bundle, structure: Structure) -> tuple[Untold, ...]:
    """What could not be told when the bundle was made, by the lock that lies in it."""
    for item in structure.index.of_kind(media.RECORD):
        if item.name == LOCK_RECORD and item.content:
            raw = read_small(bundle, item.content, structure.blobs[item.content], LOCK_LIMIT)
            where = f"{bundle.path}, {item.name}"
            try:
                lock = parse_model(Lock, raw, where=where, limit=LOCK_LIMIT, problem=HostileBundle)
            except HostileBundle as problem:
                what = f"what could not be told when it was made is not known: {problem.cause}"
                return (told(f"the bundle's {LOCK_RECORD}", what),)
            return lock.all_untold
    return ()


def find_gaps(
    contents: Contents, recipe: Recipe | None = None, targets: Iterable[Target] = ()
) -> tuple[Gap, ...]:
    """Everything that a bundle lacks, once each, in the order of the questions.

    `recipe` is the solution's with the site's values and one environment; `targets` are the
    machines.
    """
    found: dict[tuple[str, str], Gap] = {}
    sources: list[Iterator[Gap]] = [_named_gaps(contents)]
    if recipe is not None:
        sources.insert(0, _recipe_gaps(contents, recipe))
    sources += [_snap_gaps(contents), _target_gaps(contents, tuple(targets))]
    for source in sources:
        for gap in source:
            found.setdefault((gap.kind, gap.name), gap)
    return tuple(found.values())


_AGAIN: Final = "Make the bundle again with: sitewright bundle create (what is there already stays)"


def _recipe_gaps(contents: Contents, recipe: Recipe) -> Iterator[Gap]:
    by = "the recipe"
    for image in recipe.images:
        yield from _image_gaps(contents, image.name, image.platforms or recipe.platforms, by)
    for chart in recipe.charts:
        if chart.version not in {i.version for i in contents.of(media.CHART, chart.name)}:
            yield Gap("chart", f"{chart.name} {chart.version}", by, _AGAIN)
    for file in recipe.files:
        if f"sha256:{file.sha256}" not in {i.content for i in contents.of("file", file.name)}:
            yield Gap("file", file.name, by, _AGAIN)
    for repository in recipe.git:
        if repository.ref not in {i.pins.get("ref") for i in contents.of("git", repository.name)}:
            yield Gap("git", f"{repository.name} at {repository.ref}", by, _AGAIN)
    for snap in recipe.snaps:
        if not _has_snap(contents, snap.name, snap.architecture, snap.revision):
            number = f" revision {snap.revision}" if snap.revision else ""
            yield Gap("snap", f"{snap.name}{number} for {snap.architecture}", by, _AGAIN)
    for debs in recipe.debs:
        there = _debs_of(contents, debs.release, debs.architecture)
        for package in debs.packages:
            name = re.split(r"[:=]", package)[0]
            if name not in there:
                yield Gap("deb", f"{name} for {debs.release} {debs.architecture}", by, _AGAIN)
    for wheels in recipe.wheels:
        for requirement in wheels.requirements:
            if not _has_wheel(contents, requirement, wheels.python):
                yield Gap("wheel", f"{requirement} for Python {wheels.python}", by, _AGAIN)
    for own in recipe.sitewright:
        for python in own.pythons:
            # Sitewright's own wheel is for every Python; one of its packages tells the rest.
            if not contents.of("wheel", "sitewright") or not _has_wheel(
                contents, "textual", python
            ):
                yield Gap("wheel", f"sitewright for Python {python}", by, _AGAIN)


def _named_gaps(contents: Contents) -> Iterator[Gap]:
    platforms = _platforms(contents)
    # What could not be had though only a guess led to it is told as that, and is no gap.
    told = {entry.image for entry in contents.untold}
    for named in contents.named:
        for image in named.images:
            if image in told:
                continue
            for gap in _image_gaps(contents, image, platforms, named.by):
                yield Gap(
                    gap.kind,
                    gap.name,
                    gap.by,
                    "Name the image in a recipe of your own and make the bundle again with --with "
                    "FILE; if the site does without it, name it under `without` for the chart.",
                )


def _image_gaps(contents: Contents, name: str, platforms: Iterable[str], by: str) -> Iterator[Gap]:
    wanted = parse_reference(name).name
    found = [item for item in contents.index.of_kind(media.IMAGE) if item.name == wanted]
    if not found:
        yield Gap("image", wanted, by, _AGAIN)
        return
    for platform in platforms:
        fits = (item.platform is None or runs_on(platform, item.platform) for item in found)
        if not any(fits):
            yield Gap("image", f"{wanted} for {platform}", by, _AGAIN)


def _snap_gaps(contents: Contents) -> Iterator[Gap]:
    for item in contents.index.of_kind("snap"):
        architecture = item.pins.get("architecture", "")
        base = item.pins.get("base") or ("core" if item.pins.get("type") == "app" else "")
        needed = [name for name in (base,) if name not in ("", "none", "bare")]
        if item.pins.get("type") == "app":
            needed.append("snapd")
        for name in needed:
            if name != item.name and not _has_snap(contents, name, architecture, None):
                yield Gap("snap", f"{name} for {architecture}", f"the snap {item.name}", _AGAIN)


def _target_gaps(contents: Contents, targets: tuple[Target, ...]) -> Iterator[Gap]:
    architectures = {platform.split("/")[1] for platform in _platforms(contents)}
    # Every closure has the C library, so packages for all architectures tell nothing.
    releases = {
        (item.pins.get("release", ""), item.pins.get("architecture", ""))
        for item in contents.index.of_kind("deb")
        if item.pins.get("architecture") != "all"
    }
    for target in targets:
        architecture = target.architecture
        if architecture and architectures and architecture not in architectures:
            yield Gap(
                "image",
                f"any for {architecture}",
                target.name,
                "Add the platform to the recipe's `platforms` and make the bundle again.",
            )
        fitting = {
            release for release, place in releases if architecture is None or place == architecture
        }
        if target.release and releases and target.release not in fitting:
            there = ", ".join(sorted({f"{release} {place}" for release, place in releases}))
            wanted = " ".join(filter(None, (target.release, architecture)))
            yield Gap(
                "deb",
                f"any for {wanted}",
                target.name,
                f"The bundle has packages for {there}. Add a line for {target.release} under "
                "`debs` in a recipe of your own, and make it again with --with FILE.",
            )
        need = contents.index.content_size
        if target.free_bytes is not None and need > target.free_bytes:
            yield Gap(
                "space",
                f"{need} bytes ({target.free_bytes} are free)",
                target.name,
                "Make room where supplies are put, or give the machine a larger disk; a machine "
                "is given only what it needs, so less may do.",
            )


def _has_snap(contents: Contents, name: str, architecture: str, revision: int | None) -> bool:
    return any(
        item.pins.get("architecture") == architecture
        and (revision is None or item.pins.get("revision") == str(revision))
        for item in contents.of("snap", name)
    )


def _has_wheel(contents: Contents, requirement: str, python: str) -> bool:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    wanted = _normal(found[0]) if found else ""
    return any(
        _normal(item.name) == wanted and item.platform in (None, f"python{python}")
        for item in contents.index.of_kind("wheel")
    )


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _debs_of(contents: Contents, release: str, architecture: str) -> set[str]:
    return {
        item.name
        for item in contents.index.of_kind("deb")
        if item.pins.get("release") == release
        and item.pins.get("architecture") in (architecture, "all")
    }


def _platforms(contents: Contents) -> tuple[str, ...]:
    return tuple(sorted({i.platform for i in contents.index.of_kind(media.IMAGE) if i.platform}))


def _chart_images(
    bundle: Bundle, item: Item, structure: Structure, line: ChartWanted | None
) -> tuple[str, ...]:
    raw = _content(bundle, item, structure)
    values: Mapping[str, Any] = line.values if line else {}
    where = f"{bundle.path}, chart {item.name}"
    images = read_chart_file(io.BytesIO(raw), where=where, values=values).images
    return _but(images, line.without if line else ())


def _but(images: Iterable[str], without: Iterable[str]) -> tuple[str, ...]:
    return tuple(i for i in images if not any(fnmatchcase(i, pattern) for pattern in without))


def _content(bundle: Bundle, item: Item, structure: Structure) -> bytes:
    if item.content is None:
        raise HostileBundle(f"{item.kind} {item.name} has no content", where=str(bundle.path))
    return read_small(bundle, item.content, structure.blobs[item.content], _NAMED_LIMIT)
