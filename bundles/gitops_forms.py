"""Small forms in the files of GitOps: paths, parameters, and what counts somewhere else."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from bundles.yaml_documents import helm_text

KUSTOMIZATIONS: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")


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
    if not dropped:
        return document
    return {**document, "spec": {k: v for k, v in spec.items() if k not in dropped}}


def rendered_name(path: str, values: Mapping[str, Any]) -> str:
    """The name under which a chart is rendered with some values: its file, without any."""
    if not values:
        return path
    told = json.dumps(values, sort_keys=True, default=str)
    return f"{path} with {hashlib.sha256(told.encode()).hexdigest()[:12]}"


def is_remote(resource: str) -> bool:
    """Whether Kustomize would fetch a resource."""
    return bool(
        "//" in resource
        or "?ref=" in resource
        or resource.startswith(("git@", "git::"))
        or re.match(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}/[^/]+/", resource)
    )


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
