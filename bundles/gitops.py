"""What a repository of manifests names from outside: images, and Helm charts with their values.

Read are Kubernetes objects, Kustomize's files (`helmCharts`, `images`), Argo CD's applications,
Flux's and K3s' releases, and charts that lie in the repository or stand on other charts. It is read
as it lies there, without running Kustomize or Helm; what cannot be told that way is named, so that
a person can write a line for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from bundles.chart_archive import READ
from bundles.chart_images import laid_over, read_chart_files, use_of
from bundles.chart_templates import set_aside
from bundles.named_images import ImagesNamed, images_of_object, search_text
from bundles.problems import HostileBundle
from bundles.rendering import agree
from bundles.yaml_documents import Documents, helm_text, read_documents

_TEMPLATES: Final = (".tpl", ".tmpl", ".gotmpl", ".tftpl", ".j2")
MANIFESTS: Final = (*READ, *_TEMPLATES)
"""What the files of a repository end with that are looked into."""
_VERSION: Final = re.compile(r"v?[0-9]+\.[0-9]+\.[0-9]+[A-Za-z0-9.+-]*")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_REPOSITORY: Final = re.compile(r"(https?|oci)://[!-~]{1,500}")
_KUSTOMIZATIONS: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")


@dataclass(frozen=True, slots=True)
class ChartNamed:
    """A chart that a file names, at one version of one repository."""

    name: str
    repository: str
    version: str
    values: Mapping[str, Any]
    by: str
    """The file."""


@dataclass(slots=True)
class FromOutside:
    """All that a repository's files name."""

    named: ImagesNamed = field(default_factory=ImagesNamed)
    charts: list[ChartNamed] = field(default_factory=list)

    @property
    def images(self) -> dict[str, str]:
        """Each image in full, with the first file that names it."""
        return self.named.images

    @property
    def unread(self) -> list[str]:
        """What a file names and cannot be told, as a sentence each."""
        return self.named.untold


def chart_folders(files: Mapping[str, bytes]) -> list[str]:
    """The folders of the charts that lie in a repository, without those inside others."""
    folders = {
        str(PurePosixPath(path).parent)
        for path in files
        if PurePosixPath(path).name == "Chart.yaml"
    }
    return sorted(folder for folder in folders if not _is_inside(folder, folders))


def read_manifests(
    files: Mapping[str, bytes], rendered: Mapping[str, str] | None = None
) -> FromOutside:
    """What the YAML files of a repository name; `files` by their paths in it.

    `rendered` are what Helm made of its charts, by the paths of their Chart.yaml, and Kustomize of
    its folders, by their names.
    """
    reading = _Reading(files, rendered or {})
    reading.all()
    reading.found.named.settle()
    return reading.found


class _Reading:
    """The files of one repository, each read once."""

    def __init__(self, files: Mapping[str, bytes], rendered: Mapping[str, str]) -> None:
        self._files = files
        self._rendered = rendered
        self._documents: dict[str, Documents] = {}
        self._values: set[str] = set()
        """Files of values, which count with the charts that they are given to."""
        self.found = FromOutside()
        self._charts = chart_folders(files)
        self._repositories = dict(self._helm_repositories())

    def all(self) -> None:
        """Everything, file by file."""
        for folder in self._charts:
            self._own_chart(folder, {})
        for name, text in self._rendered.items():
            for document in read_documents(text).values:
                if isinstance(document, dict):
                    self._references(document, name)
                images_of_object(_bare(document, name), name, self.found.named)
        rest = [path for path in sorted(self._files) if not self._belongs_to_a_chart(path)]
        for path in rest:
            for document in self._read(path).values:
                if isinstance(document, dict):
                    self._references(document, path)
        for path in rest:
            if path not in self._values:
                self._walk(path)

    def _read(self, path: str) -> Documents:
        if path not in self._documents:
            self._documents[path] = read_documents(self._files.get(path, b""))
        return self._documents[path]

    def _walk(self, path: str) -> None:
        documents = self._read(path)
        template = path.endswith(_TEMPLATES)
        if template and ".yaml" not in path and ".yml" not in path:
            documents = Documents((), documents.broken)  # a page, a script: who knows
        found = ImagesNamed()
        for broken in documents.broken:
            if not broken.is_template and path.endswith((".yaml", ".yml")):
                found.open(f"{path}: line {broken.line} is no YAML ({broken.why})")
            search_text(broken.text, path, found)
        for document in documents.values:
            if path.endswith(".json") and not (isinstance(document, dict) and "kind" in document):
                continue  # most of them are something else
            images_of_object(_bare(document, path), path, found)
        if template:
            # Another program makes manifests of it first.
            found.perhaps |= found.images
            found.images.clear()
        self.found.named.take(found)

    # Charts that lie in the repository

    def _belongs_to_a_chart(self, path: str) -> bool:
        for folder in self._charts:
            rest = _below(path, folder)
            if rest is not None and (
                rest.startswith(("templates/", "charts/", "crds/"))
                or re.fullmatch(r"values[^/]*\.ya?ml|Chart\.yaml|requirements\.yaml", rest)
            ):
                # Dependencies that are fetched stand in the Chart.yaml.
                return rest != "Chart.yaml"
        return False

    def _own_chart(self, folder: str, values: Mapping[str, Any]) -> None:
        by = f"{folder}/Chart.yaml" if folder != "." else "Chart.yaml"
        inside = {
            f"chart/{rest}": raw
            for path, raw in self._files.items()
            if (rest := _below(path, folder)) is not None
        }
        try:
            contents = read_chart_files(inside, where=by, values=values, fetched=True)
        except HostileBundle as problem:
            self.found.named.open(f"{by}: {problem.cause}")
            return
        text = "" if values else self._rendered.get(by, "")
        if text:
            agreed = agree(contents, text)
            named = ImagesNamed(
                dict.fromkeys(agreed.named.images, by), agreed.named.perhaps, agreed.named.tests
            )
            named.untold = [f"{by}: {sentence}" for sentence in agreed.named.untold]
        else:
            named = ImagesNamed(
                dict.fromkeys(contents.images, by),
                dict.fromkeys(contents.perhaps, by),
                dict.fromkeys(contents.tests, by),
            )
            if not contents.is_library:
                named.untold = [f"{by}: {sentence}" for sentence in contents.unread]
                self._computed_references(folder)
        self.found.named.take(named)

    def _computed_references(self, folder: str) -> None:
        """What the templates of a chart name from elsewhere, as far as it stands there."""
        for path in sorted(self._files):
            rest = _below(path, folder)
            if rest is not None and rest.startswith("templates/") and path.endswith(".yaml"):
                text = set_aside(self._files[path].decode("utf-8", "replace"))
                for document in read_documents(text).values:
                    if isinstance(document, dict):
                        self._references(document, path)

    # What files say of charts and repositories elsewhere

    def _references(self, document: dict[Any, Any], path: str) -> None:
        name = PurePosixPath(path).name
        api, kind = str(document.get("apiVersion", "")), document.get("kind")
        spec = _mapping(document.get("spec"))
        if name in _KUSTOMIZATIONS or kind in ("Kustomization", "HelmChartInflationGenerator"):
            self._kustomization(document, path)
        if api.startswith("argoproj.io/") and kind == "Application":
            self._argo(spec, path)
        elif api.startswith("argoproj.io/") and kind == "ApplicationSet":
            self._argo(_mapping(_mapping(spec.get("template")).get("spec")), path)
        elif kind == "HelmRelease":
            self._flux(spec, path)
        elif kind == "HelmChart" and api.startswith("helm.cattle.io/"):
            values = {**read_documents(helm_text(spec.get("valuesContent"))).mapping,
                      **_mapping(spec.get("values"))}  # fmt: skip
            self._chart(spec.get("chart"), spec.get("repo"), spec.get("version"), values, path)
        elif kind == "HelmChart" and api.startswith("source.toolkit.fluxcd.io/"):
            self._flux({"chart": {"spec": spec}}, path)
        elif kind == "GitRepository" and spec.get("url"):
            self._elsewhere(helm_text(spec.get("url")), path)
        if name == "Chart.yaml":
            self._umbrella(document, path)
        if name.startswith("helmfile.") and "releases" in document:
            self.found.named.open(f"{path}: what helmfile installs; name its charts under `charts`")

    def _kustomization(self, document: dict[Any, Any], path: str) -> None:
        spec = _mapping(document.get("spec"))
        self._replaced(_mappings(document.get("images")) + _mappings(spec.get("images")), path)
        for key in ("resources", "bases", "components", "crds"):
            listed = document.get(key)
            for one in listed if isinstance(listed, list) else ():
                if not isinstance(one, str):
                    continue
                beside = _normal(str(PurePosixPath(path).parent / one))
                if self._has(beside):
                    continue
                if not is_remote(one):
                    self.found.named.open(f"{path}: what {one[:200]} holds, which is not here")
                else:
                    self.found.named.open(
                        f"{path}: what {one[:200]} holds, which is fetched when it is rendered; "
                        "put it into the repository"
                    )
        for chart in _mappings(document.get("helmCharts")):
            files = [chart.get("valuesFile"), *_list(chart.get("additionalValuesFiles"))]
            values = self._given(files, PurePosixPath(path).parent, path)
            values = laid_over(values, _mapping(chart.get("valuesInline")))
            if chart.get("repo"):
                self._chart(
                    chart.get("name"), chart.get("repo"), chart.get("version"), values, path
                )
            else:
                home = helm_text(_mapping(document.get("helmGlobals")).get("chartHome")) or "charts"
                own = str(PurePosixPath(path).parent / home / helm_text(chart.get("name")))
                if own in self._charts:
                    self._own_chart(own, values)
                else:
                    self.found.named.open(f"{path}: which chart lies in {own[:200]}")

    def _replaced(self, lines: Iterable[Mapping[Any, Any]], path: str) -> None:
        """Kustomize's `images`: what an image is called instead."""
        for line in lines:
            label = helm_text(line.get("newTag"))
            name = helm_text(line.get("newName") or line.get("name"))
            digest = helm_text(line.get("digest"))
            if not name or name == "None":
                continue
            if "{{" in name + label or "$" in name + label:
                self.found.named.open(f"{path}: which image is meant by {name[:100]}:{label[:50]}")
            elif label or digest:
                tag = f":{label}" if label else ""
                self.found.named.image(f"{name}{tag}" + (f"@{digest}" if digest else ""), path)
            elif line.get("newName"):
                self.found.named.open(f"{path}: which tag of {name[:100]} is meant")

    def _argo(self, spec: Mapping[Any, Any], path: str) -> None:
        for source in (_mapping(spec.get("source")), *_mappings(spec.get("sources"))):
            helm = _mapping(source.get("helm"))
            folder = helm_text(source.get("path")).strip("/") or "."
            files = helm.get("valueFiles")
            values = self._given(_list(files), PurePosixPath(folder), path)
            values = laid_over(values, read_documents(helm_text(helm.get("values"))).mapping)
            values = laid_over(values, _mapping(helm.get("valuesObject")))
            for parameter in _mappings(helm.get("parameters")):
                given = _at_path(helm_text(parameter.get("name")), parameter.get("value"))
                values = laid_over(values, given)
            for image in _list(_mapping(source.get("kustomize")).get("images")):
                if isinstance(image, str) and not re.search(r"\{\{|\$", image):
                    self.found.named.image(image.rpartition("=")[2], path)
                else:
                    self.found.named.open(f"{path}: which image is meant by {str(image)[:100]}")
            if source.get("chart"):
                repository = helm_text(source.get("repoURL"))
                if "://" not in repository:
                    # Argo CD names registries without their scheme.
                    repository = f"oci://{repository}"
                version = source.get("targetRevision")
                self._chart(source.get("chart"), repository, version, values, path)
            elif folder in self._charts and values:
                self._own_chart(folder, values)
            elif source.get("path") and not self._has_folder(folder):
                self._elsewhere(f"{helm_text(source.get('repoURL'))} at {folder}", path)

    def _flux(self, spec: Mapping[Any, Any], path: str) -> None:
        if spec.get("valuesFrom"):
            self.found.named.open(f"{path}: which values come from its `valuesFrom`")
        for renderer in _mappings(spec.get("postRenderers")):
            self._replaced(_mappings(_mapping(renderer.get("kustomize")).get("images")), path)
        chart = _mapping(_mapping(spec.get("chart")).get("spec"))
        ref = _mapping(spec.get("chartRef") or chart.get("sourceRef"))
        values = _mapping(spec.get("values"))
        named = (str(ref.get("kind")), helm_text(ref.get("name")))
        url, tag = self._repositories.get(named, ("", ""))
        if ref.get("kind") == "OCIRepository" and url:
            base, _, name = url.rstrip("/").rpartition("/")
            self._chart(name, base, tag, values, path)
        elif ref.get("kind") == "HelmRepository" and url:
            self._chart(chart.get("chart"), url, chart.get("version"), values, path)
        elif ref.get("kind") == "GitRepository":
            folder = str(PurePosixPath(helm_text(chart.get("chart")).removeprefix("./") or "."))
            if folder in self._charts:
                self._own_chart(folder, values)
            else:
                self._elsewhere(f"{named[1]} at {folder}", path)
        else:
            self.found.named.open(
                f"{path}: which chart is meant by {helm_text(chart.get('chart'))[:100]} of "
                f"{named[0]} {named[1][:100]}, which is in no file here"
            )

    def _helm_repositories(self) -> Iterable[tuple[tuple[str, str], tuple[str, str]]]:
        for path in sorted(self._files):
            for document in self._read(path).values:
                if isinstance(document, dict) and document.get("kind") in (
                    "HelmRepository",
                    "OCIRepository",
                ):
                    name = helm_text(_mapping(document.get("metadata")).get("name"))
                    spec = _mapping(document.get("spec"))
                    ref = _mapping(spec.get("ref"))
                    tag = helm_text(ref.get("tag") or ref.get("semver"))
                    yield (document["kind"], name), (helm_text(spec.get("url")), tag)

    def _umbrella(self, document: dict[Any, Any], path: str) -> None:
        parent = PurePosixPath(path).parent
        own = self._read(str(parent / "values.yaml")).mapping
        locked = {
            helm_text(line.get("name")): line.get("version")
            for line in _mappings(
                self._read(str(parent / "Chart.lock")).mapping.get("dependencies")
            )
        }
        for line in _mappings(document.get("dependencies")):
            repository = helm_text(line.get("repository"))
            name = helm_text(line.get("name"))
            if any(str(parent / "charts" / name) == str(PurePosixPath(p).parent)
                   for p in self._files if p.endswith("/Chart.yaml")):  # fmt: skip
                continue  # it lies inside the chart, and counts there
            if not use_of(line, "", "").is_on(own, _mapping(own.get("tags"))):
                continue
            values = _mapping(own.get(helm_text(line.get("alias") or line.get("name"))))
            shared = _mapping(own.get("global"))
            if shared:
                values = laid_over({"global": shared}, values)
            if repository.startswith("file://"):
                beside = _normal(str(parent / repository.removeprefix("file://"))) or "."
                if beside not in self._charts:
                    self.found.named.open(f"{path}: which chart lies in {beside[:200]}")
                elif values:
                    self._own_chart(beside, values)
                continue
            version = locked.get(name, line.get("version"))
            self._chart(line.get("name"), repository, version, values, path)

    def _given(self, files: Iterable[Any], folder: PurePosixPath, path: str) -> dict[str, Any]:
        """The values of files that lie in this repository; what lies elsewhere is told."""
        values: dict[str, Any] = {}
        for file in files:
            if not isinstance(file, str):
                continue
            plain = file.partition("/")[2] if file.startswith("$") else str(folder / file)
            plain = _normal(plain.removeprefix("/"))
            if plain in self._files:
                self._values.add(plain)
                values = laid_over(values, self._read(plain).mapping)
            else:
                self.found.named.open(f"{path}: which values {file[:200]} holds")
        return values

    def _has_folder(self, folder: str) -> bool:
        return folder == "." or any(path.startswith(f"{folder}/") for path in self._files)

    def _has(self, path: str) -> bool:
        return path in self._files or self._has_folder(path or ".")

    def _elsewhere(self, what: str, path: str) -> None:
        self.found.named.open(
            f"{path}: what {what[:300]} holds, which is another repository; give it a line of its "
            "own under `git`"
        )

    def _chart(
        self, name: Any, repository: Any, version: Any, values: Mapping[str, Any], path: str
    ) -> None:
        called, address, number = (_text(one) for one in (name, repository, version))
        if not _NAME.fullmatch(called) or not _REPOSITORY.fullmatch(address):
            self.found.named.open(
                f"{path}: which chart is meant by {called[:100] or 'an empty name'}"
                + (f" of {address[:100]}" if address else "")
            )
        elif not _VERSION.fullmatch(number):
            self.found.named.open(
                f'{path}: which version of the chart {called} is meant by "{number[:100]}"; '
                "write the number"
            )
        else:
            plain = {str(key): value for key, value in values.items()}
            chart = ChartNamed(called, address, number, values=plain, by=path)
            if chart not in self.found.charts:
                self.found.charts.append(chart)


def _bare(document: Any, path: str) -> Any:
    """A document without what counts with a chart that is read with it."""
    if not isinstance(document, dict):
        return document
    kind, name = document.get("kind"), PurePosixPath(path).name
    spec = _mapping(document.get("spec"))
    if name in _KUSTOMIZATIONS or kind == "Kustomization":
        keys = ("patches", "patchesStrategicMerge", "patchesJson6902", "configMapGenerator")
        return {key: document[key] for key in keys if key in document} | {
            "spec": {key: spec[key] for key in keys if key in spec}
        }
    if name == "Chart.yaml":
        return {}
    dropped = {
        "Application": ("source", "sources"),
        "ApplicationSet": ("template", "generators", "templatePatch"),
        "HelmRelease": ("values", "chart", "postRenderers"),
        "HelmChart": ("values", "valuesContent", "set"),
    }.get(str(kind), ())
    if not dropped:
        return document
    return {**document, "spec": {k: v for k, v in spec.items() if k not in dropped}}


def is_remote(resource: str) -> bool:
    """Whether Kustomize would fetch a resource."""
    return bool(
        "//" in resource
        or "?ref=" in resource
        or resource.startswith(("git@", "git::"))
        or re.match(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}/[^/]+/", resource)
    )


def _is_inside(folder: str, folders: Iterable[str]) -> bool:
    """Whether a chart lies in the `charts` of another."""
    return any(
        (_below(folder, other) or "").startswith(("charts/", "templates/"))
        for other in folders
        if other != folder
    )


def _below(path: str, folder: str) -> str | None:
    if folder == ".":
        return path
    return path[len(folder) + 1 :] if path.startswith(f"{folder}/") else None


def _normal(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in (".", ""):
            parts.append(part)
    return "/".join(parts)


def _at_path(path: str, value: Any) -> dict[str, Any]:
    """A parameter such as image.tag=1 as values."""
    steps = [step.replace("\\.", ".") for step in re.split(r"(?<!\\)\.", path) if step]
    found: Any = value
    for step in reversed(steps):
        found = {step: found}
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str:
    return str(value).rstrip("/") if isinstance(value, (str, int, float)) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: Any) -> list[dict[Any, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
