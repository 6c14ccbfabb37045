"""The images that a Helm chart names, found in its values and templates without running it.

What is found is what the chart brings with its own values and those that a recipe's line lays over
them; what is turned off (`enabled: false`, or the condition or the tags of a chart inside it)
counts for nothing. What is seen and not understood is told. Where Helm is there, `rendering` asks
it, and this is the second opinion.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from bundles.format.problems import HostileBundle
from bundles.manifests.chart_archive import DEEPEST, unpack_chart
from bundles.manifests.chart_templates import Templates, app_version_forms, literal_images
from bundles.manifests.gitops_forms import laid_over
from bundles.manifests.named_images import (
    ImagesNamed,
    image_parts,
    images_of_object,
    images_of_text,
    lines_with_images,
)
from bundles.manifests.operated import Operated, operated_in_template
from bundles.manifests.yaml_documents import helm_text, read_documents

_LIST: Final = "artifacthub.io/images"
_OWN_FILES: Final = re.compile(
    r"(?:templates|charts|crds|ci)/|values[^/]*\.(?:ya?ml|json)$|(?:Chart|requirements)\.yaml$"
)
"""What a chart's templates do not take in by `.Files`."""
_CHARTS_NAMED: Final = re.compile(
    r"^kind:[ \t]*[\"']?(Application|ApplicationSet|HelmRelease|HelmChart)[\"']?[ \t\r]*(?:#.*)?$",
    re.M,
)
_OTHER_THAN_CRD: Final = re.compile(r"^kind:(?![ \t]*[\"']?CustomResourceDefinition\b)", re.M)
_SCHEMA_ELSEWHERE: Final = re.compile(r'"\$ref"\s*:\s*"(https?://(?!json-schema\.org/)[^"#\s]+)')
"""Not the schema of schemas, which Helm has in itself."""
_NO_BOOL: Final = {"yes": True, "on": True, "y": True, "no": False, "off": False, "n": False}
"""Words that Helm's YAML takes for a truth value."""


@dataclass(frozen=True, slots=True)
class ChartContents:
    """What a chart says of itself, and the images that it names."""

    name: str
    version: str
    metadata: dict[str, Any]
    images: tuple[str, ...]
    unread: tuple[str, ...]
    """What was seen and cannot be told, as a sentence each."""
    perhaps: tuple[str, ...] = ()
    """Images to which only a guess leads."""
    tests: tuple[str, ...] = ()
    """Images of the hooks that `helm test` runs, and of nothing else."""
    off: tuple[tuple[str, str], ...] = ()
    """Images below what is turned off (`enabled: false`), each with its place in the values."""
    operated: tuple[tuple[Operated, str], ...] = ()
    """Kinds of objects in its templates whose images an operator chooses."""
    reaches: tuple[str, ...] = ()
    """What Helm fetches from elsewhere when the chart is installed, as a sentence each."""
    is_library: bool = False
    """Whether it is a library for other charts, and nothing that is installed."""


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
    return read_chart_files(unpack_chart(file, where), where=where, values=values)


def read_chart_files(
    files: Mapping[str, bytes],
    *,
    where: str,
    values: Mapping[str, Any] | None = None,
    fetched: bool = False,
) -> ChartContents:
    """The same for the files of a chart by their paths: each begins with the chart's folder.

    `fetched` says that what it stands on is fetched by whoever asks, and need not be inside it.
    """
    roots = sorted(
        (name for name in files if name.endswith("/Chart.yaml")), key=lambda name: name.count("/")
    )
    if not roots:
        raise HostileBundle("it holds no Chart.yaml", where=where)
    described = read_documents(files[roots[0]], by_helm=True)
    metadata = described.mapping
    if not isinstance(metadata.get("name"), str):
        why = f" ({described.broken[0].why})" if described.broken else ""
        raise HostileBundle(f"its Chart.yaml names no chart{why}", where=where)
    reading = _Reading(files, roots, where, fetched=fetched)
    reading.chart(roots[0].removesuffix("Chart.yaml"), dict(values or {}), {})
    reading.listed(metadata)
    found = reading.found.settle()
    return ChartContents(
        name=metadata["name"],
        version=helm_text(metadata.get("version")),
        metadata={key: value for key, value in metadata.items() if _plain(value)},
        images=tuple(sorted(found.images)),
        unread=tuple(found.untold),
        perhaps=tuple(sorted(found.perhaps)),
        tests=tuple(sorted(found.tests)),
        off=tuple(sorted(found.off.items())),
        operated=tuple(found.operated.items()),
        reaches=_reaches(files),
        is_library=metadata.get("type") == "library",
    )


def images_of_manifest(text: str, where: str = "the manifest") -> tuple[str, ...]:
    """The images that a file of Kubernetes objects needs, in full."""
    return tuple(sorted(images_of_text(text, where).images))


class _Reading:
    """A chart and the charts inside it, each with the values that it would be given."""

    def __init__(
        self, files: Mapping[str, bytes], roots: list[str], where: str, *, fetched: bool
    ) -> None:
        self._files = files
        self._fetched = fetched
        self._where = where
        self._folders = [root.removesuffix("Chart.yaml") for root in roots]
        self.found = ImagesNamed()

    def chart(
        self,
        folder: str,
        given: dict[str, Any],
        shared: Any,
        depth: int = 0,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        """Note the images of a chart and of those inside it that are turned on."""
        if depth > DEEPEST:
            raise HostileBundle("charts are in charts without end", where=self._where)
        described = self._mapping(f"{folder}Chart.yaml")
        values = laid_over(self._mapping(f"{folder}values.yaml"), given)
        if isinstance(shared, dict) and shared:
            values["global"] = laid_over(_as_mapping(values.get("global")), shared)
        # Tags are set at the top, and count for the charts inside charts as well.
        tags = _as_mapping(values.get("tags")) if tags is None else tags
        inside = self._inside(folder, described)
        names = {use.name for use in inside}
        own = {key: value for key, value in values.items() if key not in names}
        self._own(folder, own, values, helm_text(described.get("appVersion")))
        for use in inside:
            if not use.is_on(values, tags):
                self._turned_off(use, values)
                continue
            if self._fetched and not use.folder:
                continue
            if not use.folder:
                self.found.open(
                    f"the chart {use.chart}, on which it stands, is not inside it: what that names"
                )
                # What is set for it may name images whole.
                looking = _Values(frozenset(), "", "")
                looking.look({use.name: values.get(use.name)})
                for path, image in looking.images:
                    self.found.maybe(image, f"values: {path}")
            else:
                passed = _as_mapping(values.get(use.name))
                self.chart(use.folder, passed, values.get("global"), depth + 1, tags)

    def _turned_off(self, use: Use, values: Mapping[str, Any]) -> None:
        """Note the images that the values of a chart which is turned off name whole."""
        own = self._mapping(f"{use.folder}values.yaml") if use.folder else {}
        looking = _Values(frozenset(), "", "")
        looking.look({use.name: laid_over(own, _as_mapping(values.get(use.name)))})
        for path, image in (*looking.images, *looking.below_off):
            self.found.turned_off(image, f"{path} of the values")

    def listed(self, metadata: Mapping[Any, Any]) -> None:
        """Note the images that the chart lists for those who look for it."""
        notes = metadata.get("annotations")
        texts = (
            {k: v for k, v in notes.items() if "image" in str(k)} if isinstance(notes, dict) else {}
        )
        named = ImagesNamed()
        images_of_object({"annotations": texts}, "Chart.yaml", named)
        for image, place in named.perhaps.items():
            self.found.perhaps.setdefault(image, place)

    def _own(
        self, folder: str, own: dict[str, Any], values: Mapping[str, Any], version: str
    ) -> None:
        """What a chart itself names, without those inside it."""
        templates = self._templates(folder)
        texts = {name: self._files[name].decode("utf-8", "replace") for name in templates}
        below = {
            name: self._files[name].decode("utf-8", "replace")
            for name in self._files
            if name.startswith(folder) and "/templates/" in name
        }
        for name, text in texts.items():
            self.found.take(literal_images(_short(name), text))
            for of in operated_in_template(text):
                self.found.operated.setdefault(of, _short(name))
            for kind in () if self._fetched else sorted(set(_CHARTS_NAMED.findall(text))):
                self.found.open(f"{_short(name)}: which charts the {kind} in it names")
        for name in self._files:
            if name.startswith(f"{folder}crds/"):
                text = self._files[name].decode("utf-8", "replace")
                if _OTHER_THAN_CRD.search(text):  # Helm gives the cluster whatever lies there
                    self.found.take(images_of_text(text, _short(name)))
        if any(".Files." in text for text in below.values()):
            # Files that templates take in: which of them, only Helm can tell.
            for name in self._files:
                rest = name.removeprefix(folder)
                if name.startswith(folder) and not _OWN_FILES.match(rest):
                    found = images_of_text(self._files[name].decode("utf-8", "replace"), rest)
                    for image in (*found.images, *found.perhaps):
                        self.found.maybe(image, rest)
        looking = _Values(app_version_forms(below.values()), version, _registry(values, below))
        looking.look(own)
        for path, image in looking.images:
            self.found.image(image, f"values: {path}")
        for image in looking.perhaps:
            self.found.maybe(image, f"{_short(folder)}values.yaml")
        for path, image in looking.below_off:
            self.found.turned_off(image, f"{path} of {_short(folder)}values.yaml")
        for sentence in looking.untold:
            self.found.open(f"{_short(folder)}values.yaml: {sentence}")
        asked = Templates(below, lambda path: _at(values, path), version)
        known = {path for path, _ in looking.images} | looking.seen
        computed = asked.computed(known, texts, looking.off)
        computed.untold = [_short(sentence) for sentence in computed.untold]
        self.found.take(computed)

    def _inside(self, folder: str, described: dict[str, Any]) -> list[Use]:
        """Every chart right inside another, as often as it is used."""
        listed = described.get("dependencies")
        if not isinstance(listed, list):
            listed = self._mapping(f"{folder}requirements.yaml").get("dependencies")
        wanted = (
            [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        )
        found = []
        there = set()
        here = re.compile(f"{re.escape(folder)}charts/(?:[^/]+/){{1,2}}")
        for one in self._folders:
            if not here.fullmatch(one):
                continue
            name = str(self._mapping(f"{one}Chart.yaml").get("name") or "")
            # One chart may stand in the list several times, under other names.
            there.add(name)
            uses = [use for use in wanted if use.get("name") == name]
            found += [use_of(use, one, name) for use in uses or [{}]]
        return found + [use_of(use, "", "") for use in wanted if use.get("name") not in there]

    def _templates(self, folder: str) -> list[str]:
        return [name for name in self._files if name.startswith(f"{folder}templates/")]

    def _mapping(self, name: str) -> dict[str, Any]:
        documents = read_documents(self._files.get(name, b""), by_helm=True)
        for broken in documents.broken:
            self.found.open(f"{_short(name)}: line {broken.line} is no YAML ({broken.why})")
        return dict(documents.mapping)


@dataclass(frozen=True, slots=True)
class Use:
    """A chart inside another: where it lies, its name among the values, what turns it on."""

    folder: str
    """Empty where it is not inside."""
    name: str
    chart: str
    """What it is called, with its version."""
    condition: str
    tags: tuple[str, ...]

    def is_on(self, values: Mapping[str, Any], tags: Mapping[str, Any]) -> bool:
        """As Helm decides: a condition before tags, of the tags any that is true, else on."""
        for path in self.condition.split(","):
            found = _truth(_at(values, path.strip()))
            if found is not None:
                return found
        known = [truth for tag in self.tags if (truth := _truth(tags.get(tag))) is not None]
        return any(known) if known else True


def use_of(line: Mapping[Any, Any], folder: str, name: str) -> Use:
    """A dependency as a Chart.yaml has it."""
    tags = line.get("tags")
    called = name or helm_text(line.get("name"))
    return Use(
        folder=folder,
        name=helm_text(line.get("alias")) or called,
        chart=f"{called} {helm_text(line.get('version'))}".strip(),
        condition=helm_text(line.get("condition")),
        tags=tuple(map(str, tags)) if isinstance(tags, list) else (),
    )


class _Values:
    """The values of a chart, gone through for images."""

    def __init__(self, forms: frozenset[str], app_version: str, registry: str) -> None:
        self._forms = forms
        self._app_version = app_version
        self._registry = registry
        self.images: list[tuple[str, str]] = []
        """The path of each, and the image."""
        self.perhaps: list[str] = []
        self.untold: list[str] = []
        self.seen: set[str] = set()
        """Paths of values that are images, whether or not they could be told."""
        self.off: set[str] = set()
        """Paths of what is turned off."""
        self.below_off: list[tuple[str, str]] = []
        """The images that stand there whole, with their paths."""

    def look(self, value: Any, path: str = "", depth: int = 0) -> None:
        """Note what stands in a value and below; what is turned off is only seen."""
        if depth > 50:
            return
        if depth and isinstance(value, Mapping) and _truth(value.get("enabled")) is False:
            self.off.add(path)
            off = _Values(self._forms, self._app_version, self._registry)
            off.look({**value, "enabled": True}, path, depth)
            self.seen |= off.seen | {below for below, _ in off.images}
            self.below_off += [*off.images, *off.below_off]
            self.below_off += [(path, image) for image in off.perhaps]
            return
        if isinstance(value, str) and "\n" in value:
            # A piece of a template, such as containers that a chart takes in as they are written.
            self.images += [(path, image) for image in lines_with_images(value)]
        if isinstance(value, list):
            for one in value:
                self.look(one, path, depth + 1)
        if not isinstance(value, Mapping):
            return
        self._parts(value, path)
        for key, one in value.items():
            below = f"{path}.{key}" if path else str(key)
            last = str(key).lower()
            if isinstance(one, str) and last.endswith(("image", "imagename")) and _is_whole(one):
                self.images.append((below, one))
            self.look(one, below, depth + 1)

    def _parts(self, value: Mapping[Any, Any], path: str) -> None:
        parts = image_parts(value)
        if parts is None and path.rpartition(".")[2].lower().endswith("image"):
            parts = image_parts({"repository": value.get("name"), **value})
        if parts is None:
            return
        self.seen.add(path)
        if self._registry:
            parts = type(parts)(self._registry, parts.repository, parts.tag, parts.digest)
        if parts.is_whole:
            self.images.append((path, parts.text()))
        elif "{{" in parts.name + parts.tag:
            self.untold.append(f"which image {path} means ({parts.text()[:120]})")
        elif not self._forms or "?" in self._forms or not self._app_version:
            self.untold.append(f"which tag of {parts.name[:120]} is meant ({path} has none)")
        elif len(self._forms) == 1:
            (form,) = self._forms
            self.images.append((path, parts.text(form.format(self._app_version))))
        else:
            # The templates write it in several ways, and this does not tell which is for this one.
            self.perhaps += [parts.text(f.format(self._app_version)) for f in sorted(self._forms)]


def _registry(values: Mapping[str, Any], templates: Mapping[str, str]) -> str:
    """The registry to which a chart moves its images, where its templates look at that."""
    wanted = _at(values, "global.imageRegistry")
    if not isinstance(wanted, str) or not wanted:
        return ""
    return wanted if any("imageRegistry" in text for text in templates.values()) else ""


def _reaches(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """The addresses that schemas of values lead to: Helm asks them before it installs anything."""
    found: dict[str, None] = {}
    for name, raw in sorted(files.items()):
        if name.rpartition("/")[2] == "values.schema.json":
            for url in _SCHEMA_ELSEWHERE.findall(raw.decode("utf-8", "replace")):
                found.setdefault(f"{_short(name)} names {url[:200]}")
    return tuple(
        f"{one}, which Helm fetches when the chart is installed; without a way out it needs "
        "--skip-schema-validation (Argo CD: skipSchemaValidation)"
        for one in found
    )


def _short(name: str) -> str:
    """A path without the folder of the chart itself."""
    return name.partition("/")[2] if "/" in name else name


def _as_mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}


def _at(values: Mapping[str, Any], path: str) -> Any:
    found: Any = values
    for word in path.split("."):
        found = found.get(word) if isinstance(found, Mapping) else None
    return found


def _truth(value: Any) -> bool | None:
    if isinstance(value, str):
        return _NO_BOOL.get(value.lower())
    return value if isinstance(value, bool) else None


def _is_whole(text: str) -> bool:
    if ":" not in text.rpartition("/")[2] and "@" not in text:
        return False  # whether a tag is put behind it stands in the templates
    return (
        bool(re.fullmatch(r"[a-z0-9][a-z0-9._/:-]*[/:][A-Za-z0-9._@:/-]+", text))
        and "://" not in text
    )


def _plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _plain(one) for key, one in value.items())
    if isinstance(value, list):
        return all(map(_plain, value))
    return value is None or isinstance(value, (str, bool, int))
