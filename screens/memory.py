"""Memory: what this session has learnt so far and does not write down."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from foundation.hosts.connection import Credentials

if TYPE_CHECKING:
    from foundation.secrets import Secret
    from installer.plan import Plan
    from preflight.assessment import Assessment, Seen
    from preflight.mesh import Mesh
    from screens.bundle_seen import BundleSeen
    from screens.services import Assigned, Installing, Order, Question, SolutionChoice, Tried


class Changed(StrEnum):
    """What the first line of the screen says about the machines."""

    NOTHING = "Nothing has been changed on any machine"
    NOW = "Machines are being changed"
    DONE = "Machines were changed"


@dataclass(slots=True)
class Memory:
    """Results and secrets of one session; a new start learns them anew."""

    credentials: Credentials = field(default_factory=Credentials)
    solutions: tuple[SolutionChoice, ...] = ()
    tried: dict[str, Tried] = field(default_factory=dict)
    """By the machine's name: the last try."""
    confirmed: set[str] = field(default_factory=set)
    """Machines whose offered key a person confirmed on the trust step."""
    seen: dict[str, Seen] = field(default_factory=dict)
    """By the machine's name: the last look."""
    here: Seen | None = None
    """This machine, looked at for the advice on the goal."""
    goal_list: bool = False
    """Whether the goal is chosen from the list instead of the map."""
    question: Question | None = None
    mesh: Mesh | None = None
    assigned: Assigned | None = None
    assessment: Assessment | None = None
    secrets: dict[str, Secret] = field(default_factory=dict)
    """By name: the secrets that the solution asks for."""
    person: str = ""
    """Who sits here, for the record of an installation."""
    bundle: BundleSeen | None = None
    """The bundle that was read last."""
    plan: Plan | None = None
    order: Order | None = None
    """The installation that was confirmed, or that is to be gone on with."""
    installed: Installing | None = None
    """The installation of this session, under way or ended."""
    verified: Installing | None = None
    """The last verification of this session, after the installation."""
    changed: Changed = Changed.NOTHING
    last_words: list[str] = field(default_factory=list)
    """What to print after the screen is gone: the files written, the command that repeats it."""

    def forget_results(self) -> None:
        """Drop what was seen and judged, because the question or the machines changed."""
        self.seen.clear()
        self.plan = None
        self.order = None
        self.installed = None
        self.verified = None
        self.forget_judgement()

    def forget_judgement(self) -> None:
        """Drop what was judged, and keep what was seen."""
        self.question = None
        self.mesh = None
        self.assigned = None
        self.assessment = None
