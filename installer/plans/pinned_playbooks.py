"""Carried: folders of playbooks, pinned in a plan by what is in them, of which a run keeps a copy.

Neither an upgrade of Sitewright nor work on a customer's repository changes a run that has begun:
it plays the playbooks that were reviewed, also when it is gone on with later. What takes a step
back is another matter: a gate of an earlier version may let pass what ours holds back, so that
those that come with the solution are then played as this version has them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation.paths import make_private
from foundation.problems import InputProblem, Refused
from foundation.wording import are, counted, human_size
from installer.catalogue.solution import FOLDER, playbooks_folder

if TYPE_CHECKING:
    from installer.plans.plan import Plan

SOLUTION: Final = "solution"
"""The playbooks that come with the solution."""
SITE: Final = "site"
"""The playbooks that the customer brought."""
KEPT: Final = "playbooks"
"""The folder of a run in which the copies lie, each under its name."""
LIMIT: Final = 256 * 1024 * 1024
"""Bytes of one folder; more is no folder of playbooks."""
MOST_FILES: Final = 50_000
"""Files of one folder, those behind its links counted too."""
_LEFT_OUT: Final = frozenset({".git", "__pycache__"})
_SHOWN: Final = 8
"""Links that are named in a problem."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of playbooks of a run."""

    name: str
    origin: Path
    """Where it lay when the plan was made."""
    folder: Path
    """Where the run reads it: its own copy."""


def digest(folder: Path) -> str:
    """What tells this folder of playbooks from every other; raises InputProblem.

    It is made of each file's name, bytes and whether it can be executed.
    """
    whole = hashlib.sha256()
    for name, path in files_of(folder):
        data, mode = _read(path)
        _take_in(whole, name, data, mode)
    return whole.hexdigest()


def told_in_numbers(folder: Path) -> str:
    """How much a folder of playbooks is, for whoever reviews it: files, bytes, programs, links."""
    size = programs = links = files = 0
    for relative, path in files_of(folder):
        found = path.stat()
        files += 1
        size += found.st_size
        programs += bool(found.st_mode & 0o100)
        links += folder.resolve() / relative != path
    said = [counted(files, "file"), human_size(size)]
    said += [f"{counted(programs, 'program')} among them"] if programs else []
    said += [f"{links} {are(links)} reached through links inside it"] if links else []
    return f"The folder {folder} of playbooks has {', '.join(said)}; all of it is carried along."


def keep(plan: Plan, run: Path) -> None:
    """Copy what a plan carries into the folder of its run; raises InputProblem, OSError.

    It raises where a folder is no longer what the plan was made with.
    """
    for name, origin, pinned in plan.carries:
        target = make_private(run / KEPT) / name
        target.mkdir(mode=0o700)
        whole = hashlib.sha256()
        for relative, path in files_of(Path(origin)):
            data, mode = _read(path)
            _take_in(whole, relative, data, mode)
            _write(target / relative, data, mode)
        if whole.hexdigest() != pinned:
            raise InputProblem(
                "the playbooks were changed since the plan was made",
                where=origin,
                remedy="Make the plan again and review it; nothing was begun with this one.",
            )


def check_kept(plan: Plan, run: Path) -> None:
    """Raise Refused where the copies of a run are not what its plan was made with."""
    for name, _, pinned in plan.carries:
        folder = run / KEPT / name
        if not folder.is_dir() or digest(folder) != pinned:
            raise Refused(
                "the playbooks that this run keeps are not those that were reviewed",
                where=str(folder),
                remedy="Begin a new run (sitewright install): each step is asked whether it is "
                "done before anything is done.",
            )


def told_of_change(plan: Plan, *, undo: bool = False) -> list[str]:
    """Sentences on what became of the playbooks since the plan was made, for a run gone on with.

    `undo` says that a stage is taken back: which playbooks do that, `to_take_back` knows, and says
    it of those of the solution.
    """
    told = []
    for name, origin, pinned in plan.carries:
        folder = Path(origin)
        if not folder.is_dir():
            what = "are no longer there"
        elif digest(folder) != pinned:
            what = "were changed since"
        else:
            continue
        if undo and name == SOLUTION:
            continue
        does = "what is taken back is taken back" if undo else "this run goes on"
        text = (
            f"The playbooks in {origin} {what}: {does} with the copy of those that were reviewed."
        )
        if not undo:
            text += " A new run (sitewright install) takes what is there now."
        if name == SOLUTION:
            text += " What takes a step back is played as this version of Sitewright has it."
        told.append(text)
    plays = any(step.plays for stage in plan.stages for step in stage.steps)
    if plays and not plan.carries:
        told.append(
            "This run was begun by a version of Sitewright that kept no copy of its playbooks: it "
            f"plays those in {plan.playbooks} as they are now."
        )
    return told


def places(plan: Plan, run: Path) -> tuple[Place, ...]:
    """Where a run reads its playbooks, the customer's first."""
    if plan.carries:
        found = [Place(name, Path(origin), run / KEPT / name) for name, origin, _ in plan.carries]
        return tuple(sorted(found, key=lambda place: place.name != SITE))
    own, folder = playbooks_folder(plan.solution, FOLDER), Path(plan.playbooks)
    theirs = (Place(SITE, folder, folder),) if folder != own else ()
    return (*theirs, Place(SOLUTION, own, own))


def to_take_back(plan: Plan, run: Path) -> tuple[tuple[Place, ...], str]:
    """Where a run reads the playbooks that take a step back, and a sentence where they are others.

    Those of the solution are of this version, whatever the run keeps: what ours ask before they
    remove anything, those of an earlier version may not have asked, or asked wrongly.
    """
    own = playbooks_folder(plan.solution, FOLDER)
    found = places(plan, run)
    kept = next((pinned for name, _, pinned in plan.carries if name == SOLUTION), None)
    if kept is None:
        return found, ""
    there = tuple(
        Place(place.name, place.origin, own) if place.name == SOLUTION else place for place in found
    )
    if own.is_dir() and digest(own) == kept:
        return there, ""
    return there, (
        "The playbooks of the solution were changed since this run was begun: what takes a step "
        "back is played as this version of Sitewright has it, not as the run keeps it."
    )


def copy(folder: Path, target: Path) -> None:
    """Copy a folder of playbooks as a run would; raises InputProblem, OSError."""
    for relative, path in files_of(folder):
        data, mode = _read(path)
        _write(target / relative, data, mode)


def files_of(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below a folder by its relative name, in one order, and where it really lies.

    A link is followed where it stays below the folder. One that leaves it would carry whatever it
    names (a private key, say) to another machine: raises InputProblem that names each.
    """
    root = folder.resolve()
    found: list[tuple[str, Path]] = []
    leaving: list[str] = []

    def inside(path: Path, real: Path) -> bool:
        if not path.is_symlink() and path.parent.resolve() == real.parent:
            return True
        stays = real.is_relative_to(root)
        if stays and _LEFT_OUT.isdisjoint(real.relative_to(root).parts):
            return True
        leaving.append(f"{path.relative_to(folder).as_posix()} -> {path.readlink()}")
        return False

    for top, folders, names in os.walk(folder, followlinks=True):
        here = Path(top)
        above = {here.resolve(), *here.resolve().parents}
        kept = []
        for name in folders:
            real = (here / name).resolve()
            # A link to a folder above would never end.
            above_us = real in above and real.is_relative_to(root)
            if name not in _LEFT_OUT and not above_us and inside(here / name, real):
                kept.append(name)
        folders[:] = kept
        for name in names:
            path, real = here / name, (here / name).resolve()
            if (path.is_symlink() or path.is_file()) and inside(path, real) and real.is_file():
                found.append((path.relative_to(folder).as_posix(), real))
        if len(found) > MOST_FILES:
            raise InputProblem(
                f"the folder of playbooks holds more than {MOST_FILES} files",
                where=str(folder),
                remedy="Take out of it what the playbooks do not need; a link to a folder counts "
                "with all that is in it.",
            )
    if leaving:
        raise _leads_out(folder, leaving)
    size = sum(path.stat().st_size for _, path in found)
    if size > LIMIT:
        raise InputProblem(
            f"the folder of playbooks holds {size} bytes, more than {LIMIT}",
            where=str(folder),
            remedy="Take out of it what the playbooks do not need.",
        )
    yield from sorted(found)


def _leads_out(folder: Path, links: Sequence[str]) -> InputProblem:
    shown = sorted(links)[:_SHOWN]
    more = f", and {len(links) - len(shown)} more" if len(links) > len(shown) else ""
    return InputProblem(
        f"{'links lead' if len(links) > 1 else 'a link leads'} out of the folder of playbooks: "
        f"{', '.join(shown)}{more}",
        where=str(folder),
        remedy="What lies behind would be carried along unseen. Put a copy of what is meant in the "
        "place of each link, or take the link away.",
    )


def _read(path: Path) -> tuple[bytes, int]:
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            return file.read(LIMIT), os.fstat(file.fileno()).st_mode & 0o777
    except OSError as error:
        raise InputProblem(
            f"a file of the playbooks cannot be read: {error.strerror}", where=str(path)
        ) from error


def _take_in(whole: hashlib._Hash, name: str, data: bytes, mode: int) -> None:
    executed = "x" if mode & 0o100 else "-"
    head = f"{executed} {hashlib.sha256(data).hexdigest()} {name}\0"
    whole.update(head.encode("utf-8", "surrogateescape"))


def _write(path: Path, data: bytes, mode: int) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Ansible may give a file the mode that it has here.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode | 0o600), "wb") as file:
        os.fchmod(file.fileno(), mode | 0o600)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
