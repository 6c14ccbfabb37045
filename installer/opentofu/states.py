"""The head of a state: which it is and how old; never what is in it, which is a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from foundation.problems import InputProblem
from foundation.terminal import clean_line

KNOWN_FORMAT: Final = 4
"""Of the file of a state, since Terraform 0.12 and in every OpenTofu."""
_KEPT: Final = 20
"""Backups of one environment's state; the oldest go."""
_BACKUP: Final = re.compile(r"\d{8}-\d{6}-\d+\.tfstate")


@dataclass(frozen=True, slots=True)
class Head:
    """Which state it is: `lineage` tells it from every other, `serial` its age."""

    lineage: str = ""
    serial: int = 0
    written_by: str = ""
    """The version of the program, as far as the state tells."""
    resources: int = 0
    """Instances that are managed."""

    @property
    def empty(self) -> bool:
        """Whether nothing was ever applied."""
        return not self.lineage


def read_head(text: str, *, where: str) -> Head:
    """The head of what `state pull` gave; nothing is an empty one. Raises InputProblem."""
    if not text.strip():
        return Head()
    try:
        state: Mapping[str, Any] = json.loads(text)
        version = state["version"]
        if version != KNOWN_FORMAT:
            raise InputProblem(
                f"the state has the form {clean_line(str(version))}, and {KNOWN_FORMAT} is the one "
                "that is known here",
                where=where,
                remedy="It was written by a newer program: use that one, and leave the state.",
            )
        return Head(
            str(state["lineage"]),
            int(state["serial"]),
            clean_line(str(state.get("terraform_version", ""))),
            sum(
                len(one.get("instances", ()))
                for one in state.get("resources", ())
                if one.get("mode") == "managed"
            ),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputProblem(
            "the state is not in the form that is known here",
            where=where,
            remedy="Look at it by hand. A state as it was before each apply is among the backups.",
        ) from error


def backup_name(stamp: str, serial: int) -> str:
    """The file of a backup: when it was made, and of which age the state was."""
    return f"{stamp}-{serial}.tfstate"


def drop_oldest(folder: Path) -> None:
    """Let the oldest backups go, so that their number is bounded."""
    found = sorted(one for one in folder.iterdir() if _BACKUP.fullmatch(one.name))
    for one in found[:-_KEPT]:
        one.unlink(missing_ok=True)
