"""Opening a file: a site file, or facts that were seen before, become answers."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Final

from foundation import bounded_files
from foundation.problems import InputProblem
from screens.answers.answers import Answers
from screens.answers.wizard import StepId
from screens.services.file_words import names_facts
from screens.services.memory import Memory
from screens.services.services import Services

_HEAD: Final = 64 * 1024
_OF_A_HUB: Final = ("transfers", "admin", "callbacks")
"""What stands at the beginning of a line of a hub file, and never all of it in a site file."""


def is_recording(path: Path) -> bool:
    """Whether a path is a run to look at: its folder, or a support bundle."""
    try:
        if path.is_dir():
            return (path / "plan.json").is_file()
        with bounded_files.opened(path) as file:
            return file.read(2) == b"\x1f\x8b"  # gzip (RFC 1952, 2.3.1)
    except (OSError, ValueError):  # no such file, or a name that no file can have
        return False


def is_cluster(path: Path) -> bool:
    """Whether a file holds what was seen of a cluster; one that cannot be read is told later."""
    from preflight.cluster.recorded import SCHEMA
    from preflight.recorded import schema_of

    try:
        # One of a newer form is of a cluster as well, and is told as that.
        return names_facts(path) and schema_of(path).startswith(f"{SCHEMA.partition('/')[0]}/")
    except InputProblem:
        return False


def is_hub(path: Path) -> bool:
    """Whether a file is a hub file, for an acceptance; one that cannot be read is told later."""
    from installer.sites.site_paths import SITE_SUFFIXES

    if path.suffix.lower() not in SITE_SUFFIXES:
        return False
    try:
        text = bounded_files.read_text(path, _HEAD)
    except (OSError, ValueError):
        return False
    return all(re.search(rf"^{word}[ \t]*:", text, re.MULTILINE) for word in _OF_A_HUB)


async def open_file(path: Path, memory: Memory, services: Services) -> tuple[StepId, Answers]:
    """The step at which to go on, and the answers; facts go into the memory. Raises Problem."""
    if names_facts(path):
        seen = await services.load_facts(path)
        twice = [name for name, n in Counter(e.host.name for e in seen).items() if n > 1]
        if not seen or twice:
            raise InputProblem(
                f'the machine "{twice[0]}" stands in it twice' if twice else "it holds no machine",
                where=str(path),
                remedy="Save the facts again with `sitewright facts`.",
            )
        memory.forget_results()
        memory.seen = {entry.host.name: entry for entry in seen}
        hosts = tuple(entry.host for entry in seen)
        return StepId.GOAL, Answers(facts_file=path, recorded=hosts)
    file = await services.machine_file(path)
    memory.forget_results()
    answers = file.answers or Answers().with_machines(file.hosts)
    if not memory.solutions:
        # Whether the solution can be installed is its own word, and decides which steps there are.
        memory.solutions = await services.solutions()
    step = StepId.GOAL if answers.solution is None else StepId.MACHINES
    return step, replace(answers, step=step.value)
