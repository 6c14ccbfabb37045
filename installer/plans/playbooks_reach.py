"""Reach of playbooks: what a folder of them names outside itself, which no run carries along.

A run plays a copy of the folder with a configuration of its own. A role in `../roles`, or one that
only the `ansible.cfg` of the folder tells Ansible to look for, would be missed in the middle of an
installation; so it is told when the plan is made.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

from foundation import bounded_files
from foundation.problems import InputProblem
from foundation.yaml_depth import ShallowLoader
from installer.plans.pinned_playbooks import files_of

_READ_AT_ONCE: Final = frozenset(
    (
        "import_playbook", "include_tasks", "import_tasks", "include_vars", "vars_files", "roles",
        "role", "include_role", "import_role", "tasks_from", "vars_from",
    )
)  # fmt: skip
"""Keys whose file Ansible itself reads on the control host, before or while it plays."""
_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9_./+@-]*\.\./[A-Za-z0-9_./+@-]*")
_LARGEST: Final = 1024 * 1024
"""Bytes of a YAML file; a larger one is no playbook."""
_SHOWN: Final = 6


def reaching_out(folder: Path) -> list[str]:
    """Sentences on what the playbooks name outside; raises InputProblem for what cannot be played.

    A path that begins with variables, or is built by a template, is not judged.
    """
    missing: list[str] = []
    perhaps: list[str] = []
    notes = []
    for name, path in files_of(folder):
        if name == "ansible.cfg":
            notes.append(
                f"{folder}/ansible.cfg is not read: a run has a configuration of its own. Paths of "
                "roles, plugins and collections that it names are not looked in."
            )
        if not name.endswith((".yml", ".yaml")) or path.stat().st_size > _LARGEST:
            continue
        for line, key, value in _paths_in(path):
            if not _leaves(name, value):
                continue
            told = f"{name}, line {line}: {key + ': ' if key else ''}{value}"
            (missing if key in _READ_AT_ONCE else perhaps).append(told)
    if missing:
        raise InputProblem(
            "the playbooks reach out of their folder, and only the folder is carried along: "
            + _listed(missing),
            where=str(folder),
            remedy="Name the folder above as the folder of playbooks, or bring what they need into "
            "this one.",
        )
    if perhaps:
        notes.append(
            f"The playbooks in {folder} name paths that would lie outside it, if they are meant on "
            f"this machine: {_listed(perhaps)}"
        )
    return notes


def _listed(told: list[str]) -> str:
    more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return "; ".join(told[:_SHOWN]) + more


def _leaves(name: str, value: str) -> bool:
    """Whether a path, taken from its file's folder or as a role's, leads above the whole folder."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), value)).startswith("..")


def _paths_in(path: Path) -> Iterator[tuple[int, str, str]]:
    """Line, key and path of each plain path with `../` in it; tags are not looked at."""
    try:
        text = bounded_files.read_text(path, _LARGEST)
        nodes = list(yaml.compose_all(text, Loader=ShallowLoader)) if "../" in text else []
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError):
        return  # Ansible says better than we what is wrong with it
    waiting: list[tuple[str, yaml.Node | None]] = [("", node) for node in nodes]
    seen: set[int] = set()
    while waiting:
        key, node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            for word, value in node.value:
                name = word.value if isinstance(word, yaml.ScalarNode) else ""
                # A list of roles names them by `role:` or by their name alone.
                waiting.append((name.rpartition(".")[2] or key, value))
        elif isinstance(node, yaml.SequenceNode):
            waiting += [(key, value) for value in node.value]
        elif isinstance(node, yaml.ScalarNode) and _PLAIN_PATH.fullmatch(node.value):
            yield node.start_mark.line + 1, key, node.value
