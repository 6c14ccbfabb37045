"""Rendered: a release's manifest as objects, and what changes from one to another, in words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bundles.manifests.yaml_documents import read_documents
from foundation.secrets import cut
from foundation.wording import counted, listed

WORKLOADS: Final = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
_HOLDS_DATA: Final = frozenset({"PersistentVolumeClaim", "StatefulSet", "Secret"})
_MOST_PATHS: Final = 3
_LONGEST: Final = 200
_LONGEST_CHANGE: Final = 600
Object = Mapping[str, Any]
Name = tuple[str, str]
"""Kind and name; the namespace too, where it is another than the release's."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a release holds."""

    objects: Mapping[Name, Object]
    broken: tuple[str, ...] = ()
    """What of it is no YAML, with the line."""

    @property
    def sentence(self) -> str:
        """How many of which kind."""
        kinds = Counter(kind for kind, _ in self.objects)
        return listed(f"{number} x {kind}" for kind, number in sorted(kinds.items())) or "nothing"

    @property
    def images(self) -> tuple[str, ...]:
        """Every image that a workload names, each once."""
        found = (str(one.get("image") or "") for made in self.objects.values()
                 for one in containers(made))  # fmt: skip
        return tuple(sorted({name for name in found if name}))


def manifest_of(text: str | bytes) -> Manifest:
    """The objects of a rendered manifest; lists are taken apart, and hidden secrets left out."""
    documents = read_documents(text)
    found = {}
    for value in documents.values:
        for one in _each(value):
            metadata = one["metadata"]
            namespace = str(metadata.get("namespace") or "")
            name = str(metadata.get("name") or "")
            found[str(one["kind"]), f"{namespace}/{name}" if namespace else name] = one
    return Manifest(found, tuple(f"line {one.line}: {one.why}" for one in documents.broken))


def _each(value: Any) -> Iterator[Object]:
    if not isinstance(value, dict):
        return
    if isinstance(value.get("items"), list) and str(value.get("kind", "")).endswith("List"):
        for one in value["items"]:
            yield from _each(one)
    elif value.get("kind") and isinstance(value.get("metadata"), dict):
        yield value


def template_of(one: Object) -> Mapping[str, Any]:
    """What the pods of a workload are made after; empty for what makes none."""
    spec = _dict(one.get("spec"))
    if one.get("kind") == "CronJob":
        spec = _dict(_dict(spec.get("jobTemplate")).get("spec"))
    return _dict(spec.get("template")) if one.get("kind") in WORKLOADS else {}


def containers(one: Object, *, first: bool = True) -> list[Mapping[str, Any]]:
    """The containers of a workload's pods; `first` has those that run before the others too."""
    spec = _dict(template_of(one).get("spec"))
    if one.get("kind") == "Pod":
        spec = _dict(one.get("spec"))
    kinds = ("initContainers", "containers") if first else ("containers",)
    return [each for kind in kinds for each in spec.get(kind) or [] if isinstance(each, dict)]


def replicas(one: Object) -> int:
    """How many pods a workload is to have; 1 where it does not say."""
    said = _dict(one.get("spec")).get("replicas")
    return said if isinstance(said, int) and 0 <= said < 100_000 else 1


def changes(before: Manifest, after: Manifest) -> list[str]:
    """What changes, a sentence each: what is new, what goes, then what is another."""
    new = [name for name in after.objects if name not in before.objects]
    gone = [name for name in before.objects if name not in after.objects]
    said = [f"{_called(name)} is new{_of(after.objects[name])}." for name in new]
    for name in gone:
        loses = " What it holds goes with it." if name[0] in _HOLDS_DATA else ""
        said.append(f"{_called(name)} is removed.{loses}")
    for name, one in after.objects.items():
        there = before.objects.get(name)
        if there is not None and there != one:
            said.append(f"{_called(name)}: {_changed(there, one)}.")
    return said


def _called(name: Name) -> str:
    return cut(f"{name[0]} {name[1]}", _LONGEST)


def _of(one: Object) -> str:
    if one.get("kind") not in ("Deployment", "StatefulSet"):
        return ""
    return f", {counted(replicas(one), 'pod')}"


def _changed(before: Object, after: Object) -> str:
    told = []
    if (was := replicas(before)) != (now := replicas(after)):
        told.append(f"{was} -> {now} replicas")
    old = {str(one.get("name")): one for one in containers(before)}
    for one in containers(after):
        name = str(one.get("name"))
        there = old.get(name, {})
        if there and there.get("image") != one.get("image"):
            told.append(f"{name} runs {_short(one.get('image'))} instead of"
                        f" {_short(there.get('image'))}")  # fmt: skip
        if there and there.get("resources") != one.get("resources"):
            told.append(f"{name} has other resources ({_short(one.get('resources'))})")
    if not told:
        paths = list(_paths(before, after))
        more = len(paths) - _MOST_PATHS
        told = [f"other {listed(paths[:_MOST_PATHS])}" + (f" and {more} more" if more > 0 else "")]
    if template_of(before) != template_of(after) and after.get("kind") in WORKLOADS:
        told.append("its pods start anew")
    return cut("; ".join(told), _LONGEST_CHANGE)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return cut(text, _LONGEST)


def _paths(before: Any, after: Any, place: str = "") -> Iterator[str]:
    """Where two values differ, the shortest paths that tell it; never what stands there."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*map(str, before), *map(str, after)}):
            if before.get(key) != after.get(key):
                at = f"{place}.{key}" if place else key
                deeper = place.count(".") < 2
                yield from (_paths(before.get(key), after.get(key), at) if deeper else [at])
    elif before != after:
        yield place or "contents"


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def shown(said: Sequence[str], most: int) -> list[str]:
    """The first sentences of many, and how many are left out."""
    rest = len(said) - most
    return [*said[:most], *([f"And {rest} more of the kind."] if rest > 0 else [])]
