"""Update: what a later starter has that a repository has not, and what people made their own.

Three texts stand against each other for each file: the one that was written at first, the one that
is there now, and the one of the starter. What people changed is never written over.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from foundation import bounded_files
from foundation.documents import parse_yaml
from foundation.problems import InputProblem, Refused
from foundation.wording import counted, shortened
from installer.repository import git
from installer.repository.create import put
from installer.repository.kept_base import NAME, KeptBase, as_text, base_of
from installer.repository.starter import Environment

_LARGEST: Final = 4 * 1024 * 1024


class Fate(StrEnum):
    """What becomes of a file."""

    SAME = "same"
    NEW = "new"
    """The starter has it anew."""
    TAKEN = "taken"
    """Only the starter changed it."""
    MERGED = "merged"
    """Both changed it, at different places, and what comes of it can be read."""
    KEPT = "kept"
    """Only people changed it, or took it away."""
    BOTH = "both"
    """Both changed the same place: theirs stays, and the starter's change is shown."""
    GONE = "gone"
    """The starter has it no more; it stays until somebody takes it away."""


SENTENCES: Final = {
    Fate.NEW: "New in the starter",
    Fate.TAKEN: "Changed by the starter, and not by you",
    Fate.MERGED: "Changed by both, at different places, and put together",
    Fate.BOTH: "Changed by both at the same place: yours stays, and the starter's change is above",
    Fate.GONE: "No more in the starter: yours stays until you take it away",
    Fate.KEPT: "Yours, and left as it is",
}
"""What is said of the files of each fate, in this order."""


@dataclass(frozen=True, slots=True)
class Change:
    """One file: what becomes of it, and which text it would have."""

    path: str
    fate: Fate
    text: str | None
    """What is written; None where nothing is."""
    difference: str
    """What the starter changed, or would, as `diff -u` shows it."""


def changes(folder: Path, base: KeptBase, new: Mapping[str, str]) -> tuple[Change, ...]:
    """What the files of a later starter come to in a repository; nothing is written."""
    return tuple(
        _change(path, base.text(path), _now(folder, path), new.get(path))
        for path in sorted({*base.files, *new})
    )


def _now(folder: Path, path: str) -> str | None:
    file = folder / path
    try:
        if file.is_symlink():
            raise InputProblem(
                "it is a link, and a file of the starter stood there",
                where=str(file),
                remedy="Put an ordinary file in its place, or take it away.",
            )
        return bounded_files.read_bytes(file, _LARGEST).decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise InputProblem(
            f"it cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}",
            where=str(file),
            remedy="See what it is, and bring it back or take it away.",
        ) from error


def _change(path: str, base: str | None, now: str | None, new: str | None) -> Change:
    if new in (now, base):
        fate = Fate.SAME if new == now else Fate.KEPT
        return Change(path, fate, None, "")
    if new is None:
        return Change(path, Fate.GONE, None, _diff(path, base, None)) if now is not None else (
            Change(path, Fate.SAME, None, "")
        )  # fmt: skip
    if now is None and base is None:
        return Change(path, Fate.NEW, new, _diff(path, None, new))
    if now == base:
        return Change(path, Fate.TAKEN, new, _diff(path, now, new))
    if now is not None and base is not None and git.is_here():
        merged = git.merged(now, base, new)
        if merged is not None and (_reads(merged, path) or not _reads(now, path)):
            return Change(path, Fate.MERGED, merged, _diff(path, now, merged))
    return Change(path, Fate.BOTH, None, _diff(path, base, new))


def _reads(text: str, path: str) -> bool:
    """Whether each document of a file of YAML can be read, with no key twice; others always can."""
    if not path.endswith((".yaml", ".yml")):
        return True
    try:
        for document in re.split(r"(?m)^---[ \t]*$", text):
            parse_yaml(document, where=path)
    except InputProblem:
        return False
    return True


def _diff(path: str, before: str | None, after: str | None) -> str:
    lines = difflib.unified_diff(
        (before or "").splitlines(),
        (after or "").splitlines(),
        "/dev/null" if before is None else f"a/{path}",
        "/dev/null" if after is None else f"b/{path}",
        lineterm="",
    )
    return "\n".join(lines)


def apply(
    folder: Path,
    base: KeptBase,
    environments: tuple[Environment, ...],
    new: Mapping[str, str],
    found: tuple[Change, ...],
) -> int:
    """Write what only the starter changed and what could be merged; how many files it was.

    Raises Refused where something is not committed, so that nothing can be lost by it, and where
    the remote branch has what this one has not. What both changed is shown again the next time,
    since its base stays the old one.
    """
    if git.is_here() and git.is_repository(folder):
        open_files = git.not_committed(folder)
        if open_files:
            raise Refused(
                f"{counted(len(open_files), 'file')} of it "
                f"{'is' if len(open_files) == 1 else 'are'} changed and not committed: "
                f"{shortened(open_files)}",
                where=str(folder),
                remedy="Commit them (git add, git commit), so that nothing can be lost, and do it "
                "again.",
            )
        behind, _ = git.diverged(folder)
        if behind:
            raise Refused(
                f"the remote branch has {counted(behind, 'commit')} that this one has not: others "
                "changed it, and it is brought on from what they left",
                where=str(folder),
                remedy="Bring them here (git pull --rebase), and do it again.",
            )
    both = {one.path for one in found if one.fate is Fate.BOTH}
    remembered = {path: text for path, text in new.items() if path not in both}
    remembered |= {path: text for path in both if (text := base.text(path)) is not None}
    written = [one for one in found if one.text is not None]
    try:
        for one in written:
            put(folder, one.path, one.text or "")
        put(folder, NAME, as_text(base_of(base.solution, environments, remembered)))
    except OSError as error:
        raise InputProblem(
            f"it cannot be written: {error.strerror or error}",
            where=str(error.filename or folder),
            remedy="What was written before it can be seen, and taken back: git status; git diff",
        ) from error
    return len(written)
