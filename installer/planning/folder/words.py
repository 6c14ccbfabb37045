"""Words: the titles and sentences that a person reads of a solution, and its sources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from foundation.documents import parse_yaml, read_text
from foundation.terminal import visible
from installer.planning.folder.wrong import Folder, Wrong

_TITLES: Final = frozenset({"title"})
_SENTENCES: Final = frozenset(
    {"description", "why", "why_not", "help", "mind", "irreversible", "undo_loses",
     "no_bundle", "proven", "reason"}
)  # fmt: skip
_ENDS: Final = (".", "?", "!", "…", ":")
_LONGEST_TITLE: Final = 100
_PLURAL: Final = re.compile(r"[a-z]\((?:s|es)\)")
_FREE: Final = frozenset({"environment", "knows", "variables", "playbook_variables", "settings_of"})
"""Keys below which a person's own names stand."""
_PAIRS: Final = {
    "os": "os_source", "architectures": "architecture_source", "cpu_level": "cpu_level_source",
    "cpu_flags": "cpu_flags_source", "kernel_min": "kernel_source", "swap": "swap_source",
    "cgroup_controllers": "cgroup_source", "commands": "commands_source",
    "kubernetes_tested": "kubernetes_tested_source", "max_skew_seconds": "skew_source",
    "cluster_networks": "cluster_networks_source", "root": "root_source",
    "systemd": "systemd_source",
}  # fmt: skip
"""What a platform asks for, and where it says who asks it."""


def without_standard(
    folder: Folder, names: Iterator[str], *, sentences: tuple[str, ...] = ()
) -> Iterator[Wrong]:
    """Titles and sentences of these files that are none; keys that are `sentences` there too."""
    for name in names:
        value = parse_yaml(read_text(folder.path / name), where=name)
        for location, key, text in _strings(value, ()):
            says = ""
            if key in sentences:
                says = _of_sentence(text)
            elif key in _TITLES:
                says = _of_title(text)
            elif text and (key in _SENTENCES or location == ("summary",)):
                says = _of_sentence(text)
            if says:
                yield folder.wrong(name, location, f'"{key}" {says}', "Mend the words.")


def without_source(folder: Folder, names: Iterator[str]) -> Iterator[Wrong]:
    """Tables and needs of these files of which nobody is named who says so."""
    for name in names:
        value = parse_yaml(read_text(folder.path / name), where=name)
        for location, key, text in _strings(value, ()):
            if (key == "source" or key.endswith("_source")) and not text.strip():
                yield folder.wrong(name, location, f'"{key}" names nobody', _WHO)
    needs = parse_yaml(read_text(folder.path / "solution.yaml"), where="solution.yaml")
    for at, platform in enumerate(needs.get("platforms", ())):
        asked = platform["needs"]
        for key, source in _PAIRS.items():
            if key in asked and not asked.get(source) and asked[key] not in ("ignore", [], None):
                location = ("platforms", at, "needs", key)
                says = f'"{key}" is asked for, and "{source}" does not say by whom'
                yield folder.wrong("solution.yaml", location, says, _WHO)


_WHO: Final = "Name the document and section; what we ask of our own is Sitewright's, with why."


def _of_title(text: str) -> str:
    if text.rstrip().endswith(".") and not text.rstrip().endswith(("…", "...")):
        return "is a title, and ends with a full stop"
    if len(text) > _LONGEST_TITLE and "{{" not in text:
        return f"is longer than a line ({len(text)} letters of {_LONGEST_TITLE})"
    return _of_any(text)


def _of_sentence(text: str) -> str:
    if not text.rstrip().rstrip("\")'").endswith(_ENDS) and not text.rstrip().endswith("}}"):
        return "is no whole sentence: it lacks its end"
    return _of_any(text)


def _of_any(text: str) -> str:
    if not text.strip():
        return "is empty"
    if found := _PLURAL.search(text):
        return f'makes a plural in brackets ("{found[0]}")'
    if visible(text) != text:
        return "has signs in it that nobody sees"
    if "\n" in text.strip():
        return "has a line break in it"
    return ""


def _strings(
    value: Any, location: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Every text of a document with where it stands and its key."""
    if isinstance(value, Mapping):
        for key, inside in value.items():
            here = (*location, key)
            if isinstance(inside, str):
                yield here, str(key), inside
            elif key not in _FREE:
                yield from _strings(inside, here)
    elif isinstance(value, list):
        for at, inside in enumerate(value):
            yield from _strings(inside, (*location, at))
