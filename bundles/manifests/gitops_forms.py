"""Small forms in the files of GitOps: paths, parameters, and what counts somewhere else."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from bundles.manifests.yaml_documents import helm_text

KUSTOMIZATIONS: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")


@dataclass(frozen=True, slots=True)
class Around:
    """Which repository is read, and which others the recipe brings with lines of their own."""

    own: str = ""
    """Its address; empty where nobody says it."""
    brought: tuple[tuple[str, str], ...] = ()
    """The address and the branch, tag or commit of each; of a plain file its address alone."""

    def is_elsewhere(self, url: str) -> bool:
        """Whether an address is another repository than the one that is read.

        A mirror goes by another host and another owner, so the last name of the path decides; an
        address that a template computes is taken for the repository's own.
        """
        if not self.own or "/" not in url or re.search(r"\{\{|\$", url):
            return False
        return _place(url).rpartition("/")[2] != _place(self.own).rpartition("/")[2]

    def is_brought(self, url: str, ref: str = "") -> bool:
        """Whether another line of the recipe brings a repository, at what is asked for of it."""
        return any(
            _place(url) == _place(one) and (ref in ("", "HEAD", at) or not at)
            for one, at in self.brought
        )

    def brings(self, resource: str) -> bool:
        """Whether another line of the recipe brings what Kustomize would fetch."""
        address, ref = remote_base(resource)
        return self.is_brought(address, ref) or self.is_brought(resource)


def _place(url: str) -> str:
    """A repository's address without what differs between its spellings."""
    plain = re.sub(r"^[a-z+]+://", "", url.strip().lower())
    plain = re.sub(r"^[^/@]*@", "", plain).partition("?")[0]
    plain = re.sub(r"^([^/:]+):(?:[0-9]+/)?", r"\1/", plain)
    return plain.rstrip("/").removesuffix(".git").rstrip("/")


def without_given(document: Any, path: str) -> Any:
    """A document without what counts with a chart that is read with it."""
    if not isinstance(document, dict):
        return document
    kind, name = document.get("kind"), PurePosixPath(path).name
    spec = as_mapping(document.get("spec"))
    if name in KUSTOMIZATIONS or kind == "Kustomization":
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
    api = str(document.get("apiVersion", ""))
    if not dropped or api.startswith("kots.io/"):  # its charts lie beside it, and are not read here
        return document
    return {**document, "spec": {k: v for k, v in spec.items() if k not in dropped}}


def rendered_name(path: str, values: Mapping[str, Any]) -> str:
    """The name under which a chart is rendered with some values: its file, without any."""
    if not values:
        return path
    told = json.dumps(values, sort_keys=True, default=str)
    return f"{path} with {hashlib.sha256(told.encode()).hexdigest()[:12]}"


def charts_of(document: Mapping[Any, Any]) -> list[dict[Any, Any]]:
    """The charts that a kustomization has Kustomize fetch or render, in today's form."""
    charts = as_mappings(document.get("helmCharts"))
    if document.get("kind") == "HelmChartInflationGenerator":
        charts.append(dict(document))
    for old in as_mappings(document.get("helmChartInflationGenerator")):
        charts.append(
            {
                "name": old.get("chartName"),
                "repo": old.get("chartRepoUrl"),
                "version": old.get("chartVersion"),
                "valuesFile": old.get("values"),
                "valuesInline": old.get("valuesLocal"),
            }
        )
    # The old generator as a document has the old names too.
    return [
        {**one, "name": one.get("name") or one.get("chartName"),
         "repo": one.get("repo") or one.get("chartRepo"),
         "version": one.get("version") or one.get("chartVersion")}
        for one in charts
    ]  # fmt: skip


def is_remote(resource: str) -> bool:
    """Whether Kustomize would fetch a resource."""
    return bool(
        "//" in resource
        or "?ref=" in resource
        or resource.startswith(("git@", "git::"))
        or re.match(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}/[^/]+/", resource)
    )


_HOSTED: Final = re.compile(r"((?:[a-z+]+://)?(?:[^/@]+@)?[^/:]+[/:][^/]+/[^/]+?)(?:\.git)?(?:/|$)")


def remote_base(resource: str) -> tuple[str, str]:
    """The repository of what Kustomize fetches, and the branch, tag or commit of it."""
    plain, _, query = resource.removeprefix("git::").partition("?")
    words = dict(word.partition("=")[::2] for word in query.split("&"))
    scheme, double, rest = plain.partition("://")
    head, folder, _ = (rest if double else plain).partition("//")
    if folder:
        address = f"{scheme}://{head}" if double else head
    else:
        found = _HOSTED.match(plain)
        address = found[1] if found else plain
    return address, words.get("ref") or words.get("version") or ""


def is_object_or_patch(document: Any) -> bool:
    """Whether a document of JSON is an object, or the lines of a patch to one."""
    if isinstance(document, list):
        return bool(document) and all(isinstance(o, dict) and "op" in o for o in document)
    return isinstance(document, dict) and "kind" in document


def normal_path(path: str) -> str:
    """A path without dots, that does not leave the repository."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in (".", ""):
            parts.append(part)
    return "/".join(parts)


def value_at(path: str, value: Any) -> dict[str, Any]:
    """A parameter such as image.tag=1 as values."""
    steps = [step.replace("\\.", ".") for step in re.split(r"(?<!\\)\.", path) if step]
    found: Any = value
    for step in reversed(steps):
        found = {step: found}
    return found if isinstance(found, dict) else {}


def laid_over(below: dict[str, Any], above: Mapping[Any, Any], depth: int = 0) -> dict[str, Any]:
    """Values under others, as `helm install --values` lays them over each other."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(value, dict) and isinstance(under, dict) and depth < 50:
            merged[key] = laid_over(under, value, depth + 1)
        elif value is None:
            merged.pop(key, None)  # Helm takes null as a word for: take it away
        else:
            merged[key] = value
    return merged


def plain_text(value: Any) -> str:
    """A value as text, without a slash at its end; empty where it is more than a word."""
    return str(value).rstrip("/") if isinstance(value, (str, int, float)) else ""


def as_list(value: Any) -> list[Any]:
    """A list, whatever stands there."""
    return value if isinstance(value, list) else []


def as_mapping(value: Any) -> dict[Any, Any]:
    """A mapping, whatever stands there."""
    return value if isinstance(value, dict) else {}


def as_mappings(value: Any) -> list[dict[Any, Any]]:
    """The mappings of a list, whatever stands there."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def objects_in(document: dict[Any, Any], depth: int = 0) -> Iterator[dict[Any, Any]]:
    """An object, and where it is a list of objects each of them."""
    yield document
    if str(document.get("kind", "")).endswith("List") and depth < 5:
        for one in as_mappings(document.get("items")):
            yield from objects_in(one, depth + 1)


def fetched_at_the_site(document: Mapping[Any, Any]) -> list[str]:
    """What an object of Flux or Argo CD takes in from a place that no line of a recipe brings."""
    api, kind = str(document.get("apiVersion", "")), document.get("kind")
    spec = as_mapping(document.get("spec"))
    found = []
    included = as_list(document.get("include")) if "services" in document and not kind else []
    for one in included:
        for path in as_list(one.get("path")) if isinstance(one, dict) else [one]:
            if isinstance(path, str) and is_remote(path):
                found.append(f"what {path[:300]} holds, which Compose fetches")
    if api.startswith("source.toolkit.fluxcd.io/") and kind == "Bucket":
        found.append(
            f"what the bucket {helm_text(spec.get('bucketName'))[:100]} of "
            f"{helm_text(spec.get('endpoint'))[:200]} holds"
        )
    ref = as_mapping(spec.get("sourceRef"))
    if api.startswith("kustomize.toolkit.fluxcd.io/") and ref.get("kind") == "OCIRepository":
        found.append(
            f"what the OCIRepository {helm_text(ref.get('name'))[:100]} holds, which Flux fetches "
            "at the site; name its images under `images`"
        )
    if api.startswith("argoproj.io/"):
        if kind == "ApplicationSet":
            if spec.get("templatePatch"):
                found.append("what its templatePatch changes")
            spec = as_mapping(as_mapping(spec.get("template")).get("spec"))
        for source in (as_mapping(spec.get("source")), *as_mappings(spec.get("sources"))):
            address = helm_text(source.get("repoURL"))
            if address.startswith("oci://") and not source.get("chart"):
                found.append(
                    f"what {address[:300]} holds, which Argo CD fetches at the site; name its "
                    "images under `images`"
                )
    return found


def chart_folders(files: Mapping[str, bytes]) -> list[str]:
    """The folders of the charts that lie in a repository, without those inside others."""
    folders = {
        str(PurePosixPath(path).parent)
        for path in files
        if PurePosixPath(path).name == "Chart.yaml"
    }
    return sorted(folder for folder in folders if not _is_inside(folder, folders))


def _is_inside(folder: str, folders: Iterable[str]) -> bool:
    """Whether a chart lies in the `charts` of another."""
    return any(
        (below(folder, other) or "").startswith(("charts/", "templates/"))
        for other in folders
        if other != folder
    )


def below(path: str, folder: str) -> str | None:
    """A path inside a folder, from there; None for one outside."""
    if folder == ".":
        return path
    return path[len(folder) + 1 :] if path.startswith(f"{folder}/") else None
