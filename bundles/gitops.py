"""What a repository of manifests names from outside: images, and Helm charts with their values.

Read are Kubernetes objects, Kustomize's files (`helmCharts`, `images`), Argo CD's applications and
charts that stand on other charts. It is read as it lies there, without running Kustomize or Helm;
what cannot be told that way is named, so that a person can write a line for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

import yaml

from bundles.chart_images import images_of_manifest, is_bomb
from bundles.reference import parse_reference
from foundation.problems import InputProblem

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_VERSION: Final = re.compile(r"v?[0-9]+\.[0-9]+\.[0-9]+[A-Za-z0-9.+-]*")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_REPOSITORY: Final = re.compile(r"(https?|oci)://[!-~]{1,500}")
_DEEPEST: Final = 60
_POD_LISTS: Final = ("containers", "initContainers", "ephemeralContainers")


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

    images: dict[str, str] = field(default_factory=dict)
    """Each image in full, with the first file that names it."""
    charts: list[ChartNamed] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """What a file names and cannot be told, as a sentence each."""


def read_manifests(files: Mapping[str, bytes]) -> FromOutside:
    """What the YAML files of a repository name; `files` by their paths in it."""
    found = FromOutside()
    for path in sorted(files):
        text = files[path].decode("utf-8", "replace")
        for image in images_of_manifest(text):
            found.images.setdefault(image, path)
        for document in _documents(text):
            _read(document, path, files, found)
    return found


def _documents(text: str) -> Iterator[dict[Any, Any]]:
    try:
        for document in yaml.load_all(text, Loader=_LOADER):
            if isinstance(document, dict) and not is_bomb(document):
                yield document
    except (yaml.YAMLError, ValueError, RecursionError):
        return  # a template of Helm is no YAML; its literal images were found in the text


def _read(
    document: dict[Any, Any], path: str, files: Mapping[str, bytes], found: FromOutside
) -> None:
    name = PurePosixPath(path).name
    for image in _in_pods(document):
        _image(image, path, found)
    if name in ("kustomization.yaml", "kustomization.yml") or document.get("kind") in (
        "Kustomization",
        "HelmChartInflationGenerator",
    ):
        _kustomization(document, path, files, found)
    if str(document.get("apiVersion", "")).startswith("argoproj.io/"):
        _argo(document, path, found)
    if name == "Chart.yaml":
        _umbrella(document, path, files, found)


def _kustomization(
    document: dict[Any, Any], path: str, files: Mapping[str, bytes], found: FromOutside
) -> None:
    for line in _mappings(document.get("images")):
        label = line.get("newTag")
        name = line.get("newName") or line.get("name")
        digest = line.get("digest")
        if name and (label or digest):
            tag = f":{label}" if label else ""
            _image(f"{name}{tag}" + (f"@{digest}" if digest else ""), path, found)
    for key in ("resources", "bases", "components", "crds"):
        listed = document.get(key)
        for one in listed if isinstance(listed, list) else ():
            if isinstance(one, str) and ("://" in one or one.startswith(("github.com/", "git@"))):
                found.unread.append(
                    f"{path}: what {one[:200]} holds, which is fetched when it is rendered; "
                    "put it into the repository"
                )
    for chart in _mappings(document.get("helmCharts")):
        values = dict(_mapping(chart.get("valuesInline")))
        file = chart.get("valuesFile")
        if isinstance(file, str):
            beside = str(PurePosixPath(path).parent / file)
            lower = next(_documents(files.get(beside, b"").decode("utf-8", "replace")), {})
            values = {**lower, **values}
        _chart(chart.get("name"), chart.get("repo"), chart.get("version"), values, path, found)


def _argo(document: dict[Any, Any], path: str, found: FromOutside) -> None:
    spec = _mapping(document.get("spec"))
    if document.get("kind") == "ApplicationSet":
        spec = _mapping(_mapping(spec.get("template")).get("spec"))
    elif document.get("kind") != "Application":
        return
    for source in (_mapping(spec.get("source")), *_mappings(spec.get("sources"))):
        if not source.get("chart"):
            continue
        helm = _mapping(source.get("helm"))
        values = dict(_mapping(helm.get("valuesObject")))
        text = helm.get("values")
        if isinstance(text, str):
            values = {**next(_documents(text), {}), **values}
        repository = str(source.get("repoURL", ""))
        if "://" not in repository:
            # Argo CD names registries without their scheme.
            repository = f"oci://{repository}"
        version = source.get("targetRevision")
        _chart(source.get("chart"), repository, version, values, path, found)


def _umbrella(
    document: dict[Any, Any], path: str, files: Mapping[str, bytes], found: FromOutside
) -> None:
    beside = str(PurePosixPath(path).parent / "values.yaml")
    own = next(_documents(files.get(beside, b"").decode("utf-8", "replace")), {})
    for line in _mappings(document.get("dependencies")):
        repository = str(line.get("repository", ""))
        if repository.startswith("file://") or not repository:
            continue  # it lies in the same repository
        values = _mapping(own.get(str(line.get("alias") or line.get("name"))))
        _chart(line.get("name"), repository, line.get("version"), values, path, found)


def _chart(
    name: Any,
    repository: Any,
    version: Any,
    values: Mapping[str, Any],
    path: str,
    found: FromOutside,
) -> None:
    called, address, number = (_text(one) for one in (name, repository, version))
    if not _NAME.fullmatch(called) or not _REPOSITORY.fullmatch(address):
        found.unread.append(f"{path}: which chart is meant by {called[:100] or 'an empty name'}")
    elif not _VERSION.fullmatch(number):
        found.unread.append(
            f'{path}: which version of the chart {called} is meant by "{number[:100]}"; '
            "write the number"
        )
    else:
        plain = {str(key): value for key, value in values.items()}
        chart = ChartNamed(called, address, number, values=plain, by=path)
        if chart not in found.charts:
            found.charts.append(chart)


def _text(value: Any) -> str:
    return str(value).rstrip("/") if isinstance(value, (str, int, float)) else ""


def _image(text: Any, path: str, found: FromOutside) -> None:
    if not isinstance(text, str) or "{{" in text or "$" in text:
        return
    try:
        found.images.setdefault(str(parse_reference(text)), path)
    except InputProblem:
        found.unread.append(f"{path}: which image is meant by {text[:100]!r}")


def _in_pods(value: Any, depth: int = 0) -> Iterator[Any]:
    """The images of containers, wherever a template of a pod stands."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for one in value:
            yield from _in_pods(one, depth + 1)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key in _POD_LISTS:
                yield from (c["image"] for c in _mappings(one) if "image" in c)
            yield from _in_pods(one, depth + 1)


def _mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: Any) -> list[dict[Any, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
