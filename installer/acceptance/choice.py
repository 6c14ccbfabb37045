"""What a person chose to have proven, and what that comes to: read, checked, with its programs."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation.problems import InputProblem
from installer.acceptance.cast import MOST_PROCESSES, Bounds
from installer.acceptance.profile import DOCUMENT_RATE, Profile

if TYPE_CHECKING:
    from foundation.hosts.openssh.ssh_files import Program
    from installer.acceptance.accept import Asked

MOST_RATE: Final = 100_000
FEWEST_RATE: Final = 0.1
LONGEST: Final = 7 * 24 * 3600
_A_PROCESS: Final = 150
"""Journeys a second for which a process is begun, where it is not said how many there are."""
_UNITS: Final = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class Choice:
    """Everything that is chosen before an acceptance: by options, or on a page of the wizard."""

    hub: Path
    """The hub file."""
    profile: Profile = field(default_factory=lambda: Profile(DOCUMENT_RATE))
    processes: int | None = None
    """None: as many as the rate needs and the cores allow."""
    drills: tuple[str, ...] = ()
    token_file: Path | None = None
    """Of the ledger's administration, of mode 0600."""
    password_file: Path | None = None
    """For the hub file's ledger.command, of mode 0600."""
    hub_name: str = "Hub"
    allowed_by: str = ""
    """Who answers for the load on a hub that is in use."""
    by: str = ""
    """Who begins it, for the record; empty where nobody was asked."""


def bounds() -> Bounds:
    """What is waited for and how long, by the document and by what the ledger's handlers take."""
    return Bounds()


def read_choice(choice: Choice) -> Asked:
    """Read and check all that is chosen; nothing is started. Raises InputProblem, Refused.

    Programs that the hub file names are no matter here: see `require_programs`.
    """
    from foundation.secrets import secret_from_file
    from installer.acceptance.accept import Asked
    from installer.acceptance.drills import chosen
    from installer.acceptance.hub_file import read_hub_file
    from installer.acceptance.left_faults import require_none_left

    if choice.profile.steady < 1:
        raise InputProblem("a steady part has a second at least", where="--for")
    require_none_left()
    hub = read_hub_file(choice.hub)
    token, password = choice.token_file, choice.password_file
    if hub.ledger is None and password is not None:
        raise InputProblem(
            "a password of the ledger's database is given, and the hub file names no command"
            " that would use it",
            where="--ledger-password-file",
            remedy="Name one as `ledger: {command: [...]}`; see `sitewright accept --example`.",
        )
    limits = bounds()
    return Asked(
        hub,
        choice.profile,
        choice.processes or processes_for(choice.profile.rate),
        limits,
        token=secret_from_file(token) if token is not None else None,
        allowed_by=choice.allowed_by.strip(),
        hub_name=choice.hub_name,
        ledger_password=secret_from_file(password) if password is not None else None,
        drills=chosen(hub.drills, choice.drills, choice.profile, limits),
        by=choice.by.strip(),
    )


def programs_of(choice: Choice, asked: Asked) -> tuple[Program, ...]:
    """The commands of the hub file that this acceptance would start here, each with its place."""
    from foundation.hosts.openssh.ssh_files import Program

    named: list[tuple[str, Sequence[str]]] = []
    if asked.hub.ledger is not None:
        named.append(("ledger.command", asked.hub.ledger.command))
    for drill in asked.drills:
        named.append((f"the drill {drill.name}", drill.command))
        if drill.undo:
            named.append((f"the undoing of {drill.name}", drill.undo))
    place = str(choice.hub.absolute())
    return tuple(Program(what, shlex.join(command), place) for what, command in named)


def require_programs(choice: Choice, asked: Asked) -> None:
    """Raise ProgramsNotAllowed where the hub file names a command that nobody allowed.

    A hub file may be anybody's: what it names is shown first, and run once allowed.
    """
    from foundation.hosts.openssh import allowed

    programs = programs_of(choice, asked)
    if programs and not allowed.is_remembered(programs):
        raise allowed.ProgramsNotAllowed(
            programs,
            where=str(choice.hub),
            remedy="Read them. To allow exactly these, say yes where the wizard asks, or the"
            " command on a terminal, or give --allow-programs; else take them out of the file.",
        )


def processes_for(rate: float) -> int:
    """As many processes as a rate needs, and the cores of this machine allow."""
    wanted = -int(-rate // _A_PROCESS)
    return max(1, min(wanted, os.cpu_count() or 1, MOST_PROCESSES))


# ---- what is typed


def read_rate(text: str) -> float:
    """A rate in journeys a second; raises ValueError with a sentence."""
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not FEWEST_RATE <= rate <= MOST_RATE:
        raise ValueError(f"a rate is between {FEWEST_RATE} and {MOST_RATE:,}: {text}")
    return rate


def read_seconds(text: str) -> float:
    """A time such as 90s, 10m or 1h, in seconds; raises ValueError with a sentence."""
    number, unit = (text[:-1], _UNITS[text[-1]]) if text[-1:] in _UNITS else (text, 1)
    try:
        seconds = float(number) * unit
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST:
        raise ValueError(f"a time is such as 90s, 10m or 1h: {text}")
    return seconds


def read_processes(text: str) -> int:
    """How many processes; raises ValueError with a sentence."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MOST_PROCESSES:
        raise ValueError(f"processes are 1 to {MOST_PROCESSES}: {text}")
    return int(text)
