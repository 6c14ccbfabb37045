"""What stands in a customer's Git repository: its manifests and the values in them.

Files that are templates of Helm cannot be read as YAML; they are searched line by line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

LARGEST: Final = 2 * 1024 * 1024
"""Bytes; a larger file holds no settings."""

LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The quicker of two that read the same."""

DEEPEST: Final = 60
"""Levels; what goes deeper is an alias that holds itself."""

READ: Final = frozenset(
    {".yaml", ".yml", ".json", ".env", ".tpl", ".properties", ".conf", ".tfvars"}
)
MANIFESTS: Final = frozenset({".yaml", ".yml", ".json", ".jsonnet"})
_LINE: Final = re.compile(r"^\s*-?\s*([A-Za-z_][\w.-]*)\s*[:=]\s*(.+?)\s*$")


@dataclass(frozen=True)
class Leaf:
    """A value that stands in a file."""

    file: str
    line: int
    path: tuple[str, ...]
    value: str

    @property
    def place(self) -> str:
        """Where it stands, for a person."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Document:
    """One document of a YAML file."""

    file: str
    line: int
    body: Any

    @property
    def kind(self) -> str:
        """Its kind, as Kubernetes calls it; empty where it is no object."""
        return str(self.body.get("kind", "")) if isinstance(self.body, dict) else ""

    @property
    def name(self) -> str:
        """The object's name."""
        found = self.at("metadata", "name")
        return found if isinstance(found, str) else "?"

    def at(self, *path: str) -> Any:
        """What stands under a path of keys; None where nothing does."""
        value = self.body
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    @property
    def place(self) -> str:
        """Where it stands and what it is, for a person."""
        return f"{self.file}:{self.line} ({self.kind} {self.name})"


@dataclass
class Repository:
    """What was read of a repository: values, documents, and the files that are templates."""

    leaves: list[Leaf] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    templates: list[str] = field(default_factory=list)
    folders: dict[str, int] = field(default_factory=dict)
    """The folders at its top, with how many files each has of which Argo CD makes something."""

    def of(self, *kinds: str) -> list[Document]:
        """The objects of some kinds."""
        return [each for each in self.documents if each.kind in kinds]


def deployed_from(folder: Path) -> int:
    """How many files of a folder Argo CD makes something of: of those at its top alone.

    A chart, a Kustomize folder and one of plain manifests each have such a file there.
    """
    return sum(
        path.is_file() and (path.suffix in MANIFESTS or path.name == "Kustomization")
        for path in folder.iterdir()
    )


def read_repository(folder: Path) -> Repository:
    """Every file of a checked-out repository that holds settings."""
    tops = sorted(path for path in folder.iterdir() if path.is_dir() and path.name != ".git")
    found = Repository(folders={path.name: deployed_from(path) for path in tops})
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        # A vendored chart has the values of its makers, not the site's.
        if {".git", "charts"} & set(inside.parts) or path.is_symlink() or not path.is_file():
            continue
        if path.suffix not in READ or path.stat().st_size > LARGEST:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix in {".yaml", ".yml", ".json"}:
            try:
                nodes = list(yaml.compose_all(text, Loader=LOADER))
            except (yaml.YAMLError, RecursionError):
                nodes = None
            # "{{" within quotes is a word for another program; outside of them it is a template,
            # which YAML takes for a mapping whose key is a mapping.
            if nodes is not None and ("{{" not in text or not any(map(_is_template, nodes))):
                for node in nodes:
                    if node is not None:
                        _take(found, node, str(inside))
                continue
        found.templates.append(str(inside))
        for number, line in enumerate(text.splitlines(), 1):
            match = _LINE.match(line)
            if match and "{{" not in match[2]:
                value = match[2].strip("'\" ")
                found.leaves.append(Leaf(str(inside), number, (match[1],), value))
    return found


def _is_template(node: yaml.Node | None, depth: int = 0) -> bool:
    """Whether a mapping in it has a key that is no word."""
    if depth > DEEPEST:
        return True
    if isinstance(node, yaml.MappingNode):
        return any(
            not isinstance(key, yaml.ScalarNode) or _is_template(value, depth + 1)
            for key, value in node.value
        )
    return isinstance(node, yaml.SequenceNode) and any(
        _is_template(each, depth + 1) for each in node.value
    )


def _take(found: Repository, node: yaml.Node, file: str) -> None:
    body = _plain(node, file, (), found.leaves, depth=0)
    items = body.get("items") if isinstance(body, dict) and body.get("kind") == "List" else None
    for each in items if isinstance(items, list) else [body]:
        found.documents.append(Document(file, node.start_mark.line + 1, each))


def _plain(
    node: yaml.Node, file: str, path: tuple[str, ...], leaves: list[Leaf], *, depth: int
) -> Any:
    if depth > DEEPEST:
        return None  # an alias that holds itself
    if isinstance(node, yaml.MappingNode):
        return {
            str(key.value): _plain(value, file, (*path, str(key.value)), leaves, depth=depth + 1)
            for key, value in node.value
            if isinstance(key, yaml.ScalarNode)
        }
    if isinstance(node, yaml.SequenceNode):
        return [_plain(each, file, path, leaves, depth=depth + 1) for each in node.value]
    leaves.append(Leaf(file, node.start_mark.line + 1, path, str(node.value)))
    return str(node.value)
