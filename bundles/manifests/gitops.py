"""What a repository of manifests names from outside: images, and Helm charts with their values.

Read are Kubernetes objects, Kustomize's files (`helmCharts`, `images`), Argo CD's applications,
Flux's and K3s' releases, and charts that lie in the repository or stand on other charts. It is read
as it lies there, without running Kustomize or Helm; what cannot be told that way is named, so that
a person can write a line for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from bundles.format.problems import HostileBundle
from bundles.manifests.argo_sources import argo_sources
from bundles.manifests.chart_images import read_chart_files, use_of
from bundles.manifests.chart_templates import set_aside
from bundles.manifests.from_outside import FromOutside
from bundles.manifests.gitops_forms import (
    KUSTOMIZATIONS,
    Around,
    as_list,
    as_mapping,
    as_mappings,
    below,
    chart_folders,
    charts_of,
    fetched_at_the_site,
    is_object_or_patch,
    is_remote,
    laid_over,
    normal_path,
    objects_in,
    plain_text,
    rendered_name,
    without_given,
)
from bundles.manifests.k3s_charts import k3s_chart
from bundles.manifests.looked_into import TEMPLATES
from bundles.manifests.made_elsewhere import (
    READ_AS_SUCH,
    charts_named_oddly,
    charts_of_plays,
    images_written,
    program_of,
    told_of_programs,
)
from bundles.manifests.named_charts import chart_named
from bundles.manifests.named_images import ImagesNamed, images_of_object, search_text
from bundles.manifests.rendering import agree
from bundles.manifests.yaml_documents import Documents, helm_text, read_documents


def charts_elsewhere(text: str, where: str) -> list[str]:
    """A sentence for each chart and repository that objects name and that do not come with them."""
    reading = _Reading({}, {}, Around())
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
    files: Mapping[str, bytes],
    rendered: Mapping[str, str] | None = None,
    around: Around | None = None,
) -> FromOutside:
    """What the YAML files of a repository name; `files` by their paths in it.

    `rendered` are what Helm made of its charts, by the paths of their Chart.yaml, and Kustomize of
    its folders, by their names.
    """
    reading = _Reading(files, rendered or {}, around or Around())
    reading.all()
    reading.found.named.settle()
    return reading.found


class _Reading:
    """The files of one repository, each read once."""

    def __init__(
        self, files: Mapping[str, bytes], rendered: Mapping[str, str], around: Around
    ) -> None:
        self._files = files
        self._around = around
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
            for document in () if program_of(path) else self._read(path).values:
                if isinstance(document, dict):
                    self.references(document, path)
                elif isinstance(document, list):
                    self._tell(charts_of_plays(document), path)
        for folder in self._charts:
            given = any(other == folder for other, _ in self.found.given)
            self._own_chart(folder, {}, perhaps=given)
        for path in rest:
            if program_of(path):
                for image in images_written(path, self._files[path].decode("utf-8", "replace")):
                    self.found.named.maybe(image, path)
            elif path not in self._values:
                self._walk(path)
        for sentence in told_of_programs(self._files):
            self.found.named.open(sentence)

    def _read(self, path: str) -> Documents:
        if path not in self._documents:
            self._documents[path] = read_documents(self._files.get(path, b""))
        return self._documents[path]

    def _walk(self, path: str) -> None:
        documents = self._read(path)
        template = path.endswith(TEMPLATES)
        if template and ".yaml" not in path and ".yml" not in path:
            documents = Documents((), documents.broken)  # a page, a script: who knows
        found = ImagesNamed()
        for broken in documents.broken:
            if not broken.is_template and path.endswith((".yaml", ".yml")):
                found.open(f"{path}: line {broken.line} is no YAML ({broken.why})")
            search_text(broken.text, path, found)
        for document in documents.values:
            if path.endswith(".json") and not is_object_or_patch(document):
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
            rest = below(path, folder)
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
            if (rest := below(path, folder)) is not None
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
            named.operated = dict(agreed.named.operated)
            named.untold = [f"{by}: {sentence}" for sentence in agreed.named.untold]
        else:
            named = ImagesNamed(
                dict.fromkeys(contents.images, by),
                dict.fromkeys(contents.perhaps, by),
                dict.fromkeys(contents.tests, by),
                {image: f"{place} of {by}" for image, place in contents.off},
                dict(contents.operated),
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
            rest = below(path, folder)
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
        self._tell(fetched_at_the_site(document), path)
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
        elif kind in ("HelmChart", "HelmChartConfig") and api.startswith("helm.cattle.io/"):
            self._of_k3s(document, path)
        elif kind == "HelmChart" and api.startswith("source.toolkit.fluxcd.io/"):
            self._flux({"chart": {"spec": spec}}, path)
        elif kind == "GitRepository" and spec.get("url"):
            url = helm_text(spec.get("url"))
            if not self._around.own or self._around.is_elsewhere(url):
                self._elsewhere(url, path)
        elif kind == "ImageTagTransformer":
            self._replaced([as_mapping(document.get("imageTag"))], path)
        if name == "Chart.yaml":
            self._umbrella(document, path)
        elif "kind" in document and kind != "Kustomization" and not api.startswith(READ_AS_SUCH):
            for chart in dict.fromkeys(charts_named_oddly(document)):
                self.found.named.open(
                    f"{path}: which chart is {chart}, which its {plain_text(kind)[:60]} names; "
                    "give it a line of its own under `charts`"
                )
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
                if self._has(beside) or (is_remote(one) and self._around.brings(one)):
                    continue
                if not is_remote(one):
                    self.found.named.open(f"{path}: what {one[:200]} holds, which is not here")
                else:
                    self.found.named.open(
                        f"{path}: what {one[:200]} holds, which is fetched when it is rendered; "
                        "put it into the repository"
                    )
        for chart in charts_of(document):
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
            label, number = line.get("newTag") or "", ""
            if not isinstance(label, str):
                label, number = "", " (a number; write it in quotes)"
            name = helm_text(line.get("newName") or line.get("name"))
            digest = helm_text(line.get("digest"))
            if name in ("", "None"):
                continue
            if "{{" in name + label or "$" in name + label:
                self.found.named.open(f"{path}: which image is meant by {name[:100]}:{label[:50]}")
            elif (label or digest) and not number:
                tag = (f":{label}" if label else "") + (f"@{digest}" if digest else "")
                self.found.named.image(f"{name}{tag}", path)
            elif line.get("newName") or number:
                self.found.named.open(f"{path}: which tag of {name[:100]} is meant{number}")

    def _of_k3s(self, document: Mapping[Any, Any], path: str) -> None:
        found = k3s_chart(document, self._objects())
        self._tell(found.untold if found else (), path)
        if found and found.is_here:
            self._chart(found.chart, found.repository, found.version, found.values, path)

    def _objects(self) -> Iterable[dict[Any, Any]]:
        """Every object of the files, those of lists by themselves."""
        for path in sorted(self._files):
            for whole in self._read(path).values:
                if isinstance(whole, dict):
                    yield from objects_in(whole)

    def _argo(self, spec: Mapping[Any, Any], path: str) -> None:
        for source in argo_sources(spec):
            self._tell(source.untold, path)
            elsewhere = self._around.is_elsewhere(source.address)
            files = []
            for file, address in source.files:
                if self._around.is_elsewhere(address) or (not address and elsewhere):
                    where = address or source.address
                    self.found.named.open(
                        f"{path}: which values {file[:200]} of {where[:300]} holds"
                    )
                else:
                    files.append(file)
            values = self._given(files, PurePosixPath(source.folder), path)
            values = laid_over(values, source.values)
            for image in source.images:
                self.found.named.image(image, path)
            images_of_object({"patches": list(source.patches)}, path, self.found.named)
            if source.chart:
                # Argo CD names registries without their scheme.
                named = source.address
                address = named if "://" in named else f"oci://{named}"
                self._chart(source.chart, address, source.version, values, path)
            elif source.address.startswith("oci://"):
                continue  # told by `fetched_at_the_site`
            elif elsewhere and source.names_folder:
                at = helm_text(source.version)
                self._elsewhere(f"{source.address} at {source.folder}", path, values, at)
            elif source.folder in self._charts and values:
                self._own_chart(source.folder, values)
            elif source.names_folder and not self._has_folder(source.folder):
                self._elsewhere(f"{source.address} at {source.folder}", path)

    def _flux(self, spec: Mapping[Any, Any], path: str) -> None:
        if spec.get("valuesFrom"):
            self.found.named.open(f"{path}: which values come from its `valuesFrom`")
        for renderer in as_mappings(spec.get("postRenderers")):
            kustomize = as_mapping(renderer.get("kustomize"))
            self._replaced(as_mappings(kustomize.get("images")), path)
            patches = {key: value for key, value in kustomize.items() if "atch" in str(key)}
            images_of_object(patches, path, self.found.named)
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
            if self._around.is_elsewhere(url):
                self._elsewhere(f"{url} at {folder}", path, values)
            elif folder in self._charts:
                self._own_chart(folder, values)
            else:
                self._elsewhere(f"{url or named[1]} at {folder}", path)
        else:
            self.found.named.open(
                f"{path}: which chart is meant by {helm_text(chart.get('chart'))[:100]} of "
                f"{named[0]} {named[1][:100]}, which is in no file here"
            )

    def _tell(self, sentences: Iterable[str], path: str) -> None:
        for sentence in sentences:
            self.found.named.open(f"{path}: {sentence}")

    def _helm_repositories(self) -> Iterable[tuple[tuple[str, str], tuple[str, str]]]:
        for document in self._objects():
            if document.get("kind") in ("HelmRepository", "OCIRepository", "GitRepository"):
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

    def _elsewhere(
        self, what: str, path: str, values: Mapping[Any, Any] | None = None, ref: str = ""
    ) -> None:
        """What another repository holds, unless the recipe brings that one by itself."""
        if self._around.is_brought(what.partition(" at ")[0], ref):
            if values:
                self.found.named.open(
                    f"{path}: which images the values lead to that it gives to {what[:300]}, whose "
                    "own line reads it without them"
                )
            return
        self.found.named.open(
            f"{path}: what {what[:300]} holds, which is another repository; give it a line of its "
            "own under `git`"
        )

    def _chart(
        self, name: Any, repository: Any, version: Any, values: Mapping[str, Any], path: str
    ) -> None:
        chart = chart_named(name, repository, version, values, path)
        if isinstance(chart, str):
            self.found.named.open(chart)
        elif chart not in self.found.charts:
            self.found.charts.append(chart)
