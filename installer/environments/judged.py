"""What stands against working on an environment, told before anything is begun."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation import bounded_files
from foundation.problems import InputProblem, Refused
from foundation.wording import listed, nearest
from installer.environments.centre import APPLIED, CENTRE, ENVIRONMENT, names, read_environment
from installer.environments.lines import line_of, numbers
from installer.opentofu.program import StateProblem
from installer.opentofu.saved import configuration_digest, digest_of

if TYPE_CHECKING:
    from installer.environments.centre import Environment
    from installer.opentofu.program import Tool
    from installer.opentofu.saved import Kept
    from installer.opentofu.states import Head
    from installer.opentofu.workplace import Workplace

_MODULE: Final = re.compile(r'^\s*module\s+"', re.MULTILINE)
_SOURCE: Final = re.compile(r'^\s*source\s*=\s*"([^"\n]{1,2000})"', re.MULTILINE)
_LARGEST: Final = 4 << 20
_MOST_FILES: Final = 5_000


def judge(environment: Environment, tool: Tool) -> None:
    """Raise where the file, the configuration or the program cannot be worked with."""
    line = line_of(environment.centre.line, where=str(environment.roof / CENTRE))
    kind = environment.file.environment
    if kind not in line.environments:
        close = nearest(kind, line.environments)
        raise InputProblem(
            f'"{kind}" is nothing that {line.title} makes'
            + (f'; did you mean "{close}"?' if close else ""),
            where=str(environment.folder / ENVIRONMENT),
            remedy=f"Write one of {listed(line.environments)} as `environment`.",
        )
    gate = next((one for one in line.tools if one.name == tool.title.lower()), None)
    if gate is not None and numbers(tool.version) < numbers(gate.at_least):
        raise InputProblem(
            f"{tool.title} {tool.version} is here, and {line.title} wants {gate.at_least} or newer",
            where=tool.path,
            remedy="Bring that version, or OpenTofu, and name it in centre.yaml as `program`.",
        )
    if not any(environment.folder.glob("*.tf")) and not any(environment.folder.glob("*.tofu")):
        raise InputProblem(
            "it has no configuration: there is no *.tf in its folder",
            where=str(environment.folder),
            remedy="Put its configuration there, as its line describes it.",
        )
    if environment.centre.providers and not Path(environment.place(tool).providers).is_dir():
        raise InputProblem(
            "the folder of providers is not there",
            where=environment.place(tool).providers,
            remedy="Name it in centre.yaml as `providers`, relative to that file.",
        )
    _not_older(environment, tool)
    if not environment.centre.fetches:
        _from_here(environment.folder)


def _not_older(environment: Environment, tool: Tool) -> None:
    """Raise StateProblem where a newer program wrote the state than the one that is here.

    The program would read such a state, as long as its form is the same, and write it back older.
    """
    applied = environment.applied()
    if applied is None or applied.program != tool.title:
        return
    ours, theirs = numbers(tool.version), numbers(applied.version)
    if ours and theirs and ours < theirs:
        raise StateProblem(
            f"it was applied with {applied.program} {applied.version}, and here is {tool.version}",
            where=environment.name,
            remedy=f"Bring {applied.program} {applied.version} or newer, and name it in "
            "centre.yaml as `program`.",
        )


def _from_here(folder: Path) -> None:
    """Raise Refused for modules that would be fetched, where nobody said that they may be."""
    outside = sorted(set(modules_from_outside(folder)))
    if outside:
        raise Refused(
            f"its configuration takes modules from elsewhere: {listed(outside[:6])}",
            where=str(folder),
            remedy="Put them beside it and name them as ./…, or allow that they are fetched: "
            "`fetches: true` in centre.yaml.",
        )


def modules_from_outside(folder: Path, seen: set[Path] | None = None) -> Iterator[str]:
    """Where a configuration takes modules from, but for folders beside it; those are read too."""
    seen = set() if seen is None else seen
    here = folder.resolve()
    if here in seen or len(seen) > _MOST_FILES or not here.is_dir():
        return
    seen.add(here)
    for path in sorted((*here.glob("*.tf"), *here.glob("*.tofu"))):
        try:
            text = bounded_files.read_text(path, _LARGEST)
        except (OSError, ValueError):
            continue  # the program says what is wrong with it
        for part in _MODULE.split(text)[1:]:
            found = _SOURCE.search(part)
            if found is None:
                continue
            if found[1].startswith(("./", "../")):
                yield from modules_from_outside(here / found[1], seen)
            else:
                yield found[1]


def still_holds(environment: Environment, place: Workplace, kept: Kept, *, again: str) -> None:
    """Raise Refused where a saved plan is not of what stands there now."""
    if digest_of(place.saved) != kept.sha256:
        raise Refused(
            "the saved plan was changed since it was made",
            where=str(place.saved),
            remedy=f"Make it anew, and look at it: {again}",
        )
    beside = (environment.folder.resolve() / ENVIRONMENT,)
    if configuration_digest(place.configuration, *beside) != kept.configuration:
        raise Refused(
            "the configuration or its answers were changed since the plan was made",
            where=str(environment.folder),
            remedy=f"Make the plan anew, and look at it: {again}",
        )


def of_this_environment(environment: Environment, head: Head, kept: Kept, *, again: str) -> None:
    """Raise StateProblem where the state is another's, or moved on since the plan was made."""
    applied = environment.applied()
    if applied is not None and head.lineage != applied.lineage:
        others = [
            name
            for name in names(environment.roof)
            if name != environment.name
            and (other := read_environment(environment.roof, name).applied()) is not None
            and other.lineage == head.lineage
        ]
        whose = f" It is that of {listed(others)}." if others else ""
        raise StateProblem(
            (
                "there is no state, and the environment had one"
                if head.empty
                else "the state is not the one that this environment had"
            )
            + f" (lineage {applied.lineage[:8]}, now {head.lineage[:8] or 'none'}).{whose}",
            where=environment.name,
            remedy="See where the configuration keeps its state (backend), and put that right. The "
            f"state as it was before each apply lies in {environment.root / 'backups'}; which "
            f"state is meant stands in {APPLIED}.",
        )
    if (head.lineage, head.serial) != (kept.lineage, kept.serial):
        raise StateProblem(
            f"the plan is older than the state: it was made of {kept.serial}, and the state is "
            f"{head.serial} now",
            where=environment.name,
            remedy=f"Make the plan anew, and look at it: {again}",
        )
