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
from bundles.gitops_forms import (
    KUSTOMIZATIONS,
    as_list,
    as_mapping,
    as_mappings,
    fetched_at_the_site,
    is_remote,
    normal_path,
    objects_in,
    plain_text,
    rendered_name,
    value_at,
    without_given,
)
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
    given: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    """Charts that lie here, by their folders, with the values that something else gives them."""

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


def charts_elsewhere(text: str, where: str) -> list[str]:
    """A sentence for each chart and repository that objects name and that do not come with them."""
    reading = _Reading({}, {})
    for document in read_documents(text).values:
        if isinstance(document, dict):
            reading.references(document, where)
    charts = [
        f"{where} names the chart {chart.name} {chart.version} of {chart.repository}, which is not "
        "brought with it; give it a line of its own under `charts`"
        for chart in reading.found.charts
    ]
    # The images that stand there are found and told by whoever reads them.
    return [*charts, *(one for one in reading.found.unread if "which image" not in one)]


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
        self._done: set[str] = set()
        """Charts of the repository that were read, each with some values."""
        self.found = FromOutside()
        self._charts = chart_folders(files)
        self._repositories = dict(self._helm_repositories())

    def all(self) -> None:
        """Everything, file by file."""
        for name, text in self._rendered.items():
            path = name.partition(" with ")[0]
            for document in read_documents(text).values:
                if isinstance(document, dict):
                    self.references(document, path)
                images_of_object(without_given(document, path), path, self.found.named)
        rest = [path for path in sorted(self._files) if not self._belongs_to_a_chart(path)]
        for path in rest:
            for document in self._read(path).values:
                if isinstance(document, dict):
                    self.references(document, path)
        for folder in self._charts:
            given = any(other == folder for other, _ in self.found.given)
            self._own_chart(folder, {}, perhaps=given)
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
            images_of_object(without_given(document, path), path, found)
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

    def _own_chart(self, folder: str, values: Mapping[str, Any], *, perhaps: bool = False) -> None:
        """What a chart of the repository names with some values; `perhaps` it is given others."""
        by = f"{folder}/Chart.yaml" if folder != "." else "Chart.yaml"
        name = rendered_name(by, values)
        if name in self._done:
            return  # its own templates may name it again
        self._done.add(name)
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
        if values and (folder, values) not in self.found.given:
            self.found.given.append((folder, values))
        text = self._rendered.get(name, "")
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
                {image: f"{place} of {by}" for image, place in contents.off},
            )
            if not contents.is_library:
                named.untold = [f"{by}: {sentence}" for sentence in contents.unread]
                self._computed_references(folder)
        if perhaps:
            named.perhaps |= named.images
            named.images.clear()
        self.found.named.take(named)

    def _computed_references(self, folder: str) -> None:
        """What the templates of a chart name from elsewhere, as far as it stands there."""
        for path in sorted(self._files):
            rest = _below(path, folder)
            if rest is not None and rest.startswith("templates/") and path.endswith(".yaml"):
                text = set_aside(self._files[path].decode("utf-8", "replace"))
                for document in read_documents(text).values:
                    if isinstance(document, dict):
                        self.references(document, path)

    # What files say of charts and repositories elsewhere

    def references(self, document: dict[Any, Any], path: str) -> None:
        """What one document says of charts and repositories elsewhere."""
        for one in objects_in(document):
            self._reference(one, path)

    def _reference(self, document: dict[Any, Any], path: str) -> None:
        name = PurePosixPath(path).name
        for sentence in fetched_at_the_site(document):
            self.found.named.open(f"{path}: {sentence}")
        api, kind = str(document.get("apiVersion", "")), document.get("kind")
        spec = as_mapping(document.get("spec"))
        if name in KUSTOMIZATIONS or kind in ("Kustomization", "HelmChartInflationGenerator"):
            self._kustomization(document, path)
        if api.startswith("argoproj.io/") and kind == "Application":
            self._argo(spec, path)
        elif api.startswith("argoproj.io/") and kind == "ApplicationSet":
            self._argo(as_mapping(as_mapping(spec.get("template")).get("spec")), path)
        elif kind == "HelmRelease":
            self._flux(spec, path)
        elif kind == "HelmChart" and api.startswith("helm.cattle.io/"):
            values = {**read_documents(helm_text(spec.get("valuesContent"))).mapping,
                      **as_mapping(spec.get("values"))}  # fmt: skip
            self._chart(spec.get("chart"), spec.get("repo"), spec.get("version"), values, path)
        elif kind == "HelmChart" and api.startswith("source.toolkit.fluxcd.io/"):
            self._flux({"chart": {"spec": spec}}, path)
        elif kind == "GitRepository" and spec.get("url"):
            self._elsewhere(helm_text(spec.get("url")), path)
        if name == "Chart.yaml":
            self._umbrella(document, path)
        if name == "fleet.yaml":
            self._fleet(as_mapping(document.get("helm")), path)
        if name.startswith("helmfile.") and "releases" in document:
            self.found.named.open(f"{path}: what helmfile installs; name its charts under `charts`")

    def _fleet(self, helm: Mapping[Any, Any], path: str) -> None:
        """Rancher's Fleet: a chart with its values; one that lies here is read as any other."""
        name, repository = helm_text(helm.get("chart")), helm_text(helm.get("repo"))
        if name.startswith("oci://"):
            repository, _, name = name.rstrip("/").rpartition("/")
        if repository and name:
            files = as_list(helm.get("valuesFiles"))
            values = self._given(files, PurePosixPath(path).parent, path)
            values = laid_over(values, as_mapping(helm.get("values")))
            self._chart(name, repository, helm.get("version"), values, path)

    def _kustomization(self, document: dict[Any, Any], path: str) -> None:
        spec = as_mapping(document.get("spec"))
        self._replaced(as_mappings(document.get("images")) + as_mappings(spec.get("images")), path)
        for key in ("resources", "bases", "components", "crds"):
            listed = document.get(key)
            for one in listed if isinstance(listed, list) else ():
                if not isinstance(one, str):
                    continue
                beside = normal_path(str(PurePosixPath(path).parent / one))
                if self._has(beside):
                    continue
                if not is_remote(one):
                    self.found.named.open(f"{path}: what {one[:200]} holds, which is not here")
                else:
                    self.found.named.open(
                        f"{path}: what {one[:200]} holds, which is fetched when it is rendered; "
                        "put it into the repository"
                    )
        for chart in as_mappings(document.get("helmCharts")):
            files = [chart.get("valuesFile"), *as_list(chart.get("additionalValuesFiles"))]
            values = self._given(files, PurePosixPath(path).parent, path)
            values = laid_over(values, as_mapping(chart.get("valuesInline")))
            if chart.get("repo"):
                self._chart(
                    chart.get("name"), chart.get("repo"), chart.get("version"), values, path
                )
            else:
                home = (
                    helm_text(as_mapping(document.get("helmGlobals")).get("chartHome")) or "charts"
                )
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
        for source in (as_mapping(spec.get("source")), *as_mappings(spec.get("sources"))):
            helm = as_mapping(source.get("helm"))
            folder = helm_text(source.get("path")).strip("/") or "."
            files = helm.get("valueFiles")
            values = self._given(as_list(files), PurePosixPath(folder), path)
            values = laid_over(values, read_documents(helm_text(helm.get("values"))).mapping)
            values = laid_over(values, as_mapping(helm.get("valuesObject")))
            for parameter in as_mappings(helm.get("parameters")):
                given = value_at(helm_text(parameter.get("name")), parameter.get("value"))
                values = laid_over(values, given)
            for image in as_list(as_mapping(source.get("kustomize")).get("images")):
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
        for renderer in as_mappings(spec.get("postRenderers")):
            self._replaced(as_mappings(as_mapping(renderer.get("kustomize")).get("images")), path)
        chart = as_mapping(as_mapping(spec.get("chart")).get("spec"))
        ref = as_mapping(spec.get("chartRef") or chart.get("sourceRef"))
        values = as_mapping(spec.get("values"))
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
            listed = (one for one in self._read(path).values if isinstance(one, dict))
            for document in (one for whole in listed for one in objects_in(whole)):
                if document.get("kind") in ("HelmRepository", "OCIRepository"):
                    name = helm_text(as_mapping(document.get("metadata")).get("name"))
                    spec = as_mapping(document.get("spec"))
                    ref = as_mapping(spec.get("ref"))
                    tag = helm_text(ref.get("tag") or ref.get("semver"))
                    yield (document["kind"], name), (helm_text(spec.get("url")), tag)

    def _umbrella(self, document: dict[Any, Any], path: str) -> None:
        parent = PurePosixPath(path).parent
        own = self._read(str(parent / "values.yaml")).mapping
        locked = {
            helm_text(line.get("name")): line.get("version")
            for line in as_mappings(
                self._read(str(parent / "Chart.lock")).mapping.get("dependencies")
            )
        }
        for line in as_mappings(document.get("dependencies")):
            repository = helm_text(line.get("repository"))
            name = helm_text(line.get("name"))
            if any(str(parent / "charts" / name) == str(PurePosixPath(p).parent)
                   for p in self._files if p.endswith("/Chart.yaml")):  # fmt: skip
                continue  # it lies inside the chart, and counts there
            if not use_of(line, "", "").is_on(own, as_mapping(own.get("tags"))):
                continue
            values = as_mapping(own.get(helm_text(line.get("alias") or line.get("name"))))
            shared = as_mapping(own.get("global"))
            if shared:
                values = laid_over({"global": shared}, values)
            if repository.startswith("file://"):
                beside = normal_path(str(parent / repository.removeprefix("file://"))) or "."
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
            plain = normal_path(plain.removeprefix("/"))
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
        called, address, number = (plain_text(one) for one in (name, repository, version))
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
