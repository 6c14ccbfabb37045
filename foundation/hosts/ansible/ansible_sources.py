"""The files of an Ansible inventory: one file or a folder, with group_vars and host_vars beside it.

Gathered by Ansible's own rules, bounded, and never run: an executable inventory, or one that names
a plugin, is refused with the way out. A file that is encrypted as a whole is left out and told.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Final

from foundation import bounded_files
from foundation.documents import read_text
from foundation.problems import InputProblem

FILES_LIMIT: Final = 4000
BYTES_LIMIT: Final = 32 * 1024 * 1024
_DEPTH_LIMIT: Final = 12
_IGNORED = re.compile(
    r"^\.|^host_vars$|^group_vars$|^vars_plugins$"
    r"|(?:\.pyc|\.pyo|\.swp|\.bak|~|\.rpm|\.md|\.txt|\.rst|\.orig|\.cfg|\.retry)$"
)
"""What Ansible passes over in a folder (INVENTORY_IGNORE_EXTS and what it always ignores)."""
_VARIABLE_FILE: Final = ("", ".yml", ".yaml", ".json")
_VAULT: Final = "$ANSIBLE_VAULT;"
_PLUGIN = re.compile(r"^plugin\s*:", re.MULTILINE)
RESOLVE: Final = "ansible-inventory --list --yaml -i {} > resolved.yml"


@dataclass(frozen=True, slots=True)
class Source:
    """One file of an inventory."""

    path: Path
    name: str
    """Relative to the inventory's folder."""
    text: str
    owner: str | None = None
    """For a file of variables the group or machine it is of; None for an inventory file."""


@dataclass(slots=True)
class Sources:
    """All files of an inventory, and what was left out of them."""

    inventory: str
    """The inventory relative to its folder; empty where it is the folder itself."""
    files: list[Source] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    size: int = 0

    def add(self, path: Path, name: str, owner: str | None, text: str) -> None:
        """Take one more file, whose text was read; raises InputProblem past the bounds."""
        self.size += len(text)
        if len(self.files) >= FILES_LIMIT or self.size > BYTES_LIMIT:
            raise InputProblem(
                f"the inventory has more than {FILES_LIMIT} files or {BYTES_LIMIT} bytes",
                where=str(path),
                remedy="Save what Ansible makes of it: " + RESOLVE.format("FOLDER"),
            )
        if text.startswith(_VAULT):
            self.notes.append(
                f"{path} is encrypted and was not read; where it says how machines are reached, "
                "say so in the site file"
            )
            return
        self.files.append(Source(path, name, text, owner))


def _text_of(path: Path) -> str:
    """The text of a file of variables; raises UnicodeDecodeError where it is none."""
    try:
        return bounded_files.read_text(path, BYTES_LIMIT)
    except OSError as error:
        raise InputProblem(
            f"the file cannot be read: {error.strerror or error}",
            where=str(path),
            remedy="Mend its rights: it may say how machines are reached.",
        ) from error


def gather(path: Path, text: str | None = None) -> Sources:
    """The files of an inventory; raises InputProblem for what would run and what is too much.

    `text` is that of the file where it was read: a pipe of the shell gives it only once.
    """
    if path.is_dir():
        sources = Sources("")
        _folder(sources, path, "", 0)
        if not any(source.owner is None for source in sources.files):
            raise InputProblem(
                "the folder holds no inventory", where=str(path),
                remedy="Name the file of the machines, or the folder in which it lies.",
            )  # fmt: skip
        base = path
    else:
        sources = Sources(path.name)
        _inventory(sources, path, path.name, read_text(path) if text is None else text)
        base = path.parent
    for kind in ("group_vars", "host_vars"):
        folder = base / kind
        if folder.is_dir():
            _variables(sources, folder, kind)
    return sources


def _folder(sources: Sources, folder: Path, prefix: str, depth: int) -> None:
    if depth > _DEPTH_LIMIT:
        raise InputProblem("the folder of the inventory lies too deep", where=str(folder))
    for entry in sorted(_entries(folder), key=lambda entry: entry.name):
        if _IGNORED.search(entry.name):
            continue
        name = f"{prefix}{entry.name}"
        if entry.is_dir():
            _folder(sources, entry, name + "/", depth + 1)
        elif entry.is_file():
            _inventory(sources, entry, name, read_text(entry))


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise InputProblem(
            f"the folder cannot be read: {error.strerror or error}", where=str(folder)
        ) from error


def _inventory(sources: Sources, path: Path, name: str, text: str) -> None:
    if text.startswith("#!") and os.access(path, os.X_OK):
        raise InputProblem(
            "this inventory is a program, and Sitewright runs none to learn of machines",
            where=str(path),
            remedy="Run it by hand and name its result: " + RESOLVE.format(quote(str(path))),
        )
    if path.suffix == ".toml":
        raise InputProblem(
            "this inventory is TOML, which is not read here",
            where=str(path),
            remedy="Save it as YAML: " + RESOLVE.format(quote(str(path))),
        )
    before = len(sources.files)
    sources.add(path, name, None, text)
    if len(sources.files) == before:
        raise InputProblem(
            "the inventory is encrypted as a whole",
            where=str(path),
            remedy=f"Save it without its secrets: ansible-vault view {quote(str(path))}",
        )
    if path.suffix in (".yml", ".yaml", "") and (plugin := _PLUGIN.search(text)):
        line = text.count("\n", 0, plugin.start()) + 1
        raise InputProblem(
            f"line {line}: the inventory is made by a plugin, which would ask others for machines",
            where=str(path),
            remedy="Run it by hand and name its result: " + RESOLVE.format(quote(str(path))),
        )


def _variables(sources: Sources, folder: Path, kind: str) -> None:
    """The files of group_vars or host_vars: NAME, NAME.yml, or a folder NAME of any depth."""
    for entry in sorted(_entries(folder)):
        if entry.name.startswith(".") or entry.name.endswith("~"):
            continue
        owner = entry.name
        if entry.is_file() and entry.suffix in (".yml", ".yaml", ".json"):
            owner = entry.name.removesuffix(entry.suffix)
        for file in _below(entry, 0):
            name = f"{kind}/{file.relative_to(folder)}"
            try:
                sources.add(file, name, f"{kind[:-5]} {owner}", _text_of(file))
            except UnicodeError:
                sources.notes.append(f"{file} is not text and was not read")


def _below(entry: Path, depth: int) -> Iterator[Path]:
    if entry.is_file():
        if entry.suffix in _VARIABLE_FILE:
            yield entry
    elif entry.is_dir() and depth < _DEPTH_LIMIT:
        for inner in sorted(_entries(entry)):
            if not inner.name.startswith(".") and not inner.name.endswith("~"):
                yield from _below(inner, depth + 1)
