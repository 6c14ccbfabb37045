"""Small forms in the files of GitOps: paths, parameters, and what counts somewhere else."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final

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
