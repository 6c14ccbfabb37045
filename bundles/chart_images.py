"""The images that a Helm chart names, found in its values and templates without running it.

A chart is read as a hostile archive: in memory, bounded, ordinary files only. What is found is
what the chart brings with its own values and those that a recipe's line lays over them; what is
turned off (`enabled: false`, or a condition of a chart inside it) counts for nothing.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import yaml

from bundles.problems import HostileBundle
from bundles.reference import parse_reference
from foundation.problems import InputProblem

_MOST_BYTES: Final = 256 * 1024 * 1024
_MOST_FILES: Final = 20_000
_MOST_VALUES: Final = 1_000_000
_DEEPEST: Final = 8
"""Charts inside charts."""
_TEMPLATE_IMAGE: Final = re.compile(
    r"""^[ \t]*(?:-[ \t]+)?image:[ \t]+["']?([^\s"'{}#]+)["']?[ \t]*$""", re.M
)
_COMPUTED_IMAGE: Final = re.compile(r"^\s*-?\s*image:\s*[^\n]*\{\{([^\n]*)", re.M)
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class ChartContents:
    """What a chart says of itself, and the images that it names."""

    name: str
    version: str
    metadata: dict[str, Any]
    images: tuple[str, ...]
    unread: tuple[str, ...]
    """Templates whose image is computed from no value that was understood."""


def read_chart(path: Path, *, where: str, values: Mapping[str, Any] | None = None) -> ChartContents:
    """Read a packaged chart; raises HostileBundle for an archive that no chart is.

    `values` are laid over the chart's own, as `helm install --values` does. Charts inside it that
    their condition turns off count for nothing.
    """
    with path.open("rb") as file:
        return read_chart_file(file, where=where, values=values)


def read_chart_file(
    file: BinaryIO, *, where: str, values: Mapping[str, Any] | None = None
) -> ChartContents:
    """The same for a file that is open already."""
    files: dict[str, bytes] = {}
    _unpack(file, files, "", where, depth=0)
    roots = sorted(
        (name for name in files if name.endswith("/Chart.yaml")), key=lambda name: name.count("/")
    )
    if not roots:
        raise HostileBundle("it holds no Chart.yaml", where=where)
    metadata = _yaml(files[roots[0]], where)
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise HostileBundle("its Chart.yaml names no chart", where=where)
    reading = _Reading(files, roots, where)
    reading.chart(roots[0].removesuffix("Chart.yaml"), dict(values or {}), {})
    return ChartContents(
        name=metadata["name"],
        version=str(metadata.get("version", "")),
        metadata={key: value for key, value in metadata.items() if _plain(value)},
        images=tuple(sorted(reading.images)),
        unread=tuple(reading.unread),
    )


def _unpack(file: Any, files: dict[str, bytes], prefix: str, where: str, *, depth: int) -> None:
    try:
        # Helm writes an extra field into gzip's header, which tarfile's own reader stumbles over.
        with (
            gzip.GzipFile(fileobj=file, mode="rb") as unpacked,
            tarfile.open(fileobj=unpacked, mode="r|") as tar,
        ):
            for member in tar:
                parts = member.name.split("/")
                if member.isdir():
                    continue
                if not member.isreg() or member.name.startswith("/") or ".." in parts:
                    raise HostileBundle(f"{member.name[:100]!r} leaves the chart", where=where)
                used = sum(map(len, files.values()))
                if used + member.size > _MOST_BYTES or len(files) >= _MOST_FILES:
                    raise HostileBundle("unpacked it would be too large for a chart", where=where)
                content = tar.extractfile(member)
                raw = content.read() if content else b""
                inner = prefix + member.name
                if inner in files:
                    raise HostileBundle(f"{member.name[:100]!r} stands in it twice", where=where)
                if len(parts) > 2 and parts[-2] == "charts" and inner.endswith(".tgz"):
                    if depth >= _DEEPEST:
                        raise HostileBundle("charts are in charts without end", where=where)
                    folder = inner.rpartition("/")[0] + "/"
                    _unpack(io.BytesIO(raw), files, folder, where, depth=depth + 1)
                elif inner.endswith((".yaml", ".yml", ".tpl")):
                    files[inner] = raw
    except (tarfile.TarError, zlib.error, OSError, EOFError, ValueError) as error:
        raise HostileBundle(f"it cannot be unpacked: {error}", where=where) from error


class _Reading:
    """A chart and the charts inside it, each with the values that it would be given."""

    def __init__(self, files: dict[str, bytes], roots: list[str], where: str) -> None:
        self._files = files
        self._where = where
        self._folders = [root.removesuffix("Chart.yaml") for root in roots]
        self.images: set[str] = set()
        self.unread: list[str] = []

    def chart(self, folder: str, given: dict[str, Any], shared: Any, depth: int = 0) -> None:
        """Note the images of a chart and of those inside it that are turned on."""
        if depth > _DEEPEST:
            raise HostileBundle("charts are in charts without end", where=self._where)
        described = self._mapping(f"{folder}Chart.yaml")
        values = _laid_over(self._mapping(f"{folder}values.yaml"), given)
        if isinstance(shared, dict) and shared:
            values["global"] = _laid_over(_as_mapping(values.get("global")), shared)
        inside = self._inside(folder, described)
        names = {name for _, name, _ in inside}
        version = str(described.get("appVersion") or "")
        own = {key: value for key, value in values.items() if key not in names}
        found = set(_in_values(own, version)) | self._literal(folder)
        for candidate in found:
            try:
                self.images.add(str(parse_reference(candidate)))
            except InputProblem:
                continue
        if not found:
            self.unread += self._computed(folder)
        for below, name, condition in inside:
            if _turned_on(condition, values):
                passed = _as_mapping(values.get(name))
                self.chart(below, passed, values.get("global"), depth + 1)

    def _inside(self, folder: str, described: dict[str, Any]) -> list[tuple[str, str, str]]:
        """Folder, name among the values, and condition of every chart right inside another."""
        listed = described.get("dependencies")
        if not isinstance(listed, list):
            listed = self._mapping(f"{folder}requirements.yaml").get("dependencies")
        wanted = [one for one in listed or [] if isinstance(one, dict)] if listed else []
        found = []
        below = [
            f
            for f in self._folders
            if re.fullmatch(f"{re.escape(folder)}charts/(?:[^/]+/){{1,2}}", f)
        ]
        for one in below:
            inner = self._mapping(f"{one}Chart.yaml")
            name = str(inner.get("name") or "")
            # One chart may stand in the list several times, under other names.
            uses = [use for use in wanted if use.get("name") == name]
            for use in uses or [{}]:
                label = str(use.get("alias") or name)
                found.append((one, label, str(use.get("condition") or "")))
        return found

    def _literal(self, folder: str) -> set[str]:
        return {
            found
            for name in self._templates(folder)
            for found in _TEMPLATE_IMAGE.findall(self._files[name].decode("utf-8", "replace"))
        }

    def _computed(self, folder: str) -> list[str]:
        return [
            name
            for name in self._templates(folder)
            if _COMPUTED_IMAGE.search(self._files[name].decode("utf-8", "replace"))
        ]

    def _templates(self, folder: str) -> list[str]:
        return [name for name in self._files if name.startswith(f"{folder}templates/")]

    def _mapping(self, name: str) -> dict[str, Any]:
        return _as_mapping(_yaml(self._files.get(name, b""), self._where))


def _as_mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}


def _laid_over(below: dict[str, Any], above: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(value, dict) and isinstance(under, dict) and depth < 50:
            merged[key] = _laid_over(under, value, depth + 1)
        else:
            merged[key] = value
    return merged


def _turned_on(condition: str, values: Mapping[str, Any]) -> bool:
    # Of several paths the first that leads to yes or no counts; without any, it is on.
    for path in condition.split(","):
        found: Any = values
        for word in path.strip().split("."):
            found = found.get(word) if isinstance(found, Mapping) else None
        if isinstance(found, bool):
            return found
    return True


def images_of_manifest(text: str) -> tuple[str, ...]:
    """The images that a file of Kubernetes objects names, in full."""
    found = set()
    for candidate in _TEMPLATE_IMAGE.findall(text):
        try:
            found.add(str(parse_reference(candidate)))
        except InputProblem:
            continue
    return tuple(sorted(found))


def _in_values(value: Any, app_version: str, depth: int = 0) -> Iterator[str]:
    if depth > 50:
        return
    if isinstance(value, str) and "\n" in value:
        # A piece of a template, such as containers that a chart takes in as they are written.
        yield from _TEMPLATE_IMAGE.findall(value)
    if isinstance(value, list):
        for one in value:
            yield from _in_values(one, app_version, depth + 1)
        return
    if not isinstance(value, Mapping) or (depth and value.get("enabled") is False):
        return
    whole = _image_in(value, app_version)
    if whole:
        yield whole
    for key, one in value.items():
        if isinstance(one, str) and str(key).lower().endswith("image") and _looks_whole(one):
            yield one
        yield from _in_values(one, app_version, depth + 1)


def _image_in(value: Mapping[Any, Any], app_version: str) -> str | None:
    repository = value.get("repository")
    if not isinstance(repository, str) or "://" in repository or not repository:
        return None
    if not {"tag", "digest", "registry", "pullPolicy"} & set(value):
        return None
    registry = value.get("registry")
    name = f"{registry}/{repository}" if isinstance(registry, str) and registry else repository
    tag, digest = value.get("tag"), value.get("digest")
    if isinstance(digest, str) and digest.startswith("sha256:"):
        return f"{name}:{tag}@{digest}" if tag else f"{name}@{digest}"
    label = str(tag) if isinstance(tag, (str, int, float)) and tag != "" else app_version
    return f"{name}:{label}" if label else name


def _looks_whole(text: str) -> bool:
    return bool(re.fullmatch(r"[a-z0-9][a-z0-9._/:-]*[/:][A-Za-z0-9._@:/-]+", text))


def _yaml(raw: bytes, where: str) -> Any:
    try:
        value = yaml.load(raw, Loader=_LOADER)  # noqa: S506 - the safe loader, in C
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise HostileBundle("a file of the chart is not YAML", where=where) from error
    if is_bomb(value):
        raise HostileBundle("a file of the chart unfolds to too much", where=where)
    return value


def is_bomb(value: Any) -> bool:
    """Whether a value unfolds, through YAML's aliases, to more than a person ever wrote."""
    open_ends = [value]
    for _ in range(_MOST_VALUES):
        if not open_ends:
            return False
        one = open_ends.pop()
        if isinstance(one, dict):
            open_ends += one.values()
        elif isinstance(one, list):
            open_ends += one
    return True


def _plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _plain(one) for key, one in value.items())
    if isinstance(value, list):
        return all(map(_plain, value))
    return value is None or isinstance(value, (str, bool, int))
