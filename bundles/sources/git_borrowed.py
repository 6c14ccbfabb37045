"""What of a repository on this computer lies in another place: objects it borrows, and links.

Git reads what `objects/info/alternates` names as the repository's own, and writes through a link
(an index, a reflog, a message) to whatever is behind it. Whoever hands a clone over can so have
files of this computer read into it, or overwritten.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from shlex import quote
from typing import Final

from foundation import bounded_files
from foundation.problems import InputProblem, Problem

_DEEPEST: Final = 6
"""Alternates of alternates; Git itself follows five."""
_LONGEST: Final = 64 * 1024
"""Bytes of a list of alternates."""
_MOST: Final = 200_000
"""Files of a repository beside its loose objects."""
_LOOSE: Final = re.compile(r"[0-9a-f]{2}")
_PARTS: Final = frozenset({"modules", "lfs", "annex", "hooks"})
"""Of others: submodules, which Git is not sent into, and what no command of ours reads or runs."""


def elsewhere(store: Path, within: Sequence[Path]) -> Path | None:
    """The first place outside some folders to which a repository leads; None where there is none.

    `store` is where its objects and references lie: `.git`, or the folder of a bare one. Raises
    InputProblem where it has too many files to look through.
    """
    roots = [one.resolve() for one in within]

    def outside(place: Path) -> bool:
        return not any(place.is_relative_to(root) for root in roots)

    for link in _links(store):
        if outside(target := link.resolve()):
            return target
    return next(filter(outside, _borrowed(store / "objects", _DEEPEST)), None)


def way_out(store: Path) -> str:
    """The command that has a repository keep all objects itself, as a shell takes it."""
    alternates = quote(str(store / "objects" / "info" / "alternates"))
    return f"git -C {quote(str(store))} repack -a -d && rm {alternates}"


def borrows(store: Path) -> bool:
    """Whether it has a list of alternates at all."""
    return (store / "objects" / "info" / "alternates").exists()


def _borrowed(objects: Path, deepest: int) -> Iterator[Path]:
    try:
        text = bounded_files.read_text(
            objects / "info" / "alternates", _LONGEST, errors="surrogateescape"
        )
    except FileNotFoundError:
        return
    except (OSError, ValueError, Problem):
        yield Path("/")  # a list that nobody can read may name any place
        return
    for line in text.split("\n"):
        if not line or line.startswith("#"):
            continue
        if line.startswith('"') or "\0" in line or not deepest:
            yield Path("/")  # in C's quotes, or deeper than Git goes: nothing that Git makes
            continue
        place = (objects / line).resolve()
        yield place
        yield from _borrowed(place, deepest - 1)


def _links(store: Path) -> Iterator[Path]:
    left = [store]
    seen = 0
    while left:
        folder = left.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        seen += len(entries)
        if seen > _MOST:
            raise InputProblem(
                f"it has more than {_MOST} files beside its objects, and is not looked through",
                where=str(store),
                remedy="Put its references into one file (git pack-refs --all), or clone it anew.",
            )
        for entry in entries:
            if folder == store and entry.name in _PARTS:
                continue
            if entry.is_symlink():
                yield Path(entry.path)
            elif entry.is_dir(follow_symlinks=False) and not (
                folder.name == "objects" and _LOOSE.fullmatch(entry.name)
            ):
                left.append(Path(entry.path))
