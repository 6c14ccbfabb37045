"""New site file: that of `new_site`, written where none is, with what is left to fill in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.hosts.model import Host
from foundation.problems import InputProblem
from installer.planning.new_site import left_to_fill, new_site_text
from installer.sites.site import load_site_text
from installer.sites.site_paths import against_site_name
from installer.supply.opened_before import remember_own

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution
    from preflight.needs import SolutionNeeds


@dataclass(frozen=True, slots=True)
class NewSite:
    """A site file that was written."""

    path: Path
    text: str
    left: tuple[str, ...]
    """The places that only a person can fill in, in their order."""


def write_new_site(
    solution: Solution, needs: SolutionNeeds, hosts: Sequence[Host], path: Path
) -> NewSite:
    """Write a commented site file; raises InputProblem, and never writes over anything."""
    if against := against_site_name(path):
        raise InputProblem(
            against.rstrip("."), where=str(path), remedy="Name it so, with --output: site.yaml."
        )
    text = new_site_text(solution, needs, hosts)
    left = left_to_fill(load_site_text(text, str(path)))
    _write_new(path, text)
    remember_own(path)
    return NewSite(path, text, left)


def _write_new(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise InputProblem(
            "there is something with this name already, and it is left as it is",
            where=str(path),
            remedy="Name a new file (on the command line: --output FILE).",
        ) from error
    except OSError as error:
        raise InputProblem(
            f"the file cannot be written: {error.strerror or error}",
            where=str(path),
            remedy="Name a file in a folder that exists and that you may write to.",
        ) from error
