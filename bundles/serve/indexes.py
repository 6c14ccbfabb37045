"""What people and programs find files by: a Helm repository, a Python index, plain files."""

from __future__ import annotations

import html
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import yaml

from bundles.format import media
from bundles.format.layout import Item
from bundles.format.problems import HostileBundle
from bundles.serve.resources import HTML, JSON, Resource, Stored, Written, add, is_file_name


@dataclass(frozen=True, slots=True)
class Part:
    """One file of an item: its name where the manifest states one, digest and size in bytes."""

    name: str
    digest: str
    size: int
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """One Helm chart: what Chart.yaml says, as the manifest's configuration keeps it."""

    item: Item
    parts: tuple[Part, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)


def helm_repository(charts: Iterable[Chart], *, moment: str, where: str) -> dict[str, Resource]:
    """index.yaml, the packed charts and their provenance files, by path."""
    table: dict[str, Resource] = {}
    entries: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for chart in charts:
        name, version = chart.item.name, chart.item.version or ""
        file = f"{name}-{version}.tgz"
        if not is_file_name(file):
            raise HostileBundle(f"its name {file!r} is none", where=f"{where}, chart {name}")
        for part in chart.parts:
            provenance = part.media_type == media.HELM_PROVENANCE
            path = f"charts/{file}.prov" if provenance else f"charts/{file}"
            stored = Stored(part.digest, part.size, f"chart {name}", "application/gzip")
            add(table, path, stored, where=where)
            if not provenance:
                entries[name].append(
                    {
                        **chart.metadata,
                        "name": name,
                        "version": version,
                        "created": moment,
                        "digest": part.digest.removeprefix("sha256:"),
                        "urls": [file],
                    }
                )
    if entries:
        index = {"apiVersion": "v1", "generated": moment, "entries": dict(entries)}
        raw = yaml.safe_dump(index, sort_keys=True, allow_unicode=True).encode()
        add(table, "charts/index.yaml", Written(raw, "application/yaml"), where=where)
    return table


def python_index(wheels: Iterable[tuple[Item, Part]], *, where: str) -> dict[str, Resource]:
    """The simple index of PEP 503 and the wheels, by path."""
    table: dict[str, Resource] = {}
    projects: dict[str, dict[str, str]] = defaultdict(dict)
    for item, part in wheels:
        if not is_file_name(part.name) or not part.name.endswith(".whl"):
            raise HostileBundle(f"{part.name!r} is no wheel", where=f"{where}, wheel {item.name}")
        project = re.sub(r"[-_.]+", "-", item.name).lower()
        if not is_file_name(project):
            raise HostileBundle(f"{item.name!r} is no project", where=where)
        stored = Stored(part.digest, part.size, f"wheel {item.name}")
        add(table, f"wheels/{part.name}", stored, where=where)
        projects[project][part.name] = part.digest.removeprefix("sha256:")
    for project, files in projects.items():
        links = "".join(
            f'<a href="../../wheels/{quote(name)}#sha256={digest}">{html.escape(name)}</a><br>\n'
            for name, digest in sorted(files.items())
        )
        add(table, f"simple/{project}/", _page(project, links), where=where)
    if projects:
        links = "".join(f'<a href="{name}/">{name}</a><br>\n' for name in sorted(projects))
        add(table, "simple/", _page("Python packages", links), where=where)
    return table


def plain_files(
    items: Iterable[tuple[Item, tuple[Part, ...]]], folder: str, *, where: str
) -> dict[str, Resource]:
    """Files by name below a folder, and below FOLDER/VERSION where one has several versions.

    `index.json` in the folder lists them with version, size in bytes and SHA-256.
    """
    table: dict[str, Resource] = {}
    versions: dict[str, list[tuple[str, Stored]]] = defaultdict(list)
    for item, parts in items:
        for part in parts:
            if not is_file_name(part.name) or part.name == "index.json":
                raise HostileBundle(f"{part.name!r} is no file name", where=f"{where}, {item.name}")
            stored = Stored(part.digest, part.size, f"{item.kind} {item.name}")
            versions[part.name].append((item.version or "", stored))
    listed = []
    for name, found in sorted(versions.items()):
        for version, stored in found:
            alone = len({one.digest for _, one in found}) == 1
            path = name if alone else f"{version}/{name}"
            if not alone and not is_file_name(version):
                raise HostileBundle(f"two files are called {name}", where=where)
            add(table, f"{folder}/{path}", stored, where=where)
            listed.append(
                {
                    "path": path,
                    "version": version or None,
                    "size": stored.size,
                    "sha256": stored.digest.removeprefix("sha256:"),
                }
            )
    if listed:
        raw = json.dumps(listed, indent=1).encode()
        add(table, f"{folder}/index.json", Written(raw, JSON), where=where)
    return table


def _page(title: str, body: str) -> Written:
    head = f"<!DOCTYPE html><html><head><title>{html.escape(title)}</title></head><body>\n"
    return Written(f"{head}{body}</body></html>\n".encode(), HTML)
