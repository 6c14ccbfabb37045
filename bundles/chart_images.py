"""The images that a Helm chart names, found in its values and templates without running it.

A chart is read as a hostile archive: in memory, bounded, ordinary files only. What is found is
what the chart brings by default; values that a site sets otherwise need their own line in a recipe.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from bundles.problems import HostileBundle
from bundles.reference import parse_reference
from foundation.problems import InputProblem

_MOST_BYTES: Final = 256 * 1024 * 1024
_MOST_FILES: Final = 20_000
_DEEPEST: Final = 8
"""Charts inside charts."""
_TEMPLATE_IMAGE: Final = re.compile(r"""^\s*-?\s*image:\s*["']?([^\s"'{}#]+)["']?\s*$""", re.M)
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


def read_chart(path: Path, *, where: str) -> ChartContents:
    """Read a packaged chart; raises HostileBundle for an archive that no chart is."""
    files: dict[str, bytes] = {}
    with path.open("rb") as file:
        _unpack(file, files, "", where, depth=0)
    roots = sorted(
        (name for name in files if name.endswith("/Chart.yaml")), key=lambda name: name.count("/")
    )
    if not roots:
        raise HostileBundle("it holds no Chart.yaml", where=where)
    metadata = _yaml(files[roots[0]], where)
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise HostileBundle("its Chart.yaml names no chart", where=where)
    images: set[str] = set()
    unread: list[str] = []
    for root in roots:
        folder = root.removesuffix("Chart.yaml")
        images |= _images_of(folder, files, roots, where)
        own = [n for n in files if n.startswith(f"{folder}templates/")]
        if not images:
            unread += [
                n for n in own if _COMPUTED_IMAGE.search(files[n].decode("utf-8", "replace"))
            ]
    return ChartContents(
        name=metadata["name"],
        version=str(metadata.get("version", "")),
        metadata={key: value for key, value in metadata.items() if _plain(value)},
        images=tuple(sorted(images)),
        unread=tuple(unread),
    )


def _unpack(file: Any, files: dict[str, bytes], prefix: str, where: str, *, depth: int) -> None:
    try:
        with tarfile.open(fileobj=file, mode="r|gz") as tar:
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
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise HostileBundle(f"it cannot be unpacked: {error}", where=where) from error


def _images_of(folder: str, files: dict[str, bytes], roots: list[str], where: str) -> set[str]:
    chart = _yaml(files[f"{folder}Chart.yaml"], where)
    version = str(chart.get("appVersion") or "") if isinstance(chart, dict) else ""
    candidates = set(_in_values(_yaml(files.get(f"{folder}values.yaml", b""), where), version))
    deeper = [r.removesuffix("Chart.yaml") for r in roots if r.startswith(folder) and r != folder]
    for name, raw in files.items():
        if name.startswith(f"{folder}templates/") and not any(
            name.startswith(other) for other in deeper if other != folder
        ):
            candidates |= set(_TEMPLATE_IMAGE.findall(raw.decode("utf-8", "replace")))
    found = set()
    for candidate in candidates:
        try:
            found.add(str(parse_reference(candidate)))
        except InputProblem:
            continue
    return found


def _in_values(value: Any, app_version: str, depth: int = 0) -> Iterator[str]:
    if depth > 50:
        return
    if isinstance(value, list):
        for one in value:
            yield from _in_values(one, app_version, depth + 1)
        return
    if not isinstance(value, Mapping):
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
        return yaml.load(raw, Loader=_LOADER)  # noqa: S506 - the safe loader, in C
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise HostileBundle("a file of the chart is not YAML", where=where) from error


def _plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _plain(one) for key, one in value.items())
    if isinstance(value, list):
        return all(map(_plain, value))
    return value is None or isinstance(value, (str, bool, int))
