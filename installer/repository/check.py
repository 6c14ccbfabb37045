"""Check: what a repository is judged by before anything is deployed from it.

The points of section 6.3 are the same program that reads the repository on the masters; the
contract of the gateways and what belongs to a starter come to it here. It changes nothing and asks
nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any, Final

import yaml

from foundation import bounded_files
from foundation.problems import InputProblem
from foundation.wording import counted, listed, shortened
from installer.repository.contract import contract
from installer.repository.starter import BASE, Environment

# The solution's own program, which a playbook puts on the masters: one judgement, wherever made.
from installer.solutions.pm4ml.playbooks.files.checklist.points import (
    ASK,
    HOLDS,
    POINTS,
    Site,
)
from installer.solutions.pm4ml.playbooks.files.checklist.repository import read_repository

ELSEWHERE: Final = frozenset({"names"})
"""Points that only a machine of the site can judge: what its names resolve to there."""
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LARGEST: Final = 2 * 1024 * 1024
_SECRET_KEY: Final = re.compile(
    r"(?i).*(password|passwd|token|(private|api|signing|encryption)[-_]?keys?"
    r"|(client|app|shared|auth|ilp|access|session|user|root)[-_]?secret)|secret"
)
"""Keys whose value is a secret; others that end so name where one is (existingSecret)."""
_PEM: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")


Documents = Mapping[str, "list[Mapping[str, Any]] | str"]
"""The YAML files of a repository, each with its documents or with what is against it."""


class Verdict(StrEnum):
    """What is said of a point."""

    HOLDS = "holds"
    DENIED = "denied"
    ASK = "ask"
    """A program cannot judge it; a person must."""


@dataclass(frozen=True, slots=True)
class Point:
    """One line of the check."""

    name: str
    verdict: Verdict
    said: tuple[str, ...]


def check(
    folder: Path, environment: Environment, order: tuple[str, ...], classes: tuple[str, ...] = ()
) -> tuple[Point, ...]:
    """Every point for one environment of a repository; raises InputProblem where it is not there.

    `order` are the applications of the guide that this site does not leave out.
    """
    below = folder / environment.folder
    if not below.is_dir():
        raise InputProblem(
            f"it has no folder {environment.folder}, from which this site is deployed (git_path)",
            where=str(folder),
            remedy="Name the repository's top, or write the environment there: sitewright "
            "repository create",
        )
    documents = dict(read_documents(folder, (environment.folder, BASE)))
    values = environment.values
    ceph = str(values.get("ceph_class") or "") if values.get("ceph") else ""
    local = str(values["local_class"])
    made = [ceph] if ceph else []
    # The installation makes the class where the site names the disks.
    made += [local] if values.get("local_disks") else []
    site = Site(
        domain=str(values["domain"]),
        pm4ml_id=str(values["pm4ml_id"]),
        environment=environment.environment,
        classes=(*classes, *made),
        local_class=local,
        ceph_class=ceph,
        applications=order,
        left_out=tuple(
            one.strip() for one in str(values.get("applications_left_out") or "").split(",")
        ),
    )
    read = read_repository(below)
    points = [_readable(documents)]
    for name, judge in POINTS.items():
        if name not in ELSEWHERE:
            found = judge(read, site)
            points.append(Point(name, _verdict(found.verdict), found.said))
    files = frozenset(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    return (*points, *own_points(documents, files, values))


def own_points(
    documents: Documents, files: Set[str], values: Mapping[str, Any]
) -> tuple[Point, ...]:
    """What is judged here beside the checklist: of documents by their files, and of all files."""
    return (
        _contract(documents, values),
        _no_secret(documents),
        _pinned(documents),
        _values_there(files, documents),
    )


def _verdict(number: int) -> Verdict:
    return {HOLDS: Verdict.HOLDS, ASK: Verdict.ASK}.get(number, Verdict.DENIED)


def read_documents(
    folder: Path, tops: tuple[str, ...]
) -> Iterator[tuple[str, list[Mapping[str, Any]] | str]]:
    """Each YAML file below some folders with its documents, or with what is against it."""
    for top in tops:
        for path in sorted((folder / top).rglob("*")):
            if path.suffix not in (".yaml", ".yml") or "charts" in path.parts:
                continue
            name = path.relative_to(folder).as_posix()
            if path.is_symlink() or not path.is_file():
                continue
            try:
                text = bounded_files.read_text(path, _LARGEST)
                found = list(yaml.load_all(text, Loader=_LOADER))
            except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
                yield name, " ".join(str(error).split())[:200] or "it cannot be read"
                continue
            yield name, [one for one in found if isinstance(one, dict)]


def _objects(documents: Documents) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, found in documents.items():
        for one in found if isinstance(found, list) else []:
            yield name, one


def _point(name: str, wrong: list[str], right: str) -> Point:
    if wrong:
        return Point(name, Verdict.DENIED, tuple(wrong))
    return Point(name, Verdict.HOLDS, (right,))


def _readable(documents: Documents) -> Point:
    wrong = [f"{name}: {found}" for name, found in documents.items() if isinstance(found, str)]
    return _point("yaml", wrong, f"{counted(len(documents), 'file')} read as YAML")


def _contract(documents: Documents, values: Mapping[str, Any]) -> Point:
    told = contract(
        {name: found for name, found in documents.items() if isinstance(found, list)},
        internal=bool(values["internal_ingress"]),
        proxy_protocol=values["external_proxy_protocol"] != "no",
    )
    wrong = [one.sentence for one in told if not one.holds]
    return _point("gateways-contract", wrong, "; ".join(one.sentence for one in told))


def _no_secret(documents: Documents) -> Point:
    """No secret stands in the repository; told by place, never by what it is."""
    wrong = []
    for file, one in _objects(documents):
        if one.get("kind") == "Secret" and (one.get("data") or one.get("stringData")):
            wrong.append(f"{file} holds a Secret with its data")
            continue
        wrong += [f"{file}: {place}" for place in _secret_places(one, ())]
    return _point("secrets", wrong, "none was found")


def _secret_places(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _secret_places(below, (*path, str(key)))
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from _secret_places(below, (*path, str(number)))
    elif isinstance(value, str) and value:
        place = ".".join(path)
        if _PEM.search(value):
            yield f"{place} holds a private key"
        elif path and _SECRET_KEY.fullmatch(path[-1]) and not _refers(value, path):
            yield f"{place} has a value"


def _refers(value: str, path: tuple[str, ...]) -> bool:
    """Whether a value of such a name only says where a secret is: a reference, or a template."""
    return (
        "{{" in value
        or value.startswith(("$", "/"))
        or path[-1].lower() in ("tokenaudience", "secretkey")
        or any(word.lower().endswith(("ref", "refs", "secret", "keyref")) for word in path[:-1])
        or bool(re.fullmatch(r"(?i)(true|false|none)", value))
    )


def _pinned(documents: Documents) -> Point:
    """Every chart has one version, so that two days give the same thing."""
    wrong, count = [], 0
    for file, one in _objects(documents):
        for name, version in _charts(one):
            count += 1
            if not re.fullmatch(r"v?[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.-]+)?", version):
                wrong.append(f"{file}: {name} has the version {version or 'that comes'!r}")
    return _point("versions", wrong, f"each of {count} charts has one version")


def _charts(one: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    spec = one.get("spec")
    if one.get("kind") == "Application" and isinstance(spec, dict):
        for source in [spec.get("source"), *(spec.get("sources") or [])]:
            if isinstance(source, dict) and source.get("chart"):
                yield str(source["chart"]), str(source.get("targetRevision") or "")
    for chart in one.get("helmCharts") or [] if one.get("kind") == "Kustomization" else []:
        if isinstance(chart, dict):
            yield str(chart.get("name")), str(chart.get("version") or "")


def _values_there(files: Set[str], documents: Documents) -> Point:
    """Every file of values that an application names in this repository is in it."""
    wrong, count, names = [], 0, dict[str, str]()
    for file, one in _objects(documents):
        if one.get("kind") != "Application":
            continue
        name = str((one.get("metadata") or {}).get("name"))
        if name in names or name in PurePosixPath(file).parts:
            wrong.append(f"{file}: another application is called {name} too")
        names[name] = file
        for source in (one.get("spec") or {}).get("sources") or []:
            for path in ((source.get("helm") or {}).get("valueFiles") or []) if source else []:
                count += 1
                inside = str(path).removeprefix("$site/")
                if inside != path and inside not in files:
                    wrong.append(f"{file} names {inside}, which is not there")
    return _point("values", wrong, f"each of {count} files that applications name is there")


def in_words(point: Point, most: int = 3) -> str:
    """What was said of a point, on one line."""
    said = list(point.said)
    return shortened(said, most) if len(said) > 1 else listed(said)
